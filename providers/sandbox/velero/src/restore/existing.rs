//! Objects that are there already: left alone, merged or overwritten, by the policy of the restore.

use serde_json::Value;
use serde_json::json;

use super::execute::Action;
use super::execute::Run;
use super::item::Coming;
use super::item::mark;
use super::item::reset;
use crate::kube_api::Place;
use crate::labels;
use crate::merge;
use crate::outcome::Outcome;
use crate::text::label;
use crate::text::name;
use crate::text::text;

impl Run<'_> {
    /// Meets an object that is there already.
    pub(super) async fn meet(
        &mut self,
        coming: &Coming<'_>,
        found: Value,
        place: &Place,
        outcome: &mut Outcome,
    ) {
        let mut found = found;
        reset(&mut found);
        let restore = label(&coming.object, labels::RESTORE_NAME);
        let backup = label(&coming.object, labels::BACKUP_NAME);
        mark(&mut found, restore, backup);
        let is_update = text(self.restore, "/spec/existingResourcePolicy") == "update";
        if found == coming.object {
            if is_update {
                let before = without_marks(&found);
                self.patch_or_complain(coming, place, (&before, &coming.object), outcome)
                    .await;
            }
            return;
        }
        if coming.resource == "serviceaccounts" {
            return self.merge_account(coming, &found, place, outcome).await;
        }
        if is_update {
            self.overwrite(coming, &found, place, outcome).await;
        } else {
            let message = self.difference(coming);
            self.log.warning(&message);
            outcome.warnings.add(coming.namespace, message);
        }
    }

    fn difference(&self, coming: &Coming<'_>) -> String {
        let (kind, name) = (text(&coming.object, "/kind"), name(&coming.object));
        let what = match text(self.restore, "/spec/existingResourcePolicy") {
            "" => format!("{kind}:{name}"),
            _ => format!("{kind} \"{name}\""),
        };
        format!(
            "could not restore, {what} already exists. Warning: the in-cluster version is \
             different than the backed-up version"
        )
    }

    /// Patches an object to what the backup has. What is refused keeps its fields, and gets the
    /// marks alone.
    async fn overwrite(
        &mut self,
        coming: &Coming<'_>,
        found: &Value,
        place: &Place,
        outcome: &mut Outcome,
    ) {
        let before = without_marks(found);
        let Some(patch) = merge::patch(&before, &coming.object) else {
            return;
        };
        match self.server.kube.patch(place, name(found), &patch).await {
            Ok(_) => self.note(coming, Action::Updated),
            Err(refusal) => {
                outcome.warnings.add(coming.namespace, refusal.to_string());
                self.patch_or_complain(coming, place, (&before, found), outcome)
                    .await;
            }
        }
    }

    async fn patch_or_complain(
        &self,
        coming: &Coming<'_>,
        place: &Place,
        (before, after): (&Value, &Value),
        outcome: &mut Outcome,
    ) {
        if let Err(refusal) = self.server.kube.update(place, before, after).await {
            outcome.errors.add(coming.namespace, refusal.to_string());
        }
    }

    /// Service accounts keep what they have and get what they lack.
    async fn merge_account(
        &mut self,
        coming: &Coming<'_>,
        found: &Value,
        place: &Place,
        outcome: &mut Outcome,
    ) {
        let merged = merged_account(found, &coming.object);
        let Some(patch) = merge::patch(found, &merged) else {
            return;
        };
        match self.server.kube.patch(place, name(found), &patch).await {
            Ok(_) => self.note(coming, Action::Updated),
            Err(refusal) => {
                outcome.warnings.add(coming.namespace, refusal.to_string());
                if text(self.restore, "/spec/existingResourcePolicy") == "update" {
                    let before = without_marks(found);
                    self.patch_or_complain(coming, place, (&before, found), outcome)
                        .await;
                }
            }
        }
    }

    fn note(&mut self, coming: &Coming<'_>, action: Action) {
        if let Some(item) = self.restored.get_mut(&coming.key) {
            item.action = Some(action);
        }
    }
}

/// The object with empty marks, so that a patch from it sets them.
fn without_marks(object: &Value) -> Value {
    let mut object = object.clone();
    mark(&mut object, "", "");
    object
}

fn merged_account(found: &Value, saved: &Value) -> Value {
    let mut merged = found.clone();
    for list in ["secrets", "imagePullSecrets"] {
        let mut all = found[list].as_array().cloned().unwrap_or_default();
        for one in saved[list].as_array().into_iter().flatten() {
            if !all.iter().any(|known| known["name"] == one["name"]) {
                all.push(one.clone());
            }
        }
        if !all.is_empty() {
            merged[list] = json!(all);
        }
    }
    for map in ["labels", "annotations"] {
        for (key, value) in saved["metadata"][map].as_object().into_iter().flatten() {
            if merged["metadata"][map].get(key).is_none() {
                if !merged["metadata"][map].is_object() {
                    merged["metadata"][map] = json!({});
                }
                merged["metadata"][map][key] = value.clone();
            }
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_keeps_its_own_and_gets_what_it_lacks() {
        let found = json!({
            "metadata": {"name": "a", "labels": {"x": "here"}},
            "imagePullSecrets": [{"name": "one"}],
        });
        let saved = json!({
            "metadata": {"name": "a", "labels": {"x": "there", "y": "1"}},
            "imagePullSecrets": [{"name": "one"}, {"name": "two"}],
        });
        let merged = merged_account(&found, &saved);
        assert_eq!(merged["metadata"]["labels"], json!({"x": "here", "y": "1"}));
        assert_eq!(
            merged["imagePullSecrets"],
            json!([{"name": "one"}, {"name": "two"}])
        );
        assert_eq!(merged_account(&found, &found), found);
    }
}
