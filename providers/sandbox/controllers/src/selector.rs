//! Label selectors and node selectors.

use serde_json::Value;

use crate::object::items;
use crate::object::number;
use crate::object::text;

/// Whether labels match a LabelSelector. A selector that is missing matches nothing, an empty one
/// everything.
pub(crate) fn matches(selector: &Value, labels: &Value) -> bool {
    let Some(selector) = selector.as_object() else {
        return false;
    };
    let pairs = selector.get("matchLabels").unwrap_or(&Value::Null);
    let rules = selector.get("matchExpressions").unwrap_or(&Value::Null);
    has_all(pairs, labels)
        && items(rules)
            .iter()
            .all(|rule| holds(rule, labels[text(&rule["key"])].as_str()))
}

/// Whether labels hold all pairs of a plain map.
pub(crate) fn has_all(pairs: &Value, labels: &Value) -> bool {
    pairs
        .as_object()
        .is_none_or(|pairs| pairs.iter().all(|(key, value)| &labels[key] == value))
}

/// Whether a node is one of those that a pod's selector and required affinity allow.
pub(crate) fn allows_node(spec: &Value, node: &Value) -> bool {
    let labels = &node["metadata"]["labels"];
    if !has_all(&spec["nodeSelector"], labels) {
        return false;
    }
    let required =
        &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    required.is_null() || allows_by_terms(required, node)
}

/// Whether one of the terms of a NodeSelector holds.
pub(crate) fn allows_by_terms(required: &Value, node: &Value) -> bool {
    let labels = &node["metadata"]["labels"];
    items(&required["nodeSelectorTerms"]).iter().any(|term| {
        let by_label = items(&term["matchExpressions"])
            .iter()
            .all(|rule| holds(rule, labels[text(&rule["key"])].as_str()));
        let by_field = items(&term["matchFields"])
            .iter()
            .all(|rule| holds(rule, node["metadata"]["name"].as_str()));
        by_label && by_field
    })
}

fn holds(rule: &Value, value: Option<&str>) -> bool {
    let listed = || items(&rule["values"]).iter().any(|v| v.as_str() == value);
    let bound = || {
        let bound = items(&rule["values"]).first()?.as_str()?.parse::<i64>();
        Some((value?.parse::<i64>().ok()?, bound.ok()?))
    };
    match text(&rule["operator"]) {
        "In" => value.is_some() && listed(),
        "NotIn" => !listed(),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => bound().is_some_and(|(value, bound)| value > bound),
        "Lt" => bound().is_some_and(|(value, bound)| value < bound),
        _ => false,
    }
}

/// Whether all taints of a node that keep pods away are tolerated.
pub(crate) fn tolerates(tolerations: &[Value], node: &Value) -> bool {
    items(&node["spec"]["taints"])
        .iter()
        .filter(|taint| taint["effect"] != "PreferNoSchedule")
        .all(|taint| tolerations.iter().any(|t| tolerates_taint(t, taint)))
}

fn tolerates_taint(toleration: &Value, taint: &Value) -> bool {
    let effect = text(&toleration["effect"]);
    if !effect.is_empty() && taint["effect"] != effect {
        return false;
    }
    let key = text(&toleration["key"]);
    let exists = toleration["operator"] == "Exists";
    if key.is_empty() {
        return exists;
    }
    taint["key"] == key && (exists || text(&toleration["value"]) == text(&taint["value"]))
}

/// How many bytes (or units) a quantity such as `10Gi` means, rounded down.
pub(crate) fn quantity(value: &Value) -> i128 {
    let Some(written) = value.as_str() else {
        return number(value, 0).into();
    };
    const SUFFIXES: &[(&str, i128)] = &[
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("Pi", 1 << 50),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
        ("P", 1_000_000_000_000_000),
    ];
    let found = SUFFIXES
        .iter()
        .find_map(|(suffix, factor)| Some((written.strip_suffix(suffix)?, *factor)));
    let (digits, factor) = found.unwrap_or((written, 1));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.parse::<i128>().unwrap_or(0).saturating_mul(factor);
    let tenth = part
        .chars()
        .next()
        .and_then(|c| c.to_digit(10))
        .unwrap_or(0);
    whole.saturating_add(i128::from(tenth) * factor / 10)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_match_as_the_api_says() {
        let labels = json!({"app": "web", "tier": "front"});
        let expression = |operator: &str, values: Value| json!({"matchExpressions": [{"key": "app", "operator": operator, "values": values}]});
        let table = [
            (json!(null), false),
            (json!({}), true),
            (json!({"matchLabels": {"app": "web"}}), true),
            (json!({"matchLabels": {"app": "db"}}), false),
            (expression("In", json!(["web", "db"])), true),
            (expression("NotIn", json!(["web"])), false),
            (expression("Exists", json!([])), true),
            (expression("DoesNotExist", json!([])), false),
        ];
        for (selector, expected) in table {
            assert_eq!(matches(&selector, &labels), expected, "{selector}");
        }
    }

    #[test]
    fn taints_keep_pods_away_unless_tolerated() {
        let node =
            json!({"spec": {"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}});
        let table = [
            (json!([]), false),
            (json!([{"operator": "Exists"}]), true),
            (json!([{"key": "gpu", "value": "yes"}]), true),
            (json!([{"key": "gpu", "value": "no"}]), false),
            (
                json!([{"key": "gpu", "operator": "Exists", "effect": "NoExecute"}]),
                false,
            ),
        ];
        for (tolerations, expected) in table {
            assert_eq!(tolerates(items(&tolerations), &node), expected);
        }
    }

    #[test]
    fn quantities_are_compared_by_size() {
        for (written, expected) in [("1Gi", 1_073_741_824), ("1.5k", 1_500), ("12", 12)] {
            assert_eq!(quantity(&json!(written)), expected, "{written}");
        }
    }
}
