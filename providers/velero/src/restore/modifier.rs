//! What Velero changes in objects while it makes them: the rules, and the ConfigMap that holds them.
//!
//! Pure. Rules belong to the Restores that name their ConfigMap and to no other, unlike the ConfigMaps
//! of Velero's plugins, which hold for every restore in a cluster. All of an archive is known, so that
//! a rule names exact places and values and leaves nothing to Velero's guess.
//!
//! # Source
//!
//! Velero 1.18: `internal/resourcemodifiers`, and where `restoreItem` applies them: after the plugins
//! and before the namespace is mapped.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Address;
use drplan_api::Json;
use drplan_api::short_hash;
use drplan_api::stamp;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;

use super::body::Group;
use super::body::is_made;
use super::judge::Judgement;
use super::look::labels;
use super::spec::Spec;
use super::swap;
use crate::index::Index;
use crate::objects::VELERO_NAMESPACE;
use crate::objects::text;
use drplan_kubernetes::mark::Original;
use drplan_kubernetes::mark::Pauser;

/// The most bytes of rules; the API server refuses a ConfigMap of more than a mebibyte.
pub(crate) const RULES_BYTES_MAX: usize = 900 * 1024;

/// The one key of the ConfigMap.
const KEY: &str = "rules.json";

/// Where Velero puts a container of its own in front of those of a pod whose volumes it fills, and takes
/// away the one that an earlier restore has put there.
const SHIFTED: &str = "/spec/initContainers/";

/// Rules, and the ConfigMap that holds them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Modifier {
    /// The name of the ConfigMap.
    pub(crate) name: String,
    pub(crate) rules: Vec<Rule>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rule {
    /// Whatever names this at that place names something else.
    Set {
        resource: String,
        at: String,
        old: String,
        new: String,
    },
    /// Some objects are born paused.
    Pause(Objects),
    /// Some objects that were backed up paused are born running.
    Release(Objects),
}

/// Some objects of one resource in one archived namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Objects {
    pub(crate) resource: String,
    pub(crate) namespace: String,
    pub(crate) original: Original,
    pub(crate) names: Vec<String>,
}

/// Writes the rules for what some Restores make.
pub(crate) fn rules<'g>(
    index: &Index,
    spec: &Spec,
    judgement: &Judgement,
    groups: impl Iterator<Item = &'g Group> + Clone,
    paused: &BTreeSet<usize>,
) -> Vec<Rule> {
    let mut sets = BTreeSet::new();
    let mut objects = BTreeMap::<(bool, &str, &str, &Original), Vec<String>>::new();
    let each = index.items.iter().zip(&judgement.judged).enumerate();
    for (i, (item, one)) in each {
        if !is_made(item, &one.sort, groups.clone()) {
            continue;
        }
        for (slot, new) in swap::swaps(item, spec) {
            for at in places(&item.resource, &slot.at) {
                sets.insert(Rule::Set {
                    resource: item.resource.clone(),
                    at,
                    old: slot.name.clone(),
                    new: new.clone(),
                });
            }
        }
        let is_paused = paused.contains(&i);
        if let Some(original) = &item.facts.runs
            && (is_paused || item.facts.paused_by.is_some())
        {
            let like = (is_paused, &*item.resource, &*item.namespace, original);
            objects.entry(like).or_default().push(item.name.clone());
        }
    }
    let mut out: Vec<Rule> = sets.into_iter().collect();
    for ((is_paused, resource, namespace, original), names) in objects {
        let objects = Objects {
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            original: original.clone(),
            names,
        };
        out.push(if is_paused {
            Rule::Pause(objects)
        } else {
            Rule::Release(objects)
        });
    }
    out
}

/// Where a value stands when the rules are applied.
fn places(resource: &str, at: &str) -> Vec<String> {
    let mut out = vec![at.to_owned()];
    let shifted = at.strip_prefix(SHIFTED).filter(|_| resource == "pods");
    if let Some((n, rest)) = shifted.and_then(|rest| rest.split_once('/'))
        && let Ok(n) = n.parse::<usize>()
    {
        let shifts = [n.checked_sub(1), n.checked_add(1)];
        let shifts = shifts.into_iter().flatten();
        out.extend(shifts.map(|n| format!("{SHIFTED}{n}/{rest}")));
    }
    out
}

impl Modifier {
    /// Names the ConfigMap after the Restore that comes first and after the rules, so that other rules
    /// never stand under the same name.
    pub(crate) fn new(restore: &str, rules: Vec<Rule>) -> Option<Self> {
        (!rules.is_empty()).then(|| Self {
            name: format!("{restore}-{}", short_hash(&rules)),
            rules,
        })
    }

    /// The rules as Velero reads them.
    pub(crate) fn text(&self, by: Pauser<'_>) -> String {
        let rules: Vec<Json> = self.rules.iter().map(|rule| rule.written(by)).collect();
        json!({"version": "v1", "resourceModifierRules": rules}).to_string()
    }

