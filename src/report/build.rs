//! Makes the report of a run from its plan and the fold of its journal. Pure: no clock, no files.

use std::collections::BTreeMap;

use drplan_api::HazardLevel;
use drplan_api::Timestamp;

use super::clock;
use super::course::Course;
use super::data::Answer;
use super::data::Approval;
use super::data::Barrier;
use super::data::Chain;
use super::data::Counts;
use super::data::Cutover;
use super::data::EffectReport;
use super::data::EffectState;
use super::data::End;
use super::data::FORMAT;
use super::data::Fact;
use super::data::Irreversible;
use super::data::Leg;
use super::data::NotDone;
use super::data::Report;
use super::data::Retry;
use super::data::Rto;
use super::data::StepReport;
use super::data::UsedPoint;
use super::data::Verdict;
use super::fold::EffectTrack;
use super::fold::Illegal;
use super::fold::Run;
use super::fold::Track;
use super::fold::fold;
use super::outside::deviation;
use super::outside::outside;
use super::outside::planned;
use crate::apply::Outcome;
use crate::apply::Records;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Step;

/// The id that a run in the rehearsal world has.
pub const REHEARSAL: &str = "rehearsal";

/// Tells what happened in a run. `seal` is the digest of the plan. How to go on is not in the journal.
///
/// # Errors
///
/// If the journal does not tell the story of a run of this plan.
pub fn report(plan: &Plan, seal: &str, records: &Records) -> Result<Report, Illegal> {
    let run = fold(plan, &records.lines)?;
    let before = plan.before();
    let course = Course::of(plan, &run, &before);
    let telling = Telling {
        plan,
        run: &run,
        before: &before,
        course: &course,
    };
    let (steps, barriers) = telling.steps();
    let not_done = not_done(&steps);
    let outside: Vec<_> = pairs(plan, &run).flat_map(|(s, t)| outside(s, t)).collect();
    let ended = steps.iter().map(|s| (s.address.as_str(), s)).collect();
    let mut counts = counted(&steps);
    counts.outside_the_plan = outside.len() as u64;
    if run.id == REHEARSAL {
        counts.simulated = counts.done + counts.already_true;
    }
    let verdict = verdict(&run, plan, &not_done, counts.outside_the_plan);
    let took_ms = took_ms(&run, &steps);
    Ok(Report {
        format: FORMAT.to_owned(),
        run: run.id.clone(),
        recovery: plan.head.recovery.clone(),
        tool: run.tool.clone(),
        verdict,
        headline: headline(verdict, plan.is_part(), &not_done, &counts),
        exit_code: run.ended.map(|(_, code)| code),
        started_at: run.started_at,
        ended_at: run.ended.map(|(at, _)| at),
        last_at: run.last_at,
        took_ms,
        incident_at: plan.head.incident_at,
        rto: rto(plan, &run, verdict, took_ms),
        points: points(plan),
        counts,
        deviations: deviations(plan, &ended),
        not_done,
        outside_the_plan: outside,
        course: legs(plan, &run, &course),
        approvals: approvals(plan, &run),
        irreversible: irreversible(plan, &run),
        cutovers: cutovers(plan, &run),
        lost: plan.head.lost.clone(),
        accepted: plan.head.accept.clone(),
        warnings: clock::warnings(plan, &run)
            .into_iter()
            .chain(warnings(plan))
            .collect(),
        contacts: plan.head.contacts.clone(),
        steps,
        barriers,
        chain: Chain {
            records: records.lines.len() as u64,
            head: records
                .lines
                .last()
                .map_or(String::new(), |l| l.chain.clone()),
            plan: seal.to_owned(),
            plan_fits: run.seal == seal,
            torn: records.torn,
        },
        next: None,
        next_in: None,
    })
}

/// Clocks are set now and then: what seems to have ended before it began took no time.
fn between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or_default()
}

/// Between two sessions nothing is in a queue, and nothing runs.
fn within_sessions(run: &Run, from: Timestamp, to: Timestamp) -> u64 {
    between(from, to).saturating_sub(run.between_sessions_ms(from, to))
}

