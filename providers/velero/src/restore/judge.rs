//! Where each object of an archive stands in the living world.
//!
//! Pure: it is given what lives and knows nothing of requests.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Timestamp;

use super::name::Names;
use super::select::Sort;
use super::select::sort;
use super::spec::Spec;
use crate::index::Index;
use crate::index::Item;
use crate::index::Key;

/// How far the creation of an object may lie outside the times of its Restore, which are rounded to
/// whole seconds.
const ROUNDING_S: i64 = 2;

/// One living object.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Live {
    pub(crate) uid: String,
    /// The label with the name of the Restore that made or changed it.
    pub(crate) restore: Option<String>,
    pub(crate) created: Option<Timestamp>,
    pub(crate) is_deleting: bool,
    /// The digest to compare with the archive's; empty where nobody asks.
    pub(crate) sum: String,
}

/// The times of a Restore that is still known to the cluster.
pub(crate) type Window = (Option<Timestamp>, Option<Timestamp>);

/// Everything that lives and matters.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct World {
    /// Living objects by the keys that the archive's objects come back under.
    pub(crate) objects: BTreeMap<Key, Live>,
    /// When the Restores of the cluster ran that only make objects; one that also changes objects marks
    /// those that were there before.
    pub(crate) windows: BTreeMap<String, Window>,
}

/// Where one object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It is the archived object itself.
    Alive,
    /// A Restore of this step made it.
    Ours,
    /// It is there and came from elsewhere.
    Foreign,
    /// It is not there.
    Missing,
}

/// What is known of one object of the archive.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Judged {
    pub(crate) sort: Sort,
    pub(crate) presence: Presence,
    /// Whether its digest is another one than that of the living object.
    pub(crate) may_differ: bool,
    /// The Restore of this step that made it.
    pub(crate) restore: Option<String>,
}

/// What a namespace, or with an empty name the cluster around all of them, is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    /// It is not there.
    Absent,
    /// It is being deleted.
    Going,
    /// It is the one that was backed up.
    Alive,
    /// Restores of this step made what is in it.
    Ours(BTreeSet<String>),
    /// It is there and came from elsewhere.
    Foreign,
}

/// Everything that a decision rests on.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Judgement {
    /// One for each item of the index, in its order.
    pub(crate) judged: Vec<Judged>,
    /// By the names that namespaces come back under.
    pub(crate) grounds: BTreeMap<String, Ground>,
}

/// The key under which an object comes back.
pub(crate) fn target_key(item: &Item, spec: &Spec) -> Key {
    let mut key = item.key();
    if item.is_namespace() {
        spec.target(&item.name).clone_into(&mut key.name);
    } else {
        spec.target(&item.namespace).clone_into(&mut key.namespace);
    }
    key
}

/// The namespace that an object comes back into; empty for what has none.
pub(crate) fn target_place<'a>(item: &'a Item, spec: &'a Spec) -> &'a str {
    spec.target(if item.is_namespace() {
        &item.name
    } else {
        &item.namespace
    })
}

/// Judges every object and every namespace.
pub(crate) fn judge(index: &Index, spec: &Spec, world: &World, names: &Names) -> Judgement {
    let mut judged: Vec<Judged> = index
        .items
        .iter()
        .map(|item| judge_one(item, spec, world, names))
        .collect();
    let grounds = grounds(index, spec, world, &judged);
    for (item, one) in index.items.iter().zip(&mut judged) {
        // Velero marks no namespace, so what lies in one tells who made it.
        let ground = grounds.get(target_place(item, spec));
        if item.is_namespace()
            && one.presence == Presence::Foreign
            && matches!(ground, Some(Ground::Ours(_)))
        {
            one.presence = Presence::Ours;
        }
    }
    Judgement { judged, grounds }
}

fn judge_one(item: &Item, spec: &Spec, world: &World, names: &Names) -> Judged {
    let sort = sort(item, spec);
    let Some(live) = world.objects.get(&target_key(item, spec)) else {
        return Judged {
            sort,
            presence: Presence::Missing,
            may_differ: false,
            restore: None,
        };
    };
    let restore = live.restore.clone().filter(|name| names.owns(name));
    let presence = if live.uid == item.uid && !item.uid.is_empty() {
        Presence::Alive
    } else if restore
        .as_ref()
        .is_some_and(|r| was_made_by(live, r, world))
    {
        Presence::Ours
    } else {
        Presence::Foreign
    };
    Judged {
        may_differ: sort == Sort::Restorable && !live.sum.is_empty() && live.sum != item.digest,
        restore: restore.filter(|_| presence == Presence::Ours),
        sort,
        presence,
    }
}

