//! Objects that can be paused: where they lie, how they are listed, read and changed.

use drplan_api::ConnId;
use drplan_api::ErrorKind;
use drplan_api::Json;
use drplan_api::Pending;
use drplan_api::ProviderError;
use drplan_api::View;
use drplan_api::stamp::FIELD_MANAGER;
use serde::Deserialize;
use serde::Serialize;

use crate::KubeConn;
use crate::asks;
use crate::asks::TypeRef;
use crate::mark::Mark;
use crate::word::Word;

/// A JSON merge patch; with a version in it, the server refuses it if the object is another one by now.
const MERGE_PATCH: &str = "application/merge-patch+json";

/// What can carry a mark: kind, group, plural. Owners stand before what they own.
const KINDS: [(&str, &str, &str); 6] = [
    ("CronJob", "batch", "cronjobs"),
    ("Deployment", "apps", "deployments"),
    ("StatefulSet", "apps", "statefulsets"),
    ("Job", "batch", "jobs"),
    ("ReplicaSet", "apps", "replicasets"),
    ("Pod", "", "pods"),
];

/// Where one object lies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Spot {
    kind: String,
    of: TypeRef,
    pub(super) namespace: String,
    pub(super) name: String,
}

impl Spot {
    /// Its name for people: `CronJob shop/nightly`.
    pub(super) fn title(&self) -> String {
        format!("{} {}/{}", self.kind, self.namespace, self.name)
    }

    /// Its name in effects and audit logs.
    pub(super) fn object(&self) -> String {
        let of = &self.of;
        crate::object_name(&of.group, &of.plural, Some(&self.namespace), &self.name)
    }

    /// The name of its type: `cronjobs.batch`.
    pub(super) fn resource(&self) -> String {
        self.of.full_name()
    }

    /// How owner references name it, within its namespace.
    pub(super) fn as_owner(&self) -> (String, String, String) {
        let names = (&self.namespace, &self.kind, &self.name);
        (names.0.clone(), names.1.clone(), names.2.clone())
    }

    /// Whether one of some words names it.
    pub(super) fn is_named(&self, words: &[Word<'_>]) -> bool {
        let resource = self.resource();
        let mut words = words.iter();
        words.any(|word| word.fits(&resource, &self.namespace, &self.name))
    }

    /// Says that it is another recovery's.
    pub(super) fn left_to(&self, mark: &Mark) -> String {
        format!(
            "{} is paused by {} of recovery `{}` and left alone",
            self.title(),
            mark.run,
            mark.recovery
        )
    }

    /// The command by which a person patches it.
    pub(super) fn command(&self, patch: &Json) -> String {
        let patch = drplan_api::shell::quoted(&patch.to_string());
        let resource = self.resource();
        format!(
            "kubectl -n {} patch {resource} {} --type=merge -p {patch}",
            self.namespace, self.name
        )
    }

    /// Reads it as it is now; `None` if it is gone.
    pub(super) async fn read(&self, conn: &KubeConn) -> Result<Option<Json>, ProviderError> {
        let found = conn.get(&self.of, Some(&self.namespace), &self.name).await;
        match found {
            Ok(object) => Ok(Some(object)),
            Err(e) if e.kind == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Patches it if it still is as it was read. If somebody was faster, the attempt may be repeated,
    /// and reads again.
    pub(super) async fn patch(
        &self,
        conn: &KubeConn,
        read: &Json,
        mut patch: Json,
    ) -> Result<(), ProviderError> {
        patch["metadata"]["resourceVersion"] = read["metadata"]["resourceVersion"].clone();
        let path = self.of.path(Some(&self.namespace), Some(&self.name));
        let path = format!("{path}?fieldManager={FIELD_MANAGER}");
        let during = format!("patch `{}`", self.object());
        match conn.patch(&during, &path, MERGE_PATCH, &patch).await {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.error.kind == ErrorKind::NotFound => Ok(()),
            Err(refusal) if refusal.error.kind == ErrorKind::Conflict => Err(ProviderError {
                kind: ErrorKind::Unreachable,
                ..refusal.error
            }),
            Err(refusal) => Err(refusal.error),
        }
    }
}

/// Objects and where they lie, or why they cannot be listed.
pub(super) type Listed<'a> = Result<Vec<(Spot, &'a Json)>, ProviderError>;

/// Lists all objects of some types, or of all that can carry a mark, owners first. One list for each
/// type, shared with everybody who asks for it.
pub(super) fn list<'a>(
    conn: &ConnId,
    view: &View<'a>,
    wanted: impl Fn(&str) -> bool,
) -> Result<Listed<'a>, Pending> {
    let types = KINDS.map(|(kind, group, plural)| (kind, TypeRef::new(group, "v1", plural)));
    let types = types.iter().filter(|(_, of)| wanted(&of.full_name()));
    types
        .clone()
        .for_each(|(_, of)| view.want(&asks::list(conn, of)));
    let mut out = Vec::new();
    for (kind, of) in types {
        let list = match view.get(&asks::list(conn, of))? {
            Ok(list) => list,
            Err(error) => return Ok(Err(error.clone())),
        };
        for body in list["items"].as_array().into_iter().flatten() {
            let text = |key: &str| body["metadata"][key].as_str().unwrap_or_default();
            let spot = Spot {
                kind: (*kind).to_owned(),
                of: of.clone(),
                namespace: text("namespace").to_owned(),
                name: text("name").to_owned(),
            };
            out.push((spot, body));
        }
    }
    Ok(Ok(out))
}

/// The kind and the name of the controller that owns an object.
pub(super) fn controller(body: &Json) -> Option<(&str, &str)> {
    let owners = body["metadata"]["ownerReferences"].as_array()?;
    let owner = owners.iter().find(|o| o["controller"] == true)?;
    Some((owner["kind"].as_str()?, owner["name"].as_str()?))
}
