//! Who is asked at gates: the command line, then the person at the terminal.

use std::collections::BTreeSet;
use std::sync::Arc;

use drplan_api::Address;
use drplan_api::Fut;
use tokio::sync::Mutex;

use super::Ambient;
use crate::apply::Asked;
use crate::apply::Gatekeeper;
use crate::render::run::TextSink;

/// Asks at the terminal, one question at a time, unless the command line has answered.
pub(super) struct Asks {
    approved: BTreeSet<Address>,
    /// What draws on the terminal of the person; `None` if nobody can be asked.
    drawn: Option<Arc<TextSink>>,
    one_at_a_time: Mutex<()>,
}

/// A question that is open; it ends with this.
struct Open<'a>(&'a TextSink);

impl<'a> Open<'a> {
    fn ask(drawn: &'a TextSink, question: &str) -> Self {
        drawn.ask(question);
        Self(drawn)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.answered();
    }
}

impl Asks {
    /// Knows the answers that the command line gives.
    pub(super) fn new(
        approved: &[String],
        drawn: Option<Arc<TextSink>>,
        ambient: &Ambient,
    ) -> Self {
        Self {
            approved: approved.iter().map(Address::new).collect(),
            // Who reads JSON is no person.
            drawn: drawn.filter(|_| ambient.can_ask),
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
            let Some(drawn) = &self.drawn else {
                return Asked::Unanswered;
            };
            let _turn = self.one_at_a_time.lock().await;
            let question = format!("\n{address}: {ask}\nType `yes` to go on: ");
            let _open = Open::ask(drawn, &question);
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