/// From the beginning to the last record. Where the clock was set back nobody knows, but no less than what
/// passed on it before and after, and than the longest step.
fn took_ms(run: &Run, steps: &[StepReport]) -> u64 {
    if !clock::was_set_back(run) {
        return between(run.started_at, run.last_at);
    }
    let longest_ms = steps.iter().filter_map(|step| step.ran_ms).max();
    run.took_ms.max(longest_ms.unwrap_or_default())
}

fn pairs<'a>(plan: &'a Plan, run: &'a Run) -> impl Iterator<Item = (&'a Step, &'a Track)> {
    plan.steps.iter().zip(&run.tracks)
}

struct Telling<'a> {
    plan: &'a Plan,
    run: &'a Run,
    before: &'a [Vec<usize>],
    course: &'a Course,
}

impl Telling<'_> {
    fn steps(&self) -> (Vec<StepReport>, Vec<Barrier>) {
        let (mut steps, mut barriers) = (Vec::new(), Vec::new());
        for (i, step) in self.plan.steps.iter().enumerate() {
            if step.what == Do::Barrier {
                barriers.push(Barrier {
                    address: step.address.to_string(),
                    wave: step.wave,
                    waits_for: self.names(&self.before[i]),
                });
            } else {
                steps.push(self.step(i, step));
            }
        }
        (steps, barriers)
    }

    fn names(&self, steps: &[usize]) -> Vec<String> {
        let name = |&i: &usize| self.plan.steps[i].address.to_string();
        steps.iter().map(name).collect()
    }

    fn step(&self, i: usize, step: &Step) -> StepReport {
        let track = &self.run.tracks[i];
        let began_at = track.began_at();
        let ended_at = track.ended.as_ref().map(|(at, _)| *at);
        // What was proven again behind its beginning it has not waited for.
        let ready_at = self.course.ready_at[i].zip(began_at);
        let ready_at = ready_at.map(|(ready, began)| ready.min(began));
        let until = ended_at.unwrap_or(self.run.last_at);
        let (end, because) = end(step, track);
        StepReport {
            address: step.address.to_string(),
            stage: step.stage.map(|s| s.as_str().to_owned()),
            kind: step.kind.clone(),
            at: step
                .at
                .as_ref()
                .map(|at| format!("{}:{}", at.file, at.line)),
            wave: step.wave,
            planned: planned(step),
            planned_because: step.because.clone(),
            acted: acted(track),
            end,
            because,
            best_effort: step.best_effort,
            started_at: began_at,
            ended_at,
            waited_ms: ready_at.map(|at| between(self.run.started_at, at)),
            queued_ms: ready_at
                .zip(track.first_at.or(began_at))
                .map(|(from, to)| within_sessions(self.run, from, to)),
            // What was measured is true also where the clock was set back.
            ran_ms: began_at.map(|from| between(from, until).max(track.elapsed_ms)),
            between_sessions_ms: began_at
                .map_or(0, |from| self.run.between_sessions_ms(from, until)),
            timeout_s: step.timeout_s,
            waited_for: self.course.last[i].map(|b| self.plan.steps[b].address.to_string()),
            waits_for: self.names(&self.before[i]),
            effects: track
                .effects
                .iter()
                .map(|(n, e)| effect(step, *n, e))
                .collect(),
            retries: track
                .retries
                .iter()
                .map(|r| Retry {
                    at: r.at,
                    because: r.because.clone(),
                    in_ms: r.in_ms,
                })
                .collect(),
            evidence: track
                .evidence
                .iter()
                .map(|e| Fact {
                    claim: e.claim.clone(),
                    source: e.source.clone(),
                    holds: e.holds,
                })
                .collect(),
        }
    }
}

