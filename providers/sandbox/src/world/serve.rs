//! HTTP over a stream of the world's network, with the world's faults.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::body::HttpBody as _;
use bytes::Bytes;
use drplan_api::Fut;
use drplan_sandbox_kubernetes::Front;
use futures::Stream;
use futures::StreamExt as _;
use http::Method;
use http::Request;
use http::Response;
use http::header::AUTHORIZATION;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::faults::Asked;
use super::faults::Fault;
use super::faults::Faults;
use super::faults::Sent;
use super::faults::Token;
use super::network::HttpServer;
use super::refusal::Service;
use super::witness;
use super::witness::Fate;
use super::witness::Gallery;

/// The longest body of a request that changes something.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What stands between a client and a server.
pub(super) struct Between {
    /// The host that was dialled.
    pub(super) host: String,
    /// The same with the port.
    pub(super) place: String,
    pub(super) service: Service,
    pub(super) faults: Arc<Faults>,
    pub(super) gallery: Gallery,
}

impl Between {
    /// What stands before a server for clients of other processes.
    pub(super) fn outside(
        place: String,
        service: Service,
        faults: Arc<Faults>,
        gallery: Gallery,
    ) -> Self {
        Self {
            host: place.clone(),
            place,
            service,
            faults,
            gallery,
        }
    }
}

impl Front for Between {
    fn answer(
        self: Arc<Self>,
        api: Router,
        request: Request<Body>,
    ) -> Fut<'static, io::Result<Response<Body>>> {
        Box::pin(answer(api, self, request))
    }
}

/// Serves one connection in a task of its own, until either side ends it or the server stops.
pub(super) fn http(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    server: HttpServer,
    between: Arc<Between>,
) {
    let HttpServer {
        router, stopped, ..
    } = server;
    let service = service_fn(move |request: Request<Incoming>| {
        answer(router.clone(), Arc::clone(&between), request.map(Body::new))
    });
    // The date that hyper would add is this machine's, and clients correct their clocks by it.
    let connection = http1::Builder::new()
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service);
    tokio::spawn(async move {
        tokio::select! {
            // A server that is gone answers nothing more.
            biased;
            () = end(stopped) => {}
            // A connection that ends early is the client's to complain about.
            served = connection => drop(served),
        }
    });
}

/// Waits until a server stops or is gone.
async fn end(stopped: Option<watch::Receiver<bool>>) {
    match stopped {
        Some(mut stopped) => drop(stopped.wait_for(|stopped| *stopped).await),
        None => std::future::pending().await,
    }
}

/// An error here ends the connection without an answer, which is what a reset looks like.
async fn answer(
    router: Router,
    between: Arc<Between>,
    request: Request<Body>,
) -> Result<Response<Body>, io::Error> {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let (request, brought) = kept(request).await?;
    let seen = witness::Request {
        host: &between.host,
        method: &method,
        uri: &uri,
        body: &brought,
    };
    let leaves = |fate| between.gallery.ask(|w| w.leaves(seen, fate));
    if !between.gallery.ask(|w| w.comes(seen)) {
        return Err(reset());
    }
    let fault = between.faults.next(Asked {
        place: &between.place,
        service: between.service,
        method: &method,
        uri: &uri,
        body: match request.body().is_end_stream() {
            true => Sent::Nothing,
            false => Sent::Something,
        },
        token: token(&request),
    });
    let request = match fault {
        Some(Fault::ResetBefore) => {
            leaves(Fate::Broken);
            return Err(reset());
        }
        Some(Fault::Answers(refusal)) => {
            let response = refusal.of(between.service);
            let arrives = leaves(Fate::Answered(response.status()));
            return arrives.then_some(response).ok_or_else(reset);
        }
        Some(Fault::Slow(pause)) => {
            tokio::time::sleep(pause).await;
            request
        }
        Some(Fault::HalfSent(part)) => request.map(|body| broken(body, part)),
        _ => request,
    };
    let served = router.oneshot(request).await;
    let response = served.unwrap_or_else(|never| match never {});
    let fate = match fault {
        Some(Fault::HalfSent(_)) => Fate::Broken,
        Some(Fault::ResetAfter | Fault::AnswersAfter(_) | Fault::HalfAnswered(_)) => {
            Fate::Lost(response.status())
        }
        _ => Fate::Answered(response.status()),
    };
    let whole = !matches!(fault, Some(Fault::ResetAfter | Fault::HalfSent(_)));
    if !leaves(fate) || !whole {
        return Err(reset());
    }
    Ok(match fault {
        Some(Fault::AnswersAfter(refusal)) => refusal.of(between.service),
        Some(Fault::HalfAnswered(part)) => response.map(|body| broken(body, part)),
        Some(Fault::DroppedWatch(bytes)) => {
            response.map(|body| Body::from_stream(first(body, bytes)))
        }
        _ => response,
    })
}

