//! From files, text and values to checked objects. Pure.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use drplan_api::Json;
use drplan_api::Late;
use drplan_api::holes;
use drplan_api::is_hole;
use serde::Deserialize;
use serde::Serialize;

use super::ManifestSpec;
use super::yaml::OBJECTS_MAX;
use super::yaml::documents;
use super::yaml::flatten;
use crate::Discovered;
use crate::asks::TypeRef;
use crate::normalise;
use crate::redact::is_secret;
use crate::split_api_version;

/// One object of a manifest, with the type that it has in paths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Item {
    pub(super) of: TypeRef,
    pub(super) kind: String,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    /// Whether the name in paths is certain; if not, it is looked up before the object is sent.
    pub(super) resolved: bool,
    /// Whether the type's definition is in the same manifest.
    pub(super) defined_here: bool,
    /// Shared with what was read: a plan takes the same objects apart in every round.
    pub(super) object: Arc<Json>,
}

impl Item {
    /// Returns the name that effects carry.
    pub(super) fn title(&self) -> String {
        crate::object_name(
            &self.of.group,
            &self.of.plural,
            self.namespace.as_deref(),
            &self.name,
        )
    }

    pub(super) fn is_namespace(&self) -> bool {
        self.of.group.is_empty() && self.kind == "Namespace"
    }

    pub(super) fn is_crd(&self) -> bool {
        self.of.group == "apiextensions.k8s.io" && self.kind == "CustomResourceDefinition"
    }

    /// Returns the object as it is compared: the server turns the `stringData` of a Secret into `data`.
    pub(super) fn compared(&self) -> Json {
        let mut out = Json::clone(&self.object);
        if is_secret(&out)
            && let Some(map) = out.as_object_mut()
            && let Some(Json::Object(strings)) = map.remove("stringData")
            && let Json::Object(data) = map
                .entry("data")
                .or_insert_with(|| Json::Object(serde_json::Map::new()))
        {
            data.extend(strings);
        }
        out
    }

    /// Tells whether anything in the object is filled in at apply.
    pub(super) fn has_holes(&self) -> bool {
        !holes(&self.object).is_empty()
    }

    /// Tells whether a secret is filled in at apply, so that the live object may show one there.
    pub(super) fn has_secret_holes(&self) -> bool {
        holes(&self.object).iter().any(|(_, hole)| hole.secret)
    }

    /// What others need must be there before them.
    fn rank(&self) -> u8 {
        if self.is_crd() {
            0
        } else if self.is_namespace() {
            1
        } else {
            2
        }
    }
}

