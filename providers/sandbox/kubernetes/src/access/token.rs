//! Tokens of service accounts: made on request, recognised without being kept.
//!
//! They look like the real ones. The signature is an HMAC with the cluster's key, whatever the head of
//! the token says: nobody checks it but the cluster itself.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use drplan_api::Timestamp;
use hmac::Hmac;
use hmac::KeyInit as _;
use hmac::Mac as _;
use serde_json::Value;
use serde_json::json;
use sha2::Sha256;

use crate::cluster::Shared;
use crate::failure::About;
use crate::failure::Failure;
use crate::failure::Outcome;
use crate::failure::invalid_value;
use crate::object;
use crate::options::User;
use crate::reply::Reply;
use crate::request::Request;
use crate::request::stamp;
use crate::sent;
use crate::state::State;
use crate::store::Name;
use crate::store::ResourceId;
use crate::types::Served;
use crate::verbs::read::stored;

/// How long a token lives when nobody says, in seconds.
const LIFETIME_S: i64 = 3_600;

/// The shortest life that a token may be asked for, in seconds.
const LIFETIME_S_MIN: i64 = 600;

/// The longest, in seconds.
const LIFETIME_S_MAX: i64 = 1 << 32;

/// What tokens are asked for with, as refusals name it.
const REQUEST: (&str, &str) = ("authentication.k8s.io", "TokenRequest");

const ISSUER: &str = "https://kubernetes.default.svc";

/// `POST` to `serviceaccounts/NAME/token`.
pub(crate) fn create(
    shared: &Shared,
    state: &State,
    served: &Served,
    request: &Request,
) -> Outcome<Reply> {
    let (asked, warnings) = sent::read(request, "TokenRequest")?;
    refuse_other_account(request, &asked)?;
    let account = stored(state, served, request)?;
    let account = account.json();
    refuse_unbound(state, object::namespace(account), &asked)?;
    let lifetime_s = asked["spec"]["expirationSeconds"]
        .as_i64()
        .unwrap_or(LIFETIME_S);
    refuse_lifetime(lifetime_s)?;
    let audiences = match asked["spec"]["audiences"].as_array() {
        Some(list) if !list.is_empty() => list.clone(),
        _ => vec![json!(ISSUER)],
    };
    let issued = request.now.as_second();
    let end = Timestamp::from_second(issued + lifetime_s).unwrap_or(request.now);
    let claims = json!({
        "aud": audiences,
        "exp": end.as_second(),
        "iat": issued,
        "iss": ISSUER,
        "kubernetes.io": {
            "namespace": object::namespace(account),
            "serviceaccount": { "name": object::name(account), "uid": object::uid(account) },
        },
        "sub": subject(object::namespace(account), object::name(account)),
    });
    let answer = json!({
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {
            "name": object::name(account),
            "namespace": object::namespace(account),
            "creationTimestamp": request.stamp(),
        },
        "spec": {
            "audiences": audiences,
            "expirationSeconds": lifetime_s,
            "boundObjectRef": asked["spec"]["boundObjectRef"],
        },
        "status": {
            "token": signed(shared, &claims),
            "expirationTimestamp": stamp(end),
        },
    });
    let mut reply = Reply::value(201, &answer, request.accept);
    reply.warnings = warnings;
    Ok(reply)
}

fn refuse_lifetime(lifetime_s: i64) -> Outcome<()> {
    let detail = match lifetime_s {
        ..LIFETIME_S_MIN => "may not specify a duration less than 10 minutes",
        LIFETIME_S_MIN..=LIFETIME_S_MAX => return Ok(()),
        _ => "may not specify a duration larger than 2^32 seconds",
    };
    let error = invalid_value("spec.expirationSeconds", &json!(lifetime_s), detail);
    Err(Failure::invalid(REQUEST, "", &[error]))
}

/// Who names the account in the body, too, must name the one of the path.
fn refuse_other_account(request: &Request, asked: &Value) -> Outcome<()> {
    let name = request.target.name.as_deref().unwrap_or_default();
    let said = object::name(asked);
    if said.is_empty() || said == name {
        return Ok(());
    }
    let detail = "must match the service account name if specified";
    let error = invalid_value("metadata.name", &json!(said), detail);
    Err(Failure::invalid(REQUEST, name, &[error]))
}

/// A token that is bound to something ends with it, so that must be there.
fn refuse_unbound(state: &State, namespace: &str, asked: &Value) -> Outcome<()> {
    let bound = &asked["spec"]["boundObjectRef"];
    if bound.is_null() {
        return Ok(());
    }
    let text = |field: &str| bound[field].as_str().unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    let (resource, namespace) = match (version, kind) {
        ("v1", "Pod") => ("pods", namespace),
        ("v1", "Secret") => ("secrets", namespace),
        ("v1", "Node") => ("nodes", ""),
        _ => {
            let message = format!("cannot bind token for object of type {version}, Kind={kind}");
            return Err(Failure::bad_request(&message));
        }
    };
    let name = text("name");
    let about = About {
        group: "",
        resource,
        name,
    };
    let found = state
        .store
        .get(&ResourceId::new("", resource), &Name::new(namespace, name));
    let found = found.ok_or_else(|| Failure::not_found(about))?;
    let (said, uid) = (text("uid"), object::uid(found.json()));
    if said.is_empty() || said == uid {
        return Ok(());
    }
    let why = format!(
        "the UID in the bound object reference ({said}) does not match the UID in record. The object \
         might have been deleted and then recreated"
    );
    Err(Failure::conflict(about, &why))
}

fn subject(namespace: &str, name: &str) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

fn signed(shared: &Shared, claims: &Value) -> String {
    let head = json!({ "alg": "RS256", "kid": "rehearsal" });
    let text = format!("{}.{}", encoded(&head), encoded(claims));
    let signature = keyed(shared, &text).finalize().into_bytes();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// The cluster's name takes part, so that no cluster takes the token of another.
fn keyed(shared: &Shared, text: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&shared.options.token_key)
        .expect("HMAC takes keys of every length");
    mac.update(shared.options.name.as_bytes());
    mac.update(b"\n");
    mac.update(text.as_bytes());
    mac
}

/// The service account behind a token, if the token is right and the account is still that one.
pub(crate) fn account(shared: &Shared, state: &State, token: &str) -> Option<User> {
    let (text, given) = token.rsplit_once('.')?;
    let given = URL_SAFE_NO_PAD.decode(given).ok()?;
    keyed(shared, text).verify_slice(&given).ok()?;
    let (_, claims) = text.split_once('.')?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    if claims["exp"].as_i64()? <= shared.now().as_second() {
        return None;
    }
    let namespace = claims.pointer("/kubernetes.io/namespace")?.as_str()?;
    let name = claims
        .pointer("/kubernetes.io/serviceaccount/name")?
        .as_str()?;
    let uid = claims
        .pointer("/kubernetes.io/serviceaccount/uid")?
        .as_str()?;
    let accounts = ResourceId::new("", "serviceaccounts");
    let found = state.store.get(&accounts, &Name::new(namespace, name))?;
    (object::uid(found.json()) == uid).then(|| {
        let all = "system:serviceaccounts";
        User::new(
            &subject(namespace, name),
            &[all, &format!("{all}:{namespace}")],
        )
    })
}
