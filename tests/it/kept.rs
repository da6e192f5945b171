//! What a run that goes on says of what it did before.

use crate::drplan::World;

/// A chain of three, of which the first two cannot be looked at while `blind.site` and `blind.data` are there, and the
/// first cannot be made while `full` is; and a step that always fails.
const CHAIN: &str = r#"
resource "command" "site" {
  check = ["sh", "-c", "test -e blind.site && exit 7; test -e site"]
  apply = ["sh", "-c", "test ! -e full && touch site"]
}
resource "command" "data" {
  check      = ["sh", "-c", "test -e blind.data && exit 7; test -e data"]
  apply      = ["touch", "data"]
  depends_on = [command.site]
}
resource "command" "last" {
  check      = ["test", "-e", "last"]
  apply      = ["touch", "last"]
  depends_on = [command.data]
}
resource "command" "other" {
  check = ["test", "-e", "other"]
  apply = ["false"]
}
"#;

/// A world in which the chain is done, and the run is not.
fn done() -> World {
    let world = World::of(CHAIN);
    world
        .run("apply --auto-approve")
        .ends_with(6)
        .says("3 done, 1 failed");
    world
}

/// Goes on, and holds what the run, its status and its report say against what is expected.
#[track_caller]
fn goes_on(world: &World, done: u32, failed: u32, blocked: u32) {
    let counts =
        format!("{done} done, {failed} failed, 0 unfinished, 0 waiting, {blocked} blocked");
    world.run("apply --resume 2").ends_with(6).says(&counts);
    world.run("status").ends_with(0).says(&counts);
    let not_done = format!("{} of 4 steps are not done", failed + blocked);
    world.run("report").ends_with(0).says(&not_done);
}

#[test]
fn what_a_run_has_done_stays_done_where_it_cannot_be_looked_at_again() {
    let world = done();
    world.write("blind.site", "");
    goes_on(&world, 2, 2, 0);
}

#[test]
fn what_hangs_on_something_made_anew_is_not_called_done_any_more() {
    let world = done();
    world.remove("site");
    world.remove("data");
    world.write("full", "");
    goes_on(&world, 0, 2, 2);
    // Nor in the next session, in which nothing is begun.
    world.write("blind.site", "");
    goes_on(&world, 0, 2, 2);
}

#[test]
fn what_hangs_on_something_unreadable_behind_what_was_made_anew_is_not_called_done() {
    let world = done();
    world.write("blind.data", "");
    goes_on(&world, 2, 2, 0);
    world.remove("site");
    goes_on(&world, 1, 2, 1);
}

#[test]
fn what_hangs_on_a_step_that_came_true_after_its_time_out_is_looked_at() {
    let world = World::of(
        r#"
resource "command" "slow" {
  check   = ["test", "-e", "made"]
  apply   = ["sh", "-c", "sleep 4; touch made"]
  timeout = "2s"
}
resource "command" "behind" {
  check      = ["sh", "-c", "test ! -e made || test -e seen"]
  apply      = ["touch", "seen"]
  depends_on = [command.slow]
}
"#,
    );
    let run = world.start("apply --auto-approve --on-failure pause");
    world.wait_for("made");
    world.run("resume 2").ends_with(0);
    run.ended()
        .ends_with(0)
        .says("MOVED    command.behind: the plan shows no action");
    assert!(world.holds("seen"));
}

#[test]
fn a_guard_with_a_check_acts_again_where_that_holds_no_more() {
    let world = World::of(
        r#"
resource "command" "fence" {
  guards = [command.app]
  check  = ["test", "-e", "fence"]
  apply  = ["sh", "-c", "echo x >> log; touch fence"]
}
resource "command" "app" {
  check = ["test", "-e", "app"]
  apply = ["sh", "-c", "test -e let && touch app"]
}
"#,
    );
    world.run("apply --auto-approve").ends_with(6);
    world.run("apply --resume 2").ends_with(6);
    assert_eq!(world.read("log"), "x\n");
    world.remove("fence");
    world.write("let", "");
    world.run("apply --resume 2").ends_with(0);
    assert_eq!(world.read("log"), "x\nx\n");
    assert!(world.holds("fence"));
}

#[test]
fn what_was_blocked_before_a_run_went_on_and_did_not_come_up_again_has_not_begun() {
    let world = World::of(
        r#"
resource "command" "data" {
  check = ["test", "-e", "data"]
  apply = ["sh", "-c", "test -e go || exit 1; touch begun; while ! test -e let; do sleep 0.05; done; touch data"]
}
resource "command" "behind" {
  check      = ["test", "-e", "behind"]
  apply      = ["touch", "behind"]
  depends_on = [command.data]
}
"#,
    );
    world
        .run("apply --auto-approve")
        .ends_with(6)
        .says("1 blocked");
    world.write("go", "");
    let run = world.start("apply --resume 2");
    world.wait_for("begun");
    run.signal("INT");
    std::thread::sleep(std::time::Duration::from_millis(300));
    world.write("let", "");
    run.ended()
        .ends_with(7)
        .says("0 blocked, 0 skipped, 1 not started");
    world
        .run("status")
        .says("0 blocked, 0 skipped, 1 not started");
    let report = world.run("report --json").ends_with(0).json();
    let counts = &report["counts"];
    assert_eq!(
        (&counts["blocked"], &counts["not_started"]),
        (&0.into(), &1.into())
    );
}
