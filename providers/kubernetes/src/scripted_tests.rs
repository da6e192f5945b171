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
            uri.contains("limit=500") && uri.contains("continue=t%20k"),
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
    assert_eq!(items.len(), 2);
    assert_eq!(items[1]["kind"], "Secret");
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
