//! Operations on buckets.

use s3s::S3Request;
use s3s::S3Result;
use s3s::dto::*;
use s3s::s3_error;

use super::value::time;
use crate::bucket::Bucket as Kept;
use crate::bucket::Versioning;
use crate::lock::Lock;
use crate::refusal::Refusal;
use crate::store::Store;

/// The region whose name is not told, which is how S3 began.
const FIRST_REGION: &str = "us-east-1";

pub(super) fn owner() -> Owner {
    Owner {
        display_name: Some("rehearsal".to_owned()),
        id: Some("02d6176db174dc93cb1b899f7c6078f08654445fe8cf1b6ce98d8855f66bdbf4".to_owned()),
    }
}

pub(super) async fn list_buckets(
    store: &Store,
    request: S3Request<ListBucketsInput>,
) -> S3Result<ListBucketsOutput> {
    let input = request.input;
    let prefix = input.prefix.clone().unwrap_or_default();
    let shown = |bucket: &&Kept| bucket.name.starts_with(&prefix);
    let state = store.state();
    let after = input.continuation_token.unwrap_or_default();
    let mut rest = state
        .buckets
        .values()
        .filter(shown)
        .filter(|bucket| bucket.name > after)
        .peekable();
    let max = input.max_buckets.and_then(|n| usize::try_from(n).ok());
    let mut buckets = Vec::new();
    while let Some(bucket) = rest.peek()
        && max.is_none_or(|max| buckets.len() < max)
    {
        buckets.push(Bucket {
            bucket_region: None,
            creation_date: Some(time(bucket.created)),
            name: Some(bucket.name.clone()),
        });
        rest.next();
    }
    let last = buckets.last().and_then(|b| b.name.clone());
    Ok(ListBucketsOutput {
        continuation_token: rest.peek().and(last),
        buckets: Some(buckets),
        owner: Some(owner()),
        prefix: input.prefix,
    })
}

pub(super) async fn create_bucket(
    store: &Store,
    request: S3Request<CreateBucketInput>,
) -> S3Result<CreateBucketOutput> {
    let input = request.input;
    let asked = input
        .create_bucket_configuration
        .and_then(|c| c.location_constraint);
    let elsewhere = asked.filter(|region| {
        let region = region.as_str();
        region != store.region() && !(region.is_empty() && store.region() == FIRST_REGION)
    });
    if elsewhere.is_some() {
        return Err(s3_error!(
            IllegalLocationConstraintException,
            "The specified location-constraint is not valid for the region `{}`",
            store.region()
        ));
    }
    store.create_bucket(&input.bucket)?;
    if input.object_lock_enabled_for_bucket == Some(true) {
        let mut state = store.state();
        let (bucket, _) = state.bucket_mut(&input.bucket)?;
        bucket.versioning = Versioning::Enabled;
        bucket.lock = Some(Lock::default());
    }
    Ok(CreateBucketOutput {
        location: Some(format!("/{}", input.bucket)),
    })
}

pub(super) async fn delete_bucket(
    store: &Store,
    request: S3Request<DeleteBucketInput>,
) -> S3Result<DeleteBucketOutput> {
    let name = request.input.bucket;
    let mut state = store.state();
    if !state.bucket(&name)?.objects.is_empty() {
        return Err(Refusal::BucketNotEmpty(name).into());
    }
    state.buckets.remove(&name);
    Ok(DeleteBucketOutput {})
}

pub(super) async fn head_bucket(
    store: &Store,
    request: S3Request<HeadBucketInput>,
) -> S3Result<HeadBucketOutput> {
    store.state().bucket(&request.input.bucket)?;
    Ok(HeadBucketOutput {
        bucket_region: Some(store.region().to_owned()),
        ..HeadBucketOutput::default()
    })
}

pub(super) async fn get_bucket_location(
    store: &Store,
    request: S3Request<GetBucketLocationInput>,
) -> S3Result<GetBucketLocationOutput> {
    store.state().bucket(&request.input.bucket)?;
    let region = store.region().to_owned();
    Ok(GetBucketLocationOutput {
        location_constraint: (region != FIRST_REGION).then(|| region.into()),
    })
}

pub(super) async fn get_bucket_versioning(
    store: &Store,
    request: S3Request<GetBucketVersioningInput>,
) -> S3Result<GetBucketVersioningOutput> {
    let status = match store.state().bucket(&request.input.bucket)?.versioning {
        Versioning::Never => None,
        Versioning::Enabled => Some(BucketVersioningStatus::ENABLED),
        Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED),
    };
    Ok(GetBucketVersioningOutput {
        mfa_delete: None,
        status: status.map(BucketVersioningStatus::from_static),
    })
}

pub(super) async fn put_bucket_versioning(
    store: &Store,
    request: S3Request<PutBucketVersioningInput>,
) -> S3Result<PutBucketVersioningOutput> {
    let wanted = request.input.versioning_configuration;
    if wanted
        .mfa_delete
        .is_some_and(|mfa| mfa.as_str() == "Enabled")
    {
        return Err(Refusal::NotImplemented("deleting with a second factor").into());
    }
    let to = match wanted.status.as_ref().map(BucketVersioningStatus::as_str) {
        Some(BucketVersioningStatus::ENABLED) => Versioning::Enabled,
        Some(BucketVersioningStatus::SUSPENDED) => Versioning::Suspended,
        _ => return Err(s3_error!(IllegalVersioningConfigurationException)),
    };
    store.set_versioning(&request.input.bucket, to)?;
    Ok(PutBucketVersioningOutput {})
}
