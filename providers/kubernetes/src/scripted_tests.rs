//! A connection against a scripted server in the same process.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Json as Body;
use axum::Router;
use axum::http::StatusCode;
use axum::http::Uri;
use axum::response::IntoResponse;
use axum::response::Response;
use drplan_api::Answer;
use drplan_api::Conn as _;
use drplan_api::ConnId;
use drplan_api::ErrorKind;
use drplan_api::Query;
use serde_json::json;

use crate::KubeConn;
use crate::asks;
use crate::asks::TypeRef;
use crate::session::Opened;

const TIMEOUT: Duration = Duration::from_millis(200);

fn conn(answer: impl Fn(&str) -> Response + Clone + Send + Sync + 'static) -> KubeConn {
    let router = Router::new().fallback(move |uri: Uri| {
        let response = answer(&uri.to_string());
        async move { response }
    });
    let client = kube::Client::new(router, "default");
    KubeConn::new(client, "scripted", TIMEOUT, 2)
}

async fn ask(conn: &KubeConn, query: Query) -> Answer {
    conn.fetch(&[query.ask]).await.remove(0)
}

fn site() -> ConnId {
    ConnId::new("kubernetes.site")
}

fn page(name: &str, next: &str) -> Response {
    Body(json!({"kind": "SecretList", "apiVersion": "v1",
        "metadata": {"resourceVersion": "7", "continue": next},
        "items": [{"metadata": {"name": name, "managedFields": [1]}, "data": {"a": "aHVudGVyMg=="}}]}))
    .into_response()
}

fn refusal(code: u16, body: serde_json::Value) -> Response {
    let code = StatusCode::from_u16(code).expect("a code");
    (code, [("retry-after", "3")], Body(body)).into_response()
}

#[tokio::test]
async fn a_list_whose_continuation_expires_is_read_again_and_hides_secrets() {
    let seconds = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seconds);
    let conn = conn(move |uri| {
        if !uri.contains("continue") {
            return page("a", "t k");
        }
        assert!(
            uri.contains("limit=1000") && uri.contains("continue=t%20k"),
            "{uri}"
        );
        match count.fetch_add(1, Ordering::Relaxed) {
            0 => refusal(
                410,
                json!({"kind": "Status", "code": 410, "reason": "Expired"}),
            ),
            _ => page("b", ""),
        }
    });
    let secrets = TypeRef::new("", "v1", "secrets");
    let list = ask(&conn, asks::list(&site(), &secrets))
        .await
        .expect("a list");
    assert_eq!(seconds.load(Ordering::Relaxed), 2);
    let items = list["items"].as_array().expect("items");
    let names: Vec<_> = items.iter().map(|i| &i["metadata"]["name"]).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(items[1]["kind"], "Secret");
    assert_eq!(list["resource_version"], "7");
    assert!(items[0]["data"]["a"]["$digest"].is_string());
    assert!(
        !list.to_string().contains("aHVudGVyMg") && !list.to_string().contains("managedFields")
    );
}

#[tokio::test]
async fn a_throttled_request_says_how_long_to_wait() {
    let conn = conn(|_| refusal(429, json!("Too many requests, please try again later.")));
    let pods = TypeRef::new("", "v1", "pods");
    let error = ask(&conn, asks::list(&site(), &pods))
        .await
        .expect_err("a refusal");
    let after_ms = Some(3000);
    assert_eq!(error.kind, ErrorKind::Throttled { after_ms });
}

#[tokio::test]
async fn a_server_that_never_answers_is_unreachable_after_the_deadline() {
    let router = Router::new().fallback(|| async {
        std::future::pending::<()>().await;
    });
    let conn = KubeConn::new(kube::Client::new(router, "default"), "silent", TIMEOUT, 1);
    let error = conn.identity().await.expect_err("a time-out");
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(
        error.to_string().contains("no answer within 0.2 s"),
        "{error}"
    );
}

/// A server whose `token` is refused from request `from` on, and what logging in again gives.
fn expiring(from: usize, again: &'static str) -> (KubeConn, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let logins = Arc::new(AtomicUsize::new(0));
    let server = move |token: &'static str| {
        let asked = Arc::clone(&asked);
        let router = Router::new().fallback(move || {
            let n = asked.fetch_add(1, Ordering::Relaxed);
            let answer = match token == "old" && n >= from {
                true => refusal(401, json!({"kind": "Status", "code": 401})),
                false => page("a", ""),
            };
            async move { answer }
        });
        kube::Client::new(router, "default")
    };
    let conn = KubeConn::new(server("old"), "scripted", TIMEOUT, 2);
    let count = Arc::clone(&logins);
    let conn = conn.renewed_by(Box::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
        let opened = Opened {
            client: server(again),
            server: "scripted".to_owned(),
            kubeconfig: again.to_owned(),
        };
        Box::pin(async move { Ok(opened) })
    }));
    (conn, logins)
}

