//! A recovery from nothing to nothing left to do, with commands only.

use crate::drplan::World;

/// A site, a database on it, a shop on both, a question before the shop and a check behind it.
pub(crate) const SHOP: &str = r#"
recovery "shop" {
  rto = "1h"
}

resource "command" "site" {
  check   = ["test", "-e", "site"]
  apply   = ["sh", "-c", "echo x >> log.site; echo 192.0.2.1 > site"]
  outputs = { address = { file = "site" } }
}

resource "command" "shop" {
  stage = "apps"
  check = ["test", "-e", "shop"]
  apply = ["sh", "-c", "echo x >> log.shop; echo at $ADDRESS > shop"]
  env   = { ADDRESS = command.site.outputs.address }
}

check "the_address_is_right" {
  depends_on = [command.shop]
  assert {
    condition     = trimspace(command.site.outputs.address) == "192.0.2.1"
    error_message = "the site is at ${command.site.outputs.address}"
  }
}

output "address" {
  value = command.site.outputs.address
}
"#;

#[test]
fn what_is_not_there_is_made_once_and_then_nothing_is_left_to_do() {
    let world = World::of(SHOP);
    world
        .run("plan --detailed-exitcode")
        .ends_with(2)
        .says("2 steps");
    world
        .run("apply --auto-approve")
        .ends_with(0)
        .says("Recovered");
    assert_eq!(world.read("shop"), "at 192.0.2.1\n");
    world
        .run("plan --detailed-exitcode")
        .ends_with(0)
        .says("Nothing is left to do");
    world
        .run("apply --auto-approve")
        .ends_with(0)
        .says("Nothing is left to do");
    assert_eq!(
        (world.read("log.site"), world.read("log.shop")),
        ("x\n".to_owned(), "x\n".to_owned()),
        "each command ran once"
    );
}

#[test]
fn only_what_is_gone_is_made_again() {
    let world = World::of(SHOP);
    world.run("apply --auto-approve").ends_with(0);
    world.remove("shop");
    world
        .run("plan --detailed-exitcode")
        .ends_with(2)
        .says("1 step");
    world.run("apply --auto-approve").ends_with(0);
    assert_eq!(
        (world.read("log.site"), world.read("log.shop")),
        ("x\n".to_owned(), "x\nx\n".to_owned())
    );
}

#[test]
fn a_plan_changes_nothing() {
    let world = World::of(SHOP);
    for line in ["plan", "validate", "graph", "why command.shop"] {
        world.run(line).ends_with(0);
    }
    assert_eq!(
        world.files().into_keys().collect::<Vec<_>>(),
        ["main.dr.hcl"]
    );
}

#[test]
fn a_healthy_day_runs_the_checks_and_asks_nobody() {
    let world = World::of(&format!(
        r#"{SHOP}
resource "approval" "open" {{
  guards = [command.shop]
  from   = "the owner"
}}
"#
    ));
    world.write("site", "192.0.2.1\n");
    world.write("shop", "at 192.0.2.1\n");
    world
        .run("plan --detailed-exitcode")
        .ends_with(0)
        .hides("approval.open");
    world.run("apply").ends_with(0).hides("approval.open");
}

#[test]
fn a_guard_without_a_check_runs_only_around_an_action() {
    let world = World::of(&format!(
        r#"{SHOP}
resource "command" "call_everybody" {{
  apply  = ["sh", "-c", "echo x >> log.call"]
  guards = [command.shop]
}}
"#
    ));
    world.run("apply --auto-approve").ends_with(0);
    world.run("apply --auto-approve").ends_with(0);
    assert_eq!(world.read("log.call"), "x\n");
}

#[test]
fn a_folder_is_named_from_outside() {
    let world = World::empty();
    std::fs::create_dir(world.path("spec")).expect("a folder");
    world.write("spec/main.dr.hcl", SHOP);
    world.run("-chdir spec apply -auto-approve").ends_with(0);
    assert!(
        world.holds("spec/shop"),
        "commands run in the spec's folder"
    );
    assert!(world.holds("spec/.drplan") && !world.holds(".drplan"));
}

