//! The schemas that clients fetch to check objects before they send them.
//!
//! What an object may be is checked on the server, which says so when it is asked to
//! (`fieldValidation`). The documents here are honest about that: they name the types and the
//! parameters, and leave the fields open.

use serde_json::Value;
use serde_json::json;

use crate::types::Served;
use crate::types::Types;

/// `/openapi/v3`: where the document of each group version is.
pub(crate) fn index(types: &Types) -> Value {
    let mut paths = json!({});
    for (group, versions) in types.groups() {
        for version in versions {
            let path = path_of(group, version);
            paths[&path] = json!({ "serverRelativeURL": format!("/openapi/v3/{path}") });
        }
    }
    json!({ "paths": paths })
}

fn path_of(group: &str, version: &str) -> String {
    if group.is_empty() {
        format!("api/{version}")
    } else {
        format!("apis/{group}/{version}")
    }
}

/// `/openapi/v3/...`: one group version.
pub(crate) fn document(types: &Types, path: &str) -> Option<Value> {
    let (group, version) = match path.split('/').collect::<Vec<_>>().as_slice() {
        ["api", version] => ("", *version),
        ["apis", group, version] => (*group, *version),
        _ => return None,
    };
    if !types.knows_version(group, version) {
        return None;
    }
    let (mut paths, mut schemas) = (json!({}), json!({}));
    for served in types.in_version(group, version) {
        let info = &served.info;
        let space = if info.namespaced {
            "/namespaces/{namespace}"
        } else {
            ""
        };
        let root = path_of(group, version);
        let place = format!("/{root}{space}/{}/{{name}}", info.plural);
        paths[&place] = operations(served);
        schemas[schema_name(served)] = schema(served);
    }
    Some(json!({
        "openapi": "3.0.0",
        "info": { "title": "Kubernetes", "version": "unversioned" },
        "paths": paths,
        "components": { "schemas": schemas },
    }))
}

fn operations(served: &Served) -> Value {
    let kind = kind_of(served);
    let parameter = |name: &str| json!({ "name": name, "in": "query", "schema": { "type": "string", "uniqueItems": true } });
    let parameters = [
        parameter("dryRun"),
        parameter("fieldManager"),
        parameter("fieldValidation"),
    ];
    let operation = |action: &str| {
        json!({
            "parameters": parameters,
            "responses": { "200": { "description": "OK" } },
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": kind,
        })
    };
    json!({
        "get": operation("get"),
        "put": operation("put"),
        "patch": operation("patch"),
        "delete": operation("delete"),
    })
}

fn kind_of(served: &Served) -> Value {
    let info = &served.info;
    json!({ "group": info.group, "version": info.version, "kind": info.kind })
}

fn schema_name(served: &Served) -> String {
    let info = &served.info;
    let group = if info.group.is_empty() {
        "core"
    } else {
        &info.group
    };
    format!("{group}.{}.{}", info.version, info.kind)
}

fn schema(served: &Served) -> Value {
    json!({
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": true,
        "x-kubernetes-group-version-kind": [kind_of(served)],
    })
}

/// The old schemas in binary form, for a client that only wants to check fields itself: a document
/// of version 2.0 that describes nothing, so that it leaves the checking to the server.
pub(crate) const OLD_BINARY: &[u8] = b"\x0a\x032.0";

/// `/openapi/v2`: the types by name, for clients that know nothing newer.
pub(crate) fn old_document(types: &Types) -> Value {
    let mut definitions = json!({});
    for (group, versions) in types.groups() {
        for version in versions {
            for served in types.in_version(group, version) {
                definitions[schema_name(served)] = schema(served);
            }
        }
    }
    json!({
        "swagger": "2.0",
        "info": { "title": "Kubernetes", "version": "unversioned" },
        "paths": {},
        "definitions": definitions,
    })
}
