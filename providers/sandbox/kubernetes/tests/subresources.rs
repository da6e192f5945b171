//! What is sent to subresources is read as strictly as objects are.

use std::time::Duration;

use drplan_api::Clock;
use drplan_sandbox_kubernetes::Cluster;
use drplan_sandbox_kubernetes::ClusterOptions;
use drplan_sandbox_kubernetes::User;
use http::Method;
use http::Request;
use http::header::CONTENT_TYPE;
use kube::Client;
use serde_json::Value;
use serde_json::json;

const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";

/// A cluster with a Deployment and a bare pod that runs.
async fn lived_in() -> (Cluster, Client) {
    let start = "2026-01-01T00:00:00Z".parse().expect("a time");
    let cluster = Cluster::new(ClusterOptions::new("a", 1, Clock::starting_at(start)));
    let pod = json!({ "containers": [{ "name": "c", "image": "i:1" }] });
    let labels = json!({ "app": "web" });
    let objects = [
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "namespace": "default" },
            "spec": {
                "replicas": 1,
                "selector": { "matchLabels": labels },
                "template": { "metadata": { "labels": labels }, "spec": pod },
            },
        }),
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": "bare", "namespace": "default" },
            "spec": pod,
        }),
    ];
    cluster.load(objects).expect("objects");
    cluster.start();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let client = Client::new(cluster.router_as(User::admin()), "default");
    (cluster, client)
}

async fn send(
    client: &Client,
    method: Method,
    path: &str,
    kind: &str,
    body: &Value,
) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(CONTENT_TYPE, kind)
        .body(kube::client::Body::from(body.to_string().into_bytes()));
    let answer = client.send(request.expect("a request")).await;
    let (head, body) = answer.expect("an answer").into_parts();
    let bytes = body.collect_bytes().await.expect("a body");
    let body = serde_json::from_slice(&bytes).expect("JSON");
    (head.status.as_u16(), body)
}

/// Sends what must be refused: with this code, and these words in the message.
async fn refused(client: &Client, method: Method, path: &str, cases: &[(Value, u16, &str)]) {
    for (body, code, words) in cases {
        let kind = if method == Method::PATCH { MERGE } else { JSON };
        let (said, answer) = send(client, method.clone(), path, kind, body).await;
        assert_eq!(said, *code, "{path} {body}: {answer:#}");
        assert_eq!(answer["kind"], "Status", "{path} {body}");
        let message = answer["message"].as_str().unwrap_or_default();
        assert!(message.contains(words), "{path} {body}: {message}");
    }
}

fn scale(name: &str, replicas: Value) -> Value {
    json!({
        "apiVersion": "autoscaling/v1", "kind": "Scale",
        "metadata": { "name": name }, "spec": { "replicas": replicas },
    })
}

