//! The traits of kinds, as authors implement them, and what they say. The engine sees them through
//! [`crate::DynKind`].

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Address;
use crate::Because;
use crate::Breakdown;
use crate::ConnId;
use crate::Def;
use crate::Given;
use crate::Json;
use crate::Pending;
use crate::PlanCx;
use crate::Planned;
use crate::ProviderError;
use crate::ReadCx;
use crate::RecoveryPoint;
use crate::Right;
use crate::Room;
use crate::Shape;
use crate::TargetState;
use crate::View;
use crate::WriteCx;

/// A boxed future, which keeps the seam usable behind `dyn`.
pub type Fut<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The arguments of one resource, decoded, and the connections of its roles.
#[derive(Clone, Debug)]
pub struct Want<S> {
    /// Whose arguments these are.
    pub address: Address,
    /// The name of the recovery, for stamps and names.
    pub recovery: String,
    /// The decoded arguments.
    pub spec: S,
    /// The hash of the arguments, for names of objects: eight hexadecimal digits. Holes count as equal,
    /// so that neither secrets nor the order of expressions in a plan matter. Arguments that refer to
    /// a whole data source carry all of its exports, ages included: a kind that names objects after
    /// what it wants hashes the fields that matter itself.
    pub hash: String,
    /// Role to connection.
    pub roles: BTreeMap<String, ConnId>,
}

impl<S> Want<S> {
    /// Returns the connection of a role. The engine has checked that each role of the kind's
    /// declaration has one.
    ///
    /// # Panics
    ///
    /// If the kind did not declare the role, which is a bug of the kind.
    pub fn conn(&self, role: &str) -> &ConnId {
        match self.roles.get(role) {
            Some(conn) => conn,
            None => panic!(
                "`{}` uses the role `{role}` without declaring it",
                self.address
            ),
        }
    }
}

/// The arguments of one resource as JSON, with holes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RawWant {
    /// Whose arguments these are.
    pub address: Address,
    /// The name of the recovery.
    pub recovery: String,
    /// The arguments.
    pub args: Json,
    /// Role to connection.
    pub roles: BTreeMap<String, ConnId>,
}

/// What is there.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen<S> {
    /// It is there, or enough was read to decide.
    Present(S),
    /// It is not there.
    Absent(Lack),
    /// It cannot be told. Never treated as absent.
    Unreadable(ProviderError),
}

/// What exactly is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// The object itself.
    Object,
    /// The namespace, database or bucket around it.
    Namespace,
    /// Its type.
    Type,
    /// Its whole target, which steps of this plan make.
    Target {
        /// The steps that make it.
        made_by: Vec<Address>,
    },
    /// Its whole target, which a person declared lost.
    Lost {
        /// The failure domain.
        domain: String,
    },
}

impl Lack {
    /// Returns the absence that a target's state means, or `None` if the target answers.
    pub fn of(state: &TargetState) -> Option<Self> {
        match state {
            TargetState::NotYet { made_by } => Some(Self::Target {
                made_by: made_by.clone(),
            }),
            TargetState::Lost { domain } => Some(Self::Lost {
                domain: domain.clone(),
            }),
            TargetState::Ready(_) | TargetState::Unreadable(_) => None,
        }
    }
}

/// Something that a resource needs or gives, per connection: `("crd", kubernetes.site, "restores.velero.io")`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cap {
    /// The sort: `cluster`, `namespace`, `crd`, `storage_class`, `backup_location`, `velero`,
    /// `database`, `webhook`, `secret`.
    pub space: String,
    /// Where, if it is somewhere.
    pub conn: Option<ConnId>,
    /// Which.
    pub key: String,
}

impl Cap {
    /// Makes a capability of a target.
    pub fn on(conn: &ConnId, space: &str, key: impl Into<String>) -> Self {
        Self {
            space: space.to_owned(),
            conn: Some(conn.clone()),
            key: key.into(),
        }
    }
}

/// What a resource needs before it can run, and what it gives when it is done.
///
/// The planner joins needs with gives. A need that nothing gives and that the live world does not
/// already hold is a finding; `already` lists the needs that the live world satisfies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wires {
    /// Needed, and why.
    pub needs: Vec<(Cap, Because)>,
    /// Given, and why.
    pub gives: Vec<(Cap, Because)>,
    /// Needs that the live world satisfies already.
    pub already: Vec<Cap>,
    /// What the step leaves behind that another one must end, such as objects that it pauses, and why.
    pub begins: Vec<(Cap, Because)>,
    /// What the step ends: it comes after all that begin it, and while one of them has an action, it is
    /// decided when its turn comes.
    pub ends: Vec<(Cap, Because)>,
}

