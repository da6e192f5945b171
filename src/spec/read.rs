//! Blocks become a module: which blocks there are, and what the headers and arguments of all have
//! in common. What each block says stands in [`super::blocks`].

use std::collections::BTreeMap;
use std::time::Duration;

use super::check::nearest;
use super::literal::literal;
use super::load::Source;
use super::module::Module;
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

/// Collects a module block by block.
pub(super) struct Reader {
    pub(super) module: Module,
    pub(super) diags: Diagnostics,
    /// Where the recovery has its name.
    pub(super) named: Option<Span>,
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
            "scenario" => self.scenario(&block),
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
    pub(super) fn labels<const N: usize>(
        &mut self,
        block: &Block,
        names: &[&str; N],
    ) -> Option<[String; N]> {
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

    pub(super) fn duplicate(&mut self, what: &str, span: Span, first: Span) {
        self.diags.push(
            Diagnostic::error(Code::DuplicateName, format!("{what} stands twice"))
                .label(span, "again here")
                .label(first, "first here")
                .hint("rename or remove one of them"),
        );
    }

    pub(super) fn known_args(&mut self, block: &Block, args: &[&str], blocks: &[&str]) {
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

    pub(super) fn literal(&mut self, attr: &Attr) -> Option<String> {
        match literal(&attr.expr) {
            Some(Value::String(text)) => Some(text.to_string()),
            other => {
                let why = match other {
                    Some(_) => "write it in quotes",
                    None => "no expression here: it is read before anything else",
                };
                self.diags.push(
                    Diagnostic::error(Code::WrongType, "this must be a plain string")
                        .label(attr.expr.span, why),
                );
                None
            }
        }
    }

    pub(super) fn duration(&mut self, attr: Option<&Attr>) -> Option<Duration> {
        let attr = attr?;
        let text = match literal(&attr.expr) {
            Some(Value::Number(number)) => number.to_string(),
            _ => self.literal(attr)?,
        };
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
}

/// Joins attributes and nested blocks: a nested block is an object, several of one name are a list.
pub(super) fn arguments(
    attrs: BTreeMap<String, Attr>,
    blocks: Vec<Block>,
) -> (BTreeMap<String, Attr>, usize) {
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
