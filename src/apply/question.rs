//! A question of a plan: worded as it is known when its turn comes, and asked unless it was answered in these words.

use drplan_api::Planned;
use serde_json::json;

use super::engine::Asked;
use super::engine::Gatekeeper;
use super::envelope::because_of;
use super::event::Event;
use super::event::Outcome;
use super::step::Ended;
use super::step::Stop;
use super::step::Turn;
use crate::plan::Sure;

/// What is known of a question from before the run went on.
pub(super) struct Before {
    /// How it ended, if somebody said yes when it was asked last.
    pub(super) answer: Option<Ended>,
    /// The words in which it was asked last.
    pub(super) asked: Option<String>,
}

impl Turn<'_> {
    /// Asks; `planned` is what the plan says of the words.
    pub(super) async fn asks(
        &self,
        gatekeeper: &dyn Gatekeeper,
        planned: String,
        before: Before,
    ) -> Result<Ended, Stop> {
        let ask = match self.step.sure {
            Sure::Unknown { .. } => self.question().await?,
            _ => planned,
        };
        let is_other = before.asked.is_some_and(|asked| asked != ask);
        if let Some(ended) = before.answer.filter(|_| !is_other) {
            return Ok(ended);
        }
        let address = self.step.address.clone();
        let opened = Event::GateOpened {
            address: address.clone(),
            ask: ask.clone(),
        };
        self.shared.record(opened).await?;
        // Somebody who stops the run has no more questions to answer.
        let mut draining = self.shared.drain.clone();
        let answer = tokio::select! {
            answer = gatekeeper.ask(&address, &ask, is_other) => answer,
            _ = draining.wait_for(|draining| *draining) => Asked::Unanswered,
        };
        let refused = match answer {
            Asked::Approved(how) => {
                let by = json!({ "by": how, "at": self.shared.doors.clock.now() });
                self.shared.say(Event::GatePassed { address, how }).await;
                return Ok(Ended {
                    outputs: by,
                    ..Ended::with(Outcome::Done)
                });
            }
            Asked::Refused(how) => Some(how),
            Asked::Unanswered => None,
        };
        Ok(Ended::with(Outcome::Waiting { ask, refused }))
    }

    /// What a person is asked, where that was not known yet when this was planned.
    async fn question(&self) -> Result<String, Stop> {
        let asks_nothing = || Stop::Moved("it asks nothing".to_owned());
        let want = self.want()?.ok_or_else(asks_nothing)?;
        match self.look(&want).await?.0.planned {
            Planned::Gate { ask, .. } => Ok(self.shared.secrets.scrub(&ask)),
            other => Err(Stop::Moved(because_of(&other))),
        }
    }
}
