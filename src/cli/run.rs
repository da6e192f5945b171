//! One run of a plan, from its lock to its last line.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use drplan_api::Address;
use drplan_api::Clock;
use drplan_api::Timestamp;
use tokio::sync::watch;

use super::Ambient;
use super::after;
use super::after::After;
use super::args::ApplyArgs;
use super::args::Cli;
use super::failure::Failure;
use super::gate::Asks;
use super::holder::alone;
use super::holder::taker;
use super::next;
use super::open_store;
use super::print;
use super::shown::Shown;
use super::signals;
use super::talk;
use super::words::Words;
use super::world::World;
use crate::apply::Apply;
use crate::apply::Cut;
use crate::apply::Earlier;
use crate::apply::Ending;
use crate::apply::Event;
use crate::apply::Frontier;
use crate::apply::Hold;
use crate::apply::Journal;
use crate::apply::Orders;
use crate::apply::Sink;
use crate::apply::Stop;
use crate::plan::Plan;
use crate::render;
use crate::render::run::TextSink;
use crate::report::Exit;
use crate::report::done_without;
use crate::report::verdict;
use crate::signature::Signature;
use crate::store::LeaseError;
use crate::store::RunStore;
use crate::store::StoreError;
use crate::store::StoredRun;
use crate::store::Wish;

/// How often a run asks whether somebody at another terminal wishes something of it.
const WISH_EVERY: Duration = Duration::from_secs(1);

/// How long a run whose journal could not be written tries to leave frontier and lock as they should be:
/// the same store has just been asked long enough.
const LEFT_WITHIN: Duration = Duration::from_secs(5);

/// A run that begins, or goes on.
pub(super) struct Beginning {
    pub(super) plan: Arc<Plan>,
    /// Who vouches for it, if somebody does; the run keeps it.
    pub(super) signature: Option<Signature>,
    /// The run that goes on.
    pub(super) resumed: Option<String>,
    /// The questions that it was answered with no before.
    pub(super) refused: BTreeSet<Address>,
    pub(super) store: RunStore,
    /// What a person orders, now and before it was resumed.
    pub(super) orders: Orders,
    /// The command by which a person applies once more.
    pub(super) again: Words,
    /// In which words its questions were shown before it.
    pub(super) shown: Shown,
    /// How far it is being stopped.
    pub(super) stop: watch::Receiver<Stop>,
}

/// A run's id: when it began and a few digits that tell runs of one second apart.
fn run_id(at: Timestamp) -> String {
    let digits = drplan_api::short_hash(&(at.as_nanosecond().to_string(), std::process::id()));
    // In order of their beginning, also within a second.
    format!("{}{}", at.strftime("%Y%m%dT%H%M%S.%3fZ-"), &digits[..4])
}

/// Runs a plan and says how it ended.
pub(super) async fn run(
    cli: &Cli,
    args: &ApplyArgs,
    ambient: &Ambient,
    world: &World,
    beginning: Beginning,
) -> Result<Exit, Failure> {
    let plan = Arc::clone(&beginning.plan);
    let store = beginning.store.clone();
    let at = ambient.doors.clock.now();
    let run = beginning.resumed.clone().unwrap_or_else(|| run_id(at));
    let taken = &beginning.orders.taken;
    let after = After {
        again: beginning.again.clone(),
        resume: next::resume(cli, args, taken, &plan, &run),
        status: Words::new(cli, &["status", &run]).vars(&args.planning.vars, &plan),
        report: Words::new(cli, &["report", &run]).vars(&args.planning.vars, &plan),
        anew: match beginning.resumed {
            Some(_) => Some(next::again(cli, args, taken, &plan)),
            None => next::anew(cli, args, &plan),
        },
        has_file: args.plan.is_some(),
        has_redone: false,
        fated: after::fated(&plan),
        unsaid: next::unsaid(args, &plan),
        left_out: next::again(cli, args, &taken.by_hand_alone(), &plan),
        refused: beginning.refused.clone(),
        // Who reads JSON is no person.
        can_ask: ambient.can_ask && !args.json,
    };
    let course = Course {
        work_dir: open_store::work_dir(&cli.chdir, &store)?,
        base_dir: std::path::absolute(&cli.chdir).map_err(anyhow::Error::from)?,
        run: run.clone(),
        resume: after.resume.text(),
        at,
    };
    let hold = tokio::select! {
        biased;
        () = signals::asked(Some(&beginning.stop)) => return Ok(Exit::Stopped),
        hold = alone(&store, &plan, &run, args.lock_timeout, ambient) => Arc::new(hold?),
    };
    let ending = course.applied(args, ambient, world, beginning, &hold).await;
    let is_broken = ending.as_ref().map_or(true, |e| e.broken.is_some());
    let exit = match ending {
        Ok(ending) => told(&plan, &store, after, ending, args.json, ambient).await,
        Err(failure) => Err(failure),
    };
    let is_lost = match &exit {
        Ok(exit) => *exit == Exit::Locked,
        Err(failure) => failure.exit() == Exit::Locked,
    };
    given_back(hold, is_broken, is_lost).await;
    exit
}

