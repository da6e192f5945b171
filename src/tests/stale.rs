//! What is refused at the start of a run, and what is not: what a person took on, what the run did before, what
//! hangs on an export or on a recovery point.

use std::sync::Arc;
use std::time::Duration;

use drplan_api::Address;

use super::kept::Breaks;
use super::kept::lease;
use super::kept::stolen_after;
use super::memory::Case;
use super::memory::How;
use super::memory::SLOW;
use crate::apply::Cut;
use crate::apply::Ending;
use crate::apply::Event;
use crate::apply::Hold;
use crate::apply::Journal;
use crate::apply::Orders;
use crate::apply::Outcome;
use crate::apply::Stop;
use crate::plan::Do;
use crate::plan::Plan;
use crate::report::Exit;
use crate::report::verdict;
use crate::store::memory::MemoryStore;

fn outcome<'e>(ending: &'e Ending, address: &str) -> &'e Outcome {
    &ending.outcomes[&Address::new(address)]
}

fn exit(plan: &Plan, ending: &Ending) -> Exit {
    verdict(plan, &ending.outcomes, ending.stopped, ending.cut.as_ref())
}

fn skipping(address: &str) -> Orders {
    let mut orders = Orders::default();
    let why = "it is broken".to_owned();
    orders.taken.skip.insert(Address::new(address), why);
    orders
}

fn by_hand(address: &str) -> Orders {
    let mut orders = Orders::default();
    let why = "the backup is gone".to_owned();
    orders.taken.by_hand.insert(Address::new(address), why);
    orders
}

const BEHIND: &str = r#"
resource "thing" "a" {
  value = 1
}
resource "thing" "b" {
  value      = 2
  depends_on = [thing.a]
}
"#;

#[tokio::test(start_paused = true)]
async fn what_a_person_leaves_out_is_left_out_also_where_it_is_not_what_it_was() {
    let case = Case::new(BEHIND);
    let plan = case.plan().await;
    case.world.set("thing.a", 9);
    let ending = case.apply_with(&plan, skipping("thing.a")).await;
    let left_out = outcome(&ending, "thing.a");
    assert!(matches!(left_out, Outcome::Skipped { .. }), "{left_out:?}");
    assert_eq!(*outcome(&ending, "thing.b"), Outcome::Done);
}

/// Restored from a point.
const RESTORE: &str = r#"
data "mark" "point" {
}
resource "thing" "data" {
  value = data.mark.point.value
}
"#;

const POINT: &str = "data.mark.point";

async fn restore() -> (Case, Plan) {
    let case = Case::new(RESTORE);
    case.world.set(POINT, 3);
    let plan = case.plan().await;
    assert!(plan.points.iter().any(|p| p.chosen && p.used));
    (case, plan)
}

