//! What a custom object may be: its OpenAPI schema.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use super::elements;
use super::text;
use crate::FieldError;
use crate::TypeInfo;
use crate::crd::OpenApi;
use crate::formats;

/// The path that the real API server gives errors of `oneOf` and its like.
const NO_PATH: &str = "<nil>";

pub(super) fn check(ty: &TypeInfo, object: &Value, errors: &mut Vec<FieldError>) {
    let Some(open_api) = &ty.schema.open_api else {
        return;
    };
    let check = Check { open_api };
    check.value(&open_api.schema, object, "", errors);
    check.lists(&open_api.schema, object, "", errors);
}

struct Check<'a> {
    open_api: &'a OpenApi,
}

/// The names of JSON types as the real API says them.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if is_whole(number) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn is_whole(number: &serde_json::Number) -> bool {
    number.as_f64().is_some_and(|number| number.fract() == 0.0)
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

impl Check<'_> {
    fn value(&self, schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
        if value.is_null() && schema["nullable"] == true {
            return;
        }
        self.kind(schema, value, path, errors);
        self.junctors(schema, value, path, errors);
        match value {
            Value::String(text) => self.string(schema, text, path, errors),
            Value::Number(number) => numbers(schema, number, path, errors),
            Value::Array(values) => self.array(schema, values, path, errors),
            _ => {}
        }
        self.options(schema, value, path, errors);
        if let Value::Object(_) = value {
            self.object(schema, value, path, errors);
        }
    }

    fn kind(&self, schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
        let wanted = match text(&schema["type"]) {
            _ if schema["x-kubernetes-int-or-string"] == true => "integer,string",
            "" => return,
            wanted => wanted,
        };
        let given = type_name(value);
        let fits = wanted.split(',').any(|wanted| wanted == given)
            || (wanted == "number" && given == "integer");
        if !fits {
            let detail = format!("{path} in body must be of type {wanted}: {given:?}");
            let head = format!("Invalid value: {given:?}");
            errors.push(FieldError::new(
                path,
                "FieldValueTypeInvalid",
                &head,
                &detail,
            ));
        }
    }

    fn options(&self, schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
        let options = elements(&schema["enum"]);
        if options.is_empty() || options.contains(value) {
            return;
        }
        let shown = |option: &Value| {
            option
                .as_str()
                .map_or_else(|| option.to_string(), str::to_owned)
        };
        let shown: Vec<_> = options.iter().map(shown).collect();
        let known: Vec<_> = shown.iter().map(String::as_str).collect();
        errors.push(FieldError::not_supported(path, value, &known));
    }

    fn string(&self, schema: &Value, given: &str, path: &str, errors: &mut Vec<FieldError>) {
        errors.extend(self.text_error(schema, given, path));
        let format = text(&schema["format"]);
        if !formats::holds(format, given) {
            let detail = format!("{path} in body must be of type {format}: {given:?}");
            let head = format!("Invalid value: {}", json!(given));
            errors.push(FieldError::new(
                path,
                "FieldValueTypeInvalid",
                &head,
                &detail,
            ));
        }
    }

    /// Of what is wrong with a text only the first is told.
    fn text_error(&self, schema: &Value, given: &str, path: &str) -> Option<FieldError> {
        let length = given.chars().count() as u64;
        if let Some(max) = schema["maxLength"].as_u64().filter(|max| length > *max) {
            let head = format!("Too long: may not be more than {max} bytes");
            return Some(FieldError::new(path, "FieldValueTooLong", &head, ""));
        }
        let invalid = |detail: String| Some(FieldError::invalid(path, &json!(given), &detail));
        if let Some(min) = schema["minLength"].as_u64().filter(|min| length < *min) {
            return invalid(format!(
                "{path} in body should be at least {min} chars long"
            ));
        }
        let pattern = text(&schema["pattern"]);
        let regex = self.open_api.patterns.get(pattern)?;
        if regex.is_match(given) {
            return None;
        }
        invalid(format!("{path} in body should match '{pattern}'"))
    }

    fn array(&self, schema: &Value, values: &[Value], path: &str, errors: &mut Vec<FieldError>) {
        let count = values.len() as u64;
        if let Some(min) = schema["minItems"].as_u64().filter(|min| count < *min) {
            let detail = format!("{path} in body should have at least {min} items");
            errors.push(FieldError::invalid(path, &json!(count), &detail));
        }
        if let Some(max) = schema["maxItems"].as_u64().filter(|max| count > *max) {
            errors.push(too_many(path, count, max));
        }
        if !schema["items"].is_object() {
            return;
        }
        for (index, value) in values.iter().enumerate() {
            self.value(&schema["items"], value, &format!("{path}[{index}]"), errors);
        }
    }

    fn object(&self, schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
        let Value::Object(map) = value else {
            return;
        };
        let count = map.len() as u64;
        if let Some(min) = schema["minProperties"].as_u64().filter(|min| count < *min) {
            let detail = format!("{path} in body should have at least {min} properties");
            errors.push(FieldError::invalid(path, &json!(count), &detail));
        }
        if let Some(max) = schema["maxProperties"].as_u64().filter(|max| count > *max) {
            errors.push(too_many(path, count, max));
        }
        let embedded = schema["x-kubernetes-embedded-resource"] == true;
        let own: &[&str] = if embedded {
            &["apiVersion", "kind"]
        } else {
            &[]
        };
        let required = elements(&schema["required"])
            .iter()
            .map(text)
            .chain(own.iter().copied());
        for name in required.filter(|name| !map.contains_key(*name)) {
            errors.push(FieldError::required(below(path, name), ""));
        }
        for (name, value) in map {
            let implicit = (path.is_empty() || embedded)
                && ["apiVersion", "kind", "metadata"].contains(&name.as_str());
            let property = match &schema["properties"][name] {
                Value::Null => &schema["additionalProperties"],
                property => property,
            };
            if property.is_object()
                && !(implicit && name == "metadata" && property["properties"].is_null())
            {
                self.value(property, value, &below(path, name), errors);
            }
        }
    }

    fn junctors(&self, schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
        let mut say = |what: &str| {
            let detail = format!("{path:?} {what}");
            errors.push(FieldError::invalid(NO_PATH, &json!(""), &detail));
        };
        if !schema["not"].is_null() && self.alone(&schema["not"], value, path).is_empty() {
            say("must not validate the schema (not)");
        }
        let tries = |name: &str| -> Option<Vec<Vec<FieldError>>> {
            let parts = elements(&schema[name]);
            (!parts.is_empty()).then(|| {
                parts
                    .iter()
                    .map(|part| self.alone(part, value, path))
                    .collect()
            })
        };
        let mut nested = Vec::new();
        let int_or_string = schema["x-kubernetes-int-or-string"] == true;
        if let Some(tried) = tries("anyOf").filter(|_| !int_or_string)
            && tried.iter().all(|errors| !errors.is_empty())
        {
            say("must validate at least one schema (anyOf)");
            nested.extend(tried.into_iter().min_by_key(Vec::len).unwrap_or_default());
        }
        if let Some(tried) = tries("oneOf") {
            match tried.iter().filter(|errors| errors.is_empty()).count() {
                1 => {}
                0 => {
                    say("must validate one and only one schema (oneOf). Found none valid");
                    nested.extend(tried.into_iter().min_by_key(Vec::len).unwrap_or_default());
                }
                count => say(&format!(
                    "must validate one and only one schema (oneOf). Found {count} valid alternatives"
                )),
            }
        }
        if let Some(tried) = tries("allOf").filter(|_| !int_or_string) {
            let all = tried.len();
            let valid = tried.iter().filter(|errors| errors.is_empty()).count();
            if valid < all {
                let none = if valid == 0 { ". None validated" } else { "" };
                say(&format!("must validate all the schemas (allOf){none}"));
                nested.extend(tried.into_iter().flatten());
            }
        }
        errors.extend(nested);
    }

    fn alone(&self, schema: &Value, value: &Value, path: &str) -> Vec<FieldError> {
        let mut errors = Vec::new();
        self.value(schema, value, path, &mut errors);
        errors
    }

    /// Elements of sets and of keyed lists that come twice.
    fn lists(&self, schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
        match value {
            Value::Object(map) => {
                for (name, value) in map {
                    let property = match &schema["properties"][name] {
                        Value::Null => &schema["additionalProperties"],
                        property => property,
                    };
                    if property.is_object() {
                        self.lists(property, value, &below(path, name), errors);
                    }
                }
            }
            Value::Array(values) => {
                doubles(schema, values, path, errors);
                for (index, value) in values.iter().enumerate() {
                    self.lists(&schema["items"], value, &format!("{path}[{index}]"), errors);
                }
            }
            _ => {}
        }
    }
}

