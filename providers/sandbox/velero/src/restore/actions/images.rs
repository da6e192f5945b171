//! Images under another name, by a ConfigMap of pairs `old,new`.

use serde_json::Value;
use serde_json::json;

use super::plugin;
use crate::restore::execute::Run;

const PLUGIN: &str = "velero.io/change-image-name";

pub(super) async fn change(run: &Run<'_>, mut object: Value) -> Result<Value, String> {
    let Some(map) = run.plugin(PLUGIN).await? else {
        return Ok(object);
    };
    let pod = match object["kind"].as_str() {
        Some("Pod") => "/spec",
        Some("CronJob") => "/spec/jobTemplate/spec/template/spec",
        _ => "/spec/template/spec",
    };
    for list in ["containers", "initContainers"] {
        let containers = object.pointer_mut(&format!("{pod}/{list}"));
        for container in containers
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let image = container["image"].as_str().unwrap_or_default();
            if let Some(new) = new_name(&map, image) {
                container["image"] = json!(new);
            }
        }
    }
    Ok(object)
}

/// The name by the first pair whose old part is in the image's name.
fn new_name(map: &Value, image: &str) -> Option<String> {
    if image.is_empty() {
        return None;
    }
    plugin::pairs(map).find_map(|(_, pair)| {
        let (old, new) = pair.split_once(',')?;
        let is_it = image.contains(old.trim()) && !new.is_empty();
        is_it.then(|| image.replace(old.trim(), new.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_name_is_replaced_wherever_it_stands() {
        let map = json!({"data": {"a": "no comma", "b": "old.example, new.example"}});
        let new = new_name(&map, "old.example/shop:1");
        assert_eq!(new.as_deref(), Some("new.example/shop:1"));
        assert_eq!(new_name(&map, "other/shop:1"), None);
    }
}
