//! Names for what an owner makes many of.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::Ask;
use crate::generated;
use crate::object::name;
use crate::object::uid;

/// Draws names for new pods of an owner.
pub(crate) struct Names<'a> {
    owner: &'a Value,
    seed: String,
    now: String,
    drawn: u64,
    used: BTreeSet<String>,
}

impl<'a> Names<'a> {
    pub(crate) fn new(ask: Ask<'_>, owner: &'a Value) -> Self {
        Self {
            owner,
            seed: ask.settings.seed.to_string(),
            now: ask.now.to_string(),
            drawn: 0,
            used: BTreeSet::new(),
        }
    }

    /// A name `OWNER-xxxxx`. The time takes part, so that no name comes back later.
    pub(crate) fn next(&mut self) -> String {
        self.next_after(name(self.owner))
    }

    /// A name `STEM-xxxxx`.
    pub(crate) fn next_after(&mut self, stem: &str) -> String {
        loop {
            let drawn = self.drawn.to_string();
            self.drawn += 1;
            let suffix = generated::suffix(&[&self.seed, uid(self.owner), &self.now, &drawn]);
            if self.used.insert(suffix.clone()) {
                return format!("{}-{suffix}", generated::stem(stem));
            }
        }
    }
}
