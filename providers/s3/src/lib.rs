//! Object storage: keys, ranged reads and lenses over objects.
//!
//! [`S3System`] turns a `provider "s3"` block into an [`S3Conn`]. Kinds of other crates ask it for keys
//! and small objects with [`asks`], and for projections of large objects with a [`Lens`] of their
//! own. [`BucketStore`] keeps runs and locks under a prefix with conditional writes; nothing else
//! writes to a bucket. The crate knows nothing about what lies there.

pub mod asks;
mod bucket;
mod config;
mod conn;
mod error;
mod lens;
mod object;
mod recall;
mod rights;
mod store;
mod system;

pub use bucket::BUCKET_FORM;
pub use bucket::is_bucket_name;
pub use conn::S3Conn;
pub use lens::Lens;
pub use lens::RangeRead;
pub use rights::to_read;
pub use store::BucketStore;
pub use system::S3System;
