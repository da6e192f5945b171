//! Failures that a person asks for: a step that does not succeed, or not at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use drplan_api::Address;
use drplan_api::BoundOp;
use drplan_api::Def;
use drplan_api::DynKind;
use drplan_api::ErrorKind;
use drplan_api::Fault;
use drplan_api::Fut;
use drplan_api::Json;
use drplan_api::Landed;
use drplan_api::LookError;
use drplan_api::Looked;
use drplan_api::PlanCx;
use drplan_api::Planned;
use drplan_api::Progress;
use drplan_api::Proof;
use drplan_api::ProviderError;
use drplan_api::RawWant;
use drplan_api::ReadCx;
use drplan_api::Registry;
use drplan_api::Shape;
use drplan_api::Slots;
use drplan_api::View;
use drplan_api::Wires;
use drplan_api::WriteCx;

/// Which steps fail: for good, or the number of attempts that still fail.
#[derive(Debug, Default)]
pub struct Failures(Mutex<BTreeMap<Address, Wish>>);

/// What one step is told.
#[derive(Debug)]
struct Wish {
    /// How many attempts still fail; `None` for all.
    left: Option<u32>,
    met: bool,
}

impl Failures {
    /// Reads `ADDRESS`, which fails for good, or `ADDRESS:N`, whose first N attempts fail.
    #[must_use]
    pub fn parse(texts: &[String]) -> Self {
        let one = |text: &String| match text.rsplit_once(':') {
            Some((address, n)) if n.parse::<u32>().is_ok() => {
                (Address::new(address), n.parse().ok())
            }
            _ => (Address::new(text), None),
        };
        let wish = |(address, left)| (address, Wish { left, met: false });
        Self(Mutex::new(texts.iter().map(one).map(wish).collect()))
    }

    /// The steps that are to fail.
    #[must_use]
    pub fn addresses(&self) -> Vec<Address> {
        let left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        left.keys().cloned().collect()
    }

    /// The steps that were never asked to begin, so that they could not fail.
    #[must_use]
    pub fn not_met(&self) -> Vec<Address> {
        let left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let not_met = left.iter().filter(|(_, wish)| !wish.met);
        not_met.map(|(address, _)| address.clone()).collect()
    }

    fn meet(&self, address: &Address) -> Result<(), ProviderError> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(wish) = left.get_mut(address) else {
            return Ok(());
        };
        let kind = match &mut wish.left {
            Some(0) => return Ok(()),
            Some(n) => {
                *n -= 1;
                ErrorKind::Unreachable
            }
            None => ErrorKind::Denied,
        };
        wish.met = true;
        Err(ProviderError::new(kind, "begin", address.to_string())
            .because("the rehearsal was told with `--fail` to let it fail"))
    }

    /// Puts the failures in front of every kind.
    #[must_use]
    pub fn in_front_of(self: &Arc<Self>, registry: &Registry) -> Registry {
        let mut out = registry.clone();
        for kind in registry.resources() {
            out = out.resource(Arc::new(Failing {
                inner: Arc::clone(kind),
                failures: Arc::clone(self),
            }));
        }
        out
    }
}

/// A kind whose steps may fail.
struct Failing {
    inner: Arc<dyn DynKind>,
    failures: Arc<Failures>,
}

impl DynKind for Failing {
    fn def(&self) -> &Def {
        self.inner.def()
    }

    fn acts(&self) -> bool {
        self.inner.acts()
    }

    fn check(&self, args: &Json) -> Vec<Fault> {
        self.inner.check(args)
    }

    fn look(&self, cx: &PlanCx, want: &RawWant, view: &View<'_>) -> Result<Looked, LookError> {
        self.inner.look(cx, want, view)
    }

    fn again(
        &self,
        cx: &PlanCx,
        want: &RawWant,
        view: &View<'_>,
    ) -> Result<Planned<Json>, LookError> {
        self.inner.again(cx, want, view)
    }

    fn shape(&self, want: &RawWant) -> Result<Shape, LookError> {
        self.inner.shape(want)
    }

    fn slots(&self) -> Option<Slots> {
        self.inner.slots()
    }

    fn fleeting(&self) -> &'static [&'static str] {
        self.inner.fleeting()
    }

    fn wires(&self, want: &RawWant, view: &View<'_>) -> Result<Wires, LookError> {
        self.inner.wires(want, view)
    }

    fn bind<'k>(
        &'k self,
        op: &Json,
        address: &Address,
    ) -> Result<Box<dyn BoundOp + 'k>, ProviderError> {
        Ok(Box::new(FailingOp {
            inner: self.inner.bind(op, address)?,
            failures: &self.failures,
        }))
    }
}

struct FailingOp<'k> {
    inner: Box<dyn BoundOp + 'k>,
    failures: &'k Failures,
}

impl BoundOp for FailingOp<'_> {
    fn begin<'a>(&'a self, cx: &'a WriteCx, n: usize) -> Fut<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            self.failures.meet(&cx.address)?;
            self.inner.begin(cx, n).await
        })
    }

    fn probe<'a>(&'a self, cx: &'a ReadCx, n: usize) -> Fut<'a, Result<Landed, ProviderError>> {
        self.inner.probe(cx, n)
    }

    fn poll<'a>(&'a self, cx: &'a ReadCx, n: usize) -> Fut<'a, Result<Progress, ProviderError>> {
        self.inner.poll(cx, n)
    }

    fn prove<'a>(&'a self, cx: &'a ReadCx) -> Fut<'a, Result<Proof, ProviderError>> {
        self.inner.prove(cx)
    }
}
