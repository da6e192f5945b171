//! Helm releases, written by the real helm and read from its release Secrets.
