//! `velero_restore`: what is missing of a backup, brought back and proven object by object.

mod act;
mod decide;
mod judge;
mod look;
mod name;
mod phase;
mod prove;
mod select;
mod show;
mod spec;
#[cfg(test)]
mod tests;
mod wires;

use std::collections::BTreeSet;

use drplan_api::Action;
use drplan_api::Change;
use drplan_api::Def;
use drplan_api::Effect;
use drplan_api::Hazard;
use drplan_api::Json;
use drplan_api::Kind;
use drplan_api::Lack;
use drplan_api::Notes;
use drplan_api::Pending;
use drplan_api::PlanCx;
use drplan_api::Planned;
use drplan_api::Proposal;
use drplan_api::Repeat;
use drplan_api::Seen;
use drplan_api::View;
use drplan_api::Want;
use drplan_api::Wires;
use drplan_kubernetes::object_name;
use serde_json::json;

use self::decide::Decision;
use self::decide::Known;
use self::decide::Verdict;
use self::look::State;
use self::name::Names;
use self::select::Sort;
use self::spec::BUCKET;
use self::spec::CLUSTER;
use self::spec::Existing;
use self::spec::Op;
use self::spec::Spec;
use self::spec::Volumes;
use crate::index::Item;
use crate::nearest::nearest;
use crate::objects;
use crate::objects::VELERO_NAMESPACE;

/// The kind `velero_restore`.
pub struct VeleroRestore;

impl Kind for VeleroRestore {
    type Spec = Spec;
    type State = State;
    type Op = Op;

    fn def(&self) -> Def {
        spec::def()
    }

    fn observe(&self, want: &Want<Spec>, view: &View<'_>) -> Result<Seen<State>, Pending> {
        if let Some(lack) = Lack::of(view.target(want.conn(BUCKET))?) {
            return Ok(Seen::Absent(lack));
        }
        if let Some(lost @ Lack::Lost { .. }) = Lack::of(view.target(want.conn(CLUSTER))?) {
            return Ok(Seen::Absent(lost));
        }
        Ok(match look::look(want, view)? {
            Ok(state) => Seen::Present(state),
            Err(error) => Seen::Unreadable(error),
        })
    }

    fn wires(&self, want: &Want<Spec>, view: &View<'_>) -> Wires {
        wires::wires(want, view)
    }

