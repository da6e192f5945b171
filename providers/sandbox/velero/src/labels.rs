//! The labels that Velero writes, and how it shortens their values.

use std::fmt::Write as _;

use sha2::Digest as _;
use sha2::Sha256;

pub(crate) const BACKUP_NAME: &str = "velero.io/backup-name";
pub(crate) const BACKUP_UID: &str = "velero.io/backup-uid";
pub(crate) const RESTORE_NAME: &str = "velero.io/restore-name";
pub(crate) const RESTORE_UID: &str = "velero.io/restore-uid";
pub(crate) const POD_UID: &str = "velero.io/pod-uid";
pub(crate) const PVC_UID: &str = "velero.io/pvc-uid";
pub(crate) const STORAGE_LOCATION: &str = "velero.io/storage-location";
pub(crate) const SCHEDULE_NAME: &str = "velero.io/schedule-name";

/// The longest value of a label.
const VALUE_CHARS_MAX: usize = 63;

/// How much of a hash stands at the end of a value that was too long.
const HASH_CHARS: usize = 6;

/// A label's value for a name: the name, or its beginning with a piece of its hash.
pub(crate) fn value(name: &str) -> String {
    if name.len() <= VALUE_CHARS_MAX {
        return name.to_owned();
    }
    let mut hash = String::new();
    for byte in Sha256::digest(name.as_bytes()) {
        write!(hash, "{byte:02x}").ok();
    }
    let kept: String = name.chars().take(VALUE_CHARS_MAX - HASH_CHARS).collect();
    kept + &hash[..HASH_CHARS]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_keeps_its_beginning_and_gets_a_piece_of_its_hash() {
        let name = "a".repeat(64);
        let short = value(&name);
        assert_eq!(short.len(), 63);
        // The hash of 64 times the letter `a`.
        assert_eq!(short, "a".repeat(57) + "ffe054");
        assert_eq!(value("short"), "short");
    }
}
