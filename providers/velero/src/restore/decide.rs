//! What of a backup must be brought back, and which Restores do it.
//!
//! Pure. A Restore can choose by namespace and by kind only, so absent namespaces come back whole in
//! one Restore, and what is missing elsewhere comes back by kind in another, which keeps Velero from
//! making second copies of the pods that controllers have replaced.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::body::Group;
use super::judge::Ground;
use super::judge::Judgement;
use super::judge::Presence;
use super::judge::target_place;
use super::pause;
use super::select;
use super::select::Sort;
use super::spec::Existing;
use super::spec::Scope;
use super::spec::Spec;
use crate::index::Index;
use crate::index::Item;

/// Why an object is or is not brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is brought back.
    Wanted,
    /// It is overwritten with what the backup holds.
    Update,
    /// It was deleted where its namespace lives on, and stays so.
    Deleted,
    /// Nothing is to be done.
    Leave,
}

/// A decision about all objects.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Decision {
    /// One for each item of the index.
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) groups: Vec<Group>,
    /// Namespaces that must first be gone.
    pub(crate) going: Vec<String>,
    /// Items that hold data of somebody else where this step wants to write.
    pub(crate) conflicts: Vec<usize>,
    /// Items of this recovery that differ and would be set back along with what was accepted.
    pub(crate) swept: Vec<usize>,
    /// Claims whose data is not in the backup, and why.
    pub(crate) dataless: Vec<String>,
    /// Items that come back paused.
    pub(crate) paused: BTreeSet<usize>,
}

/// What is known beside the judgement.
pub(crate) struct Known<'a> {
    /// Whether an item's body really differs from the living one.
    pub(crate) differs: &'a dyn Fn(usize) -> bool,
    /// Whether a person accepted that data of somebody else is overwritten.
    pub(crate) accepts: bool,
    /// Whether one of some Restores of this step has brought an item back before.
    pub(crate) was_restored: &'a dyn Fn(&BTreeSet<String>, &Item) -> bool,
}

/// Decides.
pub(crate) fn decide(
    index: &Index,
    spec: &Spec,
    judgement: &Judgement,
    known: &Known<'_>,
) -> Decision {
    let mut verdicts: Vec<Verdict> = (0..index.items.len())
        .map(|i| verdict(i, index, spec, judgement, known))
        .collect();
    let written = written(index, spec, &verdicts);
    let conflicts = conflicts(index, spec, judgement, known, &written);
    if known.accepts {
        // Velero never overwrites a claim, so that one stays as it is.
        for &i in conflicts.iter().filter(|&&i| !index.items[i].is_claim()) {
            verdicts[i] = Verdict::Update;
        }
    }
    let overwrite = known.accepts && !conflicts.is_empty();
    let going = judgement
        .grounds
        .iter()
        .filter(|(name, ground)| **ground == Ground::Going && written.contains(name.as_str()));
    let groups = groups(index, spec, judgement, &verdicts, overwrite);
    let asked = pause::asked(index, spec, &verdicts);
    Decision {
        paused: pause::with_owned(index, judgement, &asked),
        swept: match (overwrite, spec.existing) {
            (true, Existing::Keep) => swept(index, spec, judgement, known, &groups, &written),
            _ => Vec::new(),
        },
        going: going.map(|(name, _)| name.clone()).collect(),
        conflicts,
        dataless: dataless(index, spec, &verdicts),
        groups,
        verdicts,
    }
}

fn verdict(
    i: usize,
    index: &Index,
    spec: &Spec,
    judgement: &Judgement,
    known: &Known<'_>,
) -> Verdict {
    let (item, one) = (&index.items[i], &judgement.judged[i]);
    if one.sort != Sort::Restorable {
        return Verdict::Leave;
    }
    if one.presence != Presence::Missing {
        // What has no namespace belongs to the cluster that is there.
        let updates = spec.existing == Existing::Update
            && !target_place(item, spec).is_empty()
            && (known.differs)(i);
        return if updates {
            Verdict::Update
        } else {
            Verdict::Leave
        };
    }
    let lives_on = match judgement.grounds.get(target_place(item, spec)) {
        Some(Ground::Alive) => true,
        Some(Ground::Ours(restores)) => (known.was_restored)(restores, item),
        _ => false,
    };
    if lives_on && spec.scope == Scope::Namespace {
        Verdict::Deleted
    } else {
        Verdict::Wanted
    }
}

