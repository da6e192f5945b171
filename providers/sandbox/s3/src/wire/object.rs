//! Writing and reading objects.

use std::collections::BTreeMap;
use std::ops::Range as Bytes;

use drplan_api::Timestamp;
use s3s::S3Request;
use s3s::S3Result;
use s3s::dto::*;

use super::multipart::check_number;
use super::value;
use super::value::etag;
use super::value::from_time;
use super::value::given_attributes;
use super::value::given_sums;
use super::value::mode_name;
use super::value::refuse_unsupported;
use super::value::show_attributes;
use super::value::show_sums;
use super::value::time;
use crate::bucket::Bucket as Kept;
use crate::bucket::Versioning;
use crate::bucket::Write;
use crate::checksum::verify_md5;
use crate::condition::ReadConditions;
use crate::condition::WriteConditions;
use crate::content::Content;
use crate::object::Object as Stored;
use crate::object::Version;
use crate::object::etag_of;
use crate::refusal::Refusal;
use crate::store::Store;

/// The version as answers show it: only where versions are or were kept.
pub(super) fn shown_version(bucket: &Kept, id: &str) -> Option<String> {
    (bucket.versioning != Versioning::Never).then(|| id.to_owned())
}

/// The version that a write made, as its answer shows it.
pub(super) fn new_version(bucket: &Kept, id: String) -> Option<String> {
    (bucket.versioning == Versioning::Enabled).then_some(id)
}

pub(super) async fn put_object(
    store: &Store,
    request: S3Request<PutObjectInput>,
) -> S3Result<PutObjectOutput> {
    let mut input = request.input;
    refuse_unsupported!(input);
    if input.write_offset_bytes.is_some() {
        return Err(Refusal::NotImplemented("writing at an offset").into());
    }
    let attributes = given_attributes!(input);
    let protection = value::protection(
        input.object_lock_mode.as_ref().map(ObjectLockMode::as_str),
        input.object_lock_retain_until_date.take(),
        input
            .object_lock_legal_hold_status
            .as_ref()
            .map(ObjectLockLegalHoldStatus::as_str),
        store.now(),
    )?;
    // Refused before the body is read, as a bucket that is not there is in life.
    let locks = store.state().bucket(&input.bucket)?.lock;
    let bytes = value::body(input.body.take(), input.content_length).await?;
    verify_md5(input.content_md5.as_deref(), &bytes)?;
    let given = value::with_trailers(given_sums!(input), request.trailing_headers.as_ref());
    let proven = input.content_md5.is_some() || !given.is_empty();
    let retained = protection.retention.is_some() || locks.is_some_and(|l| l.default.is_some());
    if retained && !proven {
        return Err(Refusal::Request(
            "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with \
             Object Lock parameters"
                .to_owned(),
        )
        .into());
    }
    let asked = input
        .checksum_algorithm
        .as_ref()
        .map(ChecksumAlgorithm::as_str);
    let sums = given.verify(&bytes, asked)?;
    let conditions = WriteConditions {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
    };
    let tag = etag_of(&bytes);
    let now = store.now();
    let mut state = store.state();
    let (bucket, tokens) = state.bucket_mut(&input.bucket)?;
    let version = bucket.write(Write {
        key: &input.key,
        object: Stored {
            content: Content::Memory(bytes),
            etag: tag.clone(),
            attributes,
            sums: sums.clone(),
            parts: BTreeMap::new(),
        },
        protection,
        conditions: &conditions,
        id: tokens.next(),
        now,
    })?;
    let mut output = PutObjectOutput {
        e_tag: Some(etag(&tag)),
        version_id: new_version(bucket, version),
        ..PutObjectOutput::default()
    };
    show_sums!(output, &sums);
    Ok(output)
}

/// What a request reads of an object.
pub(super) struct Part {
    /// The bytes.
    pub(super) range: Bytes<u64>,
    /// `Content-Range`, unless it is the whole.
    pub(super) shown: Option<String>,
}

