//! Claims: free of what controllers wrote, and with their volume.

use serde_json::Value;

use super::Done;
use super::typed;
use crate::archive::Path;
use crate::text::phase;
use crate::text::text;

/// What controllers write on a claim while they bind it.
const WRITTEN: &[&str] = &[
    "pv.kubernetes.io/bind-completed",
    "pv.kubernetes.io/bound-by-controller",
    "volume.kubernetes.io/storage-provisioner",
    "volume.beta.kubernetes.io/storage-provisioner",
    "volume.kubernetes.io/selected-node",
    "velero.io/volume-snapshot-name",
    "velero.io/data-upload-name",
];

pub(super) fn free(object: Value, original: &Value) -> Done {
    let mut object = typed(object);
    let annotations = object.pointer_mut("/metadata/annotations");
    if let Some(annotations) = annotations.and_then(Value::as_object_mut) {
        annotations.retain(|key, _| !WRITTEN.contains(&&**key));
    }
    let volume = text(original, "/spec/volumeName");
    let mut needs = Vec::new();
    if phase(original) == "Bound" && !volume.is_empty() {
        needs.push(Path::new("persistentvolumes", "", volume));
    }
    Done {
        object: Some(object),
        needs,
    }
}
