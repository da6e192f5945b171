//! Two at once, signals and sudden death.

use crate::drplan::GLANCE;
use crate::drplan::PATIENCE;
use crate::drplan::World;

/// A command that says when it has begun and ends when it is let.
const SLOW: &str = r#"
resource "command" "slow" {
  check = ["test", "-e", "slow"]
  apply = ["sh", "-c", "echo x >> log.slow; touch begun; while [ ! -e let ] && [ -e begun ]; do sleep 0.05; done; touch slow"]
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
    world
        .run("status")
        .says("1 unfinished")
        .says("command.slow: left at a safe point");
    world.write("let", "");
    world.run("apply --auto-approve").ends_with(0);
}

#[test]
fn a_killed_run_is_finished_by_the_next_without_doing_anything_twice() {
    let world = World::of(SLOW);
    let run = world.start("apply --auto-approve");
    world.wait_for("begun");
    run.killed();
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
    run.killed();
    let again = world.start("apply --auto-approve");
    std::thread::sleep(std::time::Duration::from_secs(2));
    world.write("let", "");
    again.ended().ends_with(0);
    assert_eq!(world.read("log.slow"), "x\n", "the command was begun twice");
}

#[test]
fn what_a_run_has_waited_for_is_not_begun_again_when_it_goes_on() {
    let world = World::of(
        r#"
resource "command" "guard" {
  guards = [command.behind]
  apply  = ["sh", "-c", "echo x >> log.guard; touch begun; while [ ! -e let ]; do sleep 0.05; done; touch over"]
}
resource "command" "behind" {
  check = ["test", "-e", "behind"]
  apply = ["touch", "behind"]
}
"#,
    );
    let first = world.start("apply --auto-approve");
    world.wait_for("begun");
    first.killed();
    let second = world.start("apply --auto-approve");
    let since = std::time::Instant::now();
    let journal = || std::fs::read_to_string(world.latest_run().join("journal.jsonl"));
    while !journal().is_ok_and(|text| text.contains("effect_adopted")) {
        assert!(since.elapsed() < PATIENCE, "it is not waited for");
        std::thread::sleep(GLANCE);
    }
    second.killed();
    world.write("let", "");
    world.wait_for("over");
    std::thread::sleep(std::time::Duration::from_millis(300));
    let run = world.latest_run();
    let run = run
        .file_name()
        .and_then(|name| name.to_str())
        .expect("a name");
    world.run(&format!("apply --resume {run}")).ends_with(0);
    assert_eq!(world.read("log.guard"), "x\n", "the guard was begun twice");
    assert!(world.holds("behind"));
}

#[test]
fn a_guard_that_was_not_over_in_time_and_ends_well_while_the_run_is_paused_acts_once() {
    let world = World::of(
        r#"
resource "command" "guard" {
  guards  = [command.behind]
  timeout = "1s"
  apply   = ["sh", "-c", "echo x >> log.guard; sleep 3; touch over"]
}
resource "command" "behind" {
  check = ["test", "-e", "behind"]
  apply = ["touch", "behind"]
}
"#,
    );
    let run = world.start("apply --auto-approve --on-failure pause");
    world.wait_for("over");
    std::thread::sleep(std::time::Duration::from_millis(500));
    world.run("resume 2").ends_with(0);
    run.ended().ends_with(0);
    assert_eq!(world.read("log.guard"), "x\n");
    assert!(world.holds("behind"));
}

#[test]
fn a_guard_that_failed_is_tried_again_by_who_goes_on_and_one_that_acted_is_not() {
    let world = World::of(
        r#"
resource "command" "fence" {
  guards = [command.behind]
  apply  = ["sh", "-c", "echo x >> log.fence"]
}
resource "command" "stop" {
  guards     = [command.behind]
  depends_on = [command.fence]
  apply      = ["sh", "-c", "echo x >> log.stop; test -e reachable"]
}
resource "command" "behind" {
  check = ["test", "-e", "behind"]
  apply = ["touch", "behind"]
}
"#,
    );
    world.run("apply --auto-approve").ends_with(6);
    let next = world.frontier()["next"].as_str().map(str::to_owned);
    let next = next.expect("a command").replace("drplan ", "");
    world.run(&next).ends_with(6);
    world.write("reachable", "");
    world.run(&next).ends_with(0);
    let logs = (world.read("log.fence"), world.read("log.stop"));
    assert_eq!(logs, ("x\n".to_owned(), "x\nx\nx\n".to_owned()));
    assert!(world.holds("behind"));
    // One each for the two guards, of which one acted in the first session.
    let report = world.run("report").ends_with(0).stdout;
    let proofs = report.matches("proof: the command ended with exit code 0");
    assert_eq!(proofs.count(), 2, "{report}");
}

