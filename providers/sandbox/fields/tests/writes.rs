//! What a real kube-apiserver made of writes, and what this crate makes of them.
//!
//! `record.py` writes `recorded/writes.json`. Each step starts from what the real server had stored,
//! so that one difference is one difference. Those that stay are listed with a reason, and a listed
//! one that is gone fails, too.
#![allow(
    clippy::unwrap_used,
    reason = "a recording that cannot be read fails the test"
)]

use std::collections::BTreeMap;

use drplan_sandbox_fields as fields;
use fields::FieldError;
use fields::PatchError;
use fields::TypeInfo;
use serde_json::Value;
use serde_json::json;

/// The time of all writes; the recording holds the same.
const NOW: &str = "2026-01-01T00:00:00Z";

/// Differences that stay: scenario, step, reason.
const INTENDED: &[(&str, usize, &str)] = &[
    (
        "driver nodes",
        0,
        "an empty list that must be there comes back from the real store as null",
    ),
    (
        "Jobs",
        1,
        "the real text shows the template as the server's own type",
    ),
    (
        "Pods",
        1,
        "the real text ends with a difference of the server's own types",
    ),
    (
        "claims",
        1,
        "the real text ends with a difference of the server's own types",
    ),
    (
        "claims",
        2,
        "the real text ends with a difference of the server's own types",
    ),
    (
        "claims",
        4,
        "the real text ends with a difference of the server's own types",
    ),
    (
        "volumes",
        1,
        "the real text ends with a difference of the server's own types",
    ),
    (
        "Secrets",
        3,
        "what a patch made unreadable is 400 here, 422 with the whole object there",
    ),
    (
        "a Deployment through create, patches and status",
        14,
        "what a patch made unreadable is 400 here, 422 with the whole object there",
    ),
    (
        "a ConfigMap with many owners",
        14,
        "who routes a request compares the names before",
    ),
];

struct Types {
    custom: Vec<TypeInfo>,
}

impl Types {
    fn find(&self, api_version: &str, plural: &str) -> &TypeInfo {
        let all = fields::builtins().iter().chain(&self.custom);
        let mut found = all.filter(|ty| ty.api_version() == api_version && ty.plural == plural);
        found
            .next()
            .unwrap_or_else(|| panic!("{api_version} {plural} is unknown"))
    }
}

/// `Err` holds a code and what the `Status` says.
type Outcome = Result<Value, (u16, Value)>;

struct Step<'a> {
    ty: &'a TypeInfo,
    live: Option<&'a Value>,
    step: &'a Value,
    name: &'a str,
}

impl Step<'_> {
    fn run(&self) -> Outcome {
        let body = &self.step["body"];
        let manager = self.step["manager"].as_str().unwrap_or("tester");
        let subresource = self.step["subresource"].as_str();
        let live = self.live.cloned().unwrap_or_default();
        match self.step["do"].as_str().unwrap() {
            "apply" => self.apply(body, manager, subresource),
            "merge" => self.update(fields::merge_patch(&live, body), manager, subresource),
            "json" => self.update(
                fields::json_patch(&live, body).map_err(refused)?,
                manager,
                subresource,
            ),
            "strategic" => self.update(
                fields::strategic_merge(self.ty, &live, body).map_err(refused)?,
                manager,
                subresource,
            ),
            "create" => self.create(body.clone(), manager),
            _ => self.update(body.clone(), manager, subresource),
        }
    }

    fn read(&self, object: &mut Value) -> Result<(), (u16, Value)> {
        let bad = |message: String| (400, json!({ "reason": "BadRequest", "message": message }));
        if let Some(message) = fields::decode_error(self.ty, object) {
            return Err(bad(message));
        }
        let unknown = fields::prune(self.ty, object);
        if self.step["validation"] == "Strict" && !unknown.is_empty() {
            let (kind, version) = (&self.ty.kind, &self.ty.version);
            return Err(bad(format!(
                "{kind} in version {version:?} cannot be handled as a {kind}: strict decoding error: {}",
                unknown.join(", ")
            )));
        }
        if self.ty.namespaced {
            object["metadata"]["namespace"] = json!("default");
        }
        Ok(())
    }

    fn invalid(&self, object: &Value, errors: &[FieldError]) -> Result<(), (u16, Value)> {
        if errors.is_empty() {
            return Ok(());
        }
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        Err((422, fields::invalid_status(self.ty, name, errors)))
    }

    fn create(&self, mut object: Value, manager: &str) -> Outcome {
        self.read(&mut object)?;
        fields::default(self.ty, &mut object);
        fields::owners::update(self.ty, None, &mut object, manager, None, NOW);
        fields::prepare_create(self.ty, &mut object);
        fields::default(self.ty, &mut object);
        self.invalid(&object, &fields::validate(self.ty, &object))?;
        Ok(object)
    }

    fn update(&self, mut object: Value, manager: &str, subresource: Option<&str>) -> Outcome {
        let live = self.live.expect("something to update");
        self.read(&mut object)?;
        fields::default(self.ty, &mut object);
        fields::owners::update(self.ty, Some(live), &mut object, manager, subresource, NOW);
        fields::prepare_update(self.ty, live, &mut object, subresource);
        fields::default(self.ty, &mut object);
        self.check(live, &object)?;
        fields::owners::keep_times(live, &mut object);
        Ok(object)
    }

    fn check(&self, live: &Value, object: &Value) -> Result<(), (u16, Value)> {
        let mut errors = fields::check_update(self.ty, live, object);
        errors.extend(fields::validate(self.ty, object));
        self.invalid(object, &errors)
    }

    fn apply(&self, body: &Value, manager: &str, subresource: Option<&str>) -> Outcome {
        let force = self.step["force"] == true;
        let applied =
            fields::owners::apply(self.ty, self.live, body, manager, force, subresource, NOW);
        let mut object = applied.map_err(|error| {
            let status = error.status();
            (
                u16::try_from(status["code"].as_u64().unwrap()).unwrap(),
                status,
            )
        })?;
        self.read(&mut object)?;
        let Some(live) = self.live else {
            fields::prepare_create(self.ty, &mut object);
            fields::default(self.ty, &mut object);
            self.invalid(&object, &fields::validate(self.ty, &object))?;
            return Ok(object);
        };
        fields::prepare_update(self.ty, live, &mut object, subresource);
        fields::default(self.ty, &mut object);
        self.check(live, &object)?;
        fields::owners::keep_times(live, &mut object);
        assert_eq!(object["metadata"]["name"], self.name);
        Ok(object)
    }
}

