//! The embedded server, with and without controllers.
//!
//! It is asked in this process, mostly without a socket, and the same identities have the same
//! rights there as at the real server. Knows nothing about the sequences.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use drplan_api::Clock;
use drplan_sandbox_kubernetes::Cluster;
use drplan_sandbox_kubernetes::ClusterOptions;
use drplan_sandbox_kubernetes::Rights;
use drplan_sandbox_kubernetes::User;
use drplan_sandbox_kubernetes::listen;
use futures::future::BoxFuture;
use kube::Client;
use kube::config::Kubeconfig;
use serde_json::json;

use crate::run::Runner;
use crate::run::Strictness;
use crate::sequence::Topic;
use crate::sequence::Who;
use crate::server::Server;
use crate::suite;
use crate::suite::Asked;
use crate::suite::Controllers;
use crate::tls;

/// The moment at which the clusters begin.
const START: &str = "2026-01-02T03:04:05Z";

/// How long pods and volumes take to come up: long enough to be seen, short enough to wait for.
const STEP: Duration = Duration::from_millis(20);

/// Asks an embedded server with controllers and one without everything.
///
/// # Errors
///
/// When the setups cannot be read.
pub async fn ask(topics: &[Topic]) -> Result<Asked> {
    let mut asked = Asked::default();
    for controllers in [Controllers::Running, Controllers::Stopped] {
        let cluster = cluster(controllers)?;
        cluster.start();
        let server = connect(&cluster, &Client::new(cluster.router(), "default"))?;
        let mut runner = Runner::new(server, "e", Strictness::MayDiffer)?;
        suite::ask(&mut runner, topics, controllers, &mut asked).await;
    }
    Ok(asked)
}

fn cluster(controllers: Controllers) -> Result<Cluster> {
    let clock = Clock::starting_at(START.parse()?);
    let mut options = ClusterOptions::new("conformance", 1, clock);
    options.controllers = controllers == Controllers::Running;
    let durations = &mut options.settings.durations;
    for duration in [
        &mut durations.pod_start,
        &mut durations.pod_ready,
        &mut durations.job_run,
        &mut durations.pod_stop,
        &mut durations.volume_bind,
    ] {
        *duration = STEP;
    }
    let view =
        json!({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]});
    options.rights = Rights::default()
        .token("admin", User::admin())
        .token("nobody", User::new("nobody", &[]))
        .token("viewer", User::new("viewer", &[]))
        .rules("viewer", vec![view]);
    Ok(Cluster::new(options))
}

/// Asks an embedded server without controllers over a socket, in real time.
///
/// # Errors
///
/// When it cannot listen.
pub async fn ask_over_loopback(topics: &[Topic]) -> Result<Asked> {
    let cluster = cluster(Controllers::Stopped)?;
    cluster.start();
    let listening = listen(&cluster, (Ipv4Addr::LOCALHOST, 0).into()).await?;
    let clients = tls::open(Kubeconfig::from_yaml(&listening.kubeconfig("admin"))?).await?;
    let server = connect(&cluster, &clients.anonymous)?.with(Who::Admin, clients.known, &[])?;
    let mut runner = Runner::new(server, "l", Strictness::MayDiffer)?;
    let mut asked = Asked::default();
    suite::ask(&mut runner, topics, Controllers::Stopped, &mut asked).await;
    Ok(asked)
}

fn connect(cluster: &Cluster, client: &Client) -> Result<Server> {
    let forgetful = cluster.clone();
    let compact = move || -> BoxFuture<'static, Result<()>> {
        forgetful.compact();
        Box::pin(std::future::ready(Ok(())))
    };
    let mut server = Server::default()
        .with(Who::Anonymous, client.clone(), &[])?
        .with_compaction(Arc::new(compact));
    for (who, token) in [
        (Who::Admin, "admin"),
        (Who::Nobody, "nobody"),
        (Who::Viewer, "viewer"),
        (Who::Stranger, "not-a-token"),
    ] {
        let bearer = format!("Bearer {token}");
        server = server.with(who, client.clone(), &[("Authorization", &bearer)])?;
    }
    Ok(server)
}
