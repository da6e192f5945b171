//! What counts when two objects are compared, and how a difference is shown.
//!
//! Pure. The rules are data: the tables beside this file.

mod align;
mod compare;
mod embedded;
pub(crate) mod quantity;
mod tables;

use drplan_api::Json;
use serde_json::Map;
use similar::TextDiff;

pub(crate) use compare::differences;
pub(crate) use compare::overlay;
pub(crate) use compare::project;
use tables::Way;
pub(crate) use tables::tables;

use crate::redact::is_secret;
pub use crate::redact::redact;
use crate::redact::salt;

/// Values by field.
type Values = std::collections::BTreeMap<String, Json>;

/// The lines around a difference.
const CONTEXT_LINES: usize = 3;
/// The most characters of a diff; more helps nobody.
const DIFF_CHARACTERS_MAX: usize = 20_000;

/// Leaves out everything that does not count: what the server keeps, marks of tools, values that the
/// server fills in, nulls and empty lists.
pub fn normalise(object: &Json) -> Json {
    let mut out = stripped(object);
    each_default(&mut out, &mut |map, values| {
        map.retain(|key, value| values.get(key) != Some(value));
    });
    prune(&mut out);
    out
}

/// Leaves out what the server keeps and marks of tools.
fn stripped(object: &Json) -> Json {
    let tables = tables();
    let mut out = object.clone();
    let kind = object["kind"].as_str().unwrap_or_default();
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    let (group, _) = crate::split_api_version(api_version);
    let rule = tables.rule(group, kind);

    let annotations = object["metadata"]["annotations"].as_object();
    let is_injected = annotations.is_some_and(|a| {
        tables
            .injecting_annotations
            .iter()
            .any(|k| a.contains_key(k))
    });
    let mut paths: Vec<&Way> = tables.ignored.iter().collect();
    if let Some(rule) = rule {
        paths.extend(&rule.ignored);
        if is_injected {
            paths.extend(&rule.ignored_if_injected);
        }
    }
    paths.into_iter().for_each(|way| drop_at(&mut out, way));
    let more = rule.map(|r| r.ignored_annotations.as_slice());
    let no_annotations = [&tables.ignored_annotations, more.unwrap_or_default()].concat();
    drop_marks(&mut out, "annotations", &no_annotations);
    drop_marks(&mut out, "labels", &tables.ignored_labels);
    out
}

/// Tells whether two objects differ in anything that counts. Order counts only in lists whose order
/// means something; quantities are compared by value.
pub fn differs(a: &Json, b: &Json) -> bool {
    let (a, b) = (normalise(a), normalise(b));
    a != b && !(differences(&a, &b).is_empty() && differences(&b, &a).is_empty())
}

/// Shows the difference of two objects as a unified diff of their YAML; `None` if nothing that counts
/// differs. `null` stands for an object that is not there. Values of Secrets are hidden. Elements of
/// lists that are matched by keys stand in one order, quantities in one spelling, documents inside of
/// texts as structure, and defaults only against other values.
pub fn text_diff(before: &Json, after: &Json, name: &str) -> Option<String> {
    if !differs(before, after) {
        return None;
    }
    let side = |object: &Json| {
        let mut out = stripped(&redact(object.clone(), salt()));
        each_default(&mut out, &mut |map, values| {
            for (key, value) in map {
                if values.get(key) == Some(value) {
                    *value = align::default(value.take());
                }
            }
        });
        prune(&mut out);
        out
    };
    let (mut before, mut after) = (side(before), side(after));
    hide_values(&mut before, &mut after);
    embedded::unfold(&mut before, &mut after);
    align::align(&mut before, &mut after);
    let (before, after) = (yaml(&before), yaml(&after));
    let diff = TextDiff::from_lines(before.as_str(), after.as_str());
    let mut text = diff
        .unified_diff()
        .context_radius(CONTEXT_LINES)
        .header(&format!("{name} (live)"), &format!("{name} (wanted)"))
        .to_string();
    if let Some((at, _)) = text.char_indices().nth(DIFF_CHARACTERS_MAX) {
        // Whole lines: half a secret would be known to nobody who takes them out.
        text.truncate(text[..at].rfind('\n').unwrap_or_default());
        text.push_str("\n… (cut)\n");
    }
    Some(text)
}

