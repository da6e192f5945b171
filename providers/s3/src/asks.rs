//! The questions that an object store answers.

use drplan_api::ConnId;
use drplan_api::Json;
use drplan_api::Query;
use serde::Deserialize;
use serde::Serialize;

pub(crate) const KEYS: &str = "keys";
pub(crate) const BLOB: &str = "blob";
pub(crate) const LENS: &str = "lens";

#[derive(Serialize, Deserialize)]
pub(crate) struct Keys {
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    pub(crate) delimiter: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Blob {
    pub(crate) bucket: String,
    pub(crate) key: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ThroughLens {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) lens: String,
    pub(crate) args: Json,
}

/// Asks for the keys under a prefix, and with a delimiter for the common prefixes one level below it.
///
/// Answer: `{"keys": [{"key", "size", "modified", "etag"}], "prefixes": [..]}`, both in order. A
/// missing bucket is [`drplan_api::ErrorKind::NotFound`]; a prefix under which nothing lies gives
/// two empty lists.
pub fn keys(conn: &ConnId, bucket: &str, prefix: &str, delimiter: Option<&str>) -> Query {
    let args = Keys {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        delimiter: delimiter.map(str::to_owned),
    };
    Query::new(conn, KEYS, &args)
}

/// Asks for a small text object, at most 1 MiB.
///
/// Answer: `{"text": "…"}`. A missing object is [`drplan_api::ErrorKind::NotFound`].
pub fn blob(conn: &ConnId, bucket: &str, key: &str) -> Query {
    let args = Blob {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
    };
    Query::new(conn, BLOB, &args)
}

/// Asks for what a lens sees in an object. The lens must be one that the connection's
/// [`crate::S3System`] was given.
pub fn lens(conn: &ConnId, bucket: &str, key: &str, lens: &str, args: &Json) -> Query {
    let args = ThroughLens {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        lens: lens.to_owned(),
        args: args.clone(),
    };
    Query::new(conn, LENS, &args)
}
