//! What a cluster is at one moment: its objects, the types they have, and what was asked of it.

use std::sync::Arc;

use drplan_sandbox_fields as fields;

use crate::allocations::Allocations;
use crate::audit::Audited;
use crate::failure::Failure;
use crate::failure::Outcome;
use crate::ids::Ids;
use crate::path::Target;
use crate::store::Name;
use crate::store::ResourceId;
use crate::store::Store;
use crate::types::Served;
use crate::types::Types;

/// Everything that requests read and write, under one lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) types: Types,
    pub(crate) ids: Ids,
    pub(crate) audit: Vec<Audited>,
    pub(crate) allocations: Allocations,
}

impl State {
    pub(crate) fn new(seed: u64, history: usize) -> Self {
        let store = Store::new(history);
        Self {
            types: Types::of(&store),
            store,
            ids: Ids::new(seed),
            audit: Vec::new(),
            allocations: Allocations::default(),
        }
    }

    /// The type that a path names.
    pub(crate) fn served(&self, target: &Target) -> Outcome<Arc<Served>> {
        match self
            .types
            .get(&target.group, &target.version, &target.resource)
        {
            Some(served) => Ok(Arc::clone(served)),
            // In a group of the API itself a resource is missing; any other is no path at all.
            None if self.types.is_builtin_group(&target.group) => Err(Failure::no_such_resource()),
            None => Err(Failure::no_such_path()),
        }
    }

    /// Follows a change of the definitions of custom types.
    pub(crate) fn follow_types(&mut self, id: &ResourceId) {
        if id.plural != "customresourcedefinitions" {
            return;
        }
        let before = std::mem::take(&mut self.types);
        self.types = before.renewed(&self.store);
        for served in self.types.changed_since(&before) {
            // Objects show what the new definition makes of them, though nobody wrote them.
            self.store.reread(&served.id, |json| {
                fields::prune(&served.info, json);
                fields::default(&served.info, json);
            });
        }
    }

    /// Whether a namespace exists.
    pub(crate) fn namespace(&self, name: &str) -> Option<&Arc<crate::object::Object>> {
        let id = ResourceId::new("", "namespaces");
        self.store.get(&id, &Name::new("", name))
    }
}
