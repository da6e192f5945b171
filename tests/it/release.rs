//! What a recovery paused runs again by `drplan release`, and by nothing else of it.
#![cfg(feature = "rehearse")]

use std::sync::Arc;

use drplan_api::Clock;
use drplan_sandbox::kubernetes::Cluster;
use drplan_sandbox::kubernetes::ClusterOptions;
use drplan_sandbox::kubernetes::Listening;
use drplan_sandbox::kubernetes::listen;
use serde_json::Value;
use serde_json::json;

use crate::bucket::Bucket;
use crate::drplan::World;

/// A restore that fails, so that what was paused for it stays so.
const SPEC: &str = r#"
recovery "shop" {}

variable "kubeconfig" { sensitive = true }

provider "kubernetes" "site" {
  kubeconfig = var.kubeconfig
}

resource "kubernetes_pause" "writers" {
  objects = ["CronJob/shop/*"]
  guards  = [command.restore]
}

resource "command" "restore" {
  check = ["test", "-e", "restored"]
  apply = ["cp", "backup", "restored"]
}
RELEASE
"#;

const RELEASE: &str = r#"
resource "kubernetes_release" "writers" {
  depends_on = [check.it_is_back]
}

check "it_is_back" {
  depends_on = [command.restore]
  assert {
    condition     = true
    error_message = "it is not"
  }
}
"#;

/// A cluster on loopback with two CronJobs, one of them suspended.
struct Site {
    _runtime: tokio::runtime::Runtime,
    cluster: Cluster,
    listening: Listening,
}

fn cron_job(name: &str, suspend: bool) -> Value {
    let pod =
        json!({"restartPolicy": "Never", "containers": [{"name": "a", "image": "a.example/a:1"}]});
    json!({"apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"schedule": "0 3 1 1 *", "suspend": suspend,
            "jobTemplate": {"spec": {"template": {"spec": pod}}}}})
}

impl Site {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .worker_threads(1)
            .build()
            .expect("a runtime");
        let cluster = Cluster::new(ClusterOptions::new("a", 1, Clock::system()));
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "shop"}, "status": {"phase": "Active"}});
        let objects = [
            namespace,
            cron_job("nightly", false),
            cron_job("resting", true),
        ];
        cluster.load(objects).expect("objects");
        let address = "127.0.0.1:0".parse().expect("an address");
        let listening = runtime
            .block_on(listen(&cluster, address))
            .expect("a server");
        Self {
            _runtime: runtime,
            cluster,
            listening,
        }
    }

    fn world(&self, release: &str) -> World {
        let kubeconfig = self.listening.kubeconfig("admin");
        World::of(&SPEC.replace("RELEASE", release)).with("DRPLAN_VAR_kubeconfig", &kubeconfig)
    }

    fn nightly(&self) -> Arc<Value> {
        let found = self.cluster.object("batch", "cronjobs", "shop", "nightly");
        found.expect("the CronJob")
    }

    /// Whether it is suspended, and what it was by its mark.
    fn standing(&self) -> (bool, Option<String>) {
        let nightly = self.nightly();
        let mark = nightly["metadata"]["annotations"]["drplan.io/paused"].as_str();
        (nightly["spec"]["suspend"] == true, mark.map(str::to_owned))
    }
}

