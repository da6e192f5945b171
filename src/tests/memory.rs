//! A world of named numbers: the systems `memory` and `narrow`, the kinds `thing`, `door`, `single`, `cell`, `mark`
//! and `ask`, and the data source `mark`.

use std::any::Any;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use drplan_api::*;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;
use tokio::sync::watch;

use crate::apply;
use crate::apply::Ending;
use crate::diag::Diagnostics;
use crate::graph::Situation;
use crate::graph::SpecFiles;
use crate::graph::build;
use crate::observe::Observer;
use crate::observe::observe;
use crate::plan::Options;
use crate::plan::Plan;
use crate::secrets::Secrets;
use crate::spec;

/// What happens to the next write of a name.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    /// Refused before it happens.
    Refused,
    /// Carried out, and the answer is lost.
    AnswerLost,
    /// Refused for good.
    Denied,
}

#[derive(Default)]
pub(crate) struct Numbers {
    pub(super) values: BTreeMap<String, i64>,
    pub(super) writes: Vec<String>,
    pub(super) reads: usize,
    pub(super) faults: BTreeMap<String, Vec<Fault>>,
    /// How many writes go on, by connection and by kind.
    busy: BTreeMap<String, usize>,
    /// How many went on at most.
    pub(super) busiest: BTreeMap<String, usize>,
}

impl Numbers {
    fn begins(&mut self, place: &str) {
        let busy = self.busy.entry(place.to_owned()).or_default();
        *busy += 1;
        let busiest = self.busiest.entry(place.to_owned()).or_default();
        *busiest = (*busiest).max(*busy);
    }

    fn ends(&mut self, place: &str) {
        *self.busy.entry(place.to_owned()).or_default() -= 1;
    }
}

#[derive(Clone, Default)]
pub(crate) struct World(pub(super) Arc<Mutex<Numbers>>);

impl World {
    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, Numbers> {
        self.0.lock().unwrap()
    }

    pub(super) fn set(&self, name: &str, value: i64) {
        self.lock().values.insert(name.to_owned(), value);
    }

    pub(super) fn get(&self, name: &str) -> Option<i64> {
        self.lock().values.get(name).copied()
    }

    pub(super) fn writes(&self) -> Vec<String> {
        self.lock().writes.clone()
    }

    pub(crate) fn fail(&self, name: &str, faults: &[Fault]) {
        self.lock().faults.insert(name.to_owned(), faults.to_vec());
    }
}

/// A system of worlds in memory, and how many steps may act on one at once.
struct Memory(World, &'static str, Option<usize>);

impl System for Memory {
    fn name(&self) -> &'static str {
        self.1
    }
    fn slots(&self) -> Option<usize> {
        self.2
    }
    fn schema(&self) -> Schema {
        let made = Arg::optional("made_of", Type::Any, "A value that a step must make first.");
        Schema {
            args: vec![made],
            exports: vec![],
        }
    }
    fn connect<'a>(&'a self, cx: &'a Connecting) -> Fut<'a, Result<Arc<dyn Conn>, ProviderError>> {
        let conn = MemoryConn(self.0.clone(), cx.id.to_string());
        let is_slow = conn.1.contains("slow");
        Box::pin(async move {
            if is_slow {
                tokio::time::sleep(SLOW).await;
            }
            Ok(Arc::new(conn) as Arc<dyn Conn>)
        })
    }
}

/// How long a connection takes to open whose name says that it is slow.
pub(super) const SLOW: Duration = Duration::from_secs(25);

struct MemoryConn(World, String);

