//! Plans to end what a recovery left behind: one step for each connection of the spec and each kind that
//! can end something there, decided against the live world.

use std::collections::BTreeMap;
use std::sync::Arc;

use drplan_api::Address;
use drplan_api::DynKind;
use drplan_api::Hazard;
use drplan_api::Json;
use drplan_api::Looked;
use drplan_api::Planned;
use drplan_api::RawWant;

use crate::eyes::Eyes;
use crate::eyes::and_run_store;
use crate::graph::STEP_TIMEOUT;
use crate::plan::Do;
use crate::plan::Head;
use crate::plan::Plan;
use crate::plan::Policy;
use crate::plan::Step;
use crate::plan::Sure;
use crate::plan::TargetPin;

/// A plan to end what was left behind, and what could not be looked at.
#[derive(Debug)]
pub struct Release {
    /// The plan.
    pub plan: Plan,
    /// Connections that were not reached, and why.
    pub unseen: Vec<(String, String)>,
}

/// Makes the plan, from one that was just made from the spec: it knows the connections. Nothing of what
/// else that plan would do is in this one.
pub async fn release(plan: &Plan, eyes: &Eyes<'_>) -> Release {
    let (mut steps, mut targets, mut unseen) = (Vec::new(), Vec::new(), Vec::new());
    for kind in eyes.registry.resources() {
        let Some(args) = kind.ends_all() else {
            continue;
        };
        for pin in &plan.targets {
            let Some(want) = want(plan, kind, pin, &args) else {
                continue;
            };
            if let Some(why) = out_of_reach(pin) {
                unseen.push((pin.conn.to_string(), why));
                continue;
            }
            match eyes.look(plan, kind, &want, false, &mut targets).await {
                Ok(looked) => steps.push(step(kind, want, looked)),
                Err(why) => unseen.push((pin.conn.to_string(), why)),
            }
        }
    }
    and_run_store(plan, &mut targets);
    let kinds = eyes.registry.resources().map(|kind| kind.def());
    let used = |name: &str| steps.iter().any(|s: &Step| s.kind == name);
    let kinds = kinds.filter(|def| used(def.name));
    let head = Head {
        incident_at: None,
        hypothesis: None,
        partial: None,
        policy: Policy::default(),
        points: BTreeMap::new(),
        accept: Vec::new(),
        redo: Vec::new(),
        rpo_s: None,
        rto_s: None,
        kinds: kinds.map(|d| (d.name.to_owned(), d.op_version)).collect(),
        releases: true,
        ..plan.head.clone()
    };
    let plan = Plan {
        head,
        targets,
        exprs: plan.exprs.clone(),
        steps,
        // What one connection was left with has nothing to do with another.
        edges: Vec::new(),
        points: Vec::new(),
        findings: Vec::new(),
        forecast: None,
        outputs: BTreeMap::new(),
    };
    Release { plan, unseen }
}

/// The resource that ends all on a connection, if the kind has its one role there.
fn want(plan: &Plan, kind: &Arc<dyn DynKind>, pin: &TargetPin, args: &Json) -> Option<RawWant> {
    let (system, name) = pin.conn.as_str().split_once('.')?;
    let [(role, of)] = kind.def().roles else {
        return None;
    };
    (*of == system).then(|| RawWant {
        address: Address::new(format!("{}.{name}", kind.def().name)),
        recovery: plan.head.recovery.clone(),
        args: args.clone(),
        roles: BTreeMap::from([((*role).to_owned(), pin.conn.clone())]),
    })
}

fn out_of_reach(pin: &TargetPin) -> Option<String> {
    match (&pin.lost, &pin.identity) {
        (Some(domain), _) => Some(format!("it is declared lost with `{domain}`")),
        (None, None) => Some("it is not there yet, or does not answer".to_owned()),
        (None, Some(_)) => None,
    }
}

fn step(kind: &Arc<dyn DynKind>, want: RawWant, looked: Looked) -> Step {
    let unreadable = looked.present.is_err();
    let (what, because, diff, hazard) = match looked.planned {
        Planned::Step(p) => {
            let p = *p;
            let what = Do::Act {
                action: p.action,
                op: p.op,
                effects: p.effects,
                binding: p.binding,
            };
            (what, p.because, p.diff, p.hazard)
        }
        Planned::Nothing(because) => (Do::Nothing, because, Vec::new(), Hazard::none()),
        Planned::Conflict(because, changes) => (Do::Conflict, because, changes, Hazard::none()),
        Planned::Blocked(because) | Planned::Gate { because, .. } => (
            Do::Blocked { unreadable },
            because,
            Vec::new(),
            Hazard::none(),
        ),
    };
    Step {
        address: want.address.clone(),
        at: None,
        kind: kind.def().name.to_owned(),
        stage: kind.def().stage,
        wave: 0,
        what,
        because: because.to_string(),
        diff,
        hazard,
        sure: Sure::Exact,
        breakdown: looked.notes.breakdown,
        warnings: looked.notes.warnings,
        manual: looked.notes.manual,
        want: Some(want),
        outputs: looked.outputs,
        expected: None,
        timeout_s: STEP_TIMEOUT.as_secs(),
        best_effort: false,
        guards: Vec::new(),
        cutover: false,
        leaves: None,
    }
}