#[test]
fn an_interrupted_command_that_nobody_can_judge_is_left_to_a_person() {
    let world = World::empty();
    // What a person pastes must not take another folder away.
    std::fs::create_dir(world.path("the site")).expect("a folder");
    world.write(
        "the site/main.dr.hcl",
        r#"
resource "command" "once" {
  check          = ["test", "-e", "once"]
  apply          = ["sh", "-c", "echo x >> log.once; echo $$ > begun; exec sleep 30"]
  on_interrupted = "manual"
}
"#,
    );
    let line = "--chdir 'the site' apply --auto-approve";
    let run = world.start(line);
    world.wait_for("the site/begun");
    std::thread::sleep(std::time::Duration::from_millis(200));
    run.killed();
    world.kill(world.read("the site/begun").trim());
    let ran = world.run(line);
    assert_ne!(ran.exit, 0, "{}", ran.stdout);
    assert_eq!(
        world.read("the site/log.once"),
        "x\n",
        "the command was begun twice\n{}",
        ran.stdout
    );
    let folder = world.path("the site/.drplan/work/command-once-");
    let removes = format!("rm -r '{}", folder.display());
    ran.says("command.once").says("by hand").says(&removes);
}

#[test]
fn a_run_that_was_stopped_is_shown_and_gone_on_with_in_its_own_journal() {
    let world = World::of(SLOW);
    let run = world.start("apply --auto-approve");
    world.wait_for("begun");
    world
        .run("status")
        .ends_with(0)
        .says("goes on")
        .says("held by");
    world.run("report").ends_with(0).hides("next");
    run.signal("INT");
    std::thread::sleep(std::time::Duration::from_millis(300));
    world.write("let", "");
    run.ended().ends_with(7).says("next: drplan apply --resume");
    world
        .run("status")
        .ends_with(0)
        .says("exit code 7")
        .says("lock: free");
    world.run("apply --resume 2").ends_with(0);
    assert_eq!(
        (world.read("log.slow"), world.read("log.behind")),
        ("x\n".into(), "x\n".into())
    );
    world.run("report").ends_with(0);
    world.run("evidence verify").ends_with(0);
}

#[test]
fn a_killed_run_is_called_dead_and_resumed() {
    let world = World::of(SLOW);
    let run = world.start("apply --auto-approve");
    world.wait_for("begun");
    run.killed();
    world.run("status").ends_with(0).says("has died");
    for wish in ["pause", "resume"] {
        world
            .run(wish)
            .ends_with(64)
            .says("has died")
            .says("apply --resume");
    }
    world.write("let", "");
    world.wait_for("slow");
    world.run("apply --resume 2").ends_with(0);
    assert_eq!(
        (world.read("log.slow"), world.read("log.behind")),
        ("x\n".into(), "x\n".into())
    );
    // The run began it, and saw only later that it is done.
    world
        .run("report")
        .ends_with(0)
        .says("2 done, 0 already true");
}

#[test]
fn what_a_person_left_out_stays_so_when_a_killed_run_goes_on() {
    let world = World::of(SLOW);
    let run = world.start("apply --auto-approve --skip command.behind=later");
    world.wait_for("begun");
    run.killed();
    world.write("let", "");
    world.wait_for("slow");
    world
        .run("status")
        .says("--skip command.behind=later")
        .says("apply --resume");
    world
        .run("apply --resume 2")
        .ends_with(6)
        .says("command.behind: later")
        // Nothing else is left, and whether that is done is for a person to say.
        .says("to do what was left out: drplan apply\n");
    assert!(!world.holds("behind"));
    world.run("apply --auto-approve").ends_with(0);
    assert!(world.holds("behind"));
}

#[test]
fn who_wishes_something_of_a_dead_run_is_told_the_command_that_it_has_kept() {
    let world = World::of(SLOW);
    let run = world.start("apply --auto-approve --on-failure stop --parallelism 3");
    world.wait_for("begun");
    run.killed();
    for line in ["status", "resume", "report"] {
        world
            .run(line)
            .says("apply --resume 2")
            .says("--on-failure stop --parallelism 3");
    }
    world.write("let", "");
}

