//! Nothing is done twice: no object, no release, no restore, no change of a record.

use std::collections::BTreeMap;

use drplan_sandbox::route53::Operation;
use drplan_sandbox::route53::Outcome;
use drplan_sandbox_kubernetes::Cluster;

use super::super::DRPLAN;
use super::super::life::Life;
use super::super::trace::What;

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

pub(super) fn broken(life: &Life) -> Vec<String> {
    let mut out = records(life);
    out.extend(writes(life));
    for (name, cluster) in life.scene.world().clusters() {
        let all = creates(cluster).into_iter().chain(releases(cluster));
        let all = all.chain(restores(cluster));
        out.extend(all.map(|how| format!("cluster {name}: {how}")));
    }
    out
}

/// Objects that were asked for again after they had been made.
fn creates(cluster: &Cluster) -> Vec<String> {
    let mut made: BTreeMap<(String, Option<String>, String), u16> = BTreeMap::new();
    let mut out = Vec::new();
    for write in cluster.audit() {
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
fn releases(cluster: &Cluster) -> Vec<String> {
    let mut revisions: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for (key, object) in cluster.dump() {
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
fn restores(cluster: &Cluster) -> Vec<String> {
    let mut steps: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, object) in cluster.dump() {
        if key.group != "velero.io" || key.resource != "restores" {
            continue;
        }
        let phase = object["status"]["phase"].as_str().unwrap_or("none");
        if WITHOUT_EFFECT.contains(&phase) {
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
    let dns = life.scene.world().dns();
    let plan = life.runs.iter().find_map(|run| run.plan.as_ref());
    let steps = plan.iter().flat_map(|plan| &plan.steps);
    let records = steps.filter(|s| s.kind == "route53_record").count();
    let mut carried_out = 0;
    let mut out = Vec::new();
    for entry in dns.log() {
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
