//! The texts that spans point into.

use std::ops::Range;

use crate::lang::FileId;
use crate::lang::Span;

/// All files that diagnostics may point into. Opens nothing itself.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

#[derive(Clone, Debug)]
struct Source {
    path: String,
    text: String,
    /// The offset of the first byte of each line.
    lines: Vec<usize>,
}

impl Sources {
    /// Makes an empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file. A byte order mark counts as part of the text, as it does for spans.
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<String>) -> FileId {
        let text = text.into();
        let ends = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        let lines = std::iter::once(0)
            .chain(ends.map(|(at, _)| at + 1))
            .collect();
        self.files.push(Source {
            path: path.into(),
            text,
            lines,
        });
        FileId(u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX))
    }

    /// Returns path and text of a file; both are empty if there is no such file, as after a plan
    /// was read back without its spec.
    pub fn get(&self, file: FileId) -> (&str, &str) {
        self.source(file).map_or(("", ""), |s| (&s.path, &s.text))
    }

    /// Returns the path of a span's file and the line and column of its first character, both
    /// counted from one, columns in characters.
    pub fn line_column(&self, span: Span) -> (&str, usize, usize) {
        let (line, column) = self.position(span.file, span.start as usize);
        (self.get(span.file).0, line, column)
    }

    /// Returns line and column of an offset, both counted from one, columns in characters.
    pub(super) fn position(&self, file: FileId, offset: usize) -> (usize, usize) {
        let Some(source) = self.source(file) else {
            return (1, 1);
        };
        let offset = floor(&source.text, offset);
        let line = source.lines.partition_point(|start| *start <= offset);
        let start = source.lines[line - 1];
        (line, source.text[start..offset].chars().count() + 1)
    }

    /// Returns the text of a line, counted from one, without its end, and the offset of its start.
    pub(super) fn line(&self, file: FileId, line: usize) -> (&str, usize) {
        let Some(source) = self.source(file) else {
            return ("", 0);
        };
        let Some(start) = source.lines.get(line - 1).copied() else {
            return ("", source.text.len());
        };
        let text = source.text[start..].lines().next().unwrap_or("");
        (text, start)
    }

    /// Returns the bytes of a span, moved into the text and onto borders of characters.
    pub(super) fn range(&self, span: Span) -> Option<Range<usize>> {
        let source = self.source(span.file)?;
        let start = floor(&source.text, span.start as usize);
        let end = floor(&source.text, span.end as usize).max(start);
        Some(start..end)
    }

    fn source(&self, file: FileId) -> Option<&Source> {
        self.files.get(file.0 as usize)
    }
}

fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}
