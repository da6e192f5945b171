//! What a restore needs of a cluster, and what it gives: both stand in the opened backup.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Cap;
use drplan_api::ConnId;
use drplan_api::Query;
use drplan_api::View;
use drplan_api::Want;
use drplan_api::Wires;
use drplan_kubernetes::Discovered;
use drplan_kubernetes::asks;
use drplan_kubernetes::asks::TypeRef;
use drplan_kubernetes::interlock;
use drplan_kubernetes::is_built_in_group;
use serde::Deserialize;

use super::select::Sort;
use super::select::sort;
use super::spec::BUCKET;
use super::spec::CLUSTER;
use super::spec::Spec;
use super::swap;
use crate::bucket::Place;
use crate::index::Index;
use crate::index::Item;
use crate::objects;
use crate::objects::VELERO_NAMESPACE;
use crate::objects::text;

const CRDS: &str = "customresourcedefinitions.apiextensions.k8s.io";
const CLASSES: &str = "storageclasses.storage.k8s.io";

/// Joins what the backup holds with what the cluster already has.
pub(crate) fn wires(want: &Want<Spec>, view: &View<'_>) -> Wires {
    let conn = want.conn(CLUSTER);
    let (backup, place) = (&want.spec.backup, want.spec.backup.place());
    let location = want.spec.location.clone().unwrap_or_else(|| place.url());
    let crd = Cap::on(conn, "crd", objects::restores().full_name());
    let mut wires = Wires {
        needs: vec![
            (
                Cap::on(conn, "backup_location", &location),
                format!("backup `{}` lies in `{}`", backup.name, place.url()).into(),
            ),
            (crd, "Velero does the restore".into()),
        ],
        ..Wires::default()
    };
    if !want.spec.born_paused.is_empty() {
        wires.begins.push((
            interlock::paused(conn),
            "it brings objects back paused".into(),
        ));
    }
    let index = place.ask_archive(want.conn(BUCKET), &backup.name);
    let index = match view.peek(&index) {
        Some(Ok(answer)) => Index::deserialize(&**answer).unwrap_or_default(),
        _ => Index::default(),
    };
    let selected: Vec<&Item> = index
        .items
        .iter()
        .filter(|item| sort(item, &want.spec) == Sort::Restorable)
        .collect();
    gives(want, &selected, &mut wires);
    needs(want, &selected, &mut wires);
    already(want, &place, view, &mut wires);
    wires
}

fn gives(want: &Want<Spec>, selected: &[&Item], wires: &mut Wires) {
    let (conn, backup) = (want.conn(CLUSTER), &want.spec.backup.name);
    let mut namespaces = BTreeSet::new();
    for item in selected {
        let namespace = if item.is_namespace() {
            &item.name
        } else {
            &item.namespace
        };
        if !namespace.is_empty() {
            namespaces.insert(want.spec.target(namespace));
        }
        let space = match item.resource.as_str() {
            CRDS => "crd",
            CLASSES => "storage_class",
            _ => continue,
        };
        let because = format!("backup `{backup}` holds {} `{}`", item.kind, item.name);
        wires
            .gives
            .push((Cap::on(conn, space, &item.name), because.into()));
    }
    for namespace in namespaces {
        let because = format!("backup `{backup}` holds namespace `{namespace}`");
        wires
            .gives
            .push((Cap::on(conn, "namespace", namespace), because.into()));
    }
}

fn needs(want: &Want<Spec>, selected: &[&Item], wires: &mut Wires) {
    let (conn, backup) = (want.conn(CLUSTER), &want.spec.backup.name);
    let own: BTreeSet<Cap> = wires.gives.iter().map(|(cap, _)| cap.clone()).collect();
    let mut needed = BTreeMap::<Cap, String>::new();
    for item in selected {
        let (cap, because) = if let Some(archived) = &item.facts.storage_class {
            let class = swap::class(&want.spec, archived);
            let mut because = format!(
                "backup `{backup}` holds claim `{}/{}` of storage class `{archived}`",
                item.namespace, item.name
            );
            if class != archived {
                because = format!("{because}, for which `{class}` comes");
            }
            (Cap::on(conn, "storage_class", class), because)
        } else if !is_built_in_group(&item.type_ref().group) {
            let because = format!("backup `{backup}` holds {}", item.title());
            (Cap::on(conn, "crd", &item.resource), because)
        } else {
            continue;
        };
        needed.entry(cap).or_insert(because);
    }
    // What the restore brings itself it brings first, because Velero orders kinds so.
    needed.retain(|cap, _| !own.contains(cap));
    let needed = needed
        .into_iter()
        .map(|(cap, because)| (cap, because.into()));
    wires.needs.extend(needed);
}

/// Asks for what the cluster already has. Whoever looks asks too, because nobody waits for wires.
pub(crate) fn queries(conn: &ConnId) -> [Query; 2] {
    let classes = TypeRef::new("storage.k8s.io", "v1", "storageclasses");
    let locations = objects::locations();
    [
        asks::list(conn, &classes),
        asks::list_in(conn, &locations, VELERO_NAMESPACE, None),
    ]
}

fn already(want: &Want<Spec>, place: &Place, view: &View<'_>, wires: &mut Wires) {
    let conn = want.conn(CLUSTER);
    let types = match view.peek(&asks::discovery(conn)) {
        Some(Ok(answer)) => Discovered::deserialize(&**answer).unwrap_or_default(),
        _ => return,
    };
    let [classes, locations] = queries(conn);
    let has_velero = types
        .by_plural("velero.io", "backupstoragelocations")
        .is_some();
    let mut has = BTreeSet::new();
    if wires
        .needs
        .iter()
        .any(|(cap, _)| cap.space == "storage_class")
    {
        view.want(&classes);
        for class in items(view, &classes) {
            has.insert(Cap::on(
                conn,
                "storage_class",
                text(&class["metadata"]["name"]),
            ));
        }
    }
    if has_velero {
        view.want(&locations);
        for location in items(view, &locations) {
            has.insert(Cap::on(
                conn,
                "backup_location",
                text(&location["metadata"]["name"]),
            ));
            if place_of(location) == *place {
                has.insert(Cap::on(conn, "backup_location", place.url()));
            }
        }
    }
    let is_served = |cap: &Cap| {
        let (plural, group) = cap.key.split_once('.').unwrap_or((&cap.key, ""));
        cap.space == "crd" && types.by_plural(group, plural).is_some()
    };
    let needs = wires.needs.iter().map(|(cap, _)| cap);
    wires.already = needs
        .filter(|cap| has.contains(cap) || is_served(cap))
        .cloned()
        .collect();
}

fn items<'a>(view: &View<'a>, query: &drplan_api::Query) -> Vec<&'a drplan_api::Json> {
    match view.peek(query) {
        Some(Ok(answer)) => answer["items"].as_array().into_iter().flatten().collect(),
        _ => Vec::new(),
    }
}

/// The place that a backup location reads.
pub(crate) fn place_of(location: &drplan_api::Json) -> Place {
    let storage = &location["spec"]["objectStorage"];
    Place::new(text(&storage["bucket"]), storage["prefix"].as_str())
}
