//! Holds every block against the schemas of the registry: kinds, arguments, types of plain values.

use std::collections::BTreeMap;

use drplan_api::Arg;
use drplan_api::Def;
use drplan_api::Mode;
use drplan_api::Registry;
use drplan_api::Type;

use super::literal::literal;
use super::module::META;
use super::module::META_OF_PROVIDERS;
use super::module::Module;
use super::module::ResourceBlock;
use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::diag::Diagnostics;
use crate::lang::Attr;
use crate::lang::Expr;
use crate::lang::Node;
use crate::lang::Part;
use crate::lang::Span;
use crate::lang::Value;
use crate::lang::parse_duration;

/// Returns the name that is most like another, if one is like it at all.
pub fn nearest<'a>(name: &str, among: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LIKENESS_MIN: f64 = 0.75;
    among
        .into_iter()
        .map(|other| (strsim::jaro_winkler(name, other), other))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other)
}

/// Checks a module against the registry. Cost: linear in the size of the module.
pub fn check(module: &Module, registry: &Registry) -> Diagnostics {
    let mut diags = Diagnostics::default();
    for provider in module.providers.values() {
        let Some(system) = registry.get_system(&provider.system) else {
            let names = registry.systems().map(|s| s.name());
            let d = Diagnostic::error(
                Code::UnknownProvider,
                format!("there is no system `{}`", provider.system),
            )
            .label(provider.span, "of this provider");
            diags.push(with_nearest(d, &provider.system, names));
            continue;
        };
        let what = format!("provider `{}`", provider.system);
        arguments(
            &what,
            &system.schema().args,
            META_OF_PROVIDERS,
            &provider.args,
            provider.span,
            &mut diags,
        );
    }
    for resource in module.resources.values() {
        check_resource(resource, registry, &mut diags);
    }
    diags
}

/// Returns the declaration of a block's kind.
pub(crate) fn def_of<'r>(resource: &ResourceBlock, registry: &'r Registry) -> Option<&'r Def> {
    let kind = if resource.address.is_data() {
        registry.get_data(&resource.kind)
    } else {
        registry.get_resource(&resource.kind)
    };
    kind.map(|kind| kind.def())
}

fn check_resource(resource: &ResourceBlock, registry: &Registry, diags: &mut Diagnostics) {
    let data = resource.address.is_data();
    let Some(def) = def_of(resource, registry) else {
        let word = if data { "data source" } else { "resource kind" };
        let d = Diagnostic::error(
            Code::UnknownKind,
            format!("there is no {word} `{}`", resource.kind),
        )
        .label(resource.span, "of this block");
        let other = if data {
            registry.get_resource(&resource.kind)
        } else {
            registry.get_data(&resource.kind)
        };
        diags.push(match other {
            Some(_) if data => d.hint(format!(
                "`{}` is a resource: write `resource`",
                resource.kind
            )),
            Some(_) => d.hint(format!(
                "`{}` is a data source: write `data`",
                resource.kind
            )),
            None if data => with_nearest(
                d,
                &resource.kind,
                registry.data_sources().map(|k| k.def().name),
            ),
            None => with_nearest(
                d,
                &resource.kind,
                registry.resources().map(|k| k.def().name),
            ),
        });
        return;
    };
    let what = format!("`{}`", resource.kind);
    arguments(
        &what,
        &def.schema.args,
        META,
        &resource.args,
        resource.span,
        diags,
    );
    let guard = match def.mode {
        Mode::Guard => true,
        Mode::GoalIf(arg) => !resource.args.contains_key(arg),
        Mode::Goal | Mode::Data => false,
    };
    let guards_nothing = match resource.meta.get("guards").map(|attr| &attr.expr.node) {
        None => true,
        Some(Node::Tuple(list)) => list.is_empty(),
        Some(_) => false,
    };
    if guard && guards_nothing {
        diags.push(
            Diagnostic::error(
                Code::MissingArgument,
                format!(
                    "`{}` is a guard and does not say what it guards",
                    resource.address
                ),
            )
            .label(resource.span, "acts only around other steps")
            .hint(match def.mode {
                Mode::GoalIf(arg) => {
                    format!("add `guards = [ADDRESS, …]`, or `{arg}` to make it a goal")
                }
                _ => "add `guards = [ADDRESS, …]`".to_owned(),
            }),
        );
    }
}

fn with_nearest<'a>(d: Diagnostic, name: &str, among: impl Iterator<Item = &'a str>) -> Diagnostic {
    let all: Vec<&str> = among.collect();
    match nearest(name, all.iter().copied()) {
        Some(near) => d.hint(format!("did you mean `{near}`?")),
        None if all.is_empty() => d,
        None => d.hint(format!("there are: {}", all.join(", "))),
    }
}

