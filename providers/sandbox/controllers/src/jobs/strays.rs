//! Pods that are held for a Job that is not there.

use std::sync::Arc;

use serde_json::Value;

use super::JOBS;
use super::TRACKING;
use crate::Ask;
use crate::Write;
use crate::object::controller;
use crate::object::refers_to;
use crate::object::text;
use crate::object::uid;
use crate::object::without_finalizer;
use crate::selector;

/// Lets go the changed pods that no Job will ever count: theirs is gone, or they were restored
/// without one.
pub(super) fn release(ask: Ask<'_>, writes: &mut Vec<Write>) {
    for key in ask.changed.iter().filter(|key| key.kind == "Pod") {
        let Some(space) = key.namespace.as_deref() else {
            continue;
        };
        let pod = ask.view.get("", "Pod", Some(space), &key.name);
        let freed = pod.and_then(|pod| {
            let freed = without_finalizer(&pod, TRACKING)?;
            job(ask, space, &pod).is_none().then_some(freed)
        });
        writes.extend(freed.map(Write::Update));
    }
}

/// The Job that a pod is of, or will be.
fn job(ask: Ask<'_>, space: &str, pod: &Value) -> Option<Arc<Value>> {
    let (group, kind) = JOBS;
    match controller(pod) {
        Some(owner) if refers_to(owner, group, kind) => {
            let job = ask
                .view
                .get(group, kind, Some(space), text(&owner["name"]))?;
            (owner["uid"] == uid(&job)).then_some(job)
        }
        Some(_) => None,
        None => {
            let labels = &pod["metadata"]["labels"];
            let jobs = ask.view.list_in(group, kind, space);
            jobs.into_iter()
                .find(|job| selector::matches(&job["spec"]["selector"], labels))
        }
    }
}
