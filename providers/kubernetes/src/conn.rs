//! An open connection: one bounded attempt per request, so many at once, errors sorted.

use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use drplan_api::Answer;
use drplan_api::Ask;
use drplan_api::Conn;
use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_api::Room;
use drplan_api::TargetId;
use drplan_api::Timestamp;
use futures::StreamExt as _;
use http::Method;
use http::Request;
use http::Response;
use http::header::ACCEPT;
use http::header::CONTENT_TYPE;
use http::header::DATE;
use http::header::RETRY_AFTER;
use http_body_util::BodyExt as _;
use kube::client::Body;
use kube::core::Status;
use tokio::sync::Semaphore;

use crate::Discovered;
use crate::asks;
use crate::asks::TypeRef;
use crate::discovery;
use crate::error::status_error;
use crate::kube_error;
use crate::lifetime;
use crate::read;
use crate::room;
use crate::session::Open;
use crate::session::Session;

/// The namespace whose uid is the cluster's identity: it lives as long as the cluster does.
pub(crate) const IDENTITY_NAMESPACE: &str = "kube-system";
/// How a server refuses credentials.
const UNAUTHORIZED: u16 = 401;

/// A connection to one cluster.
pub struct KubeConn {
    session: Session,
    server: String,
    request_timeout: Duration,
    requests_max: usize,
    slots: Semaphore,
}

impl KubeConn {
    /// Makes a connection from a client, whose own retries should be off. `server` is what errors name.
    pub fn new(
        client: kube::Client,
        server: impl Into<String>,
        request_timeout: Duration,
        requests_max: usize,
    ) -> Self {
        Self {
            session: Session::new(client),
            server: server.into(),
            request_timeout,
            requests_max,
            slots: Semaphore::new(requests_max),
        }
    }

    /// Keeps the kubeconfig that the connection was opened with, for tools that need one.
    #[must_use]
    pub fn with_kubeconfig(mut self, text: String) -> Self {
        self.session = self.session.with_kubeconfig(text);
        self
    }

    /// Says how credentials are read anew when the server takes them no more.
    pub(crate) fn renewed_by(mut self, open: Open) -> Self {
        self.session = self.session.renewed_by(open);
        self
    }

    /// Returns a kubeconfig for a tool such as `helm`, whose current context is that of this
    /// connection. It holds credentials: write it only into a private file, and never log it.
    pub fn kubeconfig(&self) -> Option<String> {
        self.session.kubeconfig()
    }

    /// Returns the address of the server, without credentials.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Sends one write with a JSON body and returns the JSON of the answer. The typed client would do the
    /// same and forget when a busy server wishes to be asked again.
    ///
    /// # Errors
    ///
    /// As [`kube_error`], with the wait that the server asked for; [`ErrorKind::Unreachable`] if the
    /// deadline passes.
    pub async fn write(
        &self,
        during: &str,
        method: Method,
        path: &str,
        content_type: &str,
        body: &Json,
    ) -> Result<Json, ProviderError> {
        Ok(self.sent(during, method, path, content_type, body).await?)
    }

    /// Sends one request and returns the JSON of the answer; for what the client has no words for.
    ///
    /// # Errors
    ///
    /// As [`kube_error`], with the wait that the server asked for.
    pub async fn request(
        &self,
        during: &str,
        request: Request<Vec<u8>>,
    ) -> Result<Json, ProviderError> {
        Ok(self.json(during, request).await?)
    }

    /// Reads which types the cluster serves, now: a step before may have added some.
    ///
    /// # Errors
    ///
    /// If the server does not answer. A group that does not answer is in
    /// [`Discovered::missing_groups`].
    pub async fn discovery(&self) -> Result<Arc<Discovered>, ProviderError> {
        discovery::read(self).await.map(Arc::new)
    }

