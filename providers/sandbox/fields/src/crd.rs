//! Custom types: from a CustomResourceDefinition to a [`TypeInfo`].
//!
//! Rules in CEL (`x-kubernetes-validations`) are not evaluated, and webhooks for conversion are not
//! called: all versions are taken to have the same fields.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;
use serde_json::Value;

use crate::FieldError;
use crate::Scale;
use crate::Schema;
use crate::TypeInfo;
use crate::schema::Field;
use crate::schema::List;
use crate::schema::Merge;
use crate::schema::Node;
use crate::schema::NodeId;
use crate::schema::Order;
use crate::schema::Record;
use crate::schema::Scalar;
use crate::schema::Shape;
use crate::types;

/// What discovery names for every custom type.
const VERBS: &[&str] = &[
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "create",
    "update",
    "watch",
];

/// The OpenAPI schema of a custom type.
#[derive(Debug)]
pub(crate) struct OpenApi {
    pub(crate) schema: Value,
    /// Its patterns; one that this build's expressions cannot read is left out and not checked.
    pub(crate) patterns: BTreeMap<String, Regex>,
}

/// Reads one version of a CustomResourceDefinition.
///
/// # Errors
///
/// What the real API server finds wrong with the definition; see [`crate::validate`].
pub fn from_crd(crd: &Value, version: &str) -> Result<TypeInfo, Vec<FieldError>> {
    let spec = &crd["spec"];
    let versions = spec["versions"].as_array().map_or(&[][..], Vec::as_slice);
    let found = versions
        .iter()
        .find(|candidate| candidate["name"] == version);
    let Some(found) = found else {
        let detail = format!("the definition has no version {version:?}");
        return Err(vec![FieldError::required("spec.versions", &detail)]);
    };
    let errors = crate::structural::definition(crd);
    if !errors.is_empty() {
        return Err(errors);
    }
    let names = &spec["names"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let texts = |value: &Value| value.as_array().into_iter().flatten().map(text).collect();
    let kind = text(&names["kind"]);
    let singular = names["singular"]
        .as_str()
        .map_or_else(|| kind.to_lowercase(), str::to_owned);
    let subresources = &found["subresources"];
    let scale = subresources["scale"].as_object().map(|scale| Scale {
        spec_path: text(scale.get("specReplicasPath").unwrap_or(&Value::Null)),
        status_path: text(scale.get("statusReplicasPath").unwrap_or(&Value::Null)),
        selector_path: scale.get("labelSelectorPath").map(text),
    });
    Ok(TypeInfo {
        group: text(&spec["group"]),
        version: version.to_owned(),
        plural: text(&names["plural"]),
        singular,
        short_names: texts(&names["shortNames"]),
        namespaced: spec["scope"] == "Namespaced",
        categories: texts(&names["categories"]),
        status: !subresources["status"].is_null(),
        scale,
        custom: true,
        verbs: VERBS.iter().map(|verb| (*verb).to_owned()).collect(),
        schema: read_schema(&found["schema"]["openAPIV3Schema"]),
        kind,
    })
}

fn read_schema(schema: &Value) -> Schema {
    let mut builder = Builder { nodes: Vec::new() };
    let root = builder.embedded(schema);
    let mut patterns = BTreeMap::new();
    collect_patterns(schema, &mut patterns);
    let mut read = Schema::new(Arc::new(builder.nodes), root);
    read.open_api = Some(Arc::new(OpenApi {
        schema: schema.clone(),
        patterns,
    }));
    read
}

fn collect_patterns(schema: &Value, patterns: &mut BTreeMap<String, Regex>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::String(pattern)) = map.get("pattern")
                && let Ok(regex) = Regex::new(pattern)
            {
                patterns.insert(pattern.clone(), regex);
            }
            map.values()
                .for_each(|value| collect_patterns(value, patterns));
        }
        Value::Array(values) => values
            .iter()
            .for_each(|value| collect_patterns(value, patterns)),
        _ => {}
    }
}

struct Builder {
    nodes: Vec<Node>,
}

impl Builder {
    fn push(&mut self, shape: Shape) -> NodeId {
        self.nodes.push(shape.into());
        self.nodes.len() - 1
    }

    /// A whole object: what it has of itself, and `apiVersion`, `kind` and `metadata`.
    fn embedded(&mut self, schema: &Value) -> NodeId {
        let node = self.node(schema);
        let text = self.push(Shape::Scalar(Scalar::String));
        let meta = self.push(Shape::Builtin(types::object_meta()));
        let mut record =
            match std::mem::replace(&mut self.nodes[node].shape, Shape::Any { granular: true }) {
                Shape::Record(record) => record,
                _ => Record {
                    open: true,
                    ..Record::default()
                },
            };
        for (name, part) in [("apiVersion", text), ("kind", text), ("metadata", meta)] {
            record.fields.insert(name.to_owned(), Field::from(part));
        }
        self.nodes[node].shape = Shape::Record(record);
        node
    }

    fn node(&mut self, schema: &Value) -> NodeId {
        let node = self.push(Shape::Any { granular: true });
        let shape = self.shape(schema);
        let filled = &mut self.nodes[node];
        filled.shape = shape;
        filled.default = schema.get("default").cloned();
        filled.nullable = schema["nullable"] == true;
        node
    }

    fn shape(&mut self, schema: &Value) -> Shape {
        let flag = |name: &str| schema[name] == true;
        if flag("x-kubernetes-int-or-string") {
            return Shape::Scalar(Scalar::IntOrString);
        }
        match schema["type"].as_str() {
            Some("object") => self.object(schema),
            Some("array") => {
                let item = self.part(&schema["items"]);
                let order = order(schema);
                Shape::List(List {
                    item,
                    order,
                    merge: Merge::Replace,
                })
            }
            Some("string") => Shape::Scalar(Scalar::String),
            Some("integer") => Shape::Scalar(Scalar::Integer { bits: 64 }),
            Some("number") => Shape::Scalar(Scalar::Number),
            Some("boolean") => Shape::Scalar(Scalar::Bool),
            _ => Shape::Any { granular: true },
        }
    }

    fn part(&mut self, schema: &Value) -> NodeId {
        if schema["x-kubernetes-embedded-resource"] == true {
            self.embedded(schema)
        } else {
            self.node(schema)
        }
    }

    fn object(&mut self, schema: &Value) -> Shape {
        let atomic = schema["x-kubernetes-map-type"] == "atomic";
        match &schema["additionalProperties"] {
            values @ Value::Object(_) => {
                let value = self.part(values);
                return Shape::Map { value, atomic };
            }
            Value::Bool(true) => {
                let value = self.push(Shape::Any { granular: true });
                return Shape::Map { value, atomic };
            }
            _ => {}
        }
        let mut record = Record {
            open: schema["x-kubernetes-preserve-unknown-fields"] == true,
            atomic,
            ..Record::default()
        };
        for (name, part) in schema["properties"].as_object().into_iter().flatten() {
            let part = self.part(part);
            record.fields.insert(name.clone(), Field::from(part));
        }
        Shape::Record(record)
    }
}

fn order(schema: &Value) -> Order {
    match schema["x-kubernetes-list-type"].as_str() {
        Some("set") => Order::Set,
        Some("map") => {
            let keys = schema["x-kubernetes-list-map-keys"].as_array();
            let keys = keys.into_iter().flatten().filter_map(Value::as_str);
            Order::Keyed(keys.map(str::to_owned).collect())
        }
        _ => Order::Atomic,
    }
}
