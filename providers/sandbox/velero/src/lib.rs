//! A Velero server for the rehearsal world that restores real archives.
//!
//! [`serve`] does what the server does that a recovery relies on: it validates storage locations,
//! brings backups from the bucket into the cluster, deletes expired ones, restores archives object
//! by object, and leaves in the bucket how that went. It works through a Kubernetes API and a
//! [`Bucket`], and knows neither which cluster nor which store that is.
//!
//! It takes no backups and moves no volume data: no bytes of volumes exist here. Restores of pod
//! volumes go through their phases and say of themselves that they are simulated.

mod archive;
mod backups;
mod bucket;
mod deletion;
mod discovery;
mod download;
mod filter;
mod gc;
mod kube_api;
mod labels;
mod location;
mod merge;
mod options;
mod outcome;
mod restore;
mod selector;
mod server;
mod status_request;
mod sync;
mod text;
mod watch;

pub use bucket::Bucket;
pub use bucket::Buckets;
pub use bucket::Entry;
pub use options::Download;
pub use options::Durations;
pub use options::Options;
pub use options::Sign;
pub use server::Exit;
pub use server::serve;
