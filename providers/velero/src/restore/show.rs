//! What a restore says about itself: counts, objects, reasons.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Breakdown;
use drplan_api::Change;
use drplan_api::Json;
use drplan_api::ObjectLine;
use drplan_api::Want;
use serde_json::Map;
use serde_json::json;

use super::decide::Decision;
use super::decide::Verdict;
use super::judge::Ground;
use super::judge::Presence;
use super::look::State;
use super::select::Sort;
use super::spec::Spec;
use crate::backup::Volume;
use drplan_kubernetes::mark;

/// How many names stand in one sentence.
const NAMES_MAX: usize = 4;

const ALIVE: &str = "alive";
const OURS: &str = "restored";
const FOREIGN: &str = "there, from elsewhere";
const CONTROLLERS: &str = "made again by controllers";
const MISSING: &str = "missing";
const DELETED: &str = "deleted since the backup";
const NEVER: &str = "never restored";
const OWN: &str = "the cluster's own";
const CLASSES: [&str; 8] = [
    ALIVE,
    OURS,
    FOREIGN,
    CONTROLLERS,
    MISSING,
    DELETED,
    NEVER,
    OWN,
];

fn class(state: &State, decision: &Decision, i: usize) -> Option<&'static str> {
    let one = &state.judgement.judged[i];
    Some(match (&one.sort, one.presence) {
        (Sort::Unselected, _) => return None,
        (Sort::ClustersOwn, _) => OWN,
        (Sort::Never(_), _) => NEVER,
        (_, Presence::Alive) => ALIVE,
        (_, Presence::Ours) => OURS,
        (Sort::Controllers(_), _) => CONTROLLERS,
        (Sort::Restorable, Presence::Foreign) => FOREIGN,
        (Sort::Restorable, Presence::Missing) => match decision.verdicts[i] {
            Verdict::Deleted => DELETED,
            _ => MISSING,
        },
    })
}

/// The word for a class where programs read it.
fn word(class: &str) -> &'static str {
    match class {
        ALIVE => "alive",
        OURS => "restored",
        FOREIGN => "foreign",
        CONTROLLERS => "controllers",
        DELETED => "deleted",
        _ => "missing",
    }
}

/// The state of each selected object that a restore can be about, by `v1/Secret/shop/db`, the name under
/// which it comes back.
pub(crate) fn objects(want: &Want<Spec>, state: &State, decision: &Decision) -> Json {
    let each = state.index.items.iter().enumerate();
    let is_about = |class: &&str| !matches!(*class, NEVER | OWN);
    each.filter_map(|(i, item)| {
        let class = class(state, decision, i).filter(is_about)?;
        let title = super::look::target_title(item, &want.spec).replacen(' ', "/", 1);
        Some((title, word(class).into()))
    })
    .collect::<Map<String, Json>>()
    .into()
}

/// How the data of each selected claim was saved and where the claim stands, by `shop/data`.
pub(crate) fn volumes(want: &Want<Spec>, state: &State, decision: &Decision) -> Json {
    let saved: BTreeMap<(&str, &str), &Volume> = want
        .spec
        .backup
        .volumes
        .iter()
        .map(|v| ((&*v.namespace, &*v.claim), v))
        .collect();
    let each = state.index.items.iter().enumerate();
    each.filter(|(_, item)| item.is_claim())
        .filter_map(|(i, item)| {
            let volume = saved.get(&(&*item.namespace, &*item.name));
            let method = volume.map(|v| v.method.as_str()).filter(|m| !m.is_empty());
            let about = json!({
                "method": method.unwrap_or("none"),
                "state": word(class(state, decision, i)?),
                "missing": volume.and_then(|v| v.missing.as_deref()),
            });
            let name = format!("{}/{}", want.spec.target(&item.namespace), item.name);
            Some((name, about))
        })
        .collect::<Map<String, Json>>()
        .into()
}

/// What is to be known about what comes back paused, and what was paused when it was backed up.
pub(crate) fn paused(want: &Want<Spec>, state: &State, decision: &Decision) -> Vec<String> {
    let title = |i: usize| super::look::target_title(&state.index.items[i], &want.spec);
    let is_own = |i: &&usize| state.judgement.judged[**i].sort == Sort::Restorable;
    let own: Vec<String> = decision
        .paused
        .iter()
        .filter(is_own)
        .map(|&i| title(i))
        .collect();
    let mut out = Vec::new();
    if !own.is_empty() {
        out.push(format!(
            "{} born paused: {}; what it was before stands in its annotation `{}`, and it stays paused \
             until a `kubernetes_release` or `drplan release`",
            objects_are(own.len()),
            some(own.into_iter()),
            mark::PAUSED
        ));
    }
    for (i, item) in state.index.items.iter().enumerate() {
        if let Some(run) = &item.facts.paused_by
            && decision.verdicts[i] == Verdict::Wanted
            && !decision.paused.contains(&i)
        {
            out.push(format!(
                "{} was paused by {run} when it was backed up, and comes back running",
                title(i)
            ));
        }
    }
    out
}

