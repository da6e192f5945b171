//! Databases of which only answers are known: what is in them, without a row.

use drplan_api::Json;
use drplan_api::StandingTable;

use crate::database::Database;
use crate::database::Relation;
use crate::database::RelationKind;
use crate::error::SqlError;
use crate::execute::MARKER_SCHEMA;
use crate::server::Server;

/// How the list of a database's objects calls its large objects.
const LARGE_OBJECTS: &str = "large objects";

impl Server {
    /// Makes a database that holds these tables, or takes one that is there for it. Tables that the
    /// marker counts have so many rows; of the others it is known only whether they have any.
    ///
    /// Returns how many tables have rows that nobody counted.
    ///
    /// # Errors
    ///
    /// If the name is none.
    pub fn take_up(
        &self,
        name: &str,
        tables: &[StandingTable],
        marker: Option<&Json>,
    ) -> Result<usize, SqlError> {
        let mut state = self.state();
        if state.database(name).is_err() {
            let owner = state.roles.values().find(|role| role.superuser);
            let owner = owner.map_or_else(String::new, |role| role.name.clone());
            state.create_database(&owner, name, None, None)?;
            // How a world begins is no deed of anybody.
            state.deeds.pop();
        }
        let database = state.database_mut(name)?;
        let uncounted = tables.iter().filter(|t| !hold(database, t, marker)).count();
        if let Some(row) = marker {
            database.schemas.insert(MARKER_SCHEMA.to_owned());
            database.marker_table = true;
            database.marker = Some(row.clone());
        }
        Ok(uncounted)
    }
}

/// Adds one object; says whether the number of its rows is known.
fn hold(database: &mut Database, table: &StandingTable, marker: Option<&Json>) -> bool {
    if table.sort == LARGE_OBJECTS {
        database.large_objects = 1;
        return false;
    }
    let kind = RelationKind::of(&table.sort);
    let (schema, name) = table
        .name
        .split_once('.')
        .unwrap_or(("public", &table.name));
    let counted = marker.and_then(|row| row["rows"][&table.name].as_u64());
    let rows = counted.unwrap_or_else(|| u64::from(table.bytes > 0));
    database.schemas.insert(schema.to_owned());
    let relation = Relation {
        rows,
        data_bytes: table.bytes,
        ..Relation::new(kind)
    };
    let key = (schema.to_owned(), name.to_owned());
    database.relations.insert(key, relation);
    kind != RelationKind::Table || counted.is_some() || table.bytes == 0
}

impl RelationKind {
    fn of(word: &str) -> Self {
        let all = [
            Self::View,
            Self::MaterializedView,
            Self::Sequence,
            Self::ForeignTable,
        ];
        let found = all.into_iter().find(|kind| kind.word() == word);
        found.unwrap_or(Self::Table)
    }
}

#[cfg(test)]
mod tests {
    use drplan_api::Clock;
    use drplan_api::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::Options;

    #[test]
    fn a_database_that_is_taken_up_has_the_rows_that_its_marker_counts() {
        let server = Server::new(Options::new(Clock::starting_at(Timestamp::UNIX_EPOCH), 7));
        let table = |name: &str, sort: &str| StandingTable {
            name: name.to_owned(),
            sort: sort.to_owned(),
            bytes: 8192,
        };
        let tables = [
            table("ledger.entries", "table"),
            table("public.notes", "table"),
            table("public.ids", "sequence"),
        ];
        let marker =
            json!({"rows": {"ledger.entries": 400}, "finished_at": "2026-01-05T03:10:00Z"});
        assert_eq!(server.take_up("shop", &tables, Some(&marker)), Ok(1));
        let database = server.database("shop").expect("a database");
        let rows = |schema: &str, name: &str| {
            let key = (schema.to_owned(), name.to_owned());
            database.relations[&key].rows
        };
        assert_eq!(
            (rows("ledger", "entries"), rows("public", "notes")),
            (400, 1)
        );
        assert!(database.is_finished() && server.deeds().is_empty());
    }
}
