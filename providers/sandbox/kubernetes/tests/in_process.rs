//! The kube client against the embedded API, without a socket and in virtual time.

use std::time::Duration;

use drplan_api::Clock;
use drplan_sandbox_kubernetes::Cluster;
use drplan_sandbox_kubernetes::ClusterOptions;
use drplan_sandbox_kubernetes::User;
use futures::StreamExt;
use futures::TryStreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::Client;
use kube::api::DeleteParams;
use kube::api::ListParams;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::api::PostParams;
use kube::api::WatchEvent;
use kube::api::WatchParams;
use serde_json::json;

fn cluster() -> Cluster {
    let start = "2026-01-01T00:00:00Z".parse().expect("a time");
    Cluster::new(ClusterOptions::new("a", 1, Clock::starting_at(start)))
}

fn client(cluster: &Cluster) -> Client {
    Client::new(cluster.router_as(User::admin()), "default")
}

fn config_map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": name, "labels": { "app": name } },
        "data": { "key": value },
    }))
    .expect("a ConfigMap")
}

#[tokio::test(start_paused = true)]
async fn objects_are_created_read_changed_and_deleted() {
    let cluster = cluster();
    let maps: Api<ConfigMap> = Api::namespaced(client(&cluster), "default");
    let made = maps
        .create(&PostParams::default(), &config_map("one", "1"))
        .await
        .expect("created");
    assert!(made.metadata.uid.is_some());
    let twice = maps
        .create(&PostParams::default(), &config_map("one", "1"))
        .await;
    assert!(matches!(twice, Err(kube::Error::Api(status)) if status.reason == "AlreadyExists"));

    let mut stale = made.clone();
    maps.replace("one", &PostParams::default(), &config_map("one", "2"))
        .await
        .expect("replaced");
    stale.data = None;
    let refused = maps.replace("one", &PostParams::default(), &stale).await;
    assert!(matches!(refused, Err(kube::Error::Api(status)) if status.reason == "Conflict"));

    let patch = json!({ "data": { "other": "3" } });
    let patched = maps
        .patch("one", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .expect("patched");
    assert_eq!(patched.data.expect("data").len(), 2);
    maps.delete("one", &DeleteParams::default())
        .await
        .expect("deleted");
    assert!(maps.get_opt("one").await.expect("an answer").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_no_object_is_refused_and_breaks_nothing() {
    let cluster = cluster();
    let client = client(&cluster);
    for body in ["[]", "5", "\"x\"", "true"] {
        for path in [
            "/api/v1/namespaces/default/configmaps",
            "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
            "/apis/authentication.k8s.io/v1/tokenreviews",
        ] {
            let request = http::Request::post(path).body(body.as_bytes().to_vec());
            let sent = client.request::<serde_json::Value>(request.expect("a request"));
            let refused = sent.await;
            assert!(
                matches!(&refused, Err(kube::Error::Api(status)) if status.code == 400),
                "{path} {body}: {refused:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn pages_of_a_list_show_one_state() {
    let cluster = cluster();
    let maps: Api<ConfigMap> = Api::namespaced(client(&cluster), "default");
    for number in 0..5 {
        let map = config_map(&format!("map-{number}"), "1");
        maps.create(&PostParams::default(), &map)
            .await
            .expect("created");
    }
    let first = maps
        .list(&ListParams::default().limit(2))
        .await
        .expect("a page");
    let token = first.metadata.continue_.clone().expect("a token");
    assert_eq!(first.metadata.remaining_item_count, Some(3));
    maps.delete("map-3", &DeleteParams::default())
        .await
        .expect("deleted");
    let rest = maps
        .list(&ListParams::default().continue_token(&token))
        .await
        .expect("the rest");
    assert_eq!(rest.items.len(), 3);
    assert_eq!(
        rest.metadata.resource_version,
        first.metadata.resource_version
    );

    cluster.compact();
    let again = maps
        .list(&ListParams::default().limit(2))
        .await
        .expect("a page");
    let old = maps
        .list(&ListParams::default().continue_token(&token))
        .await;
    assert!(matches!(old, Err(kube::Error::Api(status)) if status.code == 410));
    assert_eq!(again.items.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_watch_replays_and_follows_its_selector() {
    let cluster = cluster();
    let maps: Api<ConfigMap> = Api::namespaced(client(&cluster), "default");
    maps.create(&PostParams::default(), &config_map("one", "1"))
        .await
        .expect("created");
    let params = WatchParams::default()
        .labels("app=one")
        .timeout(5)
        .disable_bookmarks();
    let mut events = maps.watch(&params, "1").await.expect("a watch").boxed();
    let writer = maps.clone();
    let change = json!({ "metadata": { "labels": { "app": "other" } } });
    writer
        .patch("one", &PatchParams::default(), &Patch::Merge(&change))
        .await
        .expect("patched");
    let added = events
        .try_next()
        .await
        .expect("an event")
        .expect("an event");
    assert!(matches!(added, WatchEvent::Added(_)));
    let left = events
        .try_next()
        .await
        .expect("an event")
        .expect("an event");
    assert!(matches!(left, WatchEvent::Deleted(_)));
    let started = tokio::time::Instant::now();
    assert!(events.try_next().await.expect("an end").is_none());
    assert_eq!(started.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_cannot_be_watched() {
    let cluster = cluster();
    let maps: Api<ConfigMap> = Api::namespaced(client(&cluster), "default");
    maps.create(&PostParams::default(), &config_map("one", "1"))
        .await
        .expect("created");
    cluster.compact();
    let mut events = maps
        .watch(&WatchParams::default(), "1")
        .await
        .expect("a watch")
        .boxed();
    let event = events.try_next().await.expect("an event");
    assert!(matches!(event, Some(WatchEvent::Error(status)) if status.code == 410));
}

#[tokio::test(start_paused = true)]
async fn both_forms_of_discovery_find_the_same() {
    let cluster = cluster();
    let client = client(&cluster);
    let legacy = kube::discovery::Discovery::new(client.clone())
        .run()
        .await
        .expect("found");
    let new = kube::discovery::Discovery::new(client)
        .run_aggregated()
        .await
        .expect("found");
    let count = |discovery: &kube::discovery::Discovery| -> usize {
        discovery
            .groups()
            .map(|group| group.recommended_resources().len())
            .sum()
    };
    assert!(count(&legacy) > 30, "{}", count(&legacy));
    assert_eq!(count(&legacy), count(&new));
}

#[tokio::test(start_paused = true)]
async fn two_worlds_with_one_seed_are_equal() {
    let mut dumps = Vec::new();
    for _ in 0..2 {
        let cluster = cluster();
        let namespaces: Api<Namespace> = Api::all(client(&cluster));
        let new = serde_json::from_value(json!({"metadata": {"generateName": "x-"}}))
            .expect("a Namespace");
        namespaces
            .create(&PostParams::default(), &new)
            .await
            .expect("created");
        dumps.push(cluster.dump());
    }
    assert_eq!(dumps[0], dumps[1]);
}

/// A definition with one property, which is a number.
fn definition() -> serde_json::Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": "things.example.com" },
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": { "plural": "things", "kind": "Thing" },
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "schema": { "openAPIV3Schema": {
                    "type": "object",
                    "properties": { "spec": {
                        "type": "object",
                        "properties": { "size": { "type": "integer" } },
                    } },
                } },
            }],
        },
    })
}

#[tokio::test(start_paused = true)]
async fn a_definition_is_established_and_takes_its_objects_along() {
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
    use kube::runtime::conditions;
    use kube::runtime::wait::await_condition;

    let cluster = cluster();
    cluster.start();
    let client = client(&cluster);
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let crd = serde_json::from_value(definition()).expect("a definition");
    definitions
        .create(&PostParams::default(), &crd)
        .await
        .expect("created");
    let name = "things.example.com";
    let established = conditions::is_crd_established();
    await_condition(definitions.clone(), name, established)
        .await
        .expect("established");

    let gvk = kube::core::GroupVersionKind::gvk("example.com", "v1", "Thing");
    let (resource, _) = kube::discovery::pinned_kind(&client, &gvk)
        .await
        .expect("served");
    let things: Api<kube::api::DynamicObject> =
        Api::namespaced_with(client.clone(), "default", &resource);
    let thing = serde_json::from_value(json!({
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "metadata": { "name": "t" },
        "spec": { "size": 1, "other": 2 },
    }))
    .expect("a thing");
    let made = things
        .create(&PostParams::default(), &thing)
        .await
        .expect("created");
    assert_eq!(made.data["spec"], json!({ "size": 1 }));

    definitions
        .delete(name, &DeleteParams::default())
        .await
        .expect("deleted");
    let uid = made.metadata.uid.expect("a uid");
    await_condition(things.clone(), "t", conditions::is_deleted(&uid))
        .await
        .expect("gone");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(things.list(&ListParams::default()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_namespace_waits_for_its_content_and_takes_nothing_new() {
    let cluster = cluster();
    cluster.start();
    let client = client(&cluster);
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let new = serde_json::from_value(json!({"metadata": {"name": "shop"}})).expect("a Namespace");
    namespaces
        .create(&PostParams::default(), &new)
        .await
        .expect("created");
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "shop");
    let mut held = config_map("held", "1");
    held.metadata.finalizers = Some(vec!["example.com/hold".to_owned()]);
    maps.create(&PostParams::default(), &held)
        .await
        .expect("created");
    namespaces
        .delete("shop", &DeleteParams::default())
        .await
        .expect("deleted");
    tokio::time::sleep(Duration::from_secs(5)).await;
    let refused = maps
        .create(&PostParams::default(), &config_map("late", "1"))
        .await;
    assert!(matches!(refused, Err(kube::Error::Api(status)) if status.code == 403));
    let status = namespaces
        .get("shop")
        .await
        .expect("there")
        .status
        .expect("a status");
    assert_eq!(status.phase.as_deref(), Some("Terminating"));
    assert_eq!(
        status.conditions.map(|conditions| conditions.len()),
        Some(5)
    );

    let release = json!({ "metadata": { "finalizers": null } });
    maps.patch("held", &PatchParams::default(), &Patch::Merge(&release))
        .await
        .expect("patched");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(
        namespaces
            .get_opt("shop")
            .await
            .expect("an answer")
            .is_none()
    );
}

#[tokio::test(start_paused = true)]
async fn a_deployment_becomes_ready_and_takes_its_pods_along() {
    use k8s_openapi::api::apps::v1::Deployment;
    use k8s_openapi::api::core::v1::Pod;

    let cluster = cluster();
    cluster.start();
    let client = client(&cluster);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), "default");
    let web = serde_json::from_value(json!({
        "metadata": { "name": "web" },
        "spec": {
            "replicas": 2,
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "c", "image": "example.com/web:1" }] },
            },
        },
    }))
    .expect("a Deployment");
    deployments
        .create(&PostParams::default(), &web)
        .await
        .expect("created");
    let done = kube::runtime::conditions::is_deployment_completed();
    let wait = kube::runtime::wait::await_condition(deployments.clone(), "web", done);
    let ready = tokio::time::timeout(Duration::from_secs(600), wait).await;
    assert!(
        ready.is_ok(),
        "{:#?}",
        cluster
            .dump()
            .keys()
            .map(|k| k.name.clone())
            .collect::<Vec<_>>()
    );

    deployments
        .delete("web", &DeleteParams::foreground())
        .await
        .expect("deleted");
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert!(
        deployments
            .get_opt("web")
            .await
            .expect("an answer")
            .is_none()
    );
    let pods: Api<Pod> = Api::namespaced(client, "default");
    assert_eq!(
        pods.list(&ListParams::default())
            .await
            .expect("a list")
            .items
            .len(),
        0
    );
}

