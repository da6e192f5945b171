//! The API over loopback, with TLS and tokens.

use drplan_api::Clock;
use drplan_sandbox_kubernetes::Cluster;
use drplan_sandbox_kubernetes::ClusterOptions;
use drplan_sandbox_kubernetes::ListenError;
use drplan_sandbox_kubernetes::listen;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::Client;
use kube::Config;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;

async fn client(kubeconfig: &str) -> Client {
    let file = Kubeconfig::from_yaml(kubeconfig).expect("a kubeconfig");
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(file, &options)
        .await
        .expect("a config");
    config.proxy_url = None;
    config.default_retry = false;
    Client::try_from(config).expect("a client")
}

#[tokio::test]
async fn a_kubeconfig_opens_the_cluster_and_no_token_does_not() {
    let cluster = Cluster::new(ClusterOptions::new("a", 1, Clock::system()));
    let anywhere = "127.0.0.1:0".parse().expect("an address");
    let listening = listen(&cluster, anywhere).await.expect("listening");
    let namespaces: Api<Namespace> = Api::all(client(&listening.kubeconfig("admin")).await);
    let system = namespaces.get("kube-system").await.expect("there");
    assert_eq!(system.metadata.uid, Some(cluster.uid()));

    let stranger: Api<Namespace> = Api::all(client(&listening.kubeconfig("nobody")).await);
    let refused = stranger.get("kube-system").await;
    assert!(matches!(refused, Err(kube::Error::Api(status)) if [401, 403].contains(&status.code)));

    cluster.stop();
    assert!(namespaces.get("kube-system").await.is_err());
    cluster.start_again();
    namespaces.get("kube-system").await.expect("there again");
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let cluster = Cluster::new(ClusterOptions::new("a", 1, Clock::system()));
    let anywhere = "127.0.0.1:0".parse().expect("an address");
    let listening = listen(&cluster, anywhere).await.expect("listening");
    let taken = listen(&cluster, listening.address).await;
    assert!(
        matches!(taken, Err(ListenError::Address { address, .. }) if address == listening.address)
    );
}