impl Conn for MemoryConn {
    fn identity(&self) -> Fut<'_, Result<TargetId, ProviderError>> {
        Box::pin(async { Ok(TargetId("memory".to_owned())) })
    }
    fn fetch<'a>(&'a self, asks: &'a [Ask]) -> Fut<'a, Vec<Answer>> {
        Box::pin(async move {
            self.0.lock().reads += 1;
            let all: BTreeMap<String, i64> = self.0.lock().values.clone();
            asks.iter().map(|_| Ok(Arc::new(json!(all)))).collect()
        })
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[derive(Deserialize)]
pub(super) struct Spec {
    value: i64,
    #[serde(default)]
    gives: Vec<String>,
    #[serde(default)]
    needs: Vec<String>,
    #[serde(default)]
    begins: Vec<String>,
    #[serde(default)]
    ends: Vec<String>,
    #[serde(default)]
    replaces: Vec<i64>,
    #[serde(default)]
    takes_s: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Op {
    name: String,
    value: i64,
    takes_s: u64,
}

/// Sets a number. Another number in its place is a conflict unless it is one of `replaces`.
struct Thing {
    name: &'static str,
    stage: Stage,
    cutover: bool,
    slots: Option<Slots>,
    roles: &'static [(&'static str, &'static str)],
}

const THING: Thing = Thing {
    name: "thing",
    stage: Stage::Infra,
    cutover: false,
    slots: None,
    roles: &[("memory", "memory")],
};

impl Thing {
    fn set(&self, want: &Want<Spec>, old: Option<i64>, because: &str) -> Planned<Op> {
        let effect = Effect {
            verb: "set".to_owned(),
            object: want.address.to_string(),
            repeat: Repeat::Converge,
            inverse: None,
        };
        Planned::Step(Box::new(Proposal {
            action: if old.is_some() {
                Action::Update
            } else {
                Action::Create
            },
            because: because.into(),
            diff: vec![],
            hazard: if old.is_some() {
                Hazard::reversible("set it back")
            } else {
                Hazard::none()
            },
            op: Op {
                name: want.address.to_string(),
                value: want.spec.value,
                takes_s: want.spec.takes_s,
            },
            effects: vec![effect],
            binding: json!({ "old": old }),
        }))
    }
}

impl Kind for Thing {
    type Spec = Spec;
    type State = Option<i64>;
    type Op = Op;

    fn def(&self) -> Def {
        let texts = || Type::List(Box::new(Type::String));
        Def {
            name: self.name,
            doc: "A number.",
            mode: Mode::Goal,
            schema: Schema {
                args: vec![
                    Arg::required("value", Type::Number, "The number."),
                    Arg::optional("gives", texts(), "What it gives."),
                    Arg::optional("needs", texts(), "What it needs."),
                    Arg::optional("begins", texts(), "What it leaves behind."),
                    Arg::optional("ends", texts(), "What it ends."),
                    Arg::optional(
                        "replaces",
                        Type::List(Box::new(Type::Number)),
                        "What may be replaced.",
                    ),
                    Arg::optional("takes_s", Type::Number, "How long it takes."),
                ],
                exports: vec![("value", "The number that is there.")],
            },
            stage: Some(self.stage),
            roles: self.roles,
            envelope: &[Action::Create, Action::Update],
            hazard_max: HazardLevel::Reversible,
            cutover: self.cutover,
            op_version: 1,
        }
    }

    fn slots(&self) -> Option<Slots> {
        self.slots
    }

    fn observe(&self, want: &Want<Spec>, view: &View<'_>) -> Result<Seen<Option<i64>>, Pending> {
        if let Some(lack) = Lack::of(view.target(want.conn("memory"))?) {
            return Ok(Seen::Absent(lack));
        }
        let all = match view.get(&Query::new(want.conn("memory"), "all", &()))? {
            Ok(all) => all,
            Err(error) => return Ok(Seen::Unreadable(error.clone())),
        };
        Ok(
            match all.get(want.address.as_str()).and_then(Json::as_i64) {
                Some(value) => Seen::Present(Some(value)),
                None => Seen::Absent(Lack::Object),
            },
        )
    }

    fn wires(&self, want: &Want<Spec>, _: &View<'_>) -> Wires {
        let caps = |keys: &[String]| {
            keys.iter()
                .map(|k| {
                    (
                        Cap::on(want.conn("memory"), "key", k),
                        Because::from("a test says so"),
                    )
                })
                .collect()
        };
        Wires {
            needs: caps(&want.spec.needs),
            gives: caps(&want.spec.gives),
            already: vec![],
            begins: caps(&want.spec.begins),
            ends: caps(&want.spec.ends),
        }
    }

    fn plan(&self, cx: &PlanCx, want: &Want<Spec>, seen: &Seen<Option<i64>>) -> Planned<Op> {
        let old = match seen {
            Seen::Present(Some(value)) if *value == want.spec.value => {
                return Planned::Nothing("it is that number".into());
            }
            Seen::Present(Some(other)) => Some(*other),
            _ => None,
        };
        if let Some(other) = old
            && !want.spec.replaces.contains(&other)
            && !cx.accept_overwrite
        {
            return Planned::Conflict(format!("it is {other}").into(), vec![]);
        }
        self.set(want, old, "it is another number")
    }

    /// A number is set again; a door that stands where it shall is not.
    fn again(
        &self,
        _: &PlanCx,
        want: &Want<Spec>,
        _: &Seen<Option<i64>>,
    ) -> Result<Planned<Op>, Because> {
        if self.cutover {
            return Err("it stands there already".into());
        }
        Ok(self.set(want, Some(want.spec.value), "it is set again"))
    }

    fn outputs(&self, want: &Want<Spec>, seen: &Seen<Option<i64>>) -> Json {
        match seen {
            Seen::Present(Some(value)) if *value == want.spec.value => json!({ "value": value }),
            _ => json!({}),
        }
    }
}

impl Acts for Thing {
    fn begin<'a>(
        &'a self,
        cx: &'a WriteCx,
        op: &'a Op,
        _: usize,
    ) -> Fut<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let MemoryConn(world, conn) = cx.conn::<MemoryConn>("memory")?;
            let places = [conn, &format!("{} on {conn}", self.name)];
            places.iter().for_each(|place| world.lock().begins(place));
            tokio::time::sleep(Duration::from_secs(op.takes_s)).await;
            places.iter().for_each(|place| world.lock().ends(place));
            let mut numbers = world.lock();
            let fault = numbers.faults.get_mut(&op.name).and_then(Vec::pop);
            let error = |kind| Err(ProviderError::new(kind, "set a number", "memory"));
            match fault {
                Some(Fault::Refused) => return error(ErrorKind::Unreachable),
                Some(Fault::Denied) => return error(ErrorKind::Denied),
                _ => {}
            }
            numbers.values.insert(op.name.clone(), op.value);
            numbers.writes.push(op.name.clone());
            if fault == Some(Fault::AnswerLost) {
                error(ErrorKind::Unreachable)
            } else {
                Ok(())
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
            let there = cx.conn::<MemoryConn>("memory")?.0.get(&op.name);
            Ok(if there == Some(op.value) {
                Landed::Yes
            } else {
                Landed::No
            })
        })
    }
    fn poll<'a>(
        &'a self,
        _: &'a ReadCx,
        _: &'a Op,
        _: usize,
    ) -> Fut<'a, Result<Progress, ProviderError>> {
        Box::pin(async { Ok(Progress::Done) })
    }
    fn prove<'a>(&'a self, cx: &'a ReadCx, op: &'a Op) -> Fut<'a, Result<Proof, ProviderError>> {
        Box::pin(async move {
            let there = cx.conn::<MemoryConn>("memory")?.0.get(&op.name);
            Ok(Proof::default().with(
                there == Some(op.value),
                format!("it is {there:?}"),
                "memory",
            ))
        })
    }
}

