//! A life judged: lived apart from all others, and what is left of it.

use std::path::Path;

use super::apart::Broke;
use super::apart::apart;
use super::canonical::State;
use super::course::Course;
use super::course::Scale;
use super::life;
use super::life::Life;
use super::rules;
use super::rules::Broken;

/// What is left of a life for those who judge and count.
#[derive(Default)]
pub(super) struct Verdict {
    /// The rules that do not hold.
    pub(super) broken: Vec<Broken>,
    /// A digest of all that happened.
    pub(super) digest: String,
    /// All that happened, a line each.
    pub(super) lines: Vec<String>,
    /// How each run went.
    pub(super) runs: Vec<String>,
    /// How many runs were cut off.
    pub(super) crashes: usize,
    /// How many requests met a fault.
    pub(super) faults: u64,
    /// How many requests there were.
    pub(super) requests: u64,
    /// How large it was.
    pub(super) scale: Option<Scale>,
    /// The state of the world in the end.
    pub(super) state: State,
}

fn words(run: &life::Run) -> String {
    let records = run.journal.len();
    match (&run.crashed, &run.end) {
        (Some(point), _) => format!("cut off at {point:?}, {records} records"),
        (None, Some(end)) => format!("exit code {}, {records} records", end.exit.code()),
        (None, None) => "did not end".to_owned(),
    }
}

/// Two lives of one seed must be the same.
pub(super) fn compare(verdict: &mut Verdict, again: &Verdict) {
    if verdict.digest == again.digest {
        return;
    }
    let pairs = verdict.lines.iter().zip(&again.lines);
    let same = pairs.take_while(|(a, b)| a == b).count();
    let line = |lines: &[String]| lines.get(same).cloned().unwrap_or_default();
    verdict.broken.push(Broken {
        rule: "one seed is one life",
        how: format!(
            "line {}: {}\n      the second time: {}",
            same + 1,
            line(&verdict.lines),
            line(&again.lines)
        ),
    });
}

impl Verdict {
    /// Lives a life, apart from all others.
    pub(super) fn of(spec: &Path, course: &Course, wanted: Option<&State>) -> Self {
        let lived = apart(|| async {
            let life = life::live(spec, course).await?;
            Ok(Self::summary(&life, wanted))
        });
        let broken = |rule: &'static str, how: String| Self {
            broken: vec![Broken { rule, how }],
            ..Self::default()
        };
        match lived {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(error)) => broken("every life can be lived", format!("{error:#}")),
            Err(Broke::Panicked) => broken("nothing panics", "the panic stands above".to_owned()),
            Err(Broke::NoThread(error)) => broken("every life can be lived", error.to_string()),
        }
    }

    fn summary(life: &Life, wanted: Option<&State>) -> Self {
        let lines = life.lines();
        let plan = life.runs.iter().find_map(|run| run.plan.as_ref());
        let acting = plan.map(|plan| {
            let acts = plan.steps.iter().filter(|s| s.action().is_some());
            acts.map(|s| s.address.clone()).collect()
        });
        Self {
            broken: rules::judge(life, wanted),
            digest: drplan_api::digest(lines.join("\n").as_bytes()),
            lines,
            runs: life.runs.iter().map(words).collect(),
            crashes: life.runs.iter().filter(|r| r.crashed.is_some()).count(),
            faults: life.scene.world().faults(),
            requests: life.requests,
            scale: acting.map(|acting| Scale {
                records: life.first.0,
                requests: life.first.1,
                writes: life.writes.0,
                creations: life.writes.1,
                acting,
            }),
            state: life.state.clone(),
        }
    }

    /// Tells how it went.
    pub(super) fn tell(&self, seed: u64, course: &Course, everything: bool) {
        let digest = self.digest.get(..12).unwrap_or_default();
        println!(
            "seed {seed}: {} at once, fails {}, {} requests, {} faults, digest {digest}",
            course.parallelism,
            course.fail.as_deref().unwrap_or("nothing"),
            self.requests,
            self.faults,
        );
        for (n, run) in self.runs.iter().enumerate() {
            println!("  run {n}: {run}");
        }
        if everything {
            self.lines.iter().for_each(|line| println!("  {line}"));
        }
    }
}
