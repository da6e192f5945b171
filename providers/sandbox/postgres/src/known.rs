//! The statements that are known, and what each returns.
//!
//! A statement is matched word by word against the text that drplan sends. Holes stand for what
//! differs: `?i` a name, `?q` a name with or without its schema, `?t` a text, `?n` a number, `?l` any
//! number of texts, `?o` a comparison.

use std::sync::LazyLock;

use crate::error::SqlError;
use crate::lexer::Token;
use crate::lexer::tokens;
use crate::value::Type;

/// How much of an unknown statement its refusal repeats.
const SHOWN_CHARS_MAX: usize = 120;

/// What a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Begin,
    Commit,
    Rollback,
    Setting,
    Databases,
    Objects,
    Sessions,
    Roles,
    DatabaseExists,
    DatabaseIs,
    DatabaseOid,
    CurrentOid,
    SystemIdentifier,
    Marker,
    Contents,
    MarkerSchema,
    MarkerTable,
    MarkerComment,
    MarkerInsert,
    DatabaseSize,
    MarkerAge,
    LoadedTables,
    Encrypted,
    CreateDatabase,
    CreateDatabaseEncoded,
    CreateDatabaseOwned,
    CreateDatabaseOwnedEncoded,
    DropDatabase,
    RenameDatabase,
    Tables,
    Indexes,
    Constraints,
    Count,
    CountCompares,
    Exists,
    Always,
}

/// Names, texts and numbers that stood where the pattern has holes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holes {
    pub(crate) texts: Vec<String>,
    /// A name with its schema, if one was given.
    pub(crate) qualified: Option<(Option<String>, String)>,
    /// What `?l` stood for.
    pub(crate) list: Vec<String>,
}

/// A statement that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) known: Known,
    pub(crate) holes: Holes,
}

impl Known {
    /// Whether it changes anything.
    pub(crate) fn is_change(self) -> bool {
        self.is_outside_of_transactions()
            || matches!(
                self,
                Self::MarkerSchema
                    | Self::MarkerTable
                    | Self::MarkerComment
                    | Self::MarkerInsert
                    | Self::RenameDatabase
            )
    }

    /// Whether it cannot be part of a transaction.
    pub(crate) fn is_outside_of_transactions(self) -> bool {
        matches!(
            self,
            Self::CreateDatabase
                | Self::CreateDatabaseEncoded
                | Self::CreateDatabaseOwned
                | Self::CreateDatabaseOwnedEncoded
                | Self::DropDatabase
        )
    }

    /// The types of the parameters.
    pub(crate) fn params(self) -> &'static [Type] {
        match self {
            Self::Objects => &[Type::Int8],
            Self::Sessions | Self::DatabaseExists | Self::DatabaseOid => &[Type::Name],
            Self::DatabaseIs => &[Type::Name, Type::Oid],
            _ => &[],
        }
    }

    /// The columns of the answer.
    pub(crate) fn columns(self) -> &'static [(&'static str, Type)] {
        use Type::Bool;
        use Type::Int4;
        use Type::Int8;
        use Type::Oid;
        use Type::Text;
        match self {
            Self::Databases => &[
                ("datname", Text),
                ("case", Int8),
                ("shobj_description", Text),
            ],
            Self::Objects => &[("name", Text), ("sort", Text), ("bytes", Int8)],
            Self::Sessions => &[
                ("pid", Int4),
                ("coalesce", Text),
                ("coalesce", Text),
                ("coalesce", Text),
            ],
            Self::Roles => &[("rolname", Text)],
            Self::DatabaseExists | Self::DatabaseIs => &[("?column?", Int4)],
            Self::DatabaseOid | Self::CurrentOid => &[("oid", Oid)],
            Self::SystemIdentifier => &[("system_identifier", Text)],
            Self::Marker => &[("text", Text)],
            Self::Contents => &[("contents", Text)],
            Self::DatabaseSize => &[("pg_database_size", Int8)],
            Self::MarkerAge => &[("int8", Int8)],
            Self::LoadedTables | Self::Count => &[("count", Int8)],
            Self::Encrypted => &[("ssl", Bool)],
            Self::Tables | Self::Indexes | Self::Constraints => {
                &[("nspname", Text), ("relname", Text)]
            }
            Self::CountCompares => &[("?column?", Bool)],
            Self::Exists => &[("exists", Bool)],
            Self::Always => &[("bool", Bool)],
            _ => &[],
        }
    }
}

