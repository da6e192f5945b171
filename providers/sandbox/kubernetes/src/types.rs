//! Which types are served: the built-in ones, and those that CustomResourceDefinitions add.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use drplan_sandbox_fields::TypeInfo;
use drplan_sandbox_fields::builtins;
use drplan_sandbox_fields::from_crd;
use serde_json::Value;

use crate::condition::has_condition;
use crate::object;
use crate::store::ResourceId;
use crate::store::Store;

/// What is known of a type; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Info {
    /// One of the built-in types.
    Builtin(&'static TypeInfo),
    /// A served version of a custom type.
    Custom(Arc<TypeInfo>),
}

impl Deref for Info {
    type Target = TypeInfo;

    fn deref(&self) -> &TypeInfo {
        match self {
            Self::Builtin(info) => info,
            Self::Custom(info) => info,
        }
    }
}

/// A type as it is served in one version.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    /// What is known of it.
    pub(crate) info: Info,
    /// Where its objects are.
    pub(crate) id: ResourceId,
    /// The `apiVersion` in which objects are stored.
    pub(crate) stored: String,
    /// The fields that a CRD makes selectable, without the leading dot.
    pub(crate) selectable: Vec<String>,
    /// The columns that a CRD adds to tables.
    pub(crate) columns: Vec<Value>,
    /// The warning that a deprecated version answers with.
    pub(crate) warning: Option<String>,
}

/// The versions of one group, the preferred one first.
pub(crate) type Versions = Vec<String>;

/// All served types.
#[derive(Clone, Debug, Default)]
pub(crate) struct Types {
    by_resource: BTreeMap<(String, String, String), Arc<Served>>,
    /// The preferred version of each kind.
    by_kind: BTreeMap<String, BTreeMap<String, Arc<Served>>>,
    groups: Vec<(String, Versions)>,
    /// What each definition gave, so that one that changes does not have all others read again.
    definitions: BTreeMap<String, Definition>,
}

/// What a definition of a custom type gives, and the spec that it was read from.
#[derive(Clone, Debug)]
struct Definition {
    generation: (String, u64),
    served: Vec<Arc<Served>>,
}

/// The built-in groups in the order in which discovery names them, with their versions; groups of
/// CRDs follow.
const GROUPS: &[(&str, &[&str])] = &[
    ("", &["v1"]),
    ("apiregistration.k8s.io", &["v1"]),
    ("apps", &["v1"]),
    ("events.k8s.io", &["v1"]),
    ("authentication.k8s.io", &["v1"]),
    ("authorization.k8s.io", &["v1"]),
    ("autoscaling", &["v2", "v1"]),
    ("batch", &["v1"]),
    ("certificates.k8s.io", &["v1"]),
    ("networking.k8s.io", &["v1"]),
    ("policy", &["v1"]),
    ("rbac.authorization.k8s.io", &["v1"]),
    ("storage.k8s.io", &["v1"]),
    ("admissionregistration.k8s.io", &["v1"]),
    ("apiextensions.k8s.io", &["v1"]),
    ("scheduling.k8s.io", &["v1"]),
    ("coordination.k8s.io", &["v1"]),
    ("node.k8s.io", &["v1"]),
    ("discovery.k8s.io", &["v1"]),
    ("resource.k8s.io", &["v1"]),
    ("flowcontrol.apiserver.k8s.io", &["v1"]),
];

impl Types {
    /// The built-in types and what the established definitions in the store add.
    pub(crate) fn of(store: &Store) -> Self {
        Self::default().renewed(store)
    }

    /// The same after definitions changed.
    pub(crate) fn renewed(&self, store: &Store) -> Self {
        let mut types = Self::default();
        for info in builtins() {
            types.add_builtin(info);
        }
        for (group, versions) in GROUPS {
            // Two groups only answer questions.
            let asks = matches!(*group, "authentication.k8s.io" | "authorization.k8s.io");
            let served =
                |version: &&&str| asks || types.in_version(group, version).next().is_some();
            let versions: Vec<_> = versions
                .iter()
                .filter(served)
                .map(|v| (*v).to_owned())
                .collect();
            if !versions.is_empty() {
                types.groups.push(((*group).to_owned(), versions));
            }
        }
        let definitions = ResourceId::new("apiextensions.k8s.io", "customresourcedefinitions");
        for crd in store.list(&definitions, None) {
            if is_established(crd.json()) {
                types.add_definition(crd.json(), &self.definitions);
            }
        }
        types.index_kinds();
        types
    }

