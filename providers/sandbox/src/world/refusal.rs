//! How servers that are in trouble refuse: each in the words of its own system.

use axum::body::Body;
use http::HeaderValue;
use http::Response;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::header::RETRY_AFTER;
use serde_json::Value;
use serde_json::json;

use crate::route53::Fault;

/// After how many seconds a throttled client may try again.
const RETRY_AFTER_S: u64 = 2;

/// Which system an HTTP server of the world is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// A Kubernetes API.
    Kubernetes,
    /// An object store.
    ObjectStore,
    /// Route 53.
    Dns,
    /// Whatever runs behind a load balancer.
    Page,
}

/// How a server that is in trouble answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too many requests, mostly with the time after which to try again.
    Throttled,
    /// An earlier change of the same zone is still under way.
    Busy,
    /// An internal error.
    Internal,
    /// Not now.
    Unavailable,
    /// It took too long.
    TimedOut,
    /// What stands in front of the server does not reach it, and says so in its own way.
    NoServer,
    /// The token, which was good for the request before, is not any more.
    Expired,
}

/// An answer before it is one.
struct Said {
    status: StatusCode,
    kind: &'static str,
    body: String,
}

impl Refusal {
    /// The answer of a server of this system.
    pub(super) fn of(self, service: Service) -> Response<Body> {
        let said = match service {
            Service::Kubernetes => self.kubernetes(),
            Service::ObjectStore => self.object_store(),
            Service::Dns => self.dns(),
            Service::Page => None,
        };
        let said = said.unwrap_or_else(|| self.proxy());
        let mut response = Response::new(Body::from(said.body));
        *response.status_mut() = said.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(said.kind));
        if said.status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(RETRY_AFTER, RETRY_AFTER_S.into());
        }
        response
    }

    /// What an API server says; of too many requests it tells in plain text.
    fn kubernetes(self) -> Option<Said> {
        let (code, reason, message) = match self {
            Self::Throttled => {
                return Some(Said {
                    status: StatusCode::TOO_MANY_REQUESTS,
                    kind: "text/plain; charset=utf-8",
                    body: "Too many requests, please try again later.\n".to_owned(),
                });
            }
            Self::Internal => (500, None, "etcdserver: request timed out"),
            Self::Unavailable => (
                503,
                Some("ServiceUnavailable"),
                "the server is currently unable to handle the request",
            ),
            Self::TimedOut => (
                504,
                Some("Timeout"),
                "Timeout: request did not complete within the allotted timeout",
            ),
            Self::Expired => (401, Some("Unauthorized"), "Unauthorized"),
            Self::Busy | Self::NoServer => return None,
        };
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "code": code,
        });
        if let Some(reason) = reason {
            status["reason"] = Value::from(reason);
        }
        Some(Said {
            status: StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            kind: "application/json",
            body: status.to_string(),
        })
    }

    /// What an object store says.
    fn object_store(self) -> Option<Said> {
        let (status, code, message) = match self {
            Self::Throttled => (
                StatusCode::SERVICE_UNAVAILABLE,
                "SlowDown",
                "Please reduce your request rate.",
            ),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalError",
                "We encountered an internal error. Please try again.",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailable",
                "Service is unable to handle request.",
            ),
            _ => return None,
        };
        Some(Said {
            status,
            kind: "application/xml",
            body: format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
            ),
        })
    }

    /// What Route 53 says.
    fn dns(self) -> Option<Said> {
        let fault = match self {
            Self::Throttled => Fault::Throttling,
            Self::Busy => Fault::PriorRequestNotComplete,
            Self::Internal => Fault::Internal,
            Self::Unavailable => Fault::Unavailable,
            _ => return None,
        };
        let (status, body) = fault.answer()?;
        Some(Said {
            status,
            kind: "text/xml",
            body,
        })
    }

    /// What a bare proxy says, which knows no system.
    fn proxy(self) -> Said {
        let (status, why) = match self {
            Self::Throttled | Self::Busy => (StatusCode::TOO_MANY_REQUESTS, "Slow down."),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "An internal server error occurred.",
            ),
            Self::Unavailable | Self::NoServer => (
                StatusCode::SERVICE_UNAVAILABLE,
                "No server is available to handle this request.",
            ),
            Self::TimedOut => (
                StatusCode::GATEWAY_TIMEOUT,
                "The server didn't respond in time.",
            ),
            Self::Expired => (StatusCode::UNAUTHORIZED, "Access is denied."),
        };
        let body = format!("<html><body><h1>{status}</h1>\n{why}\n</body></html>\n");
        Said {
            status,
            kind: "text/html",
            body,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tower::service_fn;

    use super::*;

    const ALL: [Refusal; 7] = [
        Refusal::Throttled,
        Refusal::Busy,
        Refusal::Internal,
        Refusal::Unavailable,
        Refusal::TimedOut,
        Refusal::NoServer,
        Refusal::Expired,
    ];

    async fn text(refusal: Refusal, service: Service) -> (u16, String) {
        let response = refusal.of(service);
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 16).await;
        let text = String::from_utf8(bytes.expect("a body").into());
        (status, text.expect("text"))
    }

    #[tokio::test]
    async fn each_system_refuses_in_its_own_words() {
        use Refusal::*;
        for (service, refusal, status, words) in [
            (Service::Kubernetes, Throttled, 429, "try again later"),
            (Service::Kubernetes, Internal, 500, "\"kind\":\"Status\""),
            (Service::Kubernetes, TimedOut, 504, "\"reason\":\"Timeout\""),
            (Service::Kubernetes, NoServer, 503, "<html>"),
            (
                Service::ObjectStore,
                Throttled,
                503,
                "<Code>SlowDown</Code>",
            ),
            (
                Service::ObjectStore,
                Internal,
                500,
                "<Code>InternalError</Code>",
            ),
            (Service::ObjectStore, TimedOut, 504, "<html>"),
            (Service::Dns, Throttled, 400, "<Code>Throttling</Code>"),
            (
                Service::Dns,
                Busy,
                400,
                "<Code>PriorRequestNotComplete</Code>",
            ),
            (Service::Dns, Internal, 500, "<Code>InternalFailure</Code>"),
            (Service::Page, Unavailable, 503, "<html>"),
        ] {
            let (code, said) = text(refusal, service).await;
            assert_eq!(code, status, "{service:?} {refusal:?}");
            assert!(said.contains(words), "{service:?} {refusal:?}: {said}");
        }
    }

    /// Whatever a server in trouble answers to a write, it may have taken place; only an expired token
    /// says that it did not.
    #[tokio::test]
    async fn drplan_takes_no_trouble_of_a_cluster_for_a_refusal() {
        for refusal in ALL {
            let server = service_fn(move |_: http::Request<kube::client::Body>| async move {
                Ok::<_, Infallible>(refusal.of(Service::Kubernetes))
            });
            let client = kube::Client::new(server, "default");
            let error = client.apiserver_version().await.expect_err("it refuses");
            let error = drplan_kubernetes::kube_error("ask", "b", &error);
            let expired = refusal == Refusal::Expired;
            assert_eq!(error.is_transient(), !expired, "{refusal:?}: {error}");
        }
    }
}
