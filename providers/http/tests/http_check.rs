//! HTTP checks through the seam, against real sockets on loopback.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::routing::get;
use drplan_api::Landed;
use drplan_api::Planned;
use drplan_api::Progress;
use drplan_api::Registry;
use drplan_testkit::SINGLE_SECRET;
use drplan_testkit::Single;
use rcgen::CertifiedKey;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

async fn check(config: Value, args: Value) -> Single {
    Single::open(
        drplan_http::register(Registry::new()),
        "http_check",
        config,
        args,
    )
    .await
}

/// Serves until the test ends.
async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Answers every TLS connection with one small page, under a certificate for `shop.example`.
async fn serve_tls() -> (SocketAddr, String) {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["shop.example".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await.ok()?;
                stream.read_u8().await.ok()?;
                let page = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nready";
                stream.write_all(page.as_bytes()).await.ok()?;
                stream.shutdown().await.ok()
            });
        }
    });
    (address, cert.pem())
}

#[tokio::test]
async fn a_right_answer_leaves_nothing_to_do_and_via_keeps_the_host() {
    let host = |headers: HeaderMap| async move { format!("{:?}", headers.get("host")) };
    let address = serve(Router::new().route("/up", get(host))).await;
    let driver = check(
        json!({}),
        json!({
            "url": "http://shop.example/up", "via": address.to_string(),
            "body_matches": "shop\\.example",
        }),
    )
    .await;
    let looked = driver.look().await;
    assert!(matches!(looked.planned, Planned::Nothing(_)), "{looked:?}");
    assert_eq!(looked.outputs["status"], 200);
}

#[tokio::test]
async fn a_check_waits_until_the_answer_is_right() {
    let asked = Arc::new(AtomicUsize::new(0));
    let page = {
        let asked = Arc::clone(&asked);
        move || async move {
            if asked.fetch_add(1, Ordering::Relaxed) < 3 {
                (StatusCode::SERVICE_UNAVAILABLE, "not yet")
            } else {
                (StatusCode::OK, "ready")
            }
        }
    };
    let address = serve(Router::new().route("/", get(page))).await;
    let driver = check(json!({}), json!({"url": format!("http://{address}/")})).await;
    let step = driver.step().await;
    assert_eq!(step.because.0, "it answers with status 503 instead of 200");
    let landed = driver.kind().probe(&driver.read_cx(), &step.op, 0).await;
    assert_eq!(landed.unwrap(), Landed::No);
    driver.begin(&step.op).await.unwrap();
    assert_eq!(driver.finish(&step.op).await, Progress::Done);
    let proof = driver
        .kind()
        .prove(&driver.read_cx(), &step.op)
        .await
        .unwrap();
    assert!(proof.holds(), "{proof:?}");
    let landed = driver.kind().probe(&driver.read_cx(), &step.op, 0).await;
    assert_eq!(landed.unwrap(), Landed::Yes);
}

#[tokio::test]
async fn a_check_gives_up_when_its_time_is_over_and_says_what_came_back() {
    // A port that was free a moment ago refuses connections.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let driver = check(
        json!({}),
        json!({"url": format!("http://{address}/{SINGLE_SECRET}"), "within": "60ms"}),
    )
    .await;
    let step = driver.step().await;
    assert_eq!(step.because.0, "connection refused");
    driver.begin(&step.op).await.unwrap();
    let Progress::Failed { because, retry } = driver.finish(&step.op).await else {
        panic!("it must give up");
    };
    assert!(!retry);
    assert!(
        because.0.contains("0.06 s: connection refused"),
        "{because}"
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_silent_server_is_not_awaited() {
    let away = || async { (StatusCode::FOUND, [("location", "/")]) };
    let address = serve(Router::new().route("/away", get(away))).await;
    let driver = check(json!({}), json!({"url": format!("http://{address}/away")})).await;
    assert!(driver.step().await.because.0.contains("status 302"));

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let driver = check(json!({"timeout": "50ms"}), json!({"url": url})).await;
    assert_eq!(driver.step().await.because.0, "no answer within 50 ms");
}

#[tokio::test]
async fn certificates_are_verified_by_the_name_of_the_url() {
    let (address, ca) = serve_tls().await;
    let asked = |url: &str| {
        json!({
            "url": url, "via": address.to_string(), "body_matches": "^ready$",
            "tls": {"min_days_left": 30},
        })
    };
    let trusted = check(json!({"ca": ca}), asked("https://shop.example/")).await;
    let looked = trusted.look().await;
    assert!(matches!(looked.planned, Planned::Nothing(_)), "{looked:?}");

    let other_name = check(json!({"ca": ca}), asked("https://other.example/")).await;
    let why = other_name.step().await.because.0;
    assert!(
        why.contains("no TLS connection") && why.contains("not valid for name"),
        "{why}"
    );

    let untrusted = check(json!({}), asked("https://shop.example/")).await;
    let why = untrusted.step().await.because.0;
    assert!(why.contains("invalid peer certificate"), "{why}");

    let mut long = asked("https://shop.example/");
    long["tls"]["min_days_left"] = json!(4_000_000);
    let why = check(json!({"ca": ca}), long).await.step().await.because.0;
    assert!(why.contains("expires in"), "{why}");
}
