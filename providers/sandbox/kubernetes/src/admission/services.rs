//! Addresses and ports that services get or ask for.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use drplan_sandbox_fields as fields;
use drplan_sandbox_fields::FieldError;
use serde_json::Value;
use serde_json::json;

use crate::failure::Failure;
use crate::failure::Outcome;
use crate::failure::invalid_value;
use crate::object;
use crate::state::State;
use crate::store::ResourceId;
use crate::types::Served;

/// The range of service addresses: 10.96.0.0/16.
const RANGE: (u32, u32) = (0x0a60_0001, 0x0a60_fffe);

/// The range of node ports.
const NODE_PORTS: (u64, u64) = (30_000, 32_767);

pub(super) fn create(state: &mut State, served: &Served, new: &mut Value) -> Outcome<()> {
    let taken = Taken::without(state, "", "");
    allocate(state, served, &taken, new)
}

pub(super) fn update(
    state: &mut State,
    served: &Served,
    before: &Value,
    new: &mut Value,
) -> Outcome<()> {
    let headless_before = object::text(before, "/spec/type") == "ExternalName";
    // Who sends a service back without its address means to leave it alone.
    for field in [
        "clusterIP",
        "clusterIPs",
        "healthCheckNodePort",
        "ipFamilies",
        "ipFamilyPolicy",
    ] {
        if new["spec"][field].is_null()
            && !headless_before
            && let Some(value) = before["spec"].get(field)
            && object::text(new, "/spec/type") != "ExternalName"
        {
            new["spec"][field] = value.clone();
        }
    }
    keep_ports(before, new);
    let taken = Taken::without(state, object::namespace(new), object::name(new));
    allocate(state, served, &taken, new)
}

