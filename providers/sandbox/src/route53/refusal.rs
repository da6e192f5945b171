//! What the server answers instead of doing what was asked, with AWS's codes and wording.

use http::StatusCode;

/// One refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    /// Refuses a whole batch; the messages stand in one pair of brackets, as AWS writes them.
    pub(crate) fn invalid_batch(messages: &[String]) -> Self {
        let message = format!("[{}]", messages.join(", "));
        Self::new(StatusCode::BAD_REQUEST, "InvalidChangeBatch", message)
    }

    pub(crate) fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidInput", message)
    }

    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "MalformedInput", message)
    }

    pub(crate) fn invalid_name(name: &str) -> Self {
        let message = format!("DNS name {name} is invalid");
        Self::new(StatusCode::BAD_REQUEST, "InvalidDomainName", message)
    }

    pub(crate) fn no_such_zone(id: &str) -> Self {
        let message = format!("No hosted zone found with ID: {id}");
        Self::new(StatusCode::NOT_FOUND, "NoSuchHostedZone", message)
    }

    pub(crate) fn no_such_change(id: &str) -> Self {
        let message = format!("A change with the specified change ID does not exist: {id}");
        Self::new(StatusCode::NOT_FOUND, "NoSuchChange", message)
    }

    pub(crate) fn zone_exists(reference: &str) -> Self {
        let message = format!(
            "A hosted zone has already been created with the specified caller reference: {reference}"
        );
        Self::new(StatusCode::CONFLICT, "HostedZoneAlreadyExists", message)
    }

    pub(crate) fn access_denied(identity: &str, action: &str, resource: &str) -> Self {
        let message = format!(
            "User: arn:aws:iam::123456789012:user/{identity} is not authorized to perform: \
             route53:{action} on resource: {resource} because no identity-based policy allows \
             the route53:{action} action"
        );
        Self::new(StatusCode::FORBIDDEN, "AccessDenied", message)
    }

    pub(crate) fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    pub(crate) fn incomplete_signature(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "IncompleteSignature", message)
    }

    pub(crate) fn throttled() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Throttling", "Rate exceeded")
    }

    pub(crate) fn prior_request_not_complete() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "PriorRequestNotComplete",
            "The request was rejected because Route 53 was still processing a prior request.",
        )
    }

    pub(crate) fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceUnavailable",
            "The request has failed due to a temporary failure of the server.",
        )
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalFailure",
            message,
        )
    }

    pub(crate) fn unknown_operation() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "UnknownOperationException",
            "The sandbox does not serve this method and path.",
        )
    }

    pub(crate) fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            "The request body is larger than the sandbox reads.",
        )
    }
}
