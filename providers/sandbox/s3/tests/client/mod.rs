//! AWS's own client over a store in the same process.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::BehaviorVersion;
use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::config::Region;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::error::SdkError;
use aws_smithy_runtime_api::client::http::HttpClient;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::http::HttpConnectorFuture;
use aws_smithy_runtime_api::client::http::HttpConnectorSettings;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use drplan_sandbox_s3::Store;
use drplan_sandbox_s3::StoreService;
use tower::ServiceExt as _;

/// The most that an answer may hold.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Carries requests to a store in the same process.
#[derive(Debug, Clone)]
struct InProcess(StoreService, Uploads);

/// How much of a body reaches the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Uploads {
    Whole,
    /// Half of it, and then the connection breaks.
    Half,
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (service, uploads) = (self.0.clone(), self.1);
        HttpConnectorFuture::new(async move {
            let mut request = request
                .try_into_http1x()
                .map_err(|e| ConnectorError::user(e.into()))?;
            if let Some(host) = request.uri().host().map(str::to_owned) {
                let host = host
                    .parse()
                    .map_err(|_| ConnectorError::user("a host".into()))?;
                request.headers_mut().entry("host").or_insert(host);
            }
            let (parts, body) = request.into_parts();
            let mut body = axum::body::Body::new(body);
            if uploads == Uploads::Half {
                let bytes = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await;
                let bytes = bytes.map_err(|e| ConnectorError::io(e.into()))?;
                let half = bytes.slice(..bytes.len() / 2);
                let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
                let stream = futures::stream::iter([Ok(half), Err(reset)]);
                body = axum::body::Body::from_stream(stream);
            }
            let request = http::Request::from_parts(parts, body);
            let Ok(response) = service.oneshot(request).await;
            let (parts, body) = response.into_parts();
            let body = axum::body::to_bytes(body, ANSWER_BYTES_MAX)
                .await
                .map_err(|e| ConnectorError::io(e.into()))?;
            http::Response::from_parts(parts, SdkBody::from(body))
                .try_into()
                .map_err(|e| ConnectorError::other(Box::from(e), None))
        })
    }
}

impl HttpClient for InProcess {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// A client without retries, in process.
pub(crate) fn in_process(store: &Store, key: &str, secret: &str) -> Client {
    uploading(store, key, secret, Uploads::Whole)
}

/// The same, which may lose its connection while it sends a body.
pub(crate) fn uploading(store: &Store, key: &str, secret: &str, uploads: Uploads) -> Client {
    Client::from_conf(
        config(key, secret)
            .endpoint_url("http://store.invalid")
            .http_client(InProcess(store.service(), uploads))
            .build(),
    )
}

pub(crate) fn config(key: &str, secret: &str) -> aws_sdk_s3::config::Builder {
    aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new(key, secret, None, None, "test"))
        .force_path_style(true)
        .retry_config(RetryConfig::disabled())
}

/// What came of a request: `ok`, or status and code of the refusal.
pub(crate) fn outcome<T, E>(result: &Result<T, SdkError<E, HttpResponse>>) -> String
where
    E: ProvideErrorMetadata + std::fmt::Debug,
{
    match result {
        Ok(_) => "ok".to_owned(),
        Err(SdkError::ServiceError(error)) => {
            let status = error.raw().status().as_u16();
            let code = error.err().code().unwrap_or("-");
            format!("{status} {code}")
        }
        Err(SdkError::ResponseError(error)) => {
            format!("{} unread", error.raw().status().as_u16())
        }
        Err(error) => format!("no answer: {error:?}"),
    }
}
