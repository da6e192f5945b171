//! Reads the header and the table of contents of archives that `pg_dump -Fc` writes, and tells
//! whether they are whole.
//!
//! It reads by ranges, so that planning needs no download, and never unpacks data.
//!
//! # Source
//!
//! The reading functions of PostgreSQL's `pg_backup_archiver.c` and `pg_backup_custom.c`, and dumps
//! that were compared with what `pg_restore -l` prints of them.

mod blocks;
mod cursor;
mod file;
mod grants;
mod header;
mod lens;
mod toc;

use drplan_api::ErrorKind;
use drplan_api::ProviderError;
use drplan_s3::RangeRead;

pub(crate) use blocks::Checked;
use cursor::Cursor;
use cursor::Cut;
pub(crate) use file::LocalArchive;
pub(crate) use grants::roles;
pub(crate) use header::Header;
use header::HeaderError;
pub use lens::DumpToc;
pub(crate) use lens::MARKER_SCHEMA;
pub(crate) use lens::Summary;
pub(crate) use lens::TableName;
pub(crate) use toc::Entry;

/// What is read first; enough for the contents of a small database.
const FIRST_BYTES: u64 = 256 * 1024;
/// The most that is read of one archive for its contents.
const CONTENTS_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The fewest bytes that an entry has.
const ENTRY_BYTES_MIN: u64 = 60;

/// The readable part of an archive.
#[derive(Clone, Debug)]
pub(crate) struct Archive {
    pub(crate) header: Header,
    pub(crate) entries: Vec<Entry>,
    /// Where the data begins.
    data_at: u64,
}

impl Archive {
    /// Reads header and table of contents.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] if the object is no archive or is cut within its contents,
    /// [`ErrorKind::Invalid`] if it is of a form that cannot be used.
    pub(crate) async fn read(object: &dyn RangeRead) -> Result<Self, ProviderError> {
        let mut window = Window {
            object,
            bytes: Vec::new(),
        };
        window.grow("a dump").await?;
        let (header, at) = loop {
            match Header::read(&window.bytes) {
                Ok(read) => break read,
                Err(HeaderError::Cut(Cut::Short)) => window.grow("the header of a dump").await?,
                Err(HeaderError::Cut(Cut::Broken { at, expected })) => {
                    return Err(corrupt(object, at as u64, &expected, None));
                }
                Err(HeaderError::Foreign(why)) => {
                    return Err(unusable(object).because(why).hint(
                        "dump with `pg_dump -Fc` of PostgreSQL 9 to 18; plain, tar and folder dumps \
                         are not read",
                    ));
                }
            }
        };
        let mut archive = Self {
            header,
            entries: Vec::new(),
            data_at: at as u64,
        };
        archive.read_entries(&mut window, at).await?;
        Ok(archive)
    }

    /// Checks that all data blocks are there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] if one is cut or missing.
    pub(crate) async fn check_data(
        &self,
        object: &dyn RangeRead,
    ) -> Result<Checked, ProviderError> {
        blocks::check(object, self).await
    }

    async fn read_entries(
        &mut self,
        window: &mut Window<'_>,
        at: usize,
    ) -> Result<(), ProviderError> {
        let (mut at, mut count) = (at, None);
        loop {
            let total = count.unwrap_or_default();
            if count.is_some() && self.entries.len() as u64 >= total {
                self.data_at = at as u64;
                return Ok(());
            }
            let mut c = Cursor::new(
                &window.bytes,
                at,
                self.header.int_bytes,
                self.header.offset_bytes,
            );
            let read = match count {
                None => c
                    .int()
                    .map(|n| count = Some(u64::try_from(n).unwrap_or(u64::MAX))),
                Some(_) => Entry::read(&mut c, &self.header).map(|e| self.entries.push(e)),
            };
            match read {
                Ok(()) => at = c.at,
                Err(Cut::Broken { at, expected }) => {
                    return Err(corrupt(window.object, at as u64, &expected, None));
                }
                Err(Cut::Short) => {
                    let what = format!(
                        "entry {} of {total} of the contents",
                        self.entries.len() + 1
                    );
                    window.grow(&what).await?;
                }
            }
            if let Some(n) = count
                && n > window.object.size() / ENTRY_BYTES_MIN
            {
                let expected = format!("{n} entries in the contents");
                let size = window.object.size();
                return Err(corrupt(
                    window.object,
                    size,
                    &expected,
                    Some("there is no room for so many"),
                ));
            }
        }
    }

    /// Makes a cursor over bytes of this archive.
    fn cursor<'a>(&self, bytes: &'a [u8]) -> Cursor<'a> {
        Cursor::new(bytes, 0, self.header.int_bytes, self.header.offset_bytes)
    }
}

/// The beginning of an object, as far as it has been read.
struct Window<'a> {
    object: &'a dyn RangeRead,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// Reads as much again as is there already.
    async fn grow(&mut self, expected: &str) -> Result<(), ProviderError> {
        let have = self.bytes.len() as u64;
        if have >= self.object.size() {
            return Err(corrupt(
                self.object,
                have,
                expected,
                Some("the object ends there"),
            ));
        }
        if have >= CONTENTS_BYTES_MAX {
            return Err(unusable(self.object).because(format!(
                "its contents have more than {CONTENTS_BYTES_MAX} bytes"
            )));
        }
        let more = have.max(FIRST_BYTES);
        let bytes = self.object.range(have, more).await?;
        if bytes.is_empty() {
            return Err(corrupt(
                self.object,
                have,
                expected,
                Some("nothing more could be read"),
            ));
        }
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }
}

fn unusable(object: &dyn RangeRead) -> ProviderError {
    ProviderError::new(
        ErrorKind::Invalid,
        "read a dump",
        format!("object `{}`", object.key()),
    )
}

fn corrupt(object: &dyn RangeRead, at: u64, expected: &str, why: Option<&str>) -> ProviderError {
    let error = ProviderError::new(
        ErrorKind::Corrupt,
        "read a dump",
        format!("object `{}`", object.key()),
    )
    .because(match why {
        Some(why) => format!("expected {expected} at byte {at}, but {why}"),
        None => format!("expected {expected} at byte {at}"),
    });
    error.hint("choose another dump, and look at how this one was written and uploaded")
}

#[cfg(test)]
mod tests;
