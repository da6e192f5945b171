//! Addresses and ports that services get or ask for.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use drplan_sandbox_fields as fields;
use drplan_sandbox_fields::FieldError;
use serde_json::Value;
use serde_json::json;

use crate::allocations::Port;
use crate::allocations::protocol;
use crate::failure::Failure;
use crate::failure::Outcome;
use crate::failure::invalid_value;
use crate::object;
use crate::state::State;
use crate::store::Name;
use crate::types::Served;

/// The range of service addresses: 10.96.0.0/16.
const RANGE: (u32, u32) = (0x0a60_0001, 0x0a60_fffe);

/// The range of node ports.
const NODE_PORTS: (u64, u64) = (30_000, 32_767);

pub(super) fn create(state: &mut State, served: &Served, new: &mut Value) -> Outcome<()> {
    allocate(state, served, new)
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
    allocate(state, served, new)
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

fn has_node_ports(service: &Value) -> bool {
    matches!(
        object::text(service, "/spec/type"),
        "NodePort" | "LoadBalancer"
    ) && service["spec"]["allocateLoadBalancerNodePorts"] != false
}

fn allocate(state: &mut State, served: &Served, new: &mut Value) -> Outcome<()> {
    let refuse = |new: &Value, error: FieldError| {
        let status = fields::invalid_status(&served.info, object::name(new), &[error]);
        Failure::from_status(status)
    };
    if object::text(new, "/spec/type") == "ExternalName" {
        return Ok(());
    }
    state.allocations.follow(&state.store);
    address(state, new).map_err(|error| refuse(new, error))?;
    if has_node_ports(new) {
        ports(state, new).map_err(|error| refuse(new, error))?;
    } else {
        for port in object::elements_mut(new, "/spec/ports") {
            port.as_object_mut().map(|port| port.remove("nodePort"));
        }
    }
    Ok(())
}

fn address(state: &mut State, new: &mut Value) -> Result<(), FieldError> {
    let wanted = object::text(new, "/spec/clusterIP").to_owned();
    let name = Name::of(new);
    let address = match wanted.as_str() {
        "None" => wanted,
        "" => free_address(state, &name),
        _ => {
            check_address(state, &wanted, &name)?;
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

fn check_address(state: &State, wanted: &str, name: &Name) -> Result<(), FieldError> {
    let invalid = |detail: &str| {
        let message = format!("failed to allocate IP {wanted}: {detail}");
        invalid_value("spec.clusterIPs", &json!([wanted]), &message)
    };
    let number = wanted.parse::<Ipv4Addr>().map(u32::from);
    if !number.is_ok_and(|number| (RANGE.0..=RANGE.1).contains(&number)) {
        let detail = "the provided IP is not in the valid range. The range of valid IPs is \
                      10.96.0.0/16";
        return Err(invalid(detail));
    }
    if state.allocations.has_address(wanted, name) {
        return Err(invalid("provided IP is already allocated"));
    }
    Ok(())
}

fn free_address(state: &mut State, name: &Name) -> String {
    let count = u64::from(RANGE.1 - RANGE.0);
    let start = state.ids.number() % count;
    let candidates = (0..count).map(|step| {
        let offset = u32::try_from((start + step) % count).unwrap_or(0);
        Ipv4Addr::from(RANGE.0 + offset).to_string()
    });
    let taken = &state.allocations;
    let mut free = candidates.filter(|address| !taken.has_address(address, name));
    free.next()
        .unwrap_or_else(|| Ipv4Addr::from(RANGE.1).to_string())
}

fn ports(state: &mut State, new: &mut Value) -> Result<(), FieldError> {
    let name = Name::of(new);
    let mut used: BTreeSet<Port> = BTreeSet::new();
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
        let wanted = (number, protocol(port));
        if state.allocations.has_port(&wanted, &name) || !used.insert(wanted) {
            let detail = "provided port is already allocated";
            return Err(invalid_value(&path, &json!(number), detail));
        }
    }
    for port in object::elements_mut(new, "/spec/ports") {
        if port["nodePort"].as_u64().unwrap_or(0) == 0 {
            port["nodePort"] = json!(free_port(state, &mut used, &protocol(port), &name));
        }
    }
    let local =
        new["spec"]["externalTrafficPolicy"] == "Local" && new["spec"]["type"] == "LoadBalancer";
    if local && new["spec"]["healthCheckNodePort"].as_u64().unwrap_or(0) == 0 {
        let number = free_port(state, &mut used, "TCP", &name);
        new["spec"]["healthCheckNodePort"] = json!(number);
    }
    Ok(())
}

fn free_port(state: &mut State, used: &mut BTreeSet<Port>, protocol: &str, name: &Name) -> u64 {
    let count = NODE_PORTS.1 - NODE_PORTS.0 + 1;
    let start = state.ids.number() % count;
    let found = (0..count)
        .map(|step| (NODE_PORTS.0 + (start + step) % count, protocol.to_owned()))
        .find(|port| !used.contains(port) && !state.allocations.has_port(port, name));
    let port = found.unwrap_or((NODE_PORTS.1, protocol.to_owned()));
    let number = port.0;
    used.insert(port);
    number
}
