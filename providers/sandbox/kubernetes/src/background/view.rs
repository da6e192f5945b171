//! The objects as controllers look at them.

use std::sync::Arc;

use drplan_sandbox_controllers::Key;
use drplan_sandbox_controllers::View;
use serde_json::Value;

use crate::state::State;
use crate::store::Name;
use crate::store::ResourceId;

/// A look at a state.
pub(super) struct Look<'a>(pub(super) &'a State);

impl Look<'_> {
    fn id(&self, group: &str, kind: &str) -> Option<ResourceId> {
        let served = self.0.types.of_kind(group, kind)?;
        Some(served.id.clone())
    }
}

impl View for Look<'_> {
    fn list(&self, group: &str, kind: &str) -> Vec<Arc<Value>> {
        let Some(id) = self.id(group, kind) else {
            return Vec::new();
        };
        let all = self.0.store.list(&id, None);
        all.map(|object| object.shared()).collect()
    }

    fn list_in(&self, group: &str, kind: &str, namespace: &str) -> Vec<Arc<Value>> {
        let Some(id) = self.id(group, kind) else {
            return Vec::new();
        };
        let all = self.0.store.list(&id, Some(namespace));
        all.map(|object| object.shared()).collect()
    }

    fn get(
        &self,
        group: &str,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Option<Arc<Value>> {
        let id = self.id(group, kind)?;
        let name = Name::new(namespace.unwrap_or_default(), name);
        self.0.store.get(&id, &name).map(|object| object.shared())
    }
}

/// A changed object, as controllers name it.
pub(super) fn key(state: &State, id: &ResourceId, name: &Name) -> Option<Key> {
    let served = state.types.preferred(&id.group, &id.plural)?;
    Some(Key {
        group: id.group.clone(),
        kind: served.info.kind.clone(),
        namespace: Some(name.namespace.clone()).filter(|space| !space.is_empty()),
        name: name.name.clone(),
    })
}