#[tokio::test(start_paused = true)]
async fn services_never_share_an_address_or_a_port() {
    use k8s_openapi::api::core::v1::Service;

    let cluster = cluster();
    let services: Api<Service> = Api::namespaced(client(&cluster), "default");
    let service = |name: &str, spec: serde_json::Value| -> Service {
        let json = json!({ "metadata": { "name": name }, "spec": spec });
        serde_json::from_value(json).expect("a Service")
    };
    let params = PostParams::default();
    let first = service(
        "one",
        json!({ "type": "NodePort", "ports": [{ "port": 80 }] }),
    );
    let first = services.create(&params, &first).await.expect("created");
    let spec = first.spec.expect("a spec");
    let port = spec.ports.expect("ports")[0].node_port;
    let address = spec.cluster_ip.expect("an address");
    let wanted = json!({ "clusterIP": address, "ports": [{ "port": 80 }] });
    let refused = services
        .create(&params, &service("two", wanted.clone()))
        .await;
    assert!(matches!(refused, Err(kube::Error::Api(status)) if status.code == 422));
    let same = json!({ "type": "NodePort", "ports": [{ "port": 80, "nodePort": port }] });
    let refused = services.create(&params, &service("two", same)).await;
    assert!(matches!(refused, Err(kube::Error::Api(status)) if status.code == 422));
    services
        .delete("one", &DeleteParams::default())
        .await
        .expect("deleted");
    services
        .create(&params, &service("two", wanted))
        .await
        .expect("created");
}

