//! The world of the test: one dead site, one site to be made, and what outlives both.
//!
//! Prepares site A, takes the backups, writes the truth down and destroys A. Afterwards only the
//! bucket, the zone and the truth are left.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use aws_sdk_s3::primitives::ByteStream;
use drplan_harness::Components;
use drplan_harness::Ending;
use drplan_harness::Identity;
use drplan_harness::ObjectStore;
use drplan_harness::Part;
use drplan_harness::Site;
use drplan_harness::SiteDir;
use drplan_harness::object_store::REGION;
use drplan_harness::site::UpOptions;
use jiff::Timestamp;

use super::database;
use super::drplan::Drplan;
use super::drplan::Spec;
use super::kubectl::Kubectl;
use super::recovery::Recovered;
use super::shop;
use super::truth;
use super::truth::Truth;
use super::zone::Zone;
use crate::tree::copied;

/// The bucket that outlives the disaster.
pub(crate) const BUCKET: &str = "shop-dr";

/// The longest that a backup or a workload may take.
const WAIT_LIMIT: &str = "--timeout=90s";

/// Everything that the scenarios work on.
pub(crate) struct Lab {
    pub(crate) root: PathBuf,
    pub(crate) components: Components,
    pub(crate) store: ObjectStore,
    pub(crate) zone: Zone,
    pub(crate) truth: Truth,
    pub(crate) b: SiteDir,
    /// Every secret that was in use at some time.
    pub(crate) secrets: BTreeSet<String>,
    pub(crate) drplan: Drplan,
    /// The main recovery, once it is done.
    pub(crate) main: Option<Recovered>,
    /// Whether the scenario before this one held, and so left everything as it must be.
    pub(crate) is_clean: bool,
    /// How many Restores the cluster held when it was last asked.
    pub(crate) restores_seen: usize,
    /// What the bucket held when site A died: keys with their tags.
    pub(crate) left_by_a: BTreeMap<String, String>,
    /// The keys that scenarios have written themselves.
    pub(crate) put_by_hand: BTreeSet<String>,
    /// All lives of site B that are over, in order.
    pub(crate) lives: Vec<Life>,
    sources: PathBuf,
    specs: usize,
}

/// A life of site B that is over.
pub(crate) struct Life {
    /// Its audit log.
    pub(crate) audit_log: PathBuf,
    /// When it was over: nothing was written into it any more.
    pub(crate) ended_at: Timestamp,
}

/// Where the programs and the specs are.
pub(crate) struct Places {
    pub(crate) root: PathBuf,
    pub(crate) report: PathBuf,
    pub(crate) drplan: PathBuf,
    /// The folder `tests/e2e`.
    pub(crate) sources: PathBuf,
}

impl Lab {
    /// Builds the world up to the moment after the disaster.
    pub(crate) async fn prepare(places: Places, progress: &dyn Fn(&str)) -> Result<Self> {
        let Places {
            root,
            report,
            drplan,
            sources,
        } = places;
        let components = Components::locate()?;
        progress("components found");
        let store = ObjectStore::start(&root.join("store"), &components).await?;
        store.create_bucket(BUCKET).await?;
        let zone = Zone::start(&root.join("route53")).await?;
        progress("object store and DNS zone");
        let a = start_a(&root, &components, &store).await?;
        progress("site A");
        let truth = fill_a(&root, &a, &components, &store).await?;
        let uid = cluster_uid(&kubectl(&components, &a, &root)).await?;
        progress(&format!(
            "{} objects and {} tables, backed up",
            truth.objects.len(),
            truth.tables.rows.len()
        ));
        let lost_kubeconfig = root.join("a.kubeconfig");
        fs::copy(a.kubeconfig(Identity::Drplan), &lost_kubeconfig)
            .context("cannot keep A's kubeconfig")?;
        a.destroy(Ending::Abrupt).await?;
        let left_by_a = store.contents(BUCKET).await?;
        progress("site A destroyed");
        let b = SiteDir::new(&root.join("b"))?;
        let env = environment(
            &root,
            &components,
            &store,
            &zone,
            &b,
            &uid,
            &lost_kubeconfig,
        )?;
        let mut secrets: BTreeSet<String> = shop::secret_values().into_iter().collect();
        secrets.insert(store.credentials().secret_key.clone());
        secrets.insert(zone.server().credentials().secret_key.clone());
        Ok(Self {
            root,
            components,
            store,
            zone,
            truth,
            b,
            secrets,
            drplan: Drplan {
                program: drplan,
                env,
                report,
            },
            main: None,
            is_clean: false,
            restores_seen: 0,
            left_by_a,
            put_by_hand: BTreeSet::new(),
            lives: Vec::new(),
            sources,
            specs: 0,
        })
    }

    /// `kubectl` on site B as its administrator.
    pub(crate) fn kubectl(&self) -> Kubectl {
        kubectl(&self.components, &self.b, &self.root)
    }

