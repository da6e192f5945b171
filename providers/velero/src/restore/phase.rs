//! What a Restore says of itself, and what it means for whoever waits.

use drplan_api::Json;

use crate::objects::text;

/// Where a Restore stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nobody has taken it up.
    Waiting,
    /// Velero works on it.
    Running,
    /// Velero is done and has no complaint.
    Completed,
    /// Velero is done and complains about some objects.
    PartiallyFailed,
    /// It ran and could not go on.
    Failed,
    /// It never ran.
    Refused,
}

impl Standing {
    /// Reads a phase. One that is not known is one of a newer Velero, and may be running.
    pub(crate) fn of(phase: &str) -> Self {
        match phase {
            "" | "New" => Self::Waiting,
            "Completed" => Self::Completed,
            "PartiallyFailed" => Self::PartiallyFailed,
            "Failed" => Self::Failed,
            "FailedValidation" => Self::Refused,
            _ => Self::Running,
        }
    }

    pub(crate) fn of_object(restore: &Json) -> Self {
        Self::of(text(&restore["status"]["phase"]))
    }

    pub(crate) fn has_ended(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

/// What an error in a restore's results means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Complaint {
    /// It says nothing about what is there; reading the objects back decides.
    Object,
    /// It goes away by itself: a webhook that was not up yet, a namespace that was being deleted.
    Passing,
    /// The data of a volume did not come back.
    Data,
}

impl Complaint {
    /// Sorts an error by its text, because Velero says nothing else.
    pub(crate) fn of(message: &str) -> Self {
        const DATA: &[&str] = &[
            "pod volume restore",
            "PodVolumeRestore",
            "is not running in node",
            "error to check node",
            "DataDownload",
            "data download",
        ];
        const PASSING: &[&str] = &[
            "failed calling webhook",
            "no endpoints available",
            "is being terminated",
            "terminating",
            "not ready",
            "fail to patch dynamic PV",
        ];
        let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
        if says(DATA) {
            Self::Data
        } else if says(PASSING) {
            Self::Passing
        } else {
            Self::Object
        }
    }
}

/// Lists the errors of a results file: `{"errors": {"velero": [], "cluster": [], "namespaces": {…}}}`.
pub(crate) fn errors(results: &Json) -> Vec<String> {
    let errors = &results["errors"];
    let list = |json: &Json| -> Vec<String> {
        let items = json.as_array().into_iter().flatten();
        items.map(|e| text(e).to_owned()).collect()
    };
    let mut out = list(&errors["velero"]);
    out.extend(list(&errors["cluster"]));
    for namespace in errors["namespaces"].as_object().into_iter().flatten() {
        out.extend(list(namespace.1));
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_terminal_phases_end_a_restore() {
        for (phase, ended) in [
            ("", false),
            ("New", false),
            ("InProgress", false),
            ("WaitingForPluginOperationsPartiallyFailed", false),
            ("FinalizingPartiallyFailed", false),
            ("PhaseOfTheFuture", false),
            ("Completed", true),
            ("PartiallyFailed", true),
            ("Failed", true),
            ("FailedValidation", true),
        ] {
            assert_eq!(Standing::of(phase).has_ended(), ended, "{phase}");
        }
    }

    #[test]
    fn complaints_about_data_weigh_more_than_those_that_pass() {
        for (message, complaint) in [
            (
                "timed out waiting for all PodVolumeRestores to complete",
                Complaint::Data,
            ),
            (
                "failed calling webhook \"v.example\": no endpoints available",
                Complaint::Passing,
            ),
            (
                "error restoring leases.coordination.k8s.io/x",
                Complaint::Object,
            ),
        ] {
            assert_eq!(Complaint::of(message), complaint, "{message}");
        }
        let results = json!({"errors": {"velero": ["a"], "namespaces": {"shop": ["b", "c"]}}});
        assert_eq!(errors(&results), ["a", "b", "c"]);
        assert!(errors(&json!({"errors": {}})).is_empty());
    }
}
