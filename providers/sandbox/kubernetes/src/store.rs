//! Objects by resource and name under one revision that counts all writes.
//!
//! Knows no types and no rules: whatever is put is stored. What it gives is what a list, a watch
//! and an optimistic write need: consistent states, the changes since a revision, and a wake-up.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;
use tokio::sync::watch;

use crate::history::Change;
use crate::history::History;
use crate::object;
use crate::object::Object;

/// Which resource, in any version: the group and the plural name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ResourceId {
    /// The API group; empty for the core group.
    pub(crate) group: String,
    /// The plural name.
    pub(crate) plural: String,
}

impl ResourceId {
    pub(crate) fn new(group: &str, plural: &str) -> Self {
        Self {
            group: group.to_owned(),
            plural: plural.to_owned(),
        }
    }
}

/// Which object of a resource; the namespace is empty for what belongs to the whole cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    /// The namespace.
    pub(crate) namespace: String,
    /// The name.
    pub(crate) name: String,
}

impl Name {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    pub(crate) fn of(json: &Value) -> Self {
        Self::new(object::namespace(json), object::name(json))
    }
}

/// The objects of one resource.
#[derive(Debug)]
struct Collection {
    objects: BTreeMap<Name, Arc<Object>>,
    history: History,
    changed: watch::Sender<u64>,
}

/// All objects.
#[derive(Debug)]
pub(crate) struct Store {
    revision: u64,
    history_limit: usize,
    collections: BTreeMap<ResourceId, Collection>,
    /// What changed since the background work last looked: at most every object once.
    touched: BTreeSet<(ResourceId, Name)>,
    any: watch::Sender<u64>,
}

impl Store {
    /// An empty store that keeps so many changes of each resource.
    pub(crate) fn new(history_limit: usize) -> Self {
        Self {
            // Zero means "any revision" to clients; the first write is 2, as nothing ever is 1.
            revision: 1,
            history_limit,
            collections: BTreeMap::new(),
            touched: BTreeSet::new(),
            any: watch::Sender::new(1),
        }
    }

    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn get(&self, id: &ResourceId, name: &Name) -> Option<&Arc<Object>> {
        self.collections.get(id)?.objects.get(name)
    }

