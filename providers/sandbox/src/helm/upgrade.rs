//! `helm upgrade --install`: objects by server-side apply, the release in a Secret.

#![expect(clippy::disallowed_methods, reason = "a kubeconfig is a file")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use drplan_api::Clock;
use drplan_api::Network;
use drplan_kubernetes::private_client;
use drplan_kubernetes::ready::Ready;
use drplan_kubernetes::ready::ready;
use kube::Client;
use kube::Config;
use kube::api::Api;
use kube::api::DeleteParams;
use kube::api::DynamicObject;
use kube::api::ListParams;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::api::PostParams;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;
use kube::core::ApiResource;
use kube::core::GroupVersionKind;
use kube::discovery::Scope;
use serde_json::Value;
use serde_json::json;

use super::arguments::Wanted;
use super::chart::Chart;
use super::release;
use super::release::Revision;

/// How often readiness is asked for.
const POLL: Duration = Duration::from_secs(2);
/// Under which name fields are owned.
const MANAGER: &str = "helm";
/// What marks an object as one of a release.
const RELEASE_NAME: &str = "meta.helm.sh/release-name";
const RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

struct Upgrade<'a> {
    wanted: &'a Wanted,
    client: Client,
    clock: &'a Clock,
}

pub(super) async fn upgrade(
    wanted: &Wanted,
    network: Arc<dyn Network>,
    clock: &Clock,
) -> Result<String, String> {
    let client = client(wanted, network).await?;
    Upgrade {
        wanted,
        client,
        clock,
    }
    .run()
    .await
}

async fn client(wanted: &Wanted, network: Arc<dyn Network>) -> Result<Client, String> {
    let unreachable = |why: String| format!("Kubernetes cluster unreachable: {why}");
    let text =
        std::fs::read_to_string(&wanted.kubeconfig).map_err(|e| unreachable(e.to_string()))?;
    // What a reader of kubeconfigs says may quote a credential.
    let kubeconfig = Kubeconfig::from_yaml(&text)
        .map_err(|_| unreachable("the kubeconfig cannot be read".to_owned()))?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let config = config.map_err(|_| unreachable("the kubeconfig has no context".to_owned()))?;
    private_client(&config, network).map_err(|e| unreachable(e.to_string()))
}

