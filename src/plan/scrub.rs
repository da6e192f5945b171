//! Takes secrets out of what a plan says. Decisions are made of answers, and what a program complains about
//! in one may be a secret that nobody expected there.

use drplan_api::Json;

use super::step::Plan;
use super::step::Step;
use crate::secrets::Secrets;

/// Scrubs every text that is for people. What apply works with stays as it is: no secret gets there.
pub(crate) fn scrub(plan: &mut Plan, secrets: &Secrets) {
    let clean = |text: &mut String| *text = secrets.scrub(text);
    for step in &mut plan.steps {
        self::step(step, secrets);
    }
    for point in &mut plan.points {
        point.incomplete.iter_mut().for_each(clean);
        point.unusable.iter_mut().for_each(clean);
    }
    for finding in &mut plan.findings {
        clean(&mut finding.message);
        finding.hints.iter_mut().for_each(clean);
    }
}

fn step(step: &mut Step, secrets: &Secrets) {
    let clean = |text: &mut String| *text = secrets.scrub(text);
    clean(&mut step.because);
    clean(&mut step.hazard.text);
    step.warnings.iter_mut().for_each(clean);
    step.manual.iter_mut().for_each(clean);
    for change in &mut step.diff {
        let value = |json: &mut Json| *json = secrets.scrub_json(json);
        change.before.iter_mut().for_each(value);
        change.after.iter_mut().for_each(value);
        change.text.iter_mut().for_each(clean);
    }
    for object in step.breakdown.iter_mut().flat_map(|b| &mut b.objects) {
        clean(&mut object.note);
        object.diff.iter_mut().for_each(clean);
    }
}
