//! How far a restore is: from the staging database, the server's sessions and, where they are, the
//! traces of the program.

use std::path::Path;
use std::time::Duration;

use drplan_api::Because;
use drplan_api::ErrorKind;
use drplan_api::Landed;
use drplan_api::Progress;
use drplan_api::ProviderError;
use drplan_api::ReadCx;
use drplan_api::process::Detached;
use drplan_api::process::Traces;

use crate::PgConn;
use crate::catalogue;
use crate::catalogue::Session;
use crate::client::PgClient;
use crate::marker;
use crate::marker::Marker;

use super::decide::size;
use super::op::RestoreOp;
use super::op::application;
use super::script::TOOL_FAILED;

/// When to ask again while a small dump would still be at work.
const AGAIN_SOON: Duration = Duration::from_millis(250);
/// When to ask again later; each question takes connections of the server that is restoring.
const AGAIN_LATER: Duration = Duration::from_secs(3);
/// How long a restore is asked about often.
const SOON_FOR: Duration = Duration::from_secs(10);
/// How many lines of a failed program's errors are kept.
const ERROR_LINES_MAX: usize = 12;
/// The most that is read of a program's messages, in bytes.
const MESSAGES_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What the staging database is.
pub(super) enum Staging {
    /// It is not there.
    Absent,
    /// It is there and nothing is in it: whoever made it ended before the marker was written.
    Bare,
    /// A database of that name carries no marker of this step.
    Foreign(String),
    /// It carries the marker of this step and this dump.
    Ours {
        marker: Box<Marker>,
        /// Sessions of the program.
        workers: Vec<Session>,
        /// The identity of the database, which a later one of the same name does not share.
        oid: u32,
    },
}

/// Names the files that the program writes.
pub(super) fn traces(work_dir: &Path) -> Traces {
    Traces::in_dir(work_dir, "restore")
}

/// Tells whether a marker is the one that this step writes for this dump.
pub(super) fn is_ours(marker: &Marker, cx: &ReadCx, op: &RestoreOp) -> bool {
    marker.recovery == cx.recovery
        && marker.step == cx.address.as_str()
        && marker.source == op.source.url()
        && marker.etag == op.source.etag
}

/// Looks at the staging database.
pub(super) async fn staging(
    cx: &ReadCx,
    pg: &PgConn,
    op: &RestoreOp,
) -> Result<Staging, ProviderError> {
    let maintenance = pg.maintenance(&op.staging, "drplan").await?;
    let sql = "select oid from pg_database where datname = $1";
    let during = "look for the staging database";
    let Some(oid) = maintenance
        .value::<u32>(sql, &[&op.staging], during)
        .await?
    else {
        return Ok(Staging::Absent);
    };
    let mut workers = catalogue::sessions(&maintenance, &op.staging).await?;
    let name = application(&cx.recovery, &cx.address);
    workers.retain(|session| session.application == name);
    let client = pg.reader(&op.staging).await?;
    Ok(match marker::read(&client).await? {
        Some(marker) if is_ours(&marker, cx, op) => Staging::Ours {
            marker: Box::new(marker),
            workers,
            oid,
        },
        Some(marker) => Staging::Foreign(format!(
            "database `{}` carries the marker of `{}` of recovery `{}` for `{}`",
            op.staging, marker.step, marker.recovery, marker.source
        )),
        None if is_bare(&client).await? => Staging::Bare,
        None => Staging::Foreign(format!(
            "database `{}` holds data and carries no marker of drplan",
            op.staging
        )),
    })
}

async fn is_bare(client: &PgClient) -> Result<bool, ProviderError> {
    let objects = catalogue::objects(client).await?;
    Ok(objects.as_array().is_some_and(Vec::is_empty))
}

/// Tells whether the database with the final name is this restore's result.
pub(super) async fn in_place(
    cx: &ReadCx,
    pg: &PgConn,
    op: &RestoreOp,
) -> Result<bool, ProviderError> {
    let client = match pg.reader(&op.database).await {
        Ok(client) => client,
        Err(e) if e.kind == ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(e),
    };
    let marker = marker::read(&client).await?;
    Ok(marker.is_some_and(|m| is_ours(&m, cx, op) && m.finished_at.is_some()))
}

