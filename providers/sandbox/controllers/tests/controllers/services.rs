//! Services, their endpoints and addresses.

use serde_json::Value;
use serde_json::json;

use crate::fixture::condition;
use crate::fixture::deployment;
use crate::world::World;

fn service(spec: Value) -> Value {
    let mut service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "type": "ClusterIP",
            "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]}});
    for (key, value) in spec.as_object().into_iter().flatten() {
        service["spec"][key] = value.clone();
    }
    service
}

#[test]
fn endpoints_follow_the_pods_readiness() {
    let mut world = World::new();
    let mut web = deployment("web", 2);
    web["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] =
        json!({"initialDelaySeconds": 30});
    world.add(service(json!({})));
    world.add(web);
    world.pass(1);
    assert!(world.see("", "Endpoints", "web")["subsets"].is_null());
    world.pass(20);
    let endpoints = world.see("", "Endpoints", "web");
    let not_ready = endpoints["subsets"][0]["notReadyAddresses"].as_array();
    assert_eq!(not_ready.map_or(0, Vec::len), 2, "{endpoints:#}");
    world.pass(60);
    let endpoints = world.see("", "Endpoints", "web");
    let ready = endpoints["subsets"][0]["addresses"].as_array();
    assert_eq!(ready.map_or(0, Vec::len), 2);
    assert_eq!(endpoints["subsets"][0]["ports"][0]["port"], 8080);
    let slices = world.names("discovery.k8s.io", "EndpointSlice");
    assert_eq!(slices.len(), 1);
    let slice = world.see("discovery.k8s.io", "EndpointSlice", &slices[0]);
    assert_eq!(
        slice["metadata"]["labels"]["kubernetes.io/service-name"],
        "web"
    );
    assert_eq!(slice["endpoints"][1]["conditions"]["ready"], true);
    world.change("apps", "Deployment", "web", |web| {
        web["spec"]["replicas"] = 0.into()
    });
    world.pass(60);
    assert!(world.see("", "Endpoints", "web")["subsets"].is_null());
    let slice = world.see("discovery.k8s.io", "EndpointSlice", &slices[0]);
    assert_eq!(slice["endpoints"], json!([]));
    world.remove("", "Service", "web");
    world.pass(1);
    assert!(world.names("discovery.k8s.io", "EndpointSlice").is_empty());
}

#[test]
fn a_slice_holds_a_hundred_endpoints() {
    let mut world = World::new();
    world.add(service(json!({})));
    world.add(deployment("web", 250));
    world.pass(60);
    assert_eq!(world.names("discovery.k8s.io", "EndpointSlice").len(), 3);
}

#[test]
fn a_service_without_a_selector_is_left_alone() {
    let mut world = World::new();
    let mut plain = service(json!({}));
    plain["spec"]["selector"] = Value::Null;
    world.add(plain);
    world.pass(10);
    assert!(world.names("", "Endpoints").is_empty());
}

#[test]
fn a_load_balancer_gets_its_address_after_a_while() {
    for domain in [None, Some("elb.example")] {
        let mut world = World::new();
        world.settings.load_balancer_domain = domain.map(str::to_owned);
        world.add(service(json!({"type": "LoadBalancer"})));
        world.pass(60);
        assert!(world.see("", "Service", "web")["status"]["loadBalancer"].is_null());
        world.pass(60);
        let web = world.see("", "Service", "web");
        let ingress = &web["status"]["loadBalancer"]["ingress"][0];
        let (field, part) = domain.map_or(("ip", "198.1"), |domain| ("hostname", domain));
        let address = ingress[field].as_str().unwrap_or_default();
        assert!(address.contains(part), "{ingress}");
    }
}

#[test]
fn an_ingress_needs_its_class() {
    let mut world = World::new();
    world.add(
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": "web"}, "spec": {"ingressClassName": "nginx"}}),
    );
    world.pass(120);
    let address = |world: &World| {
        let web = world.see("networking.k8s.io", "Ingress", "web");
        web["status"]["loadBalancer"]["ingress"][0]["ip"].is_string()
    };
    assert!(!address(&world));
    world.add(
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
        "metadata": {"name": "nginx"}}),
    );
    world.pass(1);
    assert!(address(&world));
}

#[test]
fn a_budget_says_how_many_pods_may_go() {
    let mut world = World::new();
    world.add(
        json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {"name": "web"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}}),
    );
    world.pass(1);
    let budget = world.see("policy", "PodDisruptionBudget", "web");
    assert_eq!(
        condition(&budget, "DisruptionAllowed")["reason"],
        "InsufficientPods"
    );
    world.add(deployment("web", 3));
    world.pass(60);
    let budget = world.see("policy", "PodDisruptionBudget", "web");
    assert_eq!(budget["status"]["disruptionsAllowed"], 2);
    assert_eq!(
        condition(&budget, "DisruptionAllowed")["reason"],
        "SufficientPods"
    );
}
