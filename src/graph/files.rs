//! The files that expressions and arguments name, read once and remembered with their digests.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use drplan_api::Json;
use drplan_api::digest;
use serde_json::json;

use crate::spec::LoadError;

/// A snapshot of the files around a spec that grows on demand: every file is read at most once, so
/// that one plan never sees two contents of it.
#[derive(Debug)]
pub struct SpecFiles {
    dir: PathBuf,
    texts: RefCell<BTreeMap<String, Result<String, String>>>,
    trees: RefCell<BTreeMap<String, Result<String, String>>>,
}

impl SpecFiles {
    /// Starts an empty snapshot of a folder.
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            texts: RefCell::default(),
            trees: RefCell::default(),
        }
    }

    /// Returns the text of a file; a relative path starts at the folder.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn text(&self, path: &str) -> Result<String, String> {
        let read = || crate::spec_read(&self.dir.join(path)).map_err(|e: LoadError| e.to_string());
        self.texts
            .borrow_mut()
            .entry(path.to_owned())
            .or_insert_with(read)
            .clone()
    }

    /// Returns what a kind receives for a path argument of type `Tree`.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn tree(&self, path: &str) -> Result<Json, String> {
        let read = || crate::spec_tree_digest(&self.dir.join(path)).map_err(|e| e.to_string());
        let digest = self
            .trees
            .borrow_mut()
            .entry(path.to_owned())
            .or_insert_with(read)
            .clone()?;
        Ok(json!({ "path": path, "digest": digest }))
    }

    /// Returns what a kind receives for one path or pattern of an argument of type `Files`.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or a pattern matches nothing.
    pub fn files(&self, pattern: &str) -> Result<Vec<Json>, String> {
        let mut out = Vec::new();
        for path in self.matching(pattern)? {
            let content = self.text(&path)?;
            out.push(json!({ "path": path, "content": content }));
        }
        Ok(out)
    }

    /// A `*` may stand in the last part of a path.
    fn matching(&self, pattern: &str) -> Result<Vec<String>, String> {
        let (folder, name) = pattern.rsplit_once('/').unwrap_or((".", pattern));
        let Some((head, tail)) = name.split_once('*') else {
            return Ok(vec![pattern.to_owned()]);
        };
        let names = crate::spec_names(&self.dir.join(folder)).map_err(|e| e.to_string())?;
        let found: Vec<String> = names
            .into_iter()
            .filter(|n| {
                n.len() >= head.len() + tail.len() && n.starts_with(head) && n.ends_with(tail)
            })
            .map(|n| {
                if folder == "." {
                    n
                } else {
                    format!("{folder}/{n}")
                }
            })
            .collect();
        if found.is_empty() {
            Err(format!("no file matches `{pattern}`"))
        } else {
            Ok(found)
        }
    }

    /// Returns the digest of everything that was read, by path.
    pub fn digests(&self) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        for (path, text) in self.texts.borrow().iter() {
            if let Ok(text) = text {
                out.insert(path.clone(), digest(text.as_bytes()));
            }
        }
        for (path, tree) in self.trees.borrow().iter() {
            if let Ok(tree) = tree {
                out.insert(path.clone(), tree.clone());
            }
        }
        out
    }
}
