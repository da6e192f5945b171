//! A store that applies what controllers write, and a clock that jumps to what they wait for.
//!
//! Knows just enough of an API server: versions, generations, graceful deletion, finalizers and the
//! collection of what lost its owner.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use drplan_sandbox_controllers::Ask;
use drplan_sandbox_controllers::Controller;
use drplan_sandbox_controllers::Key;
use drplan_sandbox_controllers::Settings;
use drplan_sandbox_controllers::View;
use drplan_sandbox_controllers::Write;
use drplan_sandbox_controllers::all;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::fixture::class;

/// More rounds than that at one moment mean that controllers never agree.
const MOST_ROUNDS: usize = 500;

/// The objects of one kind, by namespace and name.
type Kind = BTreeMap<(String, String), Arc<Value>>;

#[derive(Default)]
struct Inbox {
    changed: BTreeSet<Key>,
    due: BTreeMap<Key, Timestamp>,
}

pub(crate) struct World {
    objects: BTreeMap<(String, String), Kind>,
    controllers: Vec<(Box<dyn Controller>, Inbox)>,
    version: u64,
    pub(crate) now: Timestamp,
    pub(crate) settings: Settings,
    /// How many objects the controllers were shown.
    pub(crate) shown: Cell<usize>,
    pub(crate) turns: usize,
    /// Refuses the writes for which this says so, by their number.
    pub(crate) refuse: fn(usize) -> bool,
    writes: usize,
    /// `CREATE Pod ns/name`, in order.
    pub(crate) log: Vec<String>,
}

impl View for World {
    fn list(&self, group: &str, kind: &str) -> Vec<Arc<Value>> {
        let kind = self.objects.get(&(group.to_owned(), kind.to_owned()));
        let found: Vec<_> = kind
            .into_iter()
            .flat_map(BTreeMap::values)
            .cloned()
            .collect();
        self.shown.set(self.shown.get() + found.len());
        found
    }

    fn list_in(&self, group: &str, kind: &str, namespace: &str) -> Vec<Arc<Value>> {
        let from = (namespace.to_owned(), String::new());
        let kind = self.objects.get(&(group.to_owned(), kind.to_owned()));
        let found: Vec<_> = kind
            .into_iter()
            .flat_map(|kind| kind.range(from.clone()..))
            .take_while(|((space, _), _)| space == namespace)
            .map(|(_, object)| Arc::clone(object))
            .collect();
        self.shown.set(self.shown.get() + found.len());
        found
    }

