//! `data "velero_backup"`: the newest usable backup in a bucket, opened.
//!
//! It reads the bucket, never a cluster, because the cluster may be gone.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Arg;
use drplan_api::ConnId;
use drplan_api::Def;
use drplan_api::ErrorKind;
use drplan_api::HazardLevel;
use drplan_api::Json;
use drplan_api::Kind;
use drplan_api::Lack;
use drplan_api::Mode;
use drplan_api::Notes;
use drplan_api::Pending;
use drplan_api::PlanCx;
use drplan_api::Planned;
use drplan_api::ProviderError;
use drplan_api::RecoveryPoint;
use drplan_api::Schema;
use drplan_api::Seen;
use drplan_api::Timestamp;
use drplan_api::Type;
use drplan_api::View;
use drplan_api::Want;
use drplan_s3::asks;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;

use crate::backup_file::BackupFile;
use crate::bucket::Place;
use crate::bucket::answered;
use crate::index::Index;
use crate::index::Item;
use crate::nearest::nearest;

/// How many backups of a schedule are looked into, newest first.
const SCHEDULED_MAX: usize = 30;
/// How many backups are looked into where their names do not tell their age.
const CANDIDATES_MAX: usize = 200;
/// How many refused backups are named.
const REFUSED_SHOWN_MAX: usize = 3;

/// `YYYYMMDDhhmmss`.
const TIME_DIGITS: usize = 14;

const BUCKET: &str = "bucket";

/// The data source `velero_backup`.
pub struct VeleroBackup;

/// The arguments.
#[derive(Deserialize)]
pub struct Spec {
    bucket: String,
    prefix: Option<String>,
    schedule: Option<String>,
    name_prefix: Option<String>,
    name: Option<String>,
    before: Option<String>,
}

/// What was chosen.
pub struct State {
    exports: Exports,
    partial: bool,
    bytes: u64,
    warnings: Vec<String>,
}

/// What other resources see of a chosen backup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Exports {
    pub(crate) name: String,
    pub(crate) at: Timestamp,
    pub(crate) objects: u64,
    pub(crate) namespaces: Vec<String>,
    pub(crate) volumes: Vec<Volume>,
    pub(crate) conn: ConnId,
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    pub(crate) uid: String,
    pub(crate) expiration: Option<Timestamp>,
    pub(crate) phase: String,
    pub(crate) errors: u64,
    pub(crate) warnings: u64,
}

impl Exports {
    pub(crate) fn place(&self) -> Place {
        Place::new(&self.bucket, Some(&self.prefix))
    }
}

impl Exports {
    /// The claims whose data Velero saved through a pod, and brings back only through one.
    pub(crate) fn saved_through_pods(&self) -> BTreeSet<(&str, &str)> {
        let volumes = self.volumes.iter();
        let saved = volumes.filter(|v| v.method == "PodVolumeBackup" && v.missing.is_none());
        saved.map(|v| (&*v.namespace, &*v.claim)).collect()
    }
}

/// How the data of one claim was saved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Volume {
    pub(crate) namespace: String,
    pub(crate) claim: String,
    /// `PodVolumeBackup`, `CSISnapshot`, `NativeSnapshot`; empty if its data was not saved.
    pub(crate) method: String,
    /// Why its data is not in the backup, if it is not.
    pub(crate) missing: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct VolumeInfo {
    #[serde(rename = "pvcName")]
    claim: String,
    #[serde(rename = "pvcNamespace")]
    namespace: String,
    backup_method: String,
    skipped: bool,
    skipped_reason: String,
    result: String,
}

impl From<VolumeInfo> for Volume {
    fn from(info: VolumeInfo) -> Self {
        let missing = match (info.skipped, info.result.as_str()) {
            (true, _) => Some(format!("skipped: {}", info.skipped_reason)),
            (_, "failed") => Some("saving it failed".to_owned()),
            _ => None,
        };
        Self {
            namespace: info.namespace,
            claim: info.claim,
            method: info.backup_method,
            missing,
        }
    }
}