/// Drops what the server keeps, so that an exported object can be applied.
pub(crate) fn drop_kept_by_server(object: &mut Json) {
    for way in &tables().ignored {
        drop_at(object, way);
    }
}

fn drop_at(object: &mut Json, way: &Way) {
    if let Some((last, way)) = way.0.split_last() {
        each_at(object, way, &mut |map| {
            map.remove(last);
        });
    }
}

fn yaml(object: &Json) -> String {
    if object.is_null() {
        return String::new();
    }
    // What is JSON is also YAML, so that a writer's refusal costs only looks.
    serde_saphyr::to_string(object).unwrap_or_else(|_| object.to_string())
}

/// Puts words in place of the values of Secrets: the same on both sides if they are equal.
fn hide_values(before: &mut Json, after: &mut Json) {
    if !is_secret(before) && !is_secret(after) {
        return;
    }
    for field in ["data", "stringData"] {
        let (was, shall) = (before[field].clone(), after[field].clone());
        let word = |key: &String, different: &str| match (was.get(key), shall.get(key)) {
            (Some(a), Some(b)) if a == b => Json::from("(hidden, equal)"),
            (Some(_), Some(_)) => Json::from(different),
            _ => Json::from("(hidden)"),
        };
        for (side, different) in [
            (&mut *before, "(hidden)"),
            (&mut *after, "(hidden, different)"),
        ] {
            if let Some(Json::Object(values)) = side.get_mut(field) {
                for (key, value) in values {
                    *value = word(key, different);
                }
            }
        }
    }
}

/// Takes a path apart; `\.` is a dot inside a key.
fn steps(path: &str) -> Vec<String> {
    let mut out = Vec::new();
    for part in path.replace("\\.", "\u{0}").split('.') {
        let part = part.replace('\u{0}', ".");
        match part.strip_suffix("[]") {
            Some(list) => {
                out.push(list.to_owned());
                out.push("[]".to_owned());
            }
            None => out.push(part),
        }
    }
    out.retain(|step| !step.is_empty());
    out
}

/// Calls `f` with every map at a path.
fn each_at(json: &mut Json, way: &[String], f: &mut impl FnMut(&mut Map<String, Json>)) {
    match way.split_first() {
        None => {
            if let Json::Object(map) = json {
                f(map);
            }
        }
        Some((step, rest)) if step == "[]" => {
            for element in json.as_array_mut().into_iter().flatten() {
                each_at(element, rest, f);
            }
        }
        Some((step, rest)) => {
            if let Some(next) = json.get_mut(step) {
                each_at(next, rest, f);
            }
        }
    }
}

fn drop_marks(object: &mut Json, field: &str, marks: &[String]) {
    let is_mark = |key: &str| {
        marks.iter().any(|mark| match mark.strip_suffix('*') {
            Some(start) => key.starts_with(start),
            None => key == mark,
        })
    };
    if let Some(Json::Object(metadata)) = object.get_mut("metadata") {
        if let Some(Json::Object(map)) = metadata.get_mut(field) {
            map.retain(|key, _| !is_mark(key));
        }
        if metadata.get(field) == Some(&Json::Object(Map::new())) {
            metadata.remove(field);
        }
    }
}

/// Calls `f` with every map of a built-in kind in which the server fills in values, and those values.
fn each_default(object: &mut Json, f: &mut impl FnMut(&mut Map<String, Json>, &Values)) {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    if !crate::is_built_in_group(crate::split_api_version(api_version).0) {
        return;
    }
    let tables = tables();
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    for rule in tables.defaults.iter().filter(|r| r.kinds.contains(&kind)) {
        each_at(object, &steps(&rule.at), &mut |map| f(map, &rule.values));
    }
    if let Some(pod) = tables.pod_specs.get(&kind) {
        for rule in &tables.pod_defaults {
            let way = [steps(pod), steps(&rule.at)].concat();
            each_at(object, &way, &mut |map| f(map, &rule.values));
        }
    }
}

/// Drops nulls and empty lists, which mean the same as nothing.
fn prune(json: &mut Json) {
    match json {
        Json::Object(map) => {
            map.retain(|_, v| !v.is_null() && v.as_array().is_none_or(|list| !list.is_empty()));
            map.values_mut().for_each(prune);
        }
        Json::Array(list) => list.iter_mut().for_each(prune),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
