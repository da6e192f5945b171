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
use crate::failure::Failure;
use crate::failure::Outcome;
use crate::object;
use crate::options::User;
use crate::reply::Reply;
use crate::request::Request;
use crate::request::stamp;
use crate::state::State;
use crate::store::Name;
use crate::store::ResourceId;
use crate::types::Served;
use crate::verbs::read::stored;

/// How long a token lives when nobody says, in seconds.
const LIFETIME_S: i64 = 3_600;

/// The shortest life that a token may be asked for, in seconds.
const LIFETIME_S_MIN: i64 = 600;

const ISSUER: &str = "https://kubernetes.default.svc";

/// `POST` to `serviceaccounts/NAME/token`.
pub(crate) fn create(
    shared: &Shared,
    state: &State,
    served: &Served,
    request: &Request,
) -> Outcome<Reply> {
    let asked = request.object("TokenRequest")?.value;
    let account = stored(state, served, request)?;
    let account = account.json();
    let lifetime_s = asked["spec"]["expirationSeconds"]
        .as_i64()
        .unwrap_or(LIFETIME_S);
    if lifetime_s < LIFETIME_S_MIN {
        let error = crate::failure::invalid_value(
            "spec.expirationSeconds",
            &json!(lifetime_s),
            "may not specify a duration less than 10 minutes",
        );
        let kind = ("authentication.k8s.io", "TokenRequest");
        return Err(Failure::invalid(kind, "", &[error]));
    }
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
            "boundObjectRef": null,
        },
        "status": {
            "token": signed(shared, &claims),
            "expirationTimestamp": stamp(end),
        },
    });
    Ok(Reply::value(201, &answer, request.accept))
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
