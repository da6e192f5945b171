//! The default StorageClass of claims and the default IngressClass of ingresses.

use serde_json::Value;
use serde_json::json;

use crate::object;
use crate::state::State;
use crate::store::ResourceId;
use crate::types::Served;

const DEFAULT_STORAGE: &str = "storageclass.kubernetes.io/is-default-class";
const DEFAULT_INGRESS: &str = "ingressclass.kubernetes.io/is-default-class";
const OLD_STORAGE: &str = "/metadata/annotations/volume.beta.kubernetes.io~1storage-class";
const OLD_INGRESS: &str = "/metadata/annotations/kubernetes.io~1ingress.class";

pub(super) fn create(state: &State, served: &Served, new: &mut Value) {
    let (id, mark, field, old) = match served.info.kind.as_str() {
        "PersistentVolumeClaim" => (
            ResourceId::new("storage.k8s.io", "storageclasses"),
            DEFAULT_STORAGE,
            "storageClassName",
            OLD_STORAGE,
        ),
        "Ingress" => (
            ResourceId::new("networking.k8s.io", "ingressclasses"),
            DEFAULT_INGRESS,
            "ingressClassName",
            OLD_INGRESS,
        ),
        _ => return,
    };
    let chosen = !new["spec"][field].is_null() || new.pointer(old).is_some();
    if chosen || !new["spec"].is_object() {
        return;
    }
    // Of several defaults the newest counts.
    let default = state
        .store
        .list(&id, None)
        .filter(|class| class.json()["metadata"]["annotations"][mark] == "true")
        .max_by(|a, b| {
            let made =
                |class: &Value| object::text(class, "/metadata/creationTimestamp").to_owned();
            let (a, b) = (a.json(), b.json());
            made(a)
                .cmp(&made(b))
                .then(object::name(b).cmp(object::name(a)))
        });
    if let Some(class) = default {
        new["spec"][field] = json!(object::name(class.json()));
    }
}