    fn plan(&self, cx: &PlanCx, want: &Want<Spec>, seen: &Seen<State>) -> Planned<Op> {
        let state = match seen {
            Seen::Present(state) => state,
            Seen::Absent(Lack::Lost { domain }) => {
                let because = format!(
                    "the cluster or the bucket that holds the backup is declared lost with \
                     `{domain}`, and nothing is restored from or to what is lost"
                );
                return Planned::Blocked(because.into());
            }
            Seen::Absent(_) => {
                return Planned::Blocked("the bucket that holds the backup is not there".into());
            }
            Seen::Unreadable(error) => return Planned::Blocked(error.to_string().into()),
        };
        if let Some(why) = mistaken(want) {
            return Planned::Blocked(why.into());
        }
        if let Some((name, body)) = &state.running {
            let planned = spec::Planned {
                name: name.clone(),
                group: decide::group_of(body),
                body: body.clone(),
            };
            let because = format!("Restore `{name}` of this step has not ended");
            let decision = decide(want, state, cx.accept_overwrite);
            return step(want, state, &decision, vec![planned], because);
        }
        let decision = decide(want, state, cx.accept_overwrite);
        if decision.groups.is_empty() {
            return Planned::Nothing(show::nothing(state, &decision).into());
        }
        if !decision.going.is_empty() {
            let because = format!(
                "{} still being deleted; plan again when that is done",
                show::namespaces(decision.going.iter().map(String::as_str))
            );
            return Planned::Blocked(because.into());
        }
        if !decision.conflicts.is_empty() && !cx.accept_overwrite {
            return conflict(state, &decision);
        }
        if !decision.dataless.is_empty() && want.spec.volumes == Volumes::Required {
            return Planned::Blocked(
                format!(
                    "the backup does not hold the data of claim {}; set `volumes = \"best_effort\"` \
                     to restore without it",
                    decision.dataless.join(", ")
                )
                .into(),
            );
        }
        if !decision.swept.is_empty() {
            let titles = decision.swept.iter().map(|&i| state.index.items[i].title());
            let because = format!(
                "Velero overwrites all or nothing, and would also set back {}; set `existing = \
                 \"update\"` to want that, or move away what is in the way",
                show::some(titles)
            );
            return Planned::Blocked(because.into());
        }
        if want.spec.volumes != Volumes::None
            && let Some((claim, kind)) = decide::cut_off(&state.index, &want.spec, &decision)
        {
            let because = format!(
                "the data of claim `{claim}` comes back only with its pod and its volume, and `{kind}` \
                 is left out; let `kinds` and `exclude_kinds` include it, or set `volumes = \"none\"`"
            );
            return Planned::Blocked(because.into());
        }
        let overwrite = !decision.conflicts.is_empty();
        let names = Names::of(&want.address);
        let mut restores = Vec::new();
        for (group, attempt) in decision.groups.iter().zip(state.attempt..) {
            restores.push(spec::Planned {
                name: names.name(&want.hash, attempt),
                body: decide::body(group, &state.index, &want.spec, overwrite),
                group: group.clone(),
            });
        }
        step(
            want,
            state,
            &decision,
            restores,
            show::because(want, state, &decision),
        )
    }

    fn outputs(&self, want: &Want<Spec>, seen: &Seen<State>) -> Json {
        let Seen::Present(state) = seen else {
            return json!({});
        };
        let selected = state.judgement.judged.iter();
        let objects = selected.filter(|j| j.sort != Sort::Unselected).count();
        let mut out = json!({ "objects": objects });
        if let Some((name, _)) = &state.running {
            out["name"] = name.as_str().into();
        } else if !decide(want, state, false).groups.is_empty() {
            let names = Names::of(&want.address);
            out["name"] = names.name(&want.hash, state.attempt).into();
        }
        out
    }

    fn notes(&self, cx: &PlanCx, want: &Want<Spec>, seen: &Seen<State>) -> Notes {
        let Seen::Present(state) = seen else {
            return Notes::default();
        };
        let decision = decide(want, state, cx.accept_overwrite);
        let overwrite = cx.accept_overwrite && !decision.conflicts.is_empty();
        let names = Names::of(&want.address);
        let commands = decision.groups.iter().zip(state.attempt..);
        let mut warnings = Vec::new();
        for word in select::unknown_kinds(&state.index.items, &want.spec.kinds) {
            let known: BTreeSet<&str> = state.index.items.iter().map(|i| &*i.resource).collect();
            let near = nearest("kind", word, known.into_iter());
            warnings.push(format!("the backup holds no `{word}`; {near}"));
        }
        if want.spec.volumes == Volumes::BestEffort && !decision.dataless.is_empty() {
            warnings.push(format!(
                "the backup does not hold the data of claim {}, which comes back empty",
                decision.dataless.join(", ")
            ));
        }
        Notes {
            manual: commands
                .map(|(group, attempt)| {
                    let body = decide::body(group, &state.index, &want.spec, overwrite);
                    decide::command(&names.name(&want.hash, attempt), &body)
                })
                .collect(),
            points: Vec::new(),
            breakdown: Some(show::breakdown(want, state, &decision)),
            warnings,
        }
    }
}

