//! The fold and the report, from records that are made up here.

use drplan_api::Action;
use drplan_api::Address;
use drplan_api::Evidence;
use drplan_api::Timestamp;

use super::Verdict;
use super::data::End;
use super::data::Report;
use super::fold::Illegal;
use super::fold::Run;
use super::fold::Track;
use super::fold::fold;
use super::report;
use crate::apply::Event;
use crate::apply::Journal;
use crate::apply::Outcome;
use crate::apply::Records;
use crate::plan::Do;
use crate::plan::Plan;
use crate::tests::memory::Case;

/// `b` waits for `a`; `c` waits for nobody.
const CHAIN: &str = r#"
recovery "chain" {
  rto = "10s"
}
resource "thing" "a" {
  value = 1
}
resource "thing" "b" {
  value      = 2
  depends_on = [thing.a]
}
resource "thing" "c" {
  value       = 5
  criticality = "best_effort"
}
"#;

fn began(run: &str) -> Event {
    Event::RunStarted {
        run: run.to_owned(),
        recovery: "chain".to_owned(),
        plan: "seal".to_owned(),
        tool: "0".to_owned(),
        steps: 3,
        taken: crate::apply::Taken::default(),
    }
}

fn resumed() -> Event {
    Event::RunResumed {
        run: "run".to_owned(),
        by: "somebody".to_owned(),
        tool: "0".to_owned(),
        steps: 3,
        taken: crate::apply::Taken::default(),
    }
}

fn started(address: &str) -> Event {
    Event::StepStarted {
        address: Address::new(address),
        action: Some(Action::Create),
    }
}

fn requested(address: &str, verb: &str, object: &str) -> Event {
    Event::EffectStarted {
        address: Address::new(address),
        effect: 0,
        attempt: 1,
        verb: verb.to_owned(),
        object: object.to_owned(),
        inverse: None,
    }
}

fn finished(address: &str) -> Event {
    Event::EffectFinished {
        address: Address::new(address),
        effect: 0,
        found: false,
    }
}

fn ended(address: &str, outcome: Outcome) -> Event {
    Event::StepEnded {
        address: Address::new(address),
        outcome,
        evidence: Vec::new(),
        outputs: drplan_api::Json::Null,
        elapsed_ms: 0,
    }
}

/// Writes events, each at a millisecond of its own, and reads them back.
fn journal(events: &[(i64, Event)]) -> Records {
    struct Deaf;
    impl crate::apply::Sink for Deaf {
        fn hear(&self, _: u64, _: &Event) {}
    }
    let sink: std::sync::Arc<dyn crate::apply::Sink> = std::sync::Arc::new(Deaf);
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("journal.jsonl");
    let journal = Journal::create(&path).expect("a journal");
    for (ms, event) in events {
        let at = Timestamp::from_millisecond(*ms).expect("a time");
        let written = journal.write(at, event.clone(), &sink);
        futures::executor::block_on(written).expect("a record");
    }
    Records {
        lines: crate::store::read_journal(&path).expect("lines").lines,
        torn: false,
    }
}

/// The events of a run in which everything went well, as the plan shows it.
fn well(plan: &Plan) -> Vec<(i64, Event)> {
    let mut events = vec![(0, began("run"))];
    for (address, from, to) in [
        ("thing.a", 100, 2100),
        ("thing.c", 150, 1000),
        ("thing.b", 2300, 5300),
    ] {
        let effect = effect(plan, address);
        events.extend([
            (from, started(address)),
            (from + 1, requested(address, &effect.0, &effect.1)),
            (to - 1, finished(address)),
            (to, ended(address, Outcome::Done)),
        ]);
    }
    events.sort_by_key(|(ms, _)| *ms);
    events.push((5400, Event::RunEnded { exit_code: 0 }));
    events
}

fn effect(plan: &Plan, address: &str) -> (String, String) {
    match &plan.step(address).expect("the step").what {
        Do::Act { effects, .. } => (effects[0].verb.clone(), effects[0].object.clone()),
        other => panic!("{address} does not act: {other:?}"),
    }
}

