//! Effect 0: prepares the database under its staging name and starts the program that fills it.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use drplan_api::Conn as _;
use drplan_api::ConnId;
use drplan_api::ErrorKind;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_api::WriteCx;
use drplan_api::digest;
use drplan_api::process::Detached;
use drplan_api::process::Program;
use drplan_s3::S3Conn;
use serde::Deserialize;
use serde_json::json;

use crate::PgConn;
use crate::archive::Archive;
use crate::archive::DumpToc;
use crate::archive::Entry;
use crate::archive::LocalArchive;
use crate::archive::MARKER_SCHEMA;
use crate::archive::Summary;
use crate::catalogue;
use crate::client::PgClient;
use crate::marker;
use crate::marker::Marker;
use crate::sql::ident;
use crate::sql::literal;

use super::op::RestoreOp;
use super::op::application;
use super::progress::Staging;
use super::progress::staging;
use super::progress::traces;
use super::script;
use super::script::Files;
use super::script::Script;

/// Space that must stay free beside the dump, in bytes.
const SPACE_LEFT_MIN: u64 = 64 * 1024 * 1024;
/// How long a tool may take to say its version.
const VERSION_MAX: Duration = Duration::from_secs(10);
/// How long making or dropping a database may take.
const DATABASE_MAX: Duration = Duration::from_secs(300);

/// The downloaded dump, which is removed unless the program has taken it over.
struct Download {
    path: PathBuf,
    kept: bool,
}

impl Drop for Download {
    fn drop(&mut self) {
        if !self.kept {
            // It may never have been written.
            std::fs::remove_file(&self.path).ok();
        }
    }
}

/// Starts the restore. One that runs or has ended well is left as it is; one that is half done and
/// stands still is dropped and begun afresh.
pub(super) async fn begin(cx: &WriteCx, op: &RestoreOp) -> Result<(), ProviderError> {
    let pg = cx.conn::<PgConn>("database")?;
    let s3 = cx.conn::<S3Conn>("bucket")?;
    let mut bare = false;
    let half_done = match staging(cx, pg, op).await? {
        Staging::Absent => None,
        Staging::Bare => {
            bare = true;
            None
        }
        Staging::Foreign(why) => return Err(in_the_way(pg, op, why)),
        Staging::Ours {
            marker,
            workers,
            oid,
        } => {
            let program = cx.doors.process.look(&traces(&cx.work_dir)).await?;
            let alive = !workers.is_empty() || program == Detached::Running;
            if marker.finished_at.is_some() || alive {
                return Ok(());
            }
            Some(oid)
        }
    };
    let summary = check_source(s3, op).await?;
    check_tools(cx, &summary).await?;
    check_space(&cx.work_dir, op.source.bytes)?;
    let app = application(&cx.recovery, &cx.address);
    let mut maintenance = pg.maintenance(&op.staging, &app).await?;
    maintenance.limit(DATABASE_MAX).await?;
    if let Some(oid) = half_done {
        drop_own(&maintenance, op, oid).await?;
    }
    let missing = missing_roles(&maintenance, &summary, op).await?;
    if !bare {
        create(&maintenance, op, &summary).await?;
    }
    drop(maintenance);
    // While this session is open, the server shows from anywhere that somebody works here.
    let client = pg.open(&op.staging, &app).await?;
    let sql = "select oid from pg_database where datname = current_database()";
    let oid = client
        .value::<u32>(sql, &[], "identify the staging database")
        .await?;
    let marker = new_marker(cx, op, &missing, oid.unwrap_or_default());
    marker::write(&client, &marker, &summary).await?;
    let program = prepare(cx, op, &client, &marker, &summary).await?;
    let mut download = program.0;
    cx.doors
        .process
        .detach(program.1, &traces(&cx.work_dir))
        .await?;
    download.kept = true;
    Ok(())
}

fn in_the_way(pg: &PgConn, op: &RestoreOp, why: String) -> ProviderError {
    ProviderError::new(
        ErrorKind::Conflict,
        format!("prepare database `{}`", op.staging),
        pg.config().place(),
    )
    .because(why)
    .hint(format!(
        "look at it, then rename or drop it: ALTER DATABASE {} RENAME TO …",
        ident(&op.staging)
    ))
}

#[derive(Deserialize)]
struct Listing {
    keys: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    key: String,
    etag: String,
}

