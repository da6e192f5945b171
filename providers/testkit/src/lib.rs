//! What the tests of every provider use: a small engine, scripted servers, faults and secrets.
//!
//! It knows the seam of `drplan-api` and nothing about any system. It is for tests only, so it panics
//! with a sentence where a product would return an error.
//!
//! # One kind against a world
//!
//! [`Driver`] does for one resource what the engine does: `look` in rounds, then for each effect
//! `probe`, `begin`, `poll`, then `prove`, then `look` again, which must say that nothing is left.
//!
//! ```ignore
//! let world = World::start().await;                       // a server of your own
//! let driver = Driver::new(acting(VeleroRestore), want("velero_restore.shop", json!({"backup": "b1"}))
//!         .role("cluster", "kubernetes.site"))
//!     .conn("kubernetes.site", world.connection())
//!     .secret(0, "pa55");                                 // fills `secret_hole(0)` in the arguments
//! let done = driver.apply().await;                        // panics unless proven and idempotent
//! assert_eq!(done.action(), Some(Action::Restore));
//! ```
//!
//! [`Driver::try_apply`] returns a [`Failure`] instead, for tests of conflicts and errors;
//! [`Driver::look`] only decides; [`Driver::look_at`] decides over [`drplan_api::Facts`] made by hand,
//! without any connection.
//!
//! # What every operation gets for free
//!
//! Each takes a closure that makes a *fresh world* and a driver on it:
//!
//! ```ignore
//! apply_twice(async || world().await).await;
//! crash_at_each_point(async || world().await).await;
//! fail_each_request_once(async |faults| world_behind(faults).await).await;
//! ```
//!
//! - [`apply_twice`]: the same payload again finds every effect done by `probe` and begins nothing;
//! - [`crash_at_each_point`]: drplan dies after each `begin`, each first `poll` and each end; a
//!   successor with an empty work folder resumes by `probe`, another one plans afresh, and both end in
//!   the same state;
//! - [`fail_each_request_once`]: every request is once refused with 503 and once carried out with its
//!   answer lost; wants the world's router wrapped by [`Faults::wrap`].
//!
//! Give the driver a [`Driver::fingerprint`] of the world, so that "the same state" is compared and
//! not only "nothing left to do". A server keeps its world alive through [`Driver::keep`].
//!
//! # Servers
//!
//! [`Script`] is a server with an ordered list of expected requests that refuses and records all
//! others; [`serve`] runs any router on a free loopback port.

mod driver;
mod facts;
mod faults;
mod matrix;
mod script;
mod single;
mod want;

pub use driver::Applied;
pub use driver::Driver;
pub use driver::Failure;
pub use driver::Point;
pub use faults::Faults;
pub use faults::FaultyConn;
pub use faults::Loss;
pub use matrix::apply_twice;
pub use matrix::crash_at_each_point;
pub use matrix::fail_each_request_once;
pub use script::Reply;
pub use script::Request;
pub use script::Script;
pub use script::Scripted;
pub use script::Served;
pub use script::serve;
pub use single::SINGLE_SECRET;
pub use single::Single;
pub use want::Secrets;
pub use want::WantBuilder;
pub use want::hole;
pub use want::secret_hole;
pub use want::want;
