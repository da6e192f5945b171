//! A write is sent again only within the envelope of its step: not too often, not after its time-out,
//! not changed, and not after a refusal that no patience changes. All of it is read from what reached the
//! world; only failures that a life injects never reach it, and are counted by the engine's records.

use std::collections::BTreeMap;
use std::time::Duration;

use drplan::apply::Event;
use drplan::plan::Plan;
use drplan_api::Address;
use drplan_api::Timestamp;

use super::super::entry::Asked;
use super::super::entry::Ran;
use super::super::entry::Sender;
use super::super::entry::What;
use super::super::life::Life;
use super::owner::Turns;
use super::owner::may_send;
use super::owner::may_start;

/// How often one effect is tried within a run. No spec can raise it.
const ATTEMPTS_MAX: usize = 12;
/// How long a busy server of the world asks to be left alone.
const BUSY: Duration = Duration::from_secs(2);
/// What the groups of types end with that every cluster serves.
const BUILT_IN: &str = ".k8s.io";

pub(super) fn broken(life: &Life) -> Vec<String> {
    let mut out = Vec::new();
    for (n, run) in life.runs.iter().enumerate() {
        let mut watch = Watch::of(run.plan.as_deref());
        watch.has_spoken = n == 0;
        for entry in life.trace.iter().filter(|entry| entry.run == n) {
            let hows = watch.see(&entry.what, entry.at).into_iter();
            out.extend(hows.map(|how| format!("run {n}: {how}, at {}", entry.at)));
        }
    }
    out
}

/// What tells one write from another: host, method, path and who sends it. Whatever is sent there again
/// is the same one.
type Place = (String, String, String, Option<Sender>);

fn place(asked: &Asked) -> Place {
    let (host, method) = (asked.host.clone(), asked.method.clone());
    (host, method, asked.path().to_owned(), asked.by.clone())
}

/// How a write was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// Well.
    Well,
    /// Not at all, or with what may pass by itself.
    Passing,
    /// With a refusal that stays one.
    Final(u16),
}

/// How an answer that arrived is to be taken.
fn judge(asked: &Asked, status: u16) -> Answer {
    match status {
        ..=399 => Answer::Well,
        // A token is fetched anew; what changed meanwhile is looked at; whoever is busy is waited for.
        401 | 408 | 409 | 412 | 429 | 500.. => Answer::Passing,
        // Route 53 says so too when it is busy; the code that tells is in the body.
        400 if asked.changes_records() => Answer::Passing,
        // A type is served a moment after its definition was made.
        404 if is_defined_here(asked.path()) => Answer::Passing,
        _ => Answer::Final(status),
    }
}

/// Whether a path is about a type that a cluster does not serve by itself.
fn is_defined_here(path: &str) -> bool {
    let group = path
        .strip_prefix("/apis/")
        .and_then(|p| p.split('/').next());
    group.is_some_and(|group| group.contains('.') && !group.ends_with(BUILT_IN))
}

/// Whether a client hears how long a server wants to be left alone; that of Route 53 keeps it to itself.
fn says_until_when(asked: &Asked) -> bool {
    !asked.changes_records()
}

/// The attempts at one write.
#[derive(Default)]
struct Attempts {
    count: usize,
    /// The last one: what it brought, and how it was answered.
    last: Option<(Option<String>, Answer)>,
    /// Until when its server asked to be left alone.
    busy_until: Option<Timestamp>,
}

/// One run, looked at entry by entry.
struct Watch<'a> {
    turns: Turns<'a>,
    plan: Option<&'a Plan>,
    writes: BTreeMap<Place, Attempts>,
    effects: BTreeMap<(Address, usize), usize>,
    /// Whether the run has said anything. What comes before is on its way since the run before, which
    /// was cut off.
    has_spoken: bool,
}

impl<'a> Watch<'a> {
    fn of(plan: Option<&'a Plan>) -> Self {
        Self {
            turns: Turns::begin(plan),
            plan,
            writes: BTreeMap::new(),
            effects: BTreeMap::new(),
            has_spoken: false,
        }
    }

    fn see(&mut self, what: &What, at: Timestamp) -> Vec<String> {
        match what {
            What::Event(event) => {
                self.has_spoken = true;
                self.turns.hear(event, at);
                self.effect(event, at)
            }
            What::Came(_) if !self.has_spoken => Vec::new(),
            What::Came(asked) if asked.is_our_change() => self.came(asked, at),
            What::Left(asked, status) if asked.is_our_change() => {
                let busy = Some(at + BUSY).filter(|_| *status == 429 && says_until_when(asked));
                self.answered(asked, judge(asked, *status), busy)
            }
            What::Lost(asked, _) | What::Broke(asked) if asked.is_our_change() => {
                self.answered(asked, Answer::Passing, None)
            }
            What::Starts(ran) => self.starts(ran, at),
            _ => Vec::new(),
        }
    }

    /// An effect is about to begin, as the engine says.
    fn effect(&mut self, event: &Event, at: Timestamp) -> Vec<String> {
        let Event::EffectStarted {
            address, effect, ..
        } = event
        else {
            return Vec::new();
        };
        let count = self.effects.entry((address.clone(), *effect)).or_default();
        *count += 1;
        let often = too_often(*count).map(|why| format!("`{address}` begins {why}"));
        let until = self.turns.until(|step| step.address == *address);
        let late = late(at, until).map(|why| format!("`{address}` begins {why}"));
        often.into_iter().chain(late).collect()
    }

