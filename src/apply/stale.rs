//! At its start, apply decides again about every step that can be decided now; a decision that changed
//! makes the step stale, and it is refused before anything is begun.
//!
//! A decision rests on more than the state of its own resource: on the recovery points that the plan took,
//! and on what true steps export. Those are held against the plan too.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Address;
use drplan_api::DynKind;
use drplan_api::ErrorKind;
use drplan_api::Facts;
use drplan_api::Json;
use drplan_api::LookError;
use drplan_api::Looked;
use drplan_api::Planned;
use drplan_api::ProviderError;
use drplan_api::RawWant;
use drplan_api::Registry;
use drplan_api::TargetState;
use drplan_api::View;
use futures::StreamExt as _;
use futures::stream;
use serde_json::json;

use super::envelope::because_of;
use super::envelope::differing;
use super::envelope::within;
use super::shared::Shared;
use crate::bind::settle;
use crate::graph::EdgeWhy;
use crate::outs::Outs;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Point;
use crate::plan::Step;
use crate::plan::Sure;
use crate::secrets::Secrets;

/// How often kinds may come back for more answers.
const ROUNDS_MAX: usize = 16;
/// The argument by which a data source is told which recovery point to take.
const POINT: &str = "point";
/// How many connections are opened at once.
const OPENED_AT_ONCE_MAX: usize = 16;

/// What was found at the start of a run.
#[derive(Default)]
pub(super) struct Start {
    /// The stale steps, and what changed.
    pub(super) stale: BTreeMap<Address, String>,
    /// The true ones, and why they are.
    pub(super) seen: BTreeMap<Address, String>,
    /// Those that were true when planned, and of which nobody knows now whether they are.
    pub(super) unsure: BTreeSet<Address>,
}

/// Looks at everything that can be decided now. All reads are shared: one list for each kind and target,
/// however many steps need it.
/// `done` is what the run did before it was resumed.
pub(super) async fn look(
    shared: &Shared,
    registry: &Registry,
    outs: &Outs,
    done: &BTreeSet<Address>,
) -> Start {
    let mut start = Start::default();
    let mut facts = Facts::default();
    let ties = Ties::of(shared, done);
    let mut open = to_look_at(&ties, outs);
    targets(shared, outs, &open, &mut facts, &mut start).await;
    for _ in 0..ROUNDS_MAX {
        let mut queries = BTreeSet::new();
        let mut pending = Vec::new();
        for (step, want) in open {
            let ready = want.roles.values().all(|c| {
                matches!(
                    facts.targets.get(c),
                    Some(TargetState::Ready(_) | TargetState::Lost { .. })
                )
            });
            let Some(kind) = kind_of(registry, step).filter(|_| ready) else {
                // What cannot be read now is read again at its turn.
                continue;
            };
            let view = View::new(&facts);
            match shared.looked(&**kind, &want, &view) {
                Err(LookError::Pending) => {
                    queries.extend(view.missing().0);
                    pending.push((step, want));
                }
                Err(LookError::Decode(why)) => {
                    start.stale.insert(step.address.clone(), why);
                }
                Ok(looked) => start.judge(&ties, step, &**kind, &looked),
            }
        }
        if pending.is_empty() {
            break;
        }
        shared.observer.fetch(queries, &mut facts).await;
        open = pending;
    }
    start.spare(&ties);
    let true_then = shared.plan.steps.iter().filter(|s| {
        s.what == Do::Nothing && can_be_decided(s) && !start.seen.contains_key(&s.address)
    });
    start.unsure = true_then.map(|s| s.address.clone()).collect();
    start
}

/// The steps that can be decided now and the recovery points that steps of this plan restore from, with
/// their arguments.
fn to_look_at<'a>(ties: &Ties<'a>, outs: &Outs) -> Vec<(&'a Step, RawWant)> {
    let plan = ties.plan();
    let steps = plan.steps.iter();
    let steps = steps.filter_map(|step| match step.address.is_data() {
        true => Some((step, Some(ties.taken(step)?))),
        false => can_be_decided(step).then_some((step, None)),
    });
    let wants = steps.filter_map(|(step, point)| {
        let raw = step.want.as_ref()?;
        let mut args = settle(&raw.args, &plan.exprs, outs).ok()?;
        if let Some(point) = point {
            // A newer one makes nothing stale.
            args[POINT] = point.id.as_str().into();
        }
        Some((
            step,
            RawWant {
                args,
                ..raw.clone()
            },
        ))
    });
    wants.collect()
}

