//! Files of two lines: canonical JSON and its digest. Readable with `head -1 FILE | jq`; what was changed
//! or cut off shows.
#![expect(
    clippy::disallowed_methods,
    reason = "plan files and snapshots are written and read here"
)]

use std::path::Path;

use drplan_api::Json;
use drplan_api::digest;
use serde::Deserialize;
use serde::Serialize;

use crate::plan::canonical;
use crate::private;
use crate::signature::Signature;
use crate::signature::Signer;

/// The second line.
#[derive(Serialize, Deserialize)]
struct Seal {
    sha256: String,
    #[serde(flatten)]
    signature: Option<Signature>,
}

/// How large such a file may be.
const FILE_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// It cannot be read or written.
    #[error("cannot {during} the {noun} `{path}`: {why}")]
    Io {
        /// `read` or `write`.
        during: &'static str,
        /// What sort of file it is.
        noun: &'static str,
        /// Which.
        path: String,
        /// What the system said.
        why: String,
        /// What a person does about it, where that can be told.
        remedy: Option<&'static str>,
    },
    /// It is no such file, or it was changed.
    #[error("`{path}` is not an intact {noun}: {why}")]
    Broken {
        /// What sort of file it should be.
        noun: &'static str,
        /// Which.
        path: String,
        /// What is wrong with it.
        why: String,
    },
}

impl SealError {
    /// Says that the content is not what such a file holds.
    pub(crate) fn broken(noun: &'static str, name: &str, why: impl std::fmt::Display) -> Self {
        Self::Broken {
            noun,
            path: name.to_owned(),
            why: why.to_string(),
        }
    }
}

/// Who vouches for a file that is written.
#[derive(Clone, Copy)]
pub enum Voucher<'a> {
    /// Nobody.
    Nobody,
    /// A key that is here.
    Key(&'a Signer),
    /// A key that vouched for the same data before.
    Kept(&'a Signature),
}

impl<'a> From<Option<&'a Signer>> for Voucher<'a> {
    fn from(signer: Option<&'a Signer>) -> Self {
        signer.map_or(Self::Nobody, Self::Key)
    }
}

impl<'a> From<Option<&'a Signature>> for Voucher<'a> {
    fn from(signature: Option<&'a Signature>) -> Self {
        signature.map_or(Self::Nobody, Self::Kept)
    }
}

/// The bytes of a file.
///
/// # Errors
///
/// If the data cannot be expressed as JSON.
pub(crate) fn encode(
    noun: &'static str,
    data: &impl Serialize,
    voucher: Voucher<'_>,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = canonical(data)?;
    let sha256 = digest(&bytes);
    let signature = match voucher {
        Voucher::Nobody => None,
        Voucher::Key(signer) => Some(signer.sign(noun, &sha256)),
        Voucher::Kept(signature) => Some(signature.clone()),
    };
    let seal = serde_json::to_value(Seal { sha256, signature })?;
    let seal = drplan_api::canonical(&seal);
    bytes.push(b'\n');
    bytes.extend_from_slice(seal.as_bytes());
    bytes.push(b'\n');
    Ok(bytes)
}

/// Writes data: whole or not at all, readable by its owner only.
///
/// # Errors
///
/// If the file cannot be written.
pub(crate) fn write(
    noun: &'static str,
    data: &impl Serialize,
    voucher: Voucher<'_>,
    path: &Path,
) -> Result<(), SealError> {
    let io = |why: &dyn std::fmt::Display, remedy| SealError::Io {
        during: "write",
        noun,
        path: path.display().to_string(),
        why: why.to_string(),
        remedy,
    };
    let bytes = encode(noun, data, voucher).map_err(|e| io(&e, None))?;
    private::write(path, &bytes).map_err(|e| io(&e, private::remedy(e.kind())))
}

/// Reads the text of a file, within a bound.
///
/// # Errors
///
/// If it cannot be read.
pub(crate) fn read(noun: &'static str, path: &Path) -> Result<String, SealError> {
    let name = path.display().to_string();
    let io = |why: &dyn std::fmt::Display| SealError::Io {
        during: "read",
        noun,
        path: name.clone(),
        why: why.to_string(),
        remedy: None,
    };
    if std::fs::metadata(path).map_err(|e| io(&e))?.len() > FILE_BYTES_MAX {
        return Err(SealError::broken(noun, &name, "it is too large"));
    }
    std::fs::read_to_string(path).map_err(|e| io(&e))
}

/// Returns the signature of a text, if it bears one; nothing is checked.
pub(crate) fn signature(text: &str) -> Option<Signature> {
    let seal = text.trim_end().lines().last()?;
    serde_json::from_str::<Seal>(seal).ok()?.signature
}

/// Holds the first line of a text against its digest; returns both.
///
/// # Errors
///
/// If it was changed.
pub(crate) fn parse(
    noun: &'static str,
    text: &str,
    name: &str,
) -> Result<(Json, String), SealError> {
    let broken = |why: &str| SealError::broken(noun, name, why);
    let (body, seal) = text
        .trim_end()
        .split_once('\n')
        .ok_or_else(|| broken("its second line is missing"))?;
    let seal: Json =
        serde_json::from_str(seal).map_err(|_| broken("its second line is not JSON"))?;
    let digest = digest(body.as_bytes());
    if seal.get("sha256").and_then(Json::as_str) != Some(digest.as_str()) {
        return Err(broken("its digest does not fit: it was changed or cut off"));
    }
    let body = serde_json::from_str(body).map_err(|_| broken("its first line is not JSON"))?;
    Ok((body, digest))
}

/// Tells whether two versions `NAME/MAJOR.MINOR` have the same name and major number.
pub(crate) fn same_major(found: &str, ours: &str) -> bool {
    let major = |format: &str| format.split('.').next().map(str::to_owned);
    major(found) == major(ours)
}