/// A number that is only looked at: a goal that is true while it is there, or a recovery point.
struct Mark(Mode);

impl Kind for Mark {
    type Spec = Json;
    type State = i64;
    type Op = ();
    fn def(&self) -> Def {
        Def {
            name: "mark",
            doc: "A number that is looked at.",
            mode: self.0,
            schema: Schema {
                args: vec![Arg::optional("point", Type::String, "Which one to take.")],
                exports: vec![("value", "The number that is there.")],
            },
            stage: (self.0 == Mode::Goal).then_some(Stage::Infra),
            roles: THING.roles,
            ..Question.def()
        }
    }
    fn observe(&self, want: &Want<Json>, view: &View<'_>) -> Result<Seen<i64>, Pending> {
        let all = view.get(&Query::new(want.conn("memory"), "all", &()))?;
        let all = all.as_ref().expect("it always answers");
        let there = all.get(want.address.as_str()).and_then(Json::as_i64);
        Ok(there.map_or(Seen::Absent(Lack::Object), Seen::Present))
    }
    fn plan(&self, _: &PlanCx, _: &Want<Json>, seen: &Seen<i64>) -> Planned<()> {
        match seen {
            Seen::Present(_) => Planned::Nothing("it is there".into()),
            _ => Planned::Blocked("it is gone".into()),
        }
    }
    fn outputs(&self, _: &Want<Json>, seen: &Seen<i64>) -> Json {
        match seen {
            Seen::Present(value) => json!({ "value": value }),
            _ => json!({}),
        }
    }
    fn notes(&self, _: &PlanCx, _: &Want<Json>, seen: &Seen<i64>) -> Notes {
        let point = |_: &i64| RecoveryPoint {
            of: "a number".to_owned(),
            id: "nightly".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            incomplete: None,
            unusable: None,
            bytes: None,
        };
        let seen = match seen {
            Seen::Present(value) if self.0 == Mode::Data => Some(value),
            _ => None,
        };
        Notes {
            points: seen.map(point).into_iter().collect(),
            ..Notes::default()
        }
    }
}

/// A question.
struct Question;