const PATTERNS: &[(Known, &str)] = &[
    (Known::Begin, "begin"),
    (Known::Begin, "begin read only"),
    (Known::Commit, "commit"),
    (Known::Rollback, "rollback"),
    (Known::Setting, "set statement_timeout = ?n"),
    (
        Known::Databases,
        "select d.datname::text, case when has_database_privilege(d.oid, 'connect') then \
         pg_database_size(d.oid) end, shobj_description(d.oid, 'pg_database') from pg_database d \
         where not d.datistemplate order by 1",
    ),
    (
        Known::Objects,
        r"select * from (select * from (
          select n.nspname::text || '.' || c.relname::text as name,
          case c.relkind when 'r' then 'table' when 'p' then 'table' when 'v' then 'view'
          when 'm' then 'materialized view' when 'S' then 'sequence' else 'foreign table' end as sort,
          pg_total_relation_size(c.oid) as bytes
          from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
          and n.nspname not in ('information_schema', 'drplan') and n.nspname not like 'pg\_%'
          and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass
          and d.objid = c.oid and d.deptype = 'e')
          union all select 'pg_largeobject', 'large objects', pg_total_relation_size('pg_largeobject')
          where exists (select from pg_largeobject_metadata)
          ) objects order by name limit $1) kept order by bytes desc, name",
    ),
    (
        Known::Sessions,
        "select pid, coalesce(usename, '')::text, coalesce(application_name, '')::text, \
         coalesce(client_addr::text, 'local') from pg_stat_activity where datname = $1 and pid <> \
         pg_backend_pid() and backend_type = 'client backend' order by pid",
    ),
    (
        Known::Roles,
        "select rolname::text from pg_roles order by 1",
    ),
    (
        Known::DatabaseExists,
        "select 1 from pg_database where datname = $1",
    ),
    (
        Known::DatabaseIs,
        "select 1 from pg_database where datname = $1 and oid = $2",
    ),
    (
        Known::DatabaseOid,
        "select oid from pg_database where datname = $1",
    ),
    (
        Known::CurrentOid,
        "select oid from pg_database where datname = current_database()",
    ),
    (
        Known::SystemIdentifier,
        "select system_identifier::text from pg_control_system()",
    ),
    (
        Known::Marker,
        "select (to_jsonb(r) - 'contents')::text from drplan.restore r limit 1",
    ),
    (
        Known::Contents,
        "select contents::text from drplan.restore limit 1",
    ),
    (Known::MarkerSchema, "create schema drplan"),
    (
        Known::MarkerTable,
        "create table drplan.restore (
         singleton boolean primary key default true check (singleton),
         source text not null, etag text not null,
         recovery text not null, step text not null, run text not null, want text not null,
         attempt text not null, left_out text[] not null default '{}',
         contents jsonb not null, rows jsonb,
         started_at timestamptz not null default clock_timestamp(), finished_at timestamptz)",
    ),
    (Known::MarkerComment, "comment on schema drplan is ?t"),
    (
        Known::MarkerInsert,
        "insert into drplan.restore
         (source, etag, recovery, step, run, want, attempt, contents, left_out)
         values (?t, ?t, ?t, ?t, ?t, ?t, ?t, ?t, array[?l]::text[])",
    ),
    (
        Known::DatabaseSize,
        "select pg_database_size(current_database())",
    ),
    (
        Known::MarkerAge,
        "select extract(epoch from clock_timestamp() - started_at)::bigint from drplan.restore",
    ),
    (
        Known::LoadedTables,
        "select count(*) from pg_stat_user_tables where n_tup_ins > 0 and schemaname <> 'drplan'",
    ),
    (
        Known::Encrypted,
        "select ssl from pg_stat_ssl where pid = pg_backend_pid()",
    ),
    (
        Known::CreateDatabase,
        "create database ?i template template0",
    ),
    (
        Known::CreateDatabaseEncoded,
        "create database ?i template template0 encoding ?t",
    ),
    (
        Known::CreateDatabaseOwned,
        "create database ?i template template0 owner ?i",
    ),
    (
        Known::CreateDatabaseOwnedEncoded,
        "create database ?i template template0 owner ?i encoding ?t",
    ),
    (Known::DropDatabase, "drop database ?i"),
    (Known::RenameDatabase, "alter database ?i rename to ?i"),
    (
        Known::Tables,
        "select n.nspname::text, c.relname::text from pg_class c join pg_namespace n on n.oid = \
         c.relnamespace where c.relkind in ('r', 'p')",
    ),
    (
        Known::Indexes,
        "select n.nspname::text, c.relname::text from pg_index i join pg_class c on c.oid = \
         i.indexrelid join pg_namespace n on n.oid = c.relnamespace where i.indisvalid and \
         i.indisready",
    ),
    (
        Known::Constraints,
        "select n.nspname::text, c.relname::text || ' ' || k.conname::text from pg_constraint k \
         join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace",
    ),
    (Known::Count, "select count(*) from only ?q"),
    (Known::Count, "select count(*) from ?q"),
    (Known::CountCompares, "select count(*) ?o ?n from ?q"),
    (Known::Exists, "select exists (select from ?q)"),
    (Known::Exists, "select exists (select 1 from ?q)"),
    (Known::Exists, "select exists (select * from ?q)"),
    (Known::Always, "select ?b"),
];

