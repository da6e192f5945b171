//! Expressions: one type for what stands in a file and for what is left after partial evaluation.

use drplan_api::Address;
use drplan_api::SecretRef;
use serde::Deserialize;
use serde::Serialize;

use super::Span;
use super::Value;

/// An expression and where it came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expr {
    /// What it is.
    pub node: Node,
    /// Where it stands in the spec.
    pub span: Span,
}

/// The forms of an expression.
///
/// A residual expression holds no [`Node::Ref`] except to variables that a [`Node::For`] or
/// [`Node::Splat`] around it binds; its leaves are literals, exports and secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Node {
    /// A value; never [`Value::Hole`].
    Lit(Value),
    /// A traversal from a name: `var.x`, `data.k.n.attr[0]`, `each.key`.
    Ref(Vec<Part>),
    /// An export of a step; only in residual expressions.
    Out {
        /// The step.
        address: Address,
        /// Where in its exports.
        path: Vec<Key>,
    },
    /// A secret; only in residual expressions.
    Secret(SecretRef),
    /// Text made of parts, each converted to a string and joined.
    Template(Vec<Expr>),
    /// The strings of a list joined: what `%{ for }` makes.
    Join(Box<Expr>),
    /// A call of a function.
    Call {
        /// The function.
        name: String,
        /// Its arguments.
        args: Vec<Expr>,
        /// Whether the last argument is a list of further arguments (`f(list...)`).
        spread_last: bool,
    },
    /// An operator between two operands.
    Binary(Op, Box<Expr>, Box<Expr>),
    /// An operator in front of its operand.
    Unary(Unary, Box<Expr>),
    /// `condition ? then : otherwise`; only the chosen one is evaluated.
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `of[index]`.
    At(Box<Expr>, Box<Expr>),
    /// `of.name`.
    Attr(Box<Expr>, String),
    /// `of[*].a.b`: the steps applied to each element.
    Splat(Box<Expr>, Vec<Step>),
    /// `{ key = value }`.
    Object(Vec<(Expr, Expr)>),
    /// `[a, b]`.
    Tuple(Vec<Expr>),
    /// `[for key, value in over : body if keep]`, or the form with braces if there is a key.
    For {
        /// The variable of the key or index, if it has a name.
        key: Option<String>,
        /// The variable of the value.
        value: String,
        /// What is iterated.
        over: Box<Expr>,
        /// The key of each result; makes a map.
        key_expr: Option<Box<Expr>>,
        /// The value of each result.
        body: Box<Expr>,
        /// Which elements are kept.
        keep: Option<Box<Expr>>,
        /// Whether values of the same key are gathered in a list (`...`).
        group: bool,
    },
    /// An error that counts only if this branch is taken when the rest becomes known; only in
    /// residual expressions. Never holds a value.
    Raise(String),
}

/// One part of a traversal. The first is always [`Part::Attr`], the root name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// `.name`, with the place of the name.
    Attr(String, Span),
    /// `[index]`.
    Index(Expr),
}

/// One step into the exports of a step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// A name.
    Attr(String),
    /// A place in a list.
    Index(usize),
}

/// What a splat does with each element.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// `.name`, with the place of the name.
    Attr(String, Span),
    /// `[index]`.
    Index(Expr),
    /// A splat inside a splat, with its own steps.
    Splat(Vec<Self>),
}

/// An operator between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
}

impl Op {
    /// Returns the operator as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::And => "&&",
            Self::Or => "||",
        }
    }
}

/// An operator in front of its operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unary {
    /// `-`
    Negate,
    /// `!`
    Not,
}

impl Expr {
    /// Makes an expression.
    pub fn new(node: Node, span: Span) -> Self {
        Self { node, span }
    }

    /// Calls `f` with each direct child.
    pub(super) fn each_child<'a>(&'a self, f: &mut dyn FnMut(&'a Self)) {
        match &self.node {
            Node::Lit(_) | Node::Out { .. } | Node::Secret(_) | Node::Raise(_) => {}
            Node::Ref(parts) => {
                for part in parts {
                    if let Part::Index(index) = part {
                        f(index);
                    }
                }
            }
            Node::Template(list) | Node::Tuple(list) | Node::Call { args: list, .. } => {
                list.iter().for_each(f);
            }
            Node::Join(of) | Node::Unary(_, of) | Node::Attr(of, _) => f(of),
            Node::Binary(_, a, b) | Node::At(a, b) => {
                f(a);
                f(b);
            }
            Node::If(a, b, c) => {
                f(a);
                f(b);
                f(c);
            }
            Node::Splat(of, steps) => {
                f(of);
                each_index(steps, f);
            }
            Node::Object(pairs) => {
                for (key, value) in pairs {
                    f(key);
                    f(value);
                }
            }
            Node::For {
                over,
                key_expr,
                body,
                keep,
                ..
            } => {
                f(over);
                key_expr.iter().for_each(|e| f(e));
                f(body);
                keep.iter().for_each(|e| f(e));
            }
        }
    }
}

fn each_index<'a>(steps: &'a [Step], f: &mut dyn FnMut(&'a Expr)) {
    for step in steps {
        match step {
            Step::Attr(..) => {}
            Step::Index(index) => f(index),
            Step::Splat(inner) => each_index(inner, f),
        }
    }
}

/// Calls `f` with each secret that an expression opens.
pub(crate) fn each_secret<'a>(expr: &'a Expr, f: &mut dyn FnMut(&'a SecretRef)) {
    if let Node::Secret(secret) = &expr.node {
        f(secret);
    }
    expr.each_child(&mut |child| each_secret(child, f));
}

/// The steps whose exports an expression takes something out of.
pub(crate) fn each_out(expr: &Expr) -> Vec<&Address> {
    let (mut out, mut open) = (Vec::new(), vec![expr]);
    while let Some(expr) = open.pop() {
        if let Node::Out { address, .. } = &expr.node {
            out.push(address);
        }
        expr.each_child(&mut |child| open.push(child));
    }
    out
}

/// Lists every reference whose root name is not bound by a `for` around it, in source order,
/// references inside of indexes included.
pub fn references(expr: &Expr) -> Vec<(&[Part], Span)> {
    let mut out = Vec::new();
    collect(expr, &mut Vec::new(), &mut out);
    out
}

fn collect<'a>(expr: &'a Expr, bound: &mut Vec<&'a str>, out: &mut Vec<(&'a [Part], Span)>) {
    match &expr.node {
        Node::Ref(parts) => {
            let free = match parts.first() {
                Some(Part::Attr(root, _)) => !bound.contains(&root.as_str()),
                _ => true,
            };
            if free {
                out.push((parts.as_slice(), expr.span));
            }
            expr.each_child(&mut |child| collect(child, bound, out));
        }
        Node::For {
            key,
            value,
            over,
            key_expr,
            body,
            keep,
            ..
        } => {
            collect(over, bound, out);
            let before = bound.len();
            bound.extend(key.iter().map(String::as_str));
            bound.push(value);
            for child in key_expr.iter().chain([body]).chain(keep.iter()) {
                collect(child, bound, out);
            }
            bound.truncate(before);
        }
        _ => expr.each_child(&mut |child| collect(child, bound, out)),
    }
}
