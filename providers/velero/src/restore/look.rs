//! Reads what a restore decides on: the archive, the living objects of its kinds, the Restores of
//! the cluster and of the bucket.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use drplan_api::Address;
use drplan_api::ErrorKind;
use drplan_api::Json;
use drplan_api::Lack;
use drplan_api::Pending;
use drplan_api::ProviderError;
use drplan_api::Query;
use drplan_api::View;
use drplan_api::Want;
use drplan_api::stamp;
use drplan_kubernetes::Discovered;
use drplan_kubernetes::asks;
use drplan_kubernetes::asks::TypeRef;
use drplan_kubernetes::normalise;
use serde::Deserialize;
use serde_json::json;

use super::judge::Judgement;
use super::judge::Live;
use super::judge::World;
use super::judge::judge;
use super::judge::target_key;
use super::listed;
use super::modifier::is_ours;
use super::name::Names;
use super::phase::Standing;
use super::plugin;
use super::select::Sort;
use super::select::sort;
use super::spec::BUCKET;
use super::spec::CLUSTER;
use super::spec::Spec;
use super::swap;
use super::wires;
use crate::archive;
use crate::bucket::Place;
use crate::bucket::answered;
use crate::index::Index;
use crate::index::Item;
use crate::index::Key;
use crate::lens;
use crate::objects;
use crate::objects::VELERO_NAMESPACE;
use crate::objects::text;
use drplan_kubernetes::mark;

/// The most objects whose bodies are compared in full; the rest is only said to differ.
const DIFFS_MAX: usize = 500;
/// The same for objects that get other classes or images, of which each differs from the archive.
const SWAPPED_MAX: usize = 5_000;

const RESTORE_LABEL: &str = "velero.io/restore-name";

/// Everything that a decision rests on.
pub struct State {
    pub(crate) index: Index,
    pub(crate) judgement: Judgement,
    /// By the position of the item: the text diff of its body, or none where it is too much to say.
    pub(crate) diffs: BTreeMap<usize, Option<String>>,
    /// What Restores of this step brought back, by Restore: `v1/ConfigMap shop/a`.
    pub(crate) restored: BTreeMap<String, BTreeSet<String>>,
    /// The next attempt's number.
    pub(crate) attempt: u32,
    /// A Restore of this very want that has not ended: name and `spec`.
    pub(crate) running: Option<(String, Json)>,
    /// Whether the cluster is still to be made.
    pub(crate) is_ahead: bool,
    /// Items whose living object carries the mark of a pause.
    pub(crate) marked: BTreeSet<usize>,
    /// Items whose living object still names a class or an image that another one was to come for.
    pub(crate) unswapped: BTreeSet<usize>,
    /// ConfigMaps of Velero's plugins.
    pub(crate) plugins: Vec<Json>,
    /// Names of ConfigMaps with rules that this step made at some time and that no Restore needs.
    pub(crate) modifiers: Vec<String>,
}

pub(super) type Found<T> = Result<T, ProviderError>;

/// Returns the answer, or leaves the function with the error as the finding.
macro_rules! known {
    ($answer:expr) => {
        match $answer {
            Ok(known) => known,
            Err(error) => return Ok(Err(error)),
        }
    };
}

