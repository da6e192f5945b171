//! The bytes of an object: in memory, or in a file that is only read.

use std::fs::File;
use std::io;
use std::io::Read as _;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::ops::Range;
use std::path::PathBuf;

use bytes::Bytes;

/// The bytes of an object.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Written since the store was opened.
    Memory(Bytes),
    /// Part of the folder that the store was opened over.
    File {
        /// Where.
        path: PathBuf,
        /// How many bytes there were when the store was opened.
        size: u64,
    },
}

impl Content {
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { size, .. } => *size,
        }
    }

    /// Reads a range that lies inside.
    pub(crate) fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let outside = || io::Error::other("the range lies outside the content");
        match self {
            Self::Memory(bytes) => {
                let start = usize::try_from(range.start).map_err(|_| outside())?;
                let end = usize::try_from(range.end).map_err(|_| outside())?;
                if start > end || end > bytes.len() {
                    return Err(outside());
                }
                Ok(bytes.slice(start..end))
            }
            Self::File { path, .. } => {
                let wanted = range.end.checked_sub(range.start).ok_or_else(outside)?;
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(range.start))?;
                let mut bytes = Vec::new();
                file.take(wanted).read_to_end(&mut bytes)?;
                if bytes.len() as u64 != wanted {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        format!("`{}` has become shorter", path.display()),
                    ));
                }
                Ok(bytes.into())
            }
        }
    }

    pub(crate) fn whole(&self) -> io::Result<Bytes> {
        self.read(0..self.size())
    }
}
