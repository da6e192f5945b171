//! The real `helm` against a real API server.
//!
//! `cargo xtask test` gives it both. By hand it needs `DRPLAN_TEST_KUBECONFIG` (rights to make namespaces, and no
//! nodes: a test that waits for a Pod wants it to wait for ever) and `DRPLAN_TEST_HELM`; run with
//! `cargo test -p drplan-helm --test real -- --ignored`.

#![expect(
    clippy::disallowed_methods,
    reason = "it is told where the cluster is and reads processes"
)]

use std::env;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use drplan_api::Action;
use drplan_api::Conn;
use drplan_api::ConnId;
use drplan_api::Connecting;
use drplan_api::Doors;
use drplan_api::DynKind;
use drplan_api::ErrorKind;
use drplan_api::Json;
use drplan_api::Planned;
use drplan_api::RawWant;
use drplan_api::System as _;
use drplan_api::acting;
use drplan_helm::HelmRelease;
use drplan_kubernetes::KubeConn;
use drplan_kubernetes::KubernetesSystem;
use drplan_kubernetes::asks;
use drplan_kubernetes::asks::TypeRef;
use drplan_testkit::Driver;
use drplan_testkit::Failure;
use drplan_testkit::Point;
use drplan_testkit::Reply;
use drplan_testkit::Script;
use drplan_testkit::apply_twice;
use drplan_testkit::crash_at_each_point;
use drplan_testkit::secret_hole;
use drplan_testkit::want;
use http::Method;
use serde_json::json;

const SITE: &str = "kubernetes.site";
/// How often the world is looked at while something is expected of it.
const LOOKS_MAX: usize = 200;
const LOOK_EVERY: Duration = Duration::from_millis(100);

fn setting(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("set {name}"))
}

async fn connect() -> Arc<dyn Conn> {
    let cx = Connecting {
        id: ConnId::new(SITE),
        config: json!({"kubeconfig_path": setting("DRPLAN_TEST_KUBECONFIG")}),
        base_dir: Path::new("/").to_owned(),
        doors: Doors::local(),
    };
    KubernetesSystem.connect(&cx).await.expect("a connection")
}

fn fresh_namespace() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("helm-{}-{n}", std::process::id())
}

