//! What each known statement does and returns.

use std::collections::BTreeSet;

use drplan_api::Json;
use drplan_api::Timestamp;

use crate::error::SqlError;
use crate::known::Known;
use crate::known::Statement;
use crate::state::State;
use crate::value::Value;

/// The schemas in which users keep nothing.
pub(crate) const MARKER_SCHEMA: &str = "drplan";

/// Who runs a statement, where and when.
pub(crate) struct Cx<'a> {
    pub(crate) pid: i32,
    pub(crate) user: &'a str,
    pub(crate) database: &'a str,
    pub(crate) now: Timestamp,
    pub(crate) system_identifier: u64,
}

/// What a statement returned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<Vec<Value>>,
    pub(crate) tag: &'static str,
}

/// Runs a statement.
pub(crate) fn execute(
    state: &mut State,
    cx: &Cx<'_>,
    statement: &Statement,
    params: &[Value],
) -> Result<Answer, SqlError> {
    if let Some(tag) = change(state, cx, statement)? {
        return Ok(Answer {
            rows: Vec::new(),
            tag,
        });
    }
    Ok(Answer {
        rows: read(state, cx, statement, params)?,
        tag: "SELECT",
    })
}

fn hole(statement: &Statement, n: usize) -> &str {
    statement.holes.texts.get(n).map_or("", String::as_str)
}

/// Runs a statement that changes something; nothing if it is none of those.
fn change(
    state: &mut State,
    cx: &Cx<'_>,
    statement: &Statement,
) -> Result<Option<&'static str>, SqlError> {
    let (first, second, third) = (hole(statement, 0), hole(statement, 1), hole(statement, 2));
    Ok(Some(match statement.known {
        Known::Begin => "BEGIN",
        Known::Commit => "COMMIT",
        Known::Rollback => "ROLLBACK",
        Known::Setting => "SET",
        Known::MarkerSchema => {
            let database = state.database_mut(cx.database)?;
            if !database.schemas.insert(MARKER_SCHEMA.to_owned()) {
                return Err(SqlError::new("42P06", "schema \"drplan\" already exists"));
            }
            "CREATE SCHEMA"
        }
        Known::MarkerTable => {
            let database = state.database_mut(cx.database)?;
            if !database.schemas.contains(MARKER_SCHEMA) {
                return Err(SqlError::no_schema(MARKER_SCHEMA));
            }
            database.marker_table = true;
            "CREATE TABLE"
        }
        Known::MarkerComment => "COMMENT",
        Known::MarkerInsert => {
            let Statement { holes, .. } = statement;
            state.insert_marker(cx.database, &holes.texts, &holes.list, cx.now)?;
            "INSERT 0 1"
        }
        Known::CreateDatabase => {
            state.create_database(cx.user, first, None, None)?;
            "CREATE DATABASE"
        }
        Known::CreateDatabaseEncoded => {
            state.create_database(cx.user, first, None, Some(second))?;
            "CREATE DATABASE"
        }
        Known::CreateDatabaseOwned => {
            state.create_database(cx.user, first, Some(second), None)?;
            "CREATE DATABASE"
        }
        Known::CreateDatabaseOwnedEncoded => {
            state.create_database(cx.user, first, Some(second), Some(third))?;
            "CREATE DATABASE"
        }
        Known::DropDatabase => {
            state.drop_database(cx.pid, first)?;
            "DROP DATABASE"
        }
        Known::RenameDatabase => {
            state.rename_database(cx.pid, first, second)?;
            "ALTER DATABASE"
        }
        _ => return Ok(None),
    }))
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn one(value: Value) -> Vec<Vec<Value>> {
    vec![vec![value]]
}

