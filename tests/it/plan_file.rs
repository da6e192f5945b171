//! A saved plan: what it is bound to, and what happens when that changed.

use crate::apply::SHOP;
use crate::drplan::World;

fn saved() -> World {
    let world = World::of(SHOP);
    world
        .run("plan --out saved.drplan")
        .ends_with(0)
        .says("drplan apply saved.drplan");
    world
}

/// Shows and applies a spoilt plan; both name it and say the same reason, and nothing runs.
#[track_caller]
fn is_refused(world: &World, because: &str) {
    for line in [
        "show saved.drplan",
        "apply saved.drplan",
        "graph saved.drplan",
    ] {
        world
            .run(line)
            .ends_with(1)
            .says("saved.drplan")
            .says(because);
    }
    assert!(!world.holds("site") && !world.holds(".drplan"));
}

#[test]
fn a_saved_plan_is_shown_and_applied_without_the_spec() {
    let world = saved();
    world.remove("main.dr.hcl");
    let shown = world.run("show saved.drplan").ends_with(0);
    assert!(shown.stdout.contains("command.site"), "{}", shown.stdout);
    world.run("show --json saved.drplan").ends_with(0).json();
    world
        .run("why --plan saved.drplan command.shop command.site")
        .ends_with(0)
        .says("command.site");
    world
        .run("apply saved.drplan --chdir .")
        .ends_with(0)
        .says("warning: `main.dr.hcl`");
    assert!(world.holds("shop"));
}

#[test]
fn a_plan_that_is_applied_elsewhere_is_refused_and_the_printed_command_goes_where_the_spec_lies() {
    let world = saved();
    std::fs::create_dir(world.path("spec")).expect("a folder");
    world.write("spec/main.dr.hcl", SHOP);
    world.remove("main.dr.hcl");
    world
        .run("plan --chdir spec --out other.drplan")
        .ends_with(0)
        .says("drplan --chdir spec apply other.drplan");
    world
        .run("apply saved.drplan")
        .ends_with(9)
        .says("`main.dr.hcl`, which the plan was made from, is not in `.`");
    assert!(!world.holds("site"));
    world.run("--chdir spec apply other.drplan").ends_with(0);
    assert!(world.holds("spec/shop"));
}

#[test]
fn a_plan_that_was_changed_is_refused() {
    let world = saved();
    let text = world.read("saved.drplan");
    world.write("saved.drplan", &text.replace("192.0.2.1", "192.0.2.9"));
    is_refused(&world, "changed or cut off");
}

#[test]
fn a_plan_that_was_cut_off_is_refused() {
    let world = saved();
    let text = world.read("saved.drplan");
    world.write("saved.drplan", &text[..text.len() / 2]);
    is_refused(&world, "second line is missing");
    world.write("saved.drplan", "");
    is_refused(&world, "second line is missing");
    let (first, _) = text.split_once('\n').expect("two lines");
    world.write(
        "saved.drplan",
        &format!("{}\n{{\"sha256\":\"00\"}}\n", &first[..40]),
    );
    is_refused(&world, "changed or cut off");
}

#[test]
fn a_plan_of_another_version_is_refused_and_both_versions_are_named() {
    let world = saved();
    let text = world.read("saved.drplan");
    let (first, _) = text.split_once('\n').expect("two lines");
    let first = first.replace("drplan-plan/1.1", "drplan-plan/9.0");
    world.write_sealed("saved.drplan", &first);
    is_refused(&world, "drplan-plan/9.0");
    world.run("show saved.drplan").says("drplan-plan/1.1");
}

#[test]
fn a_plan_file_is_decided_already() {
    let world = saved();
    for line in [
        "apply saved.drplan --lost cluster:a",
        "apply saved.drplan --incident-at 2026-01-05T03:10:00Z",
        "apply saved.drplan --accept command.site=overwrite",
    ] {
        world.run(line).ends_with(64).says("plan again");
    }
    assert!(!world.holds("site"));
}

#[test]
fn a_run_that_goes_on_keeps_what_its_plan_has_decided_and_who_says_otherwise_is_told() {
    let world = World::of(
        r#"
variable "region" {
  default = "eu"
}
resource "command" "made" {
  check = ["test", "-e", var.region]
  apply = ["touch", var.region]
}
resource "approval" "open" {
  guards = [command.made]
  from   = "the owner"
}
"#,
    );
    world.run("apply --auto-approve").ends_with(8);
    world
        .run("apply --resume 2 --var region=us --approve approval.open")
        .ends_with(64)
        .says("the plan has decided it");
    world
        .run("apply --resume 2 --var region=eu --approve approval.open")
        .ends_with(0);
    assert!(world.holds("eu") && !world.holds("us"));
}

