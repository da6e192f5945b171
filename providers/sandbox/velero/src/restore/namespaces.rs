//! Makes sure that a namespace is there and stays, before anything is restored into it.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

use super::execute::Run;
use crate::archive::Path;
use crate::kube_api::Place;
use crate::server::TERMINATING_LIMIT;
use crate::text::is_deleting;
use crate::text::phase;

/// How often a namespace that is going away is looked at.
const LOOK: Duration = Duration::from_secs(1);

impl Run<'_> {
    /// Makes the namespace, with what the backup knows of `original`, unless it is there.
    pub(super) async fn ensure_namespace(
        &mut self,
        original: &str,
        target: &str,
    ) -> Result<(), String> {
        if self.namespaces.contains(target) {
            return Ok(());
        }
        let place = Place::new("v1", "namespaces", "");
        if !self.wait_for_end(&place, target).await? {
            let namespace = self.namespace(original, target);
            match self.server.kube.create(&place, &namespace).await {
                Ok(_) => self.note_namespace(target),
                Err(refusal) if refusal.is_there_already() => {}
                Err(refusal) => {
                    return Err(format!("error creating namespace {target}: {refusal}"));
                }
            }
        }
        self.namespaces.insert(target.to_owned());
        Ok(())
    }

    /// Waits until a namespace that is going away is gone; whether it is there to stay.
    async fn wait_for_end(&mut self, place: &Place, name: &str) -> Result<bool, String> {
        let deadline = Instant::now() + TERMINATING_LIMIT;
        loop {
            let found = self.server.kube.find(place, name).await;
            let found = found.map_err(|r| format!("error getting namespace {name}: {r}"))?;
            let Some(found) = found else {
                return Ok(false);
            };
            if !is_deleting(&found) && phase(&found) != "Terminating" {
                return Ok(true);
            }
            // Nobody waits twice for one that does not go.
            if self.stuck.contains(name) {
                return Err(format!(
                    "skipping polling for terminating namespace {name}: namespace {name} is \
                     already present in the polling set, skipping execution"
                ));
            }
            if Instant::now() >= deadline {
                self.stuck.insert(name.to_owned());
                return Err(format!(
                    "timed out waiting for terminating namespace {name} to disappear before \
                     restoring: context deadline exceeded"
                ));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn namespace(&self, original: &str, target: &str) -> Value {
        let saved = self
            .archive
            .object(&Path::new("namespaces", "", original))
            .ok();
        let mut metadata = json!({"name": target});
        let mut namespace = json!({"apiVersion": "v1", "kind": "Namespace"});
        if let Some(saved) = saved {
            for field in ["labels", "annotations"] {
                if !saved["metadata"][field].is_null() {
                    metadata[field] = saved["metadata"][field].clone();
                }
            }
            if !saved["spec"].is_null() {
                namespace["spec"] = saved["spec"].clone();
            }
        }
        namespace["metadata"] = metadata;
        namespace
    }
}
