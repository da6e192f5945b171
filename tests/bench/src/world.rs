//! A world that answers from memory: the system `bench` and the kind `bench_node`.
//!
//! Each node is read by a question of its own, so that planning reads as many states as there are
//! resources. Nothing is ever changed here: the kind decides and cannot act.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use drplan_api::Action;
use drplan_api::Address;
use drplan_api::Answer;
use drplan_api::Arg;
use drplan_api::Ask;
use drplan_api::Change;
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
use drplan_api::Late;
use drplan_api::Mode;
use drplan_api::Pending;
use drplan_api::PlanCx;
use drplan_api::Planned;
use drplan_api::Proposal;
use drplan_api::ProviderError;
use drplan_api::Query;
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
use drplan_api::reading;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;

/// The system's name, which is also the role.
const BENCH: &str = "bench";

/// What is there of one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// What others read from it.
    pub(crate) value: String,
    /// The values of others that it was made from.
    pub(crate) inputs: Vec<String>,
}

/// Returns a registry of one system and one kind over these nodes.
pub(crate) fn registry(world: BTreeMap<String, State>) -> Registry {
    Registry::new()
        .system(Memory(Arc::new(world)))
        .resource(reading(Node))
}

struct Memory(Arc<BTreeMap<String, State>>);

impl System for Memory {
    fn name(&self) -> &'static str {
        BENCH
    }
    fn schema(&self) -> Schema {
        Schema::default()
    }
    fn connect<'a>(&'a self, _: &'a Connecting) -> Fut<'a, Result<Arc<dyn Conn>, ProviderError>> {
        Box::pin(async { Ok(Arc::new(MemoryConn(Arc::clone(&self.0))) as Arc<dyn Conn>) })
    }
}

struct MemoryConn(Arc<BTreeMap<String, State>>);

impl Conn for MemoryConn {
    fn identity(&self) -> Fut<'_, Result<TargetId, ProviderError>> {
        Box::pin(async { Ok(TargetId(BENCH.to_owned())) })
    }
    fn fetch<'a>(&'a self, asks: &'a [Ask]) -> Fut<'a, Vec<Answer>> {
        let answer = |ask: &Ask| Ok(Arc::new(json!(self.0.get(&ask.args::<String>()?))));
        Box::pin(async move { asks.iter().map(answer).collect() })
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inputs {
    inputs: Vec<Late<String>>,
}

#[derive(Serialize, Deserialize)]
struct Op {
    name: String,
    inputs: Vec<Late<String>>,
}

struct Node;

/// What follows the kind in an address, the key of an instance included.
fn key(address: &Address) -> &str {
    let text = address.as_str();
    text.split_once('.').map_or(text, |(_, rest)| rest)
}

impl Node {
    fn proposal(want: &Want<Inputs>, old: Option<&State>) -> Proposal<Op> {
        let create = old.is_none();
        Proposal {
            action: if create {
                Action::Create
            } else {
                Action::Update
            },
            because: if create {
                "it is missing"
            } else {
                "its inputs are others"
            }
            .into(),
            diff: vec![Change {
                path: "inputs".to_owned(),
                before: old.map(|state| json!(state.inputs)),
                after: Some(json!(want.spec.inputs)),
                sensitive: false,
                text: None,
            }],
            hazard: if create {
                Hazard::none()
            } else {
                Hazard::reversible("set them back")
            },
            op: Op {
                name: key(&want.address).to_owned(),
                inputs: want.spec.inputs.clone(),
            },
            effects: vec![Effect {
                verb: "put".to_owned(),
                object: key(&want.address).to_owned(),
                repeat: Repeat::Named,
                inverse: None,
            }],
            binding: json!(old),
        }
    }
}

impl Kind for Node {
    type Spec = Inputs;
    type State = State;
    type Op = Op;

    fn def(&self) -> Def {
        let texts = Type::List(Box::new(Type::String));
        Def {
            name: "bench_node",
            doc: "A node that is made from the values of others.",
            mode: Mode::Goal,
            schema: Schema {
                args: vec![Arg::required("inputs", texts, "Values of other nodes.").late()],
                exports: vec![("value", "What others may be made from.")],
            },
            stage: Some(Stage::Infra),
            roles: &[(BENCH, BENCH)],
            envelope: &[Action::Create, Action::Update],
            hazard_max: HazardLevel::Reversible,
            cutover: false,
            op_version: 1,
        }
    }

    fn observe(&self, want: &Want<Inputs>, view: &View<'_>) -> Result<Seen<State>, Pending> {
        let query = Query::new(want.conn(BENCH), "node", &key(&want.address));
        Ok(match view.get(&query)? {
            Ok(state) => match State::deserialize(&**state) {
                Ok(state) => Seen::Present(state),
                Err(_) => Seen::Absent(Lack::Object),
            },
            Err(error) => Seen::Unreadable(error.clone()),
        })
    }

    fn plan(&self, _: &PlanCx, want: &Want<Inputs>, seen: &Seen<State>) -> Planned<Op> {
        let old = match seen {
            Seen::Present(state) => Some(state),
            Seen::Absent(_) | Seen::Unreadable(_) => None,
        };
        let same = old.is_some_and(|state| {
            let wanted = want.spec.inputs.iter().map(Late::known);
            wanted.eq(state.inputs.iter().map(Some))
        });
        if same {
            return Planned::Nothing("it is there".into());
        }
        Planned::Step(Box::new(Self::proposal(want, old)))
    }

    fn outputs(&self, _: &Want<Inputs>, seen: &Seen<State>) -> Json {
        match seen {
            Seen::Present(state) => json!({ "value": state.value }),
            Seen::Absent(_) | Seen::Unreadable(_) => json!({}),
        }
    }
}
