//! The simulated server is held to what the real one made of the same restores.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use anyhow::Result;
use drplan_api::Clock;
use drplan_sandbox_kubernetes::Cluster;
use drplan_sandbox_kubernetes::ClusterOptions;
use drplan_sandbox_kubernetes::User;
use drplan_sandbox_velero::Options;
use drplan_sandbox_velero::serve;
use kube::Client;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use crate::bucket::Memory;
use crate::case;
use crate::outcome;
use crate::outcome::Outcome;
use crate::suite;
use crate::suite::World;

/// Fewer cases than these show too little.
const CASES_MIN: usize = 40;

/// Where the two are meant to differ, and why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Intended {
    /// The case, or `*`.
    case: String,
    /// What the path of the difference begins with.
    path: String,
    /// Why.
    #[expect(dead_code, reason = "people read it")]
    reason: String,
}

/// A cluster whose server works with a bucket in memory.
struct Embedded {
    client: Client,
    bucket: Memory,
}

impl World for Embedded {
    fn client(&self) -> Client {
        self.client.clone()
    }

    async fn put(&self, key: &str, content: Vec<u8>) -> Result<()> {
        self.bucket.write(key, content);
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Vec<u8>> {
        Ok(self.bucket.read(key).context("no such object")?.to_vec())
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        Ok(self.bucket.keys(prefix))
    }

    fn config(&self) -> Value {
        json!({"region": "eu-west-1"})
    }
}

#[tokio::test(start_paused = true)]
async fn restores_come_to_what_the_real_server_made_of_them() {
    let recorded: Value =
        serde_json::from_str(include_str!("../restores/recorded.json")).expect("a recording");
    let recorded: BTreeMap<String, Outcome> =
        serde_json::from_value(recorded["cases"].clone()).expect("outcomes");
    let intended: Vec<Intended> =
        serde_saphyr::from_str(include_str!("../restores/differences.yaml"))
            .expect("intended differences");
    let outcomes = simulate().await.expect("outcomes");
    assert!(outcomes.len() >= CASES_MIN && outcomes.len() == recorded.len());
    let mut used = vec![false; intended.len()];
    let mut unintended = Vec::new();
    let mut equal = 0;
    for (name, simulated) in &outcomes {
        let real = recorded
            .get(name)
            .unwrap_or_else(|| panic!("`{name}` is not recorded"));
        let found = outcome::differences(real, simulated);
        equal += usize::from(found.is_empty());
        for (path, what) in found {
            let known = intended.iter().position(|known| {
                (known.case == "*" || known.case == *name) && path.starts_with(&known.path)
            });
            match known {
                Some(known) => used[known] = true,
                None => unintended.push(format!("{name} {path}: {what}")),
            }
        }
    }
    let unused: Vec<&Intended> = intended
        .iter()
        .zip(&used)
        .filter(|(_, used)| !**used)
        .map(|(known, _)| known)
        .collect();
    assert!(
        unintended.is_empty(),
        "{} of {} cases are equal; not intended:\n{}",
        equal,
        outcomes.len(),
        unintended.join("\n")
    );
    assert!(unused.is_empty(), "no longer true: {unused:#?}");
}

async fn simulate() -> Result<BTreeMap<String, Outcome>> {
    let clock = Clock::starting_at("2026-11-21T03:10:00Z".parse()?);
    let mut options = ClusterOptions::new("cases", 1, clock.clone());
    options.nodes = 2;
    let cluster = Cluster::new(options);
    cluster.start();
    let world = Embedded {
        client: Client::new(cluster.router_as(User::admin()), "default"),
        bucket: Memory::default(),
    };
    suite::prepare(&world.client).await?;
    let client = Client::new(
        cluster.router_as(User::new("velero", &["system:masters"])),
        "default",
    );
    let options = Options::new(clock, 1);
    let server = tokio::spawn(serve(client, Arc::new(world.bucket.clone()), options));
    let outcomes = suite::run(&world, &case::all()?).await;
    server.abort();
    outcomes
}
