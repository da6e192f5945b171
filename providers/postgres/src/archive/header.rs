//! The first bytes of an archive: which tool wrote it, when, and in which form.

use jiff::civil::DateTime;

use super::cursor::Cursor;
use super::cursor::Cut;
use super::cursor::INT_BYTES_MAX;

const MAGIC: &[u8] = b"PGDMP";
/// The number that the custom format, the only one in a single object, has in the header.
const FORMAT_CUSTOM: u8 = 1;
/// Minor versions of the archive format that are understood: those of PostgreSQL 9.0 to 18.
const MINOR: std::ops::RangeInclusive<u8> = 12..=16;

/// What the beginning of an archive says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The minor version of the format; the major one is 1.
    pub(crate) minor: u8,
    /// The revision of the format.
    pub(crate) revision: u8,
    /// The width of integers in bytes.
    pub(crate) int_bytes: u8,
    /// The width of offsets in bytes.
    pub(crate) offset_bytes: u8,
    /// `none`, `gzip`, `lz4` or `zstd`.
    pub(crate) compression: &'static str,
    /// When the dump began, in the local time of the machine that wrote it.
    pub(crate) created: DateTime,
    /// The dumped database.
    pub(crate) database: String,
    /// The version of the server.
    pub(crate) server_version: String,
    /// The version of `pg_dump`.
    pub(crate) dump_version: String,
}

/// Why a header could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HeaderError {
    /// Cut or broken bytes.
    Cut(Cut),
    /// Whole, but of a form that cannot be used.
    Foreign(String),
}

impl From<Cut> for HeaderError {
    fn from(cut: Cut) -> Self {
        Self::Cut(cut)
    }
}

impl Header {
    /// Reads the header and returns it with the position behind it.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, usize), HeaderError> {
        let mut c = Cursor::new(bytes, 0, 4, 8);
        if c.take(MAGIC.len())? != MAGIC {
            return Err(broken(
                0,
                "`PGDMP`, with which every dump of `pg_dump -Fc` begins",
            ));
        }
        let (major, minor, revision) = (c.byte()?, c.byte()?, c.byte()?);
        if major != 1 || !MINOR.contains(&minor) {
            return Err(HeaderError::Foreign(format!(
                "its format has version {major}.{minor}; 1.{} to 1.{} are understood",
                MINOR.start(),
                MINOR.end()
            )));
        }
        (c.int_bytes, c.offset_bytes) = (width(&mut c)?, width(&mut c)?);
        let format = c.byte()?;
        if format != FORMAT_CUSTOM {
            return Err(HeaderError::Foreign(format!(
                "it is of format {format}, not of the custom one that `pg_dump -Fc` writes"
            )));
        }
        let compression = compression(&mut c, minor)?;
        let created = created(&mut c)?;
        let mut text = || c.text().map(Option::unwrap_or_default);
        let (database, server_version, dump_version) = (text()?, text()?, text()?);
        let header = Self {
            minor,
            revision,
            int_bytes: c.int_bytes,
            offset_bytes: c.offset_bytes,
            compression,
            created,
            database,
            server_version,
            dump_version,
        };
        Ok((header, c.at))
    }

    /// Returns the oldest major version of `pg_restore` that reads this archive.
    pub(crate) fn pg_restore_major_min(&self) -> u32 {
        match self.minor {
            16 => 17,
            15 => 16,
            14 => 12,
            _ => 10,
        }
    }
}

fn broken(at: usize, expected: &str) -> HeaderError {
    HeaderError::Cut(Cut::Broken {
        at,
        expected: expected.to_owned(),
    })
}

fn width(c: &mut Cursor<'_>) -> Result<u8, HeaderError> {
    let at = c.at;
    match c.byte()? {
        width @ 1..=INT_BYTES_MAX => Ok(width),
        _ => Err(broken(at, "a width of 1 to 8 bytes")),
    }
}

/// Up to version 1.14 the level stands there, since then the algorithm.
fn compression(c: &mut Cursor<'_>, minor: u8) -> Result<&'static str, HeaderError> {
    let at = c.at;
    if minor < 15 {
        return Ok(if c.int()? == 0 { "none" } else { "gzip" });
    }
    match c.byte()? {
        0 => Ok("none"),
        1 => Ok("gzip"),
        2 => Ok("lz4"),
        3 => Ok("zstd"),
        _ => Err(broken(at, "a compression of 0 to 3")),
    }
}

fn created(c: &mut Cursor<'_>) -> Result<DateTime, HeaderError> {
    let at = c.at;
    let mut next = || c.int();
    let (second, minute, hour) = (next()?, next()?, next()?);
    let (day, month, year) = (next()?, next()?, next()?);
    let _is_summer_time = next()?;
    let small = |n: i64| i8::try_from(n).ok();
    let year = i16::try_from(year + 1900).ok();
    // A leap second is written as 60.
    let parts = (
        year,
        small(month + 1),
        small(day),
        small(hour),
        small(minute),
        small(second.min(59)),
    );
    let (Some(year), Some(month), Some(day), Some(hour), Some(minute), Some(second)) = parts else {
        return Err(broken(at, "the date of the dump"));
    };
    DateTime::new(year, month, day, hour, minute, second, 0)
        .map_err(|_| broken(at, "the date of the dump"))
}