    fn add_definition(&mut self, crd: &Value, known: &BTreeMap<String, Definition>) {
        let name = object::name(crd);
        let generation = (
            object::uid(crd).to_owned(),
            crd["metadata"]["generation"].as_u64().unwrap_or(0),
        );
        let definition = match known
            .get(name)
            .filter(|known| known.generation == generation)
        {
            Some(known) => known.clone(),
            None => Definition {
                served: custom_versions(crd).into_iter().map(Arc::new).collect(),
                generation,
            },
        };
        for served in &definition.served {
            self.add_version(&served.info.group, &served.info.version);
            self.insert(Arc::clone(served));
        }
        self.definitions.insert(name.to_owned(), definition);
    }

    fn add_version(&mut self, group: &str, version: &str) {
        let known = self.groups.iter_mut().find(|(known, _)| known == group);
        let versions = match known {
            Some((_, versions)) => versions,
            None => {
                self.groups.push((group.to_owned(), Vec::new()));
                match self.groups.last_mut() {
                    Some((_, versions)) => versions,
                    None => return,
                }
            }
        };
        if !versions.iter().any(|known| known == version) {
            versions.push(version.to_owned());
            versions.sort_by(|a, b| priority(b).cmp(&priority(a)).then(a.cmp(b)));
        }
    }

    /// The stored versions whose definition is another than before.
    pub(crate) fn changed_since(&self, before: &Self) -> Vec<Arc<Served>> {
        let changed = self.definitions.iter().filter(|(name, now)| {
            let known = before.definitions.get(*name);
            known.is_some_and(|known| known.generation != now.generation)
        });
        changed
            .flat_map(|(_, definition)| &definition.served)
            .filter(|served| served.info.api_version() == served.stored)
            .cloned()
            .collect()
    }

    /// Whether a version of a group is served.
    pub(crate) fn knows_version(&self, group: &str, version: &str) -> bool {
        self.groups
            .iter()
            .any(|(known, versions)| known == group && versions.iter().any(|v| v == version))
    }

    /// Whether a group belongs to the API itself.
    pub(crate) fn is_builtin_group(&self, group: &str) -> bool {
        GROUPS.iter().any(|(known, _)| *known == group)
    }

    fn add_builtin(&mut self, info: &'static TypeInfo) {
        // Events are one resource in two groups; their objects live in the core one.
        let (group, stored) = match (info.group.as_str(), info.plural.as_str()) {
            ("events.k8s.io", _) => ("", "v1".to_owned()),
            ("autoscaling", _) => ("autoscaling", "autoscaling/v2".to_owned()),
            _ => (info.group.as_str(), info.api_version()),
        };
        self.insert(Arc::new(Served {
            id: ResourceId::new(group, &info.plural),
            info: Info::Builtin(info),
            stored,
            selectable: Vec::new(),
            columns: Vec::new(),
            warning: None,
        }));
    }

    fn insert(&mut self, served: Arc<Served>) {
        let info = &served.info;
        let key = (
            info.group.clone(),
            info.version.clone(),
            info.plural.clone(),
        );
        self.by_resource.entry(key).or_insert(served);
    }