    /// Reads one object as it is, values of Secrets included. Never log it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if it is not there, [`ErrorKind::NoSuchType`] if its type is not.
    pub async fn get(
        &self,
        of: &TypeRef,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Json, ProviderError> {
        let object = crate::object_name(&of.group, &of.plural, namespace, name);
        let during = format!("read `{object}`");
        self.get_json(&during, &of.path(namespace, Some(name)), None)
            .await
    }

    pub(crate) async fn get_json(
        &self,
        during: &str,
        path: &str,
        accept: Option<&str>,
    ) -> Result<Json, ProviderError> {
        let request = self.build(
            during,
            Request::get(path).header(ACCEPT, accept.unwrap_or("application/json")),
            Vec::new(),
        )?;
        self.request(during, request).await
    }

    /// Reads the text of JSON and tells by which code the server refused, if it did.
    pub(crate) async fn get_or_code(&self, during: &str, path: &str) -> Result<Vec<u8>, Refusal> {
        let request = Request::get(path).header(ACCEPT, "application/json");
        let request = self.build(during, request, Vec::new())?;
        self.exchange(during, request).await
    }

    /// Says that an answer is not what the server should have said.
    pub(crate) fn unreadable(&self, during: &str, e: serde_json::Error) -> ProviderError {
        kube_error(during, &self.server, &kube::Error::SerdeError(e))
    }

    pub(crate) async fn get_text(&self, during: &str, path: &str) -> Result<String, ProviderError> {
        let request = self.build(during, Request::get(path), Vec::new())?;
        let bytes = self.exchange(during, request).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(crate) async fn patch(
        &self,
        during: &str,
        path: &str,
        content_type: &str,
        body: &Json,
    ) -> Result<Json, Refusal> {
        self.sent(during, Method::PATCH, path, content_type, body)
            .await
    }

    async fn sent(
        &self,
        during: &str,
        method: Method,
        path: &str,
        content_type: &str,
        body: &Json,
    ) -> Result<Json, Refusal> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, content_type);
        let request = self.build(during, request, body.to_string().into_bytes())?;
        self.json(during, request).await
    }

    async fn json(&self, during: &str, request: Request<Vec<u8>>) -> Result<Json, Refusal> {
        let bytes = self.exchange(during, request).await?;
        serde_json::from_slice(&bytes).map_err(|e| self.unreadable(during, e).into())
    }

    fn build(
        &self,
        during: &str,
        request: http::request::Builder,
        body: Vec<u8>,
    ) -> Result<Request<Vec<u8>>, ProviderError> {
        request
            .body(body)
            .map_err(|e| kube_error(during, &self.server, &kube::Error::HttpError(e)))
    }

    async fn exchange(&self, during: &str, request: Request<Vec<u8>>) -> Result<Vec<u8>, Refusal> {
        let (client, used) = self.session.client();
        let attempt = async {
            let sent = client.send(request.map(Body::from)).await;
            let response = sent.map_err(|e| kube_error(during, &self.server, &e))?;
            self.body(during, response).await
        };
        let answer = self.bounded(during, attempt).await;
        self.settled(used, answer).await
    }

    /// Notes that credentials were taken, or reads them anew where they are taken no more.
    async fn settled<T>(&self, used: u64, answer: Result<T, Refusal>) -> Result<T, Refusal> {
        match answer {
            Err(Refusal {
                error,
                code: Some(UNAUTHORIZED),
            }) => Err(self.session.refused(used, &self.server, error).await.into()),
            Ok(_) | Err(Refusal { code: Some(_), .. }) => {
                self.session.taken(used);
                answer
            }
            Err(Refusal { code: None, .. }) => answer,
        }
    }

    async fn body(&self, during: &str, response: Response<Body>) -> Result<Vec<u8>, Refusal> {
        let (head, body) = response.into_parts();
        let body = body.collect().await;
        let bytes = body
            .map_err(|e| kube_error(during, &self.server, &e))?
            .to_bytes();
        if head.status.is_success() {
            return Ok(bytes.into());
        }
        let mut status = serde_json::from_slice::<Status>(&bytes).unwrap_or_else(|_| {
            // Proxies and the bare server answer with text or a page.
            Status::failure(&String::from_utf8_lossy(&bytes), "")
        });
        status.code = head.status.as_u16();
        let retry_after_s = head
            .headers
            .get(RETRY_AFTER)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.parse().ok());
        let error = status_error(during, &self.server, &status, retry_after_s);
        Err(Refusal {
            error: with_owners(error, &status),
            code: Some(status.code),
        })
    }

    async fn bounded<T, E: From<ProviderError>>(
        &self,
        during: &str,
        attempt: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let Ok(_slot) = self.slots.acquire().await else {
            let closed = ProviderError::new(ErrorKind::Bug, during, &self.server);
            return Err(closed.because("the connection is closed").into());
        };
        let late = |_| {
            let late = ProviderError::new(ErrorKind::Unreachable, during, &self.server);
            let limit_s = self.request_timeout.as_secs_f32();
            Err(late.because(format!("no answer within {limit_s} s")).into())
        };
        tokio::time::timeout(self.request_timeout, attempt)
            .await
            .unwrap_or_else(late)
    }
}

