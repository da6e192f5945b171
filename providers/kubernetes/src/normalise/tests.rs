use serde_json::json;

use super::*;

fn deployment(image: &str) -> Json {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "replicas": 2,
            "template": {"spec": {"containers": [{
                "name": "web", "image": image,
                "resources": {"limits": {"cpu": "1"}},
                "ports": [{"containerPort": 80}],
            }]}},
        },
    })
}

fn live(image: &str) -> Json {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "7",
            "labels": {"drplan.io/recovery": "shop"},
            "annotations": {"deployment.kubernetes.io/revision": "3"}},
        "spec": {
            "replicas": 2, "revisionHistoryLimit": 10,
            "template": {"spec": {"dnsPolicy": "ClusterFirst", "containers": [
                {"name": "side", "image": "mesh"},
                {"name": "web", "image": image, "terminationMessagePolicy": "File",
                 "resources": {"limits": {"cpu": "1000m"}},
                 "ports": [{"containerPort": 80, "protocol": "TCP"}]},
            ]}},
        },
        "status": {"replicas": 2},
    })
}

#[test]
fn only_the_fields_that_are_wanted_are_compared() {
    assert!(differences(&deployment("a"), &live("a")).is_empty());
    assert_eq!(
        differences(&deployment("b"), &live("a")),
        [".spec.template.spec.containers[web].image"]
    );
}

#[test]
fn what_the_server_keeps_and_fills_in_does_not_count() {
    let a = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"},
        "spec": {"ports": [{"port": 80}]}});
    let b = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "a", "uid": "x", "labels": {"velero.io/restore-name": "r"}},
        "spec": {"type": "ClusterIP", "clusterIP": "10.0.0.1", "sessionAffinity": "None",
            "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30000}]},
        "status": {"loadBalancer": {}}});
    assert!(!differs(&a, &b));
    assert_eq!(text_diff(&a, &b, "services a"), None);
    let mut c = b.clone();
    c["spec"]["ports"][0]["port"] = 81.into();
    assert!(differs(&a, &c));
}

#[test]
fn an_injected_certificate_counts_only_without_the_annotation() {
    let hook = |bundle: &str, annotations: Json| {
        json!({"apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "a", "annotations": annotations},
            "webhooks": [{"name": "w", "clientConfig": {"caBundle": bundle}}]})
    };
    let injected = json!({"cert-manager.io/inject-ca-from": "a/b"});
    assert!(!differs(&hook("x", injected.clone()), &hook("y", injected)));
    assert!(differs(&hook("x", json!({})), &hook("y", json!({}))));
}

#[test]
fn lists_of_unknown_kinds_are_compared_element_by_element() {
    let thing = |ports: Json| json!({"apiVersion": "x.example/v1", "spec": {"ports": ports}});
    let one = thing(json!([{"name": "a"}]));
    assert!(differences(&one, &thing(json!([{"name": "a", "made": 1}]))).is_empty());
    assert!(!differences(&one, &thing(json!([{"name": "a"}, {"name": "b"}]))).is_empty());
}

#[test]
fn values_of_secrets_are_shown_as_equal_or_different_only() {
    let secret = |password: &str| {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"},
            "data": {"password": password, "user": "c2hvcA=="}})
    };
    let text = text_diff(&secret("aHVudGVyMg=="), &secret("b3RoZXI="), "secrets db");
    let text = text.expect("a difference");
    assert!(text.contains("+  password: (hidden, different)"), "{text}");
    assert!(text.contains("user: (hidden, equal)"), "{text}");
    assert!(!text.contains("aHVudGVyMg") && !text.contains("b3RoZXI"));
    assert_eq!(
        text_diff(&secret("YQ=="), &secret("YQ=="), "secrets db"),
        None
    );
}

#[test]
fn a_difference_is_shown_as_it_would_be_after_an_apply() {
    let after = overlay(&deployment("b"), &live("a"));
    let text = text_diff(&live("a"), &after, "deployments.apps shop/web").expect("a difference");
    let changed: Vec<_> = text
        .lines()
        .filter(|l| l.starts_with(['+', '-']) && !l.starts_with("+++") && !l.starts_with("---"))
        .collect();
    assert_eq!(changed.len(), 2, "{text}");
    assert!(text.contains("image: b") && text.contains("image: a"));
}

#[test]
fn a_change_of_a_field_that_is_not_wanted_does_not_change_the_projection() {
    let mut other = live("a");
    other["spec"]["template"]["spec"]["containers"][0]["image"] = "newer".into();
    other["metadata"]["resourceVersion"] = "8".into();
    let want = deployment("a");
    assert_eq!(project(&want, &live("a")), project(&want, &other));
    assert_ne!(project(&want, &live("a")), project(&want, &live("b")));
}

#[test]
fn a_settled_secret_is_equal_where_there_is_a_value_and_a_late_value_is_not() {
    let want = |secret: bool, after: Json| json!({"data": {"a": {"$hole": {"expr": 1, "secret": secret, "after": after}}}});
    let there = json!({"data": {"a": "x"}});
    assert!(differences(&want(true, json!([])), &there).is_empty());
    assert_eq!(
        differences(&want(true, json!([])), &json!({"data": {}})),
        [".data.a"]
    );
    assert_eq!(
        differences(&want(false, json!(["command.x"])), &there),
        [".data.a"]
    );
}

#[path = "shown_tests.rs"]
mod shown;
