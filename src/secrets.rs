//! Opens secrets at the moment of the effect, and scrubs them from whatever is said.
//!
//! Nothing here is ever serialised. The planner has no access: it sees only references.
#![expect(
    clippy::disallowed_methods,
    reason = "secrets live in files and the environment"
)]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

use aho_corasick::AhoCorasick;
use aho_corasick::AhoCorasickKind;
use aho_corasick::MatchKind;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_api::SecretRef;

use crate::spec::Surroundings;

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
    "interactiveMode",
    "kind",
    "last-update",
    "name",
    "namespace",
    "project_id",
    "provider",
    "region",
    "server",
    "tls-server-name",
    "type",
    "user",
    "username",
    "version",
];

/// Values that a line of a document may have and that say nothing.
const SAYS_NOTHING: &[&str] = &["", "[]", "false", "null", "true", "{}", "~"];

/// What stands in the place of a secret.
pub(crate) const HIDDEN: &str = "(secret)";

/// Where secrets are opened.
pub struct Secrets {
    base_dir: PathBuf,
    variables: BTreeMap<String, String>,
    surroundings: Surroundings,
    opened: Mutex<Opened>,
}

/// What is scrubbed.
#[derive(Default)]
struct Opened {
    /// What was remembered, before it was taken apart.
    whole: BTreeSet<String>,
    texts: BTreeSet<String>,
    /// Finds all of them in one pass; made anew when there are more.
    finder: Option<AhoCorasick>,
}

impl Opened {
    /// Finds also those that overlap: one that begins first would hide another that ends last. It is made quickly,
    /// since more secrets are opened all the time.
    fn finder(&mut self) -> Option<AhoCorasick> {
        if self.finder.is_none() {
            let mut builder = AhoCorasick::builder();
            let builder = builder
                .match_kind(MatchKind::Standard)
                .kind(Some(AhoCorasickKind::ContiguousNFA));
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
            surroundings: Surroundings::default(),
            opened: Mutex::default(),
        };
        for text in store.variables.values() {
            store.remember(text);
        }
        store
    }

