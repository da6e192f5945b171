//! The examples are the first specs that a newcomer reads: they are valid, and their order is right.
//! What they rehearse is looked at elsewhere.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;

use crate::drplan::Ran;
use crate::drplan::World;
use crate::drplan::files;

/// What a clone may grow by, in bytes.
const DATA_BYTES_MAX: u64 = 300_000;

/// The secrets that the shop's spec wants.
const SECRETS: &[&str] = &["backups_secret_key", "velero_secret_key", "dns_secret_key"];

fn shop() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/shop")
}

/// Runs the binary on the shop, from a folder that has nothing to do with it.
fn on_the_shop(line: &str) -> Ran {
    let world = SECRETS.iter().fold(World::empty(), |world, name| {
        world.with(&format!("DRPLAN_VAR_{name}"), "canary")
    });
    world.run(&format!("{line} --chdir '{}'", shop().display()))
}

#[test]
fn the_shop_is_a_valid_spec_without_its_secrets() {
    World::empty()
        .run(&format!("validate --chdir '{}'", shop().display()))
        .ends_with(0)
        .says("The spec is valid: recovery `shop`");
}

#[test]
fn dns_of_the_shop_moves_after_everything_that_must_hold() {
    let drawing = on_the_shop("graph --format mermaid")
        .ends_with(0)
        .hides("canary")
        .stdout;
    let before = before(&drawing, "route53_record.www");
    for step in [
        "approval.cutover",
        "check.every_order_has_its_invoice",
        "check.no_order_is_missing",
        "command.cluster",
        "command.frontend_address",
        "command.stop_site_a",
        "helm_release.status_page",
        "http_check.frontend",
        "kubernetes_manifest.velero",
        "postgres_restore.billing",
        "postgres_restore.shop",
        "velero_restore.apps",
        "velero_restore.infra",
    ] {
        assert!(
            before.contains(step),
            "{step} is not before DNS:\n{drawing}"
        );
    }
    assert!(!before.contains("http_check.www"), "{drawing}");
}

/// Everything that a drawing puts before a step, however far.
fn before(drawing: &str, step: &str) -> BTreeSet<String> {
    let mut names = BTreeMap::new();
    let mut edges = Vec::new();
    for line in drawing.lines().map(str::trim) {
        if let Some((from, to)) = line.split_once(" --> ") {
            edges.push((from, to));
        } else if let Some((id, name)) = line.split_once(['[', '{', '(']) {
            let name = name.trim_matches(|c| !char::is_alphanumeric(c));
            names.insert(id, name.to_owned());
        }
    }
    let mut out: BTreeSet<&str> = names
        .iter()
        .filter(|(_, name)| *name == step)
        .map(|(id, _)| *id)
        .collect();
    loop {
        let more: Vec<&str> = edges
            .iter()
            .filter(|(from, to)| out.contains(to) && !out.contains(from))
            .map(|(from, _)| *from)
            .collect();
        if more.is_empty() {
            break;
        }
        out.extend(more);
    }
    let named = out.into_iter().filter_map(|id| names.get(id).cloned());
    named.filter(|name| name != step).collect()
}

#[test]
fn the_shop_is_rehearsed_after_its_backups_were_taken() {
    let rehearsal = std::fs::read_to_string(shop().join("rehearsal.hcl")).expect("a world file");
    let start = rehearsal
        .lines()
        .find_map(|line| line.strip_prefix("start = \""))
        .and_then(|rest| rest.split('"').next())
        .expect("a start");
    let mut ended = Vec::new();
    for (name, text) in files(&shop().join("data")) {
        if name.ends_with("/velero-backup.json") {
            let backup: Value = serde_json::from_str(&text).expect("a backup");
            let status = &backup["status"];
            assert_eq!(status["phase"], "Completed", "{name}");
            let at = status["completionTimestamp"].as_str().expect("an end");
            ended.push(at.to_owned());
        }
    }
    assert_eq!(ended.len(), 2);
    // Both are in UTC and to the second, so that they sort as text.
    assert!(
        ended.iter().all(|at| at.as_str() < start),
        "{ended:?} {start}"
    );
}

#[test]
fn the_data_of_the_shop_stays_small() {
    let mut open = vec![shop().join("data")];
    let mut bytes = 0;
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            let meta = entry.metadata().expect("a file");
            if meta.is_dir() {
                open.push(entry.path());
            }
            bytes += meta.len();
        }
    }
    assert!(bytes < DATA_BYTES_MAX, "{bytes} bytes");
}
