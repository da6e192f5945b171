//! The kind's pure half.

use drplan_api::Action;
use drplan_api::Because;
use drplan_api::Cap;
use drplan_api::Change;
use drplan_api::Def;
use drplan_api::Effect;
use drplan_api::Hazard;
use drplan_api::HazardLevel;
use drplan_api::Json;
use drplan_api::Kind;
use drplan_api::Lack;
use drplan_api::Mode;
use drplan_api::Notes;
use drplan_api::Pending;
use drplan_api::PlanCx;
use drplan_api::Planned;
use drplan_api::Proposal;
use drplan_api::Repeat;
use drplan_api::Seen;
use drplan_api::Stage;
use drplan_api::View;
use drplan_api::Want;
use drplan_api::Wires;
use drplan_kubernetes::asks;
use serde_json::json;

use crate::Existing;
use crate::Op;
use crate::Release;
use crate::Spec;
use crate::release;
use crate::release::Standing;
use crate::spec;
use crate::tool;

/// A release that is installed and upgraded by the real `helm`.
///
/// *Already true*: the newest revision is deployed and its labels say that it was made for this chart
/// and these values. *Conflict*: a release that drplan did not install, unless `existing` says what to
/// do with it; somebody else's unfinished operation. An unfinished operation of this very step, left by
/// a killed `helm`, is cleared by deleting its release Secret and done again.
#[derive(Clone, Copy, Debug, Default)]
pub struct HelmRelease;

/// The role of the cluster.
pub(crate) const CLUSTER: &str = "cluster";

impl Kind for HelmRelease {
    type Spec = Spec;
    type State = Release;
    type Op = Op;

    fn def(&self) -> Def {
        Def {
            name: "helm_release",
            doc: "A Helm release, installed or upgraded by the real `helm`.",
            mode: Mode::Goal,
            schema: spec::schema(),
            stage: Some(Stage::Velero),
            roles: &[(CLUSTER, "kubernetes")],
            envelope: &[Action::Create, Action::Update],
            hazard_max: HazardLevel::Reversible,
            cutover: false,
            op_version: 1,
        }
    }

    fn observe(&self, want: &Want<Spec>, view: &View<'_>) -> Result<Seen<Release>, Pending> {
        let conn = want.conn(CLUSTER);
        if let Some(lack) = Lack::of(view.target(conn)?) {
            return Ok(Seen::Absent(lack));
        }
        let labels = release::selector(&want.spec.release(&want.address));
        let query = asks::list_in(conn, &release::secrets(), &want.spec.namespace, Some(&labels));
        Ok(match view.get(&query)? {
            Err(error) => Seen::Unreadable(error.clone()),
            Ok(list) => match Release::newest(list) {
                Some(found) => Seen::Present(found),
                None => Seen::Absent(Lack::Object),
            },
        })
    }

    fn wires(&self, want: &Want<Spec>, _: &View<'_>) -> Wires {
        let namespace = Cap::on(want.conn(CLUSTER), "namespace", want.spec.namespace.as_str());
        let mut wires = Wires::default();
        if want.spec.create_namespace {
            wires.gives.push((namespace, "helm makes it with the release".into()));
        } else {
            wires.needs.push((namespace, "the release lives in it".into()));
        }
        wires
    }

    fn plan(&self, cx: &PlanCx, want: &Want<Spec>, seen: &Seen<Release>) -> Planned<Op> {
        match seen {
            Seen::Unreadable(error) => Planned::Blocked(Because(error.to_string())),
            Seen::Absent(_) => step(want, None, Action::Create, "it is not installed"),
            Seen::Present(found) => decide(cx, want, found),
        }
    }

    fn outputs(&self, want: &Want<Spec>, seen: &Seen<Release>) -> Json {
        let Seen::Present(found) = seen else {
            return json!({});
        };
        let kept = want.spec.existing == Some(Existing::Keep) && !found.is_known();
        if !found.is_true(&want.spec.hash()) && !kept {
            return json!({});
        }
        let mut out = json!({"revision": found.revision});
        if let Some(version) = found.labels.get(release::APP_VERSION).filter(|_| !kept) {
            out["app_version"] = version.as_str().into();
        }
        out
    }

