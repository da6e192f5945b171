//! A life judged: lived in a thread and a runtime of its own, and what is left of it.

use std::path::Path;

use anyhow::Result;
use drplan::rehearse::Turnstile;

use super::canonical::State;
use super::course::Course;
use super::course::Scale;
use super::life;
use super::life::Life;
use super::rules;
use super::rules::Broken;

/// The stack of the thread that a life runs in; futures of a debug build are large.
const STACK_BYTES: usize = 32 * 1024 * 1024;

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
    /// Lives a life in a thread and a runtime of its own, so that nothing of one reaches the next.
    pub(super) fn of(spec: &Path, course: &Course, wanted: Option<&State>) -> Self {
        let life = || -> Result<Self> {
            // There is no driver of sockets: nothing here may have one.
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let turnstile = Turnstile::default();
            turnstile.between(&mut builder);
            let runtime = builder.enable_time().build()?;
            let verdict = runtime.block_on(async {
                let life = life::live(spec, course).await?;
                anyhow::Ok(Self::summary(&life, wanted))
            });
            turnstile.open();
            runtime.shutdown_background();
            verdict
        };
        let ended = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
            thread.spawn_scoped(scope, life).map(|t| t.join())
        });
        let broken = |rule: &'static str, how: String| Self {
            broken: vec![Broken { rule, how }],
            ..Self::default()
        };
        match ended {
            Ok(Ok(Ok(verdict))) => verdict,
            Ok(Ok(Err(error))) => broken("every life can be lived", format!("{error:#}")),
            Ok(Err(_)) => broken("nothing panics", "the panic stands above".to_owned()),
            Err(error) => broken("every life can be lived", error.to_string()),
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
