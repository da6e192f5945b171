//! Strict servers of our own: the beginning of the rehearsal world.
//!
//! Each module is one remote system that real clients talk to unchanged. Where the real system
//! and a stricter reading differ, the stricter one is taken: what passes here must pass there.
//! Nothing here knows drplan's vocabulary, plans or resources.

pub mod route53;