fn refused(error: PatchError) -> (u16, Value) {
    match error {
        PatchError::BadRequest(message) => {
            (400, json!({ "reason": "BadRequest", "message": message }))
        }
        PatchError::Unprocessable(message) => {
            (422, json!({ "reason": "Invalid", "message": message }))
        }
    }
}

/// What is compared of an object: all but what a server adds.
fn bare(object: &Value, ignore: &[&str]) -> Value {
    let mut object = object.clone();
    if let Some(meta) = object["metadata"].as_object_mut() {
        for name in ["uid", "resourceVersion", "creationTimestamp", "generation"] {
            meta.remove(name);
        }
    }
    // Entries of one second come in the order of their names here, of their writing there.
    if let Some(entries) = object
        .pointer_mut("/metadata/managedFields")
        .and_then(Value::as_array_mut)
    {
        let text = |entry: &Value, name: &str| entry[name].to_string();
        entries.sort_by_key(|entry| {
            ["manager", "operation", "apiVersion", "subresource"].map(|name| text(entry, name))
        });
    }
    for path in ignore {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = if parent.is_empty() {
            String::new()
        } else {
            format!("/{parent}")
        };
        if let Some(map) = object.pointer_mut(&parent).and_then(Value::as_object_mut) {
            map.remove(name);
        }
        drop_fields(&mut object, path);
    }
    object
}

/// Forgets who owns an ignored field.
fn drop_fields(object: &mut Value, path: &str) {
    let entries = object
        .pointer_mut("/metadata/managedFields")
        .and_then(Value::as_array_mut);
    for entry in entries.into_iter().flatten() {
        let steps: Vec<_> = path.split('/').map(|name| format!("f:{name}")).collect();
        let (last, parents) = steps.split_last().unwrap();
        let found = parents
            .iter()
            .fold(entry.get_mut("fieldsV1"), |at, name| at?.get_mut(name));
        if let Some(map) = found.and_then(Value::as_object_mut) {
            map.remove(last);
        }
    }
}

/// What is compared of a refusal.
fn said(status: &Value) -> Value {
    let mut causes: Vec<_> = status["details"]["causes"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    causes.sort_by_key(|cause| (cause["field"].to_string(), cause["message"].to_string()));
    let message = status["message"].as_str().unwrap_or_default();
    // Several errors come in no particular order, and some of the real ones several times.
    causes.dedup();
    let message = if causes.len() > 1 {
        String::new()
    } else {
        message.to_owned()
    };
    json!({ "reason": status["reason"], "message": message, "causes": causes })
}

fn differences(name: &str, left: &Value, right: &Value, out: &mut Vec<String>) {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            let keys: std::collections::BTreeSet<_> = left.keys().chain(right.keys()).collect();
            for key in keys {
                let (left, right) = (left.get(key), right.get(key));
                match (left, right) {
                    (Some(left), Some(right)) => {
                        differences(&format!("{name}/{key}"), left, right, out)
                    }
                    (Some(left), None) => out.push(format!("{name}/{key}: only real: {left}")),
                    (None, right) => {
                        out.push(format!("{name}/{key}: only ours: {}", right.unwrap()))
                    }
                }
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                differences(&format!("{name}/{index}"), left, right, out);
            }
        }
        _ if left == right => {}
        _ => out.push(format!("{name}: real {left}, ours {right}")),
    }
}