fn too_many(path: &str, count: u64, max: u64) -> FieldError {
    let head = format!("Too many: {count}: must have at most {max} items");
    FieldError::new(path, "FieldValueTooMany", &head, "")
}

fn numbers(schema: &Value, number: &serde_json::Number, path: &str, errors: &mut Vec<FieldError>) {
    let value = Value::Number(number.clone());
    let given = number.as_f64().unwrap_or_default();
    let mut say = |detail: String| {
        errors.push(FieldError::invalid(
            path,
            &value,
            &format!("{path} in body {detail}"),
        ));
    };
    let of = |name: &str| schema[name].as_f64();
    let strict = |name: &str| schema[name] == true;
    if let Some(step) = of("multipleOf").filter(|step| (given / step).fract() != 0.0) {
        say(format!("should be a multiple of {step}"));
    }
    if let Some(max) = of("maximum") {
        if strict("exclusiveMaximum") && given >= max {
            say(format!("should be less than {max}"));
        } else if given > max {
            say(format!("should be less than or equal to {max}"));
        }
    }
    if let Some(min) = of("minimum") {
        if strict("exclusiveMinimum") && given <= min {
            say(format!("should be greater than {min}"));
        } else if given < min {
            say(format!("should be greater than or equal to {min}"));
        }
    }
}

fn doubles(schema: &Value, values: &[Value], path: &str, errors: &mut Vec<FieldError>) {
    let keys: Vec<_> = match text(&schema["x-kubernetes-list-type"]) {
        "set" => Vec::new(),
        "map" => elements(&schema["x-kubernetes-list-map-keys"])
            .iter()
            .map(text)
            .collect(),
        _ => return,
    };
    let mut seen = BTreeSet::new();
    for (index, value) in values.iter().enumerate() {
        let identity = if keys.is_empty() {
            value.clone()
        } else {
            let of = |key: &&str| Some(((*key).to_owned(), value.get(*key)?.clone()));
            Value::Object(keys.iter().filter_map(of).collect())
        };
        if !seen.insert(identity.to_string()) {
            errors.push(FieldError::duplicate(format!("{path}[{index}]"), &identity));
        }
    }
}
