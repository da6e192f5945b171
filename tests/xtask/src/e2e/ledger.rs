//! What journals say was begun and done, held against what servers say was written. Pure.
//!
//! Each line that says that a write is about to leave opens a window, which the end of that effect closes.
//! Every write must fall into a window of its own. An effect that is recorded as done must own a write.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use jiff::Timestamp;
use serde_json::Value;

use super::audit;

/// How many differences an error names.
const SHOWN_MAX: usize = 12;

/// The name of every change of the zone: the server does not tell them apart.
pub(super) const ZONE: &str = "CHANGE of the zone";

/// When servers accepted writes, by what they wrote.
pub(super) type Written = BTreeMap<String, Vec<Timestamp>>;

/// What all journals say.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: BTreeMap<String, Entry>,
    /// The Restores that were begun, which Velero answers in the bucket.
    pub(super) restores: Vec<String>,
    pub(super) journals: usize,
}

/// The windows of one name, and how many effects were done in them.
#[derive(Debug, Default)]
struct Entry {
    windows: Vec<Window>,
    effects: usize,
}

/// From when a write was about to leave until its effect had ended.
#[derive(Debug)]
struct Window {
    from: Timestamp,
    /// `None` if no end was written down: the write may have come at any time, while site B lived.
    to: Option<Timestamp>,
    /// Which effect it belongs to, of those of its name: all attempts of one share it.
    effect: usize,
    /// Whether that effect was done, and by this run.
    done: bool,
}

impl Window {
    fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && self.to.is_none_or(|to| at <= to)
    }
}

/// How much was compared.
#[derive(Debug, PartialEq)]
pub(super) struct Counts {
    pub(super) begun: usize,
    pub(super) written: usize,
    pub(super) done: usize,
}