fn paused() -> (bool, Option<String>) {
    (true, Some(r#"{"suspend":false}"#.to_owned()))
}

#[test]
fn what_a_failed_recovery_left_paused_is_named_and_released() {
    let site = Site::start();
    let world = site.world("");
    world
        .run("apply --auto-approve")
        .ends_with(6)
        .says("kubernetes_pause.writers: it pauses what fights the recovery")
        .says("`drplan release` ends what is still left behind");
    assert_eq!(site.standing(), paused());
    world
        .run("status")
        .ends_with(0)
        .says("kubernetes_pause.writers: it pauses what fights the recovery")
        .says("`drplan release` ends what is still left behind");
    world
        .run("release")
        .ends_with(9)
        .says("CronJob shop/nightly")
        .says("nobody can be asked");
    assert_eq!(site.standing(), paused(), "nobody said yes");
    world
        .run("release --auto-approve")
        .ends_with(0)
        .says("Released")
        .hides("Recovered");
    assert_eq!(site.standing(), (false, None));
    world.run("status").ends_with(0).hides("drplan release");
    let told = world.run("report --json").ends_with(0).json();
    assert_eq!(told["verdict"], "released");
    assert_eq!(told["counts"]["outside_the_plan"], 0);
    world.run("evidence verify").ends_with(0);
    world
        .run("release --auto-approve")
        .ends_with(0)
        .says("Nothing is left to do");
}

#[test]
fn a_release_in_the_spec_is_planned_where_something_is_paused_and_ends_it() {
    let site = Site::start();
    let world = site.world(RELEASE);
    world.write("backup", "data");
    world
        .run("plan --detailed-exitcode")
        .ends_with(2)
        .says("known after `kubernetes_pause.writers`");
    world
        .run("apply --auto-approve")
        .ends_with(0)
        .says("Recovered")
        .hides("drplan release");
    assert_eq!(site.standing(), (false, None));
    // On a healthy day nothing is paused, and nothing is left to release.
    world.run("plan --detailed-exitcode").ends_with(0);
    // What was cut off between pause and release is released by the next apply.
    world.remove("restored");
    world.remove("backup");
    world
        .run("apply --auto-approve")
        .ends_with(6)
        .says("kubernetes_release.writers: blocked by command.restore");
    assert_eq!(site.standing(), paused());
    world.write("restored", "by hand");
    world.run("apply --auto-approve").ends_with(0);
    assert_eq!(site.standing(), (false, None));
}

/// A second pause, for what waits for the release of the first.
const AGAIN: &str = r#"
resource "kubernetes_pause" "again" {
  objects = ["CronJob"]
  guards  = [command.move]
}

resource "command" "move" {
  check      = ["test", "-e", "moved"]
  apply      = ["touch", "moved"]
  depends_on = [kubernetes_release.writers]
}

resource "kubernetes_release" "again" {
  depends_on = [command.move]
}
"#;

#[test]
fn what_is_paused_once_more_behind_a_release_is_released_by_the_next() {
    let site = Site::start();
    let world = site.world(&format!("{RELEASE}{AGAIN}"));
    world.write("backup", "data");
    world.run("apply --auto-approve").ends_with(0);
    assert_eq!(site.standing(), (false, None));
    world
        .run("why kubernetes_release.again kubernetes_pause.again")
        .ends_with(0);
    world.run("plan --detailed-exitcode").ends_with(0);
}

/// A cluster that is lost.
const LOST: &str = r#"
provider "kubernetes" "gone" {
  kubeconfig_path = "gone"
  failure_domain  = ["site:b"]
}

resource "kubernetes_manifest" "there" {
  provider = kubernetes.gone
  objects  = [{ apiVersion = "v1", kind = "Namespace", metadata = { name = "x" } }]
}
"#;

#[test]
fn a_release_is_kept_in_the_bucket_of_the_spec_and_can_be_gone_on_with_from_there() {
    let (site, bucket) = (Site::start(), Bucket::start());
    let world = site.world(LOST).with(Bucket::KEY.0, Bucket::KEY.1);
    let spec = world.read("main.dr.hcl");
    let shop = "recovery \"shop\" {}";
    world.write("main.dr.hcl", &spec.replace(shop, &bucket.recovery("shop")));
    let spec = world.read("main.dr.hcl").replace(
        "resource \"kubernetes_pause\" \"writers\" {",
        "resource \"kubernetes_pause\" \"writers\" {\n  provider = kubernetes.site",
    );
    world.write("main.dr.hcl", &spec);
    world.run("apply --auto-approve --lost site:b");
    assert_eq!(site.standing(), paused());
    world
        .run("release --lost site:b --auto-approve")
        .ends_with(0)
        .says("Released");
    assert_eq!(site.standing(), (false, None));
    // Who goes on with it is told the same.
    let head = &bucket.latest_plan()["head"];
    assert_eq!(head["releases"], true);
    assert_eq!(head["lost"], json!(["site:b"]));
    let told = world.run("report --json").ends_with(0).json();
    assert_eq!(told["lost"], json!(["site:b"]));
    assert_eq!(told["verdict"], "released");
}