/// Reads everything.
///
/// # Errors
///
/// [`Pending`] while answers are missing.
pub(crate) fn look(want: &Want<Spec>, view: &View<'_>) -> Result<Found<State>, Pending> {
    let place = want.spec.backup.place();
    let names = Names::of(&want.address);
    let cluster = want.conn(CLUSTER);
    let is_ahead = Lack::of(view.target(cluster)?).is_some();
    if !is_ahead {
        // What is certain to be needed is asked for at once, which saves rounds.
        view.want(&asks::discovery(cluster));
        let config_maps = config_map_queries(want);
        for query in config_maps.iter().chain(&wires::queries(cluster)) {
            view.want(query);
        }
    }
    let index = known!(index(want, &place, view)?);
    let discovery = if is_ahead {
        None
    } else {
        Some(known!(discovered(want, view)?))
    };
    let live = match &discovery {
        Some(types) => known!(living(want, &index, types, view)?),
        None => LiveBodies::default(),
    };
    let restores = match &discovery {
        Some(types) => known!(restores(want, types, view)?),
        None => Vec::new(),
    };
    let (plugins, modifiers) = match &discovery {
        Some(_) => known!(config_maps(want, view)?),
        None => Default::default(),
    };
    let in_bucket = match answered(view, &place.ask_names(want.conn(BUCKET), "restores"))? {
        Ok(answer) => place.names("restores", answer),
        Err(error) => return Ok(Err(error.clone())),
    };
    let modifiers = unused(modifiers, &restores);
    let world = world(&index, &want.spec, &live, &restores);
    let judgement = judge(&index, &want.spec, &world, &names);
    let restored = known!(listed::restored(
        want, &place, &judgement, &in_bucket, view
    )?);
    let diffs = known!(diffs(want, &place, &index, &judgement, &live, view)?);
    let positions = |is: &dyn Fn(&Json, &Item) -> bool| {
        let each = index.items.iter().enumerate();
        let found = each.filter(|(_, item)| {
            let body = live.get(&target_key(item, &want.spec));
            body.is_some_and(|body| is(body, item))
        });
        found.map(|(i, _)| i).collect::<BTreeSet<usize>>()
    };
    let marked = positions(&|body, _| mark::original(body).is_some());
    let unswapped = positions(&|body, item| swap::is_unswapped(body, item, &want.spec));
    let known = restores.iter().map(|r| text(&r["metadata"]["name"]));
    let attempt = names.next(
        &want.hash,
        known.chain(in_bucket.iter().map(String::as_str)),
    );
    Ok(Ok(State {
        running: running(&restores, want, &names),
        index,
        judgement,
        diffs,
        restored,
        attempt,
        is_ahead,
        marked,
        unswapped,
        plugins,
        modifiers,
    }))
}

fn index(want: &Want<Spec>, place: &Place, view: &View<'_>) -> Result<Found<Index>, Pending> {
    let query = place.ask_archive(want.conn(BUCKET), &want.spec.backup.name);
    // What else is certain to be needed is asked for in the same round.
    view.want(&place.ask_names(want.conn(BUCKET), "restores"));
    Ok(match answered(view, &query)? {
        Ok(answer) => Index::deserialize(&**answer).map_err(|e| {
            ProviderError::new(ErrorKind::Bug, "read an archive's index", place.url()).caused_by(&e)
        }),
        Err(error) => Err(error.clone()),
    })
}

fn discovered(want: &Want<Spec>, view: &View<'_>) -> Result<Found<Discovered>, Pending> {
    let query = asks::discovery(want.conn(CLUSTER));
    Ok(match answered(view, &query)? {
        Ok(answer) => Discovered::deserialize(&**answer).map_err(|e| {
            ProviderError::new(
                ErrorKind::Bug,
                "read the types",
                want.conn(CLUSTER).to_string(),
            )
            .caused_by(&e)
        }),
        Err(error) => Err(error.clone()),
    })
}

/// Finds the version in which the cluster serves a type; `None` if it does not.
fn served(of: &TypeRef, types: &Discovered, target: &str) -> Found<Option<TypeRef>> {
    match types.by_plural(&of.group, &of.plural) {
        Some(found) => Ok(Some(found.type_ref())),
        None if types.is_missing(&of.group) => Err(ProviderError::new(
            ErrorKind::Unreachable,
            format!("list `{}`", of.full_name()),
            target,
        )
        .because(format!(
            "whoever serves the group `{}` does not answer",
            of.group
        ))
        .hint(format!("repair or remove the APIService of `{}`", of.group))),
        None => Ok(None),
    }
}

/// The living bodies under the keys of what could come back.
type LiveBodies = BTreeMap<Key, Arc<Json>>;

fn living(
    want: &Want<Spec>,
    index: &Index,
    types: &Discovered,
    view: &View<'_>,
) -> Result<Found<LiveBodies>, Pending> {
    let conn = want.conn(CLUSTER);
    let mut of_kinds = BTreeMap::from([("namespaces".to_owned(), asks::namespaces())]);
    let counts = |item: &&Item| {
        matches!(
            sort(item, &want.spec),
            Sort::Restorable | Sort::Controllers(_)
        )
    };
    for item in index.items.iter().filter(counts) {
        of_kinds
            .entry(item.resource.clone())
            .or_insert_with(|| item.type_ref());
    }
    let mut lists = Vec::new();
    for (resource, of) in of_kinds {
        if let Some(of) = known!(served(&of, types, conn.as_str())) {
            lists.push((resource, asks::list(conn, &of)));
        }
    }
    for (_, query) in &lists {
        view.want(query);
    }
    let mut bodies = LiveBodies::new();
    for (resource, query) in lists {
        let answer = match answered(view, &query)? {
            Ok(answer) => answer,
            Err(e) if e.kind == ErrorKind::NoSuchType => continue,
            Err(e) => return Ok(Err(e.clone())),
        };
        for body in answer["items"].as_array().into_iter().flatten() {
            let key = Key {
                resource: resource.clone(),
                namespace: text(&body["metadata"]["namespace"]).to_owned(),
                name: text(&body["metadata"]["name"]).to_owned(),
            };
            bodies.insert(key, Arc::new(body.clone()));
        }
    }
    Ok(Ok(bodies))
}