/// Reads all objects, in the order in which they are applied.
///
/// # Errors
///
/// Everything that is wrong, each with the place where it stands.
pub(super) fn items(
    spec: &ManifestSpec,
    types: Option<&Discovered>,
) -> Result<Vec<Item>, Vec<String>> {
    let mut errors = Vec::new();
    let found = read(spec, &mut errors);
    let defined = definitions(found.iter().map(|(_, object)| &**object));
    let mut titles = BTreeSet::new();
    let mut items = Vec::new();
    for (place, object) in found {
        match item(spec, object, types, &defined) {
            Ok(item) => {
                if titles.insert(item.title()) {
                    items.push(item);
                } else {
                    errors.push(format!("{place}: `{}` is given twice", item.title()));
                }
            }
            Err(why) => errors.push(format!("{place}: {why}")),
        }
    }
    if items.is_empty() && errors.is_empty() {
        errors.push("there are no objects; give `files`, `content` or `objects`".to_owned());
    }
    if items.len() > OBJECTS_MAX {
        errors.push(format!("there are more than {OBJECTS_MAX} objects"));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    items.sort_by_key(Item::rank);
    Ok(items)
}

/// Returns every object with the place where it stands.
fn read(spec: &ManifestSpec, errors: &mut Vec<String>) -> Vec<(String, Arc<Json>)> {
    let mut out = Vec::new();
    for file in &spec.files {
        read_yaml(&file.path, &file.content, &mut out, errors);
    }
    if let Some(content) = &spec.content {
        read_yaml("`content`", content, &mut out, errors);
    }
    match &spec.objects {
        None => {}
        Some(Late::Known(objects)) => {
            for (i, object) in objects.iter().enumerate() {
                flatten(format!("`objects[{i}]`"), object.clone(), &mut out);
            }
        }
        Some(Late::Hole(_)) => errors.push(
            "`objects` as a whole is not known yet; write the list out and leave single values open"
                .to_owned(),
        ),
    }
    out
}

fn read_yaml(
    place: &str,
    text: &str,
    out: &mut Vec<(String, Arc<Json>)>,
    errors: &mut Vec<String>,
) {
    match documents(text) {
        Ok(documents) => {
            let placed =
                |(within, object): &(String, _)| (format!("{place}, {within}"), Arc::clone(object));
            out.extend(documents.iter().map(placed));
        }
        Err(why) => errors.push(format!("{place}, {why}")),
    }
}

/// Group and kind to resource and scope, of the definitions among the objects.
type Definitions = BTreeMap<(String, String), (String, bool)>;

fn definitions<'a>(objects: impl Iterator<Item = &'a Json>) -> Definitions {
    let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
    objects
        .filter(|o| o["kind"] == "CustomResourceDefinition")
        .map(|crd| {
            let spec = &crd["spec"];
            (
                (text(&spec["group"]), text(&spec["names"]["kind"])),
                (text(&spec["names"]["plural"]), spec["scope"] != "Cluster"),
            )
        })
        .collect()
}

fn item(
    spec: &ManifestSpec,
    mut object: Arc<Json>,
    types: Option<&Discovered>,
    defined: &Definitions,
) -> Result<Item, String> {
    let text = |json: &Json| json.as_str().map(str::to_owned);
    if !object.is_object() {
        return Err("this is not an object".to_owned());
    }
    let api_version = text(&object["apiVersion"]).ok_or("`apiVersion` is missing")?;
    let kind = text(&object["kind"]).ok_or("`kind` is missing")?;
    let name = text(&object["metadata"]["name"]).ok_or_else(|| {
        if object["metadata"]["generateName"].is_string() {
            "`generateName` makes a new object each time; give `metadata.name`".to_owned()
        } else {
            "`metadata.name` is missing".to_owned()
        }
    })?;
    if is_secret(&object) {
        check_secret(&object)?;
    }
    let (group, version) = split_api_version(&api_version);
    let of_kind = (group.to_owned(), kind.clone());
    let in_discovery = types.and_then(|t| t.find(group, version, &kind));
    let defined_here = defined.contains_key(&of_kind);
    let (plural, namespaced, resolved) = if let Some(found) = in_discovery {
        (found.plural.clone(), Some(found.namespaced), true)
    } else if let Some((plural, namespaced)) = normalise::tables().built_in(group, &kind) {
        (plural.to_owned(), Some(namespaced), true)
    } else if let Some((plural, namespaced)) = defined.get(&of_kind) {
        (plural.clone(), Some(*namespaced), true)
    } else {
        (guess_plural(&kind), None, false)
    };
    let given = text(&object["metadata"]["namespace"]).or_else(|| spec.namespace.clone());
    let namespace = match namespaced {
        Some(true) => Some(given.unwrap_or_else(|| "default".to_owned())),
        Some(false) => None,
        None => given,
    };
    place_in(&mut object, namespace.as_deref());
    Ok(Item {
        of: TypeRef::new(group, version, &plural),
        kind,
        namespace,
        name,
        resolved,
        defined_here,
        object,
    })
}

