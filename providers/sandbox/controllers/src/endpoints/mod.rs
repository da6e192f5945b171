//! Endpoints and EndpointSlices: which pods stand behind a Service.

mod legacy;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::Ask;
use crate::Controller;
use crate::Turn;
use crate::Write;
use crate::children::Kind;
use crate::names::Names;
use crate::object::controller;
use crate::object::delete;
use crate::object::is_deleting;
use crate::object::items;
use crate::object::label;
use crate::object::name;
use crate::object::namespace;
use crate::object::owner_reference;
use crate::object::same;
use crate::object::text;
use crate::object::uid;
use crate::selector;
use crate::template::is_finished;
use crate::template::is_ready;

const SERVICES: Kind = ("", "Service");
const PODS: Kind = ("", "Pod");
const ENDPOINTS: Kind = ("", "Endpoints");
const SLICES: Kind = ("discovery.k8s.io", "EndpointSlice");

const SERVICE_NAME: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";
const ZONE: &str = "topology.kubernetes.io/zone";
const HEADLESS: &str = "service.kubernetes.io/headless";

/// How many endpoints one slice holds.
const SLICE: usize = 100;

/// Keeps both kinds for all Services with a selector.
#[derive(Debug)]
pub(crate) struct Endpoints;

impl Controller for Endpoints {
    fn name(&self) -> &'static str {
        "endpoints"
    }

    fn watches(&self) -> &'static [Kind] {
        &[SERVICES, PODS, ENDPOINTS, SLICES]
    }

    fn user(&self) -> &'static str {
        "system:serviceaccount:kube-system:endpointslice-controller"
    }

    fn turn(&self, ask: Ask<'_>) -> Turn {
        let mut turn = Turn::default();
        let mut changed: BTreeMap<&str, Changed> = BTreeMap::new();
        for key in ask.changed {
            let Some(space) = key.namespace.as_deref() else {
                continue;
            };
            let changed = changed.entry(space).or_default();
            changed.add(ask, space, &key.kind, &key.name);
        }
        for (space, changed) in changed {
            let services = changed.services(ask, space);
            if !services.is_empty() {
                let ground = Ground::load(ask, space);
                for service in services {
                    ground.reconcile(ask, &service, &mut turn.writes);
                }
            }
        }
        turn
    }
}

/// What changed in one namespace.
#[derive(Default)]
struct Changed {
    services: BTreeSet<String>,
    pods: Vec<Arc<Value>>,
    /// Something is gone, so that nobody knows whose it was.
    all: bool,
}

impl Changed {
    fn add(&mut self, ask: Ask<'_>, space: &str, kind: &str, name: &str) {
        match kind {
            "Service" | "Endpoints" => {
                self.services.insert(name.to_owned());
            }
            "Pod" => match ask.view.get(PODS.0, PODS.1, Some(space), name) {
                Some(pod) => self.pods.push(pod),
                None => self.all = true,
            },
            _ => match ask.view.get(SLICES.0, SLICES.1, Some(space), name) {
                Some(slice) => {
                    self.services.insert(label(&slice, SERVICE_NAME).to_owned());
                }
                None => self.all = true,
            },
        }
    }

    fn services(&self, ask: Ask<'_>, space: &str) -> Vec<Arc<Value>> {
        let mut found = ask.view.list_in(SERVICES.0, SERVICES.1, space);
        let labels: BTreeSet<String> = self.pods.iter().flat_map(|pod| pairs(pod)).collect();
        found.retain(|service| {
            let given = &service["spec"]["selector"];
            let touched = || {
                let mut wanted = given.as_object().into_iter().flatten();
                wanted.all(|(key, value)| labels.contains(&format!("{key}={}", text(value))))
            };
            given.as_object().is_some_and(|map| !map.is_empty())
                && service["spec"]["type"] != "ExternalName"
                && !is_deleting(service)
                && (self.all || self.services.contains(name(service)) || touched())
        });
        found
    }
}