/// A refusal together with the server's code, for the few who must tell codes apart.
pub(crate) struct Refusal {
    pub(crate) error: ProviderError,
    pub(crate) code: Option<u16>,
}

impl From<ProviderError> for Refusal {
    fn from(error: ProviderError) -> Self {
        Self { error, code: None }
    }
}

impl From<Refusal> for ProviderError {
    fn from(refusal: Refusal) -> Self {
        refusal.error
    }
}

/// Adds who owns the fields of a refused apply, one cause for each manager.
fn with_owners(error: ProviderError, status: &Status) -> ProviderError {
    let mut by_manager = std::collections::BTreeMap::<&str, Vec<&str>>::new();
    let causes = status.details.iter().flat_map(|d| &d.causes);
    for cause in causes.filter(|c| c.reason == "FieldManagerConflict") {
        // The manager stands only in the message: conflict with "NAME" using VERSION.
        let manager = cause.message.split('"').nth(1).unwrap_or("unknown");
        by_manager.entry(manager).or_default().push(&cause.field);
    }
    if by_manager.is_empty() {
        return error;
    }
    let mut out = ProviderError::new(error.kind, error.during, error.target);
    for (manager, fields) in by_manager {
        out = out.because(crate::asks::owner_text(manager, &fields.join(", ")));
    }
    out
}

impl Conn for KubeConn {
    fn identity(&self) -> Fut<'_, Result<TargetId, ProviderError>> {
        Box::pin(async move {
            let namespaces = asks::namespaces();
            let found = self.get(&namespaces, None, IDENTITY_NAMESPACE).await;
            let found = found.map_err(|e| match e.kind {
                // A server that has just started makes its namespaces a moment later.
                ErrorKind::NotFound => ProviderError {
                    kind: ErrorKind::Unreachable,
                    ..e
                },
                ErrorKind::Denied if e.hint.is_none() => e.hint(
                    "allow `get` on the namespace `kube-system`: its uid is the cluster's identity",
                ),
                _ => e,
            })?;
            match found["metadata"]["uid"].as_str() {
                Some(uid) => {
                    self.session.known_as(uid);
                    Ok(TargetId(uid.to_owned()))
                }
                None => Err(ProviderError::new(
                    ErrorKind::Corrupt,
                    "read the cluster's identity",
                    &self.server,
                )
                .because("the namespace `kube-system` has no uid")),
            }
        })
    }

    fn fetch<'a>(&'a self, asks: &'a [Ask]) -> Fut<'a, Vec<Answer>> {
        Box::pin(async move {
            let mut answers: Vec<Fut<'_, Answer>> = Vec::with_capacity(asks.len());
            for ask in asks {
                answers.push(Box::pin(read::answer(self, ask)));
            }
            futures::stream::iter(answers)
                .buffered(self.requests_max)
                .collect()
                .await
        })
    }

    fn time(&self) -> Fut<'_, Option<Timestamp>> {
        Box::pin(async move {
            let request = Request::get("/version").body(Body::empty()).ok()?;
            let (client, _) = self.session.client();
            let asked = tokio::time::timeout(self.request_timeout, client.send(request));
            let answer = asked.await.ok()?.ok()?;
            let date = answer.headers().get(DATE)?.to_str().ok()?;
            jiff::fmt::rfc2822::parse(date)
                .ok()
                .map(|at| at.timestamp())
        })
    }

    fn good_until(&self) -> Fut<'_, Option<Timestamp>> {
        Box::pin(async move { lifetime::ends(&self.session.kubeconfig()?) })
    }

    fn room(&self) -> Fut<'_, Result<Option<Room>, ProviderError>> {
        Box::pin(async move {
            let asks = ["nodes", "pods"].map(|plural| asks::every(&TypeRef::new("", "v1", plural)));
            let answers = self.fetch(&asks).await;
            let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
            let items = |n: usize| answers[n]["items"].as_array().into_iter().flatten();
            Ok(Some(room::free(items(0), items(1))))
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