fn schema() -> Schema {
    let text = |name, doc| Arg::optional(name, Type::String, doc);
    Schema {
        args: vec![
            Arg::required("bucket", Type::String, "The bucket that Velero writes to."),
            text(
                "prefix",
                "Velero's folder inside the bucket. Default: the bucket itself.",
            ),
            text("schedule", "Choose among the backups of this schedule."),
            text(
                "name_prefix",
                "Choose among the backups whose names begin so.",
            ),
            text("name", "Exactly this backup."),
            text(
                "before",
                "Choose among the backups that began at or before this time (RFC 3339).",
            ),
        ],
        exports: vec![
            ("name", "The backup's name."),
            ("at", "When it began: everything later is lost."),
            ("objects", "How many objects it holds."),
            ("namespaces", "The namespaces that it holds objects of."),
            ("volumes", "How the data of each claim was saved."),
            ("conn", "The connection through which it was read."),
            ("bucket", "The bucket."),
            ("prefix", "Velero's folder inside the bucket."),
            ("uid", "The uid of the Backup object."),
            ("expiration", "When Velero may delete it."),
            ("phase", "Completed or PartiallyFailed."),
            ("errors", "How many errors there were while it was taken."),
            (
                "warnings",
                "How many warnings there were while it was taken.",
            ),
        ],
    }
}

impl Kind for VeleroBackup {
    type Spec = Spec;
    type State = State;
    type Op = ();

    fn def(&self) -> Def {
        Def {
            name: "velero_backup",
            doc: "The newest usable Velero backup in a bucket, with what it holds.",
            mode: Mode::Data,
            schema: schema(),
            stage: None,
            roles: &[(BUCKET, "s3")],
            envelope: &[],
            hazard_max: HazardLevel::None,
            cutover: false,
            op_version: 1,
        }
    }

    fn observe(&self, want: &Want<Spec>, view: &View<'_>) -> Result<Seen<State>, Pending> {
        if let Some(lack) = Lack::of(view.target(want.conn(BUCKET))?) {
            return Ok(Seen::Absent(lack));
        }
        Ok(match choose(want, view)? {
            Ok(state) => Seen::Present(state),
            Err(error) => Seen::Unreadable(error),
        })
    }

    fn plan(&self, cx: &PlanCx, _: &Want<Spec>, seen: &Seen<State>) -> Planned<()> {
        match seen {
            Seen::Present(state) => {
                let (name, at) = (&state.exports.name, state.exports.at);
                match cx.incident_at {
                    Some(incident) if at > incident => Planned::Blocked(
                        format!(
                            "backup `{name}` began at {at}, after the incident at {incident}; \
                             set `before = \"{incident}\"`"
                        )
                        .into(),
                    ),
                    _ => Planned::Nothing(format!("backup `{name}` of {at}").into()),
                }
            }
            Seen::Absent(Lack::Lost { domain }) => Planned::Blocked(
                format!("the bucket is declared lost with `{domain}`, and nothing is read from it")
                    .into(),
            ),
            _ => Planned::Blocked("the bucket is not there yet".into()),
        }
    }

    fn outputs(&self, _: &Want<Spec>, seen: &Seen<State>) -> Json {
        match seen {
            Seen::Present(state) => serde_json::to_value(&state.exports).unwrap_or_default(),
            _ => json!({}),
        }
    }

    fn notes(&self, _: &PlanCx, want: &Want<Spec>, seen: &Seen<State>) -> Notes {
        let place = Place::new(&want.spec.bucket, want.spec.prefix.as_deref());
        let mut notes = Notes {
            manual: vec![format!(
                "aws s3 ls s3://{}/{}",
                place.bucket,
                place.folder("backups")
            )],
            ..Notes::default()
        };
        if let Seen::Present(state) = seen {
            let exports = &state.exports;
            notes.points = vec![RecoveryPoint {
                of: format!("namespaces {}", exports.namespaces.join(", ")),
                id: exports.name.clone(),
                at: exports.at,
                incomplete: state
                    .partial
                    .then(|| format!("PartiallyFailed with {} errors", exports.errors)),
                bytes: Some(state.bytes),
            }];
            notes.warnings.clone_from(&state.warnings);
        }
        notes
    }
}

type Found<T> = Result<T, ProviderError>;