/// Says what is wrong with the arguments, as far as only the backup can show it.
fn mistaken(want: &Want<Spec>) -> Option<String> {
    let (bucket, backup) = (want.conn(BUCKET), &want.spec.backup);
    if *bucket != backup.conn {
        return Some(format!(
            "backup `{}` was read through `{}`, but the bucket of this restore is `{bucket}`; set \
             `providers = {{ bucket = {} }}`",
            backup.name, backup.conn, backup.conn
        ));
    }
    let unknown = want
        .spec
        .namespaces
        .iter()
        .find(|n| !backup.namespaces.contains(n))?;
    let known = backup.namespaces.iter().map(String::as_str);
    Some(format!(
        "backup `{}` holds no namespace `{unknown}`; {}",
        backup.name,
        nearest("namespace", unknown, known)
    ))
}

fn decide(want: &Want<Spec>, state: &State, accepts: bool) -> Decision {
    let was_restored = |restores: &BTreeSet<String>, item: &Item| {
        let title = look::target_title(item, &want.spec);
        let lists = restores.iter().filter_map(|name| state.restored.get(name));
        lists.into_iter().any(|list| list.contains(&title))
    };
    let known = Known {
        differs: &|i| state.diffs.contains_key(&i),
        was_restored: &was_restored,
        accepts,
    };
    decide::decide(&state.index, &want.spec, &state.judgement, &known)
}

fn conflict(state: &State, decision: &Decision) -> Planned<Op> {
    let change = |&i: &usize| Change {
        path: state.index.items[i].title(),
        before: Some("holds data that did not come from this recovery".into()),
        after: None,
        sensitive: false,
        text: state.diffs.get(&i).cloned().flatten(),
    };
    let changes: Vec<Change> = decision.conflicts.iter().map(change).collect();
    let because = format!(
        "data that did not come from this recovery is where the backup would be restored: {}",
        show::some(changes.iter().map(|c| c.path.clone()))
    );
    Planned::Conflict(because.into(), changes)
}

fn step(
    want: &Want<Spec>,
    state: &State,
    decision: &Decision,
    restores: Vec<spec::Planned>,
    because: String,
) -> Planned<Op> {
    let (backups, of) = (objects::backups(), objects::restores());
    let backup = &want.spec.backup.name;
    let object = |of: &drplan_kubernetes::asks::TypeRef, name: &str| {
        object_name(&of.group, &of.plural, Some(VELERO_NAMESPACE), name)
    };
    let mut effects = vec![Effect {
        verb: "wait".to_owned(),
        object: object(&backups, backup),
        repeat: Repeat::Converge,
        inverse: None,
    }];
    effects.extend(restores.iter().map(|planned| Effect {
        verb: "create".to_owned(),
        object: object(&of, &planned.name),
        repeat: Repeat::Named,
        inverse: None,
    }));
    let overwrites = restores
        .iter()
        .any(|r| r.body["existingResourcePolicy"] == "update");
    let updates = decision.verdicts.contains(&Verdict::Update);
    let only_updates = updates && !decision.verdicts.contains(&Verdict::Wanted);
    let groups: Vec<Json> = restores
        .iter()
        // The name counts attempts, so it moves while this very step makes progress.
        .map(|r| json!({"group": r.group, "update": overwrites}))
        .collect();
    Planned::Step(Box::new(Proposal {
        action: if only_updates {
            Action::Update
        } else {
            Action::Restore
        },
        because: because.into(),
        diff: show::changes(want, state, decision),
        hazard: match (overwrites, want.spec.existing) {
            (false, _) => Hazard::none(),
            (true, Existing::Update) => Hazard::reversible(
                "objects that differ are set back to the backup; the plan shows what they hold now",
            ),
            (true, Existing::Keep) => Hazard::irreversible(
                "objects of somebody else are overwritten, as was accepted for this step",
            ),
        },
        effects,
        binding: json!({"backup": want.spec.backup.uid, "name": backup, "restores": groups}),
        op: Op {
            spec: want.spec.clone(),
            hash: want.hash.clone(),
            roles: want.roles.clone(),
            restores,
        },
    }))
}