fn track<'r>(plan: &Plan, run: &'r Run, address: &str) -> &'r Track {
    let place = plan
        .steps
        .iter()
        .position(|s| s.address.as_str() == address);
    &run.tracks[place.expect("the step")]
}

fn told(plan: &Plan, events: &[(i64, Event)]) -> Report {
    report(plan, "seal", &journal(events)).expect("a report")
}

#[tokio::test]
async fn the_time_is_explained_by_who_waited_for_whom_last() {
    let plan = Case::new(CHAIN).plan().await;
    let report = told(&plan, &well(&plan));
    let course: Vec<(&str, u64, u64)> = report
        .course
        .iter()
        .map(|l| (l.address.as_str(), l.queued_ms, l.ran_ms))
        .collect();
    assert_eq!(course, [("thing.a", 100, 2000), ("thing.b", 200, 3000)]);
    let b = report
        .steps
        .iter()
        .find(|s| s.address == "thing.b")
        .expect("b");
    assert_eq!(b.waited_for.as_deref(), Some("thing.a"));
    assert_eq!(
        (b.waited_ms, b.queued_ms, b.ran_ms),
        (Some(2100), Some(200), Some(3000))
    );
    assert_eq!(report.rto.as_ref().and_then(|r| r.met), Some(true));
}

/// The same run on a machine whose clock was set by so many milliseconds while `thing.b` ran.
fn set_by(plan: &Plan, set_ms: i64) -> Vec<(i64, Event)> {
    let mut events = well(plan);
    for (at, event) in &mut events {
        let before = *at;
        if before > 5000 {
            *at += set_ms;
        }
        if let Event::StepEnded { elapsed_ms, .. } = event {
            *elapsed_ms = if before > 5000 { 3000 } else { 1 };
        }
    }
    events
}

#[tokio::test]
async fn a_clock_that_was_set_during_a_run_is_said_and_makes_nothing_shorter_than_it_was() {
    let plan = Case::new(CHAIN).plan().await;
    assert_eq!(told(&plan, &set_by(&plan, 0)).warnings, [""; 0]);

    let back = told(&plan, &set_by(&plan, -3_600_000));
    let says = |report: &Report, text: &str| report.warnings.iter().any(|w| w.contains(text));
    assert!(says(&back, "set back by 59m 57s"), "{:?}", back.warnings);
    let b = back.steps.iter().find(|s| s.address == "thing.b");
    assert_eq!(b.and_then(|b| b.ran_ms), Some(3000));
    assert!(back.took_ms >= 3000, "{}", back.took_ms);
    assert_eq!(back.rto.and_then(|rto| rto.met), None, "nobody knows");

    let ahead = told(&plan, &set_by(&plan, 86_400_000));
    assert!(
        says(&ahead, "`thing.b` ran, 1d more passed"),
        "{:?}",
        ahead.warnings
    );
    assert_eq!(ahead.rto.and_then(|rto| rto.met), Some(false));
}

