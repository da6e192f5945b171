//! Runs the cases of restores against the real Velero: to record what it makes of them, and to check
//! that it still does.
//!
//! `cargo run -p drplan-sandbox-velero --example restores -- record` writes
//! `tests/restores/recorded.json`; `check` compares with it and ends with 1 when something differs.
//! `simulate` runs the simulated server on the real API server instead, with a bucket in memory.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line prints"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a developer command writes files of the tree"
)]

#[path = "../tests/it/bucket.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod bucket;
#[path = "../tests/restores/case.rs"]
mod case;
#[path = "../tests/restores/outcome.rs"]
mod outcome;
#[path = "../tests/restores/suite.rs"]
mod suite;

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use aws_sdk_s3::primitives::ByteStream;
use drplan_api::Clock;
use drplan_harness::Components;
use drplan_harness::Ending;
use drplan_harness::Identity;
use drplan_harness::ObjectStore;
use drplan_harness::Part;
use drplan_harness::Site;
use drplan_harness::object_store::REGION;
use drplan_harness::site::UpOptions;
use drplan_sandbox_velero::Options;
use drplan_sandbox_velero::serve;
use kube::Client;
use serde_json::Value;
use serde_json::json;

use bucket::Memory;
use outcome::Outcome;
use suite::BUCKET;
use suite::World;

/// The real components.
struct Real {
    client: Client,
    store: ObjectStore,
}

impl World for Real {
    fn client(&self) -> Client {
        self.client.clone()
    }

    async fn put(&self, key: &str, content: Vec<u8>) -> Result<()> {
        let request = self.store.client().put_object().bucket(BUCKET).key(key);
        let answer = request.body(ByteStream::from(content)).send().await;
        answer.map_err(aws_sdk_s3::Error::from)?;
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Vec<u8>> {
        let answer = self
            .store
            .client()
            .get_object()
            .bucket(BUCKET)
            .key(key)
            .send()
            .await;
        let body = answer.map_err(aws_sdk_s3::Error::from)?.body;
        Ok(body.collect().await?.to_vec())
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let request = self
            .store
            .client()
            .list_objects_v2()
            .bucket(BUCKET)
            .prefix(prefix);
        let page = request.send().await.map_err(aws_sdk_s3::Error::from)?;
        let keys = page.contents().iter().filter_map(|object| object.key());
        Ok(keys.map(str::to_owned).collect())
    }

    fn config(&self) -> Value {
        json!({"region": REGION, "s3ForcePathStyle": "true", "s3Url": self.store.endpoint()})
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = run(&words).await;
    done.unwrap_or_else(|error| {
        eprintln!("restores: {error:#}");
        ExitCode::from(2)
    })
}

async fn run(words: &[&str]) -> Result<ExitCode> {
    match words {
        ["record"] => record().await,
        ["check"] => compare(&ask().await?).map(|count| ExitCode::from(u8::from(count > 0))),
        ["simulate"] => simulate().await,
        // The site starts this program again as what a kubelet is to Velero.
        ["site", "keep-velero", "--dir", dir] => drplan_harness::site::keep_velero(Path::new(dir))
            .await
            .map(|()| ExitCode::SUCCESS),
        _ => bail!("say `record`, `check` or `simulate`"),
    }
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/restores/recorded.json")
}

async fn record() -> Result<ExitCode> {
    let outcomes = ask().await?;
    let text = serde_json::to_string_pretty(&json!({
        "origin": {
            "component": "Velero 1.18.3 on kube-apiserver",
            "licence": "Apache-2.0",
            "made_by": "cargo run -p drplan-sandbox-velero --example restores -- record",
        },
        "cases": outcomes,
    }))?;
    std::fs::write(file(), text + "\n").context("cannot write the recording")?;
    println!("{} cases recorded", outcomes.len());
    Ok(ExitCode::SUCCESS)
}

/// Prints where outcomes differ from the recording, and counts that.
fn compare(outcomes: &BTreeMap<String, Outcome>) -> Result<usize> {
    let recorded: Value = serde_json::from_slice(&std::fs::read(file())?)?;
    let recorded: BTreeMap<String, Outcome> = serde_json::from_value(recorded["cases"].clone())?;
    let mut count = 0;
    for (name, now) in outcomes {
        let Some(before) = recorded.get(name) else {
            bail!("`{name}` is not recorded");
        };
        for (path, what) in outcome::differences(before, now) {
            println!("{name}{path}: {what}");
            count += 1;
        }
    }
    println!(
        "{} cases, {count} differences from the recording",
        outcomes.len()
    );
    Ok(count)
}

/// The real API server with the simulated Velero.
struct Simulated {
    client: Client,
    bucket: Memory,
}

impl World for Simulated {
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
        json!({"region": REGION})
    }
}

async fn simulate() -> Result<ExitCode> {
    let scratch = tempfile::tempdir().context("no scratch folder")?;
    let components = Components::locate()?;
    let mut options = UpOptions::with_this_program_as_keeper()?;
    options.nodes = 2;
    let folder = scratch.path().join("site");
    let site = Site::start(
        &folder,
        &components,
        "cases",
        &[Part::ControlPlane],
        &options,
    )
    .await?;
    let world = Simulated {
        client: site.client(Identity::Admin).await?,
        bucket: Memory::default(),
    };
    suite::prepare(&world.client).await?;
    let options = Options::new(Clock::system(), 1);
    let client = site.client(Identity::Velero).await?;
    let outcomes = tokio::select! {
        outcomes = async { suite::run(&world, &case::all()?).await } => outcomes,
        exit = serve(client, Arc::new(world.bucket.clone()), options) => {
            Err(anyhow::anyhow!("the server ended: {exit}"))
        }
    };
    site.destroy(Ending::Abrupt).await?;
    let count = compare(&outcomes?)?;
    Ok(ExitCode::from(u8::from(count > 0)))
}

/// Starts the real components, runs all cases and ends everything.
async fn ask() -> Result<BTreeMap<String, Outcome>> {
    let scratch = tempfile::tempdir().context("no scratch folder")?;
    let components = Components::locate()?;
    let store = ObjectStore::start(&scratch.path().join("store"), &components).await?;
    store.create_bucket(BUCKET).await?;
    let mut options = UpOptions::with_this_program_as_keeper()?;
    options.aws_credentials = Some(store.credentials_file());
    options.nodes = 2;
    let parts = [Part::ControlPlane, Part::Velero];
    let folder = scratch.path().join("site");
    let site = Site::start(&folder, &components, "cases", &parts, &options).await?;
    let real = Real {
        client: site.client(Identity::Admin).await?,
        store,
    };
    let outcomes = suite::run(&real, &case::all()?).await;
    site.destroy(Ending::Abrupt).await?;
    real.store.end().await?;
    outcomes
}