    /// A write reaches its server.
    fn came(&mut self, asked: &Asked, at: Timestamp) -> Vec<String> {
        let mut out = Vec::new();
        let attempts = self.writes.entry(place(asked)).or_default();
        attempts.count += 1;
        out.extend(too_often(attempts.count));
        if attempts.busy_until.is_some_and(|until| at < until) {
            out.push("before its server wished to be asked again".to_owned());
        }
        match &attempts.last {
            Some((_, Answer::Final(status))) => out.push(format!("after the refusal {status}")),
            // When a pause ends by itself is counted from each attempt.
            Some((body, Answer::Passing))
                if *body != asked.body && asked.by != Some(Sender::Pauser) =>
            {
                out.push("with something else in it".to_owned());
            }
            _ => {}
        }
        out.extend(late(at, self.turns.until(|step| may_send(step, asked))));
        let name = format!("{} {}", asked.method, asked.path());
        out.iter()
            .map(|why| format!("{name} is sent {why}"))
            .collect()
    }

    fn answered(
        &mut self,
        asked: &Asked,
        answer: Answer,
        busy_until: Option<Timestamp>,
    ) -> Vec<String> {
        let attempts = self.writes.entry(place(asked)).or_default();
        attempts.last = Some((asked.body.clone(), answer));
        attempts.busy_until = busy_until;
        Vec::new()
    }

    fn starts(&self, ran: &Ran, at: Timestamp) -> Vec<String> {
        let mut steps = self.plan.iter().flat_map(|plan| &plan.steps);
        if !steps.any(|step| may_start(step, ran)) {
            return Vec::new();
        }
        let late = late(at, self.turns.until(|step| may_start(step, ran)));
        let name = ran.argv.join(" ");
        late.map(|why| format!("`{name}` starts {why}"))
            .into_iter()
            .collect()
    }
}

fn too_often(count: usize) -> Option<String> {
    (count > ATTEMPTS_MAX).then(|| format!("for the {count}th time in one run"))
}

fn late(at: Timestamp, until: Option<Timestamp>) -> Option<String> {
    match until {
        None => Some("while no step that it may belong to has its turn".to_owned()),
        Some(until) if at > until => Some(format!("after the time-out of its step, {until}")),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::hand_made::TIMEOUT_S;
    use super::super::hand_made::acting;
    use super::super::hand_made::asked;
    use super::super::hand_made::began;
    use super::super::hand_made::effect;
    use super::super::hand_made::ended;
    use super::super::hand_made::failed;
    use super::super::hand_made::life;
    use super::super::hand_made::life_of;
    use super::super::hand_made::of_step;
    use super::super::hand_made::plan;
    use super::super::hand_made::ran;
    use super::*;

    const NAME: &str = "kubernetes_manifest.a";
    const PATH: &str = "/api/v1/namespaces/web/configmaps/a?fieldManager=drplan&force=false";

    fn one() -> Plan {
        plan([acting(NAME, json!({}))], &[])
    }

    fn write() -> Asked {
        Asked {
            body: Some("1".to_owned()),
            ..of_step(asked("PATCH", PATH), NAME)
        }
    }

    /// A write that is answered so, and comes again.
    fn again(answer: impl Fn(Asked) -> What, second: Asked) -> Vec<String> {
        let what = [
            began(NAME),
            What::Came(write()),
            answer(write()),
            What::Came(second),
        ];
        broken(&life(one(), what))
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_sent_again_and_a_final_refusal_is_not() {
        assert!(again(What::Broke, write()).is_empty());
        assert!(again(|a| What::Lost(a, 200), write()).is_empty());
        for status in [401, 409, 503] {
            assert!(
                again(|a| What::Left(a, status), write()).is_empty(),
                "{status}"
            );
        }
        for status in [400, 403, 404, 422] {
            let hows = again(|a| What::Left(a, status), write());
            assert_eq!(hows.len(), 1, "{status}: {hows:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_server_is_left_alone_for_as_long_as_it_asks() {
        let after_s = |seconds| {
            let what = [
                (0, 0, began(NAME)),
                (0, 0, What::Came(write())),
                (0, 0, What::Left(write(), 429)),
                (0, seconds, What::Came(write())),
            ];
            broken(&life_of(vec![(0, one())], what))
        };
        assert!(after_s(BUSY.as_secs()).is_empty());
        assert_eq!(after_s(BUSY.as_secs() - 1).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_sent_again_is_the_same() {
        let changed = Asked {
            body: Some("2".to_owned()),
            ..write()
        };
        assert_eq!(again(What::Broke, changed.clone()).len(), 1);
        // What was answered is over; the next is another matter.
        assert!(again(|a| What::Left(a, 200), changed).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn no_write_and_no_program_comes_outside_of_the_turn_of_its_step() {
        let after_s = |seconds| {
            let what = [(0, 0, began(NAME)), (0, seconds, What::Came(write()))];
            broken(&life_of(vec![(0, one())], what))
        };
        assert!(after_s(TIMEOUT_S).is_empty());
        assert_eq!(after_s(TIMEOUT_S + 1).len(), 1);
        let over = [began(NAME), ended(NAME, failed()), What::Came(write())];
        assert_eq!(broken(&life(one(), over)).len(), 1);
        let command = || plan([acting("command.a", json!({ "apply": ["bin/a"] }))], &[]);
        let starts = || What::Starts(ran("bin/a", None));
        assert!(broken(&life(command(), [began("command.a"), starts()])).is_empty());
        assert_eq!(broken(&life(command(), [starts()])).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_effect_is_tried_so_often_and_no_more() {
        let tried = |often: usize| {
            let effects = (1..).take(often).map(|n| (0, 0, effect(NAME, n)));
            let what = std::iter::once((0, 0, began(NAME))).chain(effects);
            broken(&life_of(vec![(0, one())], what))
        };
        assert!(tried(ATTEMPTS_MAX).is_empty());
        assert_eq!(tried(ATTEMPTS_MAX + 1).len(), 1);
    }
}