#[test]
fn what_the_plan_calls_blocked_is_no_failure_to_stop_at() {
    let world = World::of(
        r#"
provider "kubernetes" "gone" {
  kubeconfig_path = "gone"
  failure_domain  = ["site:a"]
}
resource "kubernetes_manifest" "old" {
  stage   = "infra"
  objects = [{ apiVersion = "v1", kind = "Namespace", metadata = { name = "x" } }]
}
resource "command" "a" {
  check      = ["test", "-e", "a"]
  apply      = ["sh", "-c", "sleep 0.5; touch a"]
}
resource "command" "b" {
  check      = ["test", "-e", "b"]
  apply      = ["touch", "b"]
  depends_on = [command.a]
}
"#,
    );
    world
        .run("apply --auto-approve --lost site:a --on-failure stop")
        .ends_with(6)
        .hides("stopped because");
    assert!(world.holds("b"));
}

#[test]
fn a_paused_run_begins_nothing_until_it_is_let_go_on() {
    let world = World::of(SLOW);
    let run = world.start("apply --auto-approve");
    world.wait_for("begun");
    world.run("pause").ends_with(0);
    std::thread::sleep(std::time::Duration::from_millis(2500));
    world.write("let", "");
    world.wait_for("slow");
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert!(!world.holds("behind"));
    world
        .run("status")
        .ends_with(0)
        .says("is paused")
        .says("next: drplan resume ");
    // All who look are told the same.
    for json in ["status --json", "report --json"] {
        let told = world.run(json).ends_with(0).json();
        let next = told.pointer("/run/frontier/next").or(told.get("next"));
        let next = next.and_then(|next| next.as_str()).unwrap_or_default();
        assert!(next.starts_with("drplan resume "), "{json}: {told}");
    }
    world.run("resume").ends_with(0);
    run.ended().ends_with(0).says("PAUSED");
    assert!(world.holds("behind"));
}

#[test]
fn a_run_that_pauses_at_a_failure_tries_it_again_when_it_goes_on() {
    let world = World::of(
        r#"
resource "command" "picky" {
  check = ["test", "-e", "picky"]
  apply = ["sh", "-c", "touch asked; test -e mended && touch picky"]
}
"#,
    );
    let run = world.start("apply --auto-approve --on-failure pause");
    world.wait_for("asked");
    std::thread::sleep(std::time::Duration::from_millis(2500));
    world.run("status").ends_with(0).says("is paused");
    world.write("mended", "");
    world.run("resume").ends_with(0);
    run.ended().ends_with(0);
    assert!(world.holds("picky"));
}

#[test]
fn who_leaves_a_step_out_must_say_why_and_cannot_leave_out_a_check() {
    let world = World::of(
        r#"
resource "command" "a" {
  check = ["test", "-e", "a"]
  apply = ["touch", "a"]
}
check "always" {
  assert {
    condition     = 1 == 1
    error_message = "no"
  }
}
"#,
    );
    world
        .run("apply --auto-approve --skip command.a")
        .ends_with(64)
        .says("the reason is missing");
    world
        .run("apply --auto-approve --skip check.always=hurry")
        .ends_with(64);
    world
        .run("apply --auto-approve --skip command.a=hurry")
        .ends_with(6)
        .says("hurry");
    assert!(!world.holds("a"));
    world
        .run("apply --auto-approve --by-hand command.a=done")
        .ends_with(6);
    assert!(!world.holds("a"));
    // Between plan and apply a person has done it: it is true, and the report says by whom.
    world.run("plan --out p").ends_with(0);
    world.write("a", "");
    world
        .run("apply p --by-hand 'command.a=bob copied it'")
        .ends_with(0);
    world.run("report").ends_with(0).says("bob copied it");
}

#[test]
fn a_signal_between_two_plans_is_heard() {
    let world = World::of(
        r#"
resource "command" "a" {
  check = ["sh", "-c", "if grep -qs run_ended .drplan/runs/*/journal.jsonl; then touch looking; sleep 20; fi; test -e a"]
  apply = ["touch", "a"]
}
"#,
    );
    let run = world.start("apply --auto-approve");
    // The run has ended, and a second plan looks whether anything is left.
    world.wait_for("looking");
    let since = std::time::Instant::now();
    run.signal("INT");
    run.ended().ends_with(7).says("Recovered");
    assert!(since.elapsed() < std::time::Duration::from_secs(15));
}

#[test]
fn a_signal_while_another_holds_the_lock_ends_the_waiting() {
    let world = World::of(SLOW);
    let first = world.start("apply --auto-approve");
    world.wait_for("begun");
    let second = world.start("apply --auto-approve --lock-timeout 10m");
    std::thread::sleep(std::time::Duration::from_secs(2));
    second.signal("INT");
    second
        .ended()
        .ends_with(7)
        .says("waiting for the lock of this recovery, 600 s at most: held by run ");
    world.write("let", "");
    first.ended().ends_with(0);
    assert_eq!(world.read("log.slow"), "x\n");
}

