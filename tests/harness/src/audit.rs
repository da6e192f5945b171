//! Reads the API server's audit log: who really wrote what.
//!
//! Knows nothing about plans; it is what they are held against.

use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use jiff::Timestamp;
use serde::Deserialize;

/// Verbs that change something.
const WRITES: &[&str] = &["create", "update", "patch", "delete", "deletecollection"];

/// Groups whose objects are questions: a create of one asks and stores nothing.
const QUESTIONS: &[&str] = &["authorization.k8s.io", "authentication.k8s.io"];

/// One write that the API server accepted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Write {
    /// `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub verb: String,
    /// Plural name with group and subresource: `pods`, `deployments.apps`, `pods/eviction`,
    /// `deployments.apps/scale`.
    pub resource: String,
    /// Namespace; empty for what has none.
    pub namespace: String,
    /// Name; empty for a collection and for a name that the server made up.
    pub name: String,
}

/// Reads the successful writes of `user` from an audit log, sorted, repeated ones included.
///
/// Left out: dry runs whose request says so in its address (one in a body is not visible at level
/// Metadata), refused and failed requests, and questions such as access reviews.
///
/// # Errors
///
/// When the log cannot be read or a line is no event. A last line without its end is left out: the
/// server may be writing it.
pub fn writes(log: &Path, user: &str) -> Result<Vec<Write>> {
    let timed = timed_writes(log, user)?;
    let mut writes: Vec<Write> = timed.into_iter().map(|(_, write)| write).collect();
    writes.sort();
    Ok(writes)
}

/// The same with the instants at which the server received them, in the log's own order.
///
/// # Errors
///
/// As [`writes`].
pub fn timed_writes(log: &Path, user: &str) -> Result<Vec<(Timestamp, Write)>> {
    let text = fs::read_to_string(log)
        .with_context(|| format!("cannot read the audit log `{}`", log.display()))?;
    parse(&text, user).with_context(|| format!("in the audit log `{}`", log.display()))
}

fn parse(text: &str, user: &str) -> Result<Vec<(Timestamp, Write)>> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut writes = Vec::new();
    for (index, line) in whole.lines().enumerate() {
        let event: Event = serde_json::from_str(line)
            .with_context(|| format!("line {} is no audit event", index + 1))?;
        if event.user.username == user && event.is_successful_write() {
            let at = event.request_received_timestamp;
            writes.extend(event.into_write().map(|write| (at, write)));
        }
    }
    Ok(writes)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    verb: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    request_received_timestamp: Timestamp,
    user: User,
    object_ref: Option<ObjectRef>,
    response_status: Option<Status>,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    code: u16,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct ObjectRef {
    resource: String,
    api_group: String,
    subresource: String,
    namespace: String,
    name: String,
}

impl Event {
    fn is_successful_write(&self) -> bool {
        self.stage == "ResponseComplete"
            && WRITES.contains(&self.verb.as_str())
            && self
                .response_status
                .as_ref()
                .is_some_and(|status| status.code / 100 == 2)
            && !self.is_dry_run()
    }

    fn is_dry_run(&self) -> bool {
        let query = self
            .request_uri
            .split_once('?')
            .map_or("", |(_, query)| query);
        query.split('&').any(|pair| pair.starts_with("dryRun="))
    }

    fn into_write(self) -> Option<Write> {
        let object = self.object_ref?;
        if QUESTIONS.contains(&object.api_group.as_str()) {
            return None;
        }
        let mut resource = object.resource;
        for (mark, part) in [('.', object.api_group), ('/', object.subresource)] {
            if !part.is_empty() {
                resource.push(mark);
                resource.push_str(&part);
            }
        }
        // The server names a namespace as its own namespace in requests below it.
        let namespace = if resource.starts_with("namespaces") && object.namespace == object.name {
            String::new()
        } else {
            object.namespace
        };
        Some(Write {
            verb: self.verb,
            resource,
            namespace,
            name: object.name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(user: &str, verb: &str, uri: &str, code: u16, stage: &str, object: &str) -> String {
        format!(
            r#"{{"kind":"Event","stage":"{stage}","verb":"{verb}","requestURI":"{uri}","requestReceivedTimestamp":"2026-01-05T03:10:00.000001Z","user":{{"username":"{user}"}},"objectRef":{object},"responseStatus":{{"code":{code}}}}}"#
        ) + "\n"
    }

    #[test]
    fn only_successful_writes_of_the_user_without_dry_run_count() {
        let done = "ResponseComplete";
        let pod = r#"{"resource":"pods","namespace":"shop","name":"p"}"#;
        let scale = r#"{"resource":"deployments","apiGroup":"apps","subresource":"scale","namespace":"shop","name":"web"}"#;
        let review = r#"{"resource":"selfsubjectaccessreviews","apiGroup":"authorization.k8s.io"}"#;
        let namespace = r#"{"resource":"namespaces","namespace":"shop","name":"shop"}"#;
        let log = [
            event(
                "drplan",
                "patch",
                "/a?fieldManager=drplan&force=false",
                200,
                done,
                scale,
            ),
            event("drplan", "create", "/p", 201, done, pod),
            event("drplan", "delete", "/n", 200, done, namespace),
            event("drplan", "create", "/p?dryRun=All", 201, done, pod),
            event(
                "drplan",
                "patch",
                "/p?fieldManager=x&dryRun=All",
                200,
                done,
                pod,
            ),
            event("drplan", "create", "/p", 409, done, pod),
            event("drplan", "create", "/p", 201, "ResponseStarted", pod),
            event("drplan", "get", "/p", 200, done, pod),
            event("drplan", "create", "/r", 201, done, review),
            event("velero", "create", "/p", 201, done, pod),
            r#"{"stage":"Respon"#.to_owned(),
        ]
        .concat();
        let found: Vec<String> = parse(&log, "drplan")
            .unwrap()
            .iter()
            .map(|(_, w)| format!("{} {} {} {}", w.verb, w.resource, w.namespace, w.name))
            .collect();
        let expected = [
            "patch deployments.apps/scale shop web",
            "create pods shop p",
            "delete namespaces  shop",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_broken_line_is_an_error_with_its_number() {
        let error = parse("{}\n", "drplan").unwrap_err().to_string();
        assert!(error.contains("line 1"), "{error}");
    }
}