#[tokio::test(start_paused = true)]
async fn two_worlds_with_one_seed_live_the_same_lives() {
    let mut lives = Vec::new();
    for _ in 0..2 {
        let cluster = cluster();
        cluster.start();
        let deployments: Api<k8s_openapi::api::apps::v1::Deployment> =
            Api::namespaced(client(&cluster), "default");
        let web = serde_json::from_value(json!({
            "metadata": { "name": "web" },
            "spec": {
                "replicas": 3,
                "selector": { "matchLabels": { "app": "web" } },
                "template": {
                    "metadata": { "labels": { "app": "web" } },
                    "spec": { "containers": [{ "name": "c", "image": "example.com/web:1" }] },
                },
            },
        }))
        .expect("a Deployment");
        deployments
            .create(&PostParams::default(), &web)
            .await
            .expect("created");
        tokio::time::sleep(Duration::from_secs(120)).await;
        lives.push(cluster.dump());
    }
    assert_eq!(lives[0], lives[1]);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_nobody_holds_ends() {
    let cluster = cluster();
    cluster.start();
    let mut writes = cluster.watch_writes();
    drop(cluster);
    tokio::time::timeout(Duration::from_secs(60), async {
        while writes.changed().await.is_ok() {}
    })
    .await
    .expect("the store is gone");
}

/// How many objects the next test makes.
const MANY: usize = 5_000;

#[tokio::test(start_paused = true)]
async fn five_thousand_objects_are_listed_quickly() {
    let cluster = cluster();
    let objects = (0..MANY).map(|number| {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "namespace": "default", "name": format!("map-{number}") },
            "data": { "key": "x".repeat(1_000) },
        })
    });
    cluster.load(objects).expect("served");
    cluster.start();
    let maps: Api<ConfigMap> = Api::namespaced(client(&cluster), "default");
    let found = maps
        .list_metadata(&ListParams::default())
        .await
        .expect("a list");
    assert!(found.items.len() >= MANY);
    let found = maps.list(&ListParams::default()).await.expect("a list");
    assert!(found.items.len() >= MANY);
}

