//! What goes wrong with the PostgreSQL servers of a world.

use std::sync::Arc;

use drplan_sandbox_postgres::Interruption;
use drplan_sandbox_postgres::Troubles;
use drplan_sandbox_postgres::Unready;

use super::faults::Faults;
use super::faults::slow;

/// The faults that one server draws.
pub(super) struct Drawn {
    faults: Arc<Faults>,
    /// Its name, as in `postgres.b`.
    server: String,
}

impl Drawn {
    pub(super) fn new(faults: Arc<Faults>, name: &str) -> Self {
        Self {
            faults,
            server: format!("postgres.{name}"),
        }
    }
}

impl Troubles for Drawn {
    fn on_connect(&self) -> Option<Unready> {
        let mut random = self.faults.statement(&self.server, "connect")?;
        Some(match random.bool() {
            true => Unready::Starting,
            false => Unready::Slow(slow(&mut random)),
        })
    }

    fn on_statement(&self, what: &str) -> Option<Interruption> {
        let mut random = self.faults.statement(&self.server, what)?;
        Some(match random.u8(0..4) {
            0 => Interruption::ResetBefore,
            1 => Interruption::ResetAfter,
            2 => Interruption::Terminated,
            _ => Interruption::Slow(slow(&mut random)),
        })
    }

    fn on_restore(&self) -> Option<f64> {
        self.faults.restore(&self.server).map(|mut r| r.f64())
    }
}