fn pairs(pod: &Value) -> Vec<String> {
    let labels = pod["metadata"]["labels"].as_object();
    let pairs = labels.into_iter().flatten();
    pairs.map(|(k, v)| format!("{k}={}", text(v))).collect()
}

/// The pods and slices of one namespace.
struct Ground {
    pods: Vec<Arc<Value>>,
    by_label: BTreeMap<String, Vec<usize>>,
    slices: BTreeMap<String, Vec<Arc<Value>>>,
}

impl Ground {
    fn load(ask: Ask<'_>, space: &str) -> Self {
        let pods = ask.view.list_in(PODS.0, PODS.1, space);
        let mut by_label: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (place, pod) in pods.iter().enumerate() {
            for pair in pairs(pod) {
                by_label.entry(pair).or_default().push(place);
            }
        }
        let mut slices: BTreeMap<String, Vec<Arc<Value>>> = BTreeMap::new();
        for slice in ask.view.list_in(SLICES.0, SLICES.1, space) {
            let service = label(&slice, SERVICE_NAME).to_owned();
            slices.entry(service).or_default().push(slice);
        }
        Self {
            pods,
            by_label,
            slices,
        }
    }

    /// The pods with an address that a Service selects, in the order of their names.
    fn behind(&self, service: &Value) -> Vec<&Value> {
        let wanted = &service["spec"]["selector"];
        let smallest = wanted
            .as_object()
            .into_iter()
            .flatten()
            .map(|(k, v)| {
                let places = self.by_label.get(&format!("{k}={}", text(v)));
                places.map_or(&[][..], Vec::as_slice)
            })
            .min_by_key(|places| places.len());
        let pods = smallest
            .into_iter()
            .flatten()
            .filter_map(|i| self.pods.get(*i));
        pods.map(Arc::as_ref)
            .filter(|pod| {
                selector::has_all(wanted, &pod["metadata"]["labels"])
                    && pod["status"]["podIP"].is_string()
                    && !is_finished(pod)
            })
            .collect()
    }

    fn reconcile(&self, ask: Ask<'_>, service: &Value, writes: &mut Vec<Write>) {
        let pods = self.behind(service);
        self.slices(ask, service, &pods, writes);
        let wanted = legacy::endpoints(service, &pods);
        let there = ask.view.get(
            ENDPOINTS.0,
            ENDPOINTS.1,
            Some(namespace(service)),
            name(service),
        );
        match there {
            None => writes.push(Write::Create(wanted)),
            Some(there) if is_deleting(&there) || same(&there["subsets"], &wanted["subsets"]) => {}
            Some(there) => {
                let mut changed = there.as_ref().clone();
                match (&wanted["subsets"], changed.as_object_mut()) {
                    (Value::Null, Some(map)) => {
                        map.remove("subsets");
                    }
                    (subsets, _) => changed["subsets"] = subsets.clone(),
                }
                writes.push(Write::Update(changed));
            }
        }
    }

    fn slices(&self, ask: Ask<'_>, service: &Value, pods: &[&Value], writes: &mut Vec<Write>) {
        let mut by_ports: BTreeMap<String, (Value, Vec<Value>)> = BTreeMap::new();
        for pod in pods {
            let ports = slice_ports(service, pod);
            let group = by_ports.entry(ports.to_string());
            let group = group.or_insert_with(|| (ports, Vec::new()));
            group.1.push(endpoint(ask, service, pod));
        }
        if by_ports.is_empty() {
            by_ports.insert(String::new(), (json!([]), Vec::new()));
        }
        let mut names = Names::new(ask, service);
        let theirs = self.slices.get(name(service)).into_iter().flatten();
        let mut present = theirs.filter(|slice| {
            let owner = controller(slice).map(|owner| text(&owner["uid"]));
            label(slice, MANAGED_BY) == MANAGER
                && !is_deleting(slice)
                && owner.is_none_or(|owner| owner == uid(service))
        });
        for (ports, endpoints) in by_ports.into_values() {
            let mut parts: Vec<_> = endpoints.chunks(SLICE).collect();
            if parts.is_empty() {
                parts.push(&[]);
            }
            for part in parts {
                match present.next() {
                    Some(slice) => writes.extend(updated(service, slice, &ports, part)),
                    None => {
                        let name = names.next();
                        writes.push(Write::Create(slice(service, &name, &ports, part)));
                    }
                }
            }
        }
        writes.extend(present.filter_map(|slice| delete(slice)));
    }
}

