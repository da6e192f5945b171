//! The mark on an object that a restore brings back paused: what it was before, and who paused it.
//!
//! Pure. It reads and writes marks; what is paused, and when that ends, is decided elsewhere.

use drplan_api::Json;
use drplan_api::stamp;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;

/// The annotation with what the object was before, as JSON: `{"suspend":false}`, `{"replicas":3}`.
pub(crate) const PAUSED: &str = "drplan.io/paused";

/// The gate that keeps a pod from being scheduled.
const GATE: &str = "drplan.io/paused";

/// How an object runs when it is not paused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Original {
    /// Of a CronJob or a Job: whether it is suspended anyhow.
    Suspend(bool),
    /// Of what runs copies: how many.
    Replicas(u64),
    /// Of a pod: its own gates, which are rare.
    SchedulingGates(Vec<String>),
}

impl Original {
    /// The field of `spec` that a pause changes.
    fn field(&self) -> &'static str {
        match self {
            Self::Suspend(_) => "suspend",
            Self::Replicas(_) => "replicas",
            Self::SchedulingGates(_) => "schedulingGates",
        }
    }

    /// What stands there while it is paused.
    fn paused(&self) -> Json {
        match self {
            Self::Suspend(_) => true.into(),
            Self::Replicas(_) => 0.into(),
            Self::SchedulingGates(own) => {
                let own = own.iter().map(String::as_str);
                gates(own.chain([GATE]))
            }
        }
    }

    /// What stands there when it is not.
    fn value(&self) -> Json {
        match self {
            Self::Suspend(suspend) => (*suspend).into(),
            Self::Replicas(replicas) => (*replicas).into(),
            Self::SchedulingGates(own) if own.is_empty() => Json::Null,
            Self::SchedulingGates(own) => gates(own.iter().map(String::as_str)),
        }
    }

    /// The merge patch by which an object is born paused.
    pub(crate) fn pause(&self, recovery: &str, run: &str) -> Json {
        json!({
            "metadata": {"annotations": {
                PAUSED: json!(self).to_string(), stamp::RECOVERY: recovery, stamp::RUN: run,
            }},
            "spec": {self.field(): self.paused()},
        })
    }

    /// The merge patch by which an object that was backed up paused is born running.
    pub(crate) fn release(&self) -> Json {
        json!({
            "metadata": {"annotations": {PAUSED: null, stamp::RECOVERY: null, stamp::RUN: null}},
            "spec": {self.field(): self.value()},
        })
    }
}

fn gates<'a>(names: impl Iterator<Item = &'a str>) -> Json {
    names.map(|name| json!({"name": name})).collect()
}

/// Says how an object runs when it is not paused, if its kind can be.
pub(crate) fn running(resource: &str, body: &Json) -> Option<Original> {
    if let Some(original) = original(body) {
        return Some(original);
    }
    let spec = &body["spec"];
    Some(match resource {
        "cronjobs.batch" | "jobs.batch" => {
            Original::Suspend(spec["suspend"].as_bool().unwrap_or_default())
        }
        "deployments.apps" | "statefulsets.apps" | "replicasets.apps" => {
            Original::Replicas(spec["replicas"].as_u64().unwrap_or(1))
        }
        "pods" => {
            let gates = spec["schedulingGates"].as_array().into_iter().flatten();
            let names = gates.filter_map(|gate| gate["name"].as_str());
            Original::SchedulingGates(names.map(str::to_owned).collect())
        }
        _ => return None,
    })
}

/// Reads what a paused object was before. A mark on what runs again is left over and means nothing.
pub(crate) fn original(body: &Json) -> Option<Original> {
    let mark = body["metadata"]["annotations"][PAUSED].as_str()?;
    let original: Original = serde_json::from_str(mark).ok()?;
    (body["spec"][original.field()] == original.paused()).then_some(original)
}

/// The run that paused an object.
pub(crate) fn paused_by(body: &Json) -> Option<String> {
    original(body)?;
    let run = body["metadata"]["annotations"][stamp::RUN].as_str();
    Some(run.unwrap_or("an unknown run").to_owned())
}

/// Shows an object as it is without its pause. What somebody changed while it was paused stays.
pub(crate) fn released(mut body: Json) -> Json {
    if let Some(original) = original(&body) {
        body["spec"][original.field()] = original.value();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge(into: &mut Json, patch: &Json) {
        let (Json::Object(into), Json::Object(patch)) = (into, patch) else {
            return;
        };
        for (key, value) in patch {
            match value {
                Json::Null => {
                    into.remove(key);
                }
                Json::Object(_) => merge(into.entry(key).or_insert_with(|| json!({})), value),
                value => {
                    into.insert(key.clone(), value.clone());
                }
            }
        }
    }

    #[test]
    fn what_is_born_paused_keeps_what_it_was_and_counts_as_it() {
        for (resource, spec) in [
            (
                "cronjobs.batch",
                json!({"suspend": false, "schedule": "* * * * *"}),
            ),
            ("cronjobs.batch", json!({"suspend": true})),
            ("deployments.apps", json!({"replicas": 3})),
            ("statefulsets.apps", json!({"replicas": 0})),
            ("pods", json!({"containers": []})),
            ("pods", json!({"schedulingGates": [{"name": "quota"}]})),
        ] {
            let body = json!({"metadata": {"annotations": {"a": "b"}}, "spec": spec});
            let how = running(resource, &body).expect("a kind that can be paused");
            let mut paused = body.clone();
            merge(&mut paused, &how.pause("shop", "run-1"));
            assert_eq!(original(&paused), Some(how.clone()), "{paused}");
            assert_eq!(paused_by(&paused).as_deref(), Some("run-1"));
            assert_eq!(running(resource, &paused), Some(how.clone()));
            let mut seen = released(paused.clone());
            seen["spec"]
                .as_object_mut()
                .expect("a map")
                .retain(|_, v| !v.is_null());
            assert_eq!(seen["spec"], body["spec"]);
            merge(&mut paused, &how.release());
            assert_eq!(paused, body);
        }
    }

    #[test]
    fn what_somebody_changed_while_it_was_paused_is_not_hidden() {
        let how = Original::Replicas(3);
        let mut body = json!({"metadata": {}, "spec": {"replicas": 3}});
        body["metadata"]["annotations"] = how.pause("shop", "r")["metadata"]["annotations"].clone();
        body["spec"]["replicas"] = 7.into();
        assert_eq!(released(body.clone()), body);
        let now = running("deployments.apps", &body);
        assert_eq!((now, paused_by(&body)), (Some(Original::Replicas(7)), None));
        assert_eq!(running("configmaps", &json!({})), None);
        let strange = json!({"metadata": {"annotations": {PAUSED: "yes"}}});
        assert_eq!((original(&strange), paused_by(&strange)), (None, None));
    }
}
