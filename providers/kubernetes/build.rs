//! Reads the tables of the normaliser when the program is built: they are YAML for people, and each start of the
//! program would pay a millisecond and a half for reading that.

#![expect(
    clippy::disallowed_methods,
    reason = "what builds the program is an edge"
)]

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;

/// What people write, from this package's folder.
const TABLES: &str = "src/normalise/tables.yaml";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={TABLES}");
    let text = fs::read_to_string(TABLES)?;
    let tables: serde_json::Value = serde_saphyr::from_str(&text)?;
    let out = env::var_os("OUT_DIR").ok_or("cargo names no folder")?;
    fs::write(Path::new(&out).join("tables.json"), tables.to_string())?;
    Ok(())
}
