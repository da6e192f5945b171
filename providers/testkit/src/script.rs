//! An HTTP server that answers exactly what it was told to.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use drplan_api::Json;
use http::HeaderMap;
use http::Method;
use http::StatusCode;
use http_body_util::BodyExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::faults::cut;

/// The status of a request that the script did not expect; providers must not take it for an answer.
const UNEXPECTED: StatusCode = StatusCode::NOT_IMPLEMENTED;

/// A server that ends when it is dropped.
#[derive(Debug)]
pub struct Served {
    address: SocketAddr,
    running: JoinHandle<()>,
}

impl Served {
    /// Returns `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// Runs a router on a free loopback port.
///
/// # Panics
///
/// If the machine has no loopback port left.
pub async fn serve(router: Router) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a loopback port");
    let address = listener.local_addr().expect("its address");
    let running = tokio::spawn(async move {
        // It only ends with the test.
        axum::serve(listener, router).await.ok();
    });
    Served { address, running }
}

/// A request that arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query as sent.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Request {
    /// Returns the body as JSON; null if it is none.
    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or(Json::Null)
    }
}

/// What the server does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Answers: status, content type and body.
    Answer(u16, &'static str, Bytes),
    /// Breaks the connection.
    Cut,
}

impl Reply {
    /// Answers with JSON.
    pub fn json(status: u16, body: &Json) -> Self {
        Self::Answer(status, "application/json", body.to_string().into())
    }

    /// Answers with text.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self::Answer(status, "text/plain", body.into().into())
    }
}

type Check = Box<dyn Fn(&Request) -> bool + Send>;

struct Expected {
    method: Method,
    path: String,
    check: Option<Check>,
    reply: Reply,
}

#[derive(Default)]
struct Log {
    ahead: VecDeque<Expected>,
    seen: Vec<Request>,
    unexpected: Vec<String>,
}

/// An ordered list of expected requests.
#[derive(Default)]
pub struct Script(Log);

impl Script {
    /// Starts an empty script, which refuses everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Expects a request next; `path` includes the query, exactly as it is sent.
    #[must_use]
    pub fn on(mut self, method: Method, path: &str, reply: Reply) -> Self {
        let path = path.to_owned();
        self.0.ahead.push_back(Expected {
            method,
            path,
            check: None,
            reply,
        });
        self
    }

    /// Adds a condition to the request that was expected last.
    #[must_use]
    pub fn only_if(mut self, check: impl Fn(&Request) -> bool + Send + 'static) -> Self {
        if let Some(last) = self.0.ahead.back_mut() {
            last.check = Some(Box::new(check));
        }
        self
    }

    /// Starts the server.
    pub async fn start(self) -> Scripted {
        let log = Arc::new(Mutex::new(self.0));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&log));
        Scripted {
            served: serve(router).await,
            log,
        }
    }
}

/// A running script.
pub struct Scripted {
    served: Served,
    log: Arc<Mutex<Log>>,
}

impl Scripted {
    /// Returns `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.served.url()
    }

    /// Returns every request so far, unexpected ones included.
    pub fn requests(&self) -> Vec<Request> {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .seen
            .clone()
    }

    /// Ends the server and requires that it was asked for everything and nothing else.
    ///
    /// # Panics
    ///
    /// If a request was unexpected or an expected one never came.
    pub fn finish(self) {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(
            log.unexpected.is_empty(),
            "unexpected requests: {:#?}",
            log.unexpected
        );
        let missing: Vec<String> = log
            .ahead
            .iter()
            .map(|e| format!("{} {}", e.method, e.path))
            .collect();
        assert!(missing.is_empty(), "requests that never came: {missing:#?}");
    }
}

async fn answer(State(log): State<Arc<Mutex<Log>>>, request: axum::extract::Request) -> Response {
    let (head, body) = request.into_parts();
    let request = Request {
        method: head.method,
        path: head
            .uri
            .path_and_query()
            .map_or_else(String::new, ToString::to_string),
        headers: head.headers,
        body: body
            .collect()
            .await
            .map(|b| b.to_bytes())
            .unwrap_or_default(),
    };
    let reply = log
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .next(request);
    match reply {
        Reply::Cut => cut(),
        Reply::Answer(status, kind, body) => {
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = StatusCode::from_u16(status).unwrap_or(UNEXPECTED);
            response.headers_mut().insert(
                http::header::CONTENT_TYPE,
                http::HeaderValue::from_static(kind),
            );
            response
        }
    }
}

impl Log {
    fn next(&mut self, request: Request) -> Reply {
        let fits = self.ahead.front().is_some_and(|e| {
            e.method == request.method
                && e.path == request.path
                && e.check.as_ref().is_none_or(|check| check(&request))
        });
        let line = format!("{} {}", request.method, request.path);
        self.seen.push(request);
        match self.ahead.pop_front_if(|_| fits) {
            Some(expected) => expected.reply,
            None => {
                let reply = format!("the script does not expect `{line}` here");
                self.unexpected.push(line);
                Reply::text(UNEXPECTED.as_u16(), reply)
            }
        }
    }
}
