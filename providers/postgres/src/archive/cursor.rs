//! Takes the primitive values of an archive out of bytes that may not be all there yet.
//!
//! It knows how an archive writes integers, texts and offsets, and nothing of what they mean.

/// The widest integer that an archive may use, in bytes.
pub(super) const INT_BYTES_MAX: u8 = 8;
/// The longest single text that is taken, in bytes: a definition of a function or view.
const TEXT_BYTES_MAX: i64 = 64 * 1024 * 1024;

/// Why a value could not be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// More bytes are needed.
    Short,
    /// The bytes cannot be an archive's.
    Broken {
        /// Where, from the beginning of the archive.
        at: usize,
        /// What should be there.
        expected: String,
    },
}

/// Whether the data of an entry has a known place in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DataPlace {
    /// There is data, and it begins here.
    At(u64),
    /// There is data, somewhere behind the table of contents: the archive was written to a pipe.
    Unknown,
    /// There is no data.
    None,
}

/// A position in the bytes that are there.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) int_bytes: u8,
    pub(super) offset_bytes: u8,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize, int_bytes: u8, offset_bytes: u8) -> Self {
        Self {
            bytes,
            at,
            int_bytes,
            offset_bytes,
        }
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Cut> {
        let end = self.at.checked_add(length).ok_or(Cut::Short)?;
        let taken = self.bytes.get(self.at..end).ok_or(Cut::Short)?;
        self.at = end;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Cut> {
        let byte = *self.bytes.get(self.at).ok_or(Cut::Short)?;
        self.at += 1;
        Ok(byte)
    }

    /// A sign byte, then the magnitude with its lowest byte first.
    pub(super) fn int(&mut self) -> Result<i64, Cut> {
        let at = self.at;
        let sign = self.byte()?;
        let magnitude = self.little_endian(self.int_bytes)?;
        match (sign, i64::try_from(magnitude)) {
            (0, Ok(value)) => Ok(value),
            (1, Ok(value)) => Ok(-value),
            _ => Err(Cut::Broken {
                at,
                expected: "an integer with a sign byte of 0 or 1".to_owned(),
            }),
        }
    }

    /// A length, then that many bytes; a negative length stands for no text at all.
    pub(super) fn text(&mut self) -> Result<Option<String>, Cut> {
        let at = self.at;
        let length = self.int()?;
        if length < 0 {
            return Ok(None);
        }
        if length > TEXT_BYTES_MAX {
            return Err(Cut::Broken {
                at,
                expected: format!("a text of at most {TEXT_BYTES_MAX} bytes, not {length}"),
            });
        }
        let length = usize::try_from(length).map_err(|_| Cut::Short)?;
        let bytes = self.take(length)?;
        // Names are in the encoding of the database, which need not be UTF-8.
        Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
    }

    /// A state byte, then the offset, which is written whether it is known or not.
    pub(super) fn place(&mut self) -> Result<DataPlace, Cut> {
        let at = self.at;
        let state = self.byte()?;
        let offset = self.little_endian(self.offset_bytes)?;
        match state {
            1 => Ok(DataPlace::Unknown),
            2 => Ok(DataPlace::At(offset)),
            3 => Ok(DataPlace::None),
            other => Err(Cut::Broken {
                at,
                expected: format!("an offset whose state is 1, 2 or 3, not {other}"),
            }),
        }
    }

    fn little_endian(&mut self, width: u8) -> Result<u64, Cut> {
        let bytes = self.take(usize::from(width))?;
        let mut value = 0u64;
        for &byte in bytes.iter().rev() {
            value = value << 8 | u64::from(byte);
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(bytes: &[u8]) -> Cursor<'_> {
        Cursor::new(bytes, 0, 4, 8)
    }

    #[test]
    fn integers_have_a_sign_byte_and_the_lowest_byte_first() {
        assert_eq!(cursor(&[0, 1, 2, 0, 0]).int(), Ok(513));
        assert_eq!(cursor(&[1, 1, 0, 0, 0]).int(), Ok(-1));
        assert_eq!(cursor(&[0, 1, 2, 0]).int(), Err(Cut::Short));
        assert!(matches!(
            cursor(&[9, 0, 0, 0, 0]).int(),
            Err(Cut::Broken { at: 0, .. })
        ));
    }

    #[test]
    fn a_text_may_be_absent_empty_or_cut() {
        assert_eq!(cursor(&[1, 1, 0, 0, 0]).text(), Ok(None));
        assert_eq!(cursor(&[0, 0, 0, 0, 0]).text(), Ok(Some(String::new())));
        assert_eq!(cursor(b"\0\x02\0\0\0ab").text(), Ok(Some("ab".to_owned())));
        assert_eq!(cursor(b"\0\x02\0\0\0a").text(), Err(Cut::Short));
        assert!(matches!(
            cursor(&[0, 255, 255, 255, 255]).text(),
            Err(Cut::Broken { .. })
        ));
    }

    #[test]
    fn an_offset_says_whether_it_is_known() {
        let bytes = |state| [state, 5, 1, 0, 0, 0, 0, 0, 0];
        assert_eq!(cursor(&bytes(2)).place(), Ok(DataPlace::At(261)));
        assert_eq!(cursor(&bytes(1)).place(), Ok(DataPlace::Unknown));
        assert_eq!(cursor(&bytes(3)).place(), Ok(DataPlace::None));
        assert!(cursor(&bytes(0)).place().is_err());
    }
}
