//! Releases in Secrets, in Helm's own format.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use drplan_api::Timestamp;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;
use serde_json::json;

use super::arguments::Wanted;
use super::chart::Rendered;

/// The most that a release may unpack to.
const PAYLOAD_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A revision as it stands in a cluster.
pub(super) struct Revision {
    pub(super) number: u64,
    pub(super) status: String,
    pub(super) secret: Value,
}

impl Revision {
    /// Finds the revisions of a release among Secrets, oldest first.
    pub(super) fn among(secrets: Vec<Value>) -> Vec<Self> {
        let mut all: Vec<Self> = secrets
            .into_iter()
            .filter_map(|secret| {
                let label = |name: &str| secret["metadata"]["labels"][name].as_str();
                Some(Self {
                    number: label("version")?.parse().ok()?,
                    status: label("status")?.to_owned(),
                    secret,
                })
            })
            .collect();
        all.sort_by_key(|r| r.number);
        all
    }

    /// The objects of the revision.
    pub(super) fn objects(&self) -> Vec<Value> {
        let text = self
            .payload()
            .and_then(|p| Some(p["manifest"].as_str()?.to_owned()));
        let documents: Option<Vec<Value>> =
            text.and_then(|text| serde_saphyr::from_multiple(&text).ok());
        documents.unwrap_or_default()
    }

    fn payload(&self) -> Option<Value> {
        let outer = STANDARD
            .decode(self.secret["data"]["release"].as_str()?)
            .ok()?;
        let inner = STANDARD.decode(outer).ok()?;
        let mut text = Vec::new();
        let mut unpacked = GzDecoder::new(&inner[..]).take(PAYLOAD_BYTES_MAX);
        unpacked.read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// The Secret with another status.
    pub(super) fn with_status(&self, status: &str, at: Timestamp) -> Option<Value> {
        let mut payload = self.payload()?;
        payload["info"]["status"] = status.into();
        let mut secret = self.secret.clone();
        secret["metadata"]["labels"]["status"] = status.into();
        secret["metadata"]["labels"]["modifiedAt"] = at.as_second().to_string().into();
        secret["data"]["release"] = packed(&payload)?.into();
        Some(secret)
    }
}

/// The Secret of a new revision.
pub(super) fn secret(
    wanted: &Wanted,
    rendered: &Rendered,
    number: u64,
    at: Timestamp,
) -> Option<Value> {
    let status = if number == 1 {
        "pending-install"
    } else {
        "pending-upgrade"
    };
    let payload = json!({
        "name": wanted.name,
        "namespace": wanted.namespace,
        "version": number,
        "manifest": rendered.manifest,
        "config": rendered.given,
        "chart": { "metadata": rendered.meta },
        "info": { "first_deployed": at, "last_deployed": at, "status": status },
        "labels": wanted.labels,
    });
    let mut labels: BTreeMap<&str, String> = BTreeMap::from([
        ("owner", "helm".to_owned()),
        ("name", wanted.name.clone()),
        ("status", status.to_owned()),
        ("version", number.to_string()),
        ("createdAt", at.as_second().to_string()),
    ]);
    labels.extend(wanted.labels.iter().map(|(k, v)| (k.as_str(), v.clone())));
    Some(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": {
            "name": format!("sh.helm.release.v1.{}.v{number}", wanted.name),
            "namespace": wanted.namespace,
            "labels": labels,
        },
        "data": { "release": packed(&payload)? },
    }))
}

/// Base64 of Kubernetes around base64 of Helm around gzip around JSON.
fn packed(payload: &Value) -> Option<String> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(payload.to_string().as_bytes()).ok()?;
    let inner = STANDARD.encode(gzip.finish().ok()?);
    Some(STANDARD.encode(inner))
}
