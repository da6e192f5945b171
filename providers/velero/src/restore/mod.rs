//! `velero_restore`: what is missing of a backup, brought back and proven object by object.

mod act;
mod body;
mod decide;
mod judge;
mod kinds;
mod listed;
mod look;
mod modifier;
mod modify;
mod name;
mod pause;
mod phase;
mod plugin;
mod prove;
mod select;
mod show;
mod spec;
mod swap;
#[cfg(test)]
mod tests;
mod wait;
mod wires;
mod work;

use std::collections::BTreeSet;

use drplan_api::Action;
use drplan_api::Change;
use drplan_api::Def;
use drplan_api::Effect;
use drplan_api::Given;
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
use drplan_api::Right;
use drplan_api::Room;
use drplan_api::Seen;
use drplan_api::Slots;
use drplan_api::View;
use drplan_api::Want;
use drplan_api::Wires;
use drplan_kubernetes::NAME_FORM;
use drplan_kubernetes::NAMESPACE_FORM;
use drplan_kubernetes::is_namespace_name;
use drplan_kubernetes::is_object_name;
use drplan_kubernetes::object_name;
use drplan_kubernetes::word;
use serde_json::json;

use self::decide::Decision;
use self::decide::Known;
use self::decide::Verdict;
use self::judge::Presence;
use self::look::State;
use self::name::Names;
use self::select::Sort;
use self::spec::BUCKET;
use self::spec::CLUSTER;
use self::spec::Existing;
use self::spec::Op;
use self::spec::Spec;
use self::spec::Volumes;
use self::work::Work;
use self::work::adopted;
use self::work::fresh;
use self::work::obstacle;
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

    /// Velero carries out one Restore after the other.
    fn slots(&self) -> Option<Slots> {
        Some(Slots {
            role: CLUSTER,
            max: 1,
        })
    }

    fn check(&self, given: &mut Given<'_>) {
        let (namespace, form) = ("name of a namespace", NAMESPACE_FORM);
        given.each_is("namespaces", is_namespace_name, namespace, form);
        given.each_is("exclude_namespaces", is_namespace_name, namespace, form);
        given.pairs_are("namespace_map", is_namespace_name, namespace, form);
        given.is("location", is_object_name, "name of a location", NAME_FORM);
        for argument in ["kinds", "exclude_kinds"] {
            kinds::check(argument, given);
        }
        swap::check(given);
        word::check("born_paused", given);
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

    fn demand(&self, _: &Want<Spec>, seen: &Seen<State>) -> Option<(&'static str, Room)> {
        let Seen::Present(state) = seen else {
            return None;
        };
        let both = state.index.items.iter().zip(&state.judgement.judged);
        let missing = both
            .filter(|(_, one)| one.sort == Sort::Restorable && one.presence == Presence::Missing);
        Some((CLUSTER, missing.map(|(item, _)| item.facts.room).sum()))
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
            let because = format!("Restore `{name}` of this step has not ended");
            let decision = decide(want, state, cx.accept_overwrite);
            let work = adopted(want, state, &decision, name, body);
            return step(want, state, &decision, work, because);
        }
        let decision = decide(want, state, cx.accept_overwrite);
        if decision.groups.is_empty() {
            return match state.modifiers.is_empty() {
                true => Planned::Nothing(show::nothing(state, &decision).into()),
                false => tidy(want, state),
            };
        }
        if !decision.conflicts.is_empty() && !cx.accept_overwrite && decision.going.is_empty() {
            return conflict(state, &decision);
        }
        let work = fresh(want, state, &decision, cx.accept_overwrite);
        if let Some(why) = obstacle(want, state, &decision, &work) {
            return Planned::Blocked(why.into());
        }
        let because = show::because(want, state, &decision);
        step(want, state, &decision, work, because)
    }

    fn outputs(&self, want: &Want<Spec>, seen: &Seen<State>) -> Json {
        let Seen::Present(state) = seen else {
            return json!({});
        };
        let decision = decide(want, state, false);
        if let Some((name, _)) = &state.running {
            return json!({"name": name});
        }
        if !decision.groups.is_empty() {
            let names = Names::of(&want.address);
            return json!({"name": names.name(&want.hash, state.attempt)});
        }
        // Where everything stands is known only when nothing is going to change it.
        json!({
            "objects": show::objects(want, state, &decision),
            "volumes": show::volumes(want, state, &decision),
        })
    }

    /// What it waits for and proves with, beside the objects that it restores.
    fn rights(&self, want: &Want<Spec>) -> Vec<(&'static str, Right)> {
        let read = [
            objects::locations(),
            objects::backups(),
            objects::restores(),
            objects::volume_backups(),
            objects::volume_restores(),
            objects::volume_downloads(),
            objects::config_maps(),
        ];
        let list = |of: &drplan_kubernetes::asks::TypeRef| {
            Right::new("list", of.full_name()).within(Some(VELERO_NAMESPACE))
        };
        // What each Restore did lies beside the backups.
        let place = want.spec.backup.place();
        let told = drplan_s3::to_read(&place.bucket, &place.folder("restores"));
        let told = told.into_iter().map(|right| (BUCKET, right));
        read.iter()
            .map(|of| (CLUSTER, list(of)))
            .chain(told)
            .collect()
    }

    fn notes(&self, cx: &PlanCx, want: &Want<Spec>, seen: &Seen<State>) -> Notes {
        let Seen::Present(state) = seen else {
            return Notes::default();
        };
        let decision = decide(want, state, cx.accept_overwrite);
        let work = fresh(want, state, &decision, cx.accept_overwrite);
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
        for word in pause::unknown(&state.index, &want.spec) {
            warnings.push(format!(
                "the backup holds nothing that `born_paused` means by `{word}`"
            ));
        }
        warnings.extend(show::paused(want, state, &decision));
        let restores = work.restores.iter();
        let mut manual: Vec<String> = restores
            .map(|planned| body::command(&planned.name, &planned.body))
            .collect();
        if let Some(modifier) = &work.modifier {
            let [make, remove] = modifier.commands(&want.recovery);
            manual.insert(0, make);
            manual.push(remove);
        }
        Notes {
            manual,
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
    work: Work,
    because: String,
) -> Planned<Op> {
    let Work {
        restores,
        modifier,
        leftovers,
    } = work;
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
    effects.extend(modifier.iter().map(|modifier| Effect {
        verb: "create".to_owned(),
        object: config_map(&modifier.name),
        repeat: Repeat::Named,
        inverse: None,
    }));
    effects.extend(restores.iter().map(|planned| Effect {
        verb: "create".to_owned(),
        object: object(&of, &planned.name),
        repeat: Repeat::Named,
        inverse: None,
    }));
    let made = modifier.iter().map(|m| m.name.as_str());
    effects.extend(
        made.chain(leftovers.iter().map(String::as_str))
            .map(removal),
    );
    let mut diff = show::changes(want, state, decision);
    diff.extend(leftovers.iter().map(|name| gone(name)));
    let overwrites = restores
        .iter()
        .any(|r| r.body["existingResourcePolicy"] == "update");
    let updates = decision.verdicts.contains(&Verdict::Update);
    let only_updates = updates && !decision.verdicts.contains(&Verdict::Wanted);
    let mut binding = serde_json::Map::new();
    // With a blank, so that it is the name of no namespace and of no group.
    let pin = json!([backup, want.spec.backup.uid]);
    binding.insert("the backup".to_owned(), pin);
    for planned in &restores {
        // The name counts attempts, so it moves while this very step makes progress.
        let value = json!({"kinds": planned.group.kinds, "update": overwrites});
        binding.insert(planned.group.title(), value);
    }
    Planned::Step(Box::new(Proposal {
        action: if only_updates {
            Action::Update
        } else {
            Action::Restore
        },
        because: because.into(),
        diff,
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
        binding: Json::Object(binding),
        op: Op {
            spec: want.spec.clone(),
            hash: want.hash.clone(),
            roles: want.roles.clone(),
            restores,
            modifier,
            leftovers,
        },
    }))
}

/// Removes what an earlier run of this step left behind.
fn tidy(want: &Want<Spec>, state: &State) -> Planned<Op> {
    let because = "what it restores is there; rules of an earlier run of this step are left over";
    Planned::Step(Box::new(Proposal {
        action: Action::Delete,
        because: because.into(),
        diff: state.modifiers.iter().map(|name| gone(name)).collect(),
        hazard: Hazard::none(),
        effects: state.modifiers.iter().map(|name| removal(name)).collect(),
        binding: json!({"left_over": state.modifiers}),
        op: Op {
            spec: want.spec.clone(),
            hash: want.hash.clone(),
            roles: want.roles.clone(),
            restores: Vec::new(),
            modifier: None,
            leftovers: state.modifiers.clone(),
        },
    }))
}

fn config_map(name: &str) -> String {
    let of = objects::config_maps();
    object_name(&of.group, &of.plural, Some(VELERO_NAMESPACE), name)
}

/// The line by which a plan shows that rules of an earlier run are removed.
fn gone(name: &str) -> Change {
    Change {
        path: config_map(name),
        before: Some("rules of an earlier run of this step".into()),
        after: None,
        sensitive: false,
        text: None,
    }
}

fn removal(name: &str) -> Effect {
    Effect {
        verb: "delete".to_owned(),
        object: config_map(name),
        repeat: Repeat::Converge,
        inverse: None,
    }
}
