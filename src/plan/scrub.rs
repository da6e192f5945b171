//! Takes secrets out of what a plan says. Decisions are made of answers, and what a program complains about
//! in one may be a secret that nobody expected there.

use drplan_api::Json;

use super::step::Do;
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

/// What is said of a cutover whose way back is not kept.
const NO_WAY_BACK: &str = "what stands there now holds a secret, so how to take this back is not kept: \
                           `drplan revert dns` will not do it";

/// What is said of a step that exports a secret in the open. It is not taken out, for others rest on it.
const IN_THE_OPEN: &str = "what it exports holds a secret, and stands in the plan for everybody: write `sensitive = \
                           true` for that output";

fn step(step: &mut Step, secrets: &Secrets) {
    let clean = |text: &mut String| *text = secrets.scrub(text);
    if step.cutover && has_secret_inverse(step, secrets) {
        step.warnings.push(NO_WAY_BACK.to_owned());
    }
    if secrets.scrub_json(&step.outputs) != step.outputs {
        step.warnings.push(IN_THE_OPEN.to_owned());
    }
    clean(&mut step.because);
    if let Do::Gate { ask } = &mut step.what {
        clean(ask);
    }
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

/// Whether a secret stands in how an effect is taken back: the journal does not keep that.
fn has_secret_inverse(step: &Step, secrets: &Secrets) -> bool {
    let Do::Act { effects, .. } = &step.what else {
        return false;
    };
    let mut inverses = effects.iter().filter_map(|effect| effect.inverse.as_ref());
    inverses.any(|inverse| secrets.scrub_json(inverse) != *inverse)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::tests::memory::Case;

    #[tokio::test]
    async fn that_a_way_back_holds_a_secret_is_said_before_the_cutover() {
        let secrets = Secrets::new(Path::new("."), BTreeMap::new());
        secrets.remember("hunter22secret");
        let case = Case::new("resource \"door\" \"d\" {\n  value = 1\n}\n");
        let plan = case.plan().await;
        for (inverse, warnings) in [("hunter22secret", vec![NO_WAY_BACK]), ("192.0.2.1", vec![])] {
            let mut plan = plan.clone();
            let door = plan.steps.iter_mut().find(|s| s.cutover).expect("a door");
            if let Do::Act { effects, .. } = &mut door.what {
                effects[0].inverse = Some(Json::from(vec![inverse]));
            }
            scrub(&mut plan, &secrets);
            assert_eq!(plan.step("door.d").expect("it").warnings, warnings);
        }
    }

    #[tokio::test]
    async fn a_secret_that_is_exported_in_the_open_is_warned_of() {
        let secrets = Secrets::new(Path::new("."), BTreeMap::new());
        secrets.remember("hunter22secret");
        let case = Case::new("resource \"thing\" \"a\" {\n  value = 1\n}\n");
        let plan = case.plan().await;
        for (said, warnings) in [("it is hunter22secret", vec![IN_THE_OPEN]), ("no", vec![])] {
            let mut plan = plan.clone();
            plan.steps[0].outputs = serde_json::json!({ "said": said });
            scrub(&mut plan, &secrets);
            assert_eq!(plan.steps[0].warnings, warnings);
        }
    }
}
