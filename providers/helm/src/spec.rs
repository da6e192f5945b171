//! The arguments of a release and the payload of its step. Pure.

use std::time::Duration;

use drplan_api::Address;
use drplan_api::Arg;
use drplan_api::Given;
use drplan_api::Json;
use drplan_api::Late;
use drplan_api::Schema;
use drplan_api::Type;
use drplan_api::holes;
use drplan_api::short_hash;
use drplan_kubernetes::NAMESPACE_FORM;
use drplan_kubernetes::is_namespace_name;
use drplan_kubernetes::is_object_name;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;

/// The longest name that Helm takes.
const NAME_CHARACTERS_MAX: usize = 53;
/// How long Helm waits for each of its operations unless the spec says otherwise.
const WAIT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(300);
/// How many of these waits one `helm upgrade` is believed to take: hooks wait too.
const WAITS_BELIEVED: u64 = 2;
/// What is added to that, in seconds: start, download, differing clocks.
const BELIEVED_MORE_S: u64 = 60;

/// What to do with a release that drplan did not install, whose chart and values it cannot compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Existing {
    /// Leave it alone and call it true.
    Keep,
    /// Upgrade it to what the spec says.
    Update,
}

/// Where the chart comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chart {
    /// A folder or archive in the spec's folder, with its digest.
    Path {
        /// Relative to the spec's folder.
        path: String,
        /// What the plan pins.
        digest: String,
    },
    /// A chart of an HTTP repository.
    Named {
        /// The URL of the repository.
        repository: String,
        /// The name in it.
        name: String,
        /// The version.
        version: String,
    },
    /// A chart in an OCI registry.
    Oci {
        /// `oci://HOST/PATH/NAME`.
        reference: String,
        /// The version.
        version: String,
    },
}

impl Chart {
    /// Returns what identifies the content, wherever the spec's folder lies.
    fn identity(&self) -> Json {
        match self {
            Self::Path { digest, .. } => json!(digest),
            other => json!(other),
        }
    }
}

/// One file of values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValuesFile {
    /// Relative to the spec's folder.
    pub path: String,
    /// The YAML in it.
    pub content: String,
}

#[derive(Deserialize)]
struct Tree {
    path: String,
    digest: String,
}

#[derive(Deserialize)]
struct RawSpec {
    name: Option<String>,
    namespace: String,
    create_namespace: Option<bool>,
    chart: Option<Tree>,
    repository: Option<String>,
    chart_name: Option<String>,
    version: Option<String>,
    values: Option<Json>,
    secret_values: Option<Late<Json>>,
    values_files: Option<Vec<ValuesFile>>,
    wait: Option<bool>,
    wait_timeout: Option<String>,
    existing: Option<Existing>,
    helm: Option<String>,
}

/// The decoded arguments.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RawSpec")]
pub struct Spec {
    pub(crate) name: Option<String>,
    pub(crate) namespace: String,
    pub(crate) create_namespace: bool,
    pub(crate) chart: Chart,
    pub(crate) values: Json,
    pub(crate) secret_values: Option<Late<Json>>,
    pub(crate) values_files: Vec<ValuesFile>,
    pub(crate) wait: bool,
    pub(crate) wait_timeout: Duration,
    pub(crate) existing: Option<Existing>,
    pub(crate) helm: String,
}

impl TryFrom<RawSpec> for Spec {
    type Error = String;

    fn try_from(raw: RawSpec) -> Result<Self, String> {
        let chart = chart(raw.chart, raw.repository, raw.chart_name, raw.version)?;
        if let Some(name) = &raw.name
            && (name.is_empty() || name.len() > NAME_CHARACTERS_MAX)
        {
            return Err(format!(
                "`name` must have 1 to {NAME_CHARACTERS_MAX} characters"
            ));
        }
        let values = raw.values.unwrap_or(Json::Null);
        if !(values.is_null() || values.is_object()) {
            return Err("`values` must be an object".to_owned());
        }
        if holes(&values).iter().any(|(_, hole)| hole.secret) {
            return Err(
                "`values` stands in the plan: move what is secret to `secret_values`".to_owned(),
            );
        }
        Ok(Self {
            name: raw.name,
            namespace: raw.namespace,
            create_namespace: raw.create_namespace.unwrap_or(false),
            chart,
            values,
            secret_values: raw.secret_values,
            values_files: raw.values_files.unwrap_or_default(),
            wait: raw.wait.unwrap_or(true),
            wait_timeout: wait_timeout(raw.wait_timeout.as_deref())?,
            existing: raw.existing,
            helm: raw.helm.unwrap_or_else(|| "helm".to_owned()),
        })
    }
}

