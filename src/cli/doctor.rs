//! `drplan doctor`.

use std::path::Path;
use std::time::Duration;

use drplan_api::ConnId;
use drplan_api::Timestamp;
use drplan_api::View;
use drplan_api::process::Program;
use futures::future::join_all;

use super::Ambient;
use super::args::Cli;
use super::args::DoctorArgs;
use super::failure::Failure;
use super::open_store;
use super::print;
use super::session::Basis;
use super::session::Made;
use super::session::Session;
use crate::doctor;
use crate::doctor::Item;
use crate::doctor::State;
use crate::doctor::Tool;
use crate::plan::Do;
use crate::plan::Step;
use crate::render;
use crate::report::Exit;
use crate::store::LockError;
use crate::store::RunStore;

/// How long a program may take to tell its version.
const VERSION_MAX: Duration = Duration::from_secs(10);

pub(super) async fn run(cli: &Cli, args: &DoctorArgs, ambient: &Ambient) -> Result<Exit, Failure> {
    let session = Session::open(&cli.chdir, &args.planning.vars, ambient)?;
    let made = session
        .plan_on(&args.planning, ambient, &Basis::World)
        .await?;
    let mut items = doctor::steps(&made.plan);
    items.extend(targets(&session, &made, ambient).await);
    items.extend(lifetimes(&session, &made, ambient).await);
    items.extend(rooms(&session, &made).await);
    items.extend(tools(&session, &made, ambient).await);
    items.extend(disk(&session.dir, &made));
    items.extend(doctor::rights(&made.rights));
    let given = |name: &str| session.secrets.has_variable(name);
    items.push(doctor::secrets(&made.plan.head.secrets, given));
    items.push(runs(&session, &made, ambient.doors.clock.now()).await);
    print(&if args.json {
        let json = render::doctor::json(&made.plan, &items);
        serde_json::to_string_pretty(&json).map_err(anyhow::Error::from)? + "\n"
    } else {
        render::doctor::text(&items, ambient.style())
    })?;
    let worst = items.iter().map(|item| item.state).max();
    Ok(match worst {
        Some(State::Bad) => Exit::Error,
        _ => Exit::Ok,
    })
}

async fn targets(session: &Session, made: &Made, ambient: &Ambient) -> Vec<Item> {
    let judged = made.plan.targets.iter().map(|target| async {
        let ahead_ms = ahead_ms(session, &target.conn, ambient).await;
        doctor::target(&target.conn, made.facts.targets.get(&target.conn), ahead_ms)
    });
    join_all(judged).await
}

/// How far the clock of a target is before ours, in milliseconds. What it says is as old as half of the
/// time that asking took.
async fn ahead_ms(session: &Session, conn: &ConnId, ambient: &Ambient) -> Option<i64> {
    let conn = session.observer.opened(conn).await?;
    let asked = ambient.doors.clock.now();
    let theirs = conn.time().await?;
    let heard = ambient.doors.clock.now();
    let ours = asked.as_millisecond().midpoint(heard.as_millisecond());
    // A header tells whole seconds: what it says lies half a second back on average.
    Some(theirs.as_millisecond() + 500 - ours)
}

/// When credentials end, where they say so.
async fn lifetimes(session: &Session, made: &Made, ambient: &Ambient) -> Vec<Item> {
    let (now, lasts_s) = (ambient.doors.clock.now(), doctor::lasts_s(&made.plan));
    let judged = made.plan.targets.iter().map(|target| async move {
        let conn = session.observer.opened(&target.conn).await?;
        let ends = conn.good_until().await?;
        Some(doctor::lifetime(&target.conn, ends, now, lasts_s))
    });
    join_all(judged).await.into_iter().flatten().collect()
}

