//! Which types a cluster serves.

use drplan_api::ErrorKind;
use drplan_api::Json;
use drplan_api::ProviderError;
use serde::Deserialize;
use serde::Serialize;

use crate::KubeConn;
use crate::asks::TypeRef;

/// Asks for all groups in one answer; servers that do not know the form send the old one.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
/// The most groups that are asked for one by one on servers without aggregated discovery.
const GROUP_VERSIONS_MAX: usize = 500;

/// What a cluster serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discovered {
    /// The server's version, `v1.35.4`.
    pub git_version: String,
    /// Every type in every version, the server's preferred version of a group first.
    pub resources: Vec<Resource>,
    /// Groups (with version) whose types could not be read, because whoever serves them is down. A
    /// type of such a group is unknown, never absent.
    pub missing_groups: Vec<String>,
}

/// One type in one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// The group; empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind, `Deployment`.
    pub kind: String,
    /// The name in paths, `deployments`.
    pub plural: String,
    /// Whether objects lie in namespaces.
    pub namespaced: bool,
    /// What can be done, `list`, `patch`.
    pub verbs: Vec<String>,
}

impl Resource {
    /// Returns the type without what else is known about it.
    pub fn type_ref(&self) -> TypeRef {
        TypeRef {
            group: self.group.clone(),
            version: self.version.clone(),
            plural: self.plural.clone(),
        }
    }
}

impl Discovered {
    /// Finds a kind in exactly this version.
    pub fn find(&self, group: &str, version: &str, kind: &str) -> Option<&Resource> {
        self.resources
            .iter()
            .find(|r| r.kind == kind && r.group == group && r.version == version)
    }

    /// Finds a type by its name in paths, in the preferred version.
    pub fn by_plural(&self, group: &str, plural: &str) -> Option<&Resource> {
        self.resources
            .iter()
            .find(|r| r.plural == plural && r.group == group)
    }

    /// Tells whether a group's types are unknown because whoever serves them is down.
    pub fn is_missing(&self, group: &str) -> bool {
        self.missing_groups
            .iter()
            .any(|m| m.split('/').next() == Some(group))
    }
}

/// Reads version and types.
pub(crate) async fn read(conn: &KubeConn) -> Result<Discovered, ProviderError> {
    let (version, core, groups) = futures::join!(
        conn.get_json("read the server's version", "/version", None),
        conn.get_json("read the types of the core group", "/api", Some(AGGREGATED)),
        conn.get_json("read the types of all groups", "/apis", Some(AGGREGATED)),
    );
    let mut out = Discovered {
        git_version: text(&version?["gitVersion"]),
        ..Discovered::default()
    };
    for (root, prefix) in [(core?, "/api"), (groups?, "/apis")] {
        if root["kind"] == "APIGroupDiscoveryList" {
            aggregated(&root, &mut out);
        } else {
            one_by_one(conn, &root, prefix, &mut out).await?;
        }
    }
    Ok(out)
}

fn text(json: &Json) -> String {
    json.as_str().unwrap_or_default().to_owned()
}

fn each(json: &Json) -> impl Iterator<Item = &Json> {
    json.as_array().into_iter().flatten()
}

fn aggregated(root: &Json, out: &mut Discovered) {
    for group in each(&root["items"]) {
        let name = text(&group["metadata"]["name"]);
        for version in each(&group["versions"]) {
            let number = text(&version["version"]);
            if version["freshness"] == "Stale" {
                out.missing_groups.push(format!("{name}/{number}"));
            }
            for resource in each(&version["resources"]) {
                out.resources.push(Resource {
                    group: name.clone(),
                    version: number.clone(),
                    kind: text(&resource["responseKind"]["kind"]),
                    plural: text(&resource["resource"]),
                    namespaced: resource["scope"] == "Namespaced",
                    verbs: each(&resource["verbs"]).map(text).collect(),
                });
            }
        }
    }
}

/// The old form: one request for each version of each group. A group that does not answer is missing.
async fn one_by_one(
    conn: &KubeConn,
    root: &Json,
    prefix: &str,
    out: &mut Discovered,
) -> Result<(), ProviderError> {
    let mut versions: Vec<String> = each(&root["versions"]).map(text).collect();
    for group in each(&root["groups"]) {
        let preferred = text(&group["preferredVersion"]["groupVersion"]);
        let all = each(&group["versions"]).map(|v| text(&v["groupVersion"]));
        let others = all.filter(|v| *v != preferred);
        versions.push(preferred.clone());
        versions.extend(others);
    }
    versions.truncate(GROUP_VERSIONS_MAX);
    for group_version in versions.into_iter().filter(|v| !v.is_empty()) {
        let path = format!("{prefix}/{group_version}");
        let during = format!("read the types of `{group_version}`");
        match conn.get_json(&during, &path, None).await {
            Ok(list) => collect_old(&group_version, &list, out),
            Err(e) if e.kind == ErrorKind::Denied => return Err(e),
            Err(_) => out.missing_groups.push(group_version),
        }
    }
    Ok(())
}

fn collect_old(group_version: &str, list: &Json, out: &mut Discovered) {
    let (group, version) = crate::split_api_version(group_version);
    for resource in each(&list["resources"]) {
        let plural = text(&resource["name"]);
        if plural.contains('/') {
            continue;
        }
        out.resources.push(Resource {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: text(&resource["kind"]),
            plural,
            namespaced: resource["namespaced"] == true,
            verbs: each(&resource["verbs"]).map(text).collect(),
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_group_whose_server_is_down_is_missing_and_not_absent() {
        let root = json!({"kind": "APIGroupDiscoveryList", "items": [
            {"metadata": {"name": "apps"}, "versions": [{"version": "v1", "freshness": "Current",
                "resources": [{"resource": "deployments", "scope": "Namespaced",
                    "responseKind": {"kind": "Deployment"}, "verbs": ["list"]}]}]},
            {"metadata": {"name": "metrics.k8s.io"},
             "versions": [{"version": "v1beta1", "freshness": "Stale", "resources": []}]},
        ]});
        let mut out = Discovered::default();
        aggregated(&root, &mut out);
        assert!(out.find("apps", "v1", "Deployment").is_some());
        assert!(out.is_missing("metrics.k8s.io") && !out.is_missing("apps"));
    }
}
