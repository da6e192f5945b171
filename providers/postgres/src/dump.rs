//! The data source `dump_archive`: the newest usable dump in a bucket.
//!
//! The point that a dump brings back is its beginning, not when it was uploaded; names prove nothing.

use std::collections::BTreeSet;

use drplan_api::Arg;
use drplan_api::Because;
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
use drplan_api::Stage;
use drplan_api::Timestamp;
use drplan_api::Type;
use drplan_api::View;
use drplan_api::Want;
use drplan_s3::BUCKET_FORM;
use drplan_s3::asks;
use drplan_s3::is_bucket_name;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;

use crate::archive::DumpToc;
use crate::archive::Summary;
use crate::archive::TableName;

/// Of how many of the newest objects the contents are read.
const CANDIDATES_MAX: usize = 5;
/// Of how many objects uploaded after `before` the contents are read: a long dump may have begun
/// before it.
const LATER_CANDIDATES_MAX: usize = 2;
/// How many earlier dumps the size is compared with.
const COMPARED_MAX: usize = 7;
/// A dump below this part of the median is suspicious, in percent.
const SIZE_PERCENT_MIN: u64 = 50;
/// How many names are offered in place of one that is not there.
const NEAREST_MAX: usize = 3;

/// The data source `dump_archive`.
#[derive(Clone, Copy, Debug, Default)]
pub struct DumpArchive;

/// Arguments of [`DumpArchive`].
#[derive(Clone, Debug, Deserialize)]
pub struct DumpArchiveSpec {
    bucket: String,
    #[serde(default)]
    prefix: Option<String>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    before: Option<Timestamp>,
    #[serde(default)]
    point: Option<String>,
}

/// A dump as other kinds refer to it: the exports of [`DumpArchive`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct DumpRef {
    pub(crate) conn: ConnId,
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) etag: String,
    pub(crate) at: Timestamp,
    pub(crate) bytes: u64,
    pub(crate) database: String,
    pub(crate) server_version: String,
    pub(crate) tables: BTreeSet<String>,
    #[serde(default)]
    pub(crate) roles: BTreeSet<String>,
}

/// What is known of the chosen dump and those around it.
#[derive(Clone, Debug, PartialEq)]
pub struct DumpsSeen {
    chosen: DumpRef,
    others: Vec<RecoveryPoint>,
    warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Object {
    key: String,
    size: u64,
    modified: Timestamp,
    etag: String,
}

#[derive(Deserialize)]
struct Listing {
    keys: Vec<Object>,
}

impl Kind for DumpArchive {
    type Spec = DumpArchiveSpec;
    type State = DumpsSeen;
    type Op = ();

    fn def(&self) -> Def {
        Def {
            name: "dump_archive",
            doc: "The newest usable dump of `pg_dump -Fc` in a bucket.",
            mode: Mode::Data,
            schema: schema(),
            stage: Some(Stage::Databases),
            roles: &[("bucket", "s3")],
            envelope: &[],
            hazard_max: HazardLevel::None,
            cutover: false,
            op_version: 1,
        }
    }

    fn check(&self, given: &mut Given<'_>) {
        given.is("bucket", is_bucket_name, "name of a bucket", BUCKET_FORM);
        given.is_time("before");
        given.says_something("key");
        given.says_something("point");
        given.not_both("key", "prefix");
    }

    fn observe(
        &self,
        want: &Want<Self::Spec>,
        view: &View<'_>,
    ) -> Result<Seen<Self::State>, Pending> {
        let conn = want.conn("bucket");
        if let Some(lack) = Lack::of(view.target(conn)?) {
            return Ok(Seen::Absent(lack));
        }
        match find(conn, &want.spec, view)? {
            Ok(seen) => Ok(Seen::Present(seen)),
            Err(error) => Ok(Seen::Unreadable(error)),
        }
    }

