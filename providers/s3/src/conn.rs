//! An open connection to an object store.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use bytes::BytesMut;
use drplan_api::Answer;
use drplan_api::Ask;
use drplan_api::Conn;
use drplan_api::ConnId;
use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_api::SharedStore;
use drplan_api::TargetId;
use drplan_api::digest;
use futures::StreamExt as _;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use crate::BucketStore;
use crate::Lens;
use crate::asks;
use crate::config::Config;
use crate::error::s3_error;
use crate::object::Pinned;

/// The largest text object that a plan reads.
const BLOB_BYTES_MAX: u64 = 1024 * 1024;
/// Keys on one page of a list.
const KEYS_PER_PAGE: i32 = 1000;
/// Pages of one list: a hundred thousand keys.
const KEY_PAGES_MAX: usize = 100;
/// How many existing buckets are named beside a missing one.
const NEAREST_MAX: usize = 3;
/// How alike a name must be to be offered, from 0 to 1.
const NEAREST_LIKENESS_MIN: f64 = 0.6;

/// The beginning of an answer.
struct Opened {
    body: ByteStream,
    length: Option<u64>,
    etag: Option<String>,
}

/// An open connection to an object store. It only reads; [`BucketStore`] writes.
pub struct S3Conn {
    id: ConnId,
    client: aws_sdk_s3::Client,
    endpoint: Option<String>,
    region: String,
    requests_max: usize,
    request_timeout: Duration,
    lenses: BTreeMap<&'static str, Arc<dyn Lens>>,
}

impl S3Conn {
    pub(crate) fn new(
        id: ConnId,
        client: aws_sdk_s3::Client,
        config: &Config,
        lenses: BTreeMap<&'static str, Arc<dyn Lens>>,
    ) -> Self {
        let region = client.config().region().map(ToString::to_string);
        Self {
            id,
            endpoint: config.aws.endpoint.clone(),
            region: region.unwrap_or_default(),
            client,
            requests_max: config.requests_max,
            request_timeout: config.aws.request_timeout,
            lenses,
        }
    }

    /// Returns the client, for requests that no question covers.
    pub fn client(&self) -> &aws_sdk_s3::Client {
        &self.client
    }

    /// Names the place of an error: the connection and the bucket.
    pub(crate) fn place(&self, bucket: &str) -> String {
        format!("{}, bucket `{bucket}`", self.id)
    }

    /// Downloads an object into a new file that only its owner can read, and returns its size in
    /// bytes. A file that is in the way is replaced; on failure nothing is left behind.
    ///
    /// # Errors
    ///
    /// If the object cannot be read whole or the file cannot be written.
    pub async fn download(&self, bucket: &str, key: &str, to: &Path) -> Result<u64, ProviderError> {
        let done = self.download_into(bucket, key, to).await;
        if done.is_err() {
            // What is half there must not be taken for the whole; the first error says more.
            tokio::fs::remove_file(to).await.ok();
        }
        done
    }

