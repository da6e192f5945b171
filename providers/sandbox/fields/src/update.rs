//! What an update may not change.
//!
//! Knows the fields of built-in types that clients meet in a recovery; of custom types only what
//! identifies an object. What an object may be otherwise is asked of [`crate::validate`]. Where the
//! real server adds a difference of its internal types to a text, only the sentence is said.

use serde_json::Value;
use serde_json::json;

use crate::FieldError;
use crate::TypeInfo;
use crate::quantity;

const IMMUTABLE: &str = "field is immutable";

/// What an update changes although it may not.
#[must_use]
pub fn check_update(ty: &TypeInfo, old: &Value, new: &Value) -> Vec<FieldError> {
    let mut check = Check {
        old,
        new,
        errors: Vec::new(),
    };
    for path in ["metadata.name", "metadata.namespace", "metadata.uid"] {
        check.fixed(path);
    }
    if !ty.custom {
        check.builtin(&ty.kind);
    }
    check.errors
}

/// The value at a dotted path.
fn at<'a>(object: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(object, |value, name| &value[name])
}

/// An object without some fields.
fn without(value: &Value, paths: &[&str]) -> Value {
    let mut rest = value.clone();
    for path in paths {
        let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
        let mut parent = parent.split('.').filter(|name| !name.is_empty());
        let found = parent.try_fold(&mut rest, |value, name| value.get_mut(name));
        if let Some(map) = found.and_then(Value::as_object_mut) {
            map.remove(name);
        }
    }
    rest
}

struct Check<'a> {
    old: &'a Value,
    new: &'a Value,
    errors: Vec<FieldError>,
}

