//! What hangs on objects: status, scale, tokens, bindings, evictions and finalizing.

use std::sync::Arc;

use drplan_sandbox_fields as fields;
use serde_json::Value;
use serde_json::json;

use crate::access::token;
use crate::cluster::Shared;
use crate::convert;
use crate::deletion;
use crate::deletion::Deletion;
use crate::failure::Failure;
use crate::failure::Outcome;
use crate::object;
use crate::object::Object;
use crate::reply::Reply;
use crate::request::Request;
use crate::scale;
use crate::sent;
use crate::state::State;
use crate::types::Served;
use crate::verbs::create;
use crate::verbs::create::author;
use crate::verbs::patch;
use crate::verbs::read;
use crate::verbs::read::stored;
use crate::verbs::update;
use crate::verbs::update::refuse_other_name;
use crate::write;
use crate::write::Ownership;
use crate::write::Part;
use crate::write::Wish;

/// A request to a subresource.
pub(crate) fn serve(
    shared: &Shared,
    state: &mut State,
    served: &Arc<Served>,
    request: &Request,
    subresource: &str,
) -> Outcome<Reply> {
    let info = &served.info;
    let kind = info.kind.as_str();
    match (kind, subresource, request.verb()) {
        (_, "status", verb) if info.status => by_part(state, served, request, verb, Part::Status),
        (_, "scale", _) if info.scale.is_some() => scale::serve(state, served, request),
        ("ServiceAccount", "token", "create") => token::create(shared, state, served, request),
        ("Pod", "binding", "create") => bind(state, served, request),
        ("Pod", "eviction", "create") => evict(state, served, request),
        ("Pod", "log", "get") => {
            stored(state, served, request)?;
            Ok(Reply::text(200, ""))
        }
        ("Pod", "ephemeralcontainers", verb) => by_part(
            state,
            served,
            request,
            verb,
            Part::Other("ephemeralcontainers"),
        ),
        ("Pod", "resize", verb) => by_part(state, served, request, verb, Part::Other("resize")),
        ("CertificateSigningRequest", "approval", verb) => {
            by_part(state, served, request, verb, Part::Other("approval"))
        }
        ("Namespace", "finalize", "update") => finalize(state, served, request),
        _ if info.custom => {
            let name = request.target.name.as_deref().unwrap_or_default();
            Err(Failure::not_found(write::about(served, name)))
        }
        (_, _, "get" | "create" | "update" | "patch") => Err(Failure::no_such_resource()),
        _ => Err(Failure::method_not_allowed()),
    }
}

fn by_part(
    state: &mut State,
    served: &Served,
    request: &Request,
    verb: &str,
    part: Part,
) -> Outcome<Reply> {
    match verb {
        "get" => read::get(state, served, request),
        "update" => update::update(state, served, request, part),
        "patch" => patch::patch(state, served, request, part),
        _ => Err(Failure::method_not_allowed()),
    }
}

/// What a scheduler says: this pod runs on that node.
fn bind(state: &mut State, served: &Served, request: &Request) -> Outcome<Reply> {
    let dry_run = request.query.dry_run("CreateOptions")?;
    let (binding, warnings) = sent::read_named(request, "Binding")?;
    refuse_no_node(&binding)?;
    let old = stored(state, served, request)?;
    let uid = object::uid(&binding);
    if !uid.is_empty() && uid != object::uid(old.json()) {
        let about = write::about(served, object::name(old.json()));
        return Err(Failure::conflict(about, "the pod has another uid"));
    }
    let node = object::text(&binding, "/target/name");
    bind_to(state, served, &old, node, author(request, dry_run))?;
    Ok(done(request, warnings))
}

/// The real server calls it a mistake of its own, too.
fn refuse_no_node(binding: &Value) -> Outcome<()> {
    let kind = object::text(binding, "/target/kind");
    let mut errors = Vec::new();
    if !["", "Node"].contains(&kind) {
        errors.push(format!(
            "target.kind: Unsupported value: {kind:?}: supported values: \"Node\", \"<empty>\""
        ));
    }
    if object::text(binding, "/target/name").is_empty() {
        errors.push("target.name: Required value".to_owned());
    }
    match errors.as_slice() {
        [] => Ok(()),
        [one] => Err(Failure::new(500, "", one, None)),
        many => {
            let all = format!("[{}]", many.join(", "));
            Err(Failure::new(500, "", &all, None))
        }
    }
}

