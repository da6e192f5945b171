//! The traits of kinds, a typed layer for authors and an erased one for the engine.

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Deref;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Address;
use crate::Because;
use crate::Breakdown;
use crate::Conn;
use crate::ConnId;
use crate::Def;
use crate::Doors;
use crate::ErrorKind;
use crate::Json;
use crate::Late;
use crate::Pending;
use crate::Planned;
use crate::ProviderError;
use crate::RecoveryPoint;
use crate::TargetState;
use crate::Timestamp;
use crate::View;

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
}

/// What is said about a resource beside the decision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Notes {
    /// The commands by which a person does the same without drplan.
    pub manual: Vec<String>,
    /// For data sources of backups: the points that were chosen, newest first.
    pub points: Vec<RecoveryPoint>,
    /// For resources that hold many objects: what they consist of.
    pub breakdown: Option<Breakdown>,
    /// Warnings that belong into the summary.
    pub warnings: Vec<String>,
}

/// What planning may know besides the facts.
#[derive(Clone, Debug)]
pub struct PlanCx {
    /// When the facts were read.
    pub observed_at: Timestamp,
    /// The zero of all ages and the bound of all recovery points, if given.
    pub incident_at: Option<Timestamp>,
    /// Whether a person accepted, for this address, that foreign data is overwritten.
    pub accept_overwrite: bool,
}

/// Decides. Pure: no I/O, no clock.
///
/// `observe` may be called several times while facts come in: it asks through the [`View`] and
/// returns [`Pending`] until everything is there.
pub trait Kind: Send + Sync + 'static {
    /// The decoded arguments. Arguments that are declared [`crate::Arg::late`] are [`Late`] here.
    type Spec: DeserializeOwned + Send + Sync;
    /// What `observe` found.
    type State: Send + Sync;
    /// The payload of a step.
    type Op: Serialize + DeserializeOwned + Send + Sync;

    /// The declaration.
    fn def(&self) -> Def;

    /// Says what is wrong with arguments that fit the schema and still make no sense together. Called
    /// each time that they are decoded, offline too.
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

    /// Returns the exports as a JSON object. An export that is not known before the resource is done
    /// is left out; one that is secret is `{"$secret": SecretRef}`.
    fn outputs(&self, want: &Want<Self::Spec>, seen: &Seen<Self::State>) -> Json;

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

/// Opens secrets. Only the engine has one.
pub trait Opener: Send + Sync {
    /// Fills a hole.
    ///
    /// # Errors
    ///
    /// If the secret cannot be read; the error names the reference, never the value.
    fn open(&self, hole: &crate::Hole) -> Result<Json, ProviderError>;
}

/// What an attempt that only reads may use.
pub struct ReadCx {
    /// The step.
    pub address: Address,
    /// The recovery's name.
    pub recovery: String,
    /// The run's id.
    pub run: String,
    /// Which attempt of this step in this run it is, from 1.
    pub attempt: u32,
    /// Open connections by role.
    pub conns: BTreeMap<String, Arc<dyn Conn>>,
    /// The folder of the spec, where relative paths start.
    pub base_dir: PathBuf,
    /// A private folder (0700) of this step in this run, for downloads, logs and exit codes.
    pub work_dir: PathBuf,
    /// How the world is reached.
    pub doors: Doors,
}

impl ReadCx {
    /// Returns the provider's own connection of a role.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Bug`] if there is none of that type.
    pub fn conn<T: Conn>(&self, role: &str) -> Result<&T, ProviderError> {
        self.conns
            .get(role)
            .and_then(|conn| conn.as_any().downcast_ref::<T>())
            .ok_or_else(|| {
                ProviderError::new(
                    ErrorKind::Bug,
                    format!("use the connection for the role `{role}`"),
                    self.address.to_string(),
                )
                .because("there is no open connection of the right type")
            })
    }
}

/// What an attempt that changes the world may use.
pub struct WriteCx {
    read: ReadCx,
    opener: Arc<dyn Opener>,
}

impl WriteCx {
    /// Makes one. Only engines do: the one of the core, and that of the test kit.
    pub fn new(read: ReadCx, opener: Arc<dyn Opener>) -> Self {
        Self { read, opener }
    }

    /// Opens a value that may be a secret hole. Keep the result out of errors and logs.
    ///
    /// # Errors
    ///
    /// If the secret cannot be read, or is not of the right type.
    pub fn open<T: DeserializeOwned + Clone>(&self, late: &Late<T>) -> Result<T, ProviderError> {
        match late {
            Late::Known(value) => Ok(value.clone()),
            Late::Hole(hole) => serde_json::from_value(self.opener.open(hole)?).map_err(|_| {
                ProviderError::new(
                    ErrorKind::Invalid,
                    "open a secret",
                    self.address.to_string(),
                )
                .because("the secret is there but is not of the type that is needed")
            }),
        }
    }
}

impl Deref for WriteCx {
    type Target = ReadCx;

    fn deref(&self) -> &ReadCx {
        &self.read
    }
}

