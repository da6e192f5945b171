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
use serde_json::json;

use self::candidates::candidates;
pub(crate) use self::exports::Exports;
pub(crate) use self::exports::Volume;
use self::exports::saved;
use self::exports::unsaid;
use crate::backup_file::BackupFile;
use crate::bucket::Place;
use crate::bucket::answered;
use crate::index::Index;

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
}

/// What was chosen.
pub struct State {
    exports: Exports,
    partial: bool,
    bytes: u64,
    warnings: Vec<String>,
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
