//! Several machines and one bucket for their runs. A machine is a folder of its own; what its steps do they
//! write down in a folder that all share.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use drplan_harness::ObjectStore;
use serde_json::Value;

use super::drplan::Spec;
use super::lab::Lab;

/// How long a test waits for what must happen soon.
pub(super) const SOON: Duration = Duration::from_secs(30);
/// How often it looks.
pub(super) const GLANCE: Duration = Duration::from_millis(50);

/// The steps of one recovery, and what they have written down.
pub(super) struct Shared(PathBuf);

impl Shared {
    pub(super) fn new(lab: &Lab, name: &str) -> Result<Self> {
        let dir = lab.root.join("shared").join(name);
        fs::create_dir_all(&dir).with_context(|| format!("cannot create `{}`", dir.display()))?;
        Ok(Self(dir))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Puts a spec's steps here.
    pub(super) fn of(&self, spec: &Spec) -> Spec {
        spec.with("shared", &self.0.display().to_string())
    }

    /// Waits until a step has made this file.
    pub(super) async fn wait_for(&self, name: &str) -> Result<()> {
        let since = Instant::now();
        while !self.path(name).exists() {
            ensure!(since.elapsed() < SOON, "`{name}` never came");
            tokio::time::sleep(GLANCE).await;
        }
        Ok(())
    }

    /// Lets the first step end.
    pub(super) fn let_go(&self) -> Result<()> {
        fs::write(self.path("let"), "").context("cannot let the first step end")
    }

    /// What was done, in the order of its beginning.
    pub(super) fn log(&self) -> Result<Vec<String>> {
        let text = fs::read_to_string(self.path("log")).context("no step has begun")?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Goes on only if exactly these steps were begun, each once.
    pub(super) fn expect(&self, steps: &[&str]) -> Result<()> {
        let log = self.log()?;
        ensure!(
            log == steps,
            "expected the steps {steps:?}, each once, found {log:?}"
        );
        Ok(())
    }
}

/// A step outlives its drplan, and the scenario that failed: it is let go whatever became of them.
impl Drop for Shared {
    fn drop(&mut self) {
        self.let_go().ok();
    }
}

/// A bucket that keeps the runs of machines.
pub(super) struct Team<'s> {
    store: &'s ObjectStore,
    bucket: String,
    pub(super) shared: Shared,
}

impl<'s> Team<'s> {
    /// Makes an empty one in a store.
    pub(super) async fn new(lab: &Lab, store: &'s ObjectStore, name: &str) -> Result<Self> {
        let team = Self::of(lab, store, name)?;
        store.create_bucket(&team.bucket).await?;
        Ok(team)
    }

    /// One whose bucket is there already.
    pub(super) fn of(lab: &Lab, store: &'s ObjectStore, name: &str) -> Result<Self> {
        Ok(Self {
            store,
            bucket: format!("runs-{name}"),
            shared: Shared::new(lab, name)?,
        })
    }

    /// A machine that keeps its runs in the bucket.
    pub(super) fn machine(&self, spec: &Spec) -> Result<Spec> {
        let file = spec.dir.join("main.dr.hcl");
        let text = fs::read_to_string(&file).context("cannot read the spec")?;
        fs::write(
            &file,
            text.replace("\"runs\"", &format!("\"{}\"", self.bucket)),
        )?;
        let credentials = self.store.credentials();
        let machine = self
            .shared
            .of(spec)
            .with("bucket_endpoint", &self.store.endpoint())
            .with("bucket_access_key", &credentials.access_key)
            .with("bucket_secret_key", &credentials.secret_key);
        Ok(machine)
    }

    /// The only run.
    pub(super) async fn run(&self) -> Result<String> {
        let request = self.store.client().list_objects_v2().bucket(&self.bucket);
        let answer = request.prefix("runs/").delimiter("/").send().await;
        let answer = answer.map_err(aws_sdk_s3::Error::from)?;
        let runs = answer.common_prefixes();
        ensure!(runs.len() == 1, "expected one run, found {runs:?}");
        let name = runs[0].prefix().and_then(|p| p.split('/').nth(1));
        Ok(name.context("a run without a name")?.to_owned())
    }

    /// An object of the bucket.
    pub(super) async fn json(&self, key: &str) -> Result<Value> {
        let bytes = self.store.get(&self.bucket, key).await?;
        serde_json::from_slice(&bytes).with_context(|| format!("`{key}` is no JSON"))
    }
}
