//! The real kube-apiserver, with and without controllers.
//!
//! Sequences that need controllers come first; then the controllers are ended, so that nobody else
//! writes while the others run. Knows nothing about the sequences themselves.

use std::path::Path;

use anyhow::Context as _;
use anyhow::Result;
use drplan_harness::Components;
use drplan_harness::Ending;
use drplan_harness::Identity;
use drplan_harness::Part;
use drplan_harness::Site;
use drplan_harness::process::end_all;
use drplan_harness::site::UpOptions;
use kube::config::Kubeconfig;
use serde_json::json;

use crate::etcd;
use crate::recording::Origin;
use crate::request::Words;
use crate::sequence::Step;
use crate::sequence::Who;
use crate::server::Server;
use crate::tls;

/// The processes that write by themselves.
const CONTROLLERS: &[&str] = &["kube-controller-manager", "kube-scheduler", "kwok"];

/// A token that nobody gave out.
const STRANGE_TOKEN: &str = "not-a-token-of-this-server";

/// A real API server of a site of its own.
pub struct Real {
    site: Site,
    /// How it is asked.
    pub server: Server,
}

impl Real {
    /// Starts a control plane in a folder and gives the identities their rights.
    ///
    /// # Errors
    ///
    /// When a component is not built or does not come up.
    pub async fn start(folder: &Path) -> Result<Self> {
        let components = Components::locate()?;
        let mut options = UpOptions::with_this_program_as_keeper()?;
        options.nodes = 1;
        let parts = [Part::ControlPlane];
        let site = Site::start(folder, &components, "conformance", &parts, &options).await?;
        let server = connect(&site.kubeconfig(Identity::Admin)).await?;
        let etcd = site.process("etcd")?.context("the site has no etcd")?;
        let server = server.with_compaction(etcd::compaction(&etcd)?);
        let real = Self { site, server };
        real.give_rights().await?;
        Ok(real)
    }

    /// Ends everything that writes by itself.
    ///
    /// # Errors
    ///
    /// When a process cannot be ended.
    pub fn end_controllers(&self) -> Result<()> {
        let mut ending = Vec::new();
        for name in CONTROLLERS {
            ending.extend(self.site.process(name)?);
        }
        end_all(&ending.iter().collect::<Vec<_>>(), Ending::Abrupt)
    }

    /// Asks which version answers.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub async fn origin(&self) -> Result<Origin> {
        let version = self.ask("GET /version", None).await?;
        Ok(Origin {
            component: "kube-apiserver".into(),
            version: version["gitVersion"].as_str().unwrap_or("unknown").into(),
            licence: "Apache-2.0".into(),
            made_by: "cargo run -p drplan-conformance -- record".into(),
        })
    }

    /// Ends the site and deletes its folder.
    ///
    /// # Errors
    ///
    /// When a process cannot be ended.
    pub async fn end(self) -> Result<()> {
        self.site.destroy(Ending::Abrupt).await
    }

    async fn give_rights(&self) -> Result<()> {
        let group = "rbac.authorization.k8s.io";
        let api_version = format!("{group}/v1");
        let role = json!({
            "apiVersion": api_version, "kind": "ClusterRole", "metadata": {"name": "viewer"},
            "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}],
        });
        let binding = json!({
            "apiVersion": api_version, "kind": "ClusterRoleBinding", "metadata": {"name": "viewer"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "viewer"},
            "subjects": [{"apiGroup": group, "kind": "User", "name": "viewer"}],
        });
        let base = format!("POST /apis/{api_version}");
        self.ask(&format!("{base}/clusterroles"), Some(role))
            .await?;
        self.ask(&format!("{base}/clusterrolebindings"), Some(binding))
            .await?;
        Ok(())
    }

    async fn ask(&self, line: &str, body: Option<serde_json::Value>) -> Result<serde_json::Value> {
        let step: Step = serde_json::from_value(json!({"do": line, "body": body}))?;
        let request = crate::request::build(&step, &Words::new())?;
        let answer = self.server.call(Who::Admin, request).await?;
        let code = answer.status();
        let body = answer.into_body().collect_bytes().await?;
        anyhow::ensure!(
            code.is_success(),
            "{line}: {}",
            String::from_utf8_lossy(&body)
        );
        serde_json::from_slice(&body).with_context(|| format!("{line}: no JSON"))
    }
}

/// Opens a client for each identity of a server whose administrator may act for others.
async fn connect(kubeconfig: &Path) -> Result<Server> {
    let file = Kubeconfig::read_from(kubeconfig)
        .with_context(|| format!("in the kubeconfig `{}`", kubeconfig.display()))?;
    let clients = tls::open(file).await?;
    let strange = format!("Bearer {STRANGE_TOKEN}");
    let acting = |name| [("Impersonate-User", name)];
    Server::default()
        .with(Who::Admin, clients.known.clone(), &[])?
        .with(Who::Nobody, clients.known.clone(), &acting("nobody"))?
        .with(Who::Viewer, clients.known, &acting("viewer"))?
        .with(Who::Anonymous, clients.anonymous.clone(), &[])?
        .with(
            Who::Stranger,
            clients.anonymous,
            &[("Authorization", &strange)],
        )
}
