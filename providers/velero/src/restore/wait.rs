//! Waiting until Velero can restore a backup that lies in a bucket.
//!
//! Velero looks for backups on its own, once a minute unless it is told otherwise; nothing makes it look
//! earlier. So the wait says what Velero looks at, how often, and when it did so last.

use drplan_api::Json;
use drplan_api::Progress;
use drplan_api::ProviderError;
use drplan_api::ReadCx;
use drplan_api::Timestamp;
use drplan_api::digest;
use drplan_kubernetes::KubeConn;

use super::act::POLL;
use super::act::list;
use super::spec::CLUSTER;
use super::spec::Op;
use super::wires::place_of;
use crate::objects;
use crate::objects::VELERO_NAMESPACE;
use crate::objects::text;

const LABEL_CHARACTERS_MAX: usize = 63;
/// How much of a name that is too long for a label Velero keeps before the digest.
const LABEL_HEAD_CHARACTERS: usize = 57;
const BACKUP_LABEL: &str = "velero.io/backup-name";

/// How often Velero looks unless its location or its server says otherwise.
const SYNC_PERIOD: &str = "1m0s";

/// Waits until Velero can restore: the location is available, the backup is known, and all that
/// belongs to it is, because Velero makes the Backup object first and the rest one by one.
pub(super) async fn look(cx: &ReadCx, op: &Op) -> Result<Progress, ProviderError> {
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
    let conn: &KubeConn = cx.conn(CLUSTER)?;
    if location["status"]["phase"] != "Available" {
        let phase = text(&location["status"]["phase"]);
        let note = format!("backup location `{name}` is not available ({phase})");
        return Ok(waits(
            match objects::credential_absent(conn, location).await {
                Some(absent) => format!("{note}: {absent}"),
                None => note,
            },
        ));
    }
    let of = objects::backups();
    let Some(live) = objects::find(conn, &of, VELERO_NAMESPACE, &backup.name).await? else {
        return Ok(waits(unread(&backup.name, location)));
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
            return Ok(Progress::Going {
                done: known as u64,
                of: Some(expected as u64),
                note: format!("volumes of backup `{}` that Velero has read", backup.name),
                again_in: POLL,
            });
        }
    }
    Ok(Progress::Done)
}

/// Says what Velero still has to do before it knows a backup.
fn unread(backup: &str, location: &Json) -> String {
    let name = text(&location["metadata"]["name"]);
    let looked = match text(&location["status"]["lastSyncedTime"]) {
        "" => "has not looked yet".to_owned(),
        time => format!("looked last at {time}"),
    };
    match text(&location["spec"]["backupSyncPeriod"]) {
        "0s" | "0" => format!(
            "Velero never looks for backups in location `{name}`, because its `backupSyncPeriod` is 0; \
             set another one"
        ),
        period => format!(
            "Velero looks for backup `{backup}` in location `{name}` every {}; it {looked}",
            if period.is_empty() {
                SYNC_PERIOD
            } else {
                period
            }
        ),
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_wait_says_how_often_velero_looks_and_when_it_did_last() {
        for (period, time, said) in [
            (
                json!(null),
                json!(null),
                "every 1m0s; it has not looked yet",
            ),
            (
                json!("20s"),
                json!("2026-01-01T00:00:00Z"),
                "every 20s; it looked last at 2026-",
            ),
            (json!("0s"), json!(null), "never looks"),
        ] {
            let location = json!({"metadata": {"name": "dr"}, "spec": {"backupSyncPeriod": period},
                                  "status": {"lastSyncedTime": time}});
            let found = unread("nightly", &location);
            assert!(found.contains(said) && found.contains("`dr`"), "{found}");
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
