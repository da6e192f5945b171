//! What comes after an object was made: its status, who owns its fields, volumes, definitions.

use serde_json::Value;
use tokio::time::Instant;

use super::execute::Run;
use super::item::Coming;
use crate::kube_api::Place;
use crate::kube_api::Refusal;
use crate::outcome::Outcome;
use crate::server::RESOURCE_LIMIT;
use crate::text::annotation;
use crate::text::items;
use crate::text::name;

/// What an object says about the restore of its own status.
const STATUS: &str = "velero.io/restore-status";

/// What a pod says of commands that a real server would run in it.
const HOOKS: &[&str] = &[
    "init.hook.restore.velero.io/container-image",
    "post.hook.restore.velero.io/command",
];

/// How often a new definition is looked at.
const LOOK: std::time::Duration = std::time::Duration::from_secs(1);

/// How often a status is written again after a conflict.
const CONFLICTS_MAX: usize = 5;

impl Run<'_> {
    /// Does to a new object what it could not be made with.
    pub(super) async fn complete(
        &mut self,
        coming: &Coming<'_>,
        made: Value,
        status: &Value,
        from: &str,
        outcome: &mut Outcome,
    ) {
        let place = coming.place();
        let mut made = made;
        if !status.is_null() && self.wants_status(coming) {
            match self.write_status(coming, &place, &made, status).await {
                Ok(updated) => made = updated,
                Err(refusal) => outcome.warnings.add(coming.namespace, refusal.to_string()),
            }
        }
        let mut owned = made.clone();
        let fields = &coming.object["metadata"]["managedFields"];
        match (owned["metadata"].as_object_mut(), fields) {
            (Some(metadata), Value::Null) => {
                metadata.remove("managedFields");
            }
            (Some(metadata), fields) => {
                metadata.insert("managedFields".to_owned(), fields.clone());
            }
            (None, _) => {}
        }
        if let Err(refusal) = self.server.kube.update(&place, &made, &owned).await {
            if !refusal.is_missing() {
                return outcome.errors.add(coming.namespace, refusal.to_string());
            }
            outcome.warnings.add(coming.namespace, refusal.to_string());
        }
        if coming.resource == "pods" {
            for hook in HOOKS
                .iter()
                .filter(|hook| annotation(&coming.object, hook).is_some())
            {
                let message = format!(
                    "the rehearsal does not run the hook that pod {} has in `{hook}`",
                    coming.key.name
                );
                outcome.warnings.add(coming.namespace, message);
            }
            self.move_volumes(&made, from);
        }
        if coming.resource == "customresourcedefinitions.apiextensions.k8s.io" {
            self.wait_for_definition(coming, &place, outcome).await;
        }
    }

    fn wants_status(&self, coming: &Coming<'_>) -> bool {
        let filter = self.statuses.as_ref();
        let by_spec = filter.is_some_and(|filter| filter.includes(coming.resource));
        match annotation(&coming.object, STATUS).map(|said| said.trim().to_lowercase()) {
            Some(said) if said == "true" => true,
            Some(said) if said == "false" => false,
            _ => by_spec,
        }
    }

    async fn write_status(
        &self,
        coming: &Coming<'_>,
        place: &Place,
        made: &Value,
        status: &Value,
    ) -> Result<Value, Refusal> {
        let mut object = coming.object.clone();
        object["status"] = status.clone();
        object["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"].clone();
        let mut written = self.server.kube.replace_status(place, &object).await;
        for _ in 1..CONFLICTS_MAX {
            if !written.as_ref().is_err_and(Refusal::is_conflict) {
                break;
            }
            let now = self.server.kube.get(place, name(&object)).await?;
            object["metadata"]["resourceVersion"] = now["metadata"]["resourceVersion"].clone();
            written = self.server.kube.replace_status(place, &object).await;
        }
        written
    }

    async fn wait_for_definition(
        &mut self,
        coming: &Coming<'_>,
        place: &Place,
        outcome: &mut Outcome,
    ) {
        let name = &coming.key.name;
        let deadline = Instant::now() + RESOURCE_LIMIT;
        let error = loop {
            match self.server.kube.get(place, name).await {
                Ok(found) if is_established(&found) => return,
                Ok(_) if Instant::now() >= deadline => {
                    break "context deadline exceeded".to_owned();
                }
                Ok(_) => tokio::time::sleep(LOOK).await,
                Err(refusal) => break refusal.to_string(),
            }
        };
        let message = format!("error verifying the CRD {name} is ready to use: {error}");
        outcome.errors.add(coming.namespace, message);
    }
}

fn is_established(definition: &Value) -> bool {
    let is_true = |wanted: &str| {
        let mut conditions = items(definition, "/status/conditions").iter();
        conditions.any(|condition| condition["type"] == wanted && condition["status"] == "True")
    };
    is_true("Established") && is_true("NamesAccepted")
}