fn choose(want: &Want<Spec>, view: &View<'_>) -> Result<Found<State>, Pending> {
    let conn = want.conn(BUCKET);
    let place = Place::new(&want.spec.bucket, want.spec.prefix.as_deref());
    let before = match want.spec.before.as_deref().map(str::parse::<Timestamp>) {
        None => None,
        Some(Ok(before)) => Some(before),
        Some(Err(_)) => {
            return Ok(Err(failed(ErrorKind::Invalid, &place)
                .because("`before` is no time")
                .hint("write it as 2026-01-31T03:00:00Z")));
        }
    };
    let names = match answered(view, &place.ask_names(conn, "backups"))? {
        Ok(answer) => place.names("backups", answer),
        Err(error) => return Ok(Err(error.clone())),
    };
    let candidates = match candidates(&want.spec, before, &place, &names) {
        Ok(candidates) => candidates,
        Err(error) => return Ok(Err(error)),
    };
    let files = match read_files(conn, &place, &candidates, view)? {
        Ok(files) => files,
        Err(error) => return Ok(Err(error)),
    };
    let mut refused = Vec::new();
    for (name, file) in newest_first(files) {
        let why = match &file {
            None => Some("has no readable velero-backup.json".to_owned()),
            Some(file) => want
                .spec
                .schedule
                .as_ref()
                .filter(|schedule| !file.is_of_schedule(schedule))
                .map(|schedule| format!("is not of schedule `{schedule}`"))
                .or_else(|| file.unusable(before)),
        };
        if let Some(why) = why {
            refused.push(format!("`{name}` {why}"));
            continue;
        }
        let folder = place.backup(&name, "");
        let keys = match answered(view, &asks::keys(conn, &place.bucket, &folder, None))? {
            Ok(keys) => sizes(keys),
            Err(error) => return Ok(Err(error.clone())),
        };
        match (file, keys.get(&place.archive(&name))) {
            (Some(file), Some(bytes)) => {
                return open(conn, &place, &name, &file, *bytes, &keys, view);
            }
            _ => refused.push(format!("`{name}` has no archive `{name}.tar.gz`")),
        }
    }
    Ok(Err(nothing_usable(&want.spec, &place, &refused)))
}

fn failed(kind: ErrorKind, place: &Place) -> ProviderError {
    ProviderError::new(kind, "choose a Velero backup", place.url())
}

fn candidates(
    spec: &Spec,
    before: Option<Timestamp>,
    place: &Place,
    names: &[String],
) -> Found<Vec<String>> {
    if names.is_empty() {
        return Err(failed(ErrorKind::NotFound, place)
            .because(format!(
                "there is no backup under `{}`",
                place.folder("backups")
            ))
            .hint("check `prefix`: it is the folder that holds `backups/`"));
    }
    if let Some(name) = &spec.name {
        return match names.contains(name) {
            true => Ok(vec![name.clone()]),
            false => Err(failed(ErrorKind::NotFound, place)
                .because(format!("there is no backup `{name}`"))
                .hint(nearest("backup", name, names.iter().map(String::as_str)))),
        };
    }
    let (prefix, max) = match (&spec.schedule, &spec.name_prefix) {
        (Some(schedule), _) => (format!("{schedule}-"), SCHEDULED_MAX),
        (None, Some(prefix)) => (prefix.clone(), CANDIDATES_MAX),
        (None, None) => (String::new(), CANDIDATES_MAX),
    };
    let is_meant = |name: &&String| match &spec.schedule {
        Some(schedule) => stem(name) == schedule,
        None => name.starts_with(&prefix),
    };
    let mut chosen: Vec<(Option<Timestamp>, &String)> = names
        .iter()
        .filter(is_meant)
        .map(|name| (time_in(name), name))
        .collect();
    let (are_there, is_later) = (!chosen.is_empty(), |at| before.is_some_and(|b| at > b));
    chosen.retain(|(at, _)| !at.is_some_and(is_later));
    // Names without a time may be of any age, so they are looked into first.
    chosen.sort_by(|(a, name), (b, other)| {
        let timed = a.is_some().cmp(&b.is_some());
        timed.then_with(|| b.cmp(a)).then_with(|| other.cmp(name))
    });
    chosen.truncate(max);
    if !chosen.is_empty() {
        return Ok(chosen.into_iter().map(|(_, name)| name.clone()).collect());
    }
    if are_there {
        return Err(failed(ErrorKind::NotFound, place)
            .because("every backup that is asked for began after `before`, by the time in its name")
            .hint("choose a later `before`, another `schedule` or a `name`"));
    }
    let stems: BTreeSet<&str> = names.iter().map(|name| stem(name)).collect();
    let asked = prefix.trim_end_matches('-');
    Err(failed(ErrorKind::NotFound, place)
        .because(format!("no backup's name begins with `{prefix}`"))
        .hint(nearest("name", asked, stems.into_iter())))
}

