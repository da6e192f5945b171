//! Effect 1: gives the prepared database its final name, in one transaction with renaming aside what
//! has that name.

use drplan_api::ErrorKind;
use drplan_api::Landed;
use drplan_api::Progress;
use drplan_api::ProviderError;
use drplan_api::ReadCx;
use drplan_api::WriteCx;

use crate::PgConn;
use crate::catalogue;
use crate::client::PgClient;
use crate::sql::ident;

use super::op::Replaces;
use super::op::RestoreOp;
use super::op::application;
use super::progress::Staging;
use super::progress::in_place;
use super::progress::staging;

/// How many sessions in the way an error names.
const SESSIONS_NAMED_MAX: usize = 5;

pub(super) async fn begin(cx: &WriteCx, op: &RestoreOp) -> Result<(), ProviderError> {
    let pg = cx.conn::<PgConn>("database")?;
    let refused = |why: String| {
        ProviderError::new(
            ErrorKind::Conflict,
            format!("rename database `{}` to `{}`", op.staging, op.database),
            pg.config().place(),
        )
        .because(why)
    };
    match staging(cx, pg, op).await? {
        Staging::Ours { marker, .. } if marker.finished_at.is_some() => {}
        Staging::Absent if in_place(cx, pg, op).await? => return Ok(()),
        Staging::Absent => return Err(refused("it is not there".to_owned())),
        Staging::Bare => return Err(refused("it is empty".to_owned())),
        Staging::Foreign(why) => return Err(refused(why)),
        Staging::Ours { .. } => return Err(refused("it is not finished".to_owned())),
    }
    let maintenance = pg
        .maintenance(&op.database, &application(&cx.recovery, &cx.address))
        .await?;
    let occupied = catalogue::exists(&maintenance, &op.database).await?;
    if occupied && op.replaces == Replaces::Empty {
        check_empty(pg, op).await.map_err(|e| match e {
            Occupied::Objects(names) => refused(format!(
                "`{}` was empty or missing when it was planned and now holds {names}",
                op.database
            ))
            .hint("plan again"),
            Occupied::Unreadable(error) => error,
        })?;
    }
    let during = format!("rename database `{}` to `{}`", op.staging, op.database);
    match maintenance.run(&statements(op, occupied), &during).await {
        Err(e) if e.kind == ErrorKind::Conflict => Err(explain(&maintenance, op, e).await),
        done => done,
    }
}

fn statements(op: &RestoreOp, occupied: bool) -> String {
    let rename =
        |from: &str, to: &str| format!("alter database {} rename to {};", ident(from), ident(to));
    let mut sql = "begin;".to_owned();
    if occupied {
        sql += &rename(&op.database, &op.aside);
    }
    sql += &rename(&op.staging, &op.database);
    sql += "commit";
    sql
}

enum Occupied {
    Objects(String),
    Unreadable(ProviderError),
}

async fn check_empty(pg: &PgConn, op: &RestoreOp) -> Result<(), Occupied> {
    let read = async {
        let client = pg.reader(&op.database).await?;
        catalogue::objects(&client).await
    };
    let objects = read.await.map_err(Occupied::Unreadable)?;
    let names: Vec<&str> = objects
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|object| object["name"].as_str())
        .take(SESSIONS_NAMED_MAX)
        .collect();
    match names.is_empty() {
        true => Ok(()),
        false => Err(Occupied::Objects(names.join(", "))),
    }
}

/// Names the sessions that keep a database from being renamed.
async fn explain(client: &PgClient, op: &RestoreOp, error: ProviderError) -> ProviderError {
    // The transaction that failed is still open.
    client
        .run("rollback", "end a failed transaction")
        .await
        .ok();
    let mut names = Vec::new();
    for database in [&op.database, &op.staging] {
        for session in catalogue::sessions(client, database)
            .await
            .unwrap_or_default()
        {
            names.push(format!("`{database}`: {session}"));
        }
    }
    if names.is_empty() {
        return error;
    }
    names.truncate(SESSIONS_NAMED_MAX);
    error
        .because(format!("connected to {}", names.join("; ")))
        .hint(
            "stop what is connected, for instance SELECT pg_terminate_backend(PROCESS), and go on",
        )
}

pub(super) async fn probe(cx: &ReadCx, op: &RestoreOp) -> Result<Landed, ProviderError> {
    let pg = cx.conn::<PgConn>("database")?;
    Ok(match in_place(cx, pg, op).await? {
        true => Landed::Yes,
        false => Landed::No,
    })
}

pub(super) async fn poll(cx: &ReadCx, op: &RestoreOp) -> Result<Progress, ProviderError> {
    let pg = cx.conn::<PgConn>("database")?;
    Ok(match in_place(cx, pg, op).await? {
        true => Progress::Done,
        false => Progress::Failed {
            because: format!("database `{}` is not the restored one", op.database).into(),
            retry: true,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::op::Source;

    #[test]
    fn renaming_is_one_transaction() {
        let op = RestoreOp {
            database: "shop".to_owned(),
            staging: "shop_drplan_1".to_owned(),
            aside: "shop-aside-1".to_owned(),
            replaces: Replaces::Empty,
            owner: None,
            jobs: 2,
            source: Source {
                bucket: "b".to_owned(),
                key: "k".to_owned(),
                etag: "e".to_owned(),
                bytes: 1,
                tables: 1,
            },
            want: "1".to_owned(),
        };
        assert_eq!(
            statements(&op, true),
            "begin;alter database \"shop\" rename to \"shop-aside-1\";\
             alter database \"shop_drplan_1\" rename to \"shop\";commit"
        );
        assert!(!statements(&op, false).contains("aside"));
    }
}
