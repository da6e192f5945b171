//! From an HTTP request to an answer: who, may they, what is it, do it, note it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State as Door;
use axum::response::Response;
use http::HeaderMap;
use http::Method;
use http::Request as HttpRequest;
use http::header;

use crate::accept::Accept;
use crate::access::authenticate::authenticate;
use crate::access::authorize;
use crate::access::authorize::Action;
use crate::access::review;
use crate::audit::Audited;
use crate::cluster::Entrance;
use crate::cluster::Shared;
use crate::failure::Failure;
use crate::failure::Outcome;
use crate::options::User;
use crate::outside;
use crate::path::Path;
use crate::path::Target;
use crate::query::Query;
use crate::reply::Reply;
use crate::request::Request;
use crate::request::header_text;
use crate::state::State;
use crate::verbs::create;
use crate::verbs::delete;
use crate::verbs::list;
use crate::verbs::patch;
use crate::verbs::read;
use crate::verbs::subresource;
use crate::verbs::update;
use crate::verbs::watch;
use crate::write::Part;

/// The most bytes that a request may have.
const BODY_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Answers every request.
pub(crate) async fn serve(Door(entrance): Door<Entrance>, request: HttpRequest<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let reply = match axum::body::to_bytes(body, BODY_BYTES_MAX).await {
        Ok(body) => {
            let call = Call {
                method: parts.method,
                path: parts.uri.path().to_owned(),
                query: parts.uri.query().unwrap_or_default().to_owned(),
                headers: parts.headers,
                body,
            };
            answer(&entrance, call)
        }
        Err(_) => Err(too_large()),
    };
    reply.unwrap_or_else(Reply::from).into_response()
}

fn too_large() -> Failure {
    let message = format!("Request entity too large: limit is {BODY_BYTES_MAX}");
    Failure::new(413, "RequestEntityTooLarge", &message, None)
}

/// A request whose body is there.
struct Call {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: bytes::Bytes,
}

fn answer(entrance: &Entrance, call: Call) -> Outcome<Reply> {
    let shared = &entrance.shared;
    if *shared.stopped().borrow() {
        let message = "the API server is not running";
        return Err(Failure::new(503, "ServiceUnavailable", message, None));
    }
    let mut state = shared.state();
    let caller = match &entrance.user {
        Some(user) if !call.headers.contains_key(header::AUTHORIZATION) => user.clone(),
        _ => authenticate(shared, &state, &call.headers)?,
    };
    let user = acting(&state, caller, &call.headers)?;
    match Path::parse(&call.path) {
        Path::Other => {
            let verb = call.method.as_str().to_lowercase();
            authorize::path(&state, &user, &verb, call.path.as_str())?;
            let accept = header_text(&call.headers, header::ACCEPT);
            outside::serve(shared, &state, &call.path, &accept)
        }
        Path::Resource(target) => {
            let request = read_request(shared, user, target, call)?;
            let reply = on_resource(shared, &mut state, &request);
            note(&mut state, &request, &reply);
            reply
        }
    }
}

/// The user that the caller wants to be, if they may.
fn acting(state: &State, caller: User, headers: &HeaderMap) -> Outcome<User> {
    let Some(wanted) = headers
        .get("impersonate-user")
        .and_then(|v| v.to_str().ok())
    else {
        return Ok(caller);
    };
    let action = |resource, name| Action {
        verb: "impersonate",
        resource,
        name: Some(name),
        ..Action::default()
    };
    authorize::resource(state, &caller, action("users", wanted))?;
    let mut user = User::new(wanted, &["system:authenticated"]);
    for group in headers.get_all("impersonate-group") {
        let group = group.to_str().unwrap_or_default();
        authorize::resource(state, &caller, action("groups", group))?;
        user.groups.push(group.to_owned());
    }
    Ok(user)
}

fn read_request(shared: &Shared, user: User, target: Target, call: Call) -> Outcome<Request> {
    let mut query = Query::parse(&call.query)?;
    let mut target = target;
    if target.old_watch {
        query.watch = true;
        if let Some(name) = target.name.take() {
            query.field_selector = format!("metadata.name={name}");
        }
    }
    Ok(Request {
        query,
        accept: Accept::negotiate(&header_text(&call.headers, header::ACCEPT))?,
        content_type: header_text(&call.headers, header::CONTENT_TYPE),
        program: header_text(&call.headers, header::USER_AGENT),
        method: call.method,
        body: call.body,
        now: shared.now(),
        target,
        user,
    })
}

fn on_resource(shared: &Arc<Shared>, state: &mut State, request: &Request) -> Outcome<Reply> {
    let target = &request.target;
    authorize::resource(
        state,
        &request.user,
        Action {
            verb: request.verb(),
            group: &target.group,
            resource: &target.resource,
            subresource: target.subresource.as_deref(),
            namespace: target.namespace.as_deref(),
            name: target.name.as_deref(),
        },
    )?;
    if review::is_review(&target.group, &target.resource) {
        return review::answer(shared, state, request);
    }
    let served = state.served(target)?;
    if served.info.namespaced && target.namespace.is_none() && target.name.is_some()
        || !served.info.namespaced && target.namespace.is_some() && target.resource != "namespaces"
    {
        return Err(match served.info.custom {
            true => Failure::no_such_path(),
            false => Failure::no_such_resource(),
        });
    }
    if let Some(subresource) = &target.subresource {
        return subresource::serve(shared, state, &served, request, subresource);
    }
    let verb = request.verb();
    if !served.info.verbs.iter().any(|known| known == verb) {
        return Err(Failure::method_not_allowed());
    }
    match verb {
        "get" => read::get(state, &served, request),
        "list" => list::list(state, &served, request),
        "watch" => watch::watch(shared, state, &served, request),
        "create" if target.name.is_none() => create::create(state, &served, request),
        "update" if target.name.is_some() => update::update(state, &served, request, Part::Main),
        "patch" if target.name.is_some() => patch::patch(state, &served, request, Part::Main),
        "delete" => delete::delete(state, &served, request),
        "deletecollection" => delete::delete_collection(state, &served, request),
        _ => Err(Failure::method_not_allowed()),
    }
}

/// Keeps what was asked, if it was a write.
fn note(state: &mut State, request: &Request, reply: &Outcome<Reply>) {
    let verb = request.verb();
    let target = &request.target;
    if matches!(verb, "get" | "list" | "watch")
        || review::is_review(&target.group, &target.resource)
    {
        return;
    }
    let mut resource = request.target.resource.clone();
    if !target.group.is_empty() {
        resource = format!("{resource}.{}", target.group);
    }
    if let Some(subresource) = &target.subresource {
        resource = format!("{resource}/{subresource}");
    }
    // Words that are no dry run were refused before anything was written.
    let dry_run = request.query.dry_run("").unwrap_or(false);
    let made = || reply.as_ref().ok().and_then(|reply| reply.about.clone());
    state.audit.push(Audited {
        user: request.user.name.clone(),
        verb,
        resource,
        namespace: target.namespace.clone(),
        name: target.name.clone().or_else(made).unwrap_or_default(),
        dry_run,
        code: match reply {
            Ok(reply) => reply.code,
            Err(failure) => failure.code,
        },
    });
}
