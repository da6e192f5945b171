//! The labels by which Jobs find their pods: made from the Job's own uid.

use drplan_sandbox_fields as fields;
use serde_json::Value;
use serde_json::json;

use crate::failure::Failure;
use crate::failure::Outcome;
use crate::failure::invalid_value;
use crate::object;
use crate::types::Served;

const UID: &str = "batch.kubernetes.io/controller-uid";
const OLD_UID: &str = "controller-uid";
const NAME: &str = "batch.kubernetes.io/job-name";
const OLD_NAME: &str = "job-name";

pub(super) fn create(served: &Served, new: &mut Value) -> Outcome<()> {
    if new["spec"]["manualSelector"] == true {
        return Ok(());
    }
    let (uid, name) = (object::uid(new).to_owned(), object::name(new).to_owned());
    let spec = object::object_at(new, "spec");
    let template = spec.entry("template").or_insert_with(|| json!({}));
    let metadata = object::metadata(template);
    let labels = metadata.entry("labels").or_insert_with(|| json!({}));
    // What a backup brings along from another Job stays, and is refused below.
    for (label, value) in [
        (UID, &uid),
        (OLD_UID, &uid),
        (NAME, &name),
        (OLD_NAME, &name),
    ] {
        if labels[label].is_null() {
            labels[label] = json!(value);
        }
    }
    let labels = labels.clone();
    let selector = spec.entry("selector").or_insert_with(|| json!({}));
    object::object_at(selector, "matchLabels").insert(UID.to_owned(), json!(uid));
    let selector = selector.clone();
    if object::labels(new).is_none_or(serde_json::Map::is_empty) {
        object::metadata(new).insert("labels".to_owned(), labels.clone());
    }
    refuse_foreign(served, new, &labels, &selector)
}

fn refuse_foreign(served: &Served, new: &Value, labels: &Value, selector: &Value) -> Outcome<()> {
    let (uid, name) = (object::uid(new), object::name(new));
    let mut errors = Vec::new();
    for (label, wanted) in [(UID, uid), (OLD_UID, uid), (NAME, name), (OLD_NAME, name)] {
        if labels[label] != wanted {
            let path = format!("spec.template.metadata.labels[{label}]");
            errors.push(invalid_value(&path, labels, &format!("must be '{wanted}'")));
        }
    }
    if *selector != json!({ "matchLabels": { (UID): uid } }) {
        let detail = "`selector` not auto-generated";
        errors.push(invalid_value("spec.selector", selector, detail));
    }
    if errors.is_empty() {
        return Ok(());
    }
    let status = fields::invalid_status(&served.info, name, &errors);
    Err(Failure::from_status(status))
}
