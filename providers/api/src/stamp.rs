//! The marks that drplan leaves on what it makes, and their limits.
//!
//! Records and buckets cannot carry a mark: for a record its exact value stands in, for a bucket
//! nothing is made.

use crate::short_hash;

/// The recovery: the name of the `recovery` block.
pub const RECOVERY: &str = "drplan.io/recovery";
/// The run that made it.
pub const RUN: &str = "drplan.io/run";
/// The step: the address of the resource.
pub const STEP: &str = "drplan.io/step";
/// Where it came from: the name of a backup.
pub const SOURCE: &str = "drplan.io/source";
/// The hash of the want, as an annotation.
pub const WANT: &str = "drplan.io/want";
/// The field manager of server-side apply.
pub const FIELD_MANAGER: &str = "drplan";

/// The most characters that a Kubernetes label value may have.
const LABEL_CHARACTERS_MAX: usize = 63;

/// Makes any text fit for a Kubernetes label value: other characters become `-`; what is too long
/// keeps its beginning and gets a hash, so that different texts stay different.
pub fn label_value(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let clean: String = text
        .chars()
        .map(|c| if fits(c) { c } else { '-' })
        .collect();
    let trimmed = clean.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if trimmed == text && text.len() <= LABEL_CHARACTERS_MAX {
        return text.to_owned();
    }
    let head: String = trimmed.chars().take(LABEL_CHARACTERS_MAX - 9).collect();
    format!("{head}-{}", short_hash(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_value_fits_and_keeps_different_texts_apart() {
        assert_eq!(label_value("velero_restore.shop"), "velero_restore.shop");
        let a = label_value(&"a".repeat(70));
        let b = label_value(&"a".repeat(71));
        assert!(a.len() <= 63 && b.len() <= 63 && a != b);
        assert!(label_value("x[\"eu\"]").starts_with("x--eu-"));
    }
}