    fn plan(
        &self,
        _: &PlanCx,
        want: &Want<Self::Spec>,
        seen: &Seen<Self::State>,
    ) -> Planned<Self::Op> {
        let because = |text: String| Because::from(text);
        match seen {
            Seen::Present(seen) => {
                Planned::Nothing(because(format!("read from `{}`", seen.chosen.key)))
            }
            Seen::Absent(Lack::Lost { domain }) => Planned::Blocked(because(format!(
                "bucket `{}` was declared lost with `{domain}`",
                want.spec.bucket
            ))),
            Seen::Absent(_) => Planned::Blocked(because(format!(
                "bucket `{}` can be read only when its store has been made",
                want.spec.bucket
            ))),
            Seen::Unreadable(error) => Planned::Blocked(because(error.to_string())),
        }
    }

    fn outputs(&self, _: &Want<Self::Spec>, seen: &Seen<Self::State>) -> Json {
        match seen {
            Seen::Present(seen) => serde_json::to_value(&seen.chosen).unwrap_or_else(|_| json!({})),
            _ => json!({}),
        }
    }

    fn notes(&self, _: &PlanCx, want: &Want<Self::Spec>, seen: &Seen<Self::State>) -> Notes {
        let Seen::Present(seen) = seen else {
            return Notes::default();
        };
        let chosen = RecoveryPoint {
            of: format!("database {}", seen.chosen.database),
            id: seen.chosen.key.clone(),
            at: seen.chosen.at,
            incomplete: None,
            unusable: None,
            bytes: Some(seen.chosen.bytes),
        };
        Notes {
            manual: vec![format!(
                "aws s3 cp 's3://{}/{}' - | pg_restore -l",
                want.spec.bucket, seen.chosen.key
            )],
            points: std::iter::once(chosen).chain(seen.others.clone()).collect(),
            breakdown: None,
            warnings: seen.warnings.clone(),
        }
    }
}

fn schema() -> Schema {
    let text = |name, doc| Arg::optional(name, Type::String, doc);
    Schema {
        args: vec![
            Arg::required("bucket", Type::String, "The bucket."),
            text(
                "prefix",
                "What the keys of all dumps of this database begin with; the newest usable one is \
                 taken.",
            ),
            text("key", "The key of one dump, in place of `prefix`."),
            text(
                "before",
                "An instant (`\"2026-01-05T03:00:00Z\"`); dumps that began after it are passed over.",
            ),
            text(
                "point",
                "The key of one dump, whatever the other arguments say: what `--point` sets.",
            ),
        ],
        exports: vec![
            ("conn", "The connection of the bucket."),
            ("bucket", "The bucket."),
            ("key", "The key of the dump."),
            ("etag", "The version of the object that was read."),
            (
                "at",
                "When the dump began; everything after it is lost. The dump's own clock has no zone \
                 and is taken as UTC, but never as later than the upload.",
            ),
            ("bytes", "The size in bytes."),
            ("database", "The name of the dumped database."),
            ("server_version", "The version of the dumped server."),
            ("tables", "The tables with data, as `schema.table`."),
            ("roles", "The roles that its privileges name."),
        ],
    }
}

type Found = Result<DumpsSeen, ProviderError>;

fn find(conn: &ConnId, spec: &DumpArchiveSpec, view: &View<'_>) -> Result<Found, Pending> {
    let place = format!("{conn}, bucket `{}`", spec.bucket);
    let prefix = match (&spec.key, &spec.prefix) {
        (Some(_), Some(_)) => {
            return Ok(Err(not_found(ErrorKind::Invalid, &place)
                .because("both `key` and `prefix` are given")
                .hint("leave one of them out")));
        }
        (Some(key), None) => key.rfind('/').map_or("", |at| &key[..=at]),
        (None, prefix) => prefix.as_deref().unwrap_or_default(),
    };
    let listing = match view.get(&asks::keys(conn, &spec.bucket, prefix, None))? {
        Ok(json) => Listing::deserialize(&**json),
        Err(error) => return Ok(Err(error.clone())),
    };
    let mut objects = match listing {
        Ok(listing) => listing.keys,
        Err(e) => return Ok(Err(not_found(ErrorKind::Bug, &place).caused_by(&e))),
    };
    objects.retain(|o| !o.key.ends_with('/'));
    objects.sort_by(|a, b| b.modified.cmp(&a.modified).then(a.key.cmp(&b.key)));
    let candidates = match candidates(&objects, spec) {
        Ok(candidates) => candidates,
        Err(why) => return Ok(Err(not_found(ErrorKind::NotFound, &place).because(why))),
    };
    let query = |o: &Object| asks::lens(conn, &spec.bucket, &o.key, DumpToc::NAME, &json!({}));
    for object in &candidates {
        view.want(&query(object));
    }
    let mut read = Vec::new();
    for object in candidates {
        let summary = match view.get(&query(object))? {
            Ok(json) => Summary::deserialize(&**json)
                .map_err(|e| not_found(ErrorKind::Bug, &place).caused_by(&e)),
            Err(error) => Err(error.clone()),
        };
        read.push((object, summary));
    }
    Ok(choose(conn, spec, &objects, read))
}

fn not_found(kind: ErrorKind, place: &str) -> ProviderError {
    ProviderError::new(kind, "find a dump", place)
}

/// Returns the objects whose contents are worth reading, newest upload first.
fn candidates<'a>(
    objects: &'a [Object],
    spec: &DumpArchiveSpec,
) -> Result<Vec<&'a Object>, String> {
    if let Some(point) = &spec.point {
        let Some(object) = objects.iter().find(|o| o.key == *point) else {
            return Err(format!(
                "there is no object `{point}`{}",
                nearest(point, objects)
            ));
        };
        let newest = objects.iter().filter(|o| o.key != *point);
        let listed = newest.take(CANDIDATES_MAX - 1);
        return Ok(std::iter::once(object).chain(listed).collect());
    }
    if let Some(key) = &spec.key {
        return match objects.iter().find(|o| o.key == *key) {
            Some(object) => Ok(vec![object]),
            None => Err(format!(
                "there is no object `{key}`{}",
                nearest(key, objects)
            )),
        };
    }
    let prefix = spec.prefix.as_deref().unwrap_or_default();
    if objects.is_empty() {
        return Err(format!("no key begins with `{prefix}`"));
    }
    // Objects are sorted by upload, newest first.
    let later = spec
        .before
        .map_or(0, |before| objects.partition_point(|o| o.modified > before));
    let from = later.saturating_sub(LATER_CANDIDATES_MAX);
    Ok(objects[from..]
        .iter()
        .take(later - from + CANDIDATES_MAX)
        .collect())
}