/// What is known of a run before it has the lock.
struct Course {
    run: String,
    /// The command that goes on with it if this process dies.
    resume: String,
    at: Timestamp,
    work_dir: PathBuf,
    base_dir: PathBuf,
}

impl Course {
    /// Applies the plan, under its lock.
    async fn applied(
        self,
        args: &ApplyArgs,
        ambient: &Ambient,
        world: &World,
        beginning: Beginning,
        hold: &Arc<Hold>,
    ) -> Result<Ending, Failure> {
        // A wish from before the run goes on is none of now; a new run has none. One that cannot be
        // read is no reason not to go on.
        let known = match beginning.resumed {
            Some(_) => beginning.store.wish(&self.run).await.ok().flatten(),
            None => None,
        };
        let (journal, earlier) = begun(&beginning, &self.run, ambient).await?;
        let first = frontier(&self.run, &beginning.plan, &self.resume);
        // Whoever finds the run dead is told how to go on; without that it is found all the same.
        beginning.store.keep(&first).await.ok();
        let (sink, drawn) = sink(args.json, ambient, self.at)?;
        let (wishes, watching) = watched(&beginning.store, &self.run, known);
        let ending = crate::apply::apply(Apply {
            plan: beginning.plan,
            registry: Arc::clone(&world.registry),
            observer: Arc::clone(&world.observer),
            secrets: Arc::clone(&world.secrets),
            journal,
            earlier,
            sink,
            gatekeeper: Arc::new(Asks::new(&args.approve, beginning.shown, drawn, ambient)),
            hold: Arc::clone(hold),
            orders: beginning.orders,
            stop: beginning.stop,
            wishes,
            run: self.run,
            work_dir: self.work_dir,
            base_dir: self.base_dir,
            doors: ambient.doors.clone(),
            parallelism: args.parallelism,
            seed: u64::try_from(self.at.as_nanosecond() & i128::from(u64::MAX)).unwrap_or_default(),
            next: beginning.again.text(),
        })
        .await;
        watching.abort();
        Ok(ending.map_err(StoreError::from)?)
    }
}

/// Where a run stands that has only begun.
fn frontier(run: &str, plan: &Plan, next: &str) -> Frontier {
    Frontier {
        from: here(),
        ..Frontier::of(run, plan, &BTreeMap::new(), &[], next.to_owned())
    }
}

/// The folder that printed commands are meant for.
pub(super) fn here() -> String {
    let here = std::env::current_dir();
    here.map(|dir| dir.display().to_string())
        .unwrap_or_default()
}

/// The journal of a run, and what it holds already.
async fn begun(
    beginning: &Beginning,
    run: &str,
    ambient: &Ambient,
) -> Result<(Journal, Option<Earlier>), Failure> {
    let Beginning { plan, store, .. } = beginning;
    if beginning.resumed.is_none() {
        let journal = store.begin(run, plan, beginning.signature.as_ref());
        return Ok((journal.await?, None));
    }
    let (stored, journal) = store.go_on(run).await?;
    same_plan(&stored, plan)?;
    let earlier = Earlier {
        lines: stored.records.lines,
        by: ambient.holder(),
    };
    Ok((journal, Some(earlier)))
}

