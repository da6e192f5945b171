//! What a server is started with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use drplan_api::Clock;

/// What is to be downloaded, for whoever makes an address of it.
#[derive(Clone, Copy, Debug)]
pub struct Download<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// The whole key.
    pub key: &'a str,
    /// `spec.config.s3Url` of the location, when it has one.
    pub endpoint: Option<&'a str>,
    /// `spec.config.region` of the location, when it has one.
    pub region: Option<&'a str>,
    /// The content of the Secret's key that the location names.
    pub credentials: Option<&'a str>,
    /// How long the address may be used.
    pub lifetime: Duration,
}

/// Makes an address under which an object can be downloaded without a key.
pub type Sign = Arc<dyn Fn(&Download<'_>) -> Result<String, String> + Send + Sync>;

/// What a server is started with.
#[derive(Clone)]
pub struct Options {
    /// The namespace in which the server works.
    pub namespace: String,
    /// What time it is. Waits are tokio's.
    pub clock: Clock,
    /// How long things take.
    pub durations: Durations,
    /// Where generated names come from.
    pub seed: u64,
    /// The version that the server shows, such as `v1.18.3`.
    pub version: &'static str,
    /// Makes addresses for downloads. Without it DownloadRequests stay unanswered, as in a cluster
    /// whose server cannot sign.
    pub sign: Option<Sign>,
}

impl Options {
    /// A server in the namespace `velero` with the usual durations.
    #[must_use]
    pub fn new(clock: Clock, seed: u64) -> Self {
        Self {
            namespace: "velero".to_owned(),
            clock,
            durations: Durations::default(),
            seed,
            version: "v1.18.3",
            sign: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("namespace", &self.namespace)
            .field("version", &self.version)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// How long things take. What the server itself waits for (a minute between two looks into the
/// bucket, say) is no such thing: that is always as in life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durations {
    /// From the start of the server to its first work.
    pub start: Duration,
    /// To validate a location, or to look through its bucket.
    pub bucket: Duration,
    /// To download and unpack an archive, or to leave the results of a restore.
    pub transfer: Duration,
    /// To restore one object.
    pub object: Duration,
    /// How many bytes of volume data come back in a second.
    pub volume_bytes_per_second: u64,
    /// The least that one volume takes: finding a node, mounting, opening the repository.
    pub volume: Duration,
}

impl Default for Durations {
    fn default() -> Self {
        Self {
            start: Duration::from_secs(3),
            bucket: Duration::from_millis(300),
            transfer: Duration::from_millis(700),
            object: Duration::from_millis(30),
            volume_bytes_per_second: 50_000_000,
            volume: Duration::from_secs(12),
        }
    }
}
