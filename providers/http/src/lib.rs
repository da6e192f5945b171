//! HTTP checks: whether an address answers as it should.
//!
//! The crate asks and compares; it changes nothing anywhere. A refused connection or a wrong
//! certificate is an answer like any other, not an error of drplan. Certificates are always verified
//! and redirects are never followed.

mod answer;
mod certificate;
mod client;
mod http_check;
mod spec;
mod system;

pub use answer::Reply;
pub use http_check::HttpCheck;
pub use system::HttpConn;
pub use system::HttpSystem;

use drplan_api::Registry;
use drplan_api::acting;

/// Adds the system `http` and the kind `http_check`.
pub fn register(registry: Registry) -> Registry {
    registry.system(HttpSystem).resource(acting(HttpCheck))
}
