//! A rehearsal that begins where a snapshot of the real world was made: what the snapshot says of it, and
//! whether its world is planned as the snapshot is.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use drplan_api::Registry;
use drplan_api::Standing;
use drplan_api::TargetState;
use drplan_api::Timestamp;
use drplan_sandbox::world::Loaded;
use drplan_sandbox::world::Recall;
use serde::Serialize;

use super::FILE;
use super::Stage;
use super::compare::Difference;
use super::compare::Differs;
use super::compare::compare;
use super::file::commands;
use crate::cli::Ambient;
use crate::cli::Basis;
use crate::cli::Failure;
use crate::cli::Made;
use crate::cli::PlanningArgs;
use crate::cli::Session;
use crate::plan::Plan;
use crate::render::style::time;
use crate::snapshot::Snapshot;
use crate::spec::Module;

/// What a snapshot says, and the plan that is made of it alone.
pub(crate) struct Recorded {
    module: Module,
    plan: Plan,
    snapshot: Snapshot,
    made: BTreeMap<drplan_api::ConnId, drplan_api::TargetId>,
    notes: Vec<String>,
}

/// How a rehearsal began.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Began {
    /// When the snapshot was made.
    pub observed_at: Timestamp,
    /// What was made of each connection.
    pub connections: Vec<drplan_sandbox::world::LoadedConnection>,
    /// What somebody should know of it; sentences without a full stop.
    pub notes: Vec<String>,
    /// How many steps were compared.
    pub steps: usize,
    /// The steps that the world is planned for otherwise than the snapshot.
    pub differences: Vec<Difference>,
}

impl Recorded {
    /// Reads a snapshot of the recovery that is on stage, and plans from it.
    ///
    /// # Errors
    ///
    /// If it cannot be read, was changed, or is of another version or recovery; if the spec has mistakes.
    pub(crate) async fn read(
        path: &Path,
        stage: &Stage,
        planning: &PlanningArgs,
        ambient: &Ambient,
    ) -> Result<Self, Failure> {
        let session = Session::open(stage.dir(), &planning.vars, ambient)?;
        let snapshot = Snapshot::read(path, &session.module.recovery.name)?.by_name();
        let basis = Basis::Snapshot(snapshot.clone());
        let Made {
            plan,
            facts,
            fingerprints,
            ..
        } = session.plan_on(planning, ambient, &basis).await?;
        let mut notes = Vec::new();
        for connection in snapshot.with_other_arguments(&fingerprints) {
            notes.push(format!(
                "`{connection}` has other arguments here than when the snapshot was made; it is taken for the same"
            ));
        }
        if let Some(start) = stage.world.start.filter(|at| *at != snapshot.observed_at) {
            notes.push(format!(
                "`start` of {FILE} ({}) is not used: the clock begins when the snapshot was made, so that ages \
                 are what they were",
                time(start)
            ));
        }
        let ready = facts
            .targets
            .into_iter()
            .filter_map(|(conn, state)| match state {
                TargetState::Ready(id) => Some((conn, id)),
                _ => None,
            });
        Ok(Self {
            module: session.module,
            plan,
            made: ready.collect(),
            snapshot,
            notes,
        })
    }

    /// What stood behind each connection that answered and is not lost.
    pub(crate) fn recall(&self, registry: &Registry) -> Recall {
        let answers = self.snapshot.answers();
        let standing = self.made.iter().filter_map(|(conn, id)| {
            let system = registry.get_system(conn.system())?;
            let said = answers.get(conn).map(Vec::as_slice).unwrap_or_default();
            Some((conn.clone(), system.recall(id, said)))
        });
        let connections: BTreeMap<_, _> = standing.collect();
        let recorded: Vec<&Standing> = connections.values().flatten().collect();
        Recall {
            at: self.snapshot.observed_at,
            commands: commands(&self.module, &recorded),
            reads: self.plan.head.files.keys().map(PathBuf::from).collect(),
            connections,
        }
    }

    /// Holds the plan of the loaded world against the plan of the snapshot.
    pub(crate) fn began(&self, loaded: &Loaded, world: &Plan) -> Began {
        let stand_ins = loaded.connections.iter().flat_map(|c| &c.stand_ins);
        let stand_ins = stand_ins.map(String::as_str).collect();
        let (differences, steps) = compare(world, &self.plan, &stand_ins);
        Began {
            observed_at: self.snapshot.observed_at,
            connections: loaded.connections.clone(),
            notes: self.notes.clone(),
            steps,
            differences,
        }
    }
}

impl Began {
    /// How many steps both plans decide the same of.
    #[must_use]
    pub fn same(&self) -> usize {
        self.steps - self.different(Differs::Decision)
    }

    /// How many steps differ so.
    #[must_use]
    pub fn different(&self, so: Differs) -> usize {
        self.differences.iter().filter(|d| d.differs == so).count()
    }
}

#[cfg(test)]
mod tests;
