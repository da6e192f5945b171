//! What runs Pods, and how it may do so.

use serde_json::Value;
use serde_json::json;

use super::claim;
use super::elements;
use super::metadata;
use super::pod;
use super::text;
use crate::FieldError;

pub(super) fn check(kind: &str, spec: &Value, errors: &mut Vec<FieldError>) {
    for name in [
        "replicas",
        "minReadySeconds",
        "revisionHistoryLimit",
        "progressDeadlineSeconds",
    ] {
        not_negative(&spec[name], &format!("spec.{name}"), errors);
    }
    let labels = &spec["template"]["metadata"]["labels"];
    if spec["selector"].is_null() {
        errors.push(FieldError::required("spec.selector", ""));
    } else if selects_all(&spec["selector"]) {
        let detail =
            "empty selector is invalid for deployment".replace("deployment", &kind.to_lowercase());
        errors.push(FieldError::invalid(
            "spec.selector",
            &spec["selector"],
            &detail,
        ));
    }
    if !selects(&spec["selector"], labels) {
        let detail = "`selector` does not match template `labels`";
        errors.push(FieldError::invalid(
            "spec.template.metadata.labels",
            labels,
            detail,
        ));
    }
    let mut found = Vec::new();
    template(&spec["template"], "spec.template", &mut found);
    if kind == "StatefulSet" {
        // Claims become volumes of the Pods; mounts of theirs are not looked for here.
        found.retain(|error| error.reason != "FieldValueNotFound");
    }
    errors.extend(found);
    let policy = &spec["template"]["spec"]["restartPolicy"];
    if !policy.is_null() && *policy != "Always" {
        let path = "spec.template.spec.restartPolicy";
        errors.push(FieldError::not_supported(path, policy, &["Always"]));
    }
    for (index, template) in elements(&spec["volumeClaimTemplates"]).iter().enumerate() {
        claim(
            &template["spec"],
            &format!("spec.volumeClaimTemplates[{index}].spec"),
            errors,
        );
    }
}

fn template(template: &Value, path: &str, errors: &mut Vec<FieldError>) {
    metadata::labels(
        &template["metadata"]["labels"],
        &format!("{path}.labels"),
        errors,
    );
    pod::spec(&template["spec"], &format!("{path}.spec"), errors);
}

fn not_negative(value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if value.as_i64().is_some_and(|number| number < 0) {
        errors.push(FieldError::invalid(
            path,
            value,
            "must be greater than or equal to 0",
        ));
    }
}

fn selects_all(selector: &Value) -> bool {
    let empty = |value: &Value| match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(values) => values.is_empty(),
        _ => true,
    };
    empty(&selector["matchLabels"]) && empty(&selector["matchExpressions"])
}

/// Whether a label selector selects these labels.
fn selects(selector: &Value, labels: &Value) -> bool {
    let mut wanted = selector["matchLabels"].as_object().into_iter().flatten();
    let expressions = elements(&selector["matchExpressions"]);
    !selector.is_null()
        && wanted.all(|(key, value)| labels[key] == *value)
        && expressions.iter().all(|expression| {
            let value = &labels[text(&expression["key"])];
            let listed = elements(&expression["values"]).contains(value);
            match text(&expression["operator"]) {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => !value.is_null(),
                _ => value.is_null(),
            }
        })
}

pub(super) fn job(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for name in [
        "parallelism",
        "completions",
        "backoffLimit",
        "activeDeadlineSeconds",
        "ttlSecondsAfterFinished",
    ] {
        not_negative(&spec[name], &format!("{path}.{name}"), errors);
    }
    let here = format!("{path}.template");
    template(&spec["template"], &here, errors);
    let policy = &spec["template"]["spec"]["restartPolicy"];
    if *policy == "Always" || policy.is_null() {
        let detail = "valid values: \"OnFailure\", \"Never\"";
        errors.push(FieldError::required(
            format!("{here}.spec.restartPolicy"),
            detail,
        ));
    }
}

pub(super) fn cron_job(spec: &Value, errors: &mut Vec<FieldError>) {
    const POLICIES: &[&str] = &["Allow", "Forbid", "Replace"];
    if text(&spec["schedule"]).is_empty() {
        errors.push(FieldError::required("spec.schedule", ""));
    } else if text(&spec["schedule"]).split_whitespace().count() != 5
        && !text(&spec["schedule"]).starts_with('@')
    {
        let count = text(&spec["schedule"]).split_whitespace().count();
        let detail = format!(
            "expected exactly 5 fields, found {count}: {}",
            json!([text(&spec["schedule"])])
        );
        errors.push(FieldError::invalid(
            "spec.schedule",
            &spec["schedule"],
            &detail,
        ));
    }
    if !POLICIES.contains(&text(&spec["concurrencyPolicy"])) {
        let path = "spec.concurrencyPolicy";
        errors.push(FieldError::not_supported(
            path,
            &spec["concurrencyPolicy"],
            POLICIES,
        ));
    }
    job(
        &spec["jobTemplate"]["spec"],
        "spec.jobTemplate.spec",
        errors,
    );
}
