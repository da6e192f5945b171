//! Lists of keys and versions.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use s3s::S3Request;
use s3s::S3Result;
use s3s::dto::*;

use super::bucket::owner;
use super::value::etag;
use super::value::shown;
use super::value::time;
use crate::listing;
use crate::listing::Line;
use crate::listing::Query;
use crate::object::Version;
use crate::refusal::Refusal;
use crate::store::Store;
use crate::store::shows;

/// The most keys on one page, and how many there are if the request does not say.
const KEYS_MAX: i32 = 1000;

/// How many lines a request asks for.
pub(super) fn limit(asked: Option<i32>) -> Result<(i32, usize), Refusal> {
    let asked = asked.unwrap_or(KEYS_MAX);
    match usize::try_from(asked) {
        Ok(_) => {
            let kept = asked.min(KEYS_MAX);
            Ok((asked, usize::try_from(kept).unwrap_or_default()))
        }
        Err(_) => Err(Refusal::Argument(
            "Argument maxKeys must be an integer between 0 and 2147483647".to_owned(),
        )),
    }
}

fn object(key: &str, version: &Version, encoding: Option<&EncodingType>) -> Option<Object> {
    let stored = version.object()?;
    let names = stored.sums.given().map(|(algorithm, _)| algorithm.name());
    let algorithms: Vec<_> = names.map(ChecksumAlgorithm::from_static).collect();
    Some(Object {
        checksum_type: (!algorithms.is_empty())
            .then(|| ChecksumType::from_static(stored.sums.cover.name())),
        checksum_algorithm: (!algorithms.is_empty()).then_some(algorithms),
        e_tag: Some(etag(&stored.etag)),
        key: Some(shown(key, encoding)),
        last_modified: Some(time(version.modified)),
        owner: None,
        restore_status: None,
        size: i64::try_from(stored.content.size()).ok(),
        storage_class: Some(ObjectStorageClass::from_static(
            ObjectStorageClass::STANDARD,
        )),
    })
}

/// What both forms of a list are made of.
struct Listed {
    contents: Vec<Object>,
    prefixes: Vec<CommonPrefix>,
    next: Option<String>,
}

fn list(
    store: &Store,
    bucket: &str,
    query: &Query<'_>,
    encoding: Option<&EncodingType>,
) -> Result<Listed, Refusal> {
    let state = store.state();
    let objects = &state.bucket(bucket)?.objects;
    if query.max == 0 {
        return Ok(Listed {
            contents: Vec::new(),
            prefixes: Vec::new(),
            next: None,
        });
    }
    let page = listing::page(objects, query, shows);
    let (mut contents, mut prefixes) = (Vec::new(), Vec::new());
    for line in page.lines {
        match line {
            Line::Key(key, versions) => {
                contents.extend(versions.last().and_then(|v| object(key, v, encoding)));
            }
            Line::Prefix(prefix) => prefixes.push(CommonPrefix {
                prefix: Some(shown(&prefix, encoding)),
            }),
        }
    }
    Ok(Listed {
        contents,
        prefixes,
        next: page.next,
    })
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

pub(super) async fn list_objects_v2(
    store: &Store,
    request: S3Request<ListObjectsV2Input>,
) -> S3Result<ListObjectsV2Output> {
    let input = request.input;
    let (asked, max) = limit(input.max_keys)?;
    let token = input
        .continuation_token
        .as_deref()
        .map(read_token)
        .transpose()?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let query = Query {
        prefix: &prefix,
        delimiter: input.delimiter.as_deref(),
        after: token.as_deref().or(input.start_after.as_deref()),
        max,
    };
    let encoding = input.encoding_type.as_ref();
    let mut listed = list(store, &input.bucket, &query, encoding)?;
    if input.fetch_owner == Some(true) {
        for object in &mut listed.contents {
            object.owner = Some(owner());
        }
    }
    let count = listed.contents.len() + listed.prefixes.len();
    Ok(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(shown(&prefix, encoding)),
        max_keys: Some(asked.min(KEYS_MAX)),
        key_count: i32::try_from(count).ok(),
        continuation_token: input.continuation_token,
        is_truncated: Some(listed.next.is_some()),
        next_continuation_token: listed.next.map(|next| URL_SAFE_NO_PAD.encode(next)),
        contents: some(listed.contents),
        common_prefixes: some(listed.prefixes),
        delimiter: input.delimiter.as_deref().map(|d| shown(d, encoding)),
        start_after: input.start_after.as_deref().map(|s| shown(s, encoding)),
        encoding_type: input.encoding_type,
        request_charged: None,
    })
}

fn read_token(token: &str) -> Result<String, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| Refusal::Argument("The continuation token provided is incorrect".to_owned()))
}

