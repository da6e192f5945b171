//! DNS is not changed before everything that speaks for it. What an HTTP check says is taken from the
//! world alone: a GET that was answered well, in the same run, after everything that the check waits for
//! had come about. What a guard's program does is taken from there too. An assertion asks nobody, and a
//! person is no server: of those the engine's record is all there is.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan::apply::Event;
use drplan::plan::Do;
use drplan::plan::Plan;
use drplan::plan::Step;
use drplan_api::Address;
use drplan_api::Json;
use drplan_api::Timestamp;

use super::super::entry::Asked;
use super::super::entry::Entry;
use super::super::entry::Sender;
use super::super::entry::What;
use super::super::life::Life;
use super::is_good;
use super::owner::COMMAND;
use super::owner::RECORD;
use super::owner::argument;
use super::owner::may_send;
use super::owner::may_start;

/// The kind of checks that ask an address.
const HTTP_CHECK: &str = "http_check";
/// The status of a right answer, if a check does not say another.
const STATUS: u64 = 200;
/// What a restore of Velero says of its step.
const STEP: &str = "drplan.io/step";

pub(super) fn broken(life: &Life) -> Vec<String> {
    let seen = Seen {
        trace: &life.trace,
        balancers: balancers(life),
        restored: restored(life),
    };
    let mut out = Vec::new();
    for (at, entry) in life.trace.iter().enumerate() {
        let plan = life.runs.get(entry.run).and_then(|run| run.plan.as_ref());
        if let (What::Came(asked), Some(plan)) = (&entry.what, plan)
            && asked.changes_records()
        {
            let mute = speakers(plan).into_iter();
            let mute = mute.filter(|&i| !seen.has_spoken(plan, i, at));
            let names: Vec<&str> = mute.map(|i| plan.steps[i].address.as_str()).collect();
            if !names.is_empty() {
                let (n, at) = (entry.run, entry.at);
                let names = names.join(", ");
                out.push(format!("run {n}: DNS is changed at {at} before {names}"));
            }
        }
    }
    out
}

/// What must have ended well before any record is changed, worked out without the plan's barriers.
fn speakers(plan: &Plan) -> Vec<usize> {
    let is_record = |i: usize| plan.steps[i].kind == RECORD;
    let mut behind: BTreeSet<usize> = (0..plan.steps.len()).filter(|i| is_record(*i)).collect();
    let records: BTreeSet<&Address> = behind.iter().map(|i| &plan.steps[*i].address).collect();
    loop {
        let next = plan.edges.iter().filter(|e| behind.contains(&e.before));
        let next: Vec<usize> = next
            .map(|e| e.after)
            .filter(|i| !behind.contains(i))
            .collect();
        if next.is_empty() {
            break;
        }
        behind.extend(next);
    }
    let speaks = |i: &usize| {
        let step = &plan.steps[*i];
        let asserts = match &step.what {
            Do::Check { warning, .. } => !warning,
            Do::Idle => false,
            _ => step.kind == HTTP_CHECK && !step.best_effort,
        };
        let guards = step.guards.iter().any(|a| records.contains(a));
        (asserts && !behind.contains(i)) || (guards && step.what != Do::Idle)
    };
    (0..plan.steps.len()).filter(speaks).collect()
}

/// What the world saw.
struct Seen<'a> {
    trace: &'a [Entry],
    /// The addresses of load balancers.
    balancers: BTreeSet<String>,
    /// When Velero had restored what a step asked for.
    restored: BTreeMap<String, Timestamp>,
}

