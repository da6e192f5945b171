//! Rehearsals: the whole recovery of the example, as it is printed, and what goes wrong on the way.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::Value;
use snapbox::assert_data_eq;
use snapbox::file;

use crate::drplan::GLANCE;
use crate::drplan::PATIENCE;
use crate::drplan::World;

/// The example with its one best-effort failure ends so.
const DONE_WITHOUT: i32 = 6;

/// A spec that starts a cluster and puts one object into it.
const SMALL: &str = r#"
recovery "small" {}
provider "kubernetes" "b" {
  kubeconfig = command.cluster.outputs.kubeconfig
}
resource "command" "cluster" {
  check   = ["bin/site", "is-up"]
  apply   = ["bin/site", "up"]
  outputs = { kubeconfig = { file = "kubeconfig", sensitive = true } }
}
resource "kubernetes_manifest" "greeting" {
  provider = kubernetes.b
  stage    = "infra"
  objects  = [{
    apiVersion = "v1"
    kind       = "ConfigMap"
    metadata   = { name = "greeting", namespace = "default" }
    data       = { hello = "world" }
  }]
}
"#;

const SMALL_WORLD: &str = r#"
start = "2026-01-05T03:10:00Z"
cluster "b" { server = "https://b.example:6443" }
program "bin/site" {
  args    = ["is-up"]
  true_if = ["cluster.b"]
}
program "bin/site" {
  args   = ["up"]
  takes  = "5m"
  starts = ["cluster.b"]
  files  = { "kubeconfig" = { kubeconfig = "b" } }
}
"#;

/// A cluster that runs, to which a file leads.
const RUNS: &str = r#"
recovery "site" {}
provider "kubernetes" "site" { kubeconfig_path = "site.kubeconfig" }
resource "kubernetes_cluster" "site" {
  provider        = kubernetes.site
  min_ready_nodes = 3
}
"#;

const RUNS_ALREADY: &str = r#"
start = "2026-01-05T03:10:00Z"
cluster "site" {
  server     = "https://site.example:6443"
  running    = true
  kubeconfig = "site.kubeconfig"
}
"#;

fn shop() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/shop")
}

fn small() -> World {
    let world = World::of(SMALL);
    world.write("rehearsal.hcl", SMALL_WORLD);
    world
}

/// Copies a folder, so that a test can break it.
fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copied(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copied file");
        }
    }
}

#[test]
fn the_shop_is_rehearsed_from_plan_to_report_and_says_the_same_each_time() {
    let world = World::empty();
    let line = format!("rehearse '{}'", shop().display());
    let ran = world.run(&line).ends_with(DONE_WITHOUT);
    assert_data_eq!(ran.stdout.clone(), file!["rehearsal/shop.txt"].raw());
    assert_eq!(ran.stdout, world.run(&line).stdout);
    assert!(
        !ran.stdout.contains("ecovered"),
        "a rehearsal recovers nothing"
    );
}

#[test]
fn what_a_restore_brings_back_paused_runs_again_before_it_is_looked_at() {
    let world = World::empty();
    let dir = world.path("shop");
    copied(&shop(), &dir);
    let spec = fs::read_to_string(dir.join("main.dr.hcl")).expect("a spec");
    let restore = "resource \"velero_restore\" \"apps\" {";
    let paused =
        format!("{restore}\n  born_paused = [\"CronJob\", \"Deployment\", \"StatefulSet\"]");
    let release = "
resource \"kubernetes_release\" \"apps\" {
  provider   = kubernetes.b
  depends_on = [postgres_restore.shop, check.no_order_is_missing]
}
";
    let spec = spec.replace(restore, &paused) + release;
    fs::write(dir.join("main.dr.hcl"), spec).expect("a spec");
    world
        .run("rehearse shop --full")
        .ends_with(DONE_WITHOUT)
        .says("CronJob shop-jobs/invoices is set going as before: running")
        .says("Deployment shop/frontend is set going as before: 3 replicas")
        .says("Rehearsed: `shop` comes back");
}

#[test]
fn the_events_of_a_rehearsal_end_with_its_report() {
    let ran = World::empty().run(&format!("rehearse '{}' --json", shop().display()));
    let lines: Vec<Value> = ran
        .ends_with(DONE_WITHOUT)
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let report = &lines.last().expect("a line")["rehearsal"];
    assert_eq!(report["left"], serde_json::json!([]));
    assert_eq!(
        report["without"],
        serde_json::json!(["command.search_index"])
    );
}