pub(super) async fn probe(cx: &ReadCx, op: &RestoreOp) -> Result<Landed, ProviderError> {
    let pg = cx.conn::<PgConn>("database")?;
    let (marker, workers) = match staging(cx, pg, op).await? {
        Staging::Absent if in_place(cx, pg, op).await? => return Ok(Landed::Yes),
        Staging::Absent | Staging::Bare => return Ok(Landed::No),
        Staging::Foreign(why) => return Ok(Landed::Foreign(why.into())),
        Staging::Ours {
            marker, workers, ..
        } => (marker, workers),
    };
    if marker.finished_at.is_some() {
        return Ok(Landed::Yes);
    }
    let program = cx.doors.process.look(&traces(&cx.work_dir)).await?;
    if !workers.is_empty() || program == Detached::Running {
        return Ok(Landed::Running);
    }
    Ok(Landed::Partly {
        disposable: true,
        because: Because(format!(
            "staging database `{}` was begun at {} and nothing works on it",
            op.staging, marker.started_at
        )),
    })
}

pub(super) async fn poll(cx: &ReadCx, op: &RestoreOp) -> Result<Progress, ProviderError> {
    let pg = cx.conn::<PgConn>("database")?;
    // The program is asked first: what it leaves behind when it ends is then seen below.
    let program = cx.doors.process.look(&traces(&cx.work_dir)).await?;
    let (marker, workers) = match staging(cx, pg, op).await? {
        Staging::Absent if in_place(cx, pg, op).await? => return Ok(Progress::Done),
        Staging::Absent | Staging::Bare => {
            return Ok(failed("nothing has been started".to_owned(), true));
        }
        Staging::Foreign(why) => return Ok(failed(why, false)),
        Staging::Ours {
            marker, workers, ..
        } => (marker, workers),
    };
    let finished = marker.finished_at.is_some();
    if finished && workers.is_empty() {
        return Ok(Progress::Done);
    }
    if finished || !workers.is_empty() || program == Detached::Running {
        return going(cx, pg, op, finished).await;
    }
    Ok(match program {
        Detached::Ended(code) => said(cx, code).await,
        _ => failed(
            "`pg_restore` is gone without having finished".to_owned(),
            true,
        ),
    })
}

fn failed(because: String, retry: bool) -> Progress {
    Progress::Failed {
        because: because.into(),
        retry,
    }
}

async fn going(
    cx: &ReadCx,
    pg: &PgConn,
    op: &RestoreOp,
    finished: bool,
) -> Result<Progress, ProviderError> {
    let client = pg.reader(&op.staging).await?;
    let of = op.source.tables;
    let messages = read_messages(&traces(&cx.work_dir).stderr).await;
    let done = match loaded(&messages) {
        Some(done) => done,
        None => loaded_by_count(&client).await?,
    };
    let sql = "select pg_database_size(current_database())";
    let bytes = client.value::<i64>(sql, &[], "read the size").await?;
    let bytes = size(u64::try_from(bytes.unwrap_or_default()).unwrap_or_default());
    let note = match (finished, latest(&messages)) {
        (true, _) => "finishing".to_owned(),
        (false, Some(what)) => format!("{what}, {bytes}"),
        (false, None) => format!("tables loaded, {bytes}"),
    };
    Ok(Progress::Going {
        done: done.min(of),
        of: Some(of),
        note,
        again_in: again_in(elapsed(&client).await?),
    })
}

/// Reads how long ago restoring began, by the clock of the server.
async fn elapsed(client: &PgClient) -> Result<Duration, ProviderError> {
    let sql = "select extract(epoch from clock_timestamp() - started_at)::bigint
               from drplan.restore";
    let seconds = client.value::<i64>(sql, &[], "read the age").await?;
    Ok(Duration::from_secs(
        u64::try_from(seconds.unwrap_or_default()).unwrap_or_default(),
    ))
}

fn again_in(elapsed: Duration) -> Duration {
    if elapsed < SOON_FOR {
        AGAIN_SOON
    } else {
        AGAIN_LATER
    }
}

/// Counts tables that have got rows, which is what shows without the program's messages.
async fn loaded_by_count(client: &PgClient) -> Result<u64, ProviderError> {
    let sql = "select count(*) from pg_stat_user_tables
               where n_tup_ins > 0 and schemaname <> 'drplan'";
    let count = client.value::<i64>(sql, &[], "count loaded tables").await?;
    Ok(u64::try_from(count.unwrap_or_default()).unwrap_or_default())
}

