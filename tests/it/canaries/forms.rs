//! The forms that a secret may leak in: as it is, line by line, encoded, escaped, and a part of it alone.
//!
//! Encodings are told here once more, and not asked from what is tested. The parts find a secret also where
//! somebody escapes the rest of it in a way that nobody thought of.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The shortest part of a secret that is looked for.
const PART_BYTES_MIN: usize = 12;

/// Every text that would give a secret away, with the name of its form.
pub(super) fn forms(secret: &str) -> Vec<(String, Vec<u8>)> {
    let lines = secret.lines().map(str::trim);
    let parts = lines.filter(|line| line.len() >= PART_BYTES_MIN);
    let mut out = Vec::new();
    for part in parts {
        let mut add = |form: &str, bytes: String| out.push((form.to_owned(), bytes.into_bytes()));
        add("plain", part.to_owned());
        add("in a URL", in_a_url(part, false));
        add("in a URL, small letters", in_a_url(part, true));
        add("in hex", hex(part));
        add("in hex, large letters", hex(part).to_uppercase());
        add("in HTML", in_html(part, &HTML));
        add("in XML", in_html(part, &HTML[..3]));
        add("quoted", quoted(part));
        add("quoted by Go", quoted_by_go(part));
        for word in words(part) {
            add("a part", word.to_owned());
        }
        for before in 0..3 {
            add("in base64", in_base64(part, before));
        }
    }
    out
}

/// What of any base64 of a longer text holds this one, so many bytes of three behind a boundary.
fn in_base64(text: &str, before: usize) -> String {
    let bytes = [&vec![0; before][..], text.as_bytes()].concat();
    let whole = bytes.len() / 3 * 3;
    let encoded = STANDARD.encode(&bytes[..whole]);
    // What the bytes before it have a part in is another text each time.
    encoded[(before * 8).div_ceil(6)..].to_owned()
}

fn in_a_url(text: &str, small: bool) -> String {
    let one = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ if small => format!("%{byte:02x}"),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

/// The characters that mean something in HTML; the first three do everywhere in XML.
const HTML: [(char, &str); 5] = [
    ('&', "&amp;"),
    ('<', "&lt;"),
    ('>', "&gt;"),
    ('"', "&quot;"),
    ('\'', "&#39;"),
];

fn in_html(text: &str, entities: &[(char, &str)]) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match entities.iter().find(|(of, _)| *of == c) {
            Some((_, entity)) => out.push_str(entity),
            None => out.push(c),
        }
    }
    out
}

/// As it stands between the quotes of JSON.
pub(super) fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// As Go writes JSON, which is to stand in HTML unharmed.
pub(super) fn quoted_by_go(text: &str) -> String {
    let escaped = [('&', "\\u0026"), ('<', "\\u003c"), ('>', "\\u003e")];
    in_html(&quoted(text), &escaped)
}

/// The words of a text that no encoding of text takes apart, if they are long.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(move |word| word.len() >= PART_BYTES_MIN && *word != text)
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_secret_is_found_in_whatever_it_is_wrapped_in() {
    let secret = "canary+of/the variable";
    let wrapped = [
        secret.to_owned(),
        format!("x{secret}x"),
        STANDARD.encode(secret),
        STANDARD.encode(format!("a{secret}")),
        STANDARD.encode(format!("ab{secret}cd")),
        "https://h/?t=canary%2Bof%2Fthe%20variable&x".to_owned(),
        "63616e6172792b6f662f746865207661726961626c65".to_owned(),
    ];
    assert_found(secret, &wrapped);
    let innocent = forms(secret).iter().any(|(_, form)| holds(b"canary", form));
    assert!(!innocent);
}

#[test]
fn a_secret_is_found_however_it_is_escaped_and_by_a_long_word_of_it() {
    let wrapped = [
        r"<td>it&#39;s &quot;a\b&quot; &amp; &lt;c&gt;</td>",
        r#"<failure>it's "a\b" &amp; &lt;c&gt;</failure>"#,
        r#"{"said": "it's \"a\\b\" & <c>"}"#,
        r#"{"said": "it's \"a\\b\" \u0026 \u003cc\u003e"}"#,
    ];
    assert_found(r#"it's "a\b" & <c>"#, &wrapped.map(str::to_owned));
    let words = ["ALongWordOfIt, in some form", "x ALongWordOfIt it"];
    assert_found("in=ALongWordOfIt&it", &words.map(str::to_owned));
    assert!(
        !forms("short/words/only")
            .iter()
            .any(|(form, _)| form == "a part")
    );
}

fn assert_found(secret: &str, wrapped: &[String]) {
    for text in wrapped {
        let found = forms(secret)
            .iter()
            .any(|(_, form)| holds(text.as_bytes(), form));
        assert!(found, "{text}");
    }
}

/// Whether some bytes hold others.
pub(super) fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