/// Writes the namespace into an object, or takes it out. One that has it right stays shared.
pub(super) fn place_in(object: &mut Arc<Json>, namespace: Option<&str>) {
    let written = object["metadata"].get("namespace");
    if written == namespace.map(Json::from).as_ref() {
        return;
    }
    if let Some(Json::Object(metadata)) = Arc::make_mut(object).get_mut("metadata") {
        match namespace {
            Some(namespace) => metadata.insert("namespace".to_owned(), namespace.into()),
            None => metadata.remove("namespace"),
        };
    }
}

/// A Secret may hold values only as references, which the plan can keep without knowing them.
fn check_secret(object: &Json) -> Result<(), String> {
    for field in ["data", "stringData"] {
        let values = object[field].as_object().into_iter().flatten();
        for (key, value) in values {
            if is_hole(value).is_none() {
                return Err(format!(
                    "the Secret holds a literal value at `{field}.{key}`; give it in `objects` as a \
                     reference to a sensitive variable, a file or an output"
                ));
            }
        }
    }
    Ok(())
}

fn guess_plural(kind: &str) -> String {
    let lower = kind.to_lowercase();
    if let Some(stem) = lower.strip_suffix('y')
        && !stem.ends_with(['a', 'e', 'i', 'o', 'u'])
    {
        format!("{stem}ies")
    } else if lower.ends_with(['s', 'x', 'z']) || lower.ends_with("ch") || lower.ends_with("sh") {
        format!("{lower}es")
    } else {
        format!("{lower}s")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec(args: Json) -> ManifestSpec {
        serde_json::from_value(args).expect("arguments")
    }

    #[test]
    fn documents_are_read_and_put_in_order() {
        let content = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n---\n\
            apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\n\
            apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
            metadata: {name: mice.x.example}\n\
            spec: {group: x.example, scope: Cluster, names: {kind: Mouse, plural: mice}}\n---\n\
            apiVersion: x.example/v1\nkind: Mouse\nmetadata: {name: m, namespace: lost}\n";
        let spec = spec(json!({"content": content, "namespace": "shop"}));
        let titles: Vec<_> = items(&spec, None)
            .expect("objects")
            .iter()
            .map(Item::title)
            .collect();
        assert_eq!(
            titles,
            [
                "apiextensions.k8s.io/customresourcedefinitions mice.x.example",
                "namespaces shop",
                "configmaps shop/a",
                "x.example/mice m",
            ]
        );
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once_and_with_its_place() {
        let spec = spec(json!({
            "files": [
                {"path": "web.yaml", "content": "kind: A\n---\nkind: [\n"},
                {"path": "db.yaml", "content": "apiVersion: v1\nkind: Secret\n\
                    metadata: {name: db}\nstringData: {password: hunter2}\n"},
            ],
            "objects": [
                {"apiVersion": "v1", "kind": "ConfigMap"},
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}},
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}},
            ],
        }));
        let errors = items(&spec, None).expect_err("errors");
        let all = errors.join("\n");
        assert_eq!(errors.len(), 4, "{all}");
        assert!(all.contains("web.yaml, document 2"), "{all}");
        assert!(
            all.contains("db.yaml, document 1: the Secret holds a literal"),
            "{all}"
        );
        assert!(
            all.contains("`objects[0]`: `metadata.name` is missing"),
            "{all}"
        );
        assert!(
            all.contains("`configmaps default/a` is given twice"),
            "{all}"
        );
        assert!(!all.contains("hunter2"));
    }

    #[test]
    fn a_secret_may_hold_references() {
        let hole = json!({"$hole": {"expr": 1, "secret": true, "after": []}});
        let spec = spec(json!({"objects": [{"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "db"}, "stringData": {"password": hole}}]}));
        assert!(items(&spec, None).expect("objects")[0].has_holes());
    }

    #[test]
    fn plurals_of_unknown_kinds_are_guessed_as_english_has_them() {
        assert_eq!(guess_plural("Policy"), "policies");
        assert_eq!(guess_plural("Gateway"), "gateways");
        assert_eq!(guess_plural("Ingress"), "ingresses");
    }
}
