//! Nothing that was paused stays so after a complete life, and no mark of a pause is left over.

use std::collections::BTreeSet;

use drplan_sandbox_kubernetes::Cluster;

use super::super::DRPLAN;
use super::super::life::Life;

/// The annotation that keeps what a paused object was.
const PAUSED: &str = "drplan.io/paused";
/// The kind of the steps that pause what lives.
const PAUSE: &str = "kubernetes_pause";

pub(super) fn broken(life: &Life) -> Vec<String> {
    if !life.is_complete() {
        return Vec::new();
    }
    let clusters = life.scene.world().clusters();
    let mut out: Vec<String> = clusters
        .flat_map(|(name, cluster)| marked(name, cluster))
        .collect();
    let plans = life.runs.iter().filter_map(|run| run.plan.as_ref());
    let mut steps = plans.flat_map(|plan| &plan.steps);
    let mut clusters = life.scene.world().clusters();
    if steps.any(|step| step.kind == PAUSE) && !clusters.any(|(_, cluster)| was_paused(cluster)) {
        out.push("a step pauses something, and nothing was ever paused".to_owned());
    }
    out
}

fn marked(name: &str, cluster: &Cluster) -> Vec<String> {
    let dump = cluster.dump();
    let marked = dump
        .iter()
        .filter(|(_, object)| !object["metadata"]["annotations"][PAUSED].is_null());
    marked
        .map(|(key, _)| {
            format!(
                "cluster {name}: {} {}/{} carries a mark",
                key.resource, key.namespace, key.name
            )
        })
        .collect()
}

/// Whether drplan changed a workload twice at least: it was paused, and released.
fn was_paused(cluster: &Cluster) -> bool {
    let mut seen = BTreeSet::new();
    cluster.audit().into_iter().any(|write| {
        let patch = write.user == DRPLAN && write.verb == "patch" && !write.dry_run;
        let workload = matches!(
            write.resource.as_str(),
            "deployments.apps" | "statefulsets.apps" | "cronjobs.batch"
        );
        patch && workload && !seen.insert((write.resource, write.namespace, write.name))
    })
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

    /// A complete life with such an object in its cluster, and these steps.
    fn complete(annotations: &serde_json::Value, kind: &str) -> Life {
        let step = acting(&format!("{kind}.a"), json!({}));
        let mut life = life(plan([step], &[]), []);
        life.runs[0].end = Some(End {
            exit: Exit::Ok,
            outcomes: BTreeMap::new(),
            without: Some(Vec::new()),
        });
        for (_, cluster) in life.scene.world().clusters() {
            let object = json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": { "name": "a", "namespace": "default", "annotations": annotations },
            });
            cluster.load([object]).expect("an object");
        }
        life
    }

    #[tokio::test(start_paused = true)]
    async fn no_mark_of_a_pause_is_left() {
        assert!(broken(&complete(&json!({}), "command")).is_empty());
        assert_eq!(
            broken(&complete(&json!({ PAUSED: "{}" }), "command")).len(),
            1
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_that_paused_nothing_is_seen() {
        assert_eq!(broken(&complete(&json!({}), PAUSE)).len(), 1);
    }
}
