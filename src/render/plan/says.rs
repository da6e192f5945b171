//! What is to be said about a plan as a whole, for every form in the same words.

use drplan_api::HazardLevel;

use crate::plan::Declared;
use crate::plan::Do;
use crate::plan::Finding;
use crate::plan::OVERWRITES;
use crate::plan::Plan;
use crate::plan::Point;
use crate::plan::Step;
use crate::plan::Summary;
use crate::plan::Where;
use crate::render::style::Tone;
use crate::render::style::count;
use crate::render::style::span;
use crate::render::style::time;

/// What helps where something could not be read.
pub(super) const MAKE_READABLE: &str =
    "make it readable; a target that is gone is declared so with `--lost DOMAIN`";

/// What helps in a rehearsal, where the world file says what there is.
#[cfg(feature = "rehearse")]
pub(super) const STAND_IN: &str = "rehearsal.hcl says what is there: `kubeconfig = \"PATH\"` in a `cluster` block that \
     runs writes that file; what is gone is named in `lost`";

/// What is lost, in one or two sentences.
pub(super) fn lost(plan: &Plan) -> Vec<(String, Option<Tone>)> {
    let mut out = Vec::new();
    if let Some(hypothesis) = &plan.head.hypothesis {
        let text = format!("{}, assumed", hypothesis.assumed.join(", "));
        out.push((text, None));
    }
    if plan.head.lost.is_empty() && plan.head.hypothesis.is_none() {
        out.push(("nothing is declared lost".to_owned(), None));
    }
    if !plan.head.lost.is_empty() {
        let text = format!(
            "{}, declared lost{}",
            plan.head.lost.join(", "),
            plan.head.declared.as_ref().map_or(String::new(), by)
        );
        out.push((text, Some(Tone::Bad)));
    }
    out
}

/// Who declared something lost, and when.
fn by(declared: &Declared) -> String {
    match declared.by.as_str() {
        "" => String::new(),
        user => format!(" by {user} at {}", time(declared.at)),
    }
}

/// The recovery points that some step restores from.
pub(super) fn used(plan: &Plan) -> impl Iterator<Item = &Point> {
    plan.points.iter().filter(|p| p.used)
}

/// Which backup, from when, of what.
pub(super) fn point(point: &Point) -> String {
    format!(
        "{} of {}, {} ago: {}",
        point.id,
        time(point.at),
        span(point.loss_s),
        point.of
    )
}

/// How much data is lost, and what the objective says about it.
pub(super) fn data_lost(plan: &Plan) -> (String, Option<(String, Tone)>) {
    let Some(worst) = used(plan).map(|p| p.loss_s).max() else {
        let text = if Summary::of(plan).incomplete {
            "not known: something could not be read"
        } else {
            "none: no step restores data"
        };
        return (text.to_owned(), None);
    };
    let objective = plan.head.rpo_s.map(|s| format!("objective {}", span(s)));
    let broken = used(plan).any(|p| p.violates_rpo);
    let verdict = match (objective, broken) {
        (None, _) => "no objective is given".to_owned(),
        (Some(o), false) => format!("within the {o}"),
        (Some(o), true) => format!("MORE than the {o}"),
    };
    let tone = if broken { Tone::Bad } else { Tone::Good };
    let text = format!("what was written in the last {}", span(worst));
    (text, Some((verdict, tone)))
}

/// The one line that counts everything.
pub(super) fn counts(plan: &Plan) -> String {
    let s = Summary::of(plan);
    let actions: Vec<String> = s
        .actions
        .iter()
        .map(|(word, n)| format!("{n} to {word}"))
        .collect();
    let steps = count(s.acting, "step", "steps");
    let mut parts = vec![if actions.is_empty() {
        steps
    } else {
        format!("{steps} ({})", actions.join(", "))
    }];
    if s.checks > 0 {
        parts.push(count(s.checks, "check", "checks"));
    }
    if s.gates > 0 {
        parts.push(count(s.gates, "question", "questions"));
    }
    parts.push(format!("{} already true", s.true_already));
    if s.conflicts > 0 {
        parts.push(count(s.conflicts, "conflict", "conflicts"));
    }
    if s.blocked > 0 {
        parts.push(format!("{} blocked", s.blocked));
    }
    format!("Plan: {}.", parts.join(", "))
}

fn texts<'p>(
    plan: &'p Plan,
    test: impl Fn(&Step) -> bool,
    text: impl Fn(&'p Step) -> String,
) -> Vec<String> {
    let steps = plan.steps.iter().filter(|s| test(s));
    steps.map(text).collect()
}

