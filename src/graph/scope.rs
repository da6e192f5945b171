//! What names mean while a block is evaluated.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use drplan_api::Address;
use drplan_api::SecretRef;
use drplan_api::Shape;

use super::blocks::BlockId;
use super::blocks::Named;
use super::blocks::named;
use super::files::SpecFiles;
use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::lang::Expr;
use crate::lang::Node;
use crate::lang::Part;
use crate::lang::Residual;
use crate::lang::Scope;
use crate::lang::Span;
use crate::lang::Value;
use crate::lang::eval;
use crate::spec::Module;
use crate::spec::variables::Bound;

/// The instances of one block.
#[derive(Clone, Debug)]
pub(crate) enum Instances {
    /// Without `for_each` and `count`.
    One(Value),
    /// By key; `count` uses decimal keys.
    Many(BTreeMap<String, Value>, bool),
}

/// Everything that evaluation may look up.
pub(crate) struct World<'a> {
    pub(crate) module: &'a Module,
    pub(crate) bound: &'a Bound,
    pub(crate) files: &'a SpecFiles,
    /// Exports of blocks that were evaluated before.
    pub(crate) exports: &'a BTreeMap<Address, Instances>,
    pub(crate) locals: &'a RefCell<BTreeMap<String, (Value, Uses)>>,
}

/// The instances that an expression used, with where.
pub(crate) type Uses = BTreeMap<Address, Span>;

/// A scope that remembers what was used.
pub(crate) struct Looking<'a> {
    world: &'a World<'a>,
    each: Option<(Value, Value)>,
    uses: RefCell<Uses>,
}

impl<'a> Looking<'a> {
    pub(crate) fn new(world: &'a World<'a>, each: Option<(Value, Value)>) -> Self {
        Self {
            world,
            each,
            uses: RefCell::default(),
        }
    }

    /// Evaluates an expression in this scope.
    pub(crate) fn eval(&self, expr: &Expr) -> Result<Value, Diagnostic> {
        eval(expr, self)
    }

    pub(crate) fn into_uses(self) -> Uses {
        self.uses.into_inner()
    }

    fn local(&self, name: &str, span: Span) -> Result<Value, Diagnostic> {
        if let Some((value, uses)) = self.world.locals.borrow().get(name) {
            self.uses
                .borrow_mut()
                .extend(uses.keys().map(|a| (a.clone(), span)));
            return Ok(value.clone());
        }
        let Some(attr) = self.world.module.locals.get(name) else {
            return Err(Diagnostic::error(
                Code::UnknownReference,
                format!("there is no local `{name}`"),
            )
            .label(span, "here"));
        };
        let inner = Looking::new(self.world, None);
        let value = inner.eval(&attr.expr)?;
        let uses = inner.into_uses();
        self.uses
            .borrow_mut()
            .extend(uses.keys().map(|a| (a.clone(), span)));
        self.world
            .locals
            .borrow_mut()
            .insert(name.to_owned(), (value.clone(), uses));
        Ok(value)
    }