fn is_written(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Wanted | Verdict::Update)
}

/// The places that this step writes to, by the names that they come back under.
fn written<'a>(index: &'a Index, spec: &'a Spec, verdicts: &[Verdict]) -> BTreeSet<&'a str> {
    let wanted = index.items.iter().zip(verdicts);
    let wanted = wanted.filter(|(_, verdict)| is_written(**verdict));
    wanted.map(|(item, _)| target_place(item, spec)).collect()
}

fn conflicts(
    index: &Index,
    spec: &Spec,
    judgement: &Judgement,
    known: &Known<'_>,
    written: &BTreeSet<&str>,
) -> Vec<usize> {
    let holds_data = |i: usize, item: &Item| match item.resource.as_str() {
        "persistentvolumeclaims" => true,
        "secrets" | "configmaps" => (known.differs)(i),
        _ => false,
    };
    let each = index.items.iter().zip(&judgement.judged).enumerate();
    each.filter(|(i, (item, one))| {
        one.sort == Sort::Restorable
            && one.presence == Presence::Foreign
            && written.contains(target_place(item, spec))
            && holds_data(*i, item)
    })
    .map(|(i, _)| i)
    .collect()
}

/// Velero's policy holds for a whole Restore, whoever an object is from.
fn swept(
    index: &Index,
    spec: &Spec,
    judgement: &Judgement,
    known: &Known<'_>,
    groups: &[Group],
    written: &BTreeSet<&str>,
) -> Vec<usize> {
    let changing = groups.iter().filter(|group| !group.cluster);
    let kinds: BTreeSet<&String> = changing.flat_map(|group| &group.kinds).collect();
    let each = index.items.iter().zip(&judgement.judged).enumerate();
    each.filter(|(i, (item, one))| {
        let place = target_place(item, spec);
        one.sort == Sort::Restorable
            && matches!(one.presence, Presence::Alive | Presence::Ours)
            && !item.is_claim()
            && !place.is_empty()
            && written.contains(place)
            && kinds.contains(&item.resource)
            && (known.differs)(*i)
    })
    .map(|(i, _)| i)
    .collect()
}

/// Names a claim whose data only comes back through its pod and its volume, if a filter leaves those
/// out.
pub(crate) fn cut_off(
    index: &Index,
    spec: &Spec,
    decision: &Decision,
) -> Option<(String, &'static str)> {
    let saved = spec.backup.saved_through_pods();
    let excluded = select::resources(&index.items, &spec.exclude_kinds);
    for group in &decision.groups {
        let has = |kind: &str| {
            let is_included = group.kinds.is_empty() || group.kinds.iter().any(|k| k == kind);
            is_included && !excluded.iter().any(|k| k == kind)
        };
        let Some(left_out) = ["pods", "persistentvolumes"].into_iter().find(|k| !has(k)) else {
            continue;
        };
        let namespaces: BTreeSet<&String> = group.namespaces.iter().collect();
        let items = index.items.iter().zip(&decision.verdicts);
        let claim = items
            .filter(|(_, verdict)| **verdict == Verdict::Wanted)
            .find(|(item, _)| {
                item.is_claim()
                    && namespaces.contains(&item.namespace)
                    && saved.contains(&(&*item.namespace, &*item.name))
            });
        if let Some((item, _)) = claim {
            return Some((format!("{}/{}", item.namespace, item.name), left_out));
        }
    }
    None
}