    /// The objects of a resource, in one namespace or in all, by namespace and name.
    pub(crate) fn list<'a>(
        &'a self,
        id: &ResourceId,
        namespace: Option<&'a str>,
    ) -> Box<dyn Iterator<Item = &'a Arc<Object>> + 'a> {
        let Some(collection) = self.collections.get(id) else {
            return Box::new(std::iter::empty());
        };
        match namespace {
            None => Box::new(collection.objects.values()),
            Some(namespace) => Box::new(
                collection
                    .objects
                    .range(Name::new(namespace, "")..)
                    .take_while(move |(name, _)| name.namespace == namespace)
                    .map(|(_, object)| object),
            ),
        }
    }

    /// The objects after a name, as they were at a revision; none if that is forgotten.
    pub(crate) fn list_at(
        &self,
        id: &ResourceId,
        namespace: Option<&str>,
        after: Option<&Name>,
        revision: u64,
    ) -> Option<Vec<Arc<Object>>> {
        let Some(collection) = self.collections.get(id) else {
            return Some(Vec::new());
        };
        let undone = collection.history.undo_to(revision)?;
        let wanted = |name: &Name| {
            namespace.is_none_or(|namespace| name.namespace == namespace)
                && after.is_none_or(|after| name > after)
        };
        let mut found: BTreeMap<&Name, &Arc<Object>> = BTreeMap::new();
        let start = after
            .cloned()
            .unwrap_or_else(|| Name::new(namespace.unwrap_or(""), ""));
        for (name, object) in collection.objects.range(start..) {
            if namespace.is_some_and(|namespace| name.namespace.as_str() > namespace) {
                break;
            }
            if wanted(name) && !undone.contains_key(name) {
                found.insert(name, object);
            }
        }
        for (name, state) in &undone {
            if let Some(object) = state.as_ref().filter(|_| wanted(name)) {
                found.insert(name, object);
            }
        }
        Some(found.into_values().cloned().collect())
    }

    /// Stores a new state of an object and returns it with its new revision.
    pub(crate) fn put(&mut self, id: &ResourceId, json: Value) -> Arc<Object> {
        let name = Name::of(&json);
        let object = self.next(json);
        let collection = self.collection(id);
        let before = collection.objects.insert(name.clone(), Arc::clone(&object));
        self.record(id, name, before, &object, false);
        object
    }

    /// Removes an object whose last state is given; returns that with the deletion's revision.
    pub(crate) fn remove(&mut self, id: &ResourceId, last: Value) -> Arc<Object> {
        let name = Name::of(&last);
        let object = self.next(last);
        let before = self.collection(id).objects.remove(&name);
        self.record(id, name, before, &object, true);
        object
    }

    fn next(&mut self, mut json: Value) -> Arc<Object> {
        self.revision += 1;
        object::metadata(&mut json).insert(
            "resourceVersion".to_owned(),
            json!(self.revision.to_string()),
        );
        Arc::new(Object::new(json, self.revision))
    }

    fn record(
        &mut self,
        id: &ResourceId,
        name: Name,
        before: Option<Arc<Object>>,
        after: &Arc<Object>,
        deleted: bool,
    ) {
        let revision = self.revision;
        self.touched.insert((id.clone(), name.clone()));
        let collection = self.collection(id);
        collection.history.push(Change {
            revision,
            name,
            before,
            after: Arc::clone(after),
            deleted,
        });
        collection.changed.send_replace(revision);
        self.any.send_replace(revision);
    }

    fn collection(&mut self, id: &ResourceId) -> &mut Collection {
        let limit = self.history_limit;
        let revision = self.revision;
        self.collections
            .entry(id.clone())
            .or_insert_with(|| Collection {
                objects: BTreeMap::new(),
                history: History::new(limit),
                changed: watch::Sender::new(revision),
            })
    }

    /// The changes of a resource after a revision; none if some of them are forgotten.
    pub(crate) fn since(&self, id: &ResourceId, revision: u64) -> Option<Vec<Change>> {
        match self.collections.get(id) {
            None => Some(Vec::new()),
            Some(collection) => Some(collection.history.since(revision)?.cloned().collect()),
        }
    }

    /// Wakes up whenever the resource changes.
    pub(crate) fn subscribe(&mut self, id: &ResourceId) -> watch::Receiver<u64> {
        self.collection(id).changed.subscribe()
    }

    /// Wakes up whenever anything changes.
    pub(crate) fn subscribe_all(&self) -> watch::Receiver<u64> {
        self.any.subscribe()
    }

    /// What changed since the last call.
    pub(crate) fn take_touched(&mut self) -> BTreeSet<(ResourceId, Name)> {
        std::mem::take(&mut self.touched)
    }

    /// Changes how the objects of a resource read, without a write.
    pub(crate) fn reread(&mut self, id: &ResourceId, change: impl Fn(&mut Value)) {
        let Some(collection) = self.collections.get_mut(id) else {
            return;
        };
        for object in collection.objects.values_mut() {
            let mut json = object.json().clone();
            change(&mut json);
            if json != *object.json() {
                *object = Arc::new(Object::new(json, object.revision()));
            }
        }
    }

    /// Counts every object as changed.
    pub(crate) fn touch_all(&mut self) {
        for (id, collection) in &self.collections {
            let names = collection.objects.keys();
            self.touched
                .extend(names.map(|name| (id.clone(), name.clone())));
        }
    }

    /// Forgets the history of everything.
    pub(crate) fn compact(&mut self) {
        let revision = self.revision;
        for collection in self.collections.values_mut() {
            collection.history.forget_to(revision);
            collection.changed.send_replace(revision);
        }
    }

    /// The resources that have objects.
    pub(crate) fn resources(&self) -> impl Iterator<Item = &ResourceId> {
        self.collections
            .iter()
            .filter(|(_, collection)| !collection.objects.is_empty())
            .map(|(id, _)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str, value: u64) -> Value {
        json!({"metadata": {"namespace": "a", "name": name}, "value": value})
    }

    #[test]
    fn a_list_at_an_old_revision_shows_what_was() {
        let id = ResourceId::new("", "things");
        let mut store = Store::new(10);
        store.put(&id, object("one", 1));
        let then = store.put(&id, object("two", 2)).revision();
        store.put(&id, object("one", 3));
        store.remove(&id, object("two", 2));
        store.put(&id, object("three", 4));

        let old = store.list_at(&id, Some("a"), None, then).expect("is kept");
        let values: Vec<_> = old.iter().map(|o| o.json()["value"].as_u64()).collect();
        assert_eq!(values, [Some(1), Some(2)]);
        let page = store
            .list_at(&id, None, Some(&Name::new("a", "one")), then)
            .expect("is kept");
        assert_eq!(page.len(), 1);
    }

    #[test]
    fn what_is_forgotten_is_said_to_be() {
        let id = ResourceId::new("", "things");
        let mut store = Store::new(2);
        for number in 0..4 {
            store.put(&id, object("one", number));
        }
        assert!(store.since(&id, 2).is_none());
        assert_eq!(store.since(&id, 3).map(|changes| changes.len()), Some(2));
        assert!(store.list_at(&id, None, None, 2).is_none());
    }
}
