//! Restores by the real Velero of what a real cluster lost.
//!
//! `cargo xtask test` runs it. By hand it needs the real components (`cargo xtask components`) and a built `xtask`,
//! which keeps Velero running: `cargo test -p drplan-velero --test real -- --ignored`. Everything is on loopback and
//! ends with the test.

#![expect(
    clippy::print_stderr,
    reason = "what the real Velero did is read by whoever runs it"
)]

use std::env;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use drplan_api::Action;
use drplan_api::Address;
use drplan_api::Conn;
use drplan_api::ConnId;
use drplan_api::Connecting;
use drplan_api::Doors;
use drplan_api::Effect;
use drplan_api::Json;
use drplan_api::Planned;
use drplan_api::Progress;
use drplan_api::ReadCx;
use drplan_api::System;
use drplan_api::acting;
use drplan_api::reading;
use drplan_harness::Components;
use drplan_harness::Ending;
use drplan_harness::Identity;
use drplan_harness::ObjectStore;
use drplan_harness::Part;
use drplan_harness::Site;
use drplan_harness::audit;
use drplan_harness::object_store::REGION;
use drplan_harness::site::UpOptions;
use drplan_kubernetes::KubernetesSystem;
use drplan_s3::S3System;
use drplan_testkit::Driver;
use drplan_testkit::apply_twice;
use drplan_testkit::crash_at_each_point;
use drplan_testkit::want;
use drplan_velero::VeleroBackup;
use drplan_velero::VeleroRestore;
use drplan_velero::lenses;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::Instant;

const BUCKET: &str = "shop-dr";
const CLUSTER: &str = "kubernetes.site";
const STORE: &str = "s3.backups";
const RESTORE: &str = "velero_restore.shop";
/// How long Velero, a workload or a namespace may take.
const WAIT_LIMIT: &str = "--timeout=120s";
/// How often something is looked at that `kubectl wait` has no words for, and how many times.
const LOOK_EVERY: Duration = Duration::from_millis(250);
const LOOKS_MAX: usize = 240;

struct World {
    // Fields are dropped in this order: what runs before where it runs.
    site: Site,
    store: ObjectStore,
    components: Components,
    root: TempDir,
    cluster: Arc<dyn Conn>,
    bucket: Arc<dyn Conn>,
}

fn keeper() -> PathBuf {
    let beside = || {
        let test = env::current_exe().expect("a path");
        let folder = test.parent().and_then(std::path::Path::parent);
        folder.expect("a folder").join("xtask")
    };
    let keeper = env::var_os("DRPLAN_TEST_KEEPER").map_or_else(beside, PathBuf::from);
    assert!(
        keeper.exists(),
        "build xtask first, or set DRPLAN_TEST_KEEPER"
    );
    keeper
}

async fn connect(system: &dyn System, id: &str, config: Json) -> Arc<dyn Conn> {
    let cx = Connecting {
        id: ConnId::new(id),
        config,
        base_dir: PathBuf::from("/"),
        doors: Doors::local(),
    };
    system.connect(&cx).await.expect("a connection")
}