/// The name of a backup without the time at its end.
fn stem(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((stem, time)) if time.bytes().all(|b| b.is_ascii_digit()) => stem,
        _ => name,
    }
}

/// The time that Velero puts at the end of the names of a schedule's backups, `20260131030000`.
fn time_in(name: &str) -> Option<Timestamp> {
    let digits = name.rsplit('-').next()?;
    if digits.len() != TIME_DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (day, time) = digits.split_at(8);
    let (year, month, day) = (&day[..4], &day[4..6], &day[6..]);
    let (hour, minute, second) = (&time[..2], &time[2..4], &time[4..]);
    let time = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    time.parse().ok()
}

type Files = Vec<(String, Option<BackupFile>)>;

fn read_files(
    conn: &ConnId,
    place: &Place,
    names: &[String],
    view: &View<'_>,
) -> Result<Found<Files>, Pending> {
    let query = |name: &String| {
        asks::blob(
            conn,
            &place.bucket,
            &place.backup(name, "velero-backup.json"),
        )
    };
    for name in names {
        view.want(&query(name));
    }
    let mut files = Vec::new();
    for name in names {
        let file = match answered(view, &query(name))? {
            Ok(answer) => answer["text"]
                .as_str()
                .and_then(|t| serde_json::from_str(t).ok()),
            Err(error) if error.kind == ErrorKind::NotFound => None,
            Err(error) => return Ok(Err(error.clone())),
        };
        files.push((name.clone(), file));
    }
    Ok(Ok(files))
}

fn newest_first(mut files: Files) -> Files {
    let age = |file: &Option<BackupFile>| file.as_ref().and_then(|f| f.status.start_timestamp);
    files.sort_by(|a, b| age(&b.1).cmp(&age(&a.1)).then_with(|| b.0.cmp(&a.0)));
    files
}

fn sizes(keys: &Json) -> BTreeMap<String, u64> {
    let keys = keys["keys"].as_array().into_iter().flatten();
    keys.filter_map(|k| Some((k["key"].as_str()?.to_owned(), k["size"].as_u64()?)))
        .collect()
}

fn open(
    conn: &ConnId,
    place: &Place,
    name: &str,
    file: &BackupFile,
    bytes: u64,
    keys: &BTreeMap<String, u64>,
    view: &View<'_>,
) -> Result<Found<State>, Pending> {
    let volumes_key = place.backup(name, &format!("{name}-volumeinfo.json.gz"));
    let volumes = keys
        .contains_key(&volumes_key)
        .then(|| place.ask_gzip(conn, &volumes_key));
    if let Some(query) = &volumes {
        view.want(query);
    }
    let index = match answered(view, &place.ask_archive(conn, name))? {
        Ok(answer) => Index::deserialize(&**answer).map_err(|e| {
            failed(ErrorKind::Bug, place)
                .because("its index cannot be read")
                .caused_by(&e)
        }),
        Err(error) => Err(error.clone()),
    };
    let index = match index {
        Ok(index) => index,
        Err(error) => return Ok(Err(error)),
    };
    let volumes = match volumes.map(|query| answered(view, &query)).transpose()? {
        None => unsaid(&index),
        Some(Ok(answer)) => match saved(answer) {
            Ok(volumes) => volumes,
            Err(e) => {
                return Ok(Err(failed(ErrorKind::Corrupt, place)
                    .because(format!("`{volumes_key}` is no list of volumes"))
                    .caused_by(&e)
                    .hint("choose another `name`, or take a new backup")));
            }
        },
        Some(Err(error)) => return Ok(Err(error.clone())),
    };
    Ok(Ok(state(conn, place, name, file, bytes, &index, volumes)))
}

