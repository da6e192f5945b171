//! The PostgreSQL servers of a world.

use std::collections::BTreeMap;
use std::sync::Arc;

use drplan_api::Clock;
use tokio::io::DuplexStream;

use super::Tool;
use super::file::PostgresPart;
use super::network::Listener;
use super::network::WorldNetwork;
use super::power::Machine;

pub(super) struct DatabaseMachine {
    url: String,
}

impl DatabaseMachine {
    pub(super) fn new(part: &PostgresPart, _: Clock, _: u64) -> Self {
        Self {
            url: format!(
                "postgres://{}:{}@{}/postgres",
                part.user, part.password, part.address
            ),
        }
    }
}

impl Machine for DatabaseMachine {
    fn start(&self) {}
    fn stop(&self) {}
    fn access(&self) -> String {
        self.url.clone()
    }
    fn balancer(&self, _: &str, _: &str) -> Option<String> {
        None
    }
}

impl Listener for DatabaseMachine {
    fn serve(&self, _: DuplexStream) {}
}

pub(super) fn tools(
    _: &Arc<WorldNetwork>,
    _: &BTreeMap<String, Arc<DatabaseMachine>>,
) -> Vec<Arc<dyn Tool>> {
    Vec::new()
}