impl World {
    async fn start() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let components = Components::locate().expect("components");
        let store = ObjectStore::start(&root.path().join("store"), &components).await;
        let store = store.expect("an object store");
        store.create_bucket(BUCKET).await.expect("a bucket");
        let options = UpOptions {
            nodes: 2,
            aws_credentials: Some(store.credentials_file()),
            keeper: keeper(),
        };
        let parts = [Part::ControlPlane, Part::Velero];
        let folder = root.path().join("site");
        let site = Site::start(&folder, &components, "site", &parts, &options).await;
        let site = site.expect("a site");
        let kubeconfig = site.kubeconfig(Identity::Drplan);
        let cluster = connect(
            &KubernetesSystem,
            CLUSTER,
            json!({"kubeconfig_path": kubeconfig}),
        );
        let lenses = lenses().into_iter();
        let s3 = lenses.fold(S3System::new(), S3System::lens);
        let bucket = json!({
            "region": REGION, "endpoint": store.endpoint(),
            "access_key": store.credentials().access_key,
            "secret_key": store.credentials().secret_key,
        });
        let bucket = connect(&s3, STORE, bucket).await;
        Self {
            cluster: cluster.await,
            bucket,
            site,
            store,
            components,
            root,
        }
    }

    async fn kubectl(&self, args: &[&str], input: &str) -> Result<String, String> {
        let mut child = Command::new(&self.components.kubectl)
            .arg("--kubeconfig")
            .arg(self.site.kubeconfig(Identity::Admin))
            .arg("--cache-dir")
            .arg(self.root.path().join("kubectl"))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("kubectl");
        let mut stdin = child.stdin.take().expect("its input");
        stdin.write_all(input.as_bytes()).await.expect("to be read");
        drop(stdin);
        let output = child.wait_with_output().await.expect("its output");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        match output.status.success() {
            true => Ok(text(output.stdout)),
            false => Err(text(output.stderr)),
        }
    }

    async fn run(&self, args: &[&str]) -> String {
        let done = self.kubectl(args, "").await;
        done.unwrap_or_else(|e| panic!("kubectl {args:?}: {e}"))
    }

    async fn make(&self, objects: &[Json]) {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
        let done = self.kubectl(&["apply", "-f", "-"], &list).await;
        done.unwrap_or_else(|e| panic!("apply: {e}"));
    }

    async fn get(&self, what: &[&str]) -> Json {
        let args = [&["get", "-o", "json"], what].concat();
        serde_json::from_str(&self.run(&args).await).expect("JSON")
    }

    /// Makes the shop, backs it up.
    async fn fill(&self) {
        self.make(&foundation()).await;
        self.make(&[json!({
            "apiVersion": "velero.io/v1", "kind": "BackupStorageLocation",
            "metadata": {"name": "backups", "namespace": "velero"},
            "spec": {
                "provider": "aws",
                "objectStorage": {"bucket": BUCKET, "prefix": "velero"},
                "config": {"region": REGION, "s3ForcePathStyle": "true",
                           "s3Url": self.store.endpoint()},
            },
        })])
        .await;
        self.make(&shop()).await;
        for deployment in ["api", "web"] {
            let name = format!("deploy/{deployment}");
            let ready = [
                "wait",
                "-n",
                "shop",
                "--for=condition=Available",
                &name,
                WAIT_LIMIT,
            ];
            self.run(&ready).await;
        }
        let phase = |of: &str| format!("--for=jsonpath={{.status.phase}}={of}");
        let (available, completed) = (phase("Available"), phase("Completed"));
        let location = "backupstoragelocation/backups";
        self.run(&["wait", "-n", "velero", &available, location, WAIT_LIMIT])
            .await;
        self.make(&[json!({
            "apiVersion": "velero.io/v1", "kind": "Backup",
            "metadata": {"name": "nightly", "namespace": "velero"},
            "spec": {"includedNamespaces": ["shop"], "storageLocation": "backups",
                     "snapshotVolumes": false},
        })])
        .await;
        self.run(&[
            "wait",
            "-n",
            "velero",
            &completed,
            "backup/nightly",
            WAIT_LIMIT,
        ])
        .await;
    }

    /// The disaster.
    async fn lose(&self) {
        self.run(&[
            "delete",
            "namespace",
            "shop",
            "--ignore-not-found",
            WAIT_LIMIT,
        ])
        .await;
    }

    async fn backup(&self) -> Json {
        let args = json!({"bucket": BUCKET, "prefix": "velero", "name": "nightly"});
        let driver = Driver::new(
            reading(VeleroBackup),
            want("data.velero_backup.shop", args).role("bucket", STORE),
        );
        let looked = driver.conn(STORE, self.bucket.clone()).look().await;
        assert!(
            matches!(looked.planned, Planned::Nothing(_)),
            "{:?}",
            looked.planned
        );
        looked.outputs
    }

    async fn driver(&self, more: Json) -> Driver {
        let mut args = json!({"backup": self.backup().await, "volumes": "best_effort"});
        for (key, value) in more.as_object().into_iter().flatten() {
            args[key] = value.clone();
        }
        let want = want(RESTORE, args)
            .role("cluster", CLUSTER)
            .role("bucket", STORE);
        Driver::new(acting(VeleroRestore), want)
            .conn(CLUSTER, self.cluster.clone())
            .conn(STORE, self.bucket.clone())
    }

    async fn rules(&self) -> Vec<String> {
        let maps = self
            .get(&["-n", "velero", "configmaps", "-l", "drplan.io/step"])
            .await;
        let maps = maps["items"].as_array().cloned().unwrap_or_default();
        maps.iter().map(|m| text(&m["metadata"]["name"])).collect()
    }
}

