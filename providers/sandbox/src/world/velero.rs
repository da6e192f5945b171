//! The Velero of a world: its buckets are those of the world's object store.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use drplan_api::Clock;
use drplan_api::PRIVATE_KEY;
use drplan_sandbox_s3::Put;
use drplan_sandbox_s3::Store;
use drplan_sandbox_velero::Bucket;
use drplan_sandbox_velero::Buckets;
use drplan_sandbox_velero::Entry;
use drplan_sandbox_velero::Options;

use super::downloads::Downloads;
use super::file::Key;

/// The namespace that Velero lives in.
const NAMESPACE: &str = "velero";

/// A Velero server, to be run in a cluster.
pub(super) struct Velero {
    buckets: Arc<WorldBuckets>,
    downloads: Arc<Downloads>,
    clock: Clock,
    seed: u64,
}

impl Velero {
    pub(super) fn new(store: Store, keys: BTreeMap<String, Key>, clock: Clock, seed: u64) -> Self {
        Self {
            downloads: Downloads::of(store.clone()),
            buckets: Arc::new(WorldBuckets { store, keys }),
            clock,
            seed,
        }
    }

    pub(super) fn downloads(&self) -> &Arc<Downloads> {
        &self.downloads
    }

    pub(super) fn namespace(&self) -> &'static str {
        NAMESPACE
    }

    /// Runs the server until it exits by itself.
    pub(super) async fn serve(&self, client: kube::Client) {
        let options = Options {
            sign: Some(self.downloads.sign()),
            ..Options::new(self.clock.clone(), self.seed)
        };
        let buckets = Arc::clone(&self.buckets) as Arc<dyn Buckets>;
        drplan_sandbox_velero::serve(client, buckets, options).await;
    }
}

/// The buckets of the world, behind its keys.
struct WorldBuckets {
    store: Store,
    keys: BTreeMap<String, Key>,
}

impl Buckets for WorldBuckets {
    fn open(&self, credentials: Option<&str>) -> Result<Arc<dyn Bucket>, String> {
        let read_only = match credentials {
            // The server's own key is that of the world.
            None => false,
            Some(file) => self.rights(file)?,
        };
        Ok(Arc::new(Opened {
            store: self.store.clone(),
            read_only,
        }))
    }
}

impl WorldBuckets {
    /// Whether the key in an AWS credentials file may only read.
    fn rights(&self, file: &str) -> Result<bool, String> {
        let value = |name: &str| {
            let lines = file.lines().filter_map(|line| line.split_once('='));
            let mut found = lines.filter(|(key, _)| key.trim() == name);
            found.next().map(|(_, value)| value.trim().to_owned())
        };
        let (Some(id), Some(secret)) = (value("aws_access_key_id"), value("aws_secret_access_key"))
        else {
            return Err("the credentials hold no key".to_owned());
        };
        if (id.as_str(), secret.as_str()) == PRIVATE_KEY {
            return Ok(false);
        }
        match self.keys.get(&id) {
            None => Err("InvalidAccessKeyId: the access key id does not exist".to_owned()),
            Some(key) if key.secret != secret => {
                Err("SignatureDoesNotMatch: the secret is not that of the access key".to_owned())
            }
            Some(key) => Ok(key.read_only),
        }
    }
}

struct Opened {
    store: Store,
    read_only: bool,
}

impl Opened {
    fn writable(&self) -> Result<(), String> {
        if self.read_only {
            return Err("AccessDenied: Access Denied.".to_owned());
        }
        Ok(())
    }
}

impl Bucket for Opened {
    fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<Entry>, String> {
        let found = self.store.list(bucket, prefix).map_err(|e| e.to_string())?;
        let entries = found.into_iter().map(|info| Entry {
            key: info.key,
            size: info.size,
            modified: info.modified,
        });
        Ok(entries.collect())
    }

    fn get(&self, bucket: &str, key: &str) -> Result<Bytes, String> {
        self.store.get(bucket, key).map_err(|e| e.to_string())
    }

    fn put(&self, bucket: &str, key: &str, bytes: Bytes) -> Result<(), String> {
        self.writable()?;
        let put = Put {
            bytes,
            ..Put::default()
        };
        let done = self.store.put(bucket, key, put);
        done.map(drop).map_err(|e| e.to_string())
    }

    fn delete(&self, bucket: &str, key: &str) -> Result<(), String> {
        self.writable()?;
        self.store.delete(bucket, key).map_err(|e| e.to_string())
    }
}
