//! What is known of a type, and the built-in types.
//!
//! The table `builtin/types.json` holds facts about Kubernetes 1.35; `builtin/derive.py` says where
//! they come from and how a field reads. Custom types are read in [`crate::crd`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::LazyLock;

use serde_json::Value;

use crate::Schema;
use crate::schema::Field;
use crate::schema::List;
use crate::schema::Merge;
use crate::schema::Node;
use crate::schema::NodeId;
use crate::schema::Order;
use crate::schema::Record;
use crate::schema::Scalar;
use crate::schema::Shape;

/// Everything that is known of a type: a built-in one, or a version of a custom one.
#[derive(Clone, Debug)]
pub struct TypeInfo {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind, such as `Deployment`.
    pub kind: String,
    /// The resource name, such as `deployments`.
    pub plural: String,
    /// The singular name, such as `deployment`.
    pub singular: String,
    /// Short names that clients accept.
    pub short_names: Vec<String>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Groups of types to which it belongs, such as `all`.
    pub categories: Vec<String>,
    /// Whether `/status` is a subresource of its own.
    pub status: bool,
    /// Where `/scale` reads and writes, if there is one.
    pub scale: Option<Scale>,
    /// Whether a CRD defines it.
    pub custom: bool,
    /// The verbs that discovery names.
    pub verbs: Vec<String>,
    /// The tree of its fields.
    pub schema: Schema,
}

/// Where the scale of an object stands; paths as in a CRD, such as `.spec.replicas`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scale {
    /// The wanted number.
    pub spec_path: String,
    /// The observed number.
    pub status_path: String,
    /// The selector, as text or as an object.
    pub selector_path: Option<String>,
}

impl TypeInfo {
    /// `group/version`, or only the version in the core group.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `Kind.group`, or only the kind in the core group; so errors name a type.
    #[must_use]
    pub fn qualified_kind(&self) -> String {
        if self.group.is_empty() {
            self.kind.clone()
        } else {
            format!("{}.{}", self.kind, self.group)
        }
    }
}

/// The built-in types, ordered by group, version and plural name.
#[must_use]
pub fn builtins() -> &'static [TypeInfo] {
    &BUILTINS.types
}

/// What is sent to a subresource and never stored: a `Scale`, `TokenRequest`, `Eviction` or `Binding`.
#[must_use]
pub fn body(kind: &str) -> Option<&'static TypeInfo> {
    BUILTINS.bodies.iter().find(|body| body.kind == kind)
}

/// The schema of `metadata`, which built-in and custom types share.
pub(crate) fn object_meta() -> Schema {
    BUILTINS.object_meta.clone()
}

static BUILTINS: LazyLock<Builtins> = LazyLock::new(Builtins::read);

struct Builtins {
    types: Vec<TypeInfo>,
    bodies: Vec<TypeInfo>,
    object_meta: Schema,
}

impl Builtins {
    fn read() -> Self {
        let table: Value = serde_json::from_str(include_str!("../builtin/types.json"))
            .expect("the table is part of the program, and a test reads it");
        let mut builder = Builder::new(&table["types"]);
        let meta = builder.named("meta/v1.ObjectMeta", None);
        let mut rooted = |list: &str| -> Vec<(&Value, NodeId)> {
            let rows = table[list].as_array().into_iter().flatten();
            rows.map(|row| (row, builder.named(text(row, "type"), None)))
                .collect()
        };
        let (resources, bodies) = (rooted("resources"), rooted("bodies"));
        let nodes = Arc::new(builder.nodes);
        let schema = |root| Schema::new(Arc::clone(&nodes), root);
        let infos = |rows: Vec<(&Value, NodeId)>| -> Vec<TypeInfo> {
            let info = |(row, root)| type_info(row, schema(root));
            rows.into_iter().map(info).collect()
        };
        let mut types = infos(resources);
        let order = |ty: &TypeInfo| (ty.group.clone(), ty.version.clone(), ty.plural.clone());
        types.sort_by_key(order);
        Self {
            types,
            bodies: infos(bodies),
            object_meta: schema(meta),
        }
    }
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

fn type_info(row: &Value, schema: Schema) -> TypeInfo {
    let words = |name| text(row, name).split(' ').filter(|word| !word.is_empty());
    let owned = |name| words(name).map(str::to_owned).collect::<Vec<_>>();
    let kind = text(row, "kind").to_owned();
    TypeInfo {
        group: text(row, "group").to_owned(),
        version: text(row, "version").to_owned(),
        plural: text(row, "plural").to_owned(),
        singular: kind.to_lowercase(),
        short_names: owned("short"),
        namespaced: row["namespaced"] == true,
        categories: owned("categories"),
        status: words("subresources").any(|name| name == "status"),
        scale: words("subresources")
            .find(|name| *name == "scale")
            .map(|_| Scale {
                spec_path: ".spec.replicas".to_owned(),
                status_path: ".status.replicas".to_owned(),
                selector_path: Some(".spec.selector".to_owned()),
            }),
        custom: false,
        verbs: owned("verbs"),
        schema,
        kind,
    }
}

/// Turns the table into nodes; a type that is named twice becomes one node.
struct Builder<'a> {
    table: &'a Value,
    nodes: Vec<Node>,
    known: BTreeMap<(String, Option<bool>), NodeId>,
}