    fn get(
        &self,
        group: &str,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Option<Arc<Value>> {
        self.shown.set(self.shown.get() + 1);
        let kind = self.objects.get(&(group.to_owned(), kind.to_owned()))?;
        let place = (namespace.unwrap_or_default().to_owned(), name.to_owned());
        kind.get(&place).cloned()
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let mut settings = Settings::default();
        settings.durations.lease_renew = Duration::ZERO;
        settings.root_ca = "CERTIFICATE".to_owned();
        let mut world = Self {
            objects: BTreeMap::new(),
            controllers: all().into_iter().map(|c| (c, Inbox::default())).collect(),
            version: 0,
            now: "2026-01-01T00:00:00Z".parse().expect("a time"),
            settings,
            shown: Cell::new(0),
            turns: 0,
            refuse: |_| false,
            writes: 0,
            log: Vec::new(),
        };
        for name in ["node-a", "node-b", "node-c"] {
            world.add(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}));
        }
        world.add(
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"},
            "status": {"phase": "Active"}}),
        );
        world.add(class("fast", "WaitForFirstConsumer"));
        world
    }

    /// Creates an object, in the namespace `shop` if its kind has namespaces.
    pub(crate) fn add(&mut self, mut object: Value) -> String {
        const OF_CLUSTER: &[&str] = &[
            "Node",
            "Namespace",
            "StorageClass",
            "PersistentVolume",
            "IngressClass",
        ];
        let kind = object["kind"].as_str().expect("a kind").to_owned();
        if !OF_CLUSTER.contains(&kind.as_str()) && object["metadata"]["namespace"].is_null() {
            object["metadata"]["namespace"] = "shop".into();
        }
        let key = Key::of(&object).expect("a key");
        assert!(self.find(&key).is_none(), "{key} is there already");
        self.version += 1;
        let uid = format!("00000000-0000-4000-8000-{:012x}", self.version);
        object["metadata"]["uid"] = uid.clone().into();
        object["metadata"]["generation"] = 1.into();
        object["metadata"]["creationTimestamp"] = stamp(self.now);
        if kind == "Pod" && object["status"].is_null() {
            object["status"] = json!({"phase": "Pending"});
        }
        if kind == "Job" && object["spec"]["selector"].is_null() {
            object["spec"]["selector"] =
                json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
        }
        self.put(object);
        uid
    }

    fn put(&mut self, mut object: Value) {
        let key = Key::of(&object).expect("a key");
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let place = place(&key);
        let kind = self.objects.entry((key.group.clone(), key.kind.clone()));
        kind.or_default().insert(place, Arc::new(object));
        self.tell(&key);
    }

    fn tell(&mut self, key: &Key) {
        for (controller, inbox) in &mut self.controllers {
            let mut watched = controller.watches().iter();
            if watched.any(|(group, kind)| key.group == *group && key.kind == *kind) {
                inbox.changed.insert(key.clone());
            }
        }
    }

    fn find(&self, key: &Key) -> Option<Arc<Value>> {
        let kind = self.objects.get(&(key.group.clone(), key.kind.clone()))?;
        kind.get(&place(key)).cloned()
    }

    pub(crate) fn see(&self, group: &str, kind: &str, name: &str) -> Value {
        let space = (kind != "PersistentVolume" && kind != "Node").then_some("shop");
        let found = View::get(self, group, kind, space, name);
        found.map_or(Value::Null, |object| object.as_ref().clone())
    }

    pub(crate) fn names(&self, group: &str, kind: &str) -> Vec<String> {
        let all = View::list(self, group, kind);
        all.iter()
            .map(|o| o["metadata"]["name"].as_str().expect("a name").to_owned())
            .collect()
    }

    /// Changes an object as a client would.
    pub(crate) fn change(&mut self, group: &str, kind: &str, name: &str, by: impl Fn(&mut Value)) {
        let mut object = self.see(group, kind, name);
        by(&mut object);
        self.update(object);
    }

    pub(crate) fn remove(&mut self, group: &str, kind: &str, name: &str) {
        let key = Key::of(&self.see(group, kind, name)).expect("it is there");
        self.delete(&key, false);
    }

    fn update(&mut self, mut object: Value) {
        let key = Key::of(&object).expect("a key");
        let Some(old) = self.find(&key) else {
            return;
        };
        if old["metadata"]["resourceVersion"] != object["metadata"]["resourceVersion"] {
            return;
        }
        if old["spec"] != object["spec"] {
            let generation = old["metadata"]["generation"].as_u64().unwrap_or(0);
            object["metadata"]["generation"] = (generation + 1).into();
        }
        let held = object["metadata"]["finalizers"].as_array();
        let held = held.is_some_and(|list| !list.is_empty());
        let over = object["metadata"]["deletionTimestamp"].is_string()
            && object["metadata"]["deletionGracePeriodSeconds"]
                .as_u64()
                .unwrap_or(0)
                == 0;
        if over && !held {
            self.erase(&key);
        } else {
            self.put(object);
        }
    }

    fn delete(&mut self, key: &Key, at_once: bool) {
        let Some(object) = self.find(key) else {
            return;
        };
        let mut object = object.as_ref().clone();
        let held = object["metadata"]["finalizers"].as_array();
        let held = held.is_some_and(|list| !list.is_empty());
        let bound = key.kind == "Pod" && object["spec"]["nodeName"].is_string() && !at_once;
        if !held && !bound {
            self.erase(key);
            return;
        }
        let grace = if bound { 30 } else { 0 };
        object["metadata"]["deletionGracePeriodSeconds"] = grace.into();
        if object["metadata"]["deletionTimestamp"].is_null() {
            let over = self.now + Duration::from_secs(grace);
            object["metadata"]["deletionTimestamp"] = stamp(over);
        }
        self.put(object);
    }

    fn erase(&mut self, key: &Key) {
        let kind = self.objects.get_mut(&(key.group.clone(), key.kind.clone()));
        let gone = kind.and_then(|kind| kind.remove(&place(key)));
        self.log.push(format!("DELETE {key}"));
        self.tell(key);
        let Some(gone) = gone else {
            return;
        };
        let uid = &gone["metadata"]["uid"];
        let all = self.objects.values().flat_map(BTreeMap::values);
        let orphans = all.filter(|object| {
            let owners = object["metadata"]["ownerReferences"].as_array();
            owners.is_some_and(|owners| owners.iter().any(|owner| &owner["uid"] == uid))
        });
        let orphans: Vec<_> = orphans.filter_map(|object| Key::of(object)).collect();
        for orphan in orphans {
            self.delete(&orphan, false);
        }
    }

    fn apply(&mut self, write: Write) {
        match write {
            Write::Create(object) => {
                let key = Key::of(&object).expect("a key");
                if self.find(&key).is_none() {
                    self.log.push(format!("CREATE {key}"));
                    self.add(object);
                }
            }
            Write::Update(mut object) => {
                let old = self.find(&Key::of(&object).expect("a key"));
                object["status"] = old.map_or(Value::Null, |old| old["status"].clone());
                self.update(object);
            }
            Write::Status(object) => {
                let Some(old) = self.find(&Key::of(&object).expect("a key")) else {
                    return;
                };
                let mut new = old.as_ref().clone();
                new["status"] = object["status"].clone();
                new["metadata"]["resourceVersion"] = object["metadata"]["resourceVersion"].clone();
                self.update(new);
            }
            Write::Bind {
                namespace,
                name,
                node,
                ..
            } => {
                let key = Key {
                    group: String::new(),
                    kind: "Pod".to_owned(),
                    namespace: Some(namespace),
                    name,
                };
                let mut pod = self.find(&key).expect("a pod").as_ref().clone();
                pod["spec"]["nodeName"] = node.into();
                self.put(pod);
            }
            Write::Delete { key, uid, at_once } => {
                let there = self.find(&key);
                if there.is_some_and(|object| object["metadata"]["uid"] == uid) {
                    self.delete(&key, at_once);
                }
            }
        }
    }

    /// Lets time pass and everything happen that happens meanwhile.
    pub(crate) fn pass(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        loop {
            self.settle();
            let times = self.controllers.iter().flat_map(|(_, i)| i.due.values());
            match times.min().copied().filter(|at| *at <= end) {
                Some(next) => self.now = self.now.max(next),
                None => break,
            }
        }
        self.now = end;
    }

    /// Asks all controllers until none has anything to do now.
    pub(crate) fn settle(&mut self) {
        for _ in 0..MOST_ROUNDS {
            let mut idle = true;
            for place in 0..self.controllers.len() {
                idle &= !self.turn(place);
            }
            if idle {
                return;
            }
        }
        panic!("the controllers never agree: {:#?}", self.log);
    }

    fn turn(&mut self, place: usize) -> bool {
        let now = self.now;
        let (_, inbox) = &mut self.controllers[place];
        let mut changed = std::mem::take(&mut inbox.changed);
        let due: BTreeSet<_> = inbox
            .due
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(key, _)| key.clone())
            .collect();
        inbox.due.retain(|_, at| *at > now);
        changed.extend(due.iter().cloned());
        if changed.is_empty() {
            return false;
        }
        self.turns += 1;
        let (controller, _) = &self.controllers[place];
        let turn = controller.turn(Ask {
            view: self,
            changed: &changed,
            due: &due,
            now,
            settings: &self.settings,
        });
        let (_, inbox) = &mut self.controllers[place];
        for (key, at) in turn.again {
            assert!(at > now, "{key} is to be seen again at once");
            let slot = inbox.due.entry(key).or_insert(at);
            *slot = (*slot).min(at);
        }
        let mut written = BTreeSet::new();
        let mut refused = false;
        for write in turn.writes {
            if let Write::Update(object) | Write::Status(object) = &write {
                let key = Key::of(object).expect("a key");
                assert!(
                    written.insert(key.clone()),
                    "two writes of {key} in one turn"
                );
            }
            self.writes += 1;
            if (self.refuse)(self.writes) {
                refused = true;
            } else {
                self.apply(write);
            }
        }
        if refused {
            let (_, inbox) = &mut self.controllers[place];
            let retry = now + self.settings.durations.retry;
            for key in changed {
                inbox.due.entry(key).or_insert(retry);
            }
        }
        true
    }
}

fn place(key: &Key) -> (String, String) {
    (key.namespace.clone().unwrap_or_default(), key.name.clone())
}

fn stamp(time: Timestamp) -> Value {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into()
}