/// Finds the bytes that a request asks for.
fn part(object: &Stored, range: Option<Range>, number: Option<i32>) -> Result<Part, Refusal> {
    let size = object.content.size();
    let show = |range: Bytes<u64>| Part {
        shown: Some(format!(
            "bytes {}-{}/{size}",
            range.start,
            range.end.saturating_sub(1)
        )),
        range,
    };
    match (range, number) {
        (Some(_), Some(_)) => Err(Refusal::Request(
            "Cannot specify both Range header and partNumber query parameter".to_owned(),
        )),
        // Of nothing there is no part, not even the last byte.
        (Some(_), None) if size == 0 => Err(Refusal::Range { size }),
        (Some(range), None) => {
            let found = range.check(size).map_err(|_| Refusal::Range { size })?;
            Ok(show(found))
        }
        (None, Some(number)) => {
            check_number(number)?;
            if object.parts.is_empty() && number == 1 {
                return Ok(if size == 0 {
                    whole(size)
                } else {
                    show(0..size)
                });
            }
            let length = object.parts.get(&number).ok_or(Refusal::Range { size })?;
            let start: u64 = object.parts.range(..number).map(|(_, size)| size).sum();
            Ok(show(start..start + length))
        }
        (None, None) => Ok(whole(size)),
    }
}

fn whole(size: u64) -> Part {
    Part {
        range: 0..size,
        shown: None,
    }
}

fn times(
    since: Option<s3s::dto::Timestamp>,
    until: Option<s3s::dto::Timestamp>,
) -> Result<(Option<Timestamp>, Option<Timestamp>), Refusal> {
    Ok((
        since.map(from_time).transpose()?,
        until.map(from_time).transpose()?,
    ))
}

/// The members of an answer that `GET` and `HEAD` share.
macro_rules! describe {
    ($output:expr, $bucket:expr, $version:expr, $object:expr, $part:expr, $input:expr) => {{
        let (version, object): (&Version, &Stored) = ($version, $object);
        let length = $part.range.end - $part.range.start;
        $output.accept_ranges = Some("bytes".to_owned());
        $output.content_length = i64::try_from(length).ok();
        $output.content_range = $part.shown.clone();
        $output.e_tag = Some(etag(&object.etag));
        $output.last_modified = Some(time(version.modified));
        $output.version_id = shown_version($bucket, &version.id);
        let count = i32::try_from(object.parts.len()).ok().filter(|n| *n > 0);
        $output.parts_count = $input.part_number.and(count);
        show_attributes!($output, &object.attributes);
        let wants_sums = $input
            .checksum_mode
            .as_ref()
            .is_some_and(|m| m.as_str() == "ENABLED");
        if wants_sums && $part.shown.is_none() && !object.sums.is_empty() {
            show_sums!($output, &object.sums);
            $output.checksum_type = Some(ChecksumType::from_static(object.sums.cover.name()));
        }
        let kept = version.protection.retention;
        $output.object_lock_mode = kept.map(|r| ObjectLockMode::from_static(mode_name(r.mode)));
        $output.object_lock_retain_until_date = kept.map(|r| time(r.until));
        let hold = version.protection.legal_hold;
        $output.object_lock_legal_hold_status = hold.map(value::hold);
    }};
}

pub(super) async fn get_object(
    store: &Store,
    request: S3Request<GetObjectInput>,
) -> S3Result<GetObjectOutput> {
    let input = request.input;
    let (since, until) = times(input.if_modified_since, input.if_unmodified_since)?;
    let conditions = ReadConditions {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: since,
        if_unmodified_since: until,
    };
    let mut output = GetObjectOutput::default();
    let (object, part) = {
        let state = store.state();
        let bucket = state.bucket(&input.bucket)?;
        let (version, object) = bucket.object(&input.key, input.version_id.as_deref())?;
        conditions.check(&object.etag, version.modified)?;
        let part = part(&object, input.range, input.part_number)?;
        describe!(output, bucket, version, &object, part, input);
        (object, part)
    };
    let bytes = object.content.read(part.range).map_err(Refusal::from)?;
    output.body = Some(s3s::Body::from(bytes).into());
    Ok(output)
}

pub(super) async fn head_object(
    store: &Store,
    request: S3Request<HeadObjectInput>,
) -> S3Result<HeadObjectOutput> {
    let input = request.input;
    let (since, until) = times(input.if_modified_since, input.if_unmodified_since)?;
    let conditions = ReadConditions {
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_modified_since: since,
        if_unmodified_since: until,
    };
    let state = store.state();
    let bucket = state.bucket(&input.bucket)?;
    let (version, object) = bucket.object(&input.key, input.version_id.as_deref())?;
    conditions.check(&object.etag, version.modified)?;
    let part = part(&object, input.range, input.part_number)?;
    let mut output = HeadObjectOutput::default();
    describe!(output, bucket, version, &object, part, input);
    Ok(output)
}