/// Says which argument was meant, or which there are: those of the kind, then those of all kinds.
fn with_arguments(d: Diagnostic, name: &str, schema: &[Arg], meta: &[&str]) -> Diagnostic {
    let own: Vec<&str> = schema.iter().map(|arg| arg.name).collect();
    if let Some(near) = nearest(name, own.iter().chain(meta).copied()) {
        return d.hint(format!("did you mean `{near}`?"));
    }
    let meta: Vec<&str> = meta.iter().filter(|m| !own.contains(m)).copied().collect();
    let meta = match meta.as_slice() {
        [one] => format!("the meta-argument {one}"),
        several => format!("the meta-arguments {}", several.join(", ")),
    };
    d.hint(match own.as_slice() {
        [] => format!("there are only {meta}"),
        own => format!("there are: {}; and {meta}", own.join(", ")),
    })
}

fn arguments(
    what: &str,
    schema: &[Arg],
    meta: &[&str],
    given: &BTreeMap<String, Attr>,
    span: Span,
    diags: &mut Diagnostics,
) {
    for (name, attr) in given {
        match schema.iter().find(|arg| arg.name == name) {
            Some(arg) => check_type(name, &arg.ty, &attr.expr, diags),
            None => {
                let d = Diagnostic::error(
                    Code::UnknownArgument,
                    format!("{what} has no argument `{name}`"),
                )
                .label(attr.name_span, "not known here");
                diags.push(with_arguments(d, name, schema, meta));
            }
        }
    }
    // A meta-argument that a kind wants to see stands elsewhere and is checked there.
    for arg in schema
        .iter()
        .filter(|arg| arg.required && !given.contains_key(arg.name) && !META.contains(&arg.name))
    {
        diags.push(
            Diagnostic::error(
                Code::MissingArgument,
                format!("{what} needs `{}`", arg.name),
            )
            .label(span, "in this block")
            .hint(format!("{}: {}", arg.name, arg.doc)),
        );
    }
}

fn wrong(name: &str, wanted: &str, expr: &Expr) -> Diagnostic {
    Diagnostic::error(Code::WrongType, format!("`{name}` must be {wanted}"))
        .label(expr.span, "here")
}

/// Checks what can be told without evaluating: literals, lists and objects of them, and references
/// where a whole resource is wanted. Everything else is checked again when its value is known.
fn check_type(name: &str, ty: &Type, expr: &Expr, diags: &mut Diagnostics) {
    match (ty, &expr.node) {
        (Type::Reference(kinds), node) => check_reference(name, kinds, node, expr, diags),
        (Type::Object(fields), Node::Object(given)) => {
            let mut seen = Vec::new();
            for (key, value) in given {
                let Some(Value::String(key_name)) = literal(key) else {
                    continue;
                };
                match fields.iter().find(|f| *f.name == *key_name) {
                    Some(field) => check_type(field.name, &field.ty, value, diags),
                    None => {
                        let d = Diagnostic::error(
                            Code::UnknownArgument,
                            format!("`{name}` has no argument `{key_name}`"),
                        )
                        .label(key.span, "not known here");
                        diags.push(with_nearest(d, &key_name, fields.iter().map(|f| f.name)));
                    }
                }
                seen.push(key_name);
            }
            for field in fields
                .iter()
                .filter(|f| f.required && !seen.iter().any(|s| **s == *f.name))
            {
                diags.push(
                    Diagnostic::error(
                        Code::MissingArgument,
                        format!("`{name}` needs `{}`", field.name),
                    )
                    .label(expr.span, "in this block"),
                );
            }
        }
        (Type::List(inner), Node::Tuple(items)) => {
            for item in items {
                check_type(name, inner, item, diags);
            }
        }
        (Type::Map(inner), Node::Object(fields)) => {
            for (_, value) in fields {
                check_type(name, inner, value, diags);
            }
        }
        _ => {
            if let Some(value) = literal(expr)
                && let Err(wanted) = fits(ty, &value)
            {
                diags.push(wrong(name, &wanted, expr));
            }
        }
    }
}