    async fn download_into(
        &self,
        bucket: &str,
        key: &str,
        to: &Path,
    ) -> Result<u64, ProviderError> {
        let io = |e: std::io::Error| {
            ProviderError::new(
                ErrorKind::Invalid,
                format!("write a download of `{key}`"),
                format!("file {}", to.display()),
            )
            .caused_by(&e)
            .hint("check the free space and the rights of that folder")
        };
        match tokio::fs::remove_file(to).await {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io(e)),
            _ => {}
        }
        let mut open = tokio::fs::OpenOptions::new();
        open.write(true).create_new(true);
        #[cfg(unix)]
        open.mode(0o600);
        let Opened {
            mut body, length, ..
        } = self.open(bucket, key, None, None).await?;
        let mut file = open.open(to).await.map_err(io)?;
        let mut written = 0;
        while let Some(chunk) = self.next(&mut body, bucket, key).await? {
            file.write_all(&chunk).await.map_err(io)?;
            written += chunk.len() as u64;
        }
        file.flush().await.map_err(io)?;
        file.sync_all().await.map_err(io)?;
        match length {
            Some(length) if length != written => Err(ProviderError::new(
                ErrorKind::Unreachable,
                format!("download `{key}`"),
                self.place(bucket),
            )
            .because(format!("the answer ended at byte {written} of {length}"))),
            _ => Ok(written),
        }
    }

    /// Reads an object of at most `bytes_max` bytes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if it is not there, [`ErrorKind::Invalid`] if it is larger.
    pub async fn get(
        &self,
        bucket: &str,
        key: &str,
        bytes_max: u64,
    ) -> Result<Bytes, ProviderError> {
        self.read(bucket, key, None, None, bytes_max).await
    }

    /// Reads an object whole, with its ETag.
    pub(crate) async fn open_whole(
        &self,
        bucket: &str,
        key: &str,
        bytes_max: u64,
    ) -> Result<(Bytes, Option<String>), ProviderError> {
        let opened = self.open(bucket, key, None, None).await?;
        let etag = opened.etag.clone();
        Ok((self.drain(opened, bucket, key, bytes_max).await?, etag))
    }

    /// Reads `length` bytes of an object from `offset`; fewer if it ends before.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if it is not there.
    pub async fn range(
        &self,
        bucket: &str,
        key: &str,
        offset: u64,
        length: u64,
    ) -> Result<Bytes, ProviderError> {
        if length == 0 {
            return Ok(Bytes::new());
        }
        let span = Some((offset, offset.saturating_add(length)));
        self.read(bucket, key, span, None, length).await
    }

    /// Lists the keys under a prefix, in order, in the form that [`asks::keys`] answers.
    ///
    /// # Errors
    ///
    /// If the bucket cannot be listed, or holds more under the prefix than is read.
    pub async fn keys(
        &self,
        bucket: &str,
        prefix: &str,
        delimiter: Option<&str>,
    ) -> Result<Json, ProviderError> {
        let during = format!("list keys under `{prefix}`");
        let (mut keys, mut prefixes) = (Vec::new(), Vec::new());
        let mut token = None;
        for _ in 0..KEY_PAGES_MAX {
            let request = self
                .client
                .list_objects_v2()
                .bucket(bucket)
                .prefix(prefix)
                .set_delimiter(delimiter.map(str::to_owned))
                .set_continuation_token(token.take())
                .max_keys(KEYS_PER_PAGE);
            let page = match request.send().await {
                Ok(page) => page,
                Err(e) => {
                    let error = s3_error(&e, &during, &self.place(bucket));
                    return Err(self.with_nearest_bucket(error, bucket).await);
                }
            };
            keys.extend(page.contents().iter().map(|object| {
                json!({
                    "key": object.key(),
                    "size": object.size(),
                    "modified": object.last_modified().map(ToString::to_string),
                    "etag": object.e_tag(),
                })
            }));
            let common = page.common_prefixes().iter();
            prefixes.extend(common.filter_map(|p| p.prefix()).map(Json::from));
            token = page.next_continuation_token().map(str::to_owned);
            if token.is_none() {
                return Ok(json!({"keys": keys, "prefixes": prefixes}));
            }
        }
        Err(
            ProviderError::new(ErrorKind::Invalid, during, self.place(bucket))
                .because(format!("there are more than {} keys", keys.len()))
                .hint("give a longer prefix"),
        )
    }

    /// Reads an object or a part of it (`[from, to)`), with every wait bounded.
    pub(crate) async fn read(
        &self,
        bucket: &str,
        key: &str,
        span: Option<(u64, u64)>,
        etag: Option<String>,
        bytes_max: u64,
    ) -> Result<Bytes, ProviderError> {
        let opened = self.open(bucket, key, span, etag).await?;
        self.drain(opened, bucket, key, bytes_max).await
    }

    /// Reads an answer to its end.
    async fn drain(
        &self,
        opened: Opened,
        bucket: &str,
        key: &str,
        bytes_max: u64,
    ) -> Result<Bytes, ProviderError> {
        let Opened {
            mut body, length, ..
        } = opened;
        let too_large = || {
            ProviderError::new(
                ErrorKind::Invalid,
                format!("read `{key}`"),
                self.place(bucket),
            )
            .because(format!("it has more than {bytes_max} bytes"))
        };
        if length.is_some_and(|length| length > bytes_max) {
            return Err(too_large());
        }
        let mut bytes = BytesMut::new();
        while let Some(chunk) = self.next(&mut body, bucket, key).await? {
            if (bytes.len() + chunk.len()) as u64 > bytes_max {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        match length {
            Some(length) if length > bytes.len() as u64 => Err(ProviderError::new(
                ErrorKind::Unreachable,
                format!("read `{key}`"),
                self.place(bucket),
            )
            .because(format!(
                "the answer ended at byte {} of {length}",
                bytes.len()
            ))),
            _ => Ok(bytes.freeze()),
        }
    }

    async fn open(
        &self,
        bucket: &str,
        key: &str,
        span: Option<(u64, u64)>,
        etag: Option<String>,
    ) -> Result<Opened, ProviderError> {
        let range = span.map(|(from, to)| format!("bytes={from}-{}", to.saturating_sub(1)));
        let request = self
            .client
            .get_object()
            .bucket(bucket)
            .key(key)
            .set_range(range)
            .set_if_match(etag);
        match request.send().await {
            Ok(answer) => {
                let length = answer.content_length().and_then(|n| u64::try_from(n).ok());
                Ok(Opened {
                    etag: answer.e_tag().map(str::to_owned),
                    body: answer.body,
                    length,
                })
            }
            Err(e) => {
                let error = s3_error(&e, &format!("read `{key}`"), &self.place(bucket));
                Err(self.with_nearest_bucket(error, bucket).await)
            }
        }
    }

    async fn next(
        &self,
        body: &mut ByteStream,
        bucket: &str,
        key: &str,
    ) -> Result<Option<Bytes>, ProviderError> {
        let failed = || {
            ProviderError::new(
                ErrorKind::Unreachable,
                format!("read `{key}`"),
                self.place(bucket),
            )
        };
        match tokio::time::timeout(self.request_timeout, body.next()).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(chunk))) => Ok(Some(chunk)),
            Ok(Some(Err(e))) => Err(failed().caused_by(&e)),
            Err(_) => Err(failed().because("the answer stalled")),
        }
    }

    /// Looks an object up and pins what is there now.
    async fn pin(&self, bucket: &str, key: &str) -> Result<Pinned<'_>, ProviderError> {
        let head = self.client.head_object().bucket(bucket).key(key);
        match head.send().await {
            Ok(head) => Ok(Pinned {
                conn: self,
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                size: head
                    .content_length()
                    .and_then(|n| u64::try_from(n).ok())
                    .unwrap_or_default(),
                etag: head.e_tag().map(str::to_owned),
            }),
            Err(e) => {
                let error = s3_error(&e, &format!("look up `{key}`"), &self.place(bucket));
                if error.kind != ErrorKind::NotFound {
                    return Err(error);
                }
                // The answer to this request has no body, so whether the bucket itself is missing
                // shows only in another one.
                self.keys(bucket, key, Some("/")).await?;
                Err(error.because(format!("there is no object `{key}`")))
            }
        }
    }

    async fn with_nearest_bucket(&self, error: ProviderError, bucket: &str) -> ProviderError {
        let missing = error.kind == ErrorKind::NotFound
            && error.why.iter().any(|w| w.starts_with("NoSuchBucket"));
        if !missing {
            return error;
        }
        let mut hint = format!("check the name of bucket `{bucket}`");
        if let Ok(list) = self.client.list_buckets().send().await {
            let names: Vec<&str> = list.buckets().iter().filter_map(|b| b.name()).collect();
            match nearest(bucket, &names) {
                near if near.is_empty() => {}
                near => write!(hint, "; there is {}", near.join(", ")).unwrap_or_default(),
            }
        }
        error.hint(hint)
    }

    async fn answer(&self, ask: &Ask) -> Answer {
        let json = match ask.op.as_str() {
            asks::KEYS => {
                let args: asks::Keys = ask.args()?;
                self.keys(&args.bucket, &args.prefix, args.delimiter.as_deref())
                    .await?
            }
            asks::BLOB => {
                let args: asks::Blob = ask.args()?;
                self.text(&args.bucket, &args.key).await?
            }
            asks::LENS => {
                let args: asks::ThroughLens = ask.args()?;
                self.look(&args).await?
            }
            other => {
                return Err(ProviderError::new(
                    ErrorKind::Bug,
                    format!("answer the question `{other}`"),
                    self.id.to_string(),
                )
                .because("an object store does not know it"));
            }
        };
        Ok(Arc::new(json))
    }

    async fn text(&self, bucket: &str, key: &str) -> Result<Json, ProviderError> {
        let bytes = self.get(bucket, key, BLOB_BYTES_MAX).await?;
        let text = std::str::from_utf8(&bytes).map_err(|e| {
            ProviderError::new(
                ErrorKind::Corrupt,
                format!("read `{key}`"),
                self.place(bucket),
            )
            .because(format!("it is no text from byte {}", e.valid_up_to()))
        })?;
        Ok(json!({ "text": text }))
    }

    async fn look(&self, args: &asks::ThroughLens) -> Result<Json, ProviderError> {
        let lens = self.lenses.get(args.lens.as_str()).ok_or_else(|| {
            ProviderError::new(
                ErrorKind::Bug,
                format!("read `{}` through the lens `{}`", args.key, args.lens),
                self.id.to_string(),
            )
            .because("this system was made without that lens")
        })?;
        let object = self.pin(&args.bucket, &args.key).await?;
        lens.read(&object, &args.args).await
    }
}