    /// A fresh copy of one of the specs, in a folder of its own.
    pub(crate) fn spec(&mut self, name: &str) -> Result<Spec> {
        self.specs += 1;
        let dir = self
            .root
            .join("specs")
            .join(format!("{:03}-{name}", self.specs));
        copied(&self.sources.join(name), &dir)?;
        Ok(Spec {
            dir,
            drplan: self.drplan.clone(),
        })
    }

    /// The address of B's PostgreSQL.
    pub(crate) fn database_url(&self) -> Result<String> {
        Ok(self.b.postgres_url()?.trim().to_owned())
    }

    /// Remembers the secrets that site B has made up for itself.
    pub(crate) fn learn_secrets(&mut self) -> Result<()> {
        if let Ok(url) = self.database_url() {
            let config: tokio_postgres::Config =
                url.parse().context("the address of PostgreSQL")?;
            let password = config.get_password().context("no password")?;
            self.secrets
                .insert(String::from_utf8_lossy(password).into_owned());
        }
        for identity in Identity::ALL {
            let Ok(text) = fs::read_to_string(self.b.kubeconfig(identity)) else {
                continue;
            };
            let config: serde_json::Value = serde_json::from_str(&text)?;
            let token = config["users"][0]["user"]["token"]
                .as_str()
                .context("no token")?;
            self.secrets.insert(token.to_owned());
        }
        Ok(())
    }

    /// Makes site B what it is before a recovery: nothing. DNS points to A again.
    pub(crate) async fn nothing_of_b(&mut self) -> Result<()> {
        self.learn_secrets()?;
        // First its processes, so that nothing is written any more when the log is kept.
        self.b.down(Ending::Abrupt).await?;
        self.keep_audit_log()?;
        self.b.destroy(Ending::Abrupt).await?;
        if self.b.path().exists() {
            bail!("`{}` is still there", self.b.path().display());
        }
        self.zone.points_to_a()
    }

    /// Keeps the audit log of site B beyond its life, which is over, if it has lived.
    fn keep_audit_log(&mut self) -> Result<()> {
        if !self.b.audit_log().exists() {
            return Ok(());
        }
        let folder = self.drplan.report.join("audit");
        fs::create_dir_all(&folder)?;
        let audit_log = folder.join(format!("{:02}.log", self.lives.len() + 1));
        fs::copy(self.b.audit_log(), &audit_log).context("cannot keep the audit log")?;
        self.lives.push(Life {
            audit_log,
            ended_at: Timestamp::now(),
        });
        Ok(())
    }

    /// Puts an object into the bucket.
    pub(crate) async fn put(&mut self, key: &str, content: Vec<u8>) -> Result<()> {
        self.put_by_hand.insert(key.to_owned());
        put(&self.store, key, content).await
    }

    /// Reads an object of the bucket.
    pub(crate) async fn get(&self, key: &str) -> Result<Vec<u8>> {
        self.store.get(BUCKET, key).await
    }

    /// The keys below a prefix.
    pub(crate) async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let request = self
            .store
            .client()
            .list_objects_v2()
            .bucket(BUCKET)
            .prefix(prefix);
        let answer = request.send().await.map_err(aws_sdk_s3::Error::from)?;
        if answer.is_truncated() == Some(true) {
            bail!("more than one page of keys below `{prefix}`");
        }
        Ok(answer
            .contents()
            .iter()
            .filter_map(|o| o.key().map(str::to_owned))
            .collect())
    }

    /// Ends everything; a folder that stays keeps its logs.
    pub(crate) async fn end(self) -> Result<()> {
        self.b.down(Ending::Orderly).await?;
        self.store.end().await?;
        self.zone.end().await;
        Ok(())
    }
}

/// A folder into which PostgreSQL's own user can pass.
pub(crate) fn make_root() -> Result<PathBuf> {
    let dir = tempfile::Builder::new().prefix("drplan-e2e-").tempdir()?;
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711))?;
    Ok(dir.keep())
}

fn kubectl(components: &Components, site: &SiteDir, root: &Path) -> Kubectl {
    let kubeconfig = site.kubeconfig(Identity::Admin);
    Kubectl::new(&components.kubectl, kubeconfig, root.join("kubectl"))
}

async fn start_a(root: &Path, components: &Components, store: &ObjectStore) -> Result<Site> {
    let mut options = UpOptions::with_this_program_as_keeper()?;
    options.aws_credentials = Some(store.credentials_file());
    let parts = [Part::ControlPlane, Part::Postgres];
    let a = Site::start(&root.join("a"), components, "a", &parts, &options).await?;
    // Velero looks for kinds when it starts and every five minutes; it would not see a newer one.
    let kubectl = kubectl(components, &a, root);
    kubectl.apply(&shop::foundation()).await?;
    let served = [
        "wait",
        "--for=condition=Established",
        "crd/pricelists.shop.example",
        WAIT_LIMIT,
    ];
    kubectl.run(&served).await?;
    a.up(components, "a", Part::Velero, &options).await?;
    Ok(a)
}