#[test]
fn after_a_signal_nothing_begins_though_the_run_was_still_looking() {
    let world = World::of(
        r#"
resource "command" "a" {
  check = ["sh", "-c", "echo x >> looks; test $(wc -l < looks) = 2 && touch looking && sleep 3; test -e a"]
  apply = ["touch", "a"]
}
"#,
    );
    let run = world.start("apply --auto-approve");
    // The plan was made, and the run looks whether it still holds.
    world.wait_for("looking");
    run.signal("INT");
    run.ended().ends_with(7);
    assert!(!world.holds("a"));
}

#[test]
fn a_pause_with_nothing_left_to_begin_holds_up_nobody() {
    let world = World::of(SLOW);
    world.write("behind", "");
    let run = world.start("apply --auto-approve");
    world.wait_for("begun");
    world.run("pause").ends_with(0);
    std::thread::sleep(std::time::Duration::from_millis(2500));
    world.write("let", "");
    run.ended().ends_with(0);
}

#[test]
fn a_deadline_holds_while_a_run_lets_what_runs_end() {
    let world = World::of(&format!(
        "{SLOW}\nresource \"command\" \"broken\" {{\n  check = [\"test\", \"-e\", \"no\"]\n  apply = [\"false\"]\n}}\n"
    ));
    let run = world.start("apply --auto-approve --on-failure stop --deadline 4s");
    // Nobody lets the slow one end.
    let ran = run.ended();
    assert_ne!(ran.exit, 0);
    assert_eq!(
        world.frontier()["running"],
        serde_json::json!(["command.slow"])
    );
    world.write("let", "");
}

#[test]
fn a_journal_that_was_cut_in_a_character_is_read_up_to_there() {
    let world = World::of(&SLOW.replace("slow\" {", "slow\" {\n  criticality = \"critical\""));
    let run = world.start("apply --auto-approve");
    world.wait_for("begun");
    run.killed();
    let journal = world.latest_run().join("journal.jsonl");
    let mut bytes = std::fs::read(&journal).expect("a journal");
    bytes.extend_from_slice("{\"v\":1,\"ä".as_bytes());
    bytes.pop();
    std::fs::write(&journal, bytes).expect("a cut");
    world.run("status").ends_with(0).says("has died");
    world.write("let", "");
    world.wait_for("slow");
    world.run("apply --resume 2").ends_with(0);
    world.run("evidence verify").ends_with(0);
}

#[test]
fn a_run_that_died_before_its_first_record_can_be_gone_on_with() {
    let world = World::of(SLOW);
    world.write("let", "");
    let run = world.start("apply --auto-approve");
    world.wait_for("begun");
    run.killed();
    world.wait_for("slow");
    std::fs::remove_file(world.latest_run().join("journal.jsonl")).expect("a journal");
    world.run("status").ends_with(0);
    world.run("apply --resume 2").ends_with(0);
    world.run("report").ends_with(0);
    world.run("evidence verify").ends_with(0);
}

#[test]
fn answers_of_a_run_are_not_used_for_another_plan() {
    let world = World::of(SLOW);
    let run = world.start("apply --auto-approve");
    world.wait_for("begun");
    run.killed();
    world
        .run("plan --target command.behind --out other")
        .ends_with(0);
    std::fs::copy(world.path("other"), world.latest_run().join("plan.json")).expect("a plan");
    world
        .run("apply --resume 2")
        .ends_with(9)
        .says("another plan");
    assert!(!world.holds("behind"));
    world.write("let", "");
}

#[test]
fn the_next_command_keeps_what_was_left_out() {
    let world = World::of(SLOW);
    let run = world.start("apply --auto-approve --skip command.behind=later");
    world.wait_for("begun");
    run.signal("INT");
    std::thread::sleep(std::time::Duration::from_millis(300));
    world.write("let", "");
    run.ended().says("--skip command.behind=later");
    assert!(!world.holds("behind"));
}

#[test]
fn a_signal_that_comes_when_only_the_last_step_runs_does_not_make_the_run_a_failure() {
    let world = World::of(
        SLOW.split("resource \"command\" \"behind\"")
            .next()
            .unwrap_or_default(),
    );
    let run = world.start("apply --auto-approve");
    world.wait_for("begun");
    run.signal("INT");
    std::thread::sleep(std::time::Duration::from_millis(300));
    world.write("let", "");
    run.ended().says("Recovered:").hides("NOT recovered");
}
