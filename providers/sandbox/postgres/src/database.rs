//! One database: its schemas, relations, indexes and constraints, and drplan's marker.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Json;
use drplan_api::Timestamp;

use crate::error::SqlError;

/// The bytes that an empty database has.
const EMPTY_BYTES: u64 = 7_602_703;
/// The bytes of a page, by which relations grow.
const PAGE_BYTES: u64 = 8192;

/// What a relation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelationKind {
    /// A table, also one that has partitions.
    Table,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
    /// A sequence.
    Sequence,
    /// A foreign table.
    ForeignTable,
}

impl RelationKind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
            Self::MaterializedView => "materialized view",
            Self::Sequence => "sequence",
            Self::ForeignTable => "foreign table",
        }
    }
}

/// A relation with what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// What it is.
    pub kind: RelationKind,
    /// How many rows it has.
    pub rows: u64,
    /// How many bytes its rows have in the form of `COPY`.
    pub data_bytes: u64,
    /// The SHA-256 of its rows in that form, in the order of the dump; empty if it has none.
    pub sha256: String,
}

impl Relation {
    pub(crate) fn new(kind: RelationKind) -> Self {
        Self {
            kind,
            rows: 0,
            data_bytes: 0,
            sha256: String::new(),
        }
    }

    /// The bytes on disk.
    pub(crate) fn bytes(&self) -> u64 {
        match self.kind {
            RelationKind::View | RelationKind::ForeignTable => 0,
            RelationKind::Sequence => PAGE_BYTES,
            RelationKind::Table | RelationKind::MaterializedView => {
                self.data_bytes.div_ceil(PAGE_BYTES) * PAGE_BYTES
            }
        }
    }
}

/// A database.
#[derive(Clone, Debug)]
pub struct Database {
    /// The number that no other database of the server ever has.
    pub oid: u32,
    /// Who owns it.
    pub owner: String,
    /// Its encoding.
    pub encoding: String,
    /// Relations by schema and name.
    pub relations: BTreeMap<(String, String), Relation>,
    /// Indexes by schema and name.
    pub indexes: BTreeSet<(String, String)>,
    /// Constraints by schema and `TABLE CONSTRAINT`.
    pub constraints: BTreeSet<(String, String)>,
    /// Large objects.
    pub large_objects: u64,
    /// Schemas.
    pub schemas: BTreeSet<String>,
    /// Extensions.
    pub extensions: BTreeSet<String>,
    /// Functions, types, triggers and whatever else a dump brings, as the dump titles them.
    pub others: BTreeSet<String>,
    /// The roles that were granted something here.
    pub granted: BTreeSet<String>,
    /// The row of `drplan.restore`.
    pub marker: Option<Json>,
    pub(crate) marker_table: bool,
    pub(crate) is_template: bool,
}

impl Database {
    pub(crate) fn new(oid: u32, owner: &str, encoding: &str) -> Self {
        Self {
            oid,
            owner: owner.to_owned(),
            encoding: encoding.to_owned(),
            relations: BTreeMap::new(),
            indexes: BTreeSet::new(),
            constraints: BTreeSet::new(),
            large_objects: 0,
            schemas: BTreeSet::from(["public".to_owned()]),
            extensions: BTreeSet::from(["plpgsql".to_owned()]),
            others: BTreeSet::new(),
            granted: BTreeSet::new(),
            marker: None,
            marker_table: false,
            is_template: false,
        }
    }

    /// The bytes on disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        EMPTY_BYTES + self.relations.values().map(Relation::bytes).sum::<u64>()
    }

    /// Whether it carries the marker of a restore that was finished.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let marker = self.marker.as_ref();
        marker.is_some_and(|marker| !marker["finished_at"].is_null())
    }

    /// Finds a relation; without a schema, where a fresh session would find it.
    pub(crate) fn relation(&self, schema: Option<&str>, name: &str) -> Result<&Relation, SqlError> {
        let key = (schema.unwrap_or("public").to_owned(), name.to_owned());
        self.relations.get(&key).ok_or_else(|| {
            let shown = schema.map_or_else(|| name.to_owned(), |s| format!("{s}.{name}"));
            SqlError::no_relation(&shown)
        })
    }

    /// Makes a relation.
    pub(crate) fn create(
        &mut self,
        schema: &str,
        name: &str,
        kind: RelationKind,
    ) -> Result<(), SqlError> {
        if !self.schemas.contains(schema) {
            return Err(SqlError::no_schema(schema));
        }
        let key = (schema.to_owned(), name.to_owned());
        if self.relations.contains_key(&key) || self.indexes.contains(&key) {
            return Err(SqlError::new(
                "42P07",
                format!("relation \"{name}\" already exists"),
            ));
        }
        self.relations.insert(key, Relation::new(kind));
        Ok(())
    }

    /// The marker's row, or the refusal of whoever asks a database without one.
    pub(crate) fn marker_rows(&self) -> Result<Option<&Json>, SqlError> {
        if !self.marker_table {
            return Err(SqlError::no_relation("drplan.restore"));
        }
        Ok(self.marker.as_ref())
    }

    /// When the marker says that restoring began.
    pub(crate) fn started_at(&self) -> Option<Timestamp> {
        self.marker.as_ref()?["started_at"].as_str()?.parse().ok()
    }
}
