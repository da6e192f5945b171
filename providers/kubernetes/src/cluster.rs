//! The kind `kubernetes_cluster`: a cluster that answers, is the right one, and can take work.
//!
//! It makes nothing. Whatever builds the cluster is a step of its own; this one waits until the result
//! can be used, so that everything else may lean on it.

use std::time::Duration;

use drplan_api::Action;
use drplan_api::Acts;
use drplan_api::Arg;
use drplan_api::Because;
use drplan_api::Cap;
use drplan_api::Conn as _;
use drplan_api::ConnId;
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
use drplan_api::TargetState;
use drplan_api::Type;
use drplan_api::View;
use drplan_api::Want;
use drplan_api::Wires;
use drplan_api::WriteCx;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;

use crate::KubeConn;
use crate::NAME_FORM;
use crate::asks;
use crate::asks::TypeRef;
use crate::is_object_name;
use crate::ready::Ready;
use crate::ready::ready;

/// The role of the cluster.
const CLUSTER: &str = "cluster";
/// How often a waiting step looks again.
const AGAIN_IN: Duration = Duration::from_secs(2);

/// A cluster that answers, is the right one, and can take work.
#[derive(Clone, Copy, Debug, Default)]
pub struct KubernetesCluster;

/// The arguments of `kubernetes_cluster`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterSpec {
    #[serde(default)]
    cluster_uid: Option<String>,
    #[serde(default)]
    not_cluster_uid: Option<String>,
    #[serde(default = "one")]
    min_ready_nodes: usize,
    #[serde(default)]
    storage_classes: Vec<String>,
    #[serde(default)]
    min_version: Option<String>,
}

fn one() -> usize {
    1
}

/// What a cluster says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterState {
    uid: String,
    version: String,
    ready_nodes: usize,
    missing_classes: Vec<String>,
}

/// What a judgement comes to.
enum Verdict {
    Holds,
    /// Time may help.
    Waits(String),
    /// It is not the cluster that is meant.
    Wrong(String),
    /// Time does not help.
    Unfit(String),
}

fn judge(spec: &ClusterSpec, state: &ClusterState) -> Verdict {
    let uid = &state.uid;
    if let Some(forbidden) = &spec.not_cluster_uid
        && forbidden == uid
    {
        return Verdict::Wrong(format!(
            "this is the cluster `{uid}`, and `not_cluster_uid` forbids `{forbidden}`"
        ));
    }
    if let Some(wanted) = &spec.cluster_uid
        && wanted != uid
    {
        return Verdict::Wrong(format!(
            "this is the cluster `{uid}`, and `cluster_uid` is `{wanted}`"
        ));
    }
    if let Some(least) = &spec.min_version
        && numbers(&state.version) < numbers(least)
    {
        return Verdict::Unfit(format!(
            "the server is {} and `min_version` is {least}; upgrade the cluster",
            state.version
        ));
    }
    let mut missing = Vec::new();
    if state.ready_nodes < spec.min_ready_nodes {
        missing.push(format!(
            "{} of {} nodes ready",
            state.ready_nodes, spec.min_ready_nodes
        ));
    }
    for class in &state.missing_classes {
        missing.push(format!("storage class `{class}` is missing"));
    }
    if missing.is_empty() {
        Verdict::Holds
    } else {
        Verdict::Waits(missing.join(", "))
    }
}

/// Tells whether a version is one to three numbers, perhaps with a `v` in front and a vendor's mark
/// behind, as in `v1.35.4+k3s1`, `1.33.1-gke.100` or `1.30+`.
fn is_version(text: &str) -> bool {
    let text = text.strip_prefix('v').unwrap_or(text);
    let numbers = text.split(['-', '+']).next().unwrap_or_default();
    let parts: Vec<&str> = numbers.split('.').collect();
    parts.len() <= 3 && parts.iter().all(|part| part.parse::<u32>().is_ok())
}

/// Returns major, minor and patch of `v1.35.4+k3s1`.
fn numbers(version: &str) -> Vec<u64> {
    let number = |part: &str| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    };
    let parts = version.trim_start_matches('v').split('.');
    parts.take(3).map(number).collect()
}

fn nodes() -> TypeRef {
    TypeRef::new("", "v1", "nodes")
}

fn storage_classes() -> TypeRef {
    TypeRef::new("storage.k8s.io", "v1", "storageclasses")
}

