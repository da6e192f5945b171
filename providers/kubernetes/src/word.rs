//! Words that name what is paused: `CronJob`, `Deployment/shop/*`.

use drplan_api::Given;
use drplan_api::is_like;

/// What stands for anything in a name.
const ANYTHING: &str = "*";

/// The kinds that a person can ask for, and their resources.
const KINDS: [(&str, &str); 4] = [
    ("CronJob", "cronjobs.batch"),
    ("Job", "jobs.batch"),
    ("Deployment", "deployments.apps"),
    ("StatefulSet", "statefulsets.apps"),
];

/// One word.
#[derive(Clone, Copy, Debug)]
pub struct Word<'a> {
    resource: &'static str,
    namespace: &'a str,
    name: &'a str,
}

impl<'a> Word<'a> {
    /// Reads a word.
    pub fn parse(text: &'a str) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let (word, namespace, name) = match parts[..] {
            [word] => (word, "*", "*"),
            [word, namespace, name] if !namespace.is_empty() && !name.is_empty() => {
                (word, namespace, name)
            }
            _ => return None,
        };
        let means = |(kind, resource): &&(&str, &'static str)| {
            let plural = resource.split('.').next().unwrap_or(resource);
            [*kind, *resource, plural]
                .iter()
                .any(|w| word.eq_ignore_ascii_case(w))
        };
        let (_, resource) = KINDS.iter().find(means)?;
        Some(Self {
            resource,
            namespace,
            name,
        })
    }

    /// The resource of what it names: `cronjobs.batch`.
    pub(crate) fn resource(&self) -> &'static str {
        self.resource
    }

    /// What it names, as effects name objects.
    pub(crate) fn object(&self) -> String {
        let (plural, group) = self.resource.split_once('.').unwrap_or((self.resource, ""));
        crate::object_name(group, plural, Some(self.namespace), self.name)
    }

    /// Whether it names an object.
    pub fn fits(&self, resource: &str, namespace: &str, name: &str) -> bool {
        resource == self.resource
            && is_like(namespace, self.namespace, ANYTHING)
            && is_like(name, self.name, ANYTHING)
    }
}

/// All words of an argument; those that name nothing were refused by [`check`].
pub(crate) fn all(texts: &[String]) -> Vec<Word<'_>> {
    texts.iter().filter_map(|text| Word::parse(text)).collect()
}

/// Refuses words of an argument that name nothing that can be paused; says what can.
pub fn check(argument: &'static str, given: &mut Given<'_>) {
    let kinds = KINDS.map(|(kind, _)| format!("`{kind}`")).join(", ");
    let hint = format!("write one of {kinds}, alone or as `KIND/NAMESPACE/NAME`");
    let is_word = |text: &str| Word::parse(text).is_some();
    given.each_is(argument, is_word, "name of what can be paused", &hint);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (text, pattern, like) in [
            ("shop", "*", true),
            ("shop", "shop", true),
            ("shop", "s*p", true),
            ("shop-eu-1", "shop-*-1", true),
            ("shop-eu-2", "shop-*-1", false),
            ("a-b-c", "a*b*c", true),
            ("ac", "a*b*c", false),
            ("shopping", "shop", false),
        ] {
            assert_eq!(is_like(text, pattern, ANYTHING), like, "{text} {pattern}");
        }
    }
}
