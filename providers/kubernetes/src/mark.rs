//! The mark on a paused object: what it was before, who paused it, and until when.
//!
//! Pure. It reads and writes marks; what is paused, and when that ends, is decided elsewhere.

use std::fmt;
use std::time::Duration;

use drplan_api::Json;
use drplan_api::Timestamp;
use drplan_api::stamp;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;

/// The annotation with what the object was before, as JSON: `{"suspend":false}`, `{"replicas":3}`.
pub const PAUSED: &str = "drplan.io/paused";

/// The annotation with the instant after which a pause is overdue.
const UNTIL: &str = "drplan.io/paused-until";

/// How long a pause is meant to last at most, if nobody says.
pub const EXPIRES_DEFAULT: Duration = Duration::from_secs(24 * 60 * 60);

/// The gate that keeps a pod from being scheduled.
const GATE: &str = "drplan.io/paused";

/// How an object runs when it is not paused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Original {
    /// Of a CronJob or a Job: whether it is suspended anyhow.
    Suspend(bool),
    /// Of what runs copies: how many.
    Replicas(u64),
    /// Of a pod: its own gates, which are rare.
    SchedulingGates(Vec<String>),
}

/// Who pauses, and until when.
#[derive(Clone, Copy, Debug)]
pub struct Pauser<'a> {
    /// The name of the recovery.
    pub recovery: &'a str,
    /// The run.
    pub run: &'a str,
    /// When the pause is overdue.
    pub until: Option<Timestamp>,
}

/// When a pause that begins now is overdue, to the second.
pub fn until(now: Timestamp, expires: Duration) -> Option<Timestamp> {
    let expires_s = i64::try_from(expires.as_secs()).ok()?;
    Timestamp::from_second(now.as_second().checked_add(expires_s)?).ok()
}

/// What a mark says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// How the object ran before.
    pub original: Original,
    /// The recovery that paused it; empty if the mark does not say.
    pub recovery: String,
    /// The run that paused it.
    pub run: String,
    /// When the pause is overdue, if the mark says so.
    pub until: Option<Timestamp>,
    /// Whether the object is paused still. If not, somebody set it going, and the mark is left over.
    pub holds: bool,
}

impl Mark {
    /// Reads the mark of an object.
    pub fn of(body: &Json) -> Option<Self> {
        let text = |key: &str| body["metadata"]["annotations"][key].as_str();
        let original: Original = serde_json::from_str(text(PAUSED)?).ok()?;
        Some(Self {
            holds: body["spec"][original.field()] == original.paused(),
            recovery: text(stamp::RECOVERY).unwrap_or_default().to_owned(),
            run: text(stamp::RUN).unwrap_or("an unknown run").to_owned(),
            until: text(UNTIL).and_then(|at| at.parse().ok()),
            original,
        })
    }
}

impl fmt::Display for Original {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suspend(false) => f.write_str("running"),
            Self::Suspend(true) => f.write_str("suspended"),
            Self::Replicas(1) => f.write_str("1 replica"),
            Self::Replicas(n) => write!(f, "{n} replicas"),
            Self::SchedulingGates(own) if own.is_empty() => f.write_str("without gates"),
            Self::SchedulingGates(own) => write!(f, "gated by {}", own.join(", ")),
        }
    }
}

impl Original {
    /// The field of `spec` that a pause changes.
    pub(crate) fn field(&self) -> &'static str {
        match self {
            Self::Suspend(_) => "suspend",
            Self::Replicas(_) => "replicas",
            Self::SchedulingGates(_) => "schedulingGates",
        }
    }

    /// What stands there while it is paused.
    pub(crate) fn paused(&self) -> Json {
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
    pub(crate) fn value(&self) -> Json {
        match self {
            Self::Suspend(suspend) => (*suspend).into(),
            Self::Replicas(replicas) => (*replicas).into(),
            Self::SchedulingGates(own) if own.is_empty() => Json::Null,
            Self::SchedulingGates(own) => gates(own.iter().map(String::as_str)),
        }
    }

    /// The merge patch that pauses an object and marks it.
    pub fn pause(&self, by: Pauser<'_>) -> Json {
        let mut patch = json!({
            "metadata": {"annotations": {
                PAUSED: json!(self).to_string(), stamp::RECOVERY: by.recovery, stamp::RUN: by.run,
            }},
            "spec": {self.field(): self.paused()},
        });
        if let Some(until) = by.until {
            patch["metadata"]["annotations"][UNTIL] = until.to_string().into();
        }
        patch
    }

    /// The merge patch that sets a paused object going as it was, and takes its mark away.
    pub fn release(&self) -> Json {
        let mut patch = unmark();
        patch["spec"] = json!({self.field(): self.value()});
        patch
    }
}

/// The merge patch that takes away the mark of an object that runs again.
pub(crate) fn unmark() -> Json {
    json!({"metadata": {"annotations": {
        PAUSED: null, stamp::RECOVERY: null, stamp::RUN: null, UNTIL: null,
    }}})
}

fn gates<'a>(names: impl Iterator<Item = &'a str>) -> Json {
    names.map(|name| json!({"name": name})).collect()
}

/// Says how an object runs when it is not paused, if its kind can be.
pub fn running(resource: &str, body: &Json) -> Option<Original> {
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
pub fn original(body: &Json) -> Option<Original> {
    Mark::of(body).filter(|mark| mark.holds).map(|m| m.original)
}

/// The run that paused an object.
pub fn paused_by(body: &Json) -> Option<String> {
    Mark::of(body).filter(|mark| mark.holds).map(|m| m.run)
}

/// Shows an object as it is without its pause. What somebody changed while it was paused stays.
pub fn released(mut body: Json) -> Json {
    if let Some(original) = original(&body) {
        body["spec"][original.field()] = original.value();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY: Pauser<'_> = Pauser {
        recovery: "shop",
        run: "run-1",
        until: Some(Timestamp::UNIX_EPOCH),
    };

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
            merge(&mut paused, &how.pause(BY));
            assert_eq!(original(&paused), Some(how.clone()), "{paused}");
            let mark = Mark::of(&paused).expect("a mark");
            assert_eq!((&*mark.recovery, &*mark.run), ("shop", "run-1"));
            assert_eq!((mark.until, mark.holds), (BY.until, true));
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
    fn a_mark_of_an_older_drplan_says_no_end() {
        let body = json!({"metadata": {"annotations": {PAUSED: "{\"suspend\":false}"}},
            "spec": {"suspend": true}});
        let mark = Mark::of(&body).expect("a mark");
        assert_eq!((mark.until, mark.holds), (None, true));
        assert_eq!((&*mark.recovery, &*mark.run), ("", "an unknown run"));
    }

    #[test]
    fn what_somebody_changed_while_it_was_paused_is_not_hidden() {
        let how = Original::Replicas(3);
        let mut body = json!({"metadata": {}, "spec": {"replicas": 3}});
        body["metadata"]["annotations"] = how.pause(BY)["metadata"]["annotations"].clone();
        body["spec"]["replicas"] = 7.into();
        assert_eq!(released(body.clone()), body);
        let now = running("deployments.apps", &body);
        assert_eq!((now, paused_by(&body)), (Some(Original::Replicas(7)), None));
        assert_eq!(running("configmaps", &json!({})), None);
        let strange = json!({"metadata": {"annotations": {PAUSED: "yes"}}});
        assert_eq!((original(&strange), paused_by(&strange)), (None, None));
    }
}
