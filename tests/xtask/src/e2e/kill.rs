//! drplan alone is killed with SIGKILL in the middle of its work, and another drplan goes on: with the
//! first one's files or without.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::fs;
use std::mem::Discriminant;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use drplan_harness::Ending;
use serde_json::Value;

use super::database;
use super::drplan::Spec;
use super::drplan::Trigger;
use super::lab::Lab;
use super::recovery::APPLY;
use super::recovery::LOST;
use super::recovery::planned_restores;
use crate::runs;

/// What is taken away before drplan runs, so that the point is reached.
#[derive(Clone, Copy, Debug)]
enum Lost {
    /// All of site B.
    Everything,
    /// All processes of site B; its data stays.
    Power,
    /// The release and its namespace.
    Gateway,
    /// The release; its namespace stays, which saves the time that its end takes.
    Release,
    /// Velero's knowledge of the bucket.
    Location,
    /// The namespace of the infrastructure backup.
    Infra,
    /// The namespaces of the applications.
    Apps,
    /// One of the namespaces of the applications.
    Web,
    /// The database.
    Database,
    /// The DNS record.
    Record,
}

/// Where the next drplan starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resume {
    /// In the same folder, with journal and work files.
    Same,
    /// In a folder that holds the spec and nothing else.
    Empty,
}

/// How often each point is resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Once, from the same folder and from an empty one in turn.
    Alternating,
    /// From both.
    Both,
}

/// A moment in the life of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// Its turn comes.
    Turn,
    /// The request of an effect is about to leave.
    Begins(u64),
    /// That many milliseconds after the request of an effect was about to leave.
    After(u64, u64),
    /// An effect is done to a share, in percent, in `from..below`.
    Share(u64, u64, u64),
    /// An effect has ended; the next one, or the proof, is still to come.
    Ends(u64),
    /// It is proven.
    Proven,
}

impl Moment {
    /// Whether an event of `step` is this moment.
    fn is(self, step: &str, event: &Value) -> bool {
        let of = |kind: &str| event["type"] == kind && event["hook"]["resource"]["addr"] == step;
        match self {
            Self::Turn => of("apply_start"),
            Self::Begins(n) | Self::After(n, _) => of("effect_start") && event["effect"] == n,
            Self::Share(n, from, below) => {
                of("apply_progress")
                    && event["effect"] == n
                    && percent(event).is_some_and(|done| (from..below).contains(&done))
            }
            Self::Ends(n) => of("effect_complete") && event["effect"] == n,
            Self::Proven => of("apply_complete"),
        }
    }

    fn grace(self) -> Duration {
        match self {
            Self::After(_, ms) => Duration::from_millis(ms),
            _ => Duration::ZERO,
        }
    }

    /// Whether drplan died at this moment, if this is how far its journal says that the step had come. An
    /// event is heard before drplan is dead, and by then it may have gone on.
    fn is_met_at(self, mark: Mark) -> bool {
        match self {
            Self::Turn => mark == Mark::Started,
            Self::Begins(n) | Self::After(n, _) | Self::Share(n, ..) => {
                mark == Mark::EffectStarted(n)
            }
            Self::Ends(n) => mark == Mark::EffectFinished(n),
            Self::Proven => mark == Mark::Ended,
        }
    }

    /// When drplan is killed, in words.
    fn of(self, step: &str) -> String {
        match self {
            Self::Turn => format!("when the turn of {step} comes"),
            Self::Begins(n) => format!("when effect {n} of {step} is about to begin"),
            Self::After(n, ms) => format!("{ms} ms into effect {n} of {step}"),
            Self::Share(n, from, _) => format!("at {from} % of effect {n} of {step}"),
            Self::Ends(n) => format!("when effect {n} of {step} has ended and is not proven"),
            Self::Proven => format!("when {step} is proven"),
        }
    }
}

/// How far a step had come, by the last record of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Started,
    EffectStarted(u64),
    EffectFinished(u64),
    Ended,
}

impl Mark {
    fn of(record: &Value) -> Option<Self> {
        let effect = record["effect"].as_u64();
        match record["event"].as_str()? {
            "step_started" => Some(Self::Started),
            "effect_started" => effect.map(Self::EffectStarted),
            "effect_finished" => effect.map(Self::EffectFinished),
            "step_ended" => Some(Self::Ended),
            _ => None,
        }
    }
}

/// The last mark that a step left in a journal.
fn last_mark(journal: &str, step: &str) -> Option<Mark> {
    let records = journal.lines().filter_map(|line| {
        // A crash may leave a last line without its end.
        let line: Value = serde_json::from_str(line).ok()?;
        Some(line["record"].clone())
    });
    let of = records.filter(|record| record["address"] == step);
    of.filter_map(|record| Mark::of(&record)).next_back()
}