fn release(namespace: &str, more: &Json) -> RawWant {
    let mut args = json!({
        "chart": {"path": "chart", "digest": "sha256:of-the-test"},
        "namespace": namespace,
        "create_namespace": true,
        "wait_timeout": "30s",
        "helm": setting("DRPLAN_TEST_HELM"),
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        args[key] = value.clone();
    }
    want("helm_release.greeter", args)
        .role("cluster", SITE)
        .into()
}

fn kind() -> Arc<dyn DynKind> {
    acting(HelmRelease)
}

async fn driver(namespace: &str, more: &Json) -> Driver {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    Driver::new(kind(), release(namespace, more))
        .conn(SITE, connect().await)
        .base_dir(&tests)
}

async fn read(conn: &dyn Conn, plural: &str, namespace: &str) -> Vec<Json> {
    let query = asks::list_in(
        &ConnId::new(SITE),
        &TypeRef::new("", "v1", plural),
        namespace,
        None,
    );
    let answer = conn.fetch(&[query.ask]).await.remove(0).expect("a list");
    answer["items"].as_array().cloned().unwrap_or_default()
}

async fn greeting(namespace: &str) -> Json {
    let maps = read(&*connect().await, "configmaps", namespace).await;
    let map = maps
        .into_iter()
        .find(|m| m["metadata"]["name"] == "greeter");
    map.map_or(Json::Null, |m| m["data"].clone())
}

async fn wait_for_status(namespace: &str, status: &str) {
    let conn = connect().await;
    for _ in 0..LOOKS_MAX {
        let found = read(&*conn, "secrets", namespace).await;
        if found
            .iter()
            .any(|s| s["metadata"]["labels"]["status"] == status)
        {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    panic!("no revision became `{status}`");
}

/// Finds the `helm` that works in a namespace, not the shell around it, and kills it.
fn kill_helm(namespace: &str) {
    for entry in fs::read_dir("/proc").expect("processes").flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let args: Vec<_> = line.split(|b| *b == 0).collect();
        let is_helm = args.first().is_some_and(|a| a.ends_with(b"helm"));
        if is_helm && args.contains(&namespace.as_bytes()) {
            let pid = entry.file_name().to_string_lossy().into_owned();
            let killed = std::process::Command::new("kill")
                .args(["-9", &pid])
                .status();
            assert!(killed.expect("kill").success());
            return;
        }
    }
    panic!("no helm works in `{namespace}`");
}

#[tokio::test]
#[ignore = "needs a cluster and helm"]
async fn a_release_is_installed_upgraded_and_left_alone() {
    let namespace = fresh_namespace();
    let first = driver(&namespace, &json!({})).await;
    let applied = first.apply().await;
    assert_eq!(applied.action(), Some(Action::Create));
    assert_eq!(
        applied.after.outputs,
        json!({"revision": 1, "app_version": "1.4"})
    );
    assert_eq!(greeting(&namespace).await["greeting"], "hello");
    let proof = applied.proof.expect("a proof");
    assert!(
        proof
            .evidence
            .iter()
            .any(|e| e.claim == "2 of 2 objects of revision 1 are there and its workloads ready")
    );

    let more = json!({
        "values_files": [{"path": "v.yaml", "content": "greeting: from a file\n"}],
        "values": {"greeting": "ahoy"},
        "secret_values": {"unused": secret_hole(0)},
    });
    let second = driver(&namespace, &more).await.secret(0, "hunter2");
    let applied = second.apply().await;
    assert_eq!(applied.action(), Some(Action::Update));
    assert_eq!(applied.after.outputs["revision"], 2);
    assert_eq!(greeting(&namespace).await["greeting"], "ahoy");
    for run in fs::read_dir(second.folder())
        .expect("work folders")
        .flatten()
    {
        let left: Vec<_> = fs::read_dir(run.path()).expect("files").flatten().collect();
        let names: Vec<_> = left
            .iter()
            .map(|f| f.file_name().to_string_lossy().into_owned())
            .collect();
        assert!(
            !names
                .iter()
                .any(|n| n == "kubeconfig" || n == "values-secret.yaml"),
            "{names:?}"
        );
    }
}

#[tokio::test]
#[ignore = "needs a cluster and helm"]
async fn an_object_that_somebody_deleted_fails_the_proof_and_is_named() {
    let namespace = fresh_namespace();
    let driver = driver(&namespace, &json!({})).await;
    let Planned::Step(step) = driver.look().await.planned else {
        panic!("a step")
    };
    driver.resume(&step.op, 1).await.expect("an installation");
    let conn = connect().await;
    let kube = conn.as_any().downcast_ref::<KubeConn>().expect("a cluster");
    let path = TypeRef::new("", "v1", "configmaps").path(Some(&namespace), Some("greeter"));
    let request = http::Request::delete(path)
        .body(Vec::new())
        .expect("a request");
    kube.request("delete", request).await.expect("a deletion");
    match driver.resume(&step.op, 1).await {
        Err(Failure::Unproven(proof)) => {
            assert!(
                proof.evidence[1]
                    .claim
                    .contains("ConfigMap `greeter` is missing"),
                "{proof:?}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
#[ignore = "needs a cluster and helm"]
async fn an_upgrade_by_hand_is_noticed_although_helm_copies_our_labels() {
    let namespace = fresh_namespace();
    let driver = driver(&namespace, &json!({})).await;
    driver.apply().await;
    let by_hand = std::process::Command::new(setting("DRPLAN_TEST_HELM"))
        .args([
            "upgrade",
            "greeter",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chart"),
        ])
        .args(["--namespace", &namespace, "--set", "greeting=other"])
        .args(["--kubeconfig", &setting("DRPLAN_TEST_KUBECONFIG")])
        .output()
        .expect("helm");
    assert!(by_hand.status.success());
    let Planned::Step(step) = driver.look().await.planned else {
        panic!("a step")
    };
    assert_eq!(step.because.0, "somebody else made revision 2");
    driver.apply().await;
    assert_eq!(greeting(&namespace).await["greeting"], "hello");
}

#[tokio::test]
#[ignore = "needs a cluster and helm"]
async fn a_second_apply_and_a_crash_at_each_point_change_nothing() {
    let world = async || {
        let namespace = fresh_namespace();
        let driver = driver(&namespace, &json!({})).await;
        driver.fingerprint(move || {
            let namespace = namespace.clone();
            Box::pin(async move {
                let releases = read(&*connect().await, "secrets", &namespace).await.len();
                json!([greeting(&namespace).await, releases])
            })
        })
    };
    apply_twice(world).await;
    crash_at_each_point(world).await;
}

/// A Deployment that wants a Pod never turns ready without nodes, so `helm` waits until it is killed.
#[tokio::test]
#[ignore = "needs a cluster and helm"]
async fn what_a_killed_helm_left_is_cleared_and_done_again() {
    let namespace = fresh_namespace();
    let waits = driver(&namespace, &json!({"values": {"replicas": 1}})).await;
    let Planned::Step(step) = waits.look().await.planned else {
        panic!("a step")
    };
    waits
        .crash_at(&step.op, 1, Point::Begun(0))
        .await
        .expect("a start");
    wait_for_status(&namespace, "pending-install").await;
    kill_helm(&namespace);

    // The same payload with an empty work folder, without waiting for what never comes.
    let mut op = step.op.clone();
    op["wait"] = false.into();
    waits.resume(&op, 1).await.expect("a recovery");
    assert!(matches!(waits.look().await.planned, Planned::Nothing(_)));
    assert_eq!(greeting(&namespace).await["greeting"], "hello");
}

#[tokio::test]
#[ignore = "needs a cluster and helm"]
async fn a_successor_without_memory_waits_for_a_helm_that_still_works() {
    let namespace = fresh_namespace();
    let more = json!({"values": {"replicas": 1}, "wait_timeout": "4s"});
    let waits = driver(&namespace, &more).await;
    let Planned::Step(step) = waits.look().await.planned else {
        panic!("a step")
    };
    waits
        .crash_at(&step.op, 1, Point::Begun(0))
        .await
        .expect("a start");
    wait_for_status(&namespace, "pending-install").await;
    let begins = waits.begins();
    let mut op = step.op.clone();
    op["wait"] = false.into();
    waits
        .resume(&op, 1)
        .await
        .expect("a recovery after the time-out");
    assert_eq!(
        waits.begins(),
        begins + 1,
        "begun again only after the first one had failed"
    );
    let secrets = read(&*connect().await, "secrets", &namespace).await;
    assert_eq!(secrets.len(), 2, "the failed revision and the good one");
}

#[tokio::test]
#[ignore = "needs a cluster and helm"]
async fn a_chart_that_cannot_be_rendered_says_why() {
    let namespace = fresh_namespace();
    let driver = driver(
        &namespace,
        &json!({"values": {"greeting": {"not": "text"}, "replicas": "x"}}),
    )
    .await;
    match driver.try_apply().await {
        Err(Failure::Failed(because)) => assert!(because.0.contains("replicas"), "{because}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
#[ignore = "needs a cluster and helm"]
async fn a_chart_comes_from_a_repository_and_without_the_repository_nothing_happens() {
    let folder = tempfile::tempdir().expect("a folder");
    let package = std::process::Command::new(setting("DRPLAN_TEST_HELM"))
        .args([
            "package",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chart"),
        ])
        .arg("--destination")
        .arg(folder.path())
        .output()
        .expect("helm");
    assert!(package.status.success());
    let archive = fs::read(folder.path().join("greeter-0.1.0.tgz")).expect("a package");
    let index = "apiVersion: v1\nentries:\n  greeter:\n  - {apiVersion: v2, name: greeter, \
                 version: 0.1.0, urls: [greeter-0.1.0.tgz]}\n";
    let archive = Reply::Answer(200, "application/gzip", archive.into());
    let script = Script::new()
        .on(Method::GET, "/index.yaml", Reply::text(200, index))
        .on(Method::GET, "/greeter-0.1.0.tgz", archive.clone())
        .on(Method::GET, "/index.yaml", Reply::text(200, index))
        .on(Method::GET, "/greeter-0.1.0.tgz", archive)
        .start()
        .await;
    let namespace = fresh_namespace();
    let more = json!({
        "chart": null, "repository": script.url(), "chart_name": "greeter", "version": "0.1.0",
    });
    driver(&namespace, &more).await.apply().await;
    assert_eq!(greeting(&namespace).await["greeting"], "hello");
    script.finish();

    let namespace = fresh_namespace();
    match driver(&namespace, &more).await.try_apply().await {
        Err(Failure::Error(error)) => assert_eq!(error.kind, ErrorKind::Unreachable),
        other => panic!("{other:?}"),
    }
    assert!(
        read(&*connect().await, "secrets", &namespace)
            .await
            .is_empty()
    );
}
