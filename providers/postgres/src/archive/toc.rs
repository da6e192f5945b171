//! The table of contents: one entry for each object of the dumped database.

use super::cursor::Cursor;
use super::cursor::Cut;
use super::cursor::DataPlace;
use super::header::Header;

/// One entry of the table of contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its number in the dump.
    pub(crate) id: i64,
    /// The name of the object; for an index the index, for a constraint `table constraint`.
    pub(crate) tag: String,
    /// The sort of object: `TABLE`, `TABLE DATA`, `INDEX`.
    pub(crate) desc: String,
    /// Before, in or behind the data: 2, 3 or 4; 1 for neither.
    pub(crate) section: i64,
    /// The schema, if it lies in one.
    pub(crate) namespace: Option<String>,
    /// Who owned it.
    pub(crate) owner: String,
    /// The statement that makes it, kept only for those few sorts whose text is needed.
    pub(crate) definition: Option<String>,
    /// Where its data is.
    pub(super) data: DataPlace,
}

impl Entry {
    /// Tells whether the archive holds data for it.
    pub(crate) fn has_data(&self) -> bool {
        self.data != DataPlace::None
    }

    /// Names it as `pg_restore -l` does.
    pub(crate) fn title(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} {namespace} {}", self.desc, self.tag),
            None => format!("{} {}", self.desc, self.tag),
        }
    }

    pub(super) fn read(c: &mut Cursor<'_>, header: &Header) -> Result<Self, Cut> {
        let at = c.at;
        let id = c.int()?;
        if id <= 0 {
            return Err(Cut::Broken {
                at,
                expected: format!("an entry with a positive number, not {id}"),
            });
        }
        let _had_dumper = c.int()?;
        let _table_oid = c.text()?;
        let _oid = c.text()?;
        let tag = c.text()?.unwrap_or_default();
        let desc = c.text()?.unwrap_or_default();
        let section = c.int()?;
        let definition = c.text()?;
        let _drop = c.text()?;
        let _copy = c.text()?;
        let namespace = c.text()?.filter(|name| !name.is_empty());
        let _tablespace = c.text()?;
        if header.minor >= 14 {
            let _access_method = c.text()?;
        }
        if header.minor >= 16 {
            let _relation_kind = c.int()?;
        }
        let owner = c.text()?.unwrap_or_default();
        let _with_oids = c.text()?;
        while c.text()?.is_some() {}
        let data = c.place()?;
        let definition = definition.filter(|_| keeps_definition(&desc));
        Ok(Self {
            id,
            tag,
            desc,
            section,
            namespace,
            owner,
            definition,
            data,
        })
    }
}

fn keeps_definition(desc: &str) -> bool {
    matches!(desc, "ACL" | "DEFAULT ACL" | "DATABASE")
}