/// A role that gives one right on pods.
fn role(name: &str, verb: &str) -> k8s_openapi::api::rbac::v1::Role {
    serde_json::from_value(json!({
        "metadata": { "name": name },
        "rules": [{ "apiGroups": [""], "resources": ["pods"], "verbs": [verb] }],
    }))
    .expect("a Role")
}

#[tokio::test(start_paused = true)]
async fn nobody_reads_or_gives_what_they_have_no_right_to() {
    use drplan_sandbox_kubernetes::Rights;
    use k8s_openapi::api::core::v1::Pod;
    use k8s_openapi::api::rbac::v1::Role;

    let start = "2026-01-01T00:00:00Z".parse().expect("a time");
    let mut options = ClusterOptions::new("a", 1, Clock::starting_at(start));
    let rules = json!([
        { "apiGroups": [""], "resources": ["pods"], "verbs": ["list"] },
        { "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["create"] },
    ]);
    let rules = rules.as_array().cloned().unwrap_or_default();
    options.rights = Rights::default().rules("ann", rules);
    let cluster = Cluster::new(options);
    let client = Client::new(cluster.router_as(User::new("ann", &[])), "default");

    let pods: Api<Pod> = Api::namespaced(client.clone(), "default");
    pods.list(&ListParams::default()).await.expect("allowed");
    let refused = pods.get("p").await;
    let text = "pods \"p\" is forbidden: User \"ann\" cannot get resource \"pods\" in API group \
                \"\" in the namespace \"default\"";
    assert!(matches!(refused, Err(kube::Error::Api(status)) if status.message == text));

    let roles: Api<Role> = Api::namespaced(client, "default");
    let params = PostParams::default();
    roles
        .create(&params, &role("own", "list"))
        .await
        .expect("allowed");
    let refused = roles.create(&params, &role("more", "delete")).await;
    assert!(matches!(refused, Err(kube::Error::Api(status)) if status.code == 403));

    let nobody = Client::new(cluster.router(), "default");
    let pods: Api<Pod> = Api::namespaced(nobody, "default");
    let refused = pods.list(&ListParams::default()).await;
    assert!(matches!(refused, Err(kube::Error::Api(status)) if status.code == 403));
    let codes: Vec<_> = cluster.audit().iter().map(|entry| entry.code).collect();
    assert_eq!(codes, [201, 403]);
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_nobody_answers_blocks_and_one_that_may_fail_does_not() {
    use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;

    let cluster = cluster();
    let client = client(&cluster);
    let hooks: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
    let hook = |policy: &str| -> ValidatingWebhookConfiguration {
        serde_json::from_value(json!({
            "metadata": { "name": "hook" },
            "webhooks": [{
                "name": "check.example.com",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": policy,
                "clientConfig": { "service": { "namespace": "default", "name": "gone" } },
                "rules": [{
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "resources": ["configmaps"],
                    "operations": ["CREATE"],
                }],
            }],
        }))
        .expect("a configuration")
    };
    hooks
        .create(&PostParams::default(), &hook("Fail"))
        .await
        .expect("created");
    let maps: Api<ConfigMap> = Api::namespaced(client, "default");
    let refused = maps
        .create(&PostParams::default(), &config_map("one", "1"))
        .await;
    assert!(
        matches!(refused, Err(kube::Error::Api(status)) if status.code == 500
        && status.message.ends_with("service \"gone\" not found"))
    );
    hooks
        .replace("hook", &PostParams::default(), &hook("Ignore"))
        .await
        .expect("replaced");
    maps.create(&PostParams::default(), &config_map("one", "1"))
        .await
        .expect("created");
}
