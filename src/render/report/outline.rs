//! What every form of a report says, in which order and words. Forms differ in how they draw it.

use std::collections::BTreeSet;

use drplan_api::Timestamp;

use crate::render::style::Tone;
use crate::render::style::count;
use crate::render::style::span;
use crate::render::style::time;
use crate::report::Report;
use crate::report::Verdict;
use crate::report::data::Approval;
use crate::report::data::Counts;
use crate::report::data::End;
use crate::report::data::Leg;
use crate::report::data::Rto;
use crate::report::data::StepReport;
use crate::report::data::UsedPoint;

/// How many seconds are written with a tenth.
const TENTHS_S_MAX: u64 = 60;

/// One part of a report.
pub(super) struct Section {
    /// Its name in links.
    pub(super) id: &'static str,
    /// Its heading.
    pub(super) title: &'static str,
    /// What it says in one sentence; empty if the rows say it all.
    pub(super) says: String,
    /// Its rows.
    pub(super) rows: Vec<Row>,
}

/// One row of a section.
pub(super) struct Row {
    /// What it means.
    pub(super) tone: Tone,
    /// What it is about.
    pub(super) head: String,
    /// What is said of it.
    pub(super) text: String,
    /// What else is said, line by line.
    pub(super) details: Vec<String>,
    /// Commands to copy.
    pub(super) commands: Vec<String>,
}

impl Row {
    fn new(tone: Tone, head: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            tone,
            head: head.into(),
            text: text.into(),
            details: Vec::new(),
            commands: Vec::new(),
        }
    }
}

/// What the verdict means.
pub(super) fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Recovered | Verdict::TakenBack | Verdict::Released => Tone::Good,
        Verdict::RecoveredWithout | Verdict::Rehearsed => Tone::Change,
        Verdict::NotRecovered | Verdict::Interrupted => Tone::Bad,
    }
}

/// What an end means.
pub(super) fn tone_of(end: End) -> Tone {
    match end {
        End::Done | End::AlreadyTrue => Tone::Good,
        End::NothingToDo | End::Idle => Tone::Dim,
        End::Waiting => Tone::Ask,
        End::Warned | End::Blocked | End::Stopped | End::Skipped | End::NotStarted => Tone::Change,
        End::Failed | End::Refuted | End::Moved | End::Running => Tone::Bad,
    }
}

/// A length of time.
pub(super) fn took(ms: u64) -> String {
    if ms < 1000 || ms / 1000 >= TENTHS_S_MAX {
        return if ms < 1000 {
            format!("{ms}ms")
        } else {
            span(ms / 1000)
        };
    }
    format!("{}.{}s", ms / 1000, ms % 1000 / 100)
}

/// The figures, each with its name, in the order in which they are shown. Those that are zero are shown
/// too: a reader must not have to guess.
pub(super) fn figures(counts: &Counts) -> Vec<(&'static str, u64)> {
    vec![
        ("steps", counts.steps),
        ("done", counts.done),
        ("already true", counts.already_true),
        ("nothing to do", counts.nothing_to_do),
        ("not needed", counts.idle),
        ("warnings", counts.warned),
        ("failed", counts.failed),
        ("checks failed", counts.refuted),
        ("moved", counts.moved),
        ("blocked", counts.blocked),
        ("waiting", counts.waiting),
        ("stopped", counts.stopped),
        ("skipped", counts.skipped),
        ("unfinished", counts.running),
        ("not started", counts.not_started),
        ("simulated", counts.simulated),
        ("requests", counts.effects),
        ("found done", counts.found),
        ("retries", counts.retries),
        ("facts read", counts.evidence),
        ("outside the plan", counts.outside_the_plan),
    ]
}

/// When it was and how long it took.
pub(super) fn when(report: &Report) -> String {
    let end = match report.ended_at {
        Some(at) => format!("to {}", time(at)),
        None => format!("last heard of {}", time(report.last_at)),
    };
    format!(
        "{} {end}, {}",
        time(report.started_at),
        took(report.took_ms)
    )
}

