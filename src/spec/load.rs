//! Reads the files of a spec from a folder. The only part of `spec` that touches the disk.
#![expect(
    clippy::disallowed_methods,
    reason = "loading is where the files of a spec are read"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use crate::diag::Sources;
use crate::lang::FileId;

/// How large one file of a spec may be.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// How many files a folder named by a `Tree` argument may hold.
const TREE_FILES_MAX: usize = 10_000;

/// The text of a spec and where it came from.
#[derive(Debug, Default)]
pub struct Source {
    /// The folder of the spec.
    pub dir: PathBuf,
    /// All texts, for diagnostics.
    pub sources: Sources,
    /// The `*.dr.hcl` files in order of name.
    pub specs: Vec<FileId>,
    /// The variable files that are loaded by themselves, in order of precedence.
    pub values: Vec<FileId>,
}

/// Why a spec cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The folder holds no spec.
    #[error("there is no spec in `{dir}`: no file ends in `.dr.hcl`")]
    NoSpec {
        /// The folder.
        dir: String,
    },
    /// A file or folder cannot be read.
    #[error("cannot read `{path}`: {why}")]
    Unreadable {
        /// Which.
        path: String,
        /// What the system said.
        why: String,
    },
}

impl Source {
    /// Reads the spec of a folder.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read or holds no spec.
    pub fn load(dir: &Path) -> Result<Self, LoadError> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(|e| unreadable(dir, &e))? {
            let entry = entry.map_err(|e| unreadable(dir, &e))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        let mut source = Self {
            dir: dir.to_owned(),
            ..Self::default()
        };
        let visible = |name: &&String| !name.starts_with(['.', '~', '#']);
        for name in names
            .iter()
            .filter(visible)
            .filter(|n| n.ends_with(".dr.hcl"))
        {
            let id = source.add_file(name)?;
            source.specs.push(id);
        }
        if source.specs.is_empty() {
            return Err(LoadError::NoSpec {
                dir: dir.display().to_string(),
            });
        }
        let own = names.iter().filter(|n| *n == "drplan.drvars.hcl");
        let auto = names
            .iter()
            .filter(visible)
            .filter(|n| n.ends_with(".auto.drvars.hcl"));
        for name in own.chain(auto) {
            let id = source.add_file(name)?;
            source.values.push(id);
        }
        Ok(source)
    }

    /// Reads one more variable file, named on the command line.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn add_values(&mut self, path: &Path) -> Result<FileId, LoadError> {
        let text = read(path)?;
        Ok(self.sources.add(path.display().to_string(), text))
    }

    fn add_file(&mut self, name: &str) -> Result<FileId, LoadError> {
        let text = read(&self.dir.join(name))?;
        Ok(self.sources.add(name.to_owned(), text))
    }
}

fn unreadable(path: &Path, why: &dyn std::fmt::Display) -> LoadError {
    LoadError::Unreadable {
        path: path.display().to_string(),
        why: why.to_string(),
    }
}

/// Reads a text file of bounded size.
///
/// # Errors
///
/// If it is not there, too large or not UTF-8.
pub(crate) fn read(path: &Path) -> Result<String, LoadError> {
    let meta = std::fs::metadata(path).map_err(|e| unreadable(path, &e))?;
    if meta.len() > FILE_BYTES_MAX {
        return Err(unreadable(
            path,
            &format!("it is larger than {FILE_BYTES_MAX} bytes"),
        ));
    }
    std::fs::read_to_string(path).map_err(|e| unreadable(path, &e))
}

/// Returns the digest of one file of a spec as it is now; nothing if it cannot be read.
pub fn digest_of(path: &Path) -> Option<String> {
    let text = read(path).ok()?;
    Some(drplan_api::digest(text.as_bytes()))
}

/// Returns the digest of a file, or of a folder: over the relative names and digests of its files.
///
/// # Errors
///
/// If something in it cannot be read, or there are too many files.
pub(crate) fn tree_digest(path: &Path) -> Result<String, LoadError> {
    let mut files = BTreeMap::new();
    let mut open = vec![path.to_owned()];
    while let Some(next) = open.pop() {
        let meta = std::fs::metadata(&next).map_err(|e| unreadable(&next, &e))?;
        if meta.is_dir() {
            for entry in std::fs::read_dir(&next).map_err(|e| unreadable(&next, &e))? {
                open.push(entry.map_err(|e| unreadable(&next, &e))?.path());
            }
        } else {
            let bytes = std::fs::read(&next).map_err(|e| unreadable(&next, &e))?;
            let name = next
                .strip_prefix(path)
                .unwrap_or(&next)
                .display()
                .to_string();
            files.insert(name, drplan_api::digest(&bytes));
        }
        if files.len() + open.len() > TREE_FILES_MAX {
            return Err(unreadable(
                path,
                &format!("it holds more than {TREE_FILES_MAX} files"),
            ));
        }
    }
    let lines: String = files
        .into_iter()
        .map(|(name, digest)| name + " " + &digest + "\n")
        .collect();
    Ok(drplan_api::digest(lines.as_bytes()))
}

/// The names in a folder, in order.
///
/// # Errors
///
/// If the folder cannot be read.
pub(crate) fn names(dir: &Path) -> Result<Vec<String>, LoadError> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| unreadable(dir, &e))? {
        out.push(
            entry
                .map_err(|e| unreadable(dir, &e))?
                .file_name()
                .to_string_lossy()
                .into_owned(),
        );
    }
    out.sort();
    Ok(out)
}

impl Source {
    /// The digest of each file of the spec, by name.
    pub fn digests(&self) -> BTreeMap<String, String> {
        self.specs
            .iter()
            .chain(&self.values)
            .map(|id| {
                let (name, text) = self.sources.get(*id);
                (name.to_owned(), drplan_api::digest(text.as_bytes()))
            })
            .collect()
    }
}
