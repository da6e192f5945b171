//! Finalizers that keep volumes and claims while they are in use.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::Ask;
use crate::Controller;
use crate::Turn;
use crate::Write;
use crate::children::Kind;
use crate::children::PODS;
use crate::object::is_deleting;
use crate::object::items;
use crate::object::name;
use crate::object::namespace;
use crate::object::without_finalizer;
use crate::pods::claim_names;
use crate::template::is_finished;

const CLAIMS: Kind = ("", "PersistentVolumeClaim");
const VOLUMES: Kind = ("", "PersistentVolume");
const CLAIM_FINALIZER: &str = "kubernetes.io/pvc-protection";
const VOLUME_FINALIZER: &str = "kubernetes.io/pv-protection";

/// What drivers put on volumes and take off once the disk behind it is gone or detached.
const OF_DRIVERS: &[&str] = &[
    "external-provisioner.volume.kubernetes.io/finalizer",
    "external-attacher/",
];

/// Puts the finalizers on, and takes them off what is deleted and not used any more.
#[derive(Debug)]
pub(crate) struct Protection;

impl Controller for Protection {
    fn name(&self) -> &'static str {
        "protection"
    }

    fn watches(&self) -> &'static [Kind] {
        &[CLAIMS, VOLUMES, PODS]
    }

    fn user(&self) -> &'static str {
        "system:serviceaccount:kube-system:pvc-protection-controller"
    }

    fn turn(&self, ask: Ask<'_>) -> Turn {
        let mut turn = Turn::default();
        let mut freed: BTreeSet<&str> = BTreeSet::new();
        for key in ask.changed {
            match (key.kind.as_str(), key.namespace.as_deref()) {
                ("PersistentVolume", _) => {
                    let volume = ask.view.get(VOLUMES.0, VOLUMES.1, None, &key.name);
                    turn.writes.extend(volume.and_then(|v| guard_volume(&v)));
                }
                ("PersistentVolumeClaim", Some(space)) => {
                    let claim = ask.view.get(CLAIMS.0, CLAIMS.1, Some(space), &key.name);
                    match claim {
                        Some(claim) if is_deleting(&claim) => {
                            freed.insert(space);
                        }
                        Some(claim) => turn.writes.extend(guarded(&claim, CLAIM_FINALIZER)),
                        None => {}
                    }
                }
                ("Pod", Some(space)) => {
                    let pod = ask.view.get(PODS.0, PODS.1, Some(space), &key.name);
                    if pod.is_none_or(|pod| is_finished(&pod)) {
                        freed.insert(space);
                    }
                }
                _ => {}
            }
        }
        for space in freed {
            release_claims(ask, space, &mut turn.writes);
        }
        turn
    }
}

fn guarded(object: &Value, finalizer: &str) -> Option<Write> {
    let mut finalizers = items(&object["metadata"]["finalizers"]).to_vec();
    if finalizers.iter().any(|f| f == finalizer) {
        return None;
    }
    finalizers.push(finalizer.into());
    let mut object = object.clone();
    object["metadata"]["finalizers"] = finalizers.into();
    Some(Write::Update(object))
}

fn guard_volume(volume: &Value) -> Option<Write> {
    if !is_deleting(volume) {
        return guarded(volume, VOLUME_FINALIZER);
    }
    if volume["status"]["phase"] == "Bound" {
        return None;
    }
    let held = items(&volume["metadata"]["finalizers"]);
    let ours = |finalizer: &Value| {
        let finalizer = finalizer.as_str().unwrap_or_default();
        finalizer == VOLUME_FINALIZER || OF_DRIVERS.iter().any(|f| finalizer.starts_with(f))
    };
    if !held.iter().any(ours) {
        return None;
    }
    let mut freed = volume.clone();
    freed["metadata"]["finalizers"] = held.iter().filter(|f| !ours(f)).cloned().collect();
    Some(Write::Update(freed))
}

/// Lets go the claims of a namespace that are deleted and that no pod uses.
fn release_claims(ask: Ask<'_>, space: &str, writes: &mut Vec<Write>) {
    let mut claims = ask.view.list_in(CLAIMS.0, CLAIMS.1, space);
    claims.retain(|claim| is_deleting(claim) && namespace(claim) == space);
    if claims.is_empty() {
        return;
    }
    let pods = ask.view.list_in(PODS.0, PODS.1, space);
    let running = pods.iter().filter(|pod| !is_finished(pod));
    let used: BTreeSet<String> = running.flat_map(|pod| claim_names(pod)).collect();
    let unused = claims.iter().filter(|claim| !used.contains(name(claim)));
    writes.extend(
        unused
            .filter_map(|claim| without_finalizer(claim, CLAIM_FINALIZER))
            .map(Write::Update),
    );
}
