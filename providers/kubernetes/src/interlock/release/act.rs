//! The kind's effectful half.

use drplan_api::Acts;
use drplan_api::Fut;
use drplan_api::Json;
use drplan_api::Landed;
use drplan_api::Progress;
use drplan_api::Proof;
use drplan_api::ProviderError;
use drplan_api::ReadCx;
use drplan_api::WriteCx;

use super::super::CLUSTER;
use super::super::nth;
use super::super::object;
use super::super::object::Spot;
use super::Deed;
use super::KubernetesRelease;
use super::ReleaseOp;
use super::decide::patch;
use crate::KubeConn;
use crate::mark::Mark;

/// The object, if it is there, and its mark, if it is one of this recovery.
async fn read(cx: &ReadCx, spot: &Spot) -> Result<Option<(Json, Option<Mark>)>, ProviderError> {
    let conn: &KubeConn = cx.conn(CLUSTER)?;
    Ok(spot.read(conn).await?.map(|body| {
        let mark = Mark::of(&body).filter(|mark| mark.recovery == cx.recovery);
        (body, mark)
    }))
}

/// Whether an object is as the mark said that it was. A controller that owns it, or an autoscaler, may
/// have changed it since; then it must at least not stand still for the pause.
fn runs(deed: &Deed, body: &Json) -> bool {
    let now = &body["spec"][deed.original.field()];
    let is_as_before = *now == deed.original.value();
    !deed.wakes
        || is_as_before
        || *now != deed.original.paused()
        || object::controller(body).is_some()
}

impl Acts for KubernetesRelease {
    fn begin<'a>(
        &'a self,
        cx: &'a WriteCx,
        op: &'a ReleaseOp,
        n: usize,
    ) -> Fut<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let spot = &nth(&op.deeds, n)?.spot;
            match read(cx, spot).await? {
                Some((body, Some(mark))) => {
                    spot.patch(cx.conn(CLUSTER)?, &body, patch(&mark)).await
                }
                _ => Ok(()),
            }
        })
    }

    fn probe<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a ReleaseOp,
        n: usize,
    ) -> Fut<'a, Result<Landed, ProviderError>> {
        Box::pin(async move {
            Ok(match read(cx, &nth(&op.deeds, n)?.spot).await? {
                Some((_, Some(_))) => Landed::No,
                _ => Landed::Yes,
            })
        })
    }

    fn poll<'a>(
        &'a self,
        _: &'a ReadCx,
        _: &'a ReleaseOp,
        _: usize,
    ) -> Fut<'a, Result<Progress, ProviderError>> {
        // The patch is the whole of it.
        Box::pin(async { Ok(Progress::Done) })
    }

    fn prove<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a ReleaseOp,
    ) -> Fut<'a, Result<Proof, ProviderError>> {
        Box::pin(async move {
            let mut proof = Proof::default();
            for deed in &op.deeds {
                let spot = &deed.spot;
                let title = spot.title();
                let (holds, claim) = match read(cx, spot).await? {
                    None => (true, format!("{title} is gone")),
                    Some((_, Some(_))) => (false, format!("{title} carries no mark")),
                    Some((body, None)) => (
                        runs(deed, &body),
                        format!("{title} is set going as before: {}", deed.original),
                    ),
                };
                proof = proof.with(holds, claim, format!("read `{}`", spot.object()));
            }
            Ok(proof)
        })
    }
}