#[test]
fn a_spec_that_has_changed_since_the_plan_is_named_and_the_plan_is_done_as_it_was_made() {
    let world = saved();
    let spec = world.read("main.dr.hcl");
    world.write("main.dr.hcl", &format!("{spec}# and more\n"));
    world
        .run("apply saved.drplan")
        .ends_with(0)
        .says("`main.dr.hcl` has changed since the plan was made");
    world.write("main.dr.hcl", &spec);
    let again = world.run("apply saved.drplan").ends_with(0);
    assert!(!again.stderr.contains("has changed"), "{}", again.stderr);
}

#[test]
fn a_plan_applied_twice_does_its_work_once() {
    let world = saved();
    world.run("apply saved.drplan").ends_with(0);
    world.run("apply saved.drplan").ends_with(0);
    assert_eq!(world.read("log.site"), "x\n");
    assert_eq!(world.read("log.shop"), "x\n");
}

#[test]
fn a_world_that_moved_since_the_plan_is_named_and_only_that_is_refused() {
    let world = World::of(
        r#"
resource "command" "there" {
  check = ["sh", "-c", "test -e there && exit 0; test -e gone && exit 3; exit 1"]
  apply = ["touch", "there"]
}

resource "command" "behind" {
  check      = ["test", "-e", "behind"]
  apply      = ["touch", "behind"]
  depends_on = [command.there]
}

resource "command" "beside" {
  check = ["test", "-e", "beside"]
  apply = ["touch", "beside"]
}
"#,
    );
    world.write("there", "");
    world.run("plan --out saved.drplan").ends_with(0);
    world.remove("there");
    world
        .run("apply saved.drplan")
        .ends_with(4)
        .says("command.there");
    assert!(world.holds("beside"), "what did not move goes on");
    assert!(!world.holds("there") && !world.holds("behind"));
}

#[test]
fn a_world_that_came_right_by_itself_is_not_stale() {
    let world = saved();
    world.write("site", "192.0.2.1\n");
    world.run("apply saved.drplan").ends_with(0);
    assert!(!world.holds("log.site"), "nothing is done twice");
}

#[test]
fn a_plan_is_the_same_text_whenever_the_world_is_the_same() {
    let world = saved();
    let first = world.run("show saved.drplan --json").json();
    world.run("plan --out again.drplan").ends_with(0);
    let mut second = world.run("show again.drplan --json").json();
    for at in ["/timestamp", "/drplan/head/observed_at"] {
        *second.pointer_mut(at).expect("a moment") = first.pointer(at).expect("a moment").clone();
    }
    assert_eq!(first, second);
}

#[test]
fn a_plan_that_cannot_be_written_is_an_error() {
    let world = World::of(SHOP);
    world
        .run("plan --out nowhere/saved.drplan")
        .ends_with(1)
        .says("nowhere/saved.drplan");
}

#[test]
fn a_plan_that_was_made_long_ago_is_applied_with_a_warning() {
    let world = World::of(
        "resource \"command\" \"a\" {\n  check = [\"test\", \"-e\", \"a\"]\n  apply = [\"touch\", \"a\"]\n}\n",
    );
    world.run("plan --out p").ends_with(0);
    let text = world.read("p");
    let line = text.lines().next().unwrap_or_default();
    let mut plan: serde_json::Value = serde_json::from_str(line).expect("JSON");
    plan["head"]["observed_at"] = "2020-01-05T03:10:00Z".into();
    world.write_sealed("old", &drplan_api::canonical(&plan));
    world
        .run("apply old")
        .ends_with(0)
        .says("a newer backup is not in it");
    world.run("apply p").hides("a newer backup");
}

#[test]
fn a_plan_that_is_made_anew_is_given_the_same_values_and_what_cannot_be_shown_is_named() {
    let world = World::of(
        r#"
variable "region" { default = "eu-1" }
variable "size" { default = "small" }
variable "who" { default = "nobody" }
variable "key" {
  sensitive = true
  default   = ""
}
resource "command" "there" {
  check = ["sh", "-c", "test -e there && exit 0; test -e gone && exit 3; exit 1"]
  apply = ["sh", "-c", "echo ${var.region} ${var.size} ${var.who}; touch there"]
}
"#,
    )
    .with("DRPLAN_VAR_who", "the-owner");
    world.write("site.hcl", "size = \"large\"\n");
    world.write("there", "");
    world
        .run("plan --var region=eu-2 --var key=canary-of-the-key --var-file site.hcl --out p")
        .ends_with(0);
    assert!(!world.read("p").contains("canary-of-the-key"));
    world.remove("there");
    world
        .run("apply p")
        .ends_with(4)
        .says("next: drplan plan --out p --var-file site.hcl --var region=eu-2\n")
        .says("plan with the same values for `key`, `who`")
        .hides("canary-of-the-key");
}