/// Gives the lock back; one of this machine is free as soon as nobody has it.
async fn given_back(hold: Arc<Hold>, is_broken: bool, is_lost: bool) {
    let Some(Hold::Everywhere(lease)) = Arc::into_inner(hold) else {
        return;
    };
    match within(is_broken, lease.release()).await {
        Some(Err(LeaseError::Lost { .. })) if is_lost => {}
        Some(Ok(())) => {}
        Some(Err(error)) => talk(&format!(
            "the lock was not given back and expires by itself: {error}"
        )),
        None => talk("the lock was not given back and expires by itself"),
    }
}

/// Waits for the last words to a store, and not long for one that does not answer; `None` if it did not.
pub(super) async fn within<T>(is_broken: bool, last: impl Future<Output = T>) -> Option<T> {
    match is_broken {
        true => tokio::time::timeout(LEFT_WITHIN, last).await.ok(),
        false => Some(last.await),
    }
}

/// Answers and guards of a run belong to the plan that it began with.
fn same_plan(stored: &StoredRun, plan: &Plan) -> Result<(), Failure> {
    let began = stored.records.lines.iter().find_map(|l| match &l.record {
        Event::RunStarted { plan, .. } => Some(plan),
        _ => None,
    });
    let seal = crate::plan::seal(plan).map_err(anyhow::Error::from)?;
    if began.is_none_or(|began| *began == seal) {
        return Ok(());
    }
    Err(Failure::refused(
        Exit::Refused,
        format!(
            "run {} began with another plan than lies beside it now",
            stored.id
        ),
        "`drplan apply` plans anew; what is done is found done",
    ))
}

/// What is drawn for a person; `None` if a program reads the run.
type Drawn = Option<Arc<TextSink>>;

/// Who hears of the run, and what a person is asked beside, unless a program reads it.
fn sink(json: bool, ambient: &Ambient, at: Timestamp) -> Result<(Arc<dyn Sink>, Drawn), Failure> {
    if json {
        print(&(render::json::version_line(at).to_string() + "\n"))?;
        let clock = ambient.doors.clock.clone();
        return Ok((Arc::new(render::run::JsonSink::new(clock)), None));
    }
    let live = ambient.stdout_is_terminal;
    let drawn = Arc::new(TextSink::new(ambient.style(), live, stopwatch(ambient)));
    Ok((Arc::clone(&drawn) as Arc<dyn Sink>, Some(drawn)))
}

/// A clock for the time since the start, which shows no jump where that of the machine is set.
fn stopwatch(ambient: &Ambient) -> Clock {
    let clock = ambient.doors.clock.clone();
    if clock.is_bound() {
        return clock;
    }
    let (start, uptime) = (clock.now(), Arc::clone(&ambient.uptime));
    let since = uptime();
    Clock::told_by(move || {
        let passed = uptime().saturating_sub(since);
        start.checked_add(passed).unwrap_or(start)
    })
}

/// Asks again and again what is wished of a run.
fn watched(
    store: &RunStore,
    run: &str,
    mut known: Option<Wish>,
) -> (crate::apply::Wishes, tokio::task::JoinHandle<()>) {
    let (sender, receiver) = watch::channel(None);
    let (store, run) = (store.clone(), run.to_owned());
    let task = tokio::spawn(async move {
        loop {
            // A store that does not answer is asked again.
            match store.wish(&run).await {
                Ok(wish) if wish != known => {
                    known.clone_from(&wish);
                    sender.send_replace(wish);
                }
                _ => {}
            }
            tokio::time::sleep(WISH_EVERY).await;
        }
    });
    (receiver, task)
}

