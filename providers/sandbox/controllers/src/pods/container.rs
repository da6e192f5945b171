//! One container: waiting, running, ended.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::json;

use super::needs;
use super::needs::Waiting;
use super::restore_wait;
use crate::Ask;
use crate::generated;
use crate::object::items;
use crate::object::later;
use crate::object::name;
use crate::object::namespace;
use crate::object::number;
use crate::object::seconds;
use crate::object::stamp;
use crate::object::text;
use crate::object::time;
use crate::object::uid;

/// Beyond that, waits between restarts do not grow.
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);

/// Where a container stands in its pod.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It ends before the next starts.
    Init,
    /// An init container that goes on running.
    Sidecar,
    /// One of the pod's own.
    Main,
}

impl Role {
    pub(super) fn of_init(container: &Value) -> Self {
        if container["restartPolicy"] == "Always" {
            Self::Sidecar
        } else {
            Self::Init
        }
    }
}

/// A container in its pod.
pub(super) struct Place<'a> {
    pub(super) ask: Ask<'a>,
    pub(super) pod: &'a Value,
    pub(super) container: &'a Value,
    pub(super) role: Role,
}

impl Place<'_> {
    /// The status of a container that cannot start yet.
    pub(super) fn waiting(&self, waiting: &Waiting) -> Value {
        let mut state = json!({"reason": waiting.reason});
        if !waiting.message.is_empty() {
            state["message"] = waiting.message.clone().into();
        }
        let image = &self.container["image"];
        json!({
            "name": self.container["name"],
            "image": image,
            "imageID": "",
            "ready": false,
            "started": false,
            "restartCount": 0,
            "lastState": {},
            "state": {"waiting": state},
        })
    }

    /// The status that follows from the old one, and when it may change by itself.
    pub(super) fn step(&self, old: &Value) -> (Value, Option<Timestamp>) {
        let state = &old["state"];
        if state["terminated"].is_object() {
            return (old.clone(), None);
        }
        if state["running"].is_object() {
            return self.go_on(old);
        }
        if state["waiting"]["reason"] == "CrashLoopBackOff" {
            let due = self.restart_at(old);
            if due > self.ask.now {
                return (old.clone(), Some(due));
            }
        } else if let Some(missing) = needs::missing(self.ask, self.pod, self.container) {
            return (self.waiting(&missing), None);
        }
        self.go_on(&self.started(old))
    }

    fn started(&self, old: &Value) -> Value {
        let restarts = number(&old["restartCount"], 0);
        let image = text(&self.container["image"]);
        let run = restarts.to_string();
        let id = [uid(self.pod), text(&self.container["name"]), &run];
        let last = if old["lastState"].is_object() {
            old["lastState"].clone()
        } else {
            json!({})
        };
        json!({
            "name": self.container["name"],
            "image": image,
            "imageID": format!("{image}@sha256:{}", generated::hex(&[image], 32)),
            "containerID": format!("containerd://{}", generated::hex(&id, 32)),
            "ready": false,
            "started": true,
            "restartCount": restarts,
            "lastState": last,
            "state": {"running": {"startedAt": stamp(self.ask.now)}},
        })
    }

    fn go_on(&self, old: &Value) -> (Value, Option<Timestamp>) {
        let now = self.ask.now;
        let since = time(&old["state"]["running"]["startedAt"]).unwrap_or(now);
        let end = self.end(since);
        if let Some((at, code)) = end
            && at <= now
        {
            return self.ended(old, code);
        }
        let ready_at = self.ready_at(since);
        let mut status = old.clone();
        status["ready"] = ready_at.is_some_and(|at| at <= now).into();
        let next = [end.map(|(at, _)| at), ready_at];
        (
            status,
            next.into_iter().flatten().filter(|at| *at > now).min(),
        )
    }

    /// When the container ends, and with which code; `None` if it runs for ever or until something
    /// else happens.
    fn end(&self, since: Timestamp) -> Option<(Timestamp, i32)> {
        let durations = &self.ask.settings.durations;
        match self.role {
            Role::Sidecar => None,
            Role::Init if restore_wait::is_one(self.container) => {
                restore_wait::is_over(self.ask, self.pod, self.container)
                    .then_some((self.ask.now, 0))
            }
            Role::Init => Some((later(since, durations.init_run), 0)),
            Role::Main => {
                let code = self.told();
                match (self.restarts(), code) {
                    ("Always", None | Some(0)) => None,
                    ("Always", Some(code)) => Some((later(since, durations.pod_ready), code)),
                    (_, code) => Some((later(since, durations.job_run), code.unwrap_or(0))),
                }
            }
        }
    }

    /// The exit code that the settings want.
    fn told(&self) -> Option<i32> {
        let failing = &self.ask.settings.failing_pods;
        if failing.is_empty() {
            return None;
        }
        let whole = format!("{}/{}", namespace(self.pod), name(self.pod));
        failing
            .iter()
            .find(|(wanted, _)| {
                let rest = whole.strip_prefix(wanted.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
            })
            .map(|(_, code)| *code)
    }

    fn restarts(&self) -> &str {
        self.pod["spec"]["restartPolicy"]
            .as_str()
            .unwrap_or("Always")
    }

    /// When a container that keeps running passes its probe; at once without one.
    fn ready_at(&self, since: Timestamp) -> Option<Timestamp> {
        match self.role {
            Role::Init => return None,
            Role::Sidecar | Role::Main => {}
        }
        let probe = &self.container["readinessProbe"];
        if !probe.is_object() {
            return Some(since);
        }
        if self.role == Role::Main && self.told().is_some_and(|code| code != 0) {
            return None;
        }
        let initial = seconds(number(&probe["initialDelaySeconds"], 0));
        Some(later(
            since,
            initial + self.ask.settings.durations.pod_ready,
        ))
    }

    fn ended(&self, old: &Value, code: i32) -> (Value, Option<Timestamp>) {
        let mut status = old.clone();
        let ended = json!({
            "exitCode": code,
            "reason": if code == 0 { "Completed" } else { "Error" },
            "startedAt": old["state"]["running"]["startedAt"],
            "finishedAt": stamp(self.ask.now),
            "containerID": old["containerID"],
        });
        status["started"] = false.into();
        // Init containers that did their work are ready; a pod's own are not any more.
        status["ready"] = (self.role == Role::Init && code == 0).into();
        if code == 0 || self.restarts() == "Never" {
            status["state"] = json!({"terminated": ended});
            return (status, None);
        }
        status["lastState"] = json!({"terminated": ended});
        status["restartCount"] = (number(&old["restartCount"], 0) + 1).into();
        let wait = self.backoff(&status);
        let (container, pod) = (text(&self.container["name"]), name(self.pod));
        status["state"] = json!({"waiting": {
            "reason": "CrashLoopBackOff",
            "message": format!("back-off {}s restarting failed container={container} pod={pod}_{}({})",
                wait.as_secs(), namespace(self.pod), uid(self.pod)),
        }});
        (status, Some(later(self.ask.now, wait)))
    }

    fn backoff(&self, status: &Value) -> Duration {
        let restarts = number(&status["restartCount"], 1).clamp(1, 10);
        let doubled = u32::try_from(restarts - 1).unwrap_or(0);
        let wait = self.ask.settings.durations.restart_backoff;
        wait.saturating_mul(1 << doubled).min(LONGEST_BACKOFF)
    }

    fn restart_at(&self, status: &Value) -> Timestamp {
        let ended = time(&status["lastState"]["terminated"]["finishedAt"]);
        later(ended.unwrap_or(self.ask.now), self.backoff(status))
    }
}

/// Whether a pod's next container may start after this one.
pub(super) fn lets_next_start(role: Role, status: &Value) -> bool {
    match role {
        Role::Sidecar => status["started"] == true,
        _ => status["state"]["terminated"]["exitCode"] == 0,
    }
}

/// The status of one container among those that a pod has.
pub(super) fn status_of<'a>(statuses: &'a Value, container: &Value) -> &'a Value {
    let found = items(statuses)
        .iter()
        .find(|status| status["name"] == container["name"]);
    found.unwrap_or(&Value::Null)
}
