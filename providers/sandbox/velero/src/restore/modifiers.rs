//! Rules of a ConfigMap that change objects on their way back.

use drplan_sandbox_fields::builtins;
use drplan_sandbox_fields::patch::merge_patch;
use drplan_sandbox_fields::patch::strategic_merge;
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::patches;
use super::patches::Fault;
use super::patches::Operation;
use crate::filter;
use crate::selector;
use crate::text::name;
use crate::text::namespace;
use crate::text::text;

/// The API groups whose types the server's client has; others cannot be patched strategically.
const TYPED: &[&str] = &["", "apps", "batch"];

/// The rules.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Modifiers {
    #[serde(default)]
    version: String,
    #[serde(default)]
    resource_modifier_rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    conditions: Conditions,
    #[serde(default)]
    patches: Vec<JsonPatch>,
    #[serde(default)]
    merge_patches: Vec<PatchData>,
    #[serde(default)]
    strategic_patches: Vec<PatchData>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Conditions {
    #[serde(default)]
    namespaces: Vec<String>,
    #[serde(default)]
    group_resource: String,
    #[serde(default)]
    resource_name_regex: String,
    #[serde(default)]
    label_selector: Value,
    #[serde(default)]
    matches: Vec<Match>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Match {
    #[serde(default)]
    path: String,
    #[serde(default)]
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonPatch {
    #[serde(default)]
    operation: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PatchData {
    #[serde(default)]
    patch_data: String,
}

impl Modifiers {
    /// Reads the rules of a ConfigMap.
    pub(super) fn read(map: &Value) -> Result<Self, String> {
        let data: Vec<&Value> = map["data"]
            .as_object()
            .into_iter()
            .flat_map(|d| d.values())
            .collect();
        let [Value::String(text)] = data.as_slice() else {
            let (namespace, name) = (namespace(map), name(map));
            return Err(format!(
                "illegal resource modifiers {namespace}/{name} configmap"
            ));
        };
        serde_saphyr::from_str(text).map_err(|error| {
            format!("failed to decode yaml data into resource modifiers, err: {error}")
        })
    }

    /// Whether the rules can be applied at all.
    pub(super) fn check(&self) -> Result<(), String> {
        if !self.version.eq_ignore_ascii_case("v1") {
            return Err(format!(
                "unsupported resource modifier version {}",
                self.version
            ));
        }
        if self.resource_modifier_rules.is_empty() {
            return Err("resource modifier rules cannot be empty".to_owned());
        }
        self.resource_modifier_rules
            .iter()
            .try_for_each(Rule::check)
    }

    /// Changes an object by all rules that match it as it was; what went wrong.
    pub(super) fn apply(&self, object: &mut Value, resource: &str) -> Vec<String> {
        let mut errors = Vec::new();
        let original = object.clone();
        for rule in &self.resource_modifier_rules {
            match rule.conditions.match_(&original, resource) {
                Ok(false) => {}
                Ok(true) => match rule.patch(object) {
                    Ok(patched) => *object = patched,
                    Err(error) => errors.push(format!("error in applying patch {error}")),
                },
                Err(error) => errors.push(error),
            }
        }
        errors
    }
}

impl Rule {
    fn check(&self) -> Result<(), String> {
        if self.conditions.group_resource.is_empty() {
            // The word is the server's own.
            return Err("groupkResource cannot be empty".to_owned());
        }
        let sizes = [
            self.patches.len(),
            self.merge_patches.len(),
            self.strategic_patches.len(),
        ];
        if sizes.iter().filter(|size| **size > 0).count() > 1 {
            return Err(
                "only one of patches, mergePatches, strategicPatches can be specified".to_owned(),
            );
        }
        for patch in &self.patches {
            if patch.operation.is_empty() {
                return Err("operation cannot be empty".to_owned());
            }
            let operation = patch.operation.to_lowercase();
            let known = ["add", "remove", "replace", "test", "move", "copy"];
            if !known.contains(&&*operation) {
                return Err(format!("unsupported operation {}", patch.operation));
            }
            if patch.path.is_empty() {
                return Err("path cannot be empty".to_owned());
            }
        }
        Ok(())
    }

    fn patch(&self, object: &Value) -> Result<Value, String> {
        if !self.patches.is_empty() {
            let operations: Vec<Operation> =
                self.patches.iter().map(JsonPatch::operation).collect();
            return match patches::apply(object, &operations) {
                Ok(patched) => Ok(patched),
                Err(Fault::Differs(_)) => Ok(object.clone()),
                Err(fault) => Err(format!("error in applying JSON Patch {}", fault.text())),
            };
        }
        if !self.merge_patches.is_empty() {
            let mut patched = object.clone();
            for data in &self.merge_patches {
                patched = merge_patch(&patched, &data.read()?);
            }
            return Ok(patched);
        }
        if !self.strategic_patches.is_empty() {
            return self.patch_strategically(object);
        }
        Err("no patch data found".to_owned())
    }

    fn patch_strategically(&self, object: &Value) -> Result<Value, String> {
        let (version, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
        let (group, short) = version.split_once('/').unwrap_or(("", version));
        let mut types = builtins().iter();
        let known = types.find(|ty| ty.group == group && ty.version == short && ty.kind == kind);
        let Some(ty) = known.filter(|_| TYPED.contains(&group)) else {
            return Err(format!(
                "no kind \"{kind}\" is registered for version \"{version}\" in scheme \
                 \"pkg/runtime/scheme.go:110\""
            ));
        };
        let mut patched = object.clone();
        for data in &self.strategic_patches {
            let patch = data.read()?;
            patched = strategic_merge(ty, &patched, &patch)
                .map_err(|error| format!("error in applying Strategic Patch {error}"))?;
        }
        Ok(patched)
    }
}

impl Conditions {
    /// Whether an object is meant, by the namespace that it comes from.
    fn match_(&self, object: &Value, resource: &str) -> Result<bool, String> {
        let from = namespace(object);
        let is_namespace = |pattern: &String| filter::is_like(pattern, from);
        if !from.is_empty()
            && !self.namespaces.is_empty()
            && !self.namespaces.iter().any(is_namespace)
        {
            return Ok(false);
        }
        if !filter::is_like_between(&self.group_resource, resource, Some('.')) {
            return Ok(false);
        }
        if !self.resource_name_regex.is_empty() {
            let regex = Regex::new(&self.resource_name_regex)
                .map_err(|error| format!("error in matching regex {error}"))?;
            if !regex.is_match(name(object)) {
                return Ok(false);
            }
        }
        if !self.label_selector.is_null() {
            selector::check(&self.label_selector)
                .map_err(|error| format!("error in creating label selector {error}"))?;
            if !selector::matches(&self.label_selector, object) {
                return Ok(false);
            }
        }
        let mut operations = Vec::new();
        for wanted in &self.matches {
            if wanted.path.is_empty() {
                return Err("path is required for match rule".to_owned());
            }
            operations.push(Operation {
                op: "test".to_owned(),
                from: String::new(),
                path: wanted.path.clone(),
                value: value(&wanted.value),
            });
        }
        match patches::apply(object, &operations) {
            Ok(_) => Ok(true),
            Err(Fault::Differs(_) | Fault::Missing(_)) => Ok(false),
            Err(Fault::Other(text)) => Err(text),
        }
    }
}

impl JsonPatch {
    fn operation(&self) -> Operation {
        Operation {
            op: self.operation.clone(),
            from: self.from.clone(),
            path: self.path.clone(),
            value: value(&self.value),
        }
    }
}

impl PatchData {
    fn read(&self) -> Result<Value, String> {
        serde_saphyr::from_str(&self.patch_data)
            .map_err(|error| format!("error in converting YAML to JSON {error}"))
    }
}

/// What a text in a rule means: it is a text unless it looks like something else; quotes make a text
/// of anything.
fn value(text: &str) -> Value {
    if text.len() > 1 && text.starts_with('"') && text.ends_with('"') {
        return Value::String(text[1..text.len() - 1].to_owned());
    }
    let is_structure = text.starts_with('{') || text.starts_with('[');
    let is_word = matches!(text.to_lowercase().as_str(), "true" | "false") || text == "null";
    if is_structure || is_word || text.parse::<f64>().is_ok() {
        let read = serde_json::from_str(text);
        return read.unwrap_or_else(|_| Value::String(text.to_owned()));
    }
    Value::String(text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules(text: &str) -> Modifiers {
        let map =
            json!({"metadata": {"name": "m", "namespace": "velero"}, "data": {"rules": text}});
        Modifiers::read(&map).expect("rules")
    }

    fn cron_job() -> Value {
        json!({
            "apiVersion": "batch/v1", "kind": "CronJob",
            "metadata": {"name": "invoices", "namespace": "shop-jobs", "labels": {"app": "a"}},
            "spec": {"schedule": "* * * * *", "suspend": false},
        })
    }

    #[test]
    fn a_rule_changes_what_it_matches_and_nothing_else() {
        let rules = rules(
            "version: v1\nresourceModifierRules:\n- conditions:\n    groupResource: cronjobs.batch\n    \
             resourceNameRegex: ^inv\n    namespaces: [shop-jobs]\n  patches:\n  - operation: replace\n    \
             path: /spec/suspend\n    value: \"true\"\n",
        );
        assert_eq!(rules.check(), Ok(()));
        let mut object = cron_job();
        assert_eq!(
            rules.apply(&mut object, "cronjobs.batch"),
            Vec::<String>::new()
        );
        assert_eq!(object["spec"]["suspend"], json!(true));
        let mut other = cron_job();
        other["metadata"]["namespace"] = json!("blog");
        assert_eq!(
            rules.apply(&mut other, "cronjobs.batch"),
            Vec::<String>::new()
        );
        assert_eq!(other["spec"]["suspend"], json!(false));
    }

    #[test]
    fn a_patch_of_what_is_not_there_is_an_error_and_a_failed_test_is_none() {
        let missing = rules(
            "version: v1\nresourceModifierRules:\n- conditions: {groupResource: cronjobs.batch}\n  \
             patches:\n  - {operation: remove, path: /spec/none}\n",
        );
        assert_eq!(missing.apply(&mut cron_job(), "cronjobs.batch").len(), 1);
        let test = rules(
            "version: v1\nresourceModifierRules:\n- conditions: {groupResource: cronjobs.batch}\n  \
             patches:\n  - {operation: test, path: /spec/suspend, value: \"true\"}\n  \
             - {operation: remove, path: /spec}\n",
        );
        let mut object = cron_job();
        assert_eq!(
            test.apply(&mut object, "cronjobs.batch"),
            Vec::<String>::new()
        );
        assert_eq!(object, cron_job());
    }

    #[test]
    fn maps_without_rules_are_refused() {
        let read = |data: Value| Modifiers::read(&json!({"metadata": {}, "data": data}));
        assert!(read(json!({})).is_err());
        assert!(read(json!({"a": "x", "b": "y"})).is_err());
        assert!(read(json!({"a": "version: v1\nrules: []"})).is_err());
        assert!(
            read(json!({"a": "version: v2"}))
                .expect("read")
                .check()
                .is_err()
        );
    }

    #[test]
    fn values_are_texts_unless_they_look_like_something_else() {
        assert_eq!(value("true"), json!(true));
        assert_eq!(value("\"true\""), json!("true"));
        assert_eq!(value("3"), json!(3));
        assert_eq!(value("{\"a\": 1}"), json!({"a": 1}));
        assert_eq!(value("on"), json!("on"));
        assert_eq!(value(""), json!(""));
    }
}
