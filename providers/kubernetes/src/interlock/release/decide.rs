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
use drplan_api::Timestamp;
use drplan_api::Type;
use drplan_api::View;
use drplan_api::Want;
use drplan_api::Wires;
use serde_json::json;

use super::super::CLUSTER;
use super::super::object;
use super::super::object::Spot;
use super::super::on_cluster;
use super::super::paused;
use super::super::some;
use super::Deed;
use super::KubernetesRelease;
use super::ReleaseOp;
use super::ReleaseSpec;
use super::ReleaseState;
use crate::mark;
use crate::mark::Mark;
use crate::word;

impl Kind for KubernetesRelease {
    type Spec = ReleaseSpec;
    type State = ReleaseState;
    type Op = ReleaseOp;

    fn def(&self) -> Def {
        Def {
            name: "kubernetes_release",
            doc: "What this recovery paused runs again as it did before.",
            mode: Mode::Goal,
            schema: Schema {
                args: vec![Arg::optional(
                    "objects",
                    Type::List(Box::new(Type::String)),
                    "Only these: `CronJob`, `Job`, `Deployment`, `StatefulSet`, each for all of its kind or as `KIND/NAMESPACE/NAME`, with what they own. Default: all.",
                )],
                exports: vec![],
            },
            stage: Some(Stage::Verify),
            roles: &[(CLUSTER, "kubernetes")],
            envelope: &[Action::Update],
            hazard_max: HazardLevel::Reversible,
            cutover: false,
            op_version: 1,
        }
    }

    fn check(&self, given: &mut Given<'_>) {
        word::check("objects", given);
    }

    fn observe(
        &self,
        want: &Want<ReleaseSpec>,
        view: &View<'_>,
    ) -> Result<Seen<ReleaseState>, Pending> {
        let conn = want.conn(CLUSTER);
        if let Some(lack) = Lack::of(view.target(conn)?) {
            return Ok(Seen::Absent(lack));
        }
        Ok(match object::list(conn, view, |_| true)? {
            Ok(listed) => Seen::Present(marked(want, &listed)),
            Err(error) => Seen::Unreadable(error),
        })
    }

    fn wires(&self, want: &Want<ReleaseSpec>, view: &View<'_>) -> Wires {
        let conn = want.conn(CLUSTER);
        Wires {
            ends: vec![(paused(conn), "it sets going what was paused".into())],
            ..on_cluster(conn, view, "it sets objects going there")
        }
    }

    fn plan(
        &self,
        _: &PlanCx,
        _: &Want<ReleaseSpec>,
        seen: &Seen<ReleaseState>,
    ) -> Planned<ReleaseOp> {
        match seen {
            Seen::Unreadable(e) => Planned::Blocked(e.to_string().into()),
            Seen::Absent(Lack::Lost { domain }) => Planned::Nothing(
                format!(
                    "the cluster is declared lost with `{domain}`, and nothing in it is set going"
                )
                .into(),
            ),
            // What a step of this plan pauses there is found when the turn comes.
            Seen::Absent(_) => Planned::Nothing("nothing is paused there yet".into()),
            Seen::Present(state) if state.ours.is_empty() => {
                Planned::Nothing("nothing is paused by this recovery".into())
            }
            Seen::Present(state) => proposed(&state.ours),
        }
    }

    fn outputs(&self, _: &Want<ReleaseSpec>, _: &Seen<ReleaseState>) -> Json {
        json!({})
    }

    fn ends_all(&self) -> Option<Json> {
        Some(json!({}))
    }

    fn notes(&self, cx: &PlanCx, _: &Want<ReleaseSpec>, seen: &Seen<ReleaseState>) -> Notes {
        let Seen::Present(state) = seen else {
            return Notes::default();
        };
        let command = |(spot, mark): &(Spot, Mark)| spot.command(&patch(mark));
        let mut warnings = state.others.clone();
        warnings.extend(overdue(cx.observed_at, &state.ours));
        Notes {
            manual: state.ours.iter().map(command).collect(),
            warnings,
            ..Notes::default()
        }
    }
}

