//! The kind's pure half.

use drplan_api::Action;
use drplan_api::Because;
use drplan_api::Cap;
use drplan_api::Change;
use drplan_api::Def;
use drplan_api::Effect;
use drplan_api::Given;
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
use drplan_api::Right;
use drplan_api::Seen;
use drplan_api::Stage;
use drplan_api::TargetState;
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

    fn check(&self, given: &mut Given<'_>) {
        spec::check(given);
    }

    fn observe(&self, want: &Want<Spec>, view: &View<'_>) -> Result<Seen<Release>, Pending> {
        let conn = want.conn(CLUSTER);
        if let Some(lack) = Lack::of(view.target(conn)?) {
            return Ok(Seen::Absent(lack));
        }
        let labels = release::selector(&want.spec.release(&want.address));
        let query = asks::list_in(
            conn,
            &release::secrets(),
            &want.spec.namespace,
            Some(&labels),
        );
        Ok(match view.get(&query)? {
            Err(error) => Seen::Unreadable(error.clone()),
            Ok(list) => match Release::newest(list) {
                Some(found) => Seen::Present(found),
                None => Seen::Absent(Lack::Object),
            },
        })
    }

    fn wires(&self, want: &Want<Spec>, view: &View<'_>) -> Wires {
        let conn = want.conn(CLUSTER);
        let cluster = Cap::on(conn, "cluster", "ready");
        let namespace = Cap::on(conn, "namespace", want.spec.namespace.as_str());
        let mut wires = Wires::default();
        wires
            .needs
            .push((cluster.clone(), "the release is installed on it".into()));
        if want.spec.create_namespace {
            wires
                .gives
                .push((namespace.clone(), "helm makes it with the release".into()));
        } else {
            wires
                .needs
                .push((namespace.clone(), "the release lives in it".into()));
        }
        if let Some(TargetState::Ready(_)) = view.peek_target(conn) {
            wires.already.push(cluster);
            let namespaces = asks::namespaces();
            let query = asks::get(conn, &namespaces, None, &want.spec.namespace);
            if let Ok(Ok(_)) = view.get(&query) {
                wires.already.push(namespace);
            }
        }
        wires
    }

    fn plan(&self, cx: &PlanCx, want: &Want<Spec>, seen: &Seen<Release>) -> Planned<Op> {
        match seen {
            Seen::Unreadable(error) => Planned::Blocked(Because(error.to_string())),
            Seen::Absent(Lack::Lost { domain }) => Planned::Blocked(Because(format!(
                "the cluster is declared lost with `{domain}`, and nothing is written to it"
            ))),
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

    fn tools(&self, want: &Want<Spec>) -> Vec<Vec<String>> {
        let version = ["version", "--short"].map(str::to_owned);
        vec![[&[want.spec.helm.clone()][..], &version].concat()]
    }

    /// What Helm keeps of a release. What the chart makes is not known here.
    fn rights(&self, want: &Want<Spec>) -> Vec<(&'static str, Right)> {
        let namespace = &want.spec.namespace;
        let verbs = ["get", "list", "create", "update", "delete"];
        let secrets = verbs.map(|verb| Right::new(verb, "secrets").within(Some(namespace)));
        let mut out: Vec<_> = secrets.into_iter().map(|right| (CLUSTER, right)).collect();
        if want.spec.create_namespace {
            out.push((CLUSTER, Right::new("create", "namespaces")));
        }
        out
    }

    fn notes(&self, _: &PlanCx, want: &Want<Spec>, seen: &Seen<Release>) -> Notes {
        let op = Op::of(&want.spec, &want.address);
        let mut notes = Notes {
            manual: vec![tool::manual(&op)],
            ..Notes::default()
        };
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
        Standing::Deployed if found.is_true(&want.spec.hash()) => Planned::Nothing(Because(
            format!("revision {revision} is deployed with this chart and these values"),
        )),
        Standing::Pending => pending(want, found),
        Standing::Leaving => Planned::Conflict(
            Because(format!(
                "revision {revision} is `{}`, which no step does: wait until whoever uninstalls `{}` is \
                 done or, if they were killed, run `helm uninstall` again",
                found.status,
                want.spec.release(&want.address)
            )),
            Vec::new(),
        ),
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
    let action = if status == "pending-install" {
        Action::Create
    } else {
        Action::Update
    };
    step(
        want,
        Some(found),
        action,
        format!("an attempt of this step left revision {revision} `{status}`"),
    )
}

/// Nothing is known about what somebody else installed, so a person decides, once and in the spec.
fn unknown(cx: &PlanCx, want: &Want<Spec>, found: &Release) -> Planned<Op> {
    let revision = found.revision;
    match want.spec.existing {
        Some(Existing::Keep) if found.standing() == Standing::Deployed => {
            Planned::Nothing(Because(format!(
                "revision {revision} is deployed; it was not installed by drplan and is kept"
            )))
        }
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
            format!(
                "revision {revision} (`{}`) was not installed by drplan",
                found.status
            ),
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
            object: format!(
                "helm upgrade --install {} --namespace {}",
                op.name, op.namespace
            ),
            repeat: Repeat::Named,
            inverse: deployed
                .map(|old| json!({"helm": ["rollback", op.name, old.revision.to_string()]})),
        }],
        // What this step itself made moves while it works, so that a second run finds it elsewhere.
        binding: json!(
            found
                .filter(|r| !r.is_of(&want.recovery, want.address.as_str()))
                .map(|r| (r.revision, &r.status, r.want()))
        ),
        op,
    }))
}

