//! Slots: what may run at once, and that nobody waits behind somebody who has none.

use drplan_api::Address;
use drplan_api::ConnId;

use super::memory::Case;
use crate::apply::Event;
use crate::apply::Line;
use crate::apply::Orders;

/// Where in the journal a step began, and where it ended.
fn turn(lines: &[Line], address: &str) -> (u64, u64) {
    let address = Address::new(address);
    let at = |is: fn(&Event) -> bool| {
        let mut about = lines
            .iter()
            .filter(|l| l.record.address() == Some(&address));
        about.find(|l| is(&l.record)).expect("it had its turn").seq
    };
    (
        at(|e| matches!(e, Event::StepStarted { .. })),
        at(|e| matches!(e, Event::StepEnded { .. })),
    )
}

#[tokio::test(start_paused = true)]
async fn a_kind_and_a_target_bound_what_acts_on_one_connection_and_not_on_another() {
    let case = Case::new(
        r#"
provider "memory" "n" {}
provider "narrow" "small" {}
resource "single" "here" {
  count    = 4
  provider = memory.m
  value    = 1
  takes_s  = 10
}
resource "single" "there" {
  count    = 4
  provider = memory.n
  value    = 1
  takes_s  = 10
}
resource "cell" "many" {
  count   = 6
  value   = 1
  takes_s = 10
}
"#,
    )
    .at_once(64);
    let plan = case.plan().await;
    let began = tokio::time::Instant::now();
    case.apply(&plan).await;
    let busiest = case.world.lock().busiest.clone();
    assert_eq!(busiest["single on memory.m"], 1);
    assert_eq!(busiest["single on memory.n"], 1);
    assert_eq!(busiest["narrow.small"], 2);
    assert_eq!(case.world.writes().len(), 14);
    // Both connections at once, each one after the other: four times ten seconds, not eight.
    assert_eq!(began.elapsed().as_secs(), 40);
}

#[tokio::test(start_paused = true)]
async fn whoever_has_no_slot_keeps_nobody_else_from_beginning() {
    let case = Case::new(
        r#"
resource "single" "waits" {
  count    = 20
  value    = 1
  takes_s  = 10
  expected = "20m"
}
resource "thing" "goes" {
  value    = 1
  expected = "1s"
}
"#,
    )
    .at_once(2);
    let plan = case.plan().await;
    let (_, lines) = case.apply_told(&plan, Orders::default()).await;
    let first = turn(&lines, "single.waits[0]").1;
    assert!(turn(&lines, "thing.goes").1 < first, "it waited for a slot");
    assert_eq!(case.world.lock().busiest["single on memory.m"], 1);
}

#[tokio::test(start_paused = true)]
async fn the_way_that_takes_longest_begins_first_by_time_and_not_by_number_of_steps() {
    let case = Case::new(
        r#"
resource "thing" "short" {
  value    = 1
  expected = "1m"
}
resource "thing" "short_too" {
  value      = 1
  expected   = "1m"
  depends_on = [thing.short]
}
resource "thing" "long" {
  value    = 1
  expected = "10m"
}
"#,
    )
    .at_once(1);
    let plan = case.plan().await;
    let (_, lines) = case.apply_told(&plan, Orders::default()).await;
    assert!(turn(&lines, "thing.long").1 < turn(&lines, "thing.short").0);
}

#[tokio::test(start_paused = true)]
async fn a_person_says_how_many_may_act_on_a_target_in_place_of_its_system() {
    let case = Case::new(
        r#"
provider "narrow" "small" {}
resource "cell" "many" {
  count   = 6
  value   = 1
  takes_s = 10
}
"#,
    )
    .at_once(64);
    let plan = case.plan().await;
    let slots = [(ConnId::new("narrow.small"), 3)].into();
    let orders = Orders {
        slots,
        ..Orders::default()
    };
    case.apply_with(&plan, orders).await;
    assert_eq!(case.world.lock().busiest["narrow.small"], 3);
}

#[tokio::test(start_paused = true)]
async fn a_question_takes_no_slot_from_those_who_act() {
    let case = Case::new(
        r#"
resource "thing" "guarded" {
  value = 1
}
resource "ask" "slow" {
  guards = [thing.guarded]
}
resource "thing" "other" {
  value = 1
}
"#,
    )
    .at_once(1);
    let plan = case.plan().await;
    let (_, lines) = case.apply_told(&plan, Orders::default()).await;
    let asked = Address::new("ask.slow");
    let answered = lines
        .iter()
        .find(|l| matches!(&l.record, Event::StepEnded { address, .. } if *address == asked));
    let answered = answered
        .expect("somebody thinks for an hour and says no")
        .seq;
    assert!(turn(&lines, "thing.other").1 < answered);
}