/// Made for these tests with `openssl genpkey -algorithm ed25519`.
const KEY: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIGqkt9yNdha6UgmFzWXOlnre+ty2GYOCVcNkXSYArkSV
-----END PRIVATE KEY-----
";
const KEY_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA4CzWUNEz+UZYRniO/1It4ACd3LqiedKTC/sOoIxOspQ=
-----END PUBLIC KEY-----
";
const OTHER_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEADkxlRsXXehDgZCEokzjKgQzkKEZEnltZxphmYu5Cjn8=
-----END PUBLIC KEY-----
";

#[test]
fn a_plan_is_applied_only_if_the_key_that_is_named_signed_it() {
    let world = World::of(SHOP);
    world.write("key.pem", KEY);
    world.write("ours.pub", KEY_PUBLIC);
    world.write("other.pub", OTHER_PUBLIC);
    world.run("plan --out unsigned.drplan").ends_with(0);
    world
        .run("plan --out saved.drplan --sign key.pem")
        .ends_with(0);
    for (line, because) in [
        (
            "apply unsigned.drplan --signed-by ours.pub",
            "is not signed",
        ),
        (
            "apply saved.drplan --signed-by other.pub",
            "is not that of the key",
        ),
        (
            "show saved.drplan --signed-by other.pub",
            "is not that of the key",
        ),
    ] {
        world.run(line).ends_with(9).says(because);
    }
    world
        .run("apply saved.drplan --signed-by key.pem")
        .ends_with(1)
        .says("no public Ed25519 key");
    assert!(!world.holds("site") && !world.holds(".drplan"));
    world
        .run("apply --auto-approve --signed-by ours.pub")
        .ends_with(64)
        .says("needs a plan that is signed already");
    assert!(!world.holds("site"));
    world
        .run("apply saved.drplan --signed-by ours.pub")
        .ends_with(0);

    world
        .run("evidence export --out run.json --sign key.pem")
        .ends_with(0);
    world
        .run("evidence verify --file run.json --signed-by ours.pub")
        .ends_with(0)
        .says("signed by the key");
    world
        .run("evidence verify --file run.json --signed-by other.pub")
        .ends_with(1)
        .says("NOT signed");
}

#[test]
fn a_run_goes_on_only_with_the_plan_that_the_named_key_signed() {
    let world = World::of(
        "resource \"command\" \"site\" {\n  check = [\"test\", \"-e\", \"site\"]\n  \
         apply = [\"sh\", \"-c\", \"test -e mended && touch site\"]\n}\n",
    );
    world.write("key.pem", KEY);
    world.write("ours.pub", KEY_PUBLIC);
    world.write("other.pub", OTHER_PUBLIC);
    world.run("plan --out plain.drplan").ends_with(0);
    world.run("apply plain.drplan").ends_with(6);
    world
        .run("apply --resume 2 --signed-by ours.pub")
        .ends_with(9)
        .says("is not signed");
    std::fs::remove_dir_all(world.latest_run().parent().expect("a folder of runs")).expect("gone");
    world
        .run("plan --out saved.drplan --sign key.pem")
        .ends_with(0);
    // The signature stays with the plan, whether or not somebody asks for it.
    world
        .run("apply saved.drplan --signed-by ours.pub")
        .ends_with(6)
        .says("--signed-by ours.pub");
    world.write("mended", "");
    world
        .run("apply --resume 2 --signed-by other.pub")
        .ends_with(9)
        .says("is not that of the key");
    assert!(!world.holds("site"));
    world
        .run("apply --resume 2 --signed-by ours.pub")
        .ends_with(0);
    assert!(world.holds("site"));
}

#[test]
fn slots_of_what_is_no_connection_of_the_plan_are_refused() {
    let world = saved();
    for (slots, because) in [
        ("local.default", "that is no connection with a number"),
        ("local.default=0", "that is no connection with a number"),
        ("other.default=2", "the plan has no such connection"),
    ] {
        world
            .run(&format!("apply saved.drplan --slots {slots}"))
            .ends_with(64)
            .says(because);
    }
    world
        .run("apply saved.drplan --slots local.default=1")
        .ends_with(0);
}