impl Ledger {
    /// Adds a journal. A last line without its end, as a crash leaves it, is left out.
    ///
    /// # Errors
    ///
    /// When a whole line is none of a journal.
    pub(super) fn read(&mut self, journal: &str) -> Result<()> {
        self.journals += 1;
        let whole = journal.rfind('\n').map_or("", |end| &journal[..end]);
        let mut open: BTreeMap<(String, u64), BTreeMap<String, usize>> = BTreeMap::new();
        // In a bucket, an empty line ends a segment.
        for line in whole.lines().filter(|line| !line.is_empty()) {
            let line: Value = serde_json::from_str(line).context("a line of a journal")?;
            let at = line["at"].as_str().context("a record without a time")?;
            let at: Timestamp = at.parse().context("the time of a record")?;
            let record = &line["record"];
            let text = |key: &str| record[key].as_str().unwrap_or_default();
            let effect = record["effect"].as_u64().unwrap_or_default();
            let key = (text("address").to_owned(), effect);
            match text("event") {
                "effect_started" => {
                    for name in names(text("verb"), text("object"))? {
                        let entry = self.entries.entry(name.clone()).or_default();
                        let effects = open.entry(key.clone()).or_default();
                        let effect = *effects.entry(name).or_insert(entry.effects);
                        entry.effects = entry.effects.max(effect + 1);
                        entry.windows.push(Window {
                            from: at,
                            to: None,
                            effect,
                            done: false,
                        });
                    }
                    if let Some(name) = text("object").strip_prefix("velero.io/restores velero/") {
                        self.restores.push(name.to_owned());
                    }
                }
                "effect_finished" => {
                    // What was found there is nobody's claim.
                    let done = record["found"] == false;
                    for (name, effect) in open.remove(&key).unwrap_or_default() {
                        self.close(&name, effect, at, done);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Closes what is open still at the end of the life of site B that it fell into; these are given in
    /// order. What nobody ended excuses no write into a cluster that was made anew.
    pub(super) fn end_lives(&mut self, ends: &[Timestamp]) {
        let windows = self
            .entries
            .values_mut()
            .flat_map(|entry| &mut entry.windows);
        for window in windows.filter(|window| window.to.is_none()) {
            window.to = ends.iter().copied().find(|end| *end >= window.from);
        }
    }

    fn close(&mut self, name: &str, effect: usize, at: Timestamp, done: bool) {
        let windows = self.entries.get_mut(name).map(|entry| &mut entry.windows);
        for window in windows.into_iter().flatten() {
            if window.effect == effect {
                (window.to, window.done) = (Some(at), done);
            }
        }
    }

    /// Holds everything that was written against what journals say.
    ///
    /// # Errors
    ///
    /// Names what was written outside of all windows, and what is said to be done and was not written.
    pub(super) fn hold_against(&self, written: &Written) -> Result<Counts> {
        let mut counts = Counts {
            begun: 0,
            written: 0,
            done: 0,
        };
        let mut wrong = Vec::new();
        let none = Entry::default();
        let names = self.entries.keys().chain(written.keys());
        for name in names.collect::<BTreeSet<_>>() {
            let entry = self.entries.get(name).unwrap_or(&none);
            let mut writes = written.get(name).cloned().unwrap_or_default();
            writes.sort();
            counts.begun += entry.windows.len();
            counts.written += writes.len();
            counts.done += entry.done().count();
            wrong.extend(entry.hold_against(name, &writes));
        }
        if wrong.is_empty() {
            return Ok(counts);
        }
        let mut text = format!("{} differences between journals and logs", wrong.len());
        for line in wrong.iter().take(SHOWN_MAX) {
            write!(text, "\n    {line}")?;
        }
        bail!(text)
    }
}

impl Entry {
    /// The effects that runs of drplan have done.
    fn done(&self) -> impl Iterator<Item = usize> {
        let done: BTreeSet<usize> = self
            .windows
            .iter()
            .filter(|w| w.done)
            .map(|w| w.effect)
            .collect();
        done.into_iter()
    }

    /// Gives each write, in the order of time, to the free window around it that ends first; says which
    /// write has none, and which done effect none of its own.
    fn hold_against(&self, name: &str, writes: &[Timestamp]) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut taken = BTreeSet::new();
        let mut owners = BTreeSet::new();
        for (nth, &at) in writes.iter().enumerate() {
            let around = self.windows.iter().enumerate();
            let around = around.filter(|(i, window)| window.holds(at) && !taken.contains(i));
            let first = around.min_by_key(|(_, window)| window.to.unwrap_or(Timestamp::MAX));
            if let Some((i, window)) = first {
                taken.insert(i);
                owners.insert(window.effect);
                continue;
            }
            wrong.push(format!(
                "`{name}` was written {} times and begun {} times: write {} at {at} was not begun, or \
                 its effect had ended",
                writes.len(),
                self.windows.len(),
                nth + 1,
            ));
        }
        let unwritten = self.done().filter(|effect| !owners.contains(effect));
        for effect in unwritten {
            let ended = self.windows.iter().find(|window| window.effect == effect);
            let ended = ended.and_then(|window| window.to).unwrap_or(Timestamp::MAX);
            wrong.push(format!(
                "`{name}` is done {} times by the journals and was written {} times: no write belongs to \
                 what ended at {ended}",
                self.done().count(),
                writes.len(),
            ));
        }
        wrong
    }
}

/// What a server sees of an effect; nothing for what writes into no server that keeps a log.
fn names(verb: &str, object: &str) -> Result<Vec<String>> {
    if verb == "CHANGE" {
        return Ok(vec![ZONE.to_owned()]);
    }
    if verb == "exec" && object.starts_with("helm upgrade --install gateway --namespace edge") {
        return Ok(audit::helm_writes().iter().map(audit::named).collect());
    }
    match audit::WRITES.contains(&verb) {
        true => Ok(vec![audit::named(&audit::write(verb, object)?)]),
        false => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(second: u8) -> String {
        format!("2026-01-05T03:10:{second:02}.5Z")
    }

    fn started(second: u8, n: u64, verb: &str, object: &str) -> String {
        json!({"at": at(second), "record": {"event": "effect_started", "address": "a.b",
            "effect": n, "attempt": 1, "verb": verb, "object": object}})
        .to_string()
    }

    fn finished(second: u8, n: u64, found: bool) -> String {
        json!({"at": at(second), "record": {"event": "effect_finished", "address": "a.b",
            "effect": n, "found": found}})
        .to_string()
    }

    fn ledger(journals: &[&[String]]) -> Ledger {
        let mut ledger = Ledger::default();
        for lines in journals {
            ledger.read(&(lines.join("\n") + "\n")).unwrap();
        }
        ledger
    }

    fn written(of: &[(&str, u8)]) -> Written {
        let mut out = Written::new();
        for (name, second) in of {
            let at = at(*second).parse().unwrap();
            out.entry((*name).to_owned()).or_default().push(at);
        }
        out
    }

    fn complaint(ledger: &Ledger, of: &[(&str, u8)]) -> String {
        let held = ledger.hold_against(&written(of));
        held.map_or_else(|e| e.to_string(), |counts| format!("{counts:?}"))
    }

    const NOTE: &str = "patch configmaps shop/note";

    #[test]
    fn a_write_that_was_begun_before_and_is_done_later_fits() {
        let ledger = ledger(&[&[
            started(1, 0, "patch", "configmaps shop/note"),
            finished(3, 0, false),
            started(4, 1, "sql", "database shop"),
        ]]);
        let found = complaint(&ledger, &[(NOTE, 2)]);
        assert_eq!(found, "Counts { begun: 1, written: 1, done: 1 }");
    }

    #[test]
    fn a_write_that_no_journal_names_is_a_difference() {
        let ledger = ledger(&[&[started(1, 0, "patch", "configmaps shop/other")]]);
        let found = complaint(&ledger, &[(NOTE, 2)]);
        assert!(
            found.contains("`patch configmaps shop/note` was written 1 times and begun 0"),
            "{found}"
        );
    }

    #[test]
    fn a_retry_may_write_again_but_never_more_often_than_it_was_begun() {
        let lines = [
            started(1, 0, "patch", "configmaps shop/note"),
            started(4, 0, "patch", "configmaps shop/note"),
            finished(6, 0, false),
        ];
        let ledger = ledger(&[&lines]);
        for few in [&[(NOTE, 2)][..], &[(NOTE, 2), (NOTE, 5)]] {
            assert!(complaint(&ledger, few).starts_with("Counts"), "{few:?}");
        }
        let found = complaint(&ledger, &[(NOTE, 2), (NOTE, 3)]);
        assert!(found.contains("write 2 at 2026-01-05T03:10:03"), "{found}");
        let found = complaint(&ledger, &[(NOTE, 2), (NOTE, 5), (NOTE, 5)]);
        assert!(found.contains("written 3 times and begun 2"), "{found}");
    }

    #[test]
    fn a_write_that_left_before_its_journal_line_is_a_difference() {
        let ledger = ledger(&[&[started(3, 0, "patch", "configmaps shop/note")]]);
        assert!(complaint(&ledger, &[(NOTE, 2)]).contains("was not begun"));
    }

    #[test]
    fn what_a_journal_says_is_done_and_nobody_saw_is_a_difference() {
        let lines = [
            started(1, 0, "patch", "configmaps shop/note"),
            finished(3, 0, false),
        ];
        let found = complaint(&ledger(&[&lines]), &[]);
        assert!(found.contains("is done 1 times"), "{found}");
        let found = complaint(&ledger(&[&lines]), &[(NOTE, 4)]);
        assert!(
            found.contains("what ended at 2026-01-05T03:10:03"),
            "{found}"
        );
        assert!(found.contains("write 1 at 2026-01-05T03:10:04"), "{found}");
        // Another life of the same object needs a write of its own.
        let again = [
            started(11, 0, "patch", "configmaps shop/note"),
            finished(13, 0, false),
        ];
        let found = complaint(&ledger(&[&lines, &again]), &[(NOTE, 2)]);
        assert!(
            found.contains("is done 2 times by the journals and was written 1 times"),
            "{found}"
        );
    }

    #[test]
    fn writes_after_both_of_their_effects_had_ended_belong_to_neither() {
        let life = |of: [u8; 2]| {
            [
                started(of[0], 0, "patch", "configmaps shop/note"),
                finished(of[1], 0, false),
            ]
        };
        let ledger = ledger(&[&life([1, 5]), &life([6, 10])]);
        assert!(complaint(&ledger, &[(NOTE, 2), (NOTE, 7)]).starts_with("Counts"));
        let late = complaint(&ledger, &[(NOTE, 11), (NOTE, 12)]);
        assert!(late.contains("4 differences"), "{late}");
        assert!(late.contains("write 2 at 2026-01-05T03:10:12"), "{late}");
        assert!(late.contains("what ended at 2026-01-05T03:10:05"), "{late}");
    }

    #[test]
    fn a_write_after_what_was_found_had_ended_is_a_difference() {
        let lines = [
            started(1, 0, "patch", "configmaps shop/note"),
            finished(3, 0, true),
        ];
        let ledger = ledger(&[&lines]);
        assert!(complaint(&ledger, &[(NOTE, 2)]).starts_with("Counts"));
        assert!(complaint(&ledger, &[(NOTE, 4)]).contains("write 1 at"));
    }

    #[test]
    fn what_nobody_ended_excuses_no_write_in_another_life() {
        let begun = |second| [started(second, 0, "patch", "configmaps shop/note")];
        let mut ledger = ledger(&[&begun(1), &begun(21)]);
        let ends = [10, 20].map(|second| at(second).parse().unwrap());
        ledger.end_lives(&ends);
        assert!(complaint(&ledger, &[(NOTE, 5), (NOTE, 40)]).starts_with("Counts"));
        let found = complaint(&ledger, &[(NOTE, 15)]);
        assert!(found.contains("write 1 at 2026-01-05T03:10:15"), "{found}");
        let found = complaint(&ledger, &[(NOTE, 30), (NOTE, 40)]);
        assert!(found.contains("write 2 at 2026-01-05T03:10:40"), "{found}");
    }

    #[test]
    fn what_was_found_or_died_in_between_claims_nothing() {
        let found = [finished(3, 0, true)];
        let died = [started(1, 0, "patch", "configmaps shop/note")];
        assert!(complaint(&ledger(&[&found, &died]), &[]).starts_with("Counts"));
        let torn = ledger(&[&died]);
        let mut torn_too = Ledger::default();
        let text = died.join("\n") + "\n{\"at\":\"2026-";
        torn_too.read(&text).unwrap();
        assert_eq!(
            complaint(&torn, &[(NOTE, 2)]),
            complaint(&torn_too, &[(NOTE, 2)])
        );
    }

    #[test]
    fn one_run_of_helm_stands_for_its_own_writes_of_whichever_revision() {
        let helm = "helm upgrade --install gateway --namespace edge";
        let ledger = ledger(&[&[started(1, 0, "exec", helm)]]);
        let secret = audit::named(
            &audit::write("create", "secrets edge/sh.helm.release.v1.gateway.v2").unwrap(),
        );
        assert!(complaint(&ledger, &[(&secret, 2)]).starts_with("Counts"));
        assert!(complaint(&ledger, &[(&secret, 2), (&secret, 3)]).contains("begun 1"));
        assert!(complaint(&ledger, &[("create secrets edge/other", 2)]).contains("begun 0"));
    }

    #[test]
    fn changes_of_the_zone_are_counted_too() {
        let ledger = ledger(&[&[
            started(1, 0, "CHANGE", "Z1 A www.shop.example."),
            finished(3, 0, false),
        ]]);
        assert!(complaint(&ledger, &[(ZONE, 2)]).starts_with("Counts"));
        assert!(complaint(&ledger, &[]).contains("is done 1 times"));
        assert!(complaint(&ledger, &[(ZONE, 2), (ZONE, 2)]).contains("begun 1"));
    }
}
