//! Velero's definitions (CRDs) as its own binary prints them, without their long descriptions.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

/// How long the program may take to print them.
const PRINT_LIMIT: Duration = Duration::from_secs(30);

/// What stands above them.
const HEAD: &str = "\
# Velero's kinds, as `velero install --crds-only --dry-run` prints them, without descriptions.
# Made by `cargo xtask example shop`; edits are lost.
";

/// Writes them as YAML documents.
pub(super) async fn write(velero: &Path, file: &Path) -> Result<()> {
    let print = Command::new(velero)
        .args(["install", "--crds-only", "--dry-run", "-o", "json"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(PRINT_LIMIT, print)
        .await
        .context("`velero install --dry-run` does not end")??;
    ensure!(
        output.status.success(),
        "`velero install --dry-run` failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let mut list: Value =
        serde_json::from_slice(&output.stdout).context("Velero printed no JSON")?;
    let items = list["items"]
        .as_array_mut()
        .context("Velero printed no list")?;
    let mut text = HEAD.to_owned();
    for item in items {
        strip(item);
        text.push_str("---\n");
        text.push_str(&serde_saphyr::to_string(item)?);
    }
    fs::write(file, text).with_context(|| format!("cannot write `{}`", file.display()))
}

/// Takes out what only people read, and what says nothing.
fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            // A field may itself be called so; then it holds a schema and no text.
            fields.retain(|name, value| !(name == "description" && value.is_string()));
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}
