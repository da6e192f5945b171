//! Questions about rights: who am I, may I, may they, what may I.

use serde_json::Value;
use serde_json::json;

use crate::access::authenticate;
use crate::access::authorize;
use crate::access::authorize::Action;
use crate::cluster::Shared;
use crate::failure::Failure;
use crate::failure::Outcome;
use crate::failure::invalid_value;
use crate::object;
use crate::options::User;
use crate::reply::Reply;
use crate::request::Request;
use crate::state::State;

/// Whether a resource is a question that is answered and not stored.
pub(crate) fn is_review(group: &str, resource: &str) -> bool {
    matches!(
        (group, resource),
        (
            "authorization.k8s.io",
            "selfsubjectaccessreviews"
                | "selfsubjectrulesreviews"
                | "subjectaccessreviews"
                | "localsubjectaccessreviews"
        ) | (
            "authentication.k8s.io",
            "selfsubjectreviews" | "tokenreviews"
        )
    )
}

/// Answers a question.
pub(crate) fn answer(shared: &Shared, state: &State, request: &Request) -> Outcome<Reply> {
    if request.verb() != "create" || request.target.name.is_some() {
        return Err(Failure::method_not_allowed());
    }
    let resource = request.target.resource.as_str();
    let mut question = request.object(resource)?.value;
    if resource.ends_with("accessreviews") {
        refuse_ambiguous(&question)?;
    }
    let status = match resource {
        "selfsubjectaccessreviews" => access(state, &request.user, &question),
        "subjectaccessreviews" | "localsubjectaccessreviews" => {
            access(state, &asked_about(&question), &question)
        }
        "selfsubjectrulesreviews" => {
            let rules = rules(state, &request.user, &question);
            question["spec"] = json!({});
            rules
        }
        "selfsubjectreviews" => json!({ "userInfo": info(&request.user) }),
        _ => token(shared, state, &question),
    };
    let target = &request.target;
    question["apiVersion"] = json!(format!("{}/{}", target.group, target.version));
    question["kind"] = json!(kind(resource));
    object::object_at(&mut question, "metadata")
        .entry("creationTimestamp")
        .or_insert(Value::Null);
    question["status"] = status;
    Ok(Reply::value(201, &question, request.accept))
}

fn kind(resource: &str) -> &'static str {
    match resource {
        "selfsubjectaccessreviews" => "SelfSubjectAccessReview",
        "subjectaccessreviews" => "SubjectAccessReview",
        "localsubjectaccessreviews" => "LocalSubjectAccessReview",
        "selfsubjectrulesreviews" => "SelfSubjectRulesReview",
        "selfsubjectreviews" => "SelfSubjectReview",
        _ => "TokenReview",
    }
}

/// A question is about a resource or about a path.
fn refuse_ambiguous(question: &Value) -> Outcome<()> {
    let spec = &question["spec"];
    if spec["resourceAttributes"].is_object() != spec["nonResourceAttributes"].is_object() {
        return Ok(());
    }
    let error = invalid_value(
        "spec.resourceAttributes",
        &spec["resourceAttributes"],
        "exactly one of nonResourceAttributes or resourceAttributes must be specified",
    );
    Err(Failure::invalid(("authorization.k8s.io", ""), "", &[error]))
}

fn asked_about(question: &Value) -> User {
    let groups = question["spec"]["groups"].as_array();
    User {
        name: object::text(question, "/spec/user").to_owned(),
        groups: groups
            .into_iter()
            .flatten()
            .filter_map(|group| group.as_str().map(str::to_owned))
            .collect(),
    }
}

fn access(state: &State, user: &User, question: &Value) -> Value {
    let text = |field: &str| {
        question
            .pointer("/spec/resourceAttributes")
            .map_or("", |attributes| {
                object::text(attributes, &format!("/{field}"))
            })
    };
    let some = |field: &str| Some(text(field)).filter(|text| !text.is_empty());
    let spec = &question["spec"];
    let allowed = if spec["resourceAttributes"].is_object() {
        authorize::may(
            state,
            user,
            Action {
                verb: text("verb"),
                group: text("group"),
                resource: text("resource"),
                subresource: some("subresource"),
                namespace: some("namespace"),
                name: some("name"),
            },
        )
    } else {
        let path = object::text(spec, "/nonResourceAttributes/path");
        let verb = object::text(spec, "/nonResourceAttributes/verb");
        authorize::may_path(state, user, verb, path)
    };
    json!({ "allowed": allowed })
}

fn rules(state: &State, user: &User, question: &Value) -> Value {
    let namespace = object::text(question, "/spec/namespace");
    let all = authorize::rules(
        state,
        user,
        Some(namespace).filter(|space| !space.is_empty()),
    );
    let (paths, resources): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|rule| rule["nonResourceURLs"].is_array());
    json!({ "resourceRules": resources, "nonResourceRules": paths, "incomplete": false })
}

fn token(shared: &Shared, state: &State, question: &Value) -> Value {
    let token = object::text(question, "/spec/token");
    match authenticate::known(shared, state, token) {
        Some(user) => json!({ "authenticated": true, "user": info(&user) }),
        None => json!({ "user": {}, "error": "invalid bearer token" }),
    }
}

fn info(user: &User) -> Value {
    json!({ "username": user.name, "groups": user.groups })
}
