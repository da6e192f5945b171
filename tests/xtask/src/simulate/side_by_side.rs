//! Lives in a few threads, told in the order of their seeds.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::sync::mpsc;

/// Calls `work` for each seed in a few threads and `tell` in the order of seeds, until that says that
/// it is enough.
pub(super) fn side_by_side<T: Send>(
    seeds: &[u64],
    jobs: usize,
    work: impl Fn(u64) -> T + Sync,
    mut tell: impl FnMut(u64, T) -> bool,
) {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // Nobody listens any more once it was enough.
                    if sender.send((*seed, work(*seed))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut early = BTreeMap::new();
        let mut order = seeds.iter();
        let mut due = order.next();
        for (seed, done) in &receiver {
            early.insert(seed, done);
            while let Some(done) = due.and_then(|seed| early.remove(seed)) {
                let enough = due.is_some_and(|seed| tell(*seed, done));
                if enough {
                    next.store(seeds.len(), Ordering::Relaxed);
                    return;
                }
                due = order.next();
            }
        }
    });
}
