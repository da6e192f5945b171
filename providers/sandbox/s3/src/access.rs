//! Who may do what: access keys, their secrets and their rights.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;

use s3s::S3Result;
use s3s::access::S3Access;
use s3s::access::S3AccessContext;
use s3s::auth::S3Auth;
use s3s::auth::SecretKey;
use s3s::path::S3Path;
use s3s::s3_error;

/// What the holder of an access key may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Everything.
    All,
    /// Read everything and write nothing.
    ReadOnly,
    /// Read and write only the buckets that are named.
    Buckets {
        /// Those that may be read.
        read: BTreeSet<String>,
        /// Those that may be written.
        write: BTreeSet<String>,
    },
}

/// An access key. Its secret does not show in `Debug`.
#[derive(Clone)]
pub struct AccessKey {
    id: String,
    secret: String,
    rights: Rights,
}

impl AccessKey {
    /// An access key with rights.
    #[must_use]
    pub fn new(id: &str, secret: &str, rights: Rights) -> Self {
        Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
            rights,
        }
    }

    /// The public half.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey")
            .field("id", &self.id)
            .field("rights", &self.rights)
            .finish_non_exhaustive()
    }
}

/// All access keys by id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys(BTreeMap<String, AccessKey>);

/// What an operation does to a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// It only reads.
    Reads,
    /// It writes.
    Writes,
}

impl Doing {
    /// Of an operation, by the name that S3 gives it.
    fn of(operation: &str) -> Self {
        let reads = ["Get", "Head", "List"];
        if reads.iter().any(|verb| operation.starts_with(verb)) {
            Self::Reads
        } else {
            Self::Writes
        }
    }
}

impl Keys {
    pub(crate) fn new(keys: &[AccessKey]) -> Self {
        Self(keys.iter().map(|k| (k.id.clone(), k.clone())).collect())
    }

    /// Whether a key may do something to a bucket, or to the store itself.
    pub(crate) fn allow(&self, id: &str, doing: Doing, bucket: Option<&str>) -> bool {
        match (self.0.get(id).map(|key| &key.rights), doing, bucket) {
            (None, ..) => false,
            (Some(Rights::All), ..) => true,
            (Some(Rights::ReadOnly), doing, _) => doing == Doing::Reads,
            (Some(Rights::Buckets { read, .. }), Doing::Reads, Some(bucket)) => {
                read.contains(bucket)
            }
            (Some(Rights::Buckets { write, .. }), Doing::Writes, Some(bucket)) => {
                write.contains(bucket)
            }
            (Some(Rights::Buckets { .. }), _, None) => false,
        }
    }
}

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, id: &str) -> S3Result<SecretKey> {
        match self.0.get(id) {
            Some(key) => Ok(SecretKey::from(key.secret.as_str())),
            None => Err(s3_error!(
                InvalidAccessKeyId,
                "The access key id you provided does not exist in our records."
            )),
        }
    }
}

#[async_trait::async_trait]
impl S3Access for Keys {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let bucket = match cx.s3_path() {
            S3Path::Root => None,
            S3Path::Bucket { bucket } | S3Path::Object { bucket, .. } => Some(&**bucket),
        };
        let doing = Doing::of(cx.s3_op().name());
        let allowed = cx
            .credentials()
            .is_some_and(|found| self.allow(&found.access_key, doing, bucket));
        if allowed {
            Ok(())
        } else {
            Err(s3_error!(AccessDenied, "Access Denied."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_kept_and_secrets_do_not_show() {
        let set = |name: &str| BTreeSet::from([name.to_owned()]);
        let some = Rights::Buckets {
            read: set("a"),
            write: set("b"),
        };
        let keys = Keys::new(&[
            AccessKey::new("all", "hunter2", Rights::All),
            AccessKey::new("reader", "hunter2", Rights::ReadOnly),
            AccessKey::new("some", "hunter2", some),
        ]);
        for (id, operation, bucket, expected) in [
            ("all", "DeleteBucket", Some("a"), true),
            ("reader", "ListBuckets", None, true),
            ("reader", "HeadObject", Some("a"), true),
            ("reader", "PutObject", Some("a"), false),
            ("some", "GetObject", Some("a"), true),
            ("some", "GetObject", Some("b"), false),
            ("some", "PutObject", Some("b"), true),
            ("some", "ListBuckets", None, false),
            ("nobody", "GetObject", Some("a"), false),
        ] {
            let allowed = keys.allow(id, Doing::of(operation), bucket);
            assert_eq!(allowed, expected, "{id} {operation} {bucket:?}");
        }
        assert!(!format!("{keys:?}").contains("hunter2"));
    }
}