fn compare(step: &Value, ours: &Outcome, ignore: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let code = step["code"].as_u64().unwrap();
    match ours {
        Ok(object) if code < 300 => {
            differences(
                "",
                &bare(&step["answer"], ignore),
                &bare(object, ignore),
                &mut found,
            );
        }
        Err((ours, status)) if code == u64::from(*ours) => {
            differences("", &said(&step["answer"]), &said(status), &mut found);
        }
        other => found.push(format!(
            "real {code} {}, ours {other:?}",
            step["answer"]["message"]
        )),
    }
    found
}

#[test]
fn every_recorded_write_means_the_same_here() {
    let recorded: Value = serde_json::from_str(include_str!("recorded/writes.json")).unwrap();
    let definitions = recorded["definitions"].as_array().unwrap();
    let types = Types {
        custom: definitions
            .iter()
            .map(|crd| fields::from_crd(crd, "v1").unwrap())
            .collect(),
    };
    let mut found: BTreeMap<(&str, usize), Vec<String>> = BTreeMap::new();
    let mut steps = 0;
    for scenario in recorded["scenarios"].as_array().unwrap() {
        let title = scenario["title"].as_str().unwrap();
        let base: Vec<_> = scenario["base"]
            .as_str()
            .unwrap()
            .split('/')
            .skip(2)
            .collect();
        let (plural, rest) = base.split_last().unwrap();
        let version = rest
            .split(|part| *part == "namespaces")
            .next()
            .unwrap()
            .join("/");
        let ty = types.find(&version, plural);
        let ignore: Vec<_> = scenario["ignore"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut live: Option<Value> = None;
        for (index, step) in scenario["steps"].as_array().unwrap().iter().enumerate() {
            steps += 1;
            // What was deleted or never came cannot be there twice.
            if step["code"] == 409 && step["do"] == "create" || step["code"] == 415 {
                continue;
            }
            let is_new = step["do"] == "create";
            let name = scenario["name"].as_str().unwrap();
            let live_now = live.as_ref().filter(|_| !is_new);
            let outcome = Step {
                ty,
                live: live_now,
                step,
                name,
            }
            .run();
            let differences = compare(step, &outcome, &ignore);
            if !differences.is_empty() {
                found.insert((title, index), differences);
            }
            if step["code"].as_u64().unwrap() < 300 {
                live = Some(step["answer"].clone());
            }
        }
    }
    let mut text = Vec::new();
    for ((title, index), differences) in &found {
        if !INTENDED
            .iter()
            .any(|(scenario, step, _)| (scenario, step) == (title, index))
        {
            text.push(format!(
                "{title}, step {index}:\n    {}",
                differences.join("\n    ")
            ));
        }
    }
    assert!(
        text.is_empty(),
        "{} of {steps} differ\n{}",
        text.len(),
        text.join("\n")
    );
    for (scenario, step, reason) in INTENDED {
        assert!(
            found.contains_key(&(scenario, *step)),
            "gone: {scenario} {step} {reason}"
        );
    }
}

/// Objects in an answer: itself, or the items of a list.
fn stored(value: &Value) -> Vec<&Value> {
    let items = value["items"].as_array();
    items.map_or_else(|| vec![value], |items| items.iter().collect())
}

#[test]
fn what_the_real_server_wrote_is_left_as_it_is() {
    let recorded: Value = serde_json::from_str(include_str!("recorded/writes.json")).unwrap();
    let scenarios = recorded["scenarios"].as_array().unwrap();
    let steps = scenarios
        .iter()
        .flat_map(|scenario| scenario["steps"].as_array().unwrap());
    let mut count = 0;
    for object in steps.flat_map(|step| stored(&step["answer"])) {
        let named = |ty: &&TypeInfo| {
            object["kind"] == ty.kind.as_str() && object["apiVersion"] == ty.api_version().as_str()
        };
        let Some(ty) = fields::builtins().iter().find(named) else {
            continue;
        };
        count += 1;
        let mut again = object.clone();
        assert_eq!(fields::decode_error(ty, &again), None, "{object}");
        assert_eq!(
            fields::prune(ty, &mut again),
            Vec::<String>::new(),
            "{object}"
        );
        fields::default(ty, &mut again);
        let mut found = Vec::new();
        differences("", object, &again, &mut found);
        assert!(found.is_empty(), "{}: {}", ty.kind, found.join("\n"));
        let errors = fields::validate(ty, &again);
        assert!(errors.is_empty(), "{}: {errors:?}", ty.kind);
    }
    assert!(count > 80, "only {count} objects");
}
