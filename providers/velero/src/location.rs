//! `velero_backup_location`: where Velero of a recovered cluster reads backups, never writing.
//!
//! It is created read-only: a fresh Velero with a writable location deletes every expired backup in
//! the bucket. A location that is there keeps its mode.

use drplan_s3::BUCKET_FORM;
use drplan_s3::is_bucket_name;
use std::collections::BTreeMap;
use std::time::Duration;

use drplan_api::Action;
use drplan_api::Acts;
use drplan_api::Arg;
use drplan_api::Because;
use drplan_api::Cap;
use drplan_api::Change;
use drplan_api::Def;
use drplan_api::Effect;
use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::Given;
use drplan_api::Hazard;
use drplan_api::HazardLevel;
use drplan_api::Json;
use drplan_api::Kind;
use drplan_api::Lack;
use drplan_api::Landed;
use drplan_api::Mode;
use drplan_api::Notes;
use drplan_api::Pending;
use drplan_api::PlanCx;
use drplan_api::Planned;
use drplan_api::Progress;
use drplan_api::Proof;
use drplan_api::Proposal;
use drplan_api::ProviderError;
use drplan_api::ReadCx;
use drplan_api::Repeat;
use drplan_api::Schema;
use drplan_api::Seen;
use drplan_api::Stage;
use drplan_api::Timestamp;
use drplan_api::Type;
use drplan_api::View;
use drplan_api::Want;
use drplan_api::Wires;
use drplan_api::WriteCx;
use drplan_api::stamp;
use drplan_kubernetes::KubeConn;
use drplan_kubernetes::NAME_FORM;
use drplan_kubernetes::NAMESPACE_FORM;
use drplan_kubernetes::asks;
use drplan_kubernetes::is_namespace_name;
use drplan_kubernetes::is_object_name;
use drplan_kubernetes::object_name;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;

use crate::bucket::Place;
use crate::objects;
use crate::objects::VELERO_NAMESPACE;
use crate::objects::text;

const CLUSTER: &str = "cluster";
const KIND: &str = "BackupStorageLocation";
const AVAILABLE: &str = "Available";
const POLL: Duration = Duration::from_secs(2);

/// The kind `velero_backup_location`.
pub struct VeleroBackupLocation;

/// The arguments.
#[derive(Deserialize)]
pub struct Spec {
    name: Option<String>,
    bucket: String,
    prefix: Option<String>,
    #[serde(default)]
    config: BTreeMap<String, String>,
    provider_plugin: Option<String>,
    credential: Option<Credential>,
    namespace: Option<String>,
}

#[derive(Deserialize)]
struct Credential {
    name: String,
    key: String,
}

/// The location as it is.
pub struct State {
    object: Json,
}

/// The payload of a step.
#[derive(Serialize, Deserialize)]
pub struct Op {
    namespace: String,
    name: String,
    what: What,
    spec: Json,
    labels: BTreeMap<String, String>,
    source: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Create,
    Change,
    Wait,
}

fn name(want: &Want<Spec>) -> String {
    let given = want.spec.name.clone();
    given.unwrap_or_else(|| want.address.name().replace('_', "-"))
}

fn namespace(want: &Want<Spec>) -> &str {
    want.spec.namespace.as_deref().unwrap_or(VELERO_NAMESPACE)
}

fn place(want: &Want<Spec>) -> Place {
    Place::new(&want.spec.bucket, want.spec.prefix.as_deref())
}

/// The fields that the arguments set, all but the mode.
fn wanted(want: &Want<Spec>) -> Json {
    let place = place(want);
    let mut storage = json!({"bucket": place.bucket});
    if !place.prefix.is_empty() {
        storage["prefix"] = place.prefix.into();
    }
    let plugin = want.spec.provider_plugin.as_deref().unwrap_or("aws");
    let mut spec = json!({"provider": plugin, "objectStorage": storage});
    if !want.spec.config.is_empty() {
        spec["config"] = json!(want.spec.config);
    }
    if let Some(credential) = &want.spec.credential {
        spec["credential"] = json!({"name": credential.name, "key": credential.key});
    }
    spec
}

