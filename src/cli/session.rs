//! What every command that reads a spec does first: load, parse, check, bind, and make a plan.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use drplan_api::ConnId;
use drplan_api::Facts;
use drplan_api::Registry;
use drplan_api::Timestamp;
use drplan_api::canonical;
use drplan_api::digest;

use super::Ambient;
use super::args::PlanningArgs;
use super::args::VarArgs;
use super::choose;
use super::failure::Failure;
use super::given::given;
use super::history;
use super::talk;
use super::values;
use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::diag::Diagnostics;
use crate::graph::Expanded;
use crate::graph::Expander;
use crate::graph::Graph;
use crate::graph::Round;
use crate::graph::Situation;
use crate::graph::SpecFiles;
use crate::graph::build;
use crate::graph::further;
use crate::graph::lost_closure;
use crate::observe::Observer;
use crate::observe::observe;
use crate::plan::Declared;
use crate::plan::History;
use crate::plan::Hypothesis;
use crate::plan::Options;
use crate::plan::Plan;
use crate::plan::Policy;
use crate::plan::Selection;
use crate::report::Exit;
use crate::rights::Rights;
use crate::secrets::Secrets;
use crate::snapshot::Snapshot;
use crate::snapshot::fingerprint;
use crate::spec::Module;
use crate::spec::Source;
use crate::spec::variables::Bound;
use crate::store::RunStore;

/// What a plan is made from.
pub(crate) enum Basis {
    /// The world as it is now.
    World,
    /// A recording of it.
    Snapshot(Snapshot),
    /// The spec alone.
    Spec,
}

/// A plan and what it rests on.
pub(crate) struct Made {
    pub(crate) plan: Plan,
    pub(crate) facts: Facts,
    /// What its targets must allow.
    pub(crate) rights: Rights,
    /// The digest of each connection's arguments.
    pub(crate) fingerprints: BTreeMap<ConnId, String>,
    /// How long steps took before.
    pub(crate) history: History,
}

/// A loaded and checked spec with everything that planning needs.
pub(crate) struct Session {
    pub(crate) dir: PathBuf,
    pub(crate) source: Source,
    pub(crate) module: Module,
    pub(crate) bound: Bound,
    pub(crate) warnings: Diagnostics,
    pub(crate) registry: Arc<Registry>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) observer: Arc<Observer>,
}

impl Session {
    /// Loads a spec.
    pub(crate) fn open(dir: &Path, vars: &VarArgs, ambient: &Ambient) -> Result<Self, Failure> {
        let mut source = Source::load(dir)?;
        let given = values::of_spec(&mut source, vars, ambient)?;
        let registry = crate::registry::registry();
        let (module, mut diags) = crate::spec::parse(&source);
        diags.extend(crate::spec::check(&module, &registry));
        let (bound, errors) = crate::spec::bind(&module, &source, &given);
        diags.extend(errors);
        if diags.has_errors() {
            let more = further(&module, &registry, &bound, dir, &diags);
            diags.extend(more);
            let diags = without_echoes(diags);
            return Err(Failure::Spec(Box::new((diags, source.sources))));
        }
        let registry = Arc::new(registry);
        let secrets = Secrets::new(dir, bound.secrets.clone());
        let secrets = Arc::new(secrets.in_surroundings(ambient.surroundings));
        let observer = Arc::new(Observer::new(
            Arc::clone(&registry),
            dir.to_owned(),
            ambient.doors.clone(),
            Arc::clone(&secrets),
        ));
        Ok(Self {
            dir: dir.to_owned(),
            source,
            module,
            bound,
            warnings: diags,
            registry,
            secrets,
            observer,
        })
    }

    /// Mistakes of the spec as a failure.
    pub(crate) fn mistakes(&self, diags: Diagnostics) -> Failure {
        Failure::Spec(Box::new((diags, self.source.sources.clone())))
    }

    /// Makes a plan from the live world, or offline from the spec alone.
    pub(crate) async fn plan(
        &self,
        planning: &PlanningArgs,
        ambient: &Ambient,
        offline: bool,
    ) -> Result<Plan, Failure> {
        let basis = if offline { Basis::Spec } else { Basis::World };
        Ok(self.plan_on(planning, ambient, &basis).await?.plan)
    }

