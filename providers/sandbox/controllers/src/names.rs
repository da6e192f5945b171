//! Names for the pods that an owner makes.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::Ask;
use crate::View;
use crate::children::PODS;
use crate::generated;
use crate::object::name;
use crate::object::namespace;
use crate::object::uid;

/// Draws names for new pods of an owner.
pub(crate) struct Names<'a> {
    view: &'a dyn View,
    owner: &'a Value,
    seed: String,
    now: String,
    drawn: u64,
    used: BTreeSet<String>,
}

impl<'a> Names<'a> {
    pub(crate) fn new(ask: Ask<'a>, owner: &'a Value) -> Self {
        Self {
            view: ask.view,
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

    /// A name `STEM-xxxxx` that no pod has, be it made in an earlier turn of the same moment.
    pub(crate) fn next_after(&mut self, stem: &str) -> String {
        let (group, kind) = PODS;
        loop {
            let drawn = self.drawn.to_string();
            self.drawn += 1;
            let suffix = generated::suffix(&[&self.seed, uid(self.owner), &self.now, &drawn]);
            let made = format!("{}-{suffix}", generated::stem(stem));
            let space = Some(namespace(self.owner));
            if self.used.insert(suffix) && self.view.get(group, kind, space, &made).is_none() {
                return made;
            }
        }
    }
}
