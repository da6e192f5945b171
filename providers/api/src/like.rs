//! Texts that are alike but for what may be anything.

/// Whether a text is like a pattern in which `any` stands for anything, also for nothing. O(length).
pub fn is_like(text: &str, pattern: &str, any: &str) -> bool {
    let Some((head, rest)) = pattern.split_once(any) else {
        return text == pattern;
    };
    let Some(mut text) = text.strip_prefix(head) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split(any).collect();
    let Some(tail) = parts.pop() else {
        return true;
    };
    for part in parts {
        match text.split_once(part) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    text.ends_with(tail)
}
