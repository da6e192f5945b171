//! At its start, apply decides again about every step that can be decided now; a decision that changed
//! makes the step stale, and it is refused before anything is begun.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Address;
use drplan_api::Facts;
use drplan_api::LookError;
use drplan_api::Planned;
use drplan_api::RawWant;
use drplan_api::Registry;
use drplan_api::TargetState;
use drplan_api::View;

use super::envelope::because_of;
use super::envelope::within;
use super::shared::Shared;
use crate::bind::settle;
use crate::outs::Outs;
use crate::plan::Do;
use crate::plan::Step;
use crate::plan::Sure;

/// How often kinds may come back for more answers.
const ROUNDS_MAX: usize = 16;

/// Returns the stale steps and what changed, and the true ones and why they are. All reads are shared: one list for each kind and target,
/// however many steps need it.
pub(crate) async fn stale(
    shared: &Shared,
    registry: &Registry,
    outs: &Outs,
) -> (BTreeMap<Address, String>, BTreeMap<Address, String>) {
    let mut facts = Facts::default();
    let (mut moved, mut seen) = (BTreeMap::new(), BTreeMap::new());
    let mut open: Vec<(&Step, RawWant)> = Vec::new();
    for step in shared.plan.steps.iter().filter(|s| can_be_decided(s)) {
        let Some(raw) = &step.want else { continue };
        let Ok(args) = settle(&raw.args, &shared.plan.exprs, outs) else {
            continue;
        };
        open.push((
            step,
            RawWant {
                args,
                ..raw.clone()
            },
        ));
    }
    let conns: BTreeSet<_> = open
        .iter()
        .flat_map(|(_, want)| want.roles.values().cloned())
        .collect();
    for conn in conns {
        match shared.target(&conn, outs).await {
            Ok(state) => {
                facts.targets.insert(conn, state);
            }
            Err(because) => {
                for (step, _) in open
                    .iter()
                    .filter(|(_, w)| w.roles.values().any(|c| *c == conn))
                {
                    moved.insert(step.address.clone(), because.clone());
                }
            }
        }
    }
    for _ in 0..ROUNDS_MAX {
        let mut queries = BTreeSet::new();
        let mut pending = Vec::new();
        for (step, want) in open {
            let ready = want.roles.values().all(|c| {
                matches!(
                    facts.targets.get(c),
                    Some(TargetState::Ready(_) | TargetState::Lost { .. })
                )
            });
            if !ready {
                // What cannot be read now is read again at its turn.
                continue;
            }
            let Some(kind) = kind_of(registry, step) else {
                continue;
            };
            let view = View::new(&facts);
            let looked = shared.looked(&*kind, &want, &view);
            match looked {
                Err(LookError::Pending) => {
                    queries.extend(view.missing().0);
                    pending.push((step, want));
                }
                Err(LookError::Decode(why)) => {
                    moved.insert(step.address.clone(), why);
                }
                Ok(looked) if looked.present.is_err() => {}
                Ok(looked) => {
                    if let Planned::Nothing(because) = &looked.planned {
                        seen.insert(step.address.clone(), because.to_string());
                    }
                    if let Some(because) = changed(step, &*kind, &looked.planned) {
                        moved.insert(step.address.clone(), because);
                    }
                }
            }
        }
        if pending.is_empty() {
            break;
        }
        shared.observer.fetch(queries, &mut facts).await;
        open = pending;
    }
    (moved, seen)
}

fn can_be_decided(step: &Step) -> bool {
    matches!(step.what, Do::Act { .. } | Do::Nothing)
        && step.sure == Sure::Exact
        && !step.address.is_data()
}

fn kind_of(registry: &Registry, step: &Step) -> Option<std::sync::Arc<dyn drplan_api::DynKind>> {
    registry.get_resource(&step.kind).cloned()
}

/// What changed about a decision, if it did. That something came true by itself is no reason to refuse.
fn changed(
    step: &Step,
    kind: &dyn drplan_api::DynKind,
    now: &Planned<drplan_api::Json>,
) -> Option<String> {
    match now {
        Planned::Nothing(_) => None,
        Planned::Step(proposal) => within(step, kind, proposal).err(),
        other if step.what == Do::Nothing => {
            Some(format!("it was true when planned: {}", because_of(other)))
        }
        other => Some(because_of(other)),
    }
}
