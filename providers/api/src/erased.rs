//! The erased layer: what the engine sees of a kind, with arguments and payloads as JSON.

use std::sync::Arc;

use serde::Deserialize as _;

use crate::Acts;
use crate::Address;
use crate::Because;
use crate::Def;
use crate::ErrorKind;
use crate::Fault;
use crate::Fut;
use crate::Given;
use crate::Json;
use crate::Kind;
use crate::Landed;
use crate::Notes;
use crate::Pending;
use crate::PlanCx;
use crate::Planned;
use crate::Progress;
use crate::Proof;
use crate::ProviderError;
use crate::RawWant;
use crate::ReadCx;
use crate::Right;
use crate::Room;
use crate::Seen;
use crate::Shape;
use crate::Slots;
use crate::TargetState;
use crate::View;
use crate::Want;
use crate::Wires;
use crate::WriteCx;
use crate::acceptance;
use crate::kind::NEVER_AGAIN;

/// Everything that the pure half of a kind says about one resource.
#[derive(Clone, Debug)]
pub struct Looked {
    /// Whether it is there: `Ok(true)` present, `Ok(false)` absent, or why it cannot be told.
    pub present: Result<bool, ProviderError>,
    /// The decision, with the payload as JSON.
    pub planned: Planned<Json>,
    /// The exports.
    pub outputs: Json,
    /// What the arguments alone tell about the exports.
    pub shape: Shape,
    /// What is needed and given.
    pub wires: Wires,
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
    /// See [`Kind::check`]; nothing is refused, unless implemented.
    fn check(&self, args: &Json) -> Vec<Fault> {
        let _ = args;
        Vec::new()
    }
    /// Observes and decides.
    ///
    /// # Errors
    ///
    /// While answers are missing, or if the arguments cannot be decoded.
    fn look(&self, cx: &PlanCx, want: &RawWant, view: &View<'_>) -> Result<Looked, LookError>;
    /// Observes and decides to do once more what is true already: see [`Kind::again`]. Blocked if that
    /// cannot be, and unless implemented.
    ///
    /// # Errors
    ///
    /// As [`DynKind::look`].
    fn again(
        &self,
        cx: &PlanCx,
        want: &RawWant,
        view: &View<'_>,
    ) -> Result<Planned<Json>, LookError> {
        let _ = (cx, want, view);
        Ok(Planned::Blocked(Because::from(NEVER_AGAIN)))
    }
    /// Says what is needed and given.
    ///
    /// # Errors
    ///
    /// If the arguments cannot be decoded.
    fn wires(&self, want: &RawWant, view: &View<'_>) -> Result<Wires, LookError>;
    /// Says what the arguments alone tell about the exports; nothing, unless implemented.
    ///
    /// # Errors
    ///
    /// If the arguments cannot be decoded.
    fn shape(&self, want: &RawWant) -> Result<Shape, LookError> {
        let _ = want;
        Ok(Shape::Any)
    }
    /// See [`Kind::back`]; nothing can be taken back, unless implemented.
    ///
    /// # Errors
    ///
    /// As there.
    fn back(&self, object: &str, inverse: &Json) -> Result<Json, Because> {
        let _ = (object, inverse);
        Err(Because::from("this kind does not take anything back"))
    }
    /// See [`Kind::rights`]; none, unless implemented or if the arguments are not known.
    fn rights(&self, want: &RawWant) -> Vec<(&'static str, Right)> {
        let _ = want;
        Vec::new()
    }
    /// See [`Kind::rights_late`]; not known, unless implemented.
    fn rights_late(&self, want: &RawWant, view: &View<'_>) -> Option<Vec<(&'static str, Right)>> {
        let _ = (want, view);
        None
    }
    /// See [`Kind::tools`]; none, unless implemented or if the arguments are not known.
    fn tools(&self, want: &RawWant) -> Vec<Vec<String>> {
        let _ = want;
        Vec::new()
    }
    /// See [`Kind::demand`]; none, unless implemented or if something is not known.
    fn demand(&self, want: &RawWant, view: &View<'_>) -> Option<(&'static str, Room)> {
        let _ = (want, view);
        None
    }
    /// See [`Kind::takes_back`]; a payload that cannot be read takes nothing back.
    fn takes_back(&self, inverse: &Json, op: &Json) -> bool {
        let _ = (inverse, op);
        false
    }
    /// See [`Kind::slots`]; no bound, unless implemented.
    fn slots(&self) -> Option<Slots> {
        None
    }
    /// See [`Kind::ends_all`]; `None`, unless implemented.
    fn ends_all(&self) -> Option<Json> {
        None
    }
    /// See [`Kind::fleeting`]; none, unless implemented.
    fn fleeting(&self) -> &'static [&'static str] {
        &[]
    }
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
    fn check(&self, args: &Json) -> Vec<Fault> {
        let mut given = Given::new(args);
        self.kind.check(&mut given);
        given.into_faults()
    }

    fn decode(&self, want: &RawWant) -> Result<Want<K::Spec>, LookError> {
        // What was a hole when the spec was read may be known by now.
        if let Some(fault) = self.check(&want.args).into_iter().next() {
            return Err(LookError::Decode(fault.because));
        }
        let spec =
            K::Spec::deserialize(&want.args).map_err(|e| LookError::Decode(e.to_string()))?;
        self.kind.accept(&spec).map_err(LookError::Decode)?;
        Ok(Want {
            address: want.address.clone(),
            recovery: want.recovery.clone(),
            spec,
            hash: hash(want),
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
            _ => self.decided(cx, &want, &seen).try_map(|op| {
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
            shape: self.kind.shape(&want),
            wires: self.kind.wires(&want, view),
            notes: self.kind.notes(cx, &want, &seen),
        })
    }

    /// Lets the kind decide. Where a person's consent is a way out of a conflict, that is said with it.
    fn decided(&self, cx: &PlanCx, want: &Want<K::Spec>, seen: &Seen<K::State>) -> Planned<K::Op> {
        let yields = || {
            let accepting = PlanCx {
                accept_overwrite: true,
                ..cx.clone()
            };
            matches!(self.kind.plan(&accepting, want, seen), Planned::Step(_))
        };
        match self.kind.plan(cx, want, seen) {
            Planned::Conflict(why, changes) if yields() => {
                let option = acceptance(&want.address);
                let why = format!("{why}; to overwrite what is there, plan with `{option}`");
                Planned::Conflict(Because(why), changes)
            }
            planned => planned,
        }
    }

    fn again(
        &self,
        cx: &PlanCx,
        raw: &RawWant,
        view: &View<'_>,
    ) -> Result<Planned<Json>, LookError> {
        let want = self.decode(raw)?;
        let seen = self.kind.observe(&want, view)?;
        match self.kind.again(cx, &want, &seen) {
            Ok(planned) => planned.try_map(|op| {
                serde_json::to_value(op).map_err(|e| LookError::Decode(e.to_string()))
            }),
            Err(because) => Ok(Planned::Blocked(because)),
        }
    }

    fn wires(&self, raw: &RawWant, view: &View<'_>) -> Result<Wires, LookError> {
        Ok(self.kind.wires(&self.decode(raw)?, view))
    }

    fn shape(&self, raw: &RawWant) -> Result<Shape, LookError> {
        Ok(self.kind.shape(&self.decode(raw)?))
    }
}

/// The first eight hexadecimal digits of a digest of arguments and roles in which all holes are one.
fn hash(want: &RawWant) -> String {
    let mut text = String::from("[");
    crate::json::write_without_holes(&want.args, &mut text);
    text.push(',');
    let roles = want.roles.iter();
    let roles = roles.map(|(role, conn)| (role.clone(), Json::from(conn.as_str())));
    text.push_str(&crate::canonical(&Json::Object(roles.collect())));
    text.push(']');
    let mut digest = crate::digest(text.as_bytes());
    digest.truncate(8);
    digest
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
    fn check(&self, args: &Json) -> Vec<Fault> {
        Self::check(self, args)
    }
    fn look(&self, cx: &PlanCx, want: &RawWant, view: &View<'_>) -> Result<Looked, LookError> {
        Self::look(self, cx, want, view)
    }
    fn wires(&self, want: &RawWant, view: &View<'_>) -> Result<Wires, LookError> {
        Self::wires(self, want, view)
    }
    fn shape(&self, want: &RawWant) -> Result<Shape, LookError> {
        Self::shape(self, want)
    }
    fn fleeting(&self) -> &'static [&'static str] {
        self.kind.fleeting()
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
    fn check(&self, args: &Json) -> Vec<Fault> {
        self.0.check(args)
    }
    fn look(&self, cx: &PlanCx, want: &RawWant, view: &View<'_>) -> Result<Looked, LookError> {
        self.0.look(cx, want, view)
    }
    fn again(
        &self,
        cx: &PlanCx,
        want: &RawWant,
        view: &View<'_>,
    ) -> Result<Planned<Json>, LookError> {
        self.0.again(cx, want, view)
    }
    fn wires(&self, want: &RawWant, view: &View<'_>) -> Result<Wires, LookError> {
        self.0.wires(want, view)
    }
    fn shape(&self, want: &RawWant) -> Result<Shape, LookError> {
        self.0.shape(want)
    }
    fn back(&self, object: &str, inverse: &Json) -> Result<Json, Because> {
        self.0.kind.back(object, inverse)
    }
    fn slots(&self) -> Option<Slots> {
        self.0.kind.slots()
    }
    fn ends_all(&self) -> Option<Json> {
        self.0.kind.ends_all()
    }
    fn fleeting(&self) -> &'static [&'static str] {
        self.0.kind.fleeting()
    }
    fn tools(&self, want: &RawWant) -> Vec<Vec<String>> {
        let want = self.0.decode(want);
        want.map(|want| self.0.kind.tools(&want))
            .unwrap_or_default()
    }
    fn rights(&self, want: &RawWant) -> Vec<(&'static str, Right)> {
        let want = self.0.decode(want);
        want.map(|want| self.0.kind.rights(&want))
            .unwrap_or_default()
    }
    fn rights_late(&self, want: &RawWant, view: &View<'_>) -> Option<Vec<(&'static str, Right)>> {
        self.0.kind.rights_late(want, view)
    }
    fn demand(&self, want: &RawWant, view: &View<'_>) -> Option<(&'static str, Room)> {
        let want = self.0.decode(want).ok()?;
        let seen = self.0.kind.observe(&want, view).ok()?;
        self.0.kind.demand(&want, &seen)
    }
    fn takes_back(&self, inverse: &Json, op: &Json) -> bool {
        K::Op::deserialize(op).is_ok_and(|op| self.0.kind.takes_back(inverse, &op))
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
