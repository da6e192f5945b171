//! Blocks become a module: what the spec says, with a span on everything.

use std::collections::BTreeMap;
use std::time::Duration;

use drplan_api::Address;
use drplan_api::ConnId;
use drplan_api::Json;
use drplan_api::Timestamp;
use drplan_api::Type;

use super::check::fitted;
use super::check::nearest;
use super::load::Source;
use super::variables::TYPES;
use super::variables::Variable;
use super::variables::constraint;
use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::diag::Diagnostics;
use crate::lang::Attr;
use crate::lang::Block;
use crate::lang::Expr;
use crate::lang::Node;
use crate::lang::Span;
use crate::lang::Value;
use crate::lang::parse_duration;
use crate::lang::parse_file;

/// How stages order what no reference orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ordering {
    /// Stage by stage, with a barrier between them.
    #[default]
    Staged,
    /// Only the edges that are needed.
    Inferred,
}

/// The `recovery` block.
#[derive(Clone, Debug)]
pub struct Recovery {
    /// Its name, which names lock and stamps.
    pub name: String,
    /// The most data that may be lost.
    pub rpo: Option<Duration>,
    /// The longest that the recovery may take.
    pub rto: Option<Duration>,
    /// When the disaster happened.
    pub incident_at: Option<Timestamp>,
    /// How stages order.
    pub ordering: Ordering,
    /// Whom to call.
    pub contacts: BTreeMap<String, String>,
}

/// A `provider` block.
#[derive(Clone, Debug)]
pub struct ProviderBlock {
    /// `SYSTEM.NAME`.
    pub conn: ConnId,
    /// The system.
    pub system: String,
    /// Its arguments without meta-arguments.
    pub args: BTreeMap<String, Attr>,
    /// The failure domains that it lies in.
    pub failure_domain: Option<Expr>,
    /// The header.
    pub span: Span,
}

/// A `resource` or `data` block.
#[derive(Clone, Debug)]
pub struct ResourceBlock {
    /// The address without instance key.
    pub address: Address,
    /// The kind.
    pub kind: String,
    /// The kind's own arguments; nested blocks are objects.
    pub args: BTreeMap<String, Attr>,
    /// Meta-arguments such as `stage`, `depends_on`, `for_each`.
    pub meta: BTreeMap<String, Attr>,
    /// The header.
    pub span: Span,
}

/// A `check` block.
#[derive(Clone, Debug)]
pub struct CheckBlock {
    /// `check.NAME`.
    pub address: Address,
    /// Condition and message.
    pub asserts: Vec<(Expr, Expr)>,
    /// Whether a failed assertion fails the run.
    pub warning: bool,
    /// Explicit dependencies.
    pub depends_on: Option<Attr>,
    /// The header.
    pub span: Span,
}

/// What a spec says.
#[derive(Clone, Debug)]
pub struct Module {
    /// The recovery.
    pub recovery: Recovery,
    /// Input variables.
    pub variables: BTreeMap<String, Variable>,
    /// Named expressions.
    pub locals: BTreeMap<String, Attr>,
    /// Connections.
    pub providers: BTreeMap<ConnId, ProviderBlock>,
    /// Resources and data sources.
    pub resources: BTreeMap<Address, ResourceBlock>,
    /// Checks.
    pub checks: BTreeMap<Address, CheckBlock>,
    /// Outputs.
    pub outputs: BTreeMap<String, Attr>,
    /// Failure domains and those that they lie in.
    pub domains: BTreeMap<String, Vec<String>>,
}

/// The meta-arguments that every resource takes.
pub(super) const META: &[&str] = &[
    "count",
    "criticality",
    "depends_on",
    "for_each",
    "guards",
    "provider",
    "providers",
    "read",
    "stage",
    "timeout",
];

const BLOCKS: &[&str] = &[
    "check", "data", "domain", "locals", "output", "provider", "recovery", "resource", "scenario",
    "variable",
];

/// Parses all files of a spec. What is well-formed comes back even if something else is not.
pub fn parse(source: &Source) -> (Module, Diagnostics) {
    let mut diags = Diagnostics::default();
    let mut reader = Reader {
        module: Module::empty(),
        diags: Diagnostics::default(),
        named: None,
    };
    for &file in &source.specs {
        let (_, text) = source.sources.get(file);
        let (blocks, errors) = parse_file(file, text);
        diags.extend(errors);
        for block in blocks {
            reader.block(block);
        }
    }
    diags.extend(reader.diags);
    (reader.module, diags)
}

