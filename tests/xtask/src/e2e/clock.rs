//! A wall clock that is set while drplan works: locks, deadlines and time-outs count what passes, and a
//! report says that its times do not fit each other.
//!
//! The clock of one process is moved by a library that is compiled here and loaded before all others: a
//! time namespace of the kernel moves every clock but this one.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use drplan::report::Exit;
use serde_json::Value;

use super::drplan::Spec;
use super::lab::Lab;
use super::team::Shared;
use super::team::Team;

const SOURCE: &str = include_str!("clock.c");

const DAY_S: i64 = 24 * 60 * 60;
const HOUR_S: i64 = 60 * 60;

/// Much longer than between two renewals of a lock, for a machine that is busy.
const RENEWED_WITHIN: Duration = Duration::from_secs(50);
/// How often it is looked whether it was renewed.
const LOOK: Duration = Duration::from_secs(1);
/// How long a run may take to its end after its step was let go; a wait by the wrong clock would take longer.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// The wall clock of the processes that are started with it.
struct Clock {
    library: PathBuf,
    shift: PathBuf,
}

impl Clock {
    fn new(dir: &Path, library: &Path) -> Result<Self> {
        let clock = Self {
            library: library.to_owned(),
            shift: dir.join("clock-shift"),
        };
        clock.set_by(0)?;
        Ok(clock)
    }

    /// Shows this much more than the machine's, from now on; a reader sees the old shift or the new.
    fn set_by(&self, seconds: i64) -> Result<()> {
        let fresh = self.shift.with_extension("new");
        fs::write(&fresh, seconds.to_string())?;
        fs::rename(&fresh, &self.shift).context("cannot set the clock")
    }

    fn on(&self, spec: &Spec) -> Spec {
        let mut out = spec.clone();
        for (name, path) in [
            ("LD_PRELOAD", &self.library),
            ("CLOCK_SHIFT_FILE", &self.shift),
        ] {
            let path = path.display().to_string();
            out.drplan.env.insert(name.to_owned(), path);
        }
        out
    }
}

/// Compiles the library that moves a clock.
fn library(dir: &Path) -> Result<PathBuf> {
    let (source, library) = (dir.join("clock.c"), dir.join("clock.so"));
    fs::write(&source, SOURCE)?;
    let output = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .output()
        .context("cannot run `cc`: install a C compiler")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "the library does not compile: {said}"
    );
    Ok(library)
}

pub(super) async fn a_clock_that_is_set_during_a_run_ends_nothing_and_is_said(
    lab: &mut Lab,
) -> Result<()> {
    let library = library(&lab.root)?;
    let mut specs = Vec::new();
    for _ in 0..4 {
        specs.push(lab.spec("store")?);
    }
    let ahead = Clock::new(&specs[0].dir, &library)?;
    let back = Clock::new(&specs[2].dir, &library)?;
    let (forward, backward) = tokio::join!(
        set(lab, "ahead", &ahead, DAY_S, &specs[..2]),
        set(lab, "back", &back, -HOUR_S, &specs[2..]),
    );
    let (report, _) = forward.context("a day forward")?;
    says(&report, "the clock was set, or the machine slept")?;
    let (report, held) = backward.context("an hour back")?;
    let warnings = report["warnings"].to_string();
    almost_an_hour(&warnings, "the clock of the machine was set back by")?;
    let ran_ms = report["took_ms"].as_u64().unwrap_or_default();
    ensure!(
        Duration::from_millis(ran_ms) >= held,
        "a run of over {:.1} s is said to have taken {ran_ms} ms",
        held.as_secs_f64()
    );
    comes_from_the_future(lab, &back).await
}

fn says(report: &Value, wanted: &str) -> Result<()> {
    let warnings = report["warnings"].to_string();
    ensure!(
        warnings.contains(wanted),
        "no warning says `{wanted}`: {warnings}"
    );
    Ok(())
}

