//! What Velero changes in objects of certain kinds on their way back.

mod claim;
mod definitions;
mod images;
mod plugin;
mod pod;
mod rights;
mod secret;
mod service;
mod storage_class;
mod wait;

use serde_json::Value;

use super::execute::Run;
use crate::archive::Path;

/// One of Velero's own plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    ClaimsOfPod,
    Images,
    StorageClass,
    Pod,
    Wait,
    Claim,
    Job,
    Subjects,
    Secret,
    Account,
    Service,
    Webhooks,
    ApiService,
}

/// What an action made of an object.
pub(super) struct Done {
    /// `None` when it must not come back.
    pub(super) object: Option<Value>,
    /// What must come back with it.
    pub(super) needs: Vec<Path>,
}

impl Done {
    fn with(object: Value) -> Self {
        Self {
            object: Some(object),
            needs: Vec::new(),
        }
    }
}

/// The actions for a resource, in the order of their names.
pub(super) fn of(resource: &str) -> &'static [Action] {
    match resource {
        "pods" => &[
            Action::ClaimsOfPod,
            Action::Images,
            Action::Pod,
            Action::Wait,
        ],
        "persistentvolumeclaims" => &[Action::StorageClass, Action::Claim],
        "persistentvolumes" => &[Action::StorageClass],
        "statefulsets.apps" => &[Action::Images, Action::StorageClass],
        "deployments.apps"
        | "daemonsets.apps"
        | "replicasets.apps"
        | "replicationcontrollers"
        | "cronjobs.batch" => &[Action::Images],
        "jobs.batch" => &[Action::Images, Action::Job],
        "clusterrolebindings.rbac.authorization.k8s.io"
        | "rolebindings.rbac.authorization.k8s.io" => &[Action::Subjects],
        "secrets" => &[Action::Secret],
        "serviceaccounts" => &[Action::Account],
        "services" => &[Action::Service],
        "mutatingwebhookconfigurations.admissionregistration.k8s.io"
        | "validatingwebhookconfigurations.admissionregistration.k8s.io" => &[Action::Webhooks],
        "apiservices.apiregistration.k8s.io" => &[Action::ApiService],
        _ => &[],
    }
}

/// Runs an action on an object. `original` is the object as it was backed up.
///
/// # Errors
///
/// When the object cannot come back this way.
pub(super) async fn run(
    action: Action,
    run: &Run<'_>,
    object: &Value,
    original: &Value,
) -> Result<Done, String> {
    let object = object.clone();
    match action {
        Action::ClaimsOfPod => Ok(pod::with_claims(object)),
        Action::Images => images::change(run, object).await.map(Done::with),
        Action::StorageClass => storage_class::change(run, object).await.map(Done::with),
        Action::Pod => Ok(pod::free(object)),
        Action::Wait => wait::hold(run, object, original).await.map(Done::with),
        Action::Claim => Ok(claim::free(object, original)),
        Action::Job => Ok(Done::with(definitions::job(object))),
        Action::Subjects => Ok(Done::with(rights::map_subjects(run, object))),
        Action::Secret => secret::check(run, object).await,
        Action::Account => Ok(Done::with(rights::without_token(object))),
        Action::Service => service::free(run, object).map(Done::with),
        Action::Webhooks => Ok(Done::with(definitions::webhooks(object))),
        Action::ApiService => Ok(definitions::api_service(object)),
    }
}

/// What the server's typed form of an object adds to it.
fn typed(mut object: Value) -> Value {
    object["metadata"]["creationTimestamp"] = Value::Null;
    object
}
