//! The JSON that other programs read.

use serde_json::Value;

use crate::apply::SHOP;
use crate::drplan::World;

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect("every line is JSON"))
        .collect()
}

#[test]
fn the_stream_of_a_run_can_be_followed_line_by_line() {
    let world = World::of(SHOP);
    let ran = world.run("apply --auto-approve --json").ends_with(0);
    let events = lines(&ran.stdout);
    assert_eq!(events[0]["type"], "version");
    for event in &events {
        for name in ["@level", "@message", "@module", "@timestamp", "type"] {
            assert!(event[name].is_string(), "no {name} in {event}");
        }
    }
    let seqs: Vec<u64> = events.iter().filter_map(|e| e["seq"].as_u64()).collect();
    assert!(
        seqs.len() + 2 >= events.len(),
        "only the frame has no number"
    );
    assert!(seqs.windows(2).all(|w| w[0] < w[1]), "{seqs:?}");
    let ended: Vec<&str> = events
        .iter()
        .filter(|e| e["type"] == "apply_complete")
        .filter_map(|e| e.pointer("/hook/resource/addr")?.as_str())
        .collect();
    for address in ["command.site", "command.shop", "check.the_address_is_right"] {
        assert!(ended.contains(&address), "{address} is not in {ended:?}");
    }
    let last = events.last().expect("a last line");
    assert_eq!(
        (&last["type"], &last["exit_code"]),
        (&"apply_summary".into(), &0.into())
    );
    assert!(last["frontier"]["done"].is_array());
}

#[test]
fn the_stream_of_a_run_that_fails_ends_with_its_exit_code_and_frontier() {
    let world = World::of(
        r#"
resource "command" "broken" {
  check = ["test", "-e", "broken"]
  apply = ["false"]
}
"#,
    );
    let ran = world.run("apply --auto-approve --json").ends_with(6);
    let events = lines(&ran.stdout);
    assert!(events.iter().any(|e| e["type"] == "apply_errored"));
    let last = events.last().expect("a last line");
    assert_eq!(last["exit_code"], 6);
    assert!(last["frontier"]["failed"]["command.broken"].is_string());
}

#[test]
fn a_run_with_nothing_to_do_still_speaks_json() {
    let world = World::of(SHOP);
    world.write("site", "192.0.2.1\n");
    world.write("shop", "at 192.0.2.1\n");
    let ran = world.run("apply --auto-approve --json").ends_with(0);
    let events = lines(&ran.stdout);
    assert_eq!(events.first().map(|e| &e["type"]), Some(&"version".into()));
}

#[test]
fn json_without_an_approval_is_a_usage_error() {
    let world = World::of(SHOP);
    let ran = world
        .run("apply --json")
        .ends_with(64)
        .says("--auto-approve");
    assert!(ran.stdout.is_empty());
}

#[test]
fn a_plan_as_json_has_the_keys_that_readers_of_plans_know() {
    let plan = World::of(SHOP).run("plan --json").ends_with(0).json();
    assert_eq!(plan["format_version"], "1.2");
    let changes = plan["resource_changes"].as_array().expect("changes");
    let site = changes
        .iter()
        .find(|c| c["address"] == "command.site")
        .expect("the site");
    for name in ["mode", "type", "name", "provider_name", "action_reason"] {
        assert!(site[name].is_string(), "{name}");
    }
    assert_eq!(site["change"]["actions"], serde_json::json!(["create"]));
    assert!(plan["output_changes"]["address"].is_object());
    assert!(plan["checks"].as_array().is_some_and(|c| c.len() == 1));
    assert_eq!(plan["drplan"]["summary"]["acting"], 2);
    // Whoever waits says for whom and why.
    let waits = changes.iter().map(|c| &c["drplan"]);
    let waits: Vec<_> = waits
        .filter(|d| d["waits_for"].as_array().is_some_and(|w| !w.is_empty()))
        .collect();
    assert!(!waits.is_empty());
    for step in waits {
        for address in step["waits_for"].as_array().expect("addresses") {
            let why = &step["waits_because"][address.as_str().expect("an address")];
            assert!(why.is_string(), "{step}");
        }
    }
}

#[test]
fn the_schema_names_every_kind_and_every_argument_has_a_sentence() {
    let schema = World::empty().run("schema").ends_with(0).json();
    for (section, kinds) in [
        (
            "resources",
            &[
                "approval",
                "command",
                "helm_release",
                "http_check",
                "kubernetes_cluster",
                "kubernetes_manifest",
                "postgres_restore",
                "route53_record",
                "velero_backup_location",
                "velero_restore",
            ][..],
        ),
        ("data", &["dump_archive", "velero_backup"]),
        (
            "providers",
            &["http", "kubernetes", "postgres", "route53", "s3"],
        ),
    ] {
        let found = schema[section].as_object().expect("kinds");
        for kind in kinds {
            assert!(found.contains_key(*kind), "{section} has no {kind}");
        }
        for (kind, def) in found {
            for (name, arg) in def["arguments"].as_object().into_iter().flatten() {
                let doc = arg["doc"].as_str().unwrap_or_default();
                assert!(doc.ends_with('.'), "{kind}.{name}: {doc}");
            }
        }
    }
}
