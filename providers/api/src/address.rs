//! Names of resources and of connections.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

/// The address of one resource, data source, check or barrier: `kind.name`, `data.kind.name`,
/// `check.name`, with `["key"]` behind it for an instance of `for_each`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Address(Arc<str>);

impl Address {
    /// Makes an address from its text.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(Arc::from(text.as_ref()))
    }

    /// Returns the whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether this is a data source.
    pub fn is_data(&self) -> bool {
        self.0.starts_with("data.")
    }

    /// Returns the kind: `velero_restore` of `velero_restore.shop["eu"]`.
    pub fn kind(&self) -> &str {
        let text = self.0.strip_prefix("data.").unwrap_or(&self.0);
        text.split('.').next().unwrap_or(text)
    }

    /// Returns the address without an instance key.
    pub fn block(&self) -> Self {
        match self.0.find('[') {
            Some(at) => Self::new(&self.0[..at]),
            None => self.clone(),
        }
    }

    /// Returns the name behind the kind, without an instance key.
    pub fn name(&self) -> &str {
        let text = self.0.strip_prefix("data.").unwrap_or(&self.0);
        let text = text.split('[').next().unwrap_or(text);
        text.split_once('.').map_or(text, |(_, name)| name)
    }

    /// Returns a form for names of objects and files: lower case, digits and single hyphens,
    /// at most `max` characters, never empty.
    pub fn slug(&self, max: usize) -> String {
        let mut out = String::new();
        for c in self.0.chars() {
            let c = c.to_ascii_lowercase();
            if c.is_ascii_alphanumeric() {
                out.push(c);
            } else if !out.is_empty() && !out.ends_with('-') {
                out.push('-');
            }
        }
        out.truncate(max);
        let out = out.trim_matches('-');
        if out.is_empty() {
            "x".to_owned()
        } else {
            out.to_owned()
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for Address {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The name of one connection, `SYSTEM.NAME`: `kubernetes.site` of
/// `provider "kubernetes" "site"`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnId(Arc<str>);

impl ConnId {
    /// Makes a connection id from its text.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(Arc::from(text.as_ref()))
    }

    /// Returns the whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the system: `kubernetes` of `kubernetes.site`.
    pub fn system(&self) -> &str {
        self.0.split('.').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_takes_itself_apart() {
        let a = Address::new(r#"data.velero_backup.infra["eu"]"#);
        assert!(a.is_data());
        assert_eq!(a.kind(), "velero_backup");
        assert_eq!(a.name(), "infra");
        assert_eq!(a.block().as_str(), "data.velero_backup.infra");
        assert_eq!(a.slug(63), "data-velero-backup-infra-eu");
    }
}
