//! Reads a world file: from blocks of the language to the data of the rehearsal world.
//!
//! A world file is literal. What stands in it is held against its [`shape`], and then what it names
//! against what there is, in the file and in the spec; every mistake has its place.

mod commands;
mod describe;
mod names;
mod shape;
mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use drplan_api::Json;
use drplan_sandbox::world::WorldFile;
use serde::Deserialize as _;
use serde_json::Map;

use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::diag::Diagnostics;
use crate::diag::Sources;
use crate::lang::Attr;
use crate::lang::Block;
use crate::lang::Span;
use crate::spec::Module;
use crate::spec::nearest;
pub(in crate::rehearse) use commands::commands;
pub(crate) use describe::schema;
use shape::Arg;
use shape::Shape;
use shape::WORLD;

/// The name of a world file, beside the spec.
pub(crate) const FILE: &str = "rehearsal.hcl";

/// The mistakes of a file, with its text.
pub(crate) type Mistakes = Box<(Diagnostics, Sources)>;

/// Reads the text of a world file beside a spec: the world, and warnings.
pub(crate) fn read(
    path: &Path,
    text: &str,
    module: &Module,
) -> Result<(WorldFile, Mistakes), Mistakes> {
    let mut sources = Sources::new();
    let id = sources.add(path.display().to_string(), text);
    let (attrs, blocks, diags) = crate::lang::parse_body(id, text);
    let mut reader = Reader { diags };
    let body = Body {
        name: WORLD.name,
        header: None,
        attrs: &attrs,
        blocks: &blocks,
    };
    let whole = Json::Object(reader.body(&WORLD, body));
    let mut diags = reader.diags;
    if !diags.has_errors() {
        let folder = path.parent().unwrap_or(Path::new("."));
        diags.extend(names::check(&blocks, folder));
        diags.extend(names::against(&attrs, &blocks, module));
    }
    if diags.has_errors() {
        return Err(Box::new((diags, sources)));
    }
    match WorldFile::deserialize(&whole) {
        Ok(world) => Ok((world, Box::new((diags, sources)))),
        // What fits its shape is read; who gets here found a mistake of drplan.
        Err(why) => {
            let text = format!("this world file cannot be read: {why}");
            Err(Box::new((
                Diagnostic::error(Code::WrongType, text).into(),
                sources,
            )))
        }
    }
}

/// What stands between two braces, or in a whole file.
#[derive(Clone, Copy)]
struct Body<'a> {
    /// What it is, in words.
    name: &'a str,
    header: Option<Span>,
    attrs: &'a BTreeMap<String, Attr>,
    blocks: &'a [Block],
}

/// Where blocks of one type and label stand first.
type Places<'a> = BTreeMap<(&'static str, Option<&'a str>), Span>;

/// Holds a file against its shape.
struct Reader {
    diags: Diagnostics,
}

impl Reader {
    fn body(&mut self, shape: &Shape, body: Body<'_>) -> Map<String, Json> {
        let mut out = Map::new();
        for (name, attr) in body.attrs {
            let Some(arg) = shape.args.iter().find(|a| a.name == name) else {
                self.unknown(shape, body.name, name, attr.name_span, Written::Argument);
                continue;
            };
            let of = argument(arg, body);
            if let Some(value) = value::read(arg.kind, &of, &attr.expr, &mut self.diags) {
                out.insert(name.clone(), value);
            }
        }
        let missing = |a: &&Arg| a.required && !body.attrs.contains_key(a.name);
        for arg in shape.args.iter().filter(missing) {
            let what = format!("{} has no `{}`", body.name, arg.name);
            let d = Diagnostic::error(Code::MissingArgument, what)
                .hint(format!("add `{} = …`: {}", arg.name, arg.what));
            self.diags.push(match body.header {
                Some(header) => d.label(header, "in this block"),
                None => d,
            });
        }
        let mut places = Places::new();
        for block in body.blocks {
            let Some(inner) = shape.blocks.iter().find(|s| s.name == block.kind) else {
                self.unknown(
                    shape,
                    body.name,
                    &block.kind,
                    block.kind_span,
                    Written::Block,
                );
                continue;
            };
            self.block(inner, block, &mut places, &mut out);
        }
        out
    }

