//! `cargo xtask example`: makes the data of an example again, by running the real programs.
//!
//! Knows nothing about recovery: it makes a site, has it backed up, keeps what the bucket holds, and
//! ends the site.

mod bucket;
mod definitions;
mod site;

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use clap::ValueEnum;
use drplan_harness::Components;
use drplan_harness::Ending;
use drplan_harness::ObjectStore;

use crate::e2e::asked_to_end;
use crate::e2e::lab;
use site::Shop;

/// The bucket of the shop.
const BUCKET: &str = "shop-backups";

/// More than this makes a clone slow for everybody.
const BYTES_MAX: u64 = 300_000;

/// Make the recorded data of an example again
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which example
    example: Example,
}

#[derive(Clone, Copy, ValueEnum)]
enum Example {
    Shop,
}

pub(crate) async fn run(args: &Args) -> Result<ExitCode> {
    let root = lab::make_root()?;
    // Dropped half-way, it ends what it has started.
    let made = tokio::select! {
        made = make(args.example, &root) => made,
        asked = asked_to_end() => Err(asked),
    };
    made.with_context(|| format!("all logs are in `{}`", root.display()))?;
    fs::remove_dir_all(&root).with_context(|| format!("cannot delete `{}`", root.display()))?;
    Ok(ExitCode::SUCCESS)
}

async fn make(example: Example, root: &Path) -> Result<()> {
    match example {
        Example::Shop => shop(&examples()?.join("shop"), root).await,
    }
}

async fn shop(example: &Path, root: &Path) -> Result<()> {
    let components = Components::locate()?;
    definitions::write(&components.velero, &example.join("velero/crds.yaml")).await?;
    let store = ObjectStore::start(&root.join("store"), &components).await?;
    store.create_bucket(BUCKET).await?;
    let shop = Shop::start(root, &components, &store).await?;
    println!("site A is up");
    shop.fill().await?;
    println!("the shop runs");
    shop.back_up().await?;
    let uid = shop.cluster_uid().await?;
    shop.site.destroy(Ending::Abrupt).await?;
    let folder = example.join("data").join(BUCKET);
    let programs = components.velero.parent().context("Velero lies nowhere")?;
    let kept = bucket::keep(&store, BUCKET, &folder, programs).await?;
    store.end().await?;
    ensure!(
        kept.bytes <= BYTES_MAX,
        "the bucket holds {} bytes, more than {BYTES_MAX}",
        kept.bytes
    );
    println!("{} files with {} bytes", kept.files, kept.bytes);
    println!("`not_cluster_uid` of the spec must be {uid}");
    println!("`start` in `rehearsal.hcl` must be later than now");
    Ok(())
}

/// The folder `examples` of the checkout that this was built from.
fn examples() -> Result<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    dir.canonicalize()
        .with_context(|| format!("no folder `{}`", dir.display()))
}
