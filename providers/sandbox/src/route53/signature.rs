//! Signature Version 4, verified: who asks is believed only after recomputing the signature.
//!
//! It knows the identities but not what they may do. Query-string signatures are not accepted.
//!
//! # Source
//!
//! AWS, "Create a signed AWS API request".

use std::collections::BTreeMap;

use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::header::HOST;
use http::request::Parts;
use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sha2::Digest;
use sha2::Sha256;

use super::identity::Identity;
use super::query;
use super::refusal::Refusal;

/// The only algorithm.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The region in which Route 53 signs.
const REGION: &str = "us-east-1";
/// The service name in the credential scope.
const SERVICE: &str = "route53";
/// How far a request's date may lie from the server's clock, in minutes.
const SKEW_MIN_MAX: i64 = 5;
/// The form of `x-amz-date`.
const DATE_FORMAT: &str = "%Y%m%dT%H%M%SZ";

/// Finds who signed the request.
///
/// # Errors
///
/// `MissingAuthenticationToken`, `IncompleteSignature`, `InvalidClientTokenId` or
/// `SignatureDoesNotMatch`, as AWS answers.
pub(crate) fn verify<'a>(
    identities: &'a BTreeMap<String, Identity>,
    now: Timestamp,
    parts: &Parts,
    body: &[u8],
) -> Result<&'a Identity, Refusal> {
    let claim = Claim::read(&parts.headers)?;
    let identity = identities.get(claim.access_key).ok_or_else(invalid_token)?;
    if identity.token() != header(&parts.headers, "x-amz-security-token") {
        return Err(invalid_token());
    }
    let date = header(&parts.headers, "x-amz-date").ok_or_else(|| {
        Refusal::incomplete_signature("Authorization header requires existence of 'X-Amz-Date'.")
    })?;
    check_date(date, now)?;
    claim.check_scope(date)?;
    check_signed_headers(&parts.headers, &claim)?;
    let payload = hex(&Sha256::digest(body));
    // What a client declares is signed, so it must be the truth about the body that arrived.
    if header(&parts.headers, "x-amz-content-sha256").is_some_and(|declared| declared != payload) {
        return Err(mismatch());
    }
    let canonical = canonical_request(parts, &claim.signed_headers, &payload)?;
    let to_sign = format!(
        "{ALGORITHM}\n{date}\n{}/{REGION}/{SERVICE}/aws4_request\n{}",
        claim.day,
        hex(&Sha256::digest(canonical.as_bytes())),
    );
    let signature = unhex(claim.signature).ok_or_else(mismatch)?;
    keyed(
        &signing_key(identity.secret(), claim.day),
        to_sign.as_bytes(),
    )
    .verify_slice(&signature)
    .map_err(|_| mismatch())?;
    Ok(identity)
}

/// What the `Authorization` header says.
struct Claim<'a> {
    access_key: &'a str,
    day: &'a str,
    region: &'a str,
    service: &'a str,
    terminator: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Claim<'a> {
    fn read(headers: &'a HeaderMap) -> Result<Self, Refusal> {
        let Some(value) = headers.get(AUTHORIZATION) else {
            return Err(Refusal::forbidden(
                "MissingAuthenticationToken",
                "Request is missing Authentication Token",
            ));
        };
        let fields = value
            .to_str()
            .ok()
            .and_then(|text| text.strip_prefix(ALGORITHM))
            .ok_or_else(|| Refusal::incomplete_signature("Unsupported AWS 'algorithm'."))?;
        let mut parameters = BTreeMap::new();
        for field in fields.split(',') {
            if let Some((name, value)) = field.trim().split_once('=') {
                parameters.insert(name, value);
            }
        }
        let parameter = |name: &str| {
            parameters.get(name).copied().ok_or_else(|| {
                Refusal::incomplete_signature(format!(
                    "Authorization header requires '{name}' parameter."
                ))
            })
        };
        let credential: Vec<&str> = parameter("Credential")?.split('/').collect();
        let [access_key, day, region, service, terminator] = credential[..] else {
            return Err(Refusal::incomplete_signature(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term.",
            ));
        };
        let signed_headers = parameter("SignedHeaders")?.split(';').collect();
        let signature = parameter("Signature")?;
        Ok(Self {
            access_key,
            day,
            region,
            service,
            terminator,
            signed_headers,
            signature,
        })
    }

    fn check_scope(&self, date: &str) -> Result<(), Refusal> {
        let fault = if self.region != REGION {
            format!(
                "Credential should be scoped to a valid region, not '{}'.",
                self.region
            )
        } else if self.service != SERVICE {
            format!("Credential should be scoped to correct service: '{SERVICE}'.")
        } else if self.terminator != "aws4_request" {
            "Credential should be scoped with a valid terminator: 'aws4_request'.".to_owned()
        } else if !date.starts_with(self.day) || self.day.len() != 8 {
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP."
                .to_owned()
        } else {
            return Ok(());
        };
        Err(Refusal::forbidden("SignatureDoesNotMatch", fault))
    }
}

