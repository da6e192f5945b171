use std::collections::BTreeMap;

use drplan_api::Address;
use drplan_api::ConnId;
use drplan_api::Facts;

use super::*;

fn want(args: Json) -> Want<PostgresRestoreSpec> {
    let mut all = json!({
        "database": "shop",
        "dump": {
            "conn": "s3.dr", "bucket": "b", "key": "d/a.dump", "etag": "\"e\"",
            "at": "2026-01-01T00:00:00Z", "bytes": 34_000_000, "database": "shop",
            "server_version": "15", "tables": ["public.a", "public.b"], "roles": ["app"],
        },
    });
    if let (Json::Object(all), Json::Object(args)) = (&mut all, args) {
        all.extend(args);
    }
    Want {
        address: Address::new("postgres_restore.shop"),
        recovery: "shop".to_owned(),
        spec: PostgresRestoreSpec::deserialize(&all).expect("arguments"),
        hash: "0a1b2c3d".to_owned(),
        roles: BTreeMap::from([
            ("database".to_owned(), ConnId::new("postgres.site")),
            ("bucket".to_owned(), ConnId::new("s3.dr")),
        ]),
    }
}

fn cx(accept_overwrite: bool) -> PlanCx {
    PlanCx {
        observed_at: drplan_api::Timestamp::UNIX_EPOCH,
        incident_at: None,
        accept_overwrite,
    }
}

fn with(objects: Json) -> Seen<RestoreSeen> {
    let database = json!({"name": "shop", "bytes": 8_000_000});
    Seen::Present(RestoreSeen {
        databases: vec![decoded(&database).expect("a database")],
        in_place: Some(InPlace {
            bytes: Some(8_000_000),
            marker: None,
            objects: decoded(&objects).expect("objects"),
            alive: None,
        }),
        roles_missing: vec!["app".to_owned()],
    })
}

fn proposal(planned: Planned<RestoreOp>) -> Proposal<RestoreOp> {
    match planned {
        Planned::Step(proposal) => *proposal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_database_on_a_server_that_is_yet_to_be_made_and_an_empty_one_bind_alike() {
    let made_by = vec![Address::new("command.database")];
    let late = Seen::Absent(Lack::Target { made_by });
    let late = proposal(PostgresRestore.plan(&cx(false), &want(json!({})), &late));
    assert_eq!(late.hazard.level, HazardLevel::None);
    assert_eq!(late.op.staging, "shop_drplan_0a1b2c3d");
    let empty = with(json!([]));
    let empty = proposal(PostgresRestore.plan(&cx(false), &want(json!({})), &empty));
    assert_eq!(empty.hazard.level, HazardLevel::Reversible);
    assert!(empty.hazard.text.contains("`shop-aside-0a1b2c3d`"));
    assert_eq!(empty.binding, late.binding);
    assert_eq!(empty.op, late.op);
}

#[test]
fn foreign_data_is_a_conflict_until_a_person_accepts() {
    let seen = with(json!([{"name": "public.mine", "sort": "table", "bytes": 8192}]));
    match PostgresRestore.plan(&cx(false), &want(json!({})), &seen) {
        Planned::Conflict(because, changes) => {
            assert!(because.0.contains("1 object"), "{because}");
            assert_eq!(changes[0].path, "public.mine");
        }
        other => panic!("{other:?}"),
    }
    let accepted = proposal(PostgresRestore.plan(&cx(true), &want(json!({})), &seen));
    assert_eq!(accepted.op.replaces, Replaces::Accepted);
    assert_eq!(accepted.hazard.level, HazardLevel::Reversible);
}

#[test]
fn arguments_that_cannot_work_are_refused_or_block() {
    for args in [
        json!({"jobs": 0}),
        json!({"jobs": 65}),
        json!({"database": "postgres"}),
        json!({"database": "x".repeat(64)}),
        json!({"alive": {"sql": ""}}),
    ] {
        let mut given = Given::new(&args);
        PostgresRestore.check(&mut given);
        assert_eq!(given.into_faults().len(), 1, "{args}");
    }
    let seen = with(json!([]));
    let mut other = want(json!({}));
    other
        .roles
        .insert("bucket".to_owned(), ConnId::new("s3.other"));
    let planned = PostgresRestore.plan(&cx(false), &other, &seen);
    assert!(matches!(planned, Planned::Blocked(_)));
}

#[test]
fn missing_roles_are_warned_about_and_manual_commands_follow() {
    let notes = PostgresRestore.notes(
        &cx(false),
        &want(json!({"owner": "boss"})),
        &with(json!([])),
    );
    assert!(notes.warnings[0].contains("lacks: app"));
    assert!(
        notes
            .manual
            .iter()
            .any(|l| l.contains("--no-privileges --role='boss' --jobs=2"))
    );
    assert!(
        notes
            .manual
            .last()
            .is_some_and(|l| l.contains("RENAME TO \"shop\""))
    );
    let counted: u64 = notes
        .breakdown
        .iter()
        .flat_map(|b| &b.counts)
        .map(|(_, n)| n)
        .sum();
    assert_eq!(counted, 2);
}

#[test]
fn wires_work_without_facts() {
    let facts = Facts::default();
    let wires = PostgresRestore.wires(&want(json!({})), &View::new(&facts));
    assert_eq!(wires.gives[0].0.key, "shop");
}
