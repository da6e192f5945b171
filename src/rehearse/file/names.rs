//! What a world file names, held against what there is: in the file, beside it and in its spec.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use drplan_api::ConnId;
use drplan_sandbox::world::CLIENTS;
use drplan_sandbox::world::CommandLine;
use drplan_sandbox::world::reached_by;

use super::commands;
use super::value::elements;
use super::value::entries;
use super::value::word;
use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::diag::Diagnostics;
use crate::lang::Attr;
use crate::lang::Block;
use crate::lang::Expr;
use crate::lang::Node;
use crate::lang::Span;
use crate::spec::Module;
use crate::spec::nearest;

/// Holds what a file names against the file itself and the folder that it lies in.
pub(super) fn check(blocks: &[Block], folder: &Path) -> Diagnostics {
    let servers = servers(blocks);
    let standing = standing(blocks, &servers);
    let mut diags = Diagnostics::new();
    for block in blocks {
        match block.kind.as_str() {
            "program" => program(block, &servers, &standing, &mut diags),
            "page" => page(block, &mut diags),
            "object_store" => {
                let buckets = block.nested("bucket");
                diags.extend(buckets.filter_map(|bucket| no_folder(bucket, folder)));
            }
            _ => {}
        }
    }
    diags.extend(never_taken(blocks));
    diags
}

/// What `true_if` may ask for: servers, and what programs make.
fn standing(blocks: &[Block], servers: &BTreeSet<String>) -> BTreeSet<String> {
    let programs = blocks.iter().filter(|b| b.kind == "program");
    let lists = programs.filter_map(|b| b.attrs.get("makes"));
    let made = lists.flat_map(|attr| elements(&attr.expr)).filter_map(word);
    let made = made.map(|name| format!("made.{name}"));
    servers.iter().cloned().chain(made).collect()
}

/// The servers that a file declares, as programs name them.
fn servers(blocks: &[Block]) -> BTreeSet<String> {
    let named = |b: &Block| Some(format!("{}.{}", b.kind, b.label(0)?));
    let machines = blocks
        .iter()
        .filter(|b| b.kind == "cluster" || b.kind == "postgres");
    machines.filter_map(named).collect()
}

fn program(
    block: &Block,
    servers: &BTreeSet<String>,
    standing: &BTreeSet<String>,
    diags: &mut Diagnostics,
) {
    for (name, known) in [
        ("starts", servers),
        ("stops", servers),
        ("true_if", standing),
    ] {
        let list = block.attrs.get(name).map(|attr| elements(&attr.expr));
        for expr in list.unwrap_or_default() {
            if let Some(server) = word(expr) {
                diags.extend(no_server(&server, expr.span, known));
            }
        }
    }
    if let Some(attr) = block.attrs.get("address_of") {
        let service = word(&attr.expr).unwrap_or_default();
        let cluster = service.split('/').next().unwrap_or_default();
        diags.extend(no_server(
            &format!("cluster.{cluster}"),
            attr.expr.span,
            servers,
        ));
    }
    let files = block.attrs.get("files").map(|attr| entries(&attr.expr));
    for (_, _, content) in files.unwrap_or_default() {
        for (what, _, of) in entries(content) {
            let kind = match what.as_str() {
                "kubeconfig" => "cluster",
                "postgres" => "postgres",
                _ => continue,
            };
            let server = format!("{kind}.{}", word(of).unwrap_or_default());
            diags.extend(no_server(&server, of.span, servers));
        }
    }
}

fn no_server(name: &str, span: Span, servers: &BTreeSet<String>) -> Option<Diagnostic> {
    if servers.contains(name) {
        return None;
    }
    let d = Diagnostic::error(
        Code::UnknownReference,
        format!("there is no `{name}` in this world"),
    )
    .label(span, "no block of the file declares it");
    let all: Vec<&str> = servers.iter().map(String::as_str).collect();
    Some(d.hint(match nearest(name, all.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if all.is_empty() => "declare it with a block `cluster` or `postgres`".to_owned(),
        None => format!("there are: {}", all.join(", ")),
    }))
}

