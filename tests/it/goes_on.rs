//! Programs that still run although what they make is true.

use std::time::Duration;
use std::time::Instant;

use crate::drplan::GLANCE;
use crate::drplan::PATIENCE;
use crate::drplan::World;

/// Long enough for a run to do what it must not do.
const WHILE: Duration = Duration::from_secs(2);

/// A program that makes its goal true first and fails at last.
const EARLY: &str = r#"
resource "command" "early" {
  check = ["test", "-e", "early"]
  apply = ["sh", "-c", "touch early; while ! test -e let; do sleep 0.05; done; exit 4"]
}
resource "command" "behind" {
  check      = ["test", "-e", "behind"]
  apply      = ["touch", "behind"]
  depends_on = [command.early]
}
"#;

#[test]
fn what_is_true_already_is_not_done_while_its_program_still_runs() {
    for line in ["apply --resume 2", "apply --auto-approve"] {
        let world = World::of(EARLY);
        let run = world.start("apply --auto-approve");
        world.wait_for("early");
        run.killed();
        let run = world.start(line);
        std::thread::sleep(WHILE);
        assert!(!world.holds("behind"), "{line}");
        world.write("let", "");
        let ran = run.ended();
        if line.contains("resume") {
            // As it would have failed without having been killed.
            ran.ends_with(6).says("ended with exit code 4");
            assert!(!world.holds("behind"), "{line}");
        } else {
            ran.ends_with(0);
        }
    }
}

#[test]
fn of_what_is_left_out_it_is_told_that_its_program_still_runs() {
    let world = World::of(EARLY);
    let run = world.start("apply --auto-approve");
    world.wait_for("early");
    run.killed();
    world
        .run("apply --resume 2 --skip command.early=later")
        .ends_with(6)
        .says("command.early: left out: later (its program still ran then)");
    world.write("let", "");
}

#[test]
fn what_is_done_by_hand_is_not_done_while_its_program_still_runs() {
    let world = World::of(EARLY);
    let run = world.start("apply --auto-approve");
    world.wait_for("early");
    run.killed();
    let run = world.start("apply --resume 2 --by-hand command.early=me");
    std::thread::sleep(WHILE);
    assert!(!world.holds("behind"));
    world.write("let", "");
    run.ended().ends_with(0);
    assert!(world.holds("behind"));
}

#[test]
fn who_looks_hears_of_a_program_that_still_runs_and_how_to_end_it() {
    let world = World::of(EARLY);
    let run = world.start("apply --auto-approve");
    world.wait_for("early");
    run.killed();
    let says = "command.early: its program still runs, in process group ";
    world
        .run("plan")
        .ends_with(0)
        .says("command.early: a program of it runs on this machine, in process group ");
    let told = world
        .run("status")
        .ends_with(0)
        .says(says.split(": ").nth(1).unwrap_or_default());
    let told = told.says("a program still runs").stdout;
    let group = told.split("kill -- -").nth(1).unwrap_or_default();
    let group = group.split('`').next().unwrap_or_default();
    world.kill(&format!("-{group}"));
    world
        .run("status")
        .ends_with(0)
        .says("and nothing goes on")
        .hides("still runs");
}

#[test]
fn how_a_program_ends_counts_also_where_its_arguments_came_late_or_another_run_began_it() {
    let late = EARLY.replace("exit 4", "exit ${trimspace(command.code.outputs.code)}");
    let late = format!(
        r#"
resource "command" "code" {{
  check   = ["test", "-e", "code"]
  apply   = ["sh", "-c", "echo 4 > code"]
  outputs = {{ code = {{ file = "code" }} }}
}}
{late}"#
    );
    for spec in [late, EARLY.replace("touch early;", BEGINS_FIRST)] {
        let is_late = spec.contains("trimspace");
        let world = World::of(&spec);
        let run = world.start("apply --auto-approve");
        world.wait_for(if is_late { "early" } else { "begun" });
        run.killed();
        if !is_late {
            let first = world.latest_run();
            let another = world.start("apply --auto-approve");
            let since = Instant::now();
            while world.latest_run() == first
                || !world
                    .of_latest_run("journal.jsonl")
                    .contains("effect_adopted")
            {
                assert!(since.elapsed() < PATIENCE, "nothing was adopted");
                std::thread::sleep(GLANCE);
            }
            another.killed();
            world.write("go", "");
            world.wait_for("early");
        }
        let newest = world.latest_run();
        let newest = newest.file_name().and_then(|name| name.to_str());
        let run = world.start(&format!("apply --resume {}", newest.expect("a run")));
        std::thread::sleep(WHILE);
        assert!(!world.holds("behind"), "{spec}");
        world.write("let", "");
        run.ended().ends_with(6).says("ended with exit code 4");
        assert!(!world.holds("behind"), "{spec}");
    }
}

/// Begins, and makes its goal true when it may.
const BEGINS_FIRST: &str = "touch begun; while ! test -e go; do sleep 0.05; done; touch early;";

#[test]
fn a_guard_whose_program_undoes_what_was_seen_is_not_done() {
    let world = World::of(
        r#"
resource "command" "fence" {
  guards = [command.app]
  check  = ["test", "-e", "fence"]
  apply  = ["sh", "-c", "touch fence; while ! test -e let; do sleep 0.05; done; rm fence"]
}
resource "command" "app" {
  check = ["test", "-e", "app"]
  apply = ["touch", "app"]
}
"#,
    );
    let run = world.start("apply --auto-approve");
    world.wait_for("fence");
    run.killed();
    let run = world.start("apply --resume 2");
    std::thread::sleep(WHILE);
    world.write("let", "");
    run.ended()
        .ends_with(6)
        .says("what was begun is over, yet there is still something to do");
    assert!(!world.holds("app"));
}