/// A port that is sent without a node port keeps the one that it has.
fn keep_ports(before: &Value, new: &mut Value) {
    if !has_node_ports(new) {
        return;
    }
    let old = before["spec"]["ports"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    for port in object::elements_mut(new, "/spec/ports") {
        let same = old
            .iter()
            .find(|old| old["port"] == port["port"] && old["protocol"] == port["protocol"]);
        if port["nodePort"].as_u64().unwrap_or(0) == 0
            && let Some(number) = same.and_then(|same| same.get("nodePort"))
        {
            port["nodePort"] = number.clone();
        }
    }
}

/// Addresses and node ports that other services have.
struct Taken {
    addresses: BTreeSet<String>,
    ports: BTreeSet<(u64, String)>,
}

impl Taken {
    fn without(state: &State, space: &str, name: &str) -> Self {
        let mut taken = Self {
            addresses: BTreeSet::new(),
            ports: BTreeSet::new(),
        };
        for service in state.store.list(&ResourceId::new("", "services"), None) {
            let json = service.json();
            if object::namespace(json) == space && object::name(json) == name {
                continue;
            }
            taken
                .addresses
                .insert(object::text(json, "/spec/clusterIP").to_owned());
            for port in json["spec"]["ports"].as_array().into_iter().flatten() {
                if let Some(number) = port["nodePort"].as_u64() {
                    taken.ports.insert((number, protocol(port)));
                }
            }
            if let Some(number) = json["spec"]["healthCheckNodePort"].as_u64() {
                taken.ports.insert((number, "TCP".to_owned()));
            }
        }
        taken
    }
}

fn protocol(port: &Value) -> String {
    port["protocol"].as_str().unwrap_or("TCP").to_owned()
}

fn has_node_ports(service: &Value) -> bool {
    matches!(
        object::text(service, "/spec/type"),
        "NodePort" | "LoadBalancer"
    ) && service["spec"]["allocateLoadBalancerNodePorts"] != false
}

fn allocate(state: &mut State, served: &Served, taken: &Taken, new: &mut Value) -> Outcome<()> {
    let refuse = |new: &Value, error: FieldError| {
        let status = fields::invalid_status(&served.info, object::name(new), &[error]);
        Failure::from_status(status)
    };
    if object::text(new, "/spec/type") == "ExternalName" {
        return Ok(());
    }
    address(state, taken, new).map_err(|error| refuse(new, error))?;
    if has_node_ports(new) {
        ports(state, taken, new).map_err(|error| refuse(new, error))?;
    } else {
        for port in object::elements_mut(new, "/spec/ports") {
            port.as_object_mut().map(|port| port.remove("nodePort"));
        }
    }
    Ok(())
}

fn address(state: &mut State, taken: &Taken, new: &mut Value) -> Result<(), FieldError> {
    let wanted = object::text(new, "/spec/clusterIP").to_owned();
    let address = match wanted.as_str() {
        "None" => wanted,
        "" => free_address(state, taken),
        _ => {
            check_address(taken, &wanted)?;
            wanted
        }
    };
    let spec = object::object_at(new, "spec");
    spec.insert("clusterIP".to_owned(), json!(address));
    spec.insert("clusterIPs".to_owned(), json!([address]));
    spec.entry("ipFamilies").or_insert_with(|| json!(["IPv4"]));
    spec.entry("ipFamilyPolicy")
        .or_insert_with(|| json!("SingleStack"));
    Ok(())
}

fn check_address(taken: &Taken, wanted: &str) -> Result<(), FieldError> {
    let invalid = |detail: &str| {
        let message = format!("failed to allocate IP {wanted}: {detail}");
        invalid_value("spec.clusterIPs", &json!([wanted]), &message)
    };
    let number = wanted.parse::<Ipv4Addr>().map(u32::from);
    if !number.is_ok_and(|number| (RANGE.0..=RANGE.1).contains(&number)) {
        return Err(invalid(
            "the provided IP is not in the valid range. The range of valid IPs is \
                            10.96.0.0/16",
        ));
    }
    if taken.addresses.contains(wanted) {
        return Err(invalid("provided IP is already allocated"));
    }
    Ok(())
}

fn free_address(state: &mut State, taken: &Taken) -> String {
    let count = u64::from(RANGE.1 - RANGE.0);
    let start = state.ids.number() % count;
    let candidates = (0..count).map(|step| {
        let offset = u32::try_from((start + step) % count).unwrap_or(0);
        Ipv4Addr::from(RANGE.0 + offset).to_string()
    });
    let mut free = candidates.filter(|address| !taken.addresses.contains(address));
    free.next()
        .unwrap_or_else(|| Ipv4Addr::from(RANGE.1).to_string())
}

fn ports(state: &mut State, taken: &Taken, new: &mut Value) -> Result<(), FieldError> {
    let mut used = taken.ports.clone();
    let ports = new["spec"]["ports"].as_array().cloned().unwrap_or_default();
    for (index, port) in ports.iter().enumerate() {
        let Some(number) = port["nodePort"].as_u64().filter(|number| *number > 0) else {
            continue;
        };
        let path = format!("spec.ports[{index}].nodePort");
        if !(NODE_PORTS.0..=NODE_PORTS.1).contains(&number) {
            let detail = "provided port is not in the valid range. The range of valid ports is \
                          30000-32767";
            return Err(invalid_value(&path, &json!(number), detail));
        }
        if !used.insert((number, protocol(port))) {
            return Err(invalid_value(
                &path,
                &json!(number),
                "provided port is already allocated",
            ));
        }
    }
    for port in object::elements_mut(new, "/spec/ports") {
        if port["nodePort"].as_u64().unwrap_or(0) == 0 {
            port["nodePort"] = json!(free_port(state, &mut used, &protocol(port)));
        }
    }
    let local =
        new["spec"]["externalTrafficPolicy"] == "Local" && new["spec"]["type"] == "LoadBalancer";
    if local && new["spec"]["healthCheckNodePort"].as_u64().unwrap_or(0) == 0 {
        new["spec"]["healthCheckNodePort"] = json!(free_port(state, &mut used, "TCP"));
    }
    Ok(())
}

fn free_port(state: &mut State, used: &mut BTreeSet<(u64, String)>, protocol: &str) -> u64 {
    let count = NODE_PORTS.1 - NODE_PORTS.0 + 1;
    let start = state.ids.number() % count;
    let found = (0..count)
        .map(|step| NODE_PORTS.0 + (start + step) % count)
        .find(|number| !used.contains(&(*number, protocol.to_owned())));
    let number = found.unwrap_or(NODE_PORTS.1);
    used.insert((number, protocol.to_owned()));
    number
}
