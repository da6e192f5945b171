//! Reading a Velero archive: a gzipped tar with one JSON file for each object.
//!
//! An object lies at `resources/RESOURCE/{cluster,namespaces/NS}/NAME.json`, and once more for each
//! version that was stored (`resources/RESOURCE/v1-preferredversion/…`). The files without a version
//! hold the preferred one, so the others are passed over.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::Read;

use drplan_api::ErrorKind;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_api::canonical;
use drplan_api::digest;
use drplan_kubernetes::normalise;
use flate2::read::MultiGzDecoder;
use serde::de::DeserializeOwned;

use crate::index::Index;
use crate::index::Key;
use crate::index::item;
use drplan_kubernetes::mark;

/// The largest object; etcd refuses what is far smaller.
const OBJECT_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// The most objects of one archive.
const OBJECTS_MAX: usize = 1_000_000;
/// The most that a small file may unpack to.
const JSON_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The first part of the format's version that is understood.
const FORMAT_MAJOR: &str = "1";

const SUFFIX_PREFERRED: &str = "-preferredversion";

/// Lists everything in an archive.
pub(crate) fn index(key: &str, packed: &[u8]) -> Result<Index, ProviderError> {
    let mut index = Index::default();
    let mut seen = BTreeSet::new();
    walk(key, packed, |entry| {
        match entry {
            Entry::Format(format) => index.format = format,
            Entry::Object(at, body) => {
                if seen.insert(at.clone()) {
                    let body = hidden(body);
                    let sum = sum(&body);
                    index
                        .items
                        .push(item(&at.resource, &at.namespace, &at.name, &body, sum));
                }
            }
        }
        if index.items.len() > OBJECTS_MAX {
            return Err(invalid(
                key,
                &format!("it holds more than {OBJECTS_MAX} objects"),
            ));
        }
        Ok(())
    })?;
    check_format(key, &index.format)?;
    index.items.sort_by_cached_key(crate::index::Item::key);
    Ok(index)
}

/// Reads the bodies of some objects, the values of Secrets redacted.
pub(crate) fn bodies(
    key: &str,
    packed: &[u8],
    wanted: &BTreeSet<Key>,
) -> Result<BTreeMap<Key, Json>, ProviderError> {
    let mut found = BTreeMap::new();
    walk(key, packed, |entry| {
        if let Entry::Object(at, body) = entry
            && wanted.contains(&at)
        {
            found.insert(at, hidden(body));
        }
        Ok(())
    })?;
    Ok(found)
}

/// Unpacks one gzipped JSON file.
pub(crate) fn json<T: DeserializeOwned>(key: &str, packed: &[u8]) -> Result<T, ProviderError> {
    let position = Cell::new(0);
    let mut plain = Vec::new();
    MultiGzDecoder::new(Counted {
        inner: packed,
        position: &position,
    })
    .take(JSON_BYTES_MAX)
    .read_to_end(&mut plain)
    .map_err(|e| corrupt(key, position.get(), &e.to_string()))?;
    serde_json::from_slice(&plain).map_err(|e| corrupt(key, position.get(), &e.to_string()))
}

/// Packs a JSON file as Velero does.
pub(crate) fn packed(json: &Json) -> std::io::Result<Vec<u8>> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    serde_json::to_writer(&mut gzip, json)?;
    gzip.finish()
}

/// Leaves out the bookkeeping of fields and the values of Secrets, as lists of live objects do.
fn hidden(mut body: Json) -> Json {
    if let Some(Json::Object(metadata)) = body.get_mut("metadata") {
        metadata.remove("managedFields");
    }
    normalise::redact(body, drplan_kubernetes::salt())
}

/// The digest by which an archived and a live object are compared first; a pause is no difference.
pub(crate) fn sum(body: &Json) -> String {
    let running = mark::original(body).map(|_| mark::released(body.clone()));
    let body = running.as_ref().unwrap_or(body);
    digest(canonical(&normalise::normalise(body)).as_bytes())
}

enum Entry {
    Format(String),
    Object(Key, Json),
}

fn walk(
    key: &str,
    packed: &[u8],
    mut each: impl FnMut(Entry) -> Result<(), ProviderError>,
) -> Result<(), ProviderError> {
    let position = Cell::new(0);
    let broken = |e: &dyn std::error::Error| corrupt(key, position.get(), &e.to_string());
    let unpacked = MultiGzDecoder::new(Counted {
        inner: packed,
        position: &position,
    });
    let mut tar = tar::Archive::new(unpacked);
    for entry in tar.entries().map_err(|e| broken(&e))? {
        let mut entry = entry.map_err(|e| broken(&e))?;
        let path = entry
            .path()
            .map_err(|e| broken(&e))?
            .to_string_lossy()
            .into_owned();
        let found = place(&path);
        if matches!(found, Place::Elsewhere) {
            continue;
        }
        if entry.size() > OBJECT_BYTES_MAX {
            return Err(invalid(
                key,
                &format!("`{path}` has more than {OBJECT_BYTES_MAX} bytes"),
            ));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|e| broken(&e))?;
        match found {
            Place::Format => {
                each(Entry::Format(
                    String::from_utf8_lossy(&bytes).trim().to_owned(),
                ))?;
            }
            Place::Object(at) => {
                let body = serde_json::from_slice(&bytes)
                    .map_err(|_| corrupt(key, position.get(), &format!("`{path}` is no JSON")))?;
                each(Entry::Object(at, body))?;
            }
            Place::Elsewhere => {}
        }
    }
    // The checksum stands behind the last byte, so only reading on to the end verifies it.
    std::io::copy(&mut tar.into_inner(), &mut std::io::sink()).map_err(|e| broken(&e))?;
    Ok(())
}

