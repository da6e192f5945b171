//! The questions that a [`crate::KubeConn`] answers.
//!
//! Equal questions of different resources are one request. In every answer the values of Secrets are
//! salted digests (`{"$digest": "…"}`, see [`crate::salt`]) and `managedFields` is left out.

use drplan_api::Ask;
use drplan_api::ConnId;
use drplan_api::ErrorKind;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_api::Query;
use serde::Deserialize;
use serde::Serialize;

pub(crate) const DISCOVERY: &str = "discovery";
pub(crate) const LIST: &str = "list";
pub(crate) const GET: &str = "get";
pub(crate) const DRY_RUN: &str = "dry_run";
/// Whether whoever asks has a [`drplan_api::Right`]; the answer is a [`drplan_api::Verdict`].
pub(crate) const MAY: &str = "may";

/// A type of objects as paths name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TypeRef {
    /// The group; empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The name in paths, `deployments`.
    pub plural: String,
}

impl TypeRef {
    /// Names a type.
    pub fn new(group: &str, version: &str, plural: &str) -> Self {
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: plural.to_owned(),
        }
    }

    /// Returns `deployments.apps`, or `pods` for the core group.
    pub fn full_name(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// Returns the path of the collection, or of one object.
    pub fn path(&self, namespace: Option<&str>, name: Option<&str>) -> String {
        let mut out = if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        };
        if let Some(namespace) = namespace {
            out.push_str("/namespaces/");
            out.push_str(&escape(namespace));
        }
        out.push('/');
        out.push_str(&self.plural);
        if let Some(name) = name {
            out.push('/');
            out.push_str(&escape(name));
        }
        out
    }
}

/// Percent-encodes what may not stand in one part of a path or query.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            const HEX: &[u8; 16] = b"0123456789ABCDEF";
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    out
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ListArgs {
    #[serde(flatten)]
    pub(crate) of: TypeRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) labels: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct GetArgs {
    #[serde(flatten)]
    pub(crate) of: TypeRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct DryRunArgs {
    #[serde(flatten)]
    pub(crate) at: GetArgs,
    pub(crate) object: Json,
    pub(crate) force: bool,
}

/// Which types there are and which version answers: a [`crate::Discovered`].
pub fn discovery(conn: &ConnId) -> Query {
    Query::new(conn, DISCOVERY, &())
}

/// The type of namespaces.
pub fn namespaces() -> TypeRef {
    TypeRef::new("", "v1", "namespaces")
}

/// All objects of a type in all namespaces: `{"items": […], "resource_version": "…"}`. Each item has
/// its `apiVersion` and `kind`. A type that is not served is [`ErrorKind::NoSuchType`].
pub fn list(conn: &ConnId, of: &TypeRef) -> Query {
    Query {
        conn: conn.clone(),
        ask: every(of),
    }
}

/// The same question, whoever is asked.
pub(crate) fn every(of: &TypeRef) -> Ask {
    let args = ListArgs {
        of: of.clone(),
        namespace: None,
        labels: None,
    };
    Ask::new(LIST, &args)
}

/// The objects of a type in one namespace, of those that a label selector chooses. A namespace that
/// does not exist has none.
pub fn list_in(conn: &ConnId, of: &TypeRef, namespace: &str, labels: Option<&str>) -> Query {
    let args = ListArgs {
        of: of.clone(),
        namespace: Some(namespace.to_owned()),
        labels: labels.map(str::to_owned),
    };
    Query::new(conn, LIST, &args)
}

/// One object. A missing one is [`ErrorKind::NotFound`].
pub fn get(conn: &ConnId, of: &TypeRef, namespace: Option<&str>, name: &str) -> Query {
    let args = GetArgs {
        of: of.clone(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    };
    Query::new(conn, GET, &args)
}

/// What a server-side apply as [`drplan_api::stamp::FIELD_MANAGER`] would make of one object, without
/// doing it. Fields that others own are [`ErrorKind::Conflict`]; [`owners`] reads who owns what. `null`
/// if the server cannot try it (an admission webhook without dry run).
pub fn dry_run(
    conn: &ConnId,
    of: &TypeRef,
    namespace: Option<&str>,
    name: &str,
    object: &Json,
    force: bool,
) -> Query {
    let args = DryRunArgs {
        at: GetArgs {
            of: of.clone(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        },
        object: object.clone(),
        force,
    };
    Query::new(conn, DRY_RUN, &args)
}

/// A field manager and the fields that it owns and that were to be set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// The manager's name.
    pub manager: String,
    /// The fields, `.spec.replicas`.
    pub fields: String,
}

const OWNS: &str = "` owns ";

/// Writes an owner as a cause of a [`ErrorKind::Conflict`].
pub(crate) fn owner_text(manager: &str, fields: &str) -> String {
    format!("`{manager}{OWNS}{fields}")
}

/// Reads the owners back from the error of a dry run or an apply.
pub fn owners(error: &ProviderError) -> Vec<Owner> {
    if error.kind != ErrorKind::Conflict {
        return Vec::new();
    }
    let read = |why: &String| {
        let (manager, fields) = why.strip_prefix('`')?.split_once(OWNS)?;
        Some(Owner {
            manager: manager.to_owned(),
            fields: fields.to_owned(),
        })
    };
    error.why.iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_follow_the_api() {
        let deployments = TypeRef::new("apps", "v1", "deployments");
        assert_eq!(
            deployments.path(Some("shop"), Some("web")),
            "/apis/apps/v1/namespaces/shop/deployments/web"
        );
        let roles = TypeRef::new("rbac.authorization.k8s.io", "v1", "clusterroles");
        assert_eq!(
            roles.path(None, Some("system:node")),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode"
        );
        assert_eq!(
            TypeRef::new("", "v1", "pods").path(None, None),
            "/api/v1/pods"
        );
    }

    #[test]
    fn owners_survive_the_way_through_an_error() {
        let error = ProviderError::new(ErrorKind::Conflict, "apply", "here")
            .because("the server refuses")
            .because(owner_text("kubectl-edit", ".spec.replicas, .spec.paused"));
        let owners = owners(&error);
        assert_eq!(owners.len(), 1);
        assert_eq!(owners[0].manager, "kubectl-edit");
        assert_eq!(owners[0].fields, ".spec.replicas, .spec.paused");
    }
}