impl Conn for S3Conn {
    fn identity(&self) -> Fut<'_, Result<TargetId, ProviderError>> {
        Box::pin(async move {
            // Listing buckets is often forbidden; being told so proves that the keys are right.
            if let Err(e) = self.client.list_buckets().max_buckets(1).send().await {
                use aws_sdk_s3::error::ProvideErrorMetadata as _;
                if e.code() != Some("AccessDenied") {
                    return Err(s3_error(&e, "log in", self.id.as_str()));
                }
            }
            let place = match &self.endpoint {
                Some(endpoint) => endpoint.trim_end_matches('/'),
                None => &self.region,
            };
            let mut id = digest(format!("{place}\n{}", self.region).as_bytes());
            id.truncate(16);
            Ok(TargetId(format!("s3:{id}")))
        })
    }

    fn fetch<'a>(&'a self, asks: &'a [Ask]) -> Fut<'a, Vec<Answer>> {
        Box::pin(async move {
            let answers: Vec<Fut<'_, Answer>> = asks
                .iter()
                .map(|ask| Box::pin(self.answer(ask)) as _)
                .collect();
            futures::stream::iter(answers)
                .buffered(self.requests_max)
                .collect()
                .await
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn store(self: Arc<Self>, bucket: &str, prefix: &str) -> Option<Arc<dyn SharedStore>> {
        Some(Arc::new(BucketStore::new(self, bucket, prefix)))
    }
}

/// Returns the names that are most like one that does not exist, best first.
fn nearest(name: &str, names: &[&str]) -> Vec<String> {
    let mut scored: Vec<(f64, &str)> = names
        .iter()
        .map(|&other| (strsim::jaro_winkler(name, other), other))
        .filter(|(score, _)| *score >= NEAREST_LIKENESS_MIN)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let best = scored.into_iter().take(NEAREST_MAX);
    best.map(|(_, name)| format!("`{name}`")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_bucket_is_answered_with_the_nearest_names() {
        let names = ["shop-dr", "shop-wal", "unrelated"];
        assert_eq!(nearest("shop-drr", &names)[0], "`shop-dr`");
        assert!(nearest("zzz", &names).is_empty());
    }
}
