//! What a reader sees of two objects: nothing but what is different.

use super::*;

fn deployment(pod: Json) -> Json {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"template": {"spec": pod}}})
}

fn config(data: Json) -> Json {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data})
}

/// The changed lines of a diff, without indentation.
fn changed(before: &Json, after: &Json) -> Vec<String> {
    let text = text_diff(before, after, "it").unwrap_or_default();
    let lines = text.lines().skip(2);
    lines
        .filter(|l| l.starts_with(['+', '-']))
        .map(|l| format!("{}{}", &l[..1], l[1..].trim_start()))
        .collect()
}

#[test]
fn what_is_put_into_a_list_is_one_addition_wherever_it_stands() {
    for (list, old, new, lines) in [
        (
            "containers",
            json!([{"name": "b", "image": "x"}, {"name": "c", "image": "y"}]),
            json!([{"name": "a", "image": "z"}, {"name": "c", "image": "y"}, {"name": "b", "image": "x"}]),
            vec!["+- image: z", "+name: a"],
        ),
        (
            "volumes",
            json!([{"name": "b", "emptyDir": {}}]),
            json!([{"name": "a", "configMap": {"name": "a", "defaultMode": 420}}, {"name": "b", "emptyDir": {}}]),
            vec!["+- configMap:", "+name: a", "+name: a"],
        ),
    ] {
        assert_eq!(
            changed(
                &deployment(json!({list: old})),
                &deployment(json!({list: new}))
            ),
            lines
        );
    }
    for (list, old, new, lines) in [
        (
            "env",
            json!([{"name": "B", "value": "1"}, {"name": "C", "value": "2"}]),
            json!([{"name": "C", "value": "3"}, {"name": "A", "value": "0"}, {"name": "B", "value": "1"}]),
            vec![
                "-value: \"2\"",
                "+value: \"3\"",
                "+- name: A",
                "+value: \"0\"",
            ],
        ),
        (
            "ports",
            json!([{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}]),
            json!([{"containerPort": 53, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}, {"containerPort": 80, "protocol": "TCP"}]),
            vec!["+- containerPort: 53"],
        ),
        (
            "volumeMounts",
            json!([{"mountPath": "/b", "name": "x"}, {"mountPath": "/c", "name": "x"}]),
            json!([{"mountPath": "/c", "name": "x"}]),
            vec!["-- mountPath: /b", "-name: x"],
        ),
    ] {
        let of = |value| deployment(json!({"containers": [{"name": "web", list: value}]}));
        assert_eq!(changed(&of(old), &of(new)), lines, "{list}");
    }
}

#[test]
fn elements_of_one_key_are_shown_as_they_stand() {
    let of = |names: [&str; 2]| {
        let env: Vec<Json> = names
            .iter()
            .map(|v| json!({"name": "A", "value": v}))
            .collect();
        deployment(json!({"containers": [{"name": "web", "env": env}]}))
    };
    let lines = changed(&of(["x", "y"]), &of(["y", "x"]));
    assert_eq!(lines.len(), 4, "{lines:?}");
}

#[test]
fn quantities_of_one_value_are_no_difference_beside_one() {
    let of = |image: &str, cpu: &str, memory: &str| {
        deployment(json!({"containers": [{"name": "web", "image": image,
            "resources": {"limits": {"cpu": cpu, "memory": memory}}}]}))
    };
    let lines = changed(&of("a", "1000m", "1Gi"), &of("b", "1", "1024Mi"));
    assert_eq!(lines, ["-- image: a", "+- image: b"]);
    let lines = changed(&of("a", "1", "1Gi"), &of("a", "1500m", "1Gi"));
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[test]
fn a_default_is_shown_only_against_another_value() {
    let of = |spec: Json| json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec});
    let strategy = json!({"type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}});
    let filled = of(json!({"paused": false, "replicas": 1, "strategy": strategy}));
    let none: [&str; 0] = [];
    assert_eq!(changed(&filled, &of(json!({"paused": false}))), none);
    assert_eq!(
        changed(&filled, &of(json!({"paused": true}))),
        ["-paused: false", "+paused: true"]
    );
    assert_eq!(
        changed(&of(json!({"replicas": 3})), &filled),
        ["-replicas: 3", "+paused: false", "+replicas: 1"]
    );
    let probe = |more: Json| {
        let mut probe = json!({"httpGet": {"path": "/", "port": 80}});
        for (key, value) in more.as_object().into_iter().flatten() {
            probe[key] = value.clone();
        }
        deployment(json!({"containers": [{"name": "web", "livenessProbe": probe}]}))
    };
    let filled = probe(json!({"failureThreshold": 3, "periodSeconds": 10, "timeoutSeconds": 1}));
    assert_eq!(changed(&filled, &probe(json!({}))), none);
    assert_eq!(
        changed(&filled, &probe(json!({"periodSeconds": 5}))),
        ["-periodSeconds: 10", "+periodSeconds: 5"]
    );
}

#[test]
fn documents_in_texts_are_compared_as_structure_where_both_sides_hold_one() {
    for (old, new, lines) in [
        (
            r#"{"a": 1, "b": [1, 2]}"#,
            "{\n  \"b\": [1, 2],\n  \"a\": 2\n}",
            vec!["-a: 1", "+a: 2"],
        ),
        (
            "b: 1\na:\n  c: x # old\n",
            "a: {c: y}\nb: 1\n",
            vec!["-c: x", "+c: \"y\""],
        ),
        // Only one side is a document: text, line by line.
        ("one\ntwo\nthree\n", "one\n2\nthree\n", vec!["-two", "+2"]),
        // The same in other words does differ, and is shown as it stands.
        ("a: 1\n", "a: 1 # why\n", vec!["-a: 1", "+a: 1 # why"]),
    ] {
        let lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
        let (old, new) = (config(json!({"f": old})), config(json!({"f": new})));
        assert_eq!(changed(&old, &new), lines);
    }
    let of = |text: &str| {
        json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "a", "annotations": {"x.example/config": text}}})
    };
    assert_eq!(
        changed(&of(r#"{"a":1,"b":2}"#), &of(r#"{"b":3,"a":1}"#)),
        ["-b: 2", "+b: 3"]
    );
}

#[test]
fn what_kubectl_keeps_of_its_last_apply_is_no_difference() {
    let of = |copy: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"},
            "metadata": {"name": "a", "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": copy}}})
    };
    assert!(!differs(&of("{\"data\":{\"a\":\"1\"}}"), &of("{}")));
}