fn end(step: &Step, track: &Track) -> (End, Option<String>) {
    let Some((_, outcome)) = &track.ended else {
        if track.began_at().is_none() && !track.is_left {
            return (End::NotStarted, None);
        }
        let because = "begun, and nobody heard of its end; it is probed when applied again";
        return (End::Running, Some(because.to_owned()));
    };
    let end = match outcome {
        Outcome::Done => End::Done,
        Outcome::AlreadyTrue => End::AlreadyTrue,
        Outcome::NotNeeded => End::Idle,
        Outcome::Passed | Outcome::Blocked { .. } if step.what == Do::Idle => End::Idle,
        Outcome::Passed => End::NothingToDo,
        Outcome::Failed { .. } => End::Failed,
        Outcome::Refuted { warning: true, .. } => End::Warned,
        Outcome::Refuted { warning: false, .. } => End::Refuted,
        Outcome::Moved { .. } => End::Moved,
        Outcome::Blocked { .. } => End::Blocked,
        Outcome::Waiting { .. } => End::Waiting,
        Outcome::Stopped => End::Stopped,
        Outcome::Skipped { .. } => End::Skipped,
    };
    (end, outcome.because().filter(|_| end != End::Idle))
}

/// What a step has begun to do: an action counts once a request has left.
fn acted(track: &Track) -> Option<String> {
    let any = track
        .effects
        .values()
        .any(|e| !e.begun.is_empty() || e.finished.is_some());
    match (track.action, any) {
        (Some(action), true) => Some(action.as_str().to_owned()),
        (None, true) => Some("wait".to_owned()),
        (_, false) => {
            let answer = track.answer().filter(|answer| answer.is_yes);
            answer.map(|_| "ask".to_owned())
        }
    }
}

fn effect(step: &Step, n: usize, track: &EffectTrack) -> EffectReport {
    let planned = match &step.what {
        Do::Act { effects, .. } => effects.get(n),
        _ => None,
    };
    let begun = track.begun.last();
    EffectReport {
        verb: begun
            .map(|(_, verb, _)| verb.clone())
            .or_else(|| planned.map(|e| e.verb.clone())),
        object: begun
            .map(|(_, _, object)| object.clone())
            .or_else(|| planned.map(|e| e.object.clone())),
        attempts: track.begun.len() as u64,
        state: match track.finished {
            Some((_, true)) => EffectState::Found,
            Some((_, false)) => EffectState::Done,
            None => EffectState::Open,
        },
    }
}

fn not_done(steps: &[StepReport]) -> Vec<NotDone> {
    let mut blocks: BTreeMap<String, u64> = BTreeMap::new();
    for step in steps.iter().filter(|s| s.end == End::Blocked) {
        // The reason of a blocked step names the step at the root.
        let root = step.because.as_deref().and_then(|b| b.split('`').nth(1));
        *blocks
            .entry(root.unwrap_or_default().to_owned())
            .or_default() += 1;
    }
    steps
        .iter()
        .filter(|s| !s.end.is_good())
        .map(|s| NotDone {
            address: s.address.clone(),
            end: s.end,
            because: s.because.clone().unwrap_or_else(|| {
                let why = if s.end == End::Stopped {
                    "the run was stopped while it ran, at a safe point"
                } else {
                    "the run ended before its turn came"
                };
                why.to_owned()
            }),
            best_effort: s.best_effort,
            blocks: blocks.get(&s.address).copied().unwrap_or_default(),
        })
        .collect()
}

fn counted(steps: &[StepReport]) -> Counts {
    let mut out = Counts::default();
    for step in steps {
        out.steps += 1;
        out.not_done += u64::from(!step.end.is_good());
        let place = match step.end {
            End::Done => &mut out.done,
            End::AlreadyTrue => &mut out.already_true,
            End::NothingToDo => &mut out.nothing_to_do,
            End::Idle => &mut out.idle,
            End::Warned => &mut out.warned,
            End::Failed => &mut out.failed,
            End::Refuted => &mut out.refuted,
            End::Moved => &mut out.moved,
            End::Blocked => &mut out.blocked,
            End::Waiting => &mut out.waiting,
            End::Stopped => &mut out.stopped,
            End::Skipped => &mut out.skipped,
            End::Running => &mut out.running,
            End::NotStarted => &mut out.not_started,
        };
        *place += 1;
        out.effects += step.effects.iter().map(|e| e.attempts).sum::<u64>();
        let found = |e: &&EffectReport| e.state == EffectState::Found;
        out.found += step.effects.iter().filter(found).count() as u64;
        out.retries += step.retries.len() as u64;
        out.evidence += step.evidence.len() as u64;
    }
    out
}

