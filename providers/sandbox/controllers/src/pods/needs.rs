//! What a pod's containers need before they can start, and what is missing of it.

use serde_json::Value;

use super::scheduler::claim_names;
use crate::Ask;
use crate::object::items;
use crate::object::namespace;
use crate::object::text;

/// Why a container waits, as its status says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

/// Whether all that is mounted into a pod is there. While it is not, all its containers are being
/// created.
pub(super) fn can_mount(ask: Ask<'_>, pod: &Value) -> bool {
    let spec = &pod["spec"];
    let claims = claim_names(pod).into_iter().all(|claim| {
        let kind = "PersistentVolumeClaim";
        let claim = ask.view.get("", kind, Some(namespace(pod)), &claim);
        claim.is_some_and(|claim| claim["status"]["phase"] == "Bound")
    });
    claims
        && items(&spec["volumes"])
            .iter()
            .all(|volume| can_mount_volume(ask, pod, volume))
}

fn can_mount_volume(ask: Ask<'_>, pod: &Value, volume: &Value) -> bool {
    let maps = source(ask, pod, &volume["configMap"], "ConfigMap", "name")
        && source(ask, pod, &volume["secret"], "Secret", "secretName");
    let projected = items(&volume["projected"]["sources"]);
    maps && projected.iter().all(|given| {
        source(ask, pod, &given["configMap"], "ConfigMap", "name")
            && source(ask, pod, &given["secret"], "Secret", "name")
    })
}

/// Whether a volume's source is there with all the keys that it names.
fn source(ask: Ask<'_>, pod: &Value, given: &Value, kind: &str, field: &str) -> bool {
    if !given.is_object() || given["optional"] == true {
        return true;
    }
    let object = ask
        .view
        .get("", kind, Some(namespace(pod)), text(&given[field]));
    object.is_some_and(|object| {
        items(&given["items"])
            .iter()
            .all(|item| has_key(&object, text(&item["key"])))
    })
}

fn has_key(object: &Value, key: &str) -> bool {
    object["data"].get(key).is_some() || object["binaryData"].get(key).is_some()
}

/// Why a container cannot start although everything is mounted.
pub(super) fn missing(ask: Ask<'_>, pod: &Value, container: &Value) -> Option<Waiting> {
    missing_image(ask, pod, container).or_else(|| missing_environment(ask, pod, container))
}

fn missing_image(ask: Ask<'_>, pod: &Value, container: &Value) -> Option<Waiting> {
    let image = text(&container["image"]);
    let secret = |reference: &Value| {
        let name = text(&reference["name"]);
        ask.view
            .get("", "Secret", Some(namespace(pod)), name)
            .is_some()
    };
    let named = items(&pod["spec"]["imagePullSecrets"]);
    let locked = ask.settings.pull_needs_secret && !named.is_empty() && !named.iter().any(secret);
    (locked || ask.settings.missing_images.contains(image)).then(|| Waiting {
        reason: "ImagePullBackOff",
        message: format!("Back-off pulling image \"{image}\""),
    })
}

fn missing_environment(ask: Ask<'_>, pod: &Value, container: &Value) -> Option<Waiting> {
    let whole = items(&container["envFrom"]).iter().find_map(|from| {
        absent(ask, pod, &from["configMapRef"], "ConfigMap", false)
            .or_else(|| absent(ask, pod, &from["secretRef"], "Secret", false))
    });
    let single = || {
        items(&container["env"]).iter().find_map(|variable| {
            let from = &variable["valueFrom"];
            absent(ask, pod, &from["configMapKeyRef"], "ConfigMap", true)
                .or_else(|| absent(ask, pod, &from["secretKeyRef"], "Secret", true))
        })
    };
    let message = whole.or_else(single)?;
    Some(Waiting {
        reason: "CreateContainerConfigError",
        message,
    })
}

fn absent(ask: Ask<'_>, pod: &Value, from: &Value, kind: &str, keyed: bool) -> Option<String> {
    if !from.is_object() || from["optional"] == true {
        return None;
    }
    let (name, space) = (text(&from["name"]), namespace(pod));
    let Some(object) = ask.view.get("", kind, Some(space), name) else {
        return Some(format!("{} \"{name}\" not found", kind.to_lowercase()));
    };
    let key = text(&from["key"]);
    (keyed && !has_key(&object, key))
        .then(|| format!("couldn't find key {key} in {kind} {space}/{name}"))
}
