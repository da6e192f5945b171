//! `drplan unlock`: takes away the lock of a run that is surely dead.

use super::Ambient;
use super::args::Cli;
use super::args::UnlockArgs;
use super::failure::Failure;
use super::open_store;
use super::print;
use crate::report::Exit;
use crate::store::Lock;
use crate::store::RunStore;
use crate::store::held;
use crate::store::unlock;

pub(super) async fn run(cli: &Cli, args: &UnlockArgs, ambient: &Ambient) -> Result<Exit, Failure> {
    let (store, recovery) = open_store::of_spec(cli, &args.vars, ambient).await?;
    let shared = match &store {
        RunStore::Shared(shared) => shared,
        RunStore::Folder(dir) => {
            return match Lock::holder(&dir.join("lock"))? {
                None => free(),
                Some(about) => Err(Failure::refused(
                    Exit::Locked,
                    format!("the lock is held by a process of this machine that lives: {about}"),
                    "end that process; the lock is free as soon as it has ended",
                )),
            };
        }
    };
    let found = held(&**shared, &recovery).await;
    let found = found.map_err(crate::store::LeaseError::from)?;
    let Some(found) = found.filter(|(held, _)| !held.released) else {
        return free();
    };
    if found.0.run != args.run {
        return Err(Failure::refused(
            Exit::Refused,
            format!("the lock is held by {}", found.0.about()),
            "write the whole id of the run that holds it",
        ));
    }
    let about = found.0.about();
    unlock(&**shared, &recovery, found).await?;
    print(&format!("The lock is free. It was held by {about}.\n"))?;
    Ok(Exit::Ok)
}

fn free() -> Result<Exit, Failure> {
    print("The lock is free already.\n")?;
    Ok(Exit::Ok)
}