/// Opens the connections, many at once: one that does not answer must not keep a run from the others. Whoever else
/// answers makes all steps stale that go there.
async fn targets(
    shared: &Shared,
    outs: &Outs,
    open: &[(&Step, RawWant)],
    facts: &mut Facts,
    start: &mut Start,
) {
    let conns = open.iter().flat_map(|(_, want)| want.roles.values());
    let conns: BTreeSet<_> = conns.cloned().collect();
    let opened = stream::iter(conns).map(|conn| async move {
        let state = shared.target(&conn, outs).await;
        (conn, state)
    });
    let opened: Vec<_> = opened.buffered(OPENED_AT_ONCE_MAX).collect().await;
    for (conn, state) in opened {
        match state {
            Ok(state) => {
                facts.targets.insert(conn, state);
            }
            Err(because) => {
                let goes_there = |want: &RawWant| want.roles.values().any(|c| *c == conn);
                for (step, _) in open.iter().filter(|(_, want)| goes_there(want)) {
                    start.stale.insert(step.address.clone(), because.clone());
                }
            }
        }
    }
}

/// What of a run hangs on what. Made once, in O((steps + edges + points) · log(steps + points)); each question then
/// costs as much as it has answers.
struct Ties<'a> {
    shared: &'a Shared,
    /// What the run did before it was resumed.
    done: &'a BTreeSet<Address>,
    /// By step, those whose expressions refer to it, and those whose connection is made of what it exports.
    users: Vec<Vec<(usize, Use)>>,
    /// The points that the plan took and that steps restore from, by data source.
    points: BTreeMap<&'a Address, &'a Point>,
}

/// How one step uses what another exports.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Reference,
    Connection,
}

impl<'a> Ties<'a> {
    fn of(shared: &'a Shared, done: &'a BTreeSet<Address>) -> Self {
        let plan = &*shared.plan;
        let mut users = vec![Vec::new(); plan.steps.len()];
        for edge in &plan.edges {
            let how = match edge.why {
                EdgeWhy::Reference { .. } => Use::Reference,
                EdgeWhy::Provider { .. } => Use::Connection,
                _ => continue,
            };
            users[edge.before].push((edge.after, how));
        }
        for (i, maker) in made_with(shared) {
            users[maker].push((i, Use::Connection));
        }
        let points = plan.points.iter().filter(|p| p.chosen && p.used);
        Self {
            shared,
            done,
            users,
            points: points.map(|p| (&p.address, p)).collect(),
        }
    }

    fn plan(&self) -> &'a Plan {
        &self.shared.plan
    }

    /// The point that a data source took while planning, if steps of the plan restore from it.
    fn taken(&self, step: &Step) -> Option<&'a Point> {
        if !step.address.is_data() || step.what != Do::Nothing {
            return None;
        }
        self.points.get(&step.address).copied()
    }

    /// The steps that use what one exports.
    fn users(&self, step: &Step) -> impl Iterator<Item = (&'a Step, Use)> {
        let plan = self.plan();
        let place = self.shared.places.get(&step.address);
        let users = place.map_or(&[][..], |&i| self.users[i].as_slice());
        users.iter().map(move |&(i, how)| (&plan.steps[i], how))
    }

    /// Whether the run itself still has to do a step: nobody did it, and no person took it on.
    fn is_left(&self, step: &Step) -> bool {
        let is_taken_on = self.shared.orders.taken.has(&step.address);
        step.is_action() && !is_taken_on && !self.done.contains(&step.address)
    }
}

/// The steps whose connection was known when planned, each with a step whose exports stand in that.
fn made_with(shared: &Shared) -> impl Iterator<Item = (usize, usize)> {
    let steps = shared.plan.steps.iter().enumerate();
    let roles = steps.flat_map(|(i, step)| {
        let conns = step.want.iter().flat_map(|want| want.roles.values());
        conns.map(move |conn| (i, conn))
    });
    let pins = roles.filter_map(move |(i, conn)| Some((i, shared.pin(conn)?)));
    pins.flat_map(move |(i, pin)| {
        let makers = pin.made_with.iter();
        makers.filter_map(move |maker| Some((i, *shared.places.get(maker)?)))
    })
}