fn invalid_token() -> Refusal {
    Refusal::forbidden(
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
    )
}

fn mismatch() -> Refusal {
    Refusal::forbidden(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check \
         your AWS Secret Access Key and signing method. Consult the service documentation for \
         details.",
    )
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn check_date(date: &str, now: Timestamp) -> Result<(), Refusal> {
    let at = DateTime::strptime(DATE_FORMAT, date)
        .and_then(|civil| TimeZone::UTC.to_timestamp(civil))
        .map_err(|_| {
            Refusal::incomplete_signature(
                "Date must be in ISO-8601 'basic format' in the header 'X-Amz-Date'.",
            )
        })?;
    let skew = SignedDuration::from_mins(SKEW_MIN_MAX);
    let distance = at.duration_since(now);
    let shown = |instant: Timestamp| instant.strftime(DATE_FORMAT).to_string();
    let message = if distance < -skew {
        let limit = now.saturating_sub(skew).unwrap_or(now);
        format!(
            "Signature expired: {date} is now earlier than {} ({} - {SKEW_MIN_MAX} min.)",
            shown(limit),
            shown(now)
        )
    } else if distance > skew {
        let limit = now.saturating_add(skew).unwrap_or(now);
        format!(
            "Signature not yet current: {date} is still later than {} ({} + {SKEW_MIN_MAX} min.)",
            shown(limit),
            shown(now)
        )
    } else {
        return Ok(());
    };
    Err(Refusal::forbidden("SignatureDoesNotMatch", message))
}

/// Requires that the host and every AWS header were signed; else they could be swapped.
fn check_signed_headers(headers: &HeaderMap, claim: &Claim<'_>) -> Result<(), Refusal> {
    let aws = headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|n| n.starts_with("x-amz-"));
    for name in aws.chain([HOST.as_str()]) {
        if !claim.signed_headers.contains(&name) {
            return Err(Refusal::forbidden(
                "SignatureDoesNotMatch",
                format!("'{name}' must be a 'SignedHeader' in the AWS Authorization."),
            ));
        }
    }
    Ok(())
}