#[test]
fn a_spec_of_ones_own_needs_only_a_world_file_and_leaves_nothing_behind() {
    let world = small();
    let before = world.files();
    world
        .run("rehearse")
        .ends_with(0)
        .says("Rehearsed: `small` comes back in 5m")
        .says("a second plan finds nothing else to do");
    assert_eq!(before, world.files());
}

#[test]
fn a_world_in_which_nothing_is_lost_is_no_rehearsal_that_passes() {
    let world = World::of(
        r#"
recovery "site" { rto = "30m" }
resource "command" "data" {
  check = ["bin/data", "is-loaded"]
  apply = ["bin/data", "load"]
}
"#,
    );
    world.write(
        "rehearsal.hcl",
        "program \"bin/data\" { args = [\"is-loaded\"] }\n",
    );
    world
        .run("rehearse")
        .ends_with(6)
        .says("NOT rehearsed: nothing is lost here, so `site` had nothing to do")
        .says("Say what is lost with `lost` in")
        .says("not judged: nothing was done");
    let ran = world.run("rehearse --json").ends_with(6);
    let last = ran.stdout.lines().last().expect("a line");
    let line: Value = serde_json::from_str(last).expect("JSON");
    assert_eq!(line["@message"], "nothing was rehearsed; exit code 6");
    let report = &line["rehearsal"];
    assert_eq!(report["nothing_to_do"], true);
    assert_eq!(report["time"]["verdict"], "nothing_to_do");
    world.run("rehearse --snapshot healthy").ends_with(0);
    world
        .run("rehearse --from-snapshot healthy")
        .ends_with(6)
        .says("NOT rehearsed");
}

#[test]
fn a_lost_place_that_a_step_writes_to_is_named_with_how_it_is_built_again() {
    let world = small();
    let spec = SMALL.replace(
        "  kubeconfig = command",
        "  failure_domain = [\"cluster:b\"]\n  kubeconfig = command",
    );
    world.write("main.dr.hcl", &spec);
    world.write(
        "rehearsal.hcl",
        &format!("lost = [\"cluster:b\"]\n{SMALL_WORLD}"),
    );
    let ran = world.run("rehearse");
    assert_ne!(ran.exit, 0);
    ran.says("`kubernetes_manifest.greeting` needs `kubernetes.b`, which lies in `cluster:b` and is lost")
        .says("take that out of `lost` in rehearsal.hcl");
}

#[test]
fn what_is_lost_is_said_in_the_world_file_and_not_on_the_command_line() {
    let world = small();
    world
        .run("rehearse --lost cluster:a")
        .ends_with(64)
        .says("write into rehearsal.hcl: lost = [\"cluster:a\"]");
    let help = world.run("rehearse --help").ends_with(0);
    assert!(!help.stdout.contains("--lost"), "{}", help.stdout);
}

#[test]
fn what_cannot_be_read_in_a_rehearsal_is_cured_in_the_world_file() {
    let world = World::of(RUNS);
    let unreached = RUNS_ALREADY.replace("  kubeconfig = \"site.kubeconfig\"\n", "");
    world.write("rehearsal.hcl", &unreached);
    let ran = world.run("rehearse").ends_with(12);
    let flat = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flat.contains("`kubeconfig = \"PATH\"` in a `cluster` block that runs"),
        "{flat}"
    );
    assert!(!flat.contains("--lost"), "{flat}");
}

#[test]
fn a_variable_of_a_rehearsal_is_given_in_its_world_file() {
    let world = World::of(&format!(
        "variable \"path\" {{}}\n{}",
        RUNS.replace("\"site.kubeconfig\"", "var.path")
    ));
    world.write("rehearsal.hcl", RUNS_ALREADY);
    let place = "in `variables` of rehearsal.hcl";
    let world = world.with("DRPLAN_VAR_path", "site.kubeconfig");
    world.run("rehearse").ends_with(1).says(&format!(
        "or {place}; a rehearsal does not use DRPLAN_VAR_path"
    ));
    world
        .run("rehearse --help")
        .says("`DRPLAN_VAR_NAME` is not used");
    world
        .run("plan --help")
        .says("`DRPLAN_VAR_NAME` in the environment does the same");
}

