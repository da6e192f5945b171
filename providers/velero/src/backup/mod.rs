//! `data "velero_backup"`: the newest usable backup in a bucket, opened.
//!
//! It reads the bucket, never a cluster, because the cluster may be gone.

mod candidates;
mod exports;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Arg;
use drplan_api::ConnId;
use drplan_api::Def;
use drplan_api::ErrorKind;
use drplan_api::Given;
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
use drplan_s3::BUCKET_FORM;
use drplan_s3::asks;
use drplan_s3::is_bucket_name;
use serde::Deserialize;
use serde_json::json;

use self::candidates::candidates;
use self::candidates::time_in;
pub(crate) use self::exports::Exports;
pub(crate) use self::exports::Volume;
use self::exports::saved;
use self::exports::unsaid;
use crate::backup_file::BackupFile;
use crate::bucket::Place;
use crate::bucket::answered;
use crate::index::Index;
use crate::nearest::nearest;

/// How many refused backups are named.
const REFUSED_SHOWN_MAX: usize = 3;

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
    point: Option<String>,
}

/// What was chosen.
pub struct State {
    exports: Exports,
    partial: bool,
    bytes: u64,
    warnings: Vec<String>,
    others: Vec<RecoveryPoint>,
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
            text(
                "point",
                "Exactly this backup, whatever the other arguments say: what `--point` sets.",
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

    fn check(&self, given: &mut Given<'_>) {
        given.is("bucket", is_bucket_name, "name of a bucket", BUCKET_FORM);
        given.is_time("before");
        for name in ["name", "name_prefix", "schedule", "point"] {
            given.says_something(name);
        }
        given.not_both("name", "schedule");
        given.not_both("name", "name_prefix");
        given.not_both("schedule", "name_prefix");
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

    fn plan(&self, cx: &PlanCx, want: &Want<Spec>, seen: &Seen<State>) -> Planned<()> {
        match seen {
            Seen::Present(state) => {
                let (name, at) = (&state.exports.name, state.exports.at);
                match cx.incident_at {
                    // Who names a point may want it all the same; the plan warns.
                    Some(incident) if at > incident && want.spec.point.is_none() => {
                        Planned::Blocked(
                            format!(
                                "backup `{name}` began at {at}, after the incident at {incident}; \
                             set `before = \"{incident}\"`"
                            )
                            .into(),
                        )
                    }
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

    /// Whoever keeps a backup for longer changes nothing in it.
    fn fleeting(&self) -> &'static [&'static str] {
        &["expiration"]
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
                unusable: None,
                bytes: Some(state.bytes),
            }];
            notes.points.extend(state.others.iter().cloned());
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
    let candidates = match looked_into(&want.spec, before, &place, &names) {
        Ok(candidates) => candidates,
        Err(error) => return Ok(Err(error)),
    };
    let files = match read_files(conn, &place, &candidates, view)? {
        Ok(files) => files,
        Err(error) => return Ok(Err(error)),
    };
    let (mut chosen, mut refused, mut others) = (None, Vec::new(), Vec::new());
    for (name, file) in newest_first(files) {
        let is_meant = match &want.spec.point {
            Some(point) => *point == name,
            None => chosen.is_none(),
        };
        let mut why = refusal(&want.spec, before, file.as_ref());
        if is_meant && why.is_none() {
            let folder = place.backup(&name, "");
            let keys = match answered(view, &asks::keys(conn, &place.bucket, &folder, None))? {
                Ok(keys) => sizes(keys),
                Err(error) => return Ok(Err(error.clone())),
            };
            let bytes = keys.get(&place.archive(&name)).copied();
            match (&file, bytes) {
                (Some(file), Some(bytes)) => {
                    chosen = Some((name, file.clone(), bytes, keys));
                    continue;
                }
                _ => why = Some(format!("has no archive `{name}.tar.gz`")),
            }
        }
        if let Some(why) = why.as_ref().filter(|_| is_meant) {
            refused.push(format!("`{name}` {why}"));
        }
        others.extend(other(&name, file.as_ref(), why));
    }
    let Some((name, file, bytes, keys)) = chosen else {
        return Ok(Err(nothing_usable(&want.spec, &place, &refused)));
    };
    let opened = open(conn, &place, &name, &file, bytes, &keys, view)?;
    Ok(opened.map(|state| State { others, ..state }))
}

/// The backups to look into: those that the arguments choose, and the one that is named.
fn looked_into(
    spec: &Spec,
    before: Option<Timestamp>,
    place: &Place,
    names: &[String],
) -> Found<Vec<String>> {
    let Some(point) = &spec.point else {
        return candidates(spec, before, place, names);
    };
    if !names.contains(point) {
        return Err(failed(ErrorKind::NotFound, place)
            .because(format!("there is no backup `{point}`"))
            .hint(nearest("backup", point, names.iter().map(String::as_str))));
    }
    // What the arguments would have chosen is only listed beside it.
    let mut all = candidates(spec, before, place, names).unwrap_or_default();
    if !all.contains(point) {
        all.push(point.clone());
    }
    Ok(all)
}

/// Why a backup is not taken, by what it says itself.
fn refusal(spec: &Spec, before: Option<Timestamp>, file: Option<&BackupFile>) -> Option<String> {
    let Some(file) = file else {
        return Some("has no readable velero-backup.json".to_owned());
    };
    if spec.point.is_some() {
        return file.unusable(None);
    }
    let schedule = spec.schedule.as_ref();
    schedule
        .filter(|schedule| !file.is_of_schedule(schedule))
        .map(|schedule| format!("is not of schedule `{schedule}`"))
        .or_else(|| file.unusable(before))
}

/// A backup that was not taken; none if nobody knows when it was made.
fn other(name: &str, file: Option<&BackupFile>, why: Option<String>) -> Option<RecoveryPoint> {
    let status = file.map(|file| &file.status);
    let partial = status.filter(|status| status.phase == "PartiallyFailed");
    Some(RecoveryPoint {
        of: "not opened".to_owned(),
        id: name.to_owned(),
        at: status
            .and_then(|status| status.start_timestamp)
            .or_else(|| time_in(name))?,
        incomplete: partial.map(|status| format!("PartiallyFailed with {} errors", status.errors)),
        unusable: why,
        bytes: None,
    })
}

fn failed(kind: ErrorKind, place: &Place) -> ProviderError {
    ProviderError::new(kind, "choose a Velero backup", place.url())
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
        others: Vec::new(),
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
    error.hint(match (&spec.point, &spec.name) {
        (Some(_), _) => "choose another one: `drplan points` lists them",
        (None, Some(_)) => "choose another `name`",
        (None, None) => "choose a later `before`, another `schedule` or a `name`",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(point: &str) -> Spec {
        let args = json!({"bucket": "b", "schedule": "infra", "point": point});
        serde_json::from_value(args).expect("arguments")
    }

    #[test]
    fn a_backup_that_a_person_names_is_looked_into_whatever_else_is_asked_for() {
        let place = Place::new("b", None);
        let names = ["infra-20260102030000", "infra-20260101030000", "manual"];
        let names = names.map(str::to_owned);
        let bound = "2026-01-01T12:00:00Z".parse().ok();
        let found = looked_into(&spec("manual"), bound, &place, &names).expect("candidates");
        assert_eq!(found, ["infra-20260101030000", "manual"]);
        let error = looked_into(&spec("manuel"), bound, &place, &names).expect_err("unknown");
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert!(error.hint.expect("a hint").contains("`manual`"));
    }

    #[test]
    fn a_named_backup_is_refused_only_for_what_it_is_itself() {
        let file = |phase: &str| -> BackupFile {
            let status = json!({"phase": phase, "startTimestamp": "2026-01-02T03:00:00Z"});
            serde_json::from_value(json!({"metadata": {"name": "x"}, "status": status}))
                .expect("a backup")
        };
        let before = "2026-01-01T12:00:00Z".parse().ok();
        let named = |phase| refusal(&spec("x"), before, Some(&file(phase)));
        assert_eq!(
            named("Completed"),
            None,
            "of another schedule, and too late"
        );
        assert!(named("Failed").is_some());
        assert!(refusal(&spec("x"), before, None).is_some());
        let known = other("infra-20260101030000", None, Some("is gone".to_owned()));
        assert_eq!(known.expect("a point").unusable.as_deref(), Some("is gone"));
        assert_eq!(
            other("infra", None, None),
            None,
            "nobody knows when it was made"
        );
    }
}