    /// Makes a plan from the live world, or from a snapshot if one is given.
    pub(crate) async fn plan_live(
        &self,
        planning: &PlanningArgs,
        live: Option<&Path>,
        ambient: &Ambient,
    ) -> Result<Plan, Failure> {
        let basis = self.basis(live)?;
        Ok(self.plan_on(planning, ambient, &basis).await?.plan)
    }

    /// What a plan is made from: the world, or a snapshot if one is given.
    pub(crate) fn basis(&self, live: Option<&Path>) -> Result<Basis, Failure> {
        Ok(match live {
            None => Basis::World,
            Some(path) => Basis::Snapshot(Snapshot::read(path, &self.module.recovery.name)?),
        })
    }

    /// Makes a plan, and says what it rests on.
    pub(crate) async fn plan_on(
        &self,
        planning: &PlanningArgs,
        ambient: &Ambient,
        basis: &Basis,
    ) -> Result<Made, Failure> {
        let lost: BTreeSet<String> = planning.lost.iter().cloned().collect();
        let hypothesis = self.hypothesis(planning)?;
        let assumed = hypothesis.iter().flat_map(|h| h.assumed.iter().cloned());
        let assumed: BTreeSet<String> = assumed.collect();
        let accept = choose::accepted(&planning.accept, &self.module)?;
        let redo: BTreeSet<String> = planning.redo.iter().cloned().collect();
        let points = choose::points(&planning.point, &self.module, &self.registry)?;
        let incident_at = match &planning.incident_at {
            None => self.module.recovery.incident_at,
            Some(text) => Some(text.parse::<Timestamp>().map_err(|_| {
                Failure::refused(
                    Exit::Usage,
                    format!("`--incident-at {text}` is not a time"),
                    "write it as in RFC 3339, for example 2026-01-05T03:10:00Z",
                )
            })?),
        };
        let files = SpecFiles::new(&self.dir);
        let closure = lost_closure(&lost, &self.module.domains);
        let assumed_closure = lost_closure(&assumed, &self.module.domains);
        let situation = Situation {
            module: &self.module,
            registry: &self.registry,
            bound: &self.bound,
            files: &files,
            lost: &closure,
            assumed: &assumed_closure,
            accept: &accept,
            redo: &redo,
            points: &points,
            observed_at: match basis {
                Basis::Snapshot(snapshot) => snapshot.observed_at,
                Basis::World | Basis::Spec => ambient.doors.clock.now(),
            },
            incident_at,
            offline: matches!(basis, Basis::Spec),
        };
        let (expanded, mut facts) = self
            .observed(&situation, basis, ambient)
            .await
            .map_err(|d| self.mistakes(d))?;
        let fingerprints = fingerprints(&expanded);
        choose::instances_are_there(&points, &expanded)?;
        self.known_domains(&lost, &planning.assume_lost, &expanded)?;
        let graph = build(&self.module, *expanded).map_err(|d| self.mistakes(d))?;
        let selection = Selection {
            targets: planning.target.clone(),
            excludes: planning.exclude.clone(),
            stop_before: planning.stop_before,
        };
        choose::patterns_choose(&selection, &graph)?;
        let history = self.history(basis, &graph).await;
        let options = Options {
            observed_at: situation.observed_at,
            incident_at,
            lost: planning.lost.clone(),
            declared: (!lost.is_empty()).then(|| Declared {
                by: ambient.user(),
                at: ambient.doors.clock.now(),
            }),
            hypothesis,
            history: history.clone(),
            selection,
            policy: Policy {
                forbid: planning.forbid.iter().copied().collect(),
                max_changes: planning.max_changes,
            },
            points,
            accept: accept.iter().cloned().collect(),
            spec: self.source.digests(),
            files: files.digests(),
            variables: self
                .bound
                .values
                .iter()
                .map(|(name, value)| {
                    let json = crate::lang::value_to_json(value, &mut |_| drplan_api::Json::Null);
                    (name.clone(), digest(canonical(&json).as_bytes()))
                })
                .collect(),
            given: given(
                &planning.vars,
                &ambient.variables(),
                &self.module.variables,
                &self.secrets,
            ),
        };
        let mut plan = crate::plan::plan(
            &self.module,
            &self.registry,
            graph,
            &facts,
            &self.source.sources,
            &options,
        )
        .map_err(|d| self.mistakes(d))?;
        choose::can_be_redone(&planning.redo, &plan)?;
        let rights = self.preflight(&plan, basis, &mut facts).await;
        plan.findings.extend(rights.refused());
        crate::plan::scrub(&mut plan, &self.secrets);
        Ok(Made {
            plan: trusted(plan)?,
            facts,
            rights,
            fingerprints,
            history,
        })
    }