fn canonical_request(parts: &Parts, signed: &[&str], payload: &str) -> Result<String, Refusal> {
    let path: Vec<String> = parts
        .uri
        .path()
        .split('/')
        .map(|segment| query::encode(segment.as_bytes()))
        .collect();
    let mut pairs: Vec<(String, String)> = query::pairs(parts.uri.query().unwrap_or_default())
        .iter()
        .map(|(name, value)| (query::encode(name), query::encode(value)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut headers = String::new();
    for name in signed {
        headers.push_str(name);
        headers.push(':');
        headers.push_str(&header_value(parts, name)?);
        headers.push('\n');
    }
    Ok(format!(
        "{}\n{}\n{}\n{headers}\n{}\n{payload}",
        parts.method,
        path.join("/"),
        pairs.join("&"),
        signed.join(";"),
    ))
}

fn header_value(parts: &Parts, name: &str) -> Result<String, Refusal> {
    let mut values = Vec::new();
    for value in parts.headers.get_all(name) {
        let text = value.to_str().map_err(|_| mismatch())?;
        values.push(text.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
    }
    // In process nobody writes a Host header: the authority stands in the address.
    if values.is_empty() && name == HOST.as_str() {
        values.extend(parts.uri.authority().map(ToString::to_string));
    }
    if values.is_empty() {
        return Err(mismatch());
    }
    Ok(values.join(","))
}

fn signing_key(secret: &str, day: &str) -> Vec<u8> {
    let start = format!("AWS4{secret}").into_bytes();
    [day, REGION, SERVICE, "aws4_request"]
        .iter()
        .fold(start, |key, part| {
            keyed(&key, part.as_bytes())
                .finalize()
                .into_bytes()
                .to_vec()
        })
}

fn keyed(key: &[u8], message: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(message);
    mac
}

fn hex(octets: &[u8]) -> String {
    octets
        .iter()
        .flat_map(|octet| [octet >> 4, octet & 0xf])
        .map(|half| char::from(b"0123456789abcdef"[usize::from(half)]))
        .collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signs with the same functions; that they agree with AWS's is tested with its own client.
    fn signed(secret: &str, path: &str, date: &str, body: &[u8]) -> Parts {
        let request = http::Request::builder()
            .uri(format!("http://127.0.0.1:9{path}"))
            .header("x-amz-date", date)
            .body(())
            .expect("the request is well-formed");
        let (mut parts, ()) = request.into_parts();
        let payload = hex(&Sha256::digest(body));
        let canonical = canonical_request(&parts, &["host", "x-amz-date"], &payload)
            .expect("all headers are there");
        let day = &date[..8];
        let to_sign = format!(
            "{ALGORITHM}\n{date}\n{day}/{REGION}/{SERVICE}/aws4_request\n{}",
            hex(&Sha256::digest(canonical.as_bytes()))
        );
        let mac = keyed(&signing_key(secret, day), to_sign.as_bytes());
        let authorization = format!(
            "{ALGORITHM} Credential=AK/{day}/{REGION}/{SERVICE}/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature={}",
            hex(&mac.finalize().into_bytes())
        );
        parts
            .headers
            .insert(AUTHORIZATION, authorization.parse().expect("it is ASCII"));
        parts
    }

    fn outcome(parts: &Parts, body: &[u8]) -> Result<String, &'static str> {
        let identities =
            BTreeMap::from([("AK".to_owned(), Identity::new("tester", "AK", "secret"))]);
        let now = "2026-11-20T12:00:00Z".parse().expect("it is a time");
        verify(&identities, now, parts, body)
            .map(|identity| identity.name().to_owned())
            .map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_signature_is_believed_only_if_it_fits() {
        let path = "/2013-04-01/hostedzone/Z1/rrset?name=a&maxitems=2";
        let good = "20261120T120000Z";
        for (secret, date, body, expected) in [
            ("secret", good, "x", Ok("tester".to_owned())),
            ("secret", "20261120T115500Z", "x", Ok("tester".to_owned())),
            (
                "secret",
                "20261120T115459Z",
                "x",
                Err("SignatureDoesNotMatch"),
            ),
            (
                "secret",
                "20261120T120501Z",
                "x",
                Err("SignatureDoesNotMatch"),
            ),
            ("Secret", good, "x", Err("SignatureDoesNotMatch")),
            ("secret", good, "y", Err("SignatureDoesNotMatch")),
        ] {
            let parts = signed(secret, path, date, b"x");
            assert_eq!(
                outcome(&parts, body.as_bytes()),
                expected,
                "{secret} {date} {body}"
            );
        }
    }

    #[test]
    fn a_changed_path_an_unsigned_header_and_no_signature_are_refused() {
        let good = signed("secret", "/2013-04-01/hostedzone", "20261120T120000Z", b"");
        let mut moved = good.clone();
        moved.uri = "http://127.0.0.1:9/2013-04-01/hostedzone/Z1"
            .parse()
            .expect("it is a URI");
        assert_eq!(outcome(&moved, b""), Err("SignatureDoesNotMatch"));

        let mut extended = good.clone();
        extended
            .headers
            .insert("x-amz-meta", "1".parse().expect("it is ASCII"));
        assert_eq!(outcome(&extended, b""), Err("SignatureDoesNotMatch"));

        let mut token = good.clone();
        token
            .headers
            .insert("x-amz-security-token", "1".parse().expect("it is ASCII"));
        assert_eq!(outcome(&token, b""), Err("InvalidClientTokenId"));

        let mut bare = good;
        bare.headers.remove(AUTHORIZATION);
        assert_eq!(outcome(&bare, b""), Err("MissingAuthenticationToken"));
    }
}
