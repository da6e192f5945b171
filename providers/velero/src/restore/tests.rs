//! Builders that the tests of this folder share.

use std::collections::BTreeMap;

use drplan_api::Address;
use drplan_api::Json;
use serde_json::json;

use super::judge::Live;
use super::name::Names;
use super::spec::Spec;
use crate::index::Item;
use crate::index::Key;

pub(crate) fn spec(mut args: Json) -> Spec {
    args["backup"] = json!({
        "name": "nightly", "at": "2026-01-01T00:00:00Z", "objects": 1, "namespaces": ["shop"],
        "volumes": [], "conn": "s3.backups", "bucket": "b", "prefix": "v", "uid": "u",
        "expiration": null, "phase": "Completed", "errors": 0, "warnings": 0,
    });
    serde_json::from_value(args).expect("arguments")
}

pub(crate) fn names() -> Names {
    Names::of(&Address::new("velero_restore.shop"))
}

pub(crate) fn archived(resource: &str, namespace: &str, name: &str) -> Item {
    Item {
        resource: resource.to_owned(),
        api: "v1".to_owned(),
        kind: "X".to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        uid: format!("uid-{name}"),
        digest: "d".to_owned(),
        labels: BTreeMap::new(),
        ..Item::default()
    }
}

pub(crate) fn live(resource: &str, namespace: &str, name: &str, uid: &str) -> (Key, Live) {
    let key = Key {
        resource: resource.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    let live = Live {
        uid: uid.to_owned(),
        ..Live::default()
    };
    (key, live)
}

pub(crate) fn ours(resource: &str, namespace: &str, name: &str, created: &str) -> (Key, Live) {
    let (key, live) = live(resource, namespace, name, "new");
    let live = Live {
        restore: Some(names().name("0a1b2c3d", 1)),
        created: created.parse().ok(),
        ..live
    };
    (key, live)
}
