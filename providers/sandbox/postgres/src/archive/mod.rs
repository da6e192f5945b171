//! Archives of `pg_dump -Fc`: all that is in them, read by code of the rehearsal's own.
//!
//! The provider reads header and contents by ranges and never unpacks data. Here everything is read:
//! the statements, what depends on what, and the rows.
//!
//! # Source
//!
//! The reading functions of PostgreSQL's `pg_backup_archiver.c` and `pg_backup_custom.c`.

mod cursor;
mod data;
mod toc;

use std::collections::BTreeMap;

use crate::error::SqlError;
use cursor::Cursor;
use data::Compression;
pub(crate) use data::Copied;
pub(crate) use toc::Entry;
pub(crate) use toc::Section;

/// With what every archive begins.
const MAGIC: &[u8] = b"PGDMP";
/// With what dumps in the form of text begin.
const TEXT_STARTS: [&[u8]; 2] = [
    b"--\n-- PostgreSQL database dump\n",
    b"--\n-- PostgreSQL database cluster dump\n",
];
/// The number of the custom format.
const CUSTOM: u8 = 1;
/// The oldest minor version that is read.
const MINOR_MIN: u8 = 12;

/// Why an archive cannot be restored, in the words of `pg_restore` where it has some.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// It is something else.
    #[error("input file does not appear to be a valid archive")]
    NoArchive,
    /// It is a dump in the form of text.
    #[error("input file appears to be a text format dump. Please use psql.")]
    Text,
    /// It is too new, or too old.
    #[error("unsupported version (1.{0}) in file header")]
    Version(u8),
    /// It is in another format.
    #[error("the rehearsal's pg_restore reads the custom format only, not format {0}")]
    Format(u8),
    /// It ends too early.
    #[error("could not read from input file: end of file")]
    Cut,
    /// Its bytes make no sense.
    #[error("corrupt archive: {0}")]
    Corrupt(String),
    /// It is compressed in a way that is not simulated.
    #[error("the rehearsal's pg_restore does not unpack {0}")]
    Compression(&'static str),
    /// Its rows are `INSERT` statements.
    #[error("the rehearsal's pg_restore does not run the statements of a dump with --inserts")]
    Inserts,
    /// The server refused a part of it.
    #[error("could not execute query: ERROR:  {}\nCommand was: {command}", refused.message)]
    Refused {
        /// Why.
        refused: SqlError,
        /// What was sent.
        command: String,
        /// The entry.
        entry: String,
    },
}

/// An archive, read whole.
#[derive(Clone, Debug)]
pub(crate) struct Archive {
    pub(crate) entries: Vec<Entry>,
    /// The rows of tables, by the number of their entry.
    pub(crate) data: BTreeMap<i64, Copied>,
}

impl Archive {
    /// Reads an archive of any supported version.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, ArchiveError> {
        Self::read_up_to(bytes, u8::MAX)
    }

    /// Reads an archive as a `pg_restore` does that knows versions up to `minor_max`.
    pub(crate) fn read_up_to(bytes: &[u8], minor_max: u8) -> Result<Self, ArchiveError> {
        if TEXT_STARTS.iter().any(|text| bytes.starts_with(text)) {
            return Err(ArchiveError::Text);
        }
        let mut c = Cursor::new(bytes);
        if c.take(MAGIC.len()).map_err(|_| ArchiveError::NoArchive)? != MAGIC {
            return Err(ArchiveError::NoArchive);
        }
        let (major, minor, _revision) = (c.byte()?, c.byte()?, c.byte()?);
        if major != 1 || minor < MINOR_MIN || minor > minor_max {
            return Err(ArchiveError::Version(minor));
        }
        c.set_widths()?;
        let format = c.byte()?;
        if format != CUSTOM {
            return Err(ArchiveError::Format(format));
        }
        let compression = if minor < 15 {
            match c.int()? {
                0 => Compression::None,
                _ => Compression::Gzip,
            }
        } else {
            Compression::of(c.byte()?)?
        };
        for _ in 0..7 {
            c.int()?;
        }
        for _database_server_dump in 0..3 {
            c.text()?;
        }
        let entries = toc::read(&mut c, minor)?;
        let data = data::read(&mut c, &entries, compression)?;
        Ok(Self { entries, data })
    }
}

#[cfg(test)]
mod tests;
