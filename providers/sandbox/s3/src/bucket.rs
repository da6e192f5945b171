//! One bucket: its keys, their versions, and what writing and deleting do to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use drplan_api::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::condition::WriteConditions;
use crate::lock::Bypass;
use crate::lock::Lock;
use crate::lock::Protection;
use crate::object::Body;
use crate::object::NULL_VERSION;
use crate::object::Object;
use crate::object::Version;
use crate::refusal::Refusal;
use crate::upload::Upload;

/// Whether a bucket keeps versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Versioning {
    /// It never did.
    #[default]
    Never,
    /// It does.
    Enabled,
    /// It did; new versions replace the one without an id.
    Suspended,
}

/// One bucket.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    pub(crate) name: String,
    pub(crate) created: Timestamp,
    pub(crate) versioning: Versioning,
    pub(crate) lock: Option<Lock>,
    /// Versions of each key, the newest last; never empty.
    pub(crate) objects: BTreeMap<String, Vec<Version>>,
    /// Uploads that were begun, by id.
    pub(crate) uploads: BTreeMap<String, Upload>,
}

/// What deleting did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deleted {
    /// The version that was removed, or the delete marker that was made.
    pub(crate) version: Option<String>,
    /// Whether that is a delete marker.
    pub(crate) marker: bool,
}

/// A write that waits only for its place.
pub(crate) struct Write<'a> {
    pub(crate) key: &'a str,
    pub(crate) object: Object,
    pub(crate) protection: Protection,
    pub(crate) conditions: &'a WriteConditions,
    /// The id to take if versions are kept.
    pub(crate) id: String,
    pub(crate) now: Timestamp,
}

