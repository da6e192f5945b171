//! What runs on site A: the objects of the shop and the backups that hold them.
//!
//! Knows nothing about recovery.

use serde_json::Value;
use serde_json::json;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The namespaces of the shop; the first is infrastructure.
pub(crate) const NAMESPACES: &[&str] = &["shop-infra", "shop", "shop-web", "shop-jobs"];

/// Those of them that the backup of the applications holds.
pub(crate) const APPS: &[&str] = &["shop", "shop-web", "shop-jobs"];

/// The label on every object without a namespace.
pub(crate) const PART_OF: &str = "app.kubernetes.io/part-of=shop";

/// How many ConfigMaps each namespace gets.
const CONFIG_MAPS: &[(&str, usize)] = &[("shop", 80), ("shop-web", 35), ("shop-infra", 5)];

/// Begins every secret value, so that a search finds it wherever it went.
pub(crate) const CANARY: &str = "canary-of-the-shop";

/// The CRD and what must be there before the rest.
pub(crate) fn foundation() -> Vec<Value> {
    let mut out: Vec<Value> = NAMESPACES.iter().map(|name| namespace(name)).collect();
    out.push(crd());
    out
}

/// Everything else but the webhook configuration.
pub(crate) fn objects() -> Vec<Value> {
    let mut out = cluster_scoped();
    for namespace in NAMESPACES {
        out.extend(accounts(namespace));
    }
    for (namespace, count) in CONFIG_MAPS {
        out.extend((0..*count).map(|n| config_map(namespace, n)));
    }
    for namespace in APPS {
        out.extend((0..4).map(|n| secret(namespace, n)));
    }
    for (namespace, name, replicas) in [
        ("shop", "orders", 2),
        ("shop", "prices", 1),
        ("shop-web", "web", 3),
        ("shop-jobs", "mailer", 1),
    ] {
        out.push(deployment(namespace, name, replicas));
        out.push(service(namespace, name));
    }
    out.push(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "orders-peers", "namespace": "shop"},
        "spec": {"clusterIP": "None", "selector": {"app": "orders"}, "ports": [{"port": 7000}]},
    }));
    out.extend((0..6).map(price_list));
    out.push(cron_job());
    out
}

/// The webhook that checks the shop's own kind.
///
/// `Ignore`, because nothing answers it while the shop is being restored: with `Fail` no PriceList
/// could come back before the Pods that check them, and those may need PriceLists to start.
pub(crate) fn webhook() -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "pricelists.shop.example", "labels": part_of()},
        "webhooks": [{
            "name": "pricelists.shop.example",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Ignore",
            "timeoutSeconds": 1,
            "clientConfig": {"service": {"namespace": "shop", "name": "price-check", "path": "/check"}},
            "rules": [{
                "apiGroups": ["shop.example"], "apiVersions": ["v1"],
                "operations": ["CREATE"], "resources": ["pricelists"],
            }],
        }],
    })
}

/// Where Velero of site A writes.
pub(crate) fn location(bucket: &str, endpoint: &str, region: &str) -> Value {
    json!({
        "apiVersion": "velero.io/v1", "kind": "BackupStorageLocation",
        "metadata": {"name": "backups", "namespace": "velero"},
        "spec": {
            "provider": "aws",
            "objectStorage": {"bucket": bucket, "prefix": "velero"},
            "config": {"region": region, "s3ForcePathStyle": "true", "s3Url": endpoint},
        },
    })
}

/// The two backups: infrastructure with everything that has no namespace, and the applications.
pub(crate) fn backups() -> [Value; 2] {
    let backup = |name: &str, mut spec: Value| {
        spec["storageLocation"] = "backups".into();
        spec["snapshotVolumes"] = false.into();
        json!({
            "apiVersion": "velero.io/v1", "kind": "Backup",
            "metadata": {"name": name, "namespace": "velero"},
            "spec": spec,
        })
    };
    let infra = json!({"includedNamespaces": ["shop-infra"], "includeClusterResources": true});
    [
        backup("infra-1", infra),
        backup("apps-1", json!({"includedNamespaces": APPS})),
    ]
}

