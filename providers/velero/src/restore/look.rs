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
use super::name::Names;
use super::phase::Standing;
use super::select::Sort;
use super::select::sort;
use super::spec::BUCKET;
use super::spec::CLUSTER;
use super::spec::Spec;
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

/// The most objects whose bodies are compared in full; the rest is only said to differ.
const DIFFS_MAX: usize = 500;

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
}

type Found<T> = Result<T, ProviderError>;

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
    let in_bucket = match answered(view, &place.ask_names(want.conn(BUCKET), "restores"))? {
        Ok(answer) => place.names("restores", answer),
        Err(error) => return Ok(Err(error.clone())),
    };
    let world = world(&index, &want.spec, &live, &restores);
    let judgement = judge(&index, &want.spec, &world, &names);
    let restored = known!(restored(want, &place, &judgement, &in_bucket, view)?);
    let diffs = known!(diffs(want, &place, &index, &judgement, &live, view)?);
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
    let mut of_kinds = BTreeMap::from([(
        "namespaces".to_owned(),
        TypeRef::new("", "v1", "namespaces"),
    )]);
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

/// Reads which objects each Restore of this step brought back, where that decides between "deleted
/// since" and "not restored yet".
fn restored(
    want: &Want<Spec>,
    place: &Place,
    judgement: &Judgement,
    in_bucket: &[String],
    view: &View<'_>,
) -> Result<Found<BTreeMap<String, BTreeSet<String>>>, Pending> {
    let names: BTreeSet<&String> = judgement
        .judged
        .iter()
        .filter_map(|j| j.restore.as_ref())
        .filter(|name| in_bucket.contains(name))
        .collect();
    let query =
        |name: &str| place.ask_gzip(want.conn(BUCKET), &place.restore(name, &list_file(name)));
    for name in &names {
        view.want(&query(name));
    }
    let mut out = BTreeMap::new();
    for name in names {
        match answered(view, &query(name))? {
            Ok(list) => out.insert(name.clone(), brought_back(list)),
            // Without its list a Restore proves nothing, so what is missing is restored again.
            Err(e) if e.kind == ErrorKind::NotFound || e.kind == ErrorKind::Corrupt => None,
            Err(e) => return Ok(Err(e.clone())),
        };
    }
    Ok(Ok(out))
}

/// The file in which Velero says of each object what it did.
pub(crate) fn list_file(name: &str) -> String {
    format!("restore-{name}-resource-list.json.gz")
}

fn brought_back(list: &Json) -> BTreeSet<String> {
    outcomes(list)
        .into_iter()
        .filter(|(_, outcome)| outcome == "created" || outcome == "updated")
        .map(|(title, _)| title)
        .collect()
}

/// Reads Velero's list: `{"v1/ConfigMap": ["shop/a(created)"]}` becomes `v1/ConfigMap shop/a` and
/// `created`.
pub(crate) fn outcomes(list: &Json) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for (kind, entries) in list.as_object().into_iter().flatten() {
        for entry in entries.as_array().into_iter().flatten().map(text) {
            if let Some((name, outcome)) = entry.rsplit_once('(') {
                let outcome = outcome.trim_end_matches(')');
                out.insert(format!("{kind} {name}"), outcome.to_owned());
            }
        }
    }
    out
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
    let (read, unread) = suspects.split_at(suspects.len().min(DIFFS_MAX));
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
    for &i in read {
        let item = &index.items[i];
        let (Some(before), Some(after)) = (
            live.get(&target_key(item, &want.spec)),
            archived.get(&item.key()),
        ) else {
            continue;
        };
        let before = as_archived(before, item);
        if let Some(diff) = normalise::text_diff(&before, after, &item.title()) {
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
    fn veleros_list_is_read_object_by_object() {
        let list = json!({"v1/ConfigMap": ["shop/a(created)", "shop/b(skipped)"],
                          "v1/Namespace": ["shop(created)"]});
        let all = outcomes(&list);
        assert_eq!(all["v1/ConfigMap shop/b"], "skipped");
        assert_eq!(all["v1/Namespace shop"], "created");
        assert_eq!(brought_back(&list).len(), 2);
    }
}
