//! A place for small objects that several machines share: where runs, journals and locks may live.

use crate::Fut;
use crate::ProviderError;

/// One version of an object, as the place names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(pub String);

/// Under which condition an object is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// Nothing lies under the key.
    Absent,
    /// This version lies under the key.
    Is(Tag),
}

/// What came of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is written, and this is its version.
    Done(Tag),
    /// The condition does not hold: somebody else was first, or an earlier attempt of ours landed.
    Refused,
}

/// What lies under a key, and its version; `None` if nothing does.
pub type Kept = Option<(Vec<u8>, Tag)>;

/// A place for small objects with conditional writes. Each method is one bounded attempt.
pub trait SharedStore: Send + Sync {
    /// Names the place for people: `s3://bucket/prefix`.
    fn name(&self) -> String;

    /// Reads an object whole, with its version; `None` if there is none.
    fn get<'a>(&'a self, key: &'a str) -> Fut<'a, Result<Kept, ProviderError>>;

    /// Writes an object if the condition holds, seen by all readers from then on.
    fn put<'a>(
        &'a self,
        key: &'a str,
        bytes: Vec<u8>,
        when: When,
    ) -> Fut<'a, Result<Put, ProviderError>>;

    /// Lists the keys under a prefix, in order.
    fn list<'a>(&'a self, prefix: &'a str) -> Fut<'a, Result<Vec<String>, ProviderError>>;

    /// Lists the names of the folders right under a prefix that ends with a slash, in order, however much
    /// lies in each.
    fn folders<'a>(&'a self, prefix: &'a str) -> Fut<'a, Result<Vec<String>, ProviderError>>;
}