#[test]
fn a_check_beside_the_spec_is_found_from_outside() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::empty();
    std::fs::create_dir_all(world.path("spec/bin")).expect("a folder");
    world.write("spec/bin/is", "#!/bin/sh\ntest -e done\n");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(world.path("spec/bin/is"), executable).expect("a program");
    world.write(
        "spec/main.dr.hcl",
        r#"
resource "command" "it" {
  check = ["bin/is"]
  apply = ["touch", "done"]
}
"#,
    );
    world
        .run("--chdir spec apply --auto-approve")
        .ends_with(0)
        .says("1 done");
}

#[test]
fn what_was_done_again_is_not_done_once_more_for_what_was_left_out() {
    let world = World::of(SHOP);
    world.run("apply --auto-approve").ends_with(0);
    world.remove("shop");
    world
        .run("apply --auto-approve --redo command.site --skip command.shop=later")
        .ends_with(6)
        .says("to do what was left out: drplan apply --auto-approve\n");
    assert_eq!(world.read("log.site"), "x\nx\n");
}

#[test]
fn what_drplan_remembers_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::of(SHOP);
    world.run("plan --out saved.drplan").ends_with(0);
    world.run("apply saved.drplan").ends_with(0);
    for name in world.files().keys() {
        if name == "saved.drplan" || name.starts_with(".drplan/runs") {
            let meta = std::fs::metadata(world.path(name)).expect("a file");
            assert_eq!(meta.permissions().mode() & 0o077, 0, "{name}");
        }
    }
}

#[test]
fn what_is_true_is_done_once_more_with_redo_and_only_then() {
    let world = World::of(SHOP);
    world.run("apply --auto-approve").ends_with(0);
    world
        .run("plan --redo command.site --detailed-exitcode")
        .ends_with(2)
        .says("1 step")
        .says("it is run again all the same");
    world
        .run("apply --redo command.site --auto-approve")
        .ends_with(0)
        .says("A second plan has nothing left to do");
    assert_eq!(
        (world.read("log.site"), world.read("log.shop")),
        ("x\nx\n".to_owned(), "x\n".to_owned())
    );
    world
        .run("plan --redo command.sites")
        .ends_with(64)
        .says("did you mean `command.site`?");
    world
        .run("plan --redo check.the_address_is_right")
        .ends_with(64)
        .says("no such step with a goal of its own");
    world.run("plan --redo command.site --out p").ends_with(0);
    world
        .run("apply p --redo command.site")
        .ends_with(64)
        .says("a saved plan is decided already");
}

#[test]
fn a_redo_runs_once_what_is_true_and_is_nothing_special_for_what_is_not() {
    let world = World::of(SHOP);
    world
        .run("apply --auto-approve --redo command.site")
        .ends_with(0);
    assert_eq!(world.read("log.site"), "x\n", "it was not true yet");
    world
        .run("apply --auto-approve --redo command.site")
        .ends_with(0);
    assert_eq!(world.read("log.site"), "x\nx\n");
    assert_eq!(world.read("log.shop"), "x\n");
}

#[test]
fn a_redone_command_that_fails_is_not_done_because_its_check_was_true_before() {
    let world = World::of(
        r#"
recovery "shop" {}

resource "command" "site" {
  stage = "apps"
  check = ["test", "-e", "site"]
  apply = ["sh", "-c", "echo x >> log.site; test ! -e site && touch site"]
}

resource "command" "other" {
  stage = "apps"
  check = ["test", "-e", "other"]
  apply = ["touch", "other"]
}
"#,
    );
    world.run("apply --auto-approve").ends_with(0);
    world.remove("other");
    let failed = world
        .run("apply --auto-approve --redo command.site --redo command.other")
        .ends_with(6)
        .says("FAILED   command.site");
    let next = world.frontier()["next"].as_str().map(str::to_owned);
    let next = next.expect("a command");
    assert!(!failed.stdout.contains("Recovered"), "{}", failed.stdout);
    // Whoever goes on does it again all the same.
    let next = next.strip_prefix("drplan ").expect("a command");
    assert!(next.starts_with("apply --resume "), "{next}");
    world.run(next).ends_with(6).says("FAILED   command.site");
    assert_eq!(world.read("log.site"), "x\nx\nx\n");
}
