//! One connection to one database; every request on it is bounded in time.

use std::sync::Arc;
use std::time::Duration;

use drplan_api::ErrorKind;
use drplan_api::ProviderError;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::task::JoinHandle;
use tokio_postgres::NoTls;
use tokio_postgres::Row;
use tokio_postgres::config::SslMode;
use tokio_postgres::types::ToSql;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::Config;
use crate::config::Tls;
use crate::error::pg_error;
use crate::error::timed_out;

/// How much longer than the server's own limit an answer is waited for.
const ANSWER_GRACE: Duration = Duration::from_secs(10);
/// How long sent bytes may stay unacknowledged before the connection counts as broken.
const TCP_SILENCE_MAX: Duration = Duration::from_secs(30);

/// A connection that ends when it is dropped.
pub(crate) struct PgClient {
    client: tokio_postgres::Client,
    driver: JoinHandle<()>,
    at: String,
    wait: Duration,
}

impl Drop for PgClient {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl PgClient {
    /// Connects to a database under an application name.
    pub(crate) async fn open(
        config: &Config,
        database: &str,
        application: &str,
    ) -> Result<Self, ProviderError> {
        let at = config.place();
        let during = format!("connect to database `{database}`");
        let mut pg = tokio_postgres::Config::new();
        pg.host(&config.host)
            .port(config.port)
            .user(&config.user)
            .dbname(database)
            .application_name(application)
            .connect_timeout(config.connect_timeout)
            .tcp_user_timeout(TCP_SILENCE_MAX)
            .ssl_mode(match config.tls {
                Tls::Off => SslMode::Disable,
                Tls::IfOffered => SslMode::Prefer,
                Tls::Required => SslMode::Require,
            });
        if let Some(password) = &config.password {
            pg.password(password);
        }
        let seconds = config.connect_timeout.as_secs();
        let connecting = connect(config, &pg);
        let (client, driver) = tokio::time::timeout(config.connect_timeout, connecting)
            .await
            .map_err(|_| timed_out(&during, &at, seconds))?
            .map_err(|e| e.told(&during, &at))?;
        let mut made = Self {
            client,
            driver,
            at,
            wait: ANSWER_GRACE,
        };
        made.limit(config.statement_timeout).await?;
        Ok(made)
    }

    /// Sets how long one statement may take from now on.
    pub(crate) async fn limit(&mut self, limit: Duration) -> Result<(), ProviderError> {
        self.wait = limit + ANSWER_GRACE;
        let statement = format!("set statement_timeout = {}", limit.as_millis());
        self.run(&statement, "limit the time of statements").await
    }

    /// Names the server.
    pub(crate) fn place(&self) -> &str {
        &self.at
    }

    /// Asks for rows.
    pub(crate) async fn rows(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
        during: &str,
    ) -> Result<Vec<Row>, ProviderError> {
        self.bounded(self.client.query(sql, params), during).await
    }

    /// Asks for the first column of the first row.
    pub(crate) async fn value<T>(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
        during: &str,
    ) -> Result<Option<T>, ProviderError>
    where
        T: for<'r> tokio_postgres::types::FromSql<'r>,
    {
        let rows = self.rows(sql, params, during).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        row.try_get::<_, Option<T>>(0)
            .map_err(|e| pg_error(&e, during, &self.at))
    }

    /// Runs statements that return nothing.
    pub(crate) async fn run(&self, sql: &str, during: &str) -> Result<(), ProviderError> {
        self.bounded(self.client.batch_execute(sql), during).await
    }

    async fn bounded<T>(
        &self,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
        during: &str,
    ) -> Result<T, ProviderError> {
        match tokio::time::timeout(self.wait, answer).await {
            Ok(answer) => answer.map_err(|e| pg_error(&e, during, &self.at)),
            Err(_) => Err(timed_out(during, &self.at, self.wait.as_secs())),
        }
    }
}

/// Why no connection came about.
enum Unconnected {
    Told(tokio_postgres::Error),
    Dialed(std::io::Error),
    Refused(ProviderError),
}

impl Unconnected {
    fn told(self, during: &str, at: &str) -> ProviderError {
        match self {
            Self::Told(e) => pg_error(&e, during, at),
            Self::Dialed(e) => ProviderError::new(ErrorKind::Unreachable, during, at).caused_by(&e),
            Self::Refused(e) => e,
        }
    }
}

/// Connects, and drives the connection until the handle is aborted. What breaks the connection is told
/// to whoever waits for an answer on it.
async fn connect(
    config: &Config,
    pg: &tokio_postgres::Config,
) -> Result<(tokio_postgres::Client, JoinHandle<()>), Unconnected> {
    if let Some(network) = &config.network {
        let dialed = network.dial(&config.host, config.port).await;
        let stream = dialed.map_err(Unconnected::Dialed)?;
        let (client, connection) = pg
            .connect_raw(stream, NoTls)
            .await
            .map_err(Unconnected::Told)?;
        return Ok((client, tokio::spawn(async move { drop(connection.await) })));
    }
    let tls = tls(config).map_err(Unconnected::Refused)?;
    let (client, connection) = pg
        .connect(MakeRustlsConnect::new(tls))
        .await
        .map_err(Unconnected::Told)?;
    Ok((client, tokio::spawn(async move { drop(connection.await) })))
}

fn tls(config: &Config) -> Result<rustls::ClientConfig, ProviderError> {
    let mut roots = RootCertStore::empty();
    if config.tls != Tls::Off {
        roots.add_parsable_certificates(trusted(config)?);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_root_certificates(roots).with_no_client_auth())
        .map_err(|e| ProviderError::new(ErrorKind::Bug, "set up TLS", config.place()).caused_by(&e))
}

/// Returns the certificates of the authorities that are trusted.
pub(crate) fn trusted(config: &Config) -> Result<Vec<CertificateDer<'static>>, ProviderError> {
    let Some(path) = &config.ca else {
        return Ok(rustls_native_certs::load_native_certs().certs);
    };
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let failed = || {
        ProviderError::new(
            ErrorKind::Invalid,
            "read the authorities to trust",
            format!("file {}", path.display()),
        )
        .hint("give a PEM file with at least one certificate as `ca`")
    };
    match read {
        Ok(certificates) if certificates.is_empty() => {
            Err(failed().because("it has no certificate"))
        }
        Ok(certificates) => Ok(certificates),
        Err(e) => Err(failed().caused_by(&e)),
    }
}
