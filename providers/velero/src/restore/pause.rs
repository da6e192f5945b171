//! What comes back paused, because it would fight the recovery.
//!
//! Pure. Only what a Restore makes is born paused; what lives is never touched. What a paused object
//! keeps running (the pods and copies that Velero brings back beside it) is held back with it.

use std::collections::BTreeSet;

use drplan_kubernetes::word::Word;

use super::decide::Verdict;
use super::judge::Judgement;
use super::select::Sort;
use super::spec::Spec;
use crate::index::Index;
use crate::index::Item;

/// How many owners can stand above one another: CronJob, Job, Pod.
const DEPTH_MAX: usize = 3;

fn fits(word: &Word<'_>, item: &Item) -> bool {
    word.fits(&item.resource, &item.namespace, &item.name)
}

/// Lists the words that no object of the archive fits.
pub(crate) fn unknown<'a>(index: &Index, spec: &'a Spec) -> Vec<&'a str> {
    let words = spec.born_paused.iter().map(String::as_str);
    let fits = |word: &str| {
        Word::parse(word).is_some_and(|w| index.items.iter().any(|item| fits(&w, item)))
    };
    words.filter(|word| !fits(word)).collect()
}

/// Lists what is asked for among what is brought back.
pub(crate) fn asked(index: &Index, spec: &Spec, verdicts: &[Verdict]) -> BTreeSet<usize> {
    let words: Vec<Word<'_>> = spec
        .born_paused
        .iter()
        .filter_map(|word| Word::parse(word))
        .collect();
    let each = index.items.iter().zip(verdicts).enumerate();
    each.filter(|(_, (item, verdict))| {
        **verdict == Verdict::Wanted && words.iter().any(|w| fits(w, item))
    })
    .map(|(i, _)| i)
    .collect()
}

/// Adds what the paused objects own, which Velero brings back beside them and which runs by itself.
pub(crate) fn with_owned(
    index: &Index,
    judgement: &Judgement,
    asked: &BTreeSet<usize>,
) -> BTreeSet<usize> {
    let name = |item: &Item| {
        (
            item.namespace.clone(),
            format!("{}/{}", item.kind, item.name),
        )
    };
    let mut owners: BTreeSet<_> = asked.iter().map(|&i| name(&index.items[i])).collect();
    let mut out = asked.clone();
    for _ in 0..DEPTH_MAX {
        if owners.is_empty() {
            break;
        }
        let each = index.items.iter().zip(&judgement.judged).enumerate();
        let owned: Vec<usize> = each
            .filter(|(i, (item, one))| {
                let owner = item
                    .owner
                    .as_ref()
                    .map(|o| (item.namespace.clone(), o.clone()));
                matches!(one.sort, Sort::Restorable | Sort::Controllers(_))
                    && !out.contains(i)
                    && item.facts.runs.is_some()
                    && owner.is_some_and(|o| owners.contains(&o))
            })
            .map(|(i, _)| i)
            .collect();
        owners = owned.iter().map(|&i| name(&index.items[i])).collect();
        out.extend(owned);
    }
    out
}

