//! Site A of the shop: filled from the files beside this one, and backed up by Velero and `pg_dump`.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use drplan_harness::Components;
use drplan_harness::Identity;
use drplan_harness::ObjectStore;
use drplan_harness::Part;
use drplan_harness::Site;
use drplan_harness::object_store::REGION;
use drplan_harness::site::UpOptions;
use serde_json::Value;
use serde_json::json;
use tokio::process::Command;
use tokio::time::timeout;

use super::BUCKET;
use super::bucket;
use crate::e2e::database;
use crate::e2e::kubectl::Kubectl;

/// The longest that anything that is waited for on the site may take.
const WAIT_LIMIT: &str = "--timeout=90s";

/// The longest that one backup may take.
const BACKUP_LIMIT: Duration = Duration::from_secs(120);

/// What the load balancer of site A gives to the shop's frontend.
const OLD_ADDRESS: &str = "192.0.2.10";

/// The databases, each with a file of that name.
const DATABASES: &[&str] = &["shop", "billing"];

/// A site that runs the shop.
pub(super) struct Shop<'a> {
    pub(super) site: Site,
    root: &'a Path,
    components: &'a Components,
    store: &'a ObjectStore,
    kubectl: Kubectl,
}

impl<'a> Shop<'a> {
    /// Starts the site with the shop's own kinds and nothing else of it.
    pub(super) async fn start(
        root: &'a Path,
        components: &'a Components,
        store: &'a ObjectStore,
    ) -> Result<Self> {
        let mut options = UpOptions::with_this_program_as_keeper()?;
        options.aws_credentials = Some(store.credentials_file());
        let parts = [Part::ControlPlane, Part::Postgres];
        let site = Site::start(&root.join("a"), components, "a", &parts, &options).await?;
        let kubeconfig = site.kubeconfig(Identity::Admin);
        let kubectl = Kubectl::new(&components.kubectl, kubeconfig, root.join("kubectl"));
        let shop = Self {
            site,
            root,
            components,
            store,
            kubectl,
        };
        shop.apply("1-foundation.yaml").await?;
        shop.wait(&["--for=condition=Established", "crd/pricelists.shop.example"])
            .await?;
        // Velero looks for kinds when it starts; it would not see a newer one for a while.
        shop.site
            .up(components, "a", Part::Velero, &options)
            .await?;
        Ok(shop)
    }

    /// Fills cluster and databases, and waits until everything runs.
    pub(super) async fn fill(&self) -> Result<()> {
        for file in ["2-infra.yaml", "3-shop.yaml", "4-around.yaml"] {
            self.apply(file).await?;
        }
        for namespace in ["shop-infra", "shop", "shop-blog", "shop-jobs"] {
            let available = [
                "-n",
                namespace,
                "--for=condition=Available",
                "deploy",
                "--all",
            ];
            self.wait(&available).await?;
        }
        let ready = "--for=jsonpath={.status.availableReplicas}=1";
        self.wait(&["-n", "shop", ready, "statefulset/thumbnails"])
            .await?;
        self.give_address().await?;
        let url = self.database_url()?;
        for name in DATABASES {
            let file = files().join(format!("{name}.sql"));
            let sql = fs::read_to_string(&file)
                .with_context(|| format!("cannot read `{}`", file.display()))?;
            database::fill(&url, name, &sql).await?;
        }
        Ok(())
    }

    /// Takes both backups and both dumps into the bucket.
    pub(super) async fn back_up(&self) -> Result<()> {
        self.apply("velero.yaml").await?;
        self.kubectl.apply(&[self.location()]).await?;
        let available = "--for=jsonpath={.status.phase}=Available";
        self.wait(&["-n", "velero", available, "backupstoragelocation/backups"])
            .await?;
        for schedule in ["infra-daily", "apps-daily"] {
            let enabled = "--for=jsonpath={.status.phase}=Enabled";
            let name = format!("schedule/{schedule}");
            self.wait(&["-n", "velero", enabled, &name]).await?;
        }
        self.apply("5-clockwork.yaml").await?;
        for schedule in ["infra-daily", "apps-daily"] {
            self.take_backup(schedule).await?;
        }
        let jobs = self.kubectl.list(&["jobs", "-A"]).await?;
        ensure!(jobs.is_empty(), "a CronJob fired meanwhile: run it again");
        self.every_backup_is_complete().await?;
        self.dump().await
    }