/// How many steps may act in one place at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// The role whose connection is the place.
    pub role: &'static str,
    /// How many, at least one.
    pub max: usize,
}

/// What is said about a resource beside the decision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Notes {
    /// The commands by which a person does the same without drplan.
    pub manual: Vec<String>,
    /// For data sources of backups: the point that was chosen, then all others that were looked at.
    pub points: Vec<RecoveryPoint>,
    /// For resources that hold many objects: what they consist of.
    pub breakdown: Option<Breakdown>,
    /// Warnings that belong into the summary.
    pub warnings: Vec<String>,
}

/// Why most kinds do nothing a second time.
pub(crate) const NEVER_AGAIN: &str =
    "what is there would have to be taken away first, or nothing would change";

/// Decides. Pure: no I/O, no clock.
///
/// `observe` may be called several times while facts come in: it asks through the [`View`] and
/// returns [`Pending`] until everything is there.
pub trait Kind: Send + Sync + 'static {
    /// The decoded arguments. Arguments that are declared [`crate::Arg::late`] are [`crate::Late`] here.
    type Spec: DeserializeOwned + Send + Sync;
    /// What `observe` found.
    type State: Send + Sync;
    /// The payload of a step.
    type Op: Serialize + DeserializeOwned + Send + Sync;

    /// The declaration.
    fn def(&self) -> Def;

    /// Refuses arguments that fit the schema and can never be right: a time that is no time, two that
    /// exclude each other. Called as soon as anything of them is known, offline too, and once more when
    /// the rest is; what is a hole tells nothing yet.
    fn check(&self, given: &mut Given<'_>) {
        let _ = given;
    }

    /// Says what is wrong with the decoded arguments as a whole, where [`Kind::check`] cannot tell it.
    /// Called each time that they are decoded, offline too.
    ///
    /// # Errors
    ///
    /// What is wrong and what to write instead; never quotes a secret.
    fn accept(&self, spec: &Self::Spec) -> Result<(), String> {
        let _ = spec;
        Ok(())
    }

    /// Reads what is there.
    ///
    /// # Errors
    ///
    /// [`Pending`] while answers are missing.
    fn observe(
        &self,
        want: &Want<Self::Spec>,
        view: &View<'_>,
    ) -> Result<Seen<Self::State>, Pending>;

    /// Says what is needed and given; must work without any facts too, and may then say less.
    fn wires(&self, want: &Want<Self::Spec>, view: &View<'_>) -> Wires {
        let _ = (want, view);
        Wires::default()
    }

    /// Decides.
    fn plan(
        &self,
        cx: &PlanCx,
        want: &Want<Self::Spec>,
        seen: &Seen<Self::State>,
    ) -> Planned<Self::Op>;

    /// Decides to do once more what is true already, because a person asked for it. Every effect of such a
    /// step must converge: nothing that is there is taken away, or written over with something older.
    ///
    /// # Errors
    ///
    /// Why that cannot be.
    fn again(
        &self,
        cx: &PlanCx,
        want: &Want<Self::Spec>,
        seen: &Seen<Self::State>,
    ) -> Result<Planned<Self::Op>, Because> {
        let _ = (cx, want, seen);
        Err(Because::from(NEVER_AGAIN))
    }

    /// Returns the exports as a JSON object. An export that is not known before the resource is done
    /// is left out; one that is secret is `{"$secret": SecretRef}`.
    fn outputs(&self, want: &Want<Self::Spec>, seen: &Seen<Self::State>) -> Json;

    /// Says what the arguments alone tell about the exports, so that a mistake shows while they are
    /// not known yet.
    fn shape(&self, want: &Want<Self::Spec>) -> Shape {
        let _ = want;
        Shape::Any
    }

    /// Returns the arguments of a resource of this kind whose step takes one effect back, from the
    /// object and the inverse that the effect kept.
    ///
    /// # Errors
    ///
    /// Why that cannot be, and how a person does it.
    fn back(&self, object: &str, inverse: &Json) -> Result<Json, Because> {
        let _ = (object, inverse);
        Err(Because::from("this kind does not take anything back"))
    }

    /// Tells whether a payload takes back exactly what an effect did, and nothing that came after it.
    fn takes_back(&self, inverse: &Json, op: &Self::Op) -> bool {
        let _ = (inverse, op);
        false
    }

    /// Returns the rights that acting takes beside those of its questions and effects, each with the role
    /// of the connection that it is about.
    fn rights(&self, want: &Want<Self::Spec>) -> Vec<(&'static str, Right)> {
        let _ = want;
        Vec::new()
    }

    /// Returns all rights that a step takes which is decided only when its turn comes, its questions included,
    /// whatever it turns out to be; each with the role of the connection that it is about. Holes of the
    /// arguments are not filled then. `None` if that cannot be told.
    fn rights_late(&self, raw: &RawWant, view: &View<'_>) -> Option<Vec<(&'static str, Right)>> {
        let _ = (raw, view);
        None
    }

    /// Returns the programs that acting starts, each with the arguments by which it tells its version; one
    /// without arguments is only looked for.
    fn tools(&self, want: &Want<Self::Spec>) -> Vec<Vec<String>> {
        let _ = want;
        Vec::new()
    }

    /// Says how much room for workloads acting takes, with the role of the connection where it is taken, as
    /// far as that can be told.
    fn demand(
        &self,
        want: &Want<Self::Spec>,
        seen: &Seen<Self::State>,
    ) -> Option<(&'static str, Room)> {
        let _ = (want, seen);
        None
    }

    /// Says how many steps of this kind can act on one connection at once, where the domain bounds that.
    /// The others wait in drplan, where their time-outs do not run yet.
    fn slots(&self) -> Option<Slots> {
        None
    }

    /// Returns the arguments of a resource of this kind that ends, on one connection, all that the
    /// recovery left behind there; `None` if the kind ends nothing.
    fn ends_all(&self) -> Option<Json> {
        None
    }

    /// Names the exports that change by themselves, such as what was measured: that one of them is another
    /// now makes nothing stale.
    fn fleeting(&self) -> &'static [&'static str] {
        &[]
    }

    /// Says what else there is to say.
    fn notes(&self, cx: &PlanCx, want: &Want<Self::Spec>, seen: &Seen<Self::State>) -> Notes {
        let _ = (cx, want, seen);
        Notes::default()
    }
}

