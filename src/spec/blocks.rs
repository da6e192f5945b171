//! What each block of a spec says.

use std::collections::BTreeMap;

use drplan_api::Address;
use drplan_api::ConnId;
use drplan_api::Type;

use super::check::fitted;
use super::check::nearest;
use super::connection::connection_named;
use super::literal::literal;
use super::module::CheckBlock;
use super::module::META;
use super::module::Ordering;
use super::module::ProviderBlock;
use super::module::Recovery;
use super::module::ResourceBlock;
use super::module::RunStoreBlock;
use super::module::Scenario;
use super::read::Reader;
use super::read::arguments;
use super::variables::TYPES;
use super::variables::Variable;
use super::variables::constraint;
use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::lang::Attr;
use crate::lang::Block;
use crate::lang::Node;
use crate::lang::Span;
use crate::lang::Value;

impl Reader {
    pub(super) fn recovery(&mut self, block: &Block) {
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
            &["run_store"],
        );
        let mut recovery = Recovery {
            name,
            rpo: self.duration(block.attrs.get("rpo")),
            rto: self.duration(block.attrs.get("rto")),
            incident_at: None,
            ordering: Ordering::Staged,
            contacts: BTreeMap::new(),
            run_store: self.run_store(block),
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

    /// Where runs are kept. Whether the connection is one of the spec's is checked with all others.
    fn run_store(&mut self, recovery: &Block) -> Option<RunStoreBlock> {
        let mut blocks = recovery.blocks.iter().filter(|b| b.kind == "run_store");
        let block = blocks.next()?;
        if let Some(again) = blocks.next() {
            self.duplicate("the `run_store` block", again.span, block.span);
        }
        self.labels(block, &[])?;
        self.known_args(block, &["provider", "bucket", "prefix"], &[]);
        let mut needed = |name: &str| {
            let attr = block.attrs.get(name);
            if attr.is_none() {
                self.diags.push(
                    Diagnostic::error(
                        Code::MissingArgument,
                        format!("a `run_store` block needs `{name}`"),
                    )
                    .label(block.span, "missing here"),
                );
            }
            attr
        };
        let (provider, bucket) = (needed("provider"), needed("bucket"));
        let (provider, bucket) = (provider?, self.literal(bucket?)?);
        let prefix = match block.attrs.get("prefix") {
            Some(attr) => self.literal(attr)?,
            None => String::new(),
        };
        Some(RunStoreBlock {
            conn: connection_named(&provider.expr),
            bucket,
            prefix,
            span: provider.expr.span,
        })
    }

    pub(super) fn variable(&mut self, block: Block) {
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

    pub(super) fn locals(&mut self, block: Block) {
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

    pub(super) fn provider(&mut self, block: Block) {
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

    pub(super) fn resource(&mut self, block: Block, data: bool) {
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

    pub(super) fn check(&mut self, block: Block) {
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

    pub(super) fn output(&mut self, block: Block) {
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

    pub(super) fn domain(&mut self, block: &Block) {
        let Some([name]) = self.labels(block, &["CLASS:NAME"]) else {
            return;
        };
        self.known_args(block, &["within"], &[]);
        // A domain that lies in nothing by mistake is not lost when what it lies in is.
        let within = block
            .attrs
            .get("within")
            .map(|attr| self.names("within", attr));
        let within = within.unwrap_or_default();
        let within = within.into_iter().map(|(name, _)| name).collect();
        self.module.domains.insert(name, within);
    }

    pub(super) fn scenario(&mut self, block: &Block) {
        let Some([name]) = self.labels(block, &["NAME"]) else {
            return;
        };
        self.known_args(block, &["lost", "description"], &[]);
        if let Some(first) = self.module.scenarios.get(&name) {
            let first = first.span;
            self.duplicate(&format!("scenario `{name}`"), block.span, first);
            return;
        }
        let before = self.diags.len();
        let lost = block.attrs.get("lost").map(|attr| self.names("lost", attr));
        let lost = lost.unwrap_or_default();
        if lost.is_empty() && self.diags.len() == before {
            self.diags.push(
                Diagnostic::error(
                    Code::MissingArgument,
                    format!("scenario `{name}` loses nothing"),
                )
                .label(block.span, "in this block")
                .hint("write for example lost = [\"region:eu-west-1\"]"),
            );
        }
        let span = block.span;
        self.module.scenarios.insert(name, Scenario { lost, span });
    }

    /// A list of plain strings, each with where it stands.
    fn names(&mut self, name: &str, attr: &Attr) -> Vec<(String, Span)> {
        let texts = Type::List(Box::new(Type::String));
        if let Some(Ok(Value::List(list))) = literal(&attr.expr).map(|value| fitted(&texts, value))
        {
            let span = |i: usize| match &attr.expr.node {
                Node::Tuple(items) => items.get(i).map_or(attr.expr.span, |item| item.span),
                _ => attr.expr.span,
            };
            let texts = list.into_iter().enumerate();
            return texts
                .filter_map(|(i, value)| match value {
                    Value::String(text) => Some((text.to_string(), span(i))),
                    _ => None,
                })
                .collect();
        }
        self.diags.push(
            Diagnostic::error(
                Code::WrongType,
                format!("`{name}` must be a list of plain strings"),
            )
            .label(attr.expr.span, "here")
            .hint("write for example [\"region:eu-west-1\"]"),
        );
        Vec::new()
    }
}
