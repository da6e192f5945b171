//! Values of columns and parameters, and how they travel.

use bytes::BufMut as _;
use bytes::BytesMut;

use crate::error::SqlError;

/// The types that drplan's statements use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Bool,
    Int4,
    Int8,
    Name,
    Oid,
    Text,
}

impl Type {
    /// The number of the type in every server.
    pub(crate) fn oid(self) -> u32 {
        match self {
            Self::Bool => 16,
            Self::Name => 19,
            Self::Int8 => 20,
            Self::Int4 => 23,
            Self::Text => 25,
            Self::Oid => 26,
        }
    }

    /// Its width in bytes, or -1.
    pub(crate) fn width(self) -> i16 {
        match self {
            Self::Bool => 1,
            Self::Int4 | Self::Oid => 4,
            Self::Int8 => 8,
            Self::Name => 64,
            Self::Text => -1,
        }
    }
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int4(i32),
    Int8(i64),
    Oid(u32),
    Text(String),
}

/// How a value travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Binary,
}

impl Format {
    pub(crate) fn of(code: i16) -> Result<Self, SqlError> {
        match code {
            0 => Ok(Self::Text),
            1 => Ok(Self::Binary),
            _ => Err(SqlError::protocol("unsupported format code")),
        }
    }
}

impl Value {
    pub(crate) fn count(n: u64) -> Self {
        Self::Int8(i64::try_from(n).unwrap_or(i64::MAX))
    }

    /// Writes the length and the bytes.
    pub(crate) fn put(&self, format: Format, out: &mut BytesMut) {
        let text;
        let bytes: &[u8] = match (self, format) {
            (Self::Null, _) => {
                out.put_i32(-1);
                return;
            }
            (Self::Text(text), _) => text.as_bytes(),
            (Self::Bool(b), Format::Text) => {
                if *b {
                    b"t"
                } else {
                    b"f"
                }
            }
            (Self::Bool(b), Format::Binary) => &[u8::from(*b)],
            (Self::Int4(n), Format::Binary) => &n.to_be_bytes(),
            (Self::Int8(n), Format::Binary) => &n.to_be_bytes(),
            (Self::Oid(n), Format::Binary) => &n.to_be_bytes(),
            (Self::Int4(n), Format::Text) => {
                text = n.to_string();
                text.as_bytes()
            }
            (Self::Int8(n), Format::Text) => {
                text = n.to_string();
                text.as_bytes()
            }
            (Self::Oid(n), Format::Text) => {
                text = n.to_string();
                text.as_bytes()
            }
        };
        out.put_i32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        out.put_slice(bytes);
    }

    /// Reads a parameter.
    pub(crate) fn read(ty: Type, format: Format, bytes: &[u8]) -> Result<Self, SqlError> {
        let wrong = || SqlError::new("22P03", "incorrect binary data format in a parameter");
        let text = || std::str::from_utf8(bytes).map_err(|_| wrong());
        Ok(match (ty, format) {
            (Type::Text | Type::Name, _) => Self::Text(text()?.to_owned()),
            (Type::Bool, Format::Binary) => Self::Bool(bytes == [1]),
            (Type::Bool, Format::Text) => Self::Bool(matches!(text()?, "t" | "true")),
            (Type::Int4, Format::Binary) => {
                Self::Int4(i32::from_be_bytes(bytes.try_into().map_err(|_| wrong())?))
            }
            (Type::Int8, Format::Binary) => {
                Self::Int8(i64::from_be_bytes(bytes.try_into().map_err(|_| wrong())?))
            }
            (Type::Oid, Format::Binary) => {
                Self::Oid(u32::from_be_bytes(bytes.try_into().map_err(|_| wrong())?))
            }
            (Type::Int4, Format::Text) => Self::Int4(text()?.parse().map_err(|_| wrong())?),
            (Type::Int8, Format::Text) => Self::Int8(text()?.parse().map_err(|_| wrong())?),
            (Type::Oid, Format::Text) => Self::Oid(text()?.parse().map_err(|_| wrong())?),
        })
    }

    pub(crate) fn as_text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_travel_in_both_formats() {
        let sent = |value: &Value, format| {
            let mut out = BytesMut::new();
            value.put(format, &mut out);
            out.to_vec()
        };
        assert_eq!(sent(&Value::Null, Format::Text), [255; 4]);
        assert_eq!(sent(&Value::Int4(-2), Format::Text), b"\0\0\0\x02-2");
        assert_eq!(sent(&Value::Bool(true), Format::Binary), [0, 0, 0, 1, 1]);
        let read = Value::read(Type::Oid, Format::Binary, &[0, 0, 1, 0]);
        assert_eq!(read, Ok(Value::Oid(256)));
        assert!(Value::read(Type::Int8, Format::Binary, &[1]).is_err());
    }
}