fn restores(
    want: &Want<Spec>,
    types: &Discovered,
    view: &View<'_>,
) -> Result<Found<Vec<Json>>, Pending> {
    let conn = want.conn(CLUSTER);
    let Some(of) = known!(served(&objects::restores(), types, conn.as_str())) else {
        return Ok(Ok(Vec::new()));
    };
    Ok(
        match answered(view, &asks::list_in(conn, &of, VELERO_NAMESPACE, None))? {
            Ok(answer) => Ok(answer["items"].as_array().cloned().unwrap_or_default()),
            Err(e) if e.kind == ErrorKind::NoSuchType => Ok(Vec::new()),
            Err(e) => Err(e.clone()),
        },
    )
}

/// Asks for the ConfigMaps of Velero's plugins, and for those that this step made.
fn config_map_queries(want: &Want<Spec>) -> [Query; 2] {
    let step = stamp::label_value(want.address.as_str());
    let (conn, of) = (want.conn(CLUSTER), objects::config_maps());
    let query = |labels: &str| asks::list_in(conn, &of, VELERO_NAMESPACE, Some(labels));
    [
        query(plugin::LABEL),
        query(&format!("{}={step}", stamp::STEP)),
    ]
}

/// The ConfigMaps of Velero's plugins, and the names of those that this step made.
type ConfigMaps = (Vec<Json>, Vec<String>);

fn config_maps(want: &Want<Spec>, view: &View<'_>) -> Result<Found<ConfigMaps>, Pending> {
    let [plugins, own] = config_map_queries(want);
    let items = |answer: &Json| answer["items"].as_array().cloned().unwrap_or_default();
    let (plugins, own) = match (answered(view, &plugins)?, answered(view, &own)?) {
        (Ok(plugins), Ok(own)) => (items(plugins), items(own)),
        (Err(e), _) | (_, Err(e)) => return Ok(Err(e.clone())),
    };
    let own = own
        .into_iter()
        .filter(|map| is_ours(map, &want.address, &want.recovery))
        .map(|map| text(&map["metadata"]["name"]).to_owned())
        .collect();
    Ok(Ok((plugins, own)))
}

/// Leaves out the rules that a Restore which has not ended names.
fn unused(modifiers: Vec<String>, restores: &[Json]) -> Vec<String> {
    let open = restores
        .iter()
        .filter(|r| !Standing::of_object(r).has_ended());
    let used: BTreeSet<&str> = open
        .map(|r| text(&r["spec"]["resourceModifier"]["name"]))
        .collect();
    let names = modifiers.into_iter();
    names.filter(|name| !used.contains(name.as_str())).collect()
}

fn running(restores: &[Json], want: &Want<Spec>, names: &Names) -> Option<(String, Json)> {
    restores
        .iter()
        .filter(|r| !Standing::of_object(r).has_ended())
        .filter(|r| r["metadata"]["deletionTimestamp"].is_null())
        .find(|r| {
            let name = text(&r["metadata"]["name"]);
            names.parse(name).is_some_and(|(hash, _)| hash == want.hash)
        })
        .map(|r| (text(&r["metadata"]["name"]).to_owned(), r["spec"].clone()))
}

fn world(index: &Index, spec: &Spec, live: &LiveBodies, restores: &[Json]) -> World {
    let mut world = World::default();
    let changes = |r: &&Json| r["spec"]["existingResourcePolicy"] == "update";
    for restore in restores.iter().filter(|r| !changes(r)) {
        let time = |field: &str| text(&restore["status"][field]).parse().ok();
        world.windows.insert(
            text(&restore["metadata"]["name"]).to_owned(),
            (time("startTimestamp"), time("completionTimestamp")),
        );
    }
    for (key, body) in live {
        if key.resource == "namespaces" {
            world.objects.insert(key.clone(), facts(body));
        }
    }
    for item in &index.items {
        let key = target_key(item, spec);
        if let Some(body) = live.get(&key) {
            let mut found = facts(body);
            if sort(item, spec) == Sort::Restorable {
                found.sum = archive::sum(&as_archived(body, item));
            }
            world.objects.insert(key, found);
        }
    }
    world
}

