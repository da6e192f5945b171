//! The loop of a run: what runs next, what waits, and how it ends.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use drplan_api::Address;
use drplan_api::Doors;
use drplan_api::Evidence;
use drplan_api::Fut;
use drplan_api::Registry;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::begin::Begin;
use super::begin::Begun;
use super::earlier;
use super::earlier::Earlier;
use super::event::Event;
use super::event::Outcome;
use super::event::Sink;
use super::frontier::Frontier;
use super::journal::Journal;
use super::journal::JournalError;
use super::orders::Hold;
use super::orders::OnFailure;
use super::orders::Orders;
use super::orders::Wishes;
use super::outlook::Outlook;
use super::queue::Queue;
use super::shared::Shared;
use super::shared::pins;
use super::shared::places;
use super::slots::Bounds;
use super::stale;
use super::step::Ended;
use crate::observe::Observer;
use crate::outs::Outs;
use crate::plan::Do;
use crate::plan::Plan;
use crate::secrets::Secrets;

/// How far a run is being stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Goes on.
    #[default]
    No,
    /// Starts nothing new; what runs may end.
    Drain,
    /// Leaves what runs at its next safe point.
    Cancel,
}

/// How a person answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Yes, and how it was said.
    Approved(String),
    /// No, and how it was said.
    Refused(String),
    /// Nobody is there to answer.
    Unanswered,
}

/// Who asks people.
pub trait Gatekeeper: Send + Sync {
    /// Asks about one gate. `is_other` says that the words are others than when it was asked before: what was answered
    /// beforehand is no answer to them.
    fn ask(&self, address: &Address, ask: &str, is_other: bool) -> Fut<'_, Asked>;
}

/// Everything that applying needs.
pub struct Apply {
    /// What to apply.
    pub plan: Arc<Plan>,
    /// The kinds.
    pub registry: Arc<Registry>,
    /// Connections.
    pub observer: Arc<Observer>,
    /// Secrets.
    pub secrets: Arc<Secrets>,
    /// The journal of this run.
    pub journal: Journal,
    /// What the run did before, if it goes on.
    pub earlier: Option<Earlier>,
    /// Who hears of events.
    pub sink: Arc<dyn Sink>,
    /// Who asks people.
    pub gatekeeper: Arc<dyn Gatekeeper>,
    /// What keeps other applies away.
    pub hold: Arc<Hold>,
    /// What a person orders for this run.
    pub orders: Orders,
    /// How far the run is being stopped.
    pub stop: watch::Receiver<Stop>,
    /// What somebody at another terminal wishes of it.
    pub wishes: Wishes,
    /// The run's id.
    pub run: String,
    /// The folder of the spec.
    pub base_dir: PathBuf,
    /// Where steps keep their private folders.
    pub work_dir: PathBuf,
    /// How the world is reached, and what time it is.
    pub doors: Doors,
    /// How many steps may run at once.
    pub parallelism: usize,
    /// Seeds the jitter of pauses.
    pub seed: u64,
    /// The command by which a person goes on after this run.
    pub next: String,
}

/// How a run ended.
pub struct Ending {
    /// How each step ended.
    pub outcomes: BTreeMap<Address, Outcome>,
    /// Where it stands.
    pub frontier: Frontier,
    /// How far it was stopped.
    pub stopped: Stop,
    /// Why it was stopped from inside, if it was.
    pub cut: Option<Cut>,
    /// How many events there were.
    pub events: u64,
    /// The chain of the journal's last record.
    pub head: String,
    /// Why the journal could not be written to the end, if it could not.
    pub broken: Option<JournalError>,
    /// What is still to be done again, of what the plan does again.
    pub to_redo: BTreeSet<Address>,
}

/// Why a run stopped by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Its deadline passed.
    Deadline,
    /// Somebody else has the lock.
    LockLost(String),
    /// A step failed, and the run was told to stop then.
    Failure(Address),
}