#[tokio::test]
async fn only_a_run_in_which_nothing_is_missing_is_called_recovered() {
    let plan = Case::new(CHAIN).plan().await;
    let failed = || Outcome::Failed {
        because: "no".to_owned(),
    };
    let with = |address: &str, outcome: Outcome, exit_code: u8| {
        let mut events = well(&plan);
        for (_, event) in &mut events {
            match event {
                Event::StepEnded {
                    address: a,
                    outcome: o,
                    ..
                } if a.as_str() == address => {
                    *o = outcome.clone();
                }
                Event::RunEnded { exit_code: code } => *code = exit_code,
                _ => {}
            }
        }
        events
    };
    let blocked = Outcome::Blocked {
        by: Address::new("thing.a"),
    };
    let mut rehearsed = well(&plan);
    rehearsed[0].1 = began(super::REHEARSAL);
    let mut outside = well(&plan);
    for (_, event) in &mut outside {
        if let Event::EffectStarted { object, .. } = event {
            object.push('x');
        }
    }
    let cut: Vec<_> = well(&plan)[..6].to_vec();
    for (events, verdict, not_done) in [
        (well(&plan), Verdict::Recovered, 0),
        (with("thing.c", failed(), 6), Verdict::RecoveredWithout, 1),
        (
            with("thing.c", Outcome::Stopped, 7),
            Verdict::NotRecovered,
            1,
        ),
        (with("thing.a", failed(), 6), Verdict::NotRecovered, 1),
        (with("thing.b", blocked, 6), Verdict::NotRecovered, 1),
        (with("thing.b", Outcome::Done, 6), Verdict::NotRecovered, 0),
        (rehearsed, Verdict::Rehearsed, 0),
        (outside, Verdict::NotRecovered, 0),
        (cut, Verdict::Interrupted, 3),
    ] {
        let report = told(&plan, &events);
        assert_eq!(report.verdict, verdict, "{}", report.headline);
        assert_eq!(report.counts.not_done, not_done, "{}", report.headline);
        assert_eq!(report.not_done.len() as u64, not_done);
        let recovered = report.headline.starts_with("Recovered: ");
        assert_eq!(
            recovered,
            verdict == Verdict::Recovered,
            "{}",
            report.headline
        );
    }
}

#[tokio::test]
async fn what_was_accepted_stands_under_a_heading_of_its_own_with_what_became_of_it() {
    let mut plan = Case::new(CHAIN).plan().await;
    plan.head.accept = vec!["thing.a".to_owned()];
    let text = crate::render::report::markdown(&told(&plan, &well(&plan)));
    let after = text.split("Allowed to be overwritten").nth(1);
    let row = after.and_then(|text| text.lines().find(|line| line.contains("thing.a")));
    assert!(row.is_some_and(|row| row.contains("done")), "{text}");
    assert!(!text.contains("Left out"), "{text}");
}

#[tokio::test]
async fn what_the_plan_does_not_show_is_named() {
    let plan = Case::new(CHAIN).plan().await;
    let mut events = well(&plan);
    events.insert(2, (102, requested("thing.a", "delete", "everything")));
    let report = told(&plan, &events);
    let outside: Vec<_> = report
        .outside_the_plan
        .iter()
        .map(|o| o.did.as_str())
        .collect();
    assert_eq!(outside, ["delete everything"]);
    assert_eq!(report.counts.outside_the_plan, 1);
}

#[tokio::test]
async fn a_step_that_was_begun_and_has_no_end_is_running() {
    let plan = Case::new(CHAIN).plan().await;
    let report = told(&plan, &well(&plan)[..3]);
    let ends: Vec<End> = report.steps.iter().map(|s| s.end).collect();
    assert!(
        ends.contains(&End::Running) && ends.contains(&End::NotStarted),
        "{ends:?}"
    );
    assert_eq!((report.ended_at, report.exit_code), (None, None));
    assert_eq!(report.rto.and_then(|r| r.met), None);
}

#[tokio::test]
async fn what_an_earlier_session_left_to_itself_is_running_also_where_its_turn_did_not_come_again()
{
    let plan = Case::new(CHAIN).plan().await;
    let (verb, object) = effect(&plan, "thing.c");
    let failed = Outcome::Failed {
        because: "no".to_owned(),
    };
    for (left, end) in [(None, End::Running), (Some(failed), End::NotStarted)] {
        let blocked = Outcome::Blocked {
            by: Address::new("thing.a"),
        };
        let mut events = vec![
            (0, began("run")),
            (1, started("thing.c")),
            (2, requested("thing.c", &verb, &object)),
        ];
        events.extend(left.map(|outcome| (3, ended("thing.c", outcome))));
        events.extend([
            (10, resumed()),
            (11, ended("thing.c", blocked)),
            (12, Event::RunEnded { exit_code: 6 }),
            (20, resumed()),
            (21, Event::RunEnded { exit_code: 7 }),
        ]);
        let report = told(&plan, &events);
        let c = report.steps.iter().find(|s| s.address == "thing.c");
        assert_eq!(c.map(|c| c.end), Some(end));
    }
}

