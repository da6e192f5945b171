//! Makes etcd forget its history, as the API server asks it to every five minutes.
//!
//! Knows nothing about what is stored there.
//!
//! # Source
//!
//! etcd's gRPC gateway: `/v3/kv/range` and `/v3/kv/compaction`.

use std::sync::Arc;

use anyhow::Context as _;
use anyhow::Result;
use drplan_harness::Process;
use http::Request;
use kube::Client;
use kube::Config;
use kube::client::Body;
use serde_json::Value;
use serde_json::json;

use crate::server::Compact;

/// The argument of etcd that says where it listens.
const LISTENS: &str = "--listen-client-urls=";

/// A way to make an etcd process forget its history.
pub(crate) fn compaction(etcd: &Process) -> Result<Compact> {
    let path = format!("/proc/{}/cmdline", etcd.pid);
    let arguments = std::fs::read(&path).with_context(|| format!("cannot read `{path}`"))?;
    let mut arguments = arguments.split(|byte| *byte == 0);
    let url = arguments.find_map(|argument| argument.strip_prefix(LISTENS.as_bytes()));
    let url = String::from_utf8(url.context("etcd listens nowhere")?.to_vec())?;
    let mut config = Config::new(url.parse()?);
    config.proxy_url = None;
    let client = Client::try_from(config)?;
    Ok(Arc::new(move || Box::pin(compact(client.clone()))))
}

async fn compact(client: Client) -> Result<()> {
    // Any key will do: the answer's head tells the revision.
    let range = ask(&client, "/v3/kv/range", &json!({"key": "eA=="})).await?;
    let revision = range["header"]["revision"].clone();
    let wanted = json!({"revision": revision, "physical": true});
    ask(&client, "/v3/kv/compaction", &wanted).await?;
    Ok(())
}

async fn ask(client: &Client, path: &str, body: &Value) -> Result<Value> {
    let request = Request::post(path).body(Body::from(serde_json::to_vec(body)?))?;
    let answer = client.send(request).await?;
    let code = answer.status();
    let body = answer.into_body().collect_bytes().await?;
    anyhow::ensure!(
        code.is_success(),
        "etcd refuses `{path}`: {}",
        String::from_utf8_lossy(&body)
    );
    Ok(serde_json::from_slice(&body)?)
}
