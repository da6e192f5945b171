//! The shop's own backups, which a real Velero made, come back as a real Velero brought them back.

use serde_json::json;

use crate::world::World;

fn count(all: &std::collections::BTreeMap<String, Vec<String>>, outcome: &str) -> usize {
    all.get(outcome).map_or(0, Vec::len)
}

#[tokio::test(start_paused = true)]
async fn both_backups_of_the_shop_come_back_as_with_the_real_server() {
    let world = World::new().await;
    let infra = world
        .restore(
            "infra",
            "infra-daily",
            json!({"includeClusterResources": true}),
        )
        .await;
    assert_eq!(infra["status"]["phase"], "Completed", "{infra:#}");
    let all = world.outcomes("infra");
    assert_eq!(count(&all, "created"), 17, "{all:#?}");
    assert_eq!(all.len(), 1, "{all:#?}");

    let apps = world
        .restore(
            "apps",
            "apps-daily",
            json!({"excludedResources": ["customresourcedefinitions"]}),
        )
        .await;
    assert_eq!(apps["status"]["phase"], "Completed", "{apps:#}");
    let all = world.outcomes("apps");
    assert_eq!(count(&all, "created"), 68, "{all:#?}");
    assert_eq!(
        all["failed"],
        [
            "v1/ConfigMap shop-blog/kube-root-ca.crt",
            "v1/ConfigMap shop-jobs/kube-root-ca.crt",
            "v1/ConfigMap shop/kube-root-ca.crt"
        ]
    );
    let bound = world.get("/api/v1/persistentvolumes/disk-0001").await;
    assert_eq!(bound, None);
    let files = world.bucket.keys("velero/restores/apps/");
    assert_eq!(files.len(), 5, "{files:?}");
}

/// Every file that a recovery of the shop leaves in the bucket.
async fn left() -> std::collections::BTreeMap<String, Vec<u8>> {
    let world = World::new().await;
    world
        .restore(
            "infra",
            "infra-daily",
            json!({"includeClusterResources": true}),
        )
        .await;
    world.restore("apps", "apps-daily", json!({})).await;
    let keys = world.bucket.keys("velero/restores/").into_iter();
    keys.map(|key| {
        (
            key.clone(),
            world.bucket.read(&key).expect("there").to_vec(),
        )
    })
    .collect()
}

#[tokio::test(start_paused = true)]
async fn two_runs_with_one_seed_leave_the_same_bytes() {
    let first = left().await;
    assert_eq!(first.len(), 10);
    assert_eq!(first, left().await);
}
