//! Builds a component with the ordinary `go` client.
//!
//! Knows nothing about which components there are.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use super::cache_root;
use super::recipe::Documents;
use super::recipe::Recipe;
use crate::wait::tail;

/// The longest that one build may take, in seconds, as `timeout` wants it. A first build of the
/// largest component on two cores takes six minutes.
const BUILD_LIMIT_S: u32 = 3_600;

/// What was done for a component.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The component's folder in the cache.
    pub folder: PathBuf,
    /// Whether it had been there before.
    pub was_cached: bool,
    /// How long it took.
    pub took: Duration,
}

/// Builds a component unless the cache holds it already.
///
/// # Errors
///
/// When `go` fails; the error shows the end of its output.
pub fn build(recipe: &Recipe) -> Result<Outcome> {
    let start = Instant::now();
    let root = cache_root()?;
    fs::create_dir_all(&root).with_context(|| format!("cannot create `{}`", root.display()))?;
    let name = recipe.folder_name()?;
    let folder = root.join(&name);
    let lock = root.join(format!("{}.lock", recipe.name));
    let lock =
        fs::File::create(&lock).with_context(|| format!("cannot create `{}`", lock.display()))?;
    // Two builds of the same component would only slow each other down. The wait is bounded by
    // the limit of the build that holds the lock; the kernel lets go when its process ends.
    lock.lock().context("cannot lock the component's folder")?;
    let was_cached = folder.is_dir();
    if !was_cached {
        let fresh = root.join(format!("{name}.new"));
        if fresh.exists() {
            fs::remove_dir_all(&fresh).context("cannot remove what an interrupted build left")?;
        }
        fs::create_dir_all(&fresh)?;
        go_build(recipe, &fresh, &root.join(format!("{name}.log")))?;
        if let Some(documents) = &recipe.documents {
            copy_documents(recipe, documents, &fresh)?;
        }
        fs::rename(&fresh, &folder).context("cannot move the finished build into place")?;
    }
    Ok(Outcome {
        folder,
        was_cached,
        took: start.elapsed(),
    })
}

fn go_build(recipe: &Recipe, into: &Path, log: &Path) -> Result<()> {
    let output = match recipe.binaries {
        [(binary, _)] => into.join(binary),
        // A trailing slash makes `go` write every binary into the folder.
        _ => into.join(""),
    };
    let file = fs::File::create(log)?;
    let status = Command::new("timeout")
        .arg(BUILD_LIMIT_S.to_string())
        .args(["go", "build"])
        .args(recipe.flags())
        .arg("-o")
        .arg(output)
        .args(recipe.binaries.iter().map(|(_, package)| package))
        .current_dir(recipe.source())
        .env("CGO_ENABLED", "0")
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()
        .context("cannot run `timeout go build`")?;
    if !status.success() {
        bail!(
            "building `{}` failed ({status}); {}",
            recipe.name,
            tail(log)
        );
    }
    Ok(())
}

/// Copies documents out of the module's folder, which `go` filled when it built from it.
fn copy_documents(recipe: &Recipe, documents: &Documents, into: &Path) -> Result<()> {
    let output = Command::new("go")
        .args(["list", "-m", "-f", "{{.Dir}}", documents.module])
        .current_dir(recipe.source())
        .output()
        .context("cannot run `go list`")?;
    let module = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || module.is_empty() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!(
            "`go list -m {}` found no folder: {}",
            documents.module,
            error.trim()
        );
    }
    let mut text = String::new();
    for file in documents.files {
        let path = Path::new(&module).join(file);
        let document = fs::read_to_string(&path)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        text.push_str("---\n");
        text.push_str(document.trim_end());
        text.push('\n');
    }
    fs::write(into.join(documents.into), text)?;
    Ok(())
}
