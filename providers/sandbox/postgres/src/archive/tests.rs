use super::*;

const SHOP: &[u8] = include_bytes!("../../tests/archives/shop.dump");
const PLAIN: &[u8] = include_bytes!("../../tests/archives/plain.dump");
const PIPED: &[u8] = include_bytes!("../../tests/archives/piped.dump");
const INSERTS: &[u8] = include_bytes!("../../tests/archives/inserts.dump");

fn rows(archive: &Archive) -> Vec<(String, u64)> {
    let tables = archive.entries.iter().filter(|e| e.desc == "TABLE DATA");
    let mut rows: Vec<_> = tables
        .filter_map(|e| Some((e.tag.clone(), archive.data.get(&e.id)?.rows)))
        .collect();
    rows.sort();
    rows
}

#[test]
fn rows_are_counted_in_every_form_of_a_real_archive() {
    let mut digests = Vec::new();
    for bytes in [SHOP, PLAIN, PIPED] {
        let archive = Archive::read(bytes).unwrap_or_else(|e| panic!("{e}"));
        let expected = [
            ("empty", 0),
            ("events_2025", 120),
            ("orders", 300),
            ("people", 40),
        ];
        let found = rows(&archive);
        let found: Vec<(&str, u64)> = found.iter().map(|(tag, n)| (&**tag, *n)).collect();
        assert_eq!(found, expected);
        let large: u64 = archive
            .data
            .values()
            .map(|copied| copied.large_objects)
            .sum();
        assert_eq!(large, 1);
        let of_tables = archive.data.values().map(|copied| copied.sha256.clone());
        digests.push(of_tables.collect::<Vec<_>>());
    }
    assert!(
        digests.windows(2).all(|two| two[0] == two[1]),
        "the rows are the same"
    );
}

#[test]
fn what_is_cut_broken_or_of_another_kind_is_refused_in_the_words_of_the_real_program() {
    let words = |bytes: &[u8]| {
        Archive::read(bytes)
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default()
    };
    for length in [12, 500, 6000, SHOP.len() - 1] {
        assert_eq!(
            words(&SHOP[..length]),
            "could not read from input file: end of file"
        );
    }
    assert_eq!(
        words(b"hello"),
        "input file does not appear to be a valid archive"
    );
    assert!(words(b"--\n-- PostgreSQL database dump\n").contains("Please use psql."));
    assert!(words(INSERTS).contains("--inserts"));
    let newer = Archive::read_up_to(SHOP, 13).err().map(|e| e.to_string());
    assert_eq!(
        newer.as_deref(),
        Some("unsupported version (1.14) in file header")
    );
    let mut packed = SHOP.to_vec();
    let data = packed.len() - 400;
    packed[data..data + 40].fill(0xee);
    assert!(Archive::read(&packed).is_err());
}
