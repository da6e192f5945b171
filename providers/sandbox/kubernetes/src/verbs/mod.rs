//! One file for each group of verbs.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod patch;
pub(crate) mod read;
pub(crate) mod subresource;
pub(crate) mod update;
pub(crate) mod watch;