fn dataless(index: &Index, spec: &Spec, verdicts: &[Verdict]) -> Vec<String> {
    let missing: BTreeMap<(&str, &str), &str> = spec
        .backup
        .volumes
        .iter()
        .filter_map(|v| Some(((&*v.namespace, &*v.claim), v.missing.as_deref()?)))
        .collect();
    let claims = index.items.iter().zip(verdicts);
    claims
        .filter(|(item, verdict)| item.is_claim() && **verdict == Verdict::Wanted)
        .filter_map(|(item, _)| {
            let why = missing.get(&(&*item.namespace, &*item.name))?;
            Some(format!("`{}/{}` ({why})", item.namespace, item.name))
        })
        .collect()
}

fn groups(
    index: &Index,
    spec: &Spec,
    judgement: &Judgement,
    verdicts: &[Verdict],
    overwrite: bool,
) -> Vec<Group> {
    let (mut whole, mut part) = (BTreeSet::new(), BTreeSet::new());
    let (mut kinds, mut cluster_kinds) = (BTreeSet::new(), BTreeSet::new());
    let items = index.items.iter().zip(verdicts);
    for (item, _) in items.filter(|(_, verdict)| is_written(**verdict)) {
        let namespace = if item.is_namespace() {
            &item.name
        } else {
            &item.namespace
        };
        let ground = judgement.grounds.get(target_place(item, spec));
        if namespace.is_empty() {
            cluster_kinds.insert(item.resource.as_str());
        } else if matches!(ground, Some(Ground::Absent | Ground::Going)) {
            whole.insert(namespace.as_str());
        } else {
            part.insert(namespace.as_str());
            kinds.insert(item.resource.as_str());
            if item.is_claim() {
                // A claim comes back with its data only together with its volume and its pod.
                kinds.extend(["persistentvolumes", "pods"]);
            }
        }
    }
    let texts = |set: BTreeSet<&str>| set.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let mut out = Vec::new();
    // A Restore that changes what differs would also change the cluster's own objects.
    let is_apart = overwrite || spec.existing == Existing::Update;
    let with_whole = !whole.is_empty() && !cluster_kinds.is_empty() && !is_apart;
    if !whole.is_empty() {
        out.push(Group {
            namespaces: texts(whole),
            kinds: select::resources(&index.items, &spec.kinds),
            cluster: with_whole,
        });
    }
    if is_apart && !cluster_kinds.is_empty() {
        out.push(Group {
            namespaces: Vec::new(),
            kinds: texts(std::mem::take(&mut cluster_kinds)),
            cluster: true,
        });
    }
    let with_part = !cluster_kinds.is_empty() && !with_whole;
    if with_part {
        kinds.extend(cluster_kinds);
    }
    if !kinds.is_empty() {
        out.push(Group {
            namespaces: texts(part),
            kinds: texts(kinds),
            cluster: with_part,
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use drplan_api::Json;
    use serde_json::json;

    use super::super::body::body;
    use super::super::body::command;
    use super::super::body::group_of;
    use super::super::judge::World;
    use super::super::judge::judge;
    use super::super::tests::archived;
    use super::super::tests::live;
    use super::super::tests::names;
    use super::super::tests::ours;
    use super::super::tests::spec;
    use super::*;
    use crate::backup::Volume;

    fn index() -> Index {
        Index {
            format: "1.1.0".to_owned(),
            items: vec![
                archived("clusterroles.rbac.authorization.k8s.io", "", "reader"),
                archived("configmaps", "shop", "a"),
                archived("configmaps", "shop", "b"),
                archived("configmaps", "web", "page"),
                archived("namespaces", "", "shop"),
                archived("namespaces", "", "web"),
                archived("persistentvolumeclaims", "shop", "data"),
            ],
        }
    }

    fn decided(args: Json, world: &World, restored: bool, differs: bool) -> Decision {
        let (index, spec) = (index(), spec(args));
        let judgement = judge(&index, &spec, world, &names());
        let known = Known {
            differs: &|_| differs,
            was_restored: &|_, _| restored,
            accepts: false,
        };
        decide(&index, &spec, &judgement, &known)
    }

    fn alive() -> World {
        let items = index().items;
        let objects = items
            .iter()
            .map(|i| live(&i.resource, &i.namespace, &i.name, &i.uid));
        World {
            objects: objects.collect(),
            ..World::default()
        }
    }

    fn without(mut world: World, gone: impl Fn(&crate::index::Key) -> bool) -> World {
        world.objects.retain(|key, _| !gone(key));
        world
    }

    #[test]
    fn an_empty_cluster_gets_everything_in_one_restore() {
        let decision = decided(
            json!({"cluster_scoped": true}),
            &World::default(),
            false,
            false,
        );
        assert_eq!(decision.groups.len(), 1);
        assert_eq!(decision.groups[0].namespaces, ["shop", "web"]);
        assert!(decision.groups[0].cluster && decision.groups[0].kinds.is_empty());
    }

    #[test]
    fn objects_of_the_cluster_itself_are_made_and_never_changed() {
        let args = json!({"cluster_scoped": true, "existing": "update"});
        let is_role = |k: &crate::index::Key| k.resource.starts_with("clusterroles");
        let no_page = |k: &crate::index::Key| k.name == "page" || k.name == "web";
        for (world, groups) in [
            (alive(), vec![(false, true)]),
            (
                without(alive(), is_role),
                vec![(true, false), (false, true)],
            ),
            (
                without(alive(), no_page),
                vec![(false, true), (false, true)],
            ),
            (World::default(), vec![(false, true), (true, false)]),
        ] {
            let decision = decided(args.clone(), &world, false, true);
            assert_ne!(decision.verdicts[0], Verdict::Update);
            let found = decision.groups.iter().map(|group| {
                let body = body(group, &index(), &spec(args.clone()), false, None);
                assert_eq!(group_of(&body), *group);
                (group.cluster, body["existingResourcePolicy"] == "update")
            });
            assert_eq!(found.collect::<Vec<_>>(), groups);
        }
    }

    #[test]
    fn a_living_cluster_gets_nothing() {
        let decision = decided(json!({"cluster_scoped": true}), &alive(), false, true);
        assert_eq!(decision.groups, []);
        assert!(decision.verdicts.iter().all(|v| *v == Verdict::Leave));
    }

    #[test]
    fn one_lost_namespace_comes_back_alone() {
        let world = without(alive(), |k| k.namespace == "web" || k.name == "web");
        let decision = decided(json!({}), &world, false, false);
        assert_eq!(decision.groups.len(), 1);
        assert_eq!(decision.groups[0].namespaces, ["web"]);
    }

    #[test]
    fn an_object_deleted_in_a_living_namespace_stays_so_unless_objects_are_asked_for() {
        let world = without(alive(), |k| k.name == "b");
        let decision = decided(json!({}), &world, false, false);
        assert_eq!(decision.groups, []);
        assert!(decision.verdicts.contains(&Verdict::Deleted));

        let decision = decided(json!({"scope": "object"}), &world, false, false);
        assert_eq!(decision.groups[0].namespaces, ["shop"]);
        assert_eq!(decision.groups[0].kinds, ["configmaps"]);
    }

    #[test]
    fn what_our_own_restore_left_out_is_tried_again_and_what_was_deleted_since_is_not() {
        let world = World {
            objects: [
                ours("configmaps", "shop", "a", "2026-01-01T00:00:05Z"),
                live("namespaces", "", "shop", "new"),
            ]
            .into(),
            ..World::default()
        };
        let args = json!({"namespaces": ["shop"]});
        assert_eq!(decided(args.clone(), &world, true, false).groups, []);
        let again = decided(args, &world, false, false).groups;
        assert_eq!(
            again[0].kinds,
            [
                "configmaps",
                "persistentvolumeclaims",
                "persistentvolumes",
                "pods"
            ]
        );
    }

    #[test]
    fn foreign_data_is_a_conflict_only_where_something_is_written() {
        let foreign = || World {
            objects: [
                live("configmaps", "shop", "a", "new"),
                live("namespaces", "", "shop", "new"),
            ]
            .into(),
            ..World::default()
        };
        let args = json!({"namespaces": ["shop"]});
        assert_eq!(
            decided(args.clone(), &foreign(), false, true).conflicts,
            [1]
        );
        assert!(
            decided(args.clone(), &foreign(), false, false)
                .conflicts
                .is_empty()
        );
        let mut whole = foreign();
        whole.objects.extend([
            live("configmaps", "shop", "b", "new"),
            live("persistentvolumeclaims", "shop", "data", "new"),
        ]);
        let decision = decided(args, &whole, false, true);
        assert_eq!((decision.conflicts.len(), decision.groups.len()), (0, 0));
    }

    #[test]
    fn what_is_our_own_and_differs_is_not_swept_along_silently() {
        let world = World {
            objects: [
                live("configmaps", "shop", "a", "new"),
                ours("configmaps", "shop", "b", "2026-01-01T00:00:05Z"),
                live("namespaces", "", "shop", "new"),
            ]
            .into(),
            ..World::default()
        };
        for (existing, accepts, expected) in [
            ("keep", true, vec![2]),
            ("keep", false, vec![]),
            ("update", true, vec![]),
        ] {
            let args = json!({"namespaces": ["shop"], "existing": existing});
            let (index, spec) = (index(), spec(args));
            let judgement = judge(&index, &spec, &world, &names());
            let known = Known {
                differs: &|_| true,
                was_restored: &|_, _| false,
                accepts,
            };
            let decision = decide(&index, &spec, &judgement, &known);
            assert_eq!(decision.swept, expected, "{existing} {accepts}");
        }
    }

    #[test]
    fn a_claim_is_not_restored_without_the_pods_that_bring_its_data() {
        for (args, method, left_out) in [
            (json!({}), "PodVolumeBackup", None),
            (
                json!({"kinds": ["persistentvolumeclaims"]}),
                "PodVolumeBackup",
                Some("pods"),
            ),
            (
                json!({"kinds": ["persistentvolumeclaims"]}),
                "CSISnapshot",
                None,
            ),
            (json!({"kinds": ["configmaps"]}), "PodVolumeBackup", None),
            (
                json!({"exclude_kinds": ["pods"]}),
                "PodVolumeBackup",
                Some("pods"),
            ),
        ] {
            let (mut index, mut spec) = (index(), spec(args.clone()));
            index.items.push(archived("pods", "shop", "p"));
            spec.backup.volumes = vec![Volume {
                namespace: "shop".to_owned(),
                claim: "data".to_owned(),
                method: method.to_owned(),
                missing: None,
            }];
            let judgement = judge(&index, &spec, &World::default(), &names());
            let known = Known {
                differs: &|_| false,
                was_restored: &|_, _| false,
                accepts: false,
            };
            let decision = decide(&index, &spec, &judgement, &known);
            let found = cut_off(&index, &spec, &decision);
            assert_eq!(found.map(|(_, kind)| kind), left_out, "{args} {method}");
        }
    }

    #[test]
    fn a_claim_whose_data_was_not_saved_is_named() {
        let (index, mut spec) = (index(), spec(json!({})));
        spec.backup.volumes = vec![Volume {
            namespace: "shop".to_owned(),
            claim: "data".to_owned(),
            method: String::new(),
            missing: Some("skipped: no method".to_owned()),
        }];
        let judgement = judge(&index, &spec, &World::default(), &names());
        let known = Known {
            differs: &|_| false,
            was_restored: &|_, _| false,
            accepts: false,
        };
        let decision = decide(&index, &spec, &judgement, &known);
        assert_eq!(decision.dataless, ["`shop/data` (skipped: no method)"]);
    }

    #[test]
    fn a_difference_is_overwritten_only_if_that_is_asked_for() {
        let decision = decided(json!({"existing": "update"}), &alive(), false, true);
        assert!(decision.verdicts.contains(&Verdict::Update));
        let group = &decision.groups[0];
        let body = body(
            group,
            &index(),
            &spec(json!({"existing": "update"})),
            false,
            None,
        );
        assert_eq!(body["existingResourcePolicy"], "update");
        assert!(command("r", &body).contains("--existing-resource-policy=update"));
        assert_eq!(group_of(&body), *group);
    }
}
