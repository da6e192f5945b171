//! Locations, and what lies in them.

use std::io::Read as _;
use std::io::Write as _;

use base64::Engine as _;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::bucket::Buckets;
use crate::bucket::Store;
use crate::kube_api::Answer;
use crate::kube_api::Kube;
use crate::kube_api::Place;
use crate::kube_api::Refusal;
use crate::text::phase;
use crate::text::text;

/// The folders that may lie at the top of a location.
const FOLDERS: &[&str] = &[
    "backups", "restores", "restic", "metadata", "plugins", "kopia",
];

/// How many folders that should not be there a message names.
const NAMED_MAX: usize = 3;

/// More than this is no file of Velero's own.
const FILE_BYTES_MAX: u64 = 500_000_000;

/// Whether a location may be used.
pub(crate) fn is_available(location: &Value) -> bool {
    phase(location) == "Available"
}

pub(crate) fn is_read_only(location: &Value) -> bool {
    text(location, "/spec/accessMode") == "ReadOnly"
}

/// The content of the Secret's key that a location names, when it names one.
///
/// # Errors
///
/// When the Secret or its key is missing.
pub(crate) async fn credentials(kube: &Kube, location: &Value) -> Result<Option<String>, String> {
    let selector = &location["spec"]["credential"];
    let (name, key) = (text(selector, "/name"), text(selector, "/key"));
    if selector.is_null() {
        return Ok(None);
    }
    let about = "unable to get credentials: unable to get key for secret";
    let place = Place::new("v1", "secrets", crate::text::namespace(location));
    let secret = kube
        .get(&place, name)
        .await
        .map_err(|refusal| format!("{about}: {}", of_cache(&refusal, "Secret", name)))?;
    let Some(encoded) = secret["data"][key].as_str() else {
        return Err(format!("{about}: {name} does not have key \"{key}\""));
    };
    let engine = base64::engine::general_purpose::STANDARD;
    let content = engine
        .decode(encoded)
        .map_err(|error| format!("{about}: {error}"))?;
    Ok(Some(String::from_utf8_lossy(&content).into_owned()))
}

/// Opens a location with its own key.
///
/// # Errors
///
/// When it is not whole, or the key cannot be read.
pub(crate) async fn open(
    kube: &Kube,
    buckets: &dyn Buckets,
    location: &Value,
) -> Result<Store, String> {
    let storage = &location["spec"]["objectStorage"];
    if storage.is_null() {
        return Err("backup storage location does not use object storage".to_owned());
    }
    if text(location, "/spec/provider").is_empty() {
        return Err("object storage provider name must not be empty".to_owned());
    }
    let given = text(storage, "/bucket");
    let bucket = given.trim_matches('/');
    let prefix = text(storage, "/prefix").trim_matches('/');
    if bucket.contains('/') {
        return Err(format!(
            "backup storage location's bucket name \"{given}\" must not contain a '/' (if using a \
             prefix, put it in the 'Prefix' field instead)"
        ));
    }
    let credentials = credentials(kube, location).await?;
    let provider = text(location, "/spec/provider").trim_start_matches("velero.io/");
    if provider != "aws" {
        return Err(format!(
            "unable to locate ObjectStore plugin named {}",
            text(location, "/spec/provider")
        ));
    }
    let access = buckets
        .open(credentials.as_deref())
        .map_err(|error| of_plugin(&error))?;
    Ok(Store::new(access, bucket, prefix))
}

/// A store's own words, as they reach the server through its plugin.
pub(crate) fn of_plugin(error: &str) -> String {
    format!("rpc error: code = Unknown desc = {error}")
}

/// What the server says of an object that it looked for in its own cache: not the API's words.
pub(crate) fn of_cache(refusal: &Refusal, kind: &str, name: &str) -> String {
    if refusal.is_missing() {
        format!("{kind} \"{name}\" not found")
    } else {
        refusal.to_string()
    }
}