struct Reader {
    module: Module,
    diags: Diagnostics,
    named: Option<Span>,
}

impl Module {
    fn empty() -> Self {
        Self {
            recovery: Recovery {
                name: "recovery".to_owned(),
                rpo: None,
                rto: None,
                incident_at: None,
                ordering: Ordering::Staged,
                contacts: BTreeMap::new(),
            },
            variables: BTreeMap::new(),
            locals: BTreeMap::new(),
            providers: BTreeMap::new(),
            resources: BTreeMap::new(),
            checks: BTreeMap::new(),
            outputs: BTreeMap::new(),
            domains: BTreeMap::new(),
        }
    }
}

impl Reader {
    fn block(&mut self, block: Block) {
        match block.kind.as_str() {
            "recovery" => self.recovery(&block),
            "variable" => self.variable(block),
            "locals" => self.locals(block),
            "provider" => self.provider(block),
            "resource" => self.resource(block, false),
            "data" => self.resource(block, true),
            "check" => self.check(block),
            "output" => self.output(block),
            "domain" => self.domain(&block),
            // A scenario is read by the commands that plan hypothetically; its shape is checked there.
            "scenario" => {
                self.labels(&block, &["NAME"]);
            }
            other => {
                let mut d =
                    Diagnostic::error(Code::UnknownBlock, format!("there is no block `{other}`"))
                        .label(block.kind_span, "not a block of the language");
                if let Some(near) = nearest(other, BLOCKS.iter().copied()) {
                    d = d.hint(format!("did you mean `{near}`?"));
                } else {
                    d = d.hint(format!("the blocks are: {}", BLOCKS.join(", ")));
                }
                self.diags.push(d);
            }
        }
    }

    /// Checks the labels of a block and returns their texts.
    fn labels<const N: usize>(&mut self, block: &Block, names: &[&str; N]) -> Option<[String; N]> {
        if block.labels.len() != N {
            let wanted: Vec<String> = names.iter().map(|n| format!("\"{n}\"")).collect();
            let wanted = format!("{} {} {{", block.kind, wanted.join(" "));
            self.diags.push(
                Diagnostic::error(
                    Code::SyntaxError,
                    format!(
                        "a `{}` block takes {N} label(s), not {}",
                        block.kind,
                        block.labels.len()
                    ),
                )
                .label(block.span, "this header")
                .hint(format!("write `{wanted}`")),
            );
            return None;
        }
        for (label, span) in &block.labels {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            let named = block.kind != "domain" && block.kind != "recovery";
            if named && (label.is_empty() || !label.chars().all(plain)) {
                self.diags.push(
                    Diagnostic::error(Code::SyntaxError, format!("`{label}` is not a name"))
                        .label(*span, "letters, digits, `_` and `-` only"),
                );
                return None;
            }
        }
        let mut labels = block.labels.iter().map(|(label, _)| label.clone());
        Some(std::array::from_fn(|_| labels.next().unwrap_or_default()))
    }

    fn duplicate(&mut self, what: &str, span: Span, first: Span) {
        self.diags.push(
            Diagnostic::error(Code::DuplicateName, format!("{what} stands twice"))
                .label(span, "again here")
                .label(first, "first here")
                .hint("rename or remove one of them"),
        );
    }

    fn known_args(&mut self, block: &Block, args: &[&str], blocks: &[&str]) {
        let all = block
            .attrs
            .iter()
            .filter(|(name, _)| !args.contains(&name.as_str()))
            .map(|(name, attr)| (name, attr.name_span));
        let nested = block
            .blocks
            .iter()
            .filter(|b| !blocks.contains(&b.kind.as_str()))
            .map(|b| (&b.kind, b.kind_span));
        for (name, span) in all.chain(nested) {
            let mut d = Diagnostic::error(
                Code::UnknownArgument,
                format!("a `{}` block has no `{name}`", block.kind),
            )
            .label(span, "not known here");
            if let Some(near) = nearest(name, args.iter().chain(blocks).copied()) {
                d = d.hint(format!("did you mean `{near}`?"));
            }
            self.diags.push(d);
        }
    }

