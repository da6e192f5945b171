//! How long what a kubeconfig holds is taken. Pure, but for a certificate that lies in a file.
//!
//! Nothing of a credential but its last moment leaves this place.
#![expect(
    clippy::disallowed_methods,
    reason = "a kubeconfig may name the file of its certificate"
)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use drplan_api::Json;
use drplan_api::Timestamp;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_cert::der::Decode as _;

/// When the credentials of the current context end; `None` if they do not say, or if something renews them
/// by itself: a plugin, or a file that holds a token.
pub(crate) fn ends(kubeconfig: &str) -> Option<Timestamp> {
    let kubeconfig: Json = serde_json::from_str(kubeconfig).ok()?;
    let named = |list: &str, name: &Json| {
        let all = kubeconfig[list].as_array()?;
        all.iter().find(|entry| entry["name"] == *name)
    };
    let context = named("contexts", &kubeconfig["current-context"])?;
    let user = &named("users", &context["context"]["user"])?["user"];
    let renewed = ["exec", "auth-provider", "tokenFile"];
    if renewed.iter().any(|by| !user[*by].is_null()) {
        return None;
    }
    // A server takes a certificate before it looks at a token.
    certificate(user).or_else(|| token(user))
}

fn certificate(user: &Json) -> Option<Timestamp> {
    let data = user["client-certificate-data"].as_str();
    let pem = match (data, user["client-certificate"].as_str()) {
        (Some(data), _) => STANDARD.decode(data).ok()?,
        (None, path) => std::fs::read(path?).ok()?,
    };
    let der = CertificateDer::from_pem_slice(&pem).ok()?;
    let certificate = x509_cert::Certificate::from_der(&der).ok()?;
    let end = certificate.tbs_certificate.validity.not_after;
    seconds(end.to_unix_duration().as_secs())
}

/// Tokens of service accounts and of most providers are JWTs, which say when they end.
fn token(user: &Json) -> Option<Timestamp> {
    let payload = user["token"].as_str()?.split('.').nth(1)?;
    let claims: Json = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    seconds(claims["exp"].as_u64()?)
}

fn seconds(at: u64) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(at).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const END_S: i64 = 1_900_000_000;

    fn ends_of(user: &Json) -> Option<i64> {
        let kubeconfig = json!({
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "users": [{"name": "u", "user": user}],
        });
        ends(&kubeconfig.to_string()).map(Timestamp::as_second)
    }

    fn jwt(claims: &Json) -> String {
        format!("h.{}.s", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn a_token_says_when_it_ends_unless_something_renews_it() {
        let token = jwt(&json!({"exp": END_S}));
        assert_eq!(ends_of(&json!({"token": token})), Some(END_S));
        assert_eq!(ends_of(&json!({"token": jwt(&json!({}))})), None);
        assert_eq!(ends_of(&json!({"token": "opaque"})), None);
        let renewed = json!({"token": token, "exec": {"command": "login", "apiVersion": "v1"}});
        assert_eq!(ends_of(&renewed), None);
    }

    #[test]
    fn a_certificate_ends_when_it_says_so() {
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        params.not_after = rcgen::date_time_ymd(2031, 2, 3);
        let key = rcgen::KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        let data = STANDARD.encode(&pem);
        let end = "2031-02-03T00:00:00Z".parse::<Timestamp>().expect("a time");
        assert_eq!(
            ends_of(&json!({"client-certificate-data": data})),
            Some(end.as_second())
        );
    }
}
