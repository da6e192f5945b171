//! Holds the embedded world to the answers of the real components.
//!
//! Sequences of requests are data ([`sequence`]). One runner ([`run`]) sends them to any server
//! ([`server`]); what makes two runs differ without meaning is taken out of the answers
//! ([`normalise`]). The answers of the real server are kept in the tree ([`recording`]) and compared
//! ([`compare`]); differences that are meant are a list with reasons ([`differences`]).
//!
//! The crate knows nothing about how either server works, and what a sequence proves stands in the
//! sequence alone.
#![allow(
    clippy::disallowed_methods,
    reason = "a test suite reads its own files and the clock freely"
)]

pub mod compare;
pub mod differences;
pub mod embedded;
mod etcd;
pub mod normalise;
pub mod outcome;
pub mod real;
pub mod recording;
pub mod report;
pub mod request;
pub mod run;
pub mod sequence;
pub mod server;
pub mod suite;
mod tls;
pub mod watch;
