//! The harness against the real components: two sites and an object store side by side.
//!
//! Needs what `cargo xtask components` builds, so it runs only when it is asked for, as `cargo xtask test` does:
//! `cargo test -p xtask -- --ignored`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test by hand that prints how long things take"
)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Instant;

use drplan_harness::Components;
use drplan_harness::Ending;
use drplan_harness::Identity;
use drplan_harness::ObjectStore;
use drplan_harness::Part;
use drplan_harness::Process;
use drplan_harness::Site;
use drplan_harness::audit;
use drplan_harness::object_store::REGION;
use drplan_harness::site::Liveness;
use drplan_harness::site::UpOptions;

const SHOP: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: example/web}]}
";

const CONFIG_MAP: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {colour: blue}
";

const BACKUP: &str = "
apiVersion: velero.io/v1
kind: Backup
metadata: {name: first, namespace: velero}
spec: {includedNamespaces: [shop], storageLocation: store, snapshotVolumes: false}
";

/// `kubectl` on one site as one identity.
struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    cache: PathBuf,
}

impl Kubectl {
    fn of(components: &Components, site: &Site, identity: Identity, cache: &Path) -> Self {
        let (program, cache) = (components.kubectl.clone(), cache.to_owned());
        Self {
            program,
            kubeconfig: site.kubeconfig(identity),
            cache,
        }
    }

    fn run(&self, args: &[&str], input: &str) -> String {
        let mut child = Command::new(&self.program)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .arg("--cache-dir")
            .arg(&self.cache)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {args:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Prints how long each part of the test took, for whoever runs it by hand.
struct Watch(Instant);

impl Watch {
    #[expect(
        clippy::print_stderr,
        reason = "times are for the person who runs this"
    )]
    fn lap(&mut self, what: &str) {
        eprintln!("{what}: {:.1} s", self.0.elapsed().as_secs_f64());
        self.0 = Instant::now();
    }
}

fn processes(site: &Site) -> Vec<Process> {
    let names = [
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kwok",
        "velero",
        "postgres",
    ];
    names
        .iter()
        .filter_map(|name| site.process(name).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the real components"]
async fn two_sites_live_side_by_side_and_leave_nothing_behind() {
    let mut watch = Watch(Instant::now());
    let dir = tempfile::tempdir().unwrap();
    // PostgreSQL's own user must be able to pass through.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let components = Components::locate().unwrap();
    let store = ObjectStore::start(&dir.path().join("store"), &components)
        .await
        .unwrap();
    store.create_bucket("shop-dr").await.unwrap();
    watch.lap("object store");

    let options = UpOptions {
        nodes: 2,
        aws_credentials: Some(store.credentials_file()),
        keeper: PathBuf::from(env!("CARGO_BIN_EXE_xtask")),
    };
    let (path_a, path_b) = (dir.path().join("a"), dir.path().join("b"));
    let all = [Part::ControlPlane, Part::Velero, Part::Postgres];
    let (a, b) = tokio::join!(
        Site::start(&path_a, &components, "a", &all, &options),
        Site::start(&path_b, &components, "b", &all, &options),
    );
    let (a, b) = (a.unwrap(), b.unwrap());
    watch.lap("two sites");
    assert_eq!(a.is_up(Part::Velero).await.unwrap(), Liveness::Up);
    assert_eq!(b.is_up(Part::Velero).await.unwrap(), Liveness::Up);

    let cache = dir.path().join("kubectl");
    let admin = Kubectl::of(&components, &a, Identity::Admin, &cache);
    admin.run(&["apply", "-f", "-"], SHOP);
    admin.run(
        &[
            "-n",
            "shop",
            "wait",
            "--for=condition=Available",
            "deploy/web",
            "--timeout=60s",
        ],
        "",
    );
    watch.lap("a Deployment of three is Available");

    back_up(&admin, &store);
    watch.lap("location Available and backup Completed");
    let key = "velero/backups/first/velero-backup.json";
    store
        .client()
        .head_object()
        .bucket("shop-dr")
        .key(key)
        .send()
        .await
        .unwrap();

    let recovery = Kubectl::of(&components, &a, Identity::Drplan, &cache);
    let apply = ["apply", "--server-side", "-f", "-"];
    recovery.run(&[&apply[..], &["--dry-run=server"]].concat(), CONFIG_MAP);
    recovery.run(&apply, CONFIG_MAP);
    let writes = audit::writes(&a.audit_log(), "drplan").unwrap();
    let write = audit::Write {
        verb: "patch".to_owned(),
        resource: "configmaps".to_owned(),
        namespace: "shop".to_owned(),
        name: "settings".to_owned(),
    };
    assert_eq!(writes, [write]);

    let all: Vec<Process> = [processes(&a), processes(&b)].concat();
    assert_eq!(all.len(), 14);
    assert!(all.iter().all(Process::is_alive));
    watch.lap("checks");
    a.destroy(Ending::Abrupt).await.unwrap();
    b.end(Ending::Orderly).await.unwrap();
    store.end().await.unwrap();
    watch.lap("the end");
    assert!(all.iter().all(|process| !process.is_anything_left()));
    assert!(!path_a.exists() && path_b.exists());
}

fn back_up(admin: &Kubectl, store: &ObjectStore) {
    let location = format!(
        "
apiVersion: velero.io/v1
kind: BackupStorageLocation
metadata: {{name: store, namespace: velero}}
spec:
  provider: aws
  objectStorage: {{bucket: shop-dr, prefix: velero}}
  config: {{region: {REGION}, s3ForcePathStyle: \"true\", s3Url: \"{}\"}}
",
        store.endpoint(),
    );
    let wait = |what: &str, phase: &str| {
        let until = format!("--for=jsonpath={{.status.phase}}={phase}");
        admin.run(&["-n", "velero", "wait", &until, what, "--timeout=90s"], "");
    };
    admin.run(&["apply", "-f", "-"], &location);
    wait("backupstoragelocation/store", "Available");
    admin.run(&["apply", "-f", "-"], BACKUP);
    wait("backup/first", "Completed");
}
