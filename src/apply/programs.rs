//! Programs of steps: where they leave their traces, and which of them still run.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use drplan_api::Address;
use drplan_api::Doors;
use drplan_api::ErrorKind;
use drplan_api::ProviderError;
use drplan_api::process::Detached;
use drplan_api::process::Traces;

use super::shared::Shared;
use crate::plan::Plan;

/// The name of the private folder of a step.
fn work_name(address: &Address) -> String {
    let hash = drplan_api::short_hash(&address.as_str());
    format!("{}-{hash}", address.slug(48))
}

/// Which program runs that was started from a folder.
async fn running_in(folder: &Path, doors: &Doors) -> Result<Option<Traces>, ProviderError> {
    for traces in Traces::all_in(folder)? {
        if doors.process.look(&traces).await? == Detached::Running {
            return Ok(Some(traces));
        }
    }
    Ok(None)
}

/// The steps of a plan of which a program runs on this machine, whichever run began it, with its process group.
/// O(steps + folders).
///
/// # Errors
///
/// What programs left there cannot be read, so nobody knows whether one runs.
pub async fn still_running(
    plan: &Plan,
    work_dir: &Path,
    doors: &Doors,
) -> Result<BTreeMap<Address, String>, ProviderError> {
    let mut out = BTreeMap::new();
    let folders: Vec<PathBuf> = match std::fs::read_dir(work_dir) {
        Ok(folders) => folders.flatten().map(|entry| entry.path()).collect(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(e) => {
            let place = format!("folder {}", work_dir.display());
            let during = "read what programs of earlier runs left";
            return Err(ProviderError::new(ErrorKind::Invalid, during, place).caused_by(&e));
        }
    };
    if folders.is_empty() {
        return Ok(out);
    }
    let names: BTreeMap<_, _> = plan
        .steps
        .iter()
        .map(|step| (work_name(&step.address), &step.address))
        .collect();
    for folder in folders {
        let name = folder.file_name().and_then(|name| name.to_str());
        let Some(address) = name.and_then(|name| names.get(name)) else {
            continue;
        };
        if let Some(traces) = running_in(&folder, doors).await? {
            out.insert((*address).clone(), traces.group());
        }
    }
    Ok(out)
}

impl Shared {
    /// The private folder of a step.
    pub(super) fn work_path(&self, address: &Address) -> PathBuf {
        self.work_dir.join(work_name(address))
    }

    /// The folder matters only while something of the step may run, and until its end is kept. What was true or done
    /// by hand may run all the same, from an earlier run.
    pub(super) async fn clear_work_dir(&self, address: &Address) {
        if matches!(self.runs_still(address).await, Ok(None)) {
            std::fs::remove_dir_all(self.work_path(address)).ok();
        }
    }

    /// Which program of a step runs, whichever run began it, and how a person ends it.
    pub(super) async fn runs_still(
        &self,
        address: &Address,
    ) -> Result<Option<String>, ProviderError> {
        let running = running_in(&self.work_path(address), &self.doors).await?;
        Ok(running.map(|traces| traces.in_group()))
    }

    /// What to add to a person's words about a step whose program still runs.
    pub(super) async fn running_note(&self, address: &Address) -> &'static str {
        match self.runs_still(address).await {
            Ok(None) => "",
            Ok(Some(_)) => " (its program still ran then)",
            Err(_) => " (whether its program still ran cannot be read)",
        }
    }
}