fn differences(wanted: &Json, live: &Json) -> Vec<Change> {
    let fields = [
        "provider",
        "objectStorage/bucket",
        "objectStorage/prefix",
        "config",
        "credential",
    ];
    let at = |json: &Json, field: &str| json.pointer(&format!("/{field}")).cloned();
    fields
        .iter()
        .map(|field| (field, at(live, field), at(wanted, field)))
        .filter(|(field, before, after)| {
            // What the spec does not set is left as it is, except where the data lies.
            before != after && (after.is_some() || **field == "objectStorage/prefix")
        })
        .map(|(field, before, after)| Change {
            path: format!("spec.{}", field.replace('/', ".")),
            before,
            after,
            sensitive: false,
            text: None,
        })
        .collect()
}

fn schema() -> Schema {
    let text = |name, doc| Arg::optional(name, Type::String, doc);
    let word = |name, doc| Arg::required(name, Type::String, doc);
    Schema {
        args: vec![
            text(
                "name",
                "The location's name. Default: the name of the resource.",
            ),
            word("bucket", "The bucket."),
            text("prefix", "Velero's folder inside the bucket."),
            Arg::optional(
                "config",
                Type::Map(Box::new(Type::String)),
                "The plugin's settings: `region`, `s3Url`, `s3ForcePathStyle`.",
            ),
            text("provider_plugin", "The plugin. Default: `aws`."),
            Arg::optional(
                "credential",
                Type::Object(vec![
                    word("name", "The Secret in Velero's namespace."),
                    word("key", "The key inside it."),
                ]),
                "Where Velero finds the credentials.",
            ),
            text("namespace", "Velero's namespace. Default: `velero`."),
        ],
        exports: vec![("name", "The location's name.")],
    }
}

/// Tells whether a Secret can have a key like this.
fn is_key(text: &str) -> bool {
    let is_inside = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    !text.is_empty() && text.chars().all(is_inside)
}

impl Kind for VeleroBackupLocation {
    type Spec = Spec;
    type State = State;
    type Op = Op;

    fn def(&self) -> Def {
        Def {
            name: "velero_backup_location",
            doc: "A bucket from which Velero restores, created read-only.",
            mode: Mode::Goal,
            schema: schema(),
            stage: Some(Stage::Velero),
            roles: &[(CLUSTER, "kubernetes")],
            envelope: &[Action::Create, Action::Update],
            hazard_max: HazardLevel::Reversible,
            cutover: false,
            op_version: 1,
        }
    }

    fn check(&self, given: &mut Given<'_>) {
        given.is("bucket", is_bucket_name, "name of a bucket", BUCKET_FORM);
        given.is("name", is_object_name, "name of an object", NAME_FORM);
        let what = "name of a namespace";
        given.is("namespace", is_namespace_name, what, NAMESPACE_FORM);
        given.says_something("provider_plugin");
        let credential = given.get("credential");
        let text = |field: &str| credential.and_then(|c| c[field].as_str());
        if let Some(name) = text("name").filter(|name| !is_object_name(name)) {
            let because = format!("`{name}` in `credential` is no name of a Secret");
            given.refuse("credential", because, Some(NAME_FORM));
        }
        if let Some(key) = text("key").filter(|key| !is_key(key)) {
            let because = format!("`{key}` in `credential` is no key of a Secret");
            let hint = "a key has letters, digits, `-`, `_` and `.`";
            given.refuse("credential", because, Some(hint));
        }
    }

    fn observe(&self, want: &Want<Spec>, view: &View<'_>) -> Result<Seen<State>, Pending> {
        let conn = want.conn(CLUSTER);
        if let Some(lack) = Lack::of(view.target(conn)?) {
            return Ok(Seen::Absent(lack));
        }
        let list = asks::list_in(conn, &objects::locations(), namespace(want), None);
        Ok(match view.get(&list)? {
            Ok(answer) => {
                let items = answer["items"].as_array().into_iter().flatten();
                let name = name(want);
                let mut ours = items.filter(|o| o["metadata"]["name"] == name.as_str());
                match ours.next() {
                    Some(object) => Seen::Present(State {
                        object: object.clone(),
                    }),
                    None => Seen::Absent(Lack::Object),
                }
            }
            Err(e) if e.kind == ErrorKind::NoSuchType => Seen::Absent(Lack::Type),
            Err(e) => Seen::Unreadable(e.clone()),
        })
    }

