//! Restoring an archive: the simulated `pg_restore`.
//!
//! Its messages are those of the real one, word by word where the provider reads them.
//!
//! # Source
//!
//! What `pg_restore` of PostgreSQL 15 printed; its output is kept beside the tests.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;

use crate::archive::Archive;
use crate::archive::ArchiveError;
use crate::archive::Copied;
use crate::archive::Entry;
use crate::archive::Section;
use crate::database::RelationKind;
use crate::error::SqlError;
use crate::lexer::Token;
use crate::lexer::statements;
use crate::server::Server;
use crate::state::State;

/// Entries that a restore into an existing database passes over.
const SETTINGS: [&str; 5] = [
    "ENCODING",
    "STDSTRINGS",
    "SEARCHPATH",
    "DATABASE",
    "DATABASE PROPERTIES",
];

/// What a restore was asked to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) verbose: bool,
    pub(crate) exit_on_error: bool,
    pub(crate) no_owner: bool,
    pub(crate) no_privileges: bool,
    pub(crate) jobs: usize,
    pub(crate) role: Option<String>,
    /// The numbers of the entries to restore, if not all, in their order.
    pub(crate) only: Option<Vec<i64>>,
}

/// Where a restore goes.
pub(crate) struct Target<'a> {
    pub(crate) server: &'a Server,
    pub(crate) database: &'a str,
}

/// Takes the lines that a program says.
pub(crate) type Said<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// When an entry is restored: statements before the data, the data, statements behind it, privileges,
/// and last what reads the data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pass {
    Before,
    Data,
    After,
    Privileges,
    Refresh,
}

fn pass(entry: &Entry) -> Pass {
    match (entry.desc.as_str(), entry.section) {
        ("ACL" | "DEFAULT ACL", _) => Pass::Privileges,
        ("MATERIALIZED VIEW DATA", _) => Pass::Refresh,
        (_, Section::None | Section::Before) => Pass::Before,
        (_, Section::Data) => Pass::Data,
        (_, Section::After) => Pass::After,
    }
}

/// Puts an archive into a database without time passing or anybody being told.
pub(crate) fn at_once(
    server: &Server,
    database: &str,
    archive: &Archive,
) -> Result<(), ArchiveError> {
    let mut copy = server.state().clone();
    let asked = Asked {
        no_owner: true,
        ..Asked::default()
    };
    for entry in chosen(archive, &asked) {
        let copied = archive.data.get(&entry.id);
        apply(server, &mut copy, database, entry, copied, &asked)?;
    }
    *server.state() = copy;
    Ok(())
}

/// The entries to restore, in the order of their passes.
fn chosen<'a>(archive: &'a Archive, asked: &Asked) -> Vec<&'a Entry> {
    let by_id: BTreeMap<i64, &Entry> = archive.entries.iter().map(|e| (e.id, e)).collect();
    let mut chosen: Vec<&Entry> = match &asked.only {
        None => archive.entries.iter().collect(),
        Some(only) => only
            .iter()
            .filter_map(|id| by_id.get(id).copied())
            .collect(),
    };
    chosen.retain(|entry| {
        let privileges = matches!(entry.desc.as_str(), "ACL" | "DEFAULT ACL");
        !(SETTINGS.contains(&entry.desc.as_str()) || privileges && asked.no_privileges)
    });
    chosen.sort_by_key(|entry| pass(entry));
    chosen
}

/// Restores an archive as the program does, and returns its exit code.
pub(crate) async fn run(
    target: &Target<'_>,
    archive: &Archive,
    asked: &Asked,
    said: Said<'_>,
) -> i32 {
    let verbose = |line: String| {
        if asked.verbose {
            said(&line);
        }
    };
    let server = target.server;
    verbose("pg_restore: connecting to database for restore".to_owned());
    if let Some(role) = &asked.role
        && !server.state().roles.contains_key(role)
    {
        let refused = SqlError::no_role(role);
        said(&format!(
            "pg_restore: error: could not execute query: ERROR:  {}\nCommand was: SET ROLE {role};",
            refused.message
        ));
        return 1;
    }
    let all = chosen(archive, asked);
    let (before, rest): (Vec<&Entry>, Vec<&Entry>) = all
        .into_iter()
        .partition(|entry| pass(entry) == Pass::Before);
    let mut ignored = 0;
    let parallel = asked.jobs > 1;
    for entry in before {
        if parallel {
            verbose(format!(
                "pg_restore: processing item {} {} {}",
                entry.id, entry.desc, entry.tag
            ));
        }
        match one(target, archive, asked, entry, said).await {
            Ok(()) => {}
            Err(()) if asked.exit_on_error => return 1,
            Err(()) => ignored += 1,
        }
    }
    if parallel {
        verbose("pg_restore: entering main parallel loop".to_owned());
    }
    match behind(target, archive, asked, rest, said).await {
        Some(more) => ignored += more,
        None => return 1,
    }
    if parallel {
        verbose("pg_restore: finished main parallel loop".to_owned());
    }
    if ignored > 0 {
        said(&format!(
            "pg_restore: warning: errors ignored on restore: {ignored}"
        ));
        return 1;
    }
    0
}

