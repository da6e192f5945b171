//! The `provider "kubernetes"` block: from a kubeconfig to an open connection.
//!
//! Nothing of a kubeconfig but the names of contexts and the address of the server ever appears in an
//! error.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use drplan_api::Answer;
use drplan_api::Arg;
use drplan_api::Ask;
use drplan_api::Conn;
use drplan_api::Connecting;
use drplan_api::Connector;
use drplan_api::Doors;
use drplan_api::Effect;
use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::Given;
use drplan_api::Network;
use drplan_api::ProviderError;
use drplan_api::Right;
use drplan_api::Schema;
use drplan_api::Standing;
use drplan_api::System;
use drplan_api::TargetId;
use drplan_api::Type;
use kube::Client;
use kube::Config;
use kube::client::ConfigExt as _;
use kube::config::ExecInteractiveMode;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;
use kube::config::KubeconfigError;
use serde::Deserialize;
use tower::BoxError;
use tower::ServiceBuilder;

use crate::KubeConn;
use crate::asks;
use crate::direct::direct_client;
use crate::recall;
use crate::rights;
use crate::session::Opened;

/// How long opening a connection may take, credential plugins included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);
/// How long one request may take unless the block says otherwise.
const REQUEST_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// How many requests run at once unless the block says otherwise.
const REQUESTS_MAX_DEFAULT: usize = 8;
/// The most that a block may ask for.
const REQUESTS_MAX_LIMIT: usize = 256;

/// Kubernetes clusters as targets.
#[derive(Clone, Copy, Debug, Default)]
pub struct KubernetesSystem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Block {
    kubeconfig: Option<String>,
    kubeconfig_path: Option<String>,
    context: Option<String>,
    request_timeout: Option<String>,
    requests_max: Option<usize>,
}

impl System for KubernetesSystem {
    fn name(&self) -> &'static str {
        "kubernetes"
    }

    fn schema(&self) -> Schema {
        Schema {
            args: vec![
                Arg::optional(
                    "kubeconfig",
                    Type::String,
                    "The content of a kubeconfig. Usually a secret, often made by a `command`.",
                )
                .secret(),
                Arg::optional(
                    "kubeconfig_path",
                    Type::String,
                    "The path of a kubeconfig, relative to the folder of the spec. Instead of `kubeconfig`.",
                ),
                Arg::optional(
                    "context",
                    Type::String,
                    "The context of the kubeconfig; without it the current one.",
                ),
                Arg::optional(
                    "request_timeout",
                    Type::Duration,
                    "How long one request may take, 30 seconds by default.",
                ),
                Arg::optional(
                    "requests_max",
                    Type::Number,
                    "How many requests may run at once, 8 by default.",
                ),
            ],
            exports: Vec::new(),
        }
    }

    fn check(&self, given: &mut Given<'_>) {
        given.not_both("kubeconfig", "kubeconfig_path");
        if !given.has("kubeconfig") && !given.has("kubeconfig_path") {
            let because = "neither `kubeconfig` nor `kubeconfig_path` is given";
            let hint = "add `kubeconfig_path = \"…\"` to the provider block";
            given.refuse("kubeconfig", because, Some(hint));
        }
        given.says_something("kubeconfig_path");
        given.says_something("context");
        given.is_length("request_timeout");
        given.is_whole("requests_max", 1..=REQUESTS_MAX_LIMIT as i64);
    }

    fn connect<'a>(&'a self, cx: &'a Connecting) -> Fut<'a, Result<Arc<dyn Conn>, ProviderError>> {
        Box::pin(async move {
            let conn = in_time(cx, open(cx)).await?;
            Ok(Arc::new(conn) as Arc<dyn Conn>)
        })
    }

    fn rights_to_ask(&self, asks: &[&Ask]) -> Vec<Right> {
        rights::to_ask(asks)
    }

    fn rights_to_do(&self, effect: &Effect) -> Vec<Right> {
        rights::to_do(effect)
    }

    fn may(&self, right: &Right) -> Option<Ask> {
        Some(Ask::new(asks::MAY, right))
    }

    fn untold(&self, effect: &Effect) -> Option<String> {
        rights::untold(effect)
    }

    fn grant(&self, rights: &[Right], of: &str, to: &str) -> String {
        rights::grant(rights, of, to)
    }

    fn recall(&self, who: &TargetId, answers: &[(&Ask, &Answer)]) -> Vec<Standing> {
        recall::standing(who, answers)
    }
}

