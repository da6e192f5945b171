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

use aho_corasick::AhoCorasick;
use aho_corasick::MatchKind;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_api::SecretRef;

/// The shortest text that is scrubbed: shorter ones would blot out ordinary words.
const SCRUB_CHARACTERS_MIN: usize = 6;

/// The shortest part of a base64 that is scrubbed.
const BASE64_CHARACTERS_MIN: usize = 8;

/// Keys of documents whose values say what or where something is. They stand in addresses and names that
/// must be shown, and must stay what they are on the way back.
const NAMES: &[&str] = &[
    "apiVersion",
    "cluster",
    "client_email",
    "command",
    "context",
    "current-context",
    "database",
    "dbname",
    "host",
    "hostname",
    "kind",
    "name",
    "namespace",
    "project_id",
    "region",
    "server",
    "tls-server-name",
    "type",
    "user",
    "username",
];

/// What stands in the place of a secret.
const HIDDEN: &str = "(secret)";

/// Where secrets are opened.
pub struct Secrets {
    base_dir: PathBuf,
    variables: BTreeMap<String, String>,
    opened: Mutex<Opened>,
}

/// What is scrubbed.
#[derive(Default)]
struct Opened {
    texts: BTreeSet<String>,
    /// Finds all of them in one pass; made anew when there are more.
    finder: Option<AhoCorasick>,
}

