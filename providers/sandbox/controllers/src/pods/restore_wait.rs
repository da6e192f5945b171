//! The init container with which Velero holds a pod back until its volumes are filled.
//!
//! On a real node it looks for a file that the data mover leaves in each volume. Here the mover's
//! own objects say whether it has.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::Ask;
use crate::object::items;
use crate::object::namespace;
use crate::object::text;
use crate::object::uid;

const CONTAINER: &str = "restore-wait";
const MOUNTS: &str = "/restores/";

/// The kind that says how far the filling of one volume is.
pub(super) const RESTORES: (&str, &str) = ("velero.io", "PodVolumeRestore");

pub(super) fn is_one(container: &Value) -> bool {
    container["name"] == CONTAINER
        && items(&container["volumeMounts"])
            .iter()
            .any(|mount| text(&mount["mountPath"]).starts_with(MOUNTS))
}

/// Whether every volume that the container watches is filled.
pub(super) fn is_over(ask: Ask<'_>, pod: &Value, container: &Value) -> bool {
    let (group, kind) = RESTORES;
    let filled: BTreeSet<String> = ask
        .view
        .list(group, kind)
        .iter()
        .filter(|restore| {
            let target = &restore["spec"]["pod"];
            target["namespace"] == namespace(pod)
                && target["uid"] == uid(pod)
                && restore["status"]["phase"] == "Completed"
        })
        .map(|restore| text(&restore["spec"]["volume"]).to_owned())
        .collect();
    items(&container["volumeMounts"])
        .iter()
        .filter_map(|mount| text(&mount["mountPath"]).strip_prefix(MOUNTS))
        .all(|volume| filled.contains(volume))
}