fn items(list: &Json) -> impl Iterator<Item = &Json> {
    list["items"].as_array().into_iter().flatten()
}

fn count_ready(nodes: &Json) -> usize {
    items(nodes).filter(|n| ready(n) == Ready::Ready).count()
}

fn missing(wanted: &[String], classes: &Json) -> Vec<String> {
    let is_missing = |name: &&String| {
        !items(classes).any(|c| c["metadata"]["name"].as_str() == Some(name.as_str()))
    };
    wanted.iter().filter(is_missing).cloned().collect()
}

impl Kind for KubernetesCluster {
    type Spec = ClusterSpec;
    type State = ClusterState;
    type Op = ClusterSpec;

    fn def(&self) -> Def {
        Def {
            name: "kubernetes_cluster",
            doc: "A cluster that answers, is the right one, and can take work. It makes nothing; it waits.",
            mode: Mode::Goal,
            schema: Schema {
                args: vec![
                    Arg::optional(
                        "cluster_uid",
                        Type::String,
                        "The uid of the namespace `kube-system` that the cluster must have.",
                    ),
                    Arg::optional(
                        "not_cluster_uid",
                        Type::String,
                        "The uid that it must not have: that of the lost cluster.",
                    ),
                    Arg::optional(
                        "min_ready_nodes",
                        Type::Number,
                        "How many nodes must be ready, 1 by default.",
                    ),
                    Arg::optional(
                        "storage_classes",
                        Type::List(Box::new(Type::String)),
                        "The storage classes that must exist.",
                    ),
                    Arg::optional(
                        "min_version",
                        Type::String,
                        "The least version of the server, such as \"1.33\".",
                    ),
                ],
                exports: vec![
                    ("uid", "The uid of the namespace `kube-system`."),
                    ("version", "The server's version."),
                ],
            },
            stage: Some(Stage::Cluster),
            roles: &[(CLUSTER, "kubernetes")],
            envelope: &[Action::Run],
            hazard_max: HazardLevel::None,
            cutover: false,
            op_version: 1,
        }
    }

