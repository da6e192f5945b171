//! Files that only their owner may read, and random words to put into them.
//!
//! Knows nothing about what the secrets are for.

use std::fs;
use std::fs::OpenOptions;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;

/// Bytes of randomness in a token or password.
const RANDOM_BYTES: usize = 20;

/// Writes a file with mode 0600 in one step: a reader sees the old content or the new.
pub(crate) fn write(path: &Path, content: &[u8]) -> Result<()> {
    let about = || format!("cannot write `{}`", path.display());
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let fresh = path.with_file_name(name);
    if fresh.exists() {
        fs::remove_file(&fresh).with_context(about)?;
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)
        .and_then(|mut file| file.write_all(content))
        .with_context(about)?;
    fs::rename(&fresh, path).with_context(about)
}

/// Returns a fresh random word of hexadecimal digits.
pub(crate) fn random_word() -> Result<String> {
    let mut bytes = [0u8; RANDOM_BYTES];
    fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("cannot read `/dev/urandom`")?;
    Ok(hex(&bytes))
}

/// Writes bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").ok();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_private_file_can_be_replaced_and_stays_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
