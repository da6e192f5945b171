//! One apply of a recovery at a time on all machines: a lock in a shared store that expires.
//!
//! It is renewed long before it expires, on a clock that goes on while the machine sleeps. Before each
//! request that changes the world the holder makes sure that the lock outlives it; a holder that
//! slept too long asks the store, and stops if somebody else has taken over. Who takes over never
//! compares clocks of two machines: it watches for as long as the lock lives whether it is renewed.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use drplan_api::Clock;
use drplan_api::ProviderError;
use drplan_api::SharedStore;
use drplan_api::Tag;
use drplan_api::Timestamp;
use drplan_api::When;
use serde::Deserialize;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::shared::Surely;
use super::shared::get_surely;
use super::shared::put_surely;

/// How long a lock lives after it was last renewed.
pub const TTL: Duration = Duration::from_secs(60);

/// How often it is renewed.
const RENEWED_EVERY: Duration = Duration::from_secs(15);

/// How much of its life must be left when a request leaves.
const MARGIN: Duration = Duration::from_secs(15);

/// How often it is looked at while a request is on its way.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(1);

/// How often a lock that is held is looked at by who waits for it.
const WATCHED_EVERY: Duration = Duration::from_secs(5);

/// How much longer than its life a lock must lie untouched before somebody takes it.
const GRACE: Duration = Duration::from_secs(10);

/// How often a lock is renewed for one request, where the store is so slow that each time too little
/// of its life is left.
const RENEWALS_MAX: usize = 3;

/// Tells how long this machine has run, sleep included.
pub type Uptime = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Why a lock cannot be taken or kept.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another apply holds it.
    #[error("another apply of this recovery runs: {about}")]
    Held {
        /// Who, since when, and when it was last renewed.
        about: String,
    },
    /// Somebody else has taken it.
    #[error("the lock of this recovery was lost: {about}")]
    Lost {
        /// Who has it now, or why it could not be renewed.
        about: String,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] ProviderError),
}

/// What lies in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The run that holds it.
    pub run: String,
    /// The person, machine and process.
    pub holder: String,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// When it was last renewed.
    pub renewed_at: Timestamp,
    /// How long it lives after that, in seconds.
    pub ttl_s: u64,
    /// Counts how often it was taken.
    pub number: u64,
    /// Whether it was given back.
    pub released: bool,
}

impl Held {
    /// Whether both are the same time that the same run took it, and nobody has given it back.
    fn is_same_take(&self, other: &Self) -> bool {
        let take = |held: &Self| (held.run.clone(), held.holder.clone(), held.number);
        take(self) == take(other) && !self.released
    }

    /// Whether whoever holds it has not renewed it for so long that it seems to be dead. For people only: who
    /// takes over compares no clocks.
    #[must_use]
    pub fn is_silent(&self, now: Timestamp) -> bool {
        let silent = now.duration_since(self.renewed_at);
        jiff::SignedDuration::try_from(self.lives()).is_ok_and(|lives| silent > lives)
    }

    /// How long it holds without being renewed.
    fn lives(&self) -> Duration {
        Duration::from_secs(self.ttl_s).saturating_add(GRACE)
    }

    /// Who holds it, for people.
    #[must_use]
    pub fn about(&self) -> String {
        format!(
            "run {} of {}, since {}, last renewed {}",
            self.run,
            self.holder,
            self.taken_at.strftime("%F %T UTC"),
            self.renewed_at.strftime("%T UTC"),
        )
    }
}

/// Who wants a lock.
pub struct Claim {
    /// The recovery.
    pub recovery: String,
    /// The run.
    pub run: String,
    /// The person, machine and process.
    pub holder: String,
    /// How long to wait for somebody else's.
    pub patience: Duration,
}

/// A held lock. Given back with [`Lease::release`]; dropped, it expires.
pub struct Lease {
    inner: Arc<Inner>,
    renewing: JoinHandle<()>,
}

struct Inner {
    store: Arc<dyn SharedStore>,
    key: String,
    clock: Clock,
    uptime: Uptime,
    /// Held while one renewal is on its way.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    lost: watch::Sender<Option<String>>,
}

struct State {
    held: Held,
    tag: Tag,
    /// Until when, on the uptime's clock, nobody else may have it.
    good_until: Duration,
}

