//! A server that can be asked, under several identities.
//!
//! Anything that a `kube::Client` can be made of will do: a connection with TLS and tokens, or a
//! `tower` service in this very process. Knows nothing about what is asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use anyhow::Result;
use futures::future::BoxFuture;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Request;
use http::Response;
use kube::Client;
use kube::client::Body;

use crate::sequence::Who;

/// The program that calls, by which servers name the manager of fields.
pub const USER_AGENT: &str = "conformance/1.0";

/// Makes a server forget its history.
pub type Compact = Arc<dyn Fn() -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// A server with a client for each identity.
#[derive(Clone, Default)]
pub struct Server {
    doors: BTreeMap<Who, (Client, HeaderMap)>,
    compact: Option<Compact>,
}

impl Server {
    /// Adds the client of an identity, and headers that go with each of its requests.
    ///
    /// # Errors
    ///
    /// When a header cannot be one.
    pub fn with(mut self, who: Who, client: Client, headers: &[(&str, &str)]) -> Result<Self> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::try_from(*name)?, HeaderValue::from_str(value)?);
        }
        self.doors.insert(who, (client, map));
        Ok(self)
    }

    /// Adds a way to make the server forget its history, as it does every few minutes by itself.
    #[must_use]
    pub fn with_compaction(mut self, compact: Compact) -> Self {
        self.compact = Some(compact);
        self
    }

    /// Makes the server forget its history.
    ///
    /// # Errors
    ///
    /// When it cannot.
    pub async fn compact(&self) -> Result<()> {
        let compact = self.compact.as_ref();
        compact.context("this server cannot be made to forget its history")?().await
    }

    /// Sends a request and returns as soon as the head of the answer is there.
    ///
    /// # Errors
    ///
    /// When the server gives no answer.
    pub async fn call(&self, who: Who, mut request: Request<Body>) -> Result<Response<Body>> {
        let (client, headers) = self
            .doors
            .get(&who)
            .with_context(|| format!("this server has no identity {who:?}"))?;
        for (name, value) in headers {
            request.headers_mut().append(name, value.clone());
        }
        let agent = HeaderValue::from_static(USER_AGENT);
        request
            .headers_mut()
            .insert(http::header::USER_AGENT, agent);
        let about = format!("{} {}", request.method(), request.uri());
        client
            .send(request)
            .await
            .with_context(|| format!("no answer to {about}"))
    }
}