#[cfg(test)]
mod tests {
    use drplan_api::Facts;
    use drplan_api::TargetId;
    use drplan_api::acting;
    use drplan_api::stamp;
    use drplan_testkit::Driver;
    use drplan_testkit::want;
    use std::sync::Arc;

    use super::*;
    use crate::release::REVISION;
    use crate::release::sample;

    const SITE: &str = "kubernetes.site";

    fn args(more: &Json) -> Json {
        let mut args = json!({"namespace": "shop", "chart": {"path": "c", "digest": "d"}});
        for (key, value) in more.as_object().into_iter().flatten() {
            args[key] = value.clone();
        }
        args
    }

    fn hash() -> String {
        serde_json::from_value::<Spec>(args(&json!({})))
            .expect("arguments")
            .hash()
    }

    /// Decides over the Secrets of a release.
    fn planned(secrets: Vec<Json>, more: &Json) -> Planned<Json> {
        let conn = drplan_api::ConnId::new(SITE);
        let mut facts = Facts::default();
        facts
            .targets
            .insert(conn.clone(), TargetState::Ready(TargetId("c".to_owned())));
        let labels = release::selector("web");
        let query = asks::list_in(&conn, &release::secrets(), "shop", Some(&labels));
        facts
            .answers
            .insert(query, Ok(Arc::new(json!({"items": secrets}))));
        let want = want("helm_release.web", args(more)).role(CLUSTER, SITE);
        Driver::new(acting(HelmRelease), want)
            .look_at(&facts)
            .expect("a decision")
            .planned
    }