    fn block<'a>(
        &mut self,
        shape: &'static Shape,
        block: &'a Block,
        places: &mut Places<'a>,
        out: &mut Map<String, Json>,
    ) {
        if block.labels.len() != usize::from(shape.label.is_some()) {
            self.labels(shape, block);
            return;
        }
        let label = block.label(0);
        let name = match label {
            Some(label) => format!("`{} \"{label}\"`", shape.name),
            None => format!("`{}`", shape.name),
        };
        let first = *places.entry((shape.name, label)).or_insert(block.span);
        let again = first != block.span && !shape.repeats;
        if again {
            self.diags.push(value::twice(&name, block.span, first));
        }
        let read = self.body(
            shape,
            Body {
                name: &name,
                header: Some(block.span),
                attrs: &block.attrs,
                blocks: &block.blocks,
            },
        );
        if !again {
            keep(shape, label, Json::Object(read), out);
        }
    }

    fn labels(&mut self, shape: &Shape, block: &Block) {
        let (wanted, text) = match shape.label {
            Some(label) => (format!("{} \"{label}\" {{", shape.name), "one label"),
            None => (format!("{} {{", shape.name), "no label"),
        };
        let found = block.labels.len();
        self.diags.push(
            Diagnostic::error(
                Code::SyntaxError,
                format!("a `{}` block takes {text}, not {found}", shape.name),
            )
            .label(block.span, "this header")
            .hint(format!("write `{wanted}`")),
        );
    }

    fn unknown(&mut self, shape: &Shape, of: &str, name: &str, span: Span, written: Written) {
        let args: Vec<&str> = shape.args.iter().map(|a| a.name).collect();
        let blocks: Vec<&str> = shape.blocks.iter().map(|b| b.name).collect();
        let (code, what) = match written {
            Written::Argument => (Code::UnknownArgument, "argument"),
            Written::Block => (Code::UnknownBlock, "block"),
        };
        let d = Diagnostic::error(code, format!("unknown {what} `{name}` of {of}"))
            .label(span, "not known here");
        let near = nearest(name, args.iter().chain(&blocks).copied());
        self.diags.push(d.hint(match near {
            Some(near) if near == name => match written {
                Written::Argument => format!("it is a block: write `{name} … {{ … }}`"),
                Written::Block => format!("it is an argument: write `{name} = …`"),
            },
            Some(near) => format!("did you mean `{near}`?"),
            None => has(&args, &blocks),
        }));
    }
}

/// How something is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Argument,
    Block,
}

fn argument(arg: &Arg, body: Body<'_>) -> String {
    match body.header {
        Some(_) => format!("`{}` of {}", arg.name, body.name),
        None => format!("`{}`", arg.name),
    }
}

/// What a body may hold, for who wrote something that is like none of it.
fn has(args: &[&str], blocks: &[&str]) -> String {
    let mut parts = Vec::new();
    if !args.is_empty() {
        parts.push(format!("the arguments {}", args.join(", ")));
    }
    if !blocks.is_empty() {
        parts.push(format!("the blocks {}", blocks.join(", ")));
    }
    match parts.as_slice() {
        [] => "nothing can stand here".to_owned(),
        parts => format!("there are {}", parts.join(" and ")),
    }
}

/// Puts what a block says under its type and label. Of a program there are several, in order.
fn keep(shape: &Shape, label: Option<&str>, read: Json, out: &mut Map<String, Json>) {
    let Some(label) = label else {
        out.insert(shape.name.to_owned(), read);
        return;
    };
    let all = out
        .entry(shape.name)
        .or_insert_with(|| Json::Object(Map::new()));
    let Json::Object(all) = all else { return };
    if !shape.repeats {
        all.insert(label.to_owned(), read);
        return;
    }
    let list = all.entry(label).or_insert_with(|| Json::Array(Vec::new()));
    if let Json::Array(list) = list {
        list.push(read);
    }
}
