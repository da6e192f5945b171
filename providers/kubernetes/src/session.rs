//! The client of a connection, and how it is made anew when its credentials have run out.
//!
//! A server answers 401 to credentials that it does not know, and to those that it knew until a moment
//! ago: a token that has expired or was replaced. Only in the second case the kubeconfig can help:
//! its credential plugin is asked again, its token file or the kubeconfig itself is read again. Where that
//! gives credentials that are not taken either, as a kubeconfig with a fixed token does, a 401 is
//! final soon.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::time::Duration;

use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::Json;
use drplan_api::ProviderError;
use kube::Client;

/// How often credentials are read anew before the server has to take them. A new token may be unknown
/// to one of the servers behind an address for a moment.
const RENEWALS_MAX: u32 = 2;

/// What a kubeconfig leads to.
pub(crate) struct Opened {
    pub(crate) client: Client,
    /// The server's address, without credentials.
    pub(crate) server: String,
    /// A kubeconfig for tools.
    pub(crate) kubeconfig: String,
}

/// Reads the credentials anew and makes another client with them.
pub(crate) type Open = Box<dyn Fn() -> Fut<'static, Result<Opened, ProviderError>> + Send + Sync>;

/// The client that is used now.
pub(crate) struct Session {
    current: Mutex<Current>,
    open: Option<Open>,
    /// Held while credentials are read anew: many requests fail at once, and one of them does it.
    renewing: tokio::sync::Mutex<()>,
    /// The uid of the cluster that the connection led to.
    known_as: OnceLock<String>,
}

struct Current {
    client: Client,
    kubeconfig: Option<String>,
    /// How many clients there were before.
    number: u64,
    /// How often its credentials may still be read anew: not at all before the server took them once.
    renewals: u32,
}

impl Session {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            current: Mutex::new(Current {
                client,
                kubeconfig: None,
                number: 0,
                renewals: 0,
            }),
            open: None,
            renewing: tokio::sync::Mutex::default(),
            known_as: OnceLock::new(),
        }
    }

    /// The connection leads to this cluster, and must go on to.
    pub(crate) fn known_as(&self, uid: &str) {
        self.known_as.get_or_init(|| uid.to_owned());
    }

    pub(crate) fn with_kubeconfig(mut self, text: String) -> Self {
        let current = self.current.get_mut();
        current.unwrap_or_else(PoisonError::into_inner).kubeconfig = Some(text);
        self
    }

    pub(crate) fn renewed_by(mut self, open: Open) -> Self {
        self.open = Some(open);
        self
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client, and its number.
    pub(crate) fn client(&self) -> (Client, u64) {
        let current = self.current();
        (current.client.clone(), current.number)
    }

    pub(crate) fn kubeconfig(&self) -> Option<String> {
        self.current().kubeconfig.clone()
    }

    /// The server took the credentials of a client.
    pub(crate) fn taken(&self, number: u64) {
        let mut current = self.current();
        if current.number == number {
            current.renewals = RENEWALS_MAX;
        }
    }

    /// The server did not take the credentials of a client. Returns the error to give on: one that
    /// passes if the connection was opened again.
    pub(crate) async fn refused(
        &self,
        number: u64,
        server: &str,
        error: ProviderError,
    ) -> ProviderError {
        let _one = self.renewing.lock().await;
        let (now, renewals) = {
            let current = self.current();
            (current.number, current.renewals)
        };
        if now != number {
            return renewed(error);
        }
        let Some(open) = self.open.as_ref().filter(|_| renewals > 0) else {
            return error;
        };
        let opened = match open().await {
            Ok(opened) => opened,
            Err(error) => {
                // All who wait for it would else try for themselves, one after the other.
                self.current().renewals = renewals - 1;
                return error;
            }
        };
        if opened.server != server {
            return error
                .because(format!(
                    "the kubeconfig names another server now: {}",
                    opened.server
                ))
                .hint("plan again, for that server");
        }
        match self.is_known(&opened.client).await {
            Ok(()) => {}
            Err(Stranger::Other(uid)) => {
                return error
                    .because(format!(
                        "another cluster answers there now: the uid of `kube-system` is {uid}"
                    ))
                    .hint("plan again, for that cluster");
            }
            Err(Stranger::Silent(why)) => return unsure(error, &why),
            Err(Stranger::Refuses) => {
                self.current().renewals = renewals - 1;
                return error;
            }
        }
        *self.current() = Current {
            client: opened.client,
            kubeconfig: Some(opened.kubeconfig),
            number: number + 1,
            renewals: renewals - 1,
        };
        renewed(error)
    }
}

/// Why a client is not used.
enum Stranger {
    /// It leads to another cluster.
    Other(String),
    /// It does not say which.
    Silent(kube::Error),
    /// Its credentials are not taken either.
    Refuses,
}

/// How long a cluster may take to say which one it is, while others wait for its credentials.
const KNOWN_TIMEOUT: Duration = Duration::from_secs(30);

impl Session {
    /// Whether a client leads to the cluster that the connection led to. An address alone does not tell: a
    /// cluster may have been built anew behind it.
    async fn is_known(&self, client: &Client) -> Result<(), Stranger> {
        let Some(known) = self.known_as.get() else {
            return Ok(());
        };
        let request = http::Request::get("/api/v1/namespaces/kube-system").body(Vec::new());
        let request = request.map_err(|e| Stranger::Silent(kube::Error::HttpError(e)))?;
        let asked = tokio::time::timeout(KNOWN_TIMEOUT, client.request(request));
        let answer = asked
            .await
            .unwrap_or_else(|late| Err(kube::Error::Service(Box::new(late))));
        let found: Json = answer.map_err(|e| match e {
            kube::Error::Api(status) if status.code == 401 => Stranger::Refuses,
            other => Stranger::Silent(other),
        })?;
        match found["metadata"]["uid"].as_str() {
            Some(uid) if uid == known => Ok(()),
            uid => Err(Stranger::Other(uid.unwrap_or("not there").to_owned())),
        }
    }
}

/// The credentials may be good; whether it is the same cluster could not be told.
fn unsure(error: ProviderError, why: &kube::Error) -> ProviderError {
    let error = ProviderError {
        kind: ErrorKind::Unreachable,
        hint: None,
        ..error
    };
    error.because(format!(
        "the credentials were read again, but which cluster answers could not be told: {why}"
    ))
}

/// The same request may succeed now.
fn renewed(error: ProviderError) -> ProviderError {
    let error = ProviderError {
        kind: ErrorKind::Unreachable,
        hint: None,
        ..error
    };
    error.because("it did a moment ago; the credentials of the kubeconfig were read again")
}
