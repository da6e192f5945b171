//! What a failure of Route 53 means. Decided by error codes and types, never by message text.

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_route53::config::http::HttpResponse;
use aws_sdk_route53::error::ProvideErrorMetadata;
use aws_sdk_route53::error::SdkError;
use drplan_api::ErrorKind;
use drplan_api::ProviderError;

/// Translates a failed request. `during` is a fragment such as "list hosted zones".
pub(crate) fn translate<E>(
    error: &SdkError<E, HttpResponse>,
    during: &str,
    target: &str,
) -> ProviderError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error {
        SdkError::ServiceError(service) => refused(
            service.err().code(),
            service.err().message(),
            service.raw().status().as_u16(),
            ProviderError::new(ErrorKind::Invalid, during, target),
        ),
        SdkError::TimeoutError(_) => ProviderError::new(ErrorKind::Unreachable, during, target)
            .because("there was no answer in time")
            .hint("check that the endpoint answers, or raise `request_timeout`"),
        SdkError::ResponseError(response) => {
            let status = response.raw().status().as_u16();
            ProviderError::new(ErrorKind::Unreachable, during, target)
                .because(format!("the answer (status {status}) could not be read"))
        }
        other => unsent(
            other,
            ProviderError::new(ErrorKind::Unreachable, during, target),
        ),
    }
}

/// A request without an answer: no credentials, or no connection.
fn unsent(error: &(dyn std::error::Error + 'static), blank: ProviderError) -> ProviderError {
    let mut next = Some(error);
    while let Some(link) = next {
        if link.is::<CredentialsError>() {
            return ProviderError {
                kind: ErrorKind::Denied,
                ..blank
            }
            .because("no credentials were found")
            .hint("set `access_key` and `secret_key`, `profile`, or the AWS_* variables");
        }
        next = link.source();
    }
    blank
        .caused_by(error)
        .hint("check the endpoint and the network")
}

fn refused(
    code: Option<&str>,
    message: Option<&str>,
    status: u16,
    blank: ProviderError,
) -> ProviderError {
    let kind = kind_of(code.unwrap_or_default(), status);
    let error = ProviderError { kind, ..blank };
    let error = match (code, message) {
        // Such messages may repeat what was signed, or the key.
        (Some(code), _) if is_about_keys(code) => {
            error.because(format!("{code}: {}", meaning(code)))
        }
        (Some(code), Some(message)) => error.because(format!("{code}: {message}")),
        (Some(code), None) => error.because(code),
        (None, _) => error.because(format!("status {status}")),
    };
    match kind {
        ErrorKind::Denied => error.hint("check the keys and what their user may do in Route 53"),
        _ => error,
    }
}

fn is_about_keys(code: &str) -> bool {
    matches!(
        code,
        "InvalidClientTokenId" | "SignatureDoesNotMatch" | "ExpiredToken" | "IncompleteSignature"
    )
}

fn meaning(code: &str) -> &'static str {
    match code {
        "InvalidClientTokenId" => "the access key is not known there",
        "SignatureDoesNotMatch" => "the secret key is wrong",
        "ExpiredToken" => "the temporary keys have expired",
        _ => "the signature is not whole",
    }
}

fn kind_of(code: &str, status: u16) -> ErrorKind {
    match code {
        code if is_about_keys(code) => ErrorKind::Denied,
        "AccessDenied" | "AccessDeniedException" | "MissingAuthenticationToken" => {
            ErrorKind::Denied
        }
        "Throttling" | "ThrottlingException" | "PriorRequestNotComplete" => {
            ErrorKind::Throttled { after_ms: None }
        }
        "NoSuchHostedZone" | "NoSuchChange" => ErrorKind::NotFound,
        "InvalidChangeBatch" => ErrorKind::Conflict,
        _ => match status {
            401 | 403 => ErrorKind::Denied,
            404 => ErrorKind::NotFound,
            429 => ErrorKind::Throttled { after_ms: None },
            500..=599 => ErrorKind::Unreachable,
            _ => ErrorKind::Invalid,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_says_what_can_be_done_about_it() {
        let throttled = ErrorKind::Throttled { after_ms: None };
        for (code, status, kind) in [
            ("InvalidClientTokenId", 403, ErrorKind::Denied),
            ("SignatureDoesNotMatch", 403, ErrorKind::Denied),
            ("AccessDenied", 403, ErrorKind::Denied),
            ("Throttling", 400, throttled),
            ("PriorRequestNotComplete", 400, throttled),
            ("NoSuchHostedZone", 404, ErrorKind::NotFound),
            ("InvalidChangeBatch", 400, ErrorKind::Conflict),
            ("InvalidInput", 400, ErrorKind::Invalid),
            ("ServiceUnavailable", 503, ErrorKind::Unreachable),
            ("InternalFailure", 500, ErrorKind::Unreachable),
            // A proxy's page names no code.
            ("", 504, ErrorKind::Unreachable),
        ] {
            assert_eq!(kind_of(code, status), kind, "{code}");
        }
    }
}