/// Everything that the pure half of a kind says about one resource.
#[derive(Clone, Debug)]
pub struct Looked {
    /// Whether it is there: `Ok(true)` present, `Ok(false)` absent, or why it cannot be told.
    pub present: Result<bool, ProviderError>,
    /// The decision, with the payload as JSON.
    pub planned: Planned<Json>,
    /// The exports.
    pub outputs: Json,
    /// What else is to say.
    pub notes: Notes,
}

/// Why a kind could not say it yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookError {
    /// Answers are missing; the view knows which.
    Pending,
    /// The arguments cannot be decoded; says where and why.
    Decode(String),
}

impl From<Pending> for LookError {
    fn from(_: Pending) -> Self {
        Self::Pending
    }
}

/// The erased layer: what the engine sees of a kind.
pub trait DynKind: Send + Sync {
    /// The declaration.
    fn def(&self) -> &Def;
    /// Whether it can act; a data source cannot.
    fn acts(&self) -> bool;
    /// Observes and decides.
    ///
    /// # Errors
    ///
    /// While answers are missing, or if the arguments cannot be decoded.
    fn look(&self, cx: &PlanCx, want: &RawWant, view: &View<'_>) -> Result<Looked, LookError>;
    /// Says what is needed and given.
    ///
    /// # Errors
    ///
    /// If the arguments cannot be decoded.
    fn wires(&self, want: &RawWant, view: &View<'_>) -> Result<Wires, LookError>;
    /// Decodes the payload of a step, once for all that is done with it.
    ///
    /// # Errors
    ///
    /// If it is not what this version writes, or the kind is a data source.
    fn bind<'k>(
        &'k self,
        op: &Json,
        address: &Address,
    ) -> Result<Box<dyn BoundOp + 'k>, ProviderError>;
}

/// A kind together with the decoded payload of one step; see [`Acts`].
pub trait BoundOp: Send + Sync {
    /// See [`Acts::begin`].
    fn begin<'a>(&'a self, cx: &'a WriteCx, n: usize) -> Fut<'a, Result<(), ProviderError>>;
    /// See [`Acts::probe`].
    fn probe<'a>(&'a self, cx: &'a ReadCx, n: usize) -> Fut<'a, Result<Landed, ProviderError>>;
    /// See [`Acts::poll`].
    fn poll<'a>(&'a self, cx: &'a ReadCx, n: usize) -> Fut<'a, Result<Progress, ProviderError>>;
    /// See [`Acts::prove`].
    fn prove<'a>(&'a self, cx: &'a ReadCx) -> Fut<'a, Result<Proof, ProviderError>>;
}

/// The same for a single call, where decoding each time does not matter.
impl dyn DynKind + '_ {
    /// See [`Acts::begin`].
    ///
    /// # Errors
    ///
    /// As there, and as [`DynKind::bind`].
    pub async fn begin(&self, cx: &WriteCx, op: &Json, n: usize) -> Result<(), ProviderError> {
        self.bind(op, &cx.address)?.begin(cx, n).await
    }

    /// See [`Acts::probe`].
    ///
    /// # Errors
    ///
    /// As there, and as [`DynKind::bind`].
    pub async fn probe(&self, cx: &ReadCx, op: &Json, n: usize) -> Result<Landed, ProviderError> {
        self.bind(op, &cx.address)?.probe(cx, n).await
    }

    /// See [`Acts::poll`].
    ///
    /// # Errors
    ///
    /// As there, and as [`DynKind::bind`].
    pub async fn poll(&self, cx: &ReadCx, op: &Json, n: usize) -> Result<Progress, ProviderError> {
        self.bind(op, &cx.address)?.poll(cx, n).await
    }

    /// See [`Acts::prove`].
    ///
    /// # Errors
    ///
    /// As there, and as [`DynKind::bind`].
    pub async fn prove(&self, cx: &ReadCx, op: &Json) -> Result<Proof, ProviderError> {
        self.bind(op, &cx.address)?.prove(cx).await
    }
}

/// Wraps a data source for the registry.
pub fn reading<K: Kind>(kind: K) -> Arc<dyn DynKind> {
    Arc::new(Reading {
        def: kind.def(),
        kind,
    })
}

/// Wraps a resource kind for the registry.
pub fn acting<K: Acts>(kind: K) -> Arc<dyn DynKind> {
    Arc::new(Acting(Reading {
        def: kind.def(),
        kind,
    }))
}

struct Reading<K> {
    def: Def,
    kind: K,
}

struct Acting<K>(Reading<K>);

impl<K: Kind> Reading<K> {
    fn decode(&self, want: &RawWant) -> Result<Want<K::Spec>, LookError> {
        let spec =
            K::Spec::deserialize(&want.args).map_err(|e| LookError::Decode(e.to_string()))?;
        self.kind.accept(&spec).map_err(LookError::Decode)?;
        Ok(Want {
            address: want.address.clone(),
            recovery: want.recovery.clone(),
            spec,
            hash: crate::short_hash(&(crate::late::without_holes(&want.args), &want.roles)),
            roles: want.roles.clone(),
        })
    }

