//! Input variables: where their values come from, and which one wins.

use std::collections::BTreeMap;

use super::check::nearest;
use super::literal::literal;
use super::load::Source;
use super::module::Module;
use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::diag::Diagnostics;
use crate::diag::Sources;
use crate::lang::Attr;
use crate::lang::Expr;
use crate::lang::FileId;
use crate::lang::Node;
use crate::lang::Part;
use crate::lang::Span;
use crate::lang::Value;
use crate::lang::parse_values_file;

/// The outermost names that a type constraint may have.
pub(super) const TYPES: &[&str] = &[
    "any", "bool", "list", "map", "number", "object", "set", "string", "tuple",
];

/// A `variable` block.
#[derive(Clone, Debug)]
pub struct Variable {
    /// The header.
    pub span: Span,
    /// Whether its value is a secret.
    pub sensitive: bool,
    /// The value if none is given.
    pub default: Option<Expr>,
    /// The type constraint: `string`, `number`, `bool`, `list(…)`, `map(…)`, `any`.
    pub ty: Option<Expr>,
}

/// Values from outside, in the order of precedence that later ones win.
#[derive(Clone, Debug, Default)]
pub struct GivenVariables {
    /// From `DRPLAN_VAR_x`, or what stands there in its place.
    pub env: BTreeMap<String, String>,
    /// What that is.
    pub surroundings: Surroundings,
    /// From `--var-file` and then `--var`.
    pub cli: Vec<Given>,
}

/// What gives variables their values beside files and the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Surroundings {
    /// The environment of the process.
    #[default]
    Process,
    /// The world file of a rehearsal, to which that environment means nothing.
    WorldFile,
}

impl Surroundings {
    /// How a variable is given there.
    pub(crate) fn giving(self, name: &str) -> String {
        match self {
            Self::Process => format!("as DRPLAN_VAR_{name}"),
            Self::WorldFile => format!(
                "in `variables` of rehearsal.hcl; a rehearsal does not use DRPLAN_VAR_{name}"
            ),
        }
    }

    /// Where a value stands that came from there.
    fn place(self, name: &str) -> String {
        match self {
            Self::Process => format!("in the environment as DRPLAN_VAR_{name}"),
            Self::WorldFile => "in `variables` of rehearsal.hcl".to_owned(),
        }
    }
}

/// One value or file of the command line.
#[derive(Clone, Debug)]
pub enum Given {
    /// `--var NAME=TEXT`.
    Value(String, String),
    /// `--var-file`, already loaded.
    File(FileId),
}

/// Where a value was given.
enum Origin {
    Place(Span),
    CommandLine,
    Environment,
}

/// What was bound: known values, and the texts of sensitive ones, which never become a [`Value`].
#[derive(Clone, Default)]
pub struct Bound {
    /// Values of plain variables.
    pub values: BTreeMap<String, Value>,
    /// Texts of sensitive variables that were given. Never log this.
    pub secrets: BTreeMap<String, String>,
}

/// Binds every variable of a module. A sensitive variable that was not given is no error here: a plan
/// needs only its name; apply asks for it.
pub fn bind(module: &Module, source: &Source, given: &GivenVariables) -> (Bound, Diagnostics) {
    let mut diags = Diagnostics::default();
    let mut layers: BTreeMap<String, (Value, Origin)> = BTreeMap::new();
    for (name, text) in &given.env {
        if let Some(variable) = module.variables.get(name) {
            let value = from_text(variable, text);
            layers.insert(name.clone(), (value, Origin::Environment));
        }
    }
    for &file in &source.values {
        read_file(module, source, file, &mut layers, &mut diags);
    }
    for item in &given.cli {
        match item {
            Given::File(file) => {
                read_file(module, source, *file, &mut layers, &mut diags);
            }
            Given::Value(name, text) => match module.variables.get(name) {
                Some(variable) => {
                    let value = from_text(variable, text);
                    layers.insert(name.clone(), (value, Origin::CommandLine));
                }
                None => diags.push(undeclared(module, name, None)),
            },
        }
    }
    let mut bound = Bound::default();
    for (name, variable) in &module.variables {
        let value = layers.remove(name).or_else(|| {
            let default = variable.default.as_ref()?;
            Some((literal(default)?, Origin::Place(default.span)))
        });
        match value {
            Some((value, _)) if variable.sensitive => {
                bound.secrets.insert(name.clone(), secret_text(&value));
            }
            Some((value, origin)) => match conform(variable, value) {
                Ok(value) => {
                    bound.values.insert(name.clone(), value);
                }
                Err(why) => {
                    let d = Diagnostic::error(Code::WrongType, format!("variable `{name}` {why}"));
                    diags.push(match origin {
                        Origin::Place(span) => d
                            .label(span, "this is not")
                            .label(variable.span, "declared here"),
                        Origin::CommandLine => d
                            .label(variable.span, "declared here")
                            .hint(format!("it is given with `--var {name}=…`")),
                        Origin::Environment => d
                            .label(variable.span, "declared here")
                            .hint(format!("it is given {}", given.surroundings.place(name))),
                    });
                }
            },
            None if variable.sensitive => {}
            None => diags.push(
                Diagnostic::error(
                    Code::MissingVariable,
                    format!("variable `{name}` has no value"),
                )
                .label(variable.span, "declared here without a default")
                .hint(format!(
                    "give it with `--var {name}=…`, in `drplan.drvars.hcl` or {}",
                    given.surroundings.giving(name)
                )),
            ),
        }
    }
    (bound, diags)
}

