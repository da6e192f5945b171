//! Copies inside the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use drplan_api::Timestamp;
use s3s::S3Request;
use s3s::S3Result;
use s3s::auth::Credentials;
use s3s::dto::*;

use super::object::new_version;
use super::object::shown_version;
use super::value;
use super::value::etag;
use super::value::from_time;
use super::value::given_attributes;
use super::value::refuse_unsupported;
use super::value::show_sums;
use super::value::time;
use crate::access::Doing;
use crate::bucket::Write;
use crate::checksum::Algorithm;
use crate::checksum::Sums;
use crate::condition::ReadConditions;
use crate::condition::WriteConditions;
use crate::content::Content;
use crate::object::Object as Stored;
use crate::object::etag_of;
use crate::refusal::Refusal;
use crate::store::Store;
use crate::upload::Part as Uploaded;

/// Where a copy comes from.
struct Source {
    bucket: String,
    key: String,
    version: Option<String>,
}

/// What was found there.
struct Found {
    object: Arc<Stored>,
    /// The version, where versions are kept.
    version: Option<String>,
}

/// The conditions under which a source is copied.
struct Conditions {
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
    since: Option<s3s::dto::Timestamp>,
    until: Option<s3s::dto::Timestamp>,
}

impl Source {
    fn read(source: CopySource) -> Result<Self, Refusal> {
        match source {
            CopySource::Bucket {
                bucket,
                key,
                version_id,
            } => Ok(Self {
                bucket: bucket.into(),
                key: key.into(),
                version: version_id.map(Into::into),
            }),
            _ => Err(Refusal::NotImplemented("copies from access points")),
        }
    }

    /// Finds the source, if its reader may read it and the conditions hold.
    fn find(
        &self,
        store: &Store,
        reader: Option<&Credentials>,
        conditions: Conditions,
    ) -> Result<Found, Refusal> {
        let may = reader.is_some_and(|reader| {
            let keys = store.keys();
            keys.allow(&reader.access_key, Doing::Reads, Some(&self.bucket))
        });
        if !may {
            return Err(Refusal::Denied);
        }
        let read = |at: Option<s3s::dto::Timestamp>| at.map(from_time).transpose();
        let conditions = ReadConditions {
            if_match: conditions.if_match,
            if_none_match: conditions.if_none_match,
            if_modified_since: read(conditions.since)?,
            if_unmodified_since: read(conditions.until)?,
        };
        let state = store.state();
        let bucket = state.bucket(&self.bucket)?;
        let (version, object) = bucket.object(&self.key, self.version.as_deref())?;
        conditions.check_source(&object.etag, version.modified)?;
        Ok(Found {
            version: shown_version(bucket, &version.id),
            object,
        })
    }
}

pub(super) async fn copy_object(
    store: &Store,
    request: S3Request<CopyObjectInput>,
) -> S3Result<CopyObjectOutput> {
    let mut input = request.input;
    refuse_unsupported!(input);
    let source = Source::read(input.copy_source)?;
    let found = source.find(
        store,
        request.credentials.as_ref(),
        Conditions {
            if_match: input.copy_source_if_match,
            if_none_match: input.copy_source_if_none_match,
            since: input.copy_source_if_modified_since,
            until: input.copy_source_if_unmodified_since,
        },
    )?;
    let replaces = input
        .metadata_directive
        .as_ref()
        .is_some_and(|d| d.as_str() == MetadataDirective::REPLACE);
    let itself = source.bucket == input.bucket && source.key == input.key;
    if itself && source.version.is_none() && !replaces {
        return Err(Refusal::Request(
            "This copy request is illegal because it is trying to copy an object to itself without \
             changing the object's metadata, storage class, website redirect location or \
             encryption attributes."
                .to_owned(),
        )
        .into());
    }
    let attributes = if replaces {
        given_attributes!(input)
    } else {
        found.object.attributes.clone()
    };
    let now = store.now();
    let protection = value::protection(
        input.object_lock_mode.as_ref().map(ObjectLockMode::as_str),
        input.object_lock_retain_until_date.take(),
        input
            .object_lock_legal_hold_status
            .as_ref()
            .map(ObjectLockLegalHoldStatus::as_str),
        now,
    )?;
    let object = copied(&found.object, attributes, input.checksum_algorithm.as_ref())?;
    let mut result = CopyObjectResult {
        e_tag: Some(etag(&object.etag)),
        last_modified: Some(time(now)),
        ..CopyObjectResult::default()
    };
    show_sums!(result, &object.sums);
    let mut state = store.state();
    let (bucket, tokens) = state.bucket_mut(&input.bucket)?;
    let version = bucket.write(Write {
        key: &input.key,
        object,
        protection,
        conditions: &WriteConditions::default(),
        id: tokens.next(),
        now,
    })?;
    Ok(CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: found.version,
        version_id: new_version(bucket, version),
        ..CopyObjectOutput::default()
    })
}

/// A copy is written whole, whatever its source was.
fn copied(
    source: &Stored,
    attributes: crate::attributes::Attributes,
    asked: Option<&ChecksumAlgorithm>,
) -> Result<Stored, Refusal> {
    let bytes = source.content.whole()?;
    let mut sums = Sums::default();
    let asked = asked.map(|a| Algorithm::named(a.as_str())).transpose()?;
    if let Some(algorithm) = asked.or_else(|| source.sums.given().next().map(|(a, _)| a)) {
        sums.set(algorithm, Some(algorithm.sum(&bytes)));
    }
    Ok(Stored {
        etag: etag_of(&bytes),
        content: Content::Memory(bytes),
        attributes,
        sums,
        parts: BTreeMap::new(),
    })
}

pub(super) async fn upload_part_copy(
    store: &Store,
    request: S3Request<UploadPartCopyInput>,
) -> S3Result<UploadPartCopyOutput> {
    let input = request.input;
    let source = Source::read(input.copy_source)?;
    let found = source.find(
        store,
        request.credentials.as_ref(),
        Conditions {
            if_match: input.copy_source_if_match,
            if_none_match: input.copy_source_if_none_match,
            since: input.copy_source_if_modified_since,
            until: input.copy_source_if_unmodified_since,
        },
    )?;
    let content = &found.object.content;
    let size = content.size();
    let range = match input.copy_source_range.as_deref().map(Range::parse) {
        None => 0..size,
        Some(Ok(Range::Int {
            first,
            last: Some(last),
        })) if last < size => first..last + 1,
        Some(_) => {
            return Err(Refusal::Argument(format!(
                "The x-amz-copy-source-range value must be of the form bytes=first-last and lie \
                 inside the {size} bytes of the source"
            ))
            .into());
        }
    };
    let bytes = content.read(range).map_err(Refusal::from)?;
    let now: Timestamp = store.now();
    let mut state = store.state();
    let (bucket, _) = state.bucket_mut(&input.bucket)?;
    let upload = super::multipart::upload_of(bucket, &input.upload_id, &input.key)?;
    super::multipart::check_number(input.part_number)?;
    let mut sums = Sums::default();
    if let Some(algorithm) = upload.algorithm {
        sums.set(algorithm, Some(algorithm.sum(&bytes)));
    }
    let part = Uploaded::new(bytes, sums, now);
    let mut result = CopyPartResult {
        e_tag: Some(etag(&part.etag)),
        last_modified: Some(time(now)),
        ..CopyPartResult::default()
    };
    show_sums!(result, &part.sums);
    upload.parts.insert(input.part_number, part);
    Ok(UploadPartCopyOutput {
        copy_part_result: Some(result),
        copy_source_version_id: found.version,
        ..UploadPartCopyOutput::default()
    })
}