/// Reads what a request brings that may change something, so that it can be shown as well as served.
async fn kept(request: Request<Body>) -> Result<(Request<Body>, Bytes), io::Error> {
    if [Method::GET, Method::HEAD].contains(request.method()) {
        return Ok((request, Bytes::new()));
    }
    let (parts, body) = request.into_parts();
    let brought = axum::body::to_bytes(body, BODY_BYTES_MAX).await;
    // Who hangs up in the middle of it has asked for nothing.
    let brought = brought.map_err(|_| reset())?;
    Ok((
        Request::from_parts(parts, Body::from(brought.clone())),
        brought,
    ))
}

fn reset() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionReset)
}

fn token(request: &Request<Body>) -> Token {
    let header = request.headers().get(AUTHORIZATION);
    match header.is_some_and(|value| value.as_bytes().starts_with(b"Bearer ")) {
        true => Token::Shown,
        false => Token::None,
    }
}

/// A part of a body, and then an error, as where the connection breaks in its middle. Of a body whose
/// length nobody knows nothing comes.
fn broken(body: Body, part: f64) -> Body {
    let length = body.size_hint().exact().unwrap_or_default();
    // Less than the whole, so that something is missing.
    let bytes = length.saturating_sub(1).min(fraction(length, part));
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    let error = futures::stream::iter([Err(axum::Error::new(reset()))]);
    Body::from_stream(first(body, bytes).chain(error))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "where exactly a body breaks does not matter"
)]
fn fraction(length: u64, part: f64) -> u64 {
    (length as f64 * part) as u64
}

/// The first bytes of a body. Ends as soon as they are there, though nothing more would come.
fn first(body: Body, bytes: usize) -> impl Stream<Item = Result<Bytes, axum::Error>> + Send {
    let state = (body.into_data_stream(), bytes);
    futures::stream::unfold(state, |(mut body, left)| async move {
        if left == 0 {
            return None;
        }
        let chunk = body.next().await?;
        let chunk = chunk.map(|mut chunk| {
            chunk.truncate(left);
            chunk
        });
        let left = left - chunk.as_ref().map_or(left, Bytes::len);
        Some((chunk, (body, left)))
    })
}

#[cfg(test)]
mod tests {
    use drplan_api::Clock;
    use drplan_api::Network;
    use drplan_api::Timestamp;
    use drplan_sandbox_kubernetes::Cluster;
    use drplan_sandbox_kubernetes::ClusterOptions;
    use http::StatusCode;
    use http::Uri;
    use http::header::CONTENT_TYPE;
    use kube::client::Body as Sends;
    use serde_json::json;

    use super::super::refusal::Refusal;
    use super::*;

    const SEED: u64 = 1;
    const PLACE: &str = "b.example:80";
    /// How many bytes wait in each direction.
    const BUFFER_BYTES: usize = 64 * 1024;

    /// A cluster behind a network with the faults of [`SEED`].
    struct Net(Cluster, Arc<Between>);

