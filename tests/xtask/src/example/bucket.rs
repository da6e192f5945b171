//! Puts files into a bucket, and keeps in a folder what a bucket holds.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use aws_sdk_s3::primitives::ByteStream;
use drplan_harness::ObjectStore;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// What was kept.
pub(super) struct Kept {
    pub(super) files: usize,
    pub(super) bytes: u64,
}

/// Writes an object.
pub(super) async fn put(
    store: &ObjectStore,
    bucket: &str,
    key: &str,
    content: Vec<u8>,
) -> Result<()> {
    let request = store.client().put_object().bucket(bucket).key(key);
    let answer = request.body(ByteStream::from(content)).send().await;
    answer
        .map_err(aws_sdk_s3::Error::from)
        .with_context(|| format!("cannot write `{key}`"))?;
    Ok(())
}

/// Replaces a folder by exactly what a bucket holds.
///
/// Velero's logs name the program that wrote them, which lies in `programs`; there it becomes
/// `/velero`, as in its image. Nothing else is touched.
pub(super) async fn keep(
    store: &ObjectStore,
    bucket: &str,
    folder: &Path,
    programs: &Path,
) -> Result<Kept> {
    let client = store.client();
    let page = client.list_objects_v2().bucket(bucket).send().await;
    let page = page.map_err(aws_sdk_s3::Error::from)?;
    ensure!(
        page.is_truncated() != Some(true),
        "`{bucket}` holds more than one page of keys"
    );
    let about = || format!("cannot replace `{}`", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(about)?;
    }
    let mut kept = Kept { files: 0, bytes: 0 };
    for key in page.contents().iter().filter_map(|object| object.key()) {
        let answer = client.get_object().bucket(bucket).key(key).send().await;
        let answer = answer.map_err(aws_sdk_s3::Error::from);
        let body = answer.with_context(|| format!("cannot read `{key}`"))?.body;
        let content = without_paths(key, &body.collect().await?.into_bytes(), programs)?;
        let file = folder.join(key);
        let parent = file.parent().with_context(about)?;
        fs::create_dir_all(parent).with_context(about)?;
        fs::write(&file, &content).with_context(about)?;
        kept.files += 1;
        kept.bytes += u64::try_from(content.len())?;
    }
    Ok(kept)
}

fn without_paths(key: &str, content: &[u8], programs: &Path) -> Result<Vec<u8>> {
    if !key.ends_with("-logs.gz") {
        return Ok(content.to_vec());
    }
    let about = || format!("`{key}` is no log");
    let mut text = String::new();
    GzDecoder::new(content)
        .read_to_string(&mut text)
        .with_context(about)?;
    let text = text.replace(&programs.display().to_string(), "");
    let mut out = GzEncoder::new(Vec::new(), Compression::best());
    out.write_all(text.as_bytes()).with_context(about)?;
    out.finish().with_context(about)
}
