//! A shared store in memory, for tests: strict about conditions, with answers that can get lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;

use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::Kept;
use drplan_api::ProviderError;
use drplan_api::Put;
use drplan_api::SharedStore;
use drplan_api::Tag;
use drplan_api::When;

/// A store that lives as long as the test.
#[derive(Default)]
pub(crate) struct MemoryStore(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    objects: BTreeMap<String, (Vec<u8>, u64)>,
    versions: u64,
    /// How many answers to writes are lost after their effect.
    answers_lost: u32,
    /// How many names were listed.
    listed: usize,
    /// Until when nothing is answered.
    away_until: Option<tokio::time::Instant>,
    /// Whether every write is refused, whatever lies there.
    refuses: bool,
    /// For how long nothing is answered after the next write, which lands.
    breaks_for: Option<std::time::Duration>,
}

impl MemoryStore {
    pub(crate) fn shared() -> Arc<dyn SharedStore> {
        Arc::new(Self::default())
    }

    pub(crate) fn losing_answers(n: u32) -> Arc<dyn SharedStore> {
        let store = Self::default();
        store.inner().answers_lost = n;
        Arc::new(store)
    }

    /// The next write lands, its answer is lost, and then the store is away for a while.
    pub(crate) fn breaks_for(&self, how_long: std::time::Duration) {
        self.inner().breaks_for = Some(how_long);
    }

    /// From now on no write lands.
    pub(crate) fn refuses(&self) {
        self.inner().refuses = true;
    }

    /// Somebody deletes everything whose name begins so.
    pub(crate) fn loses(&self, prefix: &str) {
        let mut inner = self.inner();
        inner.objects.retain(|key, _| !key.starts_with(prefix));
    }

    /// How many names were listed so far.
    pub(crate) fn listed(&self) -> usize {
        self.inner().listed
    }

    fn named(&self, names: Vec<String>) -> Result<Vec<String>, ProviderError> {
        self.inner().listed += names.len();
        Ok(names)
    }

    fn away() -> ProviderError {
        ProviderError::new(ErrorKind::Unreachable, "ask", "memory")
    }

    fn is_away(&self) -> bool {
        let until = self.inner().away_until;
        until.is_some_and(|until| tokio::time::Instant::now() < until)
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().expect("no panic while it is held")
    }

    fn written(&self, key: &str, bytes: Vec<u8>, when: &When) -> Result<Put, ProviderError> {
        if self.is_away() {
            return Err(Self::away());
        }
        let mut inner = self.inner();
        let there = inner.objects.get(key).map(|(_, version)| *version);
        let holds = match (when, there) {
            (When::Absent, None) => true,
            (When::Is(Tag(tag)), Some(version)) => *tag == version.to_string(),
            _ => false,
        };
        if !holds || inner.refuses {
            return Ok(Put::Refused);
        }
        inner.versions += 1;
        let version = inner.versions;
        inner.objects.insert(key.to_owned(), (bytes, version));
        if let Some(how_long) = inner.breaks_for.take() {
            inner.away_until = Some(tokio::time::Instant::now() + how_long);
            return Err(Self::away());
        }
        if inner.answers_lost > 0 {
            inner.answers_lost -= 1;
            return Err(ProviderError::new(
                ErrorKind::Unreachable,
                "write",
                "memory",
            ));
        }
        Ok(Put::Done(Tag(version.to_string())))
    }
}

impl SharedStore for MemoryStore {
    fn name(&self) -> String {
        "memory:".to_owned()
    }

    fn get<'a>(&'a self, key: &'a str) -> Fut<'a, Result<Kept, ProviderError>> {
        if self.is_away() {
            return Box::pin(std::future::ready(Err(Self::away())));
        }
        let found = self.inner().objects.get(key).cloned();
        let found = found.map(|(bytes, version)| (bytes, Tag(version.to_string())));
        Box::pin(std::future::ready(Ok(found)))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        bytes: Vec<u8>,
        when: When,
    ) -> Fut<'a, Result<Put, ProviderError>> {
        Box::pin(std::future::ready(self.written(key, bytes, &when)))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> Fut<'a, Result<Vec<String>, ProviderError>> {
        let keys: Vec<String> = self.inner().objects.keys().cloned().collect();
        let keys = keys.into_iter().filter(|key| key.starts_with(prefix));
        Box::pin(std::future::ready(self.named(keys.collect())))
    }

    fn folders<'a>(&'a self, prefix: &'a str) -> Fut<'a, Result<Vec<String>, ProviderError>> {
        let keys: Vec<String> = self.inner().objects.keys().cloned().collect();
        let under = keys.iter().filter_map(|key| key.strip_prefix(prefix));
        let names = under.filter_map(|rest| rest.split_once('/'));
        let mut names: Vec<String> = names.map(|(name, _)| name.to_owned()).collect();
        names.dedup();
        Box::pin(std::future::ready(self.named(names)))
    }
}