/// Reads how each volume was saved; Velero writes `null` where there is none.
fn saved(infos: &Json) -> Result<Vec<Volume>, serde_json::Error> {
    let infos = Option::<Vec<VolumeInfo>>::deserialize(infos)?;
    Ok(infos.into_iter().flatten().map(Volume::from).collect())
}

/// The claims of a backup that does not say how their data was saved, if at all.
fn unsaid(index: &Index) -> Vec<Volume> {
    let claims = index.items.iter().filter(|item| item.is_claim());
    let volume = |item: &Item| Volume {
        namespace: item.namespace.clone(),
        claim: item.name.clone(),
        method: String::new(),
        missing: Some("the backup does not say how it was saved".to_owned()),
    };
    claims.map(volume).collect()
}

fn state(
    conn: &ConnId,
    place: &Place,
    name: &str,
    file: &BackupFile,
    bytes: u64,
    index: &Index,
    volumes: Vec<Volume>,
) -> State {
    let namespaces: BTreeSet<&str> = index
        .items
        .iter()
        .map(|item| {
            if item.is_namespace() {
                &item.name
            } else {
                &item.namespace
            }
        })
        .filter(|n| !n.is_empty())
        .map(String::as_str)
        .collect();
    let partial = file.status.phase == "PartiallyFailed";
    let mut warnings = Vec::new();
    if partial {
        warnings.push(format!(
            "backup `{name}` is PartiallyFailed with {} errors: some objects may be missing from it",
            file.status.errors
        ));
    }
    if file.lacks_cluster_scoped() {
        warnings.push(format!(
            "Velero left most objects without a namespace (ClusterRoles, StorageClasses, webhooks) out \
             of backup `{name}`; set `includeClusterResources: true` in its schedule"
        ));
    }
    let unsaved = volumes
        .iter()
        .filter_map(|v| Some((v, v.missing.as_ref()?)));
    warnings.extend(unsaved.map(|(v, why)| {
        format!(
            "the data of claim `{}/{}` is not in backup `{name}` ({why})",
            v.namespace, v.claim
        )
    }));
    State {
        exports: Exports {
            name: name.to_owned(),
            at: file.status.start_timestamp.unwrap_or_default(),
            objects: index.items.len() as u64,
            namespaces: namespaces.into_iter().map(str::to_owned).collect(),
            volumes,
            conn: conn.clone(),
            bucket: place.bucket.clone(),
            prefix: place.prefix.clone(),
            uid: file.metadata.uid.clone(),
            expiration: file.status.expiration,
            phase: file.status.phase.clone(),
            errors: file.status.errors,
            warnings: file.status.warnings,
        },
        partial,
        bytes,
        warnings,
    }
}

