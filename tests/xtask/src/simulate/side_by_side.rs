//! Work in a few threads, told in the order that it stands in.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::sync::mpsc;

/// Calls `work` for each of all in a few threads and `tell` in their order, until that says that it is
/// enough.
pub(super) fn side_by_side<T: Sync, R: Send>(
    all: &[T],
    jobs: usize,
    work: impl Fn(&T) -> R + Sync,
    mut tell: impl FnMut(&T, R) -> bool,
) {
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let Some(one) = all.get(n) else { break };
                    // Nobody listens any more once it was enough.
                    if sender.send((n, work(one))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut early = BTreeMap::new();
        let mut due = 0;
        for (n, done) in &receiver {
            early.insert(n, done);
            while let Some(done) = early.remove(&due) {
                if tell(&all[due], done) {
                    next.store(all.len(), Ordering::Relaxed);
                    return;
                }
                due += 1;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_at_once_is_told_in_order_until_it_is_enough() {
        let all: Vec<u64> = (0..50).rev().collect();
        let mut told = Vec::new();
        let work = |n: &u64| {
            std::thread::sleep(std::time::Duration::from_micros(*n * 10));
            n * 2
        };
        side_by_side(&all, 4, work, |n, twice| {
            told.push((*n, twice));
            *n == 10
        });
        let wanted: Vec<(u64, u64)> = (10..50).rev().map(|n| (n, 2 * n)).collect();
        assert_eq!(told, wanted);
    }
}
