//! Where an object names storage classes and container images.
//!
//! Pure. It knows the shapes of Kubernetes' own kinds and nothing about what comes in their place.

use drplan_api::Json;
use serde::Deserialize;
use serde::Serialize;

/// One name inside of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Slot {
    /// Where: a JSON pointer.
    pub(crate) at: String,
    pub(crate) name: String,
}

/// Where a kind keeps its pod's `spec`.
fn pod_spec(resource: &str) -> Option<&'static str> {
    Some(match resource {
        "pods" => "/spec",
        "deployments.apps"
        | "statefulsets.apps"
        | "daemonsets.apps"
        | "replicasets.apps"
        | "replicationcontrollers"
        | "jobs.batch" => "/spec/template/spec",
        "cronjobs.batch" => "/spec/jobTemplate/spec/template/spec",
        // A StatefulSet whose template is like none of its revisions replaces its restored pods.
        "controllerrevisions.apps" => "/data/spec/template/spec",
        _ => return None,
    })
}

/// Lists where an object names storage classes.
pub(crate) fn classes(resource: &str, body: &Json) -> Vec<Slot> {
    let class = |at: String| slot(body, at);
    match resource {
        "persistentvolumeclaims" | "persistentvolumes" => {
            return class("/spec/storageClassName".to_owned())
                .into_iter()
                .collect();
        }
        _ => {}
    }
    let Some(pod) = pod_spec(resource) else {
        return Vec::new();
    };
    let volumes = format!("{pod}/volumes");
    let ephemeral =
        |i| format!("{volumes}/{i}/ephemeral/volumeClaimTemplate/spec/storageClassName");
    let mut out: Vec<Slot> = (0..length(body, &volumes))
        .map(ephemeral)
        .filter_map(class)
        .collect();
    let templates = "/spec/volumeClaimTemplates";
    let template = |i| format!("{templates}/{i}/spec/storageClassName");
    out.extend((0..length(body, templates)).map(template).filter_map(class));
    out
}

/// Lists where an object names container images.
pub(crate) fn images(resource: &str, body: &Json) -> Vec<Slot> {
    let Some(pod) = pod_spec(resource) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for list in ["initContainers", "containers"] {
        let list = format!("{pod}/{list}");
        let image = |i| slot(body, format!("{list}/{i}/image"));
        out.extend((0..length(body, &list)).filter_map(image));
    }
    out
}

fn slot(body: &Json, at: String) -> Option<Slot> {
    let name = body
        .pointer(&at)?
        .as_str()
        .filter(|name| !name.is_empty())?;
    Some(Slot {
        name: name.to_owned(),
        at,
    })
}

fn length(body: &Json, at: &str) -> usize {
    body.pointer(at)
        .and_then(Json::as_array)
        .map_or(0, Vec::len)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(slots: &[Slot]) -> Vec<(&str, &str)> {
        slots.iter().map(|s| (&*s.at, &*s.name)).collect()
    }

    #[test]
    fn classes_and_images_are_found_wherever_a_kind_keeps_them() {
        let pod = json!({
            "initContainers": [{"image": "init:1"}],
            "containers": [{"image": "web:1"}, {"name": "none"}],
            "volumes": [{"name": "a"}, {"ephemeral": {"volumeClaimTemplate":
                {"spec": {"storageClassName": "slow"}}}}],
        });
        let template = json!({"spec": {
            "template": {"spec": pod},
            "volumeClaimTemplates": [{"spec": {}}, {"spec": {"storageClassName": "fast"}}],
        }});
        assert_eq!(
            found(&images("statefulsets.apps", &template)),
            [
                ("/spec/template/spec/initContainers/0/image", "init:1"),
                ("/spec/template/spec/containers/0/image", "web:1"),
            ]
        );
        assert_eq!(
            found(&classes("statefulsets.apps", &template)),
            [
                (
                    "/spec/template/spec/volumes/1/ephemeral/volumeClaimTemplate/spec/storageClassName",
                    "slow"
                ),
                ("/spec/volumeClaimTemplates/1/spec/storageClassName", "fast"),
            ]
        );
        let claim = json!({"spec": {"storageClassName": "fast"}});
        for resource in ["persistentvolumeclaims", "persistentvolumes"] {
            assert_eq!(
                found(&classes(resource, &claim)),
                [("/spec/storageClassName", "fast")]
            );
        }
        let cron = json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}});
        assert_eq!(images("cronjobs.batch", &cron).len(), 2);
        assert_eq!(images("pods", &json!({"spec": pod})).len(), 2);
        let revision = json!({"data": {"spec": {"template": {"spec": pod}}}});
        assert_eq!(images("controllerrevisions.apps", &revision).len(), 2);
        for nothing in [json!({}), json!({"spec": {"storageClassName": ""}})] {
            assert_eq!(classes("persistentvolumeclaims", &nothing), []);
            assert_eq!(images("configmaps", &nothing), []);
        }
    }
}
