//! How failures of the API become [`ProviderError`]s.

use std::error::Error as StdError;

use drplan_api::ErrorKind;
use drplan_api::ProviderError;
use drplan_api::cut;
use kube::core::Status;

/// The most of a server's message that is kept, in characters; a proxy may answer with a whole page.
const MESSAGE_CHARACTERS_MAX: usize = 400;
/// The most causes of one refusal that are kept.
const CAUSES_MAX: usize = 20;

/// Turns an error of the client into one for people and for the engine's retry layer.
///
/// A 404 that names an object is [`ErrorKind::NotFound`]; one that does not means that the type itself
/// is not served, [`ErrorKind::NoSuchType`]. The message of an authentication plugin is kept, its
/// output, its arguments and its environment are not, because they may hold credentials.
pub fn kube_error(during: impl Into<String>, target: &str, error: &kube::Error) -> ProviderError {
    match error {
        kube::Error::Api(status) => status_error(during, target, status, None),
        kube::Error::Auth(auth) => auth_error(during, target, auth),
        kube::Error::Service(inner) => match auth_inside(inner.as_ref()) {
            Some(auth) => auth_error(during, target, auth),
            None => transport_error(during, target, inner.as_ref()),
        },
        // The words of the error may hold what was read, and that may be secret.
        kube::Error::SerdeError(e) => ProviderError::new(ErrorKind::Corrupt, during, target)
            .because(match e.line() {
                0 => "the answer is not the JSON that was expected".to_owned(),
                line => format!(
                    "the answer is not the JSON that was expected (line {line}, column {})",
                    e.column()
                ),
            }),
        kube::Error::BuildRequest(e) => {
            ProviderError::new(ErrorKind::Bug, during, target).caused_by(e)
        }
        kube::Error::HttpError(e) => {
            ProviderError::new(ErrorKind::Bug, during, target).caused_by(e)
        }
        other => transport_error(during, target, other),
    }
}

/// Sorts a refusal of the API server. `retry_after_s` is the header, which wins over the body.
pub(crate) fn status_error(
    during: impl Into<String>,
    target: &str,
    status: &Status,
    retry_after_s: Option<u64>,
) -> ProviderError {
    let details = status.details.as_ref();
    let after_s = retry_after_s.or_else(|| {
        details
            .map(|d| u64::from(d.retry_after_seconds))
            .filter(|s| *s > 0)
    });
    let names_object = details.is_some_and(|d| !d.name.is_empty());
    let kind = match status.code {
        404 if names_object => ErrorKind::NotFound,
        404..=406 => ErrorKind::NoSuchType,
        409 | 412 => ErrorKind::Conflict,
        401 | 403 => ErrorKind::Denied,
        429 => ErrorKind::Throttled {
            after_ms: after_s.map(|s| s.saturating_mul(1000)),
        },
        408 | 500..=599 => ErrorKind::Unreachable,
        _ => ErrorKind::Invalid,
    };
    let mut out = ProviderError::new(kind, during, target);
    out = match status.code {
        401 => out
            .because("the server does not accept these credentials (401)")
            .hint("check whether the token or certificate of the kubeconfig has expired"),
        404 if !names_object => out.because("the server does not serve this type (404)"),
        _ => out.because(message(status)),
    };
    out
}

fn message(status: &Status) -> String {
    let text = status.message.trim();
    if text.is_empty() || text.starts_with('<') {
        return format!("the server answered {}", status.code);
    }
    let mut out = cut::head(text, MESSAGE_CHARACTERS_MAX);
    let causes = status.details.iter().flat_map(|d| &d.causes);
    for cause in causes.take(CAUSES_MAX) {
        // Most messages already hold their causes.
        if !text.contains(cause.message.as_str()) {
            out.push_str("; ");
            out.push_str(&cause.field);
            out.push_str(": ");
            out.push_str(&cause.message);
        }
    }
    out
}

fn auth_inside<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a kube::client::AuthError> {
    let mut next = Some(error);
    while let Some(e) = next {
        if let Some(auth) = e.downcast_ref() {
            return Some(auth);
        }
        if let Some(kube::Error::Auth(auth)) = e.downcast_ref() {
            return Some(auth);
        }
        next = e.source();
    }
    None
}

