//! What a person orders for one run, beside the plan. Nothing here can widen what the plan shows.

use std::collections::BTreeMap;
use std::time::Duration;

use drplan_api::ConnId;
use drplan_api::ProviderError;
use tokio::sync::watch;

use super::event::Taken;
use super::step::Stop;
use crate::store::Lease;
use crate::store::LeaseError;
use crate::store::Lock;
use crate::store::Wish;

/// What happens to a run when a critical step fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// What depends on it is blocked; the rest goes on.
    #[default]
    Prune,
    /// Nothing new is begun.
    Stop,
    /// Nothing new is begun until somebody says go on; then the step is tried again.
    Pause,
}

/// What a person orders for one run.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    /// What happens when a critical step fails.
    pub on_failure: OnFailure,
    /// What a person took on; a run that goes on adds what it was told before.
    pub taken: Taken,
    /// How long the run may take.
    pub deadline: Option<Duration>,
    /// How many steps may act on a target at once, where that is not what its system says.
    pub slots: BTreeMap<ConnId, usize>,
    /// Whether what was true already is not proven again.
    pub prove_changed_only: bool,
}

/// What keeps other applies of the recovery away.
pub enum Hold {
    /// A lock of this machine, which cannot be lost.
    Machine(Lock),
    /// A lock that all machines see, and that expires.
    Everywhere(Lease),
    /// Nobody else is there: a world of this process.
    Nobody,
}

impl Hold {
    /// Makes sure that it outlives the next request.
    pub(super) async fn outlives_request(&self) -> Result<(), HoldError> {
        let Self::Everywhere(lease) = self else {
            return Ok(());
        };
        lease.outlives_request().await.map_err(HoldError::of)
    }

    /// Returns when it does not outlive what is on its way any more.
    pub(super) async fn fails(&self) -> HoldError {
        match self {
            Self::Everywhere(lease) => HoldError::of(lease.fails().await),
            Self::Machine(_) | Self::Nobody => std::future::pending().await,
        }
    }

    /// Becomes a reason as soon as it is lost.
    pub(super) fn lost(&self) -> watch::Receiver<Option<String>> {
        match self {
            Self::Everywhere(lease) => lease.lost(),
            Self::Machine(_) | Self::Nobody => watch::Sender::new(None).subscribe(),
        }
    }
}

/// Why nothing may be begun.
pub(super) enum HoldError {
    /// Somebody else has it; whoever listens to [`Hold::lost`] hears who.
    Lost,
    /// The store does not answer; it may pass.
    Unsure(ProviderError),
}

impl HoldError {
    fn of(error: LeaseError) -> Self {
        match error {
            LeaseError::Store(error) => Self::Unsure(error),
            LeaseError::Held { .. } | LeaseError::Lost { .. } => Self::Lost,
        }
    }
}

impl From<HoldError> for Stop {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::Unsure(error) => error.into(),
            // The engine hears it too, and ends the run.
            HoldError::Lost => Self::Cancelled,
        }
    }
}

/// What somebody at another terminal wishes of the run; `None` until anybody does.
pub type Wishes = watch::Receiver<Option<Wish>>;
