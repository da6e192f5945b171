//! The store itself and what can be done with it without HTTP.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use bytes::Bytes;
use drplan_api::Clock;
use drplan_api::Timestamp;

use crate::access::AccessKey;
use crate::access::Keys;
use crate::attributes::Attributes;
use crate::bucket::Bucket;
use crate::bucket::Versioning;
use crate::bucket::Write;
use crate::checksum::Sums;
use crate::condition::WriteConditions;
use crate::content::Content;
use crate::folder;
use crate::listing;
use crate::listing::Line;
use crate::listing::Query;
use crate::lock::Protection;
use crate::object::Body;
use crate::object::Object;
use crate::object::ObjectInfo;
use crate::object::Version;
use crate::object::etag_of;
use crate::refusal::Refusal;
use crate::refusal::StoreError;
use crate::token::Tokens;

/// How a store is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// What time it is.
    pub clock: Clock,
    /// The region that it says it is in.
    pub region: String,
    /// What its ids come from: one seed, one row of ids.
    pub seed: u64,
    /// Who may come in.
    pub keys: Vec<AccessKey>,
}

/// An object to write directly.
#[derive(Clone, Debug, Default)]
pub struct Put {
    /// The content.
    pub bytes: Bytes,
    /// What is said of it.
    pub attributes: Attributes,
    /// When it was written; now if not given.
    pub modified: Option<Timestamp>,
    /// The ETag that another store gave it, without quotes; its MD5 if not given.
    pub etag: Option<String>,
}

/// An object store. Clones share what it holds.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    clock: Clock,
    region: String,
    keys: Keys,
    state: Mutex<State>,
}

/// What changes.
pub(crate) struct State {
    pub(crate) buckets: BTreeMap<String, Bucket>,
    pub(crate) tokens: Tokens,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("buckets", &self.buckets())
            .finish_non_exhaustive()
    }
}

impl State {
    pub(crate) fn bucket(&self, name: &str) -> Result<&Bucket, Refusal> {
        let found = self.buckets.get(name);
        found.ok_or_else(|| Refusal::NoSuchBucket(name.to_owned()))
    }

    /// A bucket to change, and the ids for what is new in it.
    pub(crate) fn bucket_mut(&mut self, name: &str) -> Result<(&mut Bucket, &mut Tokens), Refusal> {
        let found = self.buckets.get_mut(name);
        let found = found.ok_or_else(|| Refusal::NoSuchBucket(name.to_owned()))?;
        Ok((found, &mut self.tokens))
    }
}

impl Store {
    /// Makes an empty store that lives in memory.
    #[must_use]
    pub fn in_memory(options: Options) -> Self {
        Self::over(BTreeMap::new(), options)
    }

    /// Opens a store over a folder (`BUCKET/KEY…`), which is only read; changes live in memory.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read, or its index does not fit its files.
    pub fn open(dir: &Path, options: Options) -> Result<Self, StoreError> {
        Ok(Self::over(folder::open(dir, options.clock.now())?, options))
    }

    fn over(buckets: BTreeMap<String, Bucket>, options: Options) -> Self {
        Self(Arc::new(Inner {
            clock: options.clock,
            region: options.region,
            keys: Keys::new(&options.keys),
            state: Mutex::new(State {
                buckets,
                tokens: Tokens::new(options.seed),
            }),
        }))
    }

    /// Makes a bucket over a folder of any name, which is only read.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read, or the index beside it does not fit its files.
    pub fn load_bucket(&self, name: &str, folder: &Path) -> Result<(), StoreError> {
        let bucket = folder::open_one(name, folder, self.now())?;
        self.state().buckets.insert(name.to_owned(), bucket);
        Ok(())
    }

