//! Versions of objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use drplan_api::Timestamp;
use s3s::crypto::Checksum as _;
use s3s::crypto::Md5;

use crate::attributes::Attributes;
use crate::checksum::Sums;
use crate::content::Content;
use crate::lock::Protection;
use crate::token::hex;

/// The id of versions that were written while versioning was off.
pub(crate) const NULL_VERSION: &str = "null";

/// An object as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// The key.
    pub key: String,
    /// The size in bytes.
    pub size: u64,
    /// The ETag, without quotes.
    pub etag: String,
    /// When it was written.
    pub modified: Timestamp,
    /// The version, `null` where versioning was off.
    pub version: String,
    /// What its writer said of it.
    pub attributes: Attributes,
}

/// Content with all that belongs to it.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) content: Content,
    pub(crate) etag: String,
    pub(crate) attributes: Attributes,
    pub(crate) sums: Sums,
    /// The sizes of the parts of a multipart upload by number; empty if it was written whole.
    pub(crate) parts: BTreeMap<i32, u64>,
}

/// What a version is.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// An object.
    Object(Arc<Object>),
    /// The note that the key was deleted.
    DeleteMarker,
}

/// One version of a key.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) id: String,
    pub(crate) modified: Timestamp,
    pub(crate) body: Body,
    pub(crate) protection: Protection,
}

impl Version {
    pub(crate) fn object(&self) -> Option<&Arc<Object>> {
        match &self.body {
            Body::Object(object) => Some(object),
            Body::DeleteMarker => None,
        }
    }

    pub(crate) fn info(&self, key: &str) -> Option<ObjectInfo> {
        self.object().map(|object| ObjectInfo {
            key: key.to_owned(),
            size: object.content.size(),
            etag: object.etag.clone(),
            modified: self.modified,
            version: self.id.clone(),
            attributes: object.attributes.clone(),
        })
    }
}

/// The ETag of content that was written whole.
pub(crate) fn etag_of(bytes: &[u8]) -> String {
    hex(&Md5::checksum(bytes))
}
