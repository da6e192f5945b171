//! The kind's pure half.

use std::collections::BTreeSet;

use drplan_api::Action;
use drplan_api::Arg;
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
use drplan_api::Schema;
use drplan_api::Seen;
use drplan_api::Stage;
use drplan_api::Type;
use drplan_api::View;
use drplan_api::Want;
use drplan_api::Wires;
use serde_json::json;

use super::super::CLUSTER;
use super::super::hindrance;
use super::super::object;
use super::super::object::Spot;
use super::super::on_cluster;
use super::super::paused;
use super::super::some;
use super::super::standing::Standing;
use super::super::standing::standing;
use super::super::standing::still_running;
use super::Deed;
use super::Found;
use super::KubernetesPause;
use super::PauseOp;
use super::PauseSpec;
use super::PauseState;
use crate::asks;
use crate::mark::Pauser;
use crate::word;

impl Kind for KubernetesPause {
    type Spec = PauseSpec;
    type State = PauseState;
    type Op = PauseOp;

    fn def(&self) -> Def {
        Def {
            name: "kubernetes_pause",
            doc: "Suspends and scales down what would fight what it guards, until it is released.",
            mode: Mode::Guard,
            schema: Schema {
                args: vec![
                    Arg::required(
                        "objects",
                        Type::List(Box::new(Type::String)),
                        "What stands still: `CronJob`, `Job`, `Deployment`, `StatefulSet`, each for all of its kind or as `KIND/NAMESPACE/NAME`, where `*` stands for anything.",
                    ),
                    Arg::optional(
                        "expires",
                        Type::Duration,
                        "After which time the pause is called overdue. Default: 24h. Nothing is set going by itself.",
                    ),
                ],
                exports: vec![(
                    "paused",
                    "What this recovery has paused: `[\"CronJob shop/nightly\"]`.",
                )],
            },
            // The earliest: what it guards comes later anyway.
            stage: Some(Stage::Cluster),
            roles: &[(CLUSTER, "kubernetes")],
            envelope: &[Action::Update],
            hazard_max: HazardLevel::Reversible,
            cutover: false,
            op_version: 1,
        }
    }

    fn check(&self, given: &mut Given<'_>) {
        word::check("objects", given);
        given.is_length("expires");
    }

    fn observe(
        &self,
        want: &Want<PauseSpec>,
        view: &View<'_>,
    ) -> Result<Seen<PauseState>, Pending> {
        let conn = want.conn(CLUSTER);
        if let Some(lack) = Lack::of(view.target(conn)?) {
            return Ok(Seen::Absent(lack));
        }
        let words = word::all(&want.spec.objects);
        let scalers = asks::list(conn, &hindrance::autoscalers());
        view.want(&scalers);
        let listed = object::list(conn, view, |resource| {
            words.iter().any(|word| word.resource() == resource)
        })?;
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) => return Ok(Seen::Unreadable(error)),
        };
        let named = listed.into_iter().filter(|(spot, _)| spot.is_named(&words));
        let named: Vec<(Spot, &Json)> = named.collect();
        let found = judged(&want.recovery, &named);
        let titles: BTreeSet<String> = found.iter().map(|f| f.spot.title()).collect();
        let mut warnings = warnings(&found, &named);
        warnings.extend(hindrance::scaled(&titles, view.get(&scalers)?));
        Ok(Seen::Present(PauseState { found, warnings }))
    }

    fn wires(&self, want: &Want<PauseSpec>, view: &View<'_>) -> Wires {
        let conn = want.conn(CLUSTER);
        Wires {
            begins: vec![(paused(conn), "it pauses what fights the recovery".into())],
            ..on_cluster(conn, view, "it pauses objects there")
        }
    }

    fn plan(
        &self,
        _: &PlanCx,
        want: &Want<PauseSpec>,
        seen: &Seen<PauseState>,
    ) -> Planned<PauseOp> {
        match seen {
            Seen::Unreadable(e) => Planned::Blocked(e.to_string().into()),
            Seen::Absent(Lack::Lost { domain }) => Planned::Nothing(
                format!(
                    "the cluster is declared lost with `{domain}`, and nothing in it is paused"
                )
                .into(),
            ),
            Seen::Absent(_) => unseen(want),
            Seen::Present(state) => decide(want, state),
        }
    }

    fn outputs(&self, _: &Want<PauseSpec>, seen: &Seen<PauseState>) -> Json {
        let Seen::Present(state) = seen else {
            return json!({});
        };
        if state.found.iter().any(|f| deed(f).is_some()) {
            return json!({});
        }
        let ours = state.found.iter();
        let ours = ours.filter(|f| matches!(f.standing, Standing::Ours(_)));
        json!({"paused": ours.map(|f| f.spot.title()).collect::<Vec<_>>()})
    }

    fn notes(&self, _: &PlanCx, want: &Want<PauseSpec>, seen: &Seen<PauseState>) -> Notes {
        let Seen::Present(state) = seen else {
            return Notes::default();
        };
        let by = Pauser {
            recovery: &want.recovery,
            run: "by hand",
            until: None,
        };
        let command = |found: &Found| match &found.standing {
            Standing::Runs(was) => Some(found.spot.command(&was.pause(by))),
            _ => None,
        };
        Notes {
            manual: state.found.iter().filter_map(command).collect(),
            warnings: state.warnings.clone(),
            ..Notes::default()
        }
    }
}