fn part_of() -> Value {
    json!({"app.kubernetes.io/part-of": "shop"})
}

fn namespace(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {"team": "shop"}, "annotations": {"shop.example/owner": "ops"}},
    })
}

fn crd() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "pricelists.shop.example", "labels": part_of()},
        "spec": {
            "group": "shop.example",
            "scope": "Namespaced",
            "names": {
                "plural": "pricelists", "singular": "pricelist",
                "kind": "PriceList", "listKind": "PriceListList",
            },
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {
                        "currency": {"type": "string"},
                        "prices": {"type": "object", "additionalProperties": {"type": "number"}},
                    }},
                }}},
            }],
        },
    })
}

fn price_list(n: usize) -> Value {
    json!({
        "apiVersion": "shop.example/v1", "kind": "PriceList",
        "metadata": {"name": format!("season-{n}"), "namespace": "shop"},
        "spec": {"currency": "EUR", "prices": {"tea": n + 3, "coffee": n + 4}},
    })
}

fn cluster_scoped() -> Vec<Value> {
    let rbac = "rbac.authorization.k8s.io/v1";
    vec![
        json!({
            "apiVersion": rbac, "kind": "ClusterRole",
            "metadata": {"name": "shop-reader", "labels": part_of()},
            "rules": [{
                "apiGroups": ["shop.example"], "resources": ["pricelists"],
                "verbs": ["get", "list", "watch"],
            }],
        }),
        json!({
            "apiVersion": rbac, "kind": "ClusterRoleBinding",
            "metadata": {"name": "shop-reader", "labels": part_of()},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "shop-reader"},
            "subjects": [{"kind": "ServiceAccount", "name": "worker", "namespace": "shop"}],
        }),
        json!({
            "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass",
            "metadata": {"name": "shop-critical", "labels": part_of()},
            "value": 1000, "description": "the shop earns the money",
        }),
    ]
}

fn accounts(namespace: &str) -> Vec<Value> {
    let rbac = "rbac.authorization.k8s.io/v1";
    let meta = json!({"name": "worker", "namespace": namespace});
    vec![
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}),
        json!({
            "apiVersion": rbac, "kind": "Role", "metadata": meta,
            "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}],
        }),
        json!({
            "apiVersion": rbac, "kind": "RoleBinding", "metadata": meta,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "worker"},
            "subjects": [{"kind": "ServiceAccount", "name": "worker", "namespace": namespace}],
        }),
    ]
}

fn config_map(namespace: &str, n: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": format!("settings-{n:03}"), "namespace": namespace, "labels": {"set": "settings"}},
        "data": {"colour": format!("#{n:06x}"), "text": format!("line one of {n}\nline two\n")},
    })
}

fn secret(namespace: &str, n: usize) -> Value {
    let value = STANDARD.encode(secret_value(namespace, n));
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": format!("key-{n}"), "namespace": namespace},
        "data": {"password": value},
    })
}

/// What a Secret holds.
fn secret_value(namespace: &str, n: usize) -> String {
    format!("{CANARY}-{namespace}-{n}")
}

/// Everything that must never be shown: the values, and what the API calls them.
pub(crate) fn secret_values() -> Vec<String> {
    let mut out = vec![CANARY.to_owned()];
    for namespace in APPS {
        out.extend((0..4).map(|n| STANDARD.encode(secret_value(namespace, n))));
    }
    out
}

fn deployment(namespace: &str, name: &str, replicas: usize) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "serviceAccountName": "worker",
                    "priorityClassName": "shop-critical",
                    "containers": [{
                        "name": name,
                        "image": format!("shop.example/{name}:1.0"),
                        "envFrom": [{"secretRef": {"name": "key-0"}}],
                        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
                    }],
                },
            },
        },
    })
}

fn service(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
    })
}

fn cron_job() -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": "invoices", "namespace": "shop-jobs"},
        "spec": {
            "schedule": "0 3 1 * *",
            "jobTemplate": {"spec": {"template": {"spec": {
                "restartPolicy": "Never",
                "containers": [{"name": "invoices", "image": "shop.example/invoices:1.0"}],
            }}}},
        },
    })
}