/// All sections. Where nothing is to be said a section is left out, except for what must be said to be
/// believed.
pub(super) fn outline(report: &Report) -> Vec<Section> {
    let sections = [
        objectives(report),
        not_done(report),
        deviations(report),
        course(report),
        approvals(report),
        irreversible(report),
        cutovers(report),
        accepted(report),
        left_out(report),
        warnings(report),
        steps(report),
        contacts(report),
        chain(report),
    ];
    sections
        .into_iter()
        .filter(|s| !s.rows.is_empty() || !s.says.is_empty())
        .collect()
}

fn objectives(report: &Report) -> Section {
    let rto = report.rto.iter().map(rto);
    Section {
        id: "objectives",
        title: "Objectives and recovery points",
        says: String::new(),
        rows: rto.chain(report.points.iter().map(point)).collect(),
    }
}

fn rto(rto: &Rto) -> Row {
    let limit = span(rto.limit_s);
    let took = took(rto.took_ms);
    let (tone, text) = match rto.met {
        Some(true) => (Tone::Good, format!("kept: {took} of {limit}")),
        Some(false) => (Tone::Bad, format!("MISSED: {took}, allowed are {limit}")),
        None => (Tone::Change, format!("not told yet: {took} of {limit}")),
    };
    let mut row = Row::new(tone, "RTO", text);
    if let Some(ms) = rto.since_incident_ms {
        let since = span(ms / 1000);
        row.details
            .push(format!("{since} from the incident to the end of this run"));
    }
    row
}

fn point(point: &UsedPoint) -> Row {
    let loss = format!("{} lost", span(point.loss_s));
    let limit = point
        .limit_s
        .map_or(String::new(), |s| format!(" of {}", span(s)));
    let (tone, verdict) = match point.met {
        Some(true) => (Tone::Good, format!("RPO kept: {loss}{limit}")),
        Some(false) => (Tone::Bad, format!("RPO MISSED: {loss}{limit}")),
        None => (Tone::Dim, format!("{loss}; no RPO is set")),
    };
    let mut row = Row::new(
        tone,
        point.address.clone(),
        format!(
            "{verdict}; {} of {}, {}",
            point.of,
            time(point.at),
            point.id
        ),
    );
    if let Some(why) = &point.incomplete {
        row.tone = Tone::Bad;
        row.details.push(format!("incomplete: {why}"));
    }
    row
}

fn not_done(report: &Report) -> Section {
    let rows = report.not_done.iter().map(|n| {
        let mut row = Row::new(
            tone_of(n.end),
            n.address.clone(),
            format!("{}: {}", n.end.word(), n.because),
        );
        if n.blocks > 0 {
            row.details
                .push(format!("blocks {}", count(n.blocks, "step", "steps")));
        }
        if n.best_effort {
            row.details.push("best effort".to_owned());
        }
        row
    });
    Section {
        id: "not-done",
        title: "Not done",
        says: match report.not_done.len() {
            0 => "Nothing was skipped, blocked or left.".to_owned(),
            n => format!("{} of {} steps.", n, report.counts.steps),
        },
        rows: rows.collect(),
    }
}

fn deviations(report: &Report) -> Section {
    let outside = report.outside_the_plan.iter().map(|o| {
        Row::new(
            Tone::Bad,
            o.address.clone(),
            format!("NOT IN THE PLAN: {}", o.did),
        )
    });
    let deviations = report.deviations.iter().map(|d| {
        let text = format!("planned: {}; {}", d.planned, d.actual);
        Row::new(Tone::Change, d.address.clone(), text)
    });
    Section {
        id: "plan-and-run",
        title: "Plan and run",
        says: match report.outside_the_plan.len() {
            0 => "Nothing was done that the plan does not show.".to_owned(),
            n => format!(
                "{} that the plan does not show: this is a bug of drplan, please report it.",
                count(n as u64, "thing was done", "things were done")
            ),
        },
        rows: outside.chain(deviations).collect(),
    }
}

fn course(report: &Report) -> Section {
    let ran: u64 = report.course.iter().map(|l| l.ran_ms).sum();
    let between = report.course.iter().map(|l| l.between_sessions_ms).sum();
    let between = match between {
        0 => String::new(),
        ms => format!(", and {} between two sessions", took(ms)),
    };
    Section {
        id: "course",
        title: "What took the time",
        says: match report.course.len() {
            0 => String::new(),
            n => format!(
                "{}, each of which waited for the one before it last: {} of {}{between}.",
                count(n as u64, "step", "steps"),
                took(ran),
                took(report.took_ms)
            ),
        },
        rows: report.course.iter().map(leg).collect(),
    }
}