    fn wires(&self, want: &Want<Spec>, view: &View<'_>) -> Wires {
        let conn = want.conn(CLUSTER);
        let crd = Cap::on(conn, "crd", objects::locations().full_name());
        let space = Cap::on(conn, "namespace", namespace(want));
        let because = Because::from(format!("`{}` is an object of Velero", name(want)));
        let mut wires = Wires {
            needs: vec![(crd.clone(), because.clone()), (space.clone(), because)],
            ..Wires::default()
        };
        let place = place(want);
        for key in [name(want), place.url()] {
            let because = format!("Velero reads `{}` through it", place.url());
            wires
                .gives
                .push((Cap::on(conn, "backup_location", key), because.into()));
        }
        let list = asks::list_in(conn, &objects::locations(), namespace(want), None);
        if matches!(view.peek(&list), Some(Ok(_))) {
            wires.already.push(crd);
        }
        let namespaces = asks::list(conn, &asks::namespaces());
        view.want(&namespaces);
        if let Some(Ok(list)) = view.peek(&namespaces) {
            let mut items = list["items"].as_array().into_iter().flatten();
            if items.any(|n| n["metadata"]["name"] == namespace(want)) {
                wires.already.push(space);
            }
        }
        wires
    }

    fn plan(&self, _: &PlanCx, want: &Want<Spec>, seen: &Seen<State>) -> Planned<Op> {
        let spec = wanted(want);
        let (name, place) = (name(want), place(want));
        match seen {
            Seen::Present(state) => {
                let changes = differences(&spec, &state.object["spec"]);
                let phase = text(&state.object["status"]["phase"]);
                let moved = changes
                    .iter()
                    .any(|c| c.path.starts_with("spec.objectStorage"));
                if moved {
                    let because = format!(
                        "backup location `{name}` reads another place; Velero would drop the backups \
                         that it knows from there"
                    );
                    return Planned::Conflict(because.into(), changes);
                }
                match (changes.is_empty(), phase) {
                    (true, AVAILABLE) => {
                        Planned::Nothing(format!("backup location `{name}` is available").into())
                    }
                    (true, phase) => {
                        let phase = if phase.is_empty() {
                            "not checked yet"
                        } else {
                            phase
                        };
                        let because = format!("backup location `{name}` is {phase}");
                        step(want, What::Wait, because, changes, spec)
                    }
                    (false, _) => {
                        let because = format!("backup location `{name}` has other settings");
                        step(want, What::Change, because, changes, spec)
                    }
                }
            }
            Seen::Absent(Lack::Lost { domain }) => Planned::Blocked(
                format!(
                    "the cluster is declared lost with `{domain}`, and nothing is written to it"
                )
                .into(),
            ),
            Seen::Absent(_) => {
                let mut spec = spec;
                spec["accessMode"] = "ReadOnly".into();
                let because = format!("Velero does not know `{}`", place.url());
                let change = Change {
                    path: "spec".to_owned(),
                    before: None,
                    after: Some(spec.clone()),
                    sensitive: false,
                    text: None,
                };
                step(want, What::Create, because, vec![change], spec)
            }
            Seen::Unreadable(error) => Planned::Blocked(error.to_string().into()),
        }
    }

    fn outputs(&self, want: &Want<Spec>, _: &Seen<State>) -> Json {
        json!({"name": name(want)})
    }

    fn notes(&self, _: &PlanCx, want: &Want<Spec>, _: &Seen<State>) -> Notes {
        let place = place(want);
        let mut command = format!(
            "velero -n {} backup-location create {} --access-mode ReadOnly --provider {} --bucket {}",
            namespace(want),
            name(want),
            want.spec.provider_plugin.as_deref().unwrap_or("aws"),
            place.bucket
        );
        if !place.prefix.is_empty() {
            command = format!("{command} --prefix {}", place.prefix);
        }
        for (key, value) in &want.spec.config {
            command = format!("{command} --config {key}={value}");
        }
        if let Some(credential) = &want.spec.credential {
            command = format!(
                "{command} --credential={}={}",
                credential.name, credential.key
            );
        }
        Notes {
            manual: vec![command],
            ..Notes::default()
        }
    }
}