fn text(json: &Json) -> String {
    json.as_str().unwrap_or_default().to_owned()
}

fn foundation() -> Vec<Json> {
    let class = |name: &str| {
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
               "metadata": {"name": name}, "provisioner": "kubernetes.io/no-provisioner",
               "volumeBindingMode": "WaitForFirstConsumer"})
    };
    vec![
        class("fast"),
        class("slow"),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}),
    ]
}

fn shop() -> Vec<Json> {
    let pod = |name: &str, restart: &str| {
        json!({
            "metadata": {"labels": {"app": name}},
            "spec": {
                "restartPolicy": restart,
                "initContainers": [{"name": "init", "image": "old.example/tools/init:1"}],
                "containers": [
                    {"name": "main", "image": format!("old.example/shop/{name}:1")},
                    {"name": "side", "image": "other.example/side:1"},
                ],
            },
        })
    };
    let workload = |kind: &str, name: &str, replicas: u64| {
        json!({
            "apiVersion": "apps/v1", "kind": kind,
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {
                "replicas": replicas, "selector": {"matchLabels": {"app": name}},
                "template": pod(name, "Always"),
            },
        })
    };
    let claim = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast",
                     "resources": {"requests": {"storage": "1Mi"}}},
        })
    };
    let mut store = workload("StatefulSet", "store", 1);
    store["spec"]["volumeClaimTemplates"] = json!([claim("files")]);
    vec![
        json!({"apiVersion": "v1", "kind": "ConfigMap",
               "metadata": {"name": "settings", "namespace": "shop"}, "data": {"a": "b"}}),
        json!({"apiVersion": "v1", "kind": "Secret",
               "metadata": {"name": "db", "namespace": "shop"}, "stringData": {"password": "x"}}),
        claim("data"),
        workload("Deployment", "api", 2),
        workload("Deployment", "web", 1),
        store,
        json!({
            "apiVersion": "batch/v1", "kind": "CronJob",
            "metadata": {"name": "night.ly", "namespace": "shop"},
            "spec": {"schedule": "0 3 1 1 *", "jobTemplate":
                {"spec": {"template": pod("night.ly", "Never")}}},
        }),
    ]
}

/// Everything that makes Velero change objects.
fn changes() -> Json {
    json!({
        "born_paused": ["CronJob", "Deployment/shop/a*"],
        "storage_class_map": {"fast": "slow"},
        "image_map": {"old.example": "new.example", "old.example/tools": "tools.example"},
    })
}

fn writes(effects: &[Effect]) -> Vec<(String, String)> {
    let changing = effects.iter().filter(|effect| !effect.only_reads());
    changing
        .map(|effect| (effect.verb.clone(), effect.object.clone()))
        .collect()
}

fn step_of(planned: &Planned<Json>) -> &drplan_api::Proposal<Json> {
    match planned {
        Planned::Step(proposal) => proposal,
        other => panic!("no step: {other:?}"),
    }
}

