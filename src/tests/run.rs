//! Applying: retries, lost answers, staleness, blocks, gates.

use drplan_api::Address;
use drplan_api::Change;

use super::memory::Case;
use super::memory::Fault;
use crate::apply::Event;
use crate::apply::Orders;
use crate::apply::Outcome;
use crate::apply::Stop;
use crate::plan::Do;
use crate::plan::Plan;
use crate::render;
use crate::render::style::Style;
use crate::report::Exit;
use crate::report::verdict;

const CHAIN: &str = r#"
resource "thing" "a" {
  value = 1
}
resource "thing" "b" {
  value = thing.a.value + 1
}
resource "thing" "c" {
  value = 5
}
"#;

fn outcome<'a>(ending: &'a crate::apply::Ending, address: &str) -> &'a Outcome {
    &ending.outcomes[&Address::new(address)]
}

#[tokio::test(start_paused = true)]
async fn a_value_that_a_step_makes_reaches_the_next_and_a_second_plan_is_empty() {
    let case = Case::new(CHAIN);
    let plan = case.plan().await;
    assert!(matches!(
        plan.step("thing.b").unwrap().what,
        Do::Late { .. }
    ));
    let ending = case.apply(&plan).await;
    assert_eq!(verdict(&plan, &ending.outcomes, Stop::No, None), Exit::Ok);
    assert_eq!(case.world.get("thing.b"), Some(2));
    assert!(case.plan().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_same_plan_applied_twice_writes_once() {
    let case = Case::new(CHAIN);
    let plan = case.plan().await;
    case.apply(&plan).await;
    let ending = case.apply(&plan).await;
    assert_eq!(verdict(&plan, &ending.outcomes, Stop::No, None), Exit::Ok);
    assert_eq!(case.world.writes().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again_and_a_lost_answer_does_not_write_twice() {
    let case = Case::new(CHAIN);
    case.world.fail(
        "thing.a",
        &[Fault::AnswerLost, Fault::Refused, Fault::Refused],
    );
    let plan = case.plan().await;
    let ending = case.apply(&plan).await;
    assert_eq!(*outcome(&ending, "thing.a"), Outcome::Done);
    assert_eq!(
        case.world
            .writes()
            .iter()
            .filter(|w| *w == "thing.a")
            .count(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_blocks_what_depends_on_it_and_nothing_else() {
    let case = Case::new(CHAIN);
    case.world.fail("thing.a", &[Fault::Denied]);
    let plan = case.plan().await;
    let ending = case.apply(&plan).await;
    assert!(matches!(
        outcome(&ending, "thing.a"),
        Outcome::Failed { .. }
    ));
    assert_eq!(
        *outcome(&ending, "thing.b"),
        Outcome::Blocked {
            by: Address::new("thing.a")
        }
    );
    assert_eq!(*outcome(&ending, "thing.c"), Outcome::Done);
    assert_eq!(
        verdict(&plan, &ending.outcomes, Stop::No, None),
        Exit::Partial
    );
    assert!(ending.frontier.blocked.contains_key("thing.b"));
}

#[tokio::test(start_paused = true)]
async fn a_step_whose_decision_changed_is_refused_and_named() {
    let case = Case::new(CHAIN);
    let plan = case.plan().await;
    case.world.set("thing.a", 9);
    let ending = case.apply(&plan).await;
    let Outcome::Moved { because } = outcome(&ending, "thing.a") else {
        panic!("not refused")
    };
    assert!(because.contains('9'), "{because}");
    assert_eq!(case.world.get("thing.a"), Some(9));
    assert_eq!(*outcome(&ending, "thing.c"), Outcome::Done);
    assert_eq!(
        verdict(&plan, &ending.outcomes, Stop::No, None),
        Exit::Stale
    );
}

#[tokio::test(start_paused = true)]
async fn a_step_that_came_true_by_itself_is_not_refused() {
    let case = Case::new(CHAIN);
    let plan = case.plan().await;
    case.world.set("thing.c", 5);
    let ending = case.apply(&plan).await;
    assert_eq!(*outcome(&ending, "thing.c"), Outcome::AlreadyTrue);
}

#[tokio::test(start_paused = true)]
async fn a_conflict_stops_there_and_is_passed_only_for_one_address_by_name() {
    let case = Case::new(CHAIN);
    case.world.set("thing.a", 9);
    let plan = case.plan().await;
    assert_eq!(plan.step("thing.a").unwrap().what, Do::Conflict);
    assert!(matches!(
        plan.step("thing.b").unwrap().what,
        Do::Blocked { .. }
    ));
    let accepted = case.try_plan(&["thing.a"]).await.unwrap();
    let ending = case.apply(&accepted).await;
    assert_eq!(*outcome(&ending, "thing.a"), Outcome::Done);
    assert_eq!(case.world.get("thing.a"), Some(1));
}

/// Every form in which a person reads a plan, each in one line.
fn forms(plan: &Plan) -> Vec<String> {
    let why = |(i, _)| render::why::one(plan, i, None, Style::PLAIN);
    let mut out: Vec<String> = plan.steps.iter().enumerate().take(1).map(why).collect();
    out.extend([
        render::plan::summary(plan, Style::PLAIN),
        render::plan::full(plan, Style::PLAIN),
        render::plan::markdown(plan, 65_000).replace('\\', ""),
    ]);
    let flat = |text: &String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    out.iter().map(flat).collect()
}

#[tokio::test(start_paused = true)]
async fn a_conflict_names_the_consent_that_gets_round_it_and_what_was_accepted_shows() {
    let case = Case::new(CHAIN);
    case.world.set("thing.a", 9);
    for text in forms(&case.plan().await) {
        let way_out = "it is 9; to overwrite what is there, plan with `--accept thing.a=overwrite`";
        assert!(text.contains(way_out), "{text}");
    }
    let accepted = case.try_plan(&["thing.a"]).await.unwrap();
    for text in forms(&accepted) {
        let shown = "whatever others have there is overwritten, as was accepted: it is another";
        assert!(text.contains(shown), "{text}");
    }
    let summary = render::plan::summary(&accepted, Style::PLAIN);
    let listed =
        "  Overwrites        thing.a (main.dr.hcl:3), as was accepted: it is another number";
    assert!(summary.contains(listed), "{summary}");

    let case = Case::new(CHAIN);
    let needless = case.try_plan(&["thing.a"]).await.unwrap();
    let text = forms(&needless).join("\n");
    assert!(!text.contains("as was accepted"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn the_way_out_of_a_conflict_stands_there_however_long_its_reason_is() {
    let case = Case::new(CHAIN);
    case.world.set("thing.a", 9);
    let mut plan = case.plan().await;
    plan.steps[0]
        .because
        .insert_str(0, &"`somebody` owns a field; ".repeat(80));
    for text in forms(&plan) {
        assert!(text.contains("--accept thing.a=overwrite`"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_full_form_sends_nobody_to_the_full_form() {
    let many = "resource \"thing\" \"n\" {\n  for_each = toset([for i in range(60) : \"n${i}\"])\n  value = 1\n}\n";
    let mut plan = Case::new(many).plan().await;
    plan.steps[0].what = Do::Conflict;
    for (i, step) in plan.steps.iter_mut().enumerate() {
        step.kind = format!("thing{i}");
    }
    let more = "more lines; `--full` names everything";
    assert!(render::plan::summary(&plan, Style::PLAIN).contains(more));
    plan.steps[0].diff = vec![Change {
        path: "thing".to_owned(),
        before: None,
        after: None,
        sensitive: false,
        text: Some("+line\n".repeat(500)),
    }];
    let full = render::plan::full(&plan, Style::PLAIN);
    assert!(!full.contains("--full"), "{full}");
    assert_eq!(full.matches("+line").count(), 500);
}

const GATED: &str = r#"
resource "thing" "a" {
  value = 1
}
resource "ask" "NAME" {
  guards = [thing.a]
}
"#;

#[tokio::test(start_paused = true)]
async fn an_unanswered_gate_holds_what_it_guards_and_a_healthy_day_asks_nobody() {
    let case = Case::new(&GATED.replace("NAME", "no"));
    let plan = case.plan().await;
    let ending = case.apply(&plan).await;
    assert!(matches!(
        outcome(&ending, "ask.no"),
        Outcome::Waiting { .. }
    ));
    assert_eq!(
        verdict(&plan, &ending.outcomes, Stop::No, None),
        Exit::Waiting
    );
    assert!(case.world.writes().is_empty());

    case.world.set("thing.a", 1);
    let healthy = case.plan().await;
    assert_eq!(healthy.step("ask.no").unwrap().what, Do::Idle);
    assert!(healthy.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_is_refused_holds_what_it_guards_and_the_journal_keeps_the_no() {
    let case = Case::new(&GATED.replace("NAME", "refused"));
    let plan = case.plan().await;
    let (ending, lines) = case.apply_told(&plan, orders(|_| {})).await;
    let refused = outcome(&ending, "ask.refused");
    assert_eq!(
        verdict(&plan, &ending.outcomes, Stop::No, None),
        Exit::Waiting
    );
    assert!(case.world.writes().is_empty());
    let told = refused.because().unwrap_or_default();
    assert!(
        told.starts_with("the answer was no, through a test"),
        "{told}"
    );
    assert!(lines.iter().any(|line| matches!(
        &line.record,
        Event::StepEnded { outcome, .. } if outcome == refused
    )));
}

#[tokio::test(start_paused = true)]
async fn an_answered_gate_lets_it_go_on() {
    let case = Case::new(&GATED.replace("NAME", "yes"));
    let plan = case.plan().await;
    case.apply(&plan).await;
    assert_eq!(case.world.get("thing.a"), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_refuted_check_keeps_the_door_shut() {
    let case = Case::new(
        r#"
resource "thing" "a" {
  value = 1
}
check "bad" {
  assert {
    condition     = thing.a.value > 3
    error_message = "a is ${thing.a.value}"
  }
}
resource "door" "d" {
  value = 1
}
"#,
    );
    let plan = case.plan().await;
    let ending = case.apply(&plan).await;
    let refuted = Outcome::Refuted {
        because: "a is 1".to_owned(),
        warning: false,
    };
    assert_eq!(*outcome(&ending, "check.bad"), refuted);
    assert_eq!(case.world.get("door.d"), None);
    assert_eq!(
        verdict(&plan, &ending.outcomes, Stop::No, None),
        Exit::CheckFailed
    );
}

#[tokio::test(start_paused = true)]
async fn a_best_effort_failure_does_not_hold_up_the_next_stage() {
    let case = Case::new(
        r#"
resource "thing" "a" {
  value       = 1
  criticality = "best_effort"
}
resource "door" "d" {
  value = 1
}
"#,
    );
    case.world.fail("thing.a", &[Fault::Denied]);
    let plan = case.plan().await;
    let ending = case.apply(&plan).await;
    assert_eq!(*outcome(&ending, "door.d"), Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn reads_are_shared_by_all_resources_of_a_target() {
    let spec = "resource \"thing\" \"many\" {\n  count = 200\n  value = count.index\n}\n";
    let case = Case::new(spec);
    let plan = case.plan().await;
    assert_eq!(case.world.lock().reads, 1);
    assert_eq!(plan.steps.iter().filter(|s| s.is_action()).count(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_came_true_asks_nobody_when_it_is_applied_again() {
    let case = Case::new(&GATED.replace("NAME", "no"));
    let plan = case.plan().await;
    case.world.set("thing.a", 1);
    let ending = case.apply(&plan).await;
    assert_eq!(*outcome(&ending, "ask.no"), Outcome::NotNeeded);
    assert_eq!(verdict(&plan, &ending.outcomes, Stop::No, None), Exit::Ok);
}

fn orders(change: impl FnOnce(&mut crate::apply::Orders)) -> crate::apply::Orders {
    let mut orders = crate::apply::Orders::default();
    change(&mut orders);
    orders
}

#[tokio::test(start_paused = true)]
async fn a_step_that_is_left_out_lets_others_go_on_and_is_no_pass() {
    let case = Case::new(CHAIN);
    let plan = case.plan().await;
    let skip = orders(|o| {
        drop(
            o.taken
                .skip
                .insert(Address::new("thing.c"), "by hand".to_owned()),
        )
    });
    let ending = case.apply_with(&plan, skip).await;
    assert!(matches!(
        outcome(&ending, "thing.c"),
        Outcome::Skipped { .. }
    ));
    assert_eq!(case.world.get("thing.c"), None);
    assert_eq!(case.world.get("thing.b"), Some(2));
    assert_eq!(
        verdict(&plan, &ending.outcomes, Stop::No, None),
        Exit::Partial
    );
    assert!(ending.frontier.skipped.contains_key("thing.c"));
    assert_eq!(
        crate::report::done_without(&plan, &ending.outcomes),
        None,
        "a critical step is missing"
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_person_says_was_done_by_hand_is_proven_and_never_begun() {
    let case = Case::new(CHAIN);
    let plan = case.plan().await;
    let by_hand = || {
        orders(|o| {
            drop(
                o.taken
                    .by_hand
                    .insert(Address::new("thing.c"), "x".to_owned()),
            )
        })
    };
    let ending = case.apply_with(&plan, by_hand()).await;
    let failed = outcome(&ending, "thing.c").because().unwrap_or_default();
    assert!(
        failed.starts_with("it is said to be done by hand, and its proof does not hold: "),
        "{failed}"
    );
    assert_eq!(case.world.get("thing.c"), None);
    case.world.set("thing.c", 5);
    let ending = case.apply_with(&plan, by_hand()).await;
    assert_eq!(*outcome(&ending, "thing.c"), Outcome::AlreadyTrue);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_stops_at_a_failure_begins_nothing_more() {
    let case = Case::new(
        &CHAIN
            .replace("value = 5", "value = 5\n  depends_on = [thing.d]")
            .replace(
                "resource \"thing\" \"c\"",
                "resource \"thing\" \"d\" {\n  value = 4\n}\nresource \"thing\" \"c\"",
            ),
    );
    case.world.fail("thing.a", &[Fault::Denied]);
    let plan = case.plan().await;
    let stop = orders(|o| o.on_failure = crate::apply::OnFailure::Stop);
    let ending = case.apply_with(&plan, stop).await;
    assert_eq!(
        ending.cut,
        Some(crate::apply::Cut::Failure(Address::new("thing.a")))
    );
    assert_eq!(case.world.get("thing.c"), None);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_the_run_at_a_safe_point_with_its_own_code() {
    let case = Case::new(CHAIN);
    let refused = [Fault::Refused; 12];
    case.world.fail("thing.a", &refused);
    let plan = case.plan().await;
    let soon = orders(|o| o.deadline = Some(std::time::Duration::from_secs(2)));
    let ending = case.apply_with(&plan, soon).await;
    assert_eq!(
        verdict(&plan, &ending.outcomes, ending.stopped, ending.cut.as_ref()),
        Exit::Deadline
    );
    assert!(ending.frontier.running.contains(&Address::new("thing.a")));
}

/// Whether each effect of a step that ended was there before the run began it.
fn found(lines: &[crate::apply::Line], address: &str) -> Vec<bool> {
    let of = |line: &crate::apply::Line| match &line.record {
        Event::EffectFinished {
            address: a, found, ..
        } if a.as_str() == address => Some(*found),
        _ => None,
    };
    lines.iter().filter_map(of).collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_run_did_without_hearing_so_is_its_own_work_also_after_it_was_killed() {
    let case = Case::new(CHAIN);
    case.world.fail("thing.a", &[Fault::AnswerLost]);
    let plan = case.plan().await;
    let (_, lines) = case.apply_told(&plan, Orders::default()).await;
    assert_eq!(found(&lines, "thing.a"), [false]);
    // Killed right after the request left, the run goes on and finds it done.
    let is_start = |l: &&crate::apply::Line| matches!(&l.record, Event::EffectStarted { address, .. } if address.as_str() == "thing.b");
    let started = lines.iter().find(is_start).expect("it was begun").seq;
    let killed: Vec<_> = lines.iter().filter(|l| l.seq <= started).cloned().collect();
    case.world.lock().values.remove("thing.b");
    case.world.fail("thing.b", &[Fault::AnswerLost]);
    let (ending, lines) = case
        .apply_after(&plan, Orders::default(), Some(killed))
        .await;
    assert_eq!(*outcome(&ending, "thing.b"), Outcome::Done);
    assert_eq!(found(&lines, "thing.b"), [false]);
}

#[tokio::test(start_paused = true)]
async fn what_is_true_is_done_once_more_where_a_person_asks_for_it_and_then_nothing_is_left() {
    let case = Case::new(CHAIN);
    for (name, value) in [("thing.a", 1), ("thing.b", 2), ("thing.c", 5)] {
        case.world.set(name, value);
    }
    assert!(case.plan().await.is_empty());
    let case = case.redo("thing.c");
    let plan = case.plan().await;
    let redone = plan.step("thing.c").unwrap();
    assert!(matches!(redone.what, Do::Act { .. }), "{:?}", redone.what);
    assert_eq!(redone.hazard.text, "set it back", "judged as usual");
    assert_eq!(plan.head.redo, [Address::new("thing.c")]);
    // An answer that is lost leaves open whether it was done, so it is done until one is heard.
    case.world.fail("thing.c", &[Fault::AnswerLost]);
    let (ending, lines) = case.apply_told(&plan, Orders::default()).await;
    assert_eq!(*outcome(&ending, "thing.c"), Outcome::Done);
    assert_eq!(case.world.writes(), ["thing.c", "thing.c"]);
    // Once is enough for one run.
    let (ending, _) = case
        .apply_after(&plan, Orders::default(), Some(lines))
        .await;
    assert_eq!(*outcome(&ending, "thing.c"), Outcome::AlreadyTrue);
    assert_eq!(case.world.writes().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_would_destroy_something_is_not_done_again_and_says_why() {
    let case = Case::new("resource \"door\" \"d\" {\n  value = 1\n}\n").redo("door.d");
    case.world.set("door.d", 1);
    let plan = case.plan().await;
    let door = plan.step("door.d").unwrap();
    assert_eq!(door.what, Do::Blocked { unreadable: false });
    assert_eq!(door.because, "it stands there already");
}
