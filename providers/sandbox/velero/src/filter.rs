//! Which names are included and excluded.

use regex::Regex;

/// Names that are included and excluded; both may be patterns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    includes: Vec<String>,
    excludes: Vec<String>,
}

impl Filter {
    pub(crate) fn new(includes: Vec<String>, excludes: Vec<String>) -> Self {
        Self { includes, excludes }
    }

    pub(crate) fn includes(&self, name: &str) -> bool {
        let is_one = |patterns: &[String]| patterns.iter().any(|pattern| is_like(pattern, name));
        !is_one(&self.excludes) && (self.includes.is_empty() || is_one(&self.includes))
    }

    /// Whether nothing at all is filtered. An exclusion of something that is not there counts too.
    pub(crate) fn is_everything(&self) -> bool {
        self.excludes.is_empty() && (self.includes.is_empty() || self.includes == ["*"])
    }

    /// Replaces patterns by those of the names that they match, when there are patterns at all.
    ///
    /// # Errors
    ///
    /// When a pattern is none.
    pub(crate) fn expand(&mut self, names: &[&str]) -> Result<(), String> {
        let is_pattern = |name: &String| name.contains(['*', '?', '[']);
        if self.includes.is_empty() || self.includes.iter().any(|name| name == "*") {
            return Ok(());
        }
        if !self.includes.iter().chain(&self.excludes).any(is_pattern) {
            return Ok(());
        }
        if self.excludes.iter().any(|name| name == "*") {
            return Err("wildcard '*' is not allowed in restore excludes".to_owned());
        }
        let expanded = |patterns: &[String]| {
            let mut all = Vec::new();
            for pattern in patterns {
                if is_pattern(pattern) {
                    let found = names.iter().filter(|name| is_like(pattern, name));
                    all.extend(found.map(|name| (*name).to_owned()));
                } else {
                    all.push(pattern.clone());
                }
            }
            all.dedup();
            all
        };
        // Patterns that match nothing leave an empty list, and that includes everything. So does
        // the real server.
        self.includes = expanded(&self.includes);
        self.excludes = expanded(&self.excludes);
        Ok(())
    }
}

/// What is wrong with two such lists.
pub(crate) fn complaints(includes: &[String], excludes: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    if includes.len() > 1 && includes.iter().any(|name| name == "*") {
        found.push(
            "includes list must either contain '*' only, or a non-empty list of items".to_owned(),
        );
    }
    if excludes.iter().any(|name| name == "*") {
        found.push("excludes list cannot contain '*'".to_owned());
    }
    let mut sorted: Vec<&String> = excludes.iter().collect();
    sorted.sort();
    sorted.dedup();
    for name in sorted {
        if includes.contains(name) {
            found.push(format!(
                "excludes list cannot contain an item in the includes list: {name}"
            ));
        }
    }
    found
}

/// Whether a pattern matches a whole text.
pub(crate) fn is_like(pattern: &str, text: &str) -> bool {
    is_like_between(pattern, text, None)
}

/// As [`is_like`], where one `*` does not reach across the separator, but two do.
pub(crate) fn is_like_between(pattern: &str, text: &str, separator: Option<char>) -> bool {
    if !pattern.contains(['*', '?', '[', '{']) {
        return pattern == text;
    }
    let expression = expression(pattern, separator);
    Regex::new(&expression).is_ok_and(|regex| regex.is_match(text))
}

fn expression(pattern: &str, separator: Option<char>) -> String {
    let any = match separator {
        Some(separator) => format!("[^{}]", regex::escape(&separator.to_string())),
        None => ".".to_owned(),
    };
    let mut expression = "^(?s:".to_owned();
    let mut letters = pattern.chars().peekable();
    let (mut is_class, mut depth) = (false, 0_usize);
    while let Some(letter) = letters.next() {
        match letter {
            '*' if letters.next_if_eq(&'*').is_some() => expression += ".*",
            '*' => expression.extend([any.as_str(), "*"]),
            '?' => expression += &any,
            '[' => {
                is_class = true;
                expression.push('[');
                if letters.next_if_eq(&'!').is_some() {
                    expression.push('^');
                }
            }
            ']' if is_class => {
                is_class = false;
                expression.push(']');
            }
            '-' if is_class => expression.push('-'),
            '{' => {
                depth += 1;
                expression += "(?:";
            }
            '}' if depth > 0 => {
                depth -= 1;
                expression.push(')');
            }
            ',' if depth > 0 => expression.push('|'),
            other => expression += &regex::escape(&other.to_string()),
        }
    }
    expression + ")$"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(includes: &[&str], excludes: &[&str]) -> Filter {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Filter::new(owned(includes), owned(excludes))
    }

    #[test]
    fn an_exclusion_counts_even_when_it_hits_nothing() {
        assert!(filter(&[], &[]).is_everything());
        assert!(filter(&["*"], &[]).is_everything());
        assert!(!filter(&["*"], &["kube-system"]).is_everything());
        assert!(!filter(&["shop"], &[]).is_everything());
        assert!(filter(&["*"], &["kube-system"]).includes("shop"));
        assert!(!filter(&["*"], &["kube-system"]).includes("kube-system"));
    }

    #[test]
    fn patterns_become_the_names_that_they_match() {
        let mut one = filter(&["shop*"], &["shop-?log"]);
        one.expand(&["blog", "shop", "shop-blog", "shop-jobs"])
            .expect("expanded");
        assert_eq!(one.includes, ["shop", "shop-blog", "shop-jobs"]);
        assert_eq!(one.excludes, ["shop-blog"]);
        let mut nothing = filter(&["x*"], &[]);
        nothing.expand(&["shop"]).expect("expanded");
        assert!(nothing.includes("shop"));
    }

    #[test]
    fn a_star_stops_at_the_separator() {
        assert!(is_like_between(
            "deployments.*",
            "deployments.apps",
            Some('.')
        ));
        assert!(!is_like_between("*", "deployments.apps", Some('.')));
        assert!(is_like_between("**", "deployments.apps", Some('.')));
        assert!(is_like_between(
            "{pods,jobs.batch}",
            "jobs.batch",
            Some('.')
        ));
        assert!(!is_like("po", "pods"));
    }
}
