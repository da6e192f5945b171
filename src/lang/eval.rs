//! The partial evaluator.
//!
//! Terraform's meaning: conversions between strings, numbers and truth values where an operator
//! wants one; equality by type and value; `&&`, `||` and `?:` evaluate only what they need (as
//! Terraform since 1.12 and OpenTofu do); maps are iterated in the order of their keys. It differs
//! where Terraform uses static types: `?:` does not convert its branches to a common type.
//!
//! What hangs on a hole becomes a hole again. An error in a part that may turn out not to be needed
//! is kept in the residual expression as [`Node::Raise`] and counts only if it is reached.

use std::borrow::Cow;
use std::cell::Cell;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use drplan_api::Address;
use drplan_api::SecretRef;
use drplan_api::Shape;
use regex::Regex;

use super::Expr;
use super::Key;
use super::Node;
use super::Part;
use super::Residual;
use super::Span;
use super::Step;
use super::Value;
use super::access;
use super::functions;
use super::iterate;
use super::operate;
use super::residual;
use super::residual::Marks;
use super::text;
use crate::diag::Code;
use crate::diag::Diagnostic;

/// How deeply evaluation may go.
const DEPTH_MAX: u32 = 200;
/// How many parts of expressions one evaluation may visit: loops inside of loops end here.
const VISITS_MAX: u32 = 5_000_000;
/// The most elements that an expression may make at once.
pub(super) const ELEMENTS_MAX: usize = 100_000;
/// The longest text that an expression may make, in bytes.
pub(super) const TEXT_BYTES_MAX: usize = 8 << 20;

/// Resolves references. `parts[0]` is the root name.
pub trait Scope {
    /// Returns the value of a reference and how many parts of it were used for that (at least one);
    /// the evaluator applies the others.
    ///
    /// Indexes among the parts are evaluated already: each is a literal, or a residual expression
    /// if it is not known. Variables of `for` never get here.
    ///
    /// # Errors
    ///
    /// Says that nothing has this name.
    fn resolve(&self, parts: &[Part], span: Span) -> Result<(Value, usize), Diagnostic>;

    /// Returns the value of an export while residuals are evaluated. Called with the whole path
    /// first, then with ever shorter ones; the evaluator applies the rest. Where this returns `None`
    /// for all, the export stays a hole that counts as secret; to keep its marks, return that hole.
    fn out(&self, address: &Address, path: &[Key]) -> Option<Value> {
        let _ = (address, path);
        None
    }

    /// Returns a secret while residuals are evaluated; by default it stays a hole. From the first
    /// export or secret that was opened on, errors show no values.
    fn secret(&self, secret: &SecretRef) -> Option<Value> {
        let _ = secret;
        None
    }

    /// Returns the content of a file of the spec, by its path relative to the spec's folder.
    ///
    /// # Errors
    ///
    /// Says why it cannot be read.
    fn file(&self, path: &str) -> Result<String, String> {
        let _ = path;
        Err("files cannot be read here".to_owned())
    }
}

/// Evaluates an expression as far as it can be now.
///
/// # Errors
///
/// Says what cannot be evaluated, where, and with which values; never shows a secret.
pub fn eval(expr: &Expr, scope: &dyn Scope) -> Result<Value, Diagnostic> {
    let state = State::default();
    let cx = Cx {
        scope,
        locals: None,
        depth: 0,
        binders: 0,
        state: &state,
        sealed: false,
    };
    cx.eval(expr)
}

/// Variables that an expression binds, linked to those around them.
pub(super) struct Local<'a> {
    pub(super) bind: Bind<'a>,
    pub(super) around: Option<&'a Self>,
}

/// One variable, or those of a template file.
pub(super) enum Bind<'a> {
    One(&'a str, &'a Value),
    All(&'a BTreeMap<String, Value>),
}

/// What one evaluation notes on its way.
#[derive(Default)]
struct State {
    /// Whether an export or a secret was opened, so that no value may be shown any more.
    opened: Cell<bool>,
    /// How many parts were visited.
    visits: Cell<u32>,
    /// The regular expression that was used last: loops use the same again and again.
    pattern: RefCell<Option<(String, Rc<Regex>)>>,
}

/// Where an expression is evaluated.
#[derive(Clone, Copy)]
pub(super) struct Cx<'a> {
    pub(super) scope: &'a dyn Scope,
    locals: Option<&'a Local<'a>>,
    depth: u32,
    /// How many loops around have variables that are not known.
    pub(super) binders: u32,
    state: &'a State,
    /// Whether only local variables are visible: inside of a template file.
    pub(super) sealed: bool,
}

pub(super) type Outcome = Result<Value, Diagnostic>;