/// A guard without a check that ends with this when it may, and what it guards.
fn fenced(end: &str) -> World {
    World::of(&format!(
        r#"
resource "command" "fence" {{
  guards  = [command.app]
  apply   = ["sh", "-c", "touch begun; while ! test -e let; do sleep 0.05; done; {end}"]
  timeout = "8s"
}}
resource "command" "app" {{
  check = ["test", "-e", "app"]
  apply = ["touch", "app"]
}}
resource "command" "behind" {{
  check      = ["test", "-e", "behind"]
  apply      = ["touch", "behind"]
  depends_on = [command.app]
}}
"#
    ))
}

#[test]
fn a_guard_whose_program_undoes_what_it_guards_is_needed_again() {
    let world = fenced("rm -f app; exit 4");
    let run = world.start("apply --auto-approve");
    world.wait_for("begun");
    run.killed();
    world.write("app", "");
    let run = world.start("apply --resume 2");
    std::thread::sleep(WHILE);
    world.write("let", "");
    run.ended().ends_with(6).says("ended with exit code 4");
    assert!(!world.holds("app") && !world.holds("behind"));
}

#[test]
fn what_a_guard_that_was_left_out_undid_is_seen_before_what_hangs_on_it_begins() {
    let world = fenced("rm -f app");
    let run = world.start("apply --auto-approve");
    world.wait_for("begun");
    run.killed();
    world.write("app", "");
    world.run("plan --out plan").ends_with(0);
    let run = world.start("apply plan");
    std::thread::sleep(WHILE);
    world.write("let", "");
    run.ended()
        .ends_with(4)
        .says("MOVED    command.app: the plan shows no action");
    assert!(!world.holds("behind"));
}

#[test]
fn of_a_guard_that_is_needed_no_more_and_does_not_end_it_is_told_how_to_end_it() {
    for line in ["apply --resume 2", "apply --auto-approve"] {
        let world = fenced("true");
        let run = world.start("apply --auto-approve");
        world.wait_for("begun");
        run.killed();
        world.write("app", "");
        world
            .run(line)
            .ends_with(6)
            .says("`kill -- -")
            .says("1 failed");
        world.write("let", "");
    }
}

#[test]
fn a_new_run_waits_also_where_nothing_else_is_left_to_do() {
    let spec = EARLY.split("resource \"command\" \"behind\"").next();
    let world = World::of(spec.unwrap_or_default());
    let run = world.start("apply --auto-approve");
    world.wait_for("early");
    run.killed();
    let run = world.start("apply --auto-approve");
    std::thread::sleep(WHILE);
    world.write("let", "");
    run.ended()
        .ends_with(0)
        .says("command.early: a program of it runs on this machine, in process group ")
        .says("A second plan has nothing left to do.");
}

#[test]
fn a_guard_that_is_needed_no_more_is_waited_for_while_its_program_runs() {
    for line in ["apply --resume 2", "apply --auto-approve"] {
        let world = fenced("echo x >> log");
        let run = world.start("apply --auto-approve");
        world.wait_for("begun");
        run.killed();
        world.write("app", "");
        let run = world.start(line);
        std::thread::sleep(WHILE);
        assert!(!world.holds("behind"), "{line}");
        world.write("let", "");
        run.ended().ends_with(0);
        assert!(world.holds("behind"), "{line}");
        assert_eq!(world.read("log"), "x\n", "{line}");
    }
}

#[test]
fn where_nobody_can_read_what_runs_the_rest_is_told_and_applied_all_the_same() {
    let world = World::of(&format!("{EARLY}{APART}"));
    let run = world.start("apply --auto-approve");
    world.wait_for("early");
    world.wait_for("apart");
    run.killed();
    world.write("let", "");
    let work = world.path(".drplan/work");
    let unknown = "whether programs of the plan run is not known: ";
    let of_early = std::fs::read_dir(&work).expect("traces").flatten();
    let of_early = of_early.map(|folder| folder.path());
    let of_early = of_early.filter(|path| path.to_string_lossy().contains("early"));
    for folder in of_early.collect::<Vec<_>>() {
        std::fs::remove_dir_all(&folder).expect("a folder of traces");
        std::fs::write(&folder, "no folder").expect("a file in its place");
    }
    world.remove("apart");
    world.run("plan").ends_with(0).says(unknown);
    world
        .run("status")
        .ends_with(0)
        .says(unknown)
        .says("whether a program still runs is not known")
        .hides("nothing goes on")
        .says("drplan apply --resume");
    let told = world.run("status --json").ends_with(0).json();
    assert!(told["run"]["programs_unknown"].is_string(), "{told}");
    world
        .run("apply --auto-approve")
        .ends_with(6)
        .says(unknown)
        .says("command.early: failed to list the traces of programs");
    assert!(world.holds("apart"));
    assert!(!world.holds("behind"));
}

/// A step on which nothing hangs.
const APART: &str = r#"
resource "command" "apart" {
  check = ["test", "-e", "apart"]
  apply = ["touch", "apart"]
}
"#;