fn read(
    state: &State,
    cx: &Cx<'_>,
    statement: &Statement,
    params: &[Value],
) -> Result<Vec<Vec<Value>>, SqlError> {
    let database = state.database(cx.database)?;
    let named = || {
        state
            .databases
            .get(params.first().map_or("", Value::as_text))
    };
    Ok(match statement.known {
        Known::Databases => databases(state),
        Known::Roles => state.roles.keys().map(|name| vec![text(name)]).collect(),
        Known::Sessions => sessions(state, cx, params),
        Known::DatabaseExists => named().map(|_| vec![Value::Int4(1)]).into_iter().collect(),
        Known::DatabaseOid => named()
            .map(|d| vec![Value::Oid(d.oid)])
            .into_iter()
            .collect(),
        Known::DatabaseIs => named()
            .filter(|d| params.get(1) == Some(&Value::Oid(d.oid)))
            .map(|_| vec![Value::Int4(1)])
            .into_iter()
            .collect(),
        Known::CurrentOid => one(Value::Oid(database.oid)),
        Known::SystemIdentifier => {
            let role = state.roles.get(cx.user);
            if !role.is_some_and(|role| role.superuser) {
                return Err(SqlError::new(
                    "42501",
                    "permission denied for function pg_control_system",
                ));
            }
            one(text(&cx.system_identifier.to_string()))
        }
        Known::Objects => objects(state, cx, params)?,
        Known::Marker => {
            let row = database.marker_rows()?.map(|marker| {
                let mut shown = marker.clone();
                if let Some(fields) = shown.as_object_mut() {
                    fields.remove("contents");
                }
                vec![text(&shown.to_string())]
            });
            row.into_iter().collect()
        }
        Known::Contents => {
            let row = database.marker_rows()?;
            row.map(|marker| vec![text(&marker["contents"].to_string())])
                .into_iter()
                .collect()
        }
        Known::MarkerAge => {
            database.marker_rows()?;
            let began = database.started_at();
            let age = began.map(|began| cx.now.duration_since(began).as_secs());
            age.map(|age| vec![Value::Int8(age)]).into_iter().collect()
        }
        Known::DatabaseSize => one(Value::count(database.bytes())),
        Known::LoadedTables => {
            let tables = database.relations.values();
            one(Value::count(tables.filter(|r| r.rows > 0).count() as u64))
        }
        Known::Encrypted => one(Value::Bool(false)),
        Known::Tables => {
            let mut found = pairs(
                database
                    .relations
                    .iter()
                    .filter(|(_, r)| r.kind == crate::database::RelationKind::Table)
                    .map(|(name, _)| name),
            );
            if database.marker_table {
                found.push(vec![text(MARKER_SCHEMA), text("restore")]);
            }
            found
        }
        Known::Indexes => pairs(database.indexes.iter()),
        Known::Constraints => pairs(database.constraints.iter()),
        Known::Count | Known::CountCompares | Known::Exists => counted(state, cx, statement)?,
        Known::Always => one(Value::Bool(hole(statement, 0) == "true")),
        _ => Vec::new(),
    })
}

fn pairs<'a>(names: impl Iterator<Item = &'a (String, String)>) -> Vec<Vec<Value>> {
    names
        .map(|(schema, name)| vec![text(schema), text(name)])
        .collect()
}

fn databases(state: &State) -> Vec<Vec<Value>> {
    let users = state.databases.iter().filter(|(_, d)| !d.is_template);
    users
        .map(|(name, d)| {
            let comment = match name.as_str() {
                "postgres" => text("default administrative connection database"),
                _ => Value::Null,
            };
            vec![text(name), Value::count(d.bytes()), comment]
        })
        .collect()
}

fn sessions(state: &State, cx: &Cx<'_>, params: &[Value]) -> Vec<Vec<Value>> {
    let database = params.first().map_or("", Value::as_text);
    let others = state.sessions.iter();
    others
        .filter(|(pid, session)| **pid != cx.pid && session.database == database)
        .map(|(pid, session)| {
            vec![
                Value::Int4(*pid),
                text(&session.user),
                text(&session.application),
                text("local"),
            ]
        })
        .collect()
}

fn objects(state: &State, cx: &Cx<'_>, params: &[Value]) -> Result<Vec<Vec<Value>>, SqlError> {
    let database = state.database(cx.database)?;
    let limit = match params.first() {
        Some(Value::Int8(n)) => usize::try_from(*n).unwrap_or_default(),
        _ => usize::MAX,
    };
    let mut found: BTreeSet<(String, &'static str, u64)> = database
        .relations
        .iter()
        .map(|((schema, name), r)| (format!("{schema}.{name}"), r.kind.word(), r.bytes()))
        .collect();
    if database.large_objects > 0 {
        let bytes = database.large_objects.saturating_mul(8192);
        found.insert(("pg_largeobject".to_owned(), "large objects", bytes));
    }
    let mut kept: Vec<_> = found.into_iter().take(limit).collect();
    kept.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.0.cmp(&b.0)));
    Ok(kept
        .into_iter()
        .map(|(name, sort, bytes)| vec![Value::Text(name), text(sort), Value::count(bytes)])
        .collect())
}

/// The questions about how many rows a table has.
fn counted(state: &State, cx: &Cx<'_>, statement: &Statement) -> Result<Vec<Vec<Value>>, SqlError> {
    let database = state.database(cx.database)?;
    let Some((schema, name)) = &statement.holes.qualified else {
        return Ok(Vec::new());
    };
    let rows = database.relation(schema.as_deref(), name)?.rows;
    let asked: u64 = hole(statement, 1).parse().unwrap_or_default();
    Ok(one(match (statement.known, hole(statement, 0)) {
        (Known::Count, _) => Value::count(rows),
        (Known::Exists, _) | (_, "") => Value::Bool(rows > 0),
        (_, ">") => Value::Bool(rows > asked),
        (_, ">=") => Value::Bool(rows >= asked),
        (_, "<") => Value::Bool(rows < asked),
        (_, "<=") => Value::Bool(rows <= asked),
        (_, "=") => Value::Bool(rows == asked),
        (_, _) => Value::Bool(rows != asked),
    }))
}

/// Finishes the marker of a restore, as the script's last statement does.
pub(crate) fn finish(
    state: &mut State,
    database: &str,
    attempt: &str,
    rows: &Json,
    now: Timestamp,
) -> Result<(), SqlError> {
    let database = state.database_mut(database)?;
    database.marker_rows()?;
    if let Some(marker) = database.marker.as_mut()
        && marker["attempt"] == attempt
    {
        marker["finished_at"] = now.to_string().into();
        marker["rows"] = rows.clone();
    }
    Ok(())
}
