//! The least rights that a plan and its apply take, and which of them are missing.
//!
//! Reading is what was asked for; writing is what the effects of the steps are. Both are in the words of
//! each system, which also says how its rights are asked for and given.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Address;
use drplan_api::Ask;
use drplan_api::ConnId;
use drplan_api::Effect;
use drplan_api::ErrorKind;
use drplan_api::Facts;
use drplan_api::ProviderError;
use drplan_api::Query;
use drplan_api::RawWant;
use drplan_api::Registry;
use drplan_api::Right;
use drplan_api::System;
use drplan_api::TargetState;
use drplan_api::Verdict;
use drplan_api::View;
use serde::Deserialize as _;

use crate::diag::Code;
use crate::diag::Severity;
use crate::plan::Do;
use crate::plan::Finding;
use crate::plan::Plan;
use crate::plan::Step;
use crate::plan::some;

/// How many rights of one target are asked for; the rest shows when its turn comes.
const ASKED_MAX: usize = 512;
/// How many steps a finding names.
const NAMED_MAX: usize = 3;

/// What one connection must allow.
#[derive(Clone, Debug, Default)]
pub struct Needed {
    /// To make the plan.
    pub plan: BTreeSet<Right>,
    /// To apply it, beside that, and the steps that take it.
    pub apply: BTreeMap<Right, BTreeSet<Address>>,
    /// What the system said of them, as far as it was asked.
    pub said: BTreeMap<Right, Verdict>,
    /// Why not everything is known that reading takes.
    pub unread: Option<String>,
    /// Why a question whether a right is there was not answered, if one was not.
    pub unanswered: Option<String>,
}

/// What each connection must allow, and which steps cannot say.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    /// By connection.
    pub conns: BTreeMap<ConnId, Needed>,
    /// Steps that start programs, which take rights of their own, or that are decided only later.
    pub untold: Vec<(Address, String)>,
}

fn system<'r>(registry: &'r Registry, conn: &ConnId) -> Option<&'r dyn System> {
    registry.get_system(conn.system()).map(|system| &**system)
}

impl Rights {
    /// Derives what a plan takes. Cost: linear in questions and effects.
    pub fn of(plan: &Plan, facts: &Facts, registry: &Registry) -> Self {
        let mut out = Self::default();
        let mut asks: BTreeMap<&ConnId, Vec<&Ask>> = BTreeMap::new();
        for query in facts.answers.keys() {
            asks.entry(&query.conn).or_default().push(&query.ask);
        }
        for target in &plan.targets {
            let Some(system) = system(registry, &target.conn) else {
                continue;
            };
            if target.lost.is_some() {
                continue;
            }
            let needed = out.conns.entry(target.conn.clone()).or_default();
            let asked = asks.get(&target.conn).map_or(&[][..], |asks| asks);
            needed.plan.extend(system.rights_to_ask(asked));
            needed.unread = unread(facts.targets.get(&target.conn));
        }
        for (query, answer) in &facts.answers {
            if let Err(error) = answer
                && error.kind == ErrorKind::Denied
                && let Some(system) = system(registry, &query.conn)
                && let Some(needed) = out.conns.get_mut(&query.conn)
            {
                needed.was_denied(system, &query.ask, error);
            }
        }
        out.store(plan, registry);
        for step in &plan.steps {
            out.step(step, facts, registry);
        }
        for needed in out.conns.values_mut() {
            let plan = &needed.plan;
            needed.apply.retain(|right, _| !plan.contains(right));
        }
        out.conns
            .retain(|_, n| !n.plan.is_empty() || !n.apply.is_empty() || n.unread.is_some());
        out.hear(facts, registry);
        out
    }

    fn store(&mut self, plan: &Plan, registry: &Registry) {
        let Some(pin) = &plan.head.run_store else {
            return;
        };
        let Some(system) = system(registry, &pin.conn) else {
            return;
        };
        let needed = self.conns.entry(pin.conn.clone()).or_default();
        for right in system.rights_to_store(&pin.bucket, &pin.prefix) {
            needed.apply.entry(right).or_default();
        }
    }