impl<'a> Cx<'a> {
    /// Evaluates one expression.
    pub(super) fn eval(&self, expr: &Expr) -> Outcome {
        let cx = self.deeper(expr.span)?;
        let span = expr.span;
        match &expr.node {
            Node::Lit(value) => Ok(value.clone()),
            Node::Ref(parts) => cx.reference(parts, span),
            Node::Out { address, path } => cx.out(address, path, span),
            Node::Secret(secret) => Ok(cx.secret(secret, span)),
            Node::Template(parts) => operate::template(&cx, parts, span),
            Node::Join(of) => operate::join(&cx, of, span),
            Node::Call {
                name,
                args,
                spread_last,
            } => functions::call(&cx, name, args, *spread_last, span),
            Node::Binary(op, a, b) => operate::binary(&cx, *op, a, b, span),
            Node::Unary(op, of) => operate::unary(&cx, *op, of, span),
            Node::If(cond, then, otherwise) => operate::choose(&cx, [cond, then, otherwise], span),
            Node::At(of, index) => cx.at(of, index, span),
            Node::Attr(of, name) => cx.attr(of, name, span),
            Node::Splat(of, steps) => cx.splat(of, steps, span),
            Node::Object(pairs) => cx.object(pairs, span),
            Node::Tuple(items) => cx.tuple(items),
            Node::For { .. } => iterate::each(&cx, expr),
            Node::Raise(message) => Err(cx.raise(message, span)),
        }
    }

    // Each form has a function of its own, which keeps the frames of the recursion small.

    fn at(&self, of: &Expr, index: &Expr, span: Span) -> Outcome {
        let (of, key) = (self.eval(of)?, self.eval(index)?);
        access::index(self, &of, &key, span).map(Cow::into_owned)
    }

    fn attr(&self, of: &Expr, name: &str, span: Span) -> Outcome {
        let of = self.eval(of)?;
        access::attr(self, &of, name, span).map(Cow::into_owned)
    }

    fn splat(&self, of: &Expr, steps: &[Step], span: Span) -> Outcome {
        let of = self.eval(of)?;
        iterate::splat(self, &of, steps, span)
    }

    fn tuple(&self, items: &[Expr]) -> Outcome {
        let items: Result<_, _> = items.iter().map(|item| self.eval(item)).collect();
        Ok(Value::List(items?))
    }

    fn raise(&self, message: &str, span: Span) -> Diagnostic {
        self.error(message, span, "")
    }

    /// Evaluates a part that may turn out not to be needed: an error becomes a hole that raises it.
    pub(super) fn branch(&self, expr: &Expr) -> Outcome {
        match self.eval(expr) {
            Err(error) if is_catchable(&error) => {
                let raise = Expr::new(Node::Raise(error.message), expr.span);
                Ok(Value::Hole(Residual {
                    expr: raise.into(),
                    secret: false,
                    after: Default::default(),
                    shape: Shape::Any,
                }))
            }
            outcome => outcome,
        }
    }