/// Writes the frontier and says how the run ended.
async fn told(
    plan: &Plan,
    store: &RunStore,
    after: After,
    ending: Ending,
    json: bool,
    ambient: &Ambient,
) -> Result<Exit, Failure> {
    let mut exit = verdict(plan, &ending.outcomes, ending.stopped, ending.cut.as_ref());
    let is_lost = matches!(ending.cut, Some(Cut::LockLost(_)));
    if let Some(error) = ending.broken.as_ref().filter(|_| !is_lost) {
        talk(&format!("error: {error}; nothing new was begun"));
        if let Some(remedy) = error.remedy() {
            talk(&format!("  hint: {remedy}"));
        }
        exit = Exit::Partial;
    }
    match &ending.cut {
        Some(Cut::LockLost(about)) => {
            let us = ambient.holder();
            let taker = taker(store, plan, &ending.frontier.run, &us);
            let about = taker.await.unwrap_or_else(|| about.clone());
            talk(&format!(
                "error: the lock of this recovery was lost: {about}; what ran was left at a safe point"
            ));
        }
        Some(Cut::Deadline) => talk("the deadline of the run has passed"),
        Some(Cut::Failure(address)) => talk(&format!("stopped because `{address}` failed")),
        None => {}
    }
    let redone = |address: &&Address| !ending.to_redo.contains(*address);
    let after = after.without_redone(plan.head.redo.iter().filter(redone));
    let last = ending.events + 1;
    let without = done_without(plan, &ending.outcomes);
    let without = without.filter(|_| ending.stopped == Stop::No);
    let way = after.next(&ending, exit);
    let frontier = Frontier {
        next: way.command.clone(),
        from: here(),
        ..ending.frontier.clone()
    };
    let kept = keep(store, &frontier, ending.cut.as_ref());
    match within(ending.broken.is_some(), kept).await {
        Some(Ok(())) => {}
        Some(Err(error)) => talk(&format!("error: {error}")),
        None => talk("error: where the run stands could not be kept: the store does not answer"),
    }
    if json {
        let now = ambient.doors.clock.now();
        let line = render::json::summary_line(now, last, exit.code(), &frontier, &ending.head);
        print(&format!("{line}\n"))?;
    } else {
        print(&render::run::ending(
            plan,
            &ending.outcomes,
            &frontier,
            without.as_deref(),
            ambient.style(),
            exit.code(),
        ))?;
        talk(&format!(
            "report: {}\nhead of the journal, to be kept elsewhere: {}",
            after.report.text(),
            ending.head
        ));
    }
    let is_over = way.command.is_empty();
    let left_out = after.left_out(&ending).filter(|_| is_over);
    if let Some(left_out) = &left_out {
        talk(&format!("to do what was left out: {}", left_out.command));
    }
    if left_out.unwrap_or(way).plans_anew && !after.unsaid.is_empty() {
        talk(&after.unsaid);
    }
    Ok(exit)
}

/// Keeps where the run stands. After a lost lock the run is somebody else's, and so is the word on that.
async fn keep(
    store: &RunStore,
    frontier: &Frontier,
    cut: Option<&Cut>,
) -> Result<(), crate::store::StoreError> {
    match cut {
        Some(Cut::LockLost(_)) => Ok(()),
        _ => store.keep(frontier).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;

    #[tokio::test(start_paused = true)]
    async fn who_lost_the_lock_leaves_the_frontier_to_who_has_it() {
        let memory = MemoryStore::shared();
        let store = RunStore::Shared(Arc::clone(&memory));
        let of = |next: &str| Frontier {
            run: "r".to_owned(),
            next: next.to_owned(),
            ..Frontier::default()
        };
        let there = async || memory.get("runs/r/frontier.json").await.expect("an answer");
        let lost = Cut::LockLost("another has it".to_owned());
        keep(&store, &of("mine"), Some(&lost)).await.expect("left");
        assert_eq!(there().await, None);
        keep(&store, &of("theirs"), None).await.expect("kept");
        let before = there().await;
        assert!(before.is_some());
        keep(&store, &of("mine"), Some(&lost)).await.expect("left");
        assert_eq!(there().await, before);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wish_from_before_the_first_look_is_heeded_and_one_from_before_the_run_is_not() {
        let store = RunStore::Shared(MemoryStore::shared());
        let wish = |pause| crate::store::Wish {
            pause,
            by: "a test".to_owned(),
            at: Timestamp::UNIX_EPOCH,
        };
        store.set_wish("r", &wish(true)).await.expect("kept");
        let (mut wishes, watching) = watched(&store, "r", None);
        wishes.changed().await.expect("heard");
        assert_eq!(*wishes.borrow(), Some(wish(true)));
        watching.abort();
        let (mut wishes, watching) = watched(&store, "r", Some(wish(true)));
        let old = tokio::time::timeout(WISH_EVERY * 5, wishes.changed()).await;
        assert!(old.is_err(), "an old wish is none");
        store.set_wish("r", &wish(false)).await.expect("kept");
        wishes.changed().await.expect("heard");
        watching.abort();
    }
}