    /// What tells this cluster from every other.
    pub(super) async fn cluster_uid(&self) -> Result<String> {
        let uid = "jsonpath={.metadata.uid}";
        let args = ["get", "namespace", "kube-system", "-o", uid];
        self.kubectl.run(&args).await
    }

    async fn apply(&self, file: &str) -> Result<()> {
        let file = files().join(file).display().to_string();
        let args = [
            "apply",
            "--server-side",
            "--field-manager=shop",
            "-f",
            &file,
        ];
        self.kubectl.run(&args).await?;
        Ok(())
    }

    async fn wait(&self, what: &[&str]) -> Result<()> {
        let mut args = vec!["wait", WAIT_LIMIT];
        args.extend(what);
        self.kubectl.run(&args).await?;
        Ok(())
    }

    /// Does what a cloud's controller does for a Service of type LoadBalancer.
    async fn give_address(&self) -> Result<()> {
        let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": OLD_ADDRESS}]}}});
        let (patch, text) = ("--subresource=status", status.to_string());
        let args = [
            "patch",
            "-n",
            "shop",
            "service/frontend",
            patch,
            "--type=merge",
            "-p",
            &text,
        ];
        self.kubectl.run(&args).await?;
        Ok(())
    }

    fn location(&self) -> Value {
        json!({
            "apiVersion": "velero.io/v1", "kind": "BackupStorageLocation",
            "metadata": {"name": "backups", "namespace": "velero"},
            "spec": {
                "provider": "aws",
                "objectStorage": {"bucket": BUCKET, "prefix": "velero"},
                "config": {"region": REGION, "s3ForcePathStyle": "true", "s3Url": self.store.endpoint()},
            },
        })
    }

    /// Has Velero do now what it would do at night.
    async fn take_backup(&self, schedule: &str) -> Result<()> {
        let kubeconfig = self.site.kubeconfig(Identity::Admin);
        let run = Command::new(&self.components.velero)
            .args(["backup", "create", "--from-schedule", schedule, "--wait"])
            .env("KUBECONFIG", kubeconfig)
            .env("HOME", self.root)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = timeout(BACKUP_LIMIT, run)
            .await
            .with_context(|| format!("the backup of `{schedule}` does not end"))??;
        ensure!(
            output.status.success(),
            "`velero backup create --from-schedule {schedule}` failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(())
    }

    async fn every_backup_is_complete(&self) -> Result<()> {
        let backups = self
            .kubectl
            .list(&["backups.velero.io", "-n", "velero"])
            .await?;
        ensure!(backups.len() == 2, "{} backups", backups.len());
        for backup in backups {
            let (name, status) = (&backup["metadata"]["name"], &backup["status"]);
            ensure!(
                status["phase"] == "Completed",
                "backup {name} ended with {status}"
            );
            println!("{name}: {} objects", status["progress"]["itemsBackedUp"]);
        }
        Ok(())
    }

    async fn dump(&self) -> Result<()> {
        let url = self.database_url()?;
        for name in DATABASES {
            let file = self.root.join(format!("{name}.dump"));
            database::dump(&self.components.postgres_bin, &url, name, &file).await?;
            let at = "select to_char(now() at time zone 'utc', 'YYYYMMDDHH24MISS')";
            let at = database::column(&url, name, at).await?.concat();
            let key = format!("dumps/{name}/{name}-{at}.dump");
            bucket::put(self.store, BUCKET, &key, fs::read(&file)?).await?;
        }
        Ok(())
    }

    fn database_url(&self) -> Result<String> {
        Ok(self.site.postgres_url()?.trim().to_owned())
    }
}

/// The folder with the objects and rows of the shop.
fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/example/shop")
}
