//! The one table of systems and kinds.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::DynKind;
use crate::System;

/// All systems and kinds of one build.
#[derive(Default, Clone)]
pub struct Registry {
    systems: BTreeMap<&'static str, Arc<dyn System>>,
    resources: BTreeMap<&'static str, Arc<dyn DynKind>>,
    data: BTreeMap<&'static str, Arc<dyn DynKind>>,
}

impl Registry {
    /// Makes an empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a system.
    #[must_use]
    pub fn system(mut self, system: impl System) -> Self {
        self.systems.insert(system.name(), Arc::new(system));
        self
    }

    /// Adds a resource kind; make one with [`crate::acting`].
    #[must_use]
    pub fn resource(mut self, kind: Arc<dyn DynKind>) -> Self {
        self.resources.insert(kind.def().name, kind);
        self
    }

    /// Adds a data source; make one with [`crate::reading`].
    #[must_use]
    pub fn data(mut self, kind: Arc<dyn DynKind>) -> Self {
        self.data.insert(kind.def().name, kind);
        self
    }

    /// Returns a system.
    pub fn get_system(&self, name: &str) -> Option<&Arc<dyn System>> {
        self.systems.get(name)
    }

    /// Returns a resource kind.
    pub fn get_resource(&self, name: &str) -> Option<&Arc<dyn DynKind>> {
        self.resources.get(name)
    }

    /// Returns a data source.
    pub fn get_data(&self, name: &str) -> Option<&Arc<dyn DynKind>> {
        self.data.get(name)
    }

    /// Lists systems in order of name.
    pub fn systems(&self) -> impl Iterator<Item = &Arc<dyn System>> {
        self.systems.values()
    }

    /// Lists resource kinds in order of name.
    pub fn resources(&self) -> impl Iterator<Item = &Arc<dyn DynKind>> {
        self.resources.values()
    }

    /// Lists data sources in order of name.
    pub fn data_sources(&self) -> impl Iterator<Item = &Arc<dyn DynKind>> {
        self.data.values()
    }
}
