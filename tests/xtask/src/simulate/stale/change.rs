//! What somebody else does to the world.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::anyhow;
use drplan::rehearse::Scene;
use drplan_api::process::Program;
use drplan_sandbox::route53::Action;
use drplan_sandbox::route53::Change as RecordChange;
use drplan_sandbox::route53::DomainName;
use drplan_sandbox::route53::RecordSet;
use drplan_sandbox::route53::RecordType;
use drplan_sandbox_kubernetes::User;
use drplan_sandbox_s3::Put;
use http::Request;
use http::header::CONTENT_TYPE;
use serde_json::Value;
use serde_json::json;
use tower::ServiceExt as _;

/// The zone of every life.
const ZONE: &str = "site.example";
/// The bucket of every life.
const BUCKET: &str = "shop-backups";
/// Who changes objects.
const SOMEBODY: &str = "somebody";
/// The most bytes of an answer of the cluster.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// One change of the world.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// A program runs.
    Run(&'static [&'static str]),
    /// A file beside the spec is gone.
    NoFile(&'static str),
    /// Time passes, in seconds.
    Pass(u64),
    /// An object is made, below this path of the API.
    Create(&'static str, Value),
    /// Fields of the object at this path are set.
    Merge(&'static str, Value),
    /// The object at this path is deleted.
    Remove(&'static str),
    /// An object is there, past all rules of the API.
    Load(Value),
    /// A record of the zone leads to these addresses, with this time to live.
    Record(&'static str, u32, &'static [&'static str]),
    /// A record leads to the load balancer of `b/web/front`.
    Lead(&'static str, u32),
    /// The record is gone.
    NoRecord(&'static str),
    /// An object of the bucket is copied, over what is there.
    Copy(&'static str, &'static str),
    /// An object of the bucket holds this.
    Write(&'static str, &'static str),
    /// In an object of the bucket one text stands in the place of another.
    Edit(&'static str, &'static str, &'static str),
    /// The object of the bucket is gone.
    NoObject(&'static str),
    /// A database is there, empty.
    Database(&'static str),
    /// A database is filled from a dump of the bucket.
    Fill(&'static str, &'static str),
    /// The database is gone.
    NoDatabase(&'static str),
}

/// A namespace is made.
pub(super) fn namespace(name: &str) -> Change {
    let metadata = json!({"name": name});
    Change::Create(
        "/api/v1/namespaces",
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}),
    )
}

impl Change {
    /// Lets it happen.
    pub(super) async fn happen(&self, scene: &Scene) -> Result<()> {
        let done = self.done(scene).await;
        done.with_context(|| format!("{self:?} did not happen"))
    }

    async fn done(&self, scene: &Scene) -> Result<()> {
        let world = scene.world();
        match self {
            Self::Run(argv) => {
                run(scene, argv).await?;
            }
            Self::NoFile(path) => std::fs::remove_file(scene.dir().join(path))?,
            Self::Pass(seconds) => tokio::time::sleep(Duration::from_secs(*seconds)).await,
            Self::Create(path, body) => ask(scene, "POST", path, "json", body).await?,
            Self::Merge(path, body) => {
                ask(scene, "PATCH", path, "merge-patch+json", body).await?;
            }
            Self::Remove(path) => ask(scene, "DELETE", path, "json", &Value::Null).await?,
            Self::Load(object) => {
                let cluster = world.clusters().find(|(name, _)| *name == "b");
                cluster.context("no cluster")?.1.load([object.clone()])?;
            }
            Self::Record(name, ttl, values) => {
                record(scene, name, Action::Upsert, *ttl, values)?;
            }
            Self::Lead(name, ttl) => {
                let address = run(scene, &["bin/site", "address"]).await?;
                record(scene, name, Action::Upsert, *ttl, &[address.trim()])?;
            }
            Self::NoRecord(name) => {
                let id = world.dns().zone_id(ZONE).context("no zone")?;
                let full = format!("{name}.{ZONE}");
                let sets = world.dns().record_sets(&id);
                let set = sets
                    .into_iter()
                    .find(|s| s.name.to_string().trim_end_matches('.') == full)
                    .context("no record")?;
                let action = Action::Delete;
                world.dns().change(&id, &[RecordChange { action, set }])?;
            }
            Self::Copy(from, to) => {
                let bytes = world.object_store().get(BUCKET, from).map_err(refused)?;
                put(scene, to, bytes.to_vec())?;
            }
            Self::Write(key, text) => put(scene, key, text.as_bytes().to_vec())?,
            Self::Edit(key, from, to) => {
                let bytes = world.object_store().get(BUCKET, key).map_err(refused)?;
                let text = String::from_utf8(bytes.to_vec())?;
                if !text.contains(from) {
                    return Err(anyhow!("`{from}` does not stand there"));
                }
                put(scene, key, text.replace(from, to).into_bytes())?;
            }
            Self::NoObject(key) => {
                world.object_store().delete(BUCKET, key).map_err(refused)?;
            }
            Self::Database(name) => {
                let made = server(scene)?.create_database(name, "shop");
                made.map_err(|e| anyhow!("{e:?}"))?;
            }
            Self::Fill(name, key) => {
                let dump = world.object_store().get(BUCKET, key).map_err(refused)?;
                server(scene)?.load(name, &dump)?;
            }
            Self::NoDatabase(name) => server(scene)?.lose_database(name),
        }
        Ok(())
    }
}

fn refused(refusal: impl std::fmt::Debug) -> anyhow::Error {
    anyhow!("{refusal:?}")
}

fn server(scene: &Scene) -> Result<&drplan_sandbox_postgres::Server> {
    let mut servers = scene.world().databases();
    let found = servers.find(|(name, _)| *name == "b");
    Ok(found.context("no server")?.1)
}

/// Runs a stand-in and returns what it prints.
async fn run(scene: &Scene, argv: &[&str]) -> Result<String> {
    let program = Program {
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        env: BTreeMap::new(),
        cwd: scene.dir().to_owned(),
        stdin: None,
        timeout: Duration::from_secs(60),
    };
    let output = scene.world().doors().process.run(program).await;
    let output = output.map_err(|e| anyhow!("{e}"))?;
    match output.code {
        Some(0) => Ok(String::from_utf8(output.stdout)?),
        code => Err(anyhow!("exit code {code:?}")),
    }
}

fn put(scene: &Scene, key: &str, bytes: Vec<u8>) -> Result<()> {
    let put = Put {
        bytes: bytes.into(),
        attributes: drplan_sandbox_s3::Attributes::default(),
        modified: None,
        etag: None,
    };
    let store = scene.world().object_store();
    store.put(BUCKET, key, put).map(drop).map_err(refused)
}

fn record(scene: &Scene, name: &str, action: Action, ttl: u32, values: &[&str]) -> Result<()> {
    let dns = scene.world().dns();
    let id = dns.zone_id(ZONE).context("no zone")?;
    let name = DomainName::parse(&format!("{name}.{ZONE}"))?;
    let values = values.iter().copied();
    let set = RecordSet::simple(name, RecordType::A, ttl, values);
    dns.change(&id, &[RecordChange { action, set }])?;
    Ok(())
}

/// Asks the API as somebody who may do everything.
async fn ask(scene: &Scene, method: &str, path: &str, what: &str, body: &Value) -> Result<()> {
    let mut clusters = scene.world().clusters();
    let (_, cluster) = clusters
        .find(|(name, _)| *name == "b")
        .context("no cluster")?;
    let body = match body {
        Value::Null => Vec::new(),
        body => serde_json::to_vec(body)?,
    };
    let request = Request::builder()
        .method(method)
        .uri(format!("{path}?fieldManager={SOMEBODY}"))
        .header(CONTENT_TYPE, format!("application/{what}"))
        .body(axum::body::Body::from(body))?;
    let router = cluster.router_as(User::new(SOMEBODY, &["system:masters"]));
    let answer = router.oneshot(request).await?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let bytes = axum::body::to_bytes(answer.into_body(), ANSWER_BYTES_MAX).await?;
    Err(anyhow!("{status}: {}", String::from_utf8_lossy(&bytes)))
}