/// Whether there is such a Service shows only when it is restored; here only the form is known.
fn page(block: &Block, diags: &mut Diagnostics) {
    let Some((label, span)) = block.labels.first() else {
        return;
    };
    let parts: Vec<&str> = label.split('/').collect();
    if parts.len() == 2 && parts.iter().all(|part| !part.is_empty()) {
        return;
    }
    diags.push(
        Diagnostic::error(
            Code::WrongType,
            format!("`{label}` does not name a Service"),
        )
        .label(*span, "here")
        .hint("write `page \"NAMESPACE/SERVICE\" {`"),
    );
}

fn no_folder(bucket: &Block, folder: &Path) -> Option<Diagnostic> {
    let attr = bucket.attrs.get("folder")?;
    let name = word(&attr.expr)?;
    if folder.join(&name).is_dir() {
        return None;
    }
    let text = format!("there is no folder `{name}` for {}", header(bucket));
    Some(
        Diagnostic::error(Code::FileNotFound, text)
            .label(
                attr.expr.span,
                format!("looked for in `{}`", folder.display()),
            )
            .hint(
                "copy the bucket there, or leave `folder` out for a bucket that is empty at first",
            ),
    )
}

fn header(block: &Block) -> String {
    format!(
        "`{} \"{}\"`",
        block.kind,
        block.label(0).unwrap_or_default()
    )
}

/// Programs that another one stands before which takes the same arguments.
fn never_taken(blocks: &[Block]) -> Vec<Diagnostic> {
    let programs: Vec<&Block> = blocks.iter().filter(|b| b.kind == "program").collect();
    let mut out = Vec::new();
    for (at, program) in programs.iter().enumerate() {
        let before = programs.iter().take(at).find(|before| {
            before.label(0) == program.label(0) && args(program).starts_with(&args(before))
        });
        if let Some(before) = before {
            let text = format!("this {} is never taken", header(program));
            out.push(
                Diagnostic::warning(Code::DuplicateName, text)
                    .label(program.span, "its arguments go to the other one")
                    .label(before.span, "this one takes them first")
                    .hint("put the one with more `args` first, or remove one of the two"),
            );
        }
    }
    out
}

fn args(program: &Block) -> Vec<String> {
    let list = program.attrs.get("args").map(|attr| elements(&attr.expr));
    list.unwrap_or_default()
        .into_iter()
        .filter_map(word)
        .collect()
}

/// Holds what a file names against its spec. A spec with mistakes of its own may not say all of it; then
/// nothing is said about what is not known.
pub(super) fn against(
    attrs: &BTreeMap<String, Attr>,
    blocks: &[Block],
    module: &Module,
) -> Diagnostics {
    let mut diags = Diagnostics::new();
    if let Some(attr) = attrs.get("variables") {
        variables(&attr.expr, module, &mut diags);
    }
    if let (Some(attr), Some(known)) = (attrs.get("lost"), domains(module)) {
        lost(&attr.expr, &known, &mut diags);
    }
    for block in blocks {
        if let Some(attr) = block.attrs.get("connections") {
            let system = reached_by(&block.kind).unwrap_or_default();
            connections(&attr.expr, system, module, &mut diags);
        }
    }
    if let Some(lines) = command_lines(module) {
        let programs = blocks.iter().filter(|b| b.kind == "program");
        let idle = programs.filter(|p| !lines.iter().any(|line| starts(line, p)));
        diags.extend(idle.filter_map(|p| never_started(p, &lines)));
    }
    diags
}

fn variables(expr: &Expr, module: &Module, diags: &mut Diagnostics) {
    for (name, key, _) in entries(expr) {
        if module.variables.contains_key(&name) {
            continue;
        }
        let text = format!("the spec declares no variable `{name}`");
        let d = Diagnostic::warning(Code::UnknownVariable, text)
            .label(key.span, "this value is not used");
        diags.push(
            match nearest(&name, module.variables.keys().map(String::as_str)) {
                Some(near) => d.hint(format!("did you mean `{near}`?")),
                None => d,
            },
        );
    }
}

