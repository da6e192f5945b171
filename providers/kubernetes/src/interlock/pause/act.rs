//! The kind's effectful half.

use std::time::Duration;

use drplan_api::Acts;
use drplan_api::Fut;
use drplan_api::Landed;
use drplan_api::Progress;
use drplan_api::Proof;
use drplan_api::ProviderError;
use drplan_api::ReadCx;
use drplan_api::WriteCx;

use super::super::CLUSTER;
use super::super::nth;
use super::super::object::Spot;
use super::super::standing::Standing;
use super::super::standing::standing;
use super::super::standing::still_running;
use super::KubernetesPause;
use super::PauseOp;
use crate::KubeConn;
use crate::mark;
use crate::mark::Pauser;

/// How often a waiting effect looks again.
const AGAIN_IN: Duration = Duration::from_secs(2);

/// How an object stands now.
enum Now {
    Gone,
    Runs,
    /// Its pods run still, or its controller has not seen the pause.
    Stopping(String),
    Stands,
}

async fn now(cx: &ReadCx, spot: &Spot) -> Result<Now, ProviderError> {
    let conn: &KubeConn = cx.conn(CLUSTER)?;
    let Some(body) = spot.read(conn).await? else {
        return Ok(Now::Gone);
    };
    let resource = spot.resource();
    Ok(match standing(&cx.recovery, &resource, &body) {
        Standing::Runs(_) => Now::Runs,
        Standing::Ended => Now::Stands,
        _ => still_running(&resource, &body).map_or(Now::Stands, Now::Stopping),
    })
}

/// Pauses an object as it is now: what the mark keeps is what the patch replaces.
async fn pause(cx: &WriteCx, spot: &Spot, expires_s: u64) -> Result<(), ProviderError> {
    let conn: &KubeConn = cx.conn(CLUSTER)?;
    let Some(body) = spot.read(conn).await? else {
        return Ok(());
    };
    let Standing::Runs(original) = standing(&cx.recovery, &spot.resource(), &body) else {
        return Ok(());
    };
    let by = Pauser {
        recovery: &cx.recovery,
        run: &cx.run,
        until: mark::until(cx.doors.clock.now(), Duration::from_secs(expires_s)),
    };
    spot.patch(conn, &body, original.pause(by)).await
}

impl Acts for KubernetesPause {
    fn begin<'a>(
        &'a self,
        cx: &'a WriteCx,
        op: &'a PauseOp,
        n: usize,
    ) -> Fut<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let deed = nth(&op.deeds, n)?;
            match deed.was {
                Some(_) => pause(cx, &deed.spot, op.expires_s).await,
                None => Ok(()),
            }
        })
    }

    fn probe<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a PauseOp,
        n: usize,
    ) -> Fut<'a, Result<Landed, ProviderError>> {
        Box::pin(async move {
            Ok(match now(cx, &nth(&op.deeds, n)?.spot).await? {
                Now::Gone | Now::Stands => Landed::Yes,
                Now::Stopping(_) => Landed::Running,
                Now::Runs => Landed::No,
            })
        })
    }

    fn poll<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a PauseOp,
        n: usize,
    ) -> Fut<'a, Result<Progress, ProviderError>> {
        Box::pin(async move {
            let spot = &nth(&op.deeds, n)?.spot;
            Ok(match now(cx, spot).await? {
                Now::Gone | Now::Stands => Progress::Done,
                Now::Stopping(why) => Progress::Going {
                    done: 0,
                    of: Some(1),
                    note: format!("waiting for {}: {why}", spot.title()),
                    again_in: AGAIN_IN,
                },
                Now::Runs => Progress::Failed {
                    because: format!("somebody set {} going again", spot.title()).into(),
                    retry: true,
                },
            })
        })
    }

    fn prove<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a PauseOp,
    ) -> Fut<'a, Result<Proof, ProviderError>> {
        Box::pin(async move {
            let mut proof = Proof::default();
            for deed in &op.deeds {
                let spot = &deed.spot;
                let title = spot.title();
                let (holds, claim) = match now(cx, spot).await? {
                    Now::Gone => (true, format!("{title} is gone")),
                    Now::Stands => (true, format!("{title} stands still, and so do its pods")),
                    Now::Stopping(why) => (false, format!("{title} stands still ({why})")),
                    Now::Runs => (false, format!("{title} stands still")),
                };
                proof = proof.with(holds, claim, format!("read `{}`", spot.object()));
            }
            Ok(proof)
        })
    }
}
