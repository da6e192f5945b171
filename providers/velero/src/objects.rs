//! Velero's own objects in a cluster: their types and the requests that create them.

use drplan_api::ErrorKind;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_api::stamp;
use drplan_kubernetes::KubeConn;
use drplan_kubernetes::asks::TypeRef;
use drplan_kubernetes::secrets;
use kube::api::Api;
use kube::api::ApiResource;
use kube::api::DeleteParams;
use kube::api::DynamicObject;
use kube::api::Patch;
use kube::api::PatchParams;
use kube::api::PostParams;
use kube::api::Preconditions;

/// The namespace of Velero if nobody says another.
pub(crate) const VELERO_NAMESPACE: &str = "velero";

const GROUP: &str = "velero.io";
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

fn api(conn: &KubeConn, of: &TypeRef, kind: &str, namespace: &str) -> Api<DynamicObject> {
    let resource = ApiResource {
        group: of.group.clone(),
        version: of.version.clone(),
        api_version: if of.group.is_empty() {
            of.version.clone()
        } else {
            format!("{}/{}", of.group, of.version)
        },
        kind: kind.to_owned(),
        plural: of.plural.clone(),
    };
    Api::namespaced_with(conn.client(), namespace, &resource)
}

fn decode(body: &Json, what: &str) -> Result<DynamicObject, ProviderError> {
    serde_json::from_value(body.clone()).map_err(|e| {
        ProviderError::new(ErrorKind::Bug, format!("build {what}"), "drplan").caused_by(&e)
    })
}

/// Creates an object under its fixed name; one that is already there is [`ErrorKind::Conflict`].
pub(crate) async fn create(
    conn: &KubeConn,
    of: &TypeRef,
    namespace: &str,
    body: &Json,
) -> Result<(), ProviderError> {
    let (kind, name) = (text(&body["kind"]), text(&body["metadata"]["name"]));
    let during = format!("create {kind} `{name}`");
    let object = decode(body, &during)?;
    let api = api(conn, of, kind, namespace);
    let params = PostParams {
        field_manager: Some(stamp::FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    conn.call(&during, api.create(&params, &object)).await?;
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
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(text(&meta["uid"]).to_owned()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    let during = format!("delete {kind} `{name}`");
    let api = api(conn, of, kind, namespace);
    conn.call(&during, api.delete(name, &params)).await?;
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
    let params = PatchParams {
        field_manager: Some(stamp::FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let api = api(conn, of, kind, namespace);
    conn.call(&during, api.patch(name, &params, &Patch::Merge(fields)))
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