    /// The type behind a path.
    pub(crate) fn get(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Served>> {
        let key = (group.to_owned(), version.to_owned(), plural.to_owned());
        self.by_resource.get(&key)
    }

    /// All types of one version of a group, by plural name.
    pub(crate) fn in_version<'a>(
        &'a self,
        group: &'a str,
        version: &'a str,
    ) -> impl Iterator<Item = &'a Arc<Served>> {
        self.by_resource
            .range((group.to_owned(), version.to_owned(), String::new())..)
            .take_while(move |((g, v, _), _)| g == group && v == version)
            .map(|(_, served)| served)
    }

    /// The groups with their versions, in the order of discovery; the core group first.
    pub(crate) fn groups(&self) -> &[(String, Versions)] {
        &self.groups
    }

    /// The type of a resource in the version that discovery prefers.
    pub(crate) fn preferred(&self, group: &str, plural: &str) -> Option<&Arc<Served>> {
        let (_, versions) = self.groups.iter().find(|(known, _)| known == group)?;
        versions
            .iter()
            .find_map(|version| self.get(group, version, plural))
    }

    /// The type of a kind in the preferred of the versions that have it.
    pub(crate) fn of_kind(&self, group: &str, kind: &str) -> Option<&Arc<Served>> {
        self.by_kind.get(group)?.get(kind)
    }

    fn index_kinds(&mut self) {
        let mut by_kind: BTreeMap<String, BTreeMap<String, Arc<Served>>> = BTreeMap::new();
        for (group, versions) in &self.groups {
            let kinds = by_kind.entry(group.clone()).or_default();
            for version in versions {
                for served in self.in_version(group, version) {
                    let kind = served.info.kind.clone();
                    kinds.entry(kind).or_insert_with(|| Arc::clone(served));
                }
            }
        }
        self.by_kind = by_kind;
    }

    /// The types whose objects are stored, one version of each.
    pub(crate) fn stored(&self) -> impl Iterator<Item = &Arc<Served>> {
        self.by_resource.values().filter(|served| {
            served.info.api_version() == served.stored
                && served.info.verbs.iter().any(|verb| verb == "list")
        })
    }
}

/// The versions that a definition serves.
fn custom_versions(crd: &Value) -> Vec<Served> {
    let versions = || crd["spec"]["versions"].as_array().into_iter().flatten();
    let stored = versions()
        .find(|version| version["storage"] == true)
        .map(|version| object::text(version, "/name"));
    let mut all = Vec::new();
    let best = versions()
        .filter(|version| version["served"] == true && version["deprecated"] != true)
        .map(|version| object::text(version, "/name"))
        .max_by(|a, b| priority(a).cmp(&priority(b)).then(b.cmp(a)));
    for version in versions().filter(|version| version["served"] == true) {
        let name = object::text(version, "/name");
        // A definition that cannot be read was refused when it was written.
        let Ok(info) = from_crd(crd, name) else {
            continue;
        };
        let warning = version["deprecationWarning"].as_str().map_or_else(
            || {
                let instead = best.map_or_else(String::new, |best| {
                    format!("; use {}/{best} {}", info.group, info.kind)
                });
                format!(
                    "{} {} is deprecated{instead}",
                    info.api_version(),
                    info.kind
                )
            },
            str::to_owned,
        );
        all.push(Served {
            id: ResourceId::new(&info.group, &info.plural),
            stored: format!("{}/{}", info.group, stored.unwrap_or(name)),
            selectable: selectable_fields(version),
            columns: version["additionalPrinterColumns"]
                .as_array()
                .cloned()
                .unwrap_or_default(),
            warning: (version["deprecated"] == true).then_some(warning),
            info: Info::Custom(Arc::new(info)),
        });
    }
    all
}

fn selectable_fields(version: &Value) -> Vec<String> {
    let fields = version["selectableFields"].as_array().into_iter().flatten();
    fields
        .filter_map(|field| field["jsonPath"].as_str())
        .map(|path| path.trim_start_matches('.').to_owned())
        .collect()
}

fn is_established(crd: &Value) -> bool {
    has_condition(crd, "Established")
}

/// The order of versions: stable ones before betas before alphas before all others, newer first.
fn priority(version: &str) -> (u8, u64, u64) {
    let Some(rest) = version.strip_prefix('v') else {
        return (0, 0, 0);
    };
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let Ok(major) = rest[..digits].parse() else {
        return (0, 0, 0);
    };
    let stage = &rest[digits..];
    let minor = |text: &str| text.parse().unwrap_or(0);
    if stage.is_empty() {
        (3, major, 0)
    } else if let Some(number) = stage.strip_prefix("beta") {
        (2, major, minor(number))
    } else if let Some(number) = stage.strip_prefix("alpha") {
        (1, major, minor(number))
    } else {
        (0, 0, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_stand_in_the_order_of_discovery() {
        let mut versions = ["v1alpha1", "v1beta2", "v2", "foo", "v1", "v1beta1"];
        versions.sort_by_key(|version| std::cmp::Reverse(priority(version)));
        assert_eq!(
            versions,
            ["v2", "v1", "v1beta2", "v1beta1", "v1alpha1", "foo"]
        );
    }
}