/// Refuses what can never be right.
pub(crate) fn check(given: &mut Given<'_>) {
    let is_name = |text: &str| text.len() <= NAME_CHARACTERS_MAX && is_object_name(text);
    let hint = format!("it has 1 to {NAME_CHARACTERS_MAX} of a-z, 0-9, `-` and `.`");
    given.is("name", is_name, "name of a release", &hint);
    let what = "name of a namespace";
    given.is("namespace", is_namespace_name, what, NAMESPACE_FORM);
    given.says_something("chart_name");
    given.says_something("version");
    given.says_something("helm");
    let is_repository = |text: &str| {
        // Plugins of Helm read others, such as `s3://` and `git+https://`.
        text.split_once("://")
            .is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty())
    };
    let hint = "write `https://…` with `chart_name`, or the whole reference `oci://…`";
    given.is("repository", is_repository, "URL of charts", hint);
    check_chart(given);
    if given
        .text("wait_timeout")
        .is_some_and(|text| wait_timeout(Some(text)).is_err())
    {
        let because = "`wait_timeout` is no length of time of at least a second";
        given.refuse("wait_timeout", because, Some("write for example \"5m\""));
    }
    if given
        .get("values")
        .is_some_and(|values| !values.is_object())
    {
        given.refuse("values", "`values` must be an object", None);
    }
}

/// There are three ways to say where a chart is, and they do not mix.
fn check_chart(given: &mut Given<'_>) {
    given.not_both("chart", "repository");
    given.not_both("chart", "chart_name");
    if !given.has("chart") && !given.has("repository") {
        let hint =
            "give `chart` (a path), `repository` and `chart_name`, or `repository = \"oci://…\"`";
        given.refuse("chart", "nothing says where the chart is", Some(hint));
    }
    if given.get("chart").is_some() && given.get("version").is_some() {
        let because = "a chart in the spec's folder has its own version";
        given.refuse("version", because, Some("remove `version`"));
    }
    if given.get("repository").is_some() && !given.has("version") {
        let hint = "add `version`, so that the chart stays the same one";
        given.refuse("repository", "the chart is not pinned", Some(hint));
    }
    match given
        .text("repository")
        .map(|text| text.starts_with("oci://"))
    {
        Some(true) if given.get("chart_name").is_some() => {
            let because = "a reference `oci://…` names the chart already";
            given.refuse("chart_name", because, Some("remove `chart_name`"));
        }
        Some(false) if !given.has("chart_name") => {
            let because = "`repository` does not say which of its charts";
            given.refuse("repository", because, Some("add `chart_name`"));
        }
        _ => {}
    }
}

fn wait_timeout(text: Option<&str>) -> Result<Duration, String> {
    let Some(text) = text else {
        return Ok(WAIT_TIMEOUT_DEFAULT);
    };
    drplan_api::length(text)
        .filter(|length| length.as_secs() > 0)
        .ok_or_else(|| format!("`wait_timeout` is `{text}`; write a length of time such as \"5m\""))
}

fn chart(
    tree: Option<Tree>,
    repository: Option<String>,
    name: Option<String>,
    version: Option<String>,
) -> Result<Chart, String> {
    let pinned = || {
        version
            .clone()
            .ok_or("pin the chart with `version`, so that it stays the same one")
    };
    match (tree, repository, name) {
        (Some(tree), None, None) if version.is_none() => Ok(Chart::Path {
            path: tree.path,
            digest: tree.digest,
        }),
        (Some(_), None, None) => {
            Err("a chart in the spec's folder has its own version: remove `version`".to_owned())
        }
        (None, Some(reference), None) if reference.starts_with("oci://") => Ok(Chart::Oci {
            reference,
            version: pinned()?,
        }),
        (None, Some(repository), Some(name)) if !repository.starts_with("oci://") => {
            Ok(Chart::Named {
                repository,
                name,
                version: pinned()?,
            })
        }
        _ => Err(
            "say where the chart is in one of three ways: `chart` (a path), `repository` and \
                  `chart_name`, or `repository = \"oci://…\"` with the whole reference"
                .to_owned(),
        ),
    }
}

