//! Runs in a store that several machines share.

use std::sync::Arc;

use drplan_api::SharedStore;
use drplan_api::Timestamp;

use super::RunStore;
use super::StoreError;
use super::memory::MemoryStore;
use super::wish::Wish;
use crate::apply::Event;
use crate::apply::Journal;
use crate::apply::Sink;
use crate::plan::Plan;
use crate::tests::memory::Case;

struct Deaf;

impl Sink for Deaf {
    fn hear(&self, _: u64, _: &Event) {}
}

async fn plan() -> Plan {
    Case::new("resource \"thing\" \"a\" {\n  value = 1\n}\n")
        .plan()
        .await
}

async fn write(journal: &Journal, exit_code: u8) -> bool {
    let sink: Arc<dyn Sink> = Arc::new(Deaf);
    let event = Event::RunEnded { exit_code };
    let written = journal.write(Timestamp::UNIX_EPOCH, event, &sink);
    written.await.is_ok()
}

fn shared(store: &Arc<dyn SharedStore>) -> RunStore {
    RunStore::Shared(Arc::clone(store))
}

#[tokio::test(start_paused = true)]
async fn a_run_is_found_and_gone_on_with_from_another_machine() {
    let store = MemoryStore::shared();
    let plan = plan().await;
    let journal = shared(&store)
        .begin("20260101-a", &plan, None)
        .await
        .expect("a run");
    assert!(write(&journal, 1).await && write(&journal, 2).await);

    let elsewhere = shared(&store);
    let run = elsewhere.find(Some("2026")).await.expect("found");
    let (stored, journal) = elsewhere.go_on(&run).await.expect("whole");
    assert_eq!((stored.plan, stored.records.lines.len()), (plan, 2));
    assert!(write(&journal, 3).await);
    assert_eq!(
        elsewhere
            .open(&run)
            .await
            .expect("whole")
            .records
            .lines
            .len(),
        3
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_writes_no_line_twice_and_loses_none() {
    let store = MemoryStore::losing_answers(3);
    let journal = shared(&store)
        .begin("r", &plan().await, None)
        .await
        .expect("a run");
    assert!(write(&journal, 1).await && write(&journal, 2).await);
    assert_eq!(
        shared(&store)
            .open("r")
            .await
            .expect("whole")
            .records
            .lines
            .len(),
        2
    );
}

#[tokio::test(start_paused = true)]
async fn of_two_who_go_on_with_one_run_only_one_writes() {
    let store = MemoryStore::shared();
    let journal = shared(&store)
        .begin("r", &plan().await, None)
        .await
        .expect("a run");
    assert!(write(&journal, 1).await);
    let (_, one) = shared(&store).go_on("r").await.expect("whole");
    let (_, two) = shared(&store).go_on("r").await.expect("whole");
    assert!(write(&one, 2).await);
    assert!(!write(&two, 9).await);
}

#[tokio::test(start_paused = true)]
async fn whoever_held_a_run_cannot_write_once_another_has_gone_on_with_it() {
    let store = MemoryStore::shared();
    let runs = shared(&store);
    let old = runs.begin("r", &plan().await, None).await.expect("a run");
    assert!(write(&old, 1).await);
    let (_, new) = runs.go_on("r").await.expect("whole");
    assert!(write(&new, 2).await);
    assert!(!write(&old, 9).await, "it slept and knows nothing");
    assert!(write(&new, 3).await);
    let lines = runs.open("r").await.expect("whole").records.lines;
    assert_eq!(lines.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_segment_that_somebody_deleted_is_called_that_and_nobody_is_said_to_go_on_with_the_run() {
    let memory = Arc::new(MemoryStore::default());
    let store = Arc::clone(&memory) as Arc<dyn SharedStore>;
    let (plan, sink): (_, Arc<dyn Sink>) = (plan().await, Arc::new(Deaf));
    let journal = shared(&store).begin("r", &plan, None).await.expect("a run");
    assert!(write(&journal, 1).await);
    memory.loses("runs/r/journal/");
    let event = Event::RunEnded { exit_code: 2 };
    let written = journal.write(Timestamp::UNIX_EPOCH, event, &sink).await;
    let error = written.expect_err("its lines are gone");
    assert!(!error.is_taken(), "{error}");
    assert!(error.to_string().contains("somebody deleted"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_writes_nothing_does_not_say_that_somebody_else_goes_on_with_the_run() {
    let memory = Arc::new(MemoryStore::default());
    let store = Arc::clone(&memory) as Arc<dyn SharedStore>;
    let (plan, sink): (_, Arc<dyn Sink>) = (plan().await, Arc::new(Deaf));
    let journal = shared(&store).begin("r", &plan, None).await.expect("a run");
    assert!(write(&journal, 1).await);
    memory.refuses();
    let event = Event::RunEnded { exit_code: 2 };
    let written = journal.write(Timestamp::UNIX_EPOCH, event, &sink).await;
    let error = written.expect_err("nothing lands");
    assert!(!error.is_taken(), "{error}");
    assert!(error.to_string().contains("it refuses for 60 s"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_full_segment_is_closed_so_that_only_one_makes_the_next() {
    let store = MemoryStore::shared();
    let runs = shared(&store);
    let old = runs.begin("r", &plan().await, None).await.expect("a run");
    let segments = async || store.list("runs/r/journal/").await.expect("a list").len();
    while segments().await < 2 {
        assert!(write(&old, 0).await);
    }
    let before = runs.open("r").await.expect("whole").records.lines.len();
    let (_, new) = runs.go_on("r").await.expect("whole");
    while segments().await < 3 {
        assert!(write(&new, 0).await);
    }
    assert!(!write(&old, 9).await);
    let (_, third) = runs.go_on("r").await.expect("whole");
    assert!(write(&third, 0).await);
    assert!(runs.open("r").await.expect("whole").records.lines.len() > before);
}

#[tokio::test(start_paused = true)]
async fn a_long_journal_is_kept_in_segments_and_read_whole() {
    let store = MemoryStore::shared();
    let journal = shared(&store)
        .begin("r", &plan().await, None)
        .await
        .expect("a run");
    for _ in 0..2000 {
        assert!(write(&journal, 0).await);
    }
    let segments = store.list("runs/r/journal/").await.expect("a list");
    assert!((2..10).contains(&segments.len()), "{segments:?}");
    assert_eq!(
        shared(&store)
            .open("r")
            .await
            .expect("whole")
            .records
            .lines
            .len(),
        2000
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_that_nobody_knows_is_named_beside_those_that_there_are() {
    let store = MemoryStore::shared();
    let runs = shared(&store);
    assert!(matches!(
        runs.find(None).await,
        Err(StoreError::None { .. })
    ));
    for run in ["a1", "a2", "b1"] {
        runs.begin(run, &plan().await, None).await.expect("a run");
    }
    assert_eq!(runs.find(None).await.expect("the newest"), "b1");
    let unknown = runs.find(Some("c")).await;
    assert!(matches!(unknown, Err(StoreError::Unknown { known, .. }) if known.len() == 3));
    let unclear = runs.find(Some("a")).await;
    assert!(matches!(unclear, Err(StoreError::Ambiguous { known, .. }) if known.len() == 2));
}

#[tokio::test(start_paused = true)]
async fn a_wish_is_replaced_by_the_next() {
    let store = MemoryStore::shared();
    let runs = shared(&store);
    assert_eq!(runs.wish("r").await.expect("readable"), None);
    for pause in [true, false] {
        let wish = Wish {
            pause,
            by: "a test".to_owned(),
            at: Timestamp::UNIX_EPOCH,
        };
        runs.set_wish("r", &wish).await.expect("kept");
        assert_eq!(runs.wish("r").await.expect("readable"), Some(wish));
    }
}

#[tokio::test(start_paused = true)]
async fn runs_are_listed_by_one_name_each_however_long_their_journals_are() {
    let memory = Arc::new(MemoryStore::default());
    let store = Arc::clone(&memory) as Arc<dyn SharedStore>;
    let plan = plan().await;
    for run in ["20260101-a", "20260102-b"] {
        shared(&store).begin(run, &plan, None).await.expect("a run");
        for segment in 1..50 {
            let key = format!("runs/{run}/journal/{segment:06}.jsonl");
            let put = store.put(&key, Vec::new(), drplan_api::When::Absent);
            put.await.expect("a segment");
        }
    }
    let runs = shared(&store).runs().await.expect("runs");
    assert_eq!(runs, ["20260101-a", "20260102-b"]);
    assert_eq!(memory.listed(), 2);
}
