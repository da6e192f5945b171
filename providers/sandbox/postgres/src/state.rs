//! Everything that a server keeps, and the statements that change it.

use std::collections::BTreeMap;

use drplan_api::Timestamp;
use serde_json::json;

use crate::database::Database;
use crate::error::SqlError;
use crate::options::Role;

/// The first number that an object of users gets.
const FIRST_OID: u32 = 16_384;
/// The process of the first session.
const FIRST_PID: i32 = 4001;
/// The encoding of databases that are made without one.
const ENCODING: &str = "UTF8";
/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 63;

/// Somebody who is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Connected {
    pub(crate) user: String,
    pub(crate) application: String,
    pub(crate) database: String,
}

/// What became of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It was made.
    Made(String),
    /// It was dropped.
    Dropped {
        /// Its name.
        name: String,
        /// Whether it carried the marker of a restore that was finished.
        finished: bool,
    },
    /// It got another name.
    Renamed {
        /// The name before.
        from: String,
        /// The name since.
        to: String,
        /// Whether it carried the marker of a restore that was finished.
        finished: bool,
    },
}

/// Everything that a server keeps.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) databases: BTreeMap<String, Database>,
    pub(crate) roles: BTreeMap<String, Role>,
    pub(crate) sessions: BTreeMap<i32, Connected>,
    /// What sessions made of whole databases, in order. What is taken back with its transaction is not
    /// in it.
    pub(crate) deeds: Vec<Deed>,
    next_oid: u32,
    next_pid: i32,
}

impl State {
    pub(crate) fn new(roles: &[Role]) -> Self {
        let first = roles.first().map_or("postgres", |role| &role.name);
        let mut databases = BTreeMap::new();
        for (name, oid) in [("template1", 1), ("template0", 4), ("postgres", 5)] {
            let mut database = Database::new(oid, first, ENCODING);
            database.is_template = name != "postgres";
            databases.insert(name.to_owned(), database);
        }
        Self {
            databases,
            roles: roles.iter().map(|r| (r.name.clone(), r.clone())).collect(),
            sessions: BTreeMap::new(),
            deeds: Vec::new(),
            next_oid: FIRST_OID,
            next_pid: FIRST_PID,
        }
    }

    pub(crate) fn database(&self, name: &str) -> Result<&Database, SqlError> {
        let found = self.databases.get(name);
        found.ok_or_else(|| SqlError::no_database(name))
    }

    pub(crate) fn database_mut(&mut self, name: &str) -> Result<&mut Database, SqlError> {
        let found = self.databases.get_mut(name);
        found.ok_or_else(|| SqlError::no_database(name))
    }

    /// Lets a session in and returns its process.
    pub(crate) fn connect(&mut self, who: Connected, max: usize) -> Result<i32, SqlError> {
        self.database(&who.database)?;
        if self.sessions.len() >= max {
            return Err(SqlError::new("53300", "sorry, too many clients already"));
        }
        let pid = self.next_pid;
        self.next_pid += 1;
        self.sessions.insert(pid, who);
        Ok(pid)
    }

    fn role(&self, name: &str) -> Result<&Role, SqlError> {
        self.roles.get(name).ok_or_else(|| SqlError::no_role(name))
    }

    pub(crate) fn create_database(
        &mut self,
        by: &str,
        name: &str,
        owner: Option<&str>,
        encoding: Option<&str>,
    ) -> Result<(), SqlError> {
        let role = self.role(by)?;
        if !role.superuser && !role.create_databases {
            return Err(SqlError::new(
                "42501",
                "permission denied to create database",
            ));
        }
        check_name(name)?;
        let owner = owner.unwrap_or(by).to_owned();
        self.role(&owner)?;
        if self.databases.contains_key(name) {
            return Err(SqlError::duplicate_database(name));
        }
        let oid = self.next_oid;
        self.next_oid += 1;
        let made = Database::new(oid, &owner, encoding.unwrap_or(ENCODING));
        self.databases.insert(name.to_owned(), made);
        self.deeds.push(Deed::Made(name.to_owned()));
        Ok(())
    }

    pub(crate) fn drop_database(&mut self, by: i32, name: &str) -> Result<(), SqlError> {
        self.check_free(by, name, "drop")?;
        let dropped = self.databases.remove(name);
        self.deeds.push(Deed::Dropped {
            name: name.to_owned(),
            finished: dropped.is_some_and(|database| database.is_finished()),
        });
        Ok(())
    }

    pub(crate) fn rename_database(
        &mut self,
        by: i32,
        from: &str,
        to: &str,
    ) -> Result<(), SqlError> {
        check_name(to)?;
        self.database(from)?;
        if self.databases.contains_key(to) {
            return Err(SqlError::duplicate_database(to));
        }
        self.check_free(by, from, "rename")?;
        if let Some(database) = self.databases.remove(from) {
            self.deeds.push(Deed::Renamed {
                from: from.to_owned(),
                to: to.to_owned(),
                finished: database.is_finished(),
            });
            self.databases.insert(to.to_owned(), database);
        }
        Ok(())
    }

    /// Whether a database is there, nobody else's, and nobody is connected to it.
    fn check_free(&self, by: i32, name: &str, verb: &str) -> Result<(), SqlError> {
        let database = self.database(name)?;
        let user = self.sessions.get(&by).map_or("", |s| &s.user);
        let superuser = self.roles.get(user).is_some_and(|role| role.superuser);
        if !superuser && database.owner != user {
            return Err(SqlError::new(
                "42501",
                format!("must be owner of database {name}"),
            ));
        }
        if database.is_template {
            return Err(SqlError::new(
                "42809",
                format!("cannot {verb} a template database"),
            ));
        }
        if self.sessions.get(&by).is_some_and(|s| s.database == name) {
            return Err(SqlError::new(
                "0A000",
                match verb {
                    "rename" => "current database cannot be renamed".to_owned(),
                    verb => format!("cannot {verb} the currently open database"),
                },
            ));
        }
        if self.sessions.values().any(|s| s.database == name) {
            return Err(SqlError::in_use(name));
        }
        Ok(())
    }

    /// Writes the marker of a restore that begins.
    pub(crate) fn insert_marker(
        &mut self,
        database: &str,
        texts: &[String],
        left_out: &[String],
        now: Timestamp,
    ) -> Result<(), SqlError> {
        let database = self.database_mut(database)?;
        if database.marker_rows()?.is_some() {
            return Err(SqlError::new(
                "23505",
                "duplicate key value violates unique constraint \"restore_pkey\"",
            ));
        }
        let [source, etag, recovery, step, run, want, attempt, contents] = texts else {
            return Err(SqlError::protocol("the marker has other columns"));
        };
        let contents: serde_json::Value = serde_json::from_str(contents)
            .map_err(|_| SqlError::new("22P02", "invalid input syntax for type json"))?;
        database.marker = Some(json!({
            "singleton": true, "source": source, "etag": etag, "recovery": recovery,
            "step": step, "run": run, "want": want, "attempt": attempt, "left_out": left_out,
            "contents": contents, "rows": null, "started_at": now.to_string(),
            "finished_at": null,
        }));
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), SqlError> {
    if name.is_empty() {
        return Err(SqlError::new("42601", "zero-length delimited identifier"));
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(SqlError::new(
            "42622",
            format!("the rehearsal does not cut names: \"{name}\" has more than 63 bytes"),
        ));
    }
    Ok(())
}
