//! The object store, as far as this server needs one.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use drplan_api::Timestamp;

/// One object of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The whole key.
    pub key: String,
    /// How many bytes it holds.
    pub size: u64,
    /// When it was written.
    pub modified: Timestamp,
}

/// Buckets as one key pair sees them. Errors are the texts that the store answers with.
pub trait Bucket: Send + Sync {
    /// All objects whose keys begin so, in order of their keys.
    ///
    /// # Errors
    ///
    /// When the store refuses.
    fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<Entry>, String>;

    /// The content of an object.
    ///
    /// # Errors
    ///
    /// When the store refuses, or there is none.
    fn get(&self, bucket: &str, key: &str) -> Result<Bytes, String>;

    /// Writes an object.
    ///
    /// # Errors
    ///
    /// When the store refuses.
    fn put(&self, bucket: &str, key: &str, content: Bytes) -> Result<(), String>;

    /// Deletes an object; one that is not there counts as deleted.
    ///
    /// # Errors
    ///
    /// When the store refuses.
    fn delete(&self, bucket: &str, key: &str) -> Result<(), String>;
}

/// Opens buckets with the key that a location names.
pub trait Buckets: Send + Sync {
    /// The buckets as this key pair sees them. `credentials` is the content of the Secret's key, an
    /// AWS credentials file; `None` when the location names none and the server's own serve.
    ///
    /// # Errors
    ///
    /// When the credentials cannot be read.
    fn open(&self, credentials: Option<&str>) -> Result<Arc<dyn Bucket>, String>;
}

/// A bucket with the layout that Velero gives it, below a location's prefix.
#[derive(Clone)]
pub(crate) struct Store {
    access: Arc<dyn Bucket>,
    pub(crate) bucket: String,
    /// Empty, or with a slash at its end.
    pub(crate) root: String,
}

impl Store {
    pub(crate) fn new(access: Arc<dyn Bucket>, bucket: &str, prefix: &str) -> Self {
        let root = if prefix.is_empty() {
            String::new()
        } else {
            format!("{prefix}/")
        };
        Self {
            access,
            bucket: bucket.to_owned(),
            root,
        }
    }

    /// The names of what looks like folders directly below a folder.
    pub(crate) fn folders(&self, below: &str) -> Result<Vec<String>, String> {
        let prefix = format!("{}{below}", self.root);
        let mut names: Vec<String> = self
            .access
            .list(&self.bucket, &prefix)?
            .iter()
            .filter_map(|entry| entry.key.strip_prefix(&prefix)?.split_once('/'))
            .map(|(name, _)| name.to_owned())
            .collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The content of an object, and `None` when there is none.
    pub(crate) fn try_get(&self, key: &str) -> Result<Option<Bytes>, String> {
        let key = format!("{}{key}", self.root);
        let found = self.access.list(&self.bucket, &key)?;
        if !found.iter().any(|entry| entry.key == key) {
            return Ok(None);
        }
        self.access.get(&self.bucket, &key).map(Some)
    }

    pub(crate) fn get(&self, key: &str) -> Result<Bytes, String> {
        self.access
            .get(&self.bucket, &format!("{}{key}", self.root))
    }

    pub(crate) fn put(&self, key: &str, content: Vec<u8>) -> Result<(), String> {
        let key = format!("{}{key}", self.root);
        self.access.put(&self.bucket, &key, Bytes::from(content))
    }

    /// Deletes everything below a folder.
    pub(crate) fn delete_folder(&self, below: &str) -> Result<(), String> {
        let prefix = format!("{}{below}", self.root);
        for entry in self.access.list(&self.bucket, &prefix)? {
            self.access.delete(&self.bucket, &entry.key)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.bucket, self.root)
    }
}
