//! The scale of an object: one number of its own, in a kind that all types share.

use std::sync::Arc;

use drplan_sandbox_fields::Scale;
use serde_json::Value;
use serde_json::json;

use crate::convert;
use crate::failure::Failure;
use crate::failure::Outcome;
use crate::failure::invalid_value;
use crate::object;
use crate::object::Object;
use crate::reply::Reply;
use crate::request::Request;
use crate::sent;
use crate::state::State;
use crate::types::Served;
use crate::verbs::create;
use crate::verbs::create::author;
use crate::verbs::patch;
use crate::verbs::read::stored;
use crate::verbs::update::refuse_other_name;
use crate::write;
use crate::write::Ownership;
use crate::write::Part;
use crate::write::Wish;

/// A request to `/scale`.
pub(crate) fn serve(state: &mut State, served: &Served, request: &Request) -> Outcome<Reply> {
    let Some(paths) = &served.info.scale else {
        return Err(Failure::no_such_resource());
    };
    let info = sent::type_of("Scale")?;
    let old = stored(state, served, request)?;
    let current = of(served, paths, &old);
    let (wanted, warnings) = match request.verb() {
        "get" => return Ok(Reply::value(200, &current, request.accept)),
        "update" => create::body(info, request)?,
        "patch" => patch::of_view(served, info, request, &current)?,
        _ => return Err(Failure::method_not_allowed()),
    };
    refuse_other_name(request, &wanted)?;
    let dry_run = request.query.dry_run("UpdateOptions")?;
    refuse_other_uid(served, &old, &wanted)?;
    let mut new = convert::shown(served, &old);
    let revision = object::text(&wanted, "/metadata/resourceVersion");
    if !revision.is_empty() {
        new["metadata"]["resourceVersion"] = json!(revision);
    }
    let replicas = wanted["spec"]["replicas"].as_i64().unwrap_or(0);
    if replicas < 0 {
        let error = invalid_value(
            "spec.replicas",
            &json!(replicas),
            "must be greater than or equal to 0",
        );
        let name = object::name(old.json());
        return Err(Failure::invalid(("autoscaling", "Scale"), name, &[error]));
    }
    set(&mut new, &paths.spec_path, json!(replicas));
    let wish = Wish {
        new,
        part: Part::Other("scale"),
        ownership: Ownership::Changed,
    };
    let written = write::update(state, served, &old, wish, author(request, dry_run))?;
    let scale = of(served, paths, written.object());
    let mut reply = Reply::value(200, &scale, request.accept);
    reply.warnings = warnings;
    Ok(reply)
}

/// Whoever names the uid means that object alone.
fn refuse_other_uid(served: &Served, old: &Object, wanted: &Value) -> Outcome<()> {
    let (said, uid) = (object::uid(wanted), object::uid(old.json()));
    if said.is_empty() || said == uid {
        return Ok(());
    }
    let why =
        format!("Precondition failed: UID in precondition: {said}, UID in object meta: {uid}");
    let about = write::about(served, object::name(old.json()));
    Err(Failure::conflict(about, &why))
}

/// The scale of an object as it is.
fn of(served: &Served, paths: &Scale, object: &Arc<Object>) -> Value {
    let json = convert::shown(served, object);
    let metadata = &json["metadata"];
    let mut own = json!({});
    for field in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
    ] {
        if let Some(value) = metadata.get(field) {
            own[field] = value.clone();
        }
    }
    let number = |path: &str| at(&json, path).and_then(Value::as_i64).unwrap_or(0);
    let mut status = json!({ "replicas": number(&paths.status_path) });
    let selector = paths
        .selector_path
        .as_deref()
        .and_then(|path| at(&json, path));
    if let Some(selector) = selector.and_then(selector_text) {
        status["selector"] = json!(selector);
    }
    // Zero is what is meant when nothing is said.
    let replicas = number(&paths.spec_path);
    let spec = if replicas == 0 {
        json!({})
    } else {
        json!({ "replicas": replicas })
    };
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": own,
        "spec": spec,
        "status": status,
    })
}

fn selector_text(selector: &Value) -> Option<String> {
    if let Some(text) = selector.as_str() {
        return Some(text.to_owned());
    }
    // Old types have the labels themselves where newer ones have a selector.
    let labels = selector
        .get("matchLabels")
        .unwrap_or(selector)
        .as_object()?;
    let pairs: Vec<_> = labels
        .iter()
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
        .collect();
    Some(pairs.join(","))
}

fn at<'a>(json: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.')
        .filter(|step| !step.is_empty())
        .try_fold(json, |at, step| at.get(step))
}

fn set(json: &mut Value, path: &str, value: Value) {
    let mut steps: Vec<_> = path.split('.').filter(|step| !step.is_empty()).collect();
    let Some(last) = steps.pop() else {
        return;
    };
    let mut at = json;
    for step in steps {
        object::object_at(at, step);
        at = &mut at[step];
    }
    if at.is_object() {
        at[last] = value;
    }
}
