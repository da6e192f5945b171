//! Values of records: the form in which they are sent, and the form in which they are compared.

use std::net::IpAddr;

use crate::name;

/// The longest string inside a TXT value, in bytes.
const TXT_STRING_BYTES_MAX: usize = 255;

/// Returns the form in which a value of the spec is sent. A bare text becomes quoted strings.
pub(crate) fn wire(rtype: &str, text: &str) -> String {
    let text = text.trim();
    if !matches!(rtype, "TXT" | "SPF") || text.starts_with('"') {
        return text.to_owned();
    }
    let mut strings: Vec<String> = Vec::new();
    let mut string = String::new();
    for c in text.chars() {
        if string.len() + c.len_utf8() > TXT_STRING_BYTES_MAX {
            strings.push(std::mem::take(&mut string));
        }
        string.push(c);
    }
    strings.push(string);
    let quoted: Vec<String> = strings
        .iter()
        .map(|string| format!("\"{}\"", string.replace('\\', "\\\\").replace('"', "\\\"")))
        .collect();
    quoted.join(" ")
}

/// Returns the form in which values are compared: equal texts answer equally.
pub(crate) fn canonical(rtype: &str, text: &str) -> String {
    let text = text.trim();
    match rtype {
        "A" | "AAAA" => text
            .parse::<IpAddr>()
            .map_or_else(|_| text.to_owned(), |ip| ip.to_string()),
        "CNAME" | "NS" | "PTR" => name_or_text(text),
        "MX" | "SRV" => {
            let mut fields: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            if let Some(last) = fields.last_mut() {
                *last = name_or_text(last);
            }
            fields.join(" ")
        }
        "TXT" | "SPF" => joined_strings(&wire(rtype, text)),
        _ => text.to_owned(),
    }
}

fn name_or_text(text: &str) -> String {
    name::canonical(text).unwrap_or_else(|_| text.to_owned())
}

/// Takes quotes and escapes off. Clients join the strings of one value, so they are joined here.
fn joined_strings(quoted: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => inside = !inside,
            '\\' if inside => out.extend(chars.next()),
            c if inside => out.push(c),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_answer_equally_compare_equal() {
        for (rtype, a, b, equal) in [
            ("A", "10.0.0.1", " 10.0.0.1 ", true),
            ("A", "10.0.0.1", "10.0.0.2", false),
            ("AAAA", "2001:db8:0:0::1", "2001:DB8::1", true),
            ("CNAME", "LB.example.com", "lb.example.com.", true),
            ("MX", "10  Mail.example.com", "10 mail.example.com.", true),
            ("MX", "10 mail.example.com", "20 mail.example.com", false),
            ("TXT", "v=1 a\"b", r#""v=1 a\"b""#, true),
            ("TXT", r#""ab" "cd""#, "abcd", true),
            ("TXT", "Ab", "ab", false),
            ("CAA", "0 issue \"ca\"", "0 issue \"ca\"", true),
        ] {
            assert_eq!(
                canonical(rtype, a) == canonical(rtype, b),
                equal,
                "{rtype} {a} {b}"
            );
        }
    }

    #[test]
    fn a_long_text_is_sent_as_several_strings() {
        let sent = wire("TXT", &"x".repeat(300));
        assert_eq!(sent.len(), 300 + 2 + 3);
        assert_eq!(wire("TXT", r#""kept""#), r#""kept""#);
        assert_eq!(wire("A", " 10.0.0.1"), "10.0.0.1");
    }
}
