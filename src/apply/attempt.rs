//! One effect of a step, attempt by attempt: probed, begun if it did not happen, polled to its end.

use std::time::Duration;

use drplan_api::BoundOp;
use drplan_api::Effect;
use drplan_api::ErrorKind;
use drplan_api::Landed;
use drplan_api::Progress;
use drplan_api::ProviderError;
use drplan_api::RawWant;
use drplan_api::ReadCx;

use super::event::Event;
use super::step::Stop;
use super::step::Turn;

/// The shortest and the longest pause between polls, whatever a kind asks for.
const POLL_PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(30));

/// How far one effect has come in this run.
pub(super) struct Tries {
    pub(super) attempt: u32,
    /// Whether a request may have left in an earlier turn.
    pub(super) left_before: bool,
    /// Whether a request may have left.
    pub(super) left: bool,
    /// Whether one is waited for that this run has not begun.
    pub(super) adopted: bool,
    /// Whether it was answered that it is begun.
    pub(super) begun: bool,
}

impl Turn<'_> {
    /// Brings one effect to its end; passing trouble is waited out.
    pub(super) async fn effect(
        &self,
        want: &RawWant,
        op: &dyn BoundOp,
        n: usize,
        effect: &Effect,
    ) -> Result<(), Stop> {
        let mut tries = self.tries(n);
        loop {
            match self.attempt(want, op, n, effect, &mut tries).await {
                Ok(()) => {
                    self.shared
                        .record(Event::EffectFinished {
                            address: self.step.address.clone(),
                            effect: n,
                            found: !tries.left,
                        })
                        .await?;
                    return Ok(());
                }
                Err(Stop::Failed(error)) => {
                    tries.attempt += 1;
                    self.wait_after(error, tries.attempt).await?;
                }
                Err(other) => return Err(other),
            }
        }
    }

    /// The first try, with what is known of the effect.
    pub(super) fn tries(&self, n: usize) -> Tries {
        let effects = self.shared.effects();
        let left = effects.has_left(&self.step.address, n);
        Tries {
            attempt: 1,
            left_before: left,
            left,
            adopted: effects.is_adopted(&self.step.address, n),
            begun: false,
        }
    }

    /// One attempt: probe first, whatever the journal says; begin only what did not happen.
    async fn attempt(
        &self,
        want: &RawWant,
        op: &dyn BoundOp,
        n: usize,
        effect: &Effect,
        tries: &mut Tries,
    ) -> Result<(), Stop> {
        let cx = ReadCx {
            begun: tries.left || tries.adopted,
            ..self.read_cx(want, tries.attempt).await?
        };
        let landed = match self.reading(op.probe(&cx, n)).await? {
            // What is done again was there before; only of what this run began is this the answer.
            Landed::Yes
                if self.shared.is_to_redo(&self.step.address)
                    && !tries.begun
                    && !tries.left_before =>
            {
                Landed::No
            }
            landed => landed,
        };
        match landed {
            Landed::Yes => return Ok(()),
            Landed::Running if tries.left || tries.adopted => {}
            Landed::Running => {
                let address = self.step.address.clone();
                let adopted = Event::EffectAdopted { address, effect: n };
                self.shared.record(adopted).await?;
                tries.adopted = true;
            }
            Landed::Foreign(because) => return Err(Stop::Moved(because.to_string())),
            Landed::Partly {
                disposable: false,
                because,
            } => {
                return Err(ProviderError::new(
                    ErrorKind::Invalid,
                    "go on with what is half done",
                    self.step.address.to_string(),
                )
                .because(because.to_string())
                .hint("a person must look; then go on with the run")
                .into());
            }
            Landed::No
            | Landed::Partly {
                disposable: true, ..
            } => self.begin(want, op, n, effect, tries).await?,
        }
        self.poll(want, op, n, tries).await
    }

    /// Writes down what is about to be begun, and begins it.
    async fn begin(
        &self,
        want: &RawWant,
        op: &dyn BoundOp,
        n: usize,
        effect: &Effect,
        tries: &mut Tries,
    ) -> Result<(), Stop> {
        let secrets = &self.shared.secrets;
        // One in which a secret stood would lead back to something else.
        let inverse = effect.inverse.clone();
        let inverse = inverse.filter(|inverse| secrets.scrub_json(inverse) == *inverse);
        let started = Event::EffectStarted {
            address: self.step.address.clone(),
            effect: n,
            attempt: tries.attempt,
            verb: effect.verb.clone(),
            object: secrets.scrub(&effect.object),
            inverse,
        };
        self.shared.record(started).await?;
        let cx = self.write_cx(want, tries.attempt).await?;
        // Before a request leaves, and for as long as it is on its way, nobody else may apply this recovery.
        self.shared.hold.outlives_request().await?;
        tries.left = true;
        tokio::select! {
            begun = self.bounded(op.begin(&cx, n)) => begun?,
            failed = self.shared.hold.fails() => return Err(failed.into()),
        }
        tries.begun = true;
        Ok(())
    }

    /// Asks for an effect until it is over.
    pub(super) async fn poll(
        &self,
        want: &RawWant,
        op: &dyn BoundOp,
        n: usize,
        tries: &Tries,
    ) -> Result<(), Stop> {
        let mut lost = 1;
        loop {
            let cx = ReadCx {
                begun: tries.left,
                ..self.read_cx(want, tries.attempt).await?
            };
            let progress = match self.bounded(op.poll(&cx, n)).await {
                Ok(progress) => progress,
                Err(error) => {
                    lost += 1;
                    self.wait_after(error, lost).await?;
                    continue;
                }
            };
            lost = 1;
            match progress {
                Progress::Done => return Ok(()),
                Progress::Failed { because, retry } => {
                    let kind = if retry {
                        ErrorKind::Unreachable
                    } else {
                        ErrorKind::Invalid
                    };
                    return Err(
                        ProviderError::new(kind, "finish", self.step.address.to_string())
                            .because(because.to_string())
                            .into(),
                    );
                }
                Progress::Going {
                    done,
                    of,
                    note,
                    again_in,
                } => {
                    let event = Event::Progress {
                        address: self.step.address.clone(),
                        effect: n,
                        done,
                        of,
                        note: self.shared.secrets.scrub(&note),
                    };
                    let pause = again_in.clamp(POLL_PAUSES.0, POLL_PAUSES.1);
                    self.goes_on(event, &note, pause).await?;
                }
            }
        }
    }
}
