//! Nothing is done twice: no object, no release, no restore, no change of a record.

use std::collections::BTreeMap;
use std::sync::Arc;

use drplan_sandbox::route53::Entry;
use drplan_sandbox::route53::Operation;
use drplan_sandbox::route53::Outcome;
use drplan_sandbox_kubernetes::Audited;
use drplan_sandbox_kubernetes::ObjectKey;
use serde_json::Value;

use super::super::DRPLAN;
use super::super::entry::What;
use super::super::foreign::RUN_BEFORE;
use super::super::life::Life;
use super::owner::RECORD;

/// The statuses of Helm revisions that were installed in full.
const INSTALLED: &[&str] = &["deployed", "superseded"];
/// The phases in which a restore did nothing, so that another one may follow.
const WITHOUT_EFFECT: &[&str] = &["Failed", "FailedValidation"];
/// What marks drplan's own writes in a query.
const OURS: &str = "fieldManager=drplan";
/// What marks a server-side apply among them.
const APPLIES: &str = "force=";
/// What is in the path of a Secret.
const SECRETS: &str = "/secrets/";
/// The label that names the step.
const STEP: &str = "drplan.io/step";
/// The annotation that names the run.
const RUN: &str = "drplan.io/run";

/// All objects of a cluster.
type Dump = BTreeMap<ObjectKey, Arc<Value>>;

pub(super) fn broken(life: &Life) -> Vec<String> {
    let mut out = records(life);
    out.extend(writes(life));
    for (name, cluster) in life.scene.world().clusters() {
        let dump = cluster.dump();
        let all = creates(cluster.audit()).into_iter();
        let all = all.chain(releases(&dump)).chain(restores(&dump));
        out.extend(all.map(|how| format!("cluster {name}: {how}")));
    }
    out
}

/// Objects that were asked for again after they had been made.
fn creates(audit: Vec<Audited>) -> Vec<String> {
    let mut made: BTreeMap<(String, Option<String>, String), u16> = BTreeMap::new();
    let mut out = Vec::new();
    for write in audit {
        let key = (write.resource.clone(), write.namespace, write.name);
        let ours = write.user == DRPLAN && !write.dry_run;
        match write.verb {
            "create" if ours => {
                if made.contains_key(&key) {
                    out.push(format!(
                        "{} {:?} was made, and asked for again (answer {})",
                        key.0, key.2, write.code
                    ));
                }
                if write.code == 201 {
                    made.insert(key, write.code);
                }
            }
            // Whoever deletes it, it may be made anew.
            "delete" | "deletecollection" if write.code < 300 => {
                made.remove(&key);
            }
            _ => {}
        }
    }
    out
}

/// Helm releases that were installed more than once.
fn releases(dump: &Dump) -> Vec<String> {
    let mut revisions: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for (key, object) in dump {
        let label = |name: &str| {
            object["metadata"]["labels"][name]
                .as_str()
                .unwrap_or_default()
        };
        let release = key.resource == "secrets" && label("owner") == "helm";
        if release && INSTALLED.contains(&label("status")) {
            let place = (key.namespace.clone(), label("name").to_owned());
            let revision = format!("{} {}", label("version"), label("status"));
            revisions.entry(place).or_default().push(revision);
        }
    }
    revisions
        .into_iter()
        .filter(|(_, all)| all.len() > 1)
        .map(|((namespace, name), all)| {
            format!(
                "release {namespace}/{name} was installed as {}",
                all.join(", ")
            )
        })
        .collect()
}

/// Restores of one step beside one that had an effect.
fn restores(dump: &Dump) -> Vec<String> {
    let mut steps: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, object) in dump {
        if key.group != "velero.io" || key.resource != "restores" {
            continue;
        }
        let phase = object["status"]["phase"].as_str().unwrap_or("none");
        if WITHOUT_EFFECT.contains(&phase) {
            continue;
        }
        if object["metadata"]["annotations"][RUN] == RUN_BEFORE {
            continue;
        }
        let step = ["labels", "annotations"]
            .iter()
            .find_map(|part| object["metadata"][*part][STEP].as_str())
            .map_or_else(|| key.name.clone(), str::to_owned);
        steps
            .entry(step)
            .or_default()
            .push(format!("{} {phase}", key.name));
    }
    steps
        .into_iter()
        .filter(|(_, all)| all.len() > 1)
        .map(|(step, all)| format!("{step} was restored by {}", all.join(", ")))
        .collect()
}

/// Writes of drplan's own that were carried out, and sent again without need. Every one states what
/// an object shall be, so a second one means that nobody looked before repeating the first. What is
/// paused and released is written twice; and of a Secret nobody can look whether it landed, since its
/// values are not known before the request leaves, so that it is applied again where the answer was lost.
fn writes(life: &Life) -> Vec<String> {
    let mut done: BTreeMap<(usize, String), Vec<String>> = BTreeMap::new();
    let mut out = Vec::new();
    for entry in &life.trace {
        let (asked, status, is_lost) = match &entry.what {
            What::Left(asked, status) => (asked, status, false),
            What::Lost(asked, status) => (asked, status, true),
            _ => continue,
        };
        let ours = asked.method == "PATCH" && asked.target.contains(OURS);
        if !ours || asked.target.contains("dryRun") || *status >= 300 {
            continue;
        }
        let key = (entry.run, format!("{}{}", asked.host, asked.target));
        let often = if asked.target.contains(APPLIES) { 1 } else { 2 };
        let before = done.entry(key.clone()).or_default();
        if before.len() >= often {
            out.push(format!(
                "run {}: {} was written at {}, and again at {}",
                entry.run,
                key.1,
                before.join(" and "),
                entry.at
            ));
        }
        let may_again = is_lost && asked.target.contains(SECRETS);
        if !may_again {
            before.push(entry.at.to_string());
        }
    }
    out
}