/// Only connections of one system lead to what a block declares.
fn connections(expr: &Expr, system: &str, module: &Module, diags: &mut Diagnostics) {
    let fitting = |conn: &&ConnId| conn.system() == system;
    for element in elements(expr) {
        let Some(name) = word(element) else { continue };
        let conn = ConnId::new(&name);
        let known = module.providers.contains_key(&conn);
        let (text, label) = match known {
            true if fitting(&&conn) => continue,
            true => (
                format!("`{name}` is no connection of `{system}`"),
                "no server of this sort is behind it".to_owned(),
            ),
            false => (
                format!("the spec has no connection `{name}`"),
                "no snapshot of the spec holds it".to_owned(),
            ),
        };
        let all = module.providers.keys().filter(fitting).map(ConnId::as_str);
        let d = Diagnostic::error(Code::UnknownReference, text).label(element.span, label);
        diags.push(match nearest(&name, all) {
            Some(near) => d.hint(format!("did you mean `{near}`?")),
            None => d.hint(format!(
                "name one as the spec does, for example `{system}.site`"
            )),
        });
    }
}

/// The failure domains of a spec; `None` if some of them are not plain text.
fn domains(module: &Module) -> Option<BTreeSet<String>> {
    let declared = module
        .domains
        .keys()
        .chain(module.domains.values().flatten());
    let mut out: BTreeSet<String> = declared.cloned().collect();
    for provider in module.providers.values() {
        let Some(expr) = &provider.failure_domain else {
            continue;
        };
        let Node::Tuple(list) = &expr.node else {
            return None;
        };
        for domain in list {
            out.insert(word(domain)?);
        }
    }
    Some(out)
}

fn lost(expr: &Expr, known: &BTreeSet<String>, diags: &mut Diagnostics) {
    for element in elements(expr) {
        let Some(domain) = word(element).filter(|d| !known.contains(d)) else {
            continue;
        };
        let all: Vec<&str> = known.iter().map(String::as_str).collect();
        let d = Diagnostic::error(
            Code::UnknownDomain,
            format!("nothing in the spec lies in `{domain}`"),
        )
        .label(element.span, "declared lost here");
        diags.push(d.hint(match nearest(&domain, all.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if all.is_empty() => "the spec names no failure domain".to_owned(),
            None => format!("the spec names: {}", all.join(", ")),
        }));
    }
}

/// Every command line of a spec; `None` if one of them cannot be read without planning.
fn command_lines(module: &Module) -> Option<Vec<CommandLine>> {
    let all: Option<Vec<_>> = module.resources.values().map(commands::of).collect();
    all.map(|lines| lines.into_iter().flatten().collect())
}

/// Whether a command line starts what a block stands in for.
fn starts(line: &CommandLine, program: &Block) -> bool {
    line.starts(program.label(0).unwrap_or_default(), &args(program), plain)
}

/// A program without what leads to the spec's folder.
fn plain(name: &str) -> String {
    name.strip_prefix("./").unwrap_or(name).to_owned()
}

fn never_started(program: &Block, lines: &[CommandLine]) -> Option<Diagnostic> {
    let name = program.label(0)?;
    let file = Path::new(name).file_name().and_then(|f| f.to_str());
    if file.is_some_and(|file| CLIENTS.contains(&file)) {
        return None;
    }
    let mut words = vec![name.to_owned()];
    words.extend(args(program));
    let line = words.join(" ");
    let shown = |line: &CommandLine| {
        let words = line.words.iter().map(|w| w.as_deref().unwrap_or("…"));
        words.collect::<Vec<_>>().join(" ")
    };
    let known: BTreeSet<String> = lines.iter().map(shown).collect();
    let d = Diagnostic::warning(
        Code::UnknownReference,
        format!("no command of the spec starts `{line}`"),
    )
    .label(program.span, "this block stands in for nothing");
    Some(match nearest(&line, known.iter().map(String::as_str)) {
        Some(near) => d.hint(format!("did you mean `{near}`? Else remove the block")),
        None => d.hint("remove the block, or correct the name or its `args`"),
    })
}