#[tokio::test]
#[ignore = "needs the real components"]
async fn a_shop_comes_back_with_other_classes_and_images_and_partly_paused() {
    let world = World::start().await;
    world.fill().await;
    world.lose().await;

    let driver = world.driver(changes()).await;
    let done = driver.apply().await;
    assert_eq!(done.action(), Some(Action::Restore));
    for evidence in &done.proof.as_ref().expect("a proof").evidence {
        eprintln!("proof: {}", evidence.claim);
    }
    for command in &done.before.notes.manual {
        eprintln!("by hand: {command}");
    }
    for warning in &done.before.notes.warnings {
        eprintln!("warning: {warning}");
    }
    it_is_as_the_maps_say(&world).await;
    it_is_paused(&world).await;
    writes_are_the_effects(&world, &step_of(&done.before.planned).effects);

    let objects = &done.after.outputs["objects"];
    eprintln!("exports: {}", done.after.outputs);
    assert_eq!(objects["v1/Secret/shop/db"], "restored");
    assert_eq!(objects["batch/v1/CronJob/shop/night.ly"], "restored");
    let volume = json!({"method": "none", "state": "restored",
                        "missing": done.after.outputs["volumes"]["shop/data"]["missing"]});
    assert_eq!(done.after.outputs["volumes"]["shop/data"], volume);

    released_objects_are_no_drift(&world, &driver).await;
    leftovers_are_removed(&world, &driver).await;
    maps_of_the_cluster_stand_in_the_way(&world).await;
    a_person_can_do_the_same(&world).await;
    a_wait_says_what_it_waits_for(&world).await;
    a_copy_beside_it_is_paused_too(&world).await;
    resumes(&world).await;
    world.site.end(Ending::Orderly).await.expect("an end");
}

async fn it_is_as_the_maps_say(world: &World) {
    let of = async |what: &str| world.get(&["-n", "shop", what]).await;
    for claim in ["pvc/data", "pvc/files-store-0"] {
        assert_eq!(
            of(claim).await["spec"]["storageClassName"],
            "slow",
            "{claim}"
        );
    }
    let store = of("statefulset/store").await;
    let template = &store["spec"]["volumeClaimTemplates"][0]["spec"];
    assert_eq!(template["storageClassName"], "slow");
    for (what, at, image) in [
        (
            "deploy/web",
            "/spec/template/spec",
            "new.example/shop/web:1",
        ),
        (
            "deploy/api",
            "/spec/template/spec",
            "new.example/shop/api:1",
        ),
        (
            "statefulset/store",
            "/spec/template/spec",
            "new.example/shop/store:1",
        ),
        (
            "cronjob/night.ly",
            "/spec/jobTemplate/spec/template/spec",
            "new.example/shop/night.ly:1",
        ),
    ] {
        let object = of(what).await;
        let pod = object.pointer(at).expect("a pod");
        assert_eq!(pod["containers"][0]["image"], image, "{what}");
        assert_eq!(
            pod["containers"][1]["image"], "other.example/side:1",
            "{what}"
        );
        assert_eq!(
            pod["initContainers"][0]["image"], "tools.example/init:1",
            "{what}"
        );
    }
    let revisions = world.get(&["-n", "shop", "controllerrevisions"]).await;
    let revisions = revisions["items"].as_array().expect("revisions");
    assert_eq!(
        revisions.len(),
        1,
        "the restored revision is that of the restored template"
    );
    let pods = world.get(&["-n", "shop", "pods", "-l", "app=web"]).await;
    let pods = pods["items"].as_array().expect("pods");
    assert_eq!(pods.len(), 1, "the restored pod is adopted: {pods:?}");
    assert_eq!(
        pods[0]["spec"]["containers"][0]["image"],
        "new.example/shop/web:1"
    );
}