/// Acts. Each method is one bounded attempt; order, retry, deadline, waiting, journal and lock are
/// the engine's. `n` is the index of one of the step's effects.
pub trait Acts: Kind {
    /// Starts effect `n`, or does it whole if it is one quick request.
    fn begin<'a>(
        &'a self,
        cx: &'a WriteCx,
        op: &'a Self::Op,
        n: usize,
    ) -> Fut<'a, Result<(), ProviderError>>;

    /// After a crash: says whether effect `n` happened. Never changes anything.
    fn probe<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a Self::Op,
        n: usize,
    ) -> Fut<'a, Result<Landed, ProviderError>>;

    /// While effect `n` runs: says how far it is.
    fn poll<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a Self::Op,
        n: usize,
    ) -> Fut<'a, Result<Progress, ProviderError>>;

    /// When all effects are done: proves that what was wanted is there, by reading it, never by what
    /// a controller says of itself.
    fn prove<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a Self::Op,
    ) -> Fut<'a, Result<Proof, ProviderError>>;
}

/// What a probe found.
#[derive(Clone, Debug, PartialEq)]
pub enum Landed {
    /// It did not happen; begin it.
    No,
    /// It happened, whole.
    Yes,
    /// It is running; poll it.
    Running,
    /// It is half done and nothing runs. `disposable` tells whether `begin` may clear it away and start
    /// afresh; if not, a person must look.
    Partly {
        /// Whether a fresh attempt may replace it.
        disposable: bool,
        /// What was found, and the exact commands for a person.
        because: Because,
    },
    /// Something that is not ours is there.
    Foreign(Because),
}

/// How far an effect is.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// It goes on.
    Going {
        /// What is done.
        done: u64,
        /// Of how much, if known.
        of: Option<u64>,
        /// What it is doing or waiting for: "items restored", "waiting for a ready node".
        note: String,
        /// When to ask again.
        again_in: Duration,
    },
    /// It ended well, as far as it says itself.
    Done,
    /// It ended badly.
    Failed {
        /// What it said.
        because: Because,
        /// Whether a fresh attempt can help.
        retry: bool,
    },
}

/// What proves that a resource holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// Single facts that were read.
    pub evidence: Vec<Evidence>,
}

/// One fact that was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// What is claimed: "214 of 214 objects are there".
    pub claim: String,
    /// Where it was read: the request in the words of the system.
    pub source: String,
    /// Whether it holds.
    pub holds: bool,
}

impl Proof {
    /// Adds a fact.
    #[must_use]
    pub fn with(
        mut self,
        holds: bool,
        claim: impl Into<String>,
        source: impl Into<String>,
    ) -> Self {
        self.evidence.push(Evidence {
            claim: claim.into(),
            source: source.into(),
            holds,
        });
        self
    }

    /// Tells whether there is evidence and all of it holds.
    pub fn holds(&self) -> bool {
        !self.evidence.is_empty() && self.evidence.iter().all(|e| e.holds)
    }
}
