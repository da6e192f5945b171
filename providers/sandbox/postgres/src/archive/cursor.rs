//! Takes the primitive values of an archive out of its bytes.

use super::ArchiveError;

/// The widest integer that an archive may use, in bytes.
const WIDTH_MAX: u8 = 8;

pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    int_bytes: u8,
    offset_bytes: u8,
}

/// Where the data of an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It begins there.
    At(u64),
    /// There is some, and nobody noted where.
    Somewhere,
    /// There is none.
    None,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            int_bytes: 4,
            offset_bytes: 8,
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(super) fn go_to(&mut self, at: u64) -> Result<(), ArchiveError> {
        let at = usize::try_from(at).map_err(|_| ArchiveError::Cut)?;
        if at >= self.bytes.len() {
            return Err(ArchiveError::Cut);
        }
        self.at = at;
        Ok(())
    }

    pub(super) fn set_widths(&mut self) -> Result<(), ArchiveError> {
        (self.int_bytes, self.offset_bytes) = (self.byte()?, self.byte()?);
        let good = 1..=WIDTH_MAX;
        if good.contains(&self.int_bytes) && good.contains(&self.offset_bytes) {
            return Ok(());
        }
        Err(ArchiveError::Corrupt("a width of integers".to_owned()))
    }

    pub(super) fn take(&mut self, n: usize) -> Result<&'a [u8], ArchiveError> {
        let end = self.at.checked_add(n).ok_or(ArchiveError::Cut)?;
        let taken = self.bytes.get(self.at..end).ok_or(ArchiveError::Cut)?;
        self.at = end;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, ArchiveError> {
        Ok(self.take(1)?[0])
    }

    fn magnitude(&mut self, width: u8) -> Result<u64, ArchiveError> {
        let bytes = self.take(usize::from(width))?;
        let step = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Ok(bytes.iter().rev().fold(0, step))
    }

    /// A sign, then the magnitude with its lowest byte first.
    pub(super) fn int(&mut self) -> Result<i64, ArchiveError> {
        let sign = self.byte()?;
        let magnitude = i64::try_from(self.magnitude(self.int_bytes)?);
        match (sign, magnitude) {
            (0, Ok(value)) => Ok(value),
            (1, Ok(value)) => Ok(-value),
            _ => Err(ArchiveError::Corrupt("an integer".to_owned())),
        }
    }

    /// A length and that many bytes; a negative length stands for no text at all.
    pub(super) fn text(&mut self) -> Result<Option<String>, ArchiveError> {
        match usize::try_from(self.int()?) {
            Ok(length) => {
                let bytes = self.take(length)?;
                Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
            }
            Err(_) => Ok(None),
        }
    }

    pub(super) fn place(&mut self) -> Result<Place, ArchiveError> {
        let state = self.byte()?;
        let offset = self.magnitude(self.offset_bytes)?;
        match state {
            1 => Ok(Place::Somewhere),
            2 => Ok(Place::At(offset)),
            3 => Ok(Place::None),
            _ => Err(ArchiveError::Corrupt("the place of data".to_owned())),
        }
    }
}