/// Counts and lists what a backup consists of, by the names under which it comes back.
pub(crate) fn breakdown(want: &Want<Spec>, state: &State, decision: &Decision) -> Breakdown {
    let mut objects = Vec::new();
    let mut counts = CLASSES.map(|class| (class, 0u64));
    for (i, item) in state.index.items.iter().enumerate() {
        let Some(class) = class(state, decision, i) else {
            continue;
        };
        for count in counts.iter_mut().filter(|c| c.0 == class) {
            count.1 += 1;
        }
        objects.push(ObjectLine {
            name: super::look::target_title(item, &want.spec),
            class: class.to_owned(),
            note: note(want, state, decision, i),
            diff: state.diffs.get(&i).cloned().flatten(),
        });
    }
    Breakdown {
        headline: headline(want, state, decision, &counts),
        counts: counts
            .into_iter()
            .filter(|(_, n)| *n > 0)
            .map(|(class, n)| (class.to_owned(), n))
            .collect(),
        objects,
    }
}

fn headline(
    want: &Want<Spec>,
    state: &State,
    decision: &Decision,
    counts: &[(&'static str, u64)],
) -> String {
    let selected: u64 = counts.iter().map(|(_, n)| n).sum();
    let all = state.index.items.len() as u64;
    let mut out = if selected == all {
        format!("{} in the backup", count(all as usize, "object"))
    } else {
        format!(
            "{selected} of {} in the backup",
            count(all as usize, "object")
        )
    };
    // What is missing stands last, because its names follow.
    let said: Vec<String> = counts
        .iter()
        .filter(|(class, n)| *n > 0 && *class != MISSING)
        .chain(
            counts
                .iter()
                .filter(|(class, n)| *n > 0 && *class == MISSING),
        )
        .map(|(class, n)| format!("{n} {class}"))
        .collect();
    out.push_str(": ");
    out.push_str(&said.join(", "));
    let missing = (0..state.index.items.len())
        .filter(|&i| class(state, decision, i) == Some(MISSING))
        .map(|i| super::look::target_title(&state.index.items[i], &want.spec));
    let missing = some(missing);
    if !missing.is_empty() {
        out.push_str(": ");
        out.push_str(&missing);
    }
    if !state.diffs.is_empty() {
        out = format!("{out}; {} from the backup", differ(state.diffs.len()));
    }
    out
}

/// "1 differs", "2 differ".
pub(crate) fn differ(n: usize) -> String {
    if n == 1 {
        "1 differs".to_owned()
    } else {
        format!("{n} differ")
    }
}

fn note(want: &Want<Spec>, state: &State, decision: &Decision, i: usize) -> String {
    let one = &state.judgement.judged[i];
    let item = &state.index.items[i];
    match (&one.sort, decision.verdicts[i]) {
        (Sort::Never(why), _) => why.clone(),
        (Sort::Controllers(owner), _) => format!("by {owner}"),
        (_, Verdict::Wanted) => restored(want, state, decision, i),
        (_, Verdict::Update) => "is set back to the backup".to_owned(),
        (_, Verdict::Deleted) => "left alone; `scope = \"object\"` restores it".to_owned(),
        _ if decision.conflicts.contains(&i) => "in the way".to_owned(),
        _ if state.diffs.contains_key(&i) => {
            "differs and is left alone; `existing = \"update\"` sets it back".to_owned()
        }
        _ => match want.spec.target(&item.namespace) {
            target if target == item.namespace => String::new(),
            _ => format!("namespace `{}` in the backup", item.namespace),
        },
    }
}

fn restored(want: &Want<Spec>, state: &State, decision: &Decision, i: usize) -> String {
    let item = &state.index.items[i];
    let paused = decision.paused.contains(&i).then_some("paused".to_owned());
    let swaps = super::swap::swaps(item, &want.spec);
    let swaps: BTreeSet<String> = swaps
        .into_iter()
        .map(|(slot, new)| format!("`{new}` for `{}`", slot.name))
        .collect();
    let more: Vec<String> = paused.into_iter().chain(swaps).collect();
    match more.is_empty() {
        true => "is restored".to_owned(),
        false => format!("is restored, {}", more.join(", ")),
    }
}

/// Why nothing is to be done.
pub(crate) fn nothing(state: &State, decision: &Decision) -> String {
    let deleted = decision
        .verdicts
        .iter()
        .filter(|v| **v == Verdict::Deleted)
        .count();
    let mut out = "nothing that this backup holds is lost".to_owned();
    if deleted > 0 {
        out = format!(
            "{} deleted since the backup (left alone)",
            count(deleted, "object")
        );
    }
    if !state.diffs.is_empty() {
        out = format!("{out}; {} (left alone)", differ(state.diffs.len()));
    }
    out
}

/// Why something is to be done.
pub(crate) fn because(want: &Want<Spec>, state: &State, decision: &Decision) -> String {
    let grounds = &state.judgement.grounds;
    let absent: Vec<&str> = decision
        .groups
        .iter()
        .flat_map(|g| &g.namespaces)
        .map(|n| want.spec.target(n))
        .filter(|n| grounds.get(*n) == Some(&Ground::Absent))
        .collect();
    let wanted = decision
        .verdicts
        .iter()
        .filter(|v| **v == Verdict::Wanted)
        .count();
    let updated = decision
        .verdicts
        .iter()
        .filter(|v| **v == Verdict::Update)
        .count();
    let mut said = Vec::new();
    if state.is_ahead {
        said.push(format!(
            "the cluster is new: {} missing",
            objects_are(wanted)
        ));
    } else if !absent.is_empty() {
        said.push(format!("{} missing", namespaces(absent.into_iter())));
    } else if wanted > 0 {
        said.push(format!("{} missing", objects_are(wanted)));
    }
    if updated > 0 {
        said.push(format!("{} from the backup", differ(updated)));
    }
    said.join("; ")
}

fn objects_are(n: usize) -> String {
    let verb = if n == 1 { "is" } else { "are" };
    format!("{} {verb}", count(n, "object"))
}

/// One line for each object that is brought back or set back.
pub(crate) fn changes(want: &Want<Spec>, state: &State, decision: &Decision) -> Vec<Change> {
    let items = state.index.items.iter().enumerate();
    items
        .filter_map(|(i, item)| {
            let (before, after, text) = match decision.verdicts[i] {
                Verdict::Wanted if decision.paused.contains(&i) => {
                    (None, "as in the backup, paused", None)
                }
                Verdict::Wanted => (None, "as in the backup", None),
                Verdict::Update => (
                    Some("differs".into()),
                    "as in the backup",
                    state.diffs.get(&i).cloned().flatten(),
                ),
                _ => return None,
            };
            Some(Change {
                path: super::look::target_title(item, &want.spec),
                before,
                after: Some(after.into()),
                sensitive: false,
                text,
            })
        })
        .collect()
}

/// "3 objects", "1 object".
pub(crate) fn count(n: usize, noun: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{n} {noun}{s}")
}

/// "namespace `a` is", "namespaces `a`, `b` are".
pub(crate) fn namespaces<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|n| format!("`{n}`")).collect();
    match names.len() {
        1 => format!("namespace {} is", names[0]),
        _ => format!("namespaces {} are", names.join(", ")),
    }
}

