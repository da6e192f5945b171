//! Addresses and node ports that services have, followed change by change.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::object;
use crate::store::Name;
use crate::store::ResourceId;
use crate::store::Store;

/// A node port with its protocol.
pub(crate) type Port = (u64, String);

/// Which service has what, as of a revision.
#[derive(Debug, Default)]
pub(crate) struct Allocations {
    revision: u64,
    addresses: BTreeMap<String, Name>,
    ports: BTreeMap<Port, Name>,
}

impl Allocations {
    /// Reads what changed since the last time; everything, if that is forgotten.
    pub(crate) fn follow(&mut self, store: &Store) {
        let id = ResourceId::new("", "services");
        match store
            .since(&id, self.revision)
            .filter(|_| self.revision > 0)
        {
            Some(changes) => {
                for change in changes {
                    if let Some(before) = &change.before {
                        self.free(before.json());
                    }
                    if !change.deleted {
                        self.take(change.after.json());
                    }
                }
            }
            None => {
                *self = Self::default();
                for service in store.list(&id, None) {
                    self.take(service.json());
                }
            }
        }
        self.revision = store.revision();
    }

    fn take(&mut self, service: &Value) {
        let name = Name::of(service);
        for port in ports(service) {
            self.ports.insert(port, name.clone());
        }
        let address = object::text(service, "/spec/clusterIP");
        if !matches!(address, "" | "None") {
            self.addresses.insert(address.to_owned(), name);
        }
    }

    fn free(&mut self, service: &Value) {
        let name = Name::of(service);
        for port in ports(service) {
            if self.ports.get(&port) == Some(&name) {
                self.ports.remove(&port);
            }
        }
        let address = object::text(service, "/spec/clusterIP");
        if self.addresses.get(address) == Some(&name) {
            self.addresses.remove(address);
        }
    }

    /// Whether a service other than this one has an address.
    pub(crate) fn has_address(&self, address: &str, but: &Name) -> bool {
        self.addresses
            .get(address)
            .is_some_and(|owner| owner != but)
    }

    /// Whether a service other than this one has a node port.
    pub(crate) fn has_port(&self, port: &Port, but: &Name) -> bool {
        self.ports.get(port).is_some_and(|owner| owner != but)
    }
}

/// The node ports of a service, that of its health check among them.
fn ports(service: &Value) -> Vec<Port> {
    let list = service["spec"]["ports"].as_array().into_iter().flatten();
    let mut ports: Vec<_> = list
        .filter_map(|port| Some((port["nodePort"].as_u64()?, protocol(port))))
        .collect();
    if let Some(number) = service["spec"]["healthCheckNodePort"].as_u64() {
        ports.push((number, "TCP".to_owned()));
    }
    ports
}

/// The protocol of a port, with its default.
pub(crate) fn protocol(port: &Value) -> String {
    port["protocol"].as_str().unwrap_or("TCP").to_owned()
}
