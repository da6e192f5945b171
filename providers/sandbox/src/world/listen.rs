//! A world that can be reached from outside: on loopback, in real time.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;

use drplan_sandbox_kubernetes::listen_behind;

use super::World;
use super::WorldError;
use super::clusters::USER;
use super::refusal::Service;
use super::serve::Between;

/// The place of what Velero offers for download, as faults know it.
const DOWNLOADS: &str = "downloads";

/// Servers of a world that listen on loopback; they stop when this is dropped.
pub struct Open {
    /// The clusters: name, URL and kubeconfig.
    pub clusters: Vec<(String, String, String)>,
    listening: Vec<Box<dyn std::any::Any + Send>>,
}

impl World {
    /// Opens the clusters, for whoever has the kubeconfig. The first one gets `address`, the others
    /// free ports beside it, and so does what Velero offers for download. The other servers stay inside: their
    /// keys stand in a file. Who was admitted sees these requests too. The world's faults stand before what listens, from their beginning and
    /// uncounted. The runtime's time should not be paused.
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
        let faults = Arc::new(self.faults.anew());
        let places = self.power.places();
        for (name, machine) in &self.clusters {
            let server = format!("cluster.{name}");
            let place = places.iter().find(|place| place.name == server);
            // The port out here may be any, and one seed should give the same faults.
            let place = place.map(|place| format!("{}:{}", place.host, place.port));
            let between = Between::outside(
                place.unwrap_or(server),
                Service::Kubernetes,
                Arc::clone(&faults),
                self.gallery.clone(),
            );
            let listening = listen_behind(&machine.cluster, next, Arc::new(between))
                .await
                .map_err(|e| failed(&format!("cluster `{name}`"), e.to_string()))?;
            let kubeconfig = listening.kubeconfig(USER);
            open.clusters
                .push((name.clone(), listening.url(), kubeconfig));
            open.listening.push(Box::new(listening));
            next = free;
        }
        let between = Between::outside(
            DOWNLOADS.to_owned(),
            Service::ObjectStore,
            faults,
            self.gallery.clone(),
        );
        let downloads = self.velero.downloads().listen(address, between).await;
        let downloads = downloads.map_err(|e| failed("downloads of Velero", e.to_string()))?;
        open.listening.push(Box::new(downloads));
        Ok(open)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use http::Method;
    use http::Request;
    use http::Uri;
    use kube::Client;
    use kube::Config;
    use kube::client::Body;
    use kube::config::KubeConfigOptions;
    use kube::config::Kubeconfig;
    use serde_json::json;

    use super::super::Beginning;
    use super::super::Fault;
    use super::super::Faults;
    use super::super::faults::Asked;
    use super::super::faults::Sent;
    use super::super::faults::Token;
    use super::*;

    const SEED: u64 = 1;
    /// After how many bytes the watch of the test ends at the latest.
    const EARLY_BYTES: usize = 100;

    fn world() -> World {
        let file = serde_json::from_value(json!({
            "cluster": {
                "a": { "server": "https://a.example:6443" },
                "b": { "server": "https://b.example:6443", "running": true },
            },
        }));
        let from = Beginning {
            data_dir: Path::new("."),
            base_dir: Path::new("."),
            seed: SEED,
            faults: Faults::from_seed(SEED),
            recall: None,
        };
        World::new(&file.expect("a world file"), from).expect("a world")
    }

    async fn client(kubeconfig: &str) -> Client {
        let file = Kubeconfig::from_yaml(kubeconfig).expect("a kubeconfig");
        let options = KubeConfigOptions::default();
        let mut config = Config::from_custom_kubeconfig(file, &options)
            .await
            .expect("a config");
        config.proxy_url = None;
        config.default_retry = false;
        Client::try_from(config).expect("a client")
    }

    /// A namespace in which a watch ends early.
    fn unlucky() -> (String, String) {
        let faults = Faults::from_seed(SEED);
        let all = (0..10_000).map(|n| {
            let path = format!("/api/v1/namespaces/n{n}/configmaps?watch=true");
            (format!("n{n}"), path)
        });
        let mut met = all.filter(|(_, path)| {
            let uri: Uri = path.parse().expect("a URI");
            let asked = Asked {
                place: "b.example:6443",
                service: Service::Kubernetes,
                method: &Method::GET,
                uri: &uri,
                body: Sent::Nothing,
                token: Token::Shown,
            };
            let fault = faults.next(asked);
            matches!(fault, Some(Fault::DroppedWatch(bytes)) if bytes < EARLY_BYTES)
        });
        met.next().expect("one of many meets it")
    }

    #[tokio::test]
    async fn faults_stand_before_an_open_world_and_cut_watches() {
        let (space, path) = unlucky();
        let world = world();
        let (_, cluster) = world.clusters().nth(1).expect("a cluster");
        let objects = [
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": space } }),
            json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": { "name": "m", "namespace": space },
            }),
        ];
        cluster.load(objects).expect("two objects");
        let anywhere = "127.0.0.1:0".parse().expect("an address");
        let open = world.listen(anywhere).await.expect("an open world");
        let client = client(&open.clusters[1].2).await;
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let watch = client.send(request).await.expect("a stream").into_body();
        let bytes = watch.collect_bytes().await.expect("a stream that ends");
        assert!(
            bytes.starts_with(b"{") && bytes.len() < EARLY_BYTES,
            "{bytes:?}"
        );
        assert_eq!(world.faults(), 0, "it is not the rehearsal's");
    }

    #[tokio::test]
    async fn where_no_cluster_runs_nobody_answers() {
        let world = world();
        let anywhere = "127.0.0.1:0".parse().expect("an address");
        let open = world.listen(anywhere).await.expect("an open world");
        let client = client(&open.clusters[0].2).await;
        let refused = client.apiserver_version().await;
        assert!(matches!(
            refused,
            Err(kube::Error::Service(_) | kube::Error::HyperError(_))
        ));
    }
}
