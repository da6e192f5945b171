//! Bodies in Kubernetes' own protobuf, in which commands of kubectl with types of their own send
//! objects: `create namespace`, `create role`, `auth can-i`.
//!
//! Only the small kinds among them are known, by a table of field numbers; what the table does not hold
//! is refused by name, never passed over.
//!
//! # Source
//!
//! `generated.proto` of `k8s.io/api` and `k8s.io/apimachinery`, 0.35. The files in `tests/protobuf` are
//! what kubectl 1.35 sent, each beside the JSON that the same kubectl makes of the same object where it
//! has `--dry-run`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use drplan_api::Timestamp;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use Shape::Bytes;
use Shape::Flag;
use Shape::List;
use Shape::Message;
use Shape::Number;
use Shape::Table;
use Shape::Text;
use Shape::Time;

/// What such a body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// What a field holds.
enum Shape {
    Text,
    /// Bytes, which JSON shows in base64.
    Bytes,
    Flag,
    Number,
    Time,
    Message(&'static [Field]),
    List(&'static Self),
    /// Values by text.
    Table(&'static Self),
}

/// A field: its number, its name, what it holds.
type Field = (u64, &'static str, Shape);

const META: &[Field] = &[
    (1, "name", Text),
    (2, "generateName", Text),
    (3, "namespace", Text),
    (4, "selfLink", Text),
    (5, "uid", Text),
    (6, "resourceVersion", Text),
    (7, "generation", Number),
    (8, "creationTimestamp", Time),
    (11, "labels", Table(&Text)),
    (12, "annotations", Table(&Text)),
    (14, "finalizers", List(&Text)),
];
const NAME: &[Field] = &[(1, "name", Text)];
const NAMESPACE: &[Field] = &[
    (1, "metadata", Message(META)),
    (2, "spec", Message(&[(1, "finalizers", List(&Text))])),
    (3, "status", Message(&[(1, "phase", Text)])),
];
const SERVICE_ACCOUNT: &[Field] = &[
    (1, "metadata", Message(META)),
    (3, "imagePullSecrets", List(&Message(NAME))),
    (4, "automountServiceAccountToken", Flag),
];
const CONFIG_MAP: &[Field] = &[
    (1, "metadata", Message(META)),
    (2, "data", Table(&Text)),
    (3, "binaryData", Table(&Bytes)),
    (4, "immutable", Flag),
];
const SECRET: &[Field] = &[
    (1, "metadata", Message(META)),
    (2, "data", Table(&Bytes)),
    (3, "type", Text),
    (4, "stringData", Table(&Text)),
    (5, "immutable", Flag),
];
const RULE: &[Field] = &[
    (1, "verbs", List(&Text)),
    (2, "apiGroups", List(&Text)),
    (3, "resources", List(&Text)),
    (4, "resourceNames", List(&Text)),
    (5, "nonResourceURLs", List(&Text)),
];
const ROLE: &[Field] = &[
    (1, "metadata", Message(META)),
    (2, "rules", List(&Message(RULE))),
];
const SUBJECT: &[Field] = &[
    (1, "kind", Text),
    (2, "apiGroup", Text),
    (3, "name", Text),
    (4, "namespace", Text),
];
const ROLE_REF: &[Field] = &[(1, "apiGroup", Text), (2, "kind", Text), (3, "name", Text)];
const BINDING: &[Field] = &[
    (1, "metadata", Message(META)),
    (2, "subjects", List(&Message(SUBJECT))),
    (3, "roleRef", Message(ROLE_REF)),
];
const RESOURCE: &[Field] = &[
    (1, "namespace", Text),
    (2, "verb", Text),
    (3, "group", Text),
    (4, "version", Text),
    (5, "resource", Text),
    (6, "subresource", Text),
    (7, "name", Text),
];
const PATH: &[Field] = &[(1, "path", Text), (2, "verb", Text)];
const ACCESS: &[Field] = &[
    (1, "resourceAttributes", Message(RESOURCE)),
    (2, "nonResourceAttributes", Message(PATH)),
];
const ALLOWED: &[Field] = &[
    (1, "allowed", Flag),
    (2, "reason", Text),
    (3, "evaluationError", Text),
    (4, "denied", Flag),
];
const ACCESS_REVIEW: &[Field] = &[
    (1, "metadata", Message(META)),
    (2, "spec", Message(ACCESS)),
    (3, "status", Message(ALLOWED)),
];
const RULES_REVIEW: &[Field] = &[
    (1, "metadata", Message(META)),
    (2, "spec", Message(&[(1, "namespace", Text)])),
    (
        3,
        "status",
        Message(&[(3, "incomplete", Flag), (4, "evaluationError", Text)]),
    ),
];
const WHO: &[Field] = &[(1, "username", Text), (2, "uid", Text)];
const WHO_REVIEW: &[Field] = &[
    (1, "metadata", Message(META)),
    (2, "status", Message(&[(1, "userInfo", Message(WHO))])),
];
const TOKEN: &[Field] = &[(1, "token", Text), (2, "expirationTimestamp", Time)];
const TOKEN_REQUEST: &[Field] = &[
    (1, "metadata", Message(META)),
    (
        2,
        "spec",
        Message(&[
            (1, "audiences", List(&Text)),
            (4, "expirationSeconds", Number),
        ]),
    ),
    (3, "status", Message(TOKEN)),
];

/// The message of a kind, if it is known.
fn message(kind: &str) -> Option<&'static [Field]> {
    Some(match kind {
        "Namespace" => NAMESPACE,
        "ServiceAccount" => SERVICE_ACCOUNT,
        "ConfigMap" => CONFIG_MAP,
        "Secret" => SECRET,
        "Role" | "ClusterRole" => ROLE,
        "RoleBinding" | "ClusterRoleBinding" => BINDING,
        "SelfSubjectAccessReview" => ACCESS_REVIEW,
        "SelfSubjectRulesReview" => RULES_REVIEW,
        "SelfSubjectReview" => WHO_REVIEW,
        "TokenRequest" => TOKEN_REQUEST,
        _ => return None,
    })
}

/// What stands around an object: its type, then the object, then how it is encoded.
const ENVELOPE: &[Field] = &[
    (
        1,
        "type",
        Message(&[(1, "apiVersion", Text), (2, "kind", Text)]),
    ),
    (2, "raw", Bytes),
    (3, "contentEncoding", Text),
    (4, "contentType", Text),
];

/// Reads an object. Nothing if the kind is not one of those that are known.
pub(crate) fn read(body: &[u8]) -> Result<Option<Value>, String> {
    let rest = body.strip_prefix(MAGIC).ok_or("it begins otherwise")?;
    let envelope = Value::Object(fields(rest, ENVELOPE)?);
    let kind = envelope["type"]["kind"].as_str().unwrap_or_default();
    let Some(table) = message(kind) else {
        return Ok(None);
    };
    let raw = envelope["raw"].as_str().unwrap_or_default();
    let raw = STANDARD.decode(raw).map_err(|e| e.to_string())?;
    let mut object = fields(&raw, table).map_err(|why| format!("{kind}: {why}"))?;
    object.insert(
        "apiVersion".to_owned(),
        envelope["type"]["apiVersion"].clone(),
    );
    object.insert("kind".to_owned(), json!(kind));
    Ok(Some(Value::Object(object)))
}

/// Reads the fields of a message. Texts that are empty and numbers that are zero are those of fields
/// that nobody set: Kubernetes sends them all the same.
fn fields(mut bytes: &[u8], table: &[Field]) -> Result<Map<String, Value>, String> {
    let mut out = Map::new();
    while !bytes.is_empty() {
        let tag = number(&mut bytes)?;
        let found = table.iter().find(|(number, ..)| *number == tag >> 3);
        let Some((_, name, shape)) = found else {
            return Err(format!(
                "the rehearsal does not know its field {}",
                tag >> 3
            ));
        };
        let value = match (tag & 7, shape) {
            (0, Flag) => json!(number(&mut bytes)? != 0),
            (0, Number) => json!(number(&mut bytes)?.cast_signed()),
            (2, shape) => within(block(&mut bytes)?, shape)?,
            _ => return Err(format!("`{name}` is of another sort")),
        };
        match shape {
            List(_) => {
                let list = out.entry(*name).or_insert_with(|| json!([]));
                list.as_array_mut()
                    .into_iter()
                    .for_each(|l| l.push(value.clone()));
            }
            Table(_) => {
                let entry = value.as_object().cloned().unwrap_or_default();
                let map = out.entry(*name).or_insert_with(|| json!({}));
                map.as_object_mut()
                    .into_iter()
                    .for_each(|m| m.extend(entry.clone()));
            }
            Text if value == "" => {}
            Number if value == 0 => {}
            Time if value.is_null() => {}
            _ => drop(out.insert((*name).to_owned(), value)),
        }
    }
    Ok(out)
}

/// Reads a value that has a length.
fn within(bytes: &[u8], shape: &Shape) -> Result<Value, String> {
    Ok(match shape {
        Text => json!(std::str::from_utf8(bytes).map_err(|e| e.to_string())?),
        Bytes => json!(STANDARD.encode(bytes)),
        Message(table) => Value::Object(fields(bytes, table)?),
        List(each) => within(bytes, each)?,
        Table(each) => entry(bytes, each)?,
        Time => time(bytes)?,
        Flag | Number => return Err("a number has a length".to_owned()),
    })
}

/// One entry of a map: its key is field 1, its value field 2.
fn entry(mut bytes: &[u8], each: &Shape) -> Result<Value, String> {
    let (mut key, mut value) = (json!(""), within(&[], each)?);
    while !bytes.is_empty() {
        match number(&mut bytes)? {
            0x0a => key = within(block(&mut bytes)?, &Text)?,
            0x12 => value = within(block(&mut bytes)?, each)?,
            _ => return Err("an entry of a map has another field".to_owned()),
        }
    }
    let key = key.as_str().unwrap_or_default();
    Ok(json!({ key: value }))
}

fn time(bytes: &[u8]) -> Result<Value, String> {
    let parts = fields(bytes, &[(1, "s", Number), (2, "ns", Number)])?;
    let Some(seconds) = parts.get("s").and_then(Value::as_i64) else {
        return Ok(Value::Null);
    };
    let time = Timestamp::from_second(seconds).map_err(|e| e.to_string())?;
    Ok(json!(time.to_string()))
}

fn block<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], String> {
    let length = usize::try_from(number(bytes)?).map_err(|e| e.to_string())?;
    let (block, rest) = bytes.split_at_checked(length).ok_or("it ends too early")?;
    *bytes = rest;
    Ok(block)
}

/// Reads a number: seven bits a byte, the lowest first.
fn number(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut out = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or("it ends too early")?;
        *bytes = rest;
        out |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(out);
        }
    }
    Err("a number is too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! recorded {
        ($($name:literal),*) => {
            [$((
                include_bytes!(concat!("../tests/protobuf/", $name, ".pb")).as_slice(),
                include_str!(concat!("../tests/protobuf/", $name, ".json")),
            )),*]
        };
    }

    #[test]
    fn what_kubectl_sends_is_read_as_what_kubectl_meant() {
        let all = recorded![
            "namespace",
            "serviceaccount",
            "configmap",
            "secret",
            "clusterrole",
            "rolebinding",
            "clusterrolebinding",
            "can-i",
            "can-i-path",
            "can-i-list",
            "whoami",
            "token"
        ];
        for (bytes, meant) in all {
            let meant: Value = serde_json::from_str(meant).expect("JSON");
            assert_eq!(read(bytes), Ok(Some(meant)));
        }
    }

    #[test]
    fn what_is_not_known_or_not_whole_is_refused() {
        let bytes = include_bytes!("../tests/protobuf/namespace.pb");
        // Behind the object stand only two empty texts of two bytes each.
        for end in 5..bytes.len() - 4 {
            let read = read(&bytes[..end]);
            assert!(
                !matches!(&read, Ok(Some(v)) if v["metadata"]["name"] == "shop"),
                "{end}"
            );
        }
        let deployment = include_bytes!("../tests/protobuf/deployment.pb");
        assert_eq!(read(deployment), Ok(None));
        assert!(fields(&[0x7a, 0], NAMESPACE).is_err_and(|why| why.contains("field 15")));
    }
}
