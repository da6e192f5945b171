//! What pods get: a service account with its token, a priority, tolerations.

use serde_json::Value;
use serde_json::json;

use crate::failure::Failure;
use crate::failure::Outcome;
use crate::object;
use crate::state::State;
use crate::store::Name;
use crate::store::ResourceId;
use crate::types::Served;
use crate::write::about;

/// Where containers find the token of their service account.
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// How many letters the name of the token's volume ends with.
const VOLUME_LETTERS: usize = 5;

/// How long a pod stays on a node that is lost, in seconds.
const TOLERATION_S: u64 = 300;

pub(super) fn create(state: &mut State, served: &Served, new: &mut Value) -> Outcome<()> {
    let refuse = |new: &Value, why: &str| Failure::forbidden(about(served, object::name(new)), why);
    tolerate(new);
    prioritise(state, new).map_err(|why| refuse(new, &why))?;
    // Pods that mirror a node's own files have no account.
    if new
        .pointer("/metadata/annotations/kubernetes.io~1config.mirror")
        .is_none()
    {
        give_account(state, new).map_err(|why| refuse(new, &why))?;
    }
    Ok(())
}

fn tolerate(new: &mut Value) {
    let mut list = new["spec"]["tolerations"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    for key in [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ] {
        let known = list.iter().any(|toleration| {
            let effect = toleration["effect"].as_str().unwrap_or_default();
            let own = toleration["key"].as_str().unwrap_or_default();
            matches!(effect, "" | "NoExecute") && (own == key || own.is_empty())
        });
        if !known {
            list.push(json!({
                "key": key,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": TOLERATION_S,
            }));
        }
    }
    new["spec"]["tolerations"] = json!(list);
}

fn prioritise(state: &State, new: &mut Value) -> Result<(), String> {
    let id = ResourceId::new("scheduling.k8s.io", "priorityclasses");
    let named = object::text(new, "/spec/priorityClassName").to_owned();
    let class = if named.is_empty() {
        state
            .store
            .list(&id, None)
            .find(|class| class.json()["globalDefault"] == true)
            .cloned()
    } else {
        let class = state.store.get(&id, &Name::new("", &named)).cloned();
        Some(class.ok_or_else(|| format!("no PriorityClass with name {named} was found"))?)
    };
    let spec = object::object_at(new, "spec");
    match class {
        Some(class) => {
            let class = class.json();
            spec.insert("priorityClassName".to_owned(), json!(object::name(class)));
            spec.insert("priority".to_owned(), class["value"].clone());
            let policy = class["preemptionPolicy"]
                .as_str()
                .unwrap_or("PreemptLowerPriority");
            spec.insert("preemptionPolicy".to_owned(), json!(policy));
        }
        None => {
            spec.insert("priority".to_owned(), json!(0));
            spec.entry("preemptionPolicy")
                .or_insert_with(|| json!("PreemptLowerPriority"));
        }
    }
    Ok(())
}

fn give_account(state: &mut State, new: &mut Value) -> Result<(), String> {
    let space = object::namespace(new).to_owned();
    let named = object::text(new, "/spec/serviceAccountName");
    let named = if named.is_empty() { "default" } else { named }.to_owned();
    let id = ResourceId::new("", "serviceaccounts");
    let Some(account) = state.store.get(&id, &Name::new(&space, &named)).cloned() else {
        return Err(format!(
            "error looking up service account {space}/{named}: serviceaccount {named:?} not found"
        ));
    };
    let account = account.json();
    let spec = object::object_at(new, "spec");
    spec.insert("serviceAccountName".to_owned(), json!(named));
    spec.insert("serviceAccount".to_owned(), json!(named));
    let no_secrets = spec
        .get("imagePullSecrets")
        .is_none_or(|secrets| secrets.as_array().is_none_or(Vec::is_empty));
    if no_secrets && let Some(secrets) = account.get("imagePullSecrets") {
        spec.insert("imagePullSecrets".to_owned(), secrets.clone());
    }
    let mounts = spec
        .get("automountServiceAccountToken")
        .or_else(|| account.get("automountServiceAccountToken"))
        .and_then(Value::as_bool)
        .unwrap_or(true);
    if mounts {
        mount_token(state, new);
    }
    Ok(())
}

/// Mounts the account's token where no container has mounted something of its own.
fn mount_token(state: &mut State, new: &mut Value) {
    let known = new["spec"]["volumes"].as_array().into_iter().flatten();
    let volume = known
        .filter_map(|volume| volume["name"].as_str())
        .find(|name| name.starts_with("kube-api-access-"))
        .map(str::to_owned);
    let name =
        volume.unwrap_or_else(|| format!("kube-api-access-{}", state.ids.letters(VOLUME_LETTERS)));
    let mut needed = false;
    for list in ["/spec/initContainers", "/spec/containers"] {
        for container in object::elements_mut(new, list) {
            needed |= mount(container, &name);
        }
    }
    let volumes = object::object_at(new, "spec")
        .entry("volumes")
        .or_insert_with(|| json!([]));
    let there = volumes
        .as_array()
        .is_some_and(|volumes| volumes.iter().any(|volume| volume["name"] == name.as_str()));
    if needed
        && !there
        && let Some(volumes) = volumes.as_array_mut()
    {
        volumes.push(token_volume(&name));
    }
}

fn mount(container: &mut Value, name: &str) -> bool {
    let mount = json!({ "name": name, "readOnly": true, "mountPath": TOKEN_PATH });
    match container["volumeMounts"].as_array_mut() {
        Some(mounts) if mounts.iter().any(|known| known["mountPath"] == TOKEN_PATH) => false,
        Some(mounts) => {
            mounts.push(mount);
            true
        }
        None => {
            container["volumeMounts"] = json!([mount]);
            true
        }
    }
}

fn token_volume(name: &str) -> Value {
    let root = json!([{ "key": "ca.crt", "path": "ca.crt" }]);
    let field = json!({ "apiVersion": "v1", "fieldPath": "metadata.namespace" });
    json!({
        "name": name,
        "projected": {
            "sources": [
                { "serviceAccountToken": { "expirationSeconds": 3607, "path": "token" } },
                { "configMap": { "name": "kube-root-ca.crt", "items": root } },
                { "downwardAPI": { "items": [{ "path": "namespace", "fieldRef": field }] } },
            ],
            "defaultMode": 420,
        },
    })
}