/// How much of an effect is done. A `pg_restore` that has loaded all tables still makes indexes.
fn percent(event: &Value) -> Option<u64> {
    let (done, of) = (event["done"].as_u64()?, event["of"].as_u64()?);
    (done * 100).checked_div(of)
}

/// A moment in a run.
pub(super) struct Point {
    step: &'static str,
    lost: Lost,
    moment: Moment,
}

const fn point(step: &'static str, lost: Lost, moment: Moment) -> Point {
    Point { step, lost, moment }
}

/// The steps whose tools outlive a killed drplan, or whose work goes on elsewhere.
const TOOL_STEPS: [&str; 5] = [CONTROL_PLANE, GATEWAY, INFRA, SHOP, APPS];

const CONTROL_PLANE: &str = "command.control_plane";
const GATEWAY: &str = "helm_release.gateway";
const LOCATION: &str = "velero_backup_location.backups";
const INFRA: &str = "velero_restore.infra";
const SHOP: &str = "postgres_restore.shop";
const APPS: &str = "velero_restore.apps";
const RECORD: &str = "route53_record.www";

/// The points, in the order of a recovery. Effect 0 of a Velero restore waits until Velero knows the
/// backup, effect 1 is the Restore. Effect 0 of the database is `pg_restore`, effect 1 the renaming.
pub(super) const POINTS: &[Point] = &[
    point(CONTROL_PLANE, Lost::Everything, Moment::After(0, 500)),
    point(CONTROL_PLANE, Lost::Power, Moment::Begins(0)),
    point(CONTROL_PLANE, Lost::Power, Moment::After(0, 1200)),
    point(CONTROL_PLANE, Lost::Power, Moment::Ends(0)),
    point(CONTROL_PLANE, Lost::Power, Moment::Proven),
    point(GATEWAY, Lost::Release, Moment::Turn),
    point(GATEWAY, Lost::Release, Moment::Begins(0)),
    point(GATEWAY, Lost::Gateway, Moment::After(0, 400)),
    point(GATEWAY, Lost::Release, Moment::Ends(0)),
    point(GATEWAY, Lost::Release, Moment::Proven),
    point(LOCATION, Lost::Location, Moment::Begins(0)),
    point(INFRA, Lost::Infra, Moment::Turn),
    point(INFRA, Lost::Infra, Moment::Begins(1)),
    point(INFRA, Lost::Infra, Moment::After(1, 300)),
    point(INFRA, Lost::Infra, Moment::Ends(1)),
    point(INFRA, Lost::Infra, Moment::Proven),
    point(SHOP, Lost::Database, Moment::Share(0, 30, 60)),
    point(SHOP, Lost::Database, Moment::Share(0, 90, 101)),
    point(SHOP, Lost::Database, Moment::Begins(1)),
    point(SHOP, Lost::Database, Moment::Ends(1)),
    point(SHOP, Lost::Database, Moment::Proven),
    point(APPS, Lost::Web, Moment::Turn),
    point(APPS, Lost::Web, Moment::Begins(1)),
    point(APPS, Lost::Apps, Moment::Share(1, 30, 100)),
    point(APPS, Lost::Web, Moment::Ends(1)),
    point(APPS, Lost::Web, Moment::Proven),
    point(RECORD, Lost::Record, Moment::Begins(0)),
];

impl Point {
    /// When drplan is killed, in words.
    pub(super) fn when(&self) -> String {
        self.moment.of(self.step)
    }

    /// Whether a child must be found alive after the kill.
    fn has_child(&self) -> bool {
        self.step == SHOP && matches!(self.moment, Moment::Share(..))
    }
}

/// All points with the ways to go on after them, numbered from 0.
pub(super) fn rounds(depth: Depth) -> Vec<(usize, Resume)> {
    let ways = [Resume::Same, Resume::Empty];
    let of = |n: usize| match depth {
        Depth::Alternating => vec![(n, ways[n % ways.len()])],
        Depth::Both => ways.map(|way| (n, way)).to_vec(),
    };
    (0..POINTS.len()).flat_map(of).collect()
}

/// Whether drplan died where it was meant to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    InTime,
    TooLate,
}

/// Of so many points one may be met too late, on a machine that is busy.
const TOO_LATE_ONE_IN: usize = 3;