fn read_file(
    module: &Module,
    source: &Source,
    file: FileId,
    layers: &mut BTreeMap<String, (Value, Origin)>,
    diags: &mut Diagnostics,
) {
    let (_, text) = source.sources.get(file);
    let (attrs, errors) = parse_values_file(file, text);
    diags.extend(errors);
    for (name, attr) in attrs {
        if !module.variables.contains_key(&name) {
            diags.push(undeclared(module, &name, Some(attr.name_span)));
            continue;
        }
        match literal(&attr.expr) {
            Some(value) => {
                layers.insert(name, (value, Origin::Place(attr.expr.span)));
            }
            None => diags.push(not_plain(&name, &attr)),
        }
    }
}

/// The values of a variable file, whoever declares them.
pub(crate) fn values_of(
    sources: &Sources,
    file: FileId,
    diags: &mut Diagnostics,
) -> BTreeMap<String, Value> {
    let (attrs, errors) = parse_values_file(file, sources.get(file).1);
    diags.extend(errors);
    let mut out = BTreeMap::new();
    for (name, attr) in attrs {
        match literal(&attr.expr) {
            Some(value) => drop(out.insert(name, value)),
            None => diags.push(not_plain(&name, &attr)),
        }
    }
    out
}

fn not_plain(name: &str, attr: &Attr) -> Diagnostic {
    Diagnostic::error(
        Code::BadVariableFile,
        format!("the value of `{name}` must be a plain value"),
    )
    .label(
        attr.expr.span,
        "references are not possible in a variable file",
    )
}

/// The text of a sensitive variable.
pub(crate) fn secret_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string(),
        other => super::literal::plain_json(other).to_string(),
    }
}

/// In a file, which several specs may share, it is a warning; on the command line an error.
fn undeclared(module: &Module, name: &str, in_file: Option<Span>) -> Diagnostic {
    let message = format!("the spec declares no variable `{name}`");
    let d = match in_file {
        Some(span) => Diagnostic::warning(Code::UnknownVariable, message)
            .label(span, "this value is not used"),
        None => Diagnostic::error(Code::UnknownVariable, message),
    };
    match nearest(name, module.variables.keys().map(String::as_str)) {
        Some(near) => d.hint(format!("did you mean `{near}`?")),
        None => d,
    }
}

/// A text from the environment or the command line: taken as it is for `string` (and without a type),
/// else as an expression.
fn from_text(variable: &Variable, text: &str) -> Value {
    let raw = Value::String(text.into());
    match type_name(variable).as_deref() {
        None | Some("string") => raw,
        Some(_) => {
            let (attrs, errors) = parse_values_file(FileId(u32::MAX), &format!("value = {text}\n"));
            if errors.has_errors() {
                return raw;
            }
            attrs
                .get("value")
                .and_then(|attr| literal(&attr.expr))
                .unwrap_or(raw)
        }
    }
}

fn type_name(variable: &Variable) -> Option<String> {
    constraint(variable.ty.as_ref()?)
}

/// The outermost name of a type constraint.
pub(super) fn constraint(ty: &Expr) -> Option<String> {
    match &ty.node {
        Node::Ref(parts) => match parts.first() {
            Some(Part::Attr(name, _)) => Some(name.clone()),
            _ => None,
        },
        Node::Call { name, .. } => Some(name.clone()),
        Node::Lit(Value::String(text)) => Some(text.to_string()),
        _ => None,
    }
}

fn conform(variable: &Variable, value: Value) -> Result<Value, String> {
    let Some(name) = type_name(variable) else {
        return Ok(value);
    };
    let fits = match (name.as_str(), &value) {
        ("any", _) | (_, Value::Null) => true,
        ("string", Value::String(_)) => true,
        ("string", Value::Number(n)) => {
            return Ok(Value::String(n.normalized().to_string().into()));
        }
        ("string", Value::Bool(b)) => return Ok(Value::String(b.to_string().into())),
        ("number", Value::Number(_)) | ("bool", Value::Bool(_)) => true,
        ("number", Value::String(text)) => match text.parse() {
            Ok(n) => return Ok(Value::Number(n)),
            Err(_) => false,
        },
        ("bool", Value::String(text)) => match &**text {
            "true" => return Ok(Value::Bool(true)),
            "false" => return Ok(Value::Bool(false)),
            _ => false,
        },
        ("list" | "set" | "tuple", Value::List(_)) | ("map" | "object", Value::Map(_)) => true,
        _ => false,
    };
    if fits {
        Ok(value)
    } else {
        Err(format!("must be of type `{name}`"))
    }
}
