//! A snapshot: the same plan without the world, and no secret in it.

use std::os::unix::fs::PermissionsExt as _;

use crate::drplan::World;

const VARIABLE: &str = "canary-of-the-variable";
const FILE: &str = "canary-of-the-file";
const PRINTED: &str = "canary-of-the-check";
const GRUMBLED: &str = "canary-of-its-errors";

/// Each check leaves a trace, so that a plan which reads the world is found out. `site` prints and
/// grumbles what it should not; `inventory` repeats a secret in what it exports.
const SPEC: &str = r#"
recovery "shop" { rpo = "1h" }

variable "token" {
  sensitive = true
}

resource "command" "site" {
  check   = ["sh", "-c", "echo x >> read; printf canary-; echo of-the-check; (printf canary-; echo of-its-errors) >&2; test -e site"]
  apply   = ["touch", "site"]
  outputs = { kubeconfig = { file = "out/kubeconfig", sensitive = true } }
}

resource "command" "inventory" {
  check   = ["sh", "-c", "echo x >> read; echo hosts: $(cat out/kubeconfig) a b"]
  apply   = ["true"]
  outputs = { hosts = { stdout = true } }
}

resource "command" "app" {
  check = ["test", "-e", "app"]
  apply = ["sh", "-c", "touch app"]
  env   = { TOKEN = var.token, KUBECONFIG = command.site.outputs.kubeconfig }
}
"#;

fn world() -> World {
    let world = World::of(SPEC).with("DRPLAN_VAR_token", VARIABLE);
    std::fs::create_dir(world.path("out")).expect("a folder");
    world.write("out/kubeconfig", FILE);
    world.write("site", "");
    world
}

/// The first line of a sealed file with another time of reading.
fn read_at(text: &str, at: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut plan: serde_json::Value = serde_json::from_str(line).expect("JSON");
    plan["head"]["observed_at"] = at.into();
    drplan_api::canonical(&plan)
}

fn time_of(snapshot: &str) -> String {
    let line = snapshot.lines().next().unwrap_or_default();
    let snapshot: serde_json::Value = serde_json::from_str(line).expect("JSON");
    snapshot["observed_at"].as_str().expect("a time").to_owned()
}

#[test]
fn a_plan_from_a_snapshot_is_the_plan_of_the_world_byte_for_byte() {
    let world = World::of(&SPEC.replace("$(cat out/kubeconfig)", ""));
    std::fs::create_dir(world.path("out")).expect("a folder");
    world.write("out/kubeconfig", FILE);
    world.write("site", "");
    world.run("plan --out live").ends_with(0);
    world.run("snapshot --out s").ends_with(0).says("--live s");
    let reads = world.read("read");
    world.remove("site");
    world.remove("out/kubeconfig");
    world.run("plan --live s --out one").ends_with(0);
    world.run("plan --live s --out two").ends_with(0);
    assert_eq!(
        world.read("read"),
        reads,
        "a plan from a snapshot read the world"
    );
    assert_eq!(world.read("one"), world.read("two"));
    let at = time_of(&world.read("s"));
    let recorded = world.read("one");
    assert_eq!(
        read_at(&world.read("live"), &at),
        recorded.lines().next().unwrap_or_default()
    );
}

#[test]
fn what_the_spec_asks_beyond_a_snapshot_is_unreadable_and_says_what_to_do() {
    let world = world();
    world.run("snapshot --out s").ends_with(0);
    world.write(
        "main.dr.hcl",
        &SPEC.replace("\"-e\", \"app\"", "\"-e\", \"other\""),
    );
    world
        .run("plan --live s --out p")
        .ends_with(12)
        .says("not in the snapshot of")
        .says("make a new one with `drplan snapshot --out FILE`");
    assert!(world.holds("p"), "an incomplete plan is saved");
    world.write("main.dr.hcl", "recovery \"other\" {}\n");
    world
        .run("plan --live s")
        .ends_with(1)
        .says("is a snapshot for the recovery `shop`");
}

#[test]
fn no_secret_is_in_a_snapshot_and_only_its_owner_reads_it() {
    let world = world();
    world.run("snapshot --out s").ends_with(0);
    let text = world.read("s");
    for canary in [VARIABLE, FILE, PRINTED, GRUMBLED] {
        assert!(!text.contains(canary), "{canary} is in\n{text}");
    }
    assert!(
        text.contains("hosts: (secret) a b"),
        "the output is kept\n{text}"
    );
    let mode = std::fs::metadata(world.path("s"))
        .expect("a file")
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
}

#[test]
fn a_snapshot_that_was_changed_or_is_of_another_version_is_refused() {
    let world = world();
    world.run("snapshot --out s").ends_with(0);
    let text = world.read("s");
    world.write("s", &text.replace("hosts", "ghosts"));
    world
        .run("plan --live s")
        .ends_with(1)
        .says("changed or cut off");
    let line = text.lines().next().unwrap_or_default();
    let line = line.replace("drplan-snapshot/1", "drplan-snapshot/9");
    world.write_sealed("s", &line);
    world
        .run("plan --live s")
        .ends_with(1)
        .says("drplan-snapshot/9.0");
}

#[test]
fn a_plan_from_a_snapshot_is_applied_after_another_look() {
    let world = world();
    world.run("snapshot --out s").ends_with(0);
    world.run("plan --live s --out p").ends_with(0);
    world.write("app", "");
    world.run("apply p").ends_with(0).says("already true");
}

#[test]
fn a_secret_that_the_plan_needs_to_read_is_taken_out_and_that_is_said() {
    let world = World::of(
        r#"
variable "word" {
  sensitive = true
}
resource "command" "list" {
  check   = ["echo", "postgres"]
  apply   = ["true"]
  outputs = { name = { stdout = true } }
}
resource "command" "each" {
  for_each = toset([command.list.outputs.name])
  check    = ["test", "-e", each.key]
  apply    = ["touch", each.key]
  env      = { WORD = var.word }
}
"#,
    )
    .with("DRPLAN_VAR_word", "postgres");
    world.write("postgres", "");
    world.run("plan").ends_with(0);
    world
        .run("snapshot --out s")
        .ends_with(12)
        .says("a plan from this snapshot is another one");
}

#[test]
fn a_snapshot_given_as_a_plan_is_called_what_it_is() {
    let world = world();
    world.run("snapshot --out s").ends_with(0);
    world
        .run("show s")
        .ends_with(1)
        .says("`drplan plan --live`");
}
