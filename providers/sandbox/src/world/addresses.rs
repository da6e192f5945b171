//! What answers at the addresses of load balancers: the pods behind the Service, once they are ready.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use drplan_sandbox_kubernetes::Cluster;
use serde_json::Value;

use super::file::Page;
use super::network::Addresses;
use super::network::HttpServer;
use super::network::Server;
use super::refusal::Service;

/// The Services of clusters, and what their pods answer.
pub(super) struct Balancers {
    pub(super) clusters: Vec<Cluster>,
    pub(super) pages: BTreeMap<String, Page>,
}

impl Addresses for Balancers {
    fn at(&self, address: IpAddr, port: u16) -> Option<Server> {
        let of = |cluster: &Cluster| {
            let service = service_at(cluster, address, port)?;
            has_endpoints(cluster, &service).then_some(service)
        };
        let service = self.clusters.iter().find_map(of)?;
        let page = self.pages.get(&name(&service));
        Some(Server::Http(HttpServer {
            service: Service::Page,
            router: router(&service, page),
            stopped: None,
        }))
    }
}

/// The first address of a Service's load balancer.
pub(super) fn address_of(cluster: &Cluster, namespace: &str, name: &str) -> Option<String> {
    let service = cluster.object("", "services", namespace, name)?;
    ingress(&service).next().map(str::to_owned)
}

fn service_at(cluster: &Cluster, address: IpAddr, port: u16) -> Option<Arc<Value>> {
    let address = address.to_string();
    let services = cluster.objects("", "services");
    services.into_iter().find(|service| {
        let ports = service["spec"]["ports"].as_array().into_iter().flatten();
        ingress(service).any(|a| a == address)
            && ports
                .into_iter()
                .any(|p| p["port"].as_u64() == Some(port.into()))
    })
}

fn ingress(service: &Value) -> impl Iterator<Item = &str> {
    let points = service["status"]["loadBalancer"]["ingress"].as_array();
    let points = points.into_iter().flatten();
    points.filter_map(|p| p["ip"].as_str().or_else(|| p["hostname"].as_str()))
}

/// Whether a pod behind a Service is ready.
fn has_endpoints(cluster: &Cluster, service: &Value) -> bool {
    let text = |field: &str| service["metadata"][field].as_str().unwrap_or_default();
    let endpoints = cluster.object("", "endpoints", text("namespace"), text("name"));
    let subsets = endpoints.as_ref().and_then(|e| e["subsets"].as_array());
    subsets
        .into_iter()
        .flatten()
        .any(|s| s["addresses"].as_array().is_some_and(|a| !a.is_empty()))
}

fn name(service: &Value) -> String {
    let text = |field: &str| service["metadata"][field].as_str().unwrap_or_default();
    format!("{}/{}", text("namespace"), text("name"))
}

fn router(service: &Value, page: Option<&Page>) -> Router {
    let (status, body) = match page {
        Some(page) => (
            StatusCode::from_u16(page.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            page.body.clone(),
        ),
        None => (
            StatusCode::NOT_IMPLEMENTED,
            format!(
                "say in rehearsal.hcl what is answered here: page \"{}\"\n",
                name(service)
            ),
        ),
    };
    Router::new().fallback(move || async move { (status, body) })
}