/// The patch that takes a mark away, and sets its object going if nobody did.
pub(super) fn patch(mark: &Mark) -> Json {
    match mark.holds {
        true => mark.original.release(),
        false => mark::unmark(),
    }
}

/// Finds the marks on what the words name and on what that owns. Owners come first.
fn marked(want: &Want<ReleaseSpec>, listed: &[(Spot, &Json)]) -> ReleaseState {
    let words = word::all(&want.spec.objects);
    let mut named = BTreeSet::new();
    let mut state = ReleaseState {
        ours: Vec::new(),
        others: Vec::new(),
    };
    for (spot, body) in listed {
        let owner = object::controller(body)
            .map(|(kind, name)| (spot.namespace.clone(), kind.to_owned(), name.to_owned()));
        if !words.is_empty()
            && !spot.is_named(&words)
            && !owner.is_some_and(|owner| named.contains(&owner))
        {
            continue;
        }
        if !words.is_empty() {
            named.insert(spot.as_owner());
        }
        match Mark::of(body) {
            Some(mark) if mark.recovery == want.recovery => state.ours.push((spot.clone(), mark)),
            Some(mark) if mark.holds => state.others.push(spot.left_to(&mark)),
            _ => {}
        }
    }
    state
}

/// Warns of pauses that have lasted longer than they were meant to.
fn overdue(now: Timestamp, ours: &[(Spot, Mark)]) -> Option<String> {
    let late = ours.iter();
    let late = late.filter(|(_, mark)| mark.holds && mark.until.is_some_and(|until| until < now));
    let late: Vec<String> = late.map(|(spot, _)| spot.title()).collect();
    (!late.is_empty()).then(|| format!("paused for longer than was meant: {}", some(&late)))
}

fn proposed(ours: &[(Spot, Mark)]) -> Planned<ReleaseOp> {
    let runs: BTreeSet<&str> = ours.iter().map(|(_, mark)| mark.run.as_str()).collect();
    let runs = runs.into_iter().collect::<Vec<_>>().join(", ");
    let titles: Vec<String> = ours.iter().map(|(spot, _)| spot.title()).collect();
    let because = match titles.len() {
        1 => format!("{} is paused, by {runs}", titles[0]).into(),
        n => format!("{n} objects are paused, by {runs}: {}", some(&titles)).into(),
    };
    let deeds = ours.iter().map(|(spot, mark)| Deed {
        spot: spot.clone(),
        original: mark.original.clone(),
        wakes: mark.holds,
    });
    let deeds: Vec<Deed> = deeds.collect();
    let binding = deeds.iter().map(|deed| {
        let was = deed.original.value();
        (
            deed.spot.title(),
            json!({"set_going": deed.wakes, "as": was}),
        )
    });
    let binding = Json::Object(binding.collect());
    Planned::Step(Box::new(Proposal {
        action: Action::Update,
        because,
        diff: deeds.iter().map(change).collect(),
        hazard: Hazard::reversible("pause it again by hand; the plan names the commands"),
        effects: deeds.iter().map(effect).collect(),
        // What was released in between is gone from it.
        binding,
        op: ReleaseOp { deeds },
    }))
}

fn change(deed: &Deed) -> Change {
    let was = deed.original.value();
    Change {
        path: deed.spot.title(),
        before: Some(match deed.wakes {
            true => deed.original.paused(),
            false => "a mark that is left over".into(),
        }),
        after: Some(was).filter(|was| deed.wakes && !was.is_null()),
        sensitive: false,
        text: None,
    }
}

fn effect(deed: &Deed) -> Effect {
    Effect {
        verb: "patch".to_owned(),
        object: deed.spot.object(),
        repeat: Repeat::Cas,
        inverse: None,
    }
}