    /// Writes the newest version of every object into a folder from which it can be opened again.
    ///
    /// # Errors
    ///
    /// If a key cannot be the path of a file, or a file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), StoreError> {
        folder::save(dir, &self.state().buckets)
    }

    /// The time of the store.
    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The region that it says it is in.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.0.region
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// What a panic elsewhere left is whole: every change is made by one assignment at its end.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a bucket.
    ///
    /// # Errors
    ///
    /// [`Refusal::BucketExists`].
    pub fn create_bucket(&self, name: &str) -> Result<(), Refusal> {
        let now = self.now();
        let mut state = self.state();
        if state.buckets.contains_key(name) {
            return Err(Refusal::BucketExists(name.to_owned()));
        }
        state
            .buckets
            .insert(name.to_owned(), Bucket::new(name, now));
        Ok(())
    }

    /// Switches the versioning of a bucket.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoSuchBucket`], or that the bucket has object lock.
    pub fn set_versioning(&self, bucket: &str, to: Versioning) -> Result<(), Refusal> {
        self.state().bucket_mut(bucket)?.0.set_versioning(to)
    }

    /// The names of all buckets, in order.
    #[must_use]
    pub fn buckets(&self) -> Vec<String> {
        self.state().buckets.keys().cloned().collect()
    }

    /// Writes an object and says how it can be found.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoSuchBucket`].
    pub fn put(&self, bucket: &str, key: &str, put: Put) -> Result<ObjectInfo, Refusal> {
        let now = put.modified.unwrap_or_else(|| self.now());
        let object = Object {
            etag: put.etag.unwrap_or_else(|| etag_of(&put.bytes)),
            content: Content::Memory(put.bytes),
            attributes: put.attributes,
            sums: Sums::default(),
            parts: BTreeMap::new(),
        };
        let mut state = self.state();
        let (found, tokens) = state.bucket_mut(bucket)?;
        let version = found.write(Write {
            key,
            object,
            protection: Protection::default(),
            conditions: &WriteConditions::default(),
            id: tokens.next(),
            now,
        })?;
        info(found.find(key, Some(&version))?, key)
    }

    /// Reads an object whole.
    ///
    /// # Errors
    ///
    /// If bucket or key do not exist, or its file cannot be read.
    pub fn get(&self, bucket: &str, key: &str) -> Result<Bytes, Refusal> {
        let (_, object) = self.state().bucket(bucket)?.object(key, None)?;
        Ok(object.content.whole()?)
    }

    /// Says what is known of an object.
    ///
    /// # Errors
    ///
    /// If bucket or key do not exist.
    pub fn stat(&self, bucket: &str, key: &str) -> Result<ObjectInfo, Refusal> {
        let state = self.state();
        info(state.bucket(bucket)?.object(key, None)?.0, key)
    }

    /// Lists all objects under a prefix, in order.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoSuchBucket`].
    pub fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<ObjectInfo>, Refusal> {
        let state = self.state();
        let query = Query {
            prefix,
            max: usize::MAX,
            ..Query::default()
        };
        let page = listing::page(&state.bucket(bucket)?.objects, &query, shows);
        let infos = page.lines.iter().filter_map(|line| match line {
            Line::Key(key, versions) => versions.last().and_then(|v| v.info(key)),
            Line::Prefix(_) => None,
        });
        Ok(infos.collect())
    }

    /// Says of an object what another store said of it: when it was written, and its ETag without quotes.
    ///
    /// # Errors
    ///
    /// If bucket or key do not exist.
    pub fn date(
        &self,
        bucket: &str,
        key: &str,
        modified: Option<Timestamp>,
        etag: &str,
    ) -> Result<(), Refusal> {
        let mut state = self.state();
        let (found, _) = state.bucket_mut(bucket)?;
        let newest = found.objects.get_mut(key).and_then(|all| all.last_mut());
        let newest = newest.ok_or_else(|| Refusal::NoSuchKey {
            key: key.to_owned(),
            marker: None,
        })?;
        newest.modified = modified.unwrap_or(newest.modified);
        if let Body::Object(object) = &mut newest.body {
            Arc::make_mut(object).etag = etag.to_owned();
        }
        Ok(())
    }

    /// Lets a key never have been there, with all its versions.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoSuchBucket`].
    pub fn forget(&self, bucket: &str, key: &str) -> Result<(), Refusal> {
        self.state().bucket_mut(bucket)?.0.objects.remove(key);
        Ok(())
    }

    /// Deletes a key, as a client would: where versions are kept, it is marked as deleted.
    ///
    /// # Errors
    ///
    /// [`Refusal::NoSuchBucket`].
    pub fn delete(&self, bucket: &str, key: &str) -> Result<(), Refusal> {
        let now = self.now();
        let mut state = self.state();
        let (found, tokens) = state.bucket_mut(bucket)?;
        found.delete(key, tokens.next(), now);
        Ok(())
    }
}

/// Whether a key shows in a list: whether its newest version has content.
#[expect(
    clippy::ptr_arg,
    reason = "lists are about the values of a map, which are vectors"
)]
pub(crate) fn shows(versions: &Vec<Version>) -> bool {
    versions.last().is_some_and(|v| v.object().is_some())
}

fn info(version: &Version, key: &str) -> Result<ObjectInfo, Refusal> {
    let found = version.info(key);
    found.ok_or_else(|| Refusal::IsDeleteMarker(version.id.clone()))
}
