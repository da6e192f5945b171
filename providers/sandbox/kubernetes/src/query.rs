//! The query parameters of requests.

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::failure::Failure;
use crate::failure::Outcome;
use crate::failure::field_error;

/// What a query asks for. Unknown parameters are ignored, as in life.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    /// A stream of changes instead of a list.
    pub(crate) watch: bool,
    /// The most objects in a page; zero is no limit.
    pub(crate) limit: usize,
    /// Where the last page ended.
    pub(crate) after: String,
    pub(crate) label_selector: String,
    pub(crate) field_selector: String,
    pub(crate) resource_version: String,
    pub(crate) resource_version_match: String,
    /// When a watch ends.
    pub(crate) timeout: Option<Duration>,
    pub(crate) bookmarks: bool,
    pub(crate) initial_events: Option<bool>,
    dry_run: Vec<String>,
    pub(crate) field_manager: String,
    pub(crate) field_validation: String,
    pub(crate) force: bool,
    /// The options of a deletion that stand in the query, as the body would have them.
    pub(crate) deletion: Value,
}

impl Query {
    /// Reads a query string.
    pub(crate) fn parse(text: &str) -> Outcome<Self> {
        let mut query = Self {
            deletion: json!({}),
            ..Self::default()
        };
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            query.set(&name, value.into_owned())?;
        }
        Ok(query)
    }

    fn set(&mut self, name: &str, value: String) -> Outcome<()> {
        match name {
            "watch" => self.watch = truth(&value),
            "limit" => self.limit = usize::try_from(number(&value)?).unwrap_or(0),
            "continue" => self.after = value,
            "labelSelector" => self.label_selector = value,
            "fieldSelector" => self.field_selector = value,
            "resourceVersion" => self.resource_version = value,
            "resourceVersionMatch" => self.resource_version_match = value,
            "timeoutSeconds" => {
                let seconds = u64::try_from(number(&value)?).unwrap_or(0);
                self.timeout = (seconds > 0).then(|| Duration::from_secs(seconds));
            }
            "allowWatchBookmarks" => self.bookmarks = truth(&value),
            "sendInitialEvents" => self.initial_events = Some(truth(&value)),
            "dryRun" => self.dry_run.push(value),
            "fieldManager" => self.field_manager = value,
            "fieldValidation" => self.field_validation = value,
            "force" => self.force = truth(&value),
            "gracePeriodSeconds" => {
                self.deletion["gracePeriodSeconds"] = json!(number(&value)?);
            }
            "propagationPolicy" => self.deletion["propagationPolicy"] = json!(value),
            "orphanDependents" => self.deletion["orphanDependents"] = json!(truth(&value)),
            _ => {}
        }
        Ok(())
    }

    /// Refuses words that are no validation of fields.
    pub(crate) fn check_field_validation(&self, options: &str) -> Outcome<()> {
        let word = self.field_validation.as_str();
        if matches!(word, "" | "Ignore" | "Strict" | "Warn") {
            return Ok(());
        }
        let message = format!(
            "Unsupported value: {word:?}: supported values: \"\", \"Ignore\", \"Strict\", \"Warn\""
        );
        let error = field_error("fieldValidation", "FieldValueNotSupported", message);
        Err(Failure::invalid(("meta.k8s.io", options), "", &[error]))
    }

    /// Whether the write shall only be tried; `options` is the kind of options that the verb has.
    pub(crate) fn dry_run(&self, options: &str) -> Outcome<bool> {
        if options != "DeleteOptions" {
            self.check_field_validation(options)?;
        }
        dry_run(&self.dry_run, options)
    }
}

/// Reads `dryRun`, which knows one word.
pub(crate) fn dry_run(words: &[String], options: &str) -> Outcome<bool> {
    match words {
        [] => Ok(false),
        words if words.iter().all(|word| word == "All") => Ok(true),
        words => {
            let shown = Value::from(words.to_vec());
            let message = format!("Unsupported value: {shown}: supported values: \"All\"");
            let error = field_error("dryRun", "FieldValueNotSupported", message);
            Err(Failure::invalid(("meta.k8s.io", options), "", &[error]))
        }
    }
}

/// Anything but a clear no is a yes.
fn truth(value: &str) -> bool {
    !matches!(value, "false" | "0" | "False" | "FALSE" | "f" | "F")
}

fn number(value: &str) -> Outcome<i64> {
    value.parse().map_err(|_| {
        let shown = Value::from(value);
        let message = format!("strconv.ParseInt: parsing {shown}: invalid syntax");
        Failure::bad_request(&message)
    })
}