    /// A patch of the control plane changes nothing about what was planned with it.
    fn fleeting(&self) -> &'static [&'static str] {
        &["version"]
    }

    fn check(&self, given: &mut Given<'_>) {
        given.is_whole("min_ready_nodes", 0..=i64::MAX);
        let hint = "write it as the server does, for example \"1.33\"";
        given.is("min_version", is_version, "version", hint);
        let what = "name of a storage class";
        given.each_is("storage_classes", is_object_name, what, NAME_FORM);
        given.says_something("cluster_uid");
        given.says_something("not_cluster_uid");
        let (uid, other) = (given.text("cluster_uid"), given.text("not_cluster_uid"));
        if uid.is_some() && uid == other {
            let because = "`cluster_uid` and `not_cluster_uid` are the same";
            let hint =
                "give the uid of the new cluster in one and that of the lost one in the other";
            given.refuse("not_cluster_uid", because, Some(hint));
        }
    }

    fn observe(
        &self,
        want: &Want<ClusterSpec>,
        view: &View<'_>,
    ) -> Result<Seen<ClusterState>, Pending> {
        let conn = want.conn(CLUSTER);
        let target = view.target(conn)?;
        let uid = match target {
            TargetState::Ready(id) => id.0.clone(),
            TargetState::Unreadable(e) => return Ok(Seen::Unreadable(e.clone())),
            lacking => return Ok(Seen::Absent(Lack::of(lacking).unwrap_or(Lack::Object))),
        };
        let queries = [
            asks::discovery(conn),
            asks::list(conn, &nodes()),
            asks::list(conn, &storage_classes()),
        ];
        let asked = if want.spec.storage_classes.is_empty() {
            2
        } else {
            3
        };
        queries[..asked].iter().for_each(|q| view.want(q));
        let mut answers = Vec::new();
        for query in &queries[..asked] {
            match view.get(query)? {
                Ok(answer) => answers.push(answer),
                Err(e) => return Ok(Seen::Unreadable(e.clone())),
            }
        }
        let version = answers[0]["git_version"].as_str().unwrap_or_default();
        Ok(Seen::Present(ClusterState {
            uid,
            version: version.to_owned(),
            ready_nodes: count_ready(answers[1]),
            missing_classes: answers
                .get(2)
                .map(|classes| missing(&want.spec.storage_classes, classes))
                .unwrap_or_default(),
        }))
    }

    fn wires(&self, want: &Want<ClusterSpec>, _: &View<'_>) -> Wires {
        let conn = want.conn(CLUSTER);
        let mut gives = vec![(
            Cap::on(conn, "cluster", "ready"),
            Because::from(format!("`{}` waits until it is ready", want.address)),
        )];
        for class in &want.spec.storage_classes {
            let why = format!("`{}` waits until it is there", want.address);
            gives.push((Cap::on(conn, "storage_class", class), why.into()));
        }
        Wires {
            gives,
            ..Wires::default()
        }
    }

    fn plan(
        &self,
        _: &PlanCx,
        want: &Want<ClusterSpec>,
        seen: &Seen<ClusterState>,
    ) -> Planned<ClusterSpec> {
        let because = match seen {
            Seen::Absent(Lack::Lost { domain }) => {
                return Planned::Blocked(
                    format!(
                        "the cluster is declared lost with `{domain}`, and nothing of it is used"
                    )
                    .into(),
                );
            }
            Seen::Absent(_) => "the cluster is made by another step".to_owned(),
            Seen::Unreadable(e) => return Planned::Blocked(e.to_string().into()),
            Seen::Present(state) => match judge(&want.spec, state) {
                Verdict::Holds => {
                    return Planned::Nothing(
                        format!(
                            "{} answers with {} ready nodes",
                            state.version, state.ready_nodes
                        )
                        .into(),
                    );
                }
                Verdict::Wrong(why) => return Planned::Conflict(why.into(), Vec::new()),
                Verdict::Unfit(why) => return Planned::Blocked(why.into()),
                Verdict::Waits(why) => why,
            },
        };
        Planned::Step(Box::new(Proposal {
            action: Action::Run,
            because: because.into(),
            diff: Vec::new(),
            hazard: Hazard::none(),
            op: want.spec.clone(),
            effects: vec![Effect {
                verb: "wait".to_owned(),
                object: format!("cluster {}", want.conn(CLUSTER)),
                repeat: Repeat::Converge,
                inverse: None,
            }],
            // How far the cluster is may change at any time without making the wait another one.
            binding: Json::Null,
        }))
    }

    fn outputs(&self, _: &Want<ClusterSpec>, seen: &Seen<ClusterState>) -> Json {
        match seen {
            Seen::Present(state) => json!({"uid": state.uid, "version": state.version}),
            _ => json!({}),
        }
    }

    fn notes(&self, _: &PlanCx, _: &Want<ClusterSpec>, _: &Seen<ClusterState>) -> Notes {
        Notes {
            manual: vec![
                "kubectl get namespace kube-system -o jsonpath='{.metadata.uid}'".to_owned(),
                "kubectl get --raw=/readyz".to_owned(),
                "kubectl get nodes,storageclasses".to_owned(),
            ],
            ..Notes::default()
        }
    }
}

/// Reads the cluster as it is now.
async fn look(conn: &KubeConn, spec: &ClusterSpec) -> Result<ClusterState, ProviderError> {
    conn.get_text("read whether the server is ready", "/readyz")
        .await?;
    let uid = conn.identity().await?.0;
    // Only the questions are used: the connection is at hand.
    let nowhere = ConnId::new("");
    let asks = [
        asks::discovery(&nowhere).ask,
        asks::list(&nowhere, &nodes()).ask,
        asks::list(&nowhere, &storage_classes()).ask,
    ];
    let asked = if spec.storage_classes.is_empty() {
        2
    } else {
        3
    };
    let mut answers = Vec::new();
    for answer in conn.fetch(&asks[..asked]).await {
        answers.push(answer?);
    }
    let version = answers[0]["git_version"].as_str().unwrap_or_default();
    Ok(ClusterState {
        uid,
        version: version.to_owned(),
        ready_nodes: count_ready(&answers[1]),
        missing_classes: answers
            .get(2)
            .map(|classes| missing(&spec.storage_classes, classes))
            .unwrap_or_default(),
    })
}

fn going(note: impl Into<String>) -> Progress {
    Progress::Going {
        done: 0,
        of: None,
        note: note.into(),
        again_in: AGAIN_IN,
    }
}

