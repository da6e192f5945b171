//! Opens secrets at the moment of the effect, and scrubs them from whatever is said.
//!
//! Nothing here is ever serialised. The planner has no access: it sees only references.
#![expect(
    clippy::disallowed_methods,
    reason = "secrets live in files and the environment"
)]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_api::SecretRef;

/// The shortest text that is scrubbed: shorter ones would blot out ordinary words.
const SCRUB_CHARACTERS_MIN: usize = 6;

/// Where secrets are opened.
pub struct Secrets {
    base_dir: PathBuf,
    variables: BTreeMap<String, String>,
    opened: Mutex<BTreeSet<String>>,
}

impl Secrets {
    /// Makes a store for the sensitive variables that were given; files start at the spec's folder.
    pub fn new(base_dir: &Path, variables: BTreeMap<String, String>) -> Self {
        let store = Self {
            base_dir: base_dir.to_owned(),
            variables,
            opened: Mutex::default(),
        };
        for text in store.variables.values() {
            store.remember(text);
        }
        store
    }

    /// Tells whether a sensitive variable was given.
    pub fn has_variable(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// Opens a secret.
    ///
    /// # Errors
    ///
    /// If it is not there; the error names the reference only.
    pub fn open(&self, reference: &SecretRef) -> Result<String, ProviderError> {
        let missing =
            |hint: String| ProviderError::missing_secret(reference.to_string()).hint(hint);
        let read = |path: &str| {
            std::fs::read_to_string(self.base_dir.join(path))
                .map_err(|e| ProviderError::missing_secret(reference.to_string()).caused_by(&e))
        };
        let text = match reference {
            SecretRef::Variable(name) => self.variables.get(name).cloned().ok_or_else(|| {
                missing(format!(
                    "give it with DRPLAN_VAR_{name}, `--var` or `--var-file`"
                ))
            })?,
            SecretRef::Env(name) => std::env::var(name)
                .map_err(|_| missing(format!("set {name} in the environment")))?,
            SecretRef::File(path) => read(path)?.trim_end_matches('\n').to_owned(),
            SecretRef::JsonFile(path, at) => {
                let json: Json = serde_json::from_str(&read(path)?)
                    .map_err(|_| missing("the file is not JSON".to_owned()))?;
                match json.pointer(at) {
                    Some(Json::String(text)) => text.clone(),
                    Some(other) => other.to_string(),
                    None => return Err(missing("the file has nothing at that place".to_owned())),
                }
            }
        };
        self.remember(&text);
        Ok(text)
    }

    /// Remembers a value that was made of secrets, so that it is scrubbed too.
    pub fn remember(&self, text: &str) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        // So a Secret of Kubernetes, and much else, holds it.
        if text.len() >= SCRUB_CHARACTERS_MIN {
            opened.insert(STANDARD.encode(text));
        }
        // A secret of several lines (a kubeconfig) is quoted line by line, a URL by its password.
        for line in text
            .lines()
            .map(str::trim)
            .filter(|l| l.len() >= SCRUB_CHARACTERS_MIN)
        {
            opened.insert(line.to_owned());
            if let Some((_, value)) = line.split_once(": ")
                && value.len() >= 2 * SCRUB_CHARACTERS_MIN
                && !value.starts_with("http")
            {
                opened.insert(value.to_owned());
            }
            if let Some(password) = password_of(line) {
                opened.insert(password.to_owned());
            }
        }
    }

    /// Replaces every secret that was opened so far. The second net: nothing should hold one.
    pub fn scrub(&self, text: &str) -> String {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = text.to_owned();
        // The longest first: a short one may be a part of a longer one.
        let mut longest: Vec<&String> = opened.iter().collect();
        longest.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        for secret in longest {
            if out.contains(secret.as_str()) {
                out = out.replace(secret.as_str(), "(secret)");
            }
        }
        out
    }

    /// Takes every secret out of an error.
    pub fn scrub_error(&self, mut error: ProviderError) -> ProviderError {
        error.hint = error.hint.map(|h| self.scrub(&h));
        error.target = self.scrub(&error.target);
        error.during = self.scrub(&error.during);
        error.why = error.why.iter().map(|w| self.scrub(w)).collect();
        error
    }

    /// Takes every secret out of the texts of a value, the names in it included.
    pub fn scrub_json(&self, value: &Json) -> Json {
        match value {
            Json::String(text) => Json::String(self.scrub(text)),
            Json::Array(list) => list.iter().map(|v| self.scrub_json(v)).collect(),
            Json::Object(map) => map
                .iter()
                .map(|(name, v)| (self.scrub(name), self.scrub_json(v)))
                .collect(),
            other => other.clone(),
        }
    }
}

/// The password in `scheme://user:password@host`.
fn password_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let (login, _) = rest.rsplit_once('@')?;
    let (_, password) = login.split_once(':')?;
    (password.len() >= SCRUB_CHARACTERS_MIN).then_some(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_scrubbed_as_it_is_and_in_base64() {
        let secrets = Secrets::new(Path::new("."), BTreeMap::new());
        secrets.remember("hunter22secret");
        let json = serde_json::json!({"hunter22secret": ["aHVudGVyMjJzZWNyZXQ=", 7]});
        assert_eq!(
            secrets.scrub_json(&json),
            serde_json::json!({"(secret)": ["(secret)", 7]})
        );
    }

    #[test]
    fn a_password_inside_a_url_is_scrubbed_alone_and_with_its_url() {
        let given = BTreeMap::from([("u".to_owned(), "postgres://me:hunter22@h/db".to_owned())]);
        let secrets = Secrets::new(Path::new("."), given);
        let said = secrets.scrub("refused: hunter22 at postgres://me:hunter22@h/db");
        assert!(!said.contains("hunter22"), "{said}");
    }
}