impl Seen<'_> {
    /// Whether a step spoke for the change of a record that stands at a place of the trace.
    fn has_spoken(&self, plan: &Plan, i: usize, change: usize) -> bool {
        let step = &plan.steps[i];
        let run = self.trace[change].run;
        let began = self.trace[..change].iter().rposition(|entry| {
            let began = matches!(entry.what, What::Began);
            began || entry.run != run
        });
        let from = began.unwrap_or_default();
        if step.kind == HTTP_CHECK {
            return self.was_asked(plan, i, from, change);
        }
        let has_ended = self.trace[from..change].iter().rev().any(|entry| {
            matches!(&entry.what, What::Event(Event::StepEnded { address, outcome, .. })
                if *address == step.address && is_good(step, outcome))
        });
        has_ended && (step.kind != COMMAND || self.has_run(step, change))
    }

    /// Whether a check got its answer between two places of the trace, after what it waits for.
    fn was_asked(&self, plan: &Plan, check: usize, from: usize, to: usize) -> bool {
        let causes = causes(plan, check);
        let step = &plan.steps[check];
        let rest = self.trace[..to].iter().rposition(|entry| {
            causes
                .iter()
                .any(|&cause| comes_about(&plan.steps[cause], &entry.what))
        });
        let restored = causes.iter().filter_map(|&cause| {
            let name = plan.steps[cause].address.as_str();
            self.restored.get(name).copied()
        });
        let restored = restored.filter(|at| *at <= self.trace[to].at).max();
        let from = from.max(rest.unwrap_or_default());
        self.trace[from..to].iter().any(|entry| match &entry.what {
            What::Left(asked, status) => {
                self.is_question(step, asked)
                    && statuses(step).contains(&u64::from(*status))
                    && restored.is_none_or(|at| entry.at >= at)
            }
            _ => false,
        })
    }

    /// Whether a request is the one of a check: its path, at the host that it is to ask.
    fn is_question(&self, step: &Step, asked: &Asked) -> bool {
        let url: Option<http::Uri> = argument(step, "url").as_str().and_then(|u| u.parse().ok());
        let Some(url) = url else { return false };
        let path = url.path_and_query().map_or("/", |p| p.as_str());
        let host = match argument(step, "via") {
            Json::Null => url.host() == Some(asked.host.as_str()),
            Json::String(via) if !via.contains('$') => {
                via.split(':').next() == Some(asked.host.as_str())
            }
            // Where it asks was not known while planning: at a site that this world has.
            _ => self.balancers.contains(&asked.host),
        };
        asked.method == "GET" && asked.target == path && host
    }

    /// Whether the program of a command had done its work before a place of the trace: a run finds what
    /// one before it had begun.
    fn has_run(&self, step: &Step, to: usize) -> bool {
        self.trace[..to]
            .iter()
            .any(|entry| matches!(&entry.what, What::Ends(ran, Some(0)) if may_start(step, ran)))
    }
}

/// Everything that a step waits for, however far.
fn causes(plan: &Plan, of: usize) -> BTreeSet<usize> {
    let before = plan.before();
    let mut out = BTreeSet::new();
    let mut next = vec![of];
    while let Some(i) = next.pop() {
        next.extend(before[i].iter().copied().filter(|&b| out.insert(b)));
    }
    out
}

/// Whether something that happened made a part of what a step is to bring about.
fn comes_about(step: &Step, what: &What) -> bool {
    match what {
        What::Left(asked, status) | What::Lost(asked, status) => {
            // A pause and its end look alike, and neither is what a check asks for.
            let is_stamped = matches!(asked.by, Some(Sender::Step(_)));
            is_stamped && asked.is_our_change() && *status < 300 && may_send(step, asked)
        }
        What::Ends(ran, _) => may_start(step, ran),
        _ => false,
    }
}

/// The answers that a check takes for right.
fn statuses(step: &Step) -> Vec<u64> {
    match argument(step, "status") {
        Json::Array(list) => list.iter().filter_map(Json::as_u64).collect(),
        one => vec![one.as_u64().unwrap_or(STATUS)],
    }
}

fn balancers(life: &Life) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for (_, cluster) in life.scene.world().clusters() {
        for (_, object) in cluster.dump() {
            let ingress = object["status"]["loadBalancer"]["ingress"].as_array();
            let addresses = ingress
                .into_iter()
                .flatten()
                .filter_map(|i| i["ip"].as_str());
            out.extend(addresses.map(str::to_owned));
        }
    }
    out
}

