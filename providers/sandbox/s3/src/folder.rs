//! The folder that a store is opened over or saved to: `BUCKET/KEY…` with one file for each object, and
//! beside the buckets `index.json`, which says what files cannot: times, ETags of multipart uploads,
//! content types, versioning.
//!
//! An object that is not in the index is what its file says. Only the newest versions are saved.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use drplan_api::Timestamp;
use s3s::crypto::Checksum as _;
use s3s::crypto::Md5;
use serde::Deserialize;
use serde::Serialize;

use crate::attributes::Attributes;
use crate::bucket::Bucket;
use crate::bucket::Versioning;
use crate::checksum::Sums;
use crate::content::Content;
use crate::lock::Protection;
use crate::object::Body;
use crate::object::NULL_VERSION;
use crate::object::Object;
use crate::object::Version;
use crate::refusal::StoreError;
use crate::token::hex;

/// The name of the index; no bucket can have it, since it ends in what no folder is named here.
const INDEX: &str = "index.json";
/// How many bytes of a file are hashed at a time.
const HASHED_BYTES: usize = 64 * 1024;
/// The deepest that folders inside a bucket are followed.
const DEPTH_MAX: usize = 64;

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    buckets: BTreeMap<String, BucketIndex>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BucketIndex {
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<Timestamp>,
    versioning: Versioning,
    objects: BTreeMap<String, ObjectIndex>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ObjectIndex {
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    attributes: Attributes,
}

fn failed(during: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::File {
        during,
        path,
        source,
    }
}

/// Reads all buckets. Contents stay in their files.
pub(crate) fn open(dir: &Path, now: Timestamp) -> Result<BTreeMap<String, Bucket>, StoreError> {
    let mut index = read_index(dir)?;
    let mut buckets = BTreeMap::new();
    for (name, path) in children(dir)? {
        if path.is_dir() && !name.starts_with('.') {
            let known = index.buckets.remove(&name).unwrap_or_default();
            buckets.insert(name.clone(), open_bucket(&name, &path, known, now)?);
        }
    }
    // Empty folders are not kept by version control, so an empty bucket may stand in the index alone.
    for (name, known) in index.buckets {
        if let Some(key) = known.objects.keys().next() {
            return Err(missing(&name, key));
        }
        let path = dir.join(&name);
        buckets.insert(name.clone(), open_bucket(&name, &path, known, now)?);
    }
    Ok(buckets)
}

/// Reads one bucket from a folder of any name; the index beside it is used if it knows the folder.
pub(crate) fn open_one(name: &str, path: &Path, now: Timestamp) -> Result<Bucket, StoreError> {
    let parent = path.parent().unwrap_or(path);
    let folder = path.file_name().and_then(|n| n.to_str()).unwrap_or(name);
    let known = read_index(parent)?.buckets.remove(folder);
    open_bucket(name, path, known.unwrap_or_default(), now)
}

fn missing(bucket: &str, key: &str) -> StoreError {
    StoreError::Object {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        why: format!("`{INDEX}` names it, but its file is not there"),
    }
}

fn read_index(dir: &Path) -> Result<Index, StoreError> {
    let path = dir.join(INDEX);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Index::default()),
        Err(e) => return Err(failed("read", &path)(e)),
    };
    serde_json::from_str(&text).map_err(|source| StoreError::Index { path, source })
}

/// Lists a folder in order of names.
fn children(dir: &Path) -> Result<BTreeMap<String, PathBuf>, StoreError> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).map_err(failed("list", dir))? {
        let entry = entry.map_err(failed("list", dir))?;
        let name = entry.file_name().into_string();
        let name = name.map_err(|_| {
            failed("read the name of", &entry.path())(io::Error::other("it is not UTF-8"))
        })?;
        found.insert(name, entry.path());
    }
    Ok(found)
}

fn open_bucket(
    name: &str,
    path: &Path,
    mut known: BucketIndex,
    now: Timestamp,
) -> Result<Bucket, StoreError> {
    let mut bucket = Bucket::new(name, known.created.unwrap_or(now));
    bucket.versioning = known.versioning;
    let mut files = BTreeMap::new();
    if path.is_dir() {
        collect(path, "", 0, &mut files)?;
    }
    for (key, path) in files {
        let said = known.objects.remove(&key).unwrap_or_default();
        let version = open_object(name, &key, &path, said)?;
        bucket.objects.insert(key, vec![version]);
    }
    match known.objects.keys().next() {
        Some(key) => Err(missing(name, key)),
        None => Ok(bucket),
    }
}

