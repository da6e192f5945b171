//! Route 53: records changed by compare and swap.
//!
//! A change is one batch that deletes exactly what was seen and creates what is wanted, so that whoever
//! changed a record in between is never overwritten. The crate knows nothing about what stands behind
//! an address, and asks no name server.

mod back;
mod client;
mod config;
mod error;
mod name;
mod recall;
mod record;
mod rights;
mod route53_record;
mod spec;
mod system;
mod value;
mod zone;

pub use record::RecordSet;
pub use route53_record::Route53Record;
pub use system::Route53Conn;
pub use system::Route53System;

use drplan_api::Registry;
use drplan_api::acting;

/// Adds the system `route53` and the kind `route53_record`.
pub fn register(registry: Registry) -> Registry {
    registry
        .system(Route53System)
        .resource(acting(Route53Record))
}
