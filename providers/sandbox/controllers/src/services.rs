//! The addresses under which load balancers and ingresses are reached.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use crate::Ask;
use crate::Controller;
use crate::Key;
use crate::Settings;
use crate::Turn;
use crate::children::Kind;
use crate::generated;
use crate::object::annotation;
use crate::object::created;
use crate::object::is_deleting;
use crate::object::items;
use crate::object::later;
use crate::object::status_write;
use crate::object::text;
use crate::object::uid;

const SERVICES: Kind = ("", "Service");
const INGRESSES: Kind = ("networking.k8s.io", "Ingress");
const CLASSES: Kind = ("networking.k8s.io", "IngressClass");

/// The network for measurements between networks, which is nobody's.
const NETWORK: (Ipv4Addr, u32) = (Ipv4Addr::new(198, 18, 0, 0), 1 << 17);

/// Gives addresses to Services of the type LoadBalancer and to Ingresses with a class.
#[derive(Debug)]
pub(crate) struct Addresses;

impl Controller for Addresses {
    fn name(&self) -> &'static str {
        "addresses"
    }

    fn watches(&self) -> &'static [Kind] {
        &[SERVICES, INGRESSES, CLASSES]
    }

    fn user(&self) -> &'static str {
        "system:serviceaccount:kube-system:cloud-controller-manager"
    }

    fn manager(&self) -> &'static str {
        "cloud-controller-manager"
    }

    fn turn(&self, ask: Ask<'_>) -> Turn {
        let mut turn = Turn::default();
        for key in ask.changed {
            let object = || {
                ask.view
                    .get(&key.group, &key.kind, key.namespace.as_deref(), &key.name)
            };
            match key.kind.as_str() {
                "Service" => {
                    if let Some(service) = object() {
                        balance(ask, key, &service, &mut turn);
                    }
                }
                "Ingress" => {
                    if let Some(ingress) = object() {
                        route(ask, key, &ingress, &mut turn);
                    }
                }
                _ => {}
            }
        }
        if ask.changed.iter().any(|key| key.kind == CLASSES.1) {
            for ingress in ask.view.list(INGRESSES.0, INGRESSES.1) {
                if let Some(key) = Key::of(&ingress).filter(|key| !ask.changed.contains(key)) {
                    route(ask, &key, &ingress, &mut turn);
                }
            }
        }
        turn
    }
}

fn balance(ask: Ask<'_>, key: &Key, service: &Value, turn: &mut Turn) {
    if is_deleting(service) {
        return;
    }
    if service["spec"]["type"] != "LoadBalancer" {
        // One that was a load balancer loses its address.
        if has_address(service) {
            let status = json!({"loadBalancer": {}});
            turn.writes.extend(status_write(service, status));
        }
        return;
    }
    let due = later(created(service), ask.settings.durations.load_balancer);
    let address = match text(&service["spec"]["loadBalancerIP"]) {
        "" => address(ask.settings, service),
        wanted => json!({"ip": wanted}),
    };
    let mut address = address;
    if address["ip"].is_string() {
        address["ipMode"] = "VIP".into();
    }
    give(ask, key, service, Promise { due, address }, turn);
}

fn route(ask: Ask<'_>, key: &Key, ingress: &Value, turn: &mut Turn) {
    if is_deleting(ingress) || !has_class(ask, ingress) {
        return;
    }
    let due = later(created(ingress), ask.settings.durations.ingress);
    let address = address(ask.settings, ingress);
    give(ask, key, ingress, Promise { due, address }, turn);
}

/// Without a class that exists no controller takes an Ingress.
fn has_class(ask: Ask<'_>, ingress: &Value) -> bool {
    let named = ingress["spec"]["ingressClassName"].as_str();
    let named = named.or_else(|| {
        let old = annotation(ingress, "kubernetes.io/ingress.class");
        (!old.is_empty()).then_some(old)
    });
    named.is_some_and(|class| ask.view.get(CLASSES.0, CLASSES.1, None, class).is_some())
}

/// An address to come.
struct Promise {
    due: Timestamp,
    address: Value,
}

/// Gives an object its address once it is time.
fn give(ask: Ask<'_>, key: &Key, object: &Value, promise: Promise, turn: &mut Turn) {
    let Promise { due, address } = promise;
    if has_address(object) {
        return;
    }
    if due > ask.now {
        turn.again.push((key.clone(), due));
        return;
    }
    let mut status = object["status"].clone();
    if !status.is_object() {
        status = json!({});
    }
    status["loadBalancer"] = json!({"ingress": [address]});
    turn.writes.extend(status_write(object, status));
}

fn has_address(object: &Value) -> bool {
    !items(&object["status"]["loadBalancer"]["ingress"]).is_empty()
}

fn address(settings: &Settings, object: &Value) -> Value {
    let seed = settings.seed.to_string();
    let parts = [seed.as_str(), uid(object)];
    match &settings.load_balancer_domain {
        Some(domain) => json!({"hostname": format!("{}.{domain}", generated::hex(&parts, 8))}),
        None => {
            let (network, size) = NETWORK;
            json!({"ip": generated::address(network, size, &parts).to_string()})
        }
    }
}
