//! The kind's effectful half.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use drplan_api::Acts;
use drplan_api::Address;
use drplan_api::Conn as _;
use drplan_api::ConnId;
use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::Json;
use drplan_api::Landed;
use drplan_api::Late;
use drplan_api::Progress;
use drplan_api::Proof;
use drplan_api::ProviderError;
use drplan_api::ReadCx;
use drplan_api::WriteCx;
use drplan_api::acceptance;
use drplan_api::is_hole;

use super::CLUSTER;
use super::Deed;
use super::Item;
use super::KubernetesManifest;
use super::ManifestOp;
use super::parse;
use super::standing::running;
use super::standing::stamped;
use crate::KubeConn;
use crate::asks;
use crate::asks::GetArgs;
use crate::asks::TypeRef;
use crate::normalise::differences;
use crate::read::APPLY_PATCH;
use crate::read::apply_path;
use crate::ready::Ready;
use crate::ready::ready;
use crate::redact::is_secret;
use crate::secrets;

/// How often a waiting effect looks again.
const AGAIN_IN: Duration = Duration::from_secs(2);
/// From how many objects of one type on a proof reads the whole list instead of each object.
const LIST_FROM: usize = 20;

impl ManifestOp {
    fn deed(&self, n: usize) -> Result<(Deed, &Item), ProviderError> {
        let found = self
            .deeds
            .get(n)
            .and_then(|deed| Some((*deed, self.objects.get(deed.object())?)));
        found.ok_or_else(|| {
            ProviderError::new(ErrorKind::Bug, format!("find effect {n}"), "the plan")
        })
    }
}

/// Looks up what planning could only guess.
async fn resolve(conn: &KubeConn, item: &Item) -> Result<Item, ProviderError> {
    let mut out = item.clone();
    if item.resolved {
        return Ok(out);
    }
    let of = &item.of;
    let types = conn.discovery().await?;
    let Some(found) = types.find(&of.group, &of.version, &item.kind) else {
        let kind = if types.is_missing(&of.group) {
            ErrorKind::Unreachable
        } else {
            ErrorKind::NoSuchType
        };
        let during = format!("find the type of `{}`", item.title());
        return Err(
            ProviderError::new(kind, during, conn.server()).because(format!(
                "the cluster does not serve `{}` of `{}/{}`",
                item.kind, of.group, of.version
            )),
        );
    };
    out.of = found.type_ref();
    out.namespace = match (found.namespaced, out.namespace) {
        (true, None) => Some("default".to_owned()),
        (true, namespace) => namespace,
        (false, _) => None,
    };
    parse::place_in(&mut out.object, out.namespace.as_deref());
    out.resolved = true;
    Ok(out)
}

/// Fills the holes of an object. The result may hold secrets.
fn fill(cx: &WriteCx, value: &Json) -> Result<Json, ProviderError> {
    if let Some(hole) = is_hole(value) {
        return cx.open(&Late::<Json>::Hole(hole));
    }
    Ok(match value {
        Json::Object(map) => {
            let mut out = serde_json::Map::new();
            for (key, value) in map {
                out.insert(key.clone(), fill(cx, value)?);
            }
            Json::Object(out)
        }
        Json::Array(list) => {
            let filled: Result<Vec<_>, _> = list.iter().map(|v| fill(cx, v)).collect();
            Json::Array(filled?)
        }
        scalar => scalar.clone(),
    })
}

/// Moves `stringData` into `data`, where server-side apply keeps track of it.
fn encode_strings(object: &mut Json) {
    if !is_secret(object) {
        return;
    }
    let Some(map) = object.as_object_mut() else {
        return;
    };
    let Some(Json::Object(strings)) = map.remove("stringData") else {
        return;
    };
    let data = map
        .entry("data")
        .or_insert_with(|| Json::Object(serde_json::Map::new()));
    for (key, value) in strings {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        data[key] = STANDARD.encode(text).into();
    }
}

