//! Clients that reach a server over TLS, as a kubeconfig says.
//!
//! They neither retry nor use a proxy: every answer is the server's own. Knows nothing about who
//! they are.

use std::sync::Once;

use anyhow::Result;
use kube::Client;
use kube::Config;
use kube::config::AuthInfo;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;

/// A client with the credentials of the kubeconfig, and one without any.
pub(crate) struct Pair {
    pub(crate) known: Client,
    pub(crate) anonymous: Client,
}

/// Opens the clients of a kubeconfig.
pub(crate) async fn open(kubeconfig: Kubeconfig) -> Result<Pair> {
    static PROVIDER: Once = Once::new();
    // Fails only when the program chose a provider before, and then that one serves.
    PROVIDER.call_once(|| {
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
    });
    let mut config =
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.proxy_url = None;
    config.default_retry = false;
    let known = Client::try_from(config.clone())?;
    config.auth_info = AuthInfo::default();
    let anonymous = Client::try_from(config)?;
    Ok(Pair { known, anonymous })
}