    /// The ConfigMap.
    pub(crate) fn config_map(&self, address: &Address, by: Pauser<'_>, backup: &str) -> Json {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": self.name, "namespace": VELERO_NAMESPACE,
                "labels": labels(address, by.recovery, backup),
                "annotations": {stamp::RUN: by.run, stamp::STEP: address.as_str()},
            },
            "data": {KEY: self.text(by)},
        })
    }

    /// The commands by which a person makes it and takes it away again. Rules may be longer than an
    /// argument of a program can be, so that the shell itself writes them.
    pub(crate) fn commands(&self, recovery: &str) -> [String; 2] {
        let rules = drplan_api::shell::quoted(&self.text(Pauser {
            recovery,
            run: "by hand",
            until: None,
        }));
        let kubectl = format!("kubectl -n {VELERO_NAMESPACE}");
        let name = &self.name;
        [
            format!(
                "printf %s {rules} | {kubectl} create configmap {name} --from-file={KEY}=/dev/stdin"
            ),
            format!("{kubectl} delete configmap {name}"),
        ]
    }
}

/// Whether a ConfigMap was made by this step of this recovery.
pub(crate) fn is_ours(config_map: &Json, address: &Address, recovery: &str) -> bool {
    let meta = &config_map["metadata"];
    let recovery = stamp::label_value(recovery);
    text(&meta["annotations"][stamp::STEP]) == address.as_str()
        && text(&meta["labels"][stamp::RECOVERY]) == recovery
}

impl Rule {
    fn written(&self, by: Pauser<'_>) -> Json {
        match self {
            Self::Set {
                resource,
                at,
                old,
                new,
            } => json!({
                "conditions": {
                    "groupResource": resource,
                    "matches": [{"path": at, "value": quoted(old)}],
                },
                "patches": [{"operation": "replace", "path": at, "value": quoted(new)}],
            }),
            Self::Pause(objects) => objects.merged(&objects.original.pause(by)),
            Self::Release(objects) => objects.merged(&objects.original.release()),
        }
    }
}

impl Objects {
    fn merged(&self, patch: &Json) -> Json {
        let names: Vec<String> = self
            .names
            .iter()
            .map(|name| name.replace('.', r"\."))
            .collect();
        json!({
            "conditions": {
                "groupResource": self.resource,
                "namespaces": [self.namespace],
                "resourceNameRegex": format!("^({})$", names.join("|")),
            },
            "mergePatches": [{"patchData": patch.to_string()}],
        })
    }
}

/// Velero takes what looks like a number, a truth value or a list for one, unless it stands in quotes.
fn quoted(value: &str) -> String {
    format!("\"{value}\"")
}

#[cfg(test)]
mod tests {
    use super::super::judge::World;
    use super::super::judge::judge;
    use super::super::tests::archived;
    use super::super::tests::names;
    use super::super::tests::spec;
    use super::*;
    use crate::index::Item;
    use crate::slot;
    use drplan_kubernetes::mark;