impl Spec {
    /// Returns the name of the release: the argument, else what the address says.
    pub(crate) fn release(&self, address: &Address) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => {
                let text = address.as_str();
                let instance = text.split_once('.').map_or(text, |(_, name)| name);
                Address::new(instance).slug(NAME_CHARACTERS_MAX)
            }
        }
    }

    /// Returns the hash of everything that makes the release another one. Of secret values only the
    /// names count: a plan never holds a secret, nor a digest of one.
    pub(crate) fn hash(&self) -> String {
        let secret = self.secret_values.as_ref().map(|late| {
            let mut shape = serde_json::to_value(late).unwrap_or(Json::Null);
            for (at, _) in holes(&shape) {
                if let Some(place) = shape.pointer_mut(&at) {
                    *place = Json::Null;
                }
            }
            shape
        });
        let contents: Vec<_> = self.values_files.iter().map(|f| &f.content).collect();
        short_hash(&json!([
            self.chart.identity(),
            self.values,
            contents,
            secret
        ]))
    }
}

/// The payload of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Op {
    /// The name of the release.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Whether Helm makes the namespace.
    pub create_namespace: bool,
    /// The chart.
    pub chart: Chart,
    /// The hash of chart and values.
    pub want: String,
    /// Values of the spec; null for none.
    pub values: Json,
    /// Files of values, which come before `values`.
    pub values_files: Vec<ValuesFile>,
    /// Secret values, which come last.
    pub secret_values: Option<Late<Json>>,
    /// Whether Helm waits until everything is ready.
    pub wait: bool,
    /// How long it waits, in seconds.
    pub wait_timeout_s: u64,
    /// The program.
    pub helm: String,
}

impl Op {
    /// Returns how long one `helm upgrade` is believed to take at most, in seconds.
    pub(crate) fn believed_s(&self) -> u64 {
        self.wait_timeout_s
            .saturating_mul(WAITS_BELIEVED)
            .saturating_add(BELIEVED_MORE_S)
    }

    pub(crate) fn of(spec: &Spec, address: &Address) -> Self {
        Self {
            name: spec.release(address),
            namespace: spec.namespace.clone(),
            create_namespace: spec.create_namespace,
            chart: spec.chart.clone(),
            want: spec.hash(),
            values: spec.values.clone(),
            values_files: spec.values_files.clone(),
            secret_values: spec.secret_values.clone(),
            wait: spec.wait,
            wait_timeout_s: spec.wait_timeout.as_secs(),
            helm: spec.helm.clone(),
        }
    }
}

