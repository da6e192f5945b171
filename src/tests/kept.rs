//! What is kept of a run, and what keeps others away: journals that break, locks that are lost, traces that
//! must stay, secrets that must not.

use std::sync::Arc;
use std::time::Duration;

use drplan_api::Address;
use drplan_api::Clock;
use drplan_api::Fut;
use drplan_api::SharedStore;

use super::memory::Case;
use super::memory::How;
use crate::apply::Cut;
use crate::apply::Event;
use crate::apply::Hold;
use crate::apply::Journal;
use crate::apply::JournalError;
use crate::apply::Log;
use crate::apply::Orders;
use crate::apply::Outcome;
use crate::store::Claim;
use crate::store::Lease;
use crate::store::Uptime;
use crate::store::held;
use crate::store::memory::MemoryStore;
use crate::store::unlock;

const ONE: &str = "resource \"thing\" \"a\" {\n  value = 1\n}\n";

const LONG: &str = "resource \"thing\" \"a\" {\n  value   = 1\n  takes_s = 300\n}\n";

/// A journal that cannot keep a line with this text.
pub(super) struct Breaks(pub(super) &'static str);

impl Log for Breaks {
    fn name(&self) -> String {
        "breaks".to_owned()
    }

    fn append<'a>(&'a mut self, lines: &'a [u8]) -> Fut<'a, Result<(), JournalError>> {
        let broken = String::from_utf8_lossy(lines).contains(self.0);
        let error = || JournalError::new("write", "breaks", "no space is left");
        let kept = (!broken).then_some(()).ok_or_else(error);
        Box::pin(std::future::ready(kept))
    }
}

#[tokio::test(start_paused = true)]
async fn a_last_record_that_cannot_be_kept_is_said_and_takes_nothing_back() {
    let (case, work) = (Case::new(ONE), tempfile::tempdir().unwrap());
    let plan = case.plan().await;
    let journal = Journal::new(Box::new(Breaks("run_ended")));
    let ending = case.apply_as(&plan, How::on(journal, work.path())).await;
    assert_eq!(ending.outcomes[&Address::new("thing.a")], Outcome::Done);
    let error = ending.broken.expect("it was not kept").to_string();
    assert!(error.contains("no space is left"), "{error}");
}

/// A journal with which somebody else goes on once an effect was begun.
struct Taken;

impl Log for Taken {
    fn name(&self) -> String {
        "taken".to_owned()
    }

    fn append<'a>(&'a mut self, lines: &'a [u8]) -> Fut<'a, Result<(), JournalError>> {
        let is_theirs = String::from_utf8_lossy(lines).contains("\"effect_finished\"");
        let kept = (!is_theirs).then_some(());
        Box::pin(std::future::ready(
            kept.ok_or_else(|| JournalError::taken("taken")),
        ))
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_somebody_else_goes_on_with_ends_the_run_as_a_lost_lock_and_fails_no_step() {
    let behind = "resource \"thing\" \"b\" {\n  value = 2\n  depends_on = [thing.a]\n}\n";
    let (case, work) = (
        Case::new(&format!("{ONE}{behind}")),
        tempfile::tempdir().unwrap(),
    );
    let plan = case.plan().await;
    let journal = Journal::new(Box::new(Taken));
    let ending = case.apply_as(&plan, How::on(journal, work.path())).await;
    assert!(matches!(ending.cut, Some(Cut::LockLost(_))));
    assert_eq!(ending.outcomes[&Address::new("thing.a")], Outcome::Stopped);
    assert_eq!(case.world.get("thing.b"), None);
}

#[tokio::test(start_paused = true)]
async fn a_step_whose_end_cannot_be_kept_is_left_to_be_probed_and_not_called_failed() {
    let (case, work) = (Case::new(ONE), tempfile::tempdir().unwrap());
    let plan = case.plan().await;
    let journal = Journal::new(Box::new(Breaks("\"effect_finished\"")));
    let ending = case.apply_as(&plan, How::on(journal, work.path())).await;
    assert_eq!(ending.frontier.running, [Address::new("thing.a")]);
    assert!(ending.broken.is_some() && ending.cut.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_traces_of_a_step_stay_until_its_end_is_kept() {
    for (text, stays) in [("\"step_ended\"", true), ("nothing", false)] {
        let (case, work) = (Case::new(ONE), tempfile::tempdir().unwrap());
        let plan = case.plan().await;
        let journal = Journal::new(Box::new(Breaks(text)));
        case.apply_as(&plan, How::on(journal, work.path())).await;
        assert_eq!(case.world.get("thing.a"), Some(1));
        let traces = std::fs::read_dir(work.path()).unwrap().count();
        assert_eq!(traces == 1, stays, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_secret_stands_in_the_object_of_an_effect() {
    let spec = ONE.replace("\"a\"", "\"hunter2_of_the_shop\"");
    let case = Case::new(&spec).secret("hunter2_of_the_shop");
    let plan = case.plan().await;
    let (_, lines) = case.apply_told(&plan, Orders::default()).await;
    let objects = lines.iter().filter_map(|line| match &line.record {
        Event::EffectStarted { object, .. } => Some(object.as_str()),
        _ => None,
    });
    let objects: Vec<&str> = objects.collect();
    assert_eq!(objects.len(), 1);
    assert!(!objects[0].contains("hunter2"), "{objects:?}");
}

pub(super) async fn lease(store: &Arc<dyn SharedStore>, run: &str) -> Lease {
    let began = tokio::time::Instant::now();
    let uptime: Uptime = Arc::new(move || began.elapsed());
    let claim = Claim {
        recovery: "shop".to_owned(),
        run: run.to_owned(),
        holder: format!("{run}@test"),
        patience: Duration::ZERO,
    };
    let taken = Lease::take(Arc::clone(store), claim, Clock::system(), uptime);
    taken.await.expect("a lock")
}

/// Somebody else takes the lock away after a while.
pub(super) async fn stolen_after(store: Arc<dyn SharedStore>, delay: Duration) -> Lease {
    tokio::time::sleep(delay).await;
    let there = held(&*store, "shop").await.expect("an answer");
    let there = there.expect("a lock");
    unlock(&*store, "shop", there).await.expect("free");
    lease(&store, "two").await
}

#[tokio::test(start_paused = true)]
async fn a_long_request_is_given_up_when_somebody_else_has_the_lock() {
    let (case, work) = (Case::new(LONG), tempfile::tempdir().unwrap());
    let plan = case.plan().await;
    let store = MemoryStore::shared();
    let how = How {
        hold: Hold::Everywhere(lease(&store, "one").await),
        ..How::on(Journal::new(Box::new(Breaks("nothing"))), work.path())
    };
    let thief = stolen_after(Arc::clone(&store), Duration::from_secs(100));
    let (ending, _stolen) = tokio::join!(case.apply_as(&plan, how), thief);
    assert!(matches!(&ending.cut, Some(Cut::LockLost(about)) if about.contains("two@test")));
    assert_eq!(case.world.get("thing.a"), None, "it wrote after that");
}

#[tokio::test(start_paused = true)]
async fn a_long_request_is_given_up_when_the_lock_runs_out_and_made_again_when_it_is_renewed() {
    let (case, work) = (Case::new(LONG), tempfile::tempdir().unwrap());
    let plan = case.plan().await;
    let memory = Arc::new(MemoryStore::default());
    let store = Arc::clone(&memory) as Arc<dyn SharedStore>;
    let how = How {
        hold: Hold::Everywhere(lease(&store, "one").await),
        ..How::on(Journal::new(Box::new(Breaks("nothing"))), work.path())
    };
    memory.breaks_for(Duration::from_secs(200));
    let began = tokio::time::Instant::now();
    let ending = case.apply_as(&plan, how).await;
    assert_eq!(ending.outcomes[&Address::new("thing.a")], Outcome::Done);
    assert_eq!(case.world.writes().len(), 1);
    // The lock lived for a minute; the second request needed five, after the store was back.
    assert!(began.elapsed() > Duration::from_secs(500), "{began:?}");
}