/// A server whose namespace `kube-system` has this uid, and which refuses the third request if it is
/// `tired`.
fn cluster(uid: &'static str, tired: bool) -> kube::Client {
    let asked = AtomicUsize::new(0);
    let asked = Arc::new(asked);
    let router = Router::new().fallback(move |request: http::Request<axum::body::Body>| {
        let n = asked.fetch_add(1, Ordering::Relaxed);
        let answer = match (
            tired && n >= 2,
            request.uri().path().ends_with("kube-system"),
        ) {
            (true, _) => refusal(401, json!({"kind": "Status", "code": 401})),
            (_, true) => axum::Json(json!({
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": {"name": "kube-system", "uid": uid},
            }))
            .into_response(),
            _ => page("a", ""),
        };
        async move { answer }
    });
    kube::Client::new(router, "default")
}

#[tokio::test]
async fn credentials_that_lead_to_another_cluster_at_the_same_address_are_not_used() {
    for (uid, is_same) in [("one", true), ("two", false)] {
        let conn = KubeConn::new(cluster("one", true), "scripted", TIMEOUT, 2);
        let conn = conn.renewed_by(Box::new(move || {
            let opened = Opened {
                client: cluster(uid, false),
                server: "scripted".to_owned(),
                kubeconfig: String::new(),
            };
            Box::pin(async move { Ok(opened) })
        }));
        conn.identity().await.expect("a uid");
        list(&conn).await.expect("a list");
        let error = list(&conn).await.expect_err("the token has expired");
        assert_eq!(error.is_transient(), is_same, "{error}");
        assert_eq!(
            error.to_string().contains("another cluster"),
            !is_same,
            "{error}"
        );
        assert_eq!(list(&conn).await.is_ok(), is_same);
    }
}

async fn list(conn: &KubeConn) -> Result<Arc<serde_json::Value>, drplan_api::ProviderError> {
    ask(
        conn,
        asks::list(&site(), &TypeRef::new("", "v1", "secrets")),
    )
    .await
}

#[tokio::test]
async fn credentials_that_have_run_out_are_read_again_once_for_all_who_ask() {
    let (conn, logins) = expiring(1, "new");
    list(&conn).await.expect("a list");
    let both = [list(&conn), list(&conn)];
    for answer in futures::future::join_all(both).await {
        let error = answer.expect_err("the token has expired");
        assert!(error.is_transient(), "{error}");
        assert!(error.to_string().contains("were read again"), "{error}");
    }
    list(&conn).await.expect("a list with the new token");
    assert_eq!(logins.load(Ordering::Relaxed), 1);
    assert_eq!(conn.kubeconfig().as_deref(), Some("new"));
}

#[tokio::test]
async fn credentials_that_were_never_taken_or_come_back_the_same_are_denied() {
    let (conn, logins) = expiring(0, "new");
    let error = list(&conn).await.expect_err("a refusal");
    assert_eq!(error.kind, ErrorKind::Denied);
    assert_eq!(logins.load(Ordering::Relaxed), 0);
    let (conn, _) = expiring(1, "old");
    list(&conn).await.expect("a list");
    for _ in 0..2 {
        let error = list(&conn).await.expect_err("the token has expired");
        assert!(error.is_transient(), "{error}");
    }
    let error = list(&conn).await.expect_err("the same token");
    assert_eq!(error.kind, ErrorKind::Denied);
    assert!(error.hint.is_some_and(|hint| hint.contains("expired")));
}

#[tokio::test]
async fn an_apply_into_the_fields_of_others_names_them() {
    let conn = conn(|uri| {
        assert!(
            uri.ends_with("?fieldManager=drplan&force=false&dryRun=All"),
            "{uri}"
        );
        let cause = |field: &str| {
            json!({"reason": "FieldManagerConflict", "field": field,
                "message": "conflict with \"kubectl-edit\" using apps/v1"})
        };
        refusal(
            409,
            json!({"kind": "Status", "code": 409, "message": "Apply failed",
            "details": {"causes": [cause(".spec.replicas"), cause(".spec.paused")]}}),
        )
    });
    let of = TypeRef::new("apps", "v1", "deployments");
    let query = asks::dry_run(&site(), &of, Some("shop"), "web", &json!({}), false);
    let error = ask(&conn, query).await.expect_err("a conflict");
    let owners = asks::owners(&error);
    assert_eq!(owners.len(), 1);
    assert_eq!(owners[0].manager, "kubectl-edit");
    assert_eq!(owners[0].fields, ".spec.replicas, .spec.paused");
}