/// Reads who holds the lock of a recovery.
///
/// # Errors
///
/// If the store cannot be read.
pub async fn held(
    store: &dyn SharedStore,
    recovery: &str,
) -> Result<Option<(Held, Tag)>, ProviderError> {
    let key = key(recovery);
    let Some((bytes, tag)) = get_surely(store, &key).await? else {
        return Ok(None);
    };
    match serde_json::from_slice(&bytes) {
        Ok(held) => Ok(Some((held, tag))),
        Err(e) => Err(ProviderError::new(
            drplan_api::ErrorKind::Corrupt,
            format!("read `{key}`"),
            store.name(),
        )
        .caused_by(&e)
        .hint("another version of drplan may have written it; look at it by hand")),
    }
}

/// Marks a lock as given back, whoever holds it.
///
/// # Errors
///
/// If somebody else was faster, or the store cannot be used.
pub async fn unlock(
    store: &dyn SharedStore,
    recovery: &str,
    (mut held, tag): (Held, Tag),
) -> Result<(), LeaseError> {
    held.released = true;
    let bytes = serde_json::to_vec(&held).map_err(|e| bug(store, &e))?;
    match put_surely(store, &key(recovery), &bytes, When::Is(tag)).await? {
        Surely::Written(_) => Ok(()),
        Surely::Taken | Surely::Gone => Err(LeaseError::Held {
            about: "it was renewed or taken just now; look again".to_owned(),
        }),
    }
}

fn key(recovery: &str) -> String {
    format!("locks/{recovery}.json")
}

