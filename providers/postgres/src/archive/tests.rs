use std::collections::BTreeSet;

use bytes::Bytes;
use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_s3::Lens as _;
use drplan_s3::RangeRead;
use futures::executor::block_on;

use super::*;

const TINY: &[u8] = include_bytes!("../../tests/fixtures/tiny.dump");
const PLAIN: &[u8] = include_bytes!("../../tests/fixtures/plain.dump");
const PIPED: &[u8] = include_bytes!("../../tests/fixtures/piped.dump");

struct InMemory(Bytes);

impl RangeRead for InMemory {
    fn key(&self) -> &str {
        "dumps/tiny.dump"
    }
    fn size(&self) -> u64 {
        self.0.len() as u64
    }
    fn range(&self, offset: u64, length: u64) -> Fut<'_, Result<Bytes, ProviderError>> {
        let end = (offset + length).min(self.size());
        let bytes = self.0.slice(offset.min(end) as usize..end as usize);
        Box::pin(async move { Ok(bytes) })
    }
    fn whole(&self) -> Fut<'_, Result<Bytes, ProviderError>> {
        self.range(0, self.size())
    }
}

fn look(bytes: &[u8]) -> Result<Summary, ProviderError> {
    let object = InMemory(Bytes::copy_from_slice(bytes));
    let json = block_on(DumpToc.read(&object, &Json::Null))?;
    Ok(serde_json::from_value(json).expect("the lens's own form"))
}

fn names(set: &BTreeSet<TableName>) -> Vec<String> {
    set.iter().map(ToString::to_string).collect()
}

#[test]
fn a_real_dump_is_read_as_pg_restore_lists_it() {
    for (bytes, compression) in [(TINY, "gzip"), (PLAIN, "none"), (PIPED, "gzip")] {
        let seen = look(bytes).expect("a whole dump");
        assert_eq!(seen.format, "1.14-0");
        assert_eq!(seen.database, "tiny");
        assert_eq!(seen.entries, 22);
        assert_eq!(seen.compression, compression);
        assert_eq!(seen.checked, "chunks");
        assert!(seen.server_version.starts_with("15."));
        assert_eq!(seen.created.date(), jiff::civil::date(2026, 11, 20));
        assert_eq!(seen.encoding.as_deref(), Some("UTF8"));
        let tables = [
            "public.Odd Näme",
            "public.nothing",
            "public.people",
            "sales.orders",
        ];
        assert_eq!(names(&seen.tables), tables);
        assert_eq!(names(&seen.with_data), tables);
        assert_eq!(names(&seen.indexes), ["sales.orders_total"]);
        assert_eq!(seen.constraints.len(), 4);
        assert_eq!(seen.roles, BTreeSet::from(["reader".to_owned()]));
    }
}

#[test]
fn a_dump_that_is_cut_anywhere_is_corrupt() {
    for whole in [TINY, PLAIN, PIPED] {
        for length in 0..whole.len() {
            let error = look(&whole[..length]).expect_err("a cut dump");
            assert_eq!(error.kind, ErrorKind::Corrupt, "{length}: {error}");
            assert!(error.to_string().contains("dumps/tiny.dump"), "{error}");
            assert!(error.to_string().contains(" at byte "), "{error}");
        }
    }
}

#[test]
fn what_is_no_custom_dump_is_told_apart() {
    let sql = look(b"--\n-- PostgreSQL database dump\n--").expect_err("no archive");
    assert_eq!(sql.kind, ErrorKind::Corrupt);
    let mut newer = TINY.to_vec();
    newer[6] = 17;
    assert_eq!(look(&newer).expect_err("too new").kind, ErrorKind::Invalid);
    let mut tar = TINY.to_vec();
    tar[10] = 3;
    assert_eq!(look(&tar).expect_err("a tar").kind, ErrorKind::Invalid);
}

/// Writes archives of versions for which no server is at hand.
struct Writer(Vec<u8>);

impl Writer {
    fn int(&mut self, n: i32) {
        self.0.push(u8::from(n < 0));
        self.0.extend(n.unsigned_abs().to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.int(i32::try_from(text.len()).expect("a short text"));
        self.0.extend(text.as_bytes());
    }

    fn header(minor: u8) -> Self {
        let mut w = Self(b"PGDMP\x01".to_vec());
        w.0.extend([minor, 0, 4, 8, 1]);
        if minor >= 15 {
            w.0.push(3);
        } else {
            w.int(-1);
        }
        for n in [5, 4, 3, 2, 0, 126, 0] {
            w.int(n);
        }
        for text in ["shop", "17.2", "17.2"] {
            w.text(text);
        }
        w
    }

    fn entry(&mut self, minor: u8, id: i32, desc: &str, state: u8, at: u64) {
        self.int(id);
        self.int(i32::from(state != 3));
        for text in ["0", "0", "orders", desc] {
            self.text(text);
        }
        self.int(3);
        for text in ["", "", "COPY orders FROM stdin;", "public", ""] {
            self.text(text);
        }
        if minor >= 14 {
            self.text("heap");
        }
        if minor >= 16 {
            self.int(i32::from(b'r'));
        }
        for text in ["shop", "false", "7"] {
            self.text(text);
        }
        self.int(-1);
        self.0.push(state);
        self.0.extend(at.to_le_bytes());
    }

    fn archive(minor: u8, data_at: u64) -> Vec<u8> {
        let mut w = Self::header(minor);
        w.int(2);
        w.entry(minor, 7, "TABLE", 3, 0);
        w.entry(minor, 8, "TABLE DATA", 2, data_at);
        w.0
    }
}

#[test]
fn every_known_version_is_read() {
    for minor in 12..=16 {
        let contents = Writer::archive(minor, 0).len() as u64;
        let mut w = Writer(Writer::archive(minor, contents));
        w.0.push(1);
        w.int(8);
        w.text("1\tx\n");
        w.int(0);
        let seen = look(&w.0).expect("a whole dump");
        assert_eq!(seen.format, format!("1.{minor}-0"));
        assert_eq!(names(&seen.with_data), ["public.orders"]);
        assert_eq!(seen.created, jiff::civil::date(2026, 1, 2).at(3, 4, 5, 0));
        for length in 0..w.0.len() {
            let error = look(&w.0[..length]).expect_err("a cut dump");
            assert_eq!(error.kind, ErrorKind::Corrupt, "{minor} {length}");
        }
    }
}
