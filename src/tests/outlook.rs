//! How long a run will still take, and who is slower than usual.

use super::memory::Case;
use crate::apply::Event;

/// What was told of the time that is left: second of the run, and minutes.
fn told(case: &Case) -> Vec<(u64, Option<u64>)> {
    let minutes = |ms: u64| ms.div_ceil(60_000);
    let of = |(at, event)| match event {
        Event::Outlook { left_ms, .. } => Some((at, left_ms.map(minutes))),
        _ => None,
    };
    case.heard().into_iter().filter_map(of).collect()
}

#[tokio::test(start_paused = true)]
async fn the_longest_way_says_how_long_it_takes_and_again_only_when_that_changes() {
    let case = Case::new(
        r#"
resource "thing" "first" {
  value    = 1
  takes_s  = 600
  expected = "10m"
}
resource "thing" "beside" {
  value    = 1
  takes_s  = 120
  expected = "2m"
}
resource "thing" "second" {
  value      = 1
  takes_s    = 600
  expected   = "10m"
  depends_on = [thing.first]
}
"#,
    );
    let plan = case.plan().await;
    case.apply(&plan).await;
    assert_eq!(told(&case), [(0, Some(20))]);
}

#[tokio::test(start_paused = true)]
async fn what_shares_slots_takes_as_long_as_the_work_and_not_as_the_way() {
    let case = Case::new(
        r#"
resource "single" "one_by_one" {
  count    = 4
  value    = 1
  takes_s  = 600
  expected = "10m"
}
"#,
    );
    let plan = case.plan().await;
    case.apply(&plan).await;
    assert_eq!(told(&case), [(0, Some(40))]);
}

#[tokio::test(start_paused = true)]
async fn a_step_without_a_time_makes_it_unknown_until_that_has_ended() {
    let case = Case::new(
        r#"
resource "thing" "who_knows" {
  value   = 1
  takes_s = 300
}
resource "thing" "after" {
  value      = 1
  takes_s    = 600
  expected   = "10m"
  depends_on = [thing.who_knows]
}
"#,
    );
    let plan = case.plan().await;
    case.apply(&plan).await;
    assert_eq!(told(&case), [(0, None), (300, Some(10))]);
}

#[tokio::test(start_paused = true)]
async fn a_step_past_its_time_is_slow_once_and_moves_the_end() {
    let case = Case::new(
        r#"
resource "thing" "late" {
  value    = 1
  takes_s  = 900
  expected = "10m"
}
resource "thing" "after" {
  value      = 1
  takes_s    = 600
  expected   = "10m"
  depends_on = [thing.late]
}
"#,
    );
    let plan = case.plan().await;
    case.apply(&plan).await;
    let heard = case.heard();
    let slow = heard.iter().filter_map(|(at, event)| match event {
        Event::Slow { address, .. } => Some((*at, address.as_str())),
        _ => None,
    });
    assert_eq!(slow.collect::<Vec<_>>(), [(600, "thing.late")]);
    let left = heard.iter().filter_map(|(at, event)| match event {
        Event::Outlook { left_ms, .. } => Some((*at, *left_ms)),
        _ => None,
    });
    let left: Vec<_> = left.collect();
    assert_eq!(left.first(), Some(&(0, Some(1_200_000))));
    assert_eq!(left.last(), Some(&(900, Some(600_000))));
}