fn nearest(key: &str, objects: &[Object]) -> String {
    let mut scored: Vec<(f64, &str)> = objects
        .iter()
        .map(|o| (strsim::jaro_winkler(key, &o.key), o.key.as_str()))
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let names: Vec<String> = scored
        .iter()
        .take(NEAREST_MAX)
        .map(|(_, key)| format!("`{key}`"))
        .collect();
    match names.is_empty() {
        true => String::new(),
        false => format!("; nearest: {}", names.join(", ")),
    }
}

type ReadObject<'a> = (&'a Object, Result<Summary, ProviderError>);

fn choose(
    conn: &ConnId,
    spec: &DumpArchiveSpec,
    objects: &[Object],
    read: Vec<ReadObject<'_>>,
) -> Found {
    let place = format!("{conn}, bucket `{}`", spec.bucket);
    let (mut usable, mut corrupt, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for (object, summary) in read {
        match summary {
            Ok(summary) => {
                let at = point(&summary, object);
                match spec.before.filter(|before| at > *before) {
                    Some(before) if spec.point.is_none() => {
                        let why = format!("began at {at}, after {before}");
                        others.push(other(object, at, &summary.database, Some(why)));
                    }
                    _ => usable.push((at, object, summary)),
                }
            }
            // Falling back to an older dump loses data; only what a dump is itself may cause that,
            // never a store that does not answer.
            Err(error) if error.kind == ErrorKind::Corrupt && !is_named(spec, object) => {
                others.push(other(
                    object,
                    object.modified,
                    "",
                    Some(error.why.join(": ")),
                ));
                corrupt.push((object, error));
            }
            // A person has named another one: what is not it may come and go.
            Err(error) if spec.point.is_some() && !is_named(spec, object) => {
                let why = error.why.join(": ");
                others.push(other(object, object.modified, "", Some(why)));
            }
            Err(error) => return Err(error),
        }
    }
    usable.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.key.cmp(&b.1.key)));
    if spec.point.is_some() {
        usable.sort_by_key(|(_, object, _)| !is_named(spec, object));
    }
    let Some((at, object, summary)) = usable.first() else {
        let error = not_found(ErrorKind::NotFound, &place);
        return Err(match corrupt.into_iter().next() {
            Some((_, e)) => error
                .because("none of the objects that were read is usable")
                .because(e.to_string()),
            None => error.because("no dump began before `before`"),
        });
    };
    let mut warnings: Vec<String> = corrupt
        .iter()
        .filter(|(o, _)| o.modified > object.modified)
        .map(|(o, e)| {
            format!(
                "newer object `{}` was passed over: {}",
                o.key,
                e.why.join(": ")
            )
        })
        .collect();
    warnings.extend(small(object, objects));
    let rest = usable[1..].iter();
    others.extend(rest.map(|(at, object, summary)| other(object, *at, &summary.database, None)));
    others.sort_by(|a, b| b.at.cmp(&a.at).then(a.id.cmp(&b.id)));
    Ok(DumpsSeen {
        chosen: DumpRef {
            conn: conn.clone(),
            bucket: spec.bucket.clone(),
            key: object.key.clone(),
            etag: object.etag.clone(),
            at: *at,
            bytes: object.size,
            database: summary.database.clone(),
            server_version: summary.server_version.clone(),
            tables: summary.with_data.iter().map(TableName::to_string).collect(),
            roles: summary.roles.clone(),
        },
        others,
        warnings,
    })
}

