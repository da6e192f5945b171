//! Rehearsals that begin with a snapshot: what is loaded, what is refused, and what is told.

use std::path::Path;

use crate::drplan::World;

/// The example with its one best-effort failure ends so.
const DONE_WITHOUT: i32 = 6;

/// A cluster that runs, with one object that is to be there.
const SPEC: &str = r#"
recovery "site" {}
provider "kubernetes" "site" { kubeconfig_path = "site.kubeconfig" }
resource "kubernetes_cluster" "site" {
  provider        = kubernetes.site
  min_ready_nodes = 3
}
resource "kubernetes_manifest" "greeting" {
  provider = kubernetes.site
  stage    = "infra"
  objects  = [{
    apiVersion = "v1"
    kind       = "ConfigMap"
    metadata   = { name = "greeting", namespace = "default" }
    data       = { hello = "world" }
  }]
}
"#;

const RUNNING: &str = r#"
start = "2026-01-05T03:10:00Z"
cluster "site" {
  server     = "https://site.example:6443"
  running    = true
  kubeconfig = "site.kubeconfig"
}
"#;

fn site() -> World {
    let world = World::of(SPEC);
    world.write("rehearsal.hcl", RUNNING);
    world.run("rehearse --snapshot s").ends_with(0);
    world
}

#[test]
fn the_shop_from_a_snapshot_of_its_own_world_comes_to_the_same_ending() {
    let world = World::empty();
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/shop");
    let line = format!("rehearse '{}'", shop.display());
    world.run(&format!("{line} --snapshot s"));
    let first = world.run(&line).ends_with(DONE_WITHOUT);
    let again = world
        .run(&format!("{line} --from-snapshot s"))
        .ends_with(DONE_WITHOUT)
        .says("s3.backups (object_store): 20 keys as in the recording")
        .says("the world plans as the snapshot does: 26 of 26 steps");
    let end = |text: &str| {
        let lines = text
            .lines()
            .skip_while(|line| !line.starts_with("Rehearsed:"));
        let timed = |line: &&str| {
            let name = line.split_whitespace().next().unwrap_or_default();
            ["Snapshot", "Time", "Rehearsed:"].contains(&name)
        };
        let lines = lines.filter(|line| !timed(line));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(!end(&first.stdout).is_empty(), "{}", first.stdout);
    assert_eq!(end(&first.stdout), end(&again.stdout));
    for said in [&first.stdout, &again.stdout] {
        assert!(
            said.contains("Rehearsed: `shop` comes back in 11m 5"),
            "{said}"
        );
    }
}

#[test]
fn a_cluster_begins_with_what_the_snapshot_holds_whatever_the_world_file_would_start() {
    let world = site();
    let bare = RUNNING.replace("  running    = true\n", "  nodes = 1\n");
    world.write("rehearsal.hcl", &bare);
    world
        .run("rehearse --from-snapshot s")
        .ends_with(0)
        .says("kubernetes.site (cluster \"site\"): 11 objects (3 types whole)")
        // The snapshot was made before the nodes were ready; a world that begins with it is older.
        .says("only 1 of 2 steps are the same")
        .says("in the world: no action: v1.35")
        .says("in the snapshot: run: 0 of 3 nodes ready")
        .says("`site` comes back");
}

#[test]
fn what_the_world_does_otherwise_than_the_snapshot_is_named_with_both_decisions() {
    let world = World::of(
        r#"
recovery "data" {}
resource "command" "data" {
  check = ["bin/data", "is-loaded"]
  apply = ["bin/data", "load"]
}
"#,
    );
    let program = |exit: u8| {
        format!(
            "program \"bin/data\" {{\n  args = [\"is-loaded\"]\n  exit = {exit}\n}}\n\
             program \"bin/data\" {{ args = [\"load\"] }}\n"
        )
    };
    world.write("rehearsal.hcl", &program(0));
    world.run("rehearse --snapshot s").ends_with(0);
    world.write("rehearsal.hcl", &program(1));
    world
        .run("rehearse --from-snapshot s")
        .says("plans OTHERWISE than the snapshot: only 0 of 1 steps")
        .says("in the world: run")
        .says("in the snapshot: no action");
    world.write("rehearsal.hcl", "");
    world
        .run("rehearse --from-snapshot s")
        .ends_with(6)
        .says("NOT rehearsed")
        .says("1 ends as recorded")
        .says("the world plans as the snapshot does: 1 of 1 steps");
}

#[test]
fn a_connection_that_nothing_of_the_world_is_behind_is_named_with_the_block_to_add() {
    let world = site();
    let other = RUNNING.replace("\"site\" {", "\"b\" {");
    world.write("rehearsal.hcl", &other);
    world
        .run("rehearse --from-snapshot s")
        .ends_with(1)
        .says("the snapshot holds `kubernetes.site`")
        .says("cluster \"site\" { server = \"https://site.example:6443\" }")
        .says("connections = [\"kubernetes.site\"]");
    let named = other.replace("\"b\" {", "\"b\" {\n  connections = [\"kubernetes.site\"]");
    world.write("rehearsal.hcl", &named);
    world
        .run("rehearse --from-snapshot s")
        .ends_with(0)
        .says("kubernetes.site (cluster \"b\")");
    world.write(
        "rehearsal.hcl",
        &named.replace("kubernetes.site", "kubernetes.sit"),
    );
    world
        .run("rehearse --from-snapshot s")
        .ends_with(1)
        .says("the spec has no connection `kubernetes.sit`")
        .says("did you mean `kubernetes.site`?");
}

#[test]
fn a_snapshot_that_is_none_of_this_recovery_begins_no_rehearsal() {
    let world = site();
    let text = world.read("s");
    world.write(
        "changed",
        &text.replace("2026-01-05T03:10", "2026-01-05T03:11"),
    );
    world
        .run("rehearse --from-snapshot changed")
        .ends_with(1)
        .says("changed or cut off");
    world.run("rehearse --from-snapshot gone").ends_with(1);
    world.write("main.dr.hcl", &SPEC.replace("\"site\" {}", "\"other\" {}"));
    world
        .run("rehearse --from-snapshot s")
        .ends_with(1)
        .says("is a snapshot for the recovery `site`, and this spec is `other`");
}

#[test]
fn what_the_spec_asks_beyond_the_snapshot_is_told_as_a_difference() {
    let world = site();
    let more = format!(
        "{SPEC}\nresource \"kubernetes_manifest\" \"more\" {{\n  provider = kubernetes.site\n  stage = \"infra\"\n  \
         objects = [{{ apiVersion = \"rbac.authorization.k8s.io/v1\", kind = \"ClusterRole\", \
         metadata = {{ name = \"more\" }}, rules = [] }}]\n}}\n"
    );
    world.write("main.dr.hcl", &more);
    world
        .run("rehearse --from-snapshot s")
        .says("plans OTHERWISE than the snapshot")
        .says("kubernetes_manifest.more")
        .says("in the snapshot: blocked");
}

#[test]
fn a_world_without_the_newest_backup_does_not_plan_as_the_snapshot_does() {
    let world = World::of(
        r#"
recovery "data" {}
variable "secret" { sensitive = true }
provider "s3" "backups" {
  region     = "eu-west-1"
  access_key = "AKIDREADER"
  secret_key = var.secret
}
data "dump_archive" "shop" {
  provider = s3.backups
  bucket   = "backups"
  prefix   = "dumps/"
}
"#,
    );
    world.write(
        "rehearsal.hcl",
        r#"
variables = { secret = "reader" }
object_store {
  key "AKIDREADER" { secret = "reader" }
  bucket "backups" { folder = "data" }
}
"#,
    );
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/shop/data/shop-backups/dumps");
    let dump = |name: &str| world.path("data/dumps").join(name);
    std::fs::create_dir_all(world.path("data/dumps")).expect("a folder");
    for (from, to) in [
        ("shop/shop-20261120164554.dump", "old.dump"),
        ("billing/billing-20261120164554.dump", "new.dump"),
    ] {
        std::fs::copy(shop.join(from), dump(to)).expect("a copy");
        std::thread::sleep(std::time::Duration::from_millis(1100));
    }
    world.run("rehearse --snapshot s").ends_with(0);
    world
        .run("rehearse --from-snapshot s")
        .says("the world plans as the snapshot does");
    std::fs::remove_file(dump("new.dump")).expect("it was there");
    world
        .run("rehearse --from-snapshot s")
        .says("`backups/dumps/new.dump`")
        .says("plans OTHERWISE than the snapshot: only 0 of 1 steps")
        .hides("the world plans as the snapshot does");
}

#[test]
fn a_check_that_was_not_true_is_a_stranger_once_a_program_of_the_world_has_run() {
    let world = World::of(
        r#"
recovery "data" {}
resource "command" "data" {
  check = ["bin/data", "is-loaded"]
  apply = ["bin/data", "load"]
}
"#,
    );
    let load = "program \"bin/data\" { args = [\"load\"] }\n";
    let check = "program \"bin/data\" {\n  args = [\"is-loaded\"]\n  exit = 1\n}\n";
    world.write("rehearsal.hcl", &format!("{check}{load}"));
    world.run("rehearse --snapshot s").ends_with(0);
    world.write("rehearsal.hcl", load);
    world
        .run("rehearse --from-snapshot s")
        .ends_with(6)
        .says("1 ends as recorded")
        .says("the world plans as the snapshot does: 1 of 1 steps")
        .says("program \"bin/data\" {\n    args = [\"is-loaded\"]");
}
