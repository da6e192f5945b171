//! The rows: unpacked, counted and hashed.

use std::collections::BTreeMap;
use std::io::Read as _;

use flate2::read::ZlibDecoder;
use sha2::Digest as _;
use sha2::Sha256;

use super::ArchiveError;
use super::cursor::Cursor;
use super::cursor::Place;
use super::toc::Entry;

/// The sorts of blocks.
const ROWS: u8 = 1;
const LARGE_OBJECTS: u8 = 3;
/// The most that one block may unpack to, in bytes.
const UNPACKED_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// What ends the rows of a `COPY`.
const END: &[u8] = b"\\.";

/// How data is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
}

impl Compression {
    pub(super) fn of(code: u8) -> Result<Self, ArchiveError> {
        match code {
            0 => Ok(Self::None),
            1 => Ok(Self::Gzip),
            2 => Err(ArchiveError::Compression("lz4")),
            3 => Err(ArchiveError::Compression("zstd")),
            _ => Err(ArchiveError::Corrupt("the compression".to_owned())),
        }
    }
}

/// What a block held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Copied {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    pub(crate) large_objects: u64,
}

/// Reads all blocks: those whose place is noted from there, else one after the other.
pub(super) fn read(
    c: &mut Cursor<'_>,
    entries: &[Entry],
    compression: Compression,
) -> Result<BTreeMap<i64, Copied>, ArchiveError> {
    let mut data = BTreeMap::new();
    let with_data: Vec<&Entry> = entries.iter().filter(|e| e.place != Place::None).collect();
    let unknown = with_data.iter().any(|e| e.place == Place::Somewhere);
    if unknown {
        while !c.is_at_end() {
            let (id, copied) = block(c, entries, compression)?;
            data.insert(id, copied);
        }
    }
    for entry in with_data {
        if let Place::At(at) = entry.place {
            c.go_to(at)?;
            let (id, copied) = block(c, entries, compression)?;
            if id != entry.id {
                return Err(ArchiveError::Corrupt(format!(
                    "found unexpected block ID ({id}) when reading data -- expected {}",
                    entry.id
                )));
            }
            data.insert(id, copied);
        } else if !data.contains_key(&entry.id) {
            return Err(ArchiveError::Cut);
        }
    }
    Ok(data)
}

fn block(
    c: &mut Cursor<'_>,
    entries: &[Entry],
    compression: Compression,
) -> Result<(i64, Copied), ArchiveError> {
    let (sort, id) = (c.byte()?, c.int()?);
    match sort {
        ROWS => {
            let bytes = unpacked(c, compression)?;
            let rows_follow_copy = entries.iter().any(|e| e.id == id && !e.copy.is_empty());
            if !rows_follow_copy {
                return Err(ArchiveError::Inserts);
            }
            Ok((id, rows(&bytes)))
        }
        LARGE_OBJECTS => {
            let mut copied = Copied::default();
            while c.int()? != 0 {
                copied.bytes += unpacked(c, compression)?.len() as u64;
                copied.large_objects += 1;
            }
            Ok((id, copied))
        }
        other => Err(ArchiveError::Corrupt(format!(
            "unrecognized data block type ({other}) while searching archive"
        ))),
    }
}

fn unpacked(c: &mut Cursor<'_>, compression: Compression) -> Result<Vec<u8>, ArchiveError> {
    let mut packed = Vec::new();
    loop {
        match usize::try_from(c.int()?) {
            Ok(0) => break,
            Ok(length) => packed.extend_from_slice(c.take(length)?),
            Err(_) => return Err(ArchiveError::Corrupt("the length of a chunk".to_owned())),
        }
    }
    if compression == Compression::None || packed.is_empty() {
        return Ok(packed);
    }
    let mut bytes = Vec::new();
    ZlibDecoder::new(&packed[..])
        .take(UNPACKED_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(|e| ArchiveError::Corrupt(format!("could not uncompress data: {e}")))?;
    Ok(bytes)
}

/// Counts the rows of a `COPY`, each of which is one line.
fn rows(bytes: &[u8]) -> Copied {
    let mut copied = Copied::default();
    let mut hash = Sha256::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let content = line.strip_suffix(b"\n").unwrap_or(line);
        if content == END {
            break;
        }
        copied.rows += 1;
        copied.bytes += line.len() as u64;
        hash.update(line);
    }
    if copied.rows > 0 {
        let digest = hash.finalize();
        let digits = digest.iter().map(|byte| format!("{byte:02x}"));
        copied.sha256 = digits.collect();
    }
    copied
}