async fn read_messages(path: &Path) -> String {
    use tokio::io::AsyncReadExt as _;

    let mut bytes = Vec::new();
    if let Ok(file) = tokio::fs::File::open(path).await {
        // Messages are for people only; what cannot be read of them changes nothing.
        file.take(MESSAGES_BYTES_MAX)
            .read_to_end(&mut bytes)
            .await
            .ok();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Counts finished tables in `pg_restore --verbose` messages, if there are any messages. With one job
/// it says only when a table begins, so that the one before it is done.
fn loaded(messages: &str) -> Option<u64> {
    if messages.is_empty() {
        return None;
    }
    let count = |is: fn(&str) -> bool| messages.lines().filter(|line| is(line)).count() as u64;
    let finished = count(|l| l.contains("finished item ") && l.contains(" TABLE DATA "));
    let begun = count(|l| l.contains(": processing data for table "));
    let parallel = messages.contains("entering main parallel loop");
    Some(if parallel {
        finished
    } else {
        begun.saturating_sub(1)
    })
}

/// Says what the program does, in words of its own latest message.
fn latest(messages: &str) -> Option<String> {
    messages.lines().rev().take(50).find_map(|line| {
        let said = line.split_once("pg_restore: ")?.1;
        let (verb, what) = [
            ("processing data for table ", "loading"),
            ("creating ", "creating"),
            ("launching item ", "working on item"),
        ]
        .into_iter()
        .find_map(|(start, verb)| Some((verb, said.strip_prefix(start)?)))?;
        Some(format!("{verb} {}", what.replace('"', "")))
    })
}

/// Says what a program that ended badly wrote.
async fn said(cx: &ReadCx, code: i32) -> Progress {
    let pg = cx.conn::<PgConn>("database");
    let password = pg.ok().and_then(|pg| pg.config().password.clone());
    let messages = read_messages(&traces(&cx.work_dir).stderr).await;
    let (text, retry) = failure(&messages, password.as_deref());
    failed(format!("the restore ended with code {code}: {text}"), retry)
}

/// Takes the errors out of a program's messages, and tells whether they are about the connection.
fn failure(messages: &str, password: Option<&str>) -> (String, bool) {
    const CONNECTION: [&str; 6] = [
        "could not connect",
        "connection to server",
        "server closed the connection",
        "terminating connection",
        "the database system is",
        "too many clients",
    ];
    let marks = [
        "error:",
        "ERROR:",
        "FATAL:",
        "DETAIL:",
        "HINT:",
        "command not found",
        "not found",
    ];
    let errors: Vec<&str> = messages
        .lines()
        .filter(|line| marks.iter().any(|mark| line.contains(mark)))
        .filter(|line| !line.contains(TOOL_FAILED))
        .take(ERROR_LINES_MAX)
        .collect();
    if errors.is_empty() {
        let text = "it gave no reason, as if it had been killed; see the free memory";
        return (text.to_owned(), true);
    }
    let mut text = errors.join("; ");
    if let Some(password) = password.filter(|p| !p.is_empty()) {
        text = text.replace(password, "***");
    }
    let retry = CONNECTION.iter().any(|words| text.contains(words));
    (text, retry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finished_tables_are_counted_for_one_job_and_for_many() {
        let one = "pg_restore: connecting to database for restore\n\
                   pg_restore: creating TABLE \"public.a\"\n\
                   pg_restore: processing data for table \"public.a\"\n\
                   pg_restore: processing data for table \"public.b\"\n";
        assert_eq!(loaded(one), Some(1));
        assert_eq!(latest(one).as_deref(), Some("loading public.b"));
        let many = "pg_restore: entering main parallel loop\n\
                    pg_restore: launching item 8 TABLE DATA a\n\
                    pg_restore: launching item 9 TABLE DATA b\n\
                    pg_restore: finished item 8 TABLE DATA a\n";
        assert_eq!(loaded(many), Some(1));
        assert_eq!(loaded(""), None);
    }

    #[test]
    fn a_long_restore_is_asked_about_less_often() {
        for (elapsed_s, again_ms) in [(0, 250), (9, 250), (10, 3000), (86_400, 3000)] {
            let again = again_in(Duration::from_secs(elapsed_s));
            assert_eq!(again, Duration::from_millis(again_ms), "{elapsed_s} s");
        }
    }

    #[test]
    fn a_failure_is_told_without_the_password_and_retried_only_for_the_connection() {
        let (text, retry) = failure(
            "pg_restore: creating TABLE\npg_restore: error: FATAL: role \"hunter2\" is not there\n",
            Some("hunter2"),
        );
        assert!(text.contains("error:") && !text.contains("hunter2") && !text.contains("creating"));
        assert!(!retry);
        let lost = "pg_restore: error: server closed the connection unexpectedly";
        assert!(failure(lost, None).1);
        let killed = "psql:restore.sql:12: ERROR:  pg_restore failed";
        let (text, retry) = failure(killed, None);
        assert!(retry && text.contains("killed"));
    }
}
