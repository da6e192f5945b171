//! The plan file: two lines of canonical JSON, the plan and its digest; readable with `head -1 | jq`.
#![expect(
    clippy::disallowed_methods,
    reason = "the plan file is written and read here"
)]

use std::path::Path;

use drplan_api::Json;
use drplan_api::digest;
use serde_json::json;

use super::canonical::canonical;
use super::step::FORMAT;
use super::step::Plan;
use crate::private;

/// How large a plan file may be.
const PLAN_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Why a plan file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// It cannot be read or written.
    #[error("cannot {during} the plan file `{path}`: {why}")]
    Io {
        /// `read` or `write`.
        during: &'static str,
        /// Which.
        path: String,
        /// What the system said.
        why: String,
    },
    /// It is not a plan file, or it was changed.
    #[error("`{path}` is not an intact plan file: {why}")]
    Broken {
        /// Which.
        path: String,
        /// What is wrong with it.
        why: String,
    },
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
pub fn encode(plan: &Plan) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = canonical(plan)?;
    let seal = drplan_api::canonical(&json!({ "sha256": digest(&bytes) }));
    bytes.push(b'\n');
    bytes.extend_from_slice(seal.as_bytes());
    bytes.push(b'\n');
    Ok(bytes)
}

/// Writes a plan: whole or not at all, readable by its owner only.
///
/// # Errors
///
/// If the file cannot be written.
pub fn write(plan: &Plan, path: &Path) -> Result<(), PlanFileError> {
    let io = |why: &dyn std::fmt::Display| PlanFileError::Io {
        during: "write",
        path: path.display().to_string(),
        why: why.to_string(),
    };
    let bytes = encode(plan).map_err(|e| io(&e))?;
    private::write(path, &bytes).map_err(|e| io(&e))
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
    let name = path.display().to_string();
    let io = |why: &dyn std::fmt::Display| PlanFileError::Io {
        during: "read",
        path: name.clone(),
        why: why.to_string(),
    };
    if std::fs::metadata(path).map_err(|e| io(&e))?.len() > PLAN_BYTES_MAX {
        return Err(PlanFileError::Broken {
            path: name,
            why: "it is too large".to_owned(),
        });
    }
    let text = std::fs::read_to_string(path).map_err(|e| io(&e))?;
    Ok(parse(&text, &name)?.0)
}

/// Reads the text of a plan file, which errors call `name`; returns the plan and its digest.
///
/// # Errors
///
/// If it was changed, or is of another version.
pub fn parse(text: &str, name: &str) -> Result<(Plan, String), PlanFileError> {
    let broken = |why: &str| PlanFileError::Broken {
        path: name.to_owned(),
        why: why.to_owned(),
    };
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
    let raw: Json = serde_json::from_str(body).map_err(|_| broken("its first line is not JSON"))?;
    let found = raw
        .pointer("/head/format")
        .and_then(Json::as_str)
        .unwrap_or("none")
        .to_owned();
    let major = |format: &str| format.split('.').next().map(str::to_owned);
    if major(&found) != major(FORMAT) {
        return Err(PlanFileError::Version {
            path: name.to_owned(),
            found,
        });
    }
    let plan = serde_json::from_value(raw).map_err(|e| broken(&e.to_string()))?;
    Ok((plan, digest))
}
