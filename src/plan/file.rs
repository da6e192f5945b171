//! The plan file: two lines of canonical JSON, the plan and its digest; readable with `head -1 | jq`.

use std::path::Path;

use drplan_api::Json;
use drplan_api::digest;

use super::canonical::canonical;
use super::step::FORMAT;
use super::step::Plan;
use crate::sealed;
use crate::sealed::SealError;
use crate::sealed::Voucher;
use crate::signature::Signature;
use crate::signature::SignatureError;
use crate::signature::Trusted;

/// How the format of snapshots begins, which look alike.
const SNAPSHOTS: &str = "drplan-snapshot/";

/// What the file is called in messages.
const NOUN: &str = "plan file";

/// Why a plan file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// It cannot be read or written, or was changed.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// Nobody who is trusted vouches for it.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// It was written by another version.
    #[error("`{path}` has the format `{found}`; this drplan reads `{FORMAT}`")]
    Version {
        /// Which.
        path: String,
        /// Its format.
        found: String,
    },
}

/// The bytes of a plan file.
///
/// # Errors
///
/// If the plan cannot be expressed as JSON.
pub fn encode(plan: &Plan, voucher: Voucher<'_>) -> Result<Vec<u8>, serde_json::Error> {
    sealed::encode(NOUN, plan, voucher)
}

/// Writes a plan: whole or not at all, readable by its owner only.
///
/// # Errors
///
/// If the file cannot be written.
pub fn write(plan: &Plan, voucher: Voucher<'_>, path: &Path) -> Result<(), PlanFileError> {
    Ok(sealed::write(NOUN, plan, voucher, path)?)
}

/// The digest that seals a plan file.
///
/// # Errors
///
/// If the plan cannot be expressed as JSON.
pub fn seal(plan: &Plan) -> Result<String, serde_json::Error> {
    Ok(digest(&canonical(plan)?))
}

/// Reads a plan and checks its digest.
///
/// # Errors
///
/// If it cannot be read, was changed, or is of another version.
pub fn read(path: &Path) -> Result<Plan, PlanFileError> {
    let text = sealed::read(NOUN, path)?;
    Ok(parse(&text, &path.display().to_string())?.0)
}

/// Reads a plan with its signature, if it bears one.
///
/// # Errors
///
/// As [`read`]; if it is not signed by a key that must vouch for it.
pub fn read_signed(
    path: &Path,
    by: Option<&Trusted>,
) -> Result<(Plan, Option<Signature>), PlanFileError> {
    let text = sealed::read(NOUN, path)?;
    parse_signed(&text, &path.display().to_string(), by)
}

/// The same for the text of a plan file, which errors call `name`.
///
/// # Errors
///
/// As [`read_signed`].
pub fn parse_signed(
    text: &str,
    name: &str,
    by: Option<&Trusted>,
) -> Result<(Plan, Option<Signature>), PlanFileError> {
    let (plan, digest) = parse(text, name)?;
    let signature = sealed::signature(text);
    if let Some(by) = by {
        by.check(NOUN, &digest, signature.as_ref())?;
    }
    Ok((plan, signature))
}

/// Reads the text of a plan file, which errors call `name`; returns the plan and its digest.
///
/// # Errors
///
/// If it was changed, or is of another version.
pub fn parse(text: &str, name: &str) -> Result<(Plan, String), PlanFileError> {
    let (raw, digest) = sealed::parse(NOUN, text, name)?;
    if raw["format"]
        .as_str()
        .is_some_and(|f| f.starts_with(SNAPSHOTS))
    {
        let why = "it is a snapshot; plan from it with `drplan plan --live`";
        return Err(SealError::broken(NOUN, name, why).into());
    }
    let found = raw
        .pointer("/head/format")
        .and_then(Json::as_str)
        .unwrap_or("none")
        .to_owned();
    if !sealed::same_major(&found, FORMAT) {
        let path = name.to_owned();
        return Err(PlanFileError::Version { path, found });
    }
    let plan = serde_json::from_value(raw).map_err(|e| SealError::broken(NOUN, name, e))?;
    Ok((plan, digest))
}
