//! Volumes that are made for a claim, as a CSI driver would.

use serde_json::Value;
use serde_json::json;

use super::CLAIMS;
use super::PROVISIONED_BY;
use super::SNAPSHOTS;
use super::binding::reference;
use crate::Ask;
use crate::Key;
use crate::Turn;
use crate::Write;
use crate::generated;
use crate::object::annotation;
use crate::object::later;
use crate::object::name;
use crate::object::namespace;
use crate::object::set_annotation;
use crate::object::text;
use crate::object::uid;

const PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
const OLD_PROVISIONER: &str = "volume.beta.kubernetes.io/storage-provisioner";

/// What classes name whose volumes somebody makes by hand.
const NOBODY: &str = "kubernetes.io/no-provisioner";

/// Takes the next step towards a new volume; false if there is none to take.
pub(super) fn go_on(
    ask: Ask<'_>,
    key: &Key,
    claim: &Value,
    class: &Value,
    turn: &mut Turn,
) -> bool {
    let provisioner = text(&class["provisioner"]);
    if provisioner == NOBODY {
        return false;
    }
    if annotation(claim, PROVISIONER) != provisioner {
        let mut claim = claim.clone();
        set_annotation(&mut claim, PROVISIONER, provisioner);
        set_annotation(&mut claim, OLD_PROVISIONER, provisioner);
        turn.writes.push(Write::Update(claim));
        return true;
    }
    let refused = ask.settings.missing_provisioners.contains(provisioner)
        || !claim["spec"]["selector"].is_null()
        || !has_source(ask, claim);
    if refused {
        return false;
    }
    if ask.due.contains(key) {
        turn.writes.push(Write::Create(volume(ask, claim, class)));
        return true;
    }
    let due = later(ask.now, ask.settings.durations.volume_bind);
    turn.again.push((key.clone(), due));
    false
}

/// Whether what a volume shall be filled from is there.
fn has_source(ask: Ask<'_>, claim: &Value) -> bool {
    let spec = &claim["spec"];
    let source = [&spec["dataSourceRef"], &spec["dataSource"]];
    let Some(source) = source.into_iter().find(|s| s.is_object()) else {
        return true;
    };
    let space = source["namespace"].as_str().unwrap_or(namespace(claim));
    let source_name = text(&source["name"]);
    let (group, kind) = (text(&source["apiGroup"]), text(&source["kind"]));
    let Some(there) = ask.view.get(group, kind, Some(space), source_name) else {
        return false;
    };
    match (group, kind) {
        SNAPSHOTS => there["status"]["readyToUse"] == true,
        CLAIMS => there["status"]["phase"] == "Bound",
        // Another driver fills the volume; only that its order exists can be known here.
        _ => true,
    }
}

fn volume(ask: Ask<'_>, claim: &Value, class: &Value) -> Value {
    let spec = &claim["spec"];
    let provisioner = text(&class["provisioner"]);
    let seed = ask.settings.seed.to_string();
    let handle = generated::hex(&[&seed, uid(claim)], 16);
    let mut volume = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": format!("pvc-{}", uid(claim)),
            "annotations": {PROVISIONED_BY: provisioner},
        },
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "claimRef": reference(claim),
            "persistentVolumeReclaimPolicy":
                class["reclaimPolicy"].as_str().unwrap_or("Delete"),
            "storageClassName": name(class),
            "volumeMode": spec["volumeMode"].as_str().unwrap_or("Filesystem"),
            "csi": {"driver": provisioner, "volumeHandle": format!("vol-{handle}")},
        },
    });
    if !class["mountOptions"].is_null() {
        volume["spec"]["mountOptions"] = class["mountOptions"].clone();
    }
    volume
}
