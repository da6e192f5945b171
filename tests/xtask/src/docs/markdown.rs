//! The schema as Markdown: one function for each generated part. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

/// The page of one kind up to where people go on.
pub(super) fn kind(name: &str, kind: &Value) -> String {
    let data = kind["mode"] == "data";
    let mut out = format!("# {name}\n\n{}\n\n", text(&kind["doc"]));
    let stage = match kind["stage"].as_str() {
        _ if data => "that of what it refers to".to_owned(),
        Some(stage) => format!("`{stage}`, or the later one of what it refers to"),
        None => "none by default: the spec must say it".to_owned(),
    };
    let mut facts = vec![("Sort", sort(kind)), ("Stage", stage)];
    facts.push(("Connections", roles(kind)));
    if !data {
        facts.push(("Actions", words(&kind["actions"])));
        facts.push(("Worst hazard of a late decision", hazard(kind)));
    }
    if kind["cutover"] == true {
        let cutover = "yes: it waits for every check that does not depend on it";
        facts.push(("Moves traffic", cutover.to_owned()));
    }
    out.push_str("| | |\n|---|---|\n");
    for (name, fact) in facts {
        row(&mut out, &[name, &fact]);
    }
    out.push_str("\n## Arguments\n\n");
    out.push_str(&arguments(kind));
    out.push_str(
        "\nEvery kind also takes the [meta-arguments](../language.md#meta-arguments).\n\n",
    );
    out.push_str("## Exports\n\n");
    out.push_str(&exports(kind));
    out
}

/// The list of all kinds.
pub(super) fn index(schema: &Value) -> String {
    let mut out = String::new();
    for (section, title) in [("resources", "Resources"), ("data", "Data sources")] {
        writeln!(
            out,
            "## {title}\n\n| kind | stage | what it is |\n|---|---|---|"
        )
        .ok();
        for (name, kind) in objects(&schema[section]) {
            let stage = match kind["stage"].as_str() {
                _ if section == "data" => "",
                Some(stage) => stage,
                None => "said by the spec",
            };
            row(
                &mut out,
                &[&format!("[`{name}`]({name}.md)"), stage, text(&kind["doc"])],
            );
        }
        out.push('\n');
    }
    out
}

/// The arguments of every `provider` block.
pub(super) fn providers(schema: &Value) -> String {
    let mut out = String::new();
    for (name, system) in objects(&schema["providers"]) {
        writeln!(out, "## {name}\n\n{}", arguments(system)).ok();
    }
    out
}

/// The arguments of every block of a world file.
pub(super) fn world(world: &Value) -> String {
    let mut out = "## Outside of blocks\n\n".to_owned();
    out.push_str(&world_arguments(world));
    for block in list(&world["blocks"]) {
        world_block(&mut out, block, "");
    }
    out
}

/// One block and those inside of it, whose names begin with it.
fn world_block(out: &mut String, block: &Value, outer: &str) {
    let name = format!("{outer}{}", text(&block["name"]));
    let header = match block["label"].as_str() {
        Some(label) => format!("{} \"{label}\" {{ … }}", text(&block["name"])),
        None => format!("{} {{ … }}", text(&block["name"])),
    };
    let inside = match outer.trim_end_matches(" / ") {
        "" => String::new(),
        outer => format!(", inside of `{outer}`"),
    };
    let doc = text(&block["doc"]);
    writeln!(out, "\n## {name}\n\n`{header}`{inside}: {doc}").ok();
    if list(&block["arguments"]).next().is_some() {
        out.push('\n');
        out.push_str(&world_arguments(block));
    }
    for inner in list(&block["blocks"]) {
        world_block(out, inner, &format!("{name} / "));
    }
}

fn world_arguments(block: &Value) -> String {
    let mut out = "| argument | type | meaning |\n|---|---|---|\n".to_owned();
    for argument in list(&block["arguments"]) {
        let name = format!("`{}`", text(&argument["name"]));
        let mut ty = text(&argument["type"]).to_owned();
        if argument["required"] == true {
            ty.push_str(", required");
        }
        row(&mut out, &[&name, &ty, text(&argument["doc"])]);
    }
    out
}

/// One section for each code of a diagnostic.
pub(super) fn codes(schema: &Value) -> String {
    let mut out = String::new();
    for code in list(&schema["codes"]) {
        let (name, title) = (text(&code["code"]), text(&code["title"]));
        let anchor = name.to_lowercase();
        writeln!(
            out,
            "<a id=\"{anchor}\"></a>\n\n## {name}: {title}\n\n{}\n",
            text(&code["explain"])
        )
        .ok();
    }
    out
}

/// The table of exit codes.
pub(super) fn exit_codes(schema: &Value) -> String {
    let mut out = "| code | meaning |\n|---|---|\n".to_owned();
    for exit in list(&schema["exit_codes"]) {
        let code = format!("`{}`", exit["code"]);
        row(&mut out, &[&code, text(&exit["meaning"])]);
    }
    out
}

