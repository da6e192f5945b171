//! Finds where an expression ends, without understanding it.
//!
//! Knows strings, interpolations, heredocs, comments and brackets, and nothing else; so a mistake
//! inside one expression cannot swallow the rest of a file.

/// What kept an expression from ending, with the byte where it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unclosed {
    /// A string that reaches the end of its line.
    String(usize),
    /// A heredoc without the line that ends it; the marker that the line must hold.
    Heredoc(usize, String),
    /// A bracket that something else closes, or nothing.
    Bracket(usize, Option<usize>),
    /// An interpolation or directive.
    Template(usize, Option<usize>),
    /// A block comment.
    Comment(usize),
}

/// Where an expression ends and where reading goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// The byte behind its last one.
    pub(super) end: usize,
    /// Where reading goes on: a line end, a comment, a closing bracket, or the end.
    pub(super) next: usize,
}

enum Frame {
    Bracket(u8, usize),
    Quote(usize),
    Heredoc { at: usize, marker: String },
    Template(usize),
}

/// Finds the end of the expression that starts at `start`.
///
/// # Errors
///
/// Says what is not closed, and from where reading can go on.
pub(super) fn expression(text: &str, start: usize) -> Result<Extent, (Unclosed, usize)> {
    Scan {
        text,
        bytes: text.as_bytes(),
        at: start,
        end: start,
        stack: Vec::new(),
    }
    .run()
}

struct Scan<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    end: usize,
    stack: Vec<Frame>,
}

impl Scan<'_> {
    fn run(mut self) -> Result<Extent, (Unclosed, usize)> {
        while self.at < self.bytes.len() {
            let done = match self.stack.last() {
                Some(Frame::Quote(open)) => {
                    let open = *open;
                    self.quote(open)?
                }
                Some(Frame::Heredoc { marker, .. }) => {
                    let marker = marker.clone();
                    self.heredoc(&marker);
                    false
                }
                Some(Frame::Bracket(..) | Frame::Template(_)) | None => self.code()?,
            };
            if done {
                return Ok(self.extent());
            }
        }
        match self.stack.pop() {
            None => Ok(self.extent()),
            Some(frame) => Err((unclosed(frame, None), self.bytes.len())),
        }
    }

    fn extent(&self) -> Extent {
        Extent {
            end: self.end,
            next: self.at,
        }
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Takes some bytes that belong to the expression.
    fn take(&mut self, count: usize) {
        self.at = (self.at + count).min(self.bytes.len());
        self.end = self.at;
    }

    /// Reads one step of the inside of a string.
    fn quote(&mut self, open: usize) -> Result<bool, (Unclosed, usize)> {
        match self.peek(0) {
            b'"' => {
                self.stack.pop();
                self.take(1);
            }
            b'\n' => return Err((Unclosed::String(open), self.at)),
            b'\\' if self.peek(1) != b'\n' => self.take(2),
            _ => self.literal(),
        }
        Ok(false)
    }

    /// Reads one step of literal text, in which templates may start.
    fn literal(&mut self) {
        match (self.peek(0), self.peek(1), self.peek(2)) {
            (b'$', b'$', b'{') | (b'%', b'%', b'{') => self.take(3),
            (b'$' | b'%', b'{', _) => {
                self.stack.push(Frame::Template(self.at));
                self.take(2);
            }
            _ => self.take(1),
        }
    }

    fn heredoc(&mut self, marker: &str) {
        let at_line_start = self.at == 0 || self.bytes[self.at - 1] == b'\n';
        if at_line_start {
            let line = self.text[self.at..].split('\n').next().unwrap_or("");
            let trimmed = line.trim_start_matches([' ', '\t']);
            let behind = trimmed.strip_prefix(marker);
            if behind.is_some_and(|rest| !rest.starts_with(is_ident_char)) {
                self.stack.pop();
                self.take(line.len() - trimmed.len() + marker.len());
                return;
            }
        }
        self.literal();
    }

    /// Reads one token of code; tells whether the expression has ended.
    fn code(&mut self) -> Result<bool, (Unclosed, usize)> {
        match (self.peek(0), self.peek(1)) {
            (b'\n', _) if self.stack.is_empty() => return Ok(true),
            (b' ' | b'\t' | b'\r' | b'\n', _) => self.at += 1,
            (b'#', _) | (b'/', b'/') => {
                if self.stack.is_empty() {
                    return Ok(true);
                }
                self.at = line_end(self.text, self.at);
            }
            (b'/', b'*') => {
                self.at = comment_end(self.text, self.at)
                    .ok_or((Unclosed::Comment(self.at), self.bytes.len()))?;
            }
            (b'"', _) => {
                self.stack.push(Frame::Quote(self.at));
                self.take(1);
            }
            (b'<', b'<') => self.heredoc_start(),
            (open @ (b'(' | b'[' | b'{'), _) => {
                self.stack.push(Frame::Bracket(open, self.at));
                self.take(1);
            }
            (close @ (b')' | b']' | b'}'), _) => return self.close(close),
            _ => self.take(1),
        }
        Ok(false)
    }

    fn heredoc_start(&mut self) {
        let rest = &self.text[self.at + 2..];
        let name = rest.strip_prefix('-').unwrap_or(rest);
        let length = name.find(|c| !is_ident_char(c)).unwrap_or(name.len());
        let behind = name[length..].trim_start_matches('\r');
        if length == 0 || !behind.starts_with('\n') {
            self.take(2);
            return;
        }
        self.stack.push(Frame::Heredoc {
            at: self.at,
            marker: name[..length].to_owned(),
        });
        self.at = line_end(self.text, self.at) + 1;
        self.end = self.at;
    }

    fn close(&mut self, close: u8) -> Result<bool, (Unclosed, usize)> {
        let fits = match self.stack.last() {
            None => return Ok(true),
            Some(Frame::Bracket(b'(', _)) => close == b')',
            Some(Frame::Bracket(b'[', _)) => close == b']',
            _ => close == b'}',
        };
        let Some(frame) = self.stack.pop() else {
            return Ok(true);
        };
        if fits {
            self.take(1);
            Ok(false)
        } else {
            Err((unclosed(frame, Some(self.at)), self.at))
        }
    }
}

fn unclosed(frame: Frame, by: Option<usize>) -> Unclosed {
    match frame {
        Frame::Bracket(_, at) => Unclosed::Bracket(at, by),
        Frame::Quote(at) => Unclosed::String(at),
        Frame::Heredoc { at, marker } => Unclosed::Heredoc(at, marker),
        Frame::Template(at) => Unclosed::Template(at, by),
    }
}

/// Returns the end of the line that `at` is in, without the line end itself.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |n| at + n)
}

/// Returns the byte behind the block comment that starts at `at`.
pub(super) fn comment_end(text: &str, at: usize) -> Option<usize> {
    text[at + 2..].find("*/").map(|n| at + 2 + n + 2)
}

/// Tells whether an identifier may go on with this character.
pub(super) fn is_ident_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

/// Tells whether an identifier may start with this character.
pub(super) fn is_ident_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}