#[tokio::test]
async fn a_record_that_cannot_follow_is_refused_and_named() {
    let plan = Case::new(CHAIN).plan().await;
    let end = || Event::RunEnded { exit_code: 0 };
    let passed = Event::GatePassed {
        address: Address::new("thing.a"),
        how: "so".to_owned(),
    };
    for (events, says) in [
        (vec![], "no record"),
        (vec![started("thing.a")], "has not begun"),
        (vec![began("r"), began("r")], "has begun already"),
        (
            vec![began("r"), end(), started("thing.a")],
            "has ended already",
        ),
        (vec![began("r"), started("thing.x")], "no step `thing.x`"),
        (
            vec![began("r"), started("thing.a"), started("thing.a")],
            "has begun already",
        ),
        (
            vec![began("r"), requested("thing.a", "set", "a")],
            "has not begun",
        ),
        (vec![began("r"), finished("thing.a")], "has not begun"),
        (vec![began("r"), passed], "never asked"),
        (
            vec![
                began("r"),
                started("thing.a"),
                finished("thing.a"),
                finished("thing.a"),
            ],
            "ends an effect twice",
        ),
        (
            vec![
                began("r"),
                ended("thing.a", Outcome::Done),
                ended("thing.a", Outcome::Done),
            ],
            "has ended already",
        ),
    ] {
        let events: Vec<_> = (0..).zip(events).collect();
        let illegal: Illegal = fold(&plan, &journal(&events).lines).expect_err(says);
        assert!(illegal.to_string().contains(says), "{illegal}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_engine_writes_is_always_a_story() {
    let case = Case::new(CHAIN);
    let plan = case.plan().await;
    case.world.fail(
        "thing.a",
        &[
            crate::tests::memory::Fault::AnswerLost,
            crate::tests::memory::Fault::Refused,
        ],
    );
    for verdict in [Verdict::Recovered, Verdict::Recovered] {
        let (_, lines) = case
            .apply_told(&plan, crate::apply::Orders::default())
            .await;
        let seal = crate::plan::seal(&plan).expect("a seal");
        let records = Records { lines, torn: false };
        let report = report(&plan, &seal, &records).expect("a report");
        assert_eq!(report.verdict, verdict);
        assert!(report.chain.plan_fits);
        assert_eq!(report.outside_the_plan, []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_resumed_run_tells_how_each_step_ended_last_and_keeps_what_it_did_before() {
    let plan = Case::new(CHAIN).plan().await;
    let retry = Event::Retry {
        address: Address::new("thing.c"),
        because: "reset".to_owned(),
        in_ms: 1,
    };
    let records = journal(&[
        (0, began("run")),
        (1, started("thing.c")),
        (2, retry),
        (3, ended("thing.c", Outcome::Stopped)),
        (4, Event::RunEnded { exit_code: 7 }),
        (9, resumed()),
        (10, started("thing.c")),
        (11, ended("thing.c", Outcome::Done)),
        (12, Event::RunEnded { exit_code: 0 }),
    ]);
    let run = fold(&plan, &records.lines).expect("a run");
    assert_eq!(run.ended.map(|(_, code)| code), Some(0));
    let track = track(&plan, &run, "thing.c");
    assert_eq!(track.ended.as_ref().map(|(_, o)| o), Some(&Outcome::Done));
    assert_eq!(track.retries.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_run_did_before_it_was_resumed_it_has_done() {
    let plan = Case::new(CHAIN).plan().await;
    let (verb, object) = effect(&plan, "thing.c");
    let records = journal(&[
        (0, began("run")),
        (1, started("thing.c")),
        (2, requested("thing.c", &verb, &object)),
        (900, finished("thing.c")),
        (1_000, ended("thing.c", Outcome::Done)),
        (1_100, Event::RunEnded { exit_code: 7 }),
        (9_000, resumed()),
        (9_010, started("thing.c")),
        (9_011, ended("thing.c", Outcome::AlreadyTrue)),
        (9_020, Event::RunEnded { exit_code: 6 }),
    ]);
    let run = fold(&plan, &records.lines).expect("a run");
    let track = track(&plan, &run, "thing.c");
    let end = track.ended.as_ref().expect("an end");
    assert_eq!(end.1, Outcome::Done);
    let took = end.0.duration_since(track.began_at().expect("a beginning"));
    assert_eq!(took.as_millis(), 999);
    assert!(track.effects[&0].finished.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_a_run_did_and_begins_once_more_stays_done_and_tells_every_request() {
    let plan = Case::new(CHAIN).plan().await;
    let (verb, object) = effect(&plan, "thing.c");
    let by = Address::new("thing.a");
    let records = journal(&[
        (0, began("run")),
        (1, started("thing.c")),
        (2, requested("thing.c", &verb, &object)),
        (3, finished("thing.c")),
        (4, ended("thing.c", Outcome::Done)),
        (5, Event::RunEnded { exit_code: 7 }),
        (10, resumed()),
        (11, ended("thing.c", Outcome::Blocked { by })),
        (12, Event::RunEnded { exit_code: 6 }),
        (20, resumed()),
        (21, started("thing.c")),
        (22, requested("thing.c", &verb, &object)),
        (30, resumed()),
        (31, started("thing.c")),
        (32, ended("thing.c", Outcome::AlreadyTrue)),
        (33, Event::RunEnded { exit_code: 0 }),
    ]);
    let run = fold(&plan, &records.lines).expect("a run");
    let track = track(&plan, &run, "thing.c");
    assert_eq!(track.ended.as_ref().map(|(_, o)| o), Some(&Outcome::Done));
    assert_eq!(track.effects[&0].begun.len(), 2);
    assert!(track.effects[&0].finished.is_some());
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_failed_before_the_run_was_resumed_stays_in_what_it_tells() {
    let plan = Case::new(CHAIN).plan().await;
    let failed = || Outcome::Failed {
        because: "refused".to_owned(),
    };
    let records = journal(&[
        (0, began("run")),
        (1, started("thing.c")),
        (2, ended("thing.c", Outcome::Done)),
        (3, Event::RunEnded { exit_code: 7 }),
        (10, resumed()),
        (11, started("thing.c")),
        (12, ended("thing.c", failed())),
        (13, Event::RunEnded { exit_code: 1 }),
        (20, resumed()),
        (22, started("thing.c")),
        (23, ended("thing.c", Outcome::AlreadyTrue)),
        (24, Event::RunEnded { exit_code: 0 }),
    ]);
    let run = fold(&plan, &records.lines).expect("a run");
    let track = track(&plan, &run, "thing.c");
    assert_eq!(track.ended.as_ref().map(|(_, o)| o), Some(&Outcome::Done));
    let [retry] = track.retries.as_slice() else {
        panic!("one attempt failed: {:?}", track.retries);
    };
    assert_eq!((retry.because.as_str(), retry.in_ms), ("refused", 10));
}

/// `b` waits for `a` through a barrier.
const STAGED: &str = r#"
recovery "staged" {}
resource "thing" "a" {
  value = 1
  stage = "cluster"
}
resource "thing" "b" {
  value = 2
  stage = "databases"
}
"#;

/// A person is asked about `a`.
const GATED: &str = r#"
recovery "gated" {}
resource "thing" "a" {
  value = 1
}
resource "ask" "cut" {
  guards = [thing.a]
}
"#;

/// What the barriers of a plan write.
fn barriers(plan: &Plan, ms: i64) -> Vec<(i64, Event)> {
    let barriers = plan.steps.iter().filter(|step| step.what == Do::Barrier);
    let passed = barriers.map(|step| (ms, ended(step.address.as_str(), Outcome::Passed)));
    passed.collect()
}

fn asks() -> Event {
    Event::GateOpened {
        address: Address::new("ask.cut"),
        ask: "may it?".to_owned(),
    }
}

fn legs(report: &Report) -> Vec<(&str, u64, u64, u64)> {
    let legs = report.course.iter();
    legs.map(|l| {
        let address = l.address.as_str();
        (address, l.between_sessions_ms, l.queued_ms, l.ran_ms)
    })
    .collect()
}

#[tokio::test(start_paused = true)]
async fn what_proved_a_guard_stays_its_proof_where_it_is_needed_no_more() {
    let plan = Case::new(CHAIN).plan().await;
    let mut done = ended("thing.a", Outcome::Done);
    if let Event::StepEnded { evidence, .. } = &mut done {
        evidence.push(Evidence {
            claim: "it ended with 0".to_owned(),
            source: "exec".to_owned(),
            holds: true,
        });
    }
    let report = told(
        &plan,
        &[
            (0, began("run")),
            (100, started("thing.a")),
            (200, done),
            (300, resumed()),
            (310, started("thing.a")),
            (320, ended("thing.a", Outcome::Passed)),
            (330, Event::RunEnded { exit_code: 6 }),
        ],
    );
    let step = report.steps.iter().find(|s| s.address == "thing.a");
    let claims: Vec<&str> = step
        .iter()
        .flat_map(|s| &s.evidence)
        .map(|f| f.claim.as_str())
        .collect();
    assert_eq!(claims, ["it ended with 0"]);
}

#[tokio::test(start_paused = true)]
async fn a_step_across_a_kill_took_from_its_first_beginning_and_waited_for_what_it_waited_for_then()
{
    let plan = Case::new(CHAIN).plan().await;
    let (verb, object) = effect(&plan, "thing.b");
    let elapsed = |address: &str, outcome: Outcome, ms: u64| match ended(address, outcome) {
        Event::StepEnded {
            address,
            outcome,
            evidence,
            outputs,
            ..
        } => Event::StepEnded {
            address,
            outcome,
            evidence,
            outputs,
            elapsed_ms: ms,
        },
        other => other,
    };
    let report = told(
        &plan,
        &[
            (0, began("run")),
            (100, started("thing.a")),
            (2_100, elapsed("thing.a", Outcome::Done, 2_000)),
            (2_200, started("thing.b")),
            (2_300, requested("thing.b", &verb, &object)),
            (602_300, resumed()),
            (602_310, started("thing.a")),
            (602_320, elapsed("thing.a", Outcome::AlreadyTrue, 10)),
            (602_330, started("thing.b")),
            (609_000, finished("thing.b")),
            (609_200, elapsed("thing.b", Outcome::Done, 6_870)),
            (609_300, Event::RunEnded { exit_code: 0 }),
        ],
    );
    assert_eq!(
        legs(&report),
        [("thing.a", 0, 100, 2_000), ("thing.b", 600_000, 100, 7_000)]
    );
    let b = report.steps.iter().find(|s| s.address == "thing.b");
    let b = b.expect("b");
    assert_eq!((b.waited_ms, b.queued_ms), (Some(2_100), Some(100)));
    assert_eq!(b.between_sessions_ms, 600_000);
    assert_eq!(report.warnings, [""; 0], "the clock is right");
}

#[tokio::test(start_paused = true)]
async fn between_two_sessions_nobody_waits_in_a_queue() {
    let plan = Case::new(CHAIN).plan().await;
    let report = told(
        &plan,
        &[
            (0, began("run")),
            (100, started("thing.a")),
            (2_100, ended("thing.a", Outcome::Done)),
            (2_200, Event::RunEnded { exit_code: 7 }),
            (3_602_200, resumed()),
            (3_602_210, started("thing.a")),
            (3_602_220, ended("thing.a", Outcome::AlreadyTrue)),
            (3_602_300, started("thing.b")),
            (3_605_300, ended("thing.b", Outcome::Done)),
            (3_605_400, Event::RunEnded { exit_code: 0 }),
        ],
    );
    assert_eq!(
        legs(&report),
        [
            ("thing.a", 0, 100, 2_000),
            ("thing.b", 3_600_000, 200, 3_000)
        ]
    );
    let text = crate::render::report::text(&report, crate::render::style::Style::PLAIN);
    assert!(
        text.contains("3.0s, after 200ms in the queue, and 1h between two sessions"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_barrier_that_is_passed_once_more_is_nothing_that_anybody_waited_for() {
    let plan = Case::new(STAGED).plan().await;
    let mut events = vec![
        (0, began("run")),
        (100, started("thing.a")),
        (1_000, ended("thing.a", Outcome::Done)),
    ];
    events.extend(barriers(&plan, 1_000));
    events.extend([
        (1_100, started("thing.b")),
        (12_100, ended("thing.b", Outcome::Done)),
        (12_200, Event::RunEnded { exit_code: 8 }),
        (25_000, resumed()),
        (25_010, started("thing.a")),
        (25_020, ended("thing.a", Outcome::AlreadyTrue)),
    ]);
    events.extend(barriers(&plan, 25_100));
    events.extend([
        (25_110, started("thing.b")),
        (25_120, ended("thing.b", Outcome::AlreadyTrue)),
        (26_200, Event::RunEnded { exit_code: 0 }),
    ]);
    let report = told(&plan, &events);
    assert_eq!(
        legs(&report),
        [("thing.a", 0, 100, 900), ("thing.b", 0, 100, 11_000)]
    );
    let b = report.steps.iter().find(|s| s.address == "thing.b");
    let b = b.expect("b");
    assert_eq!((b.waited_ms, b.queued_ms), (Some(1_000), Some(100)));
    assert_eq!(b.waited_for.as_deref(), Some("thing.a"));
}

#[tokio::test(start_paused = true)]
async fn a_question_is_asked_since_it_was_asked_first_and_a_no_is_told_until_it_is_answered_with_yes()
 {
    let plan = Case::new(GATED).plan().await;
    let waiting = Outcome::Waiting {
        ask: "may it?".to_owned(),
        refused: Some("the terminal".to_owned()),
    };
    let passed = Event::GatePassed {
        address: Address::new("ask.cut"),
        how: "--approve".to_owned(),
    };
    let events = [
        (0, began("run")),
        (10, asks()),
        (20, ended("ask.cut", waiting)),
        (30, Event::RunEnded { exit_code: 8 }),
        (60_030, resumed()),
        (60_040, asks()),
        (60_050, passed),
        (60_060, ended("ask.cut", Outcome::Done)),
        (60_070, Event::RunEnded { exit_code: 6 }),
    ];
    let at = |ms: i64| Timestamp::from_millisecond(ms).expect("a time");

    let refused = told(&plan, &events[..4]);
    let [question] = refused.approvals.as_slice() else {
        panic!("one question: {:?}", refused.approvals);
    };
    assert!(question.refused);
    assert_eq!(
        (question.asked_at, question.answered_at),
        (at(10), Some(at(20)))
    );

    let approved = told(&plan, &events);
    let [question] = approved.approvals.as_slice() else {
        panic!("one question: {:?}", approved.approvals);
    };
    assert!(!question.refused);
    assert_eq!(
        (question.asked_at, question.answered_at),
        (at(10), Some(at(60_050)))
    );
    let [before] = question.earlier.as_slice() else {
        panic!("one no: {:?}", question.earlier);
    };
    assert!(before.refused);
    assert_eq!((before.at, before.how.as_str()), (at(20), "the terminal"));
    assert_eq!(legs(&approved), [("ask.cut", 60_000, 10, 50)]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_to_the_words_that_were_asked_last_and_the_earlier_ones_are_told_with_theirs()
{
    let plan = Case::new(GATED).plan().await;
    let gate = || Address::new("ask.cut");
    let waiting = |ask: &str, refused: Option<&str>| {
        let (ask, refused) = (ask.to_owned(), refused.map(ToOwned::to_owned));
        ended("ask.cut", Outcome::Waiting { ask, refused })
    };
    let passed = Event::GatePassed {
        address: gate(),
        how: "--approve".to_owned(),
    };
    let other = Event::GateOpened {
        address: gate(),
        ask: "may it now?".to_owned(),
    };
    let answered = [
        (0, began("run")),
        (10, asks()),
        (12, waiting("may it?", Some("the terminal"))),
        (14, resumed()),
        (16, asks()),
        (20, passed),
        (30, ended("ask.cut", Outcome::Done)),
        (40, Event::RunEnded { exit_code: 6 }),
        (50, resumed()),
        (60, other),
    ];
    for (refused, ends, end) in [
        (None, vec![], End::Waiting),
        (Some("the terminal"), vec![], End::Waiting),
        // What it asked about came true by itself.
        (Some("the terminal"), vec![Outcome::NotNeeded], End::Idle),
        (None, vec![Outcome::NotNeeded], End::Idle),
    ] {
        let mut events = answered.to_vec();
        events.push((70, waiting("may it now?", refused)));
        events.push((80, Event::RunEnded { exit_code: 8 }));
        for outcome in ends {
            events.push((90, resumed()));
            events.push((100, ended("ask.cut", outcome)));
        }
        let report = told(&plan, &events);
        let [question] = report.approvals.as_slice() else {
            panic!("one question: {:?}", report.approvals);
        };
        assert_eq!(question.ask, "may it now?");
        assert_eq!(question.refused, refused.is_some());
        assert_eq!(question.how.as_deref(), refused);
        let earlier: Vec<_> = question
            .earlier
            .iter()
            .map(|a| (a.ask.as_str(), a.refused))
            .collect();
        assert_eq!(earlier, [("may it?", true), ("may it?", false)]);
        let step = report.steps.iter().find(|s| s.address == "ask.cut");
        assert_eq!(step.map(|s| s.end), Some(end));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_also_where_the_step_was_blocked_before_it_was_tried_again() {
    let plan = Case::new(CHAIN).plan().await;
    let failed = Outcome::Failed {
        because: "no room".to_owned(),
    };
    let blocked = Outcome::Blocked {
        by: Address::new("thing.c"),
    };
    let report = told(
        &plan,
        &[
            (0, began("run")),
            (0, started("thing.a")),
            (1_000, ended("thing.a", failed)),
            (1_000, Event::RunEnded { exit_code: 6 }),
            (11_000, resumed()),
            (11_000, ended("thing.a", blocked)),
            (11_000, Event::RunEnded { exit_code: 6 }),
            (21_000, resumed()),
            (22_000, started("thing.a")),
            (24_000, ended("thing.a", Outcome::Done)),
            (24_000, Event::RunEnded { exit_code: 6 }),
        ],
    );
    let a = report.steps.iter().find(|s| s.address == "thing.a");
    let [retry] = a.map(|a| a.retries.as_slice()).unwrap_or_default() else {
        panic!("one attempt that failed: {a:?}");
    };
    assert_eq!((retry.because.as_str(), retry.in_ms), ("no room", 21_000));
    let [leg] = report.course.as_slice() else {
        panic!("one step: {:?}", report.course);
    };
    let times = (
        leg.queued_ms,
        leg.failed_ms,
        leg.between_sessions_ms,
        leg.ran_ms,
    );
    assert_eq!(times, (0, 2_000, 20_000, 2_000));
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_was_needed_when_the_run_went_on_is_told_as_it_was_found_then() {
    let plan = Case::new(CHAIN).plan().await;
    for (first, then, end) in [
        (Outcome::NotNeeded, Outcome::AlreadyTrue, End::AlreadyTrue),
        (Outcome::Done, Outcome::NotNeeded, End::Done),
    ] {
        let report = told(
            &plan,
            &[
                (0, began("run")),
                (10, started("thing.a")),
                (20, ended("thing.a", first)),
                (30, Event::RunEnded { exit_code: 6 }),
                (40, resumed()),
                (50, started("thing.a")),
                (60, ended("thing.a", then)),
                (70, Event::RunEnded { exit_code: 6 }),
            ],
        );
        let a = report.steps.iter().find(|s| s.address == "thing.a");
        assert_eq!(a.map(|a| a.end), Some(end));
    }
}
