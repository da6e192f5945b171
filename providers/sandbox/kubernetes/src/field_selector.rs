//! Field selectors: which fields a type can be selected by, and what they match.

use drplan_sandbox_fields::TypeInfo;
use serde_json::Value;

use crate::failure::Failure;
use crate::failure::Outcome;

/// What fields of an object must be; no requirements match everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSelector {
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    field: String,
    equal: bool,
    value: String,
}

/// The fields beside name and namespace that types can be selected by: kind, field and what an
/// absent field counts as.
const FIELDS: &[(&str, &str, &str)] = &[
    ("CertificateSigningRequest", "spec.signerName", ""),
    ("Event", "involvedObject.apiVersion", ""),
    ("Event", "involvedObject.fieldPath", ""),
    ("Event", "involvedObject.kind", ""),
    ("Event", "involvedObject.name", ""),
    ("Event", "involvedObject.namespace", ""),
    ("Event", "involvedObject.resourceVersion", ""),
    ("Event", "involvedObject.uid", ""),
    ("Event", "reason", ""),
    ("Event", "reportingComponent", ""),
    ("Event", "source", ""),
    ("Event", "type", ""),
    ("Job", "status.successful", "0"),
    ("Namespace", "status.phase", ""),
    ("Node", "spec.unschedulable", "false"),
    ("Pod", "spec.hostNetwork", "false"),
    ("Pod", "spec.nodeName", ""),
    ("Pod", "spec.restartPolicy", ""),
    ("Pod", "spec.schedulerName", ""),
    ("Pod", "spec.serviceAccountName", ""),
    ("Pod", "status.nominatedNodeName", ""),
    ("Pod", "status.phase", ""),
    ("Pod", "status.podIP", ""),
    ("ReplicaSet", "status.replicas", "0"),
    ("ReplicationController", "status.replicas", "0"),
    ("Secret", "type", ""),
    ("Service", "spec.clusterIP", ""),
    ("Service", "spec.type", ""),
];

impl FieldSelector {
    /// Reads a query parameter such as `metadata.name=x,status.phase!=Running`.
    ///
    /// `extra` are the selectable fields that a CRD names.
    pub(crate) fn parse(text: &str, info: &TypeInfo, extra: &[String]) -> Outcome<Self> {
        let mut requirements = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let Some((field, equal, value)) = split(part) else {
                let message = format!("invalid selector: '{text}'; can't understand '{part}'");
                return Err(Failure::bad_request(&message));
            };
            let known = matches!(field, "metadata.name" | "metadata.namespace")
                || FIELDS
                    .iter()
                    .any(|(kind, name, _)| !info.custom && *kind == info.kind && *name == field)
                || extra.iter().any(|known| known == field);
            if !known {
                let message = format!("field label not supported: {field}");
                return Err(Failure::bad_request(&message));
            }
            requirements.push(Requirement {
                field: field.to_owned(),
                equal,
                value: value.to_owned(),
            });
        }
        Ok(Self { requirements })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    pub(crate) fn matches(&self, kind: &str, object: &Value) -> bool {
        self.requirements.iter().all(|requirement| {
            let found = value_of(kind, &requirement.field, object);
            (found == requirement.value) == requirement.equal
        })
    }
}

fn split(part: &str) -> Option<(&str, bool, &str)> {
    if let Some((field, value)) = part.split_once("!=") {
        Some((field, false, value))
    } else if let Some((field, value)) = part.split_once("==") {
        Some((field, true, value))
    } else {
        part.split_once('=')
            .map(|(field, value)| (field, true, value))
    }
}

fn value_of(kind: &str, field: &str, object: &Value) -> String {
    let path = match (kind, field) {
        ("Event", "source") => "source.component",
        ("Job", "status.successful") => "status.succeeded",
        _ => field,
    };
    let found = path.split('.').try_fold(object, |at, step| at.get(step));
    match found {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => FIELDS
            .iter()
            .find(|(of, name, _)| *of == kind && *name == field)
            .map_or_else(String::new, |(_, _, absent)| (*absent).to_owned()),
        Some(other) => other.to_string(),
    }
}