    fn literal(&mut self, attr: &Attr) -> Option<String> {
        match literal(&attr.expr) {
            Some(Value::String(text)) => Some(text.to_string()),
            _ => {
                self.diags.push(
                    Diagnostic::error(Code::WrongType, "this must be a plain string").label(
                        attr.expr.span,
                        "no expression here: it is read before anything else",
                    ),
                );
                None
            }
        }
    }

    fn duration(&mut self, attr: Option<&Attr>) -> Option<Duration> {
        let attr = attr?;
        let text = self.literal(attr)?;
        let duration = parse_duration(&text);
        if duration.is_none() {
            self.diags.push(
                Diagnostic::error(Code::WrongType, format!("`{text}` is not a length of time"))
                    .label(attr.expr.span, "here")
                    .hint("write for example \"90s\", \"15m\" or \"1h30m\""),
            );
        }
        duration
    }

    fn recovery(&mut self, block: &Block) {
        let Some([name]) = self.labels(block, &["NAME"]) else {
            return;
        };
        if let Some(first) = self.named {
            self.duplicate("the `recovery` block", block.span, first);
            return;
        }
        self.named = Some(block.span);
        self.known_args(
            block,
            &["rpo", "rto", "incident_at", "ordering", "contacts"],
            &[],
        );
        let mut recovery = Recovery {
            name,
            rpo: self.duration(block.attrs.get("rpo")),
            rto: self.duration(block.attrs.get("rto")),
            incident_at: None,
            ordering: Ordering::Staged,
            contacts: BTreeMap::new(),
        };
        if let Some(attr) = block.attrs.get("incident_at")
            && let Some(text) = self.literal(attr)
        {
            match text.parse() {
                Ok(at) => recovery.incident_at = Some(at),
                Err(_) => self.diags.push(
                    Diagnostic::error(Code::WrongType, format!("`{text}` is not a time"))
                        .label(attr.expr.span, "here")
                        .hint("write it as in RFC 3339, for example \"2026-01-05T03:10:00Z\""),
                ),
            }
        }
        if let Some(attr) = block.attrs.get("ordering") {
            match self.literal(attr).as_deref() {
                Some("staged") | None => {}
                Some("inferred") => recovery.ordering = Ordering::Inferred,
                Some(other) => self.diags.push(
                    Diagnostic::error(Code::WrongType, format!("`{other}` is not an ordering"))
                        .label(attr.expr.span, "\"staged\" or \"inferred\""),
                ),
            }
        }
        if let Some(attr) = block.attrs.get("contacts") {
            let texts = Type::Map(Box::new(Type::String));
            match literal(&attr.expr).map(|value| fitted(&texts, value)) {
                Some(Ok(Value::Map(map))) => {
                    for (key, value) in map {
                        if let Value::String(text) = value {
                            recovery.contacts.insert(key, text.to_string());
                        }
                    }
                }
                _ => self.diags.push(
                    Diagnostic::error(Code::WrongType, "`contacts` must be a map of plain strings")
                        .label(attr.expr.span, "here")
                        .hint("write for example { oncall = \"+00 0000\" }"),
                ),
            }
        }
        self.module.recovery = recovery;
    }

    fn variable(&mut self, block: Block) {
        let Some([name]) = self.labels(&block, &["NAME"]) else {
            return;
        };
        self.known_args(
            &block,
            &["type", "default", "description", "sensitive"],
            &[],
        );
        if let Some(first) = self.module.variables.get(&name) {
            let first = first.span;
            self.duplicate(&format!("variable `{name}`"), block.span, first);
            return;
        }
        // A secret that is taken for none is printed, so nothing is guessed here.
        let sensitive = match block.attrs.get("sensitive") {
            None => false,
            Some(attr) => match literal(&attr.expr) {
                Some(Value::Bool(sensitive)) => sensitive,
                _ => {
                    self.diags.push(
                        Diagnostic::error(Code::WrongType, "`sensitive` must be true or false")
                            .label(attr.expr.span, "here"),
                    );
                    true
                }
            },
        };
        if let Some(attr) = block.attrs.get("type") {
            let name = constraint(&attr.expr).unwrap_or_default();
            if !TYPES.contains(&name.as_str()) {
                self.diags.push(
                    Diagnostic::error(Code::WrongType, "this is not a type")
                        .label(attr.expr.span, "here")
                        .hint(match nearest(&name, TYPES.iter().copied()) {
                            Some(near) => format!("did you mean `{near}`?"),
                            None => format!("the types are: {}", TYPES.join(", ")),
                        }),
                );
            }
        }
        let mut attrs = block.attrs;
        let ty = attrs
            .remove("type")
            .map(|a| a.expr)
            .filter(|ty| constraint(ty).is_some_and(|name| TYPES.contains(&name.as_str())));
        self.module.variables.insert(
            name,
            Variable {
                span: block.span,
                sensitive,
                default: attrs.remove("default").map(|a| a.expr),
                ty,
            },
        );
    }

