//! The shape of a world file as JSON, of which its reference page is made.

use drplan_api::Json;
use serde_json::json;

use super::shape::Arg;
use super::shape::Kind;
use super::shape::Shape;
use super::shape::WORLD;

/// Describes every block of a world file and its arguments, in their order.
pub(crate) fn schema() -> Json {
    let mut out = described(&WORLD);
    if let Json::Object(map) = &mut out {
        map.insert("format".to_owned(), "drplan-rehearsal-schema/1.0".into());
    }
    out
}

fn described(shape: &Shape) -> Json {
    json!({
        "name": shape.name,
        "label": shape.label,
        "doc": sentence(shape.what),
        "repeats": shape.repeats,
        "arguments": shape.args.iter().map(argument).collect::<Vec<_>>(),
        "blocks": shape.blocks.iter().map(described).collect::<Vec<_>>(),
    })
}

fn argument(arg: &Arg) -> Json {
    json!({
        "name": arg.name,
        "type": type_name(arg.kind),
        "required": arg.required,
        "doc": sentence(arg.what),
    })
}

fn type_name(kind: Kind) -> String {
    match kind {
        Kind::Text => "string".to_owned(),
        Kind::Texts => "list of string".to_owned(),
        Kind::Flag => "bool".to_owned(),
        Kind::Number(least, most) => format!("number, {least} to {most}"),
        Kind::Time => "time, `\"2026-11-21T03:10:00Z\"`".to_owned(),
        Kind::Length => "duration".to_owned(),
        Kind::Map => "map of string".to_owned(),
        Kind::Files => {
            "map of `{ kubeconfig = \"CLUSTER\" }`, `{ postgres = \"SERVER\" }` or `{ text = \"…\" }`".to_owned()
        }
        Kind::Servers => "list of `\"cluster.NAME\"` and `\"postgres.NAME\"`".to_owned(),
        Kind::Service => "`\"CLUSTER/NAMESPACE/SERVICE\"`".to_owned(),
        Kind::Folder => "path of a folder".to_owned(),
        Kind::Url => "URL".to_owned(),
        Kind::Place => "`\"HOST:PORT\"`".to_owned(),
        Kind::Version => "version".to_owned(),
        Kind::RecordType => "type of a record".to_owned(),
    }
}

/// The words of a hint as a sentence.
fn sentence(what: &str) -> String {
    let mut letters = what.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments<'a>(shape: &'a Shape, out: &mut Vec<(&'a str, &'a Arg)>) {
        out.extend(shape.args.iter().map(|arg| (shape.name, arg)));
        for block in shape.blocks {
            assert!(!block.what.is_empty(), "`{}` says nothing", block.name);
            arguments(block, out);
        }
    }

    #[test]
    fn every_argument_says_what_it_is_for() {
        let mut all = Vec::new();
        arguments(&WORLD, &mut all);
        assert!(all.len() > 40);
        for (block, arg) in all {
            assert!(!arg.what.is_empty(), "`{}` of `{block}`", arg.name);
            assert!(!arg.what.ends_with('.'), "`{}` of `{block}`", arg.name);
        }
    }
}
