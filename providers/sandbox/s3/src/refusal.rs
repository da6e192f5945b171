//! Why a request is refused, and what of that a client sees.

use std::io;
use std::path::PathBuf;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::StatusCode;
use s3s::S3Error;
use s3s::S3ErrorCode;

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The bucket does not exist.
    #[error("the bucket `{0}` does not exist")]
    NoSuchBucket(String),
    /// The key does not exist, or its newest version is a delete marker.
    #[error("the key `{key}` does not exist")]
    NoSuchKey {
        /// The key.
        key: String,
        /// The version of the delete marker that hides it.
        marker: Option<String>,
    },
    /// The version does not exist.
    #[error("the version `{version}` of `{key}` does not exist")]
    NoSuchVersion {
        /// The key.
        key: String,
        /// The version.
        version: String,
    },
    /// The version that was named is a delete marker, which has no content.
    #[error("version `{0}` is a delete marker")]
    IsDeleteMarker(String),
    /// A condition does not hold.
    #[error("at least one of the preconditions does not hold: `{0}`")]
    Precondition(&'static str),
    /// The client has this object already.
    #[error("not modified")]
    NotModified {
        /// The ETag, without quotes.
        etag: String,
    },
    /// The range lies outside the object.
    #[error("the requested range is not satisfiable; the object has {size} bytes")]
    Range {
        /// The size of the object.
        size: u64,
    },
    /// The bucket exists.
    #[error("the bucket `{0}` exists and is yours")]
    BucketExists(String),
    /// The bucket holds something.
    #[error("the bucket `{0}` is not empty")]
    BucketNotEmpty(String),
    /// The bucket's state forbids it.
    #[error("{0}")]
    BucketState(&'static str),
    /// The bucket has no object lock.
    #[error("the bucket `{0}` has no object lock configuration")]
    NoLockConfiguration(String),
    /// The version has no retention, or nobody said whether it is held.
    #[error("the object has no object lock configuration")]
    NoRetention,
    /// The upload does not exist.
    #[error("the upload `{0}` does not exist; it may have been completed or aborted")]
    NoSuchUpload(String),
    /// A part was not uploaded, or has another ETag.
    #[error("part {0} was not uploaded or has another ETag")]
    InvalidPart(i32),
    /// Parts are named out of order.
    #[error("the parts are not in ascending order")]
    PartOrder,
    /// A part other than the last is smaller than S3 allows.
    #[error("part {number} has {size} bytes; all but the last need 5 MiB")]
    PartTooSmall {
        /// The number of the part.
        number: i32,
        /// Its size.
        size: u64,
    },
    /// The content is not what its checksum says.
    #[error("the {0} that was given is not that of the content")]
    Digest(&'static str),
    /// A lock forbids it.
    #[error("access denied: version `{0}` is protected by object lock")]
    Locked(String),
    /// The access key may not do this.
    #[error("access denied")]
    Denied,
    /// The request contradicts itself.
    #[error("{0}")]
    Request(String),
    /// An argument has a value that is not understood.
    #[error("{0}")]
    Argument(String),
    /// The store does not do this; S3 would.
    #[error("the rehearsal's object store does not do this: {0}")]
    NotImplemented(&'static str),
    /// The content could not be read.
    #[error("cannot read the content: {0}")]
    Content(#[from] io::Error),
}

impl Refusal {
    fn code(&self) -> S3ErrorCode {
        use S3ErrorCode as Code;
        match self {
            Self::NoSuchBucket(_) => Code::NoSuchBucket,
            Self::NoSuchKey { .. } => Code::NoSuchKey,
            Self::NoSuchVersion { .. } => Code::NoSuchVersion,
            Self::IsDeleteMarker(_) => Code::MethodNotAllowed,
            Self::Precondition(_) => Code::PreconditionFailed,
            Self::NotModified { .. } => Code::NotModified,
            Self::Range { .. } => Code::InvalidRange,
            Self::BucketExists(_) => Code::BucketAlreadyOwnedByYou,
            Self::BucketNotEmpty(_) => Code::BucketNotEmpty,
            Self::BucketState(_) => Code::InvalidBucketState,
            Self::NoLockConfiguration(_) => Code::ObjectLockConfigurationNotFoundError,
            Self::NoRetention => Code::NoSuchObjectLockConfiguration,
            Self::NoSuchUpload(_) => Code::NoSuchUpload,
            Self::InvalidPart(_) => Code::InvalidPart,
            Self::PartOrder => Code::InvalidPartOrder,
            Self::PartTooSmall { .. } => Code::EntityTooSmall,
            Self::Digest(_) => Code::BadDigest,
            Self::Locked(_) | Self::Denied => Code::AccessDenied,
            Self::Request(_) => Code::InvalidRequest,
            Self::Argument(_) => Code::InvalidArgument,
            Self::NotImplemented(_) => Code::NotImplemented,
            Self::Content(_) => Code::InternalError,
        }
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut add = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        match self {
            Self::NoSuchKey {
                marker: Some(version),
                ..
            }
            | Self::IsDeleteMarker(version) => {
                add("x-amz-delete-marker", "true");
                add("x-amz-version-id", version);
            }
            Self::NotModified { etag } => add("etag", &format!("\"{etag}\"")),
            Self::Range { size } => add("content-range", &format!("bytes */{size}")),
            _ => {}
        }
        headers
    }
}

impl From<Refusal> for S3Error {
    fn from(refusal: Refusal) -> Self {
        let mut error = Self::with_message(refusal.code(), refusal.to_string());
        match refusal {
            Refusal::NotModified { .. } => error.set_status_code(StatusCode::NOT_MODIFIED),
            Refusal::Range { .. } => error.set_status_code(StatusCode::RANGE_NOT_SATISFIABLE),
            _ => {}
        }
        let headers = refusal.headers();
        if !headers.is_empty() {
            error.set_headers(headers);
        }
        error
    }
}

/// Why a store could not be opened, saved or listened with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file or folder could not be read or written.
    #[error("cannot {during} `{}`: {source}", path.display())]
    File {
        /// What was tried.
        during: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The index is not one.
    #[error("`{}` is no index of objects: {source}; write it anew with `Store::save`", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The index names what is not there, or the folder holds what the index contradicts.
    #[error("object `{key}` of bucket `{bucket}`: {why}")]
    Object {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// What is wrong.
        why: String,
    },
    /// Only loopback addresses are listened on.
    #[error("{0} is no loopback address; the rehearsal's object store is for this machine only")]
    NotLoopback(std::net::SocketAddr),
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}; choose another port")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: io::Error,
    },
}
