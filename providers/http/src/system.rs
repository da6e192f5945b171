//! The system `http`: how requests are made, and which certificates are trusted.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use drplan_api::Answer;
use drplan_api::Arg;
use drplan_api::Ask;
use drplan_api::Conn;
use drplan_api::Connecting;
use drplan_api::Doors;
use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::Given;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_api::Schema;
use drplan_api::System;
use drplan_api::TargetId;
use drplan_api::Type;
use futures::StreamExt as _;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;

use crate::answer::GetAsk;
use crate::answer::Reply;
use crate::client::Client;
use crate::spec::duration;

/// The question what an address answers.
pub(crate) const GET: &str = "get";

/// How long one request may take if the block does not say.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// How certificates are given.
const CA_FORM: &str = "give `ca` the certificate itself, as PEM: ca = file(\"ca.pem\")";
/// How many requests run at once.
const REQUESTS_AT_ONCE_MAX: usize = 16;

/// The system `http`. Its provider block may be left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpSystem;

/// A way to make HTTP requests.
///
/// It answers `get` (`{url, via, body_matches}`) with a [`Reply`], also when nobody answers.
pub struct HttpConn {
    client: Client,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Config {
    ca: Option<String>,
    timeout: Option<String>,
}

impl HttpConn {
    pub(crate) async fn get(&self, ask: &GetAsk) -> Reply {
        self.client.get(ask).await
    }

    async fn answer(&self, ask: &Ask) -> Answer {
        if ask.op != GET {
            return Err(bug(format!("answer the question `{}`", ask.op)));
        }
        let reply = self.get(&ask.args()?).await;
        serde_json::to_value(reply)
            .map(Arc::<Json>::new)
            .map_err(|e| bug("write an answer".to_owned()).caused_by(&e))
    }
}

fn bug(during: String) -> ProviderError {
    ProviderError::new(ErrorKind::Bug, during, "http")
}

fn invalid(target: &str, why: impl Into<String>) -> ProviderError {
    ProviderError::new(
        ErrorKind::Invalid,
        "read the arguments of an http provider",
        target,
    )
    .because(why)
}

fn open(config: &Json, target: &str, doors: &Doors) -> Result<Client, ProviderError> {
    let config = match config {
        Json::Null => Config::default(),
        json => Config::deserialize(json)
            .map_err(|e| invalid(target, "an argument is of the wrong type").caused_by(&e))?,
    };
    let timeout = duration("timeout", config.timeout.as_deref(), TIMEOUT_DEFAULT)
        .map_err(|why| invalid(target, why))?;
    let roots = match &config.ca {
        Some(pem) => given_roots(pem).map_err(|why| invalid(target, why).hint(CA_FORM))?,
        // A private network carries no TLS, and reading a machine's certificates takes its time.
        None if doors.network.is_some() => RootCertStore::empty(),
        None => machine_roots(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| bug("prepare TLS".to_owned()).caused_by(&e))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Client {
        tls: Arc::new(tls),
        timeout,
        doors: doors.clone(),
    })
}

fn given_roots(pem: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|e| format!("`ca` is no PEM text: {e}"))?;
        roots
            .add(certificate)
            .map_err(|e| format!("`ca` holds something that is no certificate: {e}"))?;
    }
    if roots.is_empty() {
        return Err("`ca` holds no certificate".to_owned());
    }
    Ok(roots)
}

/// A machine without certificates trusts nobody, which each request over TLS then says.
fn machine_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

impl System for HttpSystem {
    fn name(&self) -> &'static str {
        "http"
    }

    fn implicit(&self) -> bool {
        true
    }

    fn schema(&self) -> Schema {
        Schema {
            args: vec![
                Arg::optional(
                    "ca",
                    Type::String,
                    "The certificates to trust, as PEM text, in place of the machine's.",
                ),
                Arg::optional(
                    "timeout",
                    Type::Duration,
                    "How long one request may take. Default: 10s.",
                ),
            ],
            exports: Vec::new(),
        }
    }

    fn check(&self, given: &mut Given<'_>) {
        given.is_length("timeout");
        if let Some(pem) = given.text("ca") {
            let roots = given_roots(pem).map(drop);
            if let Err(because) = roots {
                given.refuse("ca", because, Some(CA_FORM));
            }
        }
    }

    fn connect<'a>(&'a self, cx: &'a Connecting) -> Fut<'a, Result<Arc<dyn Conn>, ProviderError>> {
        Box::pin(async move {
            let client = open(&cx.config, cx.id.as_str(), &cx.doors)?;
            Ok(Arc::new(HttpConn { client }) as Arc<dyn Conn>)
        })
    }
}

impl Conn for HttpConn {
    /// There is no one target: each check names its own.
    fn identity(&self) -> Fut<'_, Result<TargetId, ProviderError>> {
        Box::pin(async { Ok(TargetId("http".to_owned())) })
    }

    fn fetch<'a>(&'a self, asks: &'a [Ask]) -> Fut<'a, Vec<Answer>> {
        Box::pin(
            futures::stream::iter(asks.iter().map(|ask| self.answer(ask)))
                .buffered(REQUESTS_AT_ONCE_MAX)
                .collect(),
        )
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
