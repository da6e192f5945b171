//! Diagnostics as text for a terminal.

use annotate_snippets::Annotation;
use annotate_snippets::AnnotationKind;
use annotate_snippets::Group;
use annotate_snippets::Level;
use annotate_snippets::Renderer;
use annotate_snippets::Snippet;

use crate::diag::Diagnostic;
use crate::diag::Label;
use crate::diag::Severity;
use crate::diag::Sources;
use crate::lang::FileId;

/// Renders one diagnostic with the source lines that it is about, without a newline at the end.
pub fn render(diagnostic: &Diagnostic, sources: &Sources, color: bool, width: usize) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let title = level(diagnostic.severity)
        .primary_title(&diagnostic.message)
        .id(diagnostic.code.as_str());
    let mut group = Group::with_title(title).elements(snippets(diagnostic, sources));
    if let Some(address) = &diagnostic.address {
        group = group.element(Level::NOTE.message(format!("in `{address}`")));
    }
    for label in unplaced(diagnostic, sources) {
        group = group.element(Level::NOTE.message(&label.text));
    }
    for hint in &diagnostic.hints {
        group = group.element(Level::HELP.message(hint));
    }
    renderer.term_width(width).render(&[group])
}

fn level(severity: Severity) -> Level<'static> {
    match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    }
}

/// Makes one snippet per file, the file of the primary label first.
fn snippets<'a>(
    diagnostic: &'a Diagnostic,
    sources: &'a Sources,
) -> Vec<Snippet<'a, Annotation<'a>>> {
    let mut files: Vec<FileId> = Vec::new();
    for label in &diagnostic.labels {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    files
        .into_iter()
        .filter(|file| !sources.get(*file).0.is_empty())
        .map(|file| snippet(diagnostic, sources, file))
        .collect()
}

fn snippet<'a>(
    diagnostic: &'a Diagnostic,
    sources: &'a Sources,
    file: FileId,
) -> Snippet<'a, Annotation<'a>> {
    let (path, text) = sources.get(file);
    let mut snippet = Snippet::source(text).path(path);
    for (i, label) in diagnostic.labels.iter().enumerate() {
        let Some(range) = sources
            .range(label.span)
            .filter(|_| label.span.file == file)
        else {
            continue;
        };
        let kind = if i == 0 {
            AnnotationKind::Primary
        } else {
            AnnotationKind::Context
        };
        let mut annotation = kind.span(range);
        if !label.text.is_empty() {
            annotation = annotation.label(&label.text);
        }
        snippet = snippet.annotation(annotation);
    }
    snippet
}

/// Lists the labels with something to say whose file is not there.
fn unplaced<'a>(
    diagnostic: &'a Diagnostic,
    sources: &'a Sources,
) -> impl Iterator<Item = &'a Label> {
    diagnostic
        .labels
        .iter()
        .filter(|label| !label.text.is_empty() && sources.get(label.span.file).0.is_empty())
}
