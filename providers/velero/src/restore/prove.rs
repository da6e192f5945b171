//! Proving a restore: what Velero says of each object, and then the objects themselves.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use drplan_api::Ask;
use drplan_api::Conn;
use drplan_api::ConnId;
use drplan_api::ErrorKind;
use drplan_api::Facts;
use drplan_api::Json;
use drplan_api::Proof;
use drplan_api::ProviderError;
use drplan_api::ReadCx;
use drplan_api::TargetId;
use drplan_api::TargetState;
use drplan_api::View;
use drplan_api::Want;

use super::act;
use super::judge::Presence;
use super::judge::target_place;
use super::listed;
use super::look;
use super::look::State;
use super::modifier::Rule;
use super::phase::Complaint;
use super::phase::errors;
use super::select::Sort;
use super::show;
use super::spec::Existing;
use super::spec::Op;
use super::spec::Spec;
use super::spec::Volumes;
use super::swap;
use crate::index::Item;
use crate::objects;
use crate::objects::text;

/// How often answers lead to further questions.
const ROUNDS_MAX: usize = 8;

/// What is claimed of Velero's own complaints.
const NO_COMPLAINT: &str = "Velero reports no error";
const COMPLAINT: &str = "Velero reports ";

/// Reads everything back.
pub(crate) async fn prove(cx: &ReadCx, op: &Op) -> Result<Proof, ProviderError> {
    let want = Want {
        address: cx.address.clone(),
        recovery: cx.recovery.clone(),
        spec: op.spec.clone(),
        hash: op.hash.clone(),
        roles: op.roles.clone(),
    };
    let state = read(cx, &want).await?;
    if op.restores.is_empty() {
        return Ok(tidied(&state, Proof::default(), op));
    }
    let mut proof = Proof::default();
    let mut names = BTreeSet::new();
    for (i, planned) in op.restores.iter().enumerate() {
        let current = act::current(cx, op, planned, i + 1).await?;
        let name = current
            .as_ref()
            .map_or(planned.name.as_str(), |r| text(&r["metadata"]["name"]));
        proof = said(cx, op, name, proof).await?;
        if op.spec.volumes != Volumes::None {
            let expected = expected(&state, &op.spec, name);
            proof = volumes(cx, name, expected, proof).await?;
        }
        names.insert(name.to_owned());
    }
    let proof = changed(&want, &state, op, &names, proof);
    let proof = tidied(&state, proof, op);
    Ok(there(&want, &state, op, &names, proof))
}

/// Whether what was to come back otherwise than it was backed up did so. Velero makes an object even
/// when a rule for it fails.
fn changed(
    want: &Want<Spec>,
    state: &State,
    op: &Op,
    names: &BTreeSet<String>,
    proof: Proof,
) -> Proof {
    let Some(modifier) = &op.modifier else {
        return proof;
    };
    let mut asked = BTreeSet::new();
    for rule in &modifier.rules {
        if let Rule::Pause(objects) = rule {
            let names = objects.names.iter();
            asked.extend(names.map(|name| (&*objects.resource, &*objects.namespace, &**name)));
        }
    }
    let is_paused = |item: &Item| asked.contains(&(&*item.resource, &*item.namespace, &*item.name));
    let (mut paused, mut running) = (0, Vec::new());
    let (mut swapped, mut unswapped) = (0, Vec::new());
    let each = state.index.items.iter().zip(&state.judgement.judged);
    for (i, (item, one)) in each.enumerate() {
        let is_made = one.restore.as_ref().is_some_and(|r| names.contains(r));
        if one.sort != Sort::Restorable || !is_made {
            continue;
        }
        let count = |is_asked: bool, is_wrong: bool, good: &mut usize, bad: &mut Vec<String>| {
            if is_asked && is_wrong {
                bad.push(look::target_title(item, &want.spec));
            } else if is_asked {
                *good += 1;
            }
        };
        count(
            is_paused(item),
            !state.marked.contains(&i),
            &mut paused,
            &mut running,
        );
        let swaps = !swap::swaps(item, &want.spec).is_empty();
        count(
            swaps,
            state.unswapped.contains(&i),
            &mut swapped,
            &mut unswapped,
        );
    }
    let mut proof = proof;
    for (good, bad, what) in [
        (paused, running, "were born paused"),
        (
            swapped,
            unswapped,
            "have the class and the images of the maps",
        ),
    ] {
        let all = good + bad.len();
        if all == 0 {
            continue;
        }
        let mut claim = format!("{good} of {} {what}", show::count(all, "object"));
        if !bad.is_empty() {
            claim = format!("{claim}, not {}", show::some(bad.iter().cloned()));
        }
        proof = proof.with(bad.is_empty(), claim, "LIST of their kinds");
    }
    proof
}