fn step(
    want: &Want<Spec>,
    what: What,
    because: String,
    diff: Vec<Change>,
    spec: Json,
) -> Planned<Op> {
    let (namespace, name) = (namespace(want).to_owned(), name(want));
    let of = objects::locations();
    let (verb, action, hazard) = match what {
        What::Create => ("create", Action::Create, Hazard::none()),
        What::Change => (
            "patch",
            Action::Update,
            Hazard::reversible("the settings before stand in the plan"),
        ),
        What::Wait => ("wait", Action::Update, Hazard::none()),
    };
    let labels = [
        (stamp::RECOVERY, want.recovery.as_str()),
        (stamp::STEP, want.address.as_str()),
    ];
    Planned::Step(Box::new(Proposal {
        action,
        because: because.into(),
        binding: diff
            .iter()
            .map(|c| (c.path.clone(), json!(c.before)))
            .collect(),
        diff,
        hazard,
        effects: vec![Effect {
            verb: verb.to_owned(),
            object: object_name(&of.group, &of.plural, Some(&namespace), &name),
            repeat: match what {
                What::Create => Repeat::Named,
                _ => Repeat::Converge,
            },
            inverse: None,
        }],
        op: Op {
            labels: labels
                .map(|(key, value)| (key.to_owned(), stamp::label_value(value)))
                .into(),
            source: place(want).url(),
            namespace,
            name,
            what,
            spec,
        },
    }))
}

impl Acts for VeleroBackupLocation {
    fn begin<'a>(
        &'a self,
        cx: &'a WriteCx,
        op: &'a Op,
        _: usize,
    ) -> Fut<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let conn: &KubeConn = cx.conn(CLUSTER)?;
            let of = objects::locations();
            match op.what {
                What::Wait => Ok(()),
                What::Change => {
                    let fields = json!({"spec": op.spec});
                    objects::merge(conn, &of, KIND, &op.namespace, &op.name, &fields).await
                }
                What::Create => {
                    let body = json!({
                        "apiVersion": "velero.io/v1", "kind": KIND,
                        "metadata": {
                            "name": op.name, "namespace": op.namespace, "labels": op.labels,
                            "annotations": {stamp::RUN: cx.run, stamp::SOURCE: op.source},
                        },
                        "spec": op.spec,
                    });
                    objects::create(conn, &of, &op.namespace, &body).await
                }
            }
        })
    }

    fn probe<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a Op,
        _: usize,
    ) -> Fut<'a, Result<Landed, ProviderError>> {
        Box::pin(async move {
            let Some(live) = read(cx, op).await? else {
                return Ok(Landed::No);
            };
            let changes = differences(&op.spec, &live["spec"]);
            Ok(match (&op.what, changes.is_empty()) {
                (_, true) if is_fresh(&live) => Landed::Yes,
                (_, true) => Landed::Running,
                (What::Create, false) => Landed::Foreign(
                    format!(
                        "a backup location `{}` with other settings is there",
                        op.name
                    )
                    .into(),
                ),
                (_, false) => Landed::No,
            })
        })
    }

    fn poll<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a Op,
        _: usize,
    ) -> Fut<'a, Result<Progress, ProviderError>> {
        Box::pin(async move {
            let Some(live) = read(cx, op).await? else {
                return Ok(Progress::Failed {
                    because: format!("backup location `{}` is gone", op.name).into(),
                    retry: true,
                });
            };
            if is_fresh(&live) {
                return Ok(Progress::Done);
            }
            let said = match text(&live["status"]["message"]) {
                "" => "waiting for Velero to check the backup location".to_owned(),
                message => format!("Velero cannot use it: {message}"),
            };
            let conn: &KubeConn = cx.conn(CLUSTER)?;
            let note = match objects::credential_absent(conn, &live).await {
                Some(absent) => format!("{absent}; {said}"),
                None => said,
            };
            Ok(Progress::Going {
                done: 0,
                of: None,
                note,
                again_in: POLL,
            })
        })
    }

    fn prove<'a>(&'a self, cx: &'a ReadCx, op: &'a Op) -> Fut<'a, Result<Proof, ProviderError>> {
        Box::pin(async move {
            let of = objects::locations();
            let source = format!(
                "GET {}",
                object_name(&of.group, &of.plural, Some(&op.namespace), &op.name)
            );
            let Some(live) = read(cx, op).await? else {
                let claim = format!("backup location `{}` is not there", op.name);
                return Ok(Proof::default().with(false, claim, source));
            };
            let phase = text(&live["status"]["phase"]);
            let checked = text(&live["status"]["lastValidationTime"]);
            let same = differences(&op.spec, &live["spec"]).is_empty();
            Ok(Proof::default()
                .with(same, format!("it reads `{}`", op.source), &source)
                .with(
                    is_fresh(&live),
                    format!("it is {phase}, last checked at {checked}, after our own write"),
                    &source,
                ))
        })
    }
}

