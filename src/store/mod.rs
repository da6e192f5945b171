//! Where runs are kept: beside the spec on this machine, or in a bucket that a team shares.
//!
//! A run is its plan, its journal, its frontier and what somebody at another terminal wishes of it.
//! Nothing here decides what is done: a lost store costs history, never a recovery.

mod folder;
mod lease;
mod lock;
#[cfg(test)]
pub(crate) mod memory;
mod runs;
mod shared;
#[cfg(test)]
mod tests;
mod texts;
mod wish;

pub use folder::FolderLog;
pub use folder::read as read_journal;
pub use lease::Claim;
pub use lease::Held;
pub use lease::Lease;
pub use lease::LeaseError;
pub use lease::TTL;
pub use lease::Uptime;
pub use lease::held;
pub use lease::unlock;
pub use lock::Lock;
pub use lock::LockError;
pub use runs::RunStore;
pub use runs::StoreError;
pub use texts::StoredRun;
pub use texts::Texts;
pub use wish::Wish;
