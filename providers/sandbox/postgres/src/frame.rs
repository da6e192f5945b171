//! Messages of the wire protocol, version 3.
//!
//! # Source
//!
//! The PostgreSQL manual, "Frontend/Backend Protocol", "Message Formats".

use std::io;

use bytes::BufMut as _;
use bytes::BytesMut;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt as _;

use crate::error::SqlError;
use crate::value::Format;
use crate::value::Type;
use crate::value::Value;

/// The longest message that is taken, in bytes.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The longest first message, in bytes.
const STARTUP_BYTES_MAX: usize = 10_000;
/// The codes that stand in place of a version in a first message.
const SSL_REQUEST: i32 = 80_877_103;
const GSS_REQUEST: i32 = 80_877_104;
const CANCEL_REQUEST: i32 = 80_877_102;
/// The major version of the protocol.
const MAJOR: i32 = 3;

/// A first message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Startup {
    /// Asks to encrypt.
    Encrypt,
    /// Asks to cancel what another session does.
    Cancel,
    /// Begins a session with these settings.
    Session(Vec<(String, String)>),
}

/// A message of a client.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) sort: u8,
    pub(crate) body: Vec<u8>,
}

fn broken(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

/// Reads a length and that many bytes less its own four.
async fn sized<S>(stream: &mut S, max: usize) -> io::Result<Vec<u8>>
where
    S: AsyncRead + Unpin,
{
    let length = stream.read_i32().await?;
    let length = usize::try_from(length).ok().and_then(|n| n.checked_sub(4));
    let length = length.filter(|n| *n <= max);
    let mut body = vec![0; length.ok_or_else(|| broken("a message has no sensible length"))?];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

/// Reads a first message.
pub(crate) async fn startup<S>(stream: &mut S) -> io::Result<Startup>
where
    S: AsyncRead + Unpin,
{
    let body = sized(stream, STARTUP_BYTES_MAX).await?;
    let mut reader = Reader(&body);
    match reader.int4().map_err(|e| broken(&e.message))? {
        SSL_REQUEST | GSS_REQUEST => Ok(Startup::Encrypt),
        CANCEL_REQUEST => Ok(Startup::Cancel),
        version if version >> 16 == MAJOR => {
            let mut settings = Vec::new();
            while let Ok(name) = reader.text() {
                if name.is_empty() {
                    break;
                }
                let value = reader.text().map_err(|e| broken(&e.message))?;
                settings.push((name, value));
            }
            Ok(Startup::Session(settings))
        }
        _ => Err(broken("the client speaks another protocol")),
    }
}

/// Reads a message; nothing at the end of the stream.
pub(crate) async fn message<S>(stream: &mut S) -> io::Result<Option<Message>>
where
    S: AsyncRead + Unpin,
{
    let sort = match stream.read_u8().await {
        Ok(sort) => sort,
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(e) => return Err(e),
    };
    let body = sized(stream, MESSAGE_BYTES_MAX).await?;
    Ok(Some(Message { sort, body }))
}

/// Takes values out of a message.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, n: usize) -> Result<&'a [u8], SqlError> {
        let (taken, rest) = self
            .0
            .split_at_checked(n)
            .ok_or_else(|| SqlError::protocol("a message ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, SqlError> {
        Ok(self.take(1)?[0])
    }

    pub(crate) fn int2(&mut self) -> Result<i16, SqlError> {
        let bytes = self.take(2)?;
        Ok(i16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(crate) fn int4(&mut self) -> Result<i32, SqlError> {
        let bytes = self.take(4)?;
        Ok(i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    pub(crate) fn text(&mut self) -> Result<String, SqlError> {
        let end = self.0.iter().position(|byte| *byte == 0);
        let end = end.ok_or_else(|| SqlError::protocol("a text has no end"))?;
        let text = self.take(end)?;
        self.take(1)?;
        String::from_utf8(text.to_vec())
            .map_err(|_| SqlError::new("22021", "invalid byte sequence for encoding \"UTF8\""))
    }
}

/// Messages to a client, gathered until they are sent.
#[derive(Default)]
pub(crate) struct Out(pub(crate) BytesMut);

impl Out {
    fn message(&mut self, sort: u8, write: impl FnOnce(&mut BytesMut)) {
        self.0.put_u8(sort);
        let at = self.0.len();
        self.0.put_i32(0);
        write(&mut self.0);
        let length = i32::try_from(self.0.len() - at).unwrap_or(i32::MAX);
        self.0[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }

    pub(crate) fn ask_password(&mut self) {
        self.message(b'R', |out| out.put_i32(3));
    }

    pub(crate) fn let_in(&mut self, pid: i32, settings: &[(&str, &str)]) {
        self.message(b'R', |out| out.put_i32(0));
        for (name, value) in settings {
            self.message(b'S', |out| {
                put_text(name, out);
                put_text(value, out);
            });
        }
        self.message(b'K', |out| {
            out.put_i32(pid);
            out.put_i32(0);
        });
    }

    /// `status`: `I` outside of a transaction, `T` in one, `E` in one that has failed.
    pub(crate) fn ready(&mut self, status: u8) {
        self.message(b'Z', |out| out.put_u8(status));
    }

    pub(crate) fn error(&mut self, error: &SqlError, severity: &str) {
        self.message(b'E', |out| {
            for (field, text) in [
                (b'S', severity),
                (b'V', severity),
                (b'C', error.code),
                (b'M', &error.message),
            ] {
                out.put_u8(field);
                put_text(text, out);
            }
            out.put_u8(0);
        });
    }

    pub(crate) fn parsed(&mut self) {
        self.message(b'1', |_| {});
    }

    pub(crate) fn bound(&mut self) {
        self.message(b'2', |_| {});
    }

    pub(crate) fn closed(&mut self) {
        self.message(b'3', |_| {});
    }

    pub(crate) fn no_data(&mut self) {
        self.message(b'n', |_| {});
    }

    pub(crate) fn empty_query(&mut self) {
        self.message(b'I', |_| {});
    }

    pub(crate) fn params(&mut self, types: &[Type]) {
        self.message(b't', |out| {
            out.put_i16(i16::try_from(types.len()).unwrap_or_default());
            for ty in types {
                out.put_u32(ty.oid());
            }
        });
    }

    pub(crate) fn columns(&mut self, columns: &[(&str, Type)], format: Format) {
        self.message(b'T', |out| {
            out.put_i16(i16::try_from(columns.len()).unwrap_or_default());
            for (name, ty) in columns {
                put_text(name, out);
                out.put_i32(0);
                out.put_i16(0);
                out.put_u32(ty.oid());
                out.put_i16(ty.width());
                out.put_i32(-1);
                out.put_i16(i16::from(format == Format::Binary));
            }
        });
    }

    pub(crate) fn row(&mut self, values: &[Value], formats: impl Fn(usize) -> Format) {
        self.message(b'D', |out| {
            out.put_i16(i16::try_from(values.len()).unwrap_or_default());
            for (n, value) in values.iter().enumerate() {
                value.put(formats(n), out);
            }
        });
    }

    pub(crate) fn complete(&mut self, tag: &str, rows: usize) {
        let tag = match tag {
            "SELECT" => format!("SELECT {rows}"),
            tag => tag.to_owned(),
        };
        self.message(b'C', |out| put_text(&tag, out));
    }
}

fn put_text(text: &str, out: &mut BytesMut) {
    // No text of ours holds a zero; one of a client's cannot either, since zeros end texts.
    out.put_slice(text.as_bytes());
    out.put_u8(0);
}
