//! What all steps of a run share: the plan, the journal, connections and the will to stop.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use drplan_api::Address;
use drplan_api::ConnId;
use drplan_api::Doors;
use drplan_api::DynKind;
use drplan_api::LookError;
use drplan_api::Looked;
use drplan_api::PlanCx;
use drplan_api::Planned;
use drplan_api::RawWant;
use drplan_api::TargetId;
use drplan_api::TargetState;
use drplan_api::View;
use tokio::sync::watch;

use super::effects::Effects;
use super::effects::NOW;
use super::event::Event;
use super::event::Sink;
use super::journal::Journal;
use super::journal::JournalError;
use super::orders::Hold;
use super::orders::Orders;
use super::step::Stop;
use crate::bind::settle;
use crate::observe::Observer;
use crate::outs::Outs;
use crate::plan::Plan;
use crate::plan::Step;
use crate::plan::TargetPin;
use crate::secrets::Secrets;

/// What all steps of a run share.
pub(crate) struct Shared {
    pub(crate) plan: Arc<Plan>,
    /// Where each step stands in the plan.
    pub(super) places: Arc<BTreeMap<Address, usize>>,
    /// Where each connection stands among the plan's targets.
    pub(super) pins: BTreeMap<ConnId, usize>,
    pub(crate) observer: Arc<Observer>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) run: String,
    pub(crate) base_dir: PathBuf,
    pub(crate) work_dir: PathBuf,
    pub(crate) doors: Doors,
    pub(super) journal: Journal,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) random: AtomicU64,
    /// Who answered first under each connection in this run.
    pub(super) met: Mutex<BTreeMap<ConnId, TargetId>>,
    /// Keeps other applies away.
    pub(super) hold: Arc<Hold>,
    pub(super) orders: Orders,
    /// What is known of the effects of its steps, also from before the run was resumed.
    pub(super) effects: Mutex<Effects>,
    /// What is to be done again and has not been yet.
    pub(super) redo: Mutex<BTreeSet<Address>>,
    pub(super) cancel: watch::Receiver<bool>,
    pub(super) drain: watch::Receiver<bool>,
}

/// Where each step stands in a plan.
pub(super) fn places(plan: &Plan) -> BTreeMap<Address, usize> {
    let steps = plan.steps.iter().enumerate();
    steps.map(|(i, s)| (s.address.clone(), i)).collect()
}

/// Where each connection stands among the targets of a plan.
pub(super) fn pins(plan: &Plan) -> BTreeMap<ConnId, usize> {
    let targets = plan.targets.iter().enumerate();
    targets.map(|(i, t)| (t.conn.clone(), i)).collect()
}

fn another(id: &ConnId, known: &TargetId, found: &TargetId) -> String {
    format!(
        "`{id}` is another target than before: it was {} and is {} now",
        known.0, found.0
    )
}

impl Shared {
    /// Writes a record and then tells it.
    pub(super) async fn record(&self, event: Event) -> Result<(), Stop> {
        // Nothing failed in the world: the step is left as it is, and the engine, which hears of the journal at
        // the next record, ends the run.
        self.remember(&event);
        self.write(event).await.map_err(|_| Stop::Cancelled)
    }

    pub(super) async fn write(&self, event: Event) -> Result<(), JournalError> {
        let now = self.doors.clock.now();
        self.journal.write(now, event, &self.sink).await?;
        Ok(())
    }

    /// Keeps a record together with the next one: nothing in the world was done for it.
    pub(super) fn note(&self, event: Event) -> Result<(), JournalError> {
        self.journal.note(self.doors.clock.now(), event)?;
        Ok(())
    }

    /// Tells an event on which nothing depends.
    pub(crate) async fn say(&self, event: Event) {
        // A journal that cannot be written shows at the next record, before anything is begun.
        self.write(event).await.ok();
    }

    pub(crate) fn random(&self) -> u64 {
        // Knuth's multiplicative step: good enough to spread pauses, and reproducible from the seed.
        let mut x = self
            .random
            .fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x ^ (x >> 27)
    }

    pub(crate) fn cancelled(&self) -> watch::Receiver<bool> {
        self.cancel.clone()
    }
}

impl Shared {
    /// Finds a step of the plan.
    pub(super) fn step(&self, address: &Address) -> Option<&Step> {
        self.places
            .get(address)
            .and_then(|&i| self.plan.steps.get(i))
    }

