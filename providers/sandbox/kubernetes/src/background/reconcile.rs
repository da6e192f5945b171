//! Runs the controllers: tells them what changed and makes the writes that they want.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Timestamp;
use drplan_sandbox_controllers::Ask;
use drplan_sandbox_controllers::Controller;
use drplan_sandbox_controllers::Key;
use drplan_sandbox_controllers::Settings;
use drplan_sandbox_controllers::Turn;
use drplan_sandbox_controllers::Write;
use drplan_sandbox_controllers::all;
use serde_json::Value;

use crate::background::Touched;
use crate::background::author;
use crate::background::part;
use crate::background::view::Look;
use crate::background::view::key;
use crate::deletion;
use crate::deletion::Deletion;
use crate::deletion::Propagation;
use crate::failure::Failure;
use crate::failure::Outcome;
use crate::object;
use crate::state::State;
use crate::store::Name;
use crate::types::Served;
use crate::verbs::subresource::bind_to;
use crate::write;
use crate::write::Author;
use crate::write::Ownership;
use crate::write::Part;
use crate::write::Wish;

/// The controllers, and what each still has to look at.
pub(super) struct Reconcile {
    desks: Vec<Desk>,
}

struct Desk {
    controller: Box<dyn Controller>,
    changed: BTreeSet<Key>,
    /// Those among them that it asked for itself.
    due: BTreeSet<Key>,
    /// When it wants to see which object again.
    again: BTreeMap<Key, Timestamp>,
}

impl Reconcile {
    pub(super) fn new() -> Self {
        let desk = |controller| Desk {
            controller,
            changed: BTreeSet::new(),
            due: BTreeSet::new(),
            again: BTreeMap::new(),
        };
        Self {
            desks: all().into_iter().map(desk).collect(),
        }
    }

    /// Asks every controller that something changed for; answers when the next wants to be asked.
    pub(super) fn turn(
        &mut self,
        state: &mut State,
        touched: &Touched,
        settings: &Settings,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let keys: BTreeSet<Key> = touched
            .iter()
            .filter_map(|(id, name)| key(state, id, name))
            .collect();
        for desk in &mut self.desks {
            desk.note(&keys, now);
            if !desk.changed.is_empty() {
                desk.turn(state, settings, now);
            }
        }
        let next = self.desks.iter().flat_map(|desk| desk.again.values());
        next.min().copied()
    }
}

impl Desk {
    fn note(&mut self, keys: &BTreeSet<Key>, now: Timestamp) {
        let watched = self.controller.watches();
        for key in keys {
            let wanted = watched
                .iter()
                .any(|(group, kind)| key.group == *group && key.kind == *kind);
            if wanted {
                self.changed.insert(key.clone());
            }
        }
        let (changed, due) = (&mut self.changed, &mut self.due);
        self.again.retain(|key, time| {
            let is_due = *time <= now;
            if is_due {
                changed.insert(key.clone());
                due.insert(key.clone());
            }
            !is_due
        });
    }

    fn turn(&mut self, state: &mut State, settings: &Settings, now: Timestamp) {
        let changed = std::mem::take(&mut self.changed);
        let due = std::mem::take(&mut self.due);
        let Turn { writes, again } = self.controller.turn(Ask {
            view: &Look(state),
            changed: &changed,
            due: &due,
            now,
            settings,
        });
        for (key, time) in again {
            self.look_again(key, time);
        }
        let user = part(self.controller.user());
        let author = author(&user, self.controller.manager(), now);
        let mut refused = false;
        for write in writes {
            if let Err(failure) = make(state, write, author) {
                refused |= !is_race(&failure);
            }
        }
        if refused {
            let retry = now.checked_add(settings.durations.retry).unwrap_or(now);
            for key in changed {
                self.look_again(key, retry);
            }
        }
    }

    fn look_again(&mut self, key: Key, time: Timestamp) {
        let known = self.again.entry(key).or_insert(time);
        *known = time.min(*known);
    }
}

/// Whether a write came too late: whatever came first asks the controller again.
fn is_race(failure: &Failure) -> bool {
    matches!(failure.code, 404 | 409)
}

fn make(state: &mut State, wanted: Write, author: Author<'_>) -> Outcome<()> {
    match wanted {
        Write::Create(json) => {
            let served = served_of(state, &json)?;
            let space = object::namespace(&json).to_owned();
            let wish = wish(json, Part::Main);
            write::create(state, &served, &space, wish, author)?;
        }
        Write::Update(json) => replace(state, json, Part::Main, author)?,
        Write::Status(json) => replace(state, json, Part::Status, author)?,
        Write::Bind {
            namespace,
            name,
            uid,
            node,
        } => {
            let served = kind(state, "", "Pod")?;
            let found = state.store.get(&served.id, &Name::new(&namespace, &name));
            let pod = found.filter(|pod| object::uid(pod.json()) == uid).cloned();
            let pod = pod.ok_or_else(|| Failure::not_found(write::about(&served, &name)))?;
            bind_to(state, &served, &pod, &node, author)?;
        }
        Write::Delete { key, uid, at_once } => {
            let served = kind(state, &key.group, &key.kind)?;
            let name = Name::new(key.namespace.as_deref().unwrap_or_default(), &key.name);
            let Some(found) = state.store.get(&served.id, &name).cloned() else {
                return Ok(());
            };
            let deletion = Deletion {
                uid: Some(uid),
                grace_s: at_once.then_some(0),
                propagation: Some(Propagation::Background),
                ..Deletion::default()
            };
            deletion::end(state, &served, &found, &deletion, author)?;
        }
    }
    Ok(())
}

fn wish(new: Value, part: Part) -> Wish {
    Wish {
        new,
        part,
        ownership: Ownership::Changed,
    }
}

fn replace(state: &mut State, json: Value, part: Part, author: Author<'_>) -> Outcome<()> {
    let served = served_of(state, &json)?;
    let name = Name::of(&json);
    let old = state.store.get(&served.id, &name).cloned();
    let old = old.ok_or_else(|| Failure::not_found(write::about(&served, &name.name)))?;
    write::update(state, &served, &old, wish(json, part), author)?;
    Ok(())
}

fn served_of(state: &State, json: &Value) -> Outcome<std::sync::Arc<Served>> {
    let version = object::text(json, "/apiVersion");
    let group = version.split_once('/').map_or("", |(group, _)| group);
    kind(state, group, object::text(json, "/kind"))
}

fn kind(state: &State, group: &str, kind: &str) -> Outcome<std::sync::Arc<Served>> {
    let served = state.types.of_kind(group, kind).cloned();
    served.ok_or_else(Failure::no_such_resource)
}
