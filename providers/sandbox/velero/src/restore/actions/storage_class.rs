//! Storage classes under another name, by a ConfigMap from old to new.

use serde_json::Value;
use serde_json::json;

use super::typed;
use crate::kube_api::Place;
use crate::restore::execute::Run;

const PLUGIN: &str = "velero.io/change-storage-class";

pub(super) async fn change(run: &Run<'_>, mut object: Value) -> Result<Value, String> {
    let Some(map) = run.plugin(PLUGIN).await? else {
        return Ok(object);
    };
    if map["data"]
        .as_object()
        .is_none_or(serde_json::Map::is_empty)
    {
        return Ok(object);
    }
    if object["kind"] == "StatefulSet" {
        let templates = object.pointer_mut("/spec/volumeClaimTemplates");
        let Some(templates) = templates.and_then(Value::as_array_mut) else {
            return Ok(object);
        };
        for template in templates {
            change_one(run, &map, template).await?;
        }
        return Ok(typed(object));
    }
    change_one(run, &map, &mut object).await?;
    Ok(object)
}

async fn change_one(run: &Run<'_>, map: &Value, object: &mut Value) -> Result<(), String> {
    let Some(old) = object["spec"]["storageClassName"]
        .as_str()
        .filter(|old| !old.is_empty())
    else {
        return Ok(());
    };
    let Some(new) = map["data"][old].as_str() else {
        return Ok(());
    };
    let place = Place::new("storage.k8s.io/v1", "storageclasses", "");
    run.server
        .kube
        .get(&place, new)
        .await
        .map_err(|refusal| format!("error getting storage class {new} from API: {refusal}"))?;
    object["spec"]["storageClassName"] = json!(new);
    Ok(())
}