/// Checks that the object is still the one of the plan.
async fn check_etag(s3: &S3Conn, op: &RestoreOp) -> Result<(), ProviderError> {
    let source = &op.source;
    let list = s3.keys(&source.bucket, &source.key, None).await?;
    let list =
        Listing::deserialize(&list).map_err(|e| source_error(ErrorKind::Bug, op).caused_by(&e))?;
    match list.keys.iter().find(|listed| listed.key == source.key) {
        None => Err(source_error(ErrorKind::NotFound, op).because("it is not there any more")),
        Some(listed) if listed.etag != source.etag => Err(source_error(ErrorKind::Conflict, op)
            .because(format!(
                "its ETag is {} now and was {} when it was planned",
                listed.etag, source.etag
            ))
            .hint("plan again")),
        Some(_) => Ok(()),
    }
}

fn source_error(kind: ErrorKind, op: &RestoreOp) -> ProviderError {
    ProviderError::new(kind, "read the dump", op.source.url())
}

/// Reads the contents of the dump again, which also tells whether it is whole.
async fn check_source(s3: &S3Conn, op: &RestoreOp) -> Result<Summary, ProviderError> {
    check_etag(s3, op).await?;
    let source = &op.source;
    // The connection itself does not matter for a question that is asked directly.
    let anywhere = ConnId::new("s3");
    let (bucket, key) = (&source.bucket, &source.key);
    let query = drplan_s3::asks::lens(&anywhere, bucket, key, DumpToc::NAME, &json!({}));
    let answer = s3.fetch(&[query.ask]).await.pop();
    let json = answer.unwrap_or_else(|| Ok(Arc::new(Json::Null)))?;
    Summary::deserialize(&*json).map_err(|e| source_error(ErrorKind::Bug, op).caused_by(&e))
}

/// The programs that restore a dump.
pub(super) const TOOLS: [&str; 2] = ["psql", "pg_restore"];

/// Checks before anything is made that the tools are there and young enough for the dump.
async fn check_tools(cx: &WriteCx, summary: &Summary) -> Result<(), ProviderError> {
    for tool in TOOLS {
        let output = cx
            .doors
            .process
            .run(Program {
                argv: vec![tool.to_owned(), "--version".to_owned()],
                env: std::collections::BTreeMap::new(),
                cwd: cx.work_dir.clone(),
                stdin: None,
                timeout: VERSION_MAX,
            })
            .await?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let major = said
            .split(|c: char| !c.is_ascii_digit())
            .find(|word| !word.is_empty())
            .and_then(|word| word.parse::<u32>().ok());
        let needed = summary.pg_restore_major_min;
        if tool == "pg_restore" && major.is_some_and(|major| major < needed) {
            return Err(
                ProviderError::new(ErrorKind::Invalid, "restore the dump", "this machine")
                    .because(format!(
                        "the dump has format {}, and here is {said}",
                        summary.format
                    ))
                    .hint(format!(
                        "install the client programs of PostgreSQL {needed} or later"
                    )),
            );
        }
    }
    Ok(())
}

/// The dump must lie on disk, since several jobs read it at once.
fn check_space(dir: &Path, bytes: u64) -> Result<(), ProviderError> {
    let at = || format!("folder {}", dir.display());
    let stat = rustix::fs::statvfs(dir).map_err(|e| {
        ProviderError::new(ErrorKind::Invalid, "read the free space", at()).caused_by(&e)
    })?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free >= bytes.saturating_add(SPACE_LEFT_MIN) {
        return Ok(());
    }
    Err(
        ProviderError::new(ErrorKind::Invalid, "download the dump", at())
            .because(format!(
                "it has {bytes} bytes and {SPACE_LEFT_MIN} must stay free, but only {free} are"
            ))
            .hint("free some space, or put the folder of runs on a larger disk"),
    )
}

/// Drops the half-done staging database whose marker was read just before, and no other of that name.
async fn drop_own(client: &PgClient, op: &RestoreOp, oid: u32) -> Result<(), ProviderError> {
    let during = format!("drop the half-done `{}`", op.staging);
    let sql = "select 1 from pg_database where datname = $1 and oid = $2";
    if client
        .rows(sql, &[&op.staging, &oid], &during)
        .await?
        .is_empty()
    {
        return Err(
            ProviderError::new(ErrorKind::Conflict, during, client.place())
                .because("another database has taken its name"),
        );
    }
    let sql = format!("drop database {}", ident(&op.staging));
    client.run(&sql, &during).await
}