async fn it_is_paused(world: &World) {
    let cron = world.get(&["-n", "shop", "cronjob/night.ly"]).await;
    eprintln!("marks: {}", cron["metadata"]["annotations"]);
    assert_eq!(cron["spec"]["suspend"], true);
    let marks = &cron["metadata"]["annotations"];
    assert_eq!(marks["drplan.io/paused"], r#"{"suspend":false}"#);
    assert_eq!(marks["drplan.io/recovery"], "test");
    assert!(marks["drplan.io/run"].is_string());
    let api = world.get(&["-n", "shop", "deploy/api"]).await;
    assert_eq!(api["spec"]["replicas"], 0);
    assert_eq!(
        api["metadata"]["annotations"]["drplan.io/paused"],
        r#"{"replicas":2}"#
    );
    let web = world.get(&["-n", "shop", "deploy/web"]).await;
    assert_eq!(web["spec"]["replicas"], 1);
    assert_eq!(
        web["metadata"]["annotations"]["drplan.io/paused"],
        Json::Null
    );
    // The pods that Velero brought back beside it never ran, and the controller removes them.
    for _ in 0..LOOKS_MAX {
        let pods = world.get(&["-n", "shop", "pods", "-l", "app=api"]).await;
        let pods = pods["items"].as_array().cloned().unwrap_or_default();
        assert!(
            pods.iter().all(|pod| pod["spec"]["nodeName"].is_null()),
            "{pods:?}"
        );
        if pods.is_empty() {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    panic!("pods of a paused Deployment stay");
}

/// Compares what the API server recorded with what the plan showed.
fn writes_are_the_effects(world: &World, effects: &[Effect]) {
    let found = audit::writes(&world.site.audit_log(), "drplan").expect("an audit log");
    let found: Vec<String> = found
        .iter()
        .map(|w| format!("{} {} {}/{}", w.verb, w.resource, w.namespace, w.name))
        .collect();
    let mut expected: Vec<String> = writes(effects)
        .into_iter()
        .map(|(verb, object)| {
            let (kind, name) = object.split_once(' ').expect("a name");
            let kind = match kind.split_once('/') {
                Some((group, resource)) => format!("{resource}.{group}"),
                None => kind.to_owned(),
            };
            format!("{verb} {kind} {name}")
        })
        .collect();
    let mut found = found;
    expected.sort();
    found.sort();
    eprintln!("writes: {found:#?}");
    assert_eq!(found, expected);
}

async fn released_objects_are_no_drift(world: &World, driver: &Driver) {
    let nothing = |planned: &Planned<Json>| match planned {
        Planned::Nothing(because) => because.to_string(),
        other => panic!("{other:?}"),
    };
    let because = nothing(&driver.look().await.planned);
    assert!(!because.contains("differ"), "{because}");
    let running = r#"{"spec": {"suspend": false}}"#;
    world
        .run(&[
            "-n",
            "shop",
            "patch",
            "cronjob/night.ly",
            "--type=merge",
            "-p",
            running,
        ])
        .await;
    let because = nothing(&driver.look().await.planned);
    assert!(!because.contains("differ"), "{because}");
    world
        .run(&["-n", "shop", "scale", "deploy/api", "--replicas=7"])
        .await;
    let because = nothing(&driver.look().await.planned);
    assert!(because.contains("1 differs"), "{because}");
}

async fn leftovers_are_removed(world: &World, driver: &Driver) {
    let map = |name: &str, step: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap",
               "metadata": {"name": name, "namespace": "velero",
                   "labels": {"drplan.io/step": step, "drplan.io/recovery": "test"},
                   "annotations": {"drplan.io/step": step}}})
    };
    let other = "velero_restore.web";
    world
        .make(&[map("left-over", RESTORE), map("of-another", other)])
        .await;
    let done = driver.apply().await;
    assert_eq!(done.action(), Some(Action::Delete));
    let effects = writes(&step_of(&done.before.planned).effects);
    assert_eq!(
        effects,
        [(
            "delete".to_owned(),
            "configmaps velero/left-over".to_owned()
        )]
    );
    let shown = &step_of(&done.before.planned).diff;
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].path, "configmaps velero/left-over");
    assert_eq!(shown[0].after, None);
    assert_eq!(world.rules().await, ["of-another"]);
    world
        .run(&["-n", "velero", "delete", "configmap", "of-another"])
        .await;
}

async fn maps_of_the_cluster_stand_in_the_way(world: &World) {
    world.lose().await;
    world
        .make(&[json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "classes", "namespace": "velero", "labels":
                {"velero.io/plugin-config": "",
                 "velero.io/change-storage-class": "RestoreItemAction"}},
            "data": {"fast": "quick"}})])
        .await;
    let looked = world.driver(changes()).await.look().await;
    match &looked.planned {
        Planned::Blocked(because) => {
            eprintln!("blocked: {because}");
            let because = because.to_string();
            assert!(because.contains("`velero/classes`") && because.contains("`quick`"));
        }
        other => panic!("{other:?}"),
    }
    let same = r#"{"data": {"fast": "slow"}}"#;
    world
        .run(&[
            "-n",
            "velero",
            "patch",
            "configmap/classes",
            "--type=merge",
            "-p",
            same,
        ])
        .await;
    world.driver(changes()).await.apply().await;
    it_is_as_the_maps_say(world).await;
    world
        .run(&["-n", "velero", "delete", "configmap", "classes"])
        .await;
}