fn leg(leg: &Leg) -> Row {
    let asked = if leg.asked { ", for an answer" } else { "" };
    let queued = match leg.queued_ms {
        0 => String::new(),
        ms => format!(", after {} in the queue", took(ms)),
    };
    let failed = match leg.failed_ms {
        0 => String::new(),
        ms => format!(", after {} since it was tried first", took(ms)),
    };
    let between = match leg.between_sessions_ms {
        0 => String::new(),
        ms => format!(", and {} between two sessions", took(ms)),
    };
    let text = format!("{}{asked}{failed}{queued}{between}", took(leg.ran_ms));
    Row::new(Tone::Head, leg.address.clone(), text)
}

fn approvals(report: &Report) -> Section {
    Section {
        id: "asked",
        title: "Questions to people",
        says: String::new(),
        rows: questions(report),
    }
}

fn questions(report: &Report) -> Vec<Row> {
    let steps = report.steps.iter();
    let needless: BTreeSet<&str> = steps
        .filter(|step| step.end == End::Idle)
        .map(|step| step.address.as_str())
        .collect();
    let all = report.approvals.iter();
    let rows = all.map(|one| approval(one, needless.contains(one.address.as_str())));
    rows.collect()
}

fn approval(approval: &Approval, is_needless: bool) -> Row {
    let asked = format!("{} (asked {})", approval.ask, time(approval.asked_at));
    let (tone, text) = match (&approval.answered_at, &approval.how) {
        (Some(at), Some(how)) => {
            let tone = if approval.refused {
                Tone::Bad
            } else {
                Tone::Good
            };
            let said = answered(approval.refused, *at, how);
            (tone, format!("{said}: {asked}"))
        }
        _ if is_needless => (
            Tone::Dim,
            format!("not needed, what it guards was true: {asked}"),
        ),
        _ => (Tone::Ask, format!("nobody approved: {asked}")),
    };
    let mut row = Row::new(tone, approval.address.clone(), text);
    let earlier = approval.earlier.iter().map(|answer| {
        let said = answered(answer.refused, answer.at, &answer.how);
        match answer.ask == approval.ask {
            true => format!("before: {said}"),
            false => format!("before: {said}: {}", answer.ask),
        }
    });
    row.details.extend(earlier);
    row
}

fn answered(refused: bool, at: Timestamp, how: &str) -> String {
    let word = if refused { "refused" } else { "approved" };
    format!("{word} {} through {how}", time(at))
}

fn irreversible(report: &Report) -> Section {
    let row = |i: &crate::report::data::Irreversible| {
        Row::new(Tone::Bad, i.address.clone(), i.text.clone())
    };
    Section {
        id: "irreversible",
        title: "Done and not to be undone",
        says: String::new(),
        rows: report.irreversible.iter().map(row).collect(),
    }
}

fn cutovers(report: &Report) -> Section {
    let rows = report.cutovers.iter().map(|c| {
        let mut row = Row::new(Tone::Change, c.address.clone(), c.object.clone());
        row.details
            .extend((!c.text.is_empty()).then(|| c.text.clone()));
        row.commands.extend(c.revert.clone());
        row
    });
    Section {
        id: "traffic",
        title: "Traffic that moved, and the way back",
        says: String::new(),
        rows: rows.collect(),
    }
}

/// What others have and a person gave away: what became of the step tells whether it went.
fn accepted(report: &Report) -> Section {
    let row = |address: &String| {
        let step = report.steps.iter().find(|s| s.address == *address);
        let end = step.map_or("not in the plan", |s| s.end.word());
        let mut row = Row::new(Tone::Change, address.clone(), end);
        row.details.extend(step.map(|s| s.planned_because.clone()));
        row
    };
    Section {
        id: "accepted",
        title: "Allowed to be overwritten",
        says: String::new(),
        rows: report.accepted.iter().map(row).collect(),
    }
}