impl Start {
    fn judge(&mut self, ties: &Ties<'_>, step: &Step, kind: &dyn DynKind, looked: &Looked) {
        let address = &step.address;
        if let Some(point) = ties.taken(step) {
            let secrets = &ties.shared.secrets;
            if let Some(because) = moved_point(step, point, kind, looked, secrets) {
                self.stale.insert(address.clone(), because);
            }
            return;
        }
        if looked.present.is_err() {
            return;
        }
        if let Planned::Nothing(because) = &looked.planned {
            self.seen.insert(address.clone(), because.to_string());
            self.exports(ties, step, kind, &looked.outputs);
        }
        if let Some(because) = changed(step, kind, &looked.planned, &ties.shared.secrets) {
            self.stale.insert(address.clone(), because);
        }
    }

    /// A point from which the run has restored everything already may be gone. What only looks restored is no
    /// reason: of another backup, nothing may be missing.
    fn spare(&mut self, ties: &Ties<'_>) {
        let is_needed = |step: &Step| {
            let mut users = ties.users(step);
            users.any(|(user, how)| how == Use::Reference && ties.is_left(user))
        };
        let steps = ties.plan().steps.iter();
        for step in steps.filter(|step| step.address.is_data() && !is_needed(step)) {
            self.stale.remove(&step.address);
        }
    }

    /// What refers to a true step, or goes where that leads, was planned with what that exported then. What the run
    /// did with it is done, and a guard with nothing to guard does nothing with it.
    fn exports(&mut self, ties: &Ties<'_>, step: &Step, kind: &dyn DynKind, now: &Json) {
        let parts = match (&step.outputs, now) {
            (Json::Object(then), Json::Object(now)) if step.what == Do::Nothing => {
                differing(then, now, kind.fleeting(), &ties.shared.secrets)
            }
            _ => return,
        };
        if parts.is_empty() {
            return;
        }
        let (of, what) = (&step.address, parts.join("; "));
        let because = format!("it was planned with what `{of}` exports: {what}");
        let users = ties.users(step).map(|(user, _)| user);
        for user in users.filter(|user| user.what != Do::Idle && !ties.done.contains(&user.address))
        {
            self.stale
                .entry(user.address.clone())
                .or_insert_with(|| because.clone());
        }
    }
}

/// What became of a recovery point that the plan rests on. One that cannot be read just now is found by
/// the step that restores from it.
fn moved_point(
    step: &Step,
    point: &Point,
    kind: &dyn DynKind,
    looked: &Looked,
    secrets: &Secrets,
) -> Option<String> {
    let id = &point.id;
    let unusable = |why: &str| Some(format!("`{id}` cannot be taken any more: {why}"));
    match (&looked.present, &looked.planned) {
        (Err(error), _) if is_about_the_point(error) => return unusable(&error.why.join(": ")),
        (Err(_), _) => return None,
        (Ok(_), Planned::Nothing(_)) => {}
        (Ok(_), other) => return unusable(&because_of(other)),
    }
    let sized = |outputs: &Json, bytes: Option<u64>| {
        let mut all = outputs.as_object().cloned().unwrap_or_default();
        if point.bytes.is_some() {
            all.insert("bytes".to_owned(), json!(bytes));
        }
        all
    };
    let then = sized(&step.outputs, point.bytes);
    let now = sized(
        &looked.outputs,
        looked.notes.points.first().and_then(|p| p.bytes),
    );
    let parts = differing(&then, &now, kind.fleeting(), secrets);
    (!parts.is_empty()).then(|| {
        format!(
            "`{id}` is not what it was when planned: {}",
            parts.join("; ")
        )
    })
}

/// Whether an error says something of what was read, and not of the way there.
fn is_about_the_point(error: &ProviderError) -> bool {
    matches!(
        error.kind,
        ErrorKind::NotFound | ErrorKind::Corrupt | ErrorKind::Invalid
    )
}

fn can_be_decided(step: &Step) -> bool {
    matches!(step.what, Do::Act { .. } | Do::Nothing)
        && step.sure == Sure::Exact
        && !step.address.is_data()
}

fn kind_of<'a>(registry: &'a Registry, step: &Step) -> Option<&'a std::sync::Arc<dyn DynKind>> {
    match step.address.is_data() {
        true => registry.get_data(&step.kind),
        false => registry.get_resource(&step.kind),
    }
}

/// What changed about a decision, if it did. That something came true by itself is no reason to refuse.
fn changed(
    step: &Step,
    kind: &dyn DynKind,
    now: &Planned<Json>,
    secrets: &Secrets,
) -> Option<String> {
    match now {
        Planned::Nothing(_) => None,
        Planned::Step(proposal) => within(step, kind, proposal, secrets).err(),
        other if step.what == Do::Nothing => {
            Some(format!("it was true when planned: {}", because_of(other)))
        }
        other => Some(because_of(other)),
    }
}