    const BY: Pauser<'_> = Pauser {
        recovery: "shop",
        run: "run-7",
        until: None,
    };

    fn item(resource: &str, name: &str, body: &Json) -> Item {
        let mut item = archived(resource, "shop", name);
        item.facts.images = slot::images(resource, body);
        item.facts.classes = slot::classes(resource, body);
        item.facts.runs = mark::running(resource, body);
        item.facts.paused_by = mark::paused_by(body);
        item
    }

    fn found(items: Vec<Item>, args: Json, paused: &[usize]) -> Vec<Rule> {
        let (index, spec) = (
            Index {
                items,
                ..Index::default()
            },
            spec(args),
        );
        let judgement = judge(&index, &spec, &World::default(), &names());
        let group = Group {
            namespaces: vec!["shop".to_owned()],
            ..Group::default()
        };
        let paused = paused.iter().copied().collect();
        rules(&index, &spec, &judgement, [&group].into_iter(), &paused)
    }

    #[test]
    fn equal_changes_are_one_rule_and_what_is_not_named_needs_none() {
        let deployment = |image: &str| json!({"spec": {"template": {"spec": {"containers": [{"image": image}]}}}});
        let items = vec![
            item("deployments.apps", "a", &deployment("old/a:1")),
            item("deployments.apps", "b", &deployment("old/a:1")),
            item("deployments.apps", "c", &deployment("other/c:1")),
            item(
                "persistentvolumeclaims",
                "data",
                &json!({"spec": {"storageClassName": "fast"}}),
            ),
        ];
        let args = json!({"image_map": {"old": "new"}, "storage_class_map": {"fast": "slow"}});
        let rules = found(items.clone(), args, &[]);
        let written: Vec<Json> = rules.iter().map(|r| r.written(BY)).collect();
        assert_eq!(
            json!(written),
            json!([
                {"conditions": {"groupResource": "deployments.apps", "matches":
                    [{"path": "/spec/template/spec/containers/0/image", "value": "\"old/a:1\""}]},
                 "patches": [{"operation": "replace",
                    "path": "/spec/template/spec/containers/0/image", "value": "\"new/a:1\""}]},
                {"conditions": {"groupResource": "persistentvolumeclaims", "matches":
                    [{"path": "/spec/storageClassName", "value": "\"fast\""}]},
                 "patches": [{"operation": "replace", "path": "/spec/storageClassName",
                    "value": "\"slow\""}]},
            ])
        );
        assert_eq!(found(items, json!({}), &[]), []);
        assert_eq!(Modifier::new("r", Vec::new()), None);
    }

    #[test]
    fn a_volume_is_changed_with_its_claim_whatever_is_chosen() {
        let class = json!({"spec": {"storageClassName": "fast"}});
        let mut volume = item("persistentvolumes", "v", &class);
        volume.namespace = String::new();
        let mut elsewhere = item("persistentvolumeclaims", "data", &class);
        elsewhere.namespace = "web".to_owned();
        let args = json!({"storage_class_map": {"fast": "slow"}});
        let rules = found(vec![volume, elsewhere], args, &[]);
        assert!(
            matches!(&rules[..], [Rule::Set { resource, .. }] if resource == "persistentvolumes"),
            "{rules:?}"
        );
    }

    #[test]
    fn a_pods_first_containers_are_also_looked_for_where_veleros_own_moves_them() {
        let pod = json!({"spec": {"initContainers": [{"image": "x"}, {"image": "old/a"}],
                                  "containers": [{"image": "old/b"}]}});
        let rules = found(
            vec![item("pods", "p", &pod)],
            json!({"image_map": {"old": "new"}}),
            &[],
        );
        let places: Vec<&str> = rules
            .iter()
            .filter_map(|rule| match rule {
                Rule::Set { at, .. } => Some(at.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(
            places,
            [
                "/spec/containers/0/image",
                "/spec/initContainers/0/image",
                "/spec/initContainers/1/image",
                "/spec/initContainers/2/image"
            ]
        );
    }

    #[test]
    fn the_paused_are_named_exactly_and_those_paused_before_are_released() {
        let cron = |name: &str| item("cronjobs.batch", name, &json!({"spec": {"suspend": false}}));
        let mut before = json!({"metadata": {"annotations": {}}, "spec": {"replicas": 0}});
        before["metadata"] = Original::Replicas(2).pause(BY)["metadata"].clone();
        let items = vec![
            cron("a.b"),
            cron("c"),
            cron("left-alone"),
            item("deployments.apps", "held", &before),
        ];
        let rules = found(items, json!({}), &[0, 1]);
        assert_eq!(rules.len(), 2);
        let written = rules.iter().map(|r| r.written(BY)).collect::<Vec<_>>();
        let paused = written
            .iter()
            .find(|r| r["conditions"]["groupResource"] == "cronjobs.batch");
        let paused = paused.expect("a rule");
        assert_eq!(paused["conditions"]["resourceNameRegex"], r"^(a\.b|c)$");
        assert_eq!(paused["conditions"]["namespaces"], json!(["shop"]));
        let patch = paused["mergePatches"][0]["patchData"]
            .as_str()
            .expect("a patch");
        let patch: Json = serde_json::from_str(patch).expect("JSON");
        assert_eq!(patch["spec"], json!({"suspend": true}));
        assert_eq!(
            patch["metadata"]["annotations"][mark::PAUSED],
            r#"{"suspend":false}"#
        );
        assert_eq!(patch["metadata"]["annotations"][stamp::RUN], "run-7");
        let released = written
            .iter()
            .find(|r| r["conditions"]["groupResource"] == "deployments.apps");
        let patch = released.expect("a rule")["mergePatches"][0]["patchData"].clone();
        assert!(text(&patch).contains(r#""replicas":2"#), "{patch}");
    }

    #[test]
    fn a_config_map_has_one_key_and_is_told_from_those_of_other_steps() {
        let rules = vec![Rule::Set {
            resource: "pods".to_owned(),
            at: "/spec/containers/0/image".to_owned(),
            old: "a".to_owned(),
            new: "b".to_owned(),
        }];
        let modifier = Modifier::new("drplan-x-0a1b2c3d-1", rules).expect("a modifier");
        let address = Address::new("velero_restore.shop");
        let by = Pauser {
            recovery: "region loss",
            ..BY
        };
        let map = modifier.config_map(&address, by, "nightly");
        assert_eq!(map["data"].as_object().map(serde_json::Map::len), Some(1));
        assert!(is_ours(&map, &address, "region loss"));
        assert!(!is_ours(
            &map,
            &Address::new("velero_restore.web"),
            "region loss"
        ));
        assert!(!is_ours(&map, &address, "drill"));
        assert!(modifier.commands("r")[0].contains("create configmap drplan-x-0a1b2c3d-1-"));
        assert!(modifier.commands("r")[0].starts_with("printf %s '{"));
    }
}
