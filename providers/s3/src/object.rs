//! One object, pinned to the version that was there when it was looked up.

use bytes::Bytes;
use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::ProviderError;

use crate::RangeRead;
use crate::S3Conn;

/// The most that is read of one object into memory.
const WHOLE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// An object that is read by ranges; if it is replaced meanwhile, reading fails rather than mixing
/// two versions.
pub(crate) struct Pinned<'a> {
    pub(crate) conn: &'a S3Conn,
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) size: u64,
    pub(crate) etag: Option<String>,
}

impl RangeRead for Pinned<'_> {
    fn key(&self) -> &str {
        &self.key
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn range(&self, offset: u64, length: u64) -> Fut<'_, Result<Bytes, ProviderError>> {
        Box::pin(async move {
            let end = offset.saturating_add(length).min(self.size);
            if offset >= end {
                return Ok(Bytes::new());
            }
            let wanted = end - offset;
            let bytes = self
                .conn
                .read(
                    &self.bucket,
                    &self.key,
                    Some((offset, end)),
                    self.etag.clone(),
                    wanted,
                )
                .await?;
            if (bytes.len() as u64) < wanted {
                return Err(self.cut(offset + bytes.len() as u64));
            }
            Ok(bytes)
        })
    }

    fn whole(&self) -> Fut<'_, Result<Bytes, ProviderError>> {
        Box::pin(async move {
            if self.size > WHOLE_BYTES_MAX {
                return Err(ProviderError::new(
                    ErrorKind::Invalid,
                    format!("read `{}` whole", self.key),
                    self.conn.place(&self.bucket),
                )
                .because(format!(
                    "it has {} bytes, and at most {WHOLE_BYTES_MAX} are read into memory",
                    self.size
                )));
            }
            self.range(0, self.size).await
        })
    }
}

impl Pinned<'_> {
    fn cut(&self, at: u64) -> ProviderError {
        ProviderError::new(
            ErrorKind::Unreachable,
            format!("read `{}`", self.key),
            self.conn.place(&self.bucket),
        )
        .because(format!("the answer ended at byte {at} of {}", self.size))
    }
}
