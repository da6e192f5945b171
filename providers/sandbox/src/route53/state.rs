//! Zones and changes, and the file in which they outlive the process.

#![allow(
    clippy::disallowed_methods,
    reason = "this is where the server's state meets the disk"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use super::change::Ticket;
use super::zone::Zone;

/// The version of the file's form.
const FORMAT: u32 = 1;
/// How many changes are remembered; older ones are answered with `NoSuchChange`.
const CHANGES_MAX: usize = 10_000;

/// Everything that the server remembers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    format: u32,
    next_id: u64,
    pub(crate) zones: BTreeMap<String, Zone>,
    pub(crate) changes: BTreeMap<String, Ticket>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            format: FORMAT,
            next_id: 1,
            zones: BTreeMap::new(),
            changes: BTreeMap::new(),
        }
    }
}

impl State {
    /// Reads a state; an absent file is an empty one.
    pub(crate) fn load(path: &Path) -> io::Result<Self> {
        let text = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            text => text?,
        };
        let state: Self = serde_json::from_slice(&text)?;
        if state.format != FORMAT {
            let message = format!("format {} instead of {FORMAT}", state.format);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(state)
    }

    /// Writes the state whole, beside the file, and renames it into place.
    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        fs::File::open(folder)?.sync_all()
    }

    /// Adds a zone under an id of its own.
    pub(crate) fn add_zone(&mut self, zone: Zone) -> String {
        let id = format!("Z0SANDBOX{:08}", self.take_id());
        self.zones.insert(id.clone(), zone);
        id
    }

    /// Adds a change under an id of its own.
    pub(crate) fn add_change(&mut self, now: Timestamp, comment: Option<String>) -> String {
        let id = format!("C0SANDBOX{:08}", self.take_id());
        self.changes.insert(id.clone(), Ticket::new(now, comment));
        if self.changes.len() > CHANGES_MAX {
            self.changes.pop_first();
        }
        id
    }

    fn take_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }
}