async fn in_time<T>(
    cx: &Connecting,
    opening: impl Future<Output = Result<T, ProviderError>>,
) -> Result<T, ProviderError> {
    tokio::time::timeout(CONNECT_TIMEOUT, opening)
        .await
        .unwrap_or_else(|_| {
            Err(refused(cx, ErrorKind::Unreachable).because(format!(
                "the connection was not open after {} s; a credential plugin may be waiting",
                CONNECT_TIMEOUT.as_secs()
            )))
        })
}

fn refused(cx: &Connecting, kind: ErrorKind) -> ProviderError {
    ProviderError::new(kind, "open the connection", cx.id.as_str())
}

async fn open(cx: &Connecting) -> Result<KubeConn, ProviderError> {
    let block = block(cx)?;
    let request_timeout = request_timeout(cx, block.request_timeout.as_deref())?;
    let requests_max = block
        .requests_max
        .unwrap_or(REQUESTS_MAX_DEFAULT)
        .clamp(1, REQUESTS_MAX_LIMIT);
    let opened = log_in(cx).await?;
    let conn = KubeConn::new(opened.client, opened.server, request_timeout, requests_max);
    let again = cx.clone();
    let log_in_again = move || {
        let cx = again.clone();
        Box::pin(async move { in_time(&cx, log_in(&cx)).await }) as Fut<'static, _>
    };
    Ok(conn
        .with_kubeconfig(opened.kubeconfig)
        .renewed_by(Box::new(log_in_again)))
}

fn block(cx: &Connecting) -> Result<Block, ProviderError> {
    serde_json::from_value(cx.config.clone()).map_err(|_| {
        // The text of the error may quote a value, and the values are credentials.
        refused(cx, ErrorKind::Invalid).because("the arguments of the provider block do not fit")
    })
}

/// Reads the kubeconfig, lets its credential plugin run, and makes a client.
async fn log_in(cx: &Connecting) -> Result<Opened, ProviderError> {
    // Whoever installed a provider first wins, and there is only ring in this program.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let block = block(cx)?;
    let kubeconfig = read_kubeconfig(cx, &block)?;
    let for_tools = kubeconfig_text(cx, kubeconfig.clone(), block.context.as_deref())?;
    let config = choose_context(cx, kubeconfig, block.context.as_deref()).await?;
    let server = config.cluster_url.to_string();
    let server = server.trim_end_matches('/').to_owned();
    let client = build_client(config, &cx.doors)
        .await
        .map_err(|e| crate::kube_error("open the connection", &server, &e))?;
    Ok(Opened {
        client,
        server,
        kubeconfig: for_tools,
    })
}

/// Writes the kubeconfig down for tools, with the chosen context as the current one. JSON is YAML.
fn kubeconfig_text(
    cx: &Connecting,
    mut kubeconfig: Kubeconfig,
    context: Option<&str>,
) -> Result<String, ProviderError> {
    if let Some(context) = context {
        kubeconfig.current_context = Some(context.to_owned());
    }
    serde_json::to_string(&kubeconfig).map_err(|_| {
        // The text of the error may quote a value, and the values are credentials.
        refused(cx, ErrorKind::Bug).because("the kubeconfig cannot be written down")
    })
}

fn request_timeout(cx: &Connecting, text: Option<&str>) -> Result<Duration, ProviderError> {
    let Some(text) = text else {
        return Ok(REQUEST_TIMEOUT_DEFAULT);
    };
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|d| Duration::try_from(d).ok())
        .filter(|d| !d.is_zero())
        .ok_or_else(|| {
            refused(cx, ErrorKind::Invalid)
                .because(format!("`request_timeout` is `{text}`"))
                .hint("write a length of time such as \"30s\"")
        })
}

fn read_kubeconfig(cx: &Connecting, block: &Block) -> Result<Kubeconfig, ProviderError> {
    match (&block.kubeconfig, &block.kubeconfig_path) {
        (Some(text), None) => {
            let parsed = Kubeconfig::from_yaml(text);
            parsed.map_err(|e| kubeconfig_error(cx, "`kubeconfig`", &e))
        }
        (None, Some(path)) => {
            let path = cx.base_dir.join(Path::new(path));
            Kubeconfig::read_from(&path)
                .map_err(|e| kubeconfig_error(cx, &format!("`{}`", path.display()), &e))
        }
        (Some(_), Some(_)) => Err(refused(cx, ErrorKind::Invalid)
            .because("both `kubeconfig` and `kubeconfig_path` are given")
            .hint("remove one of them")),
        (None, None) => Err(refused(cx, ErrorKind::Invalid)
            .because("neither `kubeconfig` nor `kubeconfig_path` is given")
            .hint("add `kubeconfig_path = \"…\"` to the provider block")),
    }
}

