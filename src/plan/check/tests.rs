//! Each rule against a plan that breaks it and is otherwise sound.

use std::sync::Arc;

use drplan_api::Arg;
use drplan_api::Change;
use drplan_api::Effect;
use drplan_api::Hazard;
use drplan_api::HazardLevel;
use drplan_api::Json;
use drplan_api::Repeat;
use drplan_api::TargetId;
use drplan_api::Type;
use serde_json::json;

use super::*;
use crate::graph::EdgeWhy;
use crate::lang::Expr;
use crate::lang::FileId;
use crate::lang::Node;
use crate::lang::Span;
use crate::plan::Forbidden;
use crate::plan::Partial;
use crate::plan::PlanEdge;
use crate::plan::Policy;
use crate::plan::Sure;
use crate::tests::memory::Case;

const SPEC: &str = r#"
resource "thing" "a" {
  value = 1
}
resource "thing" "b" {
  value      = 1
  depends_on = [thing.a]
}
resource "thing" "c" {
  value       = 1
  criticality = "best_effort"
}
check "ok" {
  assert {
    condition     = thing.b.value == 1
    error_message = "no"
  }
}
resource "door" "d" {
  value = 1
}
"#;

async fn sound() -> Plan {
    let plan = Case::new(SPEC).plan().await;
    assert_eq!(check(&plan), Vec::<String>::new());
    plan
}

fn at(plan: &Plan, address: &str) -> usize {
    let found = plan
        .steps
        .iter()
        .position(|s| s.address.as_str() == address);
    found.unwrap_or_else(|| panic!("no step `{address}`"))
}

/// Plants a violation; exactly the rules with these words must speak.
async fn breaks(says: &[&str], spoil: impl FnOnce(&mut Plan)) {
    let mut plan = sound().await;
    spoil(&mut plan);
    let broken = check(&plan);
    assert!(
        !broken.is_empty(),
        "nothing is found, and {says:?} should be"
    );
    for sentence in &broken {
        assert!(says.iter().any(|s| sentence.contains(s)), "{sentence}");
    }
    for wanted in says {
        assert!(
            broken.iter().any(|b| b.contains(wanted)),
            "{wanted}: {broken:?}"
        );
    }
}

#[tokio::test]
async fn nothing_is_written_to_what_is_lost_nor_read_from_it() {
    breaks(
        &["which is declared lost", "is lost and yet it answered"],
        |plan| {
            plan.targets[0].lost = Some("cluster:a".to_owned());
            plan.targets[0].identity = Some(TargetId("x".to_owned()));
        },
    )
    .await;
    breaks(
        &[
            "is still to be made and yet it answered",
            "and is not in the plan",
        ],
        |plan| {
            plan.targets[0].made_by = vec![drplan_api::Address::new("thing.gone")];
            plan.targets[0].identity = Some(TargetId("x".to_owned()));
        },
    )
    .await;
}

