//! The tree of fields of a type: what a field is, how its parts are owned and merged.
//!
//! Built from the table of the built-in types ([`crate::types`]) or from a CRD ([`crate::crd`]).
//! Whoever walks an object walks it along a [`Cursor`]. Says nothing about which values are valid.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

/// The tree of fields of a type. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Schema {
    nodes: Arc<Vec<Node>>,
    root: NodeId,
    /// The OpenAPI schema of a custom type, for validation.
    pub(crate) open_api: Option<Arc<crate::crd::OpenApi>>,
}

/// The place of a node among the nodes of its schema.
pub(crate) type NodeId = usize;

/// One kind of value.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) shape: Shape,
    pub(crate) default: Option<Value>,
    pub(crate) nullable: bool,
}

impl From<Shape> for Node {
    fn from(shape: Shape) -> Self {
        Self {
            shape,
            default: None,
            nullable: false,
        }
    }
}

/// What a value is made of.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Scalar(Scalar),
    Record(Record),
    Map {
        value: NodeId,
        atomic: bool,
    },
    List(List),
    /// Whatever comes. `granular`: its maps are owned field by field, else it is owned as a whole.
    Any {
        granular: bool,
    },
    /// A built-in type inside a custom one.
    Builtin(Schema),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    String,
    Integer { bits: u32 },
    Number,
    Bool,
    Bytes,
    Time,
    MicroTime,
    Quantity,
    IntOrString,
}

/// An object with known fields.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// What Go calls the type, such as `v1.PodSpec`; empty for a custom one.
    pub(crate) name: String,
    pub(crate) fields: BTreeMap<String, Field>,
    /// Unknown fields stay.
    pub(crate) open: bool,
    pub(crate) atomic: bool,
}

/// A field of a record.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) node: NodeId,
    /// When the field is absent, the real server writes its zero value.
    pub(crate) written: bool,
    /// Absence and the zero value differ.
    pub(crate) optional: bool,
}

impl From<NodeId> for Field {
    fn from(node: NodeId) -> Self {
        Self {
            node,
            written: false,
            optional: true,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct List {
    pub(crate) item: NodeId,
    pub(crate) order: Order,
    pub(crate) merge: Merge,
}

/// How the elements of a list are told apart by their owners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Atomic,
    Set,
    Keyed(Vec<String>),
}

/// How a strategic merge patch treats a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Merge {
    Replace,
    Values,
    ByKey(String),
}

impl Schema {
    pub(crate) fn new(nodes: Arc<Vec<Node>>, root: NodeId) -> Self {
        Self {
            nodes,
            root,
            open_api: None,
        }
    }

    pub(crate) fn root(&self) -> Cursor<'_> {
        Cursor::new(&self.nodes, self.root)
    }
}

/// A place in a schema.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    nodes: &'a [Node],
    at: NodeId,
}

/// Below an untyped value everything is untyped; these two are shared by all.
static GRANULAR: [Node; 1] = [untyped(true)];
static WHOLE: [Node; 1] = [untyped(false)];

const fn untyped(granular: bool) -> Node {
    Node {
        shape: Shape::Any { granular },
        default: None,
        nullable: true,
    }
}

impl<'a> Cursor<'a> {
    fn new(nodes: &'a [Node], at: NodeId) -> Self {
        match &nodes[at].shape {
            Shape::Builtin(schema) => schema.root(),
            _ => Self { nodes, at },
        }
    }

    /// The place of a value of which nothing is known.
    pub(crate) fn untyped(granular: bool) -> Self {
        Self {
            nodes: if granular { &GRANULAR } else { &WHOLE },
            at: 0,
        }
    }

    pub(crate) fn node(self) -> &'a Node {
        &self.nodes[self.at]
    }

    pub(crate) fn shape(self) -> &'a Shape {
        &self.node().shape
    }

    /// The node that a field of this record has, with what is said of the field.
    pub(crate) fn declared(self, name: &str) -> Option<(&'a Field, Self)> {
        match self.shape() {
            Shape::Record(record) => {
                let field = record.fields.get(name)?;
                Some((field, self.to(field.node)))
            }
            _ => None,
        }
    }

    /// Where a key of this map or record leads; `None` if the key is unknown here.
    pub(crate) fn child(self, name: &str) -> Option<Self> {
        match self.shape() {
            Shape::Record(record) => match record.fields.get(name) {
                Some(field) => Some(self.to(field.node)),
                None if record.open => Some(Self::untyped(true)),
                None => None,
            },
            Shape::Map { value, .. } => Some(self.to(*value)),
            Shape::Any { granular } => Some(Self::untyped(*granular)),
            _ => None,
        }
    }

    /// Where the elements of this list lead.
    pub(crate) fn item(self) -> Self {
        match self.shape() {
            Shape::List(list) => self.to(list.item),
            // What stands in a list of which nothing is known belongs to the list.
            _ => Self::untyped(false),
        }
    }

    fn to(self, at: NodeId) -> Self {
        Self::new(self.nodes, at)
    }
}
