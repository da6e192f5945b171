//! Documents inside of texts: a ConfigMap's files, and annotations. Shown as structure, so that another
//! order or spelling hides no change.

use drplan_api::Json;

/// The longest text that is read as a document; a longer one is shown as text.
const DOCUMENT_BYTES_MAX: usize = 64 * 1024;
/// The most values of a document in YAML, which may name one many times.
const NODES_MAX: usize = 10_000;
/// How deep a document in YAML goes.
const DEPTH_MAX: usize = 64;

/// Puts documents in place of texts where both sides hold one and they say different things. Texts that
/// say the same in other words stay texts: they do differ.
pub(super) fn unfold(before: &mut Json, after: &mut Json) {
    let mut places = vec!["/metadata/annotations"];
    if before["kind"] == "ConfigMap" && after["kind"] == "ConfigMap" {
        places.push("/data");
    }
    for place in places {
        let before = before.pointer_mut(place).and_then(Json::as_object_mut);
        let after = after.pointer_mut(place).and_then(Json::as_object_mut);
        let (Some(before), Some(after)) = (before, after) else {
            continue;
        };
        for (key, before) in before {
            let Some(after) = after.get_mut(key).filter(|a| *a != before) else {
                continue;
            };
            if let (Some(was), Some(shall)) = (document(before), document(after))
                && was != shall
            {
                (*before, *after) = (was, shall);
            }
        }
    }
}

/// A map or a list that is written in a text as JSON or YAML.
fn document(value: &Json) -> Option<Json> {
    let text = value.as_str().filter(|t| t.len() <= DOCUMENT_BYTES_MAX)?;
    let json = serde_json::from_str(text).ok();
    let document = json.or_else(|| yaml(text))?;
    (document.is_object() || document.is_array()).then_some(document)
}

/// `yes` and `on` stay the words that they are: a reader must see what is written.
fn yaml(text: &str) -> Option<Json> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_nodes: NODES_MAX,
            max_events: 2 * NODES_MAX,
            max_depth: DEPTH_MAX,
        },
    };
    serde_saphyr::from_str_with_options(text, options).ok()
}