/// Returns the roles that the dump's privileges name and the server lacks, and refuses a missing
/// owner.
async fn missing_roles(
    client: &PgClient,
    summary: &Summary,
    op: &RestoreOp,
) -> Result<BTreeSet<String>, ProviderError> {
    let there: BTreeSet<String> = catalogue::roles(client).await?.into_iter().collect();
    if let Some(owner) = &op.owner
        && !there.contains(owner)
    {
        return Err(ProviderError::new(
            ErrorKind::NotFound,
            format!("restore database `{}`", op.database),
            client.place(),
        )
        .because(format!("its owner, role `{owner}`, does not exist"))
        .hint(format!("create it first: CREATE ROLE {} …", ident(owner))));
    }
    Ok(summary.roles.difference(&there).cloned().collect())
}

async fn create(client: &PgClient, op: &RestoreOp, summary: &Summary) -> Result<(), ProviderError> {
    let owner = op
        .owner
        .as_ref()
        .map(|owner| format!(" owner {}", ident(owner)));
    let encoding = summary.encoding.as_ref();
    let encoding = encoding.map(|encoding| format!(" encoding {}", literal(encoding)));
    let sql = format!(
        "create database {} template template0{}{}",
        ident(&op.staging),
        owner.unwrap_or_default(),
        encoding.unwrap_or_default()
    );
    let during = format!("create database `{}`", op.staging);
    client.run(&sql, &during).await
}

fn new_marker(cx: &WriteCx, op: &RestoreOp, missing: &BTreeSet<String>, oid: u32) -> Marker {
    // No two databases of a server ever share this number, so that no two attempts share a seed.
    let seed = format!("{}\n{}\n{oid}", cx.run, cx.attempt);
    let left_out = match missing.is_empty() {
        true => Vec::new(),
        false => {
            let names: Vec<&str> = missing.iter().map(String::as_str).collect();
            vec![format!(
                "privileges, since roles are missing: {}",
                names.join(", ")
            )]
        }
    };
    Marker {
        source: op.source.url(),
        etag: op.source.etag.clone(),
        recovery: cx.recovery.clone(),
        step: cx.address.to_string(),
        run: cx.run.clone(),
        want: op.want.clone(),
        attempt: digest(seed.as_bytes()),
        left_out,
        started_at: String::new(),
        finished_at: None,
        rows: None,
    }
}

/// Downloads the dump and writes everything that the program needs.
async fn prepare(
    cx: &WriteCx,
    op: &RestoreOp,
    client: &PgClient,
    marker: &Marker,
    summary: &Summary,
) -> Result<(Download, Program), ProviderError> {
    let pg = cx.conn::<PgConn>("database")?;
    let s3 = cx.conn::<S3Conn>("bucket")?;
    let files = Files::in_dir(&cx.work_dir);
    let download = Download {
        path: files.dump.clone(),
        kept: false,
    };
    let source = &op.source;
    s3.download(&source.bucket, &source.key, &files.dump)
        .await?;
    // Only now it is certain that what was downloaded is what was planned.
    check_etag(s3, op).await?;
    let archive = Archive::read(&LocalArchive::open(&files.dump).await?).await?;
    let list = entries_to_restore(&archive.entries);
    if let Some(list) = &list {
        script::write_private(&files.list, list).await?;
    }
    let text = Script {
        attempt: &marker.attempt,
        jobs: op.jobs,
        as_role: op.owner.is_some(),
        with_list: list.is_some(),
        with_privileges: marker.left_out.is_empty(),
        tables: summary.with_data.iter().collect(),
    }
    .text();
    script::write_private(&files.script, &text).await?;
    let sql = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    let encrypted = client
        .value::<bool>(sql, &[], "read how the session is encrypted")
        .await?;
    let app = application(&cx.recovery, &cx.address);
    let role = op.owner.as_deref();
    let encrypted = encrypted.unwrap_or_default();
    let program = script::program(pg, &files, &op.staging, &app, role, encrypted).await?;
    Ok((download, program))
}

/// A dump of a database that was itself restored holds that restore's marker, which would collide with
/// this one's. Returns the list of all other entries, or `None` if there is no such.
fn entries_to_restore(entries: &[Entry]) -> Option<String> {
    let is_marker = |e: &&Entry| {
        e.namespace.as_deref() == Some(MARKER_SCHEMA)
            || (e.desc == "SCHEMA" && e.tag == MARKER_SCHEMA)
            || (e.namespace.is_none() && e.tag == format!("SCHEMA {MARKER_SCHEMA}"))
    };
    if !entries.iter().any(|e| is_marker(&e)) {
        return None;
    }
    let others = entries.iter().filter(|e| !is_marker(e));
    Some(others.map(|e| format!("{}; {}\n", e.id, e.desc)).collect())
}
