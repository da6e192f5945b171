//! The last changes of one resource: what watches replay and old pages of lists are read from.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::object::Object;
use crate::store::Name;

/// One change of one object.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The revision at which it happened.
    pub(crate) revision: u64,
    /// Which object.
    pub(crate) name: Name,
    /// The state before; none when it was created.
    pub(crate) before: Option<Arc<Object>>,
    /// The state after; when it was deleted, its last state with the revision of the deletion.
    pub(crate) after: Arc<Object>,
    /// Whether it is gone.
    pub(crate) deleted: bool,
}

/// The window of changes that is kept.
#[derive(Debug)]
pub(crate) struct History {
    changes: VecDeque<Change>,
    /// The revision of the newest change that was dropped.
    forgotten: u64,
    limit: usize,
}

impl History {
    /// A window of at most `limit` changes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            changes: VecDeque::new(),
            forgotten: 0,
            limit,
        }
    }

    pub(crate) fn push(&mut self, change: Change) {
        self.changes.push_back(change);
        while self.changes.len() > self.limit {
            if let Some(oldest) = self.changes.pop_front() {
                self.forgotten = oldest.revision;
            }
        }
    }

    /// Forgets everything up to a revision, as etcd does every few minutes.
    pub(crate) fn forget_to(&mut self, revision: u64) {
        self.forgotten = self.forgotten.max(revision);
        while self.changes.front().is_some_and(|c| c.revision <= revision) {
            self.changes.pop_front();
        }
    }

    /// The changes after a revision, oldest first; none if some of them are forgotten.
    pub(crate) fn since(&self, revision: u64) -> Option<impl Iterator<Item = &Change>> {
        (revision >= self.forgotten).then(|| {
            let from = self.changes.partition_point(|c| c.revision <= revision);
            self.changes.range(from..)
        })
    }

    /// What each object that changed after a revision was at it; none if that is forgotten.
    pub(crate) fn undo_to(&self, revision: u64) -> Option<BTreeMap<Name, Option<Arc<Object>>>> {
        let mut states = BTreeMap::new();
        for change in self.since(revision)? {
            states
                .entry(change.name.clone())
                .or_insert_with(|| change.before.clone());
        }
        Some(states)
    }
}