fn collect(
    dir: &Path,
    prefix: &str,
    depth: usize,
    files: &mut BTreeMap<String, PathBuf>,
) -> Result<(), StoreError> {
    if depth > DEPTH_MAX {
        let why = io::Error::other(format!("it lies more than {DEPTH_MAX} folders deep"));
        return Err(failed("read", dir)(why));
    }
    for (name, path) in children(dir)? {
        let key = format!("{prefix}{name}");
        if path.is_dir() {
            collect(&path, &format!("{key}/"), depth + 1, files)?;
        } else {
            files.insert(key, path);
        }
    }
    Ok(())
}

fn open_object(
    bucket: &str,
    key: &str,
    path: &Path,
    said: ObjectIndex,
) -> Result<Version, StoreError> {
    let about = fs::metadata(path).map_err(failed("read", path))?;
    let hashed = hash(path).map_err(failed("read", path))?;
    // The ETag of a multipart upload does not follow from the content alone; any other does.
    let etag = said.etag.unwrap_or_else(|| hashed.clone());
    if !etag.contains('-') && etag != hashed {
        return Err(StoreError::Object {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            why: format!("its file is not the one that `{INDEX}` was written for"),
        });
    }
    let modified = match said.modified {
        Some(modified) => modified,
        None => about
            .modified()
            .and_then(|time| Timestamp::try_from(time).map_err(io::Error::other))
            .map_err(failed("read the time of", path))?,
    };
    let content = Content::File {
        path: path.to_owned(),
        size: about.len(),
    };
    Ok(Version {
        id: NULL_VERSION.to_owned(),
        modified,
        body: Body::Object(Arc::new(Object {
            content,
            etag,
            attributes: said.attributes,
            sums: Sums::default(),
            parts: BTreeMap::new(),
        })),
        protection: Protection::default(),
    })
}

fn hash(path: &Path) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let (mut md5, mut block) = (Md5::new(), vec![0; HASHED_BYTES]);
    loop {
        match file.read(&mut block)? {
            0 => return Ok(hex(&md5.finalize())),
            n => md5.update(&block[..n]),
        }
    }
}

/// Writes the newest version of every object, and the index. Files of an earlier save that are no
/// objects any more are removed.
pub(crate) fn save(dir: &Path, buckets: &BTreeMap<String, Bucket>) -> Result<(), StoreError> {
    let mut index = Index::default();
    for bucket in buckets.values() {
        let folder = dir.join(&bucket.name);
        let mut kept = BucketIndex {
            created: Some(bucket.created),
            versioning: bucket.versioning,
            objects: BTreeMap::new(),
        };
        let mut contents = BTreeMap::new();
        for (key, versions) in &bucket.objects {
            let newest = versions.last();
            let Some((version, object)) = newest.and_then(|v| v.object().map(|o| (v, o))) else {
                continue;
            };
            check_key(&bucket.name, key)?;
            // Read before anything is removed: the content may lie in the folder that is written.
            let bytes = object.content.whole();
            contents.insert(key, bytes.map_err(failed("read an object of", &folder))?);
            kept.objects.insert(
                key.clone(),
                ObjectIndex {
                    modified: Some(version.modified),
                    etag: Some(object.etag.clone()),
                    attributes: object.attributes.clone(),
                },
            );
        }
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(failed("remove", &folder))?;
        }
        for (key, bytes) in contents {
            let path = folder.join(key);
            let parent = path.parent().unwrap_or(&folder);
            fs::create_dir_all(parent).map_err(failed("create", parent))?;
            fs::write(&path, &bytes).map_err(failed("write", &path))?;
        }
        index.buckets.insert(bucket.name.clone(), kept);
    }
    fs::create_dir_all(dir).map_err(failed("create", dir))?;
    let path = dir.join(INDEX);
    let mut text = serde_json::to_string_pretty(&index).map_err(|source| StoreError::Index {
        path: path.clone(),
        source,
    })?;
    text.push('\n');
    fs::write(&path, text).map_err(failed("write", &path))
}

/// Not every key can be the path of a file.
fn check_key(bucket: &str, key: &str) -> Result<(), StoreError> {
    let plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\0', '\\']);
    if key.split('/').all(plain) {
        return Ok(());
    }
    Err(StoreError::Object {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        why: "its key cannot be the path of a file".to_owned(),
    })
}