fn verdict(run: &Run, plan: &Plan, not_done: &[NotDone], outside: u64) -> Verdict {
    let Some((_, code)) = run.ended else {
        return Verdict::Interrupted;
    };
    if run.id == REHEARSAL {
        return Verdict::Rehearsed;
    }
    let stopped = not_done
        .iter()
        .any(|n| matches!(n.end, End::Stopped | End::NotStarted));
    if outside > 0 || stopped || not_done.iter().any(|n| !n.best_effort) {
        return Verdict::NotRecovered;
    }
    if plan.is_part() {
        return Verdict::NotRecovered;
    }
    match (not_done.is_empty(), code) {
        (true, 0) if plan.head.reverts.is_some() => Verdict::TakenBack,
        (true, 0) if plan.head.releases => Verdict::Released,
        (true, 0) => Verdict::Recovered,
        (true, _) => Verdict::NotRecovered,
        (false, _) => Verdict::RecoveredWithout,
    }
}

fn headline(verdict: Verdict, part: bool, not_done: &[NotDone], counts: &Counts) -> String {
    let left = format!("{} of {} steps are not done", counts.not_done, counts.steps);
    match verdict {
        Verdict::Recovered => "Recovered: every step is done and proven.".to_owned(),
        Verdict::RecoveredWithout => {
            let names: Vec<&str> = not_done.iter().map(|n| n.address.as_str()).collect();
            format!("Recovered, without {} (best effort).", names.join(", "))
        }
        Verdict::NotRecovered if counts.outside_the_plan > 0 => {
            "NOT recovered as planned: something was done that the plan does not show.".to_owned()
        }
        Verdict::NotRecovered if counts.not_done == 0 && part => {
            "NOT a whole recovery: every step of this part is done and proven.".to_owned()
        }
        Verdict::NotRecovered if counts.not_done == 0 => {
            "NOT recovered: the run says so by its exit code.".to_owned()
        }
        Verdict::NotRecovered => format!("NOT recovered: {left}."),
        Verdict::Interrupted => format!(
            "INTERRUPTED: the journal has no end; the run was killed, or still goes on. {left}."
        ),
        Verdict::TakenBack => "Taken back: DNS is as it was before.".to_owned(),
        Verdict::Released => "Released: what was paused runs again as before.".to_owned(),
        Verdict::Rehearsed => {
            "Rehearsed in a world of the process: nothing was recovered.".to_owned()
        }
    }
}

fn rto(plan: &Plan, run: &Run, verdict: Verdict, took_ms: u64) -> Option<Rto> {
    let limit_s = plan.head.rto_s?;
    let over = took_ms > limit_s.saturating_mul(1000);
    // Of a clock that was set back nobody can say that no more time passed than it shows.
    let is_told = matches!(verdict, Verdict::Recovered | Verdict::RecoveredWithout)
        && !clock::was_set_back(run);
    let incident = plan.head.incident_at;
    Some(Rto {
        limit_s,
        took_ms,
        since_incident_ms: incident.map(|at| between(at, run.last_at)),
        met: match verdict {
            Verdict::Rehearsed | Verdict::TakenBack | Verdict::Released => None,
            _ => (over || is_told).then_some(!over),
        },
    })
}

