//! Values of the wire and what they are here.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bytes::Bytes;
use bytes::BytesMut;
use drplan_api::Timestamp;
use futures::StreamExt as _;
use s3s::S3Error;
use s3s::S3Result;
use s3s::TrailingHeaders;
use s3s::dto;
use s3s::s3_error;

use crate::attributes::Attributes;
use crate::checksum::Sums;
use crate::lock::Mode;
use crate::lock::Protection;
use crate::lock::Retention;
use crate::refusal::Refusal;

/// The largest object that one request may write, in bytes.
const BODY_BYTES_MAX: usize = 5 * 1024 * 1024 * 1024;

pub(super) fn time(at: Timestamp) -> dto::Timestamp {
    SystemTime::from(at).into()
}

/// The wire's time is the crate `time`'s, which this crate does not name; so it goes through text.
pub(super) fn from_time(at: dto::Timestamp) -> Result<Timestamp, Refusal> {
    let mut text = Vec::new();
    let written = at.format(dto::TimestampFormat::DateTime, &mut text).ok();
    let text = written.and_then(|()| String::from_utf8(text).ok());
    let parsed = text.and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| Refusal::Argument("a date is out of range".to_owned()))
}

pub(super) fn etag(text: &str) -> dto::ETag {
    dto::ETag::Strong(text.to_owned())
}

/// Reads a body to its end.
pub(super) async fn body(
    body: Option<dto::StreamingBlob>,
    announced: Option<i64>,
) -> S3Result<Bytes> {
    let mut bytes = BytesMut::new();
    let Some(mut stream) = body else {
        return Ok(Bytes::new());
    };
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(broken)?;
        if bytes.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(s3_error!(EntityTooLarge));
        }
        bytes.extend_from_slice(&chunk);
    }
    match announced.and_then(|n| usize::try_from(n).ok()) {
        Some(n) if n != bytes.len() => Err(s3_error!(
            IncompleteBody,
            "You did not provide the number of bytes specified by the Content-Length HTTP header."
        )),
        _ => Ok(bytes.freeze()),
    }
}

/// A body breaks where the connection does, or where it is not what was signed.
fn broken(error: s3s::StdError) -> S3Error {
    match error.downcast::<S3Error>() {
        Ok(error) => *error,
        Err(error) => {
            let text = error.to_string().to_ascii_lowercase();
            if text.contains("signaturemismatch") {
                s3_error!(SignatureDoesNotMatch)
            } else if text.contains("sha256mismatch") {
                let code = s3s::S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into());
                let mut error = S3Error::with_message(
                    code,
                    "The provided 'x-amz-content-sha256' header does not match what was computed.",
                );
                error.set_status_code(http::StatusCode::BAD_REQUEST);
                error
            } else {
                s3_error!(IncompleteBody, "The request body terminated unexpectedly.")
            }
        }
    }
}

/// Adds what stands behind the body, once it is read.
pub(super) fn with_trailers(mut sums: Sums, trailers: Option<&TrailingHeaders>) -> Sums {
    if let Some(trailers) = trailers {
        trailers.read(|headers| sums.add_trailers(headers));
    }
    sums
}

/// The five checksum members that many of the wire's types have.
macro_rules! given_sums {
    ($input:expr) => {{
        $crate::checksum::Sums::from(s3s::dto::Checksum {
            checksum_crc32: $input.checksum_crc32.clone(),
            checksum_crc32c: $input.checksum_crc32c.clone(),
            checksum_crc64nvme: $input.checksum_crc64nvme.clone(),
            checksum_sha1: $input.checksum_sha1.clone(),
            checksum_sha256: $input.checksum_sha256.clone(),
            ..Default::default()
        })
    }};
}

/// The same in the other direction.
macro_rules! show_sums {
    ($output:expr, $sums:expr) => {{
        use $crate::checksum::Algorithm;
        let sums: &$crate::checksum::Sums = $sums;
        $output.checksum_crc32 = sums.get(Algorithm::Crc32).cloned();
        $output.checksum_crc32c = sums.get(Algorithm::Crc32c).cloned();
        $output.checksum_crc64nvme = sums.get(Algorithm::Crc64Nvme).cloned();
        $output.checksum_sha1 = sums.get(Algorithm::Sha1).cloned();
        $output.checksum_sha256 = sums.get(Algorithm::Sha256).cloned();
    }};
}

/// The members about content that many of the wire's types have.
macro_rules! given_attributes {
    ($input:expr) => {
        $crate::attributes::Attributes {
            content_type: $input.content_type.clone(),
            content_encoding: $crate::wire::value::encoding($input.content_encoding.as_deref()),
            content_language: $input.content_language.clone(),
            content_disposition: $input.content_disposition.clone(),
            cache_control: $input.cache_control.clone(),
            expires: $input
                .expires
                .clone()
                .map($crate::wire::value::from_time)
                .transpose()?,
            metadata: $crate::wire::value::metadata($input.metadata.as_ref()),
        }
    };
}