fn facts(body: &Json) -> Live {
    let meta = &body["metadata"];
    Live {
        uid: text(&meta["uid"]).to_owned(),
        restore: meta["labels"][RESTORE_LABEL].as_str().map(str::to_owned),
        created: text(&meta["creationTimestamp"]).parse().ok(),
        is_deleting: !meta["deletionTimestamp"].is_null(),
        sum: String::new(),
    }
}

/// Puts the archived name of the namespace back, so that a mapping is no difference.
fn as_archived(body: &Json, item: &Item) -> Json {
    let mut body = body.clone();
    let meta = &mut body["metadata"];
    if item.is_namespace() {
        meta["name"] = item.name.as_str().into();
        if !meta["labels"]["kubernetes.io/metadata.name"].is_null() {
            meta["labels"]["kubernetes.io/metadata.name"] = item.name.as_str().into();
        }
    } else if !item.namespace.is_empty() {
        meta["namespace"] = item.namespace.as_str().into();
    }
    body
}

/// The name under which an object that came back stands in Velero's list.
pub(crate) fn target_title(item: &Item, spec: &Spec) -> String {
    let key = target_key(item, spec);
    let mut item = item.clone();
    item.namespace = key.namespace;
    item.name = key.name;
    item.title()
}

fn diffs(
    want: &Want<Spec>,
    place: &Place,
    index: &Index,
    judgement: &Judgement,
    live: &LiveBodies,
    view: &View<'_>,
) -> Result<Found<BTreeMap<usize, Option<String>>>, Pending> {
    let suspects: Vec<usize> = (0..index.items.len())
        .filter(|&i| judgement.judged[i].may_differ)
        .collect();
    if suspects.is_empty() {
        return Ok(Ok(BTreeMap::new()));
    }
    // What is changed on its way differs until its body is read, so that comes first.
    let (swapped, plain): (Vec<usize>, Vec<usize>) = suspects
        .into_iter()
        .partition(|&i| !swap::swaps(&index.items[i], &want.spec).is_empty());
    let (swapped, more) = swapped.split_at(swapped.len().min(SWAPPED_MAX));
    let (plain, unread) = plain.split_at(plain.len().min(DIFFS_MAX));
    let (read, unread) = ([swapped, plain].concat(), [more, unread].concat());
    let keys: BTreeSet<Key> = read.iter().map(|&i| index.items[i].key()).collect();
    let query = bodies_query(want, place, keys);
    let answer = match answered(view, &query)? {
        Ok(answer) => answer,
        Err(error) => return Ok(Err(error.clone())),
    };
    let archived: BTreeMap<Key, &Json> = answer
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|b| Some((Key::deserialize(&b["key"]).ok()?, &b["body"])))
        .collect();
    let mut out: BTreeMap<usize, Option<String>> = unread.iter().map(|&i| (i, None)).collect();
    for i in read {
        let item = &index.items[i];
        let (Some(before), Some(after)) = (
            live.get(&target_key(item, &want.spec)),
            archived.get(&item.key()),
        ) else {
            continue;
        };
        let before = mark::released(as_archived(before, item));
        let after = mark::released(swap::applied((*after).clone(), item, &want.spec));
        if let Some(diff) = normalise::text_diff(&before, &after, &item.title()) {
            out.insert(i, Some(diff));
        }
    }
    Ok(Ok(out))
}

fn bodies_query(want: &Want<Spec>, place: &Place, keys: BTreeSet<Key>) -> Query {
    let key = place.archive(&want.spec.backup.name);
    let wanted = json!(lens::Wanted { keys });
    drplan_s3::asks::lens(
        want.conn(BUCKET),
        &place.bucket,
        &key,
        lens::BODIES,
        &wanted,
    )
}

/// The labels that a Restore of a step carries.
pub(crate) fn labels(address: &Address, recovery: &str, backup: &str) -> Json {
    json!({
        stamp::RECOVERY: stamp::label_value(recovery),
        stamp::STEP: stamp::label_value(address.as_str()),
        stamp::SOURCE: stamp::label_value(backup),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_a_restore_may_still_read_are_not_left_over() {
        let restore = |name: &str, phase: &str| {
            json!({"spec": {"resourceModifier": {"kind": "configmap", "name": name}},
                   "status": {"phase": phase}})
        };
        let restores = [
            restore("new", ""),
            restore("running", "InProgress"),
            restore("old", "Completed"),
        ];
        let names = ["new", "running", "old", "unnamed"].map(str::to_owned);
        assert_eq!(unused(names.to_vec(), &restores), ["old", "unnamed"]);
    }
}
