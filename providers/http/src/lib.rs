//! HTTP checks.
