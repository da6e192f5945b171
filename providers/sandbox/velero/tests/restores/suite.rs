//! Runs all cases in a world, side by side, and tells what they came to.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use flate2::read::GzDecoder;
use http::Method;
use http::Request;
use kube::Client;
use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

use crate::case;
use crate::case::Case;
use crate::outcome;
use crate::outcome::Outcome;

/// The bucket, and the prefix of the location in it.
pub(crate) const BUCKET: &str = "cases";
pub(crate) const PREFIX: &str = "velero";

/// How long all cases may take together.
const LIMIT: Duration = Duration::from_secs(600);

/// How often it looks.
const LOOK: Duration = Duration::from_millis(500);

/// How long controllers get before the objects are looked at.
const SETTLE: Duration = Duration::from_secs(3);

/// The phases in which a restore has ended.
const ENDS: &[&str] = &["Completed", "PartiallyFailed", "Failed", "FailedValidation"];

/// Kinds that controllers change or replace soon after.
const RESTLESS: &[&str] = &[
    "Pod",
    "ReplicaSet",
    "Endpoints",
    "EndpointSlice",
    "CustomResourceDefinition",
];

/// A cluster with Velero, and a bucket.
pub(crate) trait World {
    fn client(&self) -> Client;
    fn put(&self, key: &str, content: Vec<u8>) -> impl Future<Output = Result<()>>;
    fn get(&self, key: &str) -> impl Future<Output = Result<Vec<u8>>>;
    fn keys(&self, prefix: &str) -> impl Future<Output = Result<Vec<String>>>;
    /// `spec.config` of the location.
    fn config(&self) -> Value;
}

/// Runs everything.
pub(crate) async fn run(world: &impl World, cases: &[Case]) -> Result<BTreeMap<String, Outcome>> {
    fill(world, cases).await?;
    let client = world.client();
    for object in cases.iter().flat_map(|case| &case.before) {
        create(&client, object).await?;
    }
    create(
        &client,
        &json!({
            "apiVersion": "velero.io/v1", "kind": "BackupStorageLocation",
            "metadata": {"name": "cases", "namespace": "velero"},
            "spec": {
                "provider": "aws", "accessMode": "ReadOnly", "config": world.config(),
                "objectStorage": {"bucket": BUCKET, "prefix": PREFIX},
            },
        }),
    )
    .await?;
    let deadline = Instant::now() + LIMIT;
    wait_for_sync(&client, cases, deadline).await?;
    let mut outcomes = BTreeMap::new();
    let mut left: Vec<&Case> = cases.iter().collect();
    while !left.is_empty() {
        let is_ready = |case: &&Case| {
            case.after
                .as_ref()
                .is_none_or(|after| outcomes.contains_key(after))
        };
        let (now, later): (Vec<&Case>, Vec<&Case>) = left.into_iter().partition(is_ready);
        if now.is_empty() {
            bail!("cases wait for each other");
        }
        for case in &now {
            create(&client, &restore(case)).await?;
        }
        let mut ended = Vec::new();
        for case in &now {
            let place = "/apis/velero.io/v1/namespaces/velero/restores";
            ended.push(
                wait(
                    &client,
                    &format!("{place}/{}", case.name),
                    deadline,
                    |restore| {
                        ENDS.contains(&restore["status"]["phase"].as_str().unwrap_or_default())
                    },
                )
                .await?,
            );
        }
        tokio::time::sleep(SETTLE).await;
        for (case, restore) in now.iter().zip(ended) {
            let outcome = look(world, case, &restore).await;
            let outcome = outcome.with_context(|| format!("in the case `{}`", case.name))?;
            outcomes.insert(case.name.clone(), outcome);
        }
        left = later;
    }
    Ok(outcomes)
}

fn restore(case: &Case) -> Value {
    let shop = case.shop.as_deref().map(shop_backup).unwrap_or_default();
    json!({
        "apiVersion": "velero.io/v1", "kind": "Restore",
        "metadata": {"name": case.name, "namespace": "velero"}, "spec": case.spec(&shop),
    })
}

/// The folder of the shop's own backups.
fn shop() -> PathBuf {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    tree.join("examples/shop/data/shop-backups/velero/backups")
}

/// The newest backup of a schedule of the shop.
fn shop_backup(schedule: &str) -> String {
    let entries = std::fs::read_dir(shop()).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names
        .filter(|name| name.starts_with(schedule))
        .max()
        .unwrap_or_default()
}

async fn fill(world: &impl World, cases: &[Case]) -> Result<()> {
    for case in cases {
        for (key, content) in case.files()? {
            world.put(&format!("{PREFIX}/{key}"), content).await?;
        }
    }
    for backup in std::fs::read_dir(shop())? {
        let backup = backup?;
        for file in std::fs::read_dir(backup.path())? {
            let file = file?;
            let (folder, name) = (backup.file_name(), file.file_name());
            let key = format!("{PREFIX}/backups/{}/{}", folder.display(), name.display());
            #[expect(clippy::disallowed_methods, reason = "a test reads the example's data")]
            let content = std::fs::read(file.path())?;
            world.put(&key, content).await?;
        }
    }
    Ok(())
}

