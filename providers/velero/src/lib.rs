//! Velero backups, backup locations and restores.
//!
//! [`VeleroBackup`] opens a backup in its bucket, [`VeleroBackupLocation`] lets a recovered cluster read
//! it, and [`VeleroRestore`] brings back what is missing of it and proves that object by object. The
//! system `s3` must be given [`lenses`], through which archives are read.
//!
//! The crate takes Velero's word for nothing: a phase starts the proof and never ends it.

mod archive;
mod backup;
mod backup_file;
mod bucket;
mod index;
mod lens;
mod location;
mod nearest;
mod objects;
mod restore;
mod slot;

pub use backup::VeleroBackup;
pub use lens::lenses;
pub use location::VeleroBackupLocation;
pub use restore::VeleroRestore;
