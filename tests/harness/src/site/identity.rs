//! Who may call the API server, and with what.
//!
//! Tokens live in the site's own files (mode 0600) and nowhere else.

use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::SiteDir;
use crate::private;

/// A user of a site's API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identity {
    /// The person who prepares and verifies; may do everything.
    Admin,
    /// The recovery under test; holds the ClusterRole `drplan-recovery`.
    Drplan,
    /// Velero's server; holds `cluster-admin`.
    Velero,
    /// Controllers, scheduler and kwok; may do everything.
    Component,
}

impl Identity {
    /// All identities.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Drplan, Self::Velero, Self::Component];

    /// The user name, as the audit log shows it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Drplan => "drplan",
            Self::Velero => "velero",
            Self::Component => "component",
        }
    }

    fn group(self) -> &'static str {
        match self {
            Self::Admin | Self::Component => "system:masters",
            Self::Drplan => "drplan",
            Self::Velero => "velero",
        }
    }
}

/// Writes the token file and a kubeconfig for each identity. Tokens of an existing file are kept,
/// so that a restarted site knows the kubeconfigs that were copied before.
pub(super) fn write(site: &SiteDir, name: &str, port: u16) -> Result<()> {
    let file = site.path().join("config/tokens.csv");
    let known = fs::read_to_string(&file).unwrap_or_default();
    let mut lines = String::new();
    for identity in Identity::ALL {
        let user = identity.name();
        let token = match token_of(&known, user) {
            Some(token) => token.to_owned(),
            None => private::random_word()?,
        };
        lines.push_str(&[&token, user, user, identity.group()].join(","));
        lines.push('\n');
        let text = kubeconfig(name, user, &token, port, &site.ca())?;
        private::write(&site.kubeconfig(identity), text.as_bytes())?;
    }
    private::write(&file, lines.as_bytes())
}

fn token_of<'t>(tokens: &'t str, user: &str) -> Option<&'t str> {
    let mut lines = tokens.lines().map(|line| line.split(','));
    lines.find_map(|mut fields| {
        let token = fields.next()?;
        (fields.next() == Some(user)).then_some(token)
    })
}

/// JSON is YAML too, and every client reads it.
fn kubeconfig(site: &str, user: &str, token: &str, port: u16, ca: &Path) -> Result<String> {
    let ca = fs::read(ca).with_context(|| format!("cannot read `{}`", ca.display()))?;
    let cluster = format!("site-{site}");
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": cluster,
        "clusters": [{"name": cluster, "cluster": {
            "server": format!("https://127.0.0.1:{port}"),
            "certificate-authority-data": STANDARD.encode(ca),
        }}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": user}}],
    });
    Ok(serde_json::to_string_pretty(&config)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_user() {
        let tokens = "aa,admin,admin,system:masters\nbb,drplan,drplan,drplan\n";
        assert_eq!(token_of(tokens, "drplan"), Some("bb"));
        assert_eq!(token_of(tokens, "velero"), None);
    }
}
