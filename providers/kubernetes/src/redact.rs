//! Keeps the values of Secrets out of answers.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use drplan_api::Json;
use drplan_api::digest;
use serde_json::json;

/// The key of the object that stands for a hidden value.
pub(crate) const DIGEST: &str = "$digest";
/// The annotation in which `kubectl apply` keeps a whole copy of what was applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The length of the salt.
const SALT_BYTES: usize = 32;

/// Returns the random salt of this process: digests made with it are equal only within one run, so
/// that they say equal or different and nothing more.
///
/// # Panics
///
/// If the operating system has no random numbers.
pub fn salt() -> &'static [u8] {
    static SALT: OnceLock<[u8; SALT_BYTES]> = OnceLock::new();
    SALT.get_or_init(|| {
        let mut salt = [0; SALT_BYTES];
        let random = rustls::crypto::ring::default_provider().secure_random;
        assert!(
            random.fill(&mut salt).is_ok(),
            "the operating system has no random numbers"
        );
        salt
    })
}

/// Tells whether an object is a Secret.
pub(crate) fn is_secret(object: &Json) -> bool {
    object["kind"] == "Secret" && object["apiVersion"] == "v1"
}

/// Replaces the values of a Secret by salted digests, and those of the Secrets in a list. Any other
/// object is returned as it is. `data` and `stringData` of equal content give equal digests.
pub fn redact(mut object: Json, salt: &[u8]) -> Json {
    if let Some(Json::Array(items)) = object.get_mut("items") {
        for item in items {
            *item = redact(item.take(), salt);
        }
    }
    if is_secret(&object) {
        redact_secret(&mut object, salt);
    }
    object
}

fn redact_secret(object: &mut Json, salt: &[u8]) {
    for (field, encoded) in [("data", true), ("stringData", false)] {
        if let Some(Json::Object(values)) = object.get_mut(field) {
            for value in values.values_mut() {
                let hidden = match value.as_str() {
                    Some(text) => hide(text, encoded, salt),
                    None if value.get(DIGEST).is_some() => continue,
                    None => hide(&value.to_string(), false, salt),
                };
                *value = hidden;
            }
        }
    }
    if let Some(copy) = object
        .pointer_mut("/metadata/annotations")
        .and_then(|a| a.get_mut(LAST_APPLIED))
        && let Some(text) = copy.as_str()
    {
        *copy = hide(text, false, salt);
    }
}

fn hide(text: &str, encoded: bool, salt: &[u8]) -> Json {
    let decoded = if encoded {
        STANDARD.decode(text).ok()
    } else {
        None
    };
    let content = decoded.as_deref().unwrap_or(text.as_bytes());
    let mut salted = salt.to_vec();
    salted.extend_from_slice(content);
    json!({ DIGEST: digest(&salted) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_inside_lists_and_in_their_annotations() {
        let list = json!({"items": [
            {"apiVersion": "v1", "kind": "Secret", "data": {"a": "aHVudGVyMg=="},
             "metadata": {"annotations": {LAST_APPLIED: "{\"data\":\"aHVudGVyMg==\"}"}}},
            {"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "hunter2"}},
            {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "seen"}},
        ]});
        let hidden = redact(list, b"salt");
        let text = hidden.to_string();
        assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg"));
        assert!(text.contains("seen"));
        let items = &hidden["items"];
        assert_eq!(items[0]["data"]["a"], items[1]["stringData"]["a"]);
        assert_eq!(redact(hidden.clone(), b"salt"), hidden);
        assert_eq!(salt().len(), SALT_BYTES);
    }
}
