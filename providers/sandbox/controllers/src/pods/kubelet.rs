//! What becomes of pods on their nodes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::restore_wait;
use super::status;
use super::status::Addresses;
use crate::Ask;
use crate::Controller;
use crate::Key;
use crate::Turn;
use crate::Write;
use crate::children::Kind;
use crate::children::PODS;
use crate::object::is_deleting;
use crate::object::later;
use crate::object::number;
use crate::object::seconds;
use crate::object::status_write;
use crate::object::text;
use crate::object::time;
use crate::object::uid;
use crate::template::is_finished;

/// Starts, readies and ends pods.
#[derive(Debug)]
pub(crate) struct Kubelet;

impl Controller for Kubelet {
    fn name(&self) -> &'static str {
        "kubelet"
    }

    fn watches(&self) -> &'static [Kind] {
        &[
            PODS,
            ("", "ConfigMap"),
            ("", "Secret"),
            ("", "PersistentVolumeClaim"),
            restore_wait::RESTORES,
        ]
    }

    fn user(&self) -> &'static str {
        "system:node"
    }

    fn manager(&self) -> &'static str {
        "kubelet"
    }

    fn turn(&self, ask: Ask<'_>) -> Turn {
        let mut turn = Turn::default();
        let mut addresses = Addresses::default();
        for (key, pod) in concerned(ask) {
            if is_deleting(&pod) {
                end(ask, key, &pod, &mut turn);
            } else if !is_finished(&pod) {
                let (status, wake) = status::next(ask, &pod, &mut addresses);
                turn.writes.extend(status_write(&pod, status));
                turn.again.extend(wake.map(|wake| (key, wake)));
            }
        }
        turn
    }
}

/// The bound pods that the changes may concern.
fn concerned(ask: Ask<'_>) -> BTreeMap<Key, Arc<Value>> {
    let mut pods = BTreeMap::new();
    let mut add = |pod: Arc<Value>| {
        if !text(&pod["spec"]["nodeName"]).is_empty()
            && let Some(key) = Key::of(&pod)
        {
            pods.insert(key, pod);
        }
    };
    let mut last_namespace = None;
    for key in ask.changed {
        let Some(space) = key.namespace.as_deref() else {
            continue;
        };
        match key.kind.as_str() {
            "Pod" => {
                let pod = ask.view.get("", "Pod", Some(space), &key.name);
                pod.into_iter().for_each(&mut add);
            }
            "PodVolumeRestore" => {
                let (group, kind) = restore_wait::RESTORES;
                if let Some(restore) = ask.view.get(group, kind, Some(space), &key.name) {
                    let target = &restore["spec"]["pod"];
                    let space = Some(text(&target["namespace"]));
                    let pod = ask.view.get("", "Pod", space, text(&target["name"]));
                    pod.into_iter().for_each(&mut add);
                }
            }
            // Keys are ordered, so that those of one kind and namespace stand together.
            kind if last_namespace != Some((kind, space)) => {
                last_namespace = Some((kind, space));
                let all = ask.view.list_in("", "Pod", space);
                all.into_iter()
                    .filter(|pod| is_waiting(pod) && !is_deleting(pod))
                    .for_each(&mut add);
            }
            _ => {}
        }
    }
    pods
}

/// Whether something that a pod needs may be missing.
fn is_waiting(pod: &Value) -> bool {
    let waits = |list: &str| {
        let statuses = pod["status"][list].as_array();
        let mut statuses = statuses.into_iter().flatten();
        statuses.any(|s| s["state"]["waiting"].is_object())
    };
    pod["status"]["phase"] == "Pending" || waits("containerStatuses")
}

/// Lets a pod that is being deleted go once its containers have stopped.
fn end(ask: Ask<'_>, key: Key, pod: &Value, turn: &mut Turn) {
    let stopped = stopped_at(ask, pod);
    if stopped > ask.now {
        turn.again.push((key, stopped));
        return;
    }
    let grace = number(&pod["metadata"]["deletionGracePeriodSeconds"], 0);
    if grace == 0 {
        // Finalizers hold it; nobody needs to ask a second time.
        return;
    }
    turn.writes.push(Write::Delete {
        key,
        uid: uid(pod).to_owned(),
        at_once: true,
    });
}

fn stopped_at(ask: Ask<'_>, pod: &Value) -> Timestamp {
    let grace = seconds(number(&pod["metadata"]["deletionGracePeriodSeconds"], 30));
    let runs = !is_finished(pod) && pod["status"]["podIP"].is_string();
    let takes = if runs {
        ask.settings.durations.pod_stop.min(grace)
    } else {
        Duration::ZERO
    };
    let over = time(&pod["metadata"]["deletionTimestamp"]).unwrap_or(ask.now);
    let asked = over.checked_sub(grace).unwrap_or(ask.now);
    later(asked, takes)
}
