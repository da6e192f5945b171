//! What a failure of an object store means.
//!
//! Causes are taken from typed errors and error codes only; requests, which carry signatures, are
//! never printed.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::error::SdkError;
use drplan_api::ErrorKind;
use drplan_api::ProviderError;

/// Translates a failed request. `during` is a fragment such as "list keys of bucket `x`".
pub(crate) fn s3_error<E>(
    error: &SdkError<E, HttpResponse>,
    during: &str,
    at: &str,
) -> ProviderError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let meta = service.err();
            refused(meta.code(), meta.message(), status, during, at)
        }
        SdkError::TimeoutError(_) => ProviderError::new(ErrorKind::Unreachable, during, at)
            .because("there was no answer in time")
            .hint("check that the object store answers, or raise `request_timeout`"),
        SdkError::ResponseError(response) => {
            let status = response.raw().status().as_u16();
            let kind = kind_of(None, status).unwrap_or(ErrorKind::Unreachable);
            ProviderError::new(kind, during, at)
                .because(format!("the answer (status {status}) could not be read"))
        }
        other => unsent(other, during, at),
    }
}

/// A request that got no answer: no credentials, no connection, or no region.
fn unsent(error: &(dyn std::error::Error + 'static), during: &str, at: &str) -> ProviderError {
    let mut next = Some(error);
    while let Some(link) = next {
        if link.is::<CredentialsError>() {
            return ProviderError::new(ErrorKind::Denied, during, at)
                .because("no credentials were found")
                .hint("set `access_key` and `secret_key`, `profile`, or the AWS_* variables");
        }
        next = link.source();
    }
    ProviderError::new(ErrorKind::Unreachable, during, at)
        .caused_by(error)
        .hint("check the endpoint, the region and the network")
}

fn refused(
    code: Option<&str>,
    message: Option<&str>,
    status: u16,
    during: &str,
    at: &str,
) -> ProviderError {
    let kind = kind_of(code, status).unwrap_or(ErrorKind::Invalid);
    let mut error = ProviderError::new(kind, during, at);
    error = match (code, message) {
        // Some stores repeat the access key id in this message.
        (Some(code), _) if is_about_keys(code) => error.because(explain(code)),
        (Some(code), Some(message)) => error.because(format!("{code}: {message}")),
        (Some(code), None) => error.because(code),
        (None, _) => error.because(format!("status {status}")),
    };
    match (kind, code) {
        (_, Some(SKEWED)) => {
            error.hint("set the clock of this machine: requests are signed with its time")
        }
        (ErrorKind::Denied, _) => {
            error.hint("check the keys and the rights of their user on this bucket")
        }
        _ => error,
    }
}

/// The time with which a request was signed is too far from the server's.
const SKEWED: &str = "RequestTimeTooSkewed";

fn is_about_keys(code: &str) -> bool {
    matches!(
        code,
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "ExpiredToken"
    )
}

fn explain(code: &str) -> String {
    let meaning = match code {
        "InvalidAccessKeyId" => "the access key is not known there",
        "SignatureDoesNotMatch" => "the secret key is wrong",
        "ExpiredToken" => "the temporary keys have expired",
        _ => "the token of the temporary keys is wrong",
    };
    format!("{code}: {meaning}")
}

fn kind_of(code: Option<&str>, status: u16) -> Option<ErrorKind> {
    let by_code = match code.unwrap_or_default() {
        "NoSuchBucket" | "NoSuchKey" | "NotFound" | "NoSuchVersion" => Some(ErrorKind::NotFound),
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => Some(ErrorKind::Denied),
        // The client learns from this answer what time it is there, and signs the next request with that: a
        // clock that was set just now ends no run.
        SKEWED => Some(ErrorKind::Unreachable),
        code if is_about_keys(code) => Some(ErrorKind::Denied),
        "SlowDown" | "TooManyRequests" | "RequestLimitExceeded" | "Throttling" => {
            Some(ErrorKind::Throttled { after_ms: None })
        }
        "InternalError" | "ServiceUnavailable" | "RequestTimeout" => Some(ErrorKind::Unreachable),
        "PreconditionFailed" => Some(ErrorKind::Conflict),
        _ => None,
    };
    by_code.or(match status {
        401 | 403 => Some(ErrorKind::Denied),
        404 => Some(ErrorKind::NotFound),
        409 | 412 => Some(ErrorKind::Conflict),
        429 => Some(ErrorKind::Throttled { after_ms: None }),
        500..=599 => Some(ErrorKind::Unreachable),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_says_what_can_be_done_about_it() {
        let throttled = ErrorKind::Throttled { after_ms: None };
        for (code, status, kind) in [
            (Some("NoSuchBucket"), 404, ErrorKind::NotFound),
            (None, 404, ErrorKind::NotFound),
            (Some("InvalidAccessKeyId"), 403, ErrorKind::Denied),
            (Some("SignatureDoesNotMatch"), 403, ErrorKind::Denied),
            (None, 403, ErrorKind::Denied),
            (Some("RequestTimeTooSkewed"), 403, ErrorKind::Unreachable),
            (Some("SlowDown"), 503, throttled),
            (Some("PreconditionFailed"), 412, ErrorKind::Conflict),
            (Some("InternalError"), 500, ErrorKind::Unreachable),
            (Some("ServiceUnavailable"), 503, ErrorKind::Unreachable),
            (None, 504, ErrorKind::Unreachable),
            (Some("Unheard"), 503, ErrorKind::Unreachable),
            (Some("Unheard"), 400, ErrorKind::Invalid),
        ] {
            assert_eq!(refused(code, None, status, "x", "y").kind, kind, "{code:?}");
        }
    }

    #[test]
    fn a_refusal_of_keys_never_repeats_them() {
        let error = refused(
            Some("InvalidAccessKeyId"),
            Some("no key AKIA1"),
            403,
            "x",
            "y",
        );
        assert!(!error.to_string().contains("AKIA1"));
    }
}