async fn apply(cx: &WriteCx, item: &Item, force: bool) -> Result<(), ProviderError> {
    let conn = cx.conn::<KubeConn>(CLUSTER)?;
    let item = resolve(conn, item).await?;
    let mut object = fill(cx, &item.object)?;
    encode_strings(&mut object);
    let object = stamped(&object, &cx.recovery, cx.address.as_str());
    let at = GetArgs {
        of: item.of.clone(),
        namespace: item.namespace.clone(),
        name: item.name.clone(),
    };
    let during = format!("apply `{}`", item.title());
    let sent = conn
        .patch(
            &during,
            &apply_path(&at, force, false),
            APPLY_PATCH,
            &object,
        )
        .await;
    match sent {
        Ok(_) => Ok(()),
        // A definition is Established a moment before its objects are served.
        Err(refusal) if item.defined_here && refusal.error.kind == ErrorKind::NoSuchType => {
            Err(ProviderError {
                kind: ErrorKind::Unreachable,
                ..refusal.error
            })
        }
        Err(refusal) if !asks::owners(&refusal.error).is_empty() => {
            Err(theirs(refusal.error, &cx.address))
        }
        Err(refusal) => Err(refusal.error),
    }
}

/// Says what a person can do about fields that others own.
fn theirs(error: ProviderError, step: &Address) -> ProviderError {
    let option = acceptance(step);
    error.hint(format!(
        "leave these fields to their owner, or name it in `force_conflicts`; to overwrite them, plan with `{option}`"
    ))
}