    fn step(&mut self, step: &Step, facts: &Facts, registry: &Registry) {
        match &step.what {
            Do::Act { effects, .. } => {
                self.beside(step, registry);
                let conns = step.want.iter().flat_map(|want| want.roles.values());
                for conn in conns.collect::<BTreeSet<_>>() {
                    let Some(system) = system(registry, conn) else {
                        continue;
                    };
                    let needed = self.conns.entry(conn.clone()).or_default();
                    for right in effects.iter().flat_map(|e| system.rights_to_do(e)) {
                        let of = needed.apply.entry(right).or_default();
                        of.insert(step.address.clone());
                    }
                }
                self.untold.extend(untold(step, effects, registry));
                if let Some(program) = effects.iter().find(|e| e.verb == "exec") {
                    let why = format!("it starts `{}`", first_word(&program.object));
                    self.untold.push((step.address.clone(), why));
                }
            }
            Do::Late { actions, .. } if !actions.is_empty() && has_target(step, registry) => {
                self.late(step, facts, registry);
            }
            Do::Read => {
                let why = "it is read when its turn comes".to_owned();
                self.untold.push((step.address.clone(), why));
            }
            _ => {}
        }
    }

    /// What a step takes that is decided when its turn comes, as far as its kind can tell.
    fn late(&mut self, step: &Step, facts: &Facts, registry: &Registry) {
        self.beside(step, registry);
        if let (Some(want), Some(kind)) = (&step.want, registry.get_resource(&step.kind))
            && let Some(rights) = kind.rights_late(want, &View::new(facts))
        {
            self.of_roles(step, want, rights);
            return;
        }
        let why = "it is decided when its turn comes".to_owned();
        self.untold.push((step.address.clone(), why));
    }

    /// What the step's kind knows beside its effects.
    fn beside(&mut self, step: &Step, registry: &Registry) {
        if let (Some(want), Some(kind)) = (&step.want, registry.get_resource(&step.kind)) {
            self.of_roles(step, want, kind.rights(want));
        }
    }

    fn of_roles(&mut self, step: &Step, want: &RawWant, rights: Vec<(&'static str, Right)>) {
        for (role, right) in rights {
            if let Some(conn) = want.roles.get(role) {
                let needed = self.conns.entry(conn.clone()).or_default();
                let of = needed.apply.entry(right).or_default();
                of.insert(step.address.clone());
            }
        }
    }

    /// The questions that are still open whether these rights are there, of targets that answer.
    pub fn questions(&self, facts: &Facts, registry: &Registry) -> BTreeSet<Query> {
        let ready = |conn: &ConnId| matches!(facts.targets.get(conn), Some(TargetState::Ready(_)));
        let mut out = BTreeSet::new();
        for (conn, needed) in self.conns.iter().filter(|(conn, _)| ready(conn)) {
            let Some(system) = system(registry, conn) else {
                continue;
            };
            let open = needed.apply.keys().filter_map(|right| needed.open(right));
            let asks: BTreeSet<Ask> = open.filter_map(|right| system.may(&right)).collect();
            out.extend(asks.into_iter().take(ASKED_MAX).map(|ask| Query {
                conn: conn.clone(),
                ask,
            }));
        }
        out
    }

    /// Takes in what was answered. Questions that could not be answered stay open.
    pub fn hear(&mut self, facts: &Facts, registry: &Registry) {
        for (conn, needed) in &mut self.conns {
            if let Some(system) = system(registry, conn) {
                needed.hear(conn, system, facts);
            }
        }
    }

    /// What is missing, as warnings: whoever applies may have other credentials than whoever plans.
    pub fn refused(&self) -> Vec<Finding> {
        let conns = self.conns.iter();
        conns
            .flat_map(|(conn, needed)| needed.refused(conn))
            .collect()
    }
}

/// What the systems of a step cannot say as rights, each once.
fn untold(step: &Step, effects: &[Effect], registry: &Registry) -> Vec<(Address, String)> {
    let conns = step.want.iter().flat_map(|want| want.roles.values());
    let systems = conns.filter_map(|conn| system(registry, conn));
    let said = systems.flat_map(|system| effects.iter().filter_map(|e| system.untold(e)));
    let said: BTreeSet<String> = said.collect();
    said.into_iter()
        .map(|why| (step.address.clone(), why))
        .collect()
}

impl Needed {
    /// Notes that a question was answered with a refusal.
    fn was_denied(&mut self, system: &dyn System, ask: &Ask, error: &ProviderError) {
        let always = system.rights_to_ask(&[]);
        for right in system.rights_to_ask(&[ask]) {
            if self.plan.contains(&right) && !always.contains(&right) {
                let verdict = Verdict {
                    allowed: false,
                    why: error.why.join(": "),
                };
                self.said.insert(right, verdict);
            }
        }
    }

