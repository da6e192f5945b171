//! Doing a restore: wait until Velero knows the backup, create the Restore, watch it.
//!
//! Effect 0 is the wait; each further one is a Restore. A Restore runs once, so a new attempt after
//! one that ended badly is a new object with the next number.

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
use drplan_api::Timestamp;
use drplan_api::WriteCx;
use drplan_api::digest;
use drplan_api::stamp;
use drplan_kubernetes::KubeConn;
use drplan_kubernetes::asks;
use drplan_kubernetes::asks::TypeRef;
use drplan_s3::S3Conn;
use serde_json::json;

use super::VeleroRestore;
use super::look::labels;
use super::name::Names;
use super::phase::Complaint;
use super::phase::Standing;
use super::phase::errors;
use super::prove;
use super::spec::BUCKET;
use super::spec::CLUSTER;
use super::spec::Op;
use super::spec::Planned;
use super::wires::place_of;
use crate::archive;
use crate::objects;
use crate::objects::VELERO_NAMESPACE;
use crate::objects::text;

const POLL: Duration = Duration::from_secs(2);
/// The largest file of results that is read.
const RESULTS_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How many complaints are named.
const COMPLAINTS_SHOWN_MAX: usize = 3;

const LABEL_CHARACTERS_MAX: usize = 63;
/// How much of a name that is too long for a label Velero keeps before the digest.
const LABEL_HEAD_CHARACTERS: usize = 57;
const BACKUP_LABEL: &str = "velero.io/backup-name";

impl Acts for VeleroRestore {
    fn begin<'a>(
        &'a self,
        cx: &'a WriteCx,
        op: &'a Op,
        n: usize,
    ) -> Fut<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            match planned(op, n) {
                None => Ok(()),
                Some(planned) => create(cx, op, planned, n).await,
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
            let Some(planned) = planned(op, n) else {
                return Ok(match await_backup(cx, op).await? {
                    Progress::Done => Landed::Yes,
                    _ => Landed::No,
                });
            };
            Ok(match current(cx, op, planned, n).await? {
                None => Landed::No,
                Some(restore) if !is_of_want(&restore, &op.hash) => {
                    Landed::Foreign(not_ours(&restore))
                }
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
        })
    }

    fn poll<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a Op,
        n: usize,
    ) -> Fut<'a, Result<Progress, ProviderError>> {
        Box::pin(async move {
            let Some(planned) = planned(op, n) else {
                return await_backup(cx, op).await;
            };
            match current(cx, op, planned, n).await? {
                Some(restore) => progress(cx, op, &restore).await,
                None => Ok(Progress::Failed {
                    because: format!("Restore `{}` is gone", planned.name).into(),
                    retry: true,
                }),
            }
        })
    }

    fn prove<'a>(&'a self, cx: &'a ReadCx, op: &'a Op) -> Fut<'a, Result<Proof, ProviderError>> {
        Box::pin(prove::prove(cx, op))
    }
}

fn planned(op: &Op, n: usize) -> Option<&Planned> {
    op.restores.get(n.checked_sub(1)?)
}

/// What tells the Restores of one effect from all others of the step.
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

async fn list(cx: &ReadCx, of: &TypeRef, labels: Option<&str>) -> Result<Vec<Json>, ProviderError> {
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

/// Waits until Velero can restore: the location is available, the backup is known, and all that
/// belongs to it is, because Velero makes the Backup object first and the rest one by one.
async fn await_backup(cx: &ReadCx, op: &Op) -> Result<Progress, ProviderError> {
    let backup = &op.spec.backup;
    let waits = |note: String| Progress::Going {
        done: 0,
        of: None,
        note,
        again_in: POLL,
    };
    let place = backup.place();
    let locations = list(cx, &objects::locations(), None).await?;
    let location = locations.iter().find(|l| match &op.spec.location {
        Some(name) => l["metadata"]["name"] == name.as_str(),
        None => place_of(l) == place,
    });
    let Some(location) = location else {
        return Ok(waits(format!("no backup location reads `{}`", place.url())));
    };
    let name = text(&location["metadata"]["name"]);
    if location["status"]["phase"] != "Available" {
        let phase = text(&location["status"]["phase"]);
        return Ok(waits(format!(
            "backup location `{name}` is not available ({phase})"
        )));
    }
    let conn: &KubeConn = cx.conn(CLUSTER)?;
    let of = objects::backups();
    let Some(live) = objects::find(conn, &of, VELERO_NAMESPACE, &backup.name).await? else {
        return Ok(waits(format!(
            "Velero has not read backup `{}` yet",
            backup.name
        )));
    };
    if let Some(why) = another(&live, backup.at, name) {
        return Ok(Progress::Failed {
            because: why.into(),
            retry: false,
        });
    }
    let expected = backup
        .volumes
        .iter()
        .filter(|v| v.method == "PodVolumeBackup")
        .count();
    if expected > 0 {
        let label = format!("{BACKUP_LABEL}={}", label_value(&backup.name));
        let known = list(cx, &objects::volume_backups(), Some(&label))
            .await?
            .len();
        if known < expected {
            return Ok(waits(format!(
                "Velero knows {known} of {expected} volumes of the backup"
            )));
        }
    }
    Ok(Progress::Done)
}

/// The value by which Velero labels what belongs to a backup: labels are shorter than names.
fn label_value(name: &str) -> String {
    match name.get(..LABEL_HEAD_CHARACTERS) {
        Some(head) if name.len() > LABEL_CHARACTERS_MAX => {
            let hash = digest(name.as_bytes());
            format!(
                "{head}{}",
                &hash[..LABEL_CHARACTERS_MAX - LABEL_HEAD_CHARACTERS]
            )
        }
        _ => name.to_owned(),
    }
}

/// Says why a Backup of the right name is not the one that was planned with.
fn another(live: &Json, at: Timestamp, location: &str) -> Option<String> {
    let name = text(&live["metadata"]["name"]);
    let started: Option<Timestamp> = text(&live["status"]["startTimestamp"]).parse().ok();
    if started.is_some_and(|started| started.as_second() != at.as_second()) {
        return Some(format!(
            "the cluster knows another backup `{name}`, of {}; Velero tells backups by name only",
            text(&live["status"]["startTimestamp"])
        ));
    }
    let stored = text(&live["spec"]["storageLocation"]);
    (stored != location).then(|| {
        format!("the cluster knows backup `{name}` from location `{stored}`, not from `{location}`")
    })
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
            group: super::super::decide::Group::default(),
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

    #[test]
    fn a_name_that_is_too_long_for_a_label_ends_in_its_digest() {
        for (characters, kept) in [(1, 1), (63, 63), (64, 57), (200, 57)] {
            let name = "b".repeat(characters);
            let value = label_value(&name);
            assert_eq!(value.len(), characters.min(63));
            assert_eq!(value == name, kept == characters);
            assert!(value.starts_with(&name[..kept]));
        }
    }

    #[test]
    fn a_backup_of_the_same_name_from_elsewhere_is_not_restored() {
        let at: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
        let live = |time: &str, location: &str| {
            json!({"metadata": {"name": "b"}, "status": {"startTimestamp": time},
                   "spec": {"storageLocation": location}})
        };
        assert_eq!(another(&live("2026-01-01T00:00:00Z", "dr"), at, "dr"), None);
        assert!(another(&live("2026-01-01T00:00:09Z", "dr"), at, "dr").is_some());
        assert!(another(&live("2026-01-01T00:00:00Z", "x"), at, "dr").is_some());
    }
}
