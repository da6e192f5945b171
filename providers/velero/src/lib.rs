//! Velero backups, backup locations and restores.