    /// What must be asked to know whether a right is there: whether all objects are allowed, which one
    /// question answers for many rights, and where they are not, whether this one is.
    fn open(&self, right: &Right) -> Option<Right> {
        let broad = broad(right);
        match self.said.get(&broad) {
            None => Some(broad),
            Some(verdict) if verdict.allowed || self.said.contains_key(right) => None,
            Some(_) => Some(right.clone()),
        }
    }

    /// What the system said of a right, if it was asked.
    pub fn verdict(&self, right: &Right) -> Option<&Verdict> {
        let of_all = self.said.get(&broad(right));
        of_all
            .filter(|v| v.allowed)
            .or_else(|| self.said.get(right))
    }

    fn hear(&mut self, conn: &ConnId, system: &dyn System, facts: &Facts) {
        let rights = self.apply.keys();
        for right in rights.flat_map(|right| [broad(right), right.clone()]) {
            let answer = system.may(&right).and_then(|ask| {
                let query = Query {
                    conn: conn.clone(),
                    ask,
                };
                facts.answers.get(&query)
            });
            match answer.map(|answer| answer.as_ref().map(|json| Verdict::deserialize(&**json))) {
                Some(Ok(Ok(verdict))) => drop(self.said.insert(right, verdict)),
                Some(Err(error)) => self.unanswered = Some(error.to_string()),
                Some(Ok(Err(_))) | None => {}
            }
        }
    }

    /// Why not everything was told of the rights that are there, if so.
    pub fn unheard(&self) -> Option<&str> {
        self.unread.as_deref().or(self.unanswered.as_deref())
    }

    /// Whether a right is known to be refused.
    pub fn lacks(&self, right: &Right) -> bool {
        self.verdict(right).is_some_and(|verdict| !verdict.allowed)
    }

    /// The rights that are refused.
    pub fn missing(&self) -> impl Iterator<Item = &Right> {
        let all = self.plan.iter().chain(self.apply.keys());
        all.filter(|right| self.lacks(right))
    }

    /// What reading lacks shows where it is read.
    fn refused(&self, conn: &ConnId) -> Vec<Finding> {
        let apply = self.apply.iter();
        apply
            .filter(|(right, _)| self.lacks(right))
            .map(|(right, steps)| refusal(conn, right, steps))
            .collect()
    }
}

fn broad(right: &Right) -> Right {
    Right {
        name: None,
        ..right.clone()
    }
}

fn refusal(conn: &ConnId, right: &Right, steps: &BTreeSet<Address>) -> Finding {
    let of = match steps.is_empty() {
        true => "the run store".to_owned(),
        false => some(steps.iter(), NAMED_MAX),
    };
    Finding {
        code: Code::RightMissing.as_str().to_owned(),
        severity: Severity::Warning.as_str().to_owned(),
        address: steps.first().map(|address| address.as_str().to_owned()),
        message: format!("`{conn}` refuses to {right}, which {of} needs"),
        at: None,
        hints: vec![
            "if apply has the same credentials, give them the right: `drplan permissions --format grant` \
             writes down all of them"
                .to_owned(),
        ],
    }
}

/// Whether it has a connection to something that somebody administers.
fn has_target(step: &Step, registry: &Registry) -> bool {
    let mut conns = step.want.iter().flat_map(|want| want.roles.values());
    conns.any(|conn| system(registry, conn).is_some_and(|system| !system.implicit()))
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or(text)
}

fn unread(state: Option<&TargetState>) -> Option<String> {
    match state? {
        TargetState::Ready(_) | TargetState::Lost { .. } => None,
        TargetState::NotYet { .. } => Some("a step makes it first".to_owned()),
        TargetState::Unreadable(error) => Some(error.to_string()),
    }
}
