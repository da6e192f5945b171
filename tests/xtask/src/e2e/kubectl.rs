//! `kubectl` on one site as one identity, each call bounded.
//!
//! Knows nothing about what the objects mean.

use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

/// The longest that one call may take.
const CALL_LIMIT: Duration = Duration::from_secs(120);

/// `kubectl` with a kubeconfig.
#[derive(Clone, Debug)]
pub(crate) struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    cache: PathBuf,
}

impl Kubectl {
    /// Chooses the program, whose calls go where `kubeconfig` says; discovery is cached in `cache`.
    pub(crate) fn new(program: &Path, kubeconfig: PathBuf, cache: PathBuf) -> Self {
        Self {
            program: program.to_owned(),
            kubeconfig,
            cache,
        }
    }

    /// Runs a command and returns what it printed.
    pub(crate) async fn run(&self, args: &[&str]) -> Result<String> {
        self.fed(args, "").await
    }

    /// Runs a command with `input` on its standard input.
    pub(crate) async fn fed(&self, args: &[&str], input: &str) -> Result<String> {
        let about = || format!("`kubectl {}`", args.join(" "));
        let mut child = Command::new(&self.program)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .arg("--cache-dir")
            .arg(&self.cache)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(about)?;
        let mut stdin = child.stdin.take().context("no standard input")?;
        let talk = async {
            // Who does not read its input says why on its own.
            stdin.write_all(input.as_bytes()).await.ok();
            drop(stdin);
            child.wait_with_output().await
        };
        let output = timeout(CALL_LIMIT, talk)
            .await
            .with_context(|| format!("{} took over {} s", about(), CALL_LIMIT.as_secs()))?
            .with_context(about)?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            bail!("{} failed: {}", about(), error.trim());
        }
        String::from_utf8(output.stdout).with_context(about)
    }

    /// Applies objects as they stand.
    pub(crate) async fn apply(&self, objects: &[Value]) -> Result<()> {
        let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let args = ["apply", "--server-side", "--field-manager=shop", "-f", "-"];
        self.fed(&args, &list.to_string()).await?;
        Ok(())
    }

    /// Deletes namespaces and waits until they are gone. Their pods get no time to end: else the
    /// namespaces would wait for them.
    pub(crate) async fn without_namespaces(&self, names: &[&str]) -> Result<()> {
        let absent_is_fine = "--ignore-not-found";
        let delete = ["delete", "namespace", "--wait=false", absent_is_fine];
        self.run(&[&delete, names].concat()).await?;
        for name in names {
            let pods = ["delete", "pods", "--all", "-n", name, absent_is_fine];
            let at_once = ["--force", "--grace-period=0", "--wait=false"];
            self.run(&[&pods[..], &at_once].concat()).await?;
        }
        let wait = ["delete", "namespace", "--wait", absent_is_fine];
        self.run(&[&wait, names].concat()).await?;
        Ok(())
    }

    /// Returns the items of a list; `what` is one or more resources and flags.
    pub(crate) async fn list(&self, what: &[&str]) -> Result<Vec<Value>> {
        let mut args = vec!["get"];
        args.extend(what);
        args.extend(["-o", "json"]);
        let text = self.run(&args).await?;
        let mut list: Value =
            serde_json::from_str(&text).context("`kubectl get` printed no JSON")?;
        match list["items"].take() {
            Value::Array(items) => Ok(items),
            _ => Ok(vec![list]),
        }
    }
}