#[tokio::test(start_paused = true)]
async fn a_scale_is_a_scale_of_that_object_with_a_number_that_can_be() {
    let (cluster, client) = lived_in().await;
    let path = "/apis/apps/v1/namespaces/default/deployments/web/scale";
    let before = cluster.object("apps", "deployments", "default", "web");
    refused(
        &client,
        Method::PUT,
        path,
        &[
            (json!([1]), 400, "cannot unmarshal array"),
            (
                json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "web" } }),
                400,
                "ConfigMap in version \"v1\" cannot be handled as a Scale",
            ),
            (scale("other", json!(2)), 400, "does not match the name on the URL"),
            (scale("", json!(2)), 400, "name must be provided"),
            (
                scale("web", json!("2")),
                400,
                "cannot unmarshal string into Go struct field ScaleSpec.spec.replicas of type int32",
            ),
            (scale("web", json!(3_000_000_000_u64)), 400, "of type int32"),
            (scale("web", json!(-1)), 422, "must be greater than or equal to 0"),
        ],
    )
    .await;
    refused(
        &client,
        Method::PATCH,
        path,
        &[
            (
                json!({ "spec": { "replicas": -1 } }),
                422,
                "must be greater than or equal to 0",
            ),
            (
                json!({ "spec": { "replicas": "many" } }),
                422,
                "of type int32",
            ),
            (
                json!({ "metadata": { "name": "other" } }),
                400,
                "does not match",
            ),
        ],
    )
    .await;
    let after = cluster.object("apps", "deployments", "default", "web");
    assert_eq!(before, after, "nothing was written");
    let patch = json!({ "spec": { "replicas": 2 } });
    let (code, answer) = send(&client, Method::PATCH, path, MERGE, &patch).await;
    assert_eq!(
        (code, &answer["spec"]["replicas"]),
        (200, &json!(2)),
        "{answer:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_namespace_takes_only_finalizers_that_could_be_meant() {
    let (_, client) = lived_in().await;
    let body = |name: &str, finalizers: Value| {
        json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": name }, "spec": { "finalizers": finalizers },
        })
    };
    refused(
        &client,
        Method::PUT,
        "/api/v1/namespaces/default/finalize",
        &[
            (
                json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "default" } }),
                400,
                "cannot be handled as a Namespace",
            ),
            (
                body("other", json!([])),
                400,
                "does not match the name on the URL",
            ),
            (
                body("default", json!("kubernetes")),
                400,
                "of type []string",
            ),
            (
                body("default", json!(["mine"])),
                422,
                "nor is it fully qualified",
            ),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_token_is_asked_for_with_a_request_for_one() {
    let (cluster, client) = lived_in().await;
    let path = "/api/v1/namespaces/default/serviceaccounts/default/token";
    let body = |spec: Value| json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec });
    let bound = |kind: &str, name: &str| {
        body(json!({ "boundObjectRef": { "apiVersion": "v1", "kind": kind, "name": name } }))
    };
    let mut named = body(json!({}));
    named["metadata"] = json!({ "name": "other" });
    refused(
        &client,
        Method::POST,
        path,
        &[
            (
                json!({ "apiVersion": "v1", "kind": "Pod" }),
                400,
                "cannot be handled as a TokenRequest",
            ),
            (body(json!({ "audiences": "me" })), 400, "of type []string"),
            (
                body(json!({ "expirationSeconds": 1 })),
                422,
                "less than 10 minutes",
            ),
            (
                body(json!({ "expirationSeconds": 1_u64 << 40 })),
                422,
                "larger than 2^32 seconds",
            ),
            (named, 422, "must match the service account name"),
            (bound("ConfigMap", "x"), 400, "cannot bind token"),
            (bound("Pod", "nobody"), 404, "pods \"nobody\" not found"),
        ],
    )
    .await;
    let (code, answer) = send(&client, Method::POST, path, JSON, &bound("Pod", "bare")).await;
    assert_eq!(code, 201, "{answer:#}");
    assert_eq!(answer["spec"]["boundObjectRef"]["name"], "bare");
    assert!(
        cluster
            .object("", "serviceaccounts", "default", "default")
            .is_some()
    );
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_evicted_and_bound_only_by_what_says_so() {
    let (cluster, client) = lived_in().await;
    let eviction = |name: &str| {
        json!({
            "apiVersion": "policy/v1", "kind": "Eviction",
            "metadata": { "name": name, "namespace": "default" },
        })
    };
    let mut hasty = eviction("bare");
    hasty["deleteOptions"] = json!({ "gracePeriodSeconds": "now" });
    let path = "/api/v1/namespaces/default/pods/bare/eviction";
    refused(
        &client,
        Method::POST,
        path,
        &[
            (
                json!({ "apiVersion": "v1", "kind": "Binding", "metadata": { "name": "bare" } }),
                400,
                "cannot be handled as a Eviction",
            ),
            (
                eviction("other"),
                400,
                "name in URL does not match name in Eviction object",
            ),
            (hasty, 400, "of type int64"),
        ],
    )
    .await;
    let binding = |target: Value| {
        json!({
            "apiVersion": "v1", "kind": "Binding",
            "metadata": { "name": "bare" }, "target": target,
        })
    };
    refused(
        &client,
        Method::POST,
        "/api/v1/namespaces/default/pods/bare/binding",
        &[
            (eviction("bare"), 400, "cannot be handled as a Binding"),
            (binding(json!({})), 500, "target.name: Required value"),
            (
                binding(json!({ "kind": "Pod", "name": "n" })),
                500,
                "target.kind: Unsupported value: \"Pod\"",
            ),
        ],
    )
    .await;
    assert!(cluster.object("", "pods", "default", "bare").is_some());
    let (code, answer) = send(&client, Method::POST, path, JSON, &eviction("bare")).await;
    assert_eq!(
        (code, &answer["status"]),
        (201, &json!("Success")),
        "{answer:#}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_scale_beyond_all_measure_gives_some_pods_and_says_so() {
    let (cluster, client) = lived_in().await;
    let path = "/apis/apps/v1/namespaces/default/deployments/web/scale";
    let patch = json!({ "spec": { "replicas": 100_000_000 } });
    let (code, answer) = send(&client, Method::PATCH, path, MERGE, &patch).await;
    assert_eq!(code, 200, "{answer:#}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let pods = cluster.objects("", "pods").len();
    assert_eq!(pods, 1_001, "those of the Deployment, and the bare one");
    let web = cluster.object("apps", "deployments", "default", "web");
    let web = web.expect("the Deployment").to_string();
    assert!(
        web.contains("the rehearsal makes at most 1000 pods of one owner"),
        "{web}"
    );
    assert_eq!(cluster.objects("", "events").len(), 1);
}