impl Kind for Question {
    type Spec = Json;
    type State = ();
    type Op = ();
    fn def(&self) -> Def {
        Def {
            name: "ask",
            doc: "A question.",
            mode: Mode::Guard,
            schema: Schema {
                args: vec![Arg::optional("about", Type::Any, "What it is about.")],
                exports: vec![],
            },
            stage: Some(Stage::Verify),
            roles: &[],
            envelope: &[],
            hazard_max: HazardLevel::None,
            cutover: false,
            op_version: 1,
        }
    }
    fn observe(&self, _: &Want<Json>, _: &View<'_>) -> Result<Seen<()>, Pending> {
        Ok(Seen::Absent(Lack::Object))
    }
    fn plan(&self, _: &PlanCx, _: &Want<Json>, _: &Seen<()>) -> Planned<()> {
        Planned::Gate {
            ask: "shall it?".to_owned(),
            because: "it matters".into(),
        }
    }
    fn outputs(&self, _: &Want<Json>, _: &Seen<()>) -> Json {
        json!({})
    }
}

pub(crate) fn registry(world: &World) -> Registry {
    Registry::new()
        .system(Memory(world.clone(), "memory", None))
        .system(Memory(world.clone(), "narrow", Some(2)))
        .resource(acting(THING))
        .resource(acting(Thing {
            name: "door",
            stage: Stage::Dns,
            cutover: true,
            ..THING
        }))
        .resource(acting(Thing {
            name: "single",
            slots: Some(Slots {
                role: "memory",
                max: 1,
            }),
            ..THING
        }))
        .resource(acting(Thing {
            name: "cell",
            roles: &[("memory", "narrow")],
            ..THING
        }))
        .resource(reading(Mark(Mode::Goal)))
        .data(reading(Mark(Mode::Data)))
        .resource(reading(Question))
}

/// What is around a run.
pub(super) struct How {
    pub(super) orders: apply::Orders,
    pub(super) earlier: Option<Vec<apply::Line>>,
    pub(super) journal: apply::Journal,
    pub(super) hold: apply::Hold,
    pub(super) work_dir: PathBuf,
}

impl How {
    /// Nothing but a journal and a folder for the work.
    pub(super) fn on(journal: apply::Journal, work_dir: &Path) -> Self {
        Self {
            orders: apply::Orders::default(),
            earlier: None,
            journal,
            hold: apply::Hold::Nobody,
            work_dir: work_dir.to_owned(),
        }
    }
}

/// One spec over one world.
pub(crate) struct Case {
    pub(crate) world: World,
    dir: tempfile::TempDir,
    registry: Arc<Registry>,
    parallelism: usize,
    redo: BTreeSet<String>,
    heard: Arc<Mutex<Vec<(u64, apply::Event)>>>,
    secrets: Arc<Secrets>,
}

/// For how long `ask.slow` is thought about before it is not answered.
const THOUGHT: Duration = Duration::from_secs(600);

struct Nobody;

impl apply::Gatekeeper for Nobody {
    fn ask(&self, address: &Address, _: &str, _: bool) -> Fut<'_, apply::Asked> {
        let name = address.name().to_owned();
        Box::pin(async move {
            if name == "slow" {
                tokio::time::sleep(THOUGHT).await;
            }
            match name.as_str() {
                "yes" => apply::Asked::Approved("a test".to_owned()),
                "refused" => apply::Asked::Refused("a test".to_owned()),
                _ => apply::Asked::Unanswered,
            }
        })
    }
}

/// Keeps what it hears, with the seconds since it was made.
struct Heard {
    since: tokio::time::Instant,
    events: Arc<Mutex<Vec<(u64, apply::Event)>>>,
}

impl apply::Sink for Heard {
    fn hear(&self, _: u64, event: &apply::Event) {
        let at = self.since.elapsed().as_secs();
        self.events.lock().unwrap().push((at, event.clone()));
    }
}

impl Case {
    pub(crate) fn new(spec: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = format!("provider \"memory\" \"m\" {{}}\n{spec}");
        std::fs::write(dir.path().join("main.dr.hcl"), text).unwrap();
        let world = World::default();
        let registry = Arc::new(registry(&world));
        let secrets = Arc::new(Secrets::new(dir.path(), BTreeMap::new()));
        Self {
            world,
            dir,
            registry,
            parallelism: 4,
            redo: BTreeSet::new(),
            heard: Arc::default(),
            secrets,
        }
    }

    /// Lets something be a secret that was opened.
    pub(super) fn secret(self, text: &str) -> Self {
        self.secrets.remember(text);
        self
    }