fn auth_error(
    during: impl Into<String>,
    target: &str,
    error: &kube::client::AuthError,
) -> ProviderError {
    use kube::client::AuthError;
    let out = ProviderError::new(ErrorKind::Denied, during, target);
    match error {
        AuthError::AuthExecRun { out: ran, .. } => {
            let stderr = String::from_utf8_lossy(&ran.stderr);
            let said = cut::head(stderr.trim(), MESSAGE_CHARACTERS_MAX);
            let out = out.because(format!(
                "the credential plugin of the kubeconfig failed ({})",
                ran.status
            ));
            let out = if said.is_empty() {
                out
            } else {
                out.because(said)
            };
            out.hint("run the plugin by hand, or log in again with its own tool")
        }
        AuthError::AuthExecStart(e) => out
            .because("the credential plugin of the kubeconfig cannot be started")
            .caused_by(e)
            .hint("install the program that the `exec` section of the kubeconfig names"),
        AuthError::AuthExecParse(_) | AuthError::ExecPluginFailed => out.because(
            "the credential plugin of the kubeconfig did not answer with an ExecCredential",
        ),
        AuthError::ReadTokenFile(e, path) => out
            .because(format!(
                "the token file `{}` cannot be read",
                path.display()
            ))
            .because(e.kind().to_string()),
        AuthError::InvalidBearerToken(_) | AuthError::InvalidBasicAuth(_) => {
            out.because("the credentials of the kubeconfig hold characters that no header may hold")
        }
        AuthError::MissingCommand => {
            out.because("the `exec` section of the kubeconfig names no command")
        }
        _ => out.because("the credentials of the kubeconfig cannot be used"),
    }
}

fn transport_error(
    during: impl Into<String>,
    target: &str,
    error: &(dyn StdError + 'static),
) -> ProviderError {
    let out = ProviderError::new(ErrorKind::Unreachable, during, target).caused_by(error);
    let tls = out.why.iter().any(|why| {
        // The client hands certificate errors through several wrappers as text only.
        why.contains("certificate") || why.contains("UnknownIssuer")
    });
    if tls {
        ProviderError {
            kind: ErrorKind::Invalid,
            ..out
        }
        .hint("the `certificate-authority-data` of the kubeconfig does not belong to this server")
    } else {
        out
    }
}

#[cfg(test)]
mod tests {
    use drplan_api::ErrorKind;

    use super::*;

    fn kind_of(code: u16, name: &str, retry_s: u32) -> ErrorKind {
        let status: Status = serde_json::from_value(serde_json::json!({
            "status": "Failure", "code": code, "message": "m", "reason": "r",
            "details": {"name": name, "retryAfterSeconds": retry_s},
        }))
        .expect("a status");
        kube_error("try", "here", &kube::Error::Api(Box::new(status))).kind
    }

    #[test]
    fn answers_of_the_server_are_sorted_by_what_can_be_done() {
        assert_eq!(kind_of(404, "web", 0), ErrorKind::NotFound);
        assert_eq!(kind_of(404, "", 0), ErrorKind::NoSuchType);
        assert_eq!(kind_of(409, "web", 0), ErrorKind::Conflict);
        assert_eq!(kind_of(401, "", 0), ErrorKind::Denied);
        assert_eq!(kind_of(403, "", 0), ErrorKind::Denied);
        let throttled = ErrorKind::Throttled {
            after_ms: Some(3000),
        };
        assert_eq!(kind_of(429, "", 3), throttled);
        assert_eq!(kind_of(503, "", 0), ErrorKind::Unreachable);
        assert_eq!(kind_of(422, "web", 0), ErrorKind::Invalid);
        assert_eq!(kind_of(400, "web", 0), ErrorKind::Invalid);
    }

    #[test]
    fn of_a_long_message_no_word_is_kept_in_part() {
        let filler = "x".repeat(MESSAGE_CHARACTERS_MAX - 5);
        let status: Status = serde_json::from_value(serde_json::json!({
            "status": "Failure", "code": 422, "message": format!("{filler} hunter22"), "reason": "r",
        }))
        .expect("a status");
        assert_eq!(message(&status), format!("{filler} …"));
    }
}
