//! A bucket in memory, filled from a folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

use bytes::Bytes;
use drplan_api::Timestamp;
use drplan_sandbox_velero::Bucket;
use drplan_sandbox_velero::Buckets;
use drplan_sandbox_velero::Entry;

/// What a store without the object says.
const MISSING: &str = "operation error S3: GetObject, https response error StatusCode: 404, \
                       NoSuchKey: The specified key does not exist.";

/// What a store says to a key that it does not know.
const STRANGER: &str = "operation error S3: ListObjectsV2, https response error StatusCode: 403, api \
                        error InvalidAccessKeyId: The Access Key Id you provided does not exist in our \
                        records.";

/// What a store says to whoever may not write.
const READER: &str = "operation error S3: PutObject, https response error StatusCode: 403, api error \
                      AccessDenied: Access Denied.";

/// All objects, by key; there is one bucket.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    objects: Arc<Mutex<BTreeMap<String, Bytes>>>,
}

impl Memory {
    /// Everything below a folder, under keys that begin with a prefix.
    pub(crate) fn of(folder: &Path, prefix: &str) -> Self {
        let memory = Self::default();
        memory.fill(folder, prefix);
        memory
    }

    #[expect(clippy::disallowed_methods, reason = "a test reads the example's data")]
    fn fill(&self, folder: &Path, prefix: &str) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            let key = format!("{prefix}/{name}");
            if path.is_dir() {
                self.fill(&path, &key);
            } else {
                self.write(&key, std::fs::read(&path).expect("a file"));
            }
        }
    }

    pub(crate) fn write(&self, key: &str, content: Vec<u8>) {
        self.objects
            .lock()
            .expect("a lock")
            .insert(key.to_owned(), Bytes::from(content));
    }

    pub(crate) fn read(&self, key: &str) -> Option<Bytes> {
        self.objects.lock().expect("a lock").get(key).cloned()
    }

    pub(crate) fn keys(&self, prefix: &str) -> Vec<String> {
        let objects = self.objects.lock().expect("a lock");
        objects
            .keys()
            .filter(|key| key.starts_with(prefix))
            .cloned()
            .collect()
    }
}

/// One key pair's view.
struct View {
    memory: Memory,
    may_write: bool,
}

impl Bucket for View {
    fn list(&self, _: &str, prefix: &str) -> Result<Vec<Entry>, String> {
        let objects = self.memory.objects.lock().expect("a lock");
        let found = objects.iter().filter(|(key, _)| key.starts_with(prefix));
        let entry = |(key, content): (&String, &Bytes)| Entry {
            key: key.clone(),
            size: u64::try_from(content.len()).unwrap_or(u64::MAX),
            modified: Timestamp::UNIX_EPOCH,
        };
        Ok(found.map(entry).collect())
    }

    fn get(&self, _: &str, key: &str) -> Result<Bytes, String> {
        self.memory.read(key).ok_or_else(|| MISSING.to_owned())
    }

    fn put(&self, _: &str, key: &str, content: Bytes) -> Result<(), String> {
        if !self.may_write {
            return Err(READER.to_owned());
        }
        self.memory.write(key, content.to_vec());
        Ok(())
    }

    fn delete(&self, _: &str, key: &str) -> Result<(), String> {
        if !self.may_write {
            return Err(READER.to_owned());
        }
        self.memory.objects.lock().expect("a lock").remove(key);
        Ok(())
    }
}

/// What a store says of itself to a stranger.
struct Closed;

impl Bucket for Closed {
    fn list(&self, _: &str, _: &str) -> Result<Vec<Entry>, String> {
        Err(STRANGER.to_owned())
    }

    fn get(&self, _: &str, _: &str) -> Result<Bytes, String> {
        Err(STRANGER.to_owned())
    }

    fn put(&self, _: &str, _: &str, _: Bytes) -> Result<(), String> {
        Err(STRANGER.to_owned())
    }

    fn delete(&self, _: &str, _: &str) -> Result<(), String> {
        Err(STRANGER.to_owned())
    }
}

impl Buckets for Memory {
    fn open(&self, credentials: Option<&str>) -> Result<Arc<dyn Bucket>, String> {
        let view = |may_write| -> Arc<dyn Bucket> {
            Arc::new(View {
                memory: self.clone(),
                may_write,
            })
        };
        Ok(match credentials {
            None => view(true),
            Some(text) if text.contains("WRITER") => view(true),
            Some(text) if text.contains("READER") => view(false),
            Some(_) => Arc::new(Closed),
        })
    }
}
