//! Doing a restore: wait until Velero knows the backup, create the Restores, watch them.
//!
//! A Restore runs once, so a new attempt after one that ended badly is a new object with the next
//! number.

use std::time::Duration;

use drplan_api::Acts;
use drplan_api::Because;
use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::Json;
use drplan_api::Landed;
use drplan_api::Progress;
use drplan_api::Proof;
use drplan_api::ProviderError;
use drplan_api::ReadCx;
use drplan_api::WriteCx;
use drplan_api::stamp;
use drplan_kubernetes::KubeConn;
use drplan_kubernetes::asks;
use drplan_kubernetes::asks::TypeRef;
use drplan_s3::S3Conn;
use serde_json::json;

use super::VeleroRestore;
use super::look::labels;
use super::modify;
use super::name::Names;
use super::phase::Complaint;
use super::phase::Standing;
use super::phase::errors;
use super::prove;
use super::spec::BUCKET;
use super::spec::CLUSTER;
use super::spec::Deed;
use super::spec::Op;
use super::spec::Planned;
use super::wait;
use crate::archive;
use crate::objects;
use crate::objects::VELERO_NAMESPACE;
use crate::objects::text;

pub(super) const POLL: Duration = Duration::from_secs(2);
/// The largest file of results that is read.
const RESULTS_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How many complaints are named.
const COMPLAINTS_SHOWN_MAX: usize = 3;

impl Acts for VeleroRestore {
    fn begin<'a>(
        &'a self,
        cx: &'a WriteCx,
        op: &'a Op,
        n: usize,
    ) -> Fut<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            match op.deed(n) {
                Some(Deed::Restore(planned, n)) => create(cx, op, planned, n).await,
                Some(Deed::Modify(modifier)) => modify::make(cx, op, modifier).await,
                Some(Deed::Clear(name)) => modify::remove(cx, name).await,
                Some(Deed::Wait) | None => Ok(()),
            }
        })
    }

    fn probe<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a Op,
        n: usize,
    ) -> Fut<'a, Result<Landed, ProviderError>> {
        Box::pin(async move {
            match op.deed(n) {
                Some(Deed::Restore(planned, n)) => probe(cx, op, planned, n).await,
                Some(Deed::Modify(modifier)) => modify::probe(cx, op, modifier).await,
                Some(Deed::Clear(name)) => modify::is_gone(cx, name).await,
                Some(Deed::Wait) | None => Ok(match wait::look(cx, op).await? {
                    Progress::Done => Landed::Yes,
                    _ => Landed::No,
                }),
            }
        })
    }

    fn poll<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a Op,
        n: usize,
    ) -> Fut<'a, Result<Progress, ProviderError>> {
        Box::pin(async move {
            match op.deed(n) {
                Some(Deed::Restore(planned, n)) => match current(cx, op, planned, n).await? {
                    Some(restore) => progress(cx, op, &restore).await,
                    None => Ok(Progress::Failed {
                        because: format!("Restore `{}` is gone", planned.name).into(),
                        retry: true,
                    }),
                },
                // Both are done by one request.
                Some(Deed::Modify(_) | Deed::Clear(_)) => Ok(Progress::Done),
                Some(Deed::Wait) | None => wait::look(cx, op).await,
            }
        })
    }

    fn prove<'a>(&'a self, cx: &'a ReadCx, op: &'a Op) -> Fut<'a, Result<Proof, ProviderError>> {
        Box::pin(prove::prove(cx, op))
    }
}

/// Says whether one of the Restores of the step happened.
pub(super) async fn probe(
    cx: &ReadCx,
    op: &Op,
    planned: &Planned,
    n: usize,
) -> Result<Landed, ProviderError> {
    Ok(match current(cx, op, planned, n).await? {
        None => Landed::No,
        Some(restore) if !is_of_want(&restore, &op.hash) => Landed::Foreign(not_ours(&restore)),
        Some(restore) => match Standing::of_object(&restore) {
            Standing::Waiting | Standing::Running => Landed::Running,
            Standing::Completed => Landed::Yes,
            Standing::PartiallyFailed => {
                let name = text(&restore["metadata"]["name"]);
                landed(&complaints(cx, op, name).await?)
            }
            // The next attempt is another object, so nothing has to be cleared away.
            Standing::Failed | Standing::Refused => Landed::No,
        },
    })
}

/// What tells the Restores that take the same place in a step from all others of the step.
fn mark(op: &Op, n: usize) -> String {
    format!("{}/{n}", op.hash)
}

fn is_stamped(restore: &Json, op: &Op, n: usize) -> bool {
    restore["metadata"]["annotations"][stamp::WANT] == mark(op, n).as_str()
}

/// Whether this step made it for the same want, as whichever of its effects: a plan that is made while
/// Restores run counts them anew.
fn is_of_want(restore: &Json, hash: &str) -> bool {
    let mark = text(&restore["metadata"]["annotations"][stamp::WANT]);
    mark.split_once('/').is_some_and(|(of, _)| of == hash)
}

