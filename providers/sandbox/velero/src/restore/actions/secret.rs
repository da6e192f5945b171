//! Secrets: tokens of service accounts belong to the cluster that made them.

use serde_json::Value;

use super::Done;
use super::typed;
use crate::kube_api::Place;
use crate::restore::execute::Run;
use crate::text::name;
use crate::text::namespace;

pub(super) async fn check(run: &Run<'_>, object: Value) -> Result<Done, String> {
    if object["type"] != "kubernetes.io/service-account-token" {
        return Ok(Done::with(object));
    }
    // The namespace is the backup's own: a mapped one is not looked at.
    let place = Place::new("v1", "serviceaccounts", namespace(&object));
    let listed = run.server.kube.list(&place).await;
    let (accounts, _) =
        listed.map_err(|refusal| format!("unable to list the service accounts: {refusal}"))?;
    let is_automatic = accounts
        .iter()
        .any(|account| name(&object).starts_with(&format!("{}-token-", name(account))));
    if is_automatic {
        return Ok(Done {
            object: None,
            needs: Vec::new(),
        });
    }
    let mut object = typed(object);
    for (path, fields) in [
        (
            "/metadata/annotations",
            &["kubernetes.io/service-account.uid"][..],
        ),
        ("/data", &["token", "ca.crt"][..]),
    ] {
        if let Some(map) = object.pointer_mut(path).and_then(Value::as_object_mut) {
            map.retain(|key, _| !fields.contains(&&**key));
        }
    }
    Ok(Done::with(object))
}
