//! ConfigMaps by which somebody sets a plugin up.

use serde_json::Value;

use crate::kube_api::Place;
use crate::restore::execute::Run;
use crate::text::name;

impl Run<'_> {
    /// The ConfigMap of a plugin, when there is one.
    pub(super) async fn plugin(&self, plugin: &str) -> Result<Option<Value>, String> {
        let selector = format!("velero.io/plugin-config,{plugin}=RestoreItemAction");
        let place = Place::new("v1", "configmaps", &self.server.options.namespace);
        let listed = self.server.kube.list_with(&place, &selector).await;
        let (mut maps, _) = listed.map_err(|refusal| refusal.to_string())?;
        if maps.len() > 1 {
            let names: Vec<&str> = maps.iter().map(name).collect();
            return Err(format!(
                "found more than one ConfigMap matching label selector \"{selector}\": [{}]",
                names.join(" ")
            ));
        }
        Ok(maps.pop())
    }
}

/// The pairs of a ConfigMap.
pub(super) fn pairs(map: &Value) -> impl Iterator<Item = (&str, &str)> {
    let data = map["data"].as_object().into_iter().flatten();
    data.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}