    impl Network for Net {
        fn dial<'a>(
            &'a self,
            _: &'a str,
            _: u16,
        ) -> Fut<'a, io::Result<Box<dyn drplan_api::Stream>>> {
            let (near, far) = tokio::io::duplex(BUFFER_BYTES);
            let server = HttpServer {
                service: Service::Kubernetes,
                router: self.0.router(),
                stopped: Some(self.0.stopped()),
            };
            http(far, server, Arc::clone(&self.1));
            Box::pin(async move { Ok(Box::new(near) as Box<dyn drplan_api::Stream>) })
        }
    }

    fn cluster() -> (Cluster, kube::Client) {
        let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
        let cluster = Cluster::new(ClusterOptions::new("b", 1, clock));
        let between = Arc::new(Between {
            host: "b.example".to_owned(),
            place: PLACE.to_owned(),
            service: Service::Kubernetes,
            faults: Arc::new(Faults::from_seed(SEED)),
            gallery: Gallery::default(),
        });
        let net = Arc::new(Net(cluster.clone(), between));
        let mut config = kube::Config::new("http://b.example".parse().expect("a URL"));
        config.auth_info.token = Some("admin".to_owned().into());
        let client = drplan_kubernetes::private_client(&config, net).expect("a client");
        (cluster, client)
    }

    /// The first path of a row that meets a certain fault when it is asked for.
    fn meets(
        method: &Method,
        path: impl Fn(usize) -> String,
        wanted: impl Fn(Fault) -> bool,
    ) -> (usize, String) {
        let faults = Faults::from_seed(SEED);
        let body = match *method {
            Method::GET => Sent::Nothing,
            _ => Sent::Something,
        };
        let mut all = (0..10_000).map(|n| (n, path(n)));
        let found = all.find(|(_, path)| {
            let uri: Uri = path.parse().expect("a URI");
            let asked = Asked {
                place: PLACE,
                service: Service::Kubernetes,
                method,
                uri: &uri,
                body,
                token: Token::Shown,
            };
            faults.next(asked).is_some_and(&wanted)
        });
        found.expect("one of many meets it")
    }

    fn map(n: usize) -> String {
        format!("/api/v1/namespaces/default/configmaps/m{n}")
    }

    async fn get(client: &kube::Client, path: &str) -> kube::Result<(StatusCode, Bytes)> {
        let request = Request::get(path).body(Sends::empty()).expect("a request");
        let response = client.send(request).await?;
        let status = response.status();
        let bytes = response.into_body().collect_bytes().await?;
        Ok((status, bytes))
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_write_that_breaks_in_the_middle_of_its_body_nothing_is_seen() {
        let half = |fault| matches!(fault, Fault::HalfSent(_));
        let (n, path) = meets(&Method::PATCH, map, half);
        let (cluster, client) = cluster();
        let body = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": format!("m{n}") },
        });
        let request = |path: String| {
            Request::patch(path)
                .header(CONTENT_TYPE, "application/apply-patch+yaml")
                .body(Sends::from(body.to_string().into_bytes()))
                .expect("a request")
        };
        let path = path + "?fieldManager=me";
        client
            .send(request(path.clone()))
            .await
            .expect_err("it breaks");
        let name = format!("m{n}");
        assert!(cluster.object("", "configmaps", "default", &name).is_none());
        let again = client.send(request(path)).await.expect("an answer");
        assert_eq!(again.status(), StatusCode::CREATED);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_breaks_in_its_middle_is_no_answer() {
        let half = |fault| matches!(fault, Fault::HalfAnswered(_));
        let (_, path) = meets(&Method::GET, map, half);
        let (_, client) = cluster();
        get(&client, &path).await.expect_err("it breaks");
        let (status, _) = get(&client, &path).await.expect("an answer");
        assert_eq!(status, StatusCode::NOT_FOUND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_watch_ends_in_the_middle_of_a_line() {
        let watch = |n| format!("/api/v1/namespaces/n{n}/configmaps?watch=true");
        let early = |fault| matches!(fault, Fault::DroppedWatch(bytes) if bytes < 100);
        let (n, path) = meets(&Method::GET, watch, early);
        let (cluster, client) = cluster();
        let space = format!("n{n}");
        let objects = [
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": space } }),
            json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": { "name": "m", "namespace": space },
            }),
        ];
        cluster.load(objects).expect("two objects");
        let (status, bytes) = get(&client, &path).await.expect("a stream that ends");
        assert_eq!(status, StatusCode::OK);
        assert!(bytes.starts_with(b"{") && bytes.len() < 100 && !bytes.ends_with(b"\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_expired_token_is_refused_as_an_api_server_does() {
        let expired = |fault| fault == Fault::Answers(Refusal::Expired);
        let (_, path) = meets(&Method::GET, map, expired);
        let (_, client) = cluster();
        let (status, bytes) = get(&client, &path).await.expect("an answer");
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        let said: serde_json::Value = serde_json::from_slice(&bytes).expect("a Status");
        assert_eq!(said["reason"], "Unauthorized");
        let (status, _) = get(&client, &path).await.expect("an answer");
        assert_eq!(status, StatusCode::NOT_FOUND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_whose_answer_is_an_error_may_have_taken_place() {
        let space = |n| format!("/api/v1/namespaces/n{n}/configmaps");
        let after = |fault| fault == Fault::AnswersAfter(Refusal::TimedOut);
        let (n, path) = meets(&Method::POST, space, after);
        let (cluster, client) = cluster();
        let space = format!("n{n}");
        let namespace =
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": space } });
        cluster.load([namespace]).expect("a namespace");
        let body = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "m" },
        });
        let request = Request::post(path)
            .header(CONTENT_TYPE, "application/json")
            .body(Sends::from(body.to_string().into_bytes()));
        let response = client.send(request.expect("a request")).await;
        let response = response.expect("an answer");
        assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
        let said = response.into_body().collect_bytes().await.expect("a body");
        let said: serde_json::Value = serde_json::from_slice(&said).expect("a Status");
        assert_eq!(said["reason"], "Timeout");
        assert!(cluster.object("", "configmaps", &space, "m").is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_cluster_that_stops_in_the_middle_of_a_watch_ends_its_connections() {
        let (cluster, client) = cluster();
        let path = "/api/v1/namespaces/default/secrets?watch=true&resourceVersion=1";
        let request = Request::get(path).body(Sends::empty()).expect("a request");
        let response = client.send(request).await.expect("a stream");
        assert_eq!(response.status(), StatusCode::OK);
        cluster.stop();
        response
            .into_body()
            .collect_bytes()
            .await
            .expect_err("it breaks");
        get(&client, "/api").await.expect_err("nobody is there");
    }
}
