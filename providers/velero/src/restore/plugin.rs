//! Maps of Velero's own plugins, which hold for every restore in a cluster, whoever makes it.
//!
//! Pure. drplan makes none of these ConfigMaps; it only looks whether one that is there would make of
//! this restore something else than the plan shows.
//!
//! # Source
//!
//! Velero 1.18: `pkg/restore/actions/change_storageclass_action.go` and `change_image_name_action.go`.
//! The first maps exact names; the second replaces any part of an image's name, in no certain order.

use std::collections::BTreeSet;

use drplan_api::Json;

use super::body::Group;
use super::body::is_made;
use super::judge::Judgement;
use super::spec::Spec;
use super::swap;
use crate::index::Index;
use crate::objects::VELERO_NAMESPACE;
use crate::objects::text;

/// The label of every ConfigMap that a plugin of Velero reads.
pub(crate) const LABEL: &str = "velero.io/plugin-config";

const ACTION: &str = "RestoreItemAction";

#[derive(Clone, Copy)]
enum Plugin {
    StorageClass,
    Image,
}

impl Plugin {
    const ALL: [Self; 2] = [Self::StorageClass, Self::Image];

    fn label(self) -> &'static str {
        match self {
            Self::StorageClass => "velero.io/change-storage-class",
            Self::Image => "velero.io/change-image-name",
        }
    }

    fn argument(self) -> &'static str {
        match self {
            Self::StorageClass => "storage_class_map",
            Self::Image => "image_map",
        }
    }

    /// Everything that the plugin may make of a name.
    fn made(self, config_map: &Json, name: &str) -> BTreeSet<String> {
        let data = config_map["data"].as_object().into_iter().flatten();
        match self {
            Self::StorageClass => data
                .filter(|(from, _)| *from == name)
                .map(|(_, to)| text(to).to_owned())
                .collect(),
            Self::Image => data
                .filter_map(|(_, row)| text(row).split_once(','))
                .map(|(from, to)| (from.trim(), to))
                .filter(|(from, to)| name.contains(from) && !to.is_empty())
                .map(|(from, to)| name.replace(from, to.trim()))
                .collect(),
        }
    }
}

/// Says why the maps of Velero's plugins would make something else of what some Restores bring back.
pub(crate) fn contradiction<'g>(
    config_maps: &[Json],
    index: &Index,
    spec: &Spec,
    judgement: &Judgement,
    groups: impl Iterator<Item = &'g Group> + Clone,
) -> Option<String> {
    for plugin in Plugin::ALL {
        let of_plugin = |map: &&Json| text(&map["metadata"]["labels"][plugin.label()]) == ACTION;
        let found: Vec<&Json> = config_maps.iter().filter(of_plugin).collect();
        let name = |map: &Json| format!("`{VELERO_NAMESPACE}/{}`", text(&map["metadata"]["name"]));
        let map = match found[..] {
            [] => continue,
            [map] => map,
            _ => {
                let names: Vec<String> = found.into_iter().map(name).collect();
                return Some(format!(
                    "ConfigMaps {} are all marked `{}`, and Velero restores nothing that it applies \
                     to while there is more than one; delete all but one",
                    names.join(" and "),
                    plugin.label()
                ));
            }
        };
        let each = index.items.iter().zip(&judgement.judged);
        for (item, one) in each {
            if !is_made(item, &one.sort, groups.clone()) {
                continue;
            }
            let slots = match plugin {
                Plugin::StorageClass => &item.facts.classes,
                Plugin::Image => &item.facts.images,
            };
            for slot in slots {
                let wanted = match plugin {
                    Plugin::StorageClass => swap::class(spec, &slot.name).to_owned(),
                    Plugin::Image => {
                        swap::image(spec, &slot.name).unwrap_or_else(|| slot.name.clone())
                    }
                };
                let made = plugin.made(map, &slot.name);
                if let Some(other) = made.into_iter().find(|made| *made != wanted) {
                    return Some(format!(
                        "ConfigMap {} (`{}`) makes `{}` to `{other}` in every restore of this \
                         cluster, and this step wants `{wanted}` for {}; delete the ConfigMap, or set \
                         `{}` to the same",
                        name(map),
                        plugin.label(),
                        slot.name,
                        item.title(),
                        plugin.argument()
                    ));
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::judge::World;
    use super::super::judge::judge;
    use super::super::tests::archived;
    use super::super::tests::names;
    use super::super::tests::spec;
    use super::*;
    use crate::slot;

    fn found(maps: &[Json], args: Json) -> Option<String> {
        let mut claim = archived("persistentvolumeclaims", "shop", "data");
        let body = json!({"spec": {"storageClassName": "fast"}});
        claim.facts.classes = slot::classes(&claim.resource, &body);
        let mut pod = archived("pods", "shop", "p");
        let body = json!({"spec": {"containers": [{"image": "old.example:5000/web:1"}]}});
        pod.facts.images = slot::images(&pod.resource, &body);
        let (index, spec) = (
            Index {
                items: vec![claim, pod],
                ..Index::default()
            },
            spec(args),
        );
        let judgement = judge(&index, &spec, &World::default(), &names());
        let group = Group {
            namespaces: vec!["shop".to_owned()],
            ..Group::default()
        };
        contradiction(maps, &index, &spec, &judgement, [&group].into_iter())
    }

    fn map(name: &str, plugin: Plugin, data: Json) -> Json {
        json!({"metadata": {"name": name, "labels": {LABEL: "", (plugin.label()): ACTION}},
               "data": data})
    }

    #[test]
    fn a_map_of_the_cluster_must_make_what_the_plan_shows() {
        use Plugin::{Image, StorageClass};

        for (maps, args, good) in [
            (vec![], json!({"storage_class_map": {"fast": "slow"}}), true),
            (
                vec![map("m", StorageClass, json!({"fast": "slow"}))],
                json!({}),
                false,
            ),
            (
                vec![map("m", StorageClass, json!({"fast": "slow"}))],
                json!({"storage_class_map": {"fast": "slow"}}),
                true,
            ),
            (
                vec![map("m", StorageClass, json!({"fast": "other"}))],
                json!({"storage_class_map": {"fast": "slow"}}),
                false,
            ),
            (
                vec![map("m", StorageClass, json!({"unused": "slow"}))],
                json!({}),
                true,
            ),
            (
                vec![
                    map("m", StorageClass, json!({})),
                    map("n", StorageClass, json!({})),
                ],
                json!({}),
                false,
            ),
            (
                vec![map("m", Image, json!({"a": "5000,3000"}))],
                json!({}),
                false,
            ),
            (
                vec![map(
                    "m",
                    Image,
                    json!({"a": "old.example:5000, new.example"}),
                )],
                json!({"image_map": {"old.example:5000": "new.example"}}),
                true,
            ),
            (
                vec![map(
                    "m",
                    Image,
                    json!({"a": "old.example:5000,new.example", "b": "web,shop"}),
                )],
                json!({"image_map": {"old.example:5000": "new.example"}}),
                false,
            ),
        ] {
            let found = found(&maps, args.clone());
            assert_eq!(found.is_none(), good, "{maps:?} {args}: {found:?}");
        }
    }
}
