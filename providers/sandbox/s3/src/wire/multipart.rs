//! Multipart uploads on the wire.

use std::collections::BTreeMap;

use s3s::S3Request;
use s3s::S3Result;
use s3s::dto::*;
use s3s::s3_error;

use super::bucket::owner;
use super::list::limit;
use super::object::new_version;
use super::value;
use super::value::etag;
use super::value::given_attributes;
use super::value::given_sums;
use super::value::refuse_unsupported;
use super::value::show_sums;
use super::value::time;
use crate::bucket::Bucket as Kept;
use crate::bucket::Write;
use crate::checksum::Algorithm;
use crate::checksum::Cover;
use crate::checksum::verify_md5;
use crate::condition::WriteConditions;
use crate::listing;
use crate::listing::Line;
use crate::listing::Query;
use crate::refusal::Refusal;
use crate::store::Store;
use crate::upload::Named;
use crate::upload::PART_NUMBERS;
use crate::upload::Part as Uploaded;
use crate::upload::Upload;

/// Finds an upload of a key.
pub(super) fn upload_of<'a>(
    bucket: &'a mut Kept,
    id: &str,
    key: &str,
) -> Result<&'a mut Upload, Refusal> {
    let upload = bucket.uploads.get_mut(id);
    let upload = upload.filter(|upload| upload.key == key);
    upload.ok_or_else(|| Refusal::NoSuchUpload(id.to_owned()))
}

pub(super) fn check_number(number: i32) -> Result<(), Refusal> {
    if PART_NUMBERS.contains(&number) {
        return Ok(());
    }
    Err(Refusal::Argument(
        "Part number must be an integer between 1 and 10000, inclusive".to_owned(),
    ))
}

pub(super) async fn create_multipart_upload(
    store: &Store,
    request: S3Request<CreateMultipartUploadInput>,
) -> S3Result<CreateMultipartUploadOutput> {
    let mut input = request.input;
    refuse_unsupported!(input);
    let now = store.now();
    let named = input.checksum_algorithm.as_ref();
    let algorithm = named.map(|a| Algorithm::named(a.as_str())).transpose()?;
    let cover = match input.checksum_type.as_ref().map(ChecksumType::as_str) {
        Some(ChecksumType::FULL_OBJECT) => Cover::Whole,
        Some(ChecksumType::COMPOSITE) => Cover::Parts,
        _ if algorithm == Some(Algorithm::Crc64Nvme) => Cover::Whole,
        _ => Cover::Parts,
    };
    let upload = Upload {
        key: input.key.clone(),
        begun: now,
        attributes: given_attributes!(input),
        protection: value::protection(
            input.object_lock_mode.as_ref().map(ObjectLockMode::as_str),
            input.object_lock_retain_until_date.take(),
            input
                .object_lock_legal_hold_status
                .as_ref()
                .map(ObjectLockLegalHoldStatus::as_str),
            now,
        )?,
        algorithm,
        cover,
        parts: BTreeMap::new(),
    };
    let mut state = store.state();
    let (bucket, tokens) = state.bucket_mut(&input.bucket)?;
    let id = tokens.next();
    bucket.uploads.insert(id.clone(), upload);
    Ok(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        checksum_type: algorithm.map(|_| ChecksumType::from_static(cover.name())),
        checksum_algorithm: input.checksum_algorithm,
        key: Some(input.key),
        upload_id: Some(id),
        ..CreateMultipartUploadOutput::default()
    })
}