    fn locals(&mut self, block: Block) {
        self.labels(&block, &[]);
        for (name, attr) in block.attrs {
            if let Some(first) = self.module.locals.get(&name) {
                let first = first.name_span;
                self.duplicate(&format!("local `{name}`"), attr.name_span, first);
            } else {
                self.module.locals.insert(name, attr);
            }
        }
    }

    fn provider(&mut self, block: Block) {
        let Some([system, name]) = self.labels(&block, &["SYSTEM", "NAME"]) else {
            return;
        };
        let conn = ConnId::new(format!("{system}.{name}"));
        if let Some(first) = self.module.providers.get(&conn) {
            let first = first.span;
            self.duplicate(&format!("provider `{conn}`"), block.span, first);
            return;
        }
        let (mut args, _) = arguments(block.attrs, block.blocks);
        let failure_domain = args.remove("failure_domain").map(|a| a.expr);
        let provider = ProviderBlock {
            conn: conn.clone(),
            system,
            args,
            failure_domain,
            span: block.span,
        };
        self.module.providers.insert(conn, provider);
    }

    fn resource(&mut self, block: Block, data: bool) {
        let Some([kind, name]) = self.labels(&block, &["KIND", "NAME"]) else {
            return;
        };
        let address = Address::new(format!("{}{kind}.{name}", if data { "data." } else { "" }));
        if let Some(first) = self.module.resources.get(&address) {
            let first = first.span;
            self.duplicate(&format!("`{address}`"), block.span, first);
            return;
        }
        let (all, _) = arguments(block.attrs, block.blocks);
        let (meta, args) = all
            .into_iter()
            .partition(|(name, _)| META.contains(&name.as_str()));
        let resource = ResourceBlock {
            address: address.clone(),
            kind,
            args,
            meta,
            span: block.span,
        };
        self.module.resources.insert(address, resource);
    }

    fn check(&mut self, block: Block) {
        let Some([name]) = self.labels(&block, &["NAME"]) else {
            return;
        };
        self.known_args(&block, &["severity", "depends_on"], &["assert", "data"]);
        let address = Address::new(format!("check.{name}"));
        if let Some(first) = self.module.checks.get(&address) {
            let first = first.span;
            self.duplicate(&format!("`{address}`"), block.span, first);
            return;
        }
        let warning = match block.attrs.get("severity") {
            None => false,
            Some(attr) => match self.literal(attr).as_deref() {
                Some("warning") => true,
                Some("error") | None => false,
                Some(other) => {
                    self.diags.push(
                        Diagnostic::error(Code::WrongType, format!("`{other}` is not a severity"))
                            .label(attr.expr.span, "\"error\" or \"warning\""),
                    );
                    false
                }
            },
        };
        let mut check = CheckBlock {
            address: address.clone(),
            asserts: Vec::new(),
            warning,
            depends_on: block.attrs.get("depends_on").cloned(),
            span: block.span,
        };
        for inner in block.blocks {
            if inner.kind == "data" {
                self.resource(inner, true);
                continue;
            }
            if inner.kind != "assert" {
                continue;
            }
            self.known_args(&inner, &["condition", "error_message"], &[]);
            let mut attrs = inner.attrs;
            match (attrs.remove("condition"), attrs.remove("error_message")) {
                (Some(condition), Some(message)) => {
                    check.asserts.push((condition.expr, message.expr))
                }
                _ => self.diags.push(
                    Diagnostic::error(
                        Code::MissingArgument,
                        "an `assert` needs a `condition` and an `error_message`",
                    )
                    .label(inner.span, "in this block"),
                ),
            }
        }
        if check.asserts.is_empty() {
            self.diags.push(
                Diagnostic::error(
                    Code::MissingArgument,
                    format!("`{address}` asserts nothing"),
                )
                .label(check.span, "this check could not fail")
                .hint("add an `assert { condition = …, error_message = … }` block"),
            );
        }
        self.module.checks.insert(address, check);
    }

