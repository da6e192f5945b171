//! The rehearsal world: servers of our own that real clients talk to unchanged.
//!
//! Where a real system and a stricter reading of it differ, the stricter one is taken: what passes
//! here must pass there. [`world`] puts the servers into one process with a network, programs and a
//! clock of its own; it knows systems, and nothing of drplan's plans or specs.

pub mod helm;
pub mod route53;
pub mod world;

pub use drplan_sandbox_kubernetes as kubernetes;
pub use drplan_sandbox_s3 as s3;
