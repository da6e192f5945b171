//! Who is asked at gates: the command line, then the person at the terminal.

use std::collections::BTreeSet;
use std::sync::Arc;

use drplan_api::Address;
use drplan_api::Fut;
use tokio::sync::Mutex;

use super::Ambient;
use super::shown::Shown;
use super::shown::no_answer;
use crate::apply::Asked;
use crate::apply::Gatekeeper;
use crate::render::run::TextSink;
use crate::render::style::in_one_line;

/// How often a person is asked whose answer is not understood.
const TRIES: usize = 5;

/// How the person at the terminal answers.
const TERMINAL: &str = "the terminal";

/// Asks at the terminal, one question at a time, unless the command line has answered.
pub(super) struct Asks {
    approved: BTreeSet<Address>,
    shown: Shown,
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
        shown: Shown,
        drawn: Option<Arc<TextSink>>,
        ambient: &Ambient,
    ) -> Self {
        Self {
            approved: approved.iter().map(Address::new).collect(),
            shown,
            // Who reads JSON is no person.
            drawn: drawn.filter(|_| ambient.can_ask),
            one_at_a_time: Mutex::new(()),
        }
    }
}

impl Gatekeeper for Asks {
    fn ask(&self, address: &Address, ask: &str, is_other: bool) -> Fut<'_, Asked> {
        let (address, ask) = (address.clone(), ask.to_owned());
        Box::pin(async move {
            let is_as_first = self.shown.is_as_first(&address, &ask) && !is_other;
            if self.approved.contains(&address) {
                if is_as_first {
                    return Asked::Approved("--approve".to_owned());
                }
                no_answer(address.as_str());
            }
            let Some(drawn) = &self.drawn else {
                return Asked::Unanswered;
            };
            let _turn = self.one_at_a_time.lock().await;
            let ask = in_one_line(&ask);
            let mut question = format!("\n{address}: {ask}\nType `yes` to go on, or `no`: ");
            for _ in 0..TRIES {
                forget_what_was_typed();
                let _open = Open::ask(drawn, &question);
                let Some(line) = typed().await else { break };
                match understood(&line) {
                    Some(true) => return Asked::Approved(TERMINAL.to_owned()),
                    Some(false) => return Asked::Refused(TERMINAL.to_owned()),
                    None => question = format!("{address}: type `yes` or `no`: "),
                }
            }
            Asked::Unanswered
        })
    }
}

/// The line that a person types; nothing if there is nobody any more.
async fn typed() -> Option<String> {
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line);
        read.map(|bytes| (bytes > 0).then_some(line))
    });
    read.await.ok()?.ok()?
}

/// What was typed before a question is there is no answer to it. Where a terminal cannot
/// forget it, it is read all the same.
pub(super) fn forget_what_was_typed() {
    rustix::termios::tcflush(std::io::stdin(), rustix::termios::QueueSelector::IFlush).ok();
}

/// Whether an answer is a yes or a no. One letter is soon typed: it is enough to stop, not to go on.
fn understood(line: &str) -> Option<bool> {
    match line.trim().to_lowercase().as_str() {
        "yes" => Some(true),
        "no" | "n" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_yes_goes_on_and_what_is_neither_yes_nor_no_is_asked_again() {
        for (line, answer) in [
            ("yes\n", Some(true)),
            (" YES \n", Some(true)),
            ("no\n", Some(false)),
            ("N\n", Some(false)),
            ("y\n", None),
            ("yse\n", None),
            ("\n", None),
        ] {
            assert_eq!(understood(line), answer, "{line:?}");
        }
    }
}
