//! Answers questions: pages lists, bounds everything, hides the values of Secrets.

use std::sync::Arc;

use drplan_api::Answer;
use drplan_api::Ask;
use drplan_api::ErrorKind;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_api::Right;
use drplan_api::Verdict;
use drplan_api::stamp::FIELD_MANAGER;
use http::Method;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::KubeConn;
use crate::asks;
use crate::asks::DryRunArgs;
use crate::asks::GetArgs;
use crate::asks::ListArgs;
use crate::asks::escape;
use crate::page;
use crate::page::Head;
use crate::redact;
use crate::rights;

/// The objects of one page.
const PAGE_OBJECTS: usize = 1000;
/// The most pages of one list.
const PAGES_MAX: usize = 4000;
/// How often a list is started afresh because its continuation has expired.
const RESTARTS_MAX: usize = 3;
/// What the server answers when the continuation of a list has expired.
const GONE: u16 = 410;
/// What the server answers when an admission webhook does not allow dry runs.
const BAD_REQUEST: u16 = 400;
/// Where a client asks what it may do.
const ACCESS_REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
/// The body of a server-side apply.
pub(crate) const APPLY_PATCH: &str = "application/apply-patch+yaml";

pub(crate) async fn answer(conn: &KubeConn, ask: &Ask) -> Answer {
    let json = match ask.op.as_str() {
        asks::DISCOVERY => discovery(conn).await?,
        asks::LIST => list(conn, &ask.args()?).await?,
        asks::GET => get(conn, &ask.args()?).await?,
        asks::DRY_RUN => dry_run(conn, &ask.args()?).await?,
        asks::MAY => may(conn, &ask.args()?).await?,
        other => {
            return Err(ProviderError::new(
                ErrorKind::Bug,
                format!("answer the question `{other}`"),
                conn.server(),
            ));
        }
    };
    Ok(Arc::new(json))
}

async fn discovery(conn: &KubeConn) -> Result<Json, ProviderError> {
    let found = conn.discovery().await?;
    serde_json::to_value(&*found).map_err(|e| {
        ProviderError::new(ErrorKind::Bug, "write down the types", conn.server()).caused_by(&e)
    })
}

async fn may(conn: &KubeConn, right: &Right) -> Result<Json, ProviderError> {
    let during = format!("ask for the right to {right}");
    let review = rights::review(right);
    let sent = conn.write(
        &during,
        Method::POST,
        ACCESS_REVIEWS,
        "application/json",
        &review,
    );
    let answer = sent.await?;
    let status = &answer["status"];
    let said = status["evaluationError"].as_str().unwrap_or_default();
    let is_sure = status["allowed"] == true || status["denied"] == true || said.is_empty();
    if !is_sure || !status["allowed"].is_boolean() {
        let unknown = ProviderError::new(ErrorKind::Invalid, during, conn.server());
        return Err(unknown.because(format!("the server cannot tell: {said}")));
    }
    Ok(json!(Verdict {
        allowed: status["allowed"] == true,
        why: status["reason"].as_str().unwrap_or_default().to_owned(),
    }))
}

async fn get(conn: &KubeConn, args: &GetArgs) -> Result<Json, ProviderError> {
    let object = conn
        .get(&args.of, args.namespace.as_deref(), &args.name)
        .await?;
    Ok(clean(object))
}

async fn list(conn: &KubeConn, args: &ListArgs) -> Result<Json, ProviderError> {
    let during = match &args.namespace {
        Some(namespace) => format!("list `{}` in `{namespace}`", args.of.full_name()),
        None => format!("list `{}`", args.of.full_name()),
    };
    for _ in 0..RESTARTS_MAX {
        if let Some(answer) = list_once(conn, &during, args).await? {
            return Ok(answer);
        }
    }
    Err(
        ProviderError::new(ErrorKind::Unreachable, during, conn.server()).because(format!(
            "the list was too slow: its continuation expired {RESTARTS_MAX} times"
        )),
    )
}

/// Reads all pages; `None` if the server has forgotten the list on the way. While one page is taken apart, the server
/// makes the next.
async fn list_once(
    conn: &KubeConn,
    during: &str,
    args: &ListArgs,
) -> Result<Option<Json>, ProviderError> {
    let unreadable = |e| conn.unreadable(during, e);
    let mut before = Vec::new();
    let mut token = String::new();
    for _ in 0..PAGES_MAX {
        let path = page_path(args, &token);
        let page = match conn.get_or_code(during, &path).await {
            Ok(page) => page,
            Err(refusal) if refusal.code == Some(GONE) => return Ok(None),
            Err(refusal) => return Err(refusal.error),
        };
        let head = Head::read(&page).map_err(unreadable)?;
        if head.next().is_empty() {
            let mut items = Vec::new();
            for page in before {
                items.extend(taken_apart(page).await.map_err(unreadable)?);
            }
            items.extend(page::objects(&page).map_err(unreadable)?);
            return Ok(Some(answered(items, head.resource_version())));
        }
        head.next().clone_into(&mut token);
        before.push(tokio::task::spawn_blocking(move || page::objects(&page)));
    }
    Err(
        ProviderError::new(ErrorKind::Invalid, during, conn.server()).because(format!(
            "there are more than {} objects",
            PAGES_MAX * PAGE_OBJECTS
        )),
    )
}

fn page_path(args: &ListArgs, token: &str) -> String {
    let collection = args.of.path(args.namespace.as_deref(), None);
    let mut path = format!("{collection}?limit={PAGE_OBJECTS}");
    for (name, value) in [
        ("labelSelector", args.labels.as_deref().unwrap_or_default()),
        ("continue", token),
    ] {
        if !value.is_empty() {
            path.push('&');
            path.push_str(name);
            path.push('=');
            path.push_str(&escape(value));
        }
    }
    path
}

/// Waits for the objects of a page that another thread takes apart.
async fn taken_apart(
    page: JoinHandle<serde_json::Result<Vec<Json>>>,
) -> serde_json::Result<Vec<Json>> {
    page.await.unwrap_or_else(|e| match e.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        // Only a program that ends gives up its threads.
        Err(e) => Err(serde::de::Error::custom(e)),
    })
}

/// The macro would copy all objects.
fn answered(items: Vec<Json>, version: Json) -> Json {
    let fields = [("items", Json::Array(items)), ("resource_version", version)];
    Json::from_iter(fields)
}

/// Hides the values of Secrets and drops the bookkeeping of fields.
fn clean(mut object: Json) -> Json {
    if let Some(Json::Object(metadata)) = object.get_mut("metadata") {
        metadata.remove("managedFields");
    }
    redact::redact(object, redact::salt())
}

async fn dry_run(conn: &KubeConn, args: &DryRunArgs) -> Result<Json, ProviderError> {
    let at = &args.at;
    let object = crate::object_name(
        &at.of.group,
        &at.of.plural,
        at.namespace.as_deref(),
        &at.name,
    );
    let during = format!("try to apply `{object}`");
    let path = apply_path(at, args.force, true);
    match conn.patch(&during, &path, APPLY_PATCH, &args.object).await {
        Ok(made) => Ok(clean(made)),
        Err(refusal) if refusal.code == Some(BAD_REQUEST) => Ok(Json::Null),
        Err(refusal) => Err(refusal.error),
    }
}

/// Returns the path of a server-side apply of one object.
pub(crate) fn apply_path(at: &GetArgs, force: bool, dry: bool) -> String {
    let object = at.of.path(at.namespace.as_deref(), Some(&at.name));
    let dry = if dry { "&dryRun=All" } else { "" };
    format!("{object}?fieldManager={FIELD_MANAGER}&force={force}{dry}")
}
