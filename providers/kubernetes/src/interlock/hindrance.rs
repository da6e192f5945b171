//! What would set a paused object going again, or runs on beside it. Pure.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Answer;
use drplan_api::ErrorKind;
use drplan_api::Json;

use super::object::Spot;
use super::object::controller;
use super::some;
use crate::asks::TypeRef;

/// The label or annotation by which a tool knows what it keeps as it is in Git, and the tool.
const KEEPERS: [(&str, &str); 4] = [
    ("argocd.argoproj.io/tracking-id", "Argo CD"),
    ("argocd.argoproj.io/instance", "Argo CD"),
    ("kustomize.toolkit.fluxcd.io/name", "Flux"),
    ("helm.toolkit.fluxcd.io/name", "Flux"),
];

pub(super) fn autoscalers() -> TypeRef {
    TypeRef::new("autoscaling", "v2", "horizontalpodautoscalers")
}

/// Says who would put a paused object back as it was.
pub(super) fn keeper(body: &Json) -> Option<String> {
    if let Some((kind, name)) = controller(body) {
        return Some(format!("{kind} {name}"));
    }
    let metadata = &body["metadata"];
    let keeps = |(key, tool): &(&str, &str)| {
        let found = ["labels", "annotations"].map(|place| metadata[place][*key].as_str());
        let found = found.into_iter().flatten().next()?;
        // A tracking id is `APPLICATION:GROUP/KIND:NAMESPACE/NAME`.
        let name = found.split(':').next().unwrap_or(found);
        Some(format!("{tool} ({name})"))
    };
    KEEPERS.iter().find_map(keeps)
}

/// Warns of objects that somebody would put back, by whom.
pub(super) fn kept(objects: &[(&Spot, String)]) -> Vec<String> {
    let mut by_keeper = BTreeMap::<&str, Vec<String>>::new();
    for (spot, keeper) in objects {
        by_keeper.entry(keeper).or_default().push(spot.title());
    }
    let warning = |(keeper, titles): (&str, Vec<String>)| {
        format!(
            "{keeper} owns {} and may set it going again; pause that first",
            some(&titles)
        )
    };
    by_keeper.into_iter().map(warning).collect()
}

/// Warns of Jobs that a CronJob has started: suspending it does not end them.
pub(super) fn started(spot: &Spot, body: &Json) -> Option<String> {
    let active = body["status"]["active"].as_array()?;
    let names = active.iter().filter_map(|job| job["name"].as_str());
    let names: Vec<String> = names.map(str::to_owned).collect();
    (!names.is_empty()).then(|| {
        format!(
            "{} has started {}, which runs on; name `Job/{}/{}-*` too if it must not",
            spot.title(),
            some(&names),
            spot.namespace,
            spot.name
        )
    })
}

/// Warns of autoscalers that scale up from nothing. All others rest while there are no replicas.
pub(super) fn scaled(spots: &BTreeSet<String>, answer: &Answer) -> Vec<String> {
    let list = match answer {
        Ok(list) => list,
        Err(e) if e.kind == ErrorKind::NoSuchType => return Vec::new(),
        Err(e) => {
            return vec![format!(
                "it cannot be told whether an autoscaler hinders: {e}"
            )];
        }
    };
    let each = list["items"].as_array().into_iter().flatten();
    let from_nothing = each.filter(|scaler| scaler["spec"]["minReplicas"] == 0);
    let warning = |scaler: &Json| {
        let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
        let namespace = text(&scaler["metadata"]["namespace"]);
        let target = &scaler["spec"]["scaleTargetRef"];
        let target = format!(
            "{} {namespace}/{}",
            text(&target["kind"]),
            text(&target["name"])
        );
        let name = text(&scaler["metadata"]["name"]);
        spots.contains(&target).then(|| {
            format!(
                "HorizontalPodAutoscaler {namespace}/{name} has `minReplicas: 0` and may scale {target} \
                 up again; pause that first"
            )
        })
    };
    from_nothing.filter_map(warning).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    #[test]
    fn whoever_would_put_an_object_back_is_named() {
        let id = "shop:apps/Deployment:shop/web";
        for (metadata, expected) in [
            (json!({}), None),
            (
                json!({"labels": {"app.kubernetes.io/instance": "web"}}),
                None,
            ),
            (
                json!({"annotations": {"argocd.argoproj.io/tracking-id": id}}),
                Some("Argo CD (shop)"),
            ),
            (
                json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}),
                Some("Flux (apps)"),
            ),
            (
                json!({"ownerReferences": [{"kind": "Prometheus", "name": "k8s", "controller": true}]}),
                Some("Prometheus k8s"),
            ),
            (
                json!({"ownerReferences": [{"kind": "Node", "name": "a"}]}),
                None,
            ),
        ] {
            let found = keeper(&json!({"metadata": metadata}));
            assert_eq!(found.as_deref(), expected, "{metadata}");
        }
    }

    #[test]
    fn only_an_autoscaler_that_scales_from_nothing_hinders() {
        let scaler = |name: &str, least: Json| {
            json!({"metadata": {"namespace": "shop", "name": name}, "spec": {
                "minReplicas": least, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}})
        };
        let paused = BTreeSet::from(["Deployment shop/web".to_owned()]);
        for (least, count) in [(Json::Null, 0), (json!(1), 0), (json!(0), 1)] {
            let list = json!({"items": [scaler("web", least.clone())]});
            assert_eq!(scaled(&paused, &Ok(Arc::new(list))).len(), count, "{least}");
        }
        let list = json!({"items": [scaler("web", json!(0))]});
        assert!(scaled(&BTreeSet::new(), &Ok(Arc::new(list))).is_empty());
    }
}
