//! The content of a release Secret: base64 of Kubernetes around base64 of Helm around gzip around
//! JSON. It holds values, hence secrets: only the names of objects ever leave this module.
//!
//! # Source
//!
//! Helm's `pkg/storage/driver/util.go`.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use drplan_api::Json;
use flate2::read::GzDecoder;
use serde::Deserialize;

/// The most that a release may unpack to; a Secret holds one MiB.
const PAYLOAD_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The first bytes of gzip; very old releases are not compressed.
const GZIP: [u8; 3] = [0x1f, 0x8b, 0x08];

/// An object of a release's manifest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Member {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
}

#[derive(Deserialize)]
struct Payload {
    manifest: String,
}

/// Lists the objects of the release in a Secret, each once, in order of name. Hooks are not among
/// them.
///
/// # Errors
///
/// What does not fit, without a word of the content.
pub(crate) fn members(secret: &Json) -> Result<Vec<Member>, &'static str> {
    let text = secret["data"]["release"]
        .as_str()
        .ok_or("it has no `release`")?;
    let outer = STANDARD
        .decode(text)
        .map_err(|_| "its `release` is not base64")?;
    let inner = STANDARD
        .decode(outer)
        .map_err(|_| "the release inside is not base64")?;
    let mut json = Vec::new();
    if inner.starts_with(&GZIP) {
        let mut unpacked = GzDecoder::new(&inner[..]).take(PAYLOAD_BYTES_MAX);
        unpacked
            .read_to_end(&mut json)
            .map_err(|_| "the release inside is not whole")?;
    } else {
        json = inner;
    }
    let payload: Payload =
        serde_json::from_slice(&json).map_err(|_| "the release inside is not JSON")?;
    manifest(&payload.manifest)
}

fn manifest(text: &str) -> Result<Vec<Member>, &'static str> {
    let documents: Vec<Json> =
        serde_saphyr::from_multiple(text).map_err(|_| "its manifest is not YAML")?;
    let mut out = Vec::new();
    for document in documents {
        match document["items"].as_array() {
            Some(items)
                if document["kind"]
                    .as_str()
                    .is_some_and(|k| k.ends_with("List")) =>
            {
                out.extend(items.iter().filter_map(member));
            }
            _ => out.extend(member(&document)),
        }
    }
    out.sort();
    out.dedup();
    Ok(out)
}

fn member(object: &Json) -> Option<Member> {
    let text = |json: &Json| json.as_str().map(str::to_owned);
    Some(Member {
        api_version: text(&object["apiVersion"])?,
        kind: text(&object["kind"])?,
        namespace: text(&object["metadata"]["namespace"]),
        name: text(&object["metadata"]["name"])?,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::json;

    use super::*;

    fn secret(payload: &Json, compressed: bool) -> Json {
        let mut bytes = payload.to_string().into_bytes();
        if compressed {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
            gzip.write_all(&bytes).expect("memory");
            bytes = gzip.finish().expect("memory");
        }
        json!({"data": {"release": STANDARD.encode(STANDARD.encode(bytes))}})
    }

    #[test]
    fn the_objects_of_a_release_are_read_from_both_forms_of_the_payload() {
        let manifest = "---\n# Source: a\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n---\n\
                        # nothing\n---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: apps/v1\n  \
                        kind: Deployment\n  metadata: {name: a, namespace: x}\n";
        for compressed in [true, false] {
            let found = members(&secret(&json!({"manifest": manifest}), compressed));
            let found = found.expect("a manifest");
            let names: Vec<_> = found
                .iter()
                .map(|m| (m.kind.as_str(), m.name.as_str()))
                .collect();
            assert_eq!(names, [("Deployment", "a"), ("ConfigMap", "b")]);
            assert_eq!(found[0].namespace.as_deref(), Some("x"));
        }
        assert_eq!(
            members(&secret(&json!({"manifest": ""}), true)),
            Ok(Vec::new())
        );
    }

    #[test]
    fn a_broken_payload_is_an_error_without_its_content() {
        for data in [
            json!({}),
            json!({"release": "%"}),
            json!({"release": STANDARD.encode("hunter2")}),
        ] {
            let error = members(&json!({"data": data})).expect_err("a broken payload");
            assert!(!error.contains("hunter2"));
        }
    }
}
