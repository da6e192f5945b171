//! What of a step may still go on although its goal holds: it is waited for before the step is called done.

use std::time::Duration;

use drplan_api::BoundOp;
use drplan_api::ErrorKind;
use drplan_api::Json;
use drplan_api::Landed;
use drplan_api::Proposal;
use drplan_api::ProviderError;
use drplan_api::RawWant;
use drplan_api::ReadCx;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;

use super::event::Event;
use super::step::Stop;
use super::step::Turn;
use crate::plan::Do;
use crate::private;

/// How often it is looked whether a program of a step that is true already has ended.
const PROGRAM_PAUSE: Duration = Duration::from_secs(1);

/// Where it is kept what was begun of a step whose arguments came late.
const BEGUN: &str = "begun.json";

/// What was begun of a step.
#[derive(Serialize, Deserialize)]
struct KeptOp {
    op: Json,
    effects: usize,
}

impl Turn<'_> {
    /// Whether it is this run's own work that is true now: it began it, and was cut off before it saw the end. What
    /// still goes on is waited for, as it was then: that its goal holds already does not mean that it is over.
    pub(super) async fn has_come_true(&self, want: &RawWant) -> Result<bool, Stop> {
        let address = &self.step.address;
        let open = self.shared.effects().open(address);
        for &effect in &open {
            self.waited_for(want, effect).await?;
        }
        let has_waited = self.has_waited_for_programs().await?;
        for &effect in &open {
            let finished = Event::EffectFinished {
                address: address.clone(),
                effect,
                found: !self.shared.effects().has_left(address, effect),
            };
            self.shared.record(finished).await?;
        }
        Ok(has_waited || !open.is_empty())
    }

    /// Waits for the end of an effect, if enough is known to ask for it. Passing trouble is waited out.
    async fn waited_for(&self, want: &RawWant, n: usize) -> Result<(), Stop> {
        let begun = match &self.step.what {
            Do::Act { op, effects, .. } => Some(KeptOp {
                op: op.clone(),
                effects: effects.len(),
            }),
            _ => self.kept_late().await,
        };
        let Some(begun) = begun.filter(|begun| n < begun.effects) else {
            return Ok(());
        };
        let op = self.kind.bind(&begun.op, &self.step.address)?;
        let mut attempt = 1;
        loop {
            match self.come_to_its_end(want, &*op, n).await {
                Err(Stop::Failed(error)) => {
                    attempt += 1;
                    self.wait_after(error, attempt).await?;
                }
                ended => return ended,
            }
        }
    }

    async fn come_to_its_end(
        &self,
        want: &RawWant,
        op: &dyn BoundOp,
        n: usize,
    ) -> Result<(), Stop> {
        let tries = self.tries(n);
        let cx = ReadCx {
            begun: true,
            ..self.read_cx(want, tries.attempt).await?
        };
        match self.reading(op.probe(&cx, n)).await? {
            Landed::Running => self.poll(want, op, n, &tries).await,
            _ => Ok(()),
        }
    }

    /// Keeps what is about to be begun where the plan cannot tell it, because its arguments came late.
    pub(super) fn keep_late(&self, proposal: &Proposal<Json>) -> Result<(), ProviderError> {
        if !matches!(self.step.what, Do::Late { .. }) {
            return Ok(());
        }
        let is_whole = self.shared.secrets.scrub_json(&proposal.op) == proposal.op;
        let begun = KeptOp {
            // Where a secret stands in it, nothing is kept, and nothing is asked for.
            op: if is_whole {
                proposal.op.clone()
            } else {
                Json::Null
            },
            effects: if is_whole { proposal.effects.len() } else { 0 },
        };
        let path = self.work_dir()?.join(BEGUN);
        let text = json!(begun).to_string();
        private::write(&path, text.as_bytes()).map_err(|e| {
            ProviderError::new(
                ErrorKind::Invalid,
                "keep what is about to be begun",
                format!("file {}", path.display()),
            )
            .caused_by(&e)
        })
    }

    /// What was begun of a step whose arguments came late: nothing where another machine began it.
    async fn kept_late(&self) -> Option<KeptOp> {
        let path = self.shared.work_path(&self.step.address).join(BEGUN);
        serde_json::from_slice(&tokio::fs::read(path).await.ok()?).ok()
    }

    /// Waits for programs of the step, whichever run began them, and says whether there were some.
    pub(super) async fn has_waited_for_programs(&self) -> Result<bool, Stop> {
        let mut has_waited = false;
        while let Some(group) = self.shared.runs_still(&self.step.address).await? {
            has_waited = true;
            self.shared.effects().wait_for(&self.step.address);
            let note = format!("nothing is begun while its program still runs, {group}");
            let event = Event::Progress {
                address: self.step.address.clone(),
                effect: 0,
                done: 0,
                of: None,
                note: note.clone(),
            };
            self.goes_on(event, &note, PROGRAM_PAUSE).await?;
        }
        Ok(has_waited)
    }

    /// Tells how far it is and waits a while, unless the step's time-out has passed.
    pub(super) async fn goes_on(
        &self,
        progress: Event,
        note: &str,
        pause: Duration,
    ) -> Result<(), Stop> {
        if Instant::now() >= self.deadline {
            return Err(self.overdue(note).into());
        }
        self.shared.say(progress).await;
        self.rest(pause).await
    }

    fn overdue(&self, note: &str) -> ProviderError {
        let late = ProviderError::new(
            ErrorKind::Invalid,
            "finish in time",
            self.step.address.to_string(),
        );
        late.because(format!(
            "its time-out of {} s passed, and it still goes on; last seen: {note}",
            self.step.timeout_s
        ))
        .hint("go on with the run to wait as long again; a longer `timeout` takes a new plan")
    }
}