fn nothing_usable(spec: &Spec, place: &Place, refused: &[String]) -> ProviderError {
    let mut error = failed(ErrorKind::NotFound, place).because(format!(
        "none of the {} newest backups is usable",
        refused.len()
    ));
    for why in refused.iter().take(REFUSED_SHOWN_MAX) {
        error = error.because(why.clone());
    }
    error.hint(match &spec.name {
        Some(_) => "choose another `name`",
        None => "choose a later `before`, another `schedule` or a `name`",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        [
            "infra-daily-20260101030000",
            "infra-daily-20260102030000",
            "manual",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    fn spec(json: Json) -> Spec {
        let mut json = json;
        json["bucket"] = "b".into();
        serde_json::from_value(json).expect("arguments")
    }

    #[test]
    fn candidates_of_a_schedule_come_newest_first() {
        let place = Place::new("b", None);
        let found = candidates(
            &spec(json!({"schedule": "infra-daily"})),
            None,
            &place,
            &names(),
        );
        assert_eq!(found.expect("candidates")[0], "infra-daily-20260102030000");
    }

    #[test]
    fn candidates_are_of_their_schedule_in_time_and_those_without_a_time_come_first() {
        let place = Place::new("b", None);
        let all = [
            "infra-1",
            "infra-2",
            "infra-20260101030000",
            "infra-20260102030000",
            "infra-20261399030000",
            "infra-daily-20260103030000",
        ];
        let all = all.map(str::to_owned);
        for (args, before, expected) in [
            (json!({"schedule": "infra"}), None, vec![4, 1, 0, 3, 2]),
            (
                json!({"schedule": "infra"}),
                Some("2026-01-02T02:00:00Z"),
                vec![4, 1, 0, 2],
            ),
            (json!({"schedule": "infra-daily"}), None, vec![5]),
            (
                json!({"name_prefix": "infra-"}),
                None,
                vec![4, 1, 0, 5, 3, 2],
            ),
            (
                json!({"name_prefix": "infra-"}),
                Some("2025-01-01T00:00:00Z"),
                vec![4, 1, 0],
            ),
        ] {
            let bound = before.map(|b| b.parse().expect("a time"));
            let found = candidates(&spec(args.clone()), bound, &place, &all).expect("candidates");
            let expected: Vec<&String> = expected.into_iter().map(|i| &all[i]).collect();
            assert_eq!(
                found.iter().collect::<Vec<_>>(),
                expected,
                "{args} {before:?}"
            );
        }
    }

    #[test]
    fn many_later_backups_do_not_hide_the_one_before_the_incident() {
        let place = Place::new("b", None);
        let hours = (1..=2).flat_map(|d| (0..24).map(move |h| (d, h)));
        let all: Vec<String> = hours
            .map(|(day, hour)| format!("infra-202601{day:02}{hour:02}0000"))
            .collect();
        let before = "2026-01-01T05:30:00Z".parse().ok();
        let args = spec(json!({"schedule": "infra"}));
        let found = candidates(&args, before, &place, &all).expect("candidates");
        assert_eq!(found[0], "infra-20260101050000");
        let before = "2025-01-01T00:00:00Z".parse().ok();
        let error = candidates(&args, before, &place, &all).expect_err("an error");
        assert!(error.hint.expect("a hint").contains("`before`"));
    }

    #[test]
    fn a_backup_that_does_not_say_how_a_claim_was_saved_does_not_hold_its_data() {
        for (infos, readable) in [
            (json!(null), true),
            (json!([]), true),
            (json!([{"pvcName": "data", "pvcNamespace": "shop"}]), true),
            (json!({"volumes": []}), false),
            (json!([{"skipped": "perhaps"}]), false),
        ] {
            assert_eq!(saved(&infos).is_ok(), readable, "{infos}");
        }
        let item = |resource: &str| Item {
            resource: resource.to_owned(),
            namespace: "shop".to_owned(),
            name: "data".to_owned(),
            ..Item::default()
        };
        let index = Index {
            items: vec![item("configmaps"), item("persistentvolumeclaims")],
            ..Index::default()
        };
        let volumes = unsaid(&index);
        assert_eq!(volumes.len(), 1);
        assert_eq!(volumes[0].claim, "data");
        assert!(volumes[0].missing.is_some());
        assert_eq!(unsaid(&Index::default()), []);
    }

    #[test]
    fn a_name_that_does_not_exist_is_answered_with_the_nearest_ones() {
        let place = Place::new("b", None);
        for (args, near) in [
            (json!({"name": "manuel"}), "`manual`"),
            (json!({"schedule": "infra-dayly"}), "`infra-daily`"),
        ] {
            let error = candidates(&spec(args), None, &place, &names()).expect_err("an error");
            assert_eq!(error.kind, ErrorKind::NotFound);
            assert!(
                error.hint.as_ref().expect("a hint").contains(near),
                "{error:?}"
            );
        }
        let error = candidates(&spec(json!({})), None, &place, &[]).expect_err("an error");
        assert!(error.hint.expect("a hint").contains("`prefix`"));
    }

    #[test]
    fn a_claim_that_was_skipped_says_why() {
        let info: VolumeInfo =
            serde_json::from_value(json!({"pvcName": "data", "pvcNamespace": "shop",
            "skipped": true, "skippedReason": "no snapshot"}))
            .expect("volume information");
        assert_eq!(
            Volume::from(info).missing.as_deref(),
            Some("skipped: no snapshot")
        );
    }
}
