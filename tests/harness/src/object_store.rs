//! An S3 server on loopback: what outlives the disaster.
//!
//! It starts empty. It has one user, who may do everything.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::BehaviorVersion;
use aws_sdk_s3::config::Region;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use rustix::process::Signal;

use crate::components::Components;
use crate::credentials::Credentials;
use crate::launch::Launch;
use crate::port::Held;
use crate::private;
use crate::process::Ending;
use crate::process::Process;
use crate::process::end_all;
use crate::wait;

/// The region that the server plays.
pub const REGION: &str = "eu-west-1";

/// How long the server may take to answer.
const UP_LIMIT: Duration = Duration::from_secs(30);

/// The longest that one request may take.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// A running object store; it ends when it is dropped.
#[derive(Debug)]
pub struct ObjectStore {
    dir: PathBuf,
    port: u16,
    credentials: Credentials,
    process: Process,
}

impl ObjectStore {
    /// Starts a store with its data in `dir`; data and credentials of an earlier run are kept.
    ///
    /// # Errors
    ///
    /// When it does not answer in time; with the end of its log.
    pub async fn start(dir: &Path, components: &Components) -> Result<Self> {
        let dir = std::path::absolute(dir)?;
        fs::create_dir_all(dir.join("data"))
            .with_context(|| format!("cannot create `{}`", dir.display()))?;
        let held = Held::take(None)?;
        let port = held.number()?;
        let credentials = Credentials::load_or_create(&dir.join("credentials"))?;
        drop(held);
        let process = launched(&dir, port, &credentials, components)?;
        let store = Self {
            dir,
            port,
            credentials,
            process,
        };
        store.answers().await?;
        Ok(store)
    }

    /// Stops the server where it stands: connections stay, and nothing is answered.
    pub fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Kills the server, as a power cut would; its data stays.
    ///
    /// # Errors
    ///
    /// When it cannot be killed.
    pub fn cut(&self) -> Result<()> {
        end_all(&[&self.process], Ending::Abrupt)
    }

    /// Starts the server again at its old address, after [`Self::cut`].
    ///
    /// # Errors
    ///
    /// When it does not answer in time; with the end of its log.
    pub async fn restart(&mut self, components: &Components) -> Result<()> {
        self.process = launched(&self.dir, self.port, &self.credentials, components)?;
        self.answers().await
    }

    async fn answers(&self) -> Result<()> {
        let client = self.client();
        wait::until("the object store", UP_LIMIT, &self.process, || async {
            client
                .list_buckets()
                .send()
                .await
                .map_err(aws_sdk_s3::Error::from)?;
            Ok(())
        })
        .await
    }

    /// The address of the server.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// An AWS credentials file (mode 0600) with the profile `default`.
    #[must_use]
    pub fn credentials_file(&self) -> PathBuf {
        self.dir.join("credentials")
    }

    /// The key pair of the only user.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Everything that a bucket holds: keys with the tags of their content.
    ///
    /// # Errors
    ///
    /// When a page of the list cannot be read.
    pub async fn contents(&self, bucket: &str) -> Result<BTreeMap<String, String>> {
        let request = self.client().list_objects_v2().bucket(bucket);
        let mut pages = request.into_paginator().send();
        let mut out = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(aws_sdk_s3::Error::from);
            let page = page.with_context(|| format!("cannot list the bucket `{bucket}`"))?;
            for object in page.contents() {
                let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
                out.insert(text(object.key()), text(object.e_tag()));
            }
        }
        Ok(out)
    }

    /// The names of all buckets.
    ///
    /// # Errors
    ///
    /// When they cannot be listed.
    pub async fn buckets(&self) -> Result<Vec<String>> {
        let answer = self.client().list_buckets().send().await;
        let answer = answer.map_err(aws_sdk_s3::Error::from);
        let buckets = answer.context("cannot list the buckets")?;
        let names = buckets.buckets().iter().filter_map(|b| b.name());
        Ok(names.map(str::to_owned).collect())
    }

    /// What an object holds.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub async fn get(&self, bucket: &str, key: &str) -> Result<Vec<u8>> {
        let request = self.client().get_object().bucket(bucket).key(key);
        let answer = request.send().await.map_err(aws_sdk_s3::Error::from);
        let body = answer.with_context(|| format!("cannot read `{key}`"))?.body;
        Ok(body.collect().await?.into_bytes().to_vec())
    }

    /// A client that does not retry.
    #[must_use]
    pub fn client(&self) -> Client {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(aws_smithy_http_client::tls::Provider::Rustls(
                aws_smithy_http_client::tls::rustls_provider::CryptoMode::Ring,
            ))
            .build_https();
        let Credentials {
            access_key,
            secret_key,
        } = &self.credentials;
        let credentials =
            aws_sdk_s3::config::Credentials::new(access_key, secret_key, None, None, "harness");
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http)
            .region(Region::new(REGION))
            .endpoint_url(self.endpoint())
            .credentials_provider(credentials)
            .force_path_style(true)
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_timeout(CALL_LIMIT)
                    .build(),
            );
        Client::from_conf(config.build())
    }

    /// Creates a bucket.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub async fn create_bucket(&self, name: &str) -> Result<()> {
        let request = self.client().create_bucket().bucket(name);
        let answer = request.send().await.map_err(aws_sdk_s3::Error::from);
        answer.with_context(|| format!("cannot create the bucket `{name}`"))?;
        Ok(())
    }

    /// Ends the server and keeps its data.
    ///
    /// # Errors
    ///
    /// When it cannot be ended.
    pub async fn end(self) -> Result<()> {
        end_all(&[&self.process], Ending::Orderly)
    }
}

fn launched(
    dir: &Path,
    port: u16,
    credentials: &Credentials,
    components: &Components,
) -> Result<Process> {
    let launch = Launch::of(&components.minio)
        .arg("server")
        .arg(dir.join("data").display().to_string())
        .arg(format!("--address=127.0.0.1:{port}"))
        .env("MINIO_ROOT_USER", &credentials.access_key)
        .env("MINIO_ROOT_PASSWORD", &credentials.secret_key)
        .env("MINIO_REGION_NAME", REGION)
        .env("MINIO_BROWSER", "off")
        .env("MINIO_UPDATE", "off");
    launch.start(
        &dir.join("home"),
        &private::random_word()?,
        &dir.join("minio.log"),
    )
}

impl Drop for ObjectStore {
    fn drop(&mut self) {
        end_all(&[&self.process], Ending::Abrupt).ok();
    }
}
