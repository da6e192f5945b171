//! Looking at one resource of a plan that is made from another one, with that one's connections.

use std::sync::Arc;

use drplan_api::ConnId;
use drplan_api::DynKind;
use drplan_api::Facts;
use drplan_api::LookError;
use drplan_api::Looked;
use drplan_api::PlanCx;
use drplan_api::RawWant;
use drplan_api::Registry;
use drplan_api::TargetState;
use drplan_api::Timestamp;
use drplan_api::View;

use crate::observe::Observer;
use crate::outs::Outs;
use crate::plan::Plan;
use crate::plan::TargetPin;

/// How often a kind may come back for more answers.
const ROUNDS_MAX: usize = 16;

/// What is needed to look at the world.
pub struct Eyes<'a> {
    /// The kinds.
    pub registry: &'a Registry,
    /// Connections.
    pub observer: &'a Observer,
    /// When it is looked.
    pub now: Timestamp,
}

/// Adds the connection to the place where runs are kept, if the plan names one: whoever goes on with the new
/// plan opens it from that plan alone.
pub(crate) fn and_run_store(plan: &Plan, targets: &mut Vec<TargetPin>) {
    let Some(store) = &plan.head.run_store else {
        return;
    };
    if targets.iter().all(|t| t.conn != store.conn) {
        let pins = plan.targets.iter().filter(|t| t.conn == store.conn);
        targets.extend(pins.cloned());
    }
}

impl Eyes<'_> {
    /// Lets a kind observe and decide, on the connections of a plan. What it used is added to `targets`.
    ///
    /// # Errors
    ///
    /// Why that cannot be.
    pub(crate) async fn look(
        &self,
        plan: &Plan,
        kind: &Arc<dyn DynKind>,
        want: &RawWant,
        accept_overwrite: bool,
        targets: &mut Vec<TargetPin>,
    ) -> Result<Looked, String> {
        let mut facts = Facts::default();
        for conn in want.roles.values() {
            let (pin, state) = self.target(plan, conn).await?;
            facts.targets.insert(conn.clone(), state);
            if !targets.iter().any(|t| t.conn == *conn) {
                targets.push(pin);
            }
        }
        let cx = PlanCx {
            observed_at: self.now,
            incident_at: None,
            accept_overwrite,
        };
        for _ in 0..ROUNDS_MAX {
            let (looked, queries) = {
                let view = View::new(&facts);
                (kind.look(&cx, want, &view), view.missing().0)
            };
            match looked {
                Ok(looked) => return Ok(looked),
                Err(LookError::Decode(why)) => return Err(why),
                Err(LookError::Pending) => self.observer.fetch(queries, &mut facts).await,
            }
        }
        Err(format!("its kind asked for more facts {ROUNDS_MAX} times"))
    }

    /// A connection of the plan; another target than the plan's is refused.
    async fn target(&self, plan: &Plan, conn: &ConnId) -> Result<(TargetPin, TargetState), String> {
        let pin = plan
            .targets
            .iter()
            .find(|t| t.conn == *conn)
            .ok_or_else(|| format!("the run's plan holds no connection `{conn}`"))?;
        let found = self
            .observer
            .connect(conn, &pin.config, &plan.exprs, Some(&Outs::default()))
            .await
            .map_err(|e| self.observer.scrub(e).to_string())?
            .1;
        match &pin.identity {
            Some(known) if *known != found => Err(format!(
                "`{conn}` is another target than the run's: it was {} and is {} now",
                known.0, found.0
            )),
            _ => {
                let pin = TargetPin {
                    identity: Some(found.clone()),
                    made_by: Vec::new(),
                    made_with: Vec::new(),
                    ..pin.clone()
                };
                Ok((pin, TargetState::Ready(found)))
            }
        }
    }
}
