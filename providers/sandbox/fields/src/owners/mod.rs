//! Who owns which field: `metadata.managedFields` and server-side apply.
//!
//! Works on objects as they are stored: a built-in one is compared with what the server makes of an
//! empty one, a custom one with nothing. Defaults are the caller's: [`apply`] returns an object that
//! still lacks them, [`update`] wants one that has them. Knows one version of a type; what a writer
//! owns in another version is read as if the versions had the same fields.

mod conflict;
mod entries;
mod misfit;
mod nulls;
mod set;
mod walk;
mod write;

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::json;

use crate::TypeInfo;
use crate::normal;
pub use conflict::ApplyError;
pub use conflict::Conflict;
use entries::Owned;
use entries::Owners;
use entries::Writer;
use set::Set;
use write::Write;

/// The annotation in which `kubectl apply` keeps what it applied last.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The writer for whom that annotation counts.
const KUBECTL: &str = "kubectl";

/// Applies a configuration; returns the object that the server goes on to default, validate and
/// store, with its new `metadata.managedFields`.
///
/// `live` is the stored object with its managed fields, if there is one. Fields that this
/// subresource cannot change (`status` on the object itself, all but `status` on `status`) are left
/// as they are in `live`. When nothing but times would change, [`keep_times`] says so.
///
/// # Errors
///
/// [`ApplyError::Conflicts`] unless `force`; the others when the configuration makes no sense.
pub fn apply(
    ty: &TypeInfo,
    live: Option<&Value>,
    applied: &Value,
    manager: &str,
    force: bool,
    subresource: Option<&str>,
    now: &str,
) -> Result<Value, ApplyError> {
    check_applied(ty, applied)?;
    let owners = entries::read(live).ok_or_else(|| {
        ApplyError::BadRequest("failed to decode managed fields of the stored object".to_owned())
    })?;
    let bare = live.map_or_else(|| normal::empty(ty), without_entries);
    let mut write = Write {
        ty,
        live: bare,
        owners,
        reset: reset(ty, subresource),
        now,
    };
    if write.owners.is_empty() && live.is_some() {
        write.adopt(subresource);
    }
    let config = without_reset(applied, &write.reset);
    let writer = Writer::applier(manager, subresource);
    let mut merged = match write.clone().apply(&config, &writer, force) {
        Err(conflicts) if manager == KUBECTL && write.was_applied_before(&conflicts) => write
            .apply(&config, &writer, true)
            .map_err(ApplyError::Conflicts)?,
        outcome => outcome.map_err(ApplyError::Conflicts)?,
    };
    if manager == KUBECTL {
        renew_last_applied(&mut merged, applied);
    }
    nulls::refuse(ty, &merged)?;
    Ok(merged)
}

fn check_applied(ty: &TypeInfo, applied: &Value) -> Result<(), ApplyError> {
    let bad = |what| Err(ApplyError::BadRequest(what));
    let text = |name: &str| applied[name].as_str().unwrap_or_default();
    if text("kind") != ty.kind || text("apiVersion") != ty.api_version() {
        return bad(format!(
            "invalid object type: {}, Kind={}",
            text("apiVersion"),
            text("kind")
        ));
    }
    if !applied["metadata"]["managedFields"].is_null() {
        return bad("metadata.managedFields must be nil".to_owned());
    }
    let misfits = misfit::misfits(ty.schema.root(), applied);
    let shown = match misfits.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        many => format!("errors:\n  {}", many.join("\n  ")),
    };
    let named = |name: &str| {
        applied["metadata"][name]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let (namespace, name) = (named("namespace"), named("name"));
    Err(ApplyError::Misfit(format!(
        "failed to create typed patch object ({namespace}/{name}; {}, Kind={}): {shown}",
        ty.api_version(),
        ty.kind
    )))
}

/// Records who owns what after a create, an update or a patch (operation `Update`).
///
/// `new` has its defaults; what the server itself puts in afterwards ([`crate::prepare_create`],
/// [`crate::prepare_update`], admission) belongs to nobody. An object that nobody tracks stays so; an update that
/// empties `metadata.managedFields` forgets all owners.
pub fn update(
    ty: &TypeInfo,
    live: Option<&Value>,
    new: &mut Value,
    manager: &str,
    subresource: Option<&str>,
    now: &str,
) {
    let owners = owners_of_update(live, new, subresource);
    let untracked = owners.is_empty() && live.is_some();
    strip_entries(new);
    if untracked {
        return;
    }
    let mut write = Write {
        ty,
        live: live.map_or_else(|| normal::empty(ty), without_entries),
        owners,
        reset: reset(ty, subresource),
        now,
    };
    write.update(
        new,
        &Writer::updater(manager, &ty.api_version(), subresource),
    );
    entries::cap(&mut write.owners);
    entries::write(new, &write.owners);
    if let Some(live) = live {
        keep_times(live, new);
    }
}

/// Gives the fields of a configuration to who applied it, in an object of which nobody knows who owns what.
/// One that says so itself stays as it is.
pub fn granted(ty: &TypeInfo, live: &mut Value, applied: &Value, manager: &str, now: &str) {
    if entries::read(Some(live)).is_none_or(|owners| !owners.is_empty()) {
        return;
    }
    let set = walk::fields(ty.schema.root(), applied).difference(&write::ownerless());
    let owned = Owned {
        set,
        version: ty.api_version(),
        time: Some(now.to_owned()),
    };
    let owners = Owners::from([(Writer::applier(manager, None), owned)]);
    entries::write(live, &owners);
}