async fn choose_context(
    cx: &Connecting,
    mut kubeconfig: Kubeconfig,
    context: Option<&str>,
) -> Result<Config, ProviderError> {
    let names: Vec<_> = kubeconfig
        .contexts
        .iter()
        .map(|c| format!("`{}`", c.name))
        .collect();
    for auth in &mut kubeconfig.auth_infos {
        silence_plugin(auth);
    }
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let mut config = config.map_err(|e| {
        let error = kubeconfig_error(cx, "the kubeconfig", &e);
        match e {
            KubeconfigError::LoadContext(_) | KubeconfigError::CurrentContextNotSet => {
                error.hint(format!("it has the contexts {}", names.join(", ")))
            }
            _ => error,
        }
    })?;
    if config.accept_invalid_certs {
        return Err(refused(cx, ErrorKind::Invalid)
            .because("the kubeconfig says `insecure-skip-tls-verify: true`")
            .hint("put the cluster's CA into `certificate-authority-data` instead"));
    }
    // The one layer of retries is the engine's.
    config.default_retry = false;
    Ok(config)
}

/// A plugin that may ask questions would wait for a terminal and write over the plan; one that may not
/// has its complaints captured.
fn silence_plugin(auth: &mut kube::config::NamedAuthInfo) {
    let exec = auth.auth_info.as_mut().and_then(|a| a.exec.as_mut());
    if let Some(exec) = exec
        && exec.interactive_mode != Some(ExecInteractiveMode::Always)
    {
        exec.interactive_mode = Some(ExecInteractiveMode::Never);
    }
}

/// Credential plugins run, blocking, while the client is built.
async fn build_client(config: Config, doors: &Doors) -> Result<Client, kube::Error> {
    let network = doors.network.clone();
    let build = move || match network {
        Some(network) => private_client(&config, network),
        None if config.proxy_url.is_none() => direct_client(&config),
        None => Client::try_from(config),
    };
    tokio::task::spawn_blocking(build)
        .await
        .unwrap_or_else(|e| Err(kube::Error::Service(Box::new(e))))
}

/// A client that sends the same requests over a private network. It starts no credential plugin and
/// reads no token file.
///
/// # Errors
///
/// If the credentials of the configuration cannot be used.
pub fn private_client(config: &Config, network: Arc<dyn Network>) -> Result<Client, kube::Error> {
    let mut config = config.clone();
    // Plugins and token files belong to another network and may be real.
    config.auth_info.exec = None;
    config.auth_info.auth_provider = None;
    config.auth_info.token_file = None;
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(config.extra_headers_layer()?)
        .option_layer(config.auth_layer()?)
        .map_err(BoxError::from)
        .service(Connector::new(network).client());
    Ok(Client::new(service, config.default_namespace.clone()))
}

fn kubeconfig_error(cx: &Connecting, what: &str, error: &KubeconfigError) -> ProviderError {
    let out = refused(cx, ErrorKind::Invalid);
    match error {
        // The message of the YAML reader quotes the text around the error.
        KubeconfigError::Parse(e) => match e.location() {
            Some(at) => out.because(format!(
                "{what} is not a kubeconfig (line {}, column {})",
                at.line(),
                at.column()
            )),
            None => out.because(format!("{what} is not a kubeconfig")),
        },
        KubeconfigError::LoadContext(name) => {
            out.because(format!("{what} has no context `{name}`"))
        }
        KubeconfigError::CurrentContextNotSet => {
            out.because(format!("{what} has no current context"))
        }
        KubeconfigError::LoadClusterOfContext(name) => {
            out.because(format!("{what} has no cluster `{name}`"))
        }
        KubeconfigError::ReadConfig(e, _) => {
            out.because(format!("{what} cannot be read")).caused_by(e)
        }
        KubeconfigError::MissingClusterUrl => {
            out.because(format!("the cluster in {what} has no `server`"))
        }
        KubeconfigError::ParseClusterUrl(_) => out.because(format!(
            "the `server` of the cluster in {what} is not a URL"
        )),
        KubeconfigError::LoadCertificateAuthority(_) | KubeconfigError::ParseCertificates(_) => out
            .because(format!(
                "the certificate authority in {what} cannot be read"
            )),
        KubeconfigError::LoadClientCertificate(_) | KubeconfigError::LoadClientKey(_) => out
            .because(format!(
                "the client certificate or key in {what} cannot be read"
            )),
        _ => out.because(format!("{what} cannot be used")),
    }
}