    /// Asks the targets whether the steps of a plan may do what they will.
    async fn preflight(&self, plan: &Plan, basis: &Basis, facts: &mut Facts) -> Rights {
        let mut rights = Rights::of(plan, facts, &self.registry);
        // Once for all objects of a sort, once more for single ones.
        for _ in 0..2 {
            let queries = rights.questions(facts, &self.registry);
            if queries.is_empty() {
                break;
            }
            match basis {
                Basis::World => self.observer.fetch(queries, facts).await,
                Basis::Snapshot(snapshot) => snapshot.fetch(queries, facts),
                Basis::Spec => break,
            }
            rights.hear(facts, &self.registry);
        }
        rights
    }

    /// How long steps took before: where the spec keeps its runs, as far as that can be read.
    async fn history(&self, basis: &Basis, graph: &Graph) -> History {
        let store = self.module.recovery.run_store.as_ref();
        match (basis, store) {
            (Basis::Spec, _) => History::default(),
            (Basis::Snapshot(snapshot), _) => snapshot.history.clone(),
            (Basis::World, None) => history::beside(&self.dir).await,
            (Basis::World, Some(pin)) => {
                let Some(target) = graph.targets.get(&pin.conn) else {
                    return History::default();
                };
                let opened =
                    self.observer
                        .connect(&pin.conn, &target.config, graph.exprs.list(), None);
                let opened = opened.await.ok();
                match opened.and_then(|(conn, _)| conn.store(&pin.bucket, &pin.prefix)) {
                    Some(store) => history::of(&RunStore::Shared(store)).await,
                    None => History::default(),
                }
            }
        }
    }

    /// Expands the spec against what the plan shall rest on.
    async fn observed(
        &self,
        situation: &Situation<'_>,
        basis: &Basis,
        ambient: &Ambient,
    ) -> Result<(Box<Expanded>, Facts), Diagnostics> {
        let mut said = |round: usize, asks: usize| {
            if ambient.quiet {
                return;
            }
            let questions = crate::render::style::count(asks as u64, "request", "requests");
            talk(&format!("reading, round {}: {questions}", round + 1));
        };
        match basis {
            Basis::Spec => Ok((expand_offline(situation)?, Facts::default())),
            Basis::World => observe(situation, &self.observer, &mut said).await,
            Basis::Snapshot(snapshot) => observe(situation, snapshot, &mut |_, _| {}).await,
        }
    }

    /// The disaster that is planned for although it has not happened.
    fn hypothesis(&self, planning: &PlanningArgs) -> Result<Option<Hypothesis>, Failure> {
        let mut assumed = Vec::new();
        if let Some(name) = &planning.scenario {
            let scenarios = &self.module.scenarios;
            let scenario = scenarios.get(name).ok_or_else(|| {
                let names: Vec<&str> = scenarios.keys().map(String::as_str).collect();
                let near = crate::spec::nearest(name, names.iter().copied());
                Failure::refused(
                    Exit::Usage,
                    format!("the spec has no scenario `{name}`"),
                    match near {
                        Some(near) => format!("did you mean `--scenario {near}`?"),
                        None if names.is_empty() => {
                            format!("add a block `scenario \"{name}\" {{ lost = [DOMAIN, …] }}`")
                        }
                        None => format!("its scenarios are: {}", names.join(", ")),
                    },
                )
            })?;
            assumed.extend(scenario.lost.iter().map(|(domain, _)| domain.clone()));
        }
        assumed.extend(planning.assume_lost.iter().cloned());
        Ok((!assumed.is_empty()).then(|| Hypothesis {
            scenario: planning.scenario.clone(),
            assumed,
        }))
    }