/// Goes on only if a text says so many minutes: an hour without what passed meanwhile, which is more than
/// one of them on a machine that is busy.
fn almost_an_hour(text: &str, says: &str) -> Result<()> {
    let mut minutes = 50..60;
    ensure!(
        minutes.any(|minutes| text.contains(&format!("{says} {minutes}m"))),
        "nothing says `{says}` nearly an hour: {text}"
    );
    Ok(())
}

/// Sets the clock in the middle of a run and returns its report, and for how long its first step was held
/// up at least.
async fn set(
    lab: &Lab,
    name: &str,
    clock: &Clock,
    by_s: i64,
    specs: &[Spec],
) -> Result<(Value, Duration)> {
    let team = Team::new(lab, &lab.store, name).await?;
    let (machine, other) = (
        clock.on(&team.machine(&specs[0])?),
        team.machine(&specs[1])?,
    );
    let run = machine.start(&["apply", "--auto-approve", "--deadline", "10m"])?;
    team.shared.wait_for("log").await?;
    let held = Instant::now();
    clock.set_by(by_s)?;
    is_renewed(&team).await?;
    let says = ["another apply of this recovery runs"];
    let kept_away = other.run(&["apply", "--auto-approve"]).await?;
    kept_away.ends(Exit::Locked)?.expect_says(&says)?;
    let (held, let_go) = (held.elapsed(), Instant::now());
    team.shared.let_go()?;
    let ran = run.ended().await?.expect(0)?.expect_says(&["Recovered"])?;
    let waited = let_go.elapsed();
    ensure!(
        waited < ENDS_WITHIN,
        "it waited {:.0} s",
        waited.as_secs_f64()
    );
    for wrong in ["24h00m", "deadline"] {
        ensure!(
            !ran.said().contains(wrong),
            "it says `{wrong}`:\n{}",
            ran.said()
        );
    }
    team.shared.expect(&["first", "second"])?;
    other.run(&["evidence", "verify"]).await?.expect(0)?;
    other
        .run(&["plan", "--detailed-exitcode"])
        .await?
        .expect(0)?;
    let report = other.run(&["report", "--json"]).await?.expect(0)?.json()?;
    Ok((report, held))
}

/// Waits until the lock is renewed.
async fn is_renewed(team: &Team<'_>) -> Result<()> {
    let (taken, since) = (lock(team).await?, Instant::now());
    while lock(team).await? == taken {
        ensure!(
            since.elapsed() < RENEWED_WITHIN,
            "the lock was not renewed since the clock was set: {taken}"
        );
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// When the lock was renewed last, on the clock of its holder.
async fn lock(team: &Team<'_>) -> Result<Value> {
    Ok(team.json("locks/store.json").await?["renewed_at"].clone())
}

/// A plan that was made by a clock which went before this one.
async fn comes_from_the_future(lab: &mut Lab, back: &Clock) -> Result<()> {
    let shared = Shared::new(lab, "future")?;
    let machine = shared.of(&lab.spec("alone")?);
    shared.let_go()?;
    let plan = ["plan", "--out", "ahead.plan"];
    machine.run(&plan).await?.expect(0)?;
    let late = back.on(&machine).run(&["apply", "ahead.plan"]).await?;
    let late = late.expect(0)?.expect_says(&["Recovered"])?;
    almost_an_hour(
        &late.said(),
        "warning: by the clock of this machine the plan was made",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_may_lack_what_passed_since_and_nothing_else_is_taken_for_one() {
        for said in [
            "set back by 59m58s.",
            "set back by 58m",
            "set back by 51m07s",
        ] {
            assert!(almost_an_hour(said, "set back by").is_ok(), "{said}");
        }
        for said in [
            "set back by 5m",
            "set back by 59s",
            "set by 59m",
            "set back by 1h00m",
        ] {
            assert!(almost_an_hour(said, "set back by").is_err(), "{said}");
        }
    }
}
