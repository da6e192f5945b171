//! Order: stages, needs, cutovers, cycles, and plans that do not depend on chance.

use super::memory::Case;
use crate::plan::Do;
use crate::plan::Plan;

fn at(plan: &Plan, address: &str) -> usize {
    plan.steps
        .iter()
        .position(|s| s.address.as_str() == address)
        .unwrap()
}

/// Whether `after` waits for `before`, directly or not.
fn waits(plan: &Plan, after: &str, before: &str) -> bool {
    let target = at(plan, before);
    let lists = plan.before();
    let mut open = vec![at(plan, after)];
    while let Some(i) = open.pop() {
        if i == target {
            return true;
        }
        open.extend(&lists[i]);
    }
    false
}

#[tokio::test]
async fn stages_and_checks_come_before_a_cutover_and_needs_make_edges() {
    let case = Case::new(
        r#"
resource "thing" "early" {
  value = 1
  stage = "cluster"
}
resource "thing" "giver" {
  value = 1
  gives = ["k"]
}
resource "thing" "needer" {
  value = 1
  needs = ["k"]
}
check "c" {
  assert {
    condition     = thing.giver.value == 1
    error_message = "no"
  }
}
resource "door" "d" {
  value = 1
}
check "behind" {
  assert {
    condition     = door.d.value == 1
    error_message = "no"
  }
}
"#,
    );
    let plan = case.plan().await;
    assert!(waits(&plan, "thing.giver", "thing.early"));
    assert!(waits(&plan, "thing.needer", "thing.giver"));
    assert!(waits(&plan, "door.d", "check.c"));
    assert!(waits(&plan, "check.behind", "door.d") && !waits(&plan, "door.d", "check.behind"));
}

#[tokio::test]
async fn what_ends_something_comes_after_all_that_begins_it_and_before_it_begins_anew() {
    let case = Case::new(
        r#"
resource "thing" "first" {
  value  = 1
  begins = ["pause"]
}
resource "thing" "end" {
  value = 1
  ends  = ["pause"]
}
resource "thing" "again" {
  value      = 1
  begins     = ["pause"]
  depends_on = [thing.end]
}
"#,
    );
    case.world.set("thing.end", 1);
    let plan = case.plan().await;
    assert!(waits(&plan, "thing.end", "thing.first"));
    assert!(waits(&plan, "thing.again", "thing.end") && !waits(&plan, "thing.end", "thing.again"));
    let end = &plan.steps[at(&plan, "thing.end")];
    assert!(matches!(end.what, Do::Late { .. }), "{:?}", end.what);
    assert_eq!(end.because, "known after `thing.first`");
    // While nothing begins it, it is what it is.
    case.world.set("thing.first", 1);
    let plan = case.plan().await;
    assert_eq!(plan.steps[at(&plan, "thing.end")].what, Do::Nothing);
}

#[tokio::test]
async fn inferred_ordering_keeps_only_the_edges_that_are_needed() {
    let spec = r#"
recovery "r" {
  ordering = "inferred"
}
resource "thing" "a" {
  value = 1
  stage = "cluster"
}
resource "thing" "b" {
  value = 1
}
"#;
    let plan = Case::new(spec).plan().await;
    assert!(!waits(&plan, "thing.b", "thing.a"));
}

#[tokio::test]
async fn equal_inputs_give_equal_bytes() {
    let spec =
        "resource \"thing\" \"m\" {\n  for_each = toset([\"x\", \"y\", \"z\"])\n  value = 1\n}\n";
    let case = Case::new(spec);
    let (a, b) = (case.plan().await, case.plan().await);
    assert_eq!(
        serde_json::to_string(&a).unwrap(),
        serde_json::to_string(&b).unwrap()
    );
}

#[tokio::test]
async fn a_cycle_is_shown_whole_with_every_reason() {
    let spec = r#"
resource "thing" "a" {
  value      = 1
  depends_on = [thing.c]
}
resource "thing" "b" {
  value = thing.a.value
}
resource "thing" "c" {
  value = thing.b.value
}
"#;
    let diags = Case::new(spec).try_plan(&[]).await.unwrap_err();
    let message = diags.into_iter().next().unwrap().message;
    for name in ["thing.a", "thing.b", "thing.c"] {
        assert!(message.contains(name), "{message}");
    }
}

#[tokio::test]
async fn a_cycle_of_needs_names_what_is_needed() {
    let spec = r#"
resource "thing" "a" {
  value = 1
  gives = ["x"]
  needs = ["y"]
}
resource "thing" "b" {
  value = 1
  gives = ["y"]
  needs = ["x"]
}
"#;
    let diags = Case::new(spec).try_plan(&[]).await.unwrap_err();
    let first = diags.into_iter().next().unwrap();
    let said: String = first
        .labels
        .iter()
        .map(|l| l.text.as_str())
        .chain([first.message.as_str()])
        .collect();
    assert!(
        said.contains("key `x`") && said.contains("key `y`"),
        "{said}"
    );
}

#[tokio::test]
async fn a_need_that_nothing_gives_is_an_error() {
    let diags = Case::new("resource \"thing\" \"a\" {\n  value = 1\n  needs = [\"nowhere\"]\n}\n")
        .try_plan(&[])
        .await
        .unwrap_err();
    assert!(
        diags
            .into_iter()
            .next()
            .unwrap()
            .message
            .contains("nowhere")
    );
}

#[tokio::test]
async fn a_connection_that_a_step_makes_is_not_yet_there_and_no_error() {
    let spec = r#"
provider "memory" "late" {
  made_of = thing.first.value
}
resource "thing" "first" {
  provider = memory.m
  value    = 1
}
resource "thing" "second" {
  provider = memory.late
  value    = 2
}
"#;
    let case = Case::new(spec);
    let plan = case.plan().await;
    assert!(waits(&plan, "thing.second", "thing.first"));
    let ending = case.apply(&plan).await;
    assert!(
        ending.outcomes.values().all(crate::apply::Outcome::is_good),
        "{:?}",
        ending.outcomes
    );
    assert_eq!(case.world.get("thing.second"), Some(2));
}
