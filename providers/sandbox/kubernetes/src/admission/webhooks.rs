//! Admission webhooks, as far as a world without programs can have them.
//!
//! A webhook whose service has a ready endpoint is taken to agree and to change nothing. One that
//! nobody answers fails as in life: the write is refused, unless the webhook may be ignored.

use serde_json::Value;

use crate::failure::Failure;
use crate::failure::Outcome;
use crate::label_selector::LabelSelector;
use crate::object;
use crate::state::State;
use crate::store::Name;
use crate::store::ResourceId;
use crate::types::Served;
use crate::write::Author;

/// How long a webhook may take when it does not say, in seconds.
const TIMEOUT_S: u64 = 10;

/// The port of a webhook's service when it names none.
const PORT: u64 = 443;

/// What happens to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Update,
    Delete,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// The configurations, in the order in which they are asked.
const CONFIGURATIONS: &[&str] = &[
    "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations",
];

/// Asks every webhook that wants to be asked.
pub(crate) fn admit(
    state: &State,
    served: &Served,
    operation: Operation,
    json: &Value,
    subresource: Option<&str>,
    author: Author<'_>,
) -> Outcome<()> {
    if is_exempt(served) {
        return Ok(());
    }
    for plural in CONFIGURATIONS {
        let id = ResourceId::new("admissionregistration.k8s.io", plural);
        for configuration in state.store.list(&id, None) {
            let webhooks = configuration.json()["webhooks"].as_array();
            for webhook in webhooks.into_iter().flatten() {
                let asked = wants(webhook, served, operation, subresource)
                    && wants_object(state, webhook, served, json);
                if asked {
                    ask(state, webhook, author)?;
                }
            }
        }
    }
    Ok(())
}

/// Nobody can lock themselves out: webhooks are never asked about webhooks.
fn is_exempt(served: &Served) -> bool {
    served.info.group == "admissionregistration.k8s.io"
        || matches!(
            served.info.group.as_str(),
            "authentication.k8s.io" | "authorization.k8s.io"
        )
}

fn wants(
    webhook: &Value,
    served: &Served,
    operation: Operation,
    subresource: Option<&str>,
) -> bool {
    let rules = webhook["rules"].as_array();
    rules.into_iter().flatten().any(|rule| {
        has(&rule["operations"], operation.name())
            && has(&rule["apiGroups"], &served.info.group)
            && versions_match(webhook, rule, served)
            && has_resource(&rule["resources"], &served.info.plural, subresource)
            && scope_fits(rule, served)
    })
}

fn versions_match(webhook: &Value, rule: &Value, served: &Served) -> bool {
    // By default a rule means its resource in whatever version it is written.
    webhook["matchPolicy"] != "Exact" || has(&rule["apiVersions"], &served.info.version)
}

fn has(list: &Value, wanted: &str) -> bool {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(Value::as_str)
        .any(|item| item == "*" || item == wanted)
}

fn has_resource(list: &Value, plural: &str, subresource: Option<&str>) -> bool {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(Value::as_str).any(|item| {
        let (resource, sub) = item.split_once('/').unwrap_or((item, ""));
        let resource_fits = resource == "*" || resource == plural;
        let sub_fits = match subresource {
            None => sub.is_empty() || sub == "*",
            Some(wanted) => sub == "*" || sub == wanted,
        };
        resource_fits && sub_fits
    })
}

fn scope_fits(rule: &Value, served: &Served) -> bool {
    match rule["scope"].as_str() {
        Some("Namespaced") => served.info.namespaced,
        Some("Cluster") => !served.info.namespaced,
        _ => true,
    }
}

fn wants_object(state: &State, webhook: &Value, served: &Served, json: &Value) -> bool {
    let fits = |selector: &Value, of: &Value| {
        selector.is_null()
            || LabelSelector::from_json(selector)
                .is_some_and(|selector| selector.matches(object::labels(of)))
    };
    let namespace_fits = if served.info.kind == "Namespace" && served.info.group.is_empty() {
        fits(&webhook["namespaceSelector"], json)
    } else if served.info.namespaced {
        state
            .namespace(object::namespace(json))
            .is_some_and(|space| fits(&webhook["namespaceSelector"], space.json()))
    } else {
        true
    };
    namespace_fits && fits(&webhook["objectSelector"], json)
}

fn ask(state: &State, webhook: &Value, author: Author<'_>) -> Outcome<()> {
    let name = object::text(webhook, "/name");
    let effects = object::text(webhook, "/sideEffects");
    if author.dry_run && !matches!(effects, "None" | "NoneOnDryRun") {
        let message = format!("admission webhook {name:?} does not support dry run");
        return Err(Failure::bad_request(&message));
    }
    let Err(why) = call(state, webhook) else {
        return Ok(());
    };
    if webhook["failurePolicy"] == "Ignore" {
        return Ok(());
    }
    let message = format!("failed calling webhook {name:?}: failed to call webhook: {why}");
    Err(Failure::internal(&message))
}

/// Whether the webhook can be called, or why not.
fn call(state: &State, webhook: &Value) -> Result<(), String> {
    let client = &webhook["clientConfig"];
    let timeout_s = webhook["timeoutSeconds"].as_u64().unwrap_or(TIMEOUT_S);
    if let Some(url) = client["url"].as_str() {
        let host = url::Url::parse(url)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned))
            .unwrap_or_default();
        return Err(format!(
            "Post \"{url}?timeout={timeout_s}s\": dial tcp: lookup {host}: no such host"
        ));
    }
    let service = &client["service"];
    let (space, name) = (
        object::text(service, "/namespace"),
        object::text(service, "/name"),
    );
    let port = service["port"].as_u64().unwrap_or(PORT);
    let path = service["path"]
        .as_str()
        .filter(|path| !path.is_empty())
        .unwrap_or("/");
    let post = format!("Post \"https://{name}.{space}.svc:{port}{path}?timeout={timeout_s}s\"");
    let services = ResourceId::new("", "services");
    if state
        .store
        .get(&services, &Name::new(space, name))
        .is_none()
    {
        return Err(format!("{post}: service {name:?} not found"));
    }
    if !has_endpoint(state, space, name) {
        return Err(format!(
            "{post}: no endpoints available for service {name:?}"
        ));
    }
    Ok(())
}

/// Whether anything behind a service is ready.
pub(crate) fn has_endpoint(state: &State, space: &str, service: &str) -> bool {
    let id = ResourceId::new("discovery.k8s.io", "endpointslices");
    state.store.list(&id, Some(space)).any(|slice| {
        let slice = slice.json();
        let own = slice["metadata"]["labels"]["kubernetes.io/service-name"] == service;
        let endpoints = slice["endpoints"].as_array();
        own && endpoints
            .into_iter()
            .flatten()
            .any(|endpoint| endpoint["conditions"]["ready"] != false)
    })
}
