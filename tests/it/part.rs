//! A part of a recovery, and a plan's own limits, as far as the run.

use crate::drplan::World;

const SPEC: &str = r#"
recovery "shop" {}

resource "command" "site" {
  check = ["test", "-e", "site"]
  apply = ["touch", "site"]
}

resource "command" "shop" {
  check = ["test", "-e", "shop"]
  apply = ["touch", "shop"]
}
"#;

#[test]
fn a_part_that_is_done_is_no_recovery_and_everything_says_so() {
    let world = World::of(SPEC);
    world
        .run("apply --target command.site --auto-approve")
        .ends_with(0)
        .says("PARTIAL: 1 of 2 steps")
        .says("NOT a whole recovery: every step of this part is done and proven.")
        .hides("Recovered:");
    assert!(world.holds("site") && !world.holds("shop"));
    world.run("status").says("NOT a whole recovery");
    let told = world.run("status --json").json();
    assert_eq!(told["run"]["is_part"], true, "{told}");
    world
        .run("report")
        .says("NOT a whole recovery")
        .hides("Recovered:");
    world
        .run("apply --auto-approve")
        .ends_with(0)
        .says("Recovered:");
    world
        .run("status")
        .says("has ended well")
        .hides("NOT a whole recovery");
}

const CHECKED: &str = r#"
check "site" {
  assert {
    condition     = true
    error_message = "no"
  }
}
"#;

#[test]
fn a_second_plan_of_a_part_with_nothing_left_is_not_called_that_of_the_whole() {
    let world = World::of(&format!("{SPEC}{CHECKED}"));
    world
        .run("apply --target command.site --auto-approve")
        .ends_with(0)
        .says("A second plan of this part has nothing left to do.");
    world
        .run("apply --auto-approve")
        .ends_with(0)
        .says("A second plan has nothing left to do.");
}

#[test]
fn limits_are_bound_into_the_plan_file_and_held_again_before_the_start() {
    let world = World::of(SPEC);
    world.run("plan --max-changes 2 --out p").ends_with(0);
    let text = world.read("p");
    let line = text.lines().next().unwrap_or_default();
    assert!(line.contains("\"max_changes\":2"), "{line}");
    let line = line.replace("\"max_changes\":2", "\"max_changes\":1");
    world.write_sealed("p", &line);
    world
        .run("apply p")
        .ends_with(9)
        .says("2 steps change the world, and 1 may");
    assert!(!world.holds("site") && !world.holds(".drplan"));
}

const GUARDED: &str = r#"
recovery "r" {
  ordering = "inferred"
}
resource "command" "x" {
  check = ["test", "-e", "x"]
  apply = ["touch", "x"]
}
resource "command" "a" {
  check      = ["test", "-e", "a"]
  apply      = ["touch", "a"]
  depends_on = [command.x]
}
resource "command" "b" {
  check = ["test", "-e", "b"]
  apply = ["touch", "b"]
}
resource "approval" "both" {
  guards = [command.a, command.b]
  from   = "the owner"
}
resource "command" "v" {
  stage = "verify"
  check = ["test", "-e", "v"]
  apply = ["touch", "v"]
}
"#;

#[test]
fn a_guard_of_two_ties_neither_to_what_the_other_waits_for() {
    let world = World::of(GUARDED);
    let left = world.run("plan --exclude command.x").ends_with(0);
    left.says("Left out: command.x, command.a.");
    let only = world.run("plan --target command.b").ends_with(0);
    only.says("approval.both")
        .says("Left out: command.v, command.x, command.a.");
}

#[test]
fn a_later_stage_is_held_whatever_the_ordering() {
    let world = World::of(GUARDED);
    world
        .run("plan --stop-before dns")
        .ends_with(0)
        .says("Held before `dns`: command.v.");
}

#[test]
fn a_part_is_no_whole_recovery_though_all_it_left_out_is_true() {
    let world = World::of(GUARDED);
    for name in ["x", "a", "v"] {
        world.write(name, "");
    }
    world
        .run("apply --target command.b --auto-approve --approve approval.both")
        .ends_with(0)
        .says("PARTIAL")
        .hides("Recovered: every step");
    assert!(world.holds("b"));
}