/// Applies a plan.
///
/// # Errors
///
/// If the journal cannot be written.
pub async fn apply(mut apply: Apply) -> Result<Ending, JournalError> {
    let before = apply
        .earlier
        .as_ref()
        .map(|earlier| earlier::taken(&earlier.lines));
    apply.orders.taken.and_before(before.unwrap_or_default());
    let (cancel, cancelled) = watch::channel(false);
    let (drain, draining) = watch::channel(false);
    let began = Instant::now();
    let deadline = apply.orders.deadline.map(|limit| began + limit);
    let lost = apply.hold.lost();
    let effects = earlier::effects(apply.earlier.as_ref());
    let redo = earlier::to_redo(&apply.plan, apply.earlier.as_ref());
    let shared = Arc::new(Shared {
        places: Arc::new(places(&apply.plan)),
        pins: pins(&apply.plan),
        plan: apply.plan,
        observer: apply.observer,
        secrets: apply.secrets,
        run: apply.run,
        base_dir: apply.base_dir,
        work_dir: apply.work_dir,
        doors: apply.doors,
        journal: apply.journal,
        sink: apply.sink,
        random: AtomicU64::new(apply.seed),
        met: Mutex::default(),
        hold: apply.hold,
        orders: apply.orders,
        effects: Mutex::new(effects),
        redo: Mutex::new(redo),
        cancel: cancelled,
        drain: draining,
    });
    let seal = crate::plan::seal(&shared.plan).map_err(|e| shared.journal.refused(&e))?;
    let first = first_event(&shared, seal, apply.earlier.as_ref());
    shared.write(first).await?;
    let queue = Queue::new(
        &shared.plan,
        Arc::clone(&shared.places),
        &apply.registry,
        &Bounds {
            run: apply.parallelism.max(1),
            targets: shared.orders.slots.clone(),
        },
    );
    let mut run = Run {
        outlook: Outlook::new(&shared.plan, &queue),
        queue,
        outs: Arc::new(Outs::of(&shared.plan)),
        answered: earlier::answered(&shared.plan, apply.earlier.as_ref()),
        asked: earlier::asked(apply.earlier.as_ref()),
        done: earlier::done(apply.earlier.as_ref()),
        before: earlier::ended_well(apply.earlier.as_ref()),
        seen: BTreeMap::new(),
        unsure: BTreeSet::new(),
        registry: apply.registry,
        gatekeeper: apply.gatekeeper,
        deadline,
        running: JoinSet::new(),
        who: BTreeMap::new(),
        set_aside: BTreeMap::new(),
        pause: Pause::No,
        stopped: Stop::No,
        stop: apply.stop.clone(),
        cut: None,
        broken: None,
        cancel,
        drain,
        shared,
    };
    run.refuse_stale(lost.clone()).await;
    run.until_its_end(apply.stop, apply.wishes, lost).await;
    Ok(run.ending(apply.next).await)
}

fn first_event(shared: &Shared, seal: String, earlier: Option<&Earlier>) -> Event {
    let tool = shared.plan.head.tool.clone();
    let steps = crate::plan::Summary::of(&shared.plan).acting;
    let steps = usize::try_from(steps).unwrap_or(usize::MAX);
    let taken = shared.orders.taken.clone();
    // A run that died before its first record begins now.
    match earlier.filter(|earlier| !earlier.lines.is_empty()) {
        Some(Earlier { by, .. }) => Event::RunResumed {
            run: shared.run.clone(),
            by: by.clone(),
            tool,
            steps,
            taken,
        },
        None => Event::RunStarted {
            run: shared.run.clone(),
            recovery: shared.plan.head.recovery.clone(),
            plan: seal,
            tool,
            steps,
            taken,
        },
    }
}

/// Whether anything new is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    No,
    /// Since something failed, or since somebody wished it.
    Yes,
}

/// A run that goes on.
struct Run {
    shared: Arc<Shared>,
    registry: Arc<Registry>,
    gatekeeper: Arc<dyn Gatekeeper>,
    queue: Queue,
    outlook: Outlook,
    outs: Arc<Outs>,
    answered: BTreeMap<Address, Ended>,
    asked: BTreeMap<Address, String>,
    /// What the run did before it was resumed.
    done: BTreeSet<Address>,
    /// How what ended well before ended, and by which record.
    before: BTreeMap<Address, (Outcome, u64)>,
    /// What was found true at the start, and why.
    seen: BTreeMap<Address, String>,
    /// What was true when planned, and of which nobody knows whether it is.
    unsure: BTreeSet<Address>,
    deadline: Option<Instant>,
    running: JoinSet<(Ended, Duration)>,
    who: BTreeMap<tokio::task::Id, usize>,
    /// Steps that failed while the run was told to pause: tried again when it goes on.
    set_aside: BTreeMap<usize, Outcome>,
    pause: Pause,
    stopped: Stop,
    /// What was asked for from outside, be it heeded yet or not.
    stop: watch::Receiver<Stop>,
    cut: Option<Cut>,
    /// A journal that cannot be written any more: nothing new is begun, what runs is left as it is.
    broken: Option<JournalError>,
    cancel: watch::Sender<bool>,
    drain: watch::Sender<bool>,
}

