//! The table of contents with everything that it says.

use super::ArchiveError;
use super::cursor::Cursor;
use super::cursor::Place;

/// The most entries for which room is made before they are read.
const ROOM_MAX: usize = 4096;

/// When an entry is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Section {
    None,
    Before,
    Data,
    After,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: i64,
    /// The numbers of the object in the dumped server's catalogue.
    pub(crate) catalogue: (String, String),
    pub(crate) tag: String,
    pub(crate) desc: String,
    pub(crate) section: Section,
    /// The statement that makes it.
    pub(crate) definition: String,
    /// The statement that its rows follow.
    pub(crate) copy: String,
    pub(crate) namespace: Option<String>,
    pub(crate) owner: String,
    pub(crate) place: Place,
}

impl Entry {
    /// Names it as `pg_restore` does in its messages.
    pub(crate) fn title(&self) -> String {
        let namespace = self.namespace.as_ref().map(|n| format!("{n}."));
        format!(
            "{} \"{}{}\"",
            self.desc,
            namespace.unwrap_or_default(),
            self.tag
        )
    }

    /// Names it as `pg_restore` does where it failed.
    pub(crate) fn place_of_error(&self) -> String {
        let (table, oid) = &self.catalogue;
        let Self {
            id,
            desc,
            tag,
            owner,
            ..
        } = self;
        format!("{id}; {table} {oid} {desc} {tag} {owner}")
    }

    /// Names it as `pg_restore -l` lists it.
    pub(crate) fn line(&self) -> String {
        let (table, oid) = &self.catalogue;
        let namespace = self.namespace.as_deref().unwrap_or("-");
        format!(
            "{}; {table} {oid} {} {namespace} {} {}",
            self.id, self.desc, self.tag, self.owner
        )
    }
}

pub(super) fn read(c: &mut Cursor<'_>, minor: u8) -> Result<Vec<Entry>, ArchiveError> {
    let count = usize::try_from(c.int()?)
        .map_err(|_| ArchiveError::Corrupt("the number of entries".to_owned()))?;
    let mut entries = Vec::with_capacity(count.min(ROOM_MAX));
    for _ in 0..count {
        entries.push(one(c, minor)?);
    }
    Ok(entries)
}

fn one(c: &mut Cursor<'_>, minor: u8) -> Result<Entry, ArchiveError> {
    let id = c.int()?;
    if id <= 0 {
        return Err(ArchiveError::Corrupt(format!(
            "entry ID {id} out of range -- perhaps a corrupt TOC"
        )));
    }
    let _has_dumper = c.int()?;
    let mut text = || c.text().map(Option::unwrap_or_default);
    let catalogue = (text()?, text()?);
    let (tag, desc) = (text()?, text()?);
    let section = match c.int()? {
        2 => Section::Before,
        3 => Section::Data,
        4 => Section::After,
        _ => Section::None,
    };
    let mut text = || c.text().map(Option::unwrap_or_default);
    let (definition, _drop, copy) = (text()?, text()?, text()?);
    let namespace = c.text()?.filter(|name| !name.is_empty());
    c.text()?;
    if minor >= 14 {
        c.text()?;
    }
    if minor >= 16 {
        c.int()?;
    }
    let owner = c.text()?.unwrap_or_default();
    c.text()?;
    while c.text()?.is_some() {}
    Ok(Entry {
        id,
        catalogue,
        tag,
        desc,
        section,
        definition,
        copy,
        namespace,
        owner,
        place: c.place()?,
    })
}
