//! What a restore says while it goes on, for its file in the bucket.

use std::fmt::Write as _;

use drplan_api::Clock;

use crate::text::stamp;

/// A restore's log.
pub(super) struct Log {
    clock: Clock,
    restore: String,
    text: String,
}

impl Log {
    pub(super) fn new(clock: &Clock, restore: &str) -> Self {
        Self {
            clock: clock.clone(),
            restore: restore.to_owned(),
            text: String::new(),
        }
    }

    pub(super) fn info(&mut self, message: &str) {
        self.line("info", message);
    }

    pub(super) fn warning(&mut self, message: &str) {
        self.line("warning", message);
    }

    pub(super) fn error(&mut self, message: &str) {
        self.line("error", message);
    }

    fn line(&mut self, level: &str, message: &str) {
        let time = stamp(self.clock.now());
        let restore = &self.restore;
        writeln!(
            self.text,
            "time=\"{time}\" level={level} msg={message:?} restore={restore}"
        )
        .ok();
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}
