//! The client of a cluster that is reached without a proxy, as `kube` makes it, but for one thing: small requests
//! leave at once. By default the second of two small packets waits until the first is acknowledged, which a server
//! may put off for 40 ms, on every new connection.

use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::Client;
use kube::Config;
use kube::client::Body;
use kube::client::ConfigExt as _;
use tower::BoxError;
use tower::ServiceBuilder;
use tower_http::decompression::DecompressionLayer;

/// Builds the client. How long a request may take is bounded by who makes it.
///
/// # Errors
///
/// If the credentials of the configuration cannot be used.
pub(crate) fn direct_client(config: &Config) -> Result<Client, kube::Error> {
    let mut connector = HttpConnector::new();
    // The scheme may be that of TLS, which comes on top.
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(config.connect_timeout);
    let connector = config.rustls_https_connector_with_connector(connector)?;
    let client = HttpClient::builder(TokioExecutor::new()).build::<_, Body>(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(DecompressionLayer::new().gzip(!config.disable_compression))
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(client);
    Ok(Client::new(service, config.default_namespace.clone()))
}
