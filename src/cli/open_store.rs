//! Where the runs of a spec are kept: in the bucket that it names, else beside it.

use std::collections::BTreeMap;
use std::path::Path;

use drplan_api::Address;
use drplan_api::ErrorKind;
use drplan_api::ProviderError;

use super::Ambient;
use super::failure::Failure;
use crate::observe::Observer;
use crate::plan::Plan;
use crate::report::Exit;
use crate::store::LockError;
use crate::store::RunStore;

/// The name of the folder beside a spec.
pub(super) const FOLDER: &str = ".drplan";

/// The folder in it where programs leave their traces.
const WORK: &str = "work";

/// Where programs of a run leave their traces, made if it is not there: on this machine, wherever the runs
/// are kept.
pub(super) fn work_dir(dir: &Path, store: &RunStore) -> Result<std::path::PathBuf, Failure> {
    let folder = beside(dir)?;
    match (crate::private::folder(&folder), store) {
        (Ok(()), _) => Ok(folder.join(WORK)),
        (Err(error), RunStore::Folder(_)) => Err(LockError::io(&folder, &error).into()),
        (Err(error), RunStore::Shared(_)) => Err(Failure::refused(
            Exit::Error,
            format!("cannot make or use `{}`: {error}", folder.display()),
            "programs of a run leave their traces there, wherever runs are kept: make room, or apply from a copy of \
             the spec in a folder that you may write to",
        )),
    }
}

/// The steps of a plan of which a program runs on this machine, with its process group. Makes nothing.
pub(super) async fn still_running(
    dir: &Path,
    plan: &Plan,
    ambient: &Ambient,
) -> anyhow::Result<BTreeMap<Address, String>> {
    let traces = beside(dir)?.join(WORK);
    Ok(crate::apply::still_running(plan, &traces, &ambient.doors).await?)
}

/// The folder beside a spec, which is not made: who only looks may have no right to write.
fn beside(dir: &Path) -> anyhow::Result<std::path::PathBuf> {
    let dir = std::path::absolute(dir)?;
    Ok(dir.join(FOLDER))
}

/// Opens the store that a plan names. Makes nothing.
pub(super) async fn of_plan(
    plan: &Plan,
    observer: &Observer,
    dir: &Path,
) -> Result<RunStore, Failure> {
    let Some(pin) = &plan.head.run_store else {
        return Ok(RunStore::Folder(beside(dir)?));
    };
    let target = plan.targets.iter().find(|t| t.conn == pin.conn);
    let opened = match target {
        Some(target) => {
            let connected = observer.connect(&pin.conn, &target.config, &plan.exprs, None);
            connected.await.map(|(conn, _)| conn)
        }
        None => Err(ProviderError::new(
            ErrorKind::Bug,
            "open the run store",
            pin.conn.to_string(),
        )),
    };
    let unusable = |error: ProviderError| {
        let error = observer.scrub(error);
        let hint = error.hint.clone().unwrap_or_else(|| {
            "runs, journals and the lock are kept there: nothing is begun without it".to_owned()
        });
        Failure::refused(Exit::Refused, error.to_string(), hint)
    };
    let conn = opened.map_err(unusable)?;
    match conn.store(&pin.bucket, &pin.prefix) {
        Some(store) => Ok(RunStore::Shared(store)),
        None => Err(Failure::refused(
            Exit::Refused,
            format!("`{}` cannot keep runs", pin.conn),
            "name a connection to an object store in `run_store`",
        )),
    }
}

/// Opens the store of the spec in a folder, which is only read for it. Where the spec cannot be read,
/// what lies beside it is all that is left.
pub(super) async fn of_spec(
    cli: &super::Cli,
    vars: &super::VarArgs,
    ambient: &super::Ambient,
) -> Result<(RunStore, String), Failure> {
    if let Some(recovery) = beside_the_spec(&cli.chdir) {
        return Ok((RunStore::Folder(beside(&cli.chdir)?), recovery));
    }
    let session = match super::session::Session::open(&cli.chdir, vars, ambient) {
        Ok(session) => session,
        Err(_) if cli.chdir.join(FOLDER).join("runs").is_dir() => {
            let folder = beside(&cli.chdir)?;
            super::talk(&format!(
                "warning: the spec cannot be read (`drplan validate` says why): only runs in `{}` are known, \
                 and none that a `run_store` keeps",
                folder.display()
            ));
            return Ok((RunStore::Folder(folder), String::new()));
        }
        Err(other) => return Err(other),
    };
    let planning = super::args::PlanningArgs {
        vars: vars.clone(),
        ..super::args::PlanningArgs::default()
    };
    let plan = session.plan(&planning, ambient, true).await?;
    let store = of_plan(&plan, &session.observer, &cli.chdir).await?;
    Ok((store, plan.head.recovery))
}

/// The name of the recovery whose runs lie beside its spec; nothing if it names a `run_store`, or cannot be
/// read. No variable is needed to tell that.
fn beside_the_spec(dir: &Path) -> Option<String> {
    let source = crate::spec::Source::load(dir).ok()?;
    let (module, diags) = crate::spec::parse(&source);
    let is_beside = !diags.has_errors() && module.recovery.run_store.is_none();
    is_beside.then_some(module.recovery.name)
}
