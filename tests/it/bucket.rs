//! A bucket on loopback that keeps the runs of specs.

use drplan_api::Clock;
use drplan_sandbox::s3::AccessKey;
use drplan_sandbox::s3::Listening;
use drplan_sandbox::s3::Options;
use drplan_sandbox::s3::Rights;
use drplan_sandbox::s3::Store;

const REGION: &str = "eu-west-1";

const SECRET: &str = "canary-of-the-bucket";

/// A bucket in an object store that listens.
pub(crate) struct Bucket {
    _runtime: tokio::runtime::Runtime,
    store: Store,
    listening: Listening,
}

impl Bucket {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .worker_threads(1)
            .build()
            .expect("a runtime");
        let store = Store::in_memory(Options {
            clock: Clock::system(),
            region: REGION.to_owned(),
            seed: 1,
            keys: vec![AccessKey::new("AKIDALL", SECRET, Rights::All)],
        });
        store.create_bucket("runs").expect("a bucket");
        let address = "127.0.0.1:0".parse().expect("an address");
        let listening = runtime.block_on(store.listen(address)).expect("a server");
        Self {
            _runtime: runtime,
            store,
            listening,
        }
    }

    /// Blocks of a spec whose runs are kept here.
    pub(crate) fn recovery(&self, name: &str) -> String {
        format!(
            r#"
recovery "{name}" {{
  run_store {{
    provider = s3.store
    bucket   = "runs"
  }}
}}

variable "bucket_secret" {{ sensitive = true }}

provider "s3" "store" {{
  endpoint   = "{}"
  region     = "{REGION}"
  access_key = "AKIDALL"
  secret_key = var.bucket_secret
}}
"#,
            self.listening.endpoint()
        )
    }

    /// The variable that the blocks need, and its value.
    pub(crate) const KEY: (&'static str, &'static str) = ("DRPLAN_VAR_bucket_secret", SECRET);

    /// The plan of the latest run.
    pub(crate) fn latest_plan(&self) -> serde_json::Value {
        let all = self.store.list("runs", "").expect("a bucket");
        let mut plans: Vec<&str> = all.iter().map(|object| object.key.as_str()).collect();
        plans.retain(|key| key.ends_with("/plan.json"));
        let latest = plans.iter().max().expect("a run");
        let text = self.store.get("runs", latest).expect("a plan");
        let text = std::str::from_utf8(&text).expect("text");
        let line = text.lines().next().unwrap_or_default();
        serde_json::from_str(line).expect("JSON")
    }
}
