//! The facts about a dump that planning and proving keep.

use std::collections::BTreeSet;

use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_s3::Lens;
use drplan_s3::RangeRead;
use serde::Deserialize;
use serde::Serialize;

use super::Archive;
use super::roles;

/// The schema in which drplan keeps its marker; it is never restored from a dump.
pub(crate) const MARKER_SCHEMA: &str = "drplan";

/// The lens `dump_toc`: header and table of contents of an archive of `pg_dump -Fc`, without data.
#[derive(Clone, Copy, Debug, Default)]
pub struct DumpToc;

impl DumpToc {
    /// The name by which questions choose this lens.
    pub const NAME: &'static str = "dump_toc";
}

/// The name of a table or another object inside a schema.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct TableName {
    /// Its schema.
    pub(crate) schema: String,
    /// Its name.
    pub(crate) name: String,
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// What the lens returns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// The version of the archive format: `1.14-0`.
    pub(crate) format: String,
    /// The oldest major version of `pg_restore` that reads it.
    pub(crate) pg_restore_major_min: u32,
    /// When the dump began, in the local time of the machine that wrote it.
    pub(crate) created: jiff::civil::DateTime,
    /// The dumped database.
    pub(crate) database: String,
    /// The version of the dumped server.
    pub(crate) server_version: String,
    /// The version of `pg_dump`.
    pub(crate) dump_version: String,
    /// How the data is compressed.
    pub(crate) compression: String,
    /// The size in bytes.
    pub(crate) bytes: u64,
    /// How thoroughly the data was checked: `chunks` or `ends`.
    pub(crate) checked: String,
    /// The number of entries in the contents.
    pub(crate) entries: u64,
    /// The dumped database's encoding, if it is noted.
    pub(crate) encoding: Option<String>,
    /// All tables.
    pub(crate) tables: BTreeSet<TableName>,
    /// Tables with data.
    pub(crate) with_data: BTreeSet<TableName>,
    /// Indexes that are no constraints.
    pub(crate) indexes: BTreeSet<TableName>,
    /// Constraints that are entries of their own; the name is `TABLE CONSTRAINT`.
    pub(crate) constraints: BTreeSet<TableName>,
    /// Extensions.
    pub(crate) extensions: BTreeSet<String>,
    /// Roles that its privileges name.
    pub(crate) roles: BTreeSet<String>,
}

impl Summary {
    /// Sums an archive up.
    pub(crate) fn of(archive: &Archive, bytes: u64, checked: &str) -> Self {
        let header = &archive.header;
        let named = |descs: &[&str]| -> BTreeSet<TableName> {
            let entries = archive.entries.iter();
            entries
                .filter(|e| descs.contains(&e.desc.as_str()))
                .filter(|e| e.desc != "TABLE DATA" || e.has_data())
                .filter_map(|e| {
                    let schema = e.namespace.clone()?;
                    (schema != MARKER_SCHEMA).then(|| TableName {
                        schema,
                        name: e.tag.clone(),
                    })
                })
                .collect()
        };
        let entries = archive.entries.iter();
        Self {
            format: format!("1.{}-{}", header.minor, header.revision),
            pg_restore_major_min: header.pg_restore_major_min(),
            created: header.created,
            database: header.database.clone(),
            server_version: header.server_version.clone(),
            dump_version: header.dump_version.clone(),
            compression: header.compression.to_owned(),
            bytes,
            checked: checked.to_owned(),
            entries: archive.entries.len() as u64,
            encoding: encoding(archive),
            tables: named(&["TABLE"]),
            with_data: named(&["TABLE DATA"]),
            indexes: named(&["INDEX"]),
            constraints: named(&["CONSTRAINT", "FK CONSTRAINT", "CHECK CONSTRAINT"]),
            extensions: entries
                .filter(|e| e.desc == "EXTENSION")
                .map(|e| e.tag.clone())
                .collect(),
            roles: roles(&archive.entries),
        }
    }
}

/// `CREATE DATABASE … ENCODING = 'UTF8' …`, which archives hold even if they do not restore it.
fn encoding(archive: &Archive) -> Option<String> {
    let entry = archive.entries.iter().find(|e| e.desc == "DATABASE")?;
    let definition = entry.definition.as_deref()?;
    let (_, behind) = definition.split_once("ENCODING = '")?;
    let (name, _) = behind.split_once('\'')?;
    Some(name.to_owned())
}

impl Lens for DumpToc {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn read<'a>(
        &'a self,
        object: &'a dyn RangeRead,
        _args: &'a Json,
    ) -> Fut<'a, Result<Json, ProviderError>> {
        Box::pin(async move {
            let archive = Archive::read(object).await?;
            let checked = archive.check_data(object).await?;
            let summary = Summary::of(&archive, object.size(), checked.as_str());
            serde_json::to_value(summary).map_err(|e| {
                ProviderError::new(ErrorKind::Bug, "keep the contents of a dump", object.key())
                    .caused_by(&e)
            })
        })
    }
}