/// How many kills there were, in which steps, how many came too late, and how many did not come to the
/// same end.
#[derive(Default)]
pub(super) struct Tally {
    kills: usize,
    late: usize,
    broken: usize,
    took: Duration,
    steps: BTreeSet<&'static str>,
    /// For each sort of moment, how many points were tried, and how many were met too late.
    sorts: HashMap<Discriminant<Moment>, (usize, usize)>,
}

impl Tally {
    pub(super) fn add(&mut self, point: usize, outcome: &Result<Met>, took: Duration) {
        self.kills += 1;
        self.took += took;
        self.late += usize::from(matches!(outcome, Ok(Met::TooLate)));
        self.broken += usize::from(outcome.is_err());
        self.steps.insert(POINTS[point].step);
        let sort = std::mem::discriminant(&POINTS[point].moment);
        let (tried, late) = self.sorts.entry(sort).or_default();
        *tried += 1;
        *late += usize::from(matches!(outcome, Ok(Met::TooLate)));
    }

    /// Whether so many kills came too late that the others prove little, or all of one sort of moment did. A
    /// single one always may.
    pub(super) fn is_too_late(&self) -> bool {
        let missed = |(tried, late): &(usize, usize)| *tried > 1 && late == tried;
        self.late > (self.kills / TOO_LATE_ONE_IN).max(1) || self.sorts.values().any(missed)
    }

    /// The counts in one line; none if nothing was killed.
    pub(super) fn line(&self) -> Option<String> {
        let tools = self.steps.iter().filter(|s| TOOL_STEPS.contains(s)).count();
        let others = self.steps.len() - tools;
        let too_late = match self.is_too_late() {
            true => ", too many",
            false => "",
        };
        (self.kills > 0).then(|| {
            format!(
                "{} kills in {tools} tool steps and {others} others, {} later than meant{too_late}, {} broken, {:.0} s",
                self.kills,
                self.late,
                self.broken,
                self.took.as_secs_f64()
            )
        })
    }
}

/// How often a point may be missed because drplan or its child was quicker than the kill.
pub(super) const MISSES_MAX: u32 = 4;

/// Kills at a point, resumes, and compares the end.
pub(super) async fn killed_and_resumed(
    lab: &mut Lab,
    point: &Point,
    resume: Resume,
) -> Result<Met> {
    let mut misses = 0;
    let (spec, plan, before, met) = loop {
        let spec = lab.recovered().await?;
        take_away(lab, point.lost)
            .await
            .context("cannot prepare the point")?;
        let plan = [&["plan", "--json", "--out", "kill.plan"], LOST].concat();
        let plan = spec.run(&plan).await?.expect(0)?.json()?;
        let before = restores(lab).await?;
        let trigger = Trigger {
            hit: &|event| point.moment.is(point.step, event),
            grace: point.moment.grace(),
        };
        let apply = [
            "apply",
            "kill.plan",
            "--json",
            "--approve",
            "approval.cutover",
        ];
        let events = spec.run_until(&apply, &trigger).await?;
        let mark = last_mark(&journal(&spec, &events)?, point.step);
        let is_met = mark.is_some_and(|mark| point.moment.is_met_at(mark));
        if is_met && (!point.has_child() || child_works(lab).await?) {
            break (spec, plan, before, Met::InTime);
        }
        misses += 1;
        if misses == MISSES_MAX {
            ensure!(
                !point.has_child(),
                "a pg_restore must live on after drplan was killed; in {misses} attempts it was over \
                 (last event {:?})",
                events.last()
            );
            // Some moments are shorter than a kill takes on a busy machine. What follows must hold all the
            // same, and that it was later than meant is said and counted.
            println!(
                "    {}: over {misses} times before drplan was dead, the last time at {mark:?}",
                point.when()
            );
            break (spec, plan, before, Met::TooLate);
        }
        spec.run(APPLY).await?.expect(0)?;
    };
    let again = match resume {
        Resume::Same => spec,
        Resume::Empty => lab.spec("shop")?,
    };
    let resumed = again.run(APPLY).await;
    lab.learn_secrets()?;
    resumed?.expect(0)?;
    let empty = [&["plan", "--detailed-exitcode"], LOST].concat();
    let (as_on_a, empty) = tokio::join!(lab.is_as_on_a(), again.run(&empty));
    as_on_a?;
    empty?.expect(0)?;
    let expected = match point.lost {
        // The new cluster has never seen a Restore.
        Lost::Everything => planned_restores(&plan),
        // Planned against a cluster that did not answer; when it does, nothing is missing.
        Lost::Power => before,
        _ => before + planned_restores(&plan),
    };
    let found = restores(lab).await?;
    ensure!(
        found == expected,
        "expected one Restore object for each restore, {expected} in all, found {found}"
    );
    Ok(met)
}