async fn read(conn: &KubeConn, item: &Item) -> Result<Option<Json>, ProviderError> {
    let item = resolve(conn, item).await?;
    match conn
        .get(&item.of, item.namespace.as_deref(), &item.name)
        .await
    {
        Ok(object) => Ok(Some(object)),
        Err(e) if e.kind == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

async fn readiness(conn: &KubeConn, item: &Item) -> Result<Progress, ProviderError> {
    let title = item.title();
    let going = |why: String| Progress::Going {
        done: 0,
        of: Some(1),
        note: format!("waiting for `{title}`: {why}"),
        again_in: AGAIN_IN,
    };
    let Some(object) = read(conn, item).await? else {
        return Ok(Progress::Failed {
            because: format!("`{title}` is gone").into(),
            retry: true,
        });
    };
    Ok(match ready(&object) {
        Ready::Ready => Progress::Done,
        Ready::NotYet(why) => going(because(conn, item, &object, why).await),
        Ready::Failed(why) => Progress::Failed {
            because: format!("`{title}`: {why}").into(),
            retry: false,
        },
    })
}

/// Why an object is not ready, with what the pods of it cannot start without.
async fn because(conn: &KubeConn, item: &Item, object: &Json, why: String) -> String {
    let needed = secrets::needed(object);
    let namespace = item.namespace.as_deref().unwrap_or_default();
    match secrets::absent(conn, namespace, &needed).await {
        Some(absent) => format!("{why}: {absent}"),
        None => why,
    }
}

/// Reads all objects again: many of one type as a list, few one by one.
async fn read_all(conn: &KubeConn, items: &[Item]) -> Result<Vec<Option<Json>>, ProviderError> {
    let nowhere = ConnId::new("");
    let mut by_type = BTreeMap::<&TypeRef, Vec<usize>>::new();
    for (i, item) in items.iter().enumerate() {
        by_type.entry(&item.of).or_default().push(i);
    }
    let mut out = vec![None; items.len()];
    for (of, members) in by_type {
        if members.len() < LIST_FROM {
            let get = |i: &usize| {
                let item = &items[*i];
                asks::get(&nowhere, of, item.namespace.as_deref(), &item.name).ask
            };
            let asks: Vec<_> = members.iter().map(get).collect();
            for (i, answer) in members.iter().zip(conn.fetch(&asks).await) {
                match answer {
                    Ok(object) => out[*i] = Some((*object).clone()),
                    Err(e) if matches!(e.kind, ErrorKind::NotFound | ErrorKind::NoSuchType) => {}
                    Err(e) => return Err(e),
                }
            }
        } else {
            let answers = conn.fetch(&[asks::list(&nowhere, of).ask]).await;
            for answer in answers {
                let list = answer?;
                let objects = list["items"].as_array().into_iter().flatten();
                let index: BTreeMap<_, _> = objects.map(|o| (key(o), o)).collect();
                for i in &members {
                    let item = &items[*i];
                    let key = (item.namespace.as_deref(), Some(item.name.as_str()));
                    out[*i] = index.get(&key).map(|o| (*o).clone());
                }
            }
        }
    }
    Ok(out)
}

fn key(object: &Json) -> (Option<&str>, Option<&str>) {
    let metadata = &object["metadata"];
    (metadata["namespace"].as_str(), metadata["name"].as_str())
}

fn prove(items: &[Item], found: &[Option<Json>], waits: bool) -> Proof {
    let mut proof = Proof::default();
    let mut holding = 0_usize;
    for (item, object) in items.iter().zip(found) {
        let source = format!("read `{}`", item.title());
        let Some(object) = object else {
            proof = proof.with(false, format!("`{}` is not there", item.title()), source);
            continue;
        };
        let different = differences(&wanted(item), &running(object));
        if !different.is_empty() {
            let claim = format!(
                "`{}` has another value than it shall at {}",
                item.title(),
                different.join(", ")
            );
            proof = proof.with(false, claim, source);
            continue;
        }
        if waits && let Ready::NotYet(why) | Ready::Failed(why) = ready(object) {
            proof = proof.with(
                false,
                format!("`{}` is not ready ({why})", item.title()),
                source,
            );
            continue;
        }
        holding += 1;
    }
    let what = if waits {
        "ready"
    } else {
        "as wanted in every field"
    };
    let claim = format!("{holding} of {} objects are there and {what}", items.len());
    proof.with(holding == items.len(), claim, "read each object")
}

/// What a proof compares: secrets cannot be opened again, so that their fields count as present, and
/// so does every other value that was filled in on the way.
fn wanted(item: &Item) -> Json {
    let mut object = item.compared();
    settle(&mut object);
    object
}

fn settle(value: &mut Json) {
    if is_hole(value).is_some() {
        value["$hole"]["secret"] = true.into();
        value["$hole"]["after"] = Json::Array(Vec::new());
        return;
    }
    match value {
        Json::Object(map) => map.values_mut().for_each(settle),
        Json::Array(list) => list.iter_mut().for_each(settle),
        _ => {}
    }
}

impl Acts for KubernetesManifest {
    fn begin<'a>(
        &'a self,
        cx: &'a WriteCx,
        op: &'a ManifestOp,
        n: usize,
    ) -> Fut<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            match op.deed(n)? {
                (Deed::Apply { force, .. }, item) => apply(cx, item, force).await,
                (Deed::Wait { .. }, _) => Ok(()),
            }
        })
    }

    fn probe<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a ManifestOp,
        n: usize,
    ) -> Fut<'a, Result<Landed, ProviderError>> {
        Box::pin(async move {
            let (deed, item) = op.deed(n)?;
            if let Deed::Wait { .. } = deed {
                return Ok(Landed::Running);
            }
            // What holds filled-in values cannot be compared; applying it again converges.
            if item.has_holes() {
                return Ok(Landed::No);
            }
            let conn = cx.conn::<KubeConn>(CLUSTER)?;
            let found = match read(conn, item).await {
                Err(e) if e.kind == ErrorKind::NoSuchType => None,
                found => found?,
            };
            let landed = found.is_some_and(|o| differences(&item.object, &o).is_empty());
            Ok(if landed { Landed::Running } else { Landed::No })
        })
    }

    fn poll<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a ManifestOp,
        n: usize,
    ) -> Fut<'a, Result<Progress, ProviderError>> {
        Box::pin(async move {
            let (deed, item) = op.deed(n)?;
            // Whatever comes next needs namespaces and definitions that can be used.
            let waits = op.waits || item.is_crd() || item.is_namespace();
            match deed {
                Deed::Apply { .. } if !waits => Ok(Progress::Done),
                _ => readiness(cx.conn::<KubeConn>(CLUSTER)?, item).await,
            }
        })
    }

    fn prove<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a ManifestOp,
    ) -> Fut<'a, Result<Proof, ProviderError>> {
        Box::pin(async move {
            let conn = cx.conn::<KubeConn>(CLUSTER)?;
            let mut items = Vec::with_capacity(op.objects.len());
            for item in &op.objects {
                items.push(resolve(conn, item).await?);
            }
            let found = read_all(conn, &items).await?;
            Ok(prove(&items, &found, op.waits))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_meets_fields_of_others_is_told_the_consent_as_a_shell_takes_it() {
        let error = ProviderError::new(ErrorKind::Conflict, "apply", "here");
        let hint = theirs(error, &Address::new("kubernetes_manifest.shop[\"eu\"]")).hint;
        let option = "plan with `--accept 'kubernetes_manifest.shop[\"eu\"]=overwrite'`";
        assert!(hint.is_some_and(|hint| hint.ends_with(option)));
    }
}