#[tokio::test(start_paused = true)]
async fn what_was_restored_by_hand_needs_no_point_any_more() {
    let (case, plan) = restore().await;
    case.world.lock().values.remove(POINT);
    case.world.set("thing.data", 3);
    // What only looks restored may be of another point.
    let ending = case.apply(&plan).await;
    let point = outcome(&ending, POINT);
    assert!(matches!(point, Outcome::Moved { .. }), "{point:?}");
    let ending = case.apply_with(&plan, by_hand("thing.data")).await;
    assert_eq!(*outcome(&ending, POINT), Outcome::Passed);
    assert_eq!(*outcome(&ending, "thing.data"), Outcome::AlreadyTrue);
    assert_eq!(exit(&plan, &ending), Exit::Ok);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_restored_everything_goes_on_without_its_point() {
    let (case, plan) = restore().await;
    let (_, lines) = case.apply_told(&plan, Orders::default()).await;
    case.world.lock().values.remove(POINT);
    let (ending, _) = case
        .apply_after(&plan, Orders::default(), Some(lines))
        .await;
    assert_eq!(*outcome(&ending, POINT), Outcome::Passed);
    assert_eq!(*outcome(&ending, "thing.data"), Outcome::AlreadyTrue);
}

/// `b` and the question refer to what `mark.t` exports; the question guards what is true.
const EXPORTED: &str = r#"
resource "mark" "t" {
}
resource "thing" "a" {
  value = 1
}
resource "thing" "b" {
  value = mark.t.value
}
resource "ask" "no" {
  about  = mark.t.value
  guards = [thing.a]
}
"#;

#[tokio::test(start_paused = true)]
async fn what_the_run_did_with_an_export_that_is_another_by_now_stays_done() {
    let case = Case::new(EXPORTED);
    case.world.set("mark.t", 4);
    case.world.set("thing.a", 1);
    let plan = case.plan().await;
    let (_, lines) = case.apply_told(&plan, Orders::default()).await;
    case.world.set("mark.t", 7);
    let (ending, _) = case
        .apply_after(&plan, Orders::default(), Some(lines))
        .await;
    assert_eq!(*outcome(&ending, "thing.b"), Outcome::AlreadyTrue);
    assert_eq!(exit(&plan, &ending), Exit::Ok);
}

#[tokio::test(start_paused = true)]
async fn an_export_that_is_another_by_now_stops_who_acts_with_it_and_no_idle_guard() {
    let case = Case::new(EXPORTED);
    case.world.set("mark.t", 4);
    case.world.set("thing.a", 1);
    let plan = case.plan().await;
    assert_eq!(plan.step("ask.no").unwrap().what, Do::Idle);
    case.world.set("mark.t", 7);
    let ending = case.apply(&plan).await;
    let Outcome::Moved { because } = outcome(&ending, "thing.b") else {
        panic!("it acted on what is no longer so");
    };
    assert!(because.contains("`value` was 4"), "{because}");
    assert_eq!(*outcome(&ending, "ask.no"), Outcome::Passed);
    assert_eq!(case.world.get("thing.b"), None);
}

#[tokio::test(start_paused = true)]
async fn nobody_goes_where_an_export_led_that_is_another_by_now() {
    let case = Case::new(
        r#"
resource "mark" "t" {
  provider = memory.m
}
provider "memory" "made" {
  made_of = mark.t.value
}
resource "thing" "x" {
  provider = memory.made
  value    = 1
}
"#,
    );
    case.world.set("mark.t", 4);
    let plan = case.plan().await;
    case.world.set("mark.t", 7);
    let ending = case.apply(&plan).await;
    let Outcome::Moved { because } = outcome(&ending, "thing.x") else {
        panic!("it went to the old place");
    };
    assert!(because.contains("what `mark.t` exports"), "{because}");
    assert_eq!(case.world.get("thing.x"), None);
}

/// Three places that take long to answer.
fn far() -> Case {
    let place = |n: u32| {
        format!(
            "provider \"memory\" \"slow{n}\" {{}}\nresource \"thing\" \"x{n}\" {{\n  provider = memory.slow{n}\n  \
             value = {n}\n}}\n"
        )
    };
    Case::new(&(1..4).map(place).collect::<String>())
}

#[tokio::test(start_paused = true)]
async fn connections_are_opened_side_by_side_before_anything_begins() {
    let case = far();
    let plan = case.plan().await;
    let ending = case.apply(&plan).await;
    assert_eq!(exit(&plan, &ending), Exit::Ok);
    let heard = case.heard();
    let begun = |(_, event): &&(u64, Event)| matches!(event, Event::StepStarted { .. });
    let (second, _) = heard.iter().find(begun).expect("a step began");
    assert_eq!(*second, SLOW.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_before_anything_begins_ends_the_run() {
    let case = far();
    let plan = case.plan().await;
    let orders = Orders {
        deadline: Some(Duration::from_secs(5)),
        ..Orders::default()
    };
    let ending = case.apply_with(&plan, orders).await;
    assert_eq!(exit(&plan, &ending), Exit::Deadline);
    assert_eq!(ending.stopped, Stop::Cancel);
    assert_eq!(case.heard().last().map(|(second, _)| *second), Some(5));
    assert!(case.world.writes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_lost_before_anything_begins_ends_the_run() {
    let (case, work) = (far(), tempfile::tempdir().unwrap());
    let plan = case.plan().await;
    let store = MemoryStore::shared();
    let how = How {
        hold: Hold::Everywhere(lease(&store, "one").await),
        ..How::on(Journal::new(Box::new(Breaks("nothing"))), work.path())
    };
    let thief = stolen_after(Arc::clone(&store), Duration::from_secs(1));
    let (ending, _stolen) = tokio::join!(case.apply_as(&plan, how), thief);
    assert!(matches!(&ending.cut, Some(Cut::LockLost(about)) if about.contains("two@test")));
    let last = case.heard().last().map(|(second, _)| *second);
    assert!(
        last.is_some_and(|second| second < SLOW.as_secs()),
        "{last:?}"
    );
    assert!(case.world.writes().is_empty());
}