/// Takes the times of the owners from `live` if nothing else changed; returns whether so. A server
/// then does not write.
pub fn keep_times(live: &Value, new: &mut Value) -> bool {
    let timeless = |object: &Value| {
        entries::read(Some(object)).map(|owners| {
            let owned = |(writer, owned): (Writer, Owned)| (writer, (owned.set, owned.version));
            owners.into_iter().map(owned).collect::<BTreeMap<_, _>>()
        })
    };
    let same = timeless(live) == timeless(new) && without_entries(live) == without_entries(new);
    if same {
        *new = live.clone();
    }
    same
}

/// A client may write `managedFields` itself, but not through a subresource.
fn owners_of_update(live: Option<&Value>, new: &Value, subresource: Option<&str>) -> Owners {
    let of_live = || entries::read(live).unwrap_or_default();
    let Some(written) = new["metadata"]["managedFields"].as_array() else {
        return of_live();
    };
    if subresource.is_some() {
        return of_live();
    }
    let forgets = written.is_empty() || matches!(written.as_slice(), [one] if one == &json!({}));
    if forgets {
        return Owners::new();
    }
    entries::read(Some(new))
        .filter(|owners| !owners.is_empty())
        .unwrap_or_else(of_live)
}

fn without_entries(object: &Value) -> Value {
    let mut bare = object.clone();
    strip_entries(&mut bare);
    bare
}

fn strip_entries(object: &mut Value) {
    if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("managedFields");
    }
}

/// The fields that a write through this subresource cannot change.
fn reset(ty: &TypeInfo, subresource: Option<&str>) -> Set {
    match subresource {
        None if ty.status => Set::of_paths(&[&["status"]]),
        Some("status") => Set::of_paths(&[&["spec"]]),
        _ => Set::default(),
    }
}

fn without_reset(applied: &Value, reset: &Set) -> Value {
    let mut config = applied.clone();
    if let Some(config) = config.as_object_mut() {
        config.retain(|name, _| reset.get(&set::Element::field(name)).is_none());
    }
    config
}

/// Keeps the annotation of `kubectl apply` in step, where there is one.
fn renew_last_applied(object: &mut Value, applied: &Value) {
    let Some(annotation) = object
        .pointer_mut("/metadata/annotations")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    let Some(text) = annotation
        .get_mut(LAST_APPLIED)
        .filter(|text| text.as_str() != Some(""))
    else {
        return;
    };
    let mut applied = applied.clone();
    if let Some(annotations) = applied
        .pointer_mut("/metadata/annotations")
        .and_then(Value::as_object_mut)
    {
        annotations.remove(LAST_APPLIED);
    }
    *text = json!(format!("{applied}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtins;

    const NOW: &str = "2026-01-01T00:00:00Z";

    fn config_map() -> &'static TypeInfo {
        builtins().iter().find(|ty| ty.kind == "ConfigMap").unwrap()
    }

    fn with(data: Value) -> Value {
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" }, "data": data })
    }

    fn applied(
        live: Option<&Value>,
        data: Value,
        manager: &str,
        force: bool,
    ) -> Result<Value, ApplyError> {
        apply(config_map(), live, &with(data), manager, force, None, NOW)
    }

    fn owners_of<'a>(object: &'a Value, field: &str) -> Vec<&'a str> {
        let entries = object["metadata"]["managedFields"].as_array().unwrap();
        let owns = |entry: &&Value| !entry["fieldsV1"]["f:data"][format!("f:{field}")].is_null();
        entries
            .iter()
            .filter(owns)
            .map(|entry| entry["manager"].as_str().unwrap())
            .collect()
    }

    #[test]
    fn equal_values_are_shared_and_other_values_conflict() {
        let one = applied(None, json!({ "x": "1" }), "one", false).unwrap();
        let both = applied(Some(&one), json!({ "x": "1" }), "two", false).unwrap();
        assert_eq!(owners_of(&both, "x"), ["two", "one"]);
        let error = applied(Some(&one), json!({ "x": "2" }), "two", false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Apply failed with 1 conflict: conflict with \"one\": .data.x"
        );
        let taken = applied(Some(&one), json!({ "x": "2" }), "two", true).unwrap();
        assert_eq!(owners_of(&taken, "x"), ["two"]);
    }

    #[test]
    fn a_field_goes_when_its_last_owner_drops_it() {
        let one = applied(None, json!({ "x": "1", "y": "1" }), "one", false).unwrap();
        let both = applied(Some(&one), json!({ "x": "1" }), "two", false).unwrap();
        let kept = applied(Some(&both), json!({ "y": "1" }), "one", false).unwrap();
        assert_eq!(kept["data"], json!({ "x": "1", "y": "1" }));
        let gone = applied(Some(&kept), json!({}), "two", false).unwrap();
        assert_eq!(gone["data"], json!({ "y": "1" }));
    }

    #[test]
    fn an_update_takes_what_it_changes_and_nothing_else() {
        let one = applied(None, json!({ "x": "1", "y": "1" }), "one", false).unwrap();
        let mut new = one.clone();
        new["data"]["x"] = json!("2");
        update(
            config_map(),
            Some(&one),
            &mut new,
            "two",
            None,
            "2026-01-02T00:00:00Z",
        );
        assert_eq!(owners_of(&new, "x"), ["two"]);
        assert_eq!(owners_of(&new, "y"), ["one"]);
        let mut same = new.clone();
        update(
            config_map(),
            Some(&new),
            &mut same,
            "three",
            None,
            "2026-01-03T00:00:00Z",
        );
        assert_eq!(same, new);
    }

    #[test]
    fn applying_the_same_twice_changes_nothing() {
        let one = applied(None, json!({ "x": "1" }), "one", false).unwrap();
        let again = apply(
            config_map(),
            Some(&one),
            &with(json!({ "x": "1" })),
            "one",
            false,
            None,
            "2026-01-02T00:00:00Z",
        );
        assert_eq!(again.unwrap(), one);
    }
}