impl Check<'_> {
    fn changes(&self, path: &str) -> bool {
        at(self.old, path) != at(self.new, path)
    }

    /// A field that never changes.
    fn fixed(&mut self, path: &str) {
        if self.changes(path) {
            self.errors
                .push(FieldError::invalid(path, at(self.new, path), IMMUTABLE));
        }
    }

    fn forbidden(&mut self, path: &str, detail: &str) {
        self.errors.push(FieldError::forbidden(path, detail));
    }

    fn builtin(&mut self, kind: &str) {
        match kind {
            "Deployment" | "DaemonSet" | "ReplicaSet" => self.fixed("spec.selector"),
            "StatefulSet" => self.stateful_set(),
            "Job" => self.job(),
            "ConfigMap" | "Secret" => self.content(kind),
            "Service" => self.service(),
            "PersistentVolumeClaim" => self.claim(),
            "PersistentVolume" => self.volume(),
            "Pod" => self.pod(),
            "StorageClass" => self.storage_class(),
            "RoleBinding" | "ClusterRoleBinding" if self.changes("roleRef") => {
                let role = &self.new["roleRef"];
                let shown = json!({ "APIGroup": role["apiGroup"], "Kind": role["kind"], "Name": role["name"] });
                self.errors.push(FieldError::invalid(
                    "roleRef",
                    &shown,
                    "cannot change roleRef",
                ));
            }
            "PriorityClass" if self.changes("value") => {
                self.forbidden("value", "may not be changed in an update.");
            }
            "IngressClass" => self.fixed("spec.controller"),
            "EndpointSlice" => self.fixed("addressType"),
            "ControllerRevision" => self.fixed("data"),
            "CustomResourceDefinition" => {
                for path in [
                    "spec.group",
                    "spec.names.plural",
                    "spec.scope",
                    "spec.names.kind",
                ] {
                    self.fixed(path);
                }
            }
            _ => {}
        }
    }

    fn stateful_set(&mut self) {
        const MUTABLE: &[&str] = &[
            "replicas",
            "ordinals",
            "template",
            "updateStrategy",
            "revisionHistoryLimit",
            "persistentVolumeClaimRetentionPolicy",
            "minReadySeconds",
        ];
        if without(&self.old["spec"], MUTABLE) != without(&self.new["spec"], MUTABLE) {
            let detail = "updates to statefulset spec for fields other than 'replicas', 'ordinals', \
                          'template', 'updateStrategy', 'revisionHistoryLimit', \
                          'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
            self.forbidden("spec", detail);
        }
    }

    fn job(&mut self) {
        let indexed = self.new["spec"]["completionMode"] == "Indexed";
        if !indexed {
            self.fixed("spec.completions");
        }
        self.fixed("spec.selector");
        let suspended =
            self.old["spec"]["suspend"] == true && self.old["status"]["startTime"].is_null();
        // A Job that has not started may still be told where to run.
        let scheduling: &[&str] = if suspended {
            &[
                "spec.nodeSelector",
                "spec.tolerations",
                "spec.affinity",
                "spec.schedulingGates",
                "metadata",
            ]
        } else {
            &[]
        };
        let template = |job: &Value| without(&job["spec"]["template"], scheduling);
        if template(self.old) != template(self.new) {
            let shown = &self.new["spec"]["template"];
            self.errors
                .push(FieldError::invalid("spec.template", shown, IMMUTABLE));
        }
        self.fixed("spec.completionMode");
        self.fixed("spec.podFailurePolicy");
        self.fixed("spec.backoffLimitPerIndex");
    }

    fn content(&mut self, kind: &str) {
        if kind == "Secret" {
            self.fixed("type");
        }
        if self.old["immutable"] != true {
            return;
        }
        let detail = "field is immutable when `immutable` is set";
        if self.new["immutable"] != true {
            self.forbidden("immutable", detail);
        }
        for name in ["data", "binaryData"] {
            if self.changes(name) {
                self.forbidden(name, detail);
            }
        }
    }

    fn service(&mut self) {
        let kind = |service: &Value| service["spec"]["type"].clone();
        let allocated = |service: &Value| {
            service["spec"]["clusterIP"]
                .as_str()
                .is_some_and(|ip| !ip.is_empty())
        };
        let external = kind(self.old) == "ExternalName" || kind(self.new) == "ExternalName";
        if !external && allocated(self.old) && self.changes("spec.clusterIP") {
            let addresses = &self.new["spec"]["clusterIPs"];
            let shown = match addresses
                .as_array()
                .filter(|all| all.first() == Some(&self.new["spec"]["clusterIP"]))
            {
                Some(_) => addresses.clone(),
                None => json!([self.new["spec"]["clusterIP"]]),
            };
            let detail = "may not change once set";
            self.errors
                .push(FieldError::invalid("spec.clusterIPs[0]", &shown, detail));
        }
    }

    fn claim(&mut self) {
        let bound = self.old["status"]["phase"] == "Bound";
        let mut mutable = vec!["volumeAttributesClassName"];
        if bound {
            mutable.push("resources.requests");
        }
        // The binder writes the name of the volume once.
        if self.old["spec"]["volumeName"]
            .as_str()
            .is_none_or(str::is_empty)
        {
            mutable.push("volumeName");
        }
        if without(&self.old["spec"], &mutable) != without(&self.new["spec"], &mutable) {
            let detail = "spec is immutable after creation except resources.requests and \
                          volumeAttributesClassName for bound claims";
            self.forbidden("spec", detail);
        }
        let size = |claim: &Value| {
            claim["spec"]["resources"]["requests"]["storage"]
                .as_str()
                .unwrap_or("0")
                .to_owned()
        };
        let (before, after) = (size(self.old), size(self.new));
        if bound && quantity::compare(&after, &before) == Some(std::cmp::Ordering::Less) {
            let detail = "field can not be less than status.capacity";
            self.forbidden("spec.resources.requests.storage", detail);
        }
    }

    fn volume(&mut self) {
        const MUTABLE: &[&str] = &[
            "accessModes",
            "capacity",
            "claimRef",
            "mountOptions",
            "nodeAffinity",
            "persistentVolumeReclaimPolicy",
            "storageClassName",
            "volumeAttributesClassName",
            "volumeMode",
        ];
        if without(&self.old["spec"], MUTABLE) != without(&self.new["spec"], MUTABLE) {
            let detail = "spec.persistentvolumesource is immutable after creation";
            self.forbidden("spec.persistentvolumesource", detail);
        }
        self.fixed("spec.volumeMode");
    }

    fn pod(&mut self) {
        const MUTABLE: &[&str] = &[
            "activeDeadlineSeconds",
            "tolerations",
            "terminationGracePeriodSeconds",
        ];
        let rest = |pod: &Value| {
            let mut spec = without(&pod["spec"], MUTABLE);
            for list in ["containers", "initContainers", "ephemeralContainers"] {
                let containers = spec.get_mut(list).and_then(Value::as_array_mut);
                for container in containers.into_iter().flatten() {
                    *container = without(container, &["image"]);
                }
            }
            spec
        };
        let scheduled = |pod: &Value| !pod["spec"]["nodeName"].is_null();
        let (mut old, new) = (rest(self.old), rest(self.new));
        // The binding itself writes the name of the node.
        if !scheduled(self.old) && scheduled(self.new) {
            old["nodeName"] = new["nodeName"].clone();
        }
        if old != new {
            let detail = "pod updates may not change fields other than \
                          `spec.containers[*].image`,`spec.initContainers[*].image`,\
                          `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
                          tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if \
                          it was previously negative)";
            self.forbidden("spec", detail);
        }
    }

    fn storage_class(&mut self) {
        for path in ["parameters", "provisioner", "reclaimPolicy"] {
            if self.changes(path) {
                let detail = format!("updates to {path} are forbidden.");
                self.forbidden(path, &detail);
            }
        }
        self.fixed("volumeBindingMode");
    }
}
