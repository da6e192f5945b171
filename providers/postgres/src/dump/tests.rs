use std::collections::BTreeMap;

use drplan_api::Address;
use drplan_api::Facts;
use drplan_api::Query;
use drplan_api::TargetId;
use drplan_api::TargetState;

use super::*;

fn object(key: &str, hour: i64, size: u64) -> Json {
    let modified = Timestamp::from_second(1_767_225_600 + hour * 3600).expect("an instant");
    json!({"key": key, "size": size, "modified": modified.to_string(), "etag": "\"e\""})
}

fn summary(created: &str) -> Json {
    json!({
        "format": "1.14-0", "pg_restore_major_min": 12, "created": created, "database": "shop",
        "server_version": "15", "dump_version": "15", "compression": "gzip", "bytes": 1,
        "checked": "chunks", "entries": 1, "encoding": "UTF8", "tables": [],
        "with_data": [{"schema": "public", "name": "a"}], "indexes": [], "constraints": [],
        "extensions": [], "roles": ["app"],
    })
}

fn corrupt() -> ProviderError {
    ProviderError::new(ErrorKind::Corrupt, "read a dump", "x").because("cut at byte 7")
}

fn look(
    args: Json,
    listed: Vec<Json>,
    contents: Vec<(&str, Result<Json, ProviderError>)>,
) -> Seen<DumpsSeen> {
    let conn = ConnId::new("s3.dr");
    let spec = DumpArchiveSpec::deserialize(&args).expect("arguments");
    let key = spec.key.clone().unwrap_or_default();
    let prefix = spec.prefix.clone().unwrap_or_else(|| {
        key.rfind('/')
            .map_or(String::new(), |at| key[..=at].to_owned())
    });
    let want = Want {
        address: Address::new("data.dump_archive.shop"),
        recovery: "shop".to_owned(),
        spec,
        hash: String::new(),
        roles: BTreeMap::from([("bucket".to_owned(), conn.clone())]),
    };
    let mut facts = Facts::default();
    let id = TargetId("s3".to_owned());
    facts.targets.insert(conn.clone(), TargetState::Ready(id));
    let mut put = |query: Query, answer: Result<Json, ProviderError>| {
        facts.answers.insert(query, answer.map(std::sync::Arc::new));
    };
    let listing = json!({"keys": listed, "prefixes": []});
    put(asks::keys(&conn, "b", &prefix, None), Ok(listing));
    for (key, answer) in contents {
        put(
            asks::lens(&conn, "b", key, DumpToc::NAME, &json!({})),
            answer,
        );
    }
    let view = View::new(&facts);
    DumpArchive
        .observe(&want, &view)
        .expect("all answers are there")
}

