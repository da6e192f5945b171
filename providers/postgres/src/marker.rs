//! The table `drplan.restore`, by which a database says which dump it came from and whether it is
//! whole.
//!
//! It is written before anything else into a database and is the only thing that later looks trust.

use std::collections::BTreeMap;

use drplan_api::ErrorKind;
use drplan_api::ProviderError;
use serde::Deserialize;
use serde::Serialize;

use crate::archive::Summary;
use crate::client::PgClient;
use crate::sql::literal;

const MAKE: &str = "
    create schema drplan;
    create table drplan.restore (
        singleton boolean primary key default true check (singleton),
        source text not null, etag text not null,
        recovery text not null, step text not null, run text not null, want text not null,
        attempt text not null, left_out text[] not null default '{}',
        contents jsonb not null, rows jsonb,
        started_at timestamptz not null default clock_timestamp(), finished_at timestamptz);
    comment on schema drplan is 'where this database was restored from';";

/// What the marker says, without the contents of the dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    /// The dump: `s3://bucket/key`.
    pub(crate) source: String,
    /// The dump's ETag.
    pub(crate) etag: String,
    /// The recovery.
    pub(crate) recovery: String,
    /// The address of the resource.
    pub(crate) step: String,
    /// The run.
    pub(crate) run: String,
    /// The hash of the want.
    pub(crate) want: String,
    /// Which start of the program it belongs to.
    pub(crate) attempt: String,
    /// Sorts of things that were not restored, each with its reason.
    #[serde(default)]
    pub(crate) left_out: Vec<String>,
    /// When restoring began.
    pub(crate) started_at: String,
    /// When everything was there, counted and analysed.
    pub(crate) finished_at: Option<String>,
    /// Rows of each table with data when it was finished.
    pub(crate) rows: Option<BTreeMap<String, u64>>,
}

/// Reads the marker of a database, if it has one.
pub(crate) async fn read(client: &PgClient) -> Result<Option<Marker>, ProviderError> {
    let sql = "select (to_jsonb(r) - 'contents')::text from drplan.restore r limit 1";
    let Some(text) = text(client, sql).await? else {
        return Ok(None);
    };
    // A table of that name that is no marker of this form is somebody else's.
    Ok(serde_json::from_str(&text).ok())
}

/// Reads what the restored dump contained.
pub(crate) async fn contents(client: &PgClient) -> Result<Option<Summary>, ProviderError> {
    let text = text(client, "select contents::text from drplan.restore limit 1").await?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

async fn text(client: &PgClient, sql: &str) -> Result<Option<String>, ProviderError> {
    match client.value::<String>(sql, &[], "read the marker").await {
        Err(e) if e.kind == ErrorKind::NotFound => Ok(None),
        other => other,
    }
}

/// Writes the marker into a new database; nothing else may be there yet.
pub(crate) async fn write(
    client: &PgClient,
    marker: &Marker,
    contents: &Summary,
) -> Result<(), ProviderError> {
    let contents = serde_json::to_string(contents).unwrap_or_default();
    let left_out: Vec<String> = marker.left_out.iter().map(|text| literal(text)).collect();
    let values: Vec<String> = [
        &marker.source,
        &marker.etag,
        &marker.recovery,
        &marker.step,
        &marker.run,
        &marker.want,
        &marker.attempt,
        &contents,
    ]
    .iter()
    .map(|text| literal(text))
    .collect();
    let sql = format!(
        "begin;{MAKE}
        insert into drplan.restore
            (source, etag, recovery, step, run, want, attempt, contents, left_out)
        values ({}, array[{}]::text[]); commit",
        values.join(", "),
        left_out.join(", ")
    );
    client.run(&sql, "write the marker").await
}