/// Whether a bucket can be read and holds nothing else at its top.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn validate(store: &Store) -> Result<(), String> {
    let mut strange = store.folders("").map_err(|error| of_plugin(&error))?;
    strange.retain(|name| !FOLDERS.contains(&&**name));
    let count = strange.len();
    if count == 0 {
        return Ok(());
    }
    if count > NAMED_MAX {
        strange.truncate(NAMED_MAX);
        strange.push("...".to_owned());
        let names = strange.join(" ");
        return Err(format!(
            "Backup store contains {count} invalid top-level directories: [{names}]"
        ));
    }
    let names = strange.join(" ");
    Err(format!(
        "Backup store contains invalid top-level directories: [{names}]"
    ))
}

/// Where the files of a backup lie.
pub(crate) fn backup_file(backup: &str, ending: &str) -> String {
    format!("backups/{backup}/{backup}{ending}")
}

/// Where the files of a restore lie.
pub(crate) fn restore_file(restore: &str, ending: &str) -> String {
    format!("restores/{restore}/restore-{restore}-{ending}")
}

/// Reads a compressed JSON file; `None` when there is none.
///
/// # Errors
///
/// When it cannot be read.
pub(crate) fn read_json(store: &Store, key: &str) -> Result<Option<Value>, String> {
    let found = store.try_get(key).map_err(|error| of_plugin(&error))?;
    let Some(packed) = found else {
        return Ok(None);
    };
    let mut content = Vec::new();
    GzDecoder::new(&packed[..])
        .take(FILE_BYTES_MAX)
        .read_to_end(&mut content)
        .map_err(|error| error.to_string())?;
    let value = serde_json::from_slice(&content);
    value
        .map(Some)
        .map_err(|error| format!("error decoding object data: {error}"))
}

/// Compresses.
///
/// # Errors
///
/// Never in practice: it writes to memory.
pub(crate) fn pack(content: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = GzEncoder::new(Vec::new(), Compression::default());
    out.write_all(content).map_err(|error| error.to_string())?;
    out.finish().map_err(|error| error.to_string())
}

/// Leaves a compressed JSON file.
///
/// # Errors
///
/// When the store refuses.
pub(crate) fn write_json(store: &Store, key: &str, value: &Value) -> Result<(), String> {
    let packed = pack(format!("{value}\n").as_bytes())?;
    store.put(key, packed).map_err(|error| of_plugin(&error))
}

/// A backup and its location.
pub(crate) struct Found {
    pub(crate) backup: Value,
    pub(crate) location: Value,
}

/// Why a backup and its location were not found.
pub(crate) struct NotFound {
    pub(crate) is_missing: bool,
    pub(crate) message: String,
}

/// Finds a backup of the cluster and its location.
///
/// # Errors
///
/// When either is not there.
pub(crate) async fn find(kube: &Kube, namespace: &str, name: &str) -> Result<Found, NotFound> {
    let backups = Place::velero("backups", namespace);
    let backup = kube.get(&backups, name).await.map_err(|refusal| NotFound {
        is_missing: refusal.is_missing(),
        message: format!(
            "can't find backup {namespace}/{name}: {}",
            of_cache(&refusal, "Backup.velero.io", name)
        ),
    })?;
    let location = location(kube, &backup).await.map_err(|refusal| NotFound {
        is_missing: refusal.is_missing(),
        message: of_cache(
            &refusal,
            "BackupStorageLocation.velero.io",
            text(&backup, "/spec/storageLocation"),
        ),
    })?;
    Ok(Found { backup, location })
}

/// The location of a backup.
///
/// # Errors
///
/// When it is not there.
pub(crate) async fn location(kube: &Kube, backup: &Value) -> Answer<Value> {
    let namespace = crate::text::namespace(backup);
    let place = Place::velero("backupstoragelocations", namespace);
    kube.get(&place, text(backup, "/spec/storageLocation"))
        .await
}
