//! How long a certificate still lives.

use drplan_api::Timestamp;
use x509_cert::der::Decode as _;

/// Returns the whole days until a DER certificate expires, rounded down; `None` if it cannot be read.
pub(crate) fn days_left(der: &[u8], now: Timestamp) -> Option<i64> {
    let certificate = x509_cert::Certificate::from_der(der).ok()?;
    let end = certificate.tbs_certificate.validity.not_after;
    let end_s = i64::try_from(end.to_unix_duration().as_secs()).ok()?;
    Some((end_s - now.as_second()).div_euclid(24 * 60 * 60))
}