/// Whether nothing of the step's own is left over.
fn tidied(state: &State, proof: Proof, op: &Op) -> Proof {
    if op.modifier.is_none() && op.leftovers.is_empty() {
        return proof;
    }
    let claim = match state.modifiers.is_empty() {
        true => "the rules of the step are removed".to_owned(),
        false => format!(
            "rules of the step are left over: {}",
            state.modifiers.join(", ")
        ),
    };
    proof.with(
        state.modifiers.is_empty(),
        claim,
        "LIST configmaps in Velero's namespace",
    )
}

/// Asks the same questions as planning, until there are no more.
async fn read(cx: &ReadCx, want: &Want<Spec>) -> Result<State, ProviderError> {
    let mut facts = Facts::default();
    for conn in want.roles.values() {
        // Whoever acts has an open connection, and who answers was checked when it was opened.
        let open = TargetState::Ready(TargetId(conn.to_string()));
        facts.targets.insert(conn.clone(), open);
    }
    for _ in 0..ROUNDS_MAX {
        let view = View::new(&facts);
        if let Ok(found) = look::look(want, &view) {
            return found;
        }
        let (queries, _) = view.missing();
        let mut asks = BTreeMap::<ConnId, Vec<Ask>>::new();
        for query in queries {
            asks.entry(query.conn).or_default().push(query.ask);
        }
        for (id, asks) in asks {
            let conn = connection(cx, want, &id)?;
            let answers = conn.fetch(&asks).await;
            for (ask, answer) in asks.into_iter().zip(answers) {
                let query = drplan_api::Query {
                    conn: id.clone(),
                    ask,
                };
                facts.answers.insert(query, answer);
            }
        }
    }
    Err(ProviderError::new(
        ErrorKind::Bug,
        "read a restore back",
        cx.address.to_string(),
    )
    .because(format!(
        "there were still questions after {ROUNDS_MAX} rounds"
    )))
}

fn connection(cx: &ReadCx, want: &Want<Spec>, id: &ConnId) -> Result<Arc<dyn Conn>, ProviderError> {
    let role = want.roles.iter().find(|(_, conn)| *conn == id);
    let conn = role.and_then(|(role, _)| cx.conns.get(role));
    conn.cloned().ok_or_else(|| {
        ProviderError::new(
            ErrorKind::Bug,
            format!("use `{id}`"),
            cx.address.to_string(),
        )
        .because("it is not open")
    })
}

/// What Velero says of each object, and what it complains about.
async fn said(cx: &ReadCx, op: &Op, name: &str, proof: Proof) -> Result<Proof, ProviderError> {
    let place = op.spec.backup.place();
    let file = listed::list_file(name);
    let source = format!("s3://{}/{}", place.bucket, place.restore(name, &file));
    let proof = match act::restore_file(cx, op, name, &file).await? {
        None => proof.with(
            true,
            "Velero left no list of what it did (it may not write there); reading the objects back \
             decides alone",
            source,
        ),
        Some(list) => {
            let said = counted(&listed::outcomes(&list));
            let claim = format!("Velero says of each object of Restore `{name}`: {said}");
            proof.with(true, claim, source)
        }
    };
    let Some(results) = act::results(cx, op, name).await? else {
        return Ok(proof);
    };
    let errors = errors(&results);
    let is_grave = errors.iter().any(|e| Complaint::of(e) == Complaint::Data);
    let claim = if errors.is_empty() {
        NO_COMPLAINT.to_owned()
    } else {
        format!(
            "{COMPLAINT}{}: {}",
            show::count(errors.len(), "error"),
            show::some(errors.into_iter())
        )
    };
    let file = place.restore(name, &format!("restore-{name}-results.gz"));
    Ok(proof.with(!is_grave, claim, format!("s3://{}/{file}", place.bucket)))
}

/// How many objects had each outcome, and which of them failed.
fn counted(outcomes: &BTreeMap<String, String>) -> String {
    let mut counts = BTreeMap::<&str, usize>::new();
    for outcome in outcomes.values() {
        *counts.entry(outcome.as_str()).or_default() += 1;
    }
    if counts.is_empty() {
        return "nothing".to_owned();
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(what, n)| format!("{n} {what}"))
        .collect();
    let counts = counts.join(", ");
    let failed = outcomes.iter().filter(|(_, outcome)| *outcome == "failed");
    let failed: Vec<String> = failed.map(|(object, _)| object.clone()).collect();
    if failed.is_empty() {
        return counts;
    }
    format!(
        "{counts}; failed: {}; whether what is wanted of them is there is read from the cluster",
        show::some(failed.into_iter())
    )
}

