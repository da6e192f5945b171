//! What the labels of release Secrets say. Pure.

use std::collections::BTreeMap;

use drplan_api::Json;
use drplan_api::Timestamp;
use drplan_api::stamp;
use drplan_kubernetes::asks::TypeRef;

/// The label with the revision that the other marks were made for.
pub(crate) const REVISION: &str = "drplan.io/revision";
/// The label that says which machine's `helm` works on the release; see [`crate::host`].
pub(crate) const HOLDER: &str = "drplan.io/holder";
/// The label with the version of the application in the chart.
pub(crate) const APP_VERSION: &str = "drplan.io/app-version";

/// Returns the type of release Secrets.
pub(crate) fn secrets() -> TypeRef {
    TypeRef::new("", "v1", "secrets")
}

/// Returns the label selector of all revisions of a release.
pub(crate) fn selector(name: &str) -> String {
    format!("owner=helm,name={name}")
}

/// One revision of a release, from the metadata of its Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The revision, from 1.
    pub revision: u64,
    /// Helm's word: `deployed`, `failed`, `superseded`, `pending-install`, …
    pub status: String,
    /// The name of the Secret.
    pub secret: String,
    /// The uid of the Secret.
    pub uid: String,
    /// When the Secret was made.
    pub created: Option<Timestamp>,
    /// All labels.
    pub labels: BTreeMap<String, String>,
}

/// What a release's status means for a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It holds.
    Deployed,
    /// Helm is at work on it, or was killed in the middle.
    Pending,
    /// Somebody removes it, or was killed while removing it. No step does that.
    Leaving,
    /// An attempt ended badly.
    Failed,
    /// It is gone and only its history was kept.
    Gone,
}

impl Release {
    /// Reads a Secret; `None` if its labels are not those of Helm.
    fn read(secret: &Json) -> Option<Self> {
        let metadata = &secret["metadata"];
        let labels: BTreeMap<String, String> = metadata["labels"]
            .as_object()?
            .iter()
            .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())))
            .collect();
        Some(Self {
            revision: labels.get("version")?.parse().ok()?,
            status: labels.get("status")?.clone(),
            secret: metadata["name"].as_str()?.to_owned(),
            uid: metadata["uid"].as_str()?.to_owned(),
            created: metadata["creationTimestamp"]
                .as_str()
                .and_then(|t| t.parse().ok()),
            labels,
        })
    }

    /// Finds the newest revision in the answer to a list.
    pub(crate) fn newest(list: &Json) -> Option<Self> {
        let items = list["items"].as_array()?;
        items
            .iter()
            .filter_map(Self::read)
            .max_by_key(|release| release.revision)
    }

    pub(crate) fn standing(&self) -> Standing {
        match self.status.as_str() {
            "deployed" => Standing::Deployed,
            "uninstalled" => Standing::Gone,
            "uninstalling" => Standing::Leaving,
            s if s.starts_with("pending-") => Standing::Pending,
            _ => Standing::Failed,
        }
    }

    /// Returns the hash of the want that this very revision was made for.
    pub(crate) fn want(&self) -> Option<&str> {
        let revision: u64 = self.labels.get(REVISION)?.parse().ok()?;
        let want = self.labels.get(stamp::WANT)?;
        (revision == self.revision).then_some(want)
    }

    /// Tells whether drplan made some revision of it, perhaps not this one.
    pub(crate) fn is_known(&self) -> bool {
        self.labels.contains_key(stamp::WANT)
    }

    /// Tells whether this revision was made by a step.
    pub(crate) fn is_of(&self, recovery: &str, address: &str) -> bool {
        let has = |key, value: &str| {
            self.labels
                .get(key)
                .is_some_and(|label| *label == stamp::label_value(value))
        };
        self.want().is_some() && has(stamp::RECOVERY, recovery) && has(stamp::STEP, address)
    }

    /// Tells whether it is deployed with what is wanted.
    pub(crate) fn is_true(&self, want: &str) -> bool {
        self.standing() == Standing::Deployed && self.want() == Some(want)
    }
}

#[cfg(test)]
pub(crate) fn sample(revision: u64, status: &str, marks: &[(&str, &str)]) -> Json {
    let mut labels = serde_json::json!({
        "owner": "helm", "name": "web", "version": revision.to_string(), "status": status,
    });
    for (key, value) in marks {
        labels[*key] = Json::from(*value);
    }
    serde_json::json!({"metadata": {
        "name": format!("sh.helm.release.v1.web.v{revision}"), "uid": format!("u{revision}"),
        "creationTimestamp": "2026-01-05T03:00:00Z", "labels": labels,
    }})
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn newest(items: Json) -> Option<Release> {
        Release::newest(&json!({"items": items}))
    }

    #[test]
    fn the_newest_revision_is_the_highest_number_not_the_last_word() {
        let found = newest(json!([
            sample(9, "superseded", &[]),
            sample(10, "deployed", &[]),
            sample(2, "superseded", &[]),
            {"metadata": {"name": "no labels"}},
        ]));
        assert_eq!(found.map(|r| r.revision), Some(10));
        assert_eq!(newest(json!([])), None);
    }

    #[test]
    fn a_hash_that_helm_copied_from_an_older_revision_is_not_believed() {
        let marks = [(stamp::WANT, "aaaa1111"), (REVISION, "1")];
        let first = newest(json!([sample(1, "deployed", &marks)])).expect("a release");
        assert!(first.is_true("aaaa1111") && !first.is_true("bbbb2222"));
        let by_hand = newest(json!([sample(2, "deployed", &marks)])).expect("a release");
        assert!(!by_hand.is_true("aaaa1111") && by_hand.is_known());
        let pending = newest(json!([sample(1, "pending-install", &marks)])).expect("a release");
        assert!(!pending.is_true("aaaa1111"));
    }
}