impl Upgrade<'_> {
    async fn run(&self) -> Result<String, String> {
        let chart = Chart::open(&self.wanted.chart)?;
        if self.wanted.create_namespace {
            self.make_namespace().await?;
        }
        let known = self.revisions().await?;
        let newest = known.last();
        if let Some(pending) = newest.filter(|r| r.status.starts_with("pending-")) {
            return Err(format!(
                "another operation (install/upgrade/rollback) is in progress: revision {} is {}",
                pending.number, pending.status
            ));
        }
        let number = newest.map_or(1, |r| r.number + 1);
        let rendered = chart.render(self.wanted, number)?;
        self.all_ours(&rendered.objects).await?;
        for crd in &rendered.crds {
            self.make_if_absent(crd).await?;
        }
        let secret = release::secret(self.wanted, &rendered, number, self.clock.now());
        let secret = secret.ok_or("the release cannot be written down")?;
        self.secrets()
            .create(&PostParams::default(), &object(&secret)?)
            .await
            .map_err(said)?;
        let done = self.make(&rendered.objects, newest).await;
        let status = if done.is_ok() { "deployed" } else { "failed" };
        for revision in self.revisions().await? {
            if revision.number == number {
                self.settle(&revision, status).await?;
            } else if done.is_ok() && revision.status == "deployed" {
                self.settle(&revision, "superseded").await?;
            }
        }
        done.map(|()| {
            format!(
                "Release \"{}\" has been upgraded. Happy Helming!\n",
                self.wanted.name
            )
        })
    }

    async fn settle(&self, revision: &Revision, status: &str) -> Result<(), String> {
        let secret = revision.with_status(status, self.clock.now());
        let secret = secret.ok_or("the release cannot be read")?;
        let name = secret["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let (api, secret) = (self.secrets(), object(&secret)?);
        let replaced = api.replace(&name, &PostParams::default(), &secret).await;
        replaced.map(drop).map_err(said)
    }

    fn secrets(&self) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Secret"));
        Api::namespaced_with(self.client.clone(), &self.wanted.namespace, &resource)
    }

    async fn revisions(&self) -> Result<Vec<Revision>, String> {
        let labels = format!("owner=helm,name={}", self.wanted.name);
        let params = ListParams::default().labels(&labels);
        let list = self.secrets().list(&params).await.map_err(said)?;
        let secrets = list
            .items
            .into_iter()
            .filter_map(|o| serde_json::to_value(o).ok());
        Ok(Revision::among(secrets.collect()))
    }

    async fn make_namespace(&self) -> Result<(), String> {
        self.make_if_absent(&json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": { "name": self.wanted.namespace, "labels": { "name": self.wanted.namespace } },
        }))
        .await
    }

    async fn make_if_absent(&self, value: &Value) -> Result<(), String> {
        let api = self.api(value).await?;
        match api.create(&PostParams::default(), &object(value)?).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            other => other.map(drop).map_err(said),
        }
    }

    /// Refuses objects that somebody else made, before anything is written.
    async fn all_ours(&self, objects: &[Value]) -> Result<(), String> {
        for value in objects {
            let name = name(value);
            let found = match self.api(value).await {
                Ok(api) => api.get_opt(name).await.map_err(said)?,
                // Its type may come with the chart.
                Err(_) => None,
            };
            let Some(found) = found else { continue };
            let annotations = found.metadata.annotations.unwrap_or_default();
            if annotations.get(RELEASE_NAME) != Some(&self.wanted.name)
                || annotations.get(RELEASE_NAMESPACE) != Some(&self.wanted.namespace)
            {
                return Err(format!(
                    "Unable to continue with install: {} \"{name}\" in namespace \"{}\" exists and cannot be imported into the current release: invalid ownership metadata",
                    value["kind"].as_str().unwrap_or_default(),
                    self.wanted.namespace,
                ));
            }
        }
        Ok(())
    }

    async fn make(&self, objects: &[Value], before: Option<&Revision>) -> Result<(), String> {
        for value in objects {
            let mut value = value.clone();
            for part in ["/metadata", "/metadata/labels", "/metadata/annotations"] {
                if value
                    .pointer(part)
                    .is_some_and(|v| !v.is_object() && !v.is_null())
                {
                    return Err(format!("{} of {} is no map", part, name(&value)));
                }
            }
            value["metadata"]["labels"][MANAGED_BY] = "Helm".into();
            value["metadata"]["annotations"][RELEASE_NAME] = self.wanted.name.as_str().into();
            value["metadata"]["annotations"][RELEASE_NAMESPACE] =
                self.wanted.namespace.as_str().into();
            let api = self.api(&value).await?;
            let params = PatchParams::apply(MANAGER).force();
            api.patch(name(&value), &params, &Patch::Apply(&value))
                .await
                .map_err(said)?;
        }
        let key = |o: &Value| {
            [&o["apiVersion"], &o["kind"], &o["metadata"]["name"]].map(Value::to_string)
        };
        let kept: BTreeSet<_> = objects.iter().map(key).collect();
        for old in before.map(Revision::objects).unwrap_or_default() {
            if !kept.contains(&key(&old)) {
                let api = self.api(&old).await?;
                match api.delete(name(&old), &DeleteParams::default()).await {
                    Err(kube::Error::Api(status)) if status.is_not_found() => {}
                    other => drop(other.map_err(said)?),
                }
            }
        }
        if self.wanted.wait {
            self.until_ready(objects).await?;
        }
        Ok(())
    }

    async fn until_ready(&self, objects: &[Value]) -> Result<(), String> {
        let all = async {
            for value in objects {
                loop {
                    let found = self
                        .api(value)
                        .await?
                        .get(name(value))
                        .await
                        .map_err(said)?;
                    let found = serde_json::to_value(found).map_err(|e| e.to_string())?;
                    match ready(&found) {
                        Ready::Ready => break,
                        Ready::NotYet(_) => tokio::time::sleep(POLL).await,
                        Ready::Failed(why) => return Err(why),
                    }
                }
            }
            Ok(())
        };
        tokio::time::timeout(self.wanted.timeout, all)
            .await
            .unwrap_or_else(|_| Err("context deadline exceeded".to_owned()))
    }

    async fn api(&self, value: &Value) -> Result<Api<DynamicObject>, String> {
        let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
        let gvk = GroupVersionKind::gvk(group, version, &kind);
        let pinned = kube::discovery::pinned_kind(&self.client, &gvk).await;
        let (resource, capabilities) = pinned.map_err(|_| {
            format!(
                "unable to build kubernetes objects from release manifest: no matches for kind \"{kind}\" in version \"{api_version}\""
            )
        })?;
        let namespace = value["metadata"]["namespace"].as_str();
        Ok(match capabilities.scope {
            Scope::Cluster => Api::all_with(self.client.clone(), &resource),
            Scope::Namespaced => Api::namespaced_with(
                self.client.clone(),
                namespace.unwrap_or(&self.wanted.namespace),
                &resource,
            ),
        })
    }
}

fn name(value: &Value) -> &str {
    value["metadata"]["name"].as_str().unwrap_or_default()
}

fn object(value: &Value) -> Result<DynamicObject, String> {
    serde_json::from_value(value.clone()).map_err(|e| e.to_string())
}

fn said(error: kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}