/// Whether the data movers of a restore are done.
async fn volumes(
    cx: &ReadCx,
    name: &str,
    expected: usize,
    proof: Proof,
) -> Result<Proof, ProviderError> {
    let mut movers: Vec<Json> = Vec::new();
    for of in [objects::volume_restores(), objects::volume_downloads()] {
        movers.extend(act::list_of_restore(cx, &of, name).await?);
    }
    if movers.is_empty() && expected == 0 {
        return Ok(proof);
    }
    let bad: Vec<String> = movers
        .iter()
        .filter(|m| m["status"]["phase"] != "Completed")
        .map(|m| {
            format!(
                "{} is {}",
                text(&m["metadata"]["name"]),
                text(&m["status"]["phase"])
            )
        })
        .collect();
    let whole = movers.len() - bad.len();
    let mut claim = format!(
        "{whole} of {} came back",
        show::count(movers.len(), "volume")
    );
    if !bad.is_empty() {
        claim = format!("{claim}: {}", show::some(bad.iter().cloned()));
    }
    let source = format!("LIST podvolumerestores, datadownloads with restore-name={name}");
    let proof = proof.with(bad.is_empty(), claim, source.clone());
    let claim = format!(
        "Velero moved the data of {}, and the backup holds that of {expected} restored claims",
        show::count(movers.len(), "volume")
    );
    Ok(proof.with(movers.len() >= expected, claim, source))
}

/// How many claims that a Restore made have data in the backup that must be moved back.
fn expected(state: &State, spec: &Spec, name: &str) -> usize {
    let saved = spec.backup.saved_through_pods();
    let each = state.index.items.iter().zip(&state.judgement.judged);
    each.filter(|(item, one)| {
        item.is_claim()
            && one.restore.as_deref() == Some(name)
            && saved.contains(&(&*item.namespace, &*item.name))
    })
    .count()
}

/// Whether a claim is there that somebody else made, so that its data did not come from the backup. One
/// whose staying was accepted is no surprise.
fn is_usurped(item: &Item, presence: Presence, op: &Op) -> bool {
    let accepted = op.spec.existing == Existing::Keep
        && op
            .restores
            .iter()
            .any(|r| r.body["existingResourcePolicy"] == "update" && r.group.covers(item));
    item.is_claim()
        && presence == Presence::Foreign
        && op.spec.volumes != Volumes::None
        && !accepted
}

/// Whether every object that a restore is answerable for lives.
fn there(
    want: &Want<Spec>,
    state: &State,
    op: &Op,
    names: &BTreeSet<String>,
    proof: Proof,
) -> Proof {
    let (mut wanted, mut made) = (0, 0);
    let (mut missing, mut different) = (Vec::new(), Vec::new());
    let mut kinds = BTreeSet::new();
    let each = state.index.items.iter().zip(&state.judgement.judged);
    for (i, (item, one)) in each.enumerate() {
        let is_meant = op.restores.iter().any(|r| r.group.covers(item));
        if one.sort != Sort::Restorable || !is_meant {
            continue;
        }
        kinds.insert(item.resource.as_str());
        wanted += 1;
        if one.presence == Presence::Missing || is_usurped(item, one.presence, op) {
            missing.push(look::target_title(item, &want.spec));
        }
        // What has no namespace is made and never changed.
        if state.diffs.contains_key(&i) && !target_place(item, &want.spec).is_empty() {
            different.push(look::target_title(item, &want.spec));
        }
        made += usize::from(one.restore.as_ref().is_some_and(|r| names.contains(r)));
    }
    let source = format!("LIST {}", kinds.into_iter().collect::<Vec<_>>().join(", "));
    let marks: Vec<&str> = names.iter().map(String::as_str).collect();
    let marked = format!(
        "{made} of them carry the mark of {}; Velero marks no namespace",
        marks.join(", ")
    );
    let there = wanted - missing.len();
    let mut claim = format!("{there} of {} are there", show::count(wanted, "object"));
    if !missing.is_empty() {
        claim = format!("{claim}, missing: {}", show::some(missing.iter().cloned()));
    }
    let mut proof = proof;
    if !missing.is_empty() {
        // What Velero complains of is why they are missing: it belongs into the error.
        for said in &mut proof.evidence {
            said.holds &= said.claim == NO_COMPLAINT || !said.claim.starts_with(COMPLAINT);
        }
    }
    let proof =
        proof
            .with(missing.is_empty(), claim, source.clone())
            .with(true, marked, source.clone());
    if op.spec.existing == Existing::Keep {
        return proof;
    }
    let mut claim = format!("{} from the backup", show::differ(different.len()));
    if !different.is_empty() {
        claim = format!("{claim}: {}", show::some(different.iter().cloned()));
    }
    proof.with(different.is_empty(), claim, source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_velero_failed_at_is_named() {
        let outcomes = |all: &[(&str, &str)]| -> BTreeMap<String, String> {
            let pairs = all.iter();
            pairs
                .map(|(object, outcome)| ((*object).to_owned(), (*outcome).to_owned()))
                .collect()
        };
        for (all, says) in [
            (outcomes(&[]), "nothing"),
            (outcomes(&[("v1/Secret shop/a", "created")]), "1 created"),
            (
                outcomes(&[
                    ("v1/ConfigMap shop/b", "failed"),
                    ("v1/Secret shop/a", "created"),
                ]),
                "1 created, 1 failed; failed: v1/ConfigMap shop/b; whether what is wanted of them is there is read from \
                 the cluster",
            ),
        ] {
            assert_eq!(counted(&all), says);
        }
    }
}