fn check_reference(name: &str, kinds: &[&str], node: &Node, expr: &Expr, diags: &mut Diagnostics) {
    let wanted = format!(
        "a reference to {}",
        kinds
            .iter()
            .map(|k| format!("a `{k}`"))
            .collect::<Vec<_>>()
            .join(" or ")
    );
    let Node::Ref(parts) = node else {
        diags.push(
            wrong(name, &wanted, expr).hint(format!("write for example `data.{}.NAME`", kinds[0])),
        );
        return;
    };
    let names: Vec<&str> = parts
        .iter()
        .filter_map(|part| {
            if let Part::Attr(name, _) = part {
                Some(name.as_str())
            } else {
                None
            }
        })
        .collect();
    let (kind, rest) = match names.as_slice() {
        ["data", kind, _, rest @ ..] => (*kind, rest),
        [kind, _, rest @ ..] => (*kind, rest),
        _ => ("", &[][..]),
    };
    // A value that travels through a local or a loop is checked when it is known.
    if matches!(names.first(), Some(&("local" | "each" | "var"))) {
        return;
    }
    if !kinds.contains(&kind) || !rest.is_empty() {
        diags.push(wrong(name, &wanted, expr));
    }
}

/// Says whether a known value fits a type; the error says what is wanted.
fn fits(ty: &Type, value: &Value) -> Result<(), String> {
    fitted(ty, value.clone()).map(drop)
}

/// Brings a known value into the form of a type: numbers and truth values become text and text that holds
/// one becomes it, wherever they stand. The error says what is wanted.
pub(crate) fn fitted(ty: &Type, value: Value) -> Result<Value, String> {
    match (ty, value) {
        (Type::Any | Type::Reference(_), value)
        | (_, value @ (Value::Hole(_) | Value::Null))
        | (Type::String | Type::Tree, value @ Value::String(_))
        | (Type::Bool, value @ Value::Bool(_))
        | (Type::Number, value @ Value::Number(_)) => Ok(value),
        (Type::String | Type::Tree, Value::Number(n)) => {
            Ok(Value::String(n.normalized().to_plain_string().into()))
        }
        (Type::String | Type::Tree, Value::Bool(b)) => Ok(Value::String(b.to_string().into())),
        (Type::String | Type::Tree, _) => Err("text".to_owned()),
        (Type::Bool, Value::String(text)) if matches!(&*text, "true" | "false") => {
            Ok(Value::Bool(&*text == "true"))
        }
        (Type::Bool, _) => Err("true or false".to_owned()),
        (Type::Number, Value::String(text)) => match text.parse() {
            Ok(n) => Ok(Value::Number(n)),
            Err(_) => Err("a number".to_owned()),
        },
        (Type::Number, _) => Err("a number".to_owned()),
        (Type::Duration, Value::String(text)) if parse_duration(&text).is_some() => {
            Ok(Value::String(text))
        }
        (Type::Duration, _) => Err("a length of time such as \"90s\" or \"15m\"".to_owned()),
        (Type::OneOf(words), Value::String(text)) if words.contains(&&*text) => {
            Ok(Value::String(text))
        }
        (Type::OneOf(words), _) => {
            let words: Vec<String> = words.iter().map(|w| format!("\"{w}\"")).collect();
            Err(format!("one of {}", words.join(", ")))
        }
        (Type::List(inner), Value::List(items)) => {
            let items = items.into_iter().map(|item| fitted(inner, item));
            Ok(Value::List(items.collect::<Result<_, _>>().map_err(
                |wanted| format!("a list of which each is {wanted}"),
            )?))
        }
        (Type::List(_), _) => Err("a list".to_owned()),
        (Type::Files, Value::List(items)) => {
            let items = items.into_iter().map(|item| fitted(&Type::String, item));
            Ok(Value::List(
                items
                    .collect::<Result<_, _>>()
                    .map_err(|_| "a list of paths".to_owned())?,
            ))
        }
        (Type::Files, _) => Err("a list of paths".to_owned()),
        (Type::Map(inner), Value::Map(map)) => {
            let fields = map
                .into_iter()
                .map(|(key, item)| match fitted(inner, item) {
                    Ok(item) => Ok((key, item)),
                    Err(wanted) => Err(format!("a map whose `{key}` is {wanted}")),
                });
            Ok(Value::Map(fields.collect::<Result<_, _>>()?))
        }
        (Type::Map(_), _) => Err("a map".to_owned()),
        (Type::Object(fields), Value::Map(map)) => fitted_object(fields, map).map(Value::Map),
        (Type::Object(_), _) => Err("an object".to_owned()),
    }
}

fn fitted_object(
    fields: &[Arg],
    map: BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Value>, String> {
    if let Some(field) = fields
        .iter()
        .find(|f| f.required && !map.contains_key(f.name))
    {
        return Err(format!("an object with `{}`", field.name));
    }
    map.into_iter()
        .map(|(key, item)| {
            let Some(field) = fields.iter().find(|f| f.name == key) else {
                return Err(format!("an object without `{key}`"));
            };
            match fitted(&field.ty, item) {
                Ok(item) => Ok((key, item)),
                Err(wanted) => Err(format!("an object whose `{key}` is {wanted}")),
            }
        })
        .collect()
}