/// When the last Restore of each step was completed.
fn restored(life: &Life) -> BTreeMap<String, Timestamp> {
    let mut out = BTreeMap::new();
    for (_, cluster) in life.scene.world().clusters() {
        for (key, object) in cluster.dump() {
            let step = object["metadata"]["annotations"][STEP].as_str();
            let at = object["status"]["completionTimestamp"].as_str();
            let at = at.and_then(|at| at.parse::<Timestamp>().ok());
            if let (Some(step), Some(at), "restores") = (step, at, key.resource.as_str()) {
                let last = out.entry(step.to_owned()).or_insert(at);
                *last = at.max(*last);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use drplan::apply::Outcome;
    use serde_json::json;

    use super::super::hand_made::acting;
    use super::super::hand_made::asked;
    use super::super::hand_made::ended;
    use super::super::hand_made::life;
    use super::super::hand_made::of_step;
    use super::super::hand_made::plan;
    use super::super::hand_made::ran;
    use super::*;

    /// A manifest, what checks it, a guard, and a record.
    fn site() -> Plan {
        let mut guard = acting("command.stop", json!({ "apply": ["bin/stop"] }));
        guard.guards = vec![Address::new("route53_record.www")];
        let check = json!({ "url": "http://www.example/ok", "via": "10.0.0.1:80" });
        let steps = [
            acting("kubernetes_manifest.web", json!({})),
            acting("http_check.web", check),
            guard,
            acting("route53_record.www", json!({})),
        ];
        plan(steps, &[(0, 1), (1, 2), (2, 3)])
    }

    fn applied() -> What {
        let write = asked("PATCH", "/api/v1/services/web?fieldManager=drplan");
        What::Left(of_step(write, "kubernetes_manifest.web"), 200)
    }

    fn got(host: &str, status: u16) -> What {
        let get = Asked {
            host: host.to_owned(),
            ..asked("GET", "/ok")
        };
        What::Left(get, status)
    }

    /// What the engine says of the check, and a guard that did its work.
    fn said() -> [What; 3] {
        [
            ended("http_check.web", Outcome::Done),
            What::Ends(ran("bin/stop", None), Some(0)),
            ended("command.stop", Outcome::Done),
        ]
    }

    fn change() -> What {
        What::Came(asked("POST", "/2013-04-01/hostedzone/Z/rrset"))
    }

    fn hows(what: impl IntoIterator<Item = What>) -> Vec<String> {
        let began = std::iter::once(What::Began);
        let what: Vec<What> = began.chain(what).chain([change()]).collect();
        broken(&life(site(), what))
    }

    fn with_get(get: What) -> Vec<String> {
        hows([applied(), get].into_iter().chain(said()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_record_is_changed_after_the_world_answered_its_check() {
        assert_eq!(with_get(got("10.0.0.1", 200)), [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_engine_says_of_a_check_does_not_count() {
        assert_eq!(hows(std::iter::once(applied()).chain(said())).len(), 1);
        assert_eq!(with_get(got("10.0.0.1", 503)).len(), 1);
        assert_eq!(with_get(got("192.0.2.1", 200)).len(), 1);
        let lost = What::Lost(asked("GET", "/ok"), 200);
        assert_eq!(with_get(lost).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_from_before_what_is_checked_does_not_count() {
        let early = [got("10.0.0.1", 200), applied()].into_iter();
        assert_eq!(hows(early.chain(said())).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_guard_whose_program_never_ended_well_does_not_speak() {
        let what = [
            applied(),
            got("10.0.0.1", 200),
            What::Ends(ran("bin/stop", None), Some(1)),
            ended("command.stop", Outcome::Done),
        ];
        assert_eq!(hows(what).len(), 1);
    }
}
