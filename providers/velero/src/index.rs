//! What a Velero archive holds, in short: one line for each object.
//!
//! Pure data. It does not know how archives are packed, nor what lives in a cluster.

use std::collections::BTreeMap;

use drplan_api::Json;
use drplan_api::Room;
use drplan_kubernetes::asks::TypeRef;
use drplan_kubernetes::split_api_version;
use serde::Deserialize;
use serde::Serialize;

use crate::slot;
use crate::slot::Slot;
use drplan_kubernetes::mark;
use drplan_kubernetes::mark::Original;

/// Everything in one archive.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Index {
    /// The archive's format.
    pub(crate) format: String,
    /// Its objects, in the order of their keys.
    pub(crate) items: Vec<Item>,
}

/// One object of an archive.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Item {
    /// `deployments.apps`, or `pods` for the core group.
    pub(crate) resource: String,
    /// `apps/v1`.
    pub(crate) api: String,
    /// `Deployment`.
    pub(crate) kind: String,
    /// The namespace; empty for what has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    /// The controller that makes it again, `ReplicaSet/api-5d`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<String>,
    /// The digest of its body without what changes by itself. Of a Secret it depends on the salt of
    /// this process.
    pub(crate) digest: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Facts::is_empty")]
    pub(crate) facts: Facts,
}

/// The few things about a body that decisions need.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Facts {
    /// Of a claim: its storage class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) storage_class: Option<String>,
    /// Of a service: its type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service_type: Option<String>,
    /// Of a webhook configuration: the services that answer, `namespace/name`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) services: Vec<String>,
    /// Why Velero leaves this object out of a restore, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<String>,
    /// Whether the API server itself makes and keeps it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) bootstrap: bool,
    /// Where it names storage classes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) classes: Vec<Slot>,
    /// Where it names container images.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) images: Vec<Slot>,
    /// Of a pod: the claims that it mounts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) claims: Vec<String>,
    /// Of what can be paused: how it runs when it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) runs: Option<Original>,
    /// How much room it asks for.
    #[serde(skip_serializing_if = "Room::is_none")]
    pub(crate) room: Room,
    /// Of what was paused when it was backed up: the run that paused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) paused_by: Option<String>,
}

impl Facts {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What names one object, in its archive and in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Key {
    /// `deployments.apps`.
    pub(crate) resource: String,
    /// Empty for what has none.
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Item {
    pub(crate) fn key(&self) -> Key {
        Key {
            resource: self.resource.clone(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }

    /// The name for people: `apps/v1/Deployment shop/api`.
    pub(crate) fn title(&self) -> String {
        let at = if self.namespace.is_empty() {
            String::new()
        } else {
            format!("{}/", self.namespace)
        };
        format!("{}/{} {at}{}", self.api, self.kind, self.name)
    }

    /// The type under which the archive stored it.
    pub(crate) fn type_ref(&self) -> TypeRef {
        let (group, version) = split_api_version(&self.api);
        let plural = self.resource.split('.').next().unwrap_or(&self.resource);
        TypeRef::new(group, version, plural)
    }

    pub(crate) fn is_namespace(&self) -> bool {
        self.resource == "namespaces"
    }

    pub(crate) fn is_claim(&self) -> bool {
        self.resource == "persistentvolumeclaims"
    }
}

/// Reads what is needed of one body.
pub(crate) fn item(
    resource: &str,
    namespace: &str,
    name: &str,
    body: &Json,
    digest: String,
) -> Item {
    let meta = &body["metadata"];
    let labels = meta["labels"].as_object().into_iter().flatten();
    Item {
        resource: resource.to_owned(),
        api: text(&body["apiVersion"]),
        kind: text(&body["kind"]),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        uid: text(&meta["uid"]),
        owner: controller(meta),
        digest,
        labels: labels.map(|(k, v)| (k.clone(), text(v))).collect(),
        facts: facts(resource, body),
    }
}

fn text(json: &Json) -> String {
    json.as_str().unwrap_or_default().to_owned()
}

fn controller(meta: &Json) -> Option<String> {
    let owners = meta["ownerReferences"].as_array()?;
    let owner = owners.iter().find(|o| o["controller"] == true)?;
    Some(format!("{}/{}", text(&owner["kind"]), text(&owner["name"])))
}

fn facts(resource: &str, body: &Json) -> Facts {
    let mut facts = Facts {
        bootstrap: is_bootstrap(&body["metadata"]),
        classes: slot::classes(resource, body),
        images: slot::images(resource, body),
        runs: mark::running(resource, body),
        paused_by: mark::paused_by(body),
        room: drplan_kubernetes::room::asked(body),
        ..Facts::default()
    };
    let string = |json: &Json| json.as_str().map(str::to_owned);
    match resource {
        "persistentvolumeclaims" => facts.storage_class = string(&body["spec"]["storageClassName"]),
        "services" => facts.service_type = string(&body["spec"]["type"]),
        "pods" => {
            facts.ended = pod_end(body);
            facts.claims = claims(body);
        }
        "jobs.batch" if !body["status"]["completionTime"].is_null() => {
            facts.ended = Some("the job is complete".to_owned());
        }
        "secrets" => facts.ended = token(body),
        "validatingwebhookconfigurations.admissionregistration.k8s.io"
        | "mutatingwebhookconfigurations.admissionregistration.k8s.io" => {
            let hooks = body["webhooks"].as_array().into_iter().flatten();
            let services = hooks.map(|hook| &hook["clientConfig"]["service"]);
            facts.services = services
                .filter(|s| s.is_object())
                .map(|s| format!("{}/{}", text(&s["namespace"]), text(&s["name"])))
                .collect();
            facts.services.sort();
            facts.services.dedup();
        }
        _ => {}
    }
    facts
}

fn pod_end(body: &Json) -> Option<String> {
    if !body["metadata"]["annotations"]["kubernetes.io/config.mirror"].is_null() {
        return Some("a mirror of a static pod".to_owned());
    }
    match body["status"]["phase"].as_str() {
        Some(phase @ ("Succeeded" | "Failed")) => Some(format!("the pod has {phase}")),
        _ => None,
    }
}

fn claims(pod: &Json) -> Vec<String> {
    let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
    let claims = volumes.filter_map(|v| v["persistentVolumeClaim"]["claimName"].as_str());
    claims.map(str::to_owned).collect()
}

fn token(body: &Json) -> Option<String> {
    let account = &body["metadata"]["annotations"]["kubernetes.io/service-account.name"];
    let prefix = format!("{}-token-", account.as_str()?);
    let name = body["metadata"]["name"].as_str()?;
    (body["type"] == "kubernetes.io/service-account-token" && name.starts_with(&prefix))
        .then(|| "a token that the cluster makes".to_owned())
}

fn is_bootstrap(meta: &Json) -> bool {
    meta["labels"]["kubernetes.io/bootstrapping"] == "rbac-defaults"
        || !meta["labels"]["kube-aggregator.kubernetes.io/automanaged"].is_null()
        || !meta["annotations"]["apf.kubernetes.io/autoupdate-spec"].is_null()
}