async fn read(cx: &ReadCx, op: &Op) -> Result<Option<Json>, ProviderError> {
    let conn: &KubeConn = cx.conn(CLUSTER)?;
    objects::find(conn, &objects::locations(), &op.namespace, &op.name).await
}

/// Whether Velero found the location available after what we last wrote to it. Both times are those
/// of the cluster.
fn is_fresh(live: &Json) -> bool {
    let time = |json: &Json| text(json).parse::<Timestamp>().ok();
    let fields = live["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten();
    let ours = fields.filter(|f| f["manager"] == stamp::FIELD_MANAGER);
    let written = ours.filter_map(|f| time(&f["time"])).max();
    let checked = time(&live["status"]["lastValidationTime"]);
    live["status"]["phase"] == AVAILABLE && checked.is_some() && checked >= written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_to_a_lost_cluster() {
        let want = Want {
            address: drplan_api::Address::new("velero_backup_location.dr"),
            recovery: "drill".to_owned(),
            spec: serde_json::from_value(json!({"bucket": "b"})).expect("arguments"),
            hash: "0a1b2c3d".to_owned(),
            roles: BTreeMap::new(),
        };
        let cx = PlanCx {
            observed_at: drplan_api::Timestamp::UNIX_EPOCH,
            incident_at: None,
            accept_overwrite: false,
        };
        let domain = "site-a".to_owned();
        for (lack, steps) in [(Lack::Lost { domain }, false), (Lack::Object, true)] {
            let planned = VeleroBackupLocation.plan(&cx, &want, &Seen::Absent(lack));
            assert_eq!(matches!(planned, Planned::Step(_)), steps);
            assert_eq!(matches!(planned, Planned::Blocked(_)), !steps);
        }
    }

    #[test]
    fn an_existing_mode_is_no_difference_and_another_bucket_is() {
        let wanted = json!({"provider": "aws", "objectStorage": {"bucket": "b"}});
        let live = json!({"provider": "aws", "objectStorage": {"bucket": "b"},
                          "accessMode": "ReadWrite", "config": {"region": "x"}});
        assert!(differences(&wanted, &live).is_empty());
        let other = json!({"provider": "aws", "objectStorage": {"bucket": "b", "prefix": "p"}});
        assert_eq!(
            differences(&wanted, &other)[0].path,
            "spec.objectStorage.prefix"
        );
    }

    #[test]
    fn availability_counts_only_if_it_was_checked_after_our_write() {
        let live = |checked: &str| {
            json!({"metadata": {"managedFields": [{"manager": "drplan", "time": "2026-01-01T00:00:10Z"}]},
                   "status": {"phase": "Available", "lastValidationTime": checked}})
        };
        assert!(!is_fresh(&live("2026-01-01T00:00:09Z")));
        assert!(is_fresh(&live("2026-01-01T00:00:11Z")));
    }
}