    fn block(
        &self,
        address: &Address,
        parts: &[Part],
        from: usize,
        span: Span,
    ) -> Result<(Value, usize), Diagnostic> {
        let missing = || {
            Diagnostic::error(
                Code::UnknownReference,
                format!("`{address}` cannot be used here"),
            )
            .label(span, "it is not evaluated before this")
        };
        let instances = self.world.exports.get(address).ok_or_else(missing)?;
        match instances {
            Instances::One(value) => {
                self.uses
                    .borrow_mut()
                    .entry(address.clone())
                    .or_insert(span);
                Ok((value.clone(), from))
            }
            Instances::Many(map, by_count) => {
                if let Some(Part::Index(index)) = parts.get(from) {
                    let key = match self.eval(index)? {
                        Value::String(text) => text.to_string(),
                        Value::Number(n) => n.normalized().to_plain_string(),
                        _ => {
                            return Err(Diagnostic::error(
                                Code::EvaluationError,
                                format!("the key of an instance of `{address}` must be known while planning"),
                            )
                            .label(index.span, "this is not known"));
                        }
                    };
                    let Some(value) = map.get(&key) else {
                        let keys: Vec<&str> = map.keys().map(String::as_str).collect();
                        return Err(Diagnostic::error(
                            Code::UnknownReference,
                            format!("`{address}` has no instance \"{key}\""),
                        )
                        .label(index.span, "here")
                        .hint(format!("its instances are: {}", keys.join(", "))));
                    };
                    let instance = instance_address(address, &key, *by_count);
                    self.uses.borrow_mut().entry(instance).or_insert(span);
                    return Ok((value.clone(), from + 1));
                }
                let mut uses = self.uses.borrow_mut();
                for key in map.keys() {
                    uses.entry(instance_address(address, key, *by_count))
                        .or_insert(span);
                }
                let whole = if *by_count {
                    {
                        let mut list: Vec<_> = map.iter().collect();
                        list.sort_by_key(|(key, _)| key.parse::<usize>().unwrap_or(usize::MAX));
                        Value::List(list.into_iter().map(|(_, value)| value.clone()).collect())
                    }
                } else {
                    Value::Map(map.clone())
                };
                Ok((whole, from))
            }
        }
    }
}

/// The address of one instance.
pub(crate) fn instance_address(block: &Address, key: &str, by_count: bool) -> Address {
    if by_count {
        Address::new(format!("{block}[{key}]"))
    } else {
        Address::new(format!("{block}[{}]", drplan_api::Json::from(key)))
    }
}

impl Scope for Looking<'_> {
    fn resolve(&self, parts: &[Part], span: Span) -> Result<(Value, usize), Diagnostic> {
        let name = |i: usize| match parts.get(i) {
            Some(Part::Attr(name, _)) => name.as_str(),
            _ => "",
        };
        let module = self.world.module;
        match name(0) {
            "var" => {
                named(module, parts, span)?;
                let var = name(1);
                if module.variables.get(var).is_some_and(|v| v.sensitive) {
                    return Ok((secret(SecretRef::Variable(var.to_owned()), span), 2));
                }
                Ok((
                    self.world
                        .bound
                        .values
                        .get(var)
                        .cloned()
                        .unwrap_or(Value::Null),
                    2,
                ))
            }
            "local" => Ok((self.local(name(1), span)?, 2)),
            "each" | "count" => match (&self.each, name(1)) {
                (Some((key, _)), "key" | "index") => Ok((key.clone(), 2)),
                (Some((_, value)), "value") => Ok((value.clone(), 2)),
                _ => Err(Diagnostic::error(
                    Code::UnknownReference,
                    format!("`{}.{}` means nothing here", name(0), name(1)),
                )
                .label(span, "only inside a block with `for_each` or `count`")),
            },
            "path" => Ok((Value::String(".".into()), 2)),
            _ => match named(module, parts, span)? {
                Named::Block(BlockId::Resource(address)) => {
                    let from = if address.is_data() { 3 } else { 2 };
                    self.block(&address, parts, from, span)
                }
                Named::Block(other) => Err(Diagnostic::error(
                    Code::UnknownReference,
                    format!("`{other}` has no value"),
                )
                .label(span, "it can only be named in `depends_on`")),
                Named::Ambient => Ok((Value::Null, parts.len())),
            },
        }
    }

    fn file(&self, path: &str) -> Result<String, String> {
        self.world.files.text(path)
    }
}

/// A value that is a secret.
pub(crate) fn secret(reference: SecretRef, span: Span) -> Value {
    Value::Hole(Residual {
        expr: Arc::new(Expr {
            node: Node::Secret(reference),
            span,
        }),
        secret: true,
        after: BTreeSet::new(),
        shape: Shape::Any,
    })
}

/// A value that is an export of a step, not known before that step is done.
pub(crate) fn export_of(address: &Address, name: &str, shape: Shape, span: Span) -> Value {
    Value::Hole(Residual {
        expr: Arc::new(Expr {
            node: Node::Out {
                address: address.clone(),
                path: vec![crate::lang::Key::Attr(name.to_owned())],
            },
            span,
        }),
        secret: false,
        after: BTreeSet::from([address.clone()]),
        shape,
    })
}
