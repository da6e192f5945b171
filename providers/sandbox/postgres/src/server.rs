//! The server: what it keeps, and the doors to it that need no protocol.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use drplan_api::Timestamp;

use crate::archive::Archive;
use crate::archive::ArchiveError;
use crate::database::Database;
use crate::error::SqlError;
use crate::options::Options;
use crate::options::Role;
use crate::restore;
use crate::state::Connected;
use crate::state::Deed;
use crate::state::State;

/// A PostgreSQL server of the rehearsal world. Clones share what it keeps.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    options: Options,
    state: Mutex<State>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("databases", &self.databases())
            .finish_non_exhaustive()
    }
}

/// A session; it ends when this is dropped.
pub(crate) struct Seat {
    server: Server,
    pub(crate) pid: i32,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.server.state().sessions.remove(&self.pid);
    }
}

impl Server {
    /// Makes a server with the databases that every server has.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let state = Mutex::new(State::new(&options.roles));
        Self(Arc::new(Inner { options, state }))
    }

    /// The number that tells it from other servers.
    #[must_use]
    pub fn system_identifier(&self) -> u64 {
        self.options().system_identifier
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.options
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.options.clock.now()
    }

    /// Changes are made on a copy or by single assignments, so that what a panic leaves is whole.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a session in.
    pub(crate) fn seat(&self, who: Connected) -> Result<Seat, SqlError> {
        let max = self.options().connections_max;
        let pid = self.state().connect(who, max)?;
        Ok(Seat {
            server: self.clone(),
            pid,
        })
    }

    /// Makes a role.
    ///
    /// # Errors
    ///
    /// If there is one of that name.
    pub fn create_role(&self, role: Role) -> Result<(), SqlError> {
        let mut state = self.state();
        if state.roles.contains_key(&role.name) {
            return Err(SqlError::new(
                "42710",
                format!("role \"{}\" already exists", role.name),
            ));
        }
        state.roles.insert(role.name.clone(), role);
        Ok(())
    }

    /// Makes an empty database that belongs to a role.
    ///
    /// # Errors
    ///
    /// If there is one of that name, or no such role.
    pub fn create_database(&self, name: &str, owner: &str) -> Result<(), SqlError> {
        let mut state = self.state();
        let by = state.roles.values().find(|role| role.superuser);
        let by = by.map_or_else(|| owner.to_owned(), |role| role.name.clone());
        state.create_database(&by, name, Some(owner), None)
    }

    /// Drops a database with everything in it and everybody connected to it: the disaster.
    pub fn lose_database(&self, name: &str) {
        let mut state = self.state();
        state.databases.remove(name);
        state.sessions.retain(|_, session| session.database != name);
    }

    /// Puts an archive into a database at once, without time passing: how a world begins.
    ///
    /// # Errors
    ///
    /// If the archive cannot be read, or the database does not take it.
    pub fn load(&self, database: &str, archive: &[u8]) -> Result<(), ArchiveError> {
        let archive = Archive::read(archive)?;
        restore::at_once(self, database, &archive)
    }

    /// The names of all databases, in order.
    #[must_use]
    pub fn databases(&self) -> Vec<String> {
        self.state().databases.keys().cloned().collect()
    }

    /// A copy of a database, to look at.
    #[must_use]
    pub fn database(&self, name: &str) -> Option<Database> {
        self.state().databases.get(name).cloned()
    }

    /// What became of whole databases, in order.
    #[must_use]
    pub fn deeds(&self) -> Vec<Deed> {
        self.state().deeds.clone()
    }

    /// How many sessions there are, of everybody.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.state().sessions.len()
    }
}
