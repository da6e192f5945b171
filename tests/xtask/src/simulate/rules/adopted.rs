//! What a complete life rests on was made in it: each restore from the recovery point that the plan
//! chose, by a run of this life, to its end. What an earlier recovery left behind is no such thing,
//! however much it looks like it.

use drplan::plan::Plan;
use drplan::plan::Step;
use drplan_api::Json;

use super::super::life::Life;
use super::owner::DATABASE;
use super::owner::RELEASE;
use super::owner::argument;

/// The kind of restores of Velero.
const RESTORE: &str = "velero_restore";
/// What names the step of an object.
const STEP: &str = "drplan.io/step";
/// What names the run that made it.
const RUN: &str = "drplan.io/run";

pub(super) fn broken(life: &Life) -> Vec<String> {
    if !life.is_complete() {
        return Vec::new();
    }
    let plan = &life.after;
    let steps = plan.steps.iter();
    let lacking = steps.filter(|step| {
        let is_made = |made: Made| made.is_sound(life, plan, step);
        match step.kind.as_str() {
            RESTORE => !restores(life, step).into_iter().any(is_made),
            DATABASE => !databases(life, step).into_iter().any(is_made),
            RELEASE => !releases(life, step).into_iter().any(is_made),
            _ => false,
        }
    });
    let hows = lacking.map(|step| {
        let name = &step.address;
        format!("nothing that this life made from what the plan chose makes `{name}` true")
    });
    hows.collect()
}

/// What was made for a step, as it says itself.
struct Made {
    /// The run that made it.
    run: String,
    /// What it was made from; `None` if that is no recovery point.
    source: Option<String>,
    /// Whether it came to its end.
    ended: bool,
}

impl Made {
    fn is_sound(&self, life: &Life, plan: &Plan, step: &Step) -> bool {
        let by_us = (0..life.runs.len()).any(|n| self.run == format!("run-{n}"));
        let chosen = self.source.as_ref().is_none_or(|source| {
            let ids = points(plan, step);
            ids.iter().any(|id| source.contains(id))
        });
        self.ended && by_us && chosen
    }
}

/// The recovery points that the plan chose: those that a step names if it names any.
fn points<'a>(plan: &'a Plan, step: &Step) -> Vec<&'a str> {
    let args = step.want.as_ref().map(|want| want.args.to_string());
    let args = args.unwrap_or_default();
    let chosen = plan.points.iter().filter(|point| point.chosen);
    let (named, others): (Vec<&str>, Vec<&str>) = chosen
        .map(|point| point.id.as_str())
        .partition(|id| args.contains(id));
    if named.is_empty() { others } else { named }
}

fn word(json: &Json) -> String {
    json.as_str().unwrap_or_default().to_owned()
}

fn restores(life: &Life, step: &Step) -> Vec<Made> {
    let mut out = Vec::new();
    for (_, cluster) in life.scene.world().clusters() {
        for (key, object) in cluster.dump() {
            let marks = &object["metadata"]["annotations"];
            if key.resource == "restores" && marks[STEP] == step.address.as_str() {
                let phase = object["status"]["phase"].as_str();
                out.push(Made {
                    run: word(&marks[RUN]),
                    source: Some(word(&object["spec"]["backupName"])),
                    ended: matches!(phase, Some("Completed" | "PartiallyFailed")),
                });
            }
        }
    }
    out
}

fn databases(life: &Life, step: &Step) -> Vec<Made> {
    let name = word(argument(step, "database"));
    let servers = life.scene.world().databases();
    let there = servers.filter_map(|(_, server)| server.database(&name));
    let made = there.filter_map(|database| {
        let marker = database.marker.as_ref()?;
        Some(Made {
            run: word(&marker["run"]),
            source: Some(word(&marker["source"])),
            ended: database.is_finished() && marker["step"] == step.address.as_str(),
        })
    });
    made.collect()
}

fn releases(life: &Life, step: &Step) -> Vec<Made> {
    let mut out = Vec::new();
    for (_, cluster) in life.scene.world().clusters() {
        for (key, object) in cluster.dump() {
            let labels = &object["metadata"]["labels"];
            let ours = labels["owner"] == "helm" && labels[STEP] == step.address.as_str();
            if key.resource == "secrets" && ours {
                out.push(Made {
                    run: word(&labels[RUN]),
                    source: None,
                    ended: labels["status"] == "deployed",
                });
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use drplan::report::Exit;
    use serde_json::json;

    use super::super::hand_made::acting;
    use super::super::hand_made::life;
    use super::super::hand_made::plan;
    use super::*;
    use crate::simulate::life::End;

    /// A complete life of a step with a release Secret that bears these labels.
    fn complete(run: &str, status: &str) -> Life {
        let step = acting("helm_release.a", json!({}));
        let mut life = life(plan([step], &[]), []);
        life.runs[0].end = Some(End {
            exit: Exit::Ok,
            outcomes: BTreeMap::new(),
            without: Some(Vec::new()),
        });
        for (_, cluster) in life.scene.world().clusters() {
            let labels =
                json!({ "owner": "helm", STEP: "helm_release.a", RUN: run, "status": status });
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret",
                "metadata": { "name": "a.v1", "namespace": "default", "labels": labels },
            });
            cluster.load([secret]).expect("a Secret");
        }
        life
    }

    #[tokio::test(start_paused = true)]
    async fn what_this_life_made_is_sound_and_what_another_left_is_not() {
        assert_eq!(broken(&complete("run-0", "deployed")), [""; 0]);
        assert_eq!(broken(&complete("of-last-year", "deployed")).len(), 1);
        assert_eq!(broken(&complete("run-0", "pending-install")).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_restore_is_made_from_the_chosen_point() {
        let life = complete("run-0", "deployed");
        let mut plan = life.after.as_ref().clone();
        let point = json!({
            "address": "data.dump_archive.a", "of": "a", "id": "monday",
            "at": "2026-01-01T00:00:00Z", "loss_s": 0, "incomplete": null, "violates_rpo": false,
            "chosen": true, "used": true,
        });
        plan.points = vec![serde_json::from_value(point).expect("a point")];
        let made = |source: &str| Made {
            run: "run-0".to_owned(),
            source: Some(source.to_owned()),
            ended: true,
        };
        assert!(made("s3://b/monday.dump").is_sound(&life, &plan, &plan.steps[0]));
        assert!(!made("s3://b/sunday.dump").is_sound(&life, &plan, &plan.steps[0]));
    }
}