pub(super) async fn list_objects(
    store: &Store,
    request: S3Request<ListObjectsInput>,
) -> S3Result<ListObjectsOutput> {
    let input = request.input;
    let (asked, max) = limit(input.max_keys)?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let query = Query {
        prefix: &prefix,
        delimiter: input.delimiter.as_deref(),
        after: input.marker.as_deref(),
        max,
    };
    let encoding = input.encoding_type.as_ref();
    let mut listed = list(store, &input.bucket, &query, encoding)?;
    for object in &mut listed.contents {
        object.owner = Some(owner());
    }
    let truncated = listed.next.is_some();
    Ok(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(shown(&prefix, encoding)),
        marker: Some(shown(&input.marker.unwrap_or_default(), encoding)),
        max_keys: Some(asked.min(KEYS_MAX)),
        is_truncated: Some(truncated),
        contents: some(listed.contents),
        common_prefixes: some(listed.prefixes),
        // Without a delimiter the last key is the marker, and S3 does not repeat it.
        next_marker: listed
            .next
            .filter(|_| input.delimiter.is_some())
            .map(|next| shown(&next, encoding)),
        delimiter: input.delimiter.as_deref().map(|d| shown(d, encoding)),
        encoding_type: input.encoding_type,
        request_charged: None,
    })
}

/// A page of versions while it grows.
#[derive(Default)]
struct Versions {
    versions: Vec<ObjectVersion>,
    markers: Vec<DeleteMarkerEntry>,
    prefixes: Vec<CommonPrefix>,
    last: Option<(String, Option<String>)>,
}

impl Versions {
    fn count(&self) -> usize {
        self.versions.len() + self.markers.len() + self.prefixes.len()
    }

    fn add(&mut self, key: &str, version: &Version, latest: bool, encoding: Option<&EncodingType>) {
        self.last = Some((key.to_owned(), Some(version.id.clone())));
        match object(key, version, encoding) {
            Some(object) => self.versions.push(ObjectVersion {
                checksum_algorithm: object.checksum_algorithm,
                checksum_type: object.checksum_type,
                e_tag: object.e_tag,
                is_latest: Some(latest),
                key: object.key,
                last_modified: object.last_modified,
                owner: Some(owner()),
                restore_status: None,
                size: object.size,
                storage_class: Some(ObjectVersionStorageClass::from_static("STANDARD")),
                version_id: Some(version.id.clone()),
            }),
            None => self.markers.push(DeleteMarkerEntry {
                is_latest: Some(latest),
                key: Some(shown(key, encoding)),
                last_modified: Some(time(version.modified)),
                owner: Some(owner()),
                version_id: Some(version.id.clone()),
            }),
        }
    }
}

pub(super) async fn list_object_versions(
    store: &Store,
    request: S3Request<ListObjectVersionsInput>,
) -> S3Result<ListObjectVersionsOutput> {
    let input = request.input;
    let (asked, max) = limit(input.max_keys)?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let encoding = input.encoding_type.as_ref();
    if input.version_id_marker.is_some() && input.key_marker.is_none() {
        return Err(Refusal::Argument(
            "A version-id marker cannot be specified without a key marker.".to_owned(),
        )
        .into());
    }
    let state = store.state();
    let objects = &state.bucket(&input.bucket)?.objects;
    let query = Query {
        prefix: &prefix,
        delimiter: input.delimiter.as_deref(),
        after: input.key_marker.as_deref(),
        max: max + 1,
    };
    let mut found = Versions::default();
    let mut truncated = false;
    // What is left of the key at which the page before ended.
    if let (Some(key), Some(id)) = (&input.key_marker, &input.version_id_marker) {
        let versions = objects.get(key).map_or(&[][..], Vec::as_slice);
        let seen = versions.iter().rev().position(|version| version.id == *id);
        for version in versions
            .iter()
            .rev()
            .skip(seen.map_or(usize::MAX, |n| n + 1))
        {
            if found.count() >= max {
                truncated = true;
                break;
            }
            found.add(key, version, false, encoding);
        }
    }
    for line in listing::page(objects, &query, |_| max > 0).lines {
        if truncated || found.count() >= max {
            truncated = true;
            break;
        }
        match line {
            Line::Prefix(prefix) => {
                found.prefixes.push(CommonPrefix {
                    prefix: Some(shown(&prefix, encoding)),
                });
                found.last = Some((prefix, None));
            }
            Line::Key(key, versions) => {
                for (n, version) in versions.iter().rev().enumerate() {
                    if found.count() >= max {
                        truncated = true;
                        break;
                    }
                    found.add(key, version, n == 0, encoding);
                }
            }
        }
    }
    let last = found.last.filter(|_| truncated);
    let (next_key, next_version) = last.map_or((None, None), |(k, v)| (Some(k), v));
    Ok(ListObjectVersionsOutput {
        common_prefixes: some(found.prefixes),
        delete_markers: some(found.markers),
        delimiter: input.delimiter.as_deref().map(|d| shown(d, encoding)),
        is_truncated: Some(truncated),
        key_marker: Some(shown(&input.key_marker.unwrap_or_default(), encoding)),
        max_keys: Some(asked.min(KEYS_MAX)),
        name: Some(input.bucket),
        next_key_marker: next_key.map(|key| shown(&key, encoding)),
        next_version_id_marker: next_version,
        prefix: Some(shown(&prefix, encoding)),
        request_charged: None,
        version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
        versions: some(found.versions),
        encoding_type: input.encoding_type,
    })
}