static LEXED: LazyLock<Vec<(Known, Vec<Token>)>> = LazyLock::new(|| {
    let lexed = PATTERNS.iter().map(|(known, text)| {
        // Every pattern lexes; a test says so.
        (*known, tokens(text).unwrap_or_default())
    });
    lexed.collect()
});

/// Understands a statement, or refuses it by name.
pub(crate) fn understand(statement: &[Token]) -> Result<Statement, SqlError> {
    let found = LEXED.iter().find_map(|(known, pattern)| {
        let holes = fit(pattern, statement)?;
        Some(Statement {
            known: *known,
            holes,
        })
    });
    found.ok_or_else(|| unknown(statement))
}

fn unknown(statement: &[Token]) -> SqlError {
    let words = statement.iter().map(|token| match token {
        Token::Word(text) | Token::Number(text) | Token::Mark(text) => text.clone(),
        Token::Name(name) => format!("\"{name}\""),
        // A text may be a secret.
        Token::Text(_) => "'…'".to_owned(),
        Token::Param(n) => format!("${n}"),
        Token::Hole(hole) => format!("?{hole}"),
    });
    let text: String = words
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(SHOWN_CHARS_MAX)
        .collect();
    SqlError::new(
        "0A000",
        format!("the rehearsal's PostgreSQL does not know this statement: {text}"),
    )
}

fn fit(pattern: &[Token], statement: &[Token]) -> Option<Holes> {
    let mut holes = Holes::default();
    let mut at = 0;
    for wanted in pattern {
        let Token::Hole(hole) = wanted else {
            if statement.get(at)? != wanted {
                return None;
            }
            at += 1;
            continue;
        };
        at += match (hole, &statement[at..]) {
            ('i', [Token::Name(name) | Token::Word(name), ..]) => {
                holes.texts.push(name.clone());
                1
            }
            ('t', [Token::Text(text), ..]) => {
                holes.texts.push(text.clone());
                1
            }
            ('n', [Token::Number(text), ..]) => {
                holes.texts.push(text.clone());
                1
            }
            ('o', [Token::Mark(mark), ..])
                if matches!(&**mark, ">" | ">=" | "<" | "<=" | "=" | "<>" | "!=") =>
            {
                holes.texts.push(mark.clone());
                1
            }
            ('b', [Token::Word(word), ..]) if matches!(&**word, "true" | "false") => {
                holes.texts.push(word.clone());
                1
            }
            ('q', rest) => qualified(rest, &mut holes)?,
            ('l', rest) => list(rest, &mut holes),
            _ => return None,
        };
    }
    (at == statement.len()).then_some(holes)
}

fn qualified(rest: &[Token], holes: &mut Holes) -> Option<usize> {
    let name = |token: &Token| match token {
        Token::Name(name) | Token::Word(name) => Some(name.clone()),
        _ => None,
    };
    let first = name(rest.first()?)?;
    match rest {
        [_, Token::Mark(dot), second, ..] if dot == "." => {
            holes.qualified = Some((Some(first), name(second)?));
            Some(3)
        }
        _ => {
            holes.qualified = Some((None, first));
            Some(1)
        }
    }
}

fn list(rest: &[Token], holes: &mut Holes) -> usize {
    let mut taken = 0;
    for token in rest {
        match token {
            Token::Text(text) => holes.list.push(text.clone()),
            Token::Mark(mark) if mark == "," => {}
            _ => break,
        }
        taken += 1;
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(sql: &str) -> Result<Statement, SqlError> {
        understand(&tokens(sql)?)
    }

    #[test]
    fn every_pattern_is_understood_as_itself() {
        for (known, pattern) in PATTERNS {
            let lexed = tokens(pattern);
            assert!(lexed.as_ref().is_ok_and(|t| !t.is_empty()), "{known:?}");
        }
    }

    #[test]
    fn names_and_texts_are_taken_out_of_statements() {
        let rename = known("alter database \"a b\" rename to \"c\"").map(|s| s.holes.texts);
        assert_eq!(rename, Ok(vec!["a b".to_owned(), "c".to_owned()]));
        let count = known("select count(*) > 0 from Sales.\"Orders\"").map(|s| s.holes);
        let count = count.unwrap_or_default();
        assert_eq!(count.texts, [">", "0"]);
        let name = (Some("sales".to_owned()), "Orders".to_owned());
        assert_eq!(count.qualified, Some(name));
    }

    #[test]
    fn what_is_not_known_is_refused_and_texts_are_not_repeated() {
        let refused = known("select pg_sleep('secret')")
            .err()
            .unwrap_or_else(|| SqlError::new("", ""));
        assert_eq!(refused.code, "0A000");
        assert!(
            refused
                .message
                .contains("does not know this statement: select pg_sleep")
        );
        assert!(!refused.message.contains("secret"));
        assert!(known("select count(*) > 0 from a where b").is_err());
    }
}
