//! What a cluster is at one moment: its objects, the types they have, and what was asked of it.

use std::sync::Arc;

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
}

impl State {
    pub(crate) fn new(seed: u64, history: usize) -> Self {
        let store = Store::new(history);
        Self {
            types: Types::of(&store),
            store,
            ids: Ids::new(seed),
            audit: Vec::new(),
        }
    }

    /// The type that a path names.
    pub(crate) fn served(&self, target: &Target) -> Outcome<Arc<Served>> {
        match self.types.get(&target.group, &target.version, &target.resource) {
            Some(served) => Ok(Arc::clone(served)),
            // An unknown group is no path of the API at all; in a known one, a resource is missing.
            None if self.types.knows_version(&target.group, &target.version) => {
                Err(if target.group.is_empty() || !self.types.is_custom_group(&target.group) {
                    Failure::no_such_resource()
                } else {
                    Failure::no_such_path()
                })
            }
            None => Err(Failure::no_such_path()),
        }
    }

    /// Follows a change of the definitions of custom types.
    pub(crate) fn follow_types(&mut self, id: &ResourceId) {
        if id.plural == "customresourcedefinitions" {
            self.types = self.types.renewed(&self.store);
        }
    }

    /// Whether a namespace exists.
    pub(crate) fn namespace(&self, name: &str) -> Option<&Arc<crate::object::Object>> {
        let id = ResourceId::new("", "namespaces");
        self.store.get(&id, &Name::new("", name))
    }
}