    /// Says what else could have given a variable that was not.
    #[must_use]
    pub fn in_surroundings(mut self, surroundings: Surroundings) -> Self {
        self.surroundings = surroundings;
        self
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
                let giving = self.surroundings.giving(name);
                missing(format!("give it with `--var`, `--var-file` or {giving}"))
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
        // It stays locked: who remembers the same text meanwhile may rely on it afterwards.
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        // Most are opened once more for each attempt of a step.
        if !opened.whole.insert(text.to_owned()) {
            return;
        }
        let parts = parts(text).into_iter();
        let long = parts.filter(|part| part.len() >= SCRUB_CHARACTERS_MIN);
        opened.texts.extend(long.flat_map(in_all_forms));
        opened.finder = None;
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
        let (mut out, mut from) = (String::new(), 0);
        for secret in found(&finder, text) {
            out.push_str(&text[from..secret.start]);
            out.push_str(HIDDEN);
            from = secret.end;
        }
        out.push_str(&text[from..]);
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

/// Where secrets stand in a text, from its beginning to its end; those that overlap are one.
fn found(finder: &AhoCorasick, text: &str) -> Vec<Range<usize>> {
    let mut all: Vec<_> = finder.find_overlapping_iter(text).collect();
    all.sort_unstable_by_key(|secret| secret.start());
    let mut out: Vec<Range<usize>> = Vec::new();
    for secret in all {
        match out.last_mut() {
            Some(last) if secret.start() < last.end => last.end = last.end.max(secret.end()),
            _ => out.push(secret.range()),
        }
    }
    out
}

/// The parts of a secret that others repeat alone: of a document such as a kubeconfig lines and values, of a URL
/// the password.
fn parts(text: &str) -> Vec<String> {
    let mut out = values_of(text);
    out.push(text.to_owned());
    for line in text.lines().map(str::trim) {
        out.extend(secrets_of(line).into_iter().map(str::to_owned));
        if let Some(password) = password_of(line) {
            out.extend([password.to_owned(), from_url(password)]);
        }
    }
    out
}

/// The line of a document, and its value if that is a secret by itself. What only holds the document together, as
/// `users:` or `kind: Config`, is no secret: it stands in many others.
fn secrets_of(line: &str) -> Vec<&str> {
    let opens = line.trim_end_matches(['{', '[', '|', '>', '-', ' ']);
    if opens.ends_with(':') || line.starts_with("-----") {
        return Vec::new();
    }
    let Some((key, value)) = line.split_once(": ") else {
        return vec![line];
    };
    let value = value.trim_end_matches(',').trim_matches('"');
    // A value in braces or brackets holds others, whatever it is called.
    let holds = value.starts_with(['{', '[']);
    let is_name = is_name(key.trim_start_matches("- ").trim_matches('"')) && !holds;
    if is_name || SAYS_NOTHING.contains(&value) {
        return Vec::new();
    }
    match is_alone(value) {
        true => vec![line, value],
        false => vec![line],
    }
}

/// A text and the forms in which others repeat it.
fn in_all_forms(text: String) -> Vec<String> {
    let mut out = encoded(&text);
    out.extend(quoted(&text));
    out.push(text);
    out
}

/// A text as it stands between quotes: in JSON and what is like it, and in the JSON of programs in Go, which
/// escapes what HTML would read.
fn quoted(text: &str) -> [String; 2] {
    let json = Json::from(text).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let escaped = |c: char| match c {
        '&' | '<' | '>' | '\u{2028}' | '\u{2029}' => format!("\\u{:04x}", u32::from(c)),
        other => other.to_string(),
    };
    let go = json.chars().map(escaped).collect();
    [json, go]
}

/// A text as hex, as a part of a URL, and as a part of any longer text in base64, where each of three places gives
/// another one.
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
        // Only the first and the last character may hold something of what stands around it.
        let all = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
        let part = STANDARD.encode(&bytes)[all].to_owned();
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

/// The long values of a text that is a document in YAML or JSON, as a kubeconfig is: each may be repeated alone.
fn values_of(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    // JSON in which a key stands twice is no YAML.
    let mut open = match serde_json::from_str(text) {
        Ok(document) => vec![document],
        Err(_) => serde_saphyr::from_multiple::<Json>(text).unwrap_or_default(),
    };
    while let Some(value) = open.pop() {
        match value {
            // A block of lines ends with one that others leave out.
            Json::String(text) if is_alone(&text) => out.push(text.trim_end().to_owned()),
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
            "68756e7465722032322f736563726574",
            "68756E7465722032322F736563726574",
            "hunter%2022%2Fsecret",
            "hunter%2022%2fsecret",
        ] {
            assert_eq!(secrets.scrub(said), "(secret)", "{said}");
        }
        // A character that holds something of what stands beside the secret stays.
        for (said, left) in [
            ("a: hunter 22/secret.", "YTog(secret)C4="),
            ("aa: hunter 22/secret.", "YWE6IG(secret)Qu"),
            ("aaa: hunter 22/secret.", "YWFhOiB(secret)Lg=="),
        ] {
            let said = STANDARD.encode(said);
            assert_eq!(secrets.scrub(&said), left, "{said}");
        }
    }

    #[test]
    fn a_secret_is_scrubbed_as_it_stands_between_quotes() {
        let secrets = Secrets::new(Path::new("."), BTreeMap::new());
        secrets.remember(r#"pa"ss\wo<r>d&more"#);
        for said in [
            r#"pa"ss\wo<r>d&more"#,
            r#"pa\"ss\\wo<r>d&more"#,
            r#"pa\"ss\\wo\u003cr\u003ed\u0026more"#,
        ] {
            let said = format!("invalid value \"{said}\"");
            assert_eq!(secrets.scrub(&said), "invalid value \"(secret)\"");
        }
    }

    const KUBECONFIG: &str = "\
apiVersion: v1
kind: Config
preferences: {}
clusters:
- name: site-b
  cluster:
    certificate-authority-data: TFMwdExTMUNSVWRKVGlCRFJWSlVT
    insecure-skip-tls-verify: false
    server: https://b.example:6443
users:
- name: admin
  user:
    token: hunter22hunter22
    client-key-data: |
      c2VjcmV0LWtleS1kYXRh
current-context: b
";

    #[test]
    fn a_value_in_braces_on_a_line_with_others_is_scrubbed_alone() {
        let secrets = Secrets::new(Path::new("."), BTreeMap::new());
        secrets.remember("users:\n- user: {token: hunter22hunter22, username: administrator}\n");
        assert_eq!(
            secrets.scrub("administrator sent hunter22hunter22"),
            "administrator sent (secret)"
        );
        secrets.remember(r#"{"a": {"token": "topsecrettopsecret"}, "b": 1, "b": 2}"#);
        assert_eq!(secrets.scrub("topsecrettopsecret"), "(secret)");
    }

    #[test]
    fn of_a_kubeconfig_what_opens_something_is_scrubbed_and_what_holds_it_together_is_not() {
        let secrets = Secrets::new(Path::new("."), BTreeMap::new());
        secrets.remember(KUBECONFIG);
        let said = format!("# it is\n{}", &KUBECONFIG[..KUBECONFIG.len() - 1]);
        let said = said.replace("current-context: b", "current-context: c");
        let scrubbed = secrets.scrub(&said);
        let hidden = said
            .replace(
                "certificate-authority-data: TFMwdExTMUNSVWRKVGlCRFJWSlVT",
                HIDDEN,
            )
            .replace("token: hunter22hunter22", HIDDEN)
            .replace("c2VjcmV0LWtleS1kYXRh", HIDDEN);
        assert_eq!(scrubbed, hidden);
        assert_eq!(secrets.scrub("Bearer hunter22hunter22"), "Bearer (secret)");
    }

    #[test]
    fn of_a_key_each_line_is_scrubbed_but_what_every_key_begins_with() {
        let secrets = Secrets::new(Path::new("."), BTreeMap::new());
        let (begin, end) = ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----");
        secrets.remember(&format!("{begin}\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n{end}\n"));
        let said = format!("{begin} MIIEvQIBADANBg and kqhkiG9w0BAQEF {end}");
        let left = format!("{begin} (secret) and (secret) {end}");
        assert_eq!(secrets.scrub(&said), left);
    }

    #[test]
    fn a_secret_that_begins_first_hides_none_that_ends_last() {
        let secrets = Secrets::new(Path::new("."), BTreeMap::new());
        secrets.remember("root-hunter");
        secrets.remember("hunter22-and-more");
        assert_eq!(secrets.scrub("a root-hunter22-and-more b"), "a (secret) b");
        assert_eq!(secrets.scrub("root-hunterroot-hunter"), "(secret)(secret)");
    }

    #[test]
    fn what_is_opened_once_more_costs_nothing() {
        let secrets = Secrets::new(Path::new("."), BTreeMap::new());
        secrets.remember("hunter22secret");
        secrets.scrub("a hunter22secret");
        secrets.remember("hunter22secret");
        let is_made = |secrets: &Secrets| secrets.opened.lock().expect("no panic").finder.is_some();
        assert!(is_made(&secrets));
        secrets.remember("hunter33secret");
        assert!(!is_made(&secrets));
        assert_eq!(secrets.scrub("hunter33secret"), "(secret)");
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