pub(super) async fn upload_part(
    store: &Store,
    request: S3Request<UploadPartInput>,
) -> S3Result<UploadPartOutput> {
    let mut input = request.input;
    if input.sse_customer_key.is_some() {
        return Err(Refusal::NotImplemented("keys of the customer's").into());
    }
    check_number(input.part_number)?;
    let asked = {
        let mut state = store.state();
        let (bucket, _) = state.bucket_mut(&input.bucket)?;
        upload_of(bucket, &input.upload_id, &input.key)?.algorithm
    };
    let bytes = value::body(input.body.take(), input.content_length).await?;
    verify_md5(input.content_md5.as_deref(), &bytes)?;
    let given = value::with_trailers(given_sums!(input), request.trailing_headers.as_ref());
    let sums = given.verify(&bytes, asked.map(Algorithm::name))?;
    let part = Uploaded::new(bytes, sums, store.now());
    let mut output = UploadPartOutput {
        e_tag: Some(etag(&part.etag)),
        ..UploadPartOutput::default()
    };
    show_sums!(output, &part.sums);
    let mut state = store.state();
    let (bucket, _) = state.bucket_mut(&input.bucket)?;
    let upload = upload_of(bucket, &input.upload_id, &input.key)?;
    upload.parts.insert(input.part_number, part);
    Ok(output)
}

pub(super) async fn complete_multipart_upload(
    store: &Store,
    request: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<CompleteMultipartUploadOutput> {
    let input = request.input;
    let parts = input
        .multipart_upload
        .as_ref()
        .and_then(|m| m.parts.as_ref());
    let mut named = Vec::new();
    for part in parts.into_iter().flatten() {
        let Some(number) = part.part_number else {
            return Err(s3_error!(MalformedXML));
        };
        named.push(Named {
            number,
            etag: part.e_tag.as_ref().map(|tag| tag.value().to_owned()),
        });
    }
    if named.is_empty() {
        return Err(s3_error!(MalformedXML));
    }
    let now = store.now();
    let mut state = store.state();
    let (bucket, tokens) = state.bucket_mut(&input.bucket)?;
    let upload = upload_of(bucket, &input.upload_id, &input.key)?;
    let object = upload.complete(&named)?;
    for (algorithm, value) in given_sums!(input).given() {
        if object.sums.get(algorithm).is_some_and(|made| made != value) {
            return Err(Refusal::Digest(algorithm.name()).into());
        }
    }
    let protection = upload.protection;
    let size = object.content.size();
    if input
        .mpu_object_size
        .is_some_and(|n| u64::try_from(n) != Ok(size))
    {
        return Err(Refusal::Request(
            "The provided 'x-amz-mp-object-size' header does not match the size of the object"
                .to_owned(),
        )
        .into());
    }
    let (tag, sums) = (object.etag.clone(), object.sums.clone());
    let version = bucket.write(Write {
        key: &input.key,
        object,
        protection,
        conditions: &WriteConditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
        },
        id: tokens.next(),
        now,
    })?;
    bucket.uploads.remove(&input.upload_id);
    let mut output = CompleteMultipartUploadOutput {
        e_tag: Some(etag(&tag)),
        location: Some(format!("/{}/{}", input.bucket, input.key)),
        version_id: new_version(bucket, version),
        bucket: Some(input.bucket),
        key: Some(input.key),
        ..CompleteMultipartUploadOutput::default()
    };
    show_sums!(output, &sums);
    output.checksum_type = (!sums.is_empty()).then(|| ChecksumType::from_static(sums.cover.name()));
    Ok(output)
}

pub(super) async fn abort_multipart_upload(
    store: &Store,
    request: S3Request<AbortMultipartUploadInput>,
) -> S3Result<AbortMultipartUploadOutput> {
    let input = request.input;
    let mut state = store.state();
    let (bucket, _) = state.bucket_mut(&input.bucket)?;
    upload_of(bucket, &input.upload_id, &input.key)?;
    bucket.uploads.remove(&input.upload_id);
    Ok(AbortMultipartUploadOutput::default())
}