fn left_out(report: &Report) -> Section {
    let lost = report.lost.iter().map(|domain| {
        let text = "declared lost: nothing in it was read or written";
        Row::new(Tone::Change, domain.clone(), text)
    });
    let idle = report
        .steps
        .iter()
        // What was found true when its turn came stands among what went another way.
        .filter(|s| s.end == End::Idle && s.planned == "nothing")
        .map(|s| Row::new(Tone::Dim, s.address.clone(), s.planned_because.clone()));
    Section {
        id: "left-out",
        title: "Left out by order or need",
        says: String::new(),
        rows: lost.chain(idle).collect(),
    }
}

fn warnings(report: &Report) -> Section {
    let of_plan = report
        .warnings
        .iter()
        .map(|w| Row::new(Tone::Change, "plan", w.clone()));
    let of_run = report
        .steps
        .iter()
        .filter(|s| s.end == End::Warned)
        .map(|s| {
            let text = s.because.clone().unwrap_or_default();
            Row::new(Tone::Change, s.address.clone(), text)
        });
    Section {
        id: "warnings",
        title: "Warnings",
        says: String::new(),
        rows: of_plan.chain(of_run).collect(),
    }
}

fn steps(report: &Report) -> Section {
    let quiet = report.counts.nothing_to_do + report.counts.idle;
    let told = report
        .steps
        .iter()
        .filter(|s| !matches!(s.end, End::NothingToDo | End::Idle));
    Section {
        id: "steps",
        title: "Steps",
        says: match quiet {
            0 => String::new(),
            n => format!(
                "{} had nothing to do and {} not listed.",
                count(n, "step", "steps"),
                if n == 1 { "is" } else { "are" }
            ),
        },
        rows: told.map(step).collect(),
    }
}

fn step(step: &StepReport) -> Row {
    let acted = step.acted.as_ref().map(|action| format!(" ({action})"));
    let ran = step.ran_ms.map(|ms| format!(", {}", took(ms)));
    let between = match step.between_sessions_ms {
        0 => None,
        ms => Some(format!(", up to {} of that between two sessions", took(ms))),
    };
    let waited = step.waited_ms.zip(step.waited_for.as_ref());
    let waited = waited.map(|(ms, last)| format!(", after {} for {last}", took(ms)));
    let parts = [acted, ran, between, waited];
    let text = parts
        .into_iter()
        .flatten()
        .fold(step.end.word().to_owned(), |text, part| text + &part);
    let mut row = Row::new(tone_of(step.end), step.address.clone(), text);
    row.details.extend(step.because.clone());
    row.details.extend(
        step.retries
            .iter()
            .map(|r| format!("again after {}: {}", took(r.in_ms), r.because)),
    );
    row.details.extend(step.evidence.iter().map(|fact| {
        let mark = if fact.holds { "proof" } else { "NO PROOF" };
        format!("{mark}: {} ({})", fact.claim, fact.source)
    }));
    row
}

fn contacts(report: &Report) -> Section {
    Section {
        id: "contacts",
        title: "Whom to call",
        says: String::new(),
        rows: report
            .contacts
            .iter()
            .map(|(who, how)| Row::new(Tone::Head, who.clone(), how.clone()))
            .collect(),
    }
}

fn chain(report: &Report) -> Section {
    let chain = &report.chain;
    let mut rows = vec![
        Row::new(
            Tone::Dim,
            "journal",
            format!(
                "{}, the last has the chain {}",
                count(chain.records, "record", "records"),
                chain.head
            ),
        ),
        Row::new(
            if chain.plan_fits {
                Tone::Dim
            } else {
                Tone::Bad
            },
            "plan",
            if chain.plan_fits {
                chain.plan.clone()
            } else {
                format!("{}, which is NOT the plan of the journal", chain.plan)
            },
        ),
    ];
    if chain.torn {
        let text = "its last line was begun and not finished, as a crash leaves it";
        rows.push(Row::new(Tone::Change, "end", text));
    }
    let mut verify = Row::new(Tone::Dim, "check", "whether they are still the same:");
    verify.commands.push(format!(
        "drplan evidence verify {} --head {}",
        report.run, chain.head
    ));
    rows.push(verify);
    Section {
        id: "evidence",
        title: "Evidence",
        says:
            "The chain is not signed: it shows a change only to somebody who kept its last digest \
               elsewhere."
                .to_owned(),
        rows,
    }
}
