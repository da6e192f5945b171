//! An archive in a local file, read in the same way as one in a bucket.

use std::path::Path;

use bytes::Bytes;
use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::ProviderError;
use drplan_s3::RangeRead;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncSeekExt as _;
use tokio::sync::Mutex;

/// A downloaded archive.
pub(crate) struct LocalArchive {
    name: String,
    size: u64,
    file: Mutex<File>,
}

impl LocalArchive {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    pub(crate) async fn open(path: &Path) -> Result<Self, ProviderError> {
        let name = path.display().to_string();
        let opened = async {
            let file = File::open(path).await?;
            let size = file.metadata().await?.len();
            Ok((file, size))
        };
        let (file, size) = opened.await.map_err(|e| io_error(&name, &e))?;
        Ok(Self {
            name,
            size,
            file: Mutex::new(file),
        })
    }
}

fn io_error(name: &str, error: &std::io::Error) -> ProviderError {
    ProviderError::new(ErrorKind::Invalid, "read a dump", format!("file {name}")).caused_by(error)
}

impl RangeRead for LocalArchive {
    fn key(&self) -> &str {
        &self.name
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn range(&self, offset: u64, length: u64) -> Fut<'_, Result<Bytes, ProviderError>> {
        Box::pin(async move {
            let mut file = self.file.lock().await;
            let read = async {
                file.seek(std::io::SeekFrom::Start(offset)).await?;
                let mut bytes = Vec::new();
                (&mut *file).take(length).read_to_end(&mut bytes).await?;
                Ok(Bytes::from(bytes))
            };
            read.await.map_err(|e| io_error(&self.name, &e))
        })
    }

    fn whole(&self) -> Fut<'_, Result<Bytes, ProviderError>> {
        self.range(0, self.size)
    }
}