impl Bucket {
    pub(crate) fn new(name: &str, created: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            created,
            versioning: Versioning::Never,
            lock: None,
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
        }
    }

    /// The newest version of a key, which may be a delete marker.
    pub(crate) fn newest(&self, key: &str) -> Option<&Version> {
        self.objects.get(key).and_then(|versions| versions.last())
    }

    /// Finds what a request names: a version, or the newest.
    pub(crate) fn find(&self, key: &str, version: Option<&str>) -> Result<&Version, Refusal> {
        match version {
            Some(id) => {
                let versions = self.objects.get(key).map_or(&[][..], Vec::as_slice);
                let found = versions.iter().find(|v| v.id == id);
                found.ok_or_else(|| Refusal::NoSuchVersion {
                    key: key.to_owned(),
                    version: id.to_owned(),
                })
            }
            None => self.newest(key).ok_or_else(|| Refusal::NoSuchKey {
                key: key.to_owned(),
                marker: None,
            }),
        }
    }

    /// Finds what a request names if it has content.
    pub(crate) fn object(
        &self,
        key: &str,
        version: Option<&str>,
    ) -> Result<(&Version, Arc<Object>), Refusal> {
        let found = self.find(key, version)?;
        match (found.object(), version) {
            (Some(object), _) => Ok((found, object.clone())),
            (None, Some(_)) => Err(Refusal::IsDeleteMarker(found.id.clone())),
            (None, None) => Err(Refusal::NoSuchKey {
                key: key.to_owned(),
                marker: Some(found.id.clone()),
            }),
        }
    }

    /// Writes an object and returns the id of its version.
    pub(crate) fn write(&mut self, write: Write<'_>) -> Result<String, Refusal> {
        let Write {
            key,
            object,
            mut protection,
            conditions,
            id,
            now,
        } = write;
        conditions.check(key, self.newest(key))?;
        if protection != Protection::default() && self.lock.is_none() {
            return Err(Refusal::Request(
                "Bucket is missing Object Lock Configuration".to_owned(),
            ));
        }
        let default = self.lock.and_then(|lock| lock.default);
        protection.retention = protection.retention.or(default.map(|d| d.from(now)));
        let body = Body::Object(Arc::new(object));
        Ok(self.place(key, body, protection, id, now))
    }

    fn place(
        &mut self,
        key: &str,
        body: Body,
        protection: Protection,
        id: String,
        now: Timestamp,
    ) -> String {
        let id = match self.versioning {
            Versioning::Enabled => id,
            Versioning::Never | Versioning::Suspended => NULL_VERSION.to_owned(),
        };
        let versions = self.objects.entry(key.to_owned()).or_default();
        versions.retain(|version| version.id != id);
        versions.push(Version {
            id: id.clone(),
            modified: now,
            body,
            protection,
        });
        id
    }

    /// Deletes a key: removes it, or marks it as deleted where versions are kept.
    pub(crate) fn delete(&mut self, key: &str, id: String, now: Timestamp) -> Deleted {
        if self.versioning == Versioning::Never {
            self.objects.remove(key);
            return Deleted::default();
        }
        let id = self.place(key, Body::DeleteMarker, Protection::default(), id, now);
        Deleted {
            version: Some(id),
            marker: true,
        }
    }

    /// Removes one version for good.
    pub(crate) fn remove(
        &mut self,
        key: &str,
        id: &str,
        now: Timestamp,
        bypass: Bypass,
    ) -> Result<Deleted, Refusal> {
        let mut deleted = Deleted {
            version: Some(id.to_owned()),
            marker: false,
        };
        let Some(versions) = self.objects.get_mut(key) else {
            return Ok(deleted);
        };
        if let Some(at) = versions.iter().position(|version| version.id == id) {
            versions[at].protection.allows_removal(id, now, bypass)?;
            deleted.marker = versions[at].object().is_none();
            versions.remove(at);
        }
        if versions.is_empty() {
            self.objects.remove(key);
        }
        Ok(deleted)
    }

    /// Switches versioning.
    pub(crate) fn set_versioning(&mut self, to: Versioning) -> Result<(), Refusal> {
        if self.lock.is_some() && to != Versioning::Enabled {
            return Err(Refusal::BucketState(
                "An Object Lock configuration is present on this bucket, so the versioning state \
                 cannot be changed.",
            ));
        }
        self.versioning = to;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attributes::Attributes;
    use crate::checksum::Sums;
    use crate::content::Content;

    fn put(bucket: &mut Bucket, key: &str, id: &str) -> String {
        let object = Object {
            content: Content::Memory(id.to_owned().into()),
            etag: id.to_owned(),
            attributes: Attributes::default(),
            sums: Sums::default(),
            parts: BTreeMap::new(),
        };
        let written = bucket.write(Write {
            key,
            object,
            protection: Protection::default(),
            conditions: &WriteConditions::default(),
            id: id.to_owned(),
            now: Timestamp::UNIX_EPOCH,
        });
        written.expect("a version")
    }

    fn ids(bucket: &Bucket, key: &str) -> Vec<String> {
        let versions = bucket.objects.get(key).into_iter().flatten();
        versions.map(|v| v.id.clone()).collect()
    }

    #[test]
    fn versions_are_kept_as_the_bucket_says() {
        let mut bucket = Bucket::new("b", Timestamp::UNIX_EPOCH);
        assert_eq!(put(&mut bucket, "k", "1"), "null");
        assert_eq!(put(&mut bucket, "k", "2"), "null");
        assert_eq!(ids(&bucket, "k"), ["null"]);
        bucket
            .set_versioning(Versioning::Enabled)
            .expect("a switch");
        put(&mut bucket, "k", "3");
        let marked = bucket.delete("k", "4".to_owned(), Timestamp::UNIX_EPOCH);
        assert!(marked.marker);
        assert_eq!(ids(&bucket, "k"), ["null", "3", "4"]);
        assert!(bucket.object("k", None).is_err());
        bucket
            .set_versioning(Versioning::Suspended)
            .expect("a switch");
        assert_eq!(put(&mut bucket, "k", "5"), "null");
        assert_eq!(ids(&bucket, "k"), ["3", "4", "null"]);
        for id in ["3", "4", "null"] {
            let now = Timestamp::UNIX_EPOCH;
            bucket
                .remove("k", id, now, Bypass::None)
                .expect("a removal");
        }
        assert!(bucket.objects.is_empty());
    }
}
