//! One page of a list: where the list goes on, and its objects without the bookkeeping of fields, which is half of a
//! small object and is never built.

use std::fmt;

use drplan_api::Json;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::DeserializeSeed;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::Map;
use serde_json::Value;

use crate::redact;

/// What nobody compares.
const BOOKKEEPING: &str = "managedFields";

/// What a page says about its list. Read by itself it costs a tenth of the whole page.
#[derive(Deserialize)]
pub(crate) struct Head {
    #[serde(default)]
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    r#continue: Option<String>,
    #[serde(default)]
    resource_version: Json,
}

impl Head {
    pub(crate) fn read(page: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(page)
    }

    /// Returns the token with which the next page is asked for; empty if this is the last one.
    pub(crate) fn next(&self) -> &str {
        let metadata = self.metadata.as_ref();
        metadata
            .and_then(|m| m.r#continue.as_deref())
            .unwrap_or_default()
    }

    /// Returns the version of the list, null if the server gives none.
    pub(crate) fn resource_version(self) -> Json {
        self.metadata.map_or(Json::Null, |m| m.resource_version)
    }
}

/// Returns the objects of a page, each with the type that lists leave out, and the values of Secrets hidden. What is not
/// like a list is an error: that it holds nothing would mean that nothing is there.
pub(crate) fn objects(page: &[u8]) -> serde_json::Result<Vec<Json>> {
    let page: Page = serde_json::from_slice(page)?;
    let kind = page.kind.as_deref().and_then(|k| k.strip_suffix("List"));
    if kind.is_none() && page.items.is_none() {
        return Err(serde::de::Error::custom("it is no list"));
    }
    let typed = |Object(mut object): Object| {
        if let Some(kind) = kind {
            object
                .entry("apiVersion")
                .or_insert_with(|| page.api_version.clone());
            object.entry("kind").or_insert_with(|| kind.into());
        }
        redact::redact(Json::Object(object), redact::salt())
    };
    let items = page.items.into_iter().flatten().flatten();
    Ok(items.map(typed).collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    api_version: Json,
    #[serde(default)]
    kind: Option<String>,
    /// Null is a list that holds nothing.
    #[serde(default, deserialize_with = "present")]
    items: Option<Option<Vec<Object>>>,
}

/// Tells what is null from what is not there.
fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<Vec<Object>>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// An object without the bookkeeping of its fields.
struct Object(Map<String, Value>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Fields::OfObject.deserialize(deserializer).map(Self)
    }
}

/// Whose fields are read.
#[derive(Clone, Copy, PartialEq)]
enum Fields {
    OfObject,
    OfMetadata,
}

impl<'de> DeserializeSeed<'de> for Fields {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut out = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let value = match (self, name.as_str()) {
                (Self::OfObject, "metadata") => fields.next_value_seed(Self::OfMetadata)?.into(),
                (Self::OfMetadata, BOOKKEEPING) => {
                    fields.next_value::<IgnoredAny>()?;
                    continue;
                }
                _ => fields.next_value()?,
            };
            out.insert(name, value);
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(metadata: &Json, items: &Json) -> Vec<u8> {
        let page = json!({"apiVersion": "v1", "kind": "ConfigMapList", "metadata": metadata, "items": items});
        page.to_string().into_bytes()
    }

    #[test]
    fn objects_lose_their_bookkeeping_alone_and_get_their_type() {
        let managed = json!([{"manager": "x"}]);
        let page = page(
            &json!({}),
            &json!([
                {"metadata": {"name": "a", "managedFields": managed}, "data": {"managedFields": "kept"}},
                {"kind": "Other", "metadata": {"name": "b"}},
            ]),
        );
        let objects = objects(&page).expect("a page");
        assert_eq!(
            objects,
            [
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"},
                    "data": {"managedFields": "kept"}}),
                json!({"apiVersion": "v1", "kind": "Other", "metadata": {"name": "b"}}),
            ]
        );
    }

    #[test]
    fn a_page_says_where_the_list_goes_on_and_its_version() {
        let cases = [
            (
                json!({"continue": "t k", "resourceVersion": "7"}),
                "t k",
                json!("7"),
            ),
            (
                json!({"continue": "", "resourceVersion": "7"}),
                "",
                json!("7"),
            ),
            (json!({}), "", Json::Null),
            (Json::Null, "", Json::Null),
        ];
        for (metadata, next, version) in cases {
            let head = Head::read(&page(&metadata, &Json::Null)).expect("a page");
            assert_eq!(head.next(), next, "{metadata}");
            assert_eq!(head.resource_version(), version, "{metadata}");
        }
        assert!(
            objects(&page(&Json::Null, &Json::Null))
                .expect("a page")
                .is_empty()
        );
    }

    #[test]
    fn a_list_may_be_named_as_its_definition_likes() {
        let page = br#"{"kind": "foolist", "items": [{"kind": "foo", "metadata": {"name": "a"}}]}"#;
        let objects = objects(page).expect("a page");
        assert_eq!(objects, [json!({"kind": "foo", "metadata": {"name": "a"}})]);
    }

    #[test]
    fn what_is_no_page_is_an_error() {
        for text in [
            "",
            "{}",
            r#"{"kind": "Status", "status": "Success"}"#,
            r#"{"kind": "PodList", "items": [1]}"#,
            r#"{"kind": "PodList", "items": {}}"#,
        ] {
            assert!(objects(text.as_bytes()).is_err(), "{text}");
        }
    }
}
