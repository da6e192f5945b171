//! Small objects under a prefix of a bucket, written only under a condition.

use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::Kept;
use drplan_api::ProviderError;
use drplan_api::Put;
use drplan_api::SharedStore;
use drplan_api::Tag;
use drplan_api::When;

use crate::S3Conn;
use crate::error::s3_error;

/// The largest object that is read here.
const OBJECT_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// A prefix of a bucket as a place for runs, journals and locks.
pub struct BucketStore {
    conn: Arc<S3Conn>,
    bucket: String,
    /// Empty, or with a slash at its end.
    prefix: String,
}

/// What all keys under a prefix begin with, however it is written.
pub(crate) fn folder(prefix: &str) -> String {
    match prefix.trim_matches('/') {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    }
}

impl BucketStore {
    /// A place under a prefix; slashes around it do not matter.
    pub(crate) fn new(conn: Arc<S3Conn>, bucket: &str, prefix: &str) -> Self {
        Self {
            conn,
            bucket: bucket.to_owned(),
            prefix: folder(prefix),
        }
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// A store that does not know conditional writes would let two runs overwrite each other.
    async fn write(&self, key: &str, bytes: Vec<u8>, when: When) -> Result<Put, ProviderError> {
        let request = self
            .conn
            .client()
            .put_object()
            .bucket(&self.bucket)
            .key(self.key(key))
            .body(ByteStream::from(bytes));
        let request = match when {
            When::Absent => request.if_none_match("*"),
            When::Is(Tag(tag)) => request.if_match(tag),
        };
        match request.send().await {
            Ok(answer) => answer
                .e_tag()
                .map(|tag| Put::Done(Tag(tag.to_owned())))
                .ok_or_else(|| self.failed(ErrorKind::Corrupt, key, "the answer names no ETag")),
            Err(e) => {
                let during = format!("write `{}`", self.key(key));
                let error = s3_error(&e, &during, &self.conn.place(&self.bucket));
                match error.kind {
                    ErrorKind::Conflict => Ok(Put::Refused),
                    // `If-Match` on what is not there.
                    ErrorKind::NotFound if has_code(&error, "NoSuchKey") => Ok(Put::Refused),
                    _ => Err(error),
                }
            }
        }
    }

    async fn read(&self, key: &str) -> Result<Kept, ProviderError> {
        let name = self.key(key);
        let whole = self.conn.open_whole(&self.bucket, &name, OBJECT_BYTES_MAX);
        let (bytes, etag) = match whole.await {
            Ok(found) => found,
            Err(e) if e.kind == ErrorKind::NotFound && !has_code(&e, "NoSuchBucket") => {
                return Ok(None);
            }
            Err(e) => return Err(e),
        };
        let tag = etag.ok_or_else(|| self.failed(ErrorKind::Corrupt, key, "it has no ETag"))?;
        Ok(Some((bytes.to_vec(), Tag(tag))))
    }

    fn failed(&self, kind: ErrorKind, key: &str, why: &str) -> ProviderError {
        ProviderError::new(
            kind,
            format!("keep `{}`", self.key(key)),
            self.conn.place(&self.bucket),
        )
        .because(why)
    }
}

/// Whether an error was made of an answer with this code; [`s3_error`] puts it first.
fn has_code(error: &ProviderError, code: &str) -> bool {
    error.why.iter().any(|why| why.starts_with(code))
}

impl SharedStore for BucketStore {
    fn name(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix)
    }

    fn get<'a>(&'a self, key: &'a str) -> Fut<'a, Result<Kept, ProviderError>> {
        Box::pin(self.read(key))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        bytes: Vec<u8>,
        when: When,
    ) -> Fut<'a, Result<Put, ProviderError>> {
        Box::pin(self.write(key, bytes, when))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> Fut<'a, Result<Vec<String>, ProviderError>> {
        Box::pin(async move {
            let all = self
                .conn
                .keys(&self.bucket, &self.key(prefix), None)
                .await?;
            let keys = all["keys"].as_array().into_iter().flatten();
            let names = keys.filter_map(|key| key["key"].as_str());
            let own = names.filter_map(|name| name.strip_prefix(&self.prefix));
            Ok(own.map(str::to_owned).collect())
        })
    }

    fn folders<'a>(&'a self, prefix: &'a str) -> Fut<'a, Result<Vec<String>, ProviderError>> {
        Box::pin(async move {
            let prefix = self.key(prefix);
            let all = self.conn.keys(&self.bucket, &prefix, Some("/")).await?;
            let folders = all["prefixes"].as_array().into_iter().flatten();
            let names = folders.filter_map(|folder| folder.as_str()?.strip_prefix(&prefix));
            let names = names.map(|name| name.trim_end_matches('/').to_owned());
            Ok(names.collect())
        })
    }
}
