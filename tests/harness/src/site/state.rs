//! What a site's folder remembers: ports and processes.
//!
//! Knows nothing about what the processes do.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use serde::Deserialize;
use serde::Serialize;

use crate::port::Held;
use crate::private;
use crate::process::Process;

/// Raised when an older reader would misunderstand the file.
const FORMAT: u32 = 1;

/// Which processes end together, and in which order.
pub(super) const ENDING_ORDER: &[&[&str]] = &[
    &[
        "velero",
        "postgres",
        "kwok",
        "kube-scheduler",
        "kube-controller-manager",
    ],
    &["kube-apiserver"],
    &["etcd"],
];

/// The content of `state.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    format: u32,
    pub(super) name: String,
    /// What the environment of every process of this site carries.
    pub(super) mark: String,
    /// How many fake nodes the control plane has.
    pub(super) nodes: usize,
    pub(super) ports: BTreeMap<String, u16>,
    pub(super) processes: BTreeMap<String, Process>,
}

impl State {
    pub(super) fn new(name: &str) -> Result<Self> {
        Ok(Self {
            format: FORMAT,
            name: name.to_owned(),
            mark: private::random_word()?,
            nodes: 0,
            ports: BTreeMap::new(),
            processes: BTreeMap::new(),
        })
    }

    /// Reads the state; `None` if there was never a site.
    pub(super) fn load(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join("state.json");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read `{}`", path.display()));
            }
        };
        let state: Self = serde_json::from_slice(&text)
            .with_context(|| format!("`{}` is broken", path.display()))?;
        if state.format != FORMAT {
            bail!(
                "`{}` has format {}, this reads {FORMAT}",
                path.display(),
                state.format
            );
        }
        Ok(Some(state))
    }

    pub(super) fn save(&self, dir: &Path) -> Result<()> {
        private::write(&dir.join("state.json"), &serde_json::to_vec_pretty(self)?)
    }

    /// Chooses a port for each name, the one of last time where it is free.
    pub(super) fn choose_ports(&mut self, names: &[&str]) -> Result<()> {
        let mut held = Vec::new();
        for name in names {
            let port = Held::take(self.ports.get(*name).copied())?;
            self.ports.insert((*name).to_owned(), port.number()?);
            held.push(port);
        }
        Ok(())
    }

    pub(super) fn port(&self, name: &str) -> Result<u16> {
        self.ports
            .get(name)
            .copied()
            .with_context(|| format!("no port was chosen for {name}"))
    }

    /// Finds a process that must run.
    pub(super) fn living(&self, name: &str) -> Result<&Process> {
        match self.processes.get(name) {
            Some(process) if process.is_alive() => Ok(process),
            Some(process) => bail!("`{name}` ended (log: `{}`)", process.log.display()),
            None => bail!("`{name}` was not started"),
        }
    }

    pub(super) fn all_alive(&self, names: &[&str]) -> bool {
        names.iter().all(|name| self.living(name).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(State::load(dir.path()).unwrap(), None);
        let mut state = State::new("b").unwrap();
        state.choose_ports(&["one", "two"]).unwrap();
        state.save(dir.path()).unwrap();
        assert_ne!(state.port("one").unwrap(), state.port("two").unwrap());
        assert_eq!(State::load(dir.path()).unwrap(), Some(state));
    }

    #[test]
    fn a_broken_state_is_an_error_and_not_a_site_that_is_down() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["{", r#"{"format":1}"#] {
            fs::write(dir.path().join("state.json"), text).unwrap();
            let error = State::load(dir.path()).unwrap_err().to_string();
            assert!(error.contains("state.json"), "{error}");
        }
    }

    #[test]
    fn a_port_of_last_time_is_chosen_again() {
        let mut state = State::new("b").unwrap();
        state.choose_ports(&["one"]).unwrap();
        let before = state.ports.clone();
        state.choose_ports(&["one"]).unwrap();
        assert_eq!(state.ports, before);
    }
}