fn points(plan: &Plan) -> Vec<UsedPoint> {
    let limit_s = plan.head.rpo_s;
    plan.points
        .iter()
        .filter(|p| p.used)
        .map(|p| UsedPoint {
            address: p.address.to_string(),
            of: p.of.clone(),
            id: p.id.clone(),
            at: p.at,
            loss_s: p.loss_s,
            limit_s,
            met: (p.violates_rpo || limit_s.is_some()).then_some(!p.violates_rpo),
            incomplete: p.incomplete.clone(),
        })
        .collect()
}

fn deviations(plan: &Plan, ended: &BTreeMap<&str, &StepReport>) -> Vec<super::data::Deviation> {
    plan.steps
        .iter()
        .filter_map(|step| {
            let told = ended.get(step.address.as_str())?;
            deviation(step, told.end, told.because.as_deref())
        })
        .collect()
}

fn legs(plan: &Plan, run: &Run, course: &Course) -> Vec<Leg> {
    let mut from = run.started_at;
    let mut out = Vec::new();
    for i in course.walked(run) {
        let track = &run.tracks[i];
        let began = track.began_at().unwrap_or(from);
        let ended = track.ended.as_ref().map_or(run.last_at, |(at, _)| *at);
        let first = track.first_at.map_or(began, |at| at.max(from).min(began));
        out.push(Leg {
            address: plan.steps[i].address.to_string(),
            between_sessions_ms: run.between_sessions_ms(from, ended),
            queued_ms: within_sessions(run, from, first),
            failed_ms: within_sessions(run, first, began),
            ran_ms: within_sessions(run, began, ended).max(track.elapsed_ms),
            asked: track.asked.is_some(),
        });
        from = ended;
    }
    out
}

fn approvals(plan: &Plan, run: &Run) -> Vec<Approval> {
    pairs(plan, run)
        .filter_map(|(step, track)| {
            let (asked_at, ask) = track.asked.clone()?;
            let answer = track.answer();
            let earlier = track.earlier_answers().iter().map(|answer| Answer {
                at: answer.at,
                how: answer.how.clone(),
                ask: answer.ask.clone(),
                refused: !answer.is_yes,
            });
            Some(Approval {
                address: step.address.to_string(),
                ask,
                asked_at,
                answered_at: answer.map(|answer| answer.at),
                how: answer.map(|answer| answer.how.clone()),
                refused: answer.is_some_and(|answer| !answer.is_yes),
                earlier: earlier.collect(),
                guards: step.guards.iter().map(ToString::to_string).collect(),
            })
        })
        .collect()
}

fn began_effects(track: &Track) -> bool {
    track
        .effects
        .values()
        .any(|e| !e.begun.is_empty() || e.finished.is_some())
}

fn irreversible(plan: &Plan, run: &Run) -> Vec<Irreversible> {
    pairs(plan, run)
        .filter(|(step, track)| {
            step.hazard.level == HazardLevel::Irreversible && began_effects(track)
        })
        .map(|(step, _)| Irreversible {
            address: step.address.to_string(),
            text: step.hazard.text.clone(),
        })
        .collect()
}

fn cutovers(plan: &Plan, run: &Run) -> Vec<Cutover> {
    pairs(plan, run)
        .filter(|(step, track)| step.cutover && began_effects(track))
        .map(|(step, track)| {
            let told = track.effects.iter().map(|(n, e)| effect(step, *n, e));
            let objects: Vec<String> = told.filter_map(|e| e.object).collect();
            let known = track.effects.values().any(|e| e.inverse.is_some());
            Cutover {
                address: step.address.to_string(),
                object: objects.join(", "),
                text: step.hazard.text.clone(),
                revert: known.then(|| format!("drplan revert dns {}", run.id)),
            }
        })
        .collect()
}

fn warnings(plan: &Plan) -> Vec<String> {
    let findings = plan.findings.iter().filter(|f| f.severity == "warning");
    let of_steps = plan.steps.iter().flat_map(|step| {
        let about = move |w: &String| format!("{}: {w}", step.address);
        step.warnings.iter().map(about)
    });
    findings
        .map(|f| f.message.clone())
        .chain(of_steps)
        .collect()
}
