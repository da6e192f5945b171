//! The part of Helm's templates that the rehearsal knows: values with filters, and nothing that
//! decides. Everything else is refused by name, because a chart that is rendered wrongly is worse than
//! one that is not rendered.

use serde_json::Value;

/// Renders a template in a scope.
pub(super) fn render(text: &str, scope: &Value) -> Result<String, String> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((action, behind)) = after.split_once("}}") else {
            return Err("unclosed action".to_owned());
        };
        let trims_before = action.starts_with('-');
        let trims_behind = action.ends_with('-');
        out.push_str(if trims_before {
            before.trim_end()
        } else {
            before
        });
        let action = action.trim_start_matches('-').trim_end_matches('-').trim();
        if !(action.starts_with("/*") && action.ends_with("*/")) {
            out.push_str(&evaluate(action, scope)?);
        }
        rest = if trims_behind {
            behind.trim_start()
        } else {
            behind
        };
    }
    out.push_str(rest);
    Ok(out)
}

fn evaluate(action: &str, scope: &Value) -> Result<String, String> {
    let mut parts = action.split('|').map(str::trim);
    let first = parts.next().unwrap_or_default();
    let mut value = operand(first, scope).ok_or_else(|| unknown(action))?;
    for filter in parts {
        value = apply(filter, value, scope).ok_or_else(|| unknown(action))?;
    }
    Ok(plain(&value))
}

fn unknown(action: &str) -> String {
    format!("the rehearsal's helm does not know `{{{{ {action} }}}}`")
}

/// A path from the root, or a literal.
fn operand(text: &str, scope: &Value) -> Option<Value> {
    if let Some(quoted) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
        return (!quoted.contains(['"', '\\'])).then(|| quoted.into());
    }
    let path = text.strip_prefix('.')?;
    let mut value = scope;
    for name in path.split('.') {
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
            return None;
        }
        // What a map does not hold is nothing, as in Go.
        value = value.get(name).unwrap_or(&Value::Null);
    }
    Some(value.clone())
}

fn apply(filter: &str, value: Value, scope: &Value) -> Option<Value> {
    let mut words = filter.split_whitespace();
    match (words.next()?, words.next(), words.next()) {
        ("quote", None, None) => Some(format!("{:?}", plain(&value)).into()),
        ("upper", None, None) => Some(plain(&value).to_uppercase().into()),
        ("lower", None, None) => Some(plain(&value).to_lowercase().into()),
        ("trim", None, None) => Some(plain(&value).trim().into()),
        ("toString", None, None) => Some(plain(&value).into()),
        ("toJson", None, None) => Some(value.to_string().into()),
        // JSON is YAML, in a line, whatever the indentation around it.
        ("toYaml", None, None) => Some(value.to_string().into()),
        ("nindent", Some(n), None) => {
            let indent = " ".repeat(n.parse().ok()?);
            let lines = plain(&value)
                .lines()
                .map(|l| format!("\n{indent}{l}"))
                .collect::<String>();
            Some(lines.into())
        }
        ("default", Some(other), None) => {
            let empty = match &value {
                Value::Null => true,
                Value::Bool(b) => !b,
                Value::Number(n) => n.as_f64() == Some(0.0),
                Value::String(s) => s.is_empty(),
                Value::Array(a) => a.is_empty(),
                Value::Object(o) => o.is_empty(),
            };
            if empty {
                operand(other, scope).or_else(|| other.parse().ok())
            } else {
                Some(value)
            }
        }
        _ => None,
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_and_filters_are_rendered() {
        let scope =
            json!({"Values": {"n": 2, "name": "shop", "map": {"a": 1}}, "Release": {"Name": "r"}});
        for (text, wanted) in [
            ("{{ .Release.Name }}-{{ .Values.n }}", "r-2"),
            ("x: {{ .Values.name | quote }}", "x: \"shop\""),
            ("{{ .Values.none | default \"d\" }}", "d"),
            ("{{ .Values.none | default 3 }}", "3"),
            (
                "m: {{- .Values.map | toYaml | nindent 2 }}",
                "m:\n  {\"a\":1}",
            ),
            ("a {{- /* said aside */ -}} b", "ab"),
        ] {
            assert_eq!(render(text, &scope).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        for text in [
            "{{ if .Values.n }}",
            "{{ include \"x\" . }}",
            "{{ .Values.n | b64enc }}",
            "{{ range",
        ] {
            assert!(render(text, &json!({})).is_err(), "{text}");
        }
    }
}