impl<'a> Builder<'a> {
    fn new(table: &'a Value) -> Self {
        Self {
            table,
            nodes: Vec::new(),
            known: BTreeMap::new(),
        }
    }

    fn push(&mut self, shape: Shape) -> NodeId {
        self.nodes.push(shape.into());
        self.nodes.len() - 1
    }

    /// The node of a named type. `atomic`: whether it is owned as a whole where it is used; if
    /// nothing is said there, the type itself says it.
    fn named(&mut self, name: &str, atomic: Option<bool>) -> NodeId {
        if let Some(known) = self.known.get(&(name.to_owned(), atomic)) {
            return *known;
        }
        // The place is taken before the fields are read, because types contain themselves.
        let node = self.push(Shape::Any { granular: false });
        self.known.insert((name.to_owned(), atomic), node);
        if let Value::Object(fields) = &self.table[name] {
            let mut record = Record {
                name: name.rsplit('/').next().unwrap_or_default().to_owned(),
                atomic: atomic.unwrap_or(fields.contains_key("")),
                ..Record::default()
            };
            for (name, spec) in fields.iter().filter(|(name, _)| !name.is_empty()) {
                let field = self.field(spec.as_str().unwrap_or_default());
                record.fields.insert(name.clone(), field);
            }
            self.nodes[node].shape = Shape::Record(record);
        }
        node
    }

    fn field(&mut self, spec: &str) -> Field {
        let mut words = spec.split(' ');
        let type_name = words.next().unwrap_or_default();
        let words: Vec<_> = words.collect();
        let has = |word| words.contains(&word);
        let valued = |name: &str| words.iter().find_map(|word| word.strip_prefix(name));
        let list = (
            match valued("map=") {
                Some(keys) => Order::Keyed(keys.split(',').map(str::to_owned).collect()),
                None if has("set") => Order::Set,
                None => Order::Atomic,
            },
            match valued("merge=") {
                Some(key) => Merge::ByKey(key.to_owned()),
                None if has("merge") => Merge::Values,
                None => Merge::Replace,
            },
        );
        let atomic = (has("atomic") || has("granular")).then(|| has("atomic"));
        let node = self.node(type_name, atomic, list);
        if let Some(default) = valued("default=") {
            self.nodes[node].default = serde_json::from_str(default).ok();
        }
        Field {
            node,
            written: has("written"),
            optional: has("optional"),
        }
    }

    fn node(&mut self, type_name: &str, atomic: Option<bool>, list: (Order, Merge)) -> NodeId {
        let plain = (Order::Atomic, Merge::Replace);
        if let Some(item) = bracketed(type_name, '[', ']') {
            let item = self.node(item, None, plain);
            let (order, merge) = list;
            return self.push(Shape::List(List { item, order, merge }));
        }
        if let Some(value) = bracketed(type_name, '{', '}') {
            let value = self.node(value, None, plain);
            let atomic = atomic == Some(true);
            return self.push(Shape::Map { value, atomic });
        }
        let scalar = match type_name {
            "string" => Scalar::String,
            "int32" => Scalar::Integer { bits: 32 },
            "int64" => Scalar::Integer { bits: 64 },
            "number" => Scalar::Number,
            "bool" => Scalar::Bool,
            "bytes" => Scalar::Bytes,
            "time" => Scalar::Time,
            "microtime" => Scalar::MicroTime,
            "quantity" => Scalar::Quantity,
            "int-or-string" => Scalar::IntOrString,
            "any" => return self.push(Shape::Any { granular: false }),
            named => return self.named(named, atomic),
        };
        self.push(Shape::Scalar(scalar))
    }
}

fn bracketed(text: &str, open: char, close: char) -> Option<&str> {
    text.strip_prefix(open)?.strip_suffix(close)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(kind: &str) -> &'static TypeInfo {
        builtins().iter().find(|ty| ty.kind == kind).unwrap()
    }

    #[test]
    fn the_table_knows_scope_names_and_subresources() {
        let deployment = find("Deployment");
        assert_eq!(deployment.api_version(), "apps/v1");
        assert_eq!(deployment.short_names, ["deploy"]);
        assert_eq!(deployment.categories, ["all"]);
        assert!(deployment.namespaced && deployment.status && deployment.scale.is_some());
        let namespace = find("Namespace");
        assert!(!namespace.namespaced && namespace.scale.is_none());
        assert!(!namespace.verbs.contains(&"deletecollection".to_owned()));
    }

    #[test]
    fn lists_know_how_their_elements_are_told_apart() {
        let containers = ["spec", "template", "spec", "containers"]
            .iter()
            .fold(find("Deployment").schema.root(), |at, name| {
                at.child(name).unwrap()
            });
        let Shape::List(list) = containers.shape() else {
            panic!("containers are a list")
        };
        assert_eq!(list.order, Order::Keyed(vec!["name".to_owned()]));
        assert_eq!(list.merge, Merge::ByKey("name".to_owned()));
        let ports = containers.item().child("ports").unwrap();
        assert!(
            ports
                .item()
                .child("protocol")
                .unwrap()
                .node()
                .default
                .is_some()
        );
    }
}