enum Place {
    Format,
    Object(Key),
    Elsewhere,
}

fn place(path: &str) -> Place {
    let path = path.strip_prefix("./").unwrap_or(path);
    if path == "metadata/version" {
        return Place::Format;
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    if parts.len() > 3 && parts[2].ends_with(SUFFIX_PREFERRED) {
        parts.remove(2);
    }
    let object = |resource: &str, namespace: &str, file: &str| {
        file.strip_suffix(".json").map_or(Place::Elsewhere, |name| {
            Place::Object(Key {
                resource: resource.to_owned(),
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            })
        })
    };
    match parts[..] {
        ["resources", resource, "cluster", file] => object(resource, "", file),
        ["resources", resource, "namespaces", namespace, file] => object(resource, namespace, file),
        _ => Place::Elsewhere,
    }
}

fn check_format(key: &str, format: &str) -> Result<(), ProviderError> {
    if format.split('.').next() == Some(FORMAT_MAJOR) {
        return Ok(());
    }
    let why = if format.is_empty() {
        "it does not say its format in `metadata/version`, so it is no Velero archive".to_owned()
    } else {
        format!("its format is `{format}`, and only {FORMAT_MAJOR}.x is understood")
    };
    Err(ProviderError::new(ErrorKind::Corrupt, "read a Velero archive", key).because(why))
}

fn corrupt(key: &str, at: u64, why: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Corrupt, "read a Velero archive", key)
        .because(format!("it is broken at byte {at}"))
        .because(why)
        .hint("choose another backup with `name` or `before`, or copy this one again")
}

fn invalid(key: &str, why: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Invalid, "read a Velero archive", key).because(why)
}

/// Counts the packed bytes that were read.
struct Counted<'a> {
    inner: &'a [u8],
    position: &'a Cell<u64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.position.set(self.position.get() + n as u64);
        Ok(n)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write as _;

    use serde_json::json;

    use super::*;

    /// Packs files as Velero does.
    pub(crate) fn pack(files: &[(&str, Json)]) -> Vec<u8> {
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut tar = tar::Builder::new(gzip);
        for (path, body) in files {
            let bytes = match body {
                Json::String(text) => text.clone().into_bytes(),
                body => body.to_string().into_bytes(),
            };
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, path, bytes.as_slice())
                .expect("an entry");
        }
        let mut gzip = tar.into_inner().expect("a tar");
        gzip.flush().expect("bytes");
        gzip.finish().expect("a gzip")
    }

    fn config_map(name: &str) -> Json {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "uid": "u1"},
               "data": {"k": "v".repeat(500)}})
    }

    fn small() -> Vec<u8> {
        pack(&[
            ("metadata/version", json!("1.1.0\n")),
            (
                "resources/configmaps/namespaces/shop/a.json",
                config_map("a"),
            ),
            (
                "resources/configmaps/v1-preferredversion/namespaces/shop/a.json",
                config_map("a"),
            ),
            (
                "resources/configmaps/v1beta1/namespaces/shop/old.json",
                config_map("old"),
            ),
            (
                "resources/namespaces/cluster/shop.json",
                json!({"apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": "shop", "uid": "u0"}}),
            ),
        ])
    }

    #[test]
    fn each_object_is_listed_once_whatever_versions_are_stored() {
        let index = index("k", &small()).expect("an index");
        let titles: Vec<String> = index.items.iter().map(crate::index::Item::title).collect();
        assert_eq!(titles, ["v1/ConfigMap shop/a", "v1/Namespace shop"]);
        assert_eq!(index.items[0].uid, "u1");
    }

    #[test]
    fn a_truncated_archive_is_corrupt_and_the_error_names_key_and_byte() {
        let whole = small();
        for cut in [0, 5, 40, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
            let error = index("b/x.tar.gz", &whole[..cut]).expect_err("an error");
            assert_eq!(error.kind, ErrorKind::Corrupt, "{cut}");
            let text = error.to_string();
            assert!(text.contains("b/x.tar.gz"), "{text}");
            assert!(text.contains("at byte") || cut == 0, "{cut}: {text}");
        }
    }

    #[test]
    fn a_flipped_bit_is_noticed_or_changes_nothing() {
        let whole = small();
        let good = index("k", &whole).expect("an index");
        for at in 20..whole.len() {
            let mut bad = whole.clone();
            bad[at] ^= 0x40;
            // Another way of packing the same bytes is as good.
            if let Ok(found) = index("k", &bad) {
                assert_eq!(found, good, "byte {at}");
            }
        }
    }

    #[test]
    fn an_unknown_format_is_refused() {
        let packed = pack(&[("metadata/version", json!("2.0.0"))]);
        let error = index("k", &packed).expect_err("an error");
        assert!(error.to_string().contains("`2.0.0`"), "{error}");
    }

    #[test]
    fn only_bodies_that_are_asked_for_are_kept() {
        let key = Key {
            resource: "configmaps".to_owned(),
            namespace: "shop".to_owned(),
            name: "a".to_owned(),
        };
        let bodies = bodies("k", &small(), &BTreeSet::from([key.clone()])).expect("bodies");
        assert_eq!(bodies.len(), 1);
        assert_eq!(bodies[&key]["metadata"]["name"], "a");
    }
}
