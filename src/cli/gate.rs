//! Who is asked at gates: the command line, then the person at the terminal.

use std::collections::BTreeSet;

use drplan_api::Address;
use drplan_api::Fut;
use tokio::sync::Mutex;

use super::Ambient;
use super::talk;
use crate::apply::Asked;
use crate::apply::Gatekeeper;

/// Asks at the terminal, one question at a time, unless the command line has answered.
pub(super) struct Asks {
    approved: BTreeSet<Address>,
    can_ask: bool,
    one_at_a_time: Mutex<()>,
}

impl Asks {
    /// Knows the answers that the command line gives.
    pub(super) fn new(approved: &[String], json: bool, ambient: &Ambient) -> Self {
        Self {
            approved: approved.iter().map(Address::new).collect(),
            can_ask: ambient.can_ask && !json,
            one_at_a_time: Mutex::new(()),
        }
    }
}

impl Gatekeeper for Asks {
    fn ask(&self, address: &Address, ask: &str) -> Fut<'_, Asked> {
        let (address, ask) = (address.clone(), ask.to_owned());
        Box::pin(async move {
            if self.approved.contains(&address) {
                return Asked::Approved("--approve".to_owned());
            }
            if !self.can_ask {
                return Asked::Unanswered;
            }
            let _turn = self.one_at_a_time.lock().await;
            talk(&format!("\n{address}: {ask}\nType `yes` to go on: "));
            let read = tokio::task::spawn_blocking(|| {
                let mut line = String::new();
                std::io::stdin().read_line(&mut line).map(|_| line)
            });
            match read.await {
                Ok(Ok(line)) if line.trim() == "yes" => Asked::Approved("the terminal".to_owned()),
                _ => Asked::Unanswered,
            }
        })
    }
}