/// Whether the spec or a person names this very dump.
fn is_named(spec: &DumpArchiveSpec, object: &Object) -> bool {
    let named = spec.point.as_ref().or(spec.key.as_ref());
    named.is_some_and(|key| *key == object.key)
}

/// A dump that was not taken.
fn other(object: &Object, at: Timestamp, database: &str, why: Option<String>) -> RecoveryPoint {
    RecoveryPoint {
        of: match database {
            "" => "not readable".to_owned(),
            name => format!("database {name}"),
        },
        id: object.key.clone(),
        at,
        incomplete: None,
        unusable: why,
        bytes: Some(object.size),
    }
}

/// The dump's own clock has no zone; an upload cannot come before the dump's beginning.
fn point(summary: &Summary, object: &Object) -> Timestamp {
    let utc = jiff::tz::TimeZone::UTC;
    match summary.created.to_zoned(utc) {
        Ok(zoned) => zoned.timestamp().min(object.modified),
        Err(_) => object.modified,
    }
}

/// Warns if a dump is much smaller than those before it.
fn small(chosen: &Object, objects: &[Object]) -> Option<String> {
    let ending = |key: &str| {
        key.rsplit('/')
            .next()?
            .rsplit_once('.')
            .map(|(_, e)| e.to_owned())
    };
    let mut sizes: Vec<u64> = objects
        .iter()
        .filter(|o| o.key != chosen.key && o.modified <= chosen.modified)
        .filter(|o| ending(&o.key) == ending(&chosen.key))
        .take(COMPARED_MAX)
        .map(|o| o.size)
        .collect();
    sizes.sort_unstable();
    let median = *sizes.get(sizes.len() / 2)?;
    (chosen.size.saturating_mul(100) < median.saturating_mul(SIZE_PERCENT_MIN)).then(|| {
        format!(
            "dump `{}` has {} bytes, less than {SIZE_PERCENT_MIN} % of the median of the last {} \
             ({median} bytes)",
            chosen.key,
            chosen.size,
            sizes.len()
        )
    })
}

#[cfg(test)]
mod tests;