impl Opened {
    /// Prefers the longest of two that begin at one place: a short one may be a part of a longer one.
    fn finder(&mut self) -> Option<AhoCorasick> {
        if self.finder.is_none() {
            let mut builder = AhoCorasick::builder();
            let builder = builder.match_kind(MatchKind::LeftmostLongest);
            // It fails beyond four thousand million patterns, which no memory holds.
            self.finder = builder.build(&self.texts).ok();
        }
        self.finder.clone()
    }
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
        opened.finder = None;
        let mut keep = |text: &str| {
            if text.len() >= SCRUB_CHARACTERS_MIN {
                let all = encoded(text).into_iter().chain([text.to_owned()]);
                opened.texts.extend(all);
            }
        };
        // So a Secret of Kubernetes, and much else, holds it.
        keep(text);
        // A secret of several lines (a kubeconfig) is quoted line by line, a URL by its password.
        for line in text.lines().map(str::trim) {
            keep(line);
            if let Some((key, value)) = line.split_once(": ")
                && !is_name(key.trim_start_matches("- ").trim_matches('"'))
            {
                let value = value.trim_end_matches(',').trim_matches('"');
                if is_alone(value) {
                    keep(value);
                }
            }
            if let Some(password) = password_of(line) {
                keep(password);
                keep(&from_url(password));
            }
        }
        for value in values_of(text) {
            keep(&value);
        }
    }

    /// Replaces every secret that was opened so far. The second net: nothing should hold one.
    pub fn scrub(&self, text: &str) -> String {
        if text.len() < SCRUB_CHARACTERS_MIN {
            return text.to_owned();
        }
        let finder = {
            let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            opened.finder()
        };
        let Some(finder) = finder else {
            return HIDDEN.to_owned();
        };
        let mut out = String::new();
        finder.replace_all_with(text, &mut out, |_, _, out| {
            out.push_str(HIDDEN);
            true
        });
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

/// The forms in which others repeat a text: as hex, as a part of a URL, and as a part of any longer text in
/// base64, where each of three places gives another one.
fn encoded(text: &str) -> Vec<String> {
    let hex: String = text.bytes().map(|b| format!("{b:02x}")).collect();
    let in_url = |escape: fn(u8) -> String| -> String {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        let one = |b: u8| match plain(b) {
            true => char::from(b).to_string(),
            false => escape(b),
        };
        text.bytes().map(one).collect()
    };
    let mut out = vec![
        STANDARD.encode(text),
        hex.to_uppercase(),
        hex,
        in_url(|b| format!("%{b:02X}")),
        in_url(|b| format!("%{b:02x}")),
    ];
    for before in 0..3 {
        let bytes = [&[0; 3][..before], text.as_bytes()].concat();
        let whole = bytes.len() / 3 * 3;
        let part = STANDARD
            .encode(&bytes[..whole])
            .split_off((before * 8).div_ceil(6));
        out.extend(Some(part).filter(|part| part.len() >= BASE64_CHARACTERS_MIN));
    }
    out
}

/// A part of a URL as it is without its escapes.
fn from_url(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| first == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = &behind[2..];
            }
            None => {
                out.push(first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The long values of a text that is JSON, as a kubeconfig may be: each may be repeated alone.
fn values_of(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut open: Vec<Json> = serde_json::from_str(text).into_iter().collect();
    while let Some(value) = open.pop() {
        match value {
            Json::String(text) if is_alone(&text) => out.push(text),
            Json::Array(list) => open.extend(list),
            Json::Object(map) => {
                let told = map
                    .into_iter()
                    .filter(|(key, value)| !(value.is_string() && is_name(key)));
                open.extend(told.map(|(_, value)| value));
            }
            _ => {}
        }
    }
    out
}

/// Whether a key of a document names something.
fn is_name(key: &str) -> bool {
    NAMES.contains(&key)
}

/// Whether a value of a document is a secret by itself, and no word or address of it.
fn is_alone(text: &str) -> bool {
    text.len() >= 2 * SCRUB_CHARACTERS_MIN && !text.starts_with("http")
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
    fn a_secret_is_scrubbed_in_hex_in_a_url_and_inside_of_a_longer_base64() {
        let secrets = Secrets::new(Path::new("."), BTreeMap::new());
        secrets.remember("hunter 22/secret");
        for said in [
            "68756e7465722032322f736563726574".to_owned(),
            "hunter%2022%2Fsecret".to_owned(),
            "hunter%2022%2fsecret".to_owned(),
            STANDARD.encode("a: hunter 22/secret."),
            STANDARD.encode("aa: hunter 22/secret."),
            STANDARD.encode("aaa: hunter 22/secret."),
        ] {
            let scrubbed = secrets.scrub(&said);
            assert!(scrubbed.contains("(secret)"), "{said}: {scrubbed}");
        }
    }

    #[test]
    fn a_password_that_a_url_escapes_is_scrubbed_as_it_is_too() {
        let given = BTreeMap::from([("u".to_owned(), "postgres://me:hunter%2F22@h/db".to_owned())]);
        let secrets = Secrets::new(Path::new("."), given);
        let said = secrets.scrub("no access for hunter/22");
        assert!(!said.contains("hunter/22"), "{said}");
    }

    #[test]
    fn each_long_value_of_a_document_is_a_secret_by_itself() {
        let secrets = Secrets::new(Path::new("."), BTreeMap::new());
        secrets.remember(r#"{"users":[{"user":{"token":"hunter22hunter22"}}]}"#);
        assert_eq!(
            secrets.scrub("you showed hunter22hunter22"),
            "you showed (secret)"
        );
    }

    #[test]
    fn what_names_something_in_a_document_stays_what_it_is() {
        let secrets = Secrets::new(Path::new("."), BTreeMap::new());
        secrets.remember(r#"{"host":"db.site-a.internal","password":"hunter22hunter22"}"#);
        secrets.remember("server: db.site-b.internal\ntoken: hunter33hunter33\n");
        let said = "db.site-a.internal, db.site-b.internal, hunter22hunter22, hunter33hunter33";
        assert_eq!(
            secrets.scrub(said),
            "db.site-a.internal, db.site-b.internal, (secret), (secret)"
        );
    }

    #[test]
    fn of_two_secrets_at_one_place_the_longer_one_goes_whole() {
        let secrets = Secrets::new(Path::new("."), BTreeMap::new());
        secrets.remember("hunter22");
        secrets.remember("hunter22-and-more");
        assert_eq!(secrets.scrub("a hunter22-and-more b"), "a (secret) b");
    }

    #[test]
    fn a_password_inside_a_url_is_scrubbed_alone_and_with_its_url() {
        let given = BTreeMap::from([("u".to_owned(), "postgres://me:hunter22@h/db".to_owned())]);
        let secrets = Secrets::new(Path::new("."), given);
        let said = secrets.scrub("refused: hunter22 at postgres://me:hunter22@h/db");
        assert!(!said.contains("hunter22"), "{said}");
    }
}