#[test]
fn a_step_told_to_fail_fails_for_good_or_for_some_attempts() {
    let world = small();
    world
        .run("rehearse --fail kubernetes_manifest.greeting")
        .ends_with(6)
        .says("does NOT come back")
        .says("told with `--fail`");
    world
        .run("rehearse --fail kubernetes_manifest.greeting:2")
        .ends_with(0)
        .says("2 retries");
    world
        .run("rehearse --fail kubernetes_manifest.farewell")
        .ends_with(64)
        .says("kubernetes_manifest.greeting");
}

#[test]
fn the_same_seed_gives_the_same_faults() {
    let world = small();
    let ran = |seed| world.run(&format!("rehearse --faults {seed}")).stdout;
    assert_eq!(ran(3), ran(3));
    let met = |text: &str| !text.contains("0 faults met");
    assert!((1..20).any(|seed| met(&ran(seed))), "no seed has a fault");
}

#[test]
fn a_program_that_nothing_stands_in_for_is_named_and_not_started() {
    let world = small();
    let spec = format!(
        "{SMALL}\nresource \"command\" \"mine\" {{\n  check = [\"test\", \"-e\", \"mine\"]\n  apply = [\"touch\", \"mine\"]\n}}\n"
    );
    world.write("main.dr.hcl", &spec);
    let ran = world.run("rehearse");
    assert_ne!(ran.exit, 0);
    ran.says("start `test -e mine`")
        .says("no `program \"test\"` block of rehearsal.hcl stands in")
        .says("  program \"test\" {\n    args = [\"-e\", \"mine\"]");
    assert!(!world.holds("mine"));
}

#[test]
fn a_command_whose_apply_makes_its_check_true_is_rehearsed() {
    let world = small();
    let load = "resource \"command\" \"data\" {\n  stage = \"apps\"\n  check = [\"bin/data\", \"is-loaded\"]\n  \
                apply = [\"bin/data\", \"load\"]\n}\n";
    world.write("main.dr.hcl", &format!("{SMALL}{load}"));
    let stands = "program \"bin/data\" {\n  args    = [\"is-loaded\"]\n  true_if = [\"made.data\"]\n}\n\
                  program \"bin/data\" {\n  args  = [\"load\"]\n  takes = \"4m\"\n  makes = [\"data\"]\n}\n";
    world.write("rehearsal.hcl", &format!("{SMALL_WORLD}{stands}"));
    world
        .run("rehearse")
        .ends_with(0)
        .says("command.data in 4m")
        .says("comes back in 9m");
    let wrong = stands.replace("made.data", "made.date");
    world.write("rehearsal.hcl", &format!("{SMALL_WORLD}{wrong}"));
    world
        .run("rehearse")
        .ends_with(1)
        .says("did you mean `made.data`?");
}

#[test]
fn a_second_plan_that_cannot_be_made_is_a_cause_in_the_report_and_no_second_error() {
    let world = small();
    let spec = SMALL.replace(
        "recovery \"small\" {}",
        r#"recovery "small" {}
resource "kubernetes_manifest" "widget" {
  provider   = kubernetes.b
  stage      = "infra"
  timeout    = "30s"
  objects    = [{
    apiVersion = "example.org/v1"
    kind       = "Widget"
    metadata   = { name = "one", namespace = "default" }
  }]
}"#,
    );
    world.write("main.dr.hcl", &spec);
    let ran = world.run("rehearse").ends_with(6);
    let end = ran.stdout.split("Rehearsed:").nth(1).expect("a verdict");
    assert!(end.contains("! no second plan:"), "{end}");
    assert!(end.contains("(DR0022)"), "{end}");
    assert!(!ran.stderr.contains("error"), "{}", ran.stderr);
}