    fn look(&self, cx: &PlanCx, raw: &RawWant, view: &View<'_>) -> Result<Looked, LookError> {
        let want = self.decode(raw)?;
        let seen = match unreadable_target(&want, view)? {
            Some(lack) => lack,
            None => self.kind.observe(&want, view)?,
        };
        let planned = match &seen {
            Seen::Unreadable(error) => Planned::Blocked(Because(error.to_string())),
            _ => self.kind.plan(cx, &want, &seen).try_map(|op| {
                serde_json::to_value(op).map_err(|e| LookError::Decode(e.to_string()))
            })?,
        };
        Ok(Looked {
            present: match &seen {
                Seen::Present(_) => Ok(true),
                Seen::Absent(_) => Ok(false),
                Seen::Unreadable(error) => Err(error.clone()),
            },
            planned,
            outputs: self.kind.outputs(&want, &seen),
            notes: self.kind.notes(cx, &want, &seen),
        })
    }

    fn wires(&self, raw: &RawWant, view: &View<'_>) -> Result<Wires, LookError> {
        Ok(self.kind.wires(&self.decode(raw)?, view))
    }
}

/// A kind with a target that should answer and does not is not asked to observe. Targets that are not
/// yet made or lost are left to the kind, which asks [`View::target`] and may still read others, such
/// as the bucket that its backup lies in; [`Lack::of`] turns their state into an absence.
fn unreadable_target<K, S>(want: &Want<S>, view: &View<'_>) -> Result<Option<Seen<K>>, Pending> {
    for conn in want.roles.values() {
        if view.peek_target(conn).is_none() {
            // All are noted before the first is missed, which saves rounds.
            for conn in want.roles.values() {
                view.target(conn).ok();
            }
            return Err(Pending);
        }
    }
    for conn in want.roles.values() {
        if let TargetState::Unreadable(error) = view.target(conn)? {
            return Ok(Some(Seen::Unreadable(error.clone())));
        }
    }
    Ok(None)
}

fn decode_op<K: Kind>(op: &Json, address: &Address) -> Result<K::Op, ProviderError> {
    K::Op::deserialize(op).map_err(|e| {
        ProviderError::new(
            ErrorKind::Bug,
            "read the payload of a step",
            address.to_string(),
        )
        .caused_by(&e)
        .hint("plan again with this version of drplan")
    })
}

impl<K: Kind> DynKind for Reading<K> {
    fn def(&self) -> &Def {
        &self.def
    }
    fn acts(&self) -> bool {
        false
    }
    fn look(&self, cx: &PlanCx, want: &RawWant, view: &View<'_>) -> Result<Looked, LookError> {
        Self::look(self, cx, want, view)
    }
    fn wires(&self, want: &RawWant, view: &View<'_>) -> Result<Wires, LookError> {
        Self::wires(self, want, view)
    }
    fn bind<'k>(
        &'k self,
        _: &Json,
        address: &Address,
    ) -> Result<Box<dyn BoundOp + 'k>, ProviderError> {
        Err(ProviderError::new(
            ErrorKind::Bug,
            "act on a data source",
            address.to_string(),
        ))
    }
}

impl<K: Acts> DynKind for Acting<K> {
    fn def(&self) -> &Def {
        &self.0.def
    }
    fn acts(&self) -> bool {
        true
    }
    fn look(&self, cx: &PlanCx, want: &RawWant, view: &View<'_>) -> Result<Looked, LookError> {
        self.0.look(cx, want, view)
    }
    fn wires(&self, want: &RawWant, view: &View<'_>) -> Result<Wires, LookError> {
        self.0.wires(want, view)
    }
    fn bind<'k>(
        &'k self,
        op: &Json,
        address: &Address,
    ) -> Result<Box<dyn BoundOp + 'k>, ProviderError> {
        Ok(Box::new(Bound {
            kind: &self.0.kind,
            op: decode_op::<K>(op, address)?,
        }))
    }
}

struct Bound<'k, K: Acts> {
    kind: &'k K,
    op: K::Op,
}

impl<K: Acts> BoundOp for Bound<'_, K> {
    fn begin<'a>(&'a self, cx: &'a WriteCx, n: usize) -> Fut<'a, Result<(), ProviderError>> {
        self.kind.begin(cx, &self.op, n)
    }
    fn probe<'a>(&'a self, cx: &'a ReadCx, n: usize) -> Fut<'a, Result<Landed, ProviderError>> {
        self.kind.probe(cx, &self.op, n)
    }
    fn poll<'a>(&'a self, cx: &'a ReadCx, n: usize) -> Fut<'a, Result<Progress, ProviderError>> {
        self.kind.poll(cx, &self.op, n)
    }
    fn prove<'a>(&'a self, cx: &'a ReadCx) -> Fut<'a, Result<Proof, ProviderError>> {
        self.kind.prove(cx, &self.op)
    }
}