/// The commands of the plan, run one after the other, leave nothing to do.
async fn a_person_can_do_the_same(world: &World) {
    world.lose().await;
    let driver = world.driver(changes()).await;
    let folder = |program: &std::path::Path| program.parent().expect("a folder").to_owned();
    let folders = [
        folder(&world.components.kubectl),
        folder(&world.components.velero),
        PathBuf::from("/usr/bin"),
        PathBuf::from("/bin"),
    ];
    for command in driver.look().await.notes.manual {
        let done = Command::new("sh")
            .args(["-c", &command])
            .env("PATH", env::join_paths(&folders).expect("a path"))
            .env("KUBECONFIG", world.site.kubeconfig(Identity::Admin))
            .env("HOME", world.root.path())
            .output()
            .await
            .expect("a shell");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{command}: {said}");
    }
    let after = driver.look().await;
    assert!(
        matches!(after.planned, Planned::Nothing(_)),
        "{:?}",
        after.planned
    );
    it_is_as_the_maps_say(world).await;
    it_is_paused(world).await;
}

/// Rules name archived namespaces, whatever they come back as.
async fn a_copy_beside_it_is_paused_too(world: &World) {
    let mut args = changes();
    args["namespace_map"] = json!({"shop": "shop-copy"});
    world.driver(args).await.apply().await;
    let cron = world.get(&["-n", "shop-copy", "cronjob/night.ly"]).await;
    assert_eq!(cron["spec"]["suspend"], true);
    let claim = world.get(&["-n", "shop-copy", "pvc/data"]).await;
    assert_eq!(claim["spec"]["storageClassName"], "slow");
    world
        .run(&["delete", "namespace", "shop-copy", WAIT_LIMIT])
        .await;
}

/// Velero forgets a backup and reads it from the bucket again.
async fn a_wait_says_what_it_waits_for(world: &World) {
    world.lose().await;
    world
        .run(&["-n", "velero", "delete", "backup", "nightly"])
        .await;
    let driver = world.driver(changes()).await;
    let looked = driver.look().await;
    let address = Address::new(RESTORE);
    let kind = acting(VeleroRestore);
    let op = kind
        .bind(&step_of(&looked.planned).op, &address)
        .expect("a step");
    let cx = ReadCx {
        address,
        recovery: "test".to_owned(),
        run: "r".to_owned(),
        attempt: 1,
        begun: true,
        conns: [
            ("cluster".to_owned(), world.cluster.clone()),
            ("bucket".to_owned(), world.bucket.clone()),
        ]
        .into(),
        base_dir: world.root.path().to_owned(),
        work_dir: world.root.path().to_owned(),
        doors: Doors::local(),
    };
    match op.poll(&cx, 0).await.expect("an answer") {
        Progress::Going { note, .. } => {
            eprintln!("waits: {note}");
            assert!(note.contains("every 1m0s; it "), "{note}");
        }
        other => panic!("{other:?}"),
    }
    let began = Instant::now();
    driver.apply().await;
    eprintln!(
        "restored {:.0?} after Velero forgot the backup",
        began.elapsed()
    );
}

/// Whoever goes on after a crash ends where an undisturbed run ends.
async fn resumes(world: &World) {
    let fresh = async || {
        world.lose().await;
        world.driver(changes()).await
    };
    apply_twice(fresh).await;
    if env::var_os("DRPLAN_TEST_CRASHES").is_some() {
        crash_at_each_point(fresh).await;
        assert_eq!(world.rules().await, Vec::<String>::new());
    }
    it_is_as_the_maps_say(world).await;
}