fn bug(store: &dyn SharedStore, why: &(dyn std::error::Error + 'static)) -> ProviderError {
    ProviderError::new(drplan_api::ErrorKind::Bug, "write a lock", store.name()).caused_by(why)
}

impl Lease {
    /// Takes the lock of a recovery, as soon as nobody else holds it.
    ///
    /// # Errors
    ///
    /// If somebody else still holds it when the patience is at its end, or the store cannot be used.
    pub async fn take(
        store: Arc<dyn SharedStore>,
        claim: Claim,
        clock: Clock,
        uptime: Uptime,
    ) -> Result<Self, LeaseError> {
        let since = uptime();
        let mut watched: Option<(Tag, Duration)> = None;
        loop {
            let found = held(&*store, &claim.recovery).await?;
            let free = match &found {
                None => true,
                Some((held, _)) if held.released => true,
                Some((held, tag)) => {
                    let first = match &watched {
                        Some((seen, first)) if seen == tag => *first,
                        _ => uptime(),
                    };
                    watched = Some((tag.clone(), first));
                    uptime().saturating_sub(first) > held.lives()
                }
            };
            if free
                && let Some(lease) =
                    claimed(&store, &claim, found.as_ref(), &clock, &uptime).await?
            {
                return Ok(lease);
            }
            if uptime().saturating_sub(since) + WATCHED_EVERY > claim.patience {
                // Who was faster just now is named, not who had it before.
                let found = match free {
                    true => held(&*store, &claim.recovery).await?,
                    false => found,
                };
                let about = match found {
                    Some((held, _)) => held.about(),
                    None => "it was taken just now".to_owned(),
                };
                return Err(LeaseError::Held { about });
            }
            tokio::time::sleep(WATCHED_EVERY).await;
        }
    }

    /// Makes sure that the lock outlives the next request.
    ///
    /// # Errors
    ///
    /// If somebody else has it, or it cannot be renewed in time.
    pub async fn outlives_request(&self) -> Result<(), LeaseError> {
        if self.inner.left() >= MARGIN {
            return Ok(());
        }
        // It may still be ours: the machine slept, or the store was slow. So slow that what is renewed has
        // already aged, it must be renewed again.
        for _ in 0..RENEWALS_MAX {
            self.inner.renew().await?;
            if self.inner.left() >= MARGIN {
                return Ok(());
            }
        }
        Err(self.inner.too_slow().into())
    }

    /// Returns when the lock does not outlive what is on its way any more: somebody else has it, or it could
    /// not be renewed.
    pub async fn fails(&self) -> LeaseError {
        let mut lost = self.lost();
        loop {
            let about = tokio::select! {
                lost = lost.wait_for(Option::is_some) => lost.map(|about| about.clone()).ok().flatten(),
                () = tokio::time::sleep(LOOKED_AT_EVERY) => None,
            };
            if let Some(about) = about {
                return LeaseError::Lost { about };
            }
            let left = self.inner.left();
            if left >= MARGIN {
                continue;
            }
            match tokio::time::timeout(left, self.outlives_request()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error,
                Err(_) => return self.inner.too_slow().into(),
            }
        }
    }

    /// Becomes a reason as soon as the lock is lost.
    #[must_use]
    pub fn lost(&self) -> watch::Receiver<Option<String>> {
        self.inner.lost.subscribe()
    }

    /// Gives it back.
    ///
    /// # Errors
    ///
    /// If that cannot be written; then it expires.
    pub async fn release(self) -> Result<(), LeaseError> {
        self.renewing.abort();
        let _turn = self.inner.turn.lock().await;
        self.inner.write(true).await
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

/// Writes the claim into the store; `None` if somebody else was faster.
async fn claimed(
    store: &Arc<dyn SharedStore>,
    claim: &Claim,
    found: Option<&(Held, Tag)>,
    clock: &Clock,
    uptime: &Uptime,
) -> Result<Option<Lease>, LeaseError> {
    let now = clock.now();
    let held = Held {
        run: claim.run.clone(),
        holder: claim.holder.clone(),
        taken_at: now,
        renewed_at: now,
        ttl_s: TTL.as_secs(),
        number: found.map_or(1, |(held, _)| held.number.saturating_add(1)),
        released: false,
    };
    let key = key(&claim.recovery);
    let when = found.map_or(When::Absent, |(_, tag)| When::Is(tag.clone()));
    let asked = uptime();
    let bytes = serde_json::to_vec(&held).map_err(|e| bug(&**store, &e))?;
    let Surely::Written(tag) = put_surely(&**store, &key, &bytes, when).await? else {
        return Ok(None);
    };
    let inner = Arc::new(Inner {
        store: Arc::clone(store),
        key,
        clock: clock.clone(),
        uptime: Arc::clone(uptime),
        turn: tokio::sync::Mutex::new(()),
        state: Mutex::new(State {
            held,
            tag,
            good_until: asked + TTL,
        }),
        lost: watch::Sender::new(None),
    });
    let renewing = tokio::spawn(Arc::clone(&inner).renewed());
    Ok(Some(Lease { inner, renewing }))
}

impl Inner {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn left(&self) -> Duration {
        self.state().good_until.saturating_sub((self.uptime)())
    }

    fn too_slow(&self) -> ProviderError {
        ProviderError::new(
            drplan_api::ErrorKind::Unreachable,
            "renew the lock of this recovery in time",
            self.store.name(),
        )
        .because("the store answers too slowly")
    }

    /// Renews it until it is lost.
    async fn renewed(self: Arc<Self>) {
        loop {
            tokio::time::sleep(RENEWED_EVERY).await;
            // An unreachable store is asked again; the lock is lost only if somebody else has it.
            if let Err(LeaseError::Lost { .. }) = self.renew().await {
                return;
            }
        }
    }

    async fn renew(&self) -> Result<(), LeaseError> {
        let _turn = self.turn.lock().await;
        if let Some(about) = self.lost.borrow().clone() {
            return Err(LeaseError::Lost { about });
        }
        if self.left() > TTL - RENEWED_EVERY {
            return Ok(());
        }
        self.write(false).await
    }

    async fn write(&self, released: bool) -> Result<(), LeaseError> {
        let (mut held, tag) = {
            let state = self.state();
            (state.held.clone(), state.tag.clone())
        };
        held.renewed_at = self.clock.now();
        held.released = released;
        let asked = (self.uptime)();
        let bytes = serde_json::to_vec(&held).map_err(|e| bug(&*self.store, &e))?;
        let mut tag = tag;
        for _ in 0..2 {
            let put = put_surely(&*self.store, &self.key, &bytes, When::Is(tag)).await?;
            if let Surely::Written(tag) = put {
                *self.state() = State {
                    held,
                    tag,
                    good_until: asked + TTL,
                };
                return Ok(());
            }
            // An earlier renewal may have landed after its answer was given up.
            match self.found(&held).await? {
                Found::Ours(there) => tag = there,
                Found::Lost(about) => return Err(self.lose(about)),
            }
        }
        Err(self.lose("it is written by two at once".to_owned()))
    }

    /// What lies there instead of what was written last.
    async fn found(&self, ours: &Held) -> Result<Found, ProviderError> {
        let Some((bytes, tag)) = get_surely(&*self.store, &self.key).await? else {
            return Ok(Found::Lost("it was taken away".to_owned()));
        };
        Ok(match serde_json::from_slice::<Held>(&bytes) {
            Ok(held) if held.is_same_take(ours) => Found::Ours(tag),
            Ok(held) => Found::Lost(held.about()),
            Err(error) => Found::Lost(error.to_string()),
        })
    }

    fn lose(&self, about: String) -> LeaseError {
        self.lost.send_replace(Some(about.clone()));
        LeaseError::Lost { about }
    }
}

enum Found {
    Ours(Tag),
    Lost(String),
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering;

    use drplan_api::Fut;
    use drplan_api::Kept;
    use drplan_api::Put;

    use super::*;
    use crate::store::memory::MemoryStore;

    /// A machine's uptime that a test moves by hand.
    #[derive(Clone, Default)]
    struct Machine(Arc<AtomicU64>);

    impl Machine {
        fn uptime(&self) -> Uptime {
            let (slept, began) = (Arc::clone(&self.0), tokio::time::Instant::now());
            Arc::new(move || Duration::from_secs(slept.load(Ordering::Relaxed)) + began.elapsed())
        }

        fn sleep(&self, seconds: u64) {
            self.0.fetch_add(seconds, Ordering::Relaxed);
        }
    }

    fn claim(run: &str, patience_s: u64) -> Claim {
        Claim {
            recovery: "shop".to_owned(),
            run: run.to_owned(),
            holder: format!("{run}@test"),
            patience: Duration::from_secs(patience_s),
        }
    }

    async fn take(
        store: &Arc<dyn SharedStore>,
        machine: &Machine,
        run: &str,
        patience_s: u64,
    ) -> Result<Lease, LeaseError> {
        let claim = claim(run, patience_s);
        Lease::take(Arc::clone(store), claim, Clock::system(), machine.uptime()).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_held_lock_is_refused_with_its_holder_and_free_once_it_is_given_back() {
        let (store, machine) = (MemoryStore::shared(), Machine::default());
        let first = take(&store, &machine, "one", 0).await.expect("a lock");
        let Err(LeaseError::Held { about }) = take(&store, &machine, "two", 0).await else {
            panic!("taken twice");
        };
        assert!(about.contains("one@test"), "{about}");
        first.release().await.expect("given back");
        take(&store, &machine, "two", 0).await.expect("a lock");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_that_is_renewed_is_not_taken_however_long_somebody_waits() {
        let (store, machine) = (MemoryStore::shared(), Machine::default());
        let _first = take(&store, &machine, "one", 0).await.expect("a lock");
        let second = take(&store, &machine, "two", 600).await;
        assert!(matches!(second, Err(LeaseError::Held { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_that_landed_unheard_before_a_long_outage_is_ones_own() {
        let memory = Arc::new(crate::store::memory::MemoryStore::default());
        let store = Arc::clone(&memory) as Arc<dyn SharedStore>;
        let machine = Machine::default();
        let lease = take(&store, &machine, "one", 0).await.expect("a lock");
        memory.breaks_for(Duration::from_secs(90));
        tokio::time::sleep(Duration::from_secs(200)).await;
        lease.outlives_request().await.expect("it is still ours");
        assert_eq!(*lease.lost().borrow(), None);
        lease.release().await.expect("given back");
        take(&store, &machine, "two", 0).await.expect("a lock");
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_holders_lock_is_taken_after_its_life_and_not_before() {
        let (store, machine) = (MemoryStore::shared(), Machine::default());
        drop(take(&store, &machine, "one", 0).await.expect("a lock"));
        let early = take(&store, &machine, "two", 30).await;
        assert!(matches!(early, Err(LeaseError::Held { .. })));
        take(&store, &machine, "two", 120).await.expect("a lock");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_of_somebody_who_would_hold_it_for_ever_is_refused_and_can_be_given_back() {
        let (store, machine) = (MemoryStore::shared(), Machine::default());
        drop(take(&store, &machine, "one", 0).await.expect("a lock"));
        let (there, tag) = held(&*store, "shop").await.expect("read").expect("there");
        let for_ever = Held {
            ttl_s: u64::MAX,
            number: u64::MAX,
            ..there
        };
        let bytes = serde_json::to_vec(&for_ever).expect("JSON");
        let put = store.put("locks/shop.json", bytes, When::Is(tag)).await;
        assert!(matches!(put, Ok(Put::Done(_))));
        assert!(!for_ever.is_silent(Timestamp::MAX));
        let second = take(&store, &machine, "two", 600).await;
        assert!(matches!(second, Err(LeaseError::Held { .. })));
        let there = held(&*store, "shop").await.expect("read").expect("there");
        unlock(&*store, "shop", there).await.expect("given back");
        take(&store, &machine, "two", 0).await.expect("a lock");
    }

    #[tokio::test(start_paused = true)]
    async fn who_slept_while_somebody_took_over_begins_nothing_more() {
        let store = MemoryStore::shared();
        let (sleeper, other) = (Machine::default(), Machine::default());
        let first = take(&store, &sleeper, "one", 0).await.expect("a lock");
        // The machine sleeps: its tasks stand still, its uptime goes on.
        first.renewing.abort();
        sleeper.sleep(300);
        let second = take(&store, &other, "two", 120).await.expect("a lock");
        let woke = first.outlives_request().await;
        let Err(LeaseError::Lost { about }) = woke else {
            panic!("it goes on");
        };
        assert!(about.contains("two@test"), "{about}");
        second.outlives_request().await.expect("still held");
    }

    #[tokio::test(start_paused = true)]
    async fn who_slept_and_nobody_took_over_goes_on() {
        let (store, machine) = (MemoryStore::shared(), Machine::default());
        let lease = take(&store, &machine, "one", 0).await.expect("a lock");
        lease.renewing.abort();
        machine.sleep(300);
        lease.outlives_request().await.expect("still ours");
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_who_take_a_dead_lock_at_once_one_has_it() {
        let (store, machine) = (MemoryStore::shared(), Machine::default());
        drop(take(&store, &machine, "dead", 0).await.expect("a lock"));
        let (a, b) = tokio::join!(
            take(&store, &machine, "a", 200),
            take(&store, &machine, "b", 200)
        );
        assert!(a.is_ok() != b.is_ok());
    }

    /// A store in which somebody else's lock lands right before the first write.
    struct Overtaken {
        store: Arc<dyn SharedStore>,
        by: Mutex<Option<Held>>,
    }

    impl SharedStore for Overtaken {
        fn name(&self) -> String {
            self.store.name()
        }

        fn get<'a>(&'a self, key: &'a str) -> Fut<'a, Result<Kept, ProviderError>> {
            self.store.get(key)
        }

        fn put<'a>(
            &'a self,
            key: &'a str,
            bytes: Vec<u8>,
            when: When,
        ) -> Fut<'a, Result<Put, ProviderError>> {
            let first = self.by.lock().expect("no panic").take();
            Box::pin(async move {
                if let Some(first) = first {
                    let theirs = serde_json::to_vec(&first).expect("JSON");
                    self.store.put(key, theirs, when.clone()).await?;
                }
                self.store.put(key, bytes, when).await
            })
        }

        fn list<'a>(&'a self, prefix: &'a str) -> Fut<'a, Result<Vec<String>, ProviderError>> {
            self.store.list(prefix)
        }

        fn folders<'a>(&'a self, prefix: &'a str) -> Fut<'a, Result<Vec<String>, ProviderError>> {
            self.store.folders(prefix)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_overtaken_at_the_same_moment_learns_by_whom_and_not_who_had_it_before() {
        let (memory, machine) = (MemoryStore::shared(), Machine::default());
        let before = take(&memory, &machine, "before", 0).await.expect("a lock");
        before.release().await.expect("given back");
        let (last, _) = held(&*memory, "shop").await.expect("read").expect("there");
        let faster = Held {
            holder: "faster@test".to_owned(),
            released: false,
            number: last.number + 1,
            ..last
        };
        let store: Arc<dyn SharedStore> = Arc::new(Overtaken {
            store: memory,
            by: Mutex::new(Some(faster)),
        });
        let Err(LeaseError::Held { about }) = take(&store, &machine, "slower", 0).await else {
            panic!("taken twice");
        };
        assert!(about.contains("faster@test"), "{about}");
    }
}