impl Acts for KubernetesCluster {
    fn begin<'a>(
        &'a self,
        _: &'a WriteCx,
        _: &'a ClusterSpec,
        _: usize,
    ) -> Fut<'a, Result<(), ProviderError>> {
        Box::pin(async { Ok(()) })
    }

    fn probe<'a>(
        &'a self,
        _: &'a ReadCx,
        _: &'a ClusterSpec,
        _: usize,
    ) -> Fut<'a, Result<Landed, ProviderError>> {
        // Waiting leaves no trace; whoever resumes looks again.
        Box::pin(async { Ok(Landed::Running) })
    }

    fn poll<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a ClusterSpec,
        _: usize,
    ) -> Fut<'a, Result<Progress, ProviderError>> {
        Box::pin(async move {
            let conn = cx.conn::<KubeConn>(CLUSTER)?;
            let state = match look(conn, op).await {
                Ok(state) => state,
                // A young server refuses, then answers 500 and 503, then lacks a type for a moment.
                Err(e) if e.is_transient() || e.kind == ErrorKind::NoSuchType => {
                    return Ok(going(format!(
                        "waiting for an answer: {}",
                        e.why.join(": ")
                    )));
                }
                Err(e) => return Err(e),
            };
            Ok(match judge(op, &state) {
                Verdict::Holds => Progress::Done,
                Verdict::Waits(note) => Progress::Going {
                    done: state.ready_nodes as u64,
                    of: Some(op.min_ready_nodes as u64),
                    note,
                    again_in: AGAIN_IN,
                },
                Verdict::Wrong(why) | Verdict::Unfit(why) => Progress::Failed {
                    because: why.into(),
                    retry: false,
                },
            })
        })
    }

    fn prove<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a ClusterSpec,
    ) -> Fut<'a, Result<Proof, ProviderError>> {
        Box::pin(async move {
            let conn = cx.conn::<KubeConn>(CLUSTER)?;
            let state = look(conn, op).await?;
            let identity = !matches!(judge(op, &state), Verdict::Wrong(_));
            let mut proof = Proof::default()
                .with(
                    identity,
                    format!("cluster `{}` answers, version {}", state.uid, state.version),
                    "GET /readyz, /version and the namespace `kube-system`",
                )
                .with(
                    state.ready_nodes >= op.min_ready_nodes,
                    format!(
                        "{} nodes are ready, {} are needed",
                        state.ready_nodes, op.min_ready_nodes
                    ),
                    "list `nodes`",
                );
            if let Some(least) = &op.min_version {
                proof = proof.with(
                    numbers(&state.version) >= numbers(least),
                    format!("version {} is at least {least}", state.version),
                    "GET /version",
                );
            }
            for class in &op.storage_classes {
                proof = proof.with(
                    !state.missing_classes.contains(class),
                    format!("storage class `{class}` is there"),
                    "list `storageclasses.storage.k8s.io`",
                );
            }
            Ok(proof)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> ClusterSpec {
        serde_json::from_value(json!({"min_ready_nodes": 3, "storage_classes": ["fast"],
            "not_cluster_uid": "old", "min_version": "1.33"}))
        .expect("arguments")
    }

    fn state() -> ClusterState {
        ClusterState {
            uid: "new".to_owned(),
            version: "v1.35.4".to_owned(),
            ready_nodes: 3,
            missing_classes: Vec::new(),
        }
    }

    #[test]
    fn a_cluster_is_judged_by_identity_first_and_by_time_last() {
        assert!(matches!(judge(&spec(), &state()), Verdict::Holds));

        let mut old = state();
        old.uid = "old".to_owned();
        old.ready_nodes = 0;
        let Verdict::Wrong(why) = judge(&spec(), &old) else {
            panic!("the forbidden cluster was accepted");
        };
        assert_eq!(why.matches("`old`").count(), 2);

        let mut young = state();
        young.ready_nodes = 2;
        young.missing_classes = vec!["fast".to_owned()];
        let Verdict::Waits(why) = judge(&spec(), &young) else {
            panic!("it should wait");
        };
        assert_eq!(why, "2 of 3 nodes ready, storage class `fast` is missing");

        let mut stale = state();
        stale.version = "v1.9.11".to_owned();
        assert!(matches!(judge(&spec(), &stale), Verdict::Unfit(_)));
    }
}
