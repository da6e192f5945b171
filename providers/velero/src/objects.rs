//! Velero's own objects in a cluster: their types and the requests that create them.

use drplan_api::ErrorKind;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_api::stamp;
use drplan_kubernetes::KubeConn;
use drplan_kubernetes::asks::TypeRef;
use drplan_kubernetes::secrets;
use http::Method;
use serde_json::json;

/// The namespace of Velero if nobody says another.
pub(crate) const VELERO_NAMESPACE: &str = "velero";

const GROUP: &str = "velero.io";
/// How bodies are written.
const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const VERSION: &str = "v1";

pub(crate) fn locations() -> TypeRef {
    TypeRef::new(GROUP, VERSION, "backupstoragelocations")
}

pub(crate) fn backups() -> TypeRef {
    TypeRef::new(GROUP, VERSION, "backups")
}

pub(crate) fn restores() -> TypeRef {
    TypeRef::new(GROUP, VERSION, "restores")
}

pub(crate) fn volume_backups() -> TypeRef {
    TypeRef::new(GROUP, VERSION, "podvolumebackups")
}

pub(crate) fn volume_restores() -> TypeRef {
    TypeRef::new(GROUP, VERSION, "podvolumerestores")
}

pub(crate) fn volume_downloads() -> TypeRef {
    TypeRef::new(GROUP, "v2alpha1", "datadownloads")
}

pub(crate) fn config_maps() -> TypeRef {
    TypeRef::new("", VERSION, "configmaps")
}

/// Reads one object of Velero; `None` if it is not there.
pub(crate) async fn find(
    conn: &KubeConn,
    of: &TypeRef,
    namespace: &str,
    name: &str,
) -> Result<Option<Json>, ProviderError> {
    match conn.get(of, Some(namespace), name).await {
        Ok(object) => Ok(Some(object)),
        Err(e) if e.kind == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// The path of a write, which says whose it is.
fn path(of: &TypeRef, namespace: &str, name: Option<&str>) -> String {
    let path = of.path(Some(namespace), name);
    format!("{path}?fieldManager={}", stamp::FIELD_MANAGER)
}

/// Creates an object under its fixed name; one that is already there is
/// [`drplan_api::ErrorKind::Conflict`].
pub(crate) async fn create(
    conn: &KubeConn,
    of: &TypeRef,
    namespace: &str,
    body: &Json,
) -> Result<(), ProviderError> {
    let (kind, name) = (text(&body["kind"]), text(&body["metadata"]["name"]));
    let during = format!("create {kind} `{name}`");
    let path = path(of, namespace, None);
    conn.write(&during, Method::POST, &path, JSON, body).await?;
    Ok(())
}

/// Deletes the very object that was read, and no other of its name.
pub(crate) async fn delete(
    conn: &KubeConn,
    of: &TypeRef,
    namespace: &str,
    object: &Json,
) -> Result<(), ProviderError> {
    let (kind, meta) = (text(&object["kind"]), &object["metadata"]);
    let name = text(&meta["name"]);
    let during = format!("delete {kind} `{name}`");
    let options = json!({
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": meta["uid"]},
    });
    let path = of.path(Some(namespace), Some(name));
    conn.write(&during, Method::DELETE, &path, JSON, &options)
        .await?;
    Ok(())
}

/// Sets some fields of an object that is there.
pub(crate) async fn merge(
    conn: &KubeConn,
    of: &TypeRef,
    kind: &str,
    namespace: &str,
    name: &str,
    fields: &Json,
) -> Result<(), ProviderError> {
    let during = format!("change {kind} `{name}`");
    let path = path(of, namespace, Some(name));
    conn.write(&during, Method::PATCH, &path, MERGE_PATCH, fields)
        .await?;
    Ok(())
}

pub(crate) fn text(json: &Json) -> &str {
    json.as_str().unwrap_or_default()
}
/// Names the Secret with the credentials of a backup location, if it is not there.
pub(crate) async fn credential_absent(conn: &KubeConn, location: &Json) -> Option<String> {
    let name = location["spec"]["credential"]["name"].as_str()?;
    let namespace = text(&location["metadata"]["namespace"]);
    secrets::absent(conn, namespace, &[name].into()).await
}
