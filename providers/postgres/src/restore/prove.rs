//! Proves a restored database by reading it: marker, tables, rows, indexes, constraints.

use std::collections::BTreeSet;
use std::time::Duration;

use drplan_api::Proof;
use drplan_api::ProviderError;
use drplan_api::ReadCx;

use crate::PgConn;
use crate::archive::TableName;
use crate::client::PgClient;
use crate::marker;
use crate::sql::ident;

use super::op::RestoreOp;
use super::progress::is_ours;

/// How long counting one table may take.
const COUNT_MAX: Duration = Duration::from_secs(3600);
/// How many missing names a claim lists.
const MISSING_NAMED_MAX: usize = 5;

const TABLES: &str = "
    select n.nspname::text, c.relname::text from pg_class c
    join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p')";
const INDEXES: &str = "
    select n.nspname::text, c.relname::text from pg_index i join pg_class c on c.oid = i.indexrelid
    join pg_namespace n on n.oid = c.relnamespace where i.indisvalid and i.indisready";
const CONSTRAINTS: &str = "
    select n.nspname::text, c.relname::text || ' ' || k.conname::text from pg_constraint k
    join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace";

pub(super) async fn prove(cx: &ReadCx, op: &RestoreOp) -> Result<Proof, ProviderError> {
    let pg = cx.conn::<PgConn>("database")?;
    let mut client = pg.reader(&op.database).await?;
    client.limit(COUNT_MAX).await?;
    let found = marker::read(&client).await?;
    let ours = found.filter(|m| is_ours(m, cx, op) && m.finished_at.is_some());
    let proof = Proof::default().with(
        ours.is_some(),
        format!(
            "`{}` carries the finished marker of `{}`",
            op.database,
            op.source.url()
        ),
        "select from drplan.restore",
    );
    let (Some(marker), Some(contents)) = (ours, marker::contents(&client).await?) else {
        return Ok(proof);
    };
    let proof = all_there(
        &client,
        proof,
        "tables",
        &contents.tables,
        TABLES,
        "pg_class",
    )
    .await?;
    let indexes = &contents.indexes;
    let proof = all_there(
        &client,
        proof,
        "valid indexes",
        indexes,
        INDEXES,
        "pg_index",
    )
    .await?;
    let (constraints, from) = (&contents.constraints, "pg_constraint");
    let mut proof = all_there(
        &client,
        proof,
        "constraints",
        constraints,
        CONSTRAINTS,
        from,
    )
    .await?;
    let restored = marker.rows.unwrap_or_default();
    for table in &contents.with_data {
        proof = rows(
            &client,
            proof,
            table,
            restored.get(&table.to_string()).copied(),
        )
        .await?;
    }
    for left_out in &marker.left_out {
        proof = proof.with(true, format!("not restored: {left_out}"), "drplan.restore");
    }
    Ok(proof)
}

/// Compares names in the dump with names in the catalogue.
async fn all_there(
    client: &PgClient,
    proof: Proof,
    what: &str,
    wanted: &BTreeSet<TableName>,
    sql: &str,
    from: &str,
) -> Result<Proof, ProviderError> {
    let rows = client.rows(sql, &[], &format!("list {what}")).await?;
    let there: BTreeSet<TableName> = rows
        .iter()
        .map(|row| TableName {
            schema: row.get(0),
            name: row.get(1),
        })
        .collect();
    let missing: Vec<String> = wanted.difference(&there).map(ToString::to_string).collect();
    let mut claim = format!(
        "{} of {} {what} are there",
        wanted.len() - missing.len(),
        wanted.len()
    );
    if !missing.is_empty() {
        claim += "; missing: ";
        claim += &missing[..missing.len().min(MISSING_NAMED_MAX)].join(", ");
    }
    Ok(proof.with(missing.is_empty(), claim, format!("select from {from}")))
}

/// Counts a table. More rows than were restored mean that somebody already writes; fewer that
/// something was lost.
async fn rows(
    client: &PgClient,
    proof: Proof,
    table: &TableName,
    restored: Option<u64>,
) -> Result<Proof, ProviderError> {
    let sql = format!(
        "select count(*) from only {}.{}",
        ident(&table.schema),
        ident(&table.name)
    );
    let counted = match client
        .value::<i64>(&sql, &[], &format!("count `{table}`"))
        .await
    {
        Ok(counted) => u64::try_from(counted.unwrap_or_default()).unwrap_or_default(),
        Err(e) if e.is_transient() => return Err(e),
        Err(e) => return Ok(proof.with(false, format!("`{table}` can be counted: {e}"), sql)),
    };
    let claim = match restored {
        Some(restored) => format!("`{table}` has {counted} rows, {restored} were restored"),
        None => format!("`{table}` has {counted} rows, and it is not noted how many were restored"),
    };
    let holds = restored.is_some_and(|restored| counted >= restored);
    Ok(proof.with(holds, claim, sql))
}
