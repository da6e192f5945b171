//! Serves a cluster on loopback until Ctrl-C and prints where its kubeconfig is.
#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use drplan_api::Clock;
use drplan_sandbox_kubernetes::Cluster;
use drplan_sandbox_kubernetes::ClusterOptions;
use drplan_sandbox_kubernetes::listen;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cluster = Cluster::new(ClusterOptions::new("example", 1, Clock::system()));
    cluster.start();
    let listening = listen(&cluster, "127.0.0.1:0".parse()?).await?;
    println!("{}", listening.kubeconfig("admin"));
    tokio::signal::ctrl_c().await?;
    Ok(())
}