    /// All events since the last look, with the second of the run.
    pub(super) fn heard(&self) -> Vec<(u64, apply::Event)> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }

    /// Plans to do a step again.
    pub(super) fn redo(mut self, address: &str) -> Self {
        self.redo.insert(address.to_owned());
        self
    }

    /// Lets so many steps run at once.
    pub(super) fn at_once(mut self, parallelism: usize) -> Self {
        self.parallelism = parallelism;
        self
    }

    fn secrets(&self) -> Arc<Secrets> {
        Arc::clone(&self.secrets)
    }

    fn observer(&self) -> Arc<Observer> {
        Arc::new(Observer::new(
            Arc::clone(&self.registry),
            self.dir.path().to_owned(),
            Doors::local(),
            self.secrets(),
        ))
    }

    pub(super) async fn try_plan(&self, accept: &[&str]) -> Result<Plan, Diagnostics> {
        let source = spec::Source::load(self.dir.path()).unwrap();
        let (module, mut diags) = spec::parse(&source);
        diags.extend(spec::check(&module, &self.registry));
        if diags.has_errors() {
            return Err(diags);
        }
        let files = SpecFiles::new(self.dir.path());
        let (bound, none) = (Default::default(), BTreeSet::new());
        let accept: BTreeSet<String> = accept.iter().map(|a| (*a).to_owned()).collect();
        let situation = Situation {
            module: &module,
            registry: &self.registry,
            bound: &bound,
            files: &files,
            lost: &none,
            assumed: &none,
            accept: &accept,
            redo: &self.redo,
            points: &BTreeMap::new(),
            observed_at: Timestamp::UNIX_EPOCH,
            incident_at: None,
            offline: false,
        };
        let (expanded, facts) = observe(&situation, &self.observer(), &mut |_, _| {}).await?;
        let graph = build(&module, *expanded)?;
        let options = Options {
            observed_at: Timestamp::UNIX_EPOCH,
            accept: accept.into_iter().collect(),
            spec: source.digests(),
            ..Options::default()
        };
        let plan = crate::plan::plan(
            &module,
            &self.registry,
            graph,
            &facts,
            &source.sources,
            &options,
        )?;
        assert_eq!(crate::plan::check(&plan), Vec::<String>::new());
        Ok(plan)
    }

    pub(crate) async fn plan(&self) -> Plan {
        self.try_plan(&[]).await.unwrap()
    }

    pub(super) async fn apply(&self, plan: &Plan) -> Ending {
        self.apply_told(plan, apply::Orders::default()).await.0
    }

    pub(super) async fn apply_with(&self, plan: &Plan, orders: apply::Orders) -> Ending {
        self.apply_told(plan, orders).await.0
    }

    /// The same with what the journal says.
    pub(crate) async fn apply_told(
        &self,
        plan: &Plan,
        orders: apply::Orders,
    ) -> (Ending, Vec<apply::Line>) {
        self.apply_after(plan, orders, None).await
    }

    /// The same for a run that goes on.
    pub(crate) async fn apply_after(
        &self,
        plan: &Plan,
        orders: apply::Orders,
        earlier: Option<Vec<apply::Line>>,
    ) -> (Ending, Vec<apply::Line>) {
        let runs = tempfile::tempdir().unwrap();
        let path = runs.path().join("journal.jsonl");
        let journal = apply::Journal::create(&path).unwrap();
        let how = How {
            orders,
            earlier,
            ..How::on(journal, &runs.path().join("work"))
        };
        let ending = self.apply_as(plan, how).await;
        let lines = crate::store::read_journal(&path).unwrap().lines;
        assert!(lines.windows(2).all(|w| w[0].seq < w[1].seq));
        (ending, lines)
    }

    /// The same with everything that is around a run.
    pub(super) async fn apply_as(&self, plan: &Plan, how: How) -> Ending {
        let (_keep, stop) = watch::channel(apply::Stop::No);
        let (_wishing, wishes) = watch::channel(None);
        let ending = apply::apply(apply::Apply {
            plan: Arc::new(plan.clone()),
            registry: Arc::clone(&self.registry),
            observer: self.observer(),
            secrets: self.secrets(),
            journal: how.journal,
            earlier: how.earlier.map(|lines| apply::Earlier {
                lines,
                by: "a test".to_owned(),
            }),
            sink: Arc::new(Heard {
                since: tokio::time::Instant::now(),
                events: Arc::clone(&self.heard),
            }),
            gatekeeper: Arc::new(Nobody),
            hold: Arc::new(how.hold),
            orders: how.orders,
            stop,
            wishes,
            run: "run".to_owned(),
            base_dir: self.dir.path().to_owned(),
            work_dir: how.work_dir,
            doors: Doors::local(),
            parallelism: self.parallelism,
            seed: 7,
            next: "drplan apply".to_owned(),
        });
        let ending = tokio::time::timeout(Duration::from_secs(7200), ending);
        ending.await.unwrap().unwrap()
    }
}
