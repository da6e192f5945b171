//! A world that can be reached from outside: on loopback, in real time.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;

use super::World;
use super::WorldError;
use super::clusters::USER;

/// Servers of a world that listen on loopback; they stop when this is dropped.
pub struct Open {
    /// The clusters: name, URL and kubeconfig.
    pub clusters: Vec<(String, String, String)>,
    listening: Vec<Box<dyn std::any::Any + Send>>,
}

impl World {
    /// Opens the clusters, for whoever has the kubeconfig. The first one gets `address`, the others
    /// free ports beside it, and so does what Velero offers for download. The other servers stay inside: their
    /// keys stand in a file. The runtime's time should not be paused.
    ///
    /// # Errors
    ///
    /// If an address is no loopback address or is taken.
    pub async fn listen(&self, address: SocketAddr) -> Result<Open, WorldError> {
        let failed = |part: &str, why: String| WorldError::Part {
            part: format!("{part} on {address}"),
            why,
        };
        if !address.ip().is_loopback() {
            return Err(failed(
                "the world",
                "it only listens on loopback".to_owned(),
            ));
        }
        let mut open = Open {
            clusters: Vec::new(),
            listening: Vec::new(),
        };
        let free = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let mut next = address;
        for (name, machine) in &self.clusters {
            let listening = drplan_sandbox_kubernetes::listen(&machine.cluster, next)
                .await
                .map_err(|e| failed(&format!("cluster `{name}`"), e.to_string()))?;
            let kubeconfig = listening.kubeconfig(USER);
            open.clusters
                .push((name.clone(), listening.url(), kubeconfig));
            open.listening.push(Box::new(listening));
            next = free;
        }
        let downloads = self.velero.downloads().listen(address).await;
        let downloads = downloads.map_err(|e| failed("downloads of Velero", e.to_string()))?;
        open.listening.push(Box::new(downloads));
        Ok(open)
    }
}