    fn notes(&self, _: &PlanCx, want: &Want<Spec>, seen: &Seen<Release>) -> Notes {
        let op = Op::of(&want.spec, &want.address);
        let mut notes = Notes { manual: vec![tool::manual(&op)], ..Notes::default() };
        if let Seen::Present(found) = seen
            && !found.is_known()
            && want.spec.existing == Some(Existing::Keep)
        {
            notes.warnings.push(format!(
                "release `{}` was not installed by drplan: its chart and values were not compared",
                op.name
            ));
        }
        notes
    }
}

fn decide(cx: &PlanCx, want: &Want<Spec>, found: &Release) -> Planned<Op> {
    let revision = found.revision;
    match found.standing() {
        Standing::Deployed if found.is_true(&want.spec.hash()) => Planned::Nothing(Because(format!(
            "revision {revision} is deployed with this chart and these values"
        ))),
        Standing::Pending => pending(want, found),
        Standing::Gone => step(want, Some(found), Action::Create, "it was uninstalled"),
        _ if !found.is_known() => unknown(cx, want, found),
        Standing::Failed => {
            let why = format!("revision {revision} has failed");
            step(want, Some(found), Action::Update, why)
        }
        Standing::Deployed if found.want().is_none() => {
            let why = format!("somebody else made revision {revision}");
            step(want, Some(found), Action::Update, why)
        }
        Standing::Deployed => {
            let why = format!("revision {revision} has another chart or other values");
            step(want, Some(found), Action::Update, why)
        }
    }
}

fn pending(want: &Want<Spec>, found: &Release) -> Planned<Op> {
    let (revision, status) = (found.revision, &found.status);
    if !found.is_of(&want.recovery, want.address.as_str()) {
        return Planned::Conflict(
            Because(format!(
                "revision {revision} is `{status}` and not by this step: somebody's `helm` is at work \
                 or was killed; if it was, delete the Secret `{}` in `{}`",
                found.secret, want.spec.namespace
            )),
            Vec::new(),
        );
    }
    let action = if status == "pending-install" { Action::Create } else { Action::Update };
    step(want, Some(found), action, format!("an attempt of this step left revision {revision} `{status}`"))
}

/// Nothing is known about what somebody else installed, so a person decides, once and in the spec.
fn unknown(cx: &PlanCx, want: &Want<Spec>, found: &Release) -> Planned<Op> {
    let revision = found.revision;
    match want.spec.existing {
        Some(Existing::Keep) if found.standing() == Standing::Deployed => Planned::Nothing(Because(
            format!("revision {revision} is deployed; it was not installed by drplan and is kept"),
        )),
        None if !cx.accept_overwrite => Planned::Conflict(
            Because(format!(
                "revision {revision} was not installed by drplan, so its chart and values cannot be \
                 compared; say `existing = \"keep\"` or `existing = \"update\"`"
            )),
            Vec::new(),
        ),
        _ => step(
            want,
            Some(found),
            Action::Update,
            format!("revision {revision} (`{}`) was not installed by drplan", found.status),
        ),
    }
}

fn step(
    want: &Want<Spec>,
    found: Option<&Release>,
    action: Action,
    because: impl Into<Because>,
) -> Planned<Op> {
    let op = Op::of(&want.spec, &want.address);
    let deployed = found.filter(|release| release.standing() == Standing::Deployed);
    let mut diff = vec![Change {
        path: "revision".to_owned(),
        before: found.map(|release| json!(release.revision)),
        after: Some(json!(found.map_or(1, |release| release.revision + 1))),
        sensitive: false,
        text: None,
    }];
    if let Some(found) = found.filter(|release| release.standing() == Standing::Pending) {
        diff[0].after = Some(json!(found.revision));
        diff.push(Change {
            path: format!("Secret {}/{}", op.namespace, found.secret),
            before: Some(json!(found.status)),
            after: None,
            sensitive: false,
            text: None,
        });
    }
    Planned::Step(Box::new(Proposal {
        action,
        because: because.into(),
        diff,
        hazard: match deployed {
            None => Hazard::none(),
            Some(old) => Hazard::reversible(format!(
                "helm rollback {} {} --namespace {}",
                op.name, old.revision, op.namespace
            )),
        },
        effects: vec![Effect {
            verb: "exec".to_owned(),
            object: format!("helm upgrade --install {} --namespace {}", op.name, op.namespace),
            repeat: Repeat::Named,
            inverse: deployed.map(|old| json!({"helm": ["rollback", op.name, old.revision.to_string()]})),
        }],
        binding: json!(found.map(|r| (r.revision, &r.status, r.want()))),
        op,
    }))
}
