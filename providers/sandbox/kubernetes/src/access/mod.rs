//! Who calls, and what they may do.

pub(crate) mod authenticate;
pub(crate) mod authorize;
pub(crate) mod review;
pub(crate) mod token;