    /// Goes one level down.
    fn deeper(&self, span: Span) -> Result<Self, Diagnostic> {
        let visits = self.state.visits.get() + 1;
        self.state.visits.set(visits);
        if visits > VISITS_MAX {
            let long = Diagnostic::error(
                Code::LimitExceeded,
                format!("evaluating the expression takes more than {VISITS_MAX} operations"),
            );
            return Err(long
                .label(span, "")
                .hint("loops inside of loops multiply; make the collections smaller"));
        }
        if self.depth >= DEPTH_MAX {
            let deep = Diagnostic::error(
                Code::LimitExceeded,
                format!("the expression is nested more than {DEPTH_MAX} deep"),
            );
            return Err(deep.label(span, "").hint("name parts of it with `locals`"));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..*self
        })
    }

    /// Adds variables.
    pub(super) fn with<'b>(&self, local: &'b Local<'b>) -> Cx<'b>
    where
        'a: 'b,
    {
        Cx {
            locals: Some(local),
            ..*self
        }
    }

    /// Returns the variables that are visible.
    pub(super) fn locals(&self) -> Option<&'a Local<'a>> {
        self.locals
    }

    fn local(&self, name: &str) -> Option<&'a Value> {
        let mut next = self.locals;
        while let Some(local) = next {
            let found = match local.bind {
                Bind::One(bound, value) => (bound == name).then_some(value),
                Bind::All(map) => map.get(name),
            };
            if found.is_some() {
                return found;
            }
            next = local.around;
        }
        None
    }

    fn reference(&self, parts: &[Part], span: Span) -> Outcome {
        let root = match parts.first() {
            Some(Part::Attr(name, _)) => name.as_str(),
            _ => "",
        };
        if let Some(value) = self.local(root) {
            return access::walk(self, value, &parts[1..], span);
        }
        if self.sealed {
            let unknown = Diagnostic::error(
                Code::UnknownReference,
                format!("the template has no variable `{root}`"),
            );
            return Err(unknown
                .label(span, "not among the variables that were given")
                .hint(format!("pass it among the variables: `{{ {root} = … }}`")));
        }
        let evaluated = self.indexes(parts)?;
        let parts = evaluated.as_deref().unwrap_or(parts);
        let (value, used) = self.scope.resolve(parts, span)?;
        match parts.get(used.max(1)..) {
            None | Some([]) => Ok(value),
            Some(rest) => access::walk(self, &value, rest, span),
        }
    }

    /// Evaluates the indexes of a reference, if there is one that is not a literal.
    fn indexes(&self, parts: &[Part]) -> Result<Option<Vec<Part>>, Diagnostic> {
        let open =
            |part: &Part| matches!(part, Part::Index(index) if !matches!(index.node, Node::Lit(_)));
        if !parts.iter().any(open) {
            return Ok(None);
        }
        let evaluated = parts.iter().map(|part| match part {
            Part::Attr(..) => Ok(part.clone()),
            Part::Index(index) => {
                let value = self.eval(index)?;
                Ok(Part::Index(residual::to_expr(&value, index.span)))
            }
        });
        evaluated.collect::<Result<_, _>>().map(Some)
    }

    fn out(&self, address: &Address, path: &[Key], span: Span) -> Outcome {
        for known in (0..=path.len()).rev() {
            let Some(mut value) = self.scope.out(address, &path[..known]) else {
                continue;
            };
            self.state.opened.set(true);
            for key in &path[known..] {
                value = match key {
                    Key::Attr(name) => access::attr(self, &value, name, span)?.into_owned(),
                    Key::Index(at) => {
                        access::index(self, &value, &Value::from(*at), span)?.into_owned()
                    }
                };
            }
            return Ok(value);
        }
        let node = Node::Out {
            address: address.clone(),
            path: path.to_vec(),
        };
        Ok(Value::Hole(Residual {
            expr: Expr::new(node, span).into(),
            secret: true,
            after: [address.clone()].into(),
            shape: Shape::Any,
        }))
    }

    fn secret(&self, secret: &SecretRef, span: Span) -> Value {
        match self.scope.secret(secret) {
            Some(value) => {
                self.state.opened.set(true);
                value
            }
            None => Value::Hole(Residual {
                expr: Expr::new(Node::Secret(secret.clone()), span).into(),
                secret: true,
                after: Default::default(),
                shape: Shape::Any,
            }),
        }
    }

    fn object(&self, pairs: &[(Expr, Expr)], span: Span) -> Outcome {
        let mut out = BTreeMap::new();
        let mut evaluated = Vec::new();
        let mut open = false;
        for (key, value) in pairs {
            let name = self.eval(key)?;
            let value_span = value.span;
            let value = self.eval(value)?;
            if open || name.has_hole() {
                open = true;
                evaluated.push(((name, key.span), (value, value_span)));
                continue;
            }
            let Some(name) = name.to_text() else {
                let what = format!("the key of an object is {}", self.show(&name));
                return Err(self.error(what, key.span, "expected a string"));
            };
            out.insert(name, value);
        }
        if !open {
            return Ok(Value::Map(out));
        }
        let mut marks = Marks::default();
        let known = out.iter().map(|(key, value)| {
            let key = Expr::new(Node::Lit(Value::string(key)), span);
            marks.add(value);
            (key, residual::to_expr(value, span))
        });
        let mut all: Vec<_> = known.collect();
        for ((key, key_span), (value, value_span)) in &evaluated {
            marks.add(key);
            marks.add(value);
            let key = residual::to_expr(key, *key_span);
            all.push((key, residual::to_expr(value, *value_span)));
        }
        marks.hole(Node::Object(all), span)
    }

    /// Makes an evaluation error.
    pub(super) fn error(
        &self,
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::error(Code::EvaluationError, message).label(span, label)
    }

    /// Writes a value for a message, or only its type once something secret may be in it.
    pub(super) fn show(&self, value: &Value) -> String {
        if self.state.opened.get() {
            format!("a {}", value.type_name())
        } else {
            match value {
                Value::Null => "null".to_owned(),
                _ => format!("{} `{}`", value.type_name(), text::show(value)),
            }
        }
    }

    /// Returns a compiled regular expression; `compile` makes it if it was not used last.
    pub(super) fn pattern<E>(
        &self,
        text: &str,
        compile: impl FnOnce(&str) -> Result<Regex, E>,
    ) -> Result<Rc<Regex>, E> {
        if let Some((last, regex)) = &*self.state.pattern.borrow()
            && last == text
        {
            return Ok(Rc::clone(regex));
        }
        let regex = Rc::new(compile(text)?);
        let used = (text.to_owned(), Rc::clone(&regex));
        self.state.pattern.replace(Some(used));
        Ok(regex)
    }

    /// Tells whether texts that may hold parts of values may be shown.
    pub(super) fn may_show(&self) -> bool {
        !self.state.opened.get()
    }
}

/// Tells whether `try` and `can` catch an error: those that values cause, not those that are wrong
/// whatever the values are.
pub(super) fn is_catchable(error: &Diagnostic) -> bool {
    matches!(
        error.code,
        Code::EvaluationError | Code::BadFunctionCall | Code::FileNotFound
    )
}