/// Changes of records that were carried out more often than there are records to change.
fn records(life: &Life) -> Vec<String> {
    let plan = life.runs.iter().find_map(|run| run.plan.as_ref());
    let steps = plan.iter().flat_map(|plan| &plan.steps);
    let records = steps.filter(|s| s.kind == RECORD).count();
    changes(records, &life.scene.world().dns().log())
}

fn changes(records: usize, log: &[Entry]) -> Vec<String> {
    let mut carried_out = 0;
    let mut out = Vec::new();
    for entry in log {
        if entry.operation != Some(Operation::ChangeResourceRecordSets) {
            continue;
        }
        if carried_out == records {
            out.push(format!(
                "all records were changed, and at {} one was asked for again: {:?}",
                entry.at, entry.outcome
            ));
        }
        if matches!(entry.outcome, Outcome::Done | Outcome::AnswerLost) {
            carried_out += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::hand_made::asked;
    use super::super::hand_made::life;
    use super::super::hand_made::plan;
    use super::*;
    use crate::simulate::entry::Asked;

    const APPLY: &str = "/api/v1/namespaces/web/configmaps/a?fieldManager=drplan&force=false";
    const SECRET: &str = "/api/v1/namespaces/web/secrets/a?fieldManager=drplan&force=false";
    const PATCH: &str = "/apis/apps/v1/namespaces/web/deployments/a?fieldManager=drplan";

    fn hows(path: &str, what: &[fn(Asked, u16) -> What]) -> usize {
        let what = what.iter().map(|what| what(asked("PATCH", path), 200));
        writes(&life(plan([], &[]), what)).len()
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_written_is_not_written_again() {
        assert_eq!(hows(APPLY, &[What::Left]), 0);
        assert_eq!(hows(APPLY, &[What::Left, What::Left]), 1);
        // Whoever lost the answer looks first.
        assert_eq!(hows(APPLY, &[What::Lost, What::Left]), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_secret_is_applied_again_only_where_its_answer_was_lost() {
        assert_eq!(hows(SECRET, &[What::Lost, What::Lost, What::Left]), 0);
        assert_eq!(hows(SECRET, &[What::Left, What::Left]), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_paused_and_released_is_written_twice_and_no_more() {
        assert_eq!(hows(PATCH, &[What::Left, What::Left]), 0);
        assert_eq!(hows(PATCH, &[What::Left, What::Left, What::Left]), 1);
    }

    fn audited(verb: &'static str, code: u16) -> Audited {
        Audited {
            user: DRPLAN.to_owned(),
            verb,
            resource: "restores.velero.io".to_owned(),
            namespace: None,
            name: "a".to_owned(),
            dry_run: false,
            code,
        }
    }

    #[test]
    fn what_was_made_is_asked_for_again_only_after_it_was_deleted() {
        let (made, deleted) = (audited("create", 201), audited("delete", 200));
        assert!(creates(vec![made.clone(), deleted, made.clone()]).is_empty());
        assert_eq!(creates(vec![made, audited("create", 409)]).len(), 1);
    }

    fn object(resource: &str, group: &str, name: &str, object: Value) -> (ObjectKey, Arc<Value>) {
        let key = ObjectKey {
            group: group.to_owned(),
            resource: resource.to_owned(),
            namespace: "a".to_owned(),
            name: name.to_owned(),
        };
        (key, Arc::new(object))
    }

    #[test]
    fn a_release_is_installed_once_whatever_its_attempts() {
        let revision = |version: &str, status: &str| {
            let labels =
                json!({ "owner": "helm", "name": "a", "version": version, "status": status });
            let name = format!("a.v{version}");
            object(
                "secrets",
                "",
                &name,
                json!({ "metadata": { "labels": labels } }),
            )
        };
        let attempts = [revision("1", "failed"), revision("2", "deployed")];
        assert!(releases(&Dump::from(attempts)).is_empty());
        let twice = [revision("1", "superseded"), revision("2", "deployed")];
        assert_eq!(releases(&Dump::from(twice)).len(), 1);
    }

    #[test]
    fn a_step_has_one_restore_that_had_an_effect() {
        let restore = |name: &str, phase: &str| {
            let metadata = json!({ "labels": { STEP: "velero_restore.a" } });
            let restore = json!({ "metadata": metadata, "status": { "phase": phase } });
            object("restores", "velero.io", name, restore)
        };
        let attempts = [restore("a-1", "Failed"), restore("a-2", "Completed")];
        assert!(restores(&Dump::from(attempts)).is_empty());
        let twice = [restore("a-1", "Completed"), restore("a-2", "InProgress")];
        assert_eq!(restores(&Dump::from(twice)).len(), 1);
    }

    #[test]
    fn a_record_is_changed_once() {
        let change = |outcome| Entry {
            at: drplan_api::Timestamp::UNIX_EPOCH,
            method: "POST".to_owned(),
            path: String::new(),
            operation: Some(Operation::ChangeResourceRecordSets),
            identity: None,
            outcome,
            request_id: String::new(),
        };
        let refused = change(Outcome::Refused("Throttling"));
        assert!(changes(1, &[refused.clone(), change(Outcome::Done)]).is_empty());
        assert_eq!(changes(1, &[change(Outcome::AnswerLost), refused]).len(), 1);
    }
}
