//! The kind `kubernetes_pause`: what fights a recovery stands still, and keeps what it was in a mark.
//!
//! A guard. Each object is changed by one patch on the version that was read, together with its mark,
//! so that nobody ever finds one without the other.

mod act;
mod decide;

use std::time::Duration;

use drplan_api::Json;
use serde::Deserialize;
use serde::Serialize;

use super::object::Spot;
use super::standing::Standing;
use crate::mark;
use crate::mark::Original;

/// What fights a recovery stands still.
#[derive(Clone, Copy, Debug, Default)]
pub struct KubernetesPause;

/// The arguments of `kubernetes_pause`.
#[derive(Clone, Debug, Deserialize)]
pub struct PauseSpec {
    objects: Vec<String>,
    #[serde(default)]
    expires: Option<String>,
}

impl PauseSpec {
    /// After which time the pause is overdue; what is no length of time was refused before.
    fn expires(&self) -> Duration {
        let length = self.expires.as_deref().and_then(drplan_api::length);
        length.unwrap_or(mark::EXPIRES_DEFAULT)
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct PauseState {
    found: Vec<Found>,
    warnings: Vec<String>,
}

/// One object that the arguments name.
#[derive(Clone, Debug, PartialEq)]
struct Found {
    spot: Spot,
    standing: Standing,
    /// What of it runs still although it is paused.
    left: Option<String>,
}

/// The payload of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PauseOp {
    deeds: Vec<Deed>,
    expires_s: u64,
}

/// One object that is paused, or whose pods are waited for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Deed {
    spot: Spot,
    /// How it ran when it was planned; `None` if it is paused and only its pods are there still.
    was: Option<Original>,
}

impl Deed {
    /// What changes, as the plan shows it.
    fn change(&self) -> Option<(Json, Json)> {
        self.was.as_ref().map(|was| (was.value(), was.paused()))
    }
}