/// Whether what the steps bring fits on the targets that answer.
async fn rooms(session: &Session, made: &Made) -> Vec<Item> {
    let view = View::new(&made.facts);
    let acting = |step: &&Step| matches!(step.what, Do::Act { .. } | Do::Late { .. });
    let demand = |step: &Step| {
        let kind = session.registry.get_resource(&step.kind)?;
        let want = step.want.as_ref()?;
        let (role, room) = kind.demand(want, &view)?;
        Some((want.roles.get(role)?.clone(), room))
    };
    let demands = made.plan.steps.iter().filter(acting).filter_map(demand);
    let judged = doctor::wanted(demands)
        .into_iter()
        .map(|(id, wanted)| async move {
            let conn = session.observer.opened(&id).await?;
            let free = conn
                .room()
                .await
                .map_err(|e| session.observer.scrub(e).to_string());
            Some(doctor::room(&id, wanted, free.transpose()?))
        });
    join_all(judged).await.into_iter().flatten().collect()
}

async fn tools(session: &Session, made: &Made, ambient: &Ambient) -> Vec<Item> {
    let of = |step: &Step| {
        let kind = session.registry.get_resource(&step.kind);
        let both = kind.zip(step.want.as_ref());
        both.map(|(kind, want)| kind.tools(want))
            .unwrap_or_default()
    };
    let tools = doctor::tools(&made.plan, of);
    let judged = tools.iter().map(|tool| async move {
        let said = said(tool, &session.dir, ambient).await;
        doctor::tool(tool, said)
    });
    join_all(judged).await
}

/// What a program says of its version, or where it lies if it is not asked.
async fn said(tool: &Tool, dir: &Path, ambient: &Ambient) -> Result<String, String> {
    let [name, version @ ..] = tool.argv.as_slice() else {
        return Err("it has no name".to_owned());
    };
    if version.is_empty() {
        return found(name, dir).ok_or_else(|| "it is not there".to_owned());
    }
    let program = Program {
        argv: tool.argv.clone(),
        env: std::collections::BTreeMap::new(),
        cwd: dir.to_owned(),
        stdin: None,
        timeout: VERSION_MAX,
    };
    match ambient.doors.process.run(program).await {
        Err(error) => Err(error.to_string()),
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            let line = text.lines().next().unwrap_or_default().trim().to_owned();
            match output.code {
                Some(0) => Ok(line),
                _ => Err("it does not tell its version".to_owned()),
            }
        }
    }
}

/// Where a program lies: under the folder of the spec if it has a path, else on the PATH.
fn found(name: &str, dir: &Path) -> Option<String> {
    let is_program = |path: &Path| {
        use std::os::unix::fs::PermissionsExt as _;
        let data = std::fs::metadata(path).ok();
        data.is_some_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    };
    if name.contains('/') {
        return is_program(&dir.join(name)).then(|| "is there".to_owned());
    }
    let path = std::env::var_os("PATH")?;
    let mut folders = std::env::split_paths(&path);
    let folder = folders.find(|folder| is_program(&folder.join(name)))?;
    Some(format!("in {}", folder.display()))
}

fn disk(dir: &Path, made: &Made) -> Option<Item> {
    let stat = rustix::fs::statvfs(dir).ok()?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let folder = dir.display().to_string();
    Some(doctor::disk(&folder, free, doctor::dump_bytes(&made.plan)))
}

/// Whether the folder beside the spec can keep what runs leave behind, wherever their journals are: it, or
/// the first above it that is there.
fn writable(dir: &Path) -> Result<(), LockError> {
    let dir = &dir.join(open_store::FOLDER);
    let there = dir.ancestors().find(|dir| dir.exists()).unwrap_or(dir);
    rustix::fs::access(there, rustix::fs::Access::WRITE_OK)
        .map_err(|error| LockError::io(dir, &error.into()))
}

async fn runs(session: &Session, made: &Made, now: Timestamp) -> Item {
    let store = open_store::of_plan(&made.plan, &session.observer, &session.dir).await;
    let (place, outlives, held) = match store {
        Ok(store) => {
            let outlives = matches!(store, RunStore::Shared(_));
            let held = match writable(&session.dir) {
                Ok(()) => super::holder::holder(&store, &made.plan.head.recovery, now)
                    .await
                    .map(|held| held.as_ref().map(super::holder::Holder::told)),
                Err(error) => Err(error.into()),
            };
            (store.name(), outlives, held)
        }
        Err(failure) => (String::new(), false, Err(failure)),
    };
    let held = held.map_err(|failure| failure.render(render::style::Style::PLAIN));
    doctor::runs(&place, held, outlives)
}