/// Names a claim that is brought back and whose data only comes back through a pod that would be held.
pub(crate) fn starved(
    index: &Index,
    spec: &Spec,
    verdicts: &[Verdict],
    paused: &BTreeSet<usize>,
) -> Option<(String, String)> {
    let saved = spec.backup.saved_through_pods();
    let each = index.items.iter().zip(verdicts);
    let wanted: BTreeSet<(&str, &str)> = each
        .filter(|(item, verdict)| item.is_claim() && **verdict == Verdict::Wanted)
        .map(|(item, _)| (&*item.namespace, &*item.name))
        .filter(|claim| saved.contains(claim))
        .collect();
    paused.iter().map(|&i| &index.items[i]).find_map(|pod| {
        let claims = pod.facts.claims.iter();
        let mut claims = claims.filter(|c| wanted.contains(&(&*pod.namespace, c.as_str())));
        let claim = claims.next()?;
        Some((
            format!("{}/{claim}", pod.namespace),
            format!("{}/{}", pod.namespace, pod.name),
        ))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::judge::World;
    use super::super::judge::judge;
    use super::super::tests::archived;
    use super::super::tests::names;
    use super::super::tests::spec;
    use super::*;
    use drplan_kubernetes::mark;

    fn item(kind: &str, resource: &str, name: &str, owner: Option<&str>) -> Item {
        let mut item = archived(resource, "shop", name);
        item.kind = kind.to_owned();
        item.owner = owner.map(str::to_owned);
        item.facts.runs = mark::running(resource, &json!({}));
        item
    }

    fn index() -> Index {
        Index {
            items: vec![
                item("CronJob", "cronjobs.batch", "nightly", None),
                item("Job", "jobs.batch", "nightly-1", Some("CronJob/nightly")),
                item("Pod", "pods", "nightly-1-x", Some("Job/nightly-1")),
                item("Deployment", "deployments.apps", "api", None),
                item(
                    "ReplicaSet",
                    "replicasets.apps",
                    "api-5d",
                    Some("Deployment/api"),
                ),
                item("Pod", "pods", "api-5d-x", Some("ReplicaSet/api-5d")),
                item("Pod", "pods", "bare", None),
            ],
            ..Index::default()
        }
    }

    fn found(words: &[&str], verdict: Verdict) -> Vec<String> {
        let (index, spec) = (index(), spec(json!({"born_paused": words})));
        let judgement = judge(&index, &spec, &World::default(), &names());
        let asked = asked(&index, &spec, &vec![verdict; index.items.len()]);
        let all = with_owned(&index, &judgement, &asked);
        all.into_iter()
            .map(|i| index.items[i].name.clone())
            .collect()
    }

    #[test]
    fn what_a_paused_object_runs_is_held_back_with_it() {
        for (words, expected) in [
            (vec![], vec![]),
            (vec!["CronJob"], vec!["nightly", "nightly-1", "nightly-1-x"]),
            (
                vec!["cronjobs.batch/shop/night*"],
                vec!["nightly", "nightly-1", "nightly-1-x"],
            ),
            (vec!["Deployment/*/api"], vec!["api", "api-5d", "api-5d-x"]),
            (vec!["deployments/web/*"], vec![]),
            (vec!["Job/*/*-1"], vec!["nightly-1", "nightly-1-x"]),
        ] {
            assert_eq!(found(&words, Verdict::Wanted), expected, "{words:?}");
            assert!(
                found(&words, Verdict::Update).is_empty(),
                "what lives is not paused"
            );
        }
    }

    #[test]
    fn words_that_pause_nothing_are_refused_or_named() {
        for (word, good) in [
            ("CronJob", true),
            ("statefulsets/shop/db", true),
            ("DaemonSet", false),
            ("CronJob/shop", false),
            ("CronJob//x", false),
            ("", false),
        ] {
            let args = json!({"born_paused": [word]});
            let mut given = drplan_api::Given::new(&args);
            drplan_kubernetes::word::check("born_paused", &mut given);
            assert_eq!(given.into_faults().is_empty(), good, "{word}");
        }
        let spec = spec(json!({"born_paused": ["CronJob", "StatefulSet"]}));
        assert_eq!(unknown(&index(), &spec), ["StatefulSet"]);
    }

    #[test]
    fn a_pod_that_brings_data_back_is_not_held() {
        use crate::backup::Volume;

        let (mut index, mut spec) = (index(), spec(json!({"born_paused": ["Deployment"]})));
        index.items[5].facts.claims = vec!["data".to_owned()];
        index
            .items
            .push(archived("persistentvolumeclaims", "shop", "data"));
        let verdicts = vec![Verdict::Wanted; index.items.len()];
        for (method, expected) in [("PodVolumeBackup", true), ("CSISnapshot", false)] {
            spec.backup.volumes = vec![Volume {
                namespace: "shop".to_owned(),
                claim: "data".to_owned(),
                method: method.to_owned(),
                missing: None,
            }];
            let found = starved(&index, &spec, &verdicts, &BTreeSet::from([3, 4, 5]));
            assert_eq!(found.is_some(), expected, "{method}");
        }
    }
}
