//! Deleting keys and versions.

use s3s::S3Error;
use s3s::S3Request;
use s3s::S3Result;
use s3s::dto::*;
use s3s::s3_error;

use crate::bucket::Deleted;
use crate::lock::Bypass;
use crate::refusal::Refusal;
use crate::store::Store;

/// The most keys that one request may delete.
const KEYS_MAX: usize = 1000;

fn delete(
    store: &Store,
    bucket: &str,
    key: &str,
    version: Option<&str>,
    bypass: Bypass,
) -> Result<Deleted, Refusal> {
    let now = store.now();
    let mut state = store.state();
    let (bucket, tokens) = state.bucket_mut(bucket)?;
    match version {
        Some(id) => bucket.remove(key, id, now, bypass),
        None => Ok(bucket.delete(key, tokens.next(), now)),
    }
}

pub(super) async fn delete_object(
    store: &Store,
    request: S3Request<DeleteObjectInput>,
) -> S3Result<DeleteObjectOutput> {
    let input = request.input;
    let conditional = input.if_match.is_some()
        || input.if_match_size.is_some()
        || input.if_match_last_modified_time.is_some();
    if conditional {
        return Err(Refusal::NotImplemented("conditions on deletes").into());
    }
    let deleted = delete(
        store,
        &input.bucket,
        &input.key,
        input.version_id.as_deref(),
        Bypass::asked(input.bypass_governance_retention),
    )?;
    Ok(DeleteObjectOutput {
        delete_marker: deleted.marker.then_some(true),
        version_id: deleted.version,
        ..DeleteObjectOutput::default()
    })
}

pub(super) async fn delete_objects(
    store: &Store,
    request: S3Request<DeleteObjectsInput>,
) -> S3Result<DeleteObjectsOutput> {
    let input = request.input;
    let wanted = input.delete.objects;
    if wanted.is_empty() || wanted.len() > KEYS_MAX {
        return Err(s3_error!(MalformedXML));
    }
    store.state().bucket(&input.bucket)?;
    let bypass = Bypass::asked(input.bypass_governance_retention);
    let (mut done, mut errors) = (Vec::new(), Vec::new());
    for one in wanted {
        let named = one.version_id.as_deref();
        match delete(store, &input.bucket, &one.key, named, bypass) {
            Ok(deleted) => done.push(shown(one, deleted)),
            Err(refusal) => errors.push(failed(one, refusal.into())),
        }
    }
    if input.delete.quiet == Some(true) {
        done.clear();
    }
    Ok(DeleteObjectsOutput {
        deleted: (!done.is_empty()).then_some(done),
        errors: (!errors.is_empty()).then_some(errors),
        request_charged: None,
    })
}

/// A version that was named is repeated; a marker that was made or removed is told apart from it.
fn shown(one: ObjectIdentifier, deleted: Deleted) -> DeletedObject {
    DeletedObject {
        delete_marker: deleted.marker.then_some(true),
        delete_marker_version_id: deleted.version.filter(|_| deleted.marker),
        key: Some(one.key),
        version_id: one.version_id,
    }
}

fn failed(one: ObjectIdentifier, error: S3Error) -> Error {
    Error {
        code: Some(error.code().as_str().to_owned()),
        key: Some(one.key),
        message: error.message().map(str::to_owned),
        version_id: one.version_id,
    }
}
