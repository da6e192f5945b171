//! Diagnostics as JSON, in the shape that Terraform's tools read, with `code` and `hints` added.

use drplan_api::Json;
use serde_json::json;

use crate::diag::Diagnostic;
use crate::diag::Sources;
use crate::lang::FileId;
use crate::lang::Span;

/// Converts one diagnostic.
///
/// Lines and columns count from one, columns in characters; bytes count from zero; ends are
/// exclusive; the highlight offsets are bytes of `code`.
pub fn to_json(diagnostic: &Diagnostic, sources: &Sources) -> Json {
    let mut out = json!({
        "severity": diagnostic.severity.as_str(),
        "code": diagnostic.code.as_str(),
        "summary": diagnostic.message,
        "detail": detail(diagnostic),
        "hints": diagnostic.hints,
    });
    if let Some(address) = &diagnostic.address {
        out["address"] = json!(address);
    }
    if let Some(span) = diagnostic
        .span()
        .filter(|s| !sources.get(s.file).0.is_empty())
    {
        out["range"] = range(span, sources);
        out["snippet"] = snippet(span, sources);
    }
    out
}

fn detail(diagnostic: &Diagnostic) -> String {
    let labels = diagnostic.labels.iter().map(|label| label.text.as_str());
    let hints = diagnostic.hints.iter().map(String::as_str);
    let lines: Vec<_> = labels.chain(hints).filter(|t| !t.is_empty()).collect();
    lines.join("\n")
}

fn range(span: Span, sources: &Sources) -> Json {
    let (path, _) = sources.get(span.file);
    json!({
        "filename": path,
        "start": position(span.file, span.start, sources),
        "end": position(span.file, span.end, sources),
    })
}

fn position(file: FileId, offset: u32, sources: &Sources) -> Json {
    let (line, column) = sources.position(file, offset as usize);
    json!({"line": line, "column": column, "byte": offset})
}

fn snippet(span: Span, sources: &Sources) -> Json {
    let (first, _) = sources.position(span.file, span.start as usize);
    let (code, start) = sources.line(span.file, first);
    let from = (span.start as usize).saturating_sub(start).min(code.len());
    let to = (span.end as usize).saturating_sub(start).min(code.len());
    json!({
        "context": context(span, first, sources),
        "code": code,
        "start_line": first,
        "highlight_start_offset": from,
        "highlight_end_offset": to.max(from),
        "values": [],
    })
}

/// Returns the header of the block around a span: the nearest line at or above it that starts at
/// the margin and opens a block.
fn context(span: Span, line: usize, sources: &Sources) -> Option<String> {
    (1..=line).rev().find_map(|line| {
        let (text, _) = sources.line(span.file, line);
        let header = text.trim_end().strip_suffix('{')?;
        let at_margin = text.starts_with(|c: char| c.is_ascii_alphabetic());
        (at_margin && !header.contains('=')).then(|| header.trim_end().to_owned())
    })
}