/// The same in the other direction.
macro_rules! show_attributes {
    ($output:expr, $attributes:expr) => {{
        let attributes: &$crate::attributes::Attributes = $attributes;
        $output.content_type = Some($crate::wire::value::content_type(attributes));
        $output.content_encoding = attributes.content_encoding.clone();
        $output.content_language = attributes.content_language.clone();
        $output.content_disposition = attributes.content_disposition.clone();
        $output.cache_control = attributes.cache_control.clone();
        $output.expires = attributes.expires.map($crate::wire::value::time);
        $output.metadata = (!attributes.metadata.is_empty())
            .then(|| attributes.metadata.clone().into_iter().collect());
    }};
}

/// What a write asks for and this store does not do; it says so instead of forgetting it.
macro_rules! refuse_unsupported {
    ($input:expr) => {{
        let standard = |class: &s3s::dto::StorageClass| class.as_str() == "STANDARD";
        for (asked, what) in [
            ($input.sse_customer_key.is_some(), "keys of the customer's"),
            (
                $input.server_side_encryption.is_some(),
                "server-side encryption",
            ),
            ($input.tagging.is_some(), "tags of objects"),
            ($input.website_redirect_location.is_some(), "redirects"),
            (
                $input.storage_class.as_ref().is_some_and(|c| !standard(c)),
                "storage classes other than STANDARD",
            ),
            (
                $input
                    .acl
                    .as_ref()
                    .is_some_and(|acl| acl.as_str() != "private"),
                "access control lists",
            ),
        ] {
            if asked {
                return Err($crate::refusal::Refusal::NotImplemented(what).into());
            }
        }
    }};
}

pub(super) use given_attributes;
pub(super) use given_sums;
pub(super) use refuse_unsupported;
pub(super) use show_attributes;
pub(super) use show_sums;

pub(super) fn metadata(given: Option<&dto::Metadata>) -> BTreeMap<String, String> {
    let pairs = given.into_iter().flatten();
    pairs
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .collect()
}

/// How the body travelled is no property of the object.
pub(super) fn encoding(given: Option<&str>) -> Option<String> {
    let parts = given?.split(',').map(str::trim);
    let kept: Vec<&str> = parts
        .filter(|part| !part.eq_ignore_ascii_case("aws-chunked") && !part.is_empty())
        .collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

pub(super) fn content_type(attributes: &Attributes) -> String {
    let given = attributes.content_type.as_deref();
    given.unwrap_or("binary/octet-stream").to_owned()
}

pub(super) fn mode(name: &str) -> Result<Mode, Refusal> {
    match name {
        dto::ObjectLockMode::GOVERNANCE => Ok(Mode::Governance),
        dto::ObjectLockMode::COMPLIANCE => Ok(Mode::Compliance),
        _ => Err(Refusal::Argument("Unknown wormMode directive.".to_owned())),
    }
}

pub(super) fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Governance => dto::ObjectLockMode::GOVERNANCE,
        Mode::Compliance => dto::ObjectLockMode::COMPLIANCE,
    }
}

pub(super) fn hold(held: bool) -> dto::ObjectLockLegalHoldStatus {
    dto::ObjectLockLegalHoldStatus::from_static(if held {
        dto::ObjectLockLegalHoldStatus::ON
    } else {
        dto::ObjectLockLegalHoldStatus::OFF
    })
}

/// What a write asks for of object lock.
pub(super) fn protection(
    lock_mode: Option<&str>,
    until: Option<dto::Timestamp>,
    hold: Option<&str>,
    now: Timestamp,
) -> Result<Protection, Refusal> {
    let retention = match (lock_mode, until) {
        (None, None) => None,
        (Some(name), Some(until)) => {
            let (mode, until) = (mode(name)?, from_time(until)?);
            if until <= now {
                return Err(Refusal::Argument(
                    "The retain until date must be in the future!".to_owned(),
                ));
            }
            Some(Retention { mode, until })
        }
        _ => {
            return Err(Refusal::Argument(
                "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be \
                 supplied"
                    .to_owned(),
            ));
        }
    };
    Ok(Protection {
        retention,
        legal_hold: hold.map(|status| status == dto::ObjectLockLegalHoldStatus::ON),
    })
}

/// Escapes a name as `encoding-type=url` asks.
pub(super) fn shown(name: &str, encoding: Option<&dto::EncodingType>) -> String {
    if encoding.is_none() {
        return name.to_owned();
    }
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            _ => {
                out.push('%');
                out.push_str(&crate::token::hex(&[byte]).to_ascii_uppercase());
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_the_journey_is_not_kept() {
        assert_eq!(encoding(Some("aws-chunked")), None);
        assert_eq!(encoding(Some("aws-chunked, gzip")).as_deref(), Some("gzip"));
        assert_eq!(encoding(None), None);
    }

    #[test]
    fn times_survive_the_wire_to_the_millisecond() {
        let at: Timestamp = "2026-01-05T03:00:00.123Z".parse().expect("a time");
        assert_eq!(from_time(time(at)).ok(), Some(at));
    }

    #[test]
    fn names_are_escaped_only_on_request() {
        let url = dto::EncodingType::from_static("url");
        assert_eq!(shown("a b/ä", Some(&url)), "a%20b/%C3%A4");
        assert_eq!(shown("a b/ä", None), "a b/ä");
    }
}
