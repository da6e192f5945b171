//! What a decision means in objects: Restores, the rules that they need, and what stands in their way.
//!
//! Pure.

use drplan_api::Json;
use drplan_api::Timestamp;
use drplan_api::Want;
use drplan_kubernetes::mark::Pauser;

use super::body;
use super::body::Group;
use super::decide;
use super::decide::Decision;
use super::decide::Verdict;
use super::look::State;
use super::modifier;
use super::modifier::Modifier;
use super::modifier::Rule;
use super::name::Names;
use super::pause;
use super::plugin;
use super::show;
use super::spec;
use super::spec::Existing;
use super::spec::Spec;
use super::spec::Volumes;

/// As long as the id of a run can be.
const RUN_LONG: &str = "20260105T031000.000Z-0a1b";

/// What a step makes, and what it takes away.
pub(super) struct Work {
    pub(super) restores: Vec<spec::Planned>,
    pub(super) modifier: Option<Modifier>,
    pub(super) leftovers: Vec<String>,
}

/// The Restores that a decision asks for, with the rules that they need.
pub(super) fn fresh(want: &Want<Spec>, state: &State, decision: &Decision, accepts: bool) -> Work {
    let overwrite = accepts && !decision.conflicts.is_empty();
    let names = Names::of(&want.address);
    let rules = rules(want, state, decision, &decision.groups);
    let modifier = Modifier::new(&names.name(&want.hash, state.attempt), rules);
    let rules_in = modifier.as_ref().map(|m| m.name.as_str());
    let groups = decision.groups.iter().zip(state.attempt..);
    let restores = groups
        .map(|(group, attempt)| spec::Planned {
            name: names.name(&want.hash, attempt),
            body: body::body(group, &state.index, &want.spec, overwrite, rules_in),
            group: group.clone(),
        })
        .collect();
    Work {
        restores,
        leftovers: leftovers(state, rules_in),
        modifier,
    }
}

/// A Restore that runs already, with the rules that it names.
pub(super) fn adopted(
    want: &Want<Spec>,
    state: &State,
    decision: &Decision,
    name: &str,
    body: &Json,
) -> Work {
    let group = body::group_of(body);
    let rules_in = body["resourceModifier"]["name"].as_str();
    let modifier = rules_in.map(|name| Modifier {
        name: name.to_owned(),
        rules: rules(want, state, decision, std::slice::from_ref(&group)),
    });
    Work {
        restores: vec![spec::Planned {
            name: name.to_owned(),
            body: body.clone(),
            group,
        }],
        leftovers: leftovers(state, rules_in),
        modifier,
    }
}

fn leftovers(state: &State, in_use: Option<&str>) -> Vec<String> {
    let names = state.modifiers.iter();
    names
        .filter(|name| Some(name.as_str()) != in_use)
        .cloned()
        .collect()
}

fn rules(want: &Want<Spec>, state: &State, decision: &Decision, groups: &[Group]) -> Vec<Rule> {
    let (index, judgement) = (&state.index, &state.judgement);
    modifier::rules(
        index,
        &want.spec,
        judgement,
        groups.iter(),
        &decision.paused,
    )
}

/// What lives paused by an earlier restore and would be overwritten with its backup, which runs.
fn released(state: &State, spec: &Spec, decision: &Decision) -> Vec<String> {
    let overwrites =
        spec.existing == Existing::Update || decision.verdicts.contains(&Verdict::Update);
    if !overwrites {
        return Vec::new();
    }
    let covered = |i: &&usize| {
        let item = &state.index.items[**i];
        decision.verdicts[**i] == Verdict::Leave && decision.groups.iter().any(|g| g.covers(item))
    };
    let paused = state.marked.iter().filter(covered);
    paused.map(|&i| state.index.items[i].title()).collect()
}

/// Says why what was decided cannot be done now.
pub(super) fn obstacle(
    want: &Want<Spec>,
    state: &State,
    decision: &Decision,
    work: &Work,
) -> Option<String> {
    let (index, spec) = (&state.index, &want.spec);
    if !decision.going.is_empty() {
        return Some(format!(
            "{} still being deleted; plan again when that is done",
            show::namespaces(decision.going.iter().map(String::as_str))
        ));
    }
    if !decision.dataless.is_empty() && spec.volumes == Volumes::Required {
        return Some(format!(
            "the backup does not hold the data of claim {}; set `volumes = \"best_effort\"` to restore \
             without it",
            decision.dataless.join(", ")
        ));
    }
    if !decision.swept.is_empty() {
        let titles = decision.swept.iter().map(|&i| index.items[i].title());
        return Some(format!(
            "Velero overwrites all or nothing, and would also set back {}; set `existing = \"update\"` \
             to want that, or move away what is in the way",
            show::some(titles)
        ));
    }
    let released = released(state, spec, decision);
    if !released.is_empty() {
        return Some(format!(
            "Velero overwrites all or nothing, and would set {} going, which is paused since its restore; \
             release it first, or set `existing = \"keep\"`",
            show::some(released.into_iter())
        ));
    }
    if spec.volumes != Volumes::None {
        if let Some((claim, kind)) = decide::cut_off(index, spec, decision) {
            return Some(format!(
                "the data of claim `{claim}` comes back only with its pod and its volume, and `{kind}` \
                 is left out; let `kinds` and `exclude_kinds` include it, or set `volumes = \"none\"`"
            ));
        }
        let starved = pause::starved(index, spec, &decision.verdicts, &decision.paused);
        if let Some((claim, pod)) = starved {
            return Some(format!(
                "the data of claim `{claim}` comes back only through pod `{pod}`, which `born_paused` \
                 would hold back; leave its owner out of `born_paused`, or set `volumes = \"none\"`"
            ));
        }
    }
    if let Some(modifier) = &work.modifier {
        // The rules are written when the step runs; then they are as long as these.
        let by = Pauser {
            recovery: &want.recovery,
            run: RUN_LONG,
            until: Some(Timestamp::UNIX_EPOCH),
        };
        let bytes = modifier.text(by).len();
        if bytes > modifier::RULES_BYTES_MAX {
            return Some(format!(
                "the rules for `storage_class_map`, `image_map` and `born_paused` take {bytes} bytes, \
                 and a ConfigMap holds {}; restore fewer `namespaces` in one step",
                modifier::RULES_BYTES_MAX
            ));
        }
    }
    let groups = decision.groups.iter();
    plugin::contradiction(&state.plugins, index, spec, &state.judgement, groups)
}