    /// A domain that nothing lies in is a slip of the pen, and a dangerous one.
    fn known_domains(
        &self,
        lost: &BTreeSet<String>,
        assumed: &[String],
        expanded: &Expanded,
    ) -> Result<(), Failure> {
        let declared = &self.module.domains;
        let mut known: BTreeSet<&String> =
            declared.keys().chain(declared.values().flatten()).collect();
        known.extend(expanded.targets.values().flat_map(|t| &t.domains));
        known.extend(&expanded.domains);
        let scenarios = self.module.scenarios.values().flat_map(|s| &s.lost);
        let given = lost.iter().map(|domain| (domain, "--lost ", None));
        let given = given.chain(assumed.iter().map(|d| (d, "--assume-lost ", None)));
        let named = given.chain(scenarios.map(|(domain, span)| (domain, "", Some(*span))));
        let mut diags = Diagnostics::default();
        for (domain, option, span) in named.filter(|(domain, ..)| !known.contains(domain)) {
            let near = crate::spec::nearest(domain, known.iter().map(|d| d.as_str()));
            let all: Vec<&str> = known.iter().map(|d| d.as_str()).collect();
            let d = Diagnostic::error(
                Code::UnknownDomain,
                format!("nothing in the spec lies in `{domain}`"),
            )
            .hint(match near {
                Some(near) => format!("did you mean `{option}{near}`?"),
                None if all.is_empty() => {
                    "the spec names none: add `failure_domain` to what can be lost together"
                        .to_owned()
                }
                None => format!("the spec names: {}", all.join(", ")),
            });
            diags.push(match span {
                Some(span) => d.label(span, "named here"),
                None => d,
            });
        }
        if diags.has_errors() {
            Err(self.mistakes(diags))
        } else {
            Ok(())
        }
    }
}

/// The digest of each connection's arguments.
fn fingerprints(expanded: &Expanded) -> BTreeMap<ConnId, String> {
    let exprs = expanded.exprs.list();
    let targets = expanded.targets.iter();
    let prints = targets.map(|(conn, t)| (conn.clone(), fingerprint(&t.config, exprs)));
    prints.collect()
}

/// Where something could not be read, nobody knows whether something is missing.
fn without_echoes(diags: Diagnostics) -> Diagnostics {
    let unreadable = diags.iter().any(|d| d.code == Code::SyntaxError);
    let mut out = Diagnostics::default();
    for diag in diags {
        let echo = matches!(diag.code, Code::MissingArgument | Code::MissingVariable);
        if !(unreadable && echo) {
            out.push(diag);
        }
    }
    out
}

/// Every plan passes the independent checker before it is shown, saved or applied.
pub(crate) fn trusted(plan: Plan) -> Result<Plan, Failure> {
    let mut broken = crate::plan::check(&plan);
    broken.extend(crate::plan::secrets_in_sight(
        &plan,
        &crate::registry::registry(),
    ));
    if broken.is_empty() {
        return Ok(plan);
    }
    Err(Failure::refused(
        Exit::Refused,
        format!("the plan breaks a safety rule: {}", broken.join("; ")),
        "this is a bug of drplan; please report it with the spec",
    ))
}

/// A plan keeps within the limits that were set for it.
pub(crate) fn within_limits(plan: &Plan) -> Result<(), Failure> {
    let broken = crate::plan::limits(plan);
    if broken.is_empty() {
        return Ok(());
    }
    Err(Failure::refused(
        Exit::Refused,
        format!(
            "the plan breaks the limits that were set: {}",
            broken.join("; ")
        ),
        "leave these steps out with `--exclude`, or plan again without the limit",
    ))
}

/// What is applied must be about something that happened, and within its limits.
pub(crate) fn applicable(plan: &Plan) -> Result<(), Failure> {
    within_limits(plan)?;
    let Some(hypothesis) = &plan.head.hypothesis else {
        return Ok(());
    };
    Err(Failure::refused(
        Exit::Refused,
        "the plan is hypothetical: what it assumes lost is alive",
        format!(
            "if it is lost, say so: plan again with {}",
            hypothesis
                .assumed
                .iter()
                .map(|domain| format!("`--lost {domain}`"))
                .collect::<Vec<_>>()
                .join(" ")
        ),
    ))
}

fn expand_offline(situation: &Situation<'_>) -> Result<Box<Expanded>, Diagnostics> {
    match Expander::new(situation)?.round(&Facts::default())? {
        (_, Round::Ready(expanded)) => Ok(expanded),
        (_, Round::Need(_)) => {
            let mut diags = Diagnostics::default();
            diags.push(Diagnostic::error(
                Code::LimitExceeded,
                "a kind wanted to read while offline",
            ));
            Err(diags)
        }
    }
}