fn updated(service: &Value, slice: &Value, ports: &Value, endpoints: &[Value]) -> Option<Write> {
    let mut changed = slice.clone();
    changed["endpoints"] = endpoints.into();
    changed["ports"] = ports.clone();
    if controller(slice).is_none() {
        changed["metadata"]["ownerReferences"] = json!([owner_reference(service)]);
    }
    let same = same(&slice["endpoints"], &changed["endpoints"])
        && same(&slice["ports"], ports)
        && controller(slice).is_some();
    (!same).then_some(Write::Update(changed))
}

fn slice(service: &Value, slice_name: &str, ports: &Value, endpoints: &[Value]) -> Value {
    let mut labels = match &service["metadata"]["labels"] {
        Value::Object(given) => Value::Object(given.clone()),
        _ => json!({}),
    };
    labels[SERVICE_NAME] = name(service).into();
    labels[MANAGED_BY] = MANAGER.into();
    if service["spec"]["clusterIP"] == "None" {
        labels[HEADLESS] = "".into();
    }
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": slice_name,
            "generateName": format!("{}-", name(service)),
            "namespace": namespace(service),
            "labels": labels,
            "ownerReferences": [owner_reference(service)],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": ports,
    })
}

fn serves(service: &Value, pod: &Value) -> bool {
    is_ready(pod) || service["spec"]["publishNotReadyAddresses"] == true
}

fn endpoint(ask: Ask<'_>, service: &Value, pod: &Value) -> Value {
    let terminating = is_deleting(pod);
    let early = service["spec"]["publishNotReadyAddresses"] == true;
    let mut endpoint = json!({
        "addresses": [pod["status"]["podIP"]],
        "conditions": {
            "ready": early || serves(service, pod) && !terminating,
            "serving": is_ready(pod),
            "terminating": terminating,
        },
        "nodeName": pod["spec"]["nodeName"],
        "targetRef": target(pod),
    });
    let node = text(&pod["spec"]["nodeName"]);
    let node = ask.view.get("", "Node", None, node);
    let zone = node.map(|node| label(&node, ZONE).to_owned());
    if let Some(zone) = zone.filter(|zone| !zone.is_empty()) {
        endpoint["zone"] = zone.into();
    }
    if pod["spec"]["subdomain"] == name(service) && pod["spec"]["hostname"].is_string() {
        endpoint["hostname"] = pod["spec"]["hostname"].clone();
    }
    endpoint
}

fn target(pod: &Value) -> Value {
    json!({"kind": "Pod", "name": name(pod), "namespace": namespace(pod), "uid": uid(pod)})
}

/// The ports of a Service as one pod has them: target ports may be names.
fn slice_ports(service: &Value, pod: &Value) -> Value {
    let ports = items(&service["spec"]["ports"]).iter().filter_map(|port| {
        let number = number_in(pod, port)?;
        let mut made = json!({
            "name": port["name"].as_str().unwrap_or_default(),
            "port": number,
            "protocol": port["protocol"].as_str().unwrap_or("TCP"),
        });
        if port["appProtocol"].is_string() {
            made["appProtocol"] = port["appProtocol"].clone();
        }
        Some(made)
    });
    ports.collect()
}

fn number_in(pod: &Value, port: &Value) -> Option<i64> {
    match &port["targetPort"] {
        Value::String(wanted) => {
            let containers = items(&pod["spec"]["containers"]).iter();
            let mut ports = containers.flat_map(|c| items(&c["ports"]));
            let found = ports.find(|p| p["name"] == wanted.as_str());
            found.and_then(|p| p["containerPort"].as_i64())
        }
        Value::Number(number) => number.as_i64(),
        _ => port["port"].as_i64(),
    }
}
