//! The strict Route 53 server with its state and credentials in a folder.
//!
//! It runs inside this program; `cargo xtask route53` makes a process of it. Knows nothing about
//! which records are right.

use std::fs;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;
use drplan_sandbox::route53;

use crate::credentials::Credentials;

/// A running Route 53; it stops when it is dropped.
#[derive(Debug)]
pub struct Route53 {
    dir: PathBuf,
    credentials: Credentials,
    running: route53::Running,
}

impl Route53 {
    /// Starts a server with these zones; port 0 takes a free one. Records, changes and credentials
    /// of an earlier run in the same folder are kept.
    ///
    /// # Errors
    ///
    /// When the folder cannot be used, a zone's name is malformed or the port is taken.
    pub async fn start(dir: &Path, port: u16, zones: &[String]) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("cannot create `{}`", dir.display()))?;
        let credentials = Credentials::load_or_create(&dir.join("credentials"))?;
        let mut config = route53::Config::new(&credentials.access_key, &credentials.secret_key);
        config.state_file = Some(dir.join("route53.json"));
        let mut service = route53::Route53::new(config)?;
        for zone in zones {
            service = service.zone(zone)?;
        }
        let running = service
            .listen(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
            .await?;
        Ok(Self {
            dir: dir.to_owned(),
            credentials,
            running,
        })
    }

    /// The address of the server.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.running.url()
    }

    /// An AWS credentials file (mode 0600) with the profile `default`.
    #[must_use]
    pub fn credentials_file(&self) -> PathBuf {
        self.dir.join("credentials")
    }

    /// The key pair that may do everything.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The service behind the socket: zones, records, faults and the log of requests.
    #[must_use]
    pub fn service(&self) -> &route53::Route53 {
        self.running.service()
    }

    /// Stops the server.
    pub async fn end(self) {
        self.running.end().await;
    }
}
