//! A backup's archive: the objects as they were, by resource, namespace and name.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::Value;
use tar::Archive as Tar;

/// More than this is no archive of this world.
const UNPACKED_BYTES_MAX: u64 = 2_000_000_000;

/// Where one object lies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Path {
    /// `resource.group`, or the resource alone in the core group.
    pub(crate) resource: String,
    /// Empty for what belongs to the cluster.
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// The objects of a backup.
#[derive(Debug, Default)]
pub(crate) struct Archive {
    files: BTreeMap<Path, Vec<u8>>,
    has_resources: bool,
}

impl Path {
    pub(crate) fn new(resource: &str, namespace: &str, name: &str) -> Self {
        Self {
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// The path inside of the archive.
    pub(crate) fn file(&self) -> String {
        let Self {
            resource,
            namespace,
            name,
        } = self;
        if namespace.is_empty() {
            format!("resources/{resource}/cluster/{name}.json")
        } else {
            format!("resources/{resource}/namespaces/{namespace}/{name}.json")
        }
    }

    /// Reads a path inside of an archive; copies under a version's own name are none.
    fn parse(file: &str) -> Option<Self> {
        let rest = file.strip_prefix("resources/")?;
        let parts: Vec<&str> = rest.split('/').collect();
        let (resource, namespace, file) = match parts.as_slice() {
            [resource, "cluster", file] => (resource, "", file),
            [resource, "namespaces", namespace, file] => (resource, *namespace, file),
            _ => return None,
        };
        let name = file.strip_suffix(".json").unwrap_or(file);
        Some(Self::new(resource, namespace, name))
    }
}

impl Archive {
    /// Unpacks a `tar.gz`.
    ///
    /// # Errors
    ///
    /// When it is none, or ends too early.
    pub(crate) fn read(packed: &[u8]) -> Result<Self, String> {
        if packed.len() < 2 || packed[..2] != [0x1f, 0x8b] {
            let what = if packed.is_empty() {
                "EOF"
            } else {
                "gzip: invalid header"
            };
            return Err(what.to_owned());
        }
        let unpacked = GzDecoder::new(packed).take(UNPACKED_BYTES_MAX);
        let mut tar = Tar::new(unpacked);
        let mut archive = Self::default();
        for entry in tar.entries().map_err(|_| "unexpected EOF")? {
            // The only way in which an archive of Velero's own is broken is that it ends too early.
            let mut entry = entry.map_err(|_| "unexpected EOF")?;
            let name = entry.path_bytes().into_owned();
            let name = String::from_utf8_lossy(&name).into_owned();
            archive.has_resources |= name.starts_with("resources/") || name == "resources";
            if let Some(path) = Path::parse(&name).filter(|_| entry.header().entry_type().is_file())
            {
                let mut content = Vec::new();
                entry
                    .read_to_end(&mut content)
                    .map_err(|_| "unexpected EOF")?;
                archive.files.insert(path, content);
            }
        }
        Ok(archive)
    }

    /// Whether there is a folder for objects at all.
    pub(crate) fn has_resources(&self) -> bool {
        self.has_resources
    }

    /// The resources, in alphabetical order.
    pub(crate) fn resources(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self.files.keys().map(|path| &*path.resource).collect();
        all.dedup();
        all
    }

    /// The namespaces that hold anything.
    pub(crate) fn namespaces(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self.files.keys().map(|path| &*path.namespace).collect();
        all.sort_unstable();
        all.dedup();
        all.retain(|namespace| !namespace.is_empty());
        all
    }

    /// The objects of a resource, by namespace and name.
    pub(crate) fn of(&self, resource: &str) -> impl Iterator<Item = &Path> {
        let first = Path::new(resource, "", "");
        let files = self.files.range(first..);
        let resource = resource.to_owned();
        files
            .map(|(path, _)| path)
            .take_while(move |path| path.resource == resource)
    }

    pub(crate) fn contains(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }

    /// One object.
    ///
    /// # Errors
    ///
    /// When it is not there, or no JSON.
    pub(crate) fn object(&self, path: &Path) -> Result<Value, String> {
        let Some(content) = self.files.get(path) else {
            return Err(format!("open {}: no such file or directory", path.file()));
        };
        serde_json::from_slice(content).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_paths_of_objects_are_objects() {
        let path = Path::parse("resources/deployments.apps/namespaces/shop/orders.json");
        assert_eq!(path, Some(Path::new("deployments.apps", "shop", "orders")));
        let path = Path::parse("resources/namespaces/cluster/shop.json").expect("a path");
        assert_eq!(path, Path::new("namespaces", "", "shop"));
        assert_eq!(path.file(), "resources/namespaces/cluster/shop.json");
        let copy = "resources/deployments.apps/v1-preferredversion/namespaces/shop/orders.json";
        assert_eq!(Path::parse(copy), None);
        assert_eq!(Path::parse("metadata/version"), None);
    }

    #[test]
    fn what_is_no_archive_says_so() {
        assert_eq!(Archive::read(b"").err().as_deref(), Some("EOF"));
        assert_eq!(
            Archive::read(b"hello").err().as_deref(),
            Some("gzip: invalid header")
        );
        let cut = [0x1f, 0x8b, 8, 0, 0, 0];
        assert_eq!(Archive::read(&cut).err().as_deref(), Some("unexpected EOF"));
    }
}
