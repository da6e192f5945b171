//! Pauses and releases in the rehearsal's cluster, with its controllers, under paused time.

use std::sync::Arc;
use std::time::Duration;

use drplan_api::Action;
use drplan_api::Clock;
use drplan_api::Json;
use drplan_api::Planned;
use drplan_api::TargetState;
use drplan_api::acting;
use drplan_kubernetes::KubeConn;
use drplan_kubernetes::KubernetesManifest;
use drplan_kubernetes::KubernetesPause;
use drplan_kubernetes::KubernetesRelease;
use drplan_kubernetes::mark::Mark;
use drplan_kubernetes::mark::Original;
use drplan_kubernetes::mark::Pauser;
use drplan_sandbox_kubernetes::Cluster;
use drplan_sandbox_kubernetes::ClusterOptions;
use drplan_sandbox_kubernetes::User;
use drplan_testkit::Driver;
use drplan_testkit::Faults;
use drplan_testkit::apply_twice;
use drplan_testkit::crash_at_each_point;
use drplan_testkit::fail_each_request_once;
use drplan_testkit::serve;
use drplan_testkit::want;
use serde_json::json;

const SITE: &str = "kubernetes.site";
const TIMEOUT: Duration = Duration::from_secs(30);
/// Long enough for a controller to do what it will do.
const WHILE: Duration = Duration::from_secs(120);

fn namespace() -> Json {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"},
        "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}})
}

fn cron_job(name: &str, suspend: bool) -> Json {
    let pod =
        json!({"restartPolicy": "Never", "containers": [{"name": "a", "image": "a.example/a:1"}]});
    json!({"apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"schedule": "0 3 1 1 *", "suspend": suspend,
            "jobTemplate": {"spec": {"template": {"spec": pod}}}}})
}

fn workload(kind: &str, name: &str, replicas: u64) -> Json {
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"},
        "spec": {"replicas": replicas, "serviceName": name, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "a", "image": "a.example/a:1"}]}}}})
}

/// A shop whose controllers have done what they wanted.
async fn cluster() -> Cluster {
    let start = "2026-01-05T03:10:00Z".parse().expect("a time");
    let cluster = Cluster::new(ClusterOptions::new("a", 1, Clock::starting_at(start)));
    let objects = [
        namespace(),
        cron_job("nightly", false),
        cron_job("resting", true),
        workload("Deployment", "web", 3),
        workload("StatefulSet", "db", 2),
    ];
    cluster.load(objects).expect("objects");
    cluster.start();
    tokio::time::sleep(WHILE).await;
    cluster
}

fn connection(cluster: &Cluster) -> Arc<KubeConn> {
    let client = kube::Client::new(cluster.router_as(User::admin()), "default");
    Arc::new(KubeConn::new(client, "https://a.example", TIMEOUT, 8))
}

/// How each object stands, without what changes by itself.
fn standing(cluster: &Cluster) -> Json {
    let mut out = serde_json::Map::new();
    for (group, resource) in [
        ("batch", "cronjobs"),
        ("apps", "deployments"),
        ("apps", "statefulsets"),
    ] {
        for object in cluster.objects(group, resource) {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let (spec, mark) = (&object["spec"], Mark::of(&object));
            let now = json!([spec["suspend"], spec["replicas"], mark.map(|m| m.original)]);
            out.insert(format!("{resource}/{name}"), now);
        }
    }
    Json::Object(out)
}

fn pods(cluster: &Cluster) -> usize {
    cluster.objects("", "pods").len()
}

const ALL: [&str; 3] = ["CronJob", "Deployment/shop/*", "StatefulSet/shop/db"];

fn pause_of(cluster: &Cluster, objects: &[&str]) -> Driver {
    let wanted = want(
        "kubernetes_pause.writers",
        json!({"objects": objects, "guards": [], "expires": "2h"}),
    );
    driver(
        cluster,
        Driver::new(acting(KubernetesPause), wanted.role("cluster", SITE)),
    )
}

fn release_of(cluster: &Cluster, objects: &[&str]) -> Driver {
    let wanted = want("kubernetes_release.all", json!({"objects": objects}));
    driver(
        cluster,
        Driver::new(acting(KubernetesRelease), wanted.role("cluster", SITE)),
    )
}

