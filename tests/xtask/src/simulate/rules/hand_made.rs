//! Lives that were never lived, for the tests of rules.

use std::sync::Arc;
use std::time::Duration;

use drplan::apply::Event;
use drplan::apply::Line;
use drplan::apply::Outcome;
use drplan::cli::Ambient;
use drplan::cli::VarArgs;
use drplan::plan::Plan;
use drplan::plan::Step;
use drplan::rehearse::Failures;
use drplan::rehearse::Scene;
use drplan::rehearse::Script;
use drplan_api::Address;
use drplan_api::Evidence;
use drplan_api::Json;
use drplan_api::Timestamp;
use serde_json::json;

use super::super::SMALL;
use super::super::entry::Asked;
use super::super::entry::Entry;
use super::super::entry::Ran;
use super::super::entry::Sender;
use super::super::entry::What;
use super::super::folder;
use super::super::life::Life;
use super::super::life::Run;

/// The time-out of hand-made steps.
pub(super) const TIMEOUT_S: u64 = 60;

/// A step of the kind that its address names.
pub(super) fn step(address: &str, what: Json) -> Step {
    let step = json!({
        "address": address, "at": null, "kind": Address::new(address).kind(), "stage": null, "wave": 0,
        "what": what, "because": "", "diff": [], "hazard": { "level": "none", "text": "" },
        "sure": { "sure": "exact" }, "breakdown": null, "warnings": [], "manual": [], "want": null,
        "outputs": null, "timeout_s": TIMEOUT_S, "best_effort": false, "guards": [],
        "cutover": false,
    });
    serde_json::from_value(step).expect("a step")
}

/// A step that acts, with these arguments.
pub(super) fn acting(address: &str, args: Json) -> Step {
    let mut step = step(
        address,
        json!({ "do": "act", "action": "run", "op": null, "effects": [], "binding": null }),
    );
    let want = json!({ "address": address, "recovery": "r", "args": args, "roles": {} });
    step.want = serde_json::from_value(want).expect("arguments");
    step
}

/// A plan of steps; of each pair of indexes the second waits for the first.
pub(super) fn plan(steps: impl IntoIterator<Item = Step>, edges: &[(usize, usize)]) -> Plan {
    let edge = |(before, after): &(usize, usize)| json!({ "before": before, "after": after, "why": { "rule": "stage" } });
    let plan = json!({
        "head": {
            "format": "", "tool": "", "recovery": "r", "observed_at": Timestamp::UNIX_EPOCH,
            "incident_at": null, "lost": [], "accept": [], "rpo_s": null, "rto_s": null, "spec": {},
            "files": {}, "variables": {}, "secrets": [], "kinds": {}, "contacts": {},
        },
        "targets": [], "exprs": [], "steps": steps.into_iter().collect::<Vec<_>>(),
        "edges": edges.iter().map(edge).collect::<Vec<_>>(), "points": [], "findings": [],
        "outputs": {},
    });
    serde_json::from_value(plan).expect("a plan")
}

/// A life of one run in which these things happened, a second apart, in a world that nobody touched.
pub(super) fn life(plan: Plan, what: impl IntoIterator<Item = What>) -> Life {
    life_of(vec![(0, plan)], what.into_iter().map(|what| (0, 1, what)))
}

/// A life of several runs, each with its folder and plan. What happened stands with the number of its run
/// and the seconds that passed before it.
pub(super) fn life_of(
    runs: Vec<(usize, Plan)>,
    what: impl IntoIterator<Item = (usize, u64, What)>,
) -> Life {
    let mut at = Timestamp::UNIX_EPOCH;
    let mut trace = Vec::new();
    for (run, after_s, what) in what {
        at += Duration::from_secs(after_s);
        trace.push(Entry { at, run, what });
    }
    let after = runs.last().map(|(_, plan)| plan.clone()).expect("a run");
    let run = |(n, (folder, plan)): (usize, (usize, Plan))| Run {
        folder,
        crashed: None,
        plan: Some(Arc::new(plan)),
        end: None,
        journal: journal(&trace, n),
    };
    Life {
        runs: runs.into_iter().enumerate().map(run).collect(),
        left: Vec::new(),
        after: Arc::new(after),
        state: super::super::canonical::State::new(),
        scene: scene(),
        first: (0, 0),
        requests: 0,
        writes: (0, 0),
        place: String::new(),
        trace,
    }
}

fn journal(trace: &[Entry], run: usize) -> Vec<Line> {
    let events = trace.iter().filter(|e| e.run == run);
    let line = |entry: &Entry| match &entry.what {
        What::Event(event) => Some(Line {
            v: 1,
            seq: 0,
            at: entry.at,
            record: event.clone(),
            chain: String::new(),
        }),
        _ => None,
    };
    events.filter_map(line).collect()
}

/// The small spec in its world, before anything happened.
pub(in super::super) fn scene() -> Scene {
    let script = Script {
        vars: VarArgs::default(),
        faults: None,
        fail: Arc::new(Failures::parse(&[])),
        parallelism: 1,
    };
    Scene::set(&folder(SMALL), script, &Ambient::of_this_process())
        .unwrap_or_else(|_| panic!("the small spec can be rehearsed"))
}

/// A step's turn comes.
pub(super) fn began(address: &str) -> What {
    What::Event(Event::StepStarted {
        address: Address::new(address),
        action: None,
    })
}

/// A step ends, with evidence.
pub(super) fn ended(address: &str, outcome: Outcome) -> What {
    ended_with(address, outcome, &[true])
}

/// A step ends, with evidence of which each holds or not.
pub(super) fn ended_with(address: &str, outcome: Outcome, evidence: &[bool]) -> What {
    let evidence = evidence.iter().map(|holds| Evidence {
        claim: "it is so".to_owned(),
        source: "a look".to_owned(),
        holds: *holds,
    });
    What::Event(Event::StepEnded {
        address: Address::new(address),
        outcome,
        evidence: evidence.collect(),
        outputs: Json::Null,
        elapsed_ms: 0,
    })
}

/// A request of a step is about to leave.
pub(super) fn effect(address: &str, attempt: u32) -> What {
    What::Event(Event::EffectStarted {
        address: Address::new(address),
        effect: 0,
        attempt,
        verb: "do".to_owned(),
        object: "it".to_owned(),
        inverse: None,
    })
}

/// It failed.
pub(super) fn failed() -> Outcome {
    Outcome::Failed {
        because: "it did".to_owned(),
    }
}

/// A request.
pub(super) fn asked(method: &str, target: &str) -> Asked {
    Asked {
        host: "b.example".to_owned(),
        method: method.to_owned(),
        target: target.to_owned(),
        ..Asked::default()
    }
}

/// A request that bears the stamp of a step.
pub(super) fn of_step(asked: Asked, address: &str) -> Asked {
    Asked {
        by: Some(Sender::Step(address.to_owned())),
        ..asked
    }
}

/// A program.
pub(super) fn ran(line: &str, database: Option<&str>) -> Ran {
    Ran {
        argv: line.split(' ').map(str::to_owned).collect(),
        database: database.map(str::to_owned),
    }
}