    fn output(&mut self, block: Block) {
        let Some([name]) = self.labels(&block, &["NAME"]) else {
            return;
        };
        self.known_args(&block, &["value", "description", "sensitive"], &[]);
        let mut attrs = block.attrs;
        match attrs.remove("value") {
            None => self.diags.push(
                Diagnostic::error(
                    Code::MissingArgument,
                    format!("output `{name}` has no `value`"),
                )
                .label(block.span, "in this block"),
            ),
            Some(attr) => {
                if let Some(first) = self.module.outputs.insert(name.clone(), attr) {
                    self.duplicate(&format!("output `{name}`"), block.span, first.name_span);
                }
            }
        }
    }

    fn domain(&mut self, block: &Block) {
        let Some([name]) = self.labels(block, &["CLASS:NAME"]) else {
            return;
        };
        self.known_args(block, &["within"], &[]);
        let mut within = Vec::new();
        if let Some(attr) = block.attrs.get("within") {
            // A domain that lies in nothing by mistake is not lost when what it lies in is.
            match literal(&attr.expr)
                .map(|value| fitted(&Type::List(Box::new(Type::String)), value))
            {
                Some(Ok(Value::List(list))) => {
                    within.extend(list.into_iter().filter_map(|value| match value {
                        Value::String(text) => Some(text.to_string()),
                        _ => None,
                    }));
                }
                _ => self.diags.push(
                    Diagnostic::error(Code::WrongType, "`within` must be a list of plain strings")
                        .label(attr.expr.span, "here")
                        .hint("write for example [\"region:eu-west-1\"]"),
                ),
            }
        }
        self.module.domains.insert(name, within);
    }
}

/// Joins attributes and nested blocks: a nested block is an object, several of one name are a list.
fn arguments(attrs: BTreeMap<String, Attr>, blocks: Vec<Block>) -> (BTreeMap<String, Attr>, usize) {
    let count = blocks.len();
    let mut args = attrs;
    let mut nested: BTreeMap<String, Vec<(Span, Span, Expr)>> = BTreeMap::new();
    for block in blocks {
        let (inner, _) = arguments(block.attrs, block.blocks);
        let fields = inner
            .into_iter()
            .map(|(name, attr)| {
                let key = Expr {
                    node: Node::Lit(Value::String(name.into())),
                    span: attr.name_span,
                };
                (key, attr.expr)
            })
            .collect();
        let object = Expr {
            node: Node::Object(fields),
            span: block.span,
        };
        nested
            .entry(block.kind)
            .or_default()
            .push((block.kind_span, block.span, object));
    }
    for (name, mut list) in nested {
        let (name_span, span, _) = list[0];
        let expr = if list.len() == 1 {
            list.remove(0).2
        } else {
            let node = Node::Tuple(list.into_iter().map(|(_, _, e)| e).collect());
            Expr { node, span }
        };
        let beside = args.remove(&name);
        let expr = match beside {
            None => expr,
            // Both count: an attribute beside a block of the same name is one more of them.
            Some(attr) => Expr {
                node: Node::Tuple(vec![attr.expr, expr]),
                span,
            },
        };
        args.insert(
            name,
            Attr {
                name_span,
                expr,
                span,
            },
        );
    }
    (args, count)
}

/// The value of an expression that needs no scope; `None` if it does.
pub(crate) fn literal(expr: &Expr) -> Option<Value> {
    struct Nothing;
    impl crate::lang::Scope for Nothing {
        fn resolve(
            &self,
            _: &[crate::lang::Part],
            span: Span,
        ) -> Result<(Value, usize), Diagnostic> {
            Err(
                Diagnostic::error(Code::UnknownReference, "no reference is possible here")
                    .label(span, ""),
            )
        }
        fn file(&self, _: &str) -> Result<String, String> {
            Err("files cannot be read here".to_owned())
        }
    }
    match crate::lang::eval(expr, &Nothing) {
        Ok(Value::Hole(_)) | Err(_) => None,
        Ok(value) => Some(value),
    }
}

/// The JSON of a value without holes.
pub(crate) fn plain_json(value: &Value) -> Json {
    crate::lang::value_to_json(value, &mut |_| Json::Null)
}