#[test]
fn who_waits_for_pods_names_the_secret_that_they_need() {
    let world = small();
    let spec = format!(
        r#"{SMALL}
resource "kubernetes_manifest" "api" {{
  provider = kubernetes.b
  stage    = "apps"
  wait_for = "ready"
  timeout  = "5m"
  objects  = [{{
    apiVersion = "apps/v1"
    kind       = "Deployment"
    metadata   = {{ name = "api", namespace = "default" }}
    spec = {{
      selector = {{ matchLabels = {{ app = "api" }} }}
      template = {{
        metadata = {{ labels = {{ app = "api" }} }}
        spec = {{
          containers = [{{ name = "api", image = "api:1", volumeMounts = [{{ name = "db", mountPath = "/db" }}] }}]
          volumes    = [{{ name = "db", secret = {{ secretName = "db" }} }}]
        }}
      }}
    }}
  }}]
}}
"#
    );
    world.write("main.dr.hcl", &spec);
    world
        .run("rehearse")
        .ends_with(6)
        .says("0 of 1 replicas are available: Secret `default/db` is not there");
}

#[test]
fn a_clock_that_begins_before_the_backups_is_warned_of_with_both_times() {
    let world = World::empty();
    copied(&shop(), &world.path(""));
    let text = world.read("rehearsal.hcl");
    let early = text.replace("2026-11-21T03:10:00Z", "2026-11-20T12:00:00Z");
    assert_ne!(text, early);
    world.write("rehearsal.hcl", &early);
    world
        .run("rehearse")
        .says("warning: the rehearsal begins at 2026-11-20T12:00:00Z, before the backup `dumps/billing/")
        .says("of 2026-11-20T16:45:54Z was made");
}

#[test]
fn folders_without_spec_world_or_data_are_told_apart() {
    World::empty().run("rehearse").ends_with(1).says("no spec");
    World::of(SMALL)
        .run("rehearse")
        .ends_with(1)
        .says("there is no `rehearsal.hcl`");
    let world = World::empty();
    copied(&shop(), &world.path(""));
    fs::remove_dir_all(world.path("data")).expect("no data");
    world
        .run("rehearse")
        .ends_with(1)
        .says("there is no folder")
        .says("shop-backups");
}

#[test]
fn mistakes_of_a_world_file_have_their_place() {
    let world = small();
    world.write("rehearsal.hcl", "cluster \"b\" {\n  srever = \"x\"\n}\n");
    world
        .run("rehearse")
        .ends_with(1)
        .says("rehearsal.hcl:1")
        .says("srever");
    world.write(
        "rehearsal.hcl",
        "program \"x\" { starts = [\"cluster.c\"] }\n",
    );
    world.run("rehearse").ends_with(1).says("cluster.c");
}

#[test]
fn a_truncated_archive_is_found_before_anything_begins() {
    let world = World::empty();
    copied(&shop(), &world.path(""));
    let backups = world.path("data/shop-backups/velero/backups");
    let apps = fs::read_dir(backups)
        .expect("backups")
        .map(|e| e.expect("an entry").path())
        .find(|p| p.display().to_string().contains("apps-"))
        .expect("a backup");
    let archive = fs::read_dir(&apps)
        .expect("a folder")
        .map(|e| e.expect("an entry").path())
        .find(|p| {
            p.display().to_string().ends_with(".tar.gz")
                && !p.display().to_string().contains("-results")
        })
        .expect("an archive");
    let whole = fs::read(&archive).expect("an archive");
    fs::write(&archive, &whole[..whole.len() / 2]).expect("half of it");
    let ran = world.run("rehearse");
    assert_ne!(ran.exit, 0);
    assert!(ran.stdout.contains("apps-daily") || ran.stderr.contains("apps-daily"));
}

#[test]
fn an_open_world_ends_with_a_signal_and_leaves_no_folder() {
    let elsewhere = World::empty();
    let folder = elsewhere.path("");
    let world = small().with("TMPDIR", &folder.display().to_string());
    let run = world.start("rehearse --listen");
    let is_open = || {
        let files = elsewhere.files();
        files.keys().any(|name| name.ends_with("b.kubeconfig"))
    };
    let since = Instant::now();
    while !is_open() {
        assert!(since.elapsed() < PATIENCE, "the world never opened");
        std::thread::sleep(GLANCE);
    }
    run.signal("INT");
    run.ended()
        .ends_with(0)
        .says("nothing of the rehearsal is left behind");
    assert!(elsewhere.files().is_empty());
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    small()
        .run(&format!("rehearse --listen={address}"))
        .ends_with(1)
        .says(&address.to_string())
        .says("free port");
}