fn driver(cluster: &Cluster, driver: Driver) -> Driver {
    let seen = cluster.clone();
    driver
        .conn(SITE, connection(cluster))
        .keep(cluster.clone())
        .fingerprint(move || {
            let found = json!([standing(&seen), pods(&seen)]);
            Box::pin(async move { found })
        })
}

#[tokio::test(start_paused = true)]
async fn what_is_paused_stands_still_and_runs_again_as_before() {
    let cluster = cluster().await;
    let before = standing(&cluster);
    assert_eq!(pods(&cluster), 5);
    let applied = pause_of(&cluster, &ALL).apply().await;
    assert_eq!(applied.action(), Some(Action::Update));
    assert_eq!(pods(&cluster), 0, "their pods are gone when it is proven");
    assert_eq!(
        standing(&cluster),
        json!({
            "cronjobs/nightly": [true, null, {"suspend": false}],
            "cronjobs/resting": [true, null, null],
            "deployments/web": [null, 0, {"replicas": 3}],
            "statefulsets/db": [null, 0, {"replicas": 2}],
        }),
        "what stood still before is left alone"
    );
    let web = cluster
        .object("apps", "deployments", "shop", "web")
        .expect("web");
    let mark = Mark::of(&web).expect("a mark");
    assert!(mark.until.is_some() && !mark.run.is_empty(), "{mark:?}");
    let warnings = applied.before.notes.warnings.join("\n");
    assert!(
        warnings.contains("CronJob shop/resting stood still before"),
        "{warnings}"
    );

    release_of(&cluster, &[]).apply().await;
    tokio::time::sleep(WHILE).await;
    assert_eq!(standing(&cluster), before);
    assert_eq!(pods(&cluster), 5);
    let again = release_of(&cluster, &[]).apply().await;
    assert_eq!(
        again.action(),
        None,
        "with nothing marked there is nothing to do"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pause_survives_a_crash_anywhere_and_is_done_once() {
    let make = async || pause_of(&cluster().await, &ALL);
    apply_twice(make).await;
    crash_at_each_point(make).await;
}

#[tokio::test(start_paused = true)]
async fn a_release_survives_a_crash_anywhere_and_is_done_once() {
    let make = async || {
        let cluster = cluster().await;
        pause_of(&cluster, &ALL).apply().await;
        let settled = cluster.clone();
        release_of(&cluster, &[]).fingerprint(move || {
            let found = standing(&settled);
            Box::pin(async move { found })
        })
    };
    apply_twice(make).await;
    crash_at_each_point(make).await;
}

/// Over sockets, since an answer can be lost only there. Nothing waits for a controller.
async fn served(faults: &Faults, release: bool) -> Driver {
    let cluster = Cluster::new(ClusterOptions::new("a", 1, Clock::system()));
    let objects = [
        namespace(),
        cron_job("nightly", false),
        cron_job("hourly", false),
    ];
    cluster.load(objects).expect("objects");
    if release {
        pause_of(&cluster, &["CronJob"]).apply().await;
    }
    let served = serve(faults.wrap(cluster.router_as(User::admin()))).await;
    let config = kube::Config::new(served.url().parse().expect("a URL"));
    let client = kube::Client::try_from(config).expect("a client");
    let driver = if release {
        release_of(&cluster, &[])
    } else {
        pause_of(&cluster, &["CronJob"])
    };
    driver
        .conn(
            SITE,
            Arc::new(KubeConn::new(client, served.url(), TIMEOUT, 8)),
        )
        .keep(served)
}

#[tokio::test]
async fn each_request_may_fail_once() {
    fail_each_request_once(async |faults| served(&faults, false).await).await;
    fail_each_request_once(async |faults| served(&faults, true).await).await;
}

#[tokio::test(start_paused = true)]
async fn a_mark_of_another_recovery_is_said_and_left_alone() {
    let cluster = cluster().await;
    let foreign = Original::Replicas(7).pause(Pauser {
        recovery: "elsewhere",
        run: "run-9",
        until: None,
    });
    let mut other = workload("Deployment", "other", 0);
    other["metadata"]["annotations"] = foreign["metadata"]["annotations"].clone();
    cluster.load([other.clone()]).expect("an object");
    let paused = pause_of(&cluster, &["Deployment/shop/other"]).look().await;
    assert!(
        matches!(paused.planned, Planned::Nothing(_)),
        "{:?}",
        paused.planned
    );
    let released = release_of(&cluster, &[]).look().await;
    assert!(
        matches!(released.planned, Planned::Nothing(_)),
        "{:?}",
        released.planned
    );
    for looked in [paused, released] {
        let warnings = looked.notes.warnings.join("\n");
        assert!(
            warnings.contains("Deployment shop/other is paused by run-9 of recovery `elsewhere`"),
            "{warnings}"
        );
    }
    // A pause that nobody knows of any more is released like any other: a mark is never inherited.
    pause_of(&cluster, &["CronJob/shop/nightly"]).apply().await;
    let driver = release_of(&cluster, &["Deployment", "StatefulSet"]);
    assert_eq!(driver.apply().await.action(), None, "only what it names");
    let driver = release_of(&cluster, &["CronJob/*/night*"]);
    assert_eq!(driver.apply().await.action(), Some(Action::Update));
    let kept = cluster
        .object("apps", "deployments", "shop", "other")
        .expect("other");
    assert_eq!(
        Mark::of(&kept).map(|m| m.recovery),
        Some("elsewhere".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn what_somebody_set_going_loses_only_its_mark() {
    let cluster = cluster().await;
    pause_of(&cluster, &["Deployment"]).apply().await;
    let mut web = (*cluster
        .object("apps", "deployments", "shop", "web")
        .expect("web"))
    .clone();
    web["spec"]["replicas"] = 1.into();
    cluster.load([web]).expect("an object");
    release_of(&cluster, &[]).apply().await;
    assert_eq!(
        standing(&cluster)["deployments/web"],
        json!([null, 1, null])
    );
}

#[tokio::test(start_paused = true)]
async fn a_manifest_does_not_set_going_what_is_paused() {
    let cluster = cluster().await;
    pause_of(&cluster, &["StatefulSet"]).apply().await;
    let wanted = want(
        "kubernetes_manifest.db",
        json!({"objects": [workload("StatefulSet", "db", 2)]}),
    );
    let kind = Driver::new(acting(KubernetesManifest), wanted.role("cluster", SITE));
    let looked = driver(&cluster, kind).look().await;
    assert!(
        matches!(looked.planned, Planned::Nothing(_)),
        "{:?}",
        looked.planned
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_would_set_it_going_again_is_named() {
    let cluster = cluster().await;
    let mut owned = workload("Deployment", "owned", 1);
    owned["metadata"]["annotations"] =
        json!({"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/owned"});
    let scaler = json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"minReplicas": 0, "maxReplicas": 5,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}});
    cluster.load([owned, scaler]).expect("objects");
    let looked = pause_of(&cluster, &["Deployment"]).look().await;
    let warnings = looked.notes.warnings.join("\n");
    for expected in [
        "Argo CD (shop) owns Deployment shop/owned",
        "HorizontalPodAutoscaler shop/web has `minReplicas: 0`",
    ] {
        assert!(warnings.contains(expected), "{warnings}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_yet_to_be_made_may_hold_something_by_then_and_a_lost_one_does_not() {
    let cluster = cluster().await;
    let to_come = TargetState::NotYet { made_by: vec![] };
    let lost = || TargetState::Lost {
        domain: "cluster:a".to_owned(),
    };
    let paused = pause_of(&cluster, &["CronJob"]).target(SITE, to_come.clone());
    let Planned::Step(step) = paused.look().await.planned else {
        panic!("something may run there when the turn comes");
    };
    assert_eq!(step.effects[0].object, "batch/cronjobs */*");
    let released = release_of(&cluster, &[]).target(SITE, to_come);
    for driver in [
        released,
        pause_of(&cluster, &["CronJob"]).target(SITE, lost()),
        release_of(&cluster, &[]).target(SITE, lost()),
    ] {
        let looked = driver.look().await;
        assert!(
            matches!(looked.planned, Planned::Nothing(_)),
            "{:?}",
            looked.planned
        );
    }
}
