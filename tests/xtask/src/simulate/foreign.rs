//! What belongs to somebody else in the world, or to a recovery of long ago. drplan has no business with
//! either.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use drplan::plan::Plan;
use drplan::rehearse::Scene;
use drplan_api::Address;
use drplan_sandbox::route53::Action;
use drplan_sandbox::route53::Change;
use drplan_sandbox::route53::DomainName;
use drplan_sandbox::route53::RecordSet;
use drplan_sandbox::route53::RecordType;
use drplan_sandbox_kubernetes::Cluster;
use drplan_sandbox_postgres::Role;
use serde_json::Value;
use serde_json::json;
use tokio::task::JoinHandle;

use super::DRPLAN;

/// The name of everything that is not ours.
pub(super) const NAME: &str = "somebody-else";
/// How soon somebody finds a new namespace to leave something in.
const LOOK: Duration = Duration::from_secs(20);

/// The run that left Restores behind long ago.
pub(super) const RUN_BEFORE: &str = "run-of-last-year";
/// Where Velero is, and what it restores.
const VELERO: &str = "velero";
/// The kind of the steps whose Restores are left.
const RESTORE: &str = "velero_restore";

/// Those who live in the world beside drplan.
pub(super) struct Others {
    tasks: Vec<JoinHandle<()>>,
    /// The steps that restored something long ago, too.
    steps: Arc<Mutex<Vec<Address>>>,
}

impl Others {
    /// Lets the recovery of long ago have had the steps of a plan.
    pub(super) fn learn(&self, plan: &Plan) {
        let steps = plan.steps.iter().filter(|step| step.kind == RESTORE);
        let steps = steps.map(|step| step.address.clone()).collect();
        *self.steps.lock().unwrap_or_else(PoisonError::into_inner) = steps;
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Puts things of somebody else into every zone and every cluster, and goes on to do so in every
/// namespace that drplan makes.
pub(super) fn settle(scene: &Scene) -> anyhow::Result<Others> {
    let dns = scene.world().dns();
    for zone in scene.world().zones() {
        let id = dns.zone_id(zone).unwrap_or_default();
        let name = DomainName::parse(&format!("{NAME}.{zone}"))?;
        let changes = [Change {
            action: Action::Create,
            set: RecordSet::simple(name, RecordType::A, 300, ["192.0.2.99"]),
        }];
        dns.change(&id, &changes)?;
    }
    for (_, server) in scene.world().databases() {
        let failed = |e| anyhow::anyhow!("a database of somebody else: {e:?}");
        server.create_role(Role::group(NAME)).map_err(failed)?;
        server.create_database(NAME, NAME).map_err(failed)?;
    }
    let mut tasks = Vec::new();
    let steps = Arc::default();
    for (_, cluster) in scene.world().clusters() {
        cluster.load([
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAME },
                "spec": { "finalizers": ["kubernetes"] }, "status": { "phase": "Active" } }),
            config_map(NAME),
        ])?;
        tasks.push(tokio::spawn(move_in(cluster.clone(), Arc::clone(&steps))));
    }
    Ok(Others { tasks, steps })
}

fn config_map(namespace: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": NAME,
            "namespace": namespace,
            "labels": { "owner": NAME },
        },
        "data": { "precious": "do not touch" },
    })
}

/// A Restore that a step of a recovery of long ago made from another backup, and that never ended.
fn restore(step: &Address) -> Value {
    let labels = json!({ "drplan.io/recovery": "shop", "drplan.io/step": step });
    let annotations = json!({
        "drplan.io/run": RUN_BEFORE,
        "drplan.io/step": step,
        "drplan.io/want": "0a0a0a0a/0",
    });
    json!({
        "apiVersion": "velero.io/v1",
        "kind": "Restore",
        "metadata": {
            "name": format!("drplan-{}-0a0a0a0a-1", step.slug(usize::MAX)),
            "namespace": VELERO,
            "labels": labels,
            "annotations": annotations,
        },
        "spec": { "backupName": "of-last-year" },
        "status": { "phase": "InProgress", "startTimestamp": "2025-01-01T00:00:00Z" },
    })
}

/// Leaves something in each namespace that drplan makes.
async fn move_in(cluster: Cluster, steps: Arc<Mutex<Vec<Address>>>) {
    let mut known = BTreeSet::new();
    let mut writes = cluster.watch_writes();
    while writes.changed().await.is_ok() {
        tokio::time::sleep(LOOK).await;
        for write in cluster.audit() {
            let made = write.user == DRPLAN && write.resource == "namespaces" && write.code < 300;
            if made && !write.dry_run && known.insert(write.name.clone()) {
                cluster.load([config_map(&write.name)]).ok();
                let steps = steps.lock().unwrap_or_else(PoisonError::into_inner);
                let steps = steps.iter().filter(|_| write.name == VELERO);
                cluster.load(steps.map(restore)).ok();
            }
        }
    }
}

/// What is left of it, or was done to it.
pub(super) fn broken(scene: &Scene) -> Vec<String> {
    let mut out = Vec::new();
    for zone in scene.world().zones() {
        let id = scene.world().dns().zone_id(zone).unwrap_or_default();
        let name = format!("{NAME}.{zone}");
        let sets = scene.world().dns().record_sets(&id);
        let whole = sets.iter().any(|set| {
            set.name.to_string().trim_end_matches('.') == name
                && serde_json::to_string(&set.data).is_ok_and(|data| data.contains("192.0.2.99"))
        });
        if !whole {
            out.push(format!("the record `{name}` is not what it was"));
        }
    }
    for (server_name, server) in scene.world().databases() {
        let whole = server.database(NAME).is_some_and(|database| {
            database.owner == NAME && database.relations.is_empty() && database.marker.is_none()
        });
        if !whole {
            out.push(format!("the database `{NAME}` of server {server_name}"));
        }
    }
    for (cluster_name, cluster) in scene.world().clusters() {
        let left: Vec<String> = cluster
            .audit()
            .into_iter()
            .filter(|w| w.user == DRPLAN && w.name == NAME && !w.dry_run && w.code < 300)
            .map(|w| format!("{} {} in {:?}", w.verb, w.resource, w.namespace))
            .collect();
        if !left.is_empty() {
            out.push(format!("in cluster {cluster_name}: {}", left.join(", ")));
        }
        let home = cluster.object("", "configmaps", NAME, NAME);
        if home.is_none_or(|map| map["data"] != config_map(NAME)["data"]) {
            out.push(format!("the ConfigMap `{NAME}` of cluster {cluster_name}"));
        }
        for (key, object) in cluster.dump() {
            if key.name == NAME && key.resource == "configmaps" {
                let wanted = config_map(&key.namespace);
                let same = object["data"] == wanted["data"]
                    && object["metadata"]["labels"] == wanted["metadata"]["labels"];
                if !same {
                    out.push(format!("the ConfigMap `{}/{NAME}`", key.namespace));
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::rules::hand_made::scene;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_gone_or_was_changed_is_seen() {
        let scene = scene();
        assert!(!broken(&scene).is_empty(), "nobody has moved in yet");
        let _others = settle(&scene).expect("room for somebody");
        assert_eq!(broken(&scene), [""; 0]);
        for (_, cluster) in scene.world().clusters() {
            let mut changed = config_map(NAME);
            changed["data"]["precious"] = json!("gone");
            cluster.load([changed]).expect("a change");
        }
        assert!(!broken(&scene).is_empty());
    }
}
