//! What the methods of a kind are given: planning knows two times and an acceptance, reading has
//! connections, writing can open secrets too.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::Address;
use crate::Conn;
use crate::Doors;
use crate::ErrorKind;
use crate::Json;
use crate::Late;
use crate::ProviderError;
use crate::Timestamp;
use crate::shell;

/// What planning may know besides the facts.
#[derive(Clone, Debug)]
pub struct PlanCx {
    /// When the facts were read.
    pub observed_at: Timestamp,
    /// The zero of all ages and the bound of all recovery points, if given.
    pub incident_at: Option<Timestamp>,
    /// Whether a person accepted, for this address, that foreign data is overwritten.
    pub accept_overwrite: bool,
}

/// The option by which a person accepts, for an address, that foreign data is overwritten.
pub fn acceptance(address: &Address) -> String {
    shell::joined(&["--accept".to_owned(), format!("{address}=overwrite")])
}

/// Opens secrets. Only the engine has one.
pub trait Opener: Send + Sync {
    /// Fills a hole.
    ///
    /// # Errors
    ///
    /// If the secret cannot be read; the error names the reference, never the value.
    fn open(&self, hole: &crate::Hole) -> Result<Json, ProviderError>;
}

/// What an attempt that only reads may use.
pub struct ReadCx {
    /// The step.
    pub address: Address,
    /// The recovery's name.
    pub recovery: String,
    /// The run's id.
    pub run: String,
    /// Which attempt of this step in this run it is, from 1.
    pub attempt: u32,
    /// Whether this run has begun the effect that is probed or polled. What lies about of one that it has not begun is
    /// of another run.
    pub begun: bool,
    /// Open connections by role.
    pub conns: BTreeMap<String, Arc<dyn Conn>>,
    /// The folder of the spec, where relative paths start.
    pub base_dir: PathBuf,
    /// A private folder (0700) of this step in this run, for downloads, logs and exit codes.
    pub work_dir: PathBuf,
    /// How the world is reached.
    pub doors: Doors,
}

impl ReadCx {
    /// Returns the provider's own connection of a role.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Bug`] if there is none of that type.
    pub fn conn<T: Conn>(&self, role: &str) -> Result<&T, ProviderError> {
        self.conns
            .get(role)
            .and_then(|conn| conn.as_any().downcast_ref::<T>())
            .ok_or_else(|| {
                ProviderError::new(
                    ErrorKind::Bug,
                    format!("use the connection for the role `{role}`"),
                    self.address.to_string(),
                )
                .because("there is no open connection of the right type")
            })
    }
}

/// What an attempt that changes the world may use.
pub struct WriteCx {
    read: ReadCx,
    opener: Arc<dyn Opener>,
}

impl WriteCx {
    /// Makes one. Only engines do: the one of the core, and that of the test kit.
    pub fn new(read: ReadCx, opener: Arc<dyn Opener>) -> Self {
        Self { read, opener }
    }

    /// Opens a value that may be a secret hole. Keep the result out of errors and logs.
    ///
    /// # Errors
    ///
    /// If the secret cannot be read, or is not of the right type.
    pub fn open<T: DeserializeOwned + Clone>(&self, late: &Late<T>) -> Result<T, ProviderError> {
        match late {
            Late::Known(value) => Ok(value.clone()),
            Late::Hole(hole) => serde_json::from_value(self.opener.open(hole)?).map_err(|_| {
                ProviderError::new(
                    ErrorKind::Invalid,
                    "open a secret",
                    self.address.to_string(),
                )
                .because("the secret is there but is not of the type that is needed")
            }),
        }
    }
}

impl Deref for WriteCx {
    type Target = ReadCx;

    fn deref(&self) -> &ReadCx {
        &self.read
    }
}
