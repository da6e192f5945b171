//! The script that the provider gives to `psql`, line by line.
//!
//! Only what drplan writes is understood; anything else is refused by name.

use crate::lexer::Token;
use crate::lexer::tokens;

/// One line of the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// It changes nothing here.
    Nothing,
    /// Asks whether the unfinished marker of an attempt is there.
    AskOurs { attempt: String },
    /// Goes on behind `\else` if a variable is true.
    If { variable: String },
    /// What follows happens only if it is not.
    Else,
    /// The end of both.
    EndIf,
    /// Fails with a message.
    Raise { message: String },
    /// Runs a program and keeps its exit code.
    Run { command: String },
    /// Asks whether that code was zero.
    AskRestored,
    /// Notes how many rows a table has.
    Count {
        name: String,
        schema: String,
        table: String,
    },
    /// Finishes the marker of an attempt.
    Finish { attempt: String },
}

/// Understands a script, or names the first line that is not known.
pub(crate) fn read(text: &str) -> Result<Vec<(usize, Line)>, String> {
    let lines = text.lines().enumerate();
    lines
        .map(|(n, line)| match understand(line) {
            Some(known) => Ok((n + 1, known)),
            None => Err(format!(
                "line {}: the rehearsal's psql does not know this line of a script",
                n + 1
            )),
        })
        .collect()
}

fn understand(line: &str) -> Option<Line> {
    if let Some(rest) = line.strip_prefix('\\') {
        return command(rest);
    }
    let words = tokens(line).ok()?;
    let starts = |wanted: &str| {
        let wanted = tokens(wanted).unwrap_or_default();
        words.starts_with(&wanted)
    };
    let literal_after = |word: &str| {
        let at = words
            .iter()
            .position(|t| *t == Token::Word(word.to_owned()))?;
        words[at..].iter().find_map(|t| match t {
            Token::Text(text) => Some(text.clone()),
            _ => None,
        })
    };
    if words.is_empty()
        || starts("select set_config(name, '0', false) from pg_settings")
        || starts("analyze;")
        || starts("create temporary table drplan_rows (name text, n bigint);")
    {
        return Some(Line::Nothing);
    }
    if starts("select count(*) = 1 as ours from drplan.restore where attempt =") {
        let attempt = literal_after("attempt")?;
        return Some(Line::AskOurs { attempt });
    }
    if starts("do $$ begin raise exception") {
        let message = literal_after("exception")?;
        return Some(Line::Raise { message });
    }
    if starts("update drplan.restore set finished_at = clock_timestamp()") {
        let attempt = literal_after("attempt")?;
        return Some(Line::Finish { attempt });
    }
    if starts("insert into drplan_rows select") {
        return count(&words);
    }
    let asks = line.starts_with("select :'code' = '0' as restored");
    asks.then_some(Line::AskRestored)
}

fn command(rest: &str) -> Option<Line> {
    let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    match (name, rest.trim()) {
        ("set", "ON_ERROR_STOP on") => Some(Line::Nothing),
        ("set", rest) => {
            let command = rest
                .strip_prefix("code `")?
                .strip_suffix(" 1>&2; echo $?`")?;
            Some(Line::Run {
                command: command.to_owned(),
            })
        }
        ("if", variable) => Some(Line::If {
            variable: variable.strip_prefix(':')?.to_owned(),
        }),
        ("else", "") => Some(Line::Else),
        ("endif", "") => Some(Line::EndIf),
        _ => None,
    }
}

fn count(words: &[Token]) -> Option<Line> {
    let mut names = words.iter().filter_map(|token| match token {
        Token::Name(name) => Some(name.clone()),
        _ => None,
    });
    let name = words.iter().find_map(|token| match token {
        Token::Text(text) => Some(text.clone()),
        _ => None,
    })?;
    Some(Line::Count {
        name,
        schema: names.next()?,
        table: names.next()?,
    })
}

/// The words of a command of the script, with variables of the environment put in.
pub(crate) fn words(
    command: &str,
    env: &std::collections::BTreeMap<String, String>,
) -> Option<Vec<String>> {
    let mut words = Vec::new();
    for word in command.split(' ').filter(|word| !word.is_empty()) {
        let (mut text, mut rest) = (String::new(), word);
        while let Some((before, behind)) = rest.split_once("\"$") {
            let (name, after) = behind.split_once('"')?;
            text.push_str(before);
            text.push_str(env.get(name).map_or("", String::as_str));
            rest = after;
        }
        text.push_str(rest);
        words.push(text);
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_lines_of_a_script_are_understood_and_others_are_named() {
        let text = "\\set ON_ERROR_STOP on\n\
                    select count(*) = 1 as ours from drplan.restore where attempt = 'a1' and \
                    finished_at is null \\gset\n\
                    \\if :ours\n\\else\ndo $$ begin raise exception 'taken'; end $$;\n\\endif\n\
                    \\set code `pg_restore --jobs=2 1>&2; echo $?`\n\
                    select :'code' = '0' as restored \\gset\n\
                    insert into drplan_rows select 's.It''s', count(*) from only \"s\".\"It's\";\n\
                    update drplan.restore set finished_at = clock_timestamp(), rows = (select \
                    coalesce(jsonb_object_agg(name, n), '{}') from drplan_rows) where attempt = 'a1';\n";
        let lines: Vec<Line> = read(text)
            .unwrap_or_else(|e| panic!("{e}"))
            .into_iter()
            .map(|(_, line)| line)
            .collect();
        let attempt = "a1".to_owned();
        assert_eq!(
            lines,
            [
                Line::Nothing,
                Line::AskOurs {
                    attempt: attempt.clone()
                },
                Line::If {
                    variable: "ours".to_owned()
                },
                Line::Else,
                Line::Raise {
                    message: "taken".to_owned()
                },
                Line::EndIf,
                Line::Run {
                    command: "pg_restore --jobs=2".to_owned()
                },
                Line::AskRestored,
                Line::Count {
                    name: "s.It's".to_owned(),
                    schema: "s".to_owned(),
                    table: "It's".to_owned()
                },
                Line::Finish { attempt },
            ]
        );
        let refused = read("select 1;\ndrop table x;");
        assert!(refused.is_err_and(|why| why.starts_with("line 1:")));
    }

    #[test]
    fn variables_are_put_into_commands_in_one_piece() {
        let env = BTreeMap::from([("DB".to_owned(), "dbname='a b'".to_owned())]);
        let found = words("pg_restore --dbname=\"$DB\" \"$NONE\"", &env);
        let expected = ["pg_restore", "--dbname=dbname='a b'", ""].map(str::to_owned);
        assert_eq!(found, Some(expected.to_vec()));
    }
}