pub(super) async fn list_parts(
    store: &Store,
    request: S3Request<ListPartsInput>,
) -> S3Result<ListPartsOutput> {
    let input = request.input;
    let (asked, max) = limit(input.max_parts)?;
    let after = input.part_number_marker.unwrap_or_default();
    let mut state = store.state();
    let (bucket, _) = state.bucket_mut(&input.bucket)?;
    let upload = upload_of(bucket, &input.upload_id, &input.key)?;
    let mut rest = upload.parts.range(after.saturating_add(1)..);
    let shown: Vec<Part> = rest
        .by_ref()
        .take(max)
        .map(|(n, part)| one(*n, part))
        .collect();
    let truncated = rest.next().is_some();
    Ok(ListPartsOutput {
        bucket: Some(input.bucket),
        checksum_algorithm: upload
            .algorithm
            .map(|a| ChecksumAlgorithm::from_static(a.name())),
        is_truncated: Some(truncated),
        key: Some(input.key),
        max_parts: Some(asked),
        next_part_number_marker: shown.last().and_then(|part| part.part_number),
        owner: Some(owner()),
        part_number_marker: Some(after),
        parts: (!shown.is_empty()).then_some(shown),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        upload_id: Some(input.upload_id),
        ..ListPartsOutput::default()
    })
}

fn one(number: i32, part: &Uploaded) -> Part {
    let mut shown = Part {
        e_tag: Some(etag(&part.etag)),
        last_modified: Some(time(part.modified)),
        part_number: Some(number),
        size: i64::try_from(part.bytes.len()).ok(),
        ..Part::default()
    };
    show_sums!(shown, &part.sums);
    shown
}

pub(super) async fn list_multipart_uploads(
    store: &Store,
    request: S3Request<ListMultipartUploadsInput>,
) -> S3Result<ListMultipartUploadsOutput> {
    let input = request.input;
    let (asked, max) = limit(input.max_uploads)?;
    let state = store.state();
    let bucket = state.bucket(&input.bucket)?;
    let mut by_key: BTreeMap<String, Vec<(&String, &Upload)>> = BTreeMap::new();
    for (id, upload) in &bucket.uploads {
        by_key
            .entry(upload.key.clone())
            .or_default()
            .push((id, upload));
    }
    for uploads in by_key.values_mut() {
        uploads.sort_by_key(|(id, upload)| (upload.begun, id.as_str()));
    }
    let prefix = input.prefix.clone().unwrap_or_default();
    let query = Query {
        prefix: &prefix,
        delimiter: input.delimiter.as_deref(),
        after: input.key_marker.as_deref(),
        max: max.saturating_add(1),
    };
    let (mut uploads, mut prefixes) = (Vec::new(), Vec::new());
    let mut truncated = false;
    for line in listing::page(&by_key, &query, |_| true).lines {
        // A page ends between keys, so that the key alone says where the next begins.
        if uploads.len() + prefixes.len() >= max {
            truncated = true;
            break;
        }
        match line {
            Line::Prefix(prefix) => prefixes.push(prefix),
            Line::Key(_, of_key) => {
                uploads.extend(of_key.iter().map(|(id, upload)| begun(id, upload)));
            }
        }
    }
    let last_key = uploads.last().and_then(|u: &MultipartUpload| u.key.clone());
    let next = last_key.max(prefixes.last().cloned()).filter(|_| truncated);
    let prefixes: Vec<CommonPrefix> = prefixes
        .into_iter()
        .map(|prefix| CommonPrefix {
            prefix: Some(prefix),
        })
        .collect();
    Ok(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        common_prefixes: (!prefixes.is_empty()).then_some(prefixes),
        delimiter: input.delimiter,
        is_truncated: Some(truncated),
        key_marker: Some(input.key_marker.unwrap_or_default()),
        max_uploads: Some(asked),
        next_key_marker: next,
        prefix: Some(prefix),
        uploads: (!uploads.is_empty()).then_some(uploads),
        ..ListMultipartUploadsOutput::default()
    })
}

fn begun(id: &str, upload: &Upload) -> MultipartUpload {
    MultipartUpload {
        initiated: Some(time(upload.begun)),
        key: Some(upload.key.clone()),
        owner: Some(owner()),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        upload_id: Some(id.to_owned()),
        ..MultipartUpload::default()
    }
}