/// The steps that cannot be undone, with why.
pub(super) fn irreversible(plan: &Plan) -> Vec<String> {
    texts(plan, is_irreversible, hazard)
}

fn is_irreversible(step: &Step) -> bool {
    step.is_action() && step.hazard.level == HazardLevel::Irreversible
}

fn hazard(step: &Step) -> String {
    match step.hazard.text.as_str() {
        "" => step.address.to_string(),
        text => format!("{}: {text}", step.address),
    }
}

/// That nothing is beyond undoing, as far as drplan can tell, if that is so.
pub(super) fn all_can_be_undone(plan: &Plan) -> Option<String> {
    let acts = Summary::of(plan).acting > 0;
    if !acts || plan.steps.iter().any(is_irreversible) {
        return None;
    }
    Some(match programs(plan) {
        0 => "nothing; every step adds or can be changed back".to_owned(),
        n => format!(
            "nothing that drplan does itself; what {} of the spec {} is not known",
            count(n, "program", "programs"),
            if n == 1 { "does" } else { "do" }
        ),
    })
}

/// The steps that move traffic.
pub(super) fn cutovers(plan: &Plan) -> Vec<String> {
    texts(plan, |s| s.is_action() && s.cutover, hazard)
}

/// The steps that overwrite what others have, as a person accepted.
pub(super) fn overwrites(plan: &Plan) -> Vec<String> {
    texts(plan, |s| plan.overwrites(s), overwriting)
}

fn overwriting(step: &Step) -> String {
    let because = step.because.strip_prefix(OVERWRITES);
    let because = because.unwrap_or(&step.because);
    let at = place(step.at.as_ref());
    format!("{}{at}, as was accepted: {because}", step.address)
}

/// The questions to people.
pub(super) fn gates(plan: &Plan) -> Vec<String> {
    texts(
        plan,
        |s| matches!(s.what, Do::Gate { .. }),
        |s| s.address.to_string(),
    )
}

/// That nobody is asked, if something is done all the same.
pub(super) fn nobody_is_asked(plan: &Plan) -> Option<String> {
    let s = Summary::of(plan);
    (s.gates == 0 && s.acting > 0).then(|| "nobody beyond the one who starts it".to_owned())
}

/// How many decisions are not final.
pub(super) fn unsure(plan: &Plan) -> Option<String> {
    let unsure = Summary::of(plan).unsure;
    (unsure > 0).then(|| {
        format!(
            "{} (≈) planned against what is not there yet",
            count(unsure, "step", "steps")
        )
    })
}

/// The steps that something foreign is in the way of.
pub(super) fn conflicts(plan: &Plan) -> Vec<String> {
    texts(plan, |s| s.what == Do::Conflict, stuck)
}

/// The steps that hang on something that could not be read.
pub(super) fn unreadable(plan: &Plan) -> Vec<String> {
    let unreadable = Do::Blocked { unreadable: true };
    texts(plan, |s| s.what == unreadable, stuck)
}

/// All steps that are blocked.
pub(super) fn blocked(plan: &Plan) -> Vec<String> {
    texts(plan, |s| matches!(s.what, Do::Blocked { .. }), stuck)
}

fn stuck(step: &Step) -> String {
    let at = place(step.at.as_ref());
    format!("{}{at}: {}", step.address, step.because)
}

fn place(at: Option<&Where>) -> String {
    at.map_or(String::new(), |w| format!(" ({}:{})", w.file, w.line))
}

/// A warning of the plan, without its hints.
pub(super) fn finding(finding: &Finding) -> String {
    format!(
        "{}[{}]: {}{}",
        finding.severity,
        finding.code,
        finding.message,
        place(finding.at.as_ref())
    )
}

/// The warnings that steps have.
pub(super) fn warnings_of_steps(plan: &Plan) -> impl Iterator<Item = String> {
    let warnings = |s: &Step| {
        let line = |w: &String| format!("{}: {w}", s.address);
        s.warnings.iter().map(line).collect::<Vec<_>>()
    };
    plan.steps.iter().flat_map(warnings)
}

/// The number of steps that run something of the user's which may change the world.
fn programs(plan: &Plan) -> u64 {
    let runs = |s: &&Step| match &s.what {
        Do::Act {
            action, effects, ..
        } => {
            *action == drplan_api::Action::Run
                && !effects.iter().all(drplan_api::Effect::only_reads)
        }
        _ => false,
    };
    plan.steps.iter().filter(runs).count() as u64
}