/// The first names, and how many more there are.
pub(crate) fn some(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    let mut out = names
        .iter()
        .take(NAMES_MAX)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > NAMES_MAX {
        out = format!("{out} and {} more", names.len() - NAMES_MAX);
    }
    out
}

#[cfg(test)]
mod tests {
    use drplan_api::Address;

    use super::super::decide::Known;
    use super::super::decide::decide;
    use super::super::judge::World;
    use super::super::judge::judge;
    use super::super::tests::archived;
    use super::super::tests::names;
    use super::super::tests::spec;
    use super::*;
    use crate::index::Index;

    #[test]
    fn what_a_restore_is_about_has_the_names_under_which_it_comes_back() {
        let want = Want {
            address: Address::new("velero_restore.shop"),
            recovery: "drill".to_owned(),
            spec: spec(json!({"namespace_map": {"shop": "shop-copy"}})),
            hash: "0a1b2c3d".to_owned(),
            roles: BTreeMap::new(),
        };
        let index = Index {
            format: "1.1.0".to_owned(),
            items: vec![
                archived("configmaps", "shop", "a"),
                archived("namespaces", "", "shop"),
            ],
        };
        let judgement = judge(&index, &want.spec, &World::default(), &names());
        let known = Known {
            differs: &|_| false,
            was_restored: &|_, _| false,
            accepts: false,
        };
        let decision = decide(&index, &want.spec, &judgement, &known);
        let state = State {
            index,
            judgement,
            diffs: BTreeMap::new(),
            restored: BTreeMap::new(),
            attempt: 1,
            running: None,
            is_ahead: false,
            marked: BTreeSet::new(),
            unswapped: BTreeSet::new(),
            plugins: Vec::new(),
            modifiers: Vec::new(),
        };
        let shown = breakdown(&want, &state, &decision);
        let lines: Vec<&str> = shown.objects.iter().map(|line| &*line.name).collect();
        assert_eq!(lines, ["v1/X shop-copy/a", "v1/X shop-copy"]);
        let changed = changes(&want, &state, &decision);
        let paths: Vec<&str> = changed.iter().map(|change| &*change.path).collect();
        assert_eq!(lines, paths);
        assert!(
            shown.headline.contains("v1/X shop-copy/a"),
            "{}",
            shown.headline
        );
    }
}
