//! Whether the data blocks behind the table of contents are all there.
//!
//! A block is its sort, the number of its entry, and chunks of known length; a chunk of length zero
//! ends it. Compressed content is not unpacked: that the chunks add up shows that nothing is cut.

use bytes::Bytes;
use drplan_api::ProviderError;
use drplan_s3::RangeRead;

use super::Archive;
use super::corrupt;
use super::cursor::Cursor;
use super::cursor::Cut;
use super::cursor::DataPlace;
use super::toc::Entry;

/// Data that is followed chunk by chunk, in bytes; of more only beginning and end are looked at.
const FOLLOWED_BYTES_MAX: u64 = 8 * 1024 * 1024;
const BLOCK_DATA: u8 = 1;
const BLOCK_LARGE_OBJECTS: u8 = 3;

/// How thoroughly the data was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// From the last block (or, without known places, the first) every chunk was followed to the end.
    Chunks,
    /// The beginning of that block and the end of the archive were looked at.
    Ends,
}

impl Checked {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Chunks => "chunks",
            Self::Ends => "ends",
        }
    }
}

/// Checks that every block begins inside the object and that the last one ends where the object does.
pub(super) async fn check(
    object: &dyn RangeRead,
    archive: &Archive,
) -> Result<Checked, ProviderError> {
    let with_data: Vec<&Entry> = archive.entries.iter().filter(|e| e.has_data()).collect();
    if with_data.is_empty() {
        return Ok(Checked::Chunks);
    }
    let start = start(object, archive, &with_data)?;
    let size = object.size();
    let head = object.range(start, head_bytes(archive)).await?;
    let block = |id: i64| with_data.iter().find(|e| e.id == id).copied();
    let first = Block::read(&mut archive.cursor(&head))
        .ok()
        .and_then(|b| block(b.entry))
        .ok_or_else(|| corrupt(object, start, "the beginning of a data block", None))?;
    if size - start > FOLLOWED_BYTES_MAX {
        return check_last_bytes(object, archive).await;
    }
    let bytes = object.range(start, size - start).await?;
    let seen = follow(object, archive, start, &bytes, first)?;
    let known = with_data.iter().any(|e| matches!(e.data, DataPlace::At(_)));
    let missing = with_data.iter().find(|e| !known && !seen.contains(&e.id));
    match missing {
        Some(entry) => Err(corrupt(
            object,
            size,
            &format!("the data of `{}`", entry.title()),
            Some("the object ends there"),
        )),
        None => Ok(Checked::Chunks),
    }
}

/// Returns where checking starts: at the last block whose place is known, else at the first block.
fn start(
    object: &dyn RangeRead,
    archive: &Archive,
    with_data: &[&Entry],
) -> Result<u64, ProviderError> {
    let mut start = archive.data_at;
    for entry in with_data {
        if let DataPlace::At(at) = entry.data {
            if at < archive.data_at {
                let expected = format!("the data of `{}` behind the contents", entry.title());
                return Err(corrupt(object, at, &expected, None));
            }
            start = start.max(at);
        }
    }
    if start >= object.size() {
        let entry = with_data.iter().find(|e| e.data == DataPlace::At(start));
        let title = entry.map_or_else(|| with_data[0].title(), |e| e.title());
        return Err(corrupt(
            object,
            object.size(),
            &format!("the data of `{title}`, which begins at byte {start}"),
            Some("the object ends there"),
        ));
    }
    Ok(start)
}

fn head_bytes(archive: &Archive) -> u64 {
    2 + u64::from(archive.header.int_bytes)
}

/// A block that is not followed must at least end as every block ends: with a chunk of length zero.
async fn check_last_bytes(
    object: &dyn RangeRead,
    archive: &Archive,
) -> Result<Checked, ProviderError> {
    let width = 1 + u64::from(archive.header.int_bytes);
    let at = object.size() - width;
    let end = object.range(at, width).await?;
    if end.iter().any(|&byte| byte != 0) {
        return Err(corrupt(
            object,
            at,
            "the end mark of the last data block",
            Some("the object ends in the middle of data"),
        ));
    }
    Ok(Checked::Ends)
}

/// Follows chunks from one block to the end, which must be a block's end, and returns the entries
/// whose blocks it met.
fn follow(
    object: &dyn RangeRead,
    archive: &Archive,
    start: u64,
    bytes: &Bytes,
    first: &Entry,
) -> Result<std::collections::BTreeSet<i64>, ProviderError> {
    let mut c = archive.cursor(bytes);
    let mut seen = std::collections::BTreeSet::new();
    let mut current = first;
    while c.at < bytes.len() {
        let at = c.at;
        let block = Block::read(&mut c).and_then(|block| {
            block.skip(&mut c)?;
            Ok(block)
        });
        match block {
            Ok(block) => {
                seen.insert(block.entry);
            }
            Err(cut) => {
                let begun = archive.cursor(&bytes[at..]);
                current = block_entry(begun, archive).unwrap_or(current);
                return Err(cut_error(object, start, &cut, current));
            }
        }
    }
    Ok(seen)
}

fn block_entry<'a>(mut c: Cursor<'_>, archive: &'a Archive) -> Option<&'a Entry> {
    let block = Block::read(&mut c).ok()?;
    archive.entries.iter().find(|e| e.id == block.entry)
}

fn cut_error(object: &dyn RangeRead, start: u64, cut: &Cut, entry: &Entry) -> ProviderError {
    match cut {
        Cut::Short => corrupt(
            object,
            object.size(),
            &format!("more data of `{}`", entry.title()),
            Some("the object ends in the middle of it"),
        ),
        Cut::Broken { at, expected } => corrupt(object, start + *at as u64, expected, None),
    }
}

struct Block {
    large_objects: bool,
    entry: i64,
}

impl Block {
    fn read(c: &mut Cursor<'_>) -> Result<Self, Cut> {
        let at = c.at;
        let large_objects = match c.byte()? {
            BLOCK_DATA => false,
            BLOCK_LARGE_OBJECTS => true,
            other => {
                return Err(Cut::Broken {
                    at,
                    expected: format!("a data block of sort 1 or 3, not {other}"),
                });
            }
        };
        let entry = c.int()?;
        Ok(Self {
            large_objects,
            entry,
        })
    }

    fn skip(&self, c: &mut Cursor<'_>) -> Result<(), Cut> {
        if !self.large_objects {
            return skip_chunks(c);
        }
        while c.int()? != 0 {
            skip_chunks(c)?;
        }
        Ok(())
    }
}

fn skip_chunks(c: &mut Cursor<'_>) -> Result<(), Cut> {
    loop {
        let at = c.at;
        match usize::try_from(c.int()?) {
            Ok(0) => return Ok(()),
            Ok(length) => {
                c.take(length)?;
            }
            Err(_) => {
                return Err(Cut::Broken {
                    at,
                    expected: "a chunk with a positive length".to_owned(),
                });
            }
        }
    }
}
