//! Paths beside the resources: version, health, discovery and schemas.

use serde_json::Value;
use serde_json::json;

use crate::accept::Accept;
use crate::accept::Aggregated;
use crate::cluster::Shared;
use crate::discovery;
use crate::failure::Failure;
use crate::failure::Outcome;
use crate::reply::Reply;
use crate::state::State;

/// The content types of aggregated discovery, by which clients know that they got it.
const AGGREGATED_V2: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const AGGREGATED_V2BETA1: &str =
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";

/// The binary form of the old schemas.
const OLD_SCHEMAS_BINARY: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// Answers what is no resource.
pub(crate) fn serve(shared: &Shared, state: &State, path: &str, accept: &str) -> Outcome<Reply> {
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    let types = &state.types;
    let negotiated = Accept::negotiate(accept);
    let found = match parts.as_slice() {
        ["healthz" | "livez" | "readyz", ..] => return Ok(Reply::text(200, "ok")),
        ["version"] => Some(version(&shared.options.version)),
        ["api"] | ["apis"] => {
            let core = parts == ["api"];
            if let Some(form) = negotiated?.aggregated {
                return Ok(aggregated(state, core, form));
            }
            Some(if core {
                discovery::core_versions(&shared.options.advertised)
            } else {
                discovery::groups(types)
            })
        }
        ["api", version] => discovery::resources(types, "", version),
        ["apis", group] => discovery::group(types, group),
        ["apis", group, version] => {
            let found = discovery::resources(types, group, version);
            if found.is_none() && types.is_builtin_group(group) {
                return Err(Failure::no_such_resource());
            }
            found
        }
        ["openapi", "v3"] => {
            // The real server calls this text, though it is JSON.
            let index = discovery::schemas::index(types).to_string().into_bytes();
            return Ok(Reply {
                content_type: "text/plain; charset=utf-8",
                ..Reply::json(200, index)
            });
        }
        ["openapi", "v3", rest @ ..] => {
            match discovery::schemas::document(types, &rest.join("/")) {
                Some(document) => Some(document),
                None => return Ok(Reply::text(404, "")),
            }
        }
        ["openapi", "v2"] if accept.contains("proto-openapi") => {
            return Ok(Reply {
                content_type: OLD_SCHEMAS_BINARY,
                ..Reply::json(200, discovery::schemas::OLD_BINARY.to_vec())
            });
        }
        ["openapi", "v2"] => Some(discovery::schemas::old_document(types)),
        [] => Some(index(state)),
        _ => None,
    };
    let found = found.ok_or_else(Failure::no_such_path)?;
    Ok(Reply::json(
        200,
        serde_json::to_vec(&found).unwrap_or_default(),
    ))
}

fn aggregated(state: &State, core: bool, form: Aggregated) -> Reply {
    let found = discovery::aggregated(&state.types, core, form);
    Reply {
        content_type: match form {
            Aggregated::V2 => AGGREGATED_V2,
            Aggregated::V2Beta1 => AGGREGATED_V2BETA1,
        },
        ..Reply::json(200, serde_json::to_vec(&found).unwrap_or_default())
    }
}

fn version(git: &str) -> Value {
    let mut numbers = git.trim_start_matches('v').split('.');
    let mut next = || numbers.next().unwrap_or("0").to_owned();
    let (major, minor) = (next(), next());
    let before = minor
        .parse::<u64>()
        .unwrap_or(1)
        .saturating_sub(1)
        .to_string();
    json!({
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": minor,
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": before,
        "gitVersion": git,
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "gc",
        "platform": "linux/amd64",
    })
}

fn index(state: &State) -> Value {
    let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
    for (group, versions) in state.types.groups().iter().filter(|(g, _)| !g.is_empty()) {
        paths.push(format!("/apis/{group}"));
        paths.extend(
            versions
                .iter()
                .map(|version| format!("/apis/{group}/{version}")),
        );
    }
    for path in [
        "/healthz",
        "/livez",
        "/openapi/v2",
        "/openapi/v3",
        "/readyz",
        "/version",
    ] {
        paths.push(path.to_owned());
    }
    json!({ "paths": paths })
}