/// Puts a pod on a node.
pub(crate) fn bind_to(
    state: &mut State,
    served: &Served,
    old: &Arc<Object>,
    node: &str,
    author: write::Author<'_>,
) -> Outcome<Arc<Object>> {
    let mut new = convert::shown(served, old);
    let name = object::name(&new).to_owned();
    let assigned = object::text(&new, "/spec/nodeName");
    if !assigned.is_empty() {
        let why = format!("pod {name} is already assigned to node {assigned:?}");
        return Err(Failure::conflict(write::about(served, &name), &why));
    }
    new["spec"]["nodeName"] = json!(node);
    let condition = json!({
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": null,
        "lastTransitionTime": crate::request::stamp(author.now),
    });
    match new
        .pointer_mut("/status/conditions")
        .and_then(Value::as_array_mut)
    {
        Some(conditions) => {
            conditions.retain(|known| known["type"] != "PodScheduled");
            conditions.push(condition);
        }
        None => new["status"]["conditions"] = json!([condition]),
    }
    let wish = Wish {
        new,
        part: Part::Other("binding"),
        // Nobody owns where a pod runs.
        ownership: Ownership::Applied,
    };
    let written = write::update(state, served, old, wish, author)?;
    Ok(Arc::clone(written.object()))
}

fn done(request: &Request, warnings: Vec<String>) -> Reply {
    let created = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "code": 201,
    });
    let mut reply = Reply::value(201, &created, request.accept);
    reply.warnings = warnings;
    reply
}

/// Deletes a pod unless a budget protects it.
fn evict(state: &mut State, served: &Served, request: &Request) -> Outcome<Reply> {
    let (eviction, warnings) = sent::read_named(request, "Eviction")?;
    let old = stored(state, served, request)?;
    if let Some(budget) = crate::admission::budgets::blocking(state, old.json()) {
        let details = json!({ "causes": [{
            "reason": "DisruptionBudget",
            "message": format!("The disruption budget {} needs {} healthy pods and has {} currently",
                budget.name, budget.desired, budget.current),
        }] });
        let message = "Cannot evict pod as it would violate the pod's disruption budget.";
        return Err(Failure::new(429, "TooManyRequests", message, Some(details)));
    }
    let mut options = request.clone();
    options.body = serde_json::to_vec(&eviction["deleteOptions"])
        .ok()
        .filter(|_| eviction["deleteOptions"].is_object())
        .unwrap_or_default()
        .into();
    let mut deletion = Deletion::read(&options)?;
    deletion.dry_run |= request.query.dry_run("CreateOptions")?;
    let author = author(request, deletion.dry_run);
    deletion::end(state, served, &old, &deletion, author)?;
    Ok(done(request, warnings))
}

/// Takes finalizers out of a Namespace's spec; with the last one it goes.
fn finalize(state: &mut State, served: &Served, request: &Request) -> Outcome<Reply> {
    let dry_run = request.query.dry_run("UpdateOptions")?;
    let (sent, warnings) = create::body(&served.info, request)?;
    refuse_other_name(request, &sent)?;
    let errors = fields::finalizers_of_spec(&sent);
    if !errors.is_empty() {
        let name = object::name(&sent);
        return Err(Failure::invalid(("", "Namespace"), name, &errors));
    }
    let old = stored(state, served, request)?;
    let mut new = convert::shown(served, &old);
    new["spec"]["finalizers"] = sent["spec"]["finalizers"].clone();
    new["metadata"]["resourceVersion"] = sent["metadata"]["resourceVersion"].clone();
    let wish = Wish {
        new,
        part: Part::Other("finalize"),
        ownership: Ownership::Changed,
    };
    let written = write::update(state, served, &old, wish, author(request, dry_run))?;
    let object = written.object();
    let mut reply = Reply::object(200, served, object, request.accept, request.now);
    reply.warnings.splice(0..0, warnings);
    Ok(reply)
}
