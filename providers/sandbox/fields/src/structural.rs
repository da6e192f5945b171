//! What is wrong with a CustomResourceDefinition: its names, its versions, and schemas that are not
//! structural.
//!
//! Rules in CEL, printer columns and conversion webhooks are not looked at.

use serde_json::Value;
use serde_json::json;

use crate::FieldError;

/// Where in a schema another schema stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

/// What the real API server finds wrong with a definition.
pub(crate) fn definition(crd: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    names(crd, &mut errors);
    versions(&crd["spec"], &mut errors);
    errors
}

fn names(crd: &Value, errors: &mut Vec<FieldError>) {
    let spec = &crd["spec"];
    let (group, names) = (text(&spec["group"]), &spec["names"]);
    let wanted = format!("{}.{group}", text(&names["plural"]));
    // A definition that is stored keeps its name, and whether its parts stay is asked of the update.
    let stored = !crd["metadata"]["resourceVersion"].is_null();
    if !stored && crd["metadata"]["name"] != wanted.as_str() {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        errors.push(FieldError::invalid(
            "metadata.name",
            &crd["metadata"]["name"],
            detail,
        ));
    }
    for (path, value) in [
        ("spec.group", &spec["group"]),
        ("spec.scope", &spec["scope"]),
        ("spec.names.plural", &names["plural"]),
        ("spec.names.kind", &names["kind"]),
    ] {
        if text(value).is_empty() {
            errors.push(FieldError::required(path, ""));
        }
    }
    if !text(&spec["scope"]).is_empty()
        && !["Cluster", "Namespaced"].contains(&text(&spec["scope"]))
    {
        errors.push(FieldError::not_supported(
            "spec.scope",
            &spec["scope"],
            &["Cluster", "Namespaced"],
        ));
    }
    let dotted = group.split('.').count() > 1;
    if !group.is_empty() && !dotted {
        let detail = "should be a domain with at least one dot";
        errors.push(FieldError::invalid("spec.group", &spec["group"], detail));
    }
}

fn versions(spec: &Value, errors: &mut Vec<FieldError>) {
    let versions = spec["versions"].as_array().map_or(&[][..], Vec::as_slice);
    let stored = versions
        .iter()
        .filter(|version| version["storage"] == true)
        .count();
    if stored != 1 {
        let detail = "must have exactly one version marked as storage version";
        errors.push(FieldError::invalid(
            "spec.versions",
            &json!(shown_versions(versions)),
            detail,
        ));
    }
    // The real server keeps a schema that all versions share in one place, and says so.
    let shared = versions
        .windows(2)
        .all(|pair| pair[0]["schema"] == pair[1]["schema"]);
    for (index, version) in versions.iter().enumerate() {
        let path = if shared {
            "spec.validation.openAPIV3Schema".to_owned()
        } else {
            format!("spec.versions[{index}].schema.openAPIV3Schema")
        };
        let schema = &version["schema"]["openAPIV3Schema"];
        if schema.is_null() {
            let path = format!("spec.versions[{index}].schema.openAPIV3Schema");
            let detail = if version["schema"].is_null() {
                "schemas are required"
            } else {
                ""
            };
            errors.push(FieldError::required(path, detail));
            continue;
        }
        if shared && index > 0 {
            continue;
        }
        let mut found = Vec::new();
        structural(schema, Level::Root, &path, &mut found);
        found.sort_by_key(ToString::to_string);
        errors.extend(found);
    }
}

