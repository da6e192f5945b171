//! What a path asks for: a resource, an object, a subresource, or something beside the resources.

use std::borrow::Cow;

/// What stands behind `/api` and `/apis`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    /// The API group; empty for the core group.
    pub(crate) group: String,
    /// The version.
    pub(crate) version: String,
    /// The namespace; for a Namespace itself, its own name.
    pub(crate) namespace: Option<String>,
    /// The plural name of the resource.
    pub(crate) resource: String,
    /// The object's name.
    pub(crate) name: Option<String>,
    /// The subresource, such as `status`.
    pub(crate) subresource: Option<String>,
    /// Whether `watch` stood before the resource, as old clients ask for watches.
    pub(crate) old_watch: bool,
}

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// A resource.
    Resource(Target),
    /// Anything else: discovery, health, schemas.
    Other,
}

impl Path {
    /// Takes a path apart, as it stands in the request.
    pub(crate) fn parse(path: &str) -> Self {
        // An escaped slash is a slash: the real server takes the path apart after decoding it.
        let path = decoded(path);
        let parts: Vec<String> = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        let (group, rest) = match parts.as_slice() {
            [first, rest @ ..] if first == "api" => (String::new(), rest),
            [first, group, rest @ ..] if first == "apis" => (group.clone(), rest),
            _ => return Self::Other,
        };
        let [version, rest @ ..] = rest else {
            return Self::Other;
        };
        let mut target = Target {
            group,
            version: version.clone(),
            ..Target::default()
        };
        let (old_watch, rest) = match rest {
            [first, more @ ..] if first == "watch" && !more.is_empty() => (true, more),
            more => (false, more),
        };
        target.old_watch = old_watch;
        let rest = match rest {
            [] => return Self::Other,
            [spaces, namespace, rest @ ..] if spaces == "namespaces" => {
                target.namespace = Some(namespace.clone());
                match rest {
                    // The Namespace itself, or what hangs on it.
                    [] => &parts[parts.len() - 2..],
                    [sub] if matches!(sub.as_str(), "status" | "finalize") => {
                        &parts[parts.len() - 3..]
                    }
                    more => more,
                }
            }
            more => more,
        };
        match rest {
            [resource] => target.resource.clone_from(resource),
            [resource, name] => {
                target.resource.clone_from(resource);
                target.name = Some(name.clone());
            }
            [resource, name, sub @ ..] => {
                target.resource.clone_from(resource);
                target.name = Some(name.clone());
                target.subresource = Some(sub.join("/"));
            }
            [] => return Self::Other,
        }
        Self::Resource(target)
    }
}

fn decoded(path: &str) -> String {
    if !path.contains('%') {
        return path.to_owned();
    }
    // A path has no form encoding, in which these three would be signs.
    let escaped = path
        .replace('+', "%2B")
        .replace('&', "%26")
        .replace('=', "%3D");
    url::form_urlencoded::parse(escaped.as_bytes())
        .next()
        .map_or(Cow::Borrowed(path), |(name, _)| name)
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(path: &str) -> String {
        match Path::parse(path) {
            Path::Other => "-".to_owned(),
            Path::Resource(t) => format!(
                "{}/{} {} {} {} {}",
                t.group,
                t.version,
                t.namespace.as_deref().unwrap_or("-"),
                t.resource,
                t.name.as_deref().unwrap_or("-"),
                t.subresource.as_deref().unwrap_or("-"),
            ),
        }
    }

    #[test]
    fn paths_name_what_they_name_on_the_real_server() {
        let table = [
            ("/api/v1/namespaces", "/v1 - namespaces - -"),
            ("/api/v1/namespaces/a", "/v1 a namespaces a -"),
            (
                "/api/v1/namespaces/a/finalize",
                "/v1 a namespaces a finalize",
            ),
            ("/api/v1/namespaces/a/pods", "/v1 a pods - -"),
            ("/api/v1/namespaces/a/pods/p/log", "/v1 a pods p log"),
            ("/api/v1/pods", "/v1 - pods - -"),
            (
                "/apis/apps/v1/namespaces/a/deployments/d",
                "apps/v1 a deployments d -",
            ),
            ("/apis/x.io/v1/things/t/status", "x.io/v1 - things t status"),
            ("/api/v1/namespaces/a/secrets/a%3Ab", "/v1 a secrets a:b -"),
            ("/api/v1/namespaces/a/secrets/a%2Fb", "/v1 a secrets a b"),
            ("/api/v1/watch/namespaces/a/pods", "/v1 a pods - -"),
            ("/api/v1", "-"),
            ("/apis/apps", "-"),
            ("/version", "-"),
        ];
        for (path, expected) in table {
            assert_eq!(shown(path), expected, "{path}");
        }
    }
}