fn judged(recovery: &str, named: &[(Spot, &Json)]) -> Vec<Found> {
    let judge = |(spot, body): &(Spot, &Json)| {
        let resource = spot.resource();
        let standing = standing(recovery, &resource, body);
        let is_paused = !matches!(standing, Standing::Runs(_) | Standing::Ended);
        Found {
            left: still_running(&resource, body).filter(|_| is_paused),
            spot: spot.clone(),
            standing,
        }
    };
    named.iter().map(judge).collect()
}

/// What is to be said of objects that are left alone, and of those that may not stay paused.
fn warnings(found: &[Found], named: &[(Spot, &Json)]) -> Vec<String> {
    let (mut still, mut kept, mut out) = (Vec::new(), Vec::new(), Vec::new());
    for (found, (spot, body)) in found.iter().zip(named) {
        match &found.standing {
            Standing::Still => still.push(spot.title()),
            Standing::Others(mark) => out.push(spot.left_to(mark)),
            Standing::Runs(_) => {
                kept.extend(hindrance::keeper(body).map(|keeper| (spot, keeper)));
                out.extend(hindrance::started(spot, body));
            }
            Standing::Ours(_) | Standing::Ended => {}
        }
    }
    if !still.is_empty() {
        out.push(format!(
            "{} stood still before; a release leaves that alone too",
            some(&still)
        ));
    }
    out.extend(hindrance::kept(&kept));
    out
}

/// What is to be done about one object.
fn deed(found: &Found) -> Option<Deed> {
    let was = match &found.standing {
        Standing::Runs(was) => Some(was.clone()),
        _ if found.left.is_some() => None,
        _ => return None,
    };
    Some(Deed {
        spot: found.spot.clone(),
        was,
    })
}

fn decide(want: &Want<PauseSpec>, state: &PauseState) -> Planned<PauseOp> {
    if state.found.iter().all(|f| deed(f).is_none()) {
        let ours = state.found.iter();
        let ours = ours.filter(|f| matches!(f.standing, Standing::Ours(_)));
        return Planned::Nothing(match ours.count() {
            0 => "nothing runs that it would pause".into(),
            1 => "the object is paused".into(),
            n => format!("all {n} objects are paused").into(),
        });
    }
    proposed(want, &state.found)
}

fn proposed(want: &Want<PauseSpec>, found: &[Found]) -> Planned<PauseOp> {
    let deeds: Vec<Deed> = found.iter().filter_map(deed).collect();
    let running = deeds.iter().filter(|d| d.was.is_some());
    let running: Vec<String> = running.map(|d| d.spot.title()).collect();
    let because = match running.len() {
        0 => "pods of what is paused run still".to_owned(),
        1 => format!("{} runs", running[0]),
        n => format!("{n} objects run: {}", some(&running)),
    };
    let diff = deeds.iter().filter_map(|deed| {
        let (before, after) = deed.change()?;
        Some(Change {
            path: deed.spot.title(),
            before: Some(before),
            after: Some(after),
            sensitive: false,
            text: None,
        })
    });
    // What is paused by now belongs to it, so that a run that died in between can be gone on with.
    let bound = found
        .iter()
        .filter(|f| deed(f).is_some() || matches!(f.standing, Standing::Ours(_)));
    let binding = bound.map(|f| (f.spot.title(), json!("to be paused")));
    let binding = Json::Object(binding.collect());
    let effects = deeds.iter().map(effect).collect();
    step(want, because, diff.collect(), effects, binding, deeds)
}

/// On a cluster that a step of this plan makes: what will run there by then cannot be told.
fn unseen(want: &Want<PauseSpec>) -> Planned<PauseOp> {
    let words = word::all(&want.spec.objects).into_iter();
    let effects = words.map(|word| Effect {
        verb: "patch".to_owned(),
        object: word.object(),
        repeat: Repeat::Cas,
        inverse: None,
    });
    let because = format!(
        "of {} it pauses what runs by then",
        some(&want.spec.objects)
    );
    step(
        want,
        because,
        Vec::new(),
        effects.collect(),
        Json::Null,
        Vec::new(),
    )
}

fn step(
    want: &Want<PauseSpec>,
    because: String,
    diff: Vec<Change>,
    effects: Vec<Effect>,
    binding: Json,
    deeds: Vec<Deed>,
) -> Planned<PauseOp> {
    let expires_s = want.spec.expires().as_secs();
    Planned::Step(Box::new(Proposal {
        action: Action::Update,
        because: because.into(),
        diff,
        hazard: Hazard::reversible("`drplan release` sets all of it going as it was"),
        effects,
        binding,
        op: PauseOp { deeds, expires_s },
    }))
}

fn effect(deed: &Deed) -> Effect {
    let verb = if deed.was.is_some() { "patch" } else { "wait" };
    Effect {
        verb: verb.to_owned(),
        object: deed.spot.object(),
        repeat: Repeat::Cas,
        inverse: None,
    }
}
