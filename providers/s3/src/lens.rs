//! Projections of large objects into small facts.
//!
//! A lens reads an object, by ranges or whole, and returns JSON that is small enough to keep. It
//! does not know where the object lies nor how it is fetched.

use bytes::Bytes;
use drplan_api::Fut;
use drplan_api::Json;
use drplan_api::ProviderError;

/// One object that stays the same while it is read.
pub trait RangeRead: Send + Sync {
    /// The object's key.
    fn key(&self) -> &str;
    /// Its size in bytes.
    fn size(&self) -> u64;
    /// Reads `length` bytes from `offset`; fewer only where the object ends.
    fn range(&self, offset: u64, length: u64) -> Fut<'_, Result<Bytes, ProviderError>>;
    /// Reads everything, within a bound.
    fn whole(&self) -> Fut<'_, Result<Bytes, ProviderError>>;
}

/// A projection of an object into small JSON facts.
pub trait Lens: Send + Sync + 'static {
    /// The name by which questions choose it.
    fn name(&self) -> &'static str;
    /// Reads an object. Errors name the key.
    fn read<'a>(
        &'a self,
        object: &'a dyn RangeRead,
        args: &'a Json,
    ) -> Fut<'a, Result<Json, ProviderError>>;
    /// An object that reads as these facts again, where they are all that it holds.
    fn written_back(&self, facts: &Json) -> Option<Vec<u8>> {
        let _ = facts;
        None
    }
}