pub(crate) fn schema() -> Schema {
    let args = vec![
        Arg::optional("chart", Type::Tree, "A chart in the spec's folder: a folder or an archive."),
        Arg::optional(
            "repository",
            Type::String,
            "The URL of a chart repository, with `chart_name`; or a whole reference `oci://HOST/PATH/NAME`.",
        ),
        Arg::optional("chart_name", Type::String, "The chart's name in the repository."),
        Arg::optional("version", Type::String, "The chart's version; required with `repository`."),
        Arg::required("namespace", Type::String, "Where the release lives."),
        Arg::optional("name", Type::String, "The release's name; the resource's by default."),
        Arg::optional(
            "create_namespace",
            Type::Bool,
            "Whether Helm makes the namespace if it is not there; false by default.",
        ),
        Arg::optional("values", Type::Any, "Values, which win over `values_files`. No secrets."),
        Arg::optional("values_files", Type::Files, "Files of values; later ones win."),
        Arg::optional(
            "secret_values",
            Type::Any,
            "Values with secrets, which win over all others. Only their names are compared: to roll out \
             a new secret alone, change something in `values` too.",
        )
        .late(),
        Arg::optional(
            "wait",
            Type::Bool,
            "Whether the step ends only when what the chart made is ready; true by default.",
        ),
        Arg::optional(
            "wait_timeout",
            Type::Duration,
            "How long Helm waits for each of its operations; 5 minutes by default.",
        ),
        Arg::optional(
            "existing",
            Type::OneOf(&["keep", "update"]),
            "What to do with a release that drplan did not install and therefore cannot compare: \
             leave it as it is, or upgrade it. Without this, such a release is a conflict.",
        ),
        Arg::optional(
            "helm",
            Type::String,
            "The program, `helm` on the PATH by default; a relative path with a slash starts at the \
             spec's folder. Helm 3.13 or newer.",
        ),
    ];
    let exports = vec![
        ("revision", "The revision that is deployed."),
        (
            "app_version",
            "The version of the application, as far as a label can hold it; only if drplan installed it.",
        ),
    ];
    Schema { args, exports }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(args: Json) -> Result<Spec, String> {
        serde_json::from_value(args).map_err(|e| e.to_string())
    }

    fn hash(extra: Json) -> String {
        let mut args = json!({"namespace": "a", "chart": {"path": "c", "digest": "d"}});
        for (key, value) in extra.as_object().into_iter().flatten() {
            args[key] = value.clone();
        }
        spec(args).expect("arguments").hash()
    }

    #[test]
    fn a_chart_is_given_in_exactly_one_of_three_ways() {
        let tree = json!({"path": "c", "digest": "d"});
        for (args, good) in [
            (json!({"chart": tree}), true),
            (json!({"chart": tree, "version": "1.0.0"}), false),
            (
                json!({"chart": tree, "repository": "https://charts.example"}),
                false,
            ),
            (
                json!({"repository": "https://charts.example", "chart_name": "x"}),
                false,
            ),
            (
                json!({"repository": "https://charts.example", "chart_name": "x", "version": "1.0.0"}),
                true,
            ),
            (
                json!({"repository": "https://charts.example", "version": "1.0.0"}),
                false,
            ),
            (
                json!({"repository": "oci://reg.example/x", "version": "1.0.0"}),
                true,
            ),
            (
                json!({"repository": "oci://reg.example/x", "chart_name": "x", "version": "1.0.0"}),
                false,
            ),
            (json!({}), false),
        ] {
            let mut args = args;
            args["namespace"] = "a".into();
            assert_eq!(spec(args.clone()).is_ok(), good, "{args}");
        }
    }

    #[test]
    fn the_hash_sees_chart_and_values_and_neither_waiting_nor_holes() {
        let plain = hash(json!({}));
        assert_eq!(
            plain,
            hash(json!({"wait": false, "wait_timeout": "1m", "helm": "./helm"}))
        );
        assert_eq!(
            plain,
            hash(json!({"chart": {"path": "elsewhere", "digest": "d"}}))
        );
        assert_ne!(plain, hash(json!({"chart": {"path": "c", "digest": "e"}})));
        assert_ne!(plain, hash(json!({"values": {"a": 1}})));
        assert_ne!(
            plain,
            hash(json!({"values_files": [{"path": "v", "content": "a: 1"}]}))
        );
        let hole = |expr| json!({"secret_values": {"password": {"$hole": {"expr": expr, "secret": true, "after": []}}}});
        assert_eq!(hash(hole(3)), hash(hole(9)));
        assert_ne!(plain, hash(hole(3)));
    }

    #[test]
    fn a_secret_among_the_plain_values_is_refused() {
        let hole = json!({"$hole": {"expr": 1, "secret": true, "after": []}});
        let chart = json!({"path": "c", "digest": "d"});
        let error =
            spec(json!({"namespace": "a", "chart": chart, "values": {"db": {"password": hole}}}));
        assert!(error.expect_err("a secret").contains("`secret_values`"));
    }

    #[test]
    fn a_release_is_named_after_its_resource_and_instance() {
        let args = json!({"namespace": "a", "chart": {"path": "c", "digest": "d"}});
        let spec = spec(args).expect("arguments");
        let named = |address| spec.release(&Address::new(address));
        assert_eq!(named("helm_release.web_shop"), "web-shop");
        assert_eq!(named(r#"helm_release.web["eu"]"#), "web-eu");
    }
}
