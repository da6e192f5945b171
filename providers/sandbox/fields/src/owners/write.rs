//! One write to one object: what it changes, from whom it takes fields, and with whom it conflicts.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use crate::TypeInfo;
use crate::normal;

use super::LAST_APPLIED;
use super::conflict::Conflict;
use super::entries;
use super::entries::Owned;
use super::entries::Owners;
use super::entries::Writer;
use super::set::Set;
use super::walk;

/// The writer of all that was there before the first apply to an object without owners.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// Fields that nobody owns.
const OWNERLESS: &[&[&str]] = &[
    &["apiVersion"],
    &["kind"],
    &["metadata"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "creationTimestamp"],
    &["metadata", "selfLink"],
    &["metadata", "uid"],
    &["metadata", "clusterName"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "resourceVersion"],
];

/// Fields that nobody owns.
pub(super) fn ownerless() -> Set {
    Set::of_paths(OWNERLESS)
}

/// One write to one object.
#[derive(Clone)]
pub(super) struct Write<'a> {
    pub(super) ty: &'a TypeInfo,
    pub(super) live: Value,
    pub(super) owners: Owners,
    pub(super) reset: Set,
    pub(super) now: &'a str,
}

impl Write<'_> {
    /// Gives all fields of an object that nobody owns to one writer.
    pub(super) fn adopt(&mut self, subresource: Option<&str>) {
        let stored = std::mem::replace(&mut self.live, normal::empty(self.ty));
        let writer = Writer::updater(BEFORE_FIRST_APPLY, &self.ty.api_version(), subresource);
        self.update(&stored, &writer);
        self.live = stored;
    }

    pub(super) fn update(&mut self, new: &Value, writer: &Writer) {
        let changed = self.compare(new);
        let touched = changed.modified.union(&changed.added);
        self.take(&touched, &changed.removed, writer);
        let set = touched.recursive_difference(&self.reset);
        let set = set.difference(&Set::of_paths(OWNERLESS));
        let before = self.owners.remove(writer);
        let kept = before
            .as_ref()
            .map(|owned| owned.set.difference(&changed.removed));
        if set.is_empty() {
            if let (Some(set), Some(before)) = (kept, before)
                && !set.is_empty()
            {
                self.owners.insert(writer.clone(), Owned { set, ..before });
            }
            return;
        }
        let owned = Owned {
            set: kept.unwrap_or_default().union(&set),
            version: self.ty.api_version(),
            time: Some(self.now.to_owned()),
        };
        self.owners.insert(writer.clone(), owned);
    }

    fn compare(&self, new: &Value) -> walk::Comparison {
        let mut changed = walk::compare(self.ty.schema.root(), &self.live, new);
        for set in [
            &mut changed.removed,
            &mut changed.modified,
            &mut changed.added,
        ] {
            *set = set.recursive_difference(&self.reset);
        }
        changed
    }

    /// Takes fields from everybody else.
    fn take(&mut self, touched: &Set, removed: &Set, writer: &Writer) {
        for (other, owned) in &mut self.owners {
            if other != writer {
                owned.set = owned
                    .set
                    .difference(&owned.set.intersection(touched))
                    .difference(removed);
            }
        }
        self.owners.retain(|_, owned| !owned.set.is_empty());
    }

    pub(super) fn apply(
        mut self,
        config: &Value,
        writer: &Writer,
        force: bool,
    ) -> Result<Value, Vec<Conflict>> {
        let at = self.ty.schema.root();
        let set = walk::fields(at, config).recursive_difference(&self.reset);
        let before = self.owners.remove(writer);
        let merged = walk::merge(at, Some(&self.live), Some(config)).unwrap_or_else(|| json!({}));
        let version = self.ty.api_version();
        let time = before.as_ref().and_then(|owned| owned.time.clone());
        self.owners
            .insert(writer.clone(), Owned { set, version, time });
        let merged = match before {
            Some(before) => self.drop_abandoned(merged, &before.set),
            None => merged,
        };
        let changed = self.compare(&merged);
        let touched = changed.modified.union(&changed.added);
        let conflicts = self.conflicts(&touched, writer);
        if !force && !conflicts.is_empty() {
            return Err(conflicts);
        }
        self.take(&touched, &changed.removed, writer);
        let mut merged = if walk::same(&self.live, &merged) {
            self.live
        } else {
            if let Some(owned) = self.owners.get_mut(writer) {
                owned.time = Some(self.now.to_owned());
            }
            merged
        };
        if let Some(owned) = self.owners.get_mut(writer) {
            owned.set = owned.set.difference(&Set::of_paths(OWNERLESS));
        }
        self.owners.retain(|_, owned| !owned.set.is_empty());
        entries::write(&mut merged, &self.owners);
        Ok(merged)
    }

    /// Removes what the writer applied last time, does not apply now, and nobody else owns.
    fn drop_abandoned(&self, merged: Value, last: &Set) -> Value {
        let at = self.ty.schema.root();
        if last.is_empty() {
            return merged;
        }
        let last = walk::with_declared(at, last);
        let pruned = walk::without(at, &merged, &last);
        let fields_of = |object: &Value| walk::with_declared(at, &walk::fields(at, object));
        let merged_fields = fields_of(&merged);
        let mut owned = Set::default();
        for other in self.owners.values() {
            owned = owned.union(&other.set);
        }
        let stays = fields_of(&pruned).union(&walk::with_declared(at, &owned));
        let pruned = walk::without(at, &merged, &merged_fields.difference(&stays));
        let gone = merged_fields
            .difference(&fields_of(&pruned))
            .intersection(&last);
        match walk::without(at, &merged, &gone) {
            Value::Null => json!({}),
            rest => rest,
        }
    }

    fn conflicts(&self, touched: &Set, writer: &Writer) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        for (other, owned) in self.owners.iter().filter(|(other, _)| *other != writer) {
            let fields = owned.set.intersection(touched).paths();
            if !fields.is_empty() {
                conflicts.push(Conflict {
                    manager: other.manager.clone(),
                    applied: other.applied,
                    api_version: owned.version.clone(),
                    subresource: Some(other.subresource.clone()).filter(|name| !name.is_empty()),
                    fields,
                });
            }
        }
        conflicts
    }

    /// Whether all conflicts are over fields that `kubectl apply` itself set before it applied
    /// through the server.
    pub(super) fn was_applied_before(&self, conflicts: &[Conflict]) -> bool {
        let annotation = self.live["metadata"]["annotations"][LAST_APPLIED].as_str();
        let last = annotation.and_then(|text| serde_json::from_str::<Value>(text).ok());
        let Some(last) = last.filter(|last| last["apiVersion"] == self.ty.api_version().as_str())
        else {
            return false;
        };
        let at = self.ty.schema.root();
        let changed = walk::compare(at, &last, &self.live);
        let own = walk::fields(at, &last)
            .difference(&changed.modified)
            .difference(&changed.added)
            .difference(&changed.removed)
            .paths();
        let own: BTreeSet<String> = own.into_iter().collect();
        conflicts
            .iter()
            .flat_map(|conflict| &conflict.fields)
            .all(|field| own.contains(field))
    }
}