/// A label says which Restore touched an object; only the time of its creation says which one made it.
fn was_made_by(live: &Live, restore: &str, world: &World) -> bool {
    let (Some((start, end)), Some(created)) = (world.windows.get(restore), live.created) else {
        return true;
    };
    let rounding = jiff::SignedDuration::from_secs(ROUNDING_S);
    start.is_none_or(|start| created >= start - rounding)
        && end.is_none_or(|end| created <= end + rounding)
}

fn grounds(
    index: &Index,
    spec: &Spec,
    world: &World,
    judged: &[Judged],
) -> BTreeMap<String, Ground> {
    #[derive(Default)]
    struct Found {
        alive: bool,
        restores: BTreeSet<String>,
    }
    let mut found = BTreeMap::<&str, Found>::new();
    for (item, one) in index.items.iter().zip(judged) {
        let counts = matches!(one.sort, Sort::Restorable | Sort::Controllers(_));
        if !counts {
            continue;
        }
        let place = found.entry(target_place(item, spec)).or_default();
        place.alive |= one.presence == Presence::Alive;
        place.restores.extend(one.restore.clone());
    }
    let ground = |(name, found): (&str, Found)| {
        let key = Key {
            resource: "namespaces".to_owned(),
            namespace: String::new(),
            name: name.to_owned(),
        };
        let ground = match world.objects.get(&key) {
            None if !name.is_empty() => Ground::Absent,
            Some(live) if live.is_deleting => Ground::Going,
            _ if found.alive => Ground::Alive,
            _ if !found.restores.is_empty() => Ground::Ours(found.restores),
            _ => Ground::Foreign,
        };
        (name.to_owned(), ground)
    };
    found.into_iter().map(ground).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::archived;
    use super::super::tests::live;
    use super::super::tests::names;
    use super::super::tests::ours;
    use super::super::tests::spec;
    use super::*;

    fn index() -> Index {
        Index {
            format: "1.1.0".to_owned(),
            items: vec![
                archived("configmaps", "shop", "a"),
                archived("configmaps", "shop", "b"),
                archived("namespaces", "", "shop"),
            ],
        }
    }

    fn judged(world: &World) -> (Vec<Presence>, Ground) {
        let judgement = judge(&index(), &spec(json!({})), world, &names());
        let presence = judgement.judged.iter().map(|j| j.presence).collect();
        (presence, judgement.grounds["shop"].clone())
    }

    #[test]
    fn an_empty_cluster_has_nothing() {
        let (presence, ground) = judged(&World::default());
        assert_eq!(presence, [Presence::Missing; 3]);
        assert_eq!(ground, Ground::Absent);
    }

    #[test]
    fn equal_uids_are_survivors_and_other_ones_are_foreign() {
        let world = World {
            objects: [
                live("configmaps", "shop", "a", "uid-a"),
                live("configmaps", "shop", "b", "new"),
                live("namespaces", "", "shop", "uid-shop"),
            ]
            .into(),
            ..World::default()
        };
        let (presence, ground) = judged(&world);
        use Presence::{Alive, Foreign};
        assert_eq!(presence, [Alive, Foreign, Alive]);
        assert_eq!(ground, Ground::Alive);
    }

    #[test]
    fn a_namespace_is_ours_if_what_lies_in_it_is() {
        let world = World {
            objects: [
                ours("configmaps", "shop", "a", "2026-01-01T00:00:05Z"),
                live("namespaces", "", "shop", "new"),
            ]
            .into(),
            ..World::default()
        };
        let (presence, ground) = judged(&world);
        use Presence::{Missing, Ours};
        assert_eq!(presence, [Ours, Missing, Ours]);
        assert!(matches!(ground, Ground::Ours(_)));
    }

    #[test]
    fn a_label_from_outside_the_time_of_its_restore_proves_nothing() {
        let (key, object) = ours("configmaps", "shop", "a", "2026-01-01T00:00:05Z");
        let restore = object.restore.clone().expect("a label");
        let time = |text: &str| text.parse().ok();
        for (start, end, presence) in [
            (
                "2026-01-01T00:00:00Z",
                "2026-01-01T00:00:10Z",
                Presence::Ours,
            ),
            (
                "2026-01-01T00:00:08Z",
                "2026-01-01T00:00:10Z",
                Presence::Foreign,
            ),
            (
                "2026-01-01T00:00:00Z",
                "2026-01-01T00:00:01Z",
                Presence::Foreign,
            ),
        ] {
            let world = World {
                objects: [(key.clone(), object.clone())].into(),
                windows: [(restore.clone(), (time(start), time(end)))].into(),
            };
            assert_eq!(judged(&world).0[0], presence, "{start} {end}");
        }
    }
}
