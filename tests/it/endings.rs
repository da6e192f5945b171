//! How a run can end other than well, each with its own exit code, frontier and next command.

use serde_json::json;

use crate::drplan::World;

const GATE: &str = r#"
resource "command" "site" {
  check = ["test", "-e", "site"]
  apply = ["touch", "site"]
}

resource "command" "open" {
  check      = ["test", "-e", "open"]
  apply      = ["touch", "open"]
  depends_on = [command.site]
}

resource "approval" "go" {
  guards = [command.open]
  from   = "the owner"
  text   = "Shall it open?"
}
"#;

#[test]
fn a_question_that_nobody_answers_stops_what_it_guards_and_names_the_answer() {
    let world = World::of(GATE);
    world
        .run("apply --auto-approve")
        .ends_with(8)
        .says("Shall it open?")
        .says("drplan apply --resume ")
        .says(" --approve approval.go");
    assert!(world.holds("site") && !world.holds("open"));
    let frontier = world.frontier();
    assert_eq!(frontier["done"], json!(["command.site"]));
    assert!(frontier["waiting"]["approval.go"].is_string());
    assert_eq!(frontier["blocked"], json!({"command.open": "approval.go"}));
    world
        .run("apply --resume 2 --approve approval.go")
        .ends_with(0);
    assert!(world.holds("open"));
    world
        .run("apply --resume 2")
        .ends_with(64)
        .says("nothing of it is left");
}

#[test]
fn an_answer_to_a_question_that_does_not_exist_is_refused_before_anything_runs() {
    let world = World::of(GATE);
    world
        .run("apply --auto-approve --approve approval.goo")
        .ends_with(64)
        .says("approval.go");
    assert!(!world.holds("site"));
}

#[test]
fn a_question_guards_every_instance_of_what_it_names() {
    let world = World::of(
        r#"
resource "command" "open" {
  for_each = { a = "open-a", b = "open-b" }
  check    = ["test", "-e", each.value]
  apply    = ["touch", each.value]
}

resource "approval" "go" {
  guards = [command.open]
  from   = "the owner"
}
"#,
    );
    world
        .run("plan")
        .ends_with(0)
        .says("1 question")
        .says("approval.go");
    world.run("apply --auto-approve").ends_with(8);
    assert!(!world.holds("open-a") && !world.holds("open-b"));
    world
        .run("apply --auto-approve --approve approval.go")
        .ends_with(0);
    assert!(world.holds("open-a") && world.holds("open-b"));
}

#[test]
fn a_check_that_does_not_hold_fails_the_run_with_its_own_words() {
    let world = World::of(
        r#"
resource "command" "count" {
  check   = ["test", "-e", "rows"]
  apply   = ["sh", "-c", "echo 0 > rows"]
  outputs = { rows = { file = "rows", json = true } }
}

check "orders" {
  assert {
    condition     = command.count.outputs.rows > 0
    error_message = "there are ${command.count.outputs.rows} orders"
  }
}
"#,
    );
    world
        .run("apply --auto-approve")
        .ends_with(3)
        .says("there are 0 orders");
    let frontier = world.frontier();
    assert_eq!(frontier["done"], json!(["command.count"]));
    assert!(frontier["failed"]["check.orders"].is_string(), "{frontier}");
}

#[test]
fn a_check_that_only_warns_lets_the_run_end_well() {
    let world = World::of(
        r#"
resource "command" "site" {
  check = ["test", "-e", "site"]
  apply = ["touch", "site"]
}

check "never" {
  severity   = "warning"
  depends_on = [command.site]
  assert {
    condition     = 1 > 2
    error_message = "one is not more than two"
  }
}
"#,
    );
    world
        .run("apply --auto-approve")
        .ends_with(0)
        .says("one is not more than two");
}