fn present(seen: Seen<DumpsSeen>) -> DumpsSeen {
    match seen {
        Seen::Present(seen) => seen,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_newest_beginning_wins_over_names_and_uploads() {
    let seen = present(look(
        json!({"bucket": "b", "prefix": "d/"}),
        vec![
            object("d/z.dump", 1, 10),
            object("d/a.dump", 9, 10),
            object("d/m.dump", 8, 10),
        ],
        vec![
            ("d/z.dump", Ok(summary("2026-01-01T00:30:00"))),
            ("d/a.dump", Ok(summary("2026-01-01T02:00:00"))),
            ("d/m.dump", Ok(summary("2026-01-01T07:00:00"))),
        ],
    ));
    assert_eq!(seen.chosen.key, "d/m.dump");
    assert_eq!(seen.chosen.at.to_string(), "2026-01-01T07:00:00Z");
    assert_eq!(seen.others.len(), 2);
    assert!(seen.warnings.is_empty());
}

#[test]
fn a_beginning_later_than_the_upload_is_the_upload() {
    let seen = present(look(
        json!({"bucket": "b", "key": "d/a.dump"}),
        vec![object("d/a.dump", 1, 10)],
        vec![("d/a.dump", Ok(summary("2026-01-01T09:00:00")))],
    ));
    assert_eq!(seen.chosen.at.to_string(), "2026-01-01T01:00:00Z");
}

#[test]
fn a_corrupt_newer_dump_is_passed_over_with_a_warning_but_silence_of_the_store_is_not() {
    let listed = || vec![object("d/old.dump", 1, 10), object("d/new.dump", 2, 10)];
    let old = || ("d/old.dump", Ok(summary("2026-01-01T00:00:00")));
    let args = || json!({"bucket": "b", "prefix": "d/"});
    let seen = present(look(
        args(),
        listed(),
        vec![old(), ("d/new.dump", Err(corrupt()))],
    ));
    assert_eq!(seen.chosen.key, "d/old.dump");
    assert!(seen.warnings[0].contains("d/new.dump") && seen.warnings[0].contains("byte 7"));

    let silent = ProviderError::new(ErrorKind::Unreachable, "read", "x");
    match look(args(), listed(), vec![old(), ("d/new.dump", Err(silent))]) {
        Seen::Unreadable(error) => assert_eq!(error.kind, ErrorKind::Unreachable),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_dump_that_ended_after_before_but_began_earlier_is_taken() {
    let seen = present(look(
        json!({"bucket": "b", "prefix": "", "before": "2026-01-01T03:00:00Z"}),
        vec![object("a", 1, 10), object("b", 4, 10), object("c", 9, 10)],
        vec![
            ("a", Ok(summary("2026-01-01T00:00:00"))),
            ("b", Ok(summary("2026-01-01T02:00:00"))),
            ("c", Ok(summary("2026-01-01T08:00:00"))),
        ],
    ));
    assert_eq!(seen.chosen.key, "b");
}

#[test]
fn a_missing_key_is_answered_with_the_nearest_names() {
    let args = json!({"bucket": "b", "key": "d/shop-2026-01-02.dump"});
    let listed = vec![
        object("d/shop-2026-01-01.dump", 1, 10),
        object("d/x", 1, 10),
    ];
    match look(args, listed, Vec::new()) {
        Seen::Unreadable(error) => {
            assert_eq!(error.kind, ErrorKind::NotFound);
            assert!(
                error
                    .to_string()
                    .contains("nearest: `d/shop-2026-01-01.dump`"),
                "{error}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_dump_of_less_than_half_the_usual_size_is_warned_about() {
    let mut listed: Vec<Json> = (0..7)
        .map(|n| object(&format!("d/{n}.dump"), n, 1000))
        .collect();
    listed.push(object("d/new.dump", 9, 400));
    let created = "2026-01-01T08:00:00";
    let keys = ["d/new.dump", "d/6.dump", "d/5.dump", "d/4.dump", "d/3.dump"];
    let old = "2025-12-31T00:00:00";
    let contents = keys
        .iter()
        .map(|&key| {
            (
                key,
                Ok(summary(if key == "d/new.dump" { created } else { old })),
            )
        })
        .collect();
    let seen = present(look(
        json!({"bucket": "b", "prefix": "d/"}),
        listed,
        contents,
    ));
    assert_eq!(seen.chosen.key, "d/new.dump");
    assert!(
        seen.warnings[0].contains("less than 50 %"),
        "{:?}",
        seen.warnings
    );
}

#[test]
fn a_person_may_choose_a_dump_and_the_others_are_known_with_why_they_are_not_usable() {
    let listed = || {
        vec![
            object("d/a.dump", 1, 10),
            object("d/b.dump", 2, 10),
            object("d/c.dump", 3, 10),
        ]
    };
    let contents = || {
        vec![
            ("d/a.dump", Ok(summary("2026-01-01T00:30:00"))),
            ("d/b.dump", Ok(summary("2026-01-01T01:30:00"))),
            ("d/c.dump", Err(corrupt())),
        ]
    };
    let args = |point: &str| json!({"bucket": "b", "prefix": "d/", "before": "2026-01-01T00:10:00Z", "point": point});
    let seen = present(look(args("d/a.dump"), listed(), contents()));
    assert_eq!(
        seen.chosen.key, "d/a.dump",
        "`before` does not bind a person"
    );
    let others: Vec<(&str, bool)> = seen
        .others
        .iter()
        .map(|p| (p.id.as_str(), p.unusable.is_some()))
        .collect();
    assert_eq!(others, [("d/c.dump", true), ("d/b.dump", false)]);
    // Falling back from what a person chose would lose data that the person wanted.
    for (point, says) in [("d/c.dump", "byte 7"), ("d/d.dump", "nearest: `d/")] {
        match look(args(point), listed(), contents()) {
            Seen::Unreadable(error) => assert!(error.to_string().contains(says), "{error}"),
            other => panic!("{other:?}"),
        }
    }
}
