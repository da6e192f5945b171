//! The questions that a database server answers.

use drplan_api::ConnId;
use drplan_api::Query;
use serde::Deserialize;
use serde::Serialize;

pub(crate) const DATABASES: &str = "databases";
pub(crate) const ROLES: &str = "roles";
pub(crate) const MARKER: &str = "marker";
pub(crate) const TABLES: &str = "tables";
pub(crate) const ALIVE: &str = "alive";

#[derive(Serialize, Deserialize)]
pub(crate) struct Nothing {}

#[derive(Serialize, Deserialize)]
pub(crate) struct InDatabase {
    pub(crate) database: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Alive {
    pub(crate) database: String,
    pub(crate) sql: String,
}

/// Asks for the databases.
///
/// Answer: `[{"name", "bytes", "comment"}]` in order of name; `bytes` is `null` where the right to
/// see it is missing.
pub fn databases(conn: &ConnId) -> Query {
    Query::new(conn, DATABASES, &Nothing {})
}

/// Asks for the names of the roles.
///
/// Answer: `["app", …]` in order.
pub fn roles(conn: &ConnId) -> Query {
    Query::new(conn, ROLES, &Nothing {})
}

/// Asks for the marker that a restore left in a database.
///
/// Answer: the one row of `drplan.restore` as an object, or `null` if the database has none. A missing
/// database is [`drplan_api::ErrorKind::NotFound`].
pub fn marker(conn: &ConnId, database: &str) -> Query {
    let database = database.to_owned();
    Query::new(conn, MARKER, &InDatabase { database })
}

/// Asks for what users keep in a database: tables, views, sequences and large objects that belong to
/// no extension and not to the marker.
///
/// Answer: `[{"name", "sort", "bytes"}]`, the largest first.
pub fn tables(conn: &ConnId, database: &str) -> Query {
    let database = database.to_owned();
    Query::new(conn, TABLES, &InDatabase { database })
}

/// Asks a question of the user's to which the answer is true or false, in a transaction that can only
/// read.
///
/// Answer: `{"alive": bool, "why": "…"}`. A table, schema or column that is not there means `false`.
pub fn alive(conn: &ConnId, database: &str, sql: &str) -> Query {
    let (database, sql) = (database.to_owned(), sql.to_owned());
    Query::new(conn, ALIVE, &Alive { database, sql })
}