/// The journal of the run that was killed.
fn journal(spec: &Spec, events: &[Value]) -> Result<String> {
    let run = events.iter().find_map(|event| event["run"].as_str());
    let run = run.context("no event names the run")?;
    let path = runs::journal(&spec.dir.join(runs::FOLDER).join(run));
    fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))
}

/// Whether somebody works in one of the shop's databases.
async fn child_works(lab: &Lab) -> Result<bool> {
    let working = "select count(*)::text from pg_stat_activity where datname like 'shop%' \
                   and application_name <> 'e2e' and backend_type = 'client backend'";
    let working = database::column(&lab.database_url()?, "postgres", working).await?;
    Ok(working != ["0"])
}

/// How many Restore objects the cluster holds; none where there is no cluster.
async fn restores(lab: &Lab) -> Result<usize> {
    if lab
        .b
        .process("kube-apiserver")?
        .is_none_or(|process| !process.is_alive())
    {
        return Ok(lab.restores_seen);
    }
    Ok(lab
        .kubectl()
        .list(&["restores.velero.io", "-n", "velero"])
        .await?
        .len())
}

async fn take_away(lab: &mut Lab, lost: Lost) -> Result<()> {
    lab.restores_seen = restores(lab).await?;
    lab.zone.points_to_a()?;
    let kubectl = lab.kubectl();
    let delete = async |args: &[&str]| -> Result<()> {
        let delete = ["delete", "--wait", "--ignore-not-found"];
        kubectl.run(&[&delete, args].concat()).await?;
        Ok(())
    };
    match lost {
        Lost::Everything => lab.nothing_of_b().await,
        Lost::Power => lab.b.down(Ending::Abrupt).await,
        Lost::Gateway => kubectl.without_namespaces(&["edge"]).await,
        Lost::Release => {
            delete(&["-n", "edge", "secrets", "-l", "owner=helm"]).await?;
            let chart = ["deploy/gateway", "service/gateway", "cm/gateway-routes"];
            delete(&[&["-n", "edge"], &chart[..]].concat()).await
        }
        Lost::Location => delete(&["backupstoragelocation", "-n", "velero", "backups"]).await,
        // Only the namespace: what else is deleted from a cluster that lives is left alone.
        Lost::Infra => kubectl.without_namespaces(&["shop-infra"]).await,
        Lost::Apps => kubectl.without_namespaces(super::shop::APPS).await,
        Lost::Web => kubectl.without_namespaces(&["shop-web"]).await,
        Lost::Database => {
            let url = lab.database_url()?;
            database::execute(&url, "postgres", "drop database shop with (force)").await
        }
        Lost::Record => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(step: &str) -> Vec<usize> {
        let all = POINTS.iter().enumerate();
        all.filter(|(_, p)| p.step == step)
            .map(|(n, _)| n)
            .collect()
    }

    #[test]
    fn drplan_is_killed_at_five_different_moments_of_every_tool_step_and_resumed_both_ways() {
        for step in TOOL_STEPS {
            let points = of(step);
            let moments = points.iter().map(|n| POINTS[*n].moment.of(step));
            let different = moments.collect::<BTreeSet<String>>().len();
            assert!(different >= 5, "{step}: {different}");
            assert_eq!(different, points.len(), "{step}");
            for way in [Resume::Same, Resume::Empty] {
                let resumed = rounds(Depth::Alternating)
                    .into_iter()
                    .filter(|(n, w)| points.contains(n) && *w == way);
                assert!(resumed.count() >= 2, "{step} {way:?}");
            }
        }
        assert_eq!(rounds(Depth::Alternating).len(), POINTS.len());
        assert_eq!(rounds(Depth::Both).len(), 2 * POINTS.len());
    }

    #[test]
    fn whether_drplan_died_at_a_moment_is_told_by_the_last_mark_of_the_step() {
        let line = |event: &str, effect: Option<u64>| {
            let mut record = json!({"event": event, "address": SHOP});
            if let Some(effect) = effect {
                record["effect"] = effect.into();
            }
            json!({"record": record}).to_string()
        };
        let life = [
            line("step_started", None),
            line("effect_started", Some(0)),
            line("retry", None),
            line("effect_started", Some(0)),
            line("effect_finished", Some(0)),
            line("effect_started", Some(1)),
            line("effect_finished", Some(1)),
            line("step_ended", None),
        ];
        let moments = [
            Moment::Turn,
            Moment::Begins(0),
            Moment::Share(0, 30, 60),
            Moment::Ends(0),
            Moment::After(1, 300),
            Moment::Ends(1),
            Moment::Proven,
        ];
        let met = |lines: usize| -> Vec<usize> {
            let torn = format!("{}\n{{\"record\": {{\"ev", life[..lines].join("\n"));
            assert_eq!(last_mark(&torn, APPS), None);
            let mark = last_mark(&torn, SHOP);
            let all = moments.iter().enumerate();
            let met = all.filter(|(_, moment)| mark.is_some_and(|mark| moment.is_met_at(mark)));
            met.map(|(n, _)| n).collect()
        };
        let expected: [&[usize]; 9] =
            [&[], &[0], &[1, 2], &[1, 2], &[1, 2], &[3], &[4], &[5], &[6]];
        for (lines, expected) in expected.into_iter().enumerate() {
            assert_eq!(met(lines), expected, "{lines}");
        }
    }

    #[test]
    fn a_moment_is_told_from_its_neighbours() {
        let event = |kind: &str, more: Value| {
            let mut event = json!({"type": kind, "hook": {"resource": {"addr": SHOP}}});
            for (key, value) in more.as_object().unwrap() {
                event[key] = value.clone();
            }
            event
        };
        let events = [
            event("apply_start", json!({})),
            event("effect_start", json!({"effect": 0})),
            event(
                "apply_progress",
                json!({"effect": 0, "done": 45, "of": 100}),
            ),
            event("apply_progress", json!({"effect": 0, "done": 9, "of": 0})),
            event("effect_complete", json!({"effect": 0})),
            event("effect_start", json!({"effect": 1})),
            event("apply_complete", json!({})),
        ];
        for (moment, at) in [
            (Moment::Turn, Some(0)),
            (Moment::Begins(0), Some(1)),
            (Moment::After(1, 5), Some(5)),
            (Moment::Share(0, 30, 60), Some(2)),
            (Moment::Share(0, 46, 60), None),
            (Moment::Share(1, 30, 60), None),
            (Moment::Ends(0), Some(4)),
            (Moment::Ends(1), None),
            (Moment::Proven, Some(6)),
        ] {
            let found = events.iter().position(|e| moment.is(SHOP, e));
            assert_eq!(found, at, "{moment:?}");
            assert!(!events.iter().any(|e| moment.is(APPS, e)), "{moment:?}");
        }
    }

    #[test]
    fn the_tally_counts_kills_and_says_what_is_broken_or_came_too_late() {
        let mut tally = Tally::default();
        assert_eq!(tally.line(), None);
        let (gateway, took) = (of(GATEWAY), Duration::from_secs(10));
        tally.add(gateway[0], &Ok(Met::InTime), took);
        tally.add(gateway[1], &Err(anyhow::anyhow!("not as on A")), took);
        tally.add(of(RECORD)[0], &Ok(Met::TooLate), took);
        let expected = "3 kills in 1 tool steps and 1 others, 1 later than meant, 1 broken, 30 s";
        assert_eq!(tally.line().as_deref(), Some(expected));
        tally.add(of(RECORD)[0], &Ok(Met::TooLate), took);
        assert!(tally.is_too_late());
        assert!(
            tally
                .line()
                .unwrap()
                .contains("2 later than meant, too many")
        );
    }

    #[test]
    fn of_three_kills_one_may_come_too_late() {
        let tally = |kills: usize, late: usize| Tally {
            kills,
            late,
            ..Tally::default()
        };
        for (kills, late) in [(1, 1), (3, 1), (27, 9)] {
            assert!(!tally(kills, late).is_too_late(), "{late} of {kills}");
        }
        for (kills, late) in [(4, 2), (27, 10)] {
            assert!(tally(kills, late).is_too_late(), "{late} of {kills}");
        }
    }

    #[test]
    fn of_one_sort_of_moment_not_all_kills_may_come_too_late() {
        let shares: Vec<usize> = (0..POINTS.len())
            .filter(|&n| matches!(POINTS[n].moment, Moment::Share(..)))
            .collect();
        let mut tally = Tally::default();
        for n in 0..POINTS.len() {
            let met = match shares[..2].contains(&n) {
                true => Met::TooLate,
                false => Met::InTime,
            };
            if met == Met::TooLate || !shares.contains(&n) {
                tally.add(n, &Ok(met), Duration::ZERO);
            }
        }
        assert!(tally.is_too_late());
        tally.add(shares[2], &Ok(Met::InTime), Duration::ZERO);
        assert!(!tally.is_too_late());
    }
}