#[tokio::test]
async fn a_connection_must_be_in_the_plan_and_a_step_only_once() {
    breaks(&["which the plan does not hold"], |plan| {
        plan.targets.clear()
    })
    .await;
    breaks(&["stands twice"], |plan| {
        let i = at(plan, "thing.c");
        let again = plan.steps[i].clone();
        plan.steps.push(again);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_undone_is_accepted_and_shown() {
    breaks(&["overwrites for good, and nobody accepted that"], |plan| {
        let i = at(plan, "thing.a");
        plan.steps[i].hazard = Hazard::irreversible("gone");
    })
    .await;
    breaks(&["does not say why"], |plan| {
        let i = at(plan, "thing.a");
        plan.head.accept = vec!["thing.a".to_owned()];
        plan.steps[i].hazard = Hazard::irreversible("");
    })
    .await;
    breaks(&["may overwrite what nobody can see now"], |plan| {
        let i = at(plan, "thing.a");
        plan.head.accept = vec!["thing.a".to_owned()];
        plan.steps[i].sure = Sure::Approximate { by: vec![] };
    })
    .await;
}

#[tokio::test]
async fn effects_are_named_and_deletions_are_shown() {
    breaks(&["acts without naming what it changes"], |plan| {
        let i = at(plan, "thing.a");
        if let Do::Act { effects, .. } = &mut plan.steps[i].what {
            effects.clear();
        }
    })
    .await;
    breaks(&["is not shown as a deletion"], |plan| {
        let i = at(plan, "thing.a");
        if let Do::Act { effects, .. } = &mut plan.steps[i].what {
            effects[0].verb = "delete".to_owned();
        }
    })
    .await;
}

#[tokio::test]
async fn edges_lead_forward_to_steps_that_are_there() {
    breaks(&["goes backwards or nowhere"], |plan| {
        let (before, after) = (at(plan, "thing.b"), at(plan, "thing.a"));
        plan.edges.push(PlanEdge {
            before,
            after,
            why: EdgeWhy::Stage,
        });
    })
    .await;
    breaks(&["goes backwards or nowhere"], |plan| {
        let after = plan.steps.len();
        plan.edges.push(PlanEdge {
            before: 0,
            after,
            why: EdgeWhy::Stage,
        });
    })
    .await;
}

#[tokio::test]
async fn what_is_guarded_waits_for_its_guard_and_a_guard_is_there_for_it() {
    breaks(&["without waiting for its guard `thing.c`"], |plan| {
        let (c, b) = (at(plan, "thing.c"), at(plan, "thing.b"));
        plan.steps[c].guards = vec![plan.steps[b].address.clone()];
    })
    .await;
    breaks(&["its guard `thing.a` does not"], |plan| {
        let (a, b) = (at(plan, "thing.a"), at(plan, "thing.b"));
        plan.steps[a].guards = vec![plan.steps[b].address.clone()];
        plan.steps[a].what = Do::Idle;
    })
    .await;
}

#[tokio::test]
async fn nothing_goes_on_behind_what_is_blocked_except_behind_best_effort() {
    breaks(&["goes on behind `thing.a`, which cannot"], |plan| {
        let a = at(plan, "thing.a");
        plan.steps[a].what = Do::Conflict;
    })
    .await;
    let mut plan = sound().await;
    let c = at(&plan, "thing.c");
    plan.steps[c].what = Do::Blocked { unreadable: true };
    assert_eq!(check(&plan), Vec::<String>::new());
}

#[tokio::test]
async fn traffic_moves_only_after_the_checks() {
    breaks(&["moves traffic without waiting for `check.ok`"], |plan| {
        plan.edges.retain(|e| e.why != EdgeWhy::Cutover);
    })
    .await;
}

#[tokio::test]
async fn a_part_holds_what_it_needs_and_not_what_it_left_out() {
    breaks(&["is in the plan and said to be left out"], |plan| {
        plan.head.partial = Some(Partial {
            targets: vec![],
            excludes: vec!["thing.a".to_owned()],
            stop_before: None,
            of: 5,
            left_out: vec![drplan_api::Address::new("thing.a")],
            held: vec![],
        });
    })
    .await;
}

fn nowhere() -> Span {
    Span {
        file: FileId(0),
        start: 0,
        end: 0,
    }
}

/// Lets an argument of `thing.b` be filled with an export of another step.
fn take_out(plan: &mut Plan, address: &str) {
    let expr = plan.exprs.len();
    let node = Node::Out {
        address: drplan_api::Address::new(address),
        path: vec![],
    };
    plan.exprs.push(Arc::new(Expr::new(node, nowhere())));
    put_hole(plan, expr);
}

fn put_hole(plan: &mut Plan, expr: usize) {
    let b = at(plan, "thing.b");
    if let Some(want) = &mut plan.steps[b].want {
        want.args["value"] = json!({"$hole": {"expr": expr, "secret": false, "after": []}});
    }
}

#[tokio::test]
async fn holes_name_expressions_and_take_only_out_of_what_is_done_before() {
    breaks(&["names an expression that is not there"], |plan| {
        put_hole(plan, 99)
    })
    .await;
    for later in ["thing.c", "door.d", "thing.nowhere"] {
        breaks(&["which is not done before it"], |plan| {
            take_out(plan, later)
        })
        .await;
    }
    let mut plan = sound().await;
    take_out(&mut plan, "thing.a");
    assert_eq!(check(&plan), Vec::<String>::new());
}

#[tokio::test]
async fn limits_speak_of_every_step_that_breaks_them() {
    let mut plan = sound().await;
    let all = |plan: &Plan| limits(plan).join("; ");
    plan.head.policy = Policy {
        forbid: [Forbidden::Delete, Forbidden::Irreversible].into(),
        max_changes: Some(4),
    };
    assert_eq!(all(&plan), "");
    plan.head.policy.max_changes = Some(3);
    assert!(all(&plan).contains("4 steps change the world, and 3 may"));
    plan.head.policy.forbid = [Forbidden::Dns].into();
    assert!(all(&plan).contains("`door.d` moves traffic"));
    plan.head.policy.forbid = [Forbidden::Overwrite].into();
    plan.head.accept = vec!["thing.a".to_owned()];
    assert!(all(&plan).contains("`thing.a` overwrites foreign data"));
}

/// A step that acts so.
fn acting(
    plan: &Plan,
    (action, level): (Action, HazardLevel),
    diff: Vec<Change>,
    effects: &[(&str, &str)],
) -> Step {
    let effect = |(verb, object): &(&str, &str)| Effect {
        verb: (*verb).to_owned(),
        object: (*object).to_owned(),
        repeat: Repeat::Named,
        inverse: None,
    };
    let mut step = plan.steps[at(plan, "thing.a")].clone();
    step.hazard.level = level;
    step.diff = diff;
    step.what = Do::Act {
        action,
        binding: Json::Null,
        op: Json::Null,
        effects: effects.iter().map(effect).collect(),
    };
    step
}

fn turns(before: Option<&str>, after: Option<&str>) -> Vec<Change> {
    vec![Change {
        path: "it".to_owned(),
        before: before.map(Into::into),
        after: after.map(Into::into),
        sensitive: false,
        text: None,
    }]
}

#[tokio::test]
async fn each_limit_is_broken_by_what_it_forbids_and_by_nothing_else() {
    use Action as A;
    use Forbidden as F;
    use HazardLevel as H;
    let none = H::None;
    let plan = sound().await;
    for (forbidden, step, broken) in [
        (
            F::Delete,
            acting(&plan, (A::Delete, none), vec![], &[]),
            "deletes",
        ),
        (
            F::Delete,
            acting(&plan, (A::Restore, none), vec![], &[("delete", "old")]),
            "deletes",
        ),
        (
            F::Delete,
            acting(
                &plan,
                (A::Restore, none),
                vec![],
                &[("create", "own"), ("delete", "own")],
            ),
            "",
        ),
        (
            F::Update,
            acting(&plan, (A::Update, none), vec![], &[]),
            "changes what exists",
        ),
        (
            F::Update,
            acting(&plan, (A::Restore, none), turns(Some("a"), Some("b")), &[]),
            "changes what exists",
        ),
        (
            F::Update,
            acting(&plan, (A::Restore, none), turns(None, Some("b")), &[]),
            "",
        ),
        (
            F::Irreversible,
            acting(&plan, (A::Restore, H::Irreversible), vec![], &[]),
            "cannot be undone",
        ),
        (
            F::Irreversible,
            acting(&plan, (A::Restore, H::Reversible), vec![], &[]),
            "",
        ),
        (
            F::Run,
            acting(&plan, (A::Run, none), vec![], &[("run", "x")]),
            "runs a program",
        ),
        (
            F::Run,
            acting(&plan, (A::Run, none), vec![], &[("wait", "x")]),
            "",
        ),
    ] {
        let mut plan = plan.clone();
        plan.steps = vec![step];
        plan.head.policy.forbid = [forbidden].into();
        let said = limits(&plan).join("; ");
        assert_eq!(said.is_empty(), broken.is_empty(), "{forbidden:?}: {said}");
        assert!(said.contains(broken), "{forbidden:?}: {said}");
    }
}

#[tokio::test]
async fn what_a_late_step_may_turn_out_to_be_counts() {
    for (forbidden, how) in [
        (Forbidden::Delete, "may delete"),
        (Forbidden::Update, "may change what exists"),
        (Forbidden::Irreversible, "beyond undoing"),
        (Forbidden::Run, "may run a program"),
    ] {
        let mut plan = sound().await;
        let mut step = acting(&plan, (Action::Create, HazardLevel::None), vec![], &[]);
        step.what = Do::Late {
            actions: vec![Action::Delete, Action::Update, Action::Run],
            hazard_max: HazardLevel::Irreversible,
        };
        plan.steps = vec![step];
        plan.head.policy.forbid = [forbidden].into();
        assert!(limits(&plan).join("; ").contains(how), "{forbidden:?}");
    }
}

#[test]
fn a_secret_in_sight_is_found_wherever_a_schema_puts_it() {
    let inner = Arg::optional("token", Type::String, "").secret();
    let args = [
        Arg::optional("key", Type::String, "").secret(),
        Arg::optional("list", Type::List(Box::new(Type::Object(vec![inner]))), ""),
    ];
    let found = |json: Json| {
        let mut out = Vec::new();
        values::in_sight(&args, &json, &mut |name| out.push(name.to_owned()));
        out
    };
    let hole = json!({"$hole": {"expr": 0, "secret": true, "after": []}});
    assert!(found(json!({"key": hole, "list": [{"token": null}]})).is_empty());
    assert_eq!(found(json!({"key": "hunter2"})), ["key"]);
    assert_eq!(
        found(json!({"list": [{}, {"token": "hunter2"}]})),
        ["token"]
    );
}

#[tokio::test]
async fn what_is_done_again_without_need_only_converges() {
    breaks(&["is done again, which changes what is there"], |plan| {
        let i = at(plan, "thing.a");
        plan.head.redo = vec![plan.steps[i].address.clone()];
        if let Do::Act { effects, .. } = &mut plan.steps[i].what {
            effects[0].repeat = drplan_api::Repeat::Staged;
        }
    })
    .await;
}