    /// What is known of the effects of the steps.
    pub(super) fn effects(&self) -> MutexGuard<'_, Effects> {
        self.effects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what a record says of an effect, for the next turn of its step.
    pub(super) fn remember(&self, event: &Event) {
        self.effects().take(event, NOW);
    }

    /// Lets a kind look; what a person wants done again is not done before that.
    pub(super) fn looked(
        &self,
        kind: &dyn DynKind,
        want: &RawWant,
        view: &View<'_>,
    ) -> Result<Looked, LookError> {
        let cx = self.plan_cx(&want.address);
        let looked = kind.look(&cx, want, view)?;
        if !matches!(looked.planned, Planned::Nothing(_)) || !self.is_to_redo(&want.address) {
            return Ok(looked);
        }
        Ok(match kind.again(&cx, want, view)? {
            planned @ Planned::Step(_) => Looked { planned, ..looked },
            _ => looked,
        })
    }

    /// Whether a step is done again, and has not been yet.
    pub(super) fn is_to_redo(&self, address: &Address) -> bool {
        let redo = self.redo.lock().unwrap_or_else(PoisonError::into_inner);
        redo.contains(address)
    }

    /// What is still to be done again.
    pub(super) fn to_redo(&self) -> BTreeSet<Address> {
        let redo = self.redo.lock().unwrap_or_else(PoisonError::into_inner);
        redo.clone()
    }

    /// A step has been done again.
    pub(super) fn redone(&self, address: &Address) {
        let mut redo = self.redo.lock().unwrap_or_else(PoisonError::into_inner);
        redo.remove(address);
    }

    pub(crate) fn plan_cx(&self, address: &Address) -> PlanCx {
        PlanCx {
            observed_at: self.plan.head.observed_at,
            incident_at: self.plan.head.incident_at,
            accept_overwrite: self.plan.has_accepted(address),
        }
    }

    /// The state of a connection now; `Err` if somebody else answers than the plan knows.
    pub(crate) async fn target(&self, id: &ConnId, outs: &Outs) -> Result<TargetState, String> {
        let Some(pin) = self.pin(id) else {
            return Err(format!("the plan holds no connection `{id}`"));
        };
        if let Some(domain) = &pin.lost {
            return Ok(TargetState::Lost {
                domain: domain.clone(),
            });
        }
        let config = match settle(&pin.config, &self.plan.exprs, outs) {
            Ok(config) => config,
            Err(error) => return Ok(TargetState::Unreadable(error)),
        };
        match self
            .observer
            .connect(id, &config, &self.plan.exprs, Some(outs))
            .await
        {
            Ok((_, found)) => match self.known_as(id, &found) {
                Some(known) => Err(another(id, &known, &found)),
                None => Ok(TargetState::Ready(found)),
            },
            Err(error) => Ok(TargetState::Unreadable(self.observer.scrub(error))),
        }
    }

    pub(super) async fn conn(
        &self,
        id: &ConnId,
        outs: &Outs,
    ) -> Result<Arc<dyn drplan_api::Conn>, Stop> {
        let pin = self
            .pin(id)
            .ok_or_else(|| Stop::Moved(format!("the plan holds no connection `{id}`")))?;
        if let Some(domain) = &pin.lost {
            return Err(Stop::Moved(format!(
                "`{id}` is declared lost with `{domain}`"
            )));
        }
        let config = settle(&pin.config, &self.plan.exprs, outs)?;
        let (conn, found) = self
            .observer
            .connect(id, &config, &self.plan.exprs, Some(outs))
            .await?;
        match self.known_as(id, &found) {
            Some(known) => Err(Stop::Moved(another(id, &known, &found))),
            None => Ok(conn),
        }
    }

    /// What the plan holds of a connection.
    pub(super) fn pin(&self, id: &ConnId) -> Option<&TargetPin> {
        self.pins.get(id).and_then(|&i| self.plan.targets.get(i))
    }

    /// Whom the plan, or this run before, knew under a connection, if it was somebody else.
    fn known_as(&self, id: &ConnId, found: &TargetId) -> Option<TargetId> {
        let pinned = self.pin(id)?.identity.clone();
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        let known = pinned.unwrap_or_else(|| {
            met.entry(id.clone())
                .or_insert_with(|| found.clone())
                .clone()
        });
        (known != *found).then_some(known)
    }
}
