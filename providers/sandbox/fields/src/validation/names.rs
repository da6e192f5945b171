//! What names, labels and keys may be, and what is said when they are not.

const SUBDOMAIN_MAX: usize = 253;
const LABEL_MAX: usize = 63;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SERVICE: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

/// What a name is used for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Subdomain,
    Label,
    Service,
    /// Part of a path.
    Segment,
}

fn too_long(text: &str, max: usize) -> Option<String> {
    (text.len() > max).then(|| format!("must be no more than {max} bytes"))
}

fn is_lower(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

fn is_label(text: &str) -> bool {
    text.starts_with(is_lower)
        && text.ends_with(is_lower)
        && text.chars().all(|c| is_lower(c) || c == '-')
}

fn is_name_part(text: &str) -> bool {
    let ends = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(ends)
        && text.ends_with(ends)
        && text.chars().all(|c| ends(c) || "-_.".contains(c))
}

/// What is wrong with a name.
pub(super) fn name(rule: Rule, text: &str) -> Vec<String> {
    let (fits, detail, max) = match rule {
        Rule::Subdomain => (text.split('.').all(is_label), SUBDOMAIN, SUBDOMAIN_MAX),
        Rule::Label => (is_label(text), LABEL, LABEL_MAX),
        Rule::Service => (
            is_label(text) && text.starts_with(|c: char| c.is_ascii_lowercase()),
            SERVICE,
            LABEL_MAX,
        ),
        Rule::Segment => return segment(text),
    };
    let mut wrong: Vec<_> = too_long(text, max).into_iter().collect();
    if !fits {
        wrong.push(detail.to_owned());
    }
    wrong
}

fn segment(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text == "." || text == ".." {
        wrong.push(format!("may not be '{text}'"));
    }
    for part in ["/", "%"].into_iter().filter(|part| text.contains(part)) {
        wrong.push(format!("may not contain '{part}'"));
    }
    wrong
}

/// What is wrong with the key of a label or annotation, or with a finalizer.
pub(super) fn qualified(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let (prefix, name) = match text.split_once('/') {
        None => (None, text),
        Some((_, rest)) if rest.contains('/') => {
            let detail = "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            return vec![detail.to_owned()];
        }
        Some((prefix, name)) => (Some(prefix), name),
    };
    if let Some(prefix) = prefix {
        if prefix.is_empty() {
            wrong.push("prefix part must be non-empty".to_owned());
        } else {
            let parts = self::name(Rule::Subdomain, prefix);
            wrong.extend(
                parts
                    .into_iter()
                    .map(|detail| format!("prefix part {detail}")),
            );
        }
    }
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    }
    wrong.extend(too_long(name, LABEL_MAX).map(|detail| format!("name part {detail}")));
    if !is_name_part(name) {
        wrong.push(QUALIFIED.to_owned());
    }
    wrong
}

/// What is wrong with the value of a label.
pub(super) fn label_value(text: &str) -> Vec<String> {
    let mut wrong: Vec<_> = too_long(text, LABEL_MAX).into_iter().collect();
    if !text.is_empty() && !is_name_part(text) {
        wrong.push(LABEL_VALUE.to_owned());
    }
    wrong
}

/// What is wrong with a key of a ConfigMap or Secret.
pub(super) fn config_key(text: &str) -> Option<String> {
    let fits = !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    match text {
        _ if !fits => Some(CONFIG_KEY.to_owned()),
        "." | ".." => Some(format!("must not be '{text}'")),
        _ => too_long(text, SUBDOMAIN_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule_of_their_kind() {
        for (rule, good, bad) in [
            (Rule::Subdomain, "a.b-c", "A"),
            (Rule::Subdomain, "0", "a..b"),
            (Rule::Label, "a-1", "a.b"),
            (Rule::Service, "a1", "1a"),
            (Rule::Segment, "system:x", "a/b"),
        ] {
            assert!(name(rule, good).is_empty(), "{good}");
            assert!(!name(rule, bad).is_empty(), "{bad}");
        }
        assert!(qualified("example.com/My_name").is_empty());
        assert_eq!(qualified("a/b/c").len(), 1);
        assert!(label_value("").is_empty() && !label_value("-").is_empty());
        assert!(config_key("a.b_C").is_none() && config_key("a b").is_some());
    }
}