/// The list of functions, a row for each first letter.
pub(super) fn functions(schema: &Value) -> String {
    let mut by_letter = BTreeMap::<char, Vec<String>>::new();
    for function in list(&schema["functions"]) {
        let name = text(&function["name"]);
        let call = format!("`{name}({})`", text(&function["usage"]));
        let letter = name.chars().next().unwrap_or_default();
        by_letter.entry(letter).or_default().push(call);
    }
    let mut out = "| | |\n|---|---|\n".to_owned();
    for (letter, calls) in by_letter {
        row(&mut out, &[&letter.to_string(), &calls.join(", ")]);
    }
    out
}

fn sort(kind: &Value) -> String {
    match kind["mode"].as_str() {
        Some("goal") => "goal: a state that must hold".to_owned(),
        Some("guard") => "guard: acts only around what it `guards`".to_owned(),
        Some("data") => "data source: it only reads".to_owned(),
        other => other.unwrap_or_default().to_owned(),
    }
}

fn hazard(kind: &Value) -> String {
    match kind["hazard_max"].as_str() {
        Some("none") => "none: nothing that existed is touched".to_owned(),
        Some("reversible") => "reversible: it can be changed back".to_owned(),
        Some("irreversible") => "irreversible: it cannot be undone".to_owned(),
        other => other.unwrap_or_default().to_owned(),
    }
}

fn roles(kind: &Value) -> String {
    let roles: Vec<String> = objects(&kind["roles"])
        .map(|(role, system)| format!("`{role}` ([{0}](providers.md#{0}))", text(system)))
        .collect();
    if roles.is_empty() {
        "none".to_owned()
    } else {
        roles.join(", ")
    }
}

fn words(value: &Value) -> String {
    let words: Vec<String> = list(value).map(|w| format!("`{}`", text(w))).collect();
    if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(", ")
    }
}

fn arguments(of: &Value) -> String {
    let mut rows = Vec::new();
    collect("", &of["arguments"], &mut rows);
    if rows.is_empty() {
        return "It takes no arguments.\n".to_owned();
    }
    let mut out = "| argument | type | meaning |\n|---|---|---|\n".to_owned();
    for (name, ty, doc) in rows {
        row(&mut out, &[&name, &ty, &doc]);
    }
    out
}

type Row = (String, String, String);

/// Required arguments first, each followed by what stands inside of it.
fn collect(prefix: &str, arguments: &Value, rows: &mut Vec<Row>) {
    let mut all: Vec<(&str, &Value)> = objects(arguments).collect();
    all.sort_by_key(|(_, argument)| argument["required"] != true);
    for (name, argument) in all {
        let required = argument["required"] == true;
        let path = format!("{prefix}{name}");
        let (mut ty, inner) = type_of(&path, &argument["type"]);
        if required {
            ty.push_str(", required");
        }
        if argument["secret"] == true {
            ty.push_str(", secret");
        } else if argument["late"] == true {
            ty.push_str(", may be secret");
        }
        rows.push((format!("`{path}`"), ty, text(&argument["doc"]).to_owned()));
        if let Some((prefix, inner)) = inner {
            collect(&prefix, inner, rows);
        }
    }
}

/// The words for a type, and the arguments inside of it with their prefix.
fn type_of<'v>(path: &str, ty: &'v Value) -> (String, Option<(String, &'v Value)>) {
    if let Some(name) = ty.as_str() {
        return (name.to_owned(), None);
    }
    if let Some(words) = ty.get("one_of") {
        let words: Vec<String> = list(words).map(|w| format!("`\"{}\"`", text(w))).collect();
        return (words.join(" or "), None);
    }
    if let Some(kinds) = ty.get("reference") {
        return (format!("reference to {}", words(kinds)), None);
    }
    if let Some(inner) = ty.get("list") {
        let (name, within) = type_of(&format!("{path}[]"), inner);
        return (format!("list of {name}"), within);
    }
    if let Some(inner) = ty.get("map") {
        let (name, within) = type_of(&format!("{path}.NAME"), inner);
        return (format!("map of {name}"), within);
    }
    let within = ty.get("object").map(|inner| (format!("{path}."), inner));
    ("object".to_owned(), within)
}

fn exports(kind: &Value) -> String {
    let mut out = String::new();
    for (name, doc) in objects(&kind["exports"]) {
        writeln!(out, "- `{name}`: {}", text(doc)).ok();
    }
    if out.is_empty() {
        out.push_str("None.\n");
    }
    out
}

fn row(out: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells.iter().map(|c| c.replace('|', "\\|")).collect();
    writeln!(out, "| {} |", cells.join(" | ")).ok();
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn objects(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_stands_inside_an_argument_follows_it_with_its_path() {
        let file = json!({ "type": "string", "required": false, "doc": "A file." });
        let of = json!({ "arguments": {
            "apply": { "type": { "list": "string" }, "required": true, "doc": "The work." },
            "a": { "type": { "map": { "object": { "file": file } } }, "required": false, "doc": "x|y" },
        }});
        assert_eq!(
            arguments(&of),
            "| argument | type | meaning |\n|---|---|---|\n\
             | `apply` | list of string, required | The work. |\n\
             | `a` | map of object | x\\|y |\n\
             | `a.NAME.file` | string | A file. |\n"
        );
    }
}
