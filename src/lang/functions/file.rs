//! Functions that read files of the spec.

use std::collections::BTreeMap;

use hcl::edit::parser::parse_template;

use super::Function;
use super::args;
use super::args::Args;
use super::args::Fault;
use super::exact;
use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::lang::FileId;
use crate::lang::Span;
use crate::lang::Value;
use crate::lang::eval::Bind;
use crate::lang::eval::Local;
use crate::lang::eval::Outcome;
use crate::lang::lower::Lower;

pub(super) const TABLE: &[Function] = &[
    exact("basename", "path", 1, |a| {
        let path = a.text(0)?;
        args::text(path.rsplit('/').next().unwrap_or(""))
    }),
    exact("dirname", "path", 1, |a| {
        let path = a.text(0)?;
        args::text(path.rsplit_once('/').map_or(".", |(folder, _)| folder))
    }),
    exact("file", "path", 1, |a| args::text(read(a)?)),
    exact("fileexists", "path", 1, |a| {
        Ok(Value::Bool(a.cx.scope.file(&a.text(0)?).is_ok()))
    }),
];

/// Stands for a template file in spans, until they are mapped to the call.
const TEMPLATE: FileId = FileId(u32::MAX);

fn read(args: &Args<'_>) -> Result<String, Fault> {
    let path = args.text(0)?;
    args.cx.scope.file(&path).map_err(|why| {
        let shown = if args.cx.may_show() {
            path.as_str()
        } else {
            "…"
        };
        Fault::arg(0, format!("cannot read the file `{shown}`: {why}"))
            .code(Code::FileNotFound)
            .hint("paths start at the folder of the spec")
    })
}

/// Renders a template file.
pub(super) fn template(args: &Args<'_>) -> Outcome {
    let report = |fault| args.report("templatefile", fault);
    if args.len() != 2 {
        let count = args.len();
        let wrong = Fault::call(format!("called with {count} arguments"));
        return Err(report(wrong.hint("usage: `templatefile(path, variables)`")));
    }
    if let (Value::Hole(_), _) | (_, Value::Hole(_)) = (args.get(0), args.get(1)) {
        let why = "path and names of variables must be known when planning";
        return Err(report(Fault::call(why)));
    }
    if args.cx.sealed {
        return Err(report(Fault::call(
            "a template file cannot use another one",
        )));
    }
    let text = read(args).map_err(report)?;
    let variables = args.map(1).map_err(report)?;
    render(args, &text, variables).map_err(|error| moved(args, &text, error))
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

/// Moves an error inside of a template file to the call that renders it.
fn moved(args: &Args<'_>, text: &str, mut error: Diagnostic) -> Diagnostic {
    let path = args.get(0).as_str().unwrap_or("").to_owned();
    for label in &mut error.labels {
        if label.span.file != TEMPLATE {
            continue;
        }
        let before = text.get(..label.span.start as usize).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let place = format!("in line {line} of `{path}`");
        label.text = if label.text.is_empty() {
            place
        } else {
            format!("{place}: {}", label.text)
        };
        label.span = args.span;
    }
    error
}