/// Restores what is not before the data, as many entries at once as there are jobs, and returns how
/// many failed, or nothing if the first failure ends all.
async fn behind(
    target: &Target<'_>,
    archive: &Archive,
    asked: &Asked,
    rest: Vec<&Entry>,
    said: Said<'_>,
) -> Option<usize> {
    let parallel = asked.jobs > 1;
    let mut ignored = 0;
    // What is behind the data may depend on all of it, so that passes do not overlap.
    for of_pass in [Pass::Data, Pass::After, Pass::Privileges, Pass::Refresh] {
        let mut entries: Vec<&Entry> = rest
            .iter()
            .copied()
            .filter(|e| pass(e) == of_pass)
            .collect();
        if parallel && of_pass == Pass::Data {
            // The largest first, so that no job works alone at the end.
            let bytes = |e: &&Entry| archive.data.get(&e.id).map_or(0, |copied| copied.bytes);
            entries.sort_by_key(|entry| std::cmp::Reverse(bytes(entry)));
        }
        let mut all = Vec::new();
        for entry in entries {
            all.push(item(target, archive, asked, entry, said));
        }
        let work = futures::stream::iter(all).buffer_unordered(asked.jobs.max(1));
        let mut work = std::pin::pin!(work);
        while let Some(done) = work.next().await {
            if done.is_err() {
                if asked.exit_on_error {
                    return None;
                }
                ignored += 1;
            }
        }
    }
    Some(ignored)
}

/// Restores one entry that may run beside others, and says when it begins and ends.
async fn item(
    target: &Target<'_>,
    archive: &Archive,
    asked: &Asked,
    entry: &Entry,
    said: Said<'_>,
) -> Result<(), ()> {
    let note = |what: &str| {
        if asked.jobs > 1 && asked.verbose {
            said(&format!(
                "pg_restore: {what} item {} {} {}",
                entry.id, entry.desc, entry.tag
            ));
        }
    };
    note("launching");
    let done = one(target, archive, asked, entry, said).await;
    note("finished");
    done
}

/// Restores one entry, says so, and lets its time pass.
async fn one(
    target: &Target<'_>,
    archive: &Archive,
    asked: &Asked,
    entry: &Entry,
    said: Said<'_>,
) -> Result<(), ()> {
    let copied = archive.data.get(&entry.id);
    if asked.verbose {
        for line in announced(entry, copied) {
            said(&line);
        }
    }
    tokio::time::sleep(time(target.server, copied)).await;
    let mut state = target.server.state();
    let done = apply(
        target.server,
        &mut state,
        target.database,
        entry,
        copied,
        asked,
    );
    drop(state);
    done.map_err(|error| {
        if asked.verbose {
            said("pg_restore: while PROCESSING TOC:");
            if let ArchiveError::Refused { entry, .. } = &error {
                said(&format!("pg_restore: from TOC entry {entry}"));
            }
        }
        said(&format!("pg_restore: error: {error}"));
    })
}

/// How long one entry takes.
fn time(server: &Server, copied: Option<&Copied>) -> Duration {
    let pace = server.options().pace;
    let time = match copied {
        Some(copied) => pace.entry + pace.data(copied.bytes),
        None => pace.entry,
    };
    time.max(Duration::from_micros(1))
}

/// How long a restore takes at least.
pub(crate) fn time_min(server: &Server, archive: &Archive, asked: &Asked) -> Duration {
    let all = chosen(archive, asked);
    let times = all.iter().map(|e| time(server, archive.data.get(&e.id)));
    let jobs = u32::try_from(asked.jobs.max(1)).unwrap_or(u32::MAX);
    times.sum::<Duration>() / jobs
}

fn announced(entry: &Entry, copied: Option<&Copied>) -> Vec<String> {
    let name = match &entry.namespace {
        Some(namespace) => format!("{namespace}.{}", entry.tag),
        None => entry.tag.clone(),
    };
    match entry.desc.as_str() {
        "TABLE DATA" => vec![format!("pg_restore: processing data for table \"{name}\"")],
        "BLOBS" => {
            let count = copied.map_or(0, |copied| copied.large_objects);
            let objects = if count == 1 { "object" } else { "objects" };
            vec![
                "pg_restore: processing BLOBS".to_owned(),
                format!("pg_restore: restored {count} large {objects}"),
            ]
        }
        "BLOB" | "SEQUENCE SET" => {
            vec![format!(
                "pg_restore: executing {} {}",
                entry.desc, entry.tag
            )]
        }
        _ => vec![format!("pg_restore: creating {}", entry.title())],
    }
}

