//! How long a cluster of many objects takes to make and to list, and what it weighs:
//! `cargo run --release -p drplan-sandbox-kubernetes --example objects -- 5000`.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement reads the clock and tells what it saw"
)]

use std::time::Instant;

use drplan_api::Clock;
use drplan_sandbox_kubernetes::Cluster;
use drplan_sandbox_kubernetes::ClusterOptions;
use drplan_sandbox_kubernetes::User;
use kube::api::Api;
use kube::api::DynamicObject;
use kube::api::ListParams;
use kube::core::ApiResource;
use kube::core::GroupVersionKind;
use serde_json::json;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: usize = std::env::args().nth(1).map_or(Ok(5000), |n| n.parse())?;
    let began = Instant::now();
    let cluster = Cluster::new(ClusterOptions::new("many", 1, Clock::system()));
    cluster.start();
    println!("an empty cluster: {:?}", began.elapsed());
    let began = Instant::now();
    cluster.load((0..count).map(|i| {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": format!("object-{i}"), "namespace": "default" },
            "data": { "number": i.to_string(), "text": "x".repeat(500) },
        })
    }))?;
    println!("{count} objects loaded: {:?}", began.elapsed());
    let client = kube::Client::new(cluster.router_as(User::admin()), "default");
    let maps = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "ConfigMap"));
    let api: Api<DynamicObject> = Api::namespaced_with(client, "default", &maps);
    // The controllers look at what is new first.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let began = Instant::now();
    let listed = api.list(&ListParams::default()).await?.items.len();
    println!("one list of {listed}: {:?}", began.elapsed());
    let began = Instant::now();
    let (mut pages, mut params) = (1, ListParams::default().limit(500));
    let mut page = api.list(&params).await?;
    while let Some(next) = page.metadata.continue_.filter(|c| !c.is_empty()) {
        params = ListParams::default().limit(500).continue_token(&next);
        page = api.list(&params).await?;
        pages += 1;
    }
    println!("the same in {pages} pages: {:?}", began.elapsed());
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM"));
    println!("{}", peak.unwrap_or("VmHWM: not known here"));
    Ok(())
}