async fn fill_a(
    root: &Path,
    a: &Site,
    components: &Components,
    store: &ObjectStore,
) -> Result<Truth> {
    let kubectl = kubectl(components, a, root);
    let (objects, tables) = tokio::join!(
        fill_cluster(&kubectl, store),
        fill_database(root, a, components, store),
    );
    Ok(Truth {
        objects: objects?,
        tables: tables?,
    })
}

async fn fill_cluster(
    kubectl: &Kubectl,
    store: &ObjectStore,
) -> Result<BTreeMap<String, serde_json::Value>> {
    kubectl.apply(&shop::objects()).await?;
    kubectl.apply(&[shop::webhook()]).await?;
    kubectl
        .apply(&[shop::location(BUCKET, &store.endpoint(), REGION)])
        .await?;
    for namespace in shop::APPS {
        let ready = [
            "wait",
            "-n",
            namespace,
            "--for=condition=Available",
            "deploy",
            "--all",
            WAIT_LIMIT,
        ];
        kubectl.run(&ready).await?;
    }
    let wait = |phase: &str| format!("--for=jsonpath={{.status.phase}}={phase}");
    let (available, completed) = (wait("Available"), wait("Completed"));
    kubectl
        .run(&[
            "wait",
            "-n",
            "velero",
            &available,
            "backupstoragelocation/backups",
            WAIT_LIMIT,
        ])
        .await?;
    // One after the other: a second one is queued, and Velero looks at its queue once a minute.
    for (backup, name) in shop::backups()
        .into_iter()
        .zip(["backup/infra-1", "backup/apps-1"])
    {
        kubectl.apply(&[backup]).await?;
        kubectl
            .run(&["wait", "-n", "velero", &completed, name, WAIT_LIMIT])
            .await?;
    }
    truth::objects(kubectl).await
}

async fn fill_database(
    root: &Path,
    a: &Site,
    components: &Components,
    store: &ObjectStore,
) -> Result<database::Tables> {
    let url = a.postgres_url()?.trim().to_owned();
    database::fill(&url, database::DATABASE, database::SCHEMA).await?;
    let file = root.join("shop.dump");
    database::dump(&components.postgres_bin, &url, database::DATABASE, &file).await?;
    put(store, "dumps/shop-1.dump", fs::read(&file)?).await?;
    database::tables(&url, database::DATABASE).await
}

async fn put(store: &ObjectStore, key: &str, content: Vec<u8>) -> Result<()> {
    let request = store.client().put_object().bucket(BUCKET).key(key);
    let answer = request.body(ByteStream::from(content)).send().await;
    answer
        .map_err(aws_sdk_s3::Error::from)
        .with_context(|| format!("cannot write `{key}`"))?;
    Ok(())
}

async fn cluster_uid(kubectl: &Kubectl) -> Result<String> {
    kubectl
        .run(&[
            "get",
            "namespace",
            "kube-system",
            "-o",
            "jsonpath={.metadata.uid}",
        ])
        .await
}

fn environment(
    root: &Path,
    components: &Components,
    store: &ObjectStore,
    zone: &Zone,
    b: &SiteDir,
    lost_uid: &str,
    lost_kubeconfig: &Path,
) -> Result<BTreeMap<String, String>> {
    let home = root.join("home");
    fs::create_dir_all(&home)?;
    let cache = match env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Some(cache) => PathBuf::from(cache),
        None => Path::new(&env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    let path = |path: &Path| path.display().to_string();
    let dns = zone.server().credentials();
    let variables = [
        ("site_program", path(&env::current_exe()?)),
        ("site_dir", path(b.path())),
        ("lost_cluster_uid", lost_uid.to_owned()),
        ("lost_kubeconfig", path(lost_kubeconfig)),
        ("helm", path(&components.helm)),
        ("bucket_endpoint", store.endpoint()),
        ("bucket_credentials_file", path(&store.credentials_file())),
        ("bucket_access_key", store.credentials().access_key.clone()),
        ("bucket_secret_key", store.credentials().secret_key.clone()),
        ("dns_endpoint", zone.server().endpoint()),
        ("dns_access_key", dns.access_key.clone()),
        ("dns_secret_key", dns.secret_key.clone()),
    ];
    let mut out: BTreeMap<String, String> = variables
        .into_iter()
        .map(|(name, value)| (format!("DRPLAN_VAR_{name}"), value))
        .collect();
    // PostgreSQL's own tools first; a site needs Go to find its components.
    let rest = env::var("PATH").context("PATH is not set")?;
    for (name, value) in [
        ("PATH", format!("{}:{rest}", path(&components.postgres_bin))),
        ("HOME", path(&home)),
        ("XDG_CACHE_HOME", path(&cache)),
        ("LC_ALL", "C.UTF-8".to_owned()),
        ("NO_COLOR", "1".to_owned()),
    ] {
        out.insert(name.to_owned(), value);
    }
    Ok(out)
}