/// What the complaints of an ended Restore say about whether another attempt is begun.
fn landed(complaints: &Progress) -> Landed {
    match complaints {
        Progress::Failed { retry: true, .. } => Landed::No,
        _ => Landed::Yes,
    }
}

/// The attempt after all that were made and all that this step is still going to make.
fn next_attempt(names: &Names, made: u32, restores: &[Planned]) -> u32 {
    let planned = restores.iter().filter_map(|p| names.parse(&p.name));
    planned.map(|(_, attempt)| attempt).fold(made, u32::max) + 1
}

fn not_ours(restore: &Json) -> Because {
    let name = text(&restore["metadata"]["name"]);
    format!("Restore `{name}` was not made by this step").into()
}

/// Lists the Restores of this step for the same want, newest attempt last.
async fn attempts(cx: &ReadCx, op: &Op) -> Result<Vec<(u32, Json)>, ProviderError> {
    let names = Names::of(&cx.address);
    let list = list(cx, &objects::restores(), None).await?;
    let mut found: Vec<(u32, Json)> = list
        .into_iter()
        .filter_map(|restore| {
            let (hash, attempt) = names.parse(text(&restore["metadata"]["name"]))?;
            (hash == op.hash).then_some((attempt, restore))
        })
        .collect();
    found.sort_by_key(|(attempt, _)| *attempt);
    Ok(found)
}

/// The newest Restore of one effect, not older than the planned one.
pub(crate) async fn current(
    cx: &ReadCx,
    op: &Op,
    planned: &Planned,
    n: usize,
) -> Result<Option<Json>, ProviderError> {
    let first = attempt_of(cx, planned);
    let mine = attempts(cx, op).await?.into_iter().rev();
    let mut mine = mine.filter(|(attempt, restore)| {
        let is_planned = restore["metadata"]["name"] == planned.name.as_str();
        is_planned || *attempt >= first && is_stamped(restore, op, n)
    });
    Ok(mine.next().map(|(_, restore)| restore))
}

fn attempt_of(cx: &ReadCx, planned: &Planned) -> u32 {
    let names = Names::of(&cx.address);
    names.parse(&planned.name).map_or(1, |(_, attempt)| attempt)
}

pub(super) async fn list(
    cx: &ReadCx,
    of: &TypeRef,
    labels: Option<&str>,
) -> Result<Vec<Json>, ProviderError> {
    let conn: &KubeConn = cx.conn(CLUSTER)?;
    let query = asks::list_in(&here(), of, VELERO_NAMESPACE, labels);
    let mut answers = drplan_api::Conn::fetch(conn, std::slice::from_ref(&query.ask)).await;
    match answers.pop() {
        Some(Ok(answer)) => Ok(answer["items"].as_array().cloned().unwrap_or_default()),
        Some(Err(e)) if e.kind == ErrorKind::NoSuchType => Ok(Vec::new()),
        Some(Err(e)) => Err(e),
        None => Ok(Vec::new()),
    }
}

/// Lists objects of Velero that belong to one restore.
pub(crate) async fn list_of_restore(
    cx: &ReadCx,
    of: &TypeRef,
    restore: &str,
) -> Result<Vec<Json>, ProviderError> {
    list(cx, of, Some(&format!("velero.io/restore-name={restore}"))).await
}

/// Questions name a connection; whom they are asked is already known here.
fn here() -> drplan_api::ConnId {
    drplan_api::ConnId::new(CLUSTER)
}

async fn create(cx: &WriteCx, op: &Op, planned: &Planned, n: usize) -> Result<(), ProviderError> {
    let names = Names::of(&cx.address);
    let name = match current(cx, op, planned, n).await? {
        None => planned.name.clone(),
        Some(restore) if !Standing::of_object(&restore).has_ended() => return Ok(()),
        Some(restore) if Standing::of_object(&restore) == Standing::Completed => return Ok(()),
        Some(_) => {
            let known = attempts(cx, op).await?;
            let last = known.last().map_or(0, |(attempt, _)| *attempt);
            names.name(&op.hash, next_attempt(&names, last, &op.restores))
        }
    };
    let body = json!({
        "apiVersion": "velero.io/v1", "kind": "Restore",
        "metadata": {
            "name": name, "namespace": VELERO_NAMESPACE,
            "labels": labels(&cx.address, &cx.recovery, &op.spec.backup.name),
            "annotations": {
                stamp::RUN: cx.run,
                stamp::STEP: cx.address.as_str(),
                stamp::WANT: mark(op, n),
            },
        },
        "spec": planned.body,
    });
    let conn: &KubeConn = cx.conn(CLUSTER)?;
    objects::create(conn, &objects::restores(), VELERO_NAMESPACE, &body).await
}

