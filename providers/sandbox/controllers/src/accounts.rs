//! What every namespace gets: the account `default` and the certificate of the API server.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use crate::Ask;
use crate::Controller;
use crate::Turn;
use crate::Write;
use crate::children::Kind;
use crate::object::is_deleting;
use crate::object::text;

const NAMESPACES: Kind = ("", "Namespace");
const ACCOUNTS: Kind = ("", "ServiceAccount");
const MAPS: Kind = ("", "ConfigMap");
const ROOT_CA: &str = "kube-root-ca.crt";

/// Furnishes namespaces.
#[derive(Debug)]
pub(crate) struct Accounts;

impl Controller for Accounts {
    fn name(&self) -> &'static str {
        "accounts"
    }

    fn watches(&self) -> &'static [Kind] {
        &[NAMESPACES, ACCOUNTS, MAPS]
    }

    fn user(&self) -> &'static str {
        "system:serviceaccount:kube-system:service-account-controller"
    }

    fn turn(&self, ask: Ask<'_>) -> Turn {
        let mut turn = Turn::default();
        for namespace in touched(ask) {
            let space = ask.view.get(NAMESPACES.0, NAMESPACES.1, None, namespace);
            let lives = space.is_some_and(|space| {
                !is_deleting(&space) && text(&space["status"]["phase"]) != "Terminating"
            });
            if lives {
                furnish(ask, namespace, &mut turn.writes);
            }
        }
        turn
    }
}

fn touched(ask: Ask<'_>) -> BTreeSet<&str> {
    let changed = ask.changed.iter();
    changed
        .filter_map(|key| match key.kind.as_str() {
            "Namespace" => Some(key.name.as_str()),
            "ServiceAccount" if key.name == "default" => key.namespace.as_deref(),
            "ConfigMap" if key.name == ROOT_CA => key.namespace.as_deref(),
            _ => None,
        })
        .collect()
}

fn furnish(ask: Ask<'_>, namespace: &str, writes: &mut Vec<Write>) {
    let account = ask
        .view
        .get(ACCOUNTS.0, ACCOUNTS.1, Some(namespace), "default");
    if account.is_none() {
        writes.push(Write::Create(json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": namespace},
        })));
    }
    let data = json!({"ca.crt": ask.settings.root_ca});
    match ask.view.get(MAPS.0, MAPS.1, Some(namespace), ROOT_CA) {
        None => writes.push(Write::Create(certificate(namespace, data))),
        // One that came with a backup belongs to another cluster.
        Some(there) if there["data"] != data && !is_deleting(&there) => {
            let mut changed: Value = there.as_ref().clone();
            changed["data"] = data;
            writes.push(Write::Update(changed));
        }
        Some(_) => {}
    }
}

fn certificate(namespace: &str, data: Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": ROOT_CA,
            "namespace": namespace,
            "annotations": {
                "kubernetes.io/description": "Contains a CA bundle that can be used to verify the \
                    kube-apiserver when using internal endpoints such as the internal service IP or \
                    kubernetes.default.svc. No other usage is guaranteed across distributions of \
                    Kubernetes clusters.",
            },
        },
        "data": data,
    })
}
