//! Words of SQL: enough to tell statements apart and to take names and texts out of them.

use crate::error::SqlError;

/// One word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A key word or a name without quotes, in lower case.
    Word(String),
    /// A name in quotes.
    Name(String),
    /// A text.
    Text(String),
    /// A number.
    Number(String),
    /// `$1`.
    Param(u32),
    /// An operator or a mark.
    Mark(String),
    /// In patterns only: `?x`, for something that differs.
    Hole(char),
}

/// Marks that are made of two characters.
const PAIRS: [&str; 7] = ["::", "<>", "<=", ">=", "!=", "||", "->"];

/// Splits SQL into words.
pub(crate) fn tokens(sql: &str) -> Result<Vec<Token>, SqlError> {
    let mut lexer = Lexer { rest: sql };
    let mut found = Vec::new();
    while let Some(token) = lexer.next()? {
        found.push(token);
    }
    Ok(found)
}

/// Splits what stands between semicolons; empty statements fall out.
pub(crate) fn statements(sql: &str) -> Result<Vec<Vec<Token>>, SqlError> {
    let all = tokens(sql)?;
    let parts = all.split(|token| *token == Token::Mark(";".to_owned()));
    Ok(parts
        .filter(|part| !part.is_empty())
        .map(<[Token]>::to_vec)
        .collect())
}

struct Lexer<'a> {
    rest: &'a str,
}

fn starts_word(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn continues_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

impl<'a> Lexer<'a> {
    fn next(&mut self) -> Result<Option<Token>, SqlError> {
        self.rest = self.rest.trim_start();
        let Some(first) = self.rest.chars().next() else {
            return Ok(None);
        };
        let escapes = self.rest.starts_with("E'") || self.rest.starts_with("e'");
        let token = match first {
            '\'' => Token::Text(self.quoted('\'', false)?),
            '"' => Token::Name(self.quoted('"', false)?),
            _ if escapes => {
                self.rest = &self.rest[1..];
                Token::Text(self.quoted('\'', true)?)
            }
            c if starts_word(c) => Token::Word(self.take(continues_word).to_lowercase()),
            c if c.is_ascii_digit() => {
                Token::Number(self.take(|c| c.is_ascii_digit() || c == '.').to_owned())
            }
            '$' if self.rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                self.rest = &self.rest[1..];
                let digits = self.take(|c| c.is_ascii_digit());
                Token::Param(digits.parse().unwrap_or_default())
            }
            '?' => {
                let hole = self.rest[1..].chars().next().unwrap_or(' ');
                self.rest = self.rest.get(2..).unwrap_or_default();
                Token::Hole(hole)
            }
            c => {
                let pair = PAIRS.iter().find(|pair| self.rest.starts_with(**pair));
                let length = pair.map_or(c.len_utf8(), |pair| pair.len());
                let (mark, rest) = self.rest.split_at(length);
                self.rest = rest;
                Token::Mark(mark.to_owned())
            }
        };
        Ok(Some(token))
    }

    fn take(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn quoted(&mut self, quote: char, escapes: bool) -> Result<String, SqlError> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            if c == quote {
                if chars.peek().is_some_and(|(_, next)| *next == quote) {
                    chars.next();
                } else {
                    self.rest = &self.rest[at + quote.len_utf8()..];
                    return Ok(text);
                }
            }
            match chars.peek() {
                Some((_, next)) if escapes && c == '\\' => {
                    text.push(*next);
                    chars.next();
                }
                _ => text.push(c),
            }
        }
        Err(SqlError::new("42601", "unterminated quoted string"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_keep_what_stands_in_quotes() {
        let name = |text: &str| Token::Name(text.to_owned());
        let word = |text: &str| Token::Word(text.to_owned());
        let text = |text: &str| Token::Text(text.to_owned());
        let mark = |text: &str| Token::Mark(text.to_owned());
        for (sql, expected) in [
            (
                "DROP  database \"a;\"\"b\"",
                vec![word("drop"), word("database"), name("a;\"b")],
            ),
            ("'it''s;'", vec![text("it's;")]),
            (r"E'a\'b\\'''", vec![text(r"a'b\'")]),
            (
                "$1::text<>2",
                vec![
                    Token::Param(1),
                    mark("::"),
                    word("text"),
                    mark("<>"),
                    Token::Number("2".to_owned()),
                ],
            ),
        ] {
            assert_eq!(tokens(sql).as_deref(), Ok(&expected[..]), "{sql}");
        }
        assert!(tokens("'open").is_err());
        let parts = statements("begin;drop database \"a;b\";commit;").map(|s| s.len());
        assert_eq!(parts, Ok(3));
    }
}