impl Run {
    async fn refuse_stale(&mut self, lost: watch::Receiver<Option<String>>) {
        let mut stop = self.stop.clone();
        let start = tokio::select! {
            biased;
            _ = stop.wait_for(|how_far| *how_far != Stop::No) => return,
            about = lost_to(lost) => {
                self.cut_off(Cut::LockLost(about));
                return;
            }
            () = passed(self.deadline) => {
                self.cut_off(Cut::Deadline);
                return;
            }
            start = stale::look(&self.shared, &self.registry, &self.outs, &self.done) => start,
        };
        // What a person took on is not refused: it is left out, or its own proof decides.
        let taken = &self.shared.orders.taken;
        let stale = start.stale.into_iter();
        let stale: Vec<_> = stale.filter(|(address, _)| !taken.has(address)).collect();
        for (address, because) in stale {
            if let Some(i) = self.queue.index(&address) {
                let because = self.shared.secrets.scrub(&because);
                let ended = Ended::with(Outcome::Moved { because });
                if let Err(error) = self.ended(i, ended, Duration::ZERO).await {
                    self.breaks(error);
                    return;
                }
            }
        }
        if !self.shared.orders.prove_changed_only {
            self.seen = start.seen;
        }
        self.unsure = start.unsure;
    }

    async fn until_its_end(
        &mut self,
        mut stop: watch::Receiver<Stop>,
        mut wishes: Wishes,
        mut lost: watch::Receiver<Option<String>>,
    ) {
        if lost.borrow().is_some() {
            // It was lost before anybody listened.
            lost.mark_changed();
        }
        loop {
            let asked = *stop.borrow_and_update();
            if asked > self.stopped {
                self.stop(asked);
            }
            self.begin_what_may().await;
            self.look_out().await;
            let waits = self.is_held_up() && self.may_begin();
            if self.running.is_empty() && !waits {
                // Ending a step at once (a barrier, a block) may have made others ready.
                if !self.may_begin() || self.queue.is_idle() {
                    break;
                }
                continue;
            }
            tokio::select! {
                // Whoever wishes an end comes before what would begin next.
                biased;
                Ok(()) = stop.changed() => {}
                Ok(()) = wishes.changed() => {
                    let wish = wishes.borrow_and_update().clone();
                    if let Some(wish) = wish {
                        self.heed(wish.pause, wish.by).await;
                    }
                }
                Ok(()) = lost.changed() => {
                    let about = lost.borrow_and_update().clone();
                    self.cut_off(Cut::LockLost(about.unwrap_or_default()));
                }
                () = passed(self.deadline), if self.stopped < Stop::Cancel => {
                    self.cut_off(Cut::Deadline);
                }
                Some(done) = self.running.join_next_with_id() => self.came_back(done).await,
                () = passed(self.outlook.due()) => self.tell_slow().await,
            }
        }
        for (i, outcome) in std::mem::take(&mut self.set_aside) {
            self.end(i, outcome);
        }
    }

    fn may_begin(&self) -> bool {
        self.stopped == Stop::No && *self.stop.borrow() == Stop::No && self.broken.is_none()
    }

    /// Whether a pause holds nothing back: nothing that is ready changes anything, nor what waits for it,
    /// and nothing failed that would be tried again.
    fn is_at_its_end(&self) -> bool {
        self.set_aside.is_empty() && self.queue.only_looks()
    }

    fn is_held_up(&self) -> bool {
        self.pause == Pause::Yes && !self.is_at_its_end()
    }

    async fn begin_what_may(&mut self) {
        while self.may_begin() && !self.is_held_up() {
            let Some(i) = self.queue.pop() else { break };
            if let Err(error) = self.begin(i).await {
                self.breaks(error);
            }
        }
    }

    async fn begin(&mut self, i: usize) -> Result<(), JournalError> {
        let turn = Begin {
            shared: &self.shared,
            registry: &self.registry,
            gatekeeper: &self.gatekeeper,
            outs: &self.outs,
            answered: &self.answered,
            asked: &self.asked,
            seen: &self.seen,
            unsure: &self.unsure,
        };
        match turn.begin(i, &self.queue).await? {
            Begun::Ended(ended) => self.ended(i, ended, Duration::ZERO).await,
            Begun::Runs(task) => {
                let step = &self.shared.plan.steps[i];
                self.outlook.begins(i, step, Instant::now());
                let handle = self.running.spawn(task);
                self.who.insert(handle.id(), i);
                Ok(())
            }
        }
    }