fn shown_versions(versions: &[Value]) -> Vec<&str> {
    versions
        .iter()
        .map(|version| text(&version["name"]))
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn structural(schema: &Value, level: Level, path: &str, errors: &mut Vec<FieldError>) {
    let kind = text(&schema["type"]);
    let flag = |name: &str| schema[name] == true;
    let embedded = flag("x-kubernetes-embedded-resource");
    let preserves = flag("x-kubernetes-preserve-unknown-fields");
    check_type(schema, level, path, errors);
    if embedded && kind != "object" {
        let detail = "must be object if x-kubernetes-embedded-resource is true";
        let path = format!("{path}.type");
        errors.push(if kind.is_empty() {
            FieldError::required(path, detail)
        } else {
            FieldError::invalid(path, &schema["type"], detail)
        });
    } else if kind.is_empty() && !preserves && !flag("x-kubernetes-int-or-string") {
        let detail = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        errors.push(FieldError::required(format!("{path}.type"), detail));
    }
    if level == Level::Root && !kind.is_empty() && kind != "object" {
        let detail = "must be object at the root";
        errors.push(FieldError::invalid(
            format!("{path}.type"),
            &schema["type"],
            detail,
        ));
    }
    if kind == "array" && schema["items"].is_null() {
        errors.push(FieldError::required(
            format!("{path}.items"),
            "must be specified",
        ));
    }
    if !schema["items"].is_null() {
        structural(
            &schema["items"],
            Level::Item,
            &format!("{path}.items"),
            errors,
        );
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.properties[{name}]");
        if name == "metadata" && level == Level::Root {
            check_metadata(property, &path, errors);
        } else {
            structural(property, Level::Field, &path, errors);
        }
    }
    check_additional(schema, level, path, errors);
    check_list(schema, path, errors);
    if embedded
        && !preserves
        && schema["properties"]
            .as_object()
            .is_none_or(|map| map.is_empty())
    {
        let detail = "must not be empty if x-kubernetes-embedded-resource is true without \
                      x-kubernetes-preserve-unknown-fields";
        errors.push(FieldError::required(format!("{path}.properties"), detail));
    }
    nested(schema, path, errors);
}

fn check_type(schema: &Value, level: Level, path: &str, errors: &mut Vec<FieldError>) {
    const TYPES: &[&str] = &["array", "boolean", "integer", "number", "object", "string"];
    let kind = text(&schema["type"]);
    if !kind.is_empty() && !TYPES.contains(&kind) && level != Level::Root {
        errors.push(FieldError::not_supported(
            format!("{path}.type"),
            &schema["type"],
            TYPES,
        ));
    }
}

fn check_metadata(schema: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if schema["type"] != "object" {
        errors.push(FieldError::invalid(
            format!("{path}.type"),
            &json!(text(&schema["type"])),
            "must be object",
        ));
    }
    let restricts = |name: &String| name == "name" || name == "generateName";
    let properties = schema["properties"].as_object();
    let only_names = properties.is_none_or(|map| map.keys().all(restricts));
    let only_known = schema.as_object().is_none_or(|map| {
        map.keys()
            .all(|key| ["type", "properties", "description"].contains(&key.as_str()))
    });
    if !only_names || !only_known {
        let detail = "must not specify anything other than name and generateName, but metadata is \
                      implicitly specified";
        errors.push(FieldError::forbidden(path, detail));
    }
}

fn check_additional(schema: &Value, level: Level, path: &str, errors: &mut Vec<FieldError>) {
    let additional = &schema["additionalProperties"];
    if additional.is_null() {
        return;
    }
    let here = format!("{path}.additionalProperties");
    if level == Level::Root {
        errors.push(FieldError::forbidden(
            here.clone(),
            "must not be used at the root",
        ));
    }
    if !schema["properties"].is_null() && *additional != false {
        let detail = "additionalProperties and properties are mutual exclusive";
        errors.push(FieldError::forbidden(here.clone(), detail));
    }
    if additional.is_object() {
        structural(additional, Level::Field, &here, errors);
    }
    if *additional == false {
        errors.push(FieldError::forbidden(
            here,
            "additionalProperties cannot be set to false",
        ));
    }
}

fn check_list(schema: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let order = text(&schema["x-kubernetes-list-type"]);
    if schema["uniqueItems"] == true {
        let detail =
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
        errors.push(FieldError::forbidden(format!("{path}.uniqueItems"), detail));
    }
    let here = format!("{path}.x-kubernetes-list-type");
    if order.is_empty() {
        return;
    }
    if !["atomic", "set", "map"].contains(&order) {
        let value = &schema["x-kubernetes-list-type"];
        errors.push(FieldError::not_supported(
            here.clone(),
            value,
            &["atomic", "map", "set"],
        ));
    }
    let keys = schema["x-kubernetes-list-map-keys"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let keys_path = format!("{path}.x-kubernetes-list-map-keys");
    if order == "map" && keys.is_empty() {
        let detail = "must not be empty if x-kubernetes-list-type is map";
        errors.push(FieldError::required(keys_path, detail));
        return;
    }
    let items = &schema["items"];
    for (index, key) in keys.iter().enumerate() {
        let property = &items["properties"][text(key)];
        if property.is_null() {
            let detail = "entries must all be names of item properties";
            errors.push(FieldError::invalid(
                format!("{keys_path}[{index}]"),
                key,
                detail,
            ));
            continue;
        }
        let required = items["required"]
            .as_array()
            .is_some_and(|names| names.contains(key));
        if order == "map" && !required && property["default"].is_null() {
            let path = format!("{path}.items.properties[{}].default", text(key));
            let detail = "this property is in x-kubernetes-list-map-keys, so it must have a default or \
                          be a required property";
            errors.push(FieldError::required(path, detail));
        }
    }
}

/// Below `allOf`, `anyOf`, `oneOf` and `not` only values may be restricted.
fn nested(schema: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for junctor in ["allOf", "anyOf", "oneOf"] {
        for (index, part) in schema[junctor].as_array().into_iter().flatten().enumerate() {
            let int_or_string = schema["x-kubernetes-int-or-string"] == true;
            value_only(
                part,
                &format!("{path}.{junctor}[{index}]"),
                int_or_string,
                errors,
            );
        }
    }
    if !schema["not"].is_null() {
        value_only(&schema["not"], &format!("{path}.not"), false, errors);
    }
}

fn value_only(schema: &Value, path: &str, int_or_string: bool, errors: &mut Vec<FieldError>) {
    if !text(&schema["type"]).is_empty() && !int_or_string {
        errors.push(FieldError::forbidden(
            format!("{path}.type"),
            "must be empty to be structural",
        ));
    }
    for (name, detail) in [
        ("additionalProperties", "must be undefined to be structural"),
        ("default", "must be undefined to be structural"),
        ("description", "must be empty to be structural"),
        ("nullable", "must be false to be structural"),
        ("title", "must be empty to be structural"),
        (
            "x-kubernetes-preserve-unknown-fields",
            "must be false to be structural",
        ),
        (
            "x-kubernetes-embedded-resource",
            "must be false to be structural",
        ),
        (
            "x-kubernetes-int-or-string",
            "must be false to be structural",
        ),
    ] {
        if !schema[name].is_null() && schema[name] != false {
            errors.push(FieldError::forbidden(format!("{path}.{name}"), detail));
        }
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        value_only(
            property,
            &format!("{path}.properties[{name}]"),
            false,
            errors,
        );
    }
    if schema["items"].is_object() {
        value_only(&schema["items"], &format!("{path}.items"), false, errors);
    }
    for junctor in ["allOf", "anyOf", "oneOf"] {
        for (index, part) in schema[junctor].as_array().into_iter().flatten().enumerate() {
            value_only(
                part,
                &format!("{path}.{junctor}[{index}]"),
                int_or_string,
                errors,
            );
        }
    }
    if !schema["not"].is_null() {
        value_only(&schema["not"], &format!("{path}.not"), false, errors);
    }
}