async fn wait_for_sync(client: &Client, cases: &[Case], deadline: Instant) -> Result<()> {
    let place = "/apis/velero.io/v1/namespaces/velero/backupstoragelocations/cases";
    wait(client, place, deadline, |location| {
        !location["status"]["lastSyncedTime"].is_null()
    })
    .await?;
    for case in cases {
        let spec = restore(case)["spec"].clone();
        let Some(backup) = spec["backupName"].as_str().filter(|_| case.shop.is_some()) else {
            continue;
        };
        let place = format!("/apis/velero.io/v1/namespaces/velero/backups/{backup}");
        wait(client, &place, deadline, |_| true).await?;
    }
    Ok(())
}

async fn wait(
    client: &Client,
    url: &str,
    deadline: Instant,
    is_it: impl Fn(&Value) -> bool,
) -> Result<Value> {
    loop {
        let found = read(client, url).await;
        if let Ok(Some(found)) = &found
            && is_it(found)
        {
            return Ok(found.clone());
        }
        if Instant::now() >= deadline {
            bail!("{url} does not come to that: {found:?}");
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn read(client: &Client, url: &str) -> Result<Option<Value>> {
    match client.request(Request::get(url).body(Vec::new())?).await {
        Ok(found) => Ok(Some(found)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Creates an object; the field manager is always the same.
pub(crate) async fn create(client: &Client, object: &Value) -> Result<()> {
    let text = |path: &str| {
        object
            .pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let url = url(
        text("/apiVersion"),
        text("/kind"),
        text("/metadata/namespace"),
        "",
    );
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{url}?fieldManager=cases"))
        .header("content-type", "application/json");
    let request = request.body(object.to_string().into_bytes())?;
    client
        .request::<Value>(request)
        .await
        .with_context(|| format!("cannot create {} in {url}", text("/metadata/name")))?;
    Ok(())
}

fn url(version: &str, kind: &str, namespace: &str, name: &str) -> String {
    let root = if version.contains('/') { "apis" } else { "api" };
    let resource = case::resource(version, kind);
    let plural = resource.split('.').next().unwrap_or_default();
    let mut url = format!("/{root}/{version}");
    if !namespace.is_empty() {
        url = format!("{url}/namespaces/{namespace}");
    }
    url = format!("{url}/{plural}");
    if !name.is_empty() {
        url = format!("{url}/{name}");
    }
    url
}

async fn look(world: &impl World, case: &Case, restore: &Value) -> Result<Outcome> {
    let status = &restore["status"];
    let folder = format!("{PREFIX}/restores/{}/", case.name);
    let keys = world.keys(&folder).await?;
    let file = |ending: &str| format!("{folder}restore-{}-{ending}", case.name);
    let list = unpack(world, &keys, &file("resource-list.json.gz")).await?;
    let results = unpack(world, &keys, &file("results.gz")).await?;
    let objects = if case.objects {
        objects(world, case, &list).await?
    } else {
        BTreeMap::new()
    };
    Ok(Outcome {
        phase: status["phase"].as_str().unwrap_or_default().to_owned(),
        validation_errors: status["validationErrors"].clone(),
        failure_reason: status["failureReason"].clone(),
        errors: status["errors"].clone(),
        warnings: status["warnings"].clone(),
        progress: status["progress"].clone(),
        spec: restore["spec"].clone(),
        results: if results.is_null() {
            results
        } else {
            outcome::without_folders(outcome::sorted(results))
        },
        list,
        files: keys
            .iter()
            .map(|key| key.trim_start_matches(&folder).to_owned())
            .collect(),
        objects,
    })
}

async fn unpack(world: &impl World, keys: &[String], key: &str) -> Result<Value> {
    if !keys.iter().any(|known| known == key) {
        return Ok(Value::Null);
    }
    let mut text = String::new();
    GzDecoder::new(&world.get(key).await?[..]).read_to_string(&mut text)?;
    Ok(serde_json::from_str(&text)?)
}

/// The objects that a restore speaks of, as they are now.
async fn objects(world: &impl World, case: &Case, list: &Value) -> Result<BTreeMap<String, Value>> {
    let mut found = BTreeMap::new();
    let client = world.client();
    for (kind, titles) in list.as_object().into_iter().flatten() {
        let (version, kind) = kind.rsplit_once('/').unwrap_or_default();
        if RESTLESS.contains(&kind) {
            continue;
        }
        for title in titles
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            let title = title.rsplit_once('(').map_or(title, |(title, _)| title);
            let (namespace, name) = title.split_once('/').unwrap_or(("", title));
            let object = read(&client, &url(version, kind, namespace, name)).await?;
            let object = object.map_or(Value::Null, |object| outcome::normal(object, case.status));
            found.insert(format!("{kind} {title}"), object);
        }
    }
    Ok(found)
}

/// Makes what a site with the real server has before.
pub(crate) async fn prepare(client: &Client) -> Result<()> {
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    #[expect(clippy::disallowed_methods, reason = "a test reads the example's data")]
    let text = std::fs::read_to_string(tree.join("examples/shop/velero/crds.yaml"))?;
    let kinds: Vec<Value> = serde_saphyr::from_multiple(&text)?;
    for kind in &kinds {
        create(client, kind).await?;
    }
    create(
        client,
        &json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "velero"},
        }),
    )
    .await?;
    let spec = json!({
        "replicas": 0, "selector": {"matchLabels": {"deploy": "velero"}},
        "template": {
            "metadata": {"labels": {"deploy": "velero"}},
            "spec": {"containers": [{"name": "velero", "image": "velero/velero"}]},
        },
    });
    create(
        client,
        &json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "velero", "namespace": "velero"}, "spec": spec,
        }),
    )
    .await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    Ok(())
}