    async fn came_back(
        &mut self,
        done: Result<(tokio::task::Id, (Ended, Duration)), tokio::task::JoinError>,
    ) {
        let (id, ended, took) = match done {
            Ok((id, (ended, took))) => (id, ended, took),
            Err(error) => (error.id(), panicked(&self.shared, error), Duration::ZERO),
        };
        let Some(i) = self.who.remove(&id) else {
            return;
        };
        if ended.outcome.is_good() {
            self.outs.made(self.queue.name(i), &ended.outputs);
        }
        // Its traces are all that tells how it ended, until the journal does.
        let is_over = ended.outcome.is_good();
        match self.ended(i, ended, took).await {
            Ok(()) if is_over => self.shared.clear_work_dir(self.queue.name(i)).await,
            Ok(()) => {}
            Err(error) => self.breaks(error),
        }
    }

    /// Nothing can be kept any more: what runs is left as it is, for whoever goes on. A journal that somebody
    /// else writes says what a lock would that was looked at later.
    fn breaks(&mut self, error: JournalError) {
        if error.is_taken() {
            self.cut.get_or_insert_with(taken_over);
        }
        self.stop(Stop::Cancel);
        self.broken.get_or_insert(error);
    }

    /// Whether the plan said already that a step cannot be done: who applies it knows.
    fn is_foretold(&self, i: usize) -> bool {
        let place = self.shared.places.get(self.queue.name(i));
        let step = place.map(|&at| &self.shared.plan.steps[at]);
        step.is_some_and(|s| matches!(s.what, Do::Blocked { .. } | Do::Conflict))
    }

    /// Keeps how a step ended, and does what the run was told to do about a failure.
    async fn ended(
        &mut self,
        i: usize,
        mut ended: Ended,
        took: Duration,
    ) -> Result<(), JournalError> {
        self.queue.rests(i);
        self.outlook.rests(i);
        let scrub = |e: Evidence| Evidence {
            claim: self.shared.secrets.scrub(&e.claim),
            source: self.shared.secrets.scrub(&e.source),
            holds: e.holds,
        };
        ended.evidence = ended.evidence.into_iter().map(scrub).collect();
        let event = Event::StepEnded {
            address: self.queue.name(i).clone(),
            outcome: ended.outcome.clone(),
            evidence: ended.evidence.clone(),
            outputs: self.shared.secrets.scrub_json(&ended.outputs),
            elapsed_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        };
        self.shared.remember(&event);
        let written = match &ended.outcome {
            Outcome::Blocked { .. } if self.is_as_before(i) => Ok(()),
            // What was true or blocked changed nothing: it is kept with the next record.
            Outcome::Passed | Outcome::Blocked { .. } => self.shared.note(event),
            _ => self.shared.write(event).await,
        };
        let critical = matches!(
            ended.outcome,
            Outcome::Failed { .. } | Outcome::Refuted { warning: false, .. }
        ) && !self.queue.is_best_effort(i)
            && !self.is_foretold(i);
        match self.shared.orders.on_failure {
            OnFailure::Pause if critical && self.stopped == Stop::No => {
                self.set_aside.insert(i, ended.outcome);
                let because = format!("`{}` failed", self.queue.name(i));
                self.pause(because).await;
            }
            OnFailure::Stop if critical => {
                let address = self.queue.name(i).clone();
                self.cut.get_or_insert(Cut::Failure(address));
                self.end(i, ended.outcome);
                self.stop(Stop::Drain);
            }
            _ => self.end(i, ended.outcome),
        }
        written
    }

    /// Whether a step that is blocked now ended well before the run went on, and is as it was: nothing was done since to
    /// what it hangs on, which only cannot be looked at.
    fn is_as_before(&mut self, i: usize) -> bool {
        let address = self.queue.name(i);
        let Some((_, ended_at)) = self.before.get(address) else {
            return false;
        };
        let is_as_before = self.queue.touched_before(i) < *ended_at;
        if !is_as_before {
            self.before.remove(address);
        }
        is_as_before
    }

    fn end(&mut self, i: usize, outcome: Outcome) {
        self.outlook.ends(i, &self.queue);
        let begun_at = self.shared.effects().begun_at(self.queue.name(i));
        self.queue.end(i, outcome, begun_at);
    }

