//! Two at once, signals and sudden death.

use crate::drplan::World;

/// A command that says when it has begun and ends when it is let.
const SLOW: &str = r#"
resource "command" "slow" {
  check = ["test", "-e", "slow"]
  apply = ["sh", "-c", "echo x >> log.slow; touch begun; while [ ! -e let ]; do sleep 0.05; done; touch slow"]
}

resource "command" "behind" {
  check      = ["test", "-e", "behind"]
  apply      = ["sh", "-c", "echo x >> log.behind; touch behind"]
  depends_on = [command.slow]
}
"#;

#[test]
fn two_at_once_are_kept_apart_and_the_second_learns_who_is_there() {
    let world = World::of(SLOW);
    let first = world.start("apply --auto-approve");
    world.wait_for("begun");
    world
        .run("apply --auto-approve")
        .ends_with(5)
        .says("another apply");
    world.run("plan").ends_with(0);
    world.write("let", "");
    first.ended().ends_with(0);
    assert_eq!(world.read("log.slow"), "x\n");
    world.run("apply --auto-approve").ends_with(0);
}

#[test]
fn the_first_signal_lets_what_runs_end_and_starts_nothing_more() {
    for signal in ["INT", "TERM"] {
        let world = World::of(SLOW);
        let run = world.start("apply --auto-approve");
        world.wait_for("begun");
        run.signal(signal);
        std::thread::sleep(std::time::Duration::from_millis(300));
        world.write("let", "");
        run.ended()
            .ends_with(7)
            .says("stopping")
            .says("next: drplan apply");
        assert!(world.holds("slow") && !world.holds("behind"), "{signal}");
        let frontier = world.frontier();
        assert_eq!(frontier["done"], serde_json::json!(["command.slow"]));
        assert_eq!(
            frontier["not_started"],
            serde_json::json!(["command.behind"])
        );
        world.run("apply --auto-approve").ends_with(0);
        assert_eq!(
            (world.read("log.slow"), world.read("log.behind")),
            ("x\n".into(), "x\n".into())
        );
    }
}

#[test]
fn the_second_signal_leaves_what_runs_and_names_it() {
    let world = World::of(SLOW);
    let run = world.start("apply --auto-approve");
    world.wait_for("begun");
    run.signal("INT");
    std::thread::sleep(std::time::Duration::from_millis(300));
    run.signal("INT");
    let ran = run.ended();
    assert!(matches!(ran.exit, 7 | 130), "{}: {}", ran.exit, ran.stderr);
    assert_eq!(
        world.frontier()["running"],
        serde_json::json!(["command.slow"])
    );
    world.write("let", "");
    world.run("apply --auto-approve").ends_with(0);
}

#[test]
fn a_killed_run_is_finished_by_the_next_without_doing_anything_twice() {
    let world = World::of(SLOW);
    let run = world.start("apply --auto-approve");
    world.wait_for("begun");
    run.signal("KILL");
    run.ended();
    // The command lives on, as a restore would, and ends before the next run looks.
    world.write("let", "");
    world.wait_for("slow");
    world.run("apply --auto-approve").ends_with(0);
    assert_eq!(
        (world.read("log.slow"), world.read("log.behind")),
        ("x\n".into(), "x\n".into())
    );
}

#[test]
fn a_killed_run_whose_command_lives_on_is_waited_for_and_not_begun_again() {
    let world = World::of(SLOW);
    let run = world.start("apply --auto-approve");
    world.wait_for("begun");
    run.signal("KILL");
    run.ended();
    let again = world.start("apply --auto-approve");
    std::thread::sleep(std::time::Duration::from_secs(2));
    world.write("let", "");
    again.ended().ends_with(0);
    assert_eq!(world.read("log.slow"), "x\n", "the command was begun twice");
}

#[test]
fn an_interrupted_command_that_nobody_can_judge_is_left_to_a_person() {
    let world = World::of(
        r#"
resource "command" "once" {
  check          = ["test", "-e", "once"]
  apply          = ["sh", "-c", "echo x >> log.once; echo $$ > begun; exec sleep 30"]
  on_interrupted = "manual"
}
"#,
    );
    let run = world.start("apply --auto-approve");
    world.wait_for("begun");
    std::thread::sleep(std::time::Duration::from_millis(200));
    run.signal("KILL");
    run.ended();
    world.kill(world.read("begun").trim());
    let ran = world.run("apply --auto-approve");
    assert_ne!(ran.exit, 0, "{}", ran.stdout);
    assert_eq!(
        world.read("log.once"),
        "x\n",
        "the command was begun twice\n{}",
        ran.stdout
    );
    ran.says("command.once").says("by hand");
}