/// Does to a database what an entry says.
fn apply(
    server: &Server,
    state: &mut State,
    database: &str,
    entry: &Entry,
    copied: Option<&Copied>,
    asked: &Asked,
) -> Result<(), ArchiveError> {
    let done = make(server, state, database, entry, copied);
    let done = done.and_then(|()| {
        if asked.no_owner || entry.owner.is_empty() || state.roles.contains_key(&entry.owner) {
            Ok(())
        } else {
            Err(SqlError::no_role(&entry.owner))
        }
    });
    done.map_err(|refused| ArchiveError::Refused {
        command: match entry.section {
            Section::Data => entry.copy.clone(),
            _ => entry.definition.clone(),
        },
        entry: entry.place_of_error(),
        refused,
    })
}

fn make(
    server: &Server,
    state: &mut State,
    database: &str,
    entry: &Entry,
    copied: Option<&Copied>,
) -> Result<(), SqlError> {
    if matches!(entry.desc.as_str(), "ACL" | "DEFAULT ACL") {
        let named = granted(&entry.definition)?;
        if let Some(missing) = named.iter().find(|role| !state.roles.contains_key(*role)) {
            return Err(SqlError::no_role(missing));
        }
        state.database_mut(database)?.granted.extend(named);
        return Ok(());
    }
    let kept = state.database_mut(database)?;
    let schema = entry
        .namespace
        .clone()
        .unwrap_or_else(|| "public".to_owned());
    let kind = match entry.desc.as_str() {
        "TABLE" => Some(RelationKind::Table),
        "VIEW" => Some(RelationKind::View),
        "MATERIALIZED VIEW" => Some(RelationKind::MaterializedView),
        "SEQUENCE" => Some(RelationKind::Sequence),
        "FOREIGN TABLE" => Some(RelationKind::ForeignTable),
        _ => None,
    };
    if let Some(kind) = kind {
        return kept.create(&schema, &entry.tag, kind);
    }
    match entry.desc.as_str() {
        "SCHEMA" => {
            if !kept.schemas.insert(entry.tag.clone()) {
                return Err(SqlError::new(
                    "42P06",
                    format!("schema \"{}\" already exists", entry.tag),
                ));
            }
        }
        "EXTENSION" => {
            if !server.options().extensions.contains(&entry.tag) {
                return Err(SqlError::new(
                    "0A000",
                    format!("extension \"{}\" is not available", entry.tag),
                ));
            }
            kept.extensions.insert(entry.tag.clone());
        }
        "TABLE DATA" => {
            kept.relation(Some(&schema), &entry.tag)?;
            let key = (schema, entry.tag.clone());
            if let (Some(table), Some(copied)) = (kept.relations.get_mut(&key), copied) {
                table.rows += copied.rows;
                table.data_bytes += copied.bytes;
                table.sha256.clone_from(&copied.sha256);
            }
        }
        "BLOBS" => kept.large_objects += copied.map_or(0, |copied| copied.large_objects),
        "INDEX" => {
            let key = (schema, entry.tag.clone());
            if kept.relations.contains_key(&key) || !kept.indexes.insert(key) {
                return Err(SqlError::new(
                    "42P07",
                    format!("relation \"{}\" already exists", entry.tag),
                ));
            }
        }
        "CONSTRAINT" | "FK CONSTRAINT" | "CHECK CONSTRAINT" => {
            if entry.desc == "CONSTRAINT"
                && let Some((_, index)) = entry.tag.split_once(' ')
            {
                kept.indexes.insert((schema.clone(), index.to_owned()));
            }
            kept.constraints.insert((schema, entry.tag.clone()));
        }
        // They change nothing that anybody here asks about.
        "BLOB" | "SEQUENCE SET" | "MATERIALIZED VIEW DATA" | "COMMENT" => {}
        _ => {
            kept.others.insert(entry.title());
        }
    }
    Ok(())
}

/// The roles that the statements of an entry grant to, revoke from or speak for.
fn granted(definition: &str) -> Result<Vec<String>, SqlError> {
    let mut roles = Vec::new();
    for statement in statements(definition)? {
        for two in statement.windows(2) {
            let before =
                matches!(&two[0], Token::Word(w) if matches!(&**w, "to" | "from" | "role"));
            let name = match &two[1] {
                Token::Name(name) | Token::Word(name) if before => name,
                _ => continue,
            };
            if !matches!(&**name, "public" | "group" | "role" | "current_user") {
                roles.push(name.clone());
            }
        }
    }
    Ok(roles)
}