async fn progress(cx: &ReadCx, op: &Op, restore: &Json) -> Result<Progress, ProviderError> {
    let name = text(&restore["metadata"]["name"]);
    let status = &restore["status"];
    let phase = text(&status["phase"]);
    let reasons = |field: &str| {
        let list = status[field].as_array().into_iter().flatten();
        let list: Vec<&str> = list.map(text).collect();
        list.join("; ")
    };
    Ok(match Standing::of(phase) {
        Standing::Waiting => Progress::Going {
            done: 0,
            of: None,
            note: "waiting for Velero to take the restore up; it does one at a time".to_owned(),
            again_in: POLL,
        },
        Standing::Running => Progress::Going {
            done: status["progress"]["itemsRestored"]
                .as_u64()
                .unwrap_or_default(),
            of: status["progress"]["totalItems"].as_u64(),
            note: format!("objects restored ({phase})"),
            again_in: POLL,
        },
        Standing::Completed => Progress::Done,
        Standing::PartiallyFailed => complaints(cx, op, name).await?,
        Standing::Failed => Progress::Failed {
            because: format!(
                "Restore `{name}` failed: {}",
                text(&status["failureReason"])
            )
            .into(),
            retry: true,
        },
        Standing::Refused => Progress::Failed {
            because: format!(
                "Velero refused Restore `{name}`: {}",
                reasons("validationErrors")
            )
            .into(),
            retry: true,
        },
    })
}

/// Reads the errors of a restore that partially failed and says what they mean.
async fn complaints(cx: &ReadCx, op: &Op, name: &str) -> Result<Progress, ProviderError> {
    let Some(results) = results(cx, op, name).await? else {
        // Without results, reading the objects back decides.
        return Ok(Progress::Done);
    };
    let errors = errors(&results);
    let worst = errors.iter().map(|e| Complaint::of(e)).max();
    let shown: Vec<String> = errors
        .iter()
        .filter(|e| Some(Complaint::of(e)) == worst)
        .take(COMPLAINTS_SHOWN_MAX)
        .cloned()
        .collect();
    let because = || format!("Restore `{name}` partially failed: {}", shown.join("; ")).into();
    Ok(match worst {
        None | Some(Complaint::Object) => Progress::Done,
        Some(Complaint::Passing) => Progress::Failed {
            because: because(),
            retry: true,
        },
        Some(Complaint::Data) => Progress::Failed {
            because: because(),
            retry: false,
        },
    })
}

/// Reads a file that Velero wrote about a restore; `None` if it is not in the bucket.
pub(crate) async fn restore_file(
    cx: &ReadCx,
    op: &Op,
    name: &str,
    file: &str,
) -> Result<Option<Json>, ProviderError> {
    let bucket: &S3Conn = cx.conn(BUCKET)?;
    let place = op.spec.backup.place();
    let key = place.restore(name, file);
    match bucket.get(&place.bucket, &key, RESULTS_BYTES_MAX).await {
        Ok(packed) => archive::json(&key, &packed).map(Some),
        Err(e) if e.kind == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

pub(crate) async fn results(
    cx: &ReadCx,
    op: &Op,
    name: &str,
) -> Result<Option<Json>, ProviderError> {
    restore_file(cx, op, name, &format!("restore-{name}-results.gz")).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(name: String) -> Planned {
        Planned {
            name,
            group: super::super::body::Group::default(),
            body: json!({}),
        }
    }

    #[test]
    fn a_further_attempt_takes_no_name_that_is_made_or_planned() {
        let names = super::super::tests::names();
        let both = [1, 2].map(|n| planned(names.name("0a1b2c3d", n)));
        for (made, next) in [(0, 3), (1, 3), (2, 3), (7, 8)] {
            assert_eq!(next_attempt(&names, made, &both), next, "{made}");
        }
        assert_eq!(next_attempt(&names, 1, &[]), 2);
    }

    #[test]
    fn a_restore_is_of_a_want_by_the_hash_in_its_mark() {
        for (mark, ours) in [
            (json!("0a1b2c3d/1"), true),
            (json!("0a1b2c3d/2"), true),
            (json!("ffffffff/1"), false),
            (json!("0a1b2c3d"), false),
            (json!(null), false),
        ] {
            let restore = json!({"metadata": {"annotations": {stamp::WANT: mark}}});
            assert_eq!(is_of_want(&restore, "0a1b2c3d"), ours, "{mark}");
        }
    }

    #[test]
    fn only_complaints_that_pass_begin_another_attempt() {
        let failed = |retry| Progress::Failed {
            because: "why".into(),
            retry,
        };
        for (progress, found) in [
            (failed(true), Landed::No),
            (failed(false), Landed::Yes),
            (Progress::Done, Landed::Yes),
        ] {
            assert_eq!(landed(&progress), found, "{progress:?}");
        }
    }
}