    fn word(planned: &Planned<Json>) -> &'static str {
        match planned {
            Planned::Nothing(_) => "nothing",
            Planned::Step(p) => p.action.as_str(),
            Planned::Conflict(..) => "conflict",
            Planned::Blocked(_) => "blocked",
            Planned::Gate { .. } => "gate",
        }
    }

    #[test]
    fn the_newest_revision_decides() {
        let hash = hash();
        let step = [
            (stamp::RECOVERY, "test"),
            (stamp::STEP, "helm_release.web"),
            (REVISION, "1"),
            (stamp::WANT, hash.as_str()),
        ];
        let other = [(stamp::WANT, "00000000"), (REVISION, "1")];
        let none = json!({});
        let keep = json!({"existing": "keep"});
        let update = json!({"existing": "update"});
        for (revision, status, marks, more, expected) in [
            (1, "deployed", &step[..], &none, "nothing"),
            (1, "deployed", &step[..], &json!({"wait": false}), "nothing"),
            (
                1,
                "deployed",
                &step[..],
                &json!({"values": {"a": 1}}),
                "update",
            ),
            (1, "deployed", &other[..], &none, "update"),
            (2, "deployed", &step[..], &none, "update"),
            (1, "deployed", &[], &none, "conflict"),
            (1, "deployed", &[], &keep, "nothing"),
            (1, "deployed", &[], &update, "update"),
            (1, "failed", &step[..], &none, "update"),
            (1, "failed", &[], &keep, "update"),
            (1, "failed", &[], &none, "conflict"),
            (1, "uninstalled", &[], &none, "create"),
            (1, "pending-install", &step[..], &none, "create"),
            (1, "pending-upgrade", &step[..], &none, "update"),
            (2, "pending-upgrade", &step[..], &none, "conflict"),
            (1, "pending-install", &[], &update, "conflict"),
            (1, "uninstalling", &step[..], &none, "conflict"),
            (1, "uninstalling", &[], &update, "conflict"),
        ] {
            let planned = planned(vec![sample(revision, status, marks)], more);
            assert_eq!(
                word(&planned),
                expected,
                "{revision} {status} {marks:?} {more}: {planned:?}"
            );
        }
        assert_eq!(word(&planned(Vec::new(), &none)), "create");
    }

    #[test]
    fn a_cluster_that_a_step_makes_is_planned_against_nothing_and_a_lost_one_is_left_alone() {
        let want = || want("helm_release.web", args(&json!({}))).role(CLUSTER, SITE);
        let look = |state| {
            let mut facts = Facts::default();
            facts.targets.insert(drplan_api::ConnId::new(SITE), state);
            let looked = Driver::new(acting(HelmRelease), want()).look_at(&facts);
            word(&looked.expect("a decision").planned)
        };
        assert_eq!(
            look(TargetState::NotYet {
                made_by: Vec::new()
            }),
            "create"
        );
        assert_eq!(
            look(TargetState::Lost {
                domain: "cluster:a".to_owned()
            }),
            "blocked"
        );
    }

    #[test]
    fn a_plan_binds_to_what_others_left_and_not_to_what_this_step_made() {
        let hash = hash();
        let step = [
            (stamp::RECOVERY, "test"),
            (stamp::STEP, "helm_release.web"),
            (REVISION, "1"),
            (stamp::WANT, hash.as_str()),
        ];
        let other_step = [
            (stamp::RECOVERY, "test"),
            (stamp::STEP, "helm_release.other"),
            (REVISION, "1"),
            (stamp::WANT, "00000000"),
        ];
        let none = Json::Null;
        for (status, marks, bound) in [
            ("pending-install", &step[..], &none),
            ("failed", &step[..], &none),
            ("failed", &other_step[..], &json!([1, "failed", "00000000"])),
            ("failed", &[], &json!([1, "failed", null])),
        ] {
            let more = json!({"existing": "update"});
            let Planned::Step(step) = planned(vec![sample(1, status, marks)], &more) else {
                panic!("a step over {status} {marks:?}");
            };
            assert_eq!(step.binding, *bound, "{status} {marks:?}");
        }
    }

    #[test]
    fn clearing_a_half_done_revision_is_shown_as_a_deletion() {
        let hash = hash();
        let marks = [
            (stamp::RECOVERY, "test"),
            (stamp::STEP, "helm_release.web"),
            (REVISION, "3"),
            (stamp::WANT, hash.as_str()),
        ];
        let Planned::Step(step) = planned(vec![sample(3, "pending-upgrade", &marks)], &json!({}))
        else {
            panic!("a step");
        };
        assert_eq!(step.diff[1].path, "Secret shop/sh.helm.release.v1.web.v3");
        assert_eq!(step.diff[1].after, None);
    }
}
