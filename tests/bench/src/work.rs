//! A world of work: the system `work` and the kind `bench_work`, each step of which takes the time that its
//! spec says and changes nothing else.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use drplan_api::Action;
use drplan_api::Acts;
use drplan_api::Answer;
use drplan_api::Arg;
use drplan_api::Ask;
use drplan_api::Conn;
use drplan_api::Connecting;
use drplan_api::Def;
use drplan_api::Effect;
use drplan_api::Fut;
use drplan_api::Hazard;
use drplan_api::HazardLevel;
use drplan_api::Json;
use drplan_api::Kind;
use drplan_api::Lack;
use drplan_api::Landed;
use drplan_api::Mode;
use drplan_api::Pending;
use drplan_api::PlanCx;
use drplan_api::Planned;
use drplan_api::Progress;
use drplan_api::Proof;
use drplan_api::Proposal;
use drplan_api::ProviderError;
use drplan_api::Query;
use drplan_api::ReadCx;
use drplan_api::Registry;
use drplan_api::Repeat;
use drplan_api::Schema;
use drplan_api::Seen;
use drplan_api::Stage;
use drplan_api::System;
use drplan_api::TargetId;
use drplan_api::Type;
use drplan_api::View;
use drplan_api::Want;
use drplan_api::WriteCx;
use drplan_api::acting;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;

/// The system's name, which is also the role.
const WORK: &str = "work";

/// What is done.
#[derive(Clone, Default)]
pub(crate) struct Done(Arc<Mutex<BTreeSet<String>>>);

impl Done {
    /// A registry of one system and one kind over it.
    pub(crate) fn registry(&self) -> Registry {
        Registry::new()
            .system(Site(self.clone()))
            .resource(acting(Work))
    }

    /// How much is done.
    pub(crate) fn count(&self) -> usize {
        self.names().len()
    }

    fn holds(&self, name: &str) -> bool {
        self.names().contains(name)
    }

    fn names(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Site(Done);

impl System for Site {
    fn name(&self) -> &'static str {
        WORK
    }
    fn schema(&self) -> Schema {
        Schema::default()
    }
    fn connect<'a>(&'a self, _: &'a Connecting) -> Fut<'a, Result<Arc<dyn Conn>, ProviderError>> {
        Box::pin(async { Ok(Arc::new(Open(self.0.clone())) as Arc<dyn Conn>) })
    }
}

struct Open(Done);

impl Conn for Open {
    fn identity(&self) -> Fut<'_, Result<TargetId, ProviderError>> {
        Box::pin(async { Ok(TargetId(WORK.to_owned())) })
    }
    fn fetch<'a>(&'a self, asks: &'a [Ask]) -> Fut<'a, Vec<Answer>> {
        let answer = |ask: &Ask| Ok(Arc::new(json!(self.0.holds(&ask.args::<String>()?))));
        Box::pin(async move { asks.iter().map(answer).collect() })
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    takes_s: u64,
}

#[derive(Serialize, Deserialize)]
struct Op {
    name: String,
    takes_s: u64,
}

struct Work;

impl Kind for Work {
    type Spec = Spec;
    type State = ();
    type Op = Op;

    fn def(&self) -> Def {
        Def {
            name: "bench_work",
            doc: "Something that takes its time.",
            mode: Mode::Goal,
            schema: Schema {
                args: vec![Arg::required("takes_s", Type::Number, "How long.")],
                exports: vec![],
            },
            stage: Some(Stage::Infra),
            roles: &[(WORK, WORK)],
            envelope: &[Action::Create],
            hazard_max: HazardLevel::None,
            cutover: false,
            op_version: 1,
        }
    }

    fn observe(&self, want: &Want<Spec>, view: &View<'_>) -> Result<Seen<()>, Pending> {
        let query = Query::new(want.conn(WORK), "done", &want.address.name());
        Ok(match view.get(&query)? {
            Ok(done) if **done == json!(true) => Seen::Present(()),
            Ok(_) => Seen::Absent(Lack::Object),
            Err(error) => Seen::Unreadable(error.clone()),
        })
    }

    fn plan(&self, _: &PlanCx, want: &Want<Spec>, seen: &Seen<()>) -> Planned<Op> {
        if matches!(seen, Seen::Present(())) {
            return Planned::Nothing("it is done".into());
        }
        Planned::Step(Box::new(Proposal {
            action: Action::Create,
            because: "it is not done".into(),
            diff: vec![],
            hazard: Hazard::none(),
            op: Op {
                name: want.address.name().to_owned(),
                takes_s: want.spec.takes_s,
            },
            effects: vec![Effect {
                verb: "work".to_owned(),
                object: want.address.name().to_owned(),
                repeat: Repeat::Converge,
                inverse: None,
            }],
            binding: Json::Null,
        }))
    }

    fn outputs(&self, _: &Want<Spec>, _: &Seen<()>) -> Json {
        json!({})
    }
}

impl Acts for Work {
    fn begin<'a>(
        &'a self,
        cx: &'a WriteCx,
        op: &'a Op,
        _: usize,
    ) -> Fut<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(op.takes_s)).await;
            cx.conn::<Open>(WORK)?.0.names().insert(op.name.clone());
            Ok(())
        })
    }
    fn probe<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a Op,
        _: usize,
    ) -> Fut<'a, Result<Landed, ProviderError>> {
        Box::pin(async move {
            let is_done = cx.conn::<Open>(WORK)?.0.holds(&op.name);
            Ok(if is_done { Landed::Yes } else { Landed::No })
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
            let is_done = cx.conn::<Open>(WORK)?.0.holds(&op.name);
            Ok(Proof::default().with(is_done, "it is done", WORK))
        })
    }
}
