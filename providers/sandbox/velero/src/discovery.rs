//! What the cluster serves, as the server saw it last.
//!
//! It looks when it starts, every five minutes, and after it restored definitions; meanwhile it does
//! not know of newer kinds.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use serde_json::Value;

use crate::kube_api::Answer;
use crate::kube_api::Kube;
use crate::text::items;
use crate::text::text;

/// How often it looks.
pub(crate) const REFRESH: Duration = Duration::from_secs(300);

/// One resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) kind: String,
    singular: String,
    short: Vec<String>,
}

/// What was served at the last look.
#[derive(Debug, Default)]
pub(crate) struct Discovery {
    resources: Mutex<Vec<Resource>>,
}

impl Resource {
    /// `resource.group`, or the resource alone in the core group.
    pub(crate) fn full(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    fn is_called(&self, name: &str) -> bool {
        self.plural == name || self.singular == name || self.short.iter().any(|s| s == name)
    }
}

impl Discovery {
    /// Looks again.
    pub(crate) async fn refresh(&self, kube: &Kube) -> Answer<()> {
        let mut found = Vec::new();
        let core = kube.read("/api/v1").await?;
        found.extend(resources("", "v1", &core));
        let groups = kube.read("/apis").await?;
        for group in items(&groups, "/groups") {
            let preferred = text(group, "/preferredVersion/version");
            let mut versions: Vec<&str> = items(group, "/versions")
                .iter()
                .map(|version| text(version, "/version"))
                .collect();
            versions.sort_by_key(|version| *version != preferred);
            for version in versions {
                let name = text(group, "/name");
                // An aggregated API may be down; the others count all the same.
                if let Ok(list) = kube.read(&format!("/apis/{name}/{version}")).await {
                    found.extend(resources(name, version, &list));
                }
            }
        }
        *self
            .resources
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = found;
        Ok(())
    }

    /// The resource that somebody means by `pods`, `po`, `Deployments.apps` or `deploy.apps`.
    pub(crate) fn resource(&self, name: &str) -> Option<Resource> {
        let name = name.to_lowercase();
        let (name, group) = match name.split_once('.') {
            Some((name, group)) => (name, Some(group)),
            None => (&*name, None),
        };
        let resources = self
            .resources
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_meant = |resource: &&Resource, is_exact: bool| {
            resource.is_called(name)
                && group.is_none_or(|group| {
                    resource.group == group || (!is_exact && resource.group.starts_with(group))
                })
        };
        resources
            .iter()
            .find(|resource| is_meant(resource, true))
            .or_else(|| resources.iter().find(|resource| is_meant(resource, false)))
            .cloned()
    }

    /// The full name of a resource, or what was given when it is not served.
    pub(crate) fn full_name(&self, name: &str) -> String {
        self.resource(name)
            .map_or_else(|| name.to_owned(), |resource| resource.full())
    }

    /// The resource of a kind in exactly that version.
    pub(crate) fn kind(&self, api_version: &str, kind: &str) -> Option<Resource> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let resources = self
            .resources
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        resources
            .iter()
            .find(|r| r.group == group && r.version == version && r.kind == kind)
            .cloned()
    }
}

fn resources(group: &str, version: &str, list: &Value) -> Vec<Resource> {
    items(list, "/resources")
        .iter()
        .filter(|resource| !text(resource, "/name").contains('/'))
        .map(|resource| {
            let kind = text(resource, "/kind");
            let singular = text(resource, "/singularName");
            Resource {
                group: group.to_owned(),
                version: version.to_owned(),
                plural: text(resource, "/name").to_owned(),
                kind: kind.to_owned(),
                singular: if singular.is_empty() {
                    kind.to_lowercase()
                } else {
                    singular.to_owned()
                },
                short: crate::text::texts(&resource["shortNames"]),
            }
        })
        .collect()
}