#[test]
fn a_step_that_fails_blocks_what_waits_for_it_and_nothing_else() {
    let world = World::of(
        r#"
resource "command" "broken" {
  check = ["test", "-e", "broken"]
  apply = ["sh", "-c", "echo the disk is full >&2; exit 9"]
}

resource "command" "behind" {
  check      = ["test", "-e", "behind"]
  apply      = ["touch", "behind"]
  depends_on = [command.broken]
}

resource "command" "far_behind" {
  check      = ["test", "-e", "far"]
  apply      = ["touch", "far"]
  depends_on = [command.behind]
}

resource "command" "beside" {
  check = ["test", "-e", "beside"]
  apply = ["touch", "beside"]
}
"#,
    );
    world
        .run("apply --auto-approve")
        .ends_with(6)
        .says("the disk is full")
        .says("NOT recovered");
    assert!(world.holds("beside") && !world.holds("behind"));
    let frontier = world.frontier();
    assert_eq!(frontier["done"], json!(["command.beside"]));
    assert_eq!(
        frontier["blocked"],
        json!({"command.behind": "command.broken", "command.far_behind": "command.broken"}),
        "the root of the trouble is named, not the nearest neighbour"
    );
    assert!(
        frontier["failed"]["command.broken"]
            .as_str()
            .is_some_and(|why| why.contains("the disk is full")),
        "{frontier}"
    );
    let next = frontier["next"].as_str().unwrap_or_default();
    assert!(next.starts_with("drplan apply --resume "), "{next}");
}

#[test]
fn a_command_that_says_it_worked_is_not_believed() {
    let world = World::of(
        r#"
resource "command" "liar" {
  check = ["test", "-e", "liar"]
  apply = ["true"]
}
"#,
    );
    world
        .run("apply --auto-approve")
        .ends_with(6)
        .says("command.liar");
}

#[test]
fn a_best_effort_step_that_fails_does_not_hold_up_the_next_stage() {
    let world = World::of(
        r#"
resource "command" "nice_to_have" {
  criticality = "best_effort"
  check       = ["test", "-e", "nice"]
  apply       = ["false"]
}

resource "command" "shop" {
  stage = "apps"
  check = ["test", "-e", "shop"]
  apply = ["touch", "shop"]
}
"#,
    );
    let ran = world.run("apply --auto-approve");
    assert!(world.holds("shop"), "{}", ran.stdout);
    ran.says("command.nice_to_have");
}

#[test]
fn a_step_past_its_time_is_ended_and_says_so() {
    let world = World::of(
        r#"
resource "command" "slow" {
  check   = ["test", "-e", "slow"]
  apply   = ["sleep", "60"]
  timeout = "2s"
}
"#,
    );
    world
        .run("apply --auto-approve")
        .ends_with(6)
        .says("command.slow")
        .says("2 s passed");
}

#[test]
fn what_cannot_be_read_blocks_only_what_hangs_on_it() {
    let world = World::of(
        r#"
resource "command" "unreadable" {
  check = ["sh", "-c", "echo no-route-to-site >&2; exit 7"]
  apply = ["touch", "never"]
}

resource "command" "behind" {
  check      = ["test", "-e", "behind"]
  apply      = ["touch", "behind"]
  depends_on = [command.unreadable]
}

resource "command" "beside" {
  check = ["test", "-e", "beside"]
  apply = ["touch", "beside"]
}
"#,
    );
    world
        .run("plan --detailed-exitcode")
        .ends_with(12)
        .says("no-route-to-site");
    world.run("apply --auto-approve").ends_with(12);
    assert!(world.holds("beside") && !world.holds("behind") && !world.holds("never"));
}

#[test]
fn of_a_cluster_that_cannot_be_read_nothing_is_said_to_be_missing() {
    let world = World::of(
        r#"
provider "kubernetes" "site" {
  kubeconfig_path = "kubeconfig"
}

resource "kubernetes_manifest" "settings" {
  stage   = "apps"
  content = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: b}}"
}
"#,
    );
    world.write(
        "kubeconfig",
        r#"{
  "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
  "users": [{"name": "u", "user": {}}],
  "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
  "current-context": "x"
}"#,
    );
    for line in ["plan --detailed-exitcode", "permissions"] {
        world
            .run(line)
            .ends_with(12)
            .says("Connection refused")
            .hides("nothing provides");
    }
    world
        .run("doctor")
        .ends_with(1)
        .says("BAD")
        .hides("nothing provides");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let world = World::empty();
    std::fs::write(world.path("main.dr.hcl"), b"# \xff\xfe\n").expect("a written file");
    world.run("plan").ends_with(1).says("`./main.dr.hcl`");
    world.remove("main.dr.hcl");
    std::fs::create_dir(world.path("main.dr.hcl")).expect("a folder");
    world.run("plan").ends_with(1).says("`./main.dr.hcl`");
}
