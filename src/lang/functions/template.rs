//! Functions that render templates. A template sees only the variables that it is given.

use std::collections::BTreeMap;

use hcl::edit::parser::parse_template;

use super::args::Args;
use super::args::Fault;
use super::file::read;
use super::residual_call;
use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::lang::FileId;
use crate::lang::Span;
use crate::lang::Value;
use crate::lang::eval::Bind;
use crate::lang::eval::Local;
use crate::lang::eval::Outcome;
use crate::lang::lower::Lower;

/// Stands for a template in spans, until they are mapped to the call.
const TEMPLATE: FileId = FileId(u32::MAX);

/// Renders a template file.
pub(super) fn file(args: &Args<'_>) -> Outcome {
    let report = |fault| args.report("templatefile", fault);
    check(args, "templatefile(path, variables)").map_err(report)?;
    if let (Value::Hole(_), _) | (_, Value::Hole(_)) = (args.get(0), args.get(1)) {
        let why = "path and names of variables must be known when planning";
        return Err(report(Fault::call(why)));
    }
    let text = read(args).map_err(report)?;
    let variables = args.map(1).map_err(report)?;
    let name = format!("`{}`", args.get(0).as_str().unwrap_or(""));
    render(args, &text, variables).map_err(|error| moved(args, &text, &name, error))
}

/// Renders a text as a template.
pub(super) fn string(args: &Args<'_>) -> Outcome {
    let report = |fault| args.report("templatestring", fault);
    check(args, "templatestring(text, variables)").map_err(report)?;
    if let (Value::Hole(_), _) | (_, Value::Hole(_)) = (args.get(0), args.get(1)) {
        return residual_call("templatestring", args);
    }
    let text = args.text(0).map_err(report)?;
    let variables = args.map(1).map_err(report)?;
    render(args, &text, variables).map_err(|error| {
        if args.cx.may_show() {
            moved(args, &text, "the template", error)
        } else {
            hidden(args, &error)
        }
    })
}

fn check(args: &Args<'_>, usage: &str) -> Result<(), Fault> {
    if args.len() != 2 {
        let count = args.len();
        let wrong = Fault::call(format!("called with {count} arguments"));
        return Err(wrong.hint(format!("usage: `{usage}`")));
    }
    if args.cx.sealed {
        return Err(Fault::call("a template cannot render another one"));
    }
    Ok(())
}

fn render(args: &Args<'_>, text: &str, variables: &BTreeMap<String, Value>) -> Outcome {
    let whole = Span {
        file: TEMPLATE,
        start: 0,
        end: u32::try_from(text.len()).unwrap_or(u32::MAX),
    };
    let parsed = parse_template(text).map_err(|error| {
        let at = u32::try_from(error.location().offset()).unwrap_or(0);
        let span = Span {
            start: at,
            end: at,
            ..whole
        };
        Diagnostic::error(Code::SyntaxError, "the template cannot be read")
            .label(span, error.message())
    })?;
    let expr = Lower::new(TEMPLATE, text, 0).template_file(&parsed, whole)?;
    let locals = Local {
        bind: Bind::All(variables),
        around: None,
    };
    let mut cx = args.cx.with(&locals);
    cx.sealed = true;
    cx.eval(&expr)
}

/// Moves an error inside of a template to the call that renders it.
fn moved(args: &Args<'_>, text: &str, name: &str, mut error: Diagnostic) -> Diagnostic {
    for label in &mut error.labels {
        if label.span.file != TEMPLATE {
            continue;
        }
        let before = text.get(..label.span.start as usize).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let place = format!("in line {line} of {name}");
        label.text = if label.text.is_empty() {
            place
        } else {
            format!("{place}: {}", label.text)
        };
        label.span = args.span;
    }
    error
}

/// Replaces an error inside of a template whose text, and so every name in it, may be a secret.
fn hidden(args: &Args<'_>, error: &Diagnostic) -> Diagnostic {
    Diagnostic::error(error.code, "the template cannot be rendered").label(
        args.span,
        "no more is said, since its text may hold a secret",
    )
}