    /// Tells how long it will still take, when that has changed.
    async fn look_out(&mut self) {
        if self.pause == Pause::Yes || !self.may_begin() {
            return;
        }
        if let Some(left) = self.outlook.news(&self.queue, Instant::now()) {
            let event = Event::Outlook {
                left_ms: left.ms,
                unknown: left.unknown,
            };
            self.shared.say(event).await;
        }
    }

    async fn tell_slow(&mut self) {
        for i in self.outlook.slow(Instant::now()) {
            let step = &self.shared.plan.steps[i];
            let slow = step.expected.clone().map(|expected| Event::Slow {
                address: step.address.clone(),
                expected,
            });
            if let Some(slow) = slow {
                self.shared.say(slow).await;
            }
        }
    }

    async fn pause(&mut self, because: String) {
        self.pause = Pause::Yes;
        self.shared.say(Event::RunPaused { because }).await;
    }

    async fn heed(&mut self, pause: bool, by: String) {
        match (pause, self.pause) {
            (true, Pause::No) => self.pause(format!("wished by {by}")).await,
            (false, Pause::Yes) => {
                self.pause = Pause::No;
                let aside = std::mem::take(&mut self.set_aside);
                let again = aside.keys().map(|&i| self.queue.name(i).clone());
                let again = again.collect();
                self.shared.say(Event::RunWentOn { by, again }).await;
                for i in aside.into_keys() {
                    self.queue.again(i);
                }
            }
            _ => {}
        }
    }

    /// Leaves what runs at its next safe point, for a reason from inside.
    fn cut_off(&mut self, cut: Cut) {
        self.cut.get_or_insert(cut);
        self.stop(Stop::Cancel);
    }

    fn stop(&mut self, how_far: Stop) {
        self.stopped = self.stopped.max(how_far);
        self.drain.send_replace(true);
        if self.stopped >= Stop::Cancel {
            self.cancel.send_replace(true);
        }
    }

    async fn ending(self, next: String) -> Ending {
        let (shared, queue) = (self.shared, self.queue);
        // Who was asked to stop and had nothing left to do has done it all.
        let stopped = match crate::report::done_without(&shared.plan, &queue.ended) {
            Some(missing) if missing.is_empty() => Stop::No,
            _ => self.stopped,
        };
        let exit = crate::report::verdict(&shared.plan, &queue.ended, stopped, self.cut.as_ref());
        let exit_code = exit.code();
        let (mut broken, mut cut) = (self.broken, self.cut);
        if let Err(error) = shared.write(Event::RunEnded { exit_code }).await {
            if error.is_taken() {
                cut.get_or_insert_with(taken_over);
            }
            broken.get_or_insert(error);
        }
        let outcomes = together(self.before, queue.ended);
        Ending {
            frontier: Frontier::of(&shared.run, &shared.plan, &outcomes, &[], next),
            outcomes,
            stopped,
            cut,
            events: shared.journal.last(),
            head: shared.journal.head(),
            broken,
            to_redo: shared.to_redo(),
        }
    }
}

/// How steps ended in a run that went on: what was done before and was not looked at again, or could not be, is as it
/// was.
fn together(
    before: BTreeMap<Address, (Outcome, u64)>,
    mut now: BTreeMap<Address, Outcome>,
) -> BTreeMap<Address, Outcome> {
    for (address, (outcome, _)) in before {
        if matches!(now.get(&address), None | Some(Outcome::Blocked { .. })) {
            now.insert(address, outcome);
        }
    }
    now
}

/// What a journal says that somebody else writes.
fn taken_over() -> Cut {
    Cut::LockLost("another apply has gone on with this run".to_owned())
}

/// Returns to whom the lock was lost, as soon as it is.
async fn lost_to(mut lost: watch::Receiver<Option<String>>) -> String {
    let about = lost.wait_for(Option::is_some).await;
    match about.map(|about| about.clone()).ok().flatten() {
        Some(about) => about,
        // Nobody can take a lock away of which nobody tells.
        None => std::future::pending().await,
    }
}

async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// A bug in one step must not take the run with it.
fn panicked(shared: &Shared, error: tokio::task::JoinError) -> Ended {
    let because = match error.try_into_panic() {
        Ok(panic) => {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            let said = said.unwrap_or_else(|| "it said nothing".to_owned());
            format!("this is a bug of drplan, please report it: {said}")
        }
        Err(error) => error.to_string(),
    };
    Ended::with(Outcome::Failed {
        because: shared.secrets.scrub(&because),
    })
}
