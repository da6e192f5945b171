//! Reads a world file: from blocks of the language to the data of the rehearsal world.
//!
//! A world file is literal. Which arguments its blocks have is what [`WorldFile`] decodes; mistakes
//! point at the block that they are in.

use std::path::Path;

use drplan_api::Json;
use drplan_sandbox::world::WorldFile;
use serde::Deserialize as _;
use serde_json::Map;
use serde_json::json;

use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::diag::Diagnostics;
use crate::diag::Sources;
use crate::lang::Attr;
use crate::lang::Block;
use crate::lang::Span;
use crate::spec::literal;
use crate::spec::plain_json;

/// The name of a world file, beside the spec.
pub(crate) const FILE: &str = "rehearsal.hcl";

/// The mistakes of a file, with its text.
pub(crate) type Mistakes = Box<(Diagnostics, Sources)>;

/// Reads the text of a world file.
pub(crate) fn read(path: &Path, text: &str) -> Result<WorldFile, Mistakes> {
    let mut sources = Sources::new();
    let id = sources.add(path.display().to_string(), text);
    let (attrs, blocks, mut diags) = crate::lang::parse_body(id, text);
    let mut whole = Json::Object(Map::new());
    for (name, attr) in &attrs {
        let part = json!({ (name.as_str()): value(attr, &mut diags) });
        add(&mut whole, part, attr.span, &mut diags);
    }
    for block in &blocks {
        let part = json!({ (block.kind.as_str()): labelled(block, &mut diags) });
        add(&mut whole, part, block.span, &mut diags);
    }
    let world = WorldFile::deserialize(&whole).unwrap_or_default();
    if diags.has_errors() {
        return Err(Box::new((diags, sources)));
    }
    Ok(world)
}

/// Adds a part that fits by itself; one that does not is told with its place.
fn add(whole: &mut Json, part: Json, at: Span, diags: &mut Diagnostics) {
    match WorldFile::deserialize(&part) {
        Ok(_) => merge(whole, part),
        Err(why) => diags.push(
            Diagnostic::error(Code::WrongType, format!("this does not fit: {why}"))
                .label(at, "in here")
                .hint("the book's page on rehearsals lists the blocks of a world file"),
        ),
    }
}

/// Puts a block's body under its labels. A program has several bodies, in order.
fn labelled(block: &Block, diags: &mut Diagnostics) -> Json {
    let mut out = body(block, diags);
    if block.kind == "program" {
        out = Json::Array(vec![out]);
    }
    for (label, _) in block.labels.iter().rev() {
        out = json!({ (label.as_str()): out });
    }
    out
}

fn body(block: &Block, diags: &mut Diagnostics) -> Json {
    let mut out = Json::Object(Map::new());
    for (name, attr) in &block.attrs {
        merge(&mut out, json!({ (name.as_str()): value(attr, diags) }));
    }
    for nested in &block.blocks {
        merge(
            &mut out,
            json!({ (nested.kind.as_str()): labelled(nested, diags) }),
        );
    }
    out
}

fn value(attr: &Attr, diags: &mut Diagnostics) -> Json {
    let Some(value) = literal(&attr.expr) else {
        diags.push(
            Diagnostic::error(Code::WrongType, "this must be a plain value")
                .label(attr.expr.span, "nothing can be referred to in a world file"),
        );
        return Json::Null;
    };
    plain_json(&value)
}

fn merge(into: &mut Json, from: Json) {
    match (into, from) {
        (Json::Object(into), Json::Object(from)) => {
            for (name, value) in from {
                match into.get_mut(&name) {
                    Some(known) => merge(known, value),
                    None => drop(into.insert(name, value)),
                }
            }
        }
        (Json::Array(into), Json::Array(from)) => into.extend(from),
        (into, from) => *into = from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_become_the_data_of_a_world() {
        let world = read(
            Path::new(FILE),
            r#"
start = "2026-11-20T03:10:00Z"
lost  = ["cluster:a"]
dns {
  zone "shop.example" {
    record "www" {
      type   = "A"
      values = ["192.0.2.10"]
    }
  }
}
program "bin/site" {
  args = ["up"]
  takes = "4m"
}
program "bin/site" { args = ["down"] }
"#,
        )
        .unwrap_or_else(|m| panic!("{:?}", m.0));
        assert_eq!(world.lost, ["cluster:a"]);
        assert_eq!(world.program["bin/site"].len(), 2);
        let zone = &world.dns.expect("a service").zone["shop.example"];
        assert_eq!(zone.record["www"].values, ["192.0.2.10"]);
    }

    #[test]
    fn each_mistake_is_told_with_its_place() {
        let text = "cluster \"b\" { srever = \"x\" }\nhost \"h\" { refuses = 3 }\nlost = [var.x]\n";
        let mistakes = read(Path::new(FILE), text).expect_err("mistakes");
        let lines: Vec<_> = mistakes
            .0
            .iter()
            .filter_map(|d| Some(mistakes.1.line_column(d.span()?).1))
            .collect();
        assert!([1, 2, 3].iter().all(|l| lines.contains(l)), "{lines:?}");
        assert!(mistakes.0.iter().any(|d| d.message.contains("srever")));
    }
}
