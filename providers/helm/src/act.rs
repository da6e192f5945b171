//! The kind's acting half: one effect, `helm upgrade --install`, which outlives a killed drplan.
//!
//! Window that no server guards: between the look at the release Secrets and Helm's own. Helm creates
//! its Secret by name, so of two installs one loses.

use std::time::Duration;

use drplan_api::Acts;
use drplan_api::Because;
use drplan_api::Conn as _;
use drplan_api::ConnId;
use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::Landed;
use drplan_api::Progress;
use drplan_api::Proof;
use drplan_api::ProviderError;
use drplan_api::ReadCx;
use drplan_api::Timestamp;
use drplan_api::WriteCx;
use drplan_api::process::Detached;
use drplan_api::stamp;
use drplan_kubernetes::KubeConn;
use drplan_kubernetes::asks;
use serde_json::json;

use crate::HelmRelease;
use crate::Op;
use crate::Release;
use crate::decide::CLUSTER;
use crate::host;
use crate::prove;
use crate::release;
use crate::release::Standing;
use crate::tool;

/// How often a running `helm` is looked at.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// What is to be made of the newest revision.
enum Situation {
    /// It is deployed with what is wanted.
    True,
    /// A `helm` of this step is at work on it.
    Working,
    /// A `helm` of this step was killed in the middle.
    Stale(Release),
    /// Somebody else's operation.
    Foreign(Release),
    /// Nothing is in the way of this revision.
    Open(u64),
}

/// Reads the newest revision, now.
pub(crate) async fn newest(kube: &KubeConn, op: &Op) -> Result<Option<Release>, ProviderError> {
    let labels = release::selector(&op.name);
    // The name of the connection is no part of the question.
    let query = asks::list_in(
        &ConnId::new(""),
        &release::secrets(),
        &op.namespace,
        Some(&labels),
    );
    match kube.fetch(&[query.ask]).await.pop() {
        Some(answer) => Ok(Release::newest(&*answer?)),
        None => Ok(None),
    }
}

async fn situation(cx: &ReadCx, kube: &KubeConn, op: &Op) -> Result<Situation, ProviderError> {
    let newest = newest(kube, op).await?;
    if newest.as_ref().is_some_and(|found| found.is_true(&op.want)) {
        return Ok(Situation::True);
    }
    let holder = host::holder(kube.server(), &op.namespace, &op.name);
    if cx.doors.process.is_marked_running(&host::mark(&holder)) {
        return Ok(Situation::Working);
    }
    let Some(found) = newest else {
        return Ok(Situation::Open(1));
    };
    Ok(if found.standing() == Standing::Leaving {
        Situation::Foreign(found)
    } else if found.standing() != Standing::Pending {
        Situation::Open(found.revision + 1)
    } else if !found.is_of(&cx.recovery, cx.address.as_str()) {
        Situation::Foreign(found)
    } else if may_live(&found, op, cx.doors.clock.now()) {
        Situation::Working
    } else {
        Situation::Stale(found)
    })
}

/// Tells whether an operation whose `helm` does not run here may run elsewhere.
fn may_live(found: &Release, op: &Op, now: Timestamp) -> bool {
    if found
        .labels
        .get(release::HOLDER)
        .is_some_and(|holder| host::is_here(holder))
    {
        return false;
    }
    found.created.is_some_and(|at| {
        u64::try_from(now.as_second() - at.as_second()).unwrap_or(0) < op.believed_s()
    })
}

fn left_by_killed(found: &Release, op: &Op) -> Because {
    Because(format!(
        "a killed `helm` left revision {} `{}`; by hand: kubectl delete secret {} --namespace {}",
        found.revision, found.status, found.secret, op.namespace
    ))
}

fn in_the_way(found: &Release, op: &Op) -> Because {
    if found.standing() == Standing::Leaving {
        return Because(format!(
            "revision {} is `{}`; wait for whoever uninstalls `{}`, or, if nobody does: \
             helm uninstall {} --namespace {}",
            found.revision, found.status, op.name, op.name, op.namespace
        ));
    }
    Because(format!(
        "revision {} is `{}` and not by this step; wait for whoever works on `{}`, or, if nobody does: \
         kubectl delete secret {} --namespace {}",
        found.revision, found.status, op.name, found.secret, op.namespace
    ))
}

async fn begin(cx: &WriteCx, op: &Op) -> Result<(), ProviderError> {
    let kube = cx.conn::<KubeConn>(CLUSTER)?;
    let revision = match situation(cx, kube, op).await? {
        Situation::True | Situation::Working => {
            tool::forget_traces(cx);
            return Ok(());
        }
        Situation::Foreign(found) => {
            let during = format!("upgrade the release `{}`", op.name);
            return Err(
                ProviderError::new(ErrorKind::Conflict, during, kube.server())
                    .because(in_the_way(&found, op).0),
            );
        }
        Situation::Stale(found) => {
            clear(kube, op, &found).await?;
            found.revision
        }
        Situation::Open(revision) => revision,
    };
    let mut marks = vec![(
        release::HOLDER,
        host::holder(kube.server(), &op.namespace, &op.name),
    )];
    if let Some(version) = tool::app_version(cx, op).await? {
        marks.push((release::APP_VERSION, stamp::label_value(&version)));
    }
    let program = tool::upgrade(cx, op, kube, revision, &marks)?;
    cx.doors.process.detach(program, &tool::traces(cx)).await
}

/// Deletes the Secret of a revision that this step's killed `helm` left, by its uid. What that `helm`
/// made on the cluster carries Helm's marks and is taken over by the next attempt.
async fn clear(kube: &KubeConn, op: &Op, found: &Release) -> Result<(), ProviderError> {
    let during = format!("delete the unfinished release Secret `{}`", found.secret);
    let path = release::secrets().path(Some(&op.namespace), Some(&found.secret));
    let options = json!({
        "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": found.uid},
    });
    let request = http::Request::delete(path)
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(options.to_string().into_bytes())
        .map_err(|e| ProviderError::new(ErrorKind::Bug, &during, kube.server()).caused_by(&e))?;
    match kube.request(&during, request).await {
        Err(error) if error.kind != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

async fn probe(cx: &ReadCx, op: &Op) -> Result<Landed, ProviderError> {
    if cx.doors.process.look(&tool::traces(cx)).await? == Detached::Running {
        return Ok(Landed::Running);
    }
    let kube = cx.conn::<KubeConn>(CLUSTER)?;
    Ok(match situation(cx, kube, op).await? {
        Situation::True => Landed::Yes,
        Situation::Working => Landed::Running,
        Situation::Stale(found) => Landed::Partly {
            disposable: true,
            because: left_by_killed(&found, op),
        },
        Situation::Foreign(found) => Landed::Foreign(in_the_way(&found, op)),
        Situation::Open(_) => Landed::No,
    })
}

fn going(note: impl Into<String>) -> Progress {
    Progress::Going {
        done: 0,
        of: None,
        note: note.into(),
        again_in: POLL_EVERY,
    }
}

fn failed(because: impl Into<Because>) -> Progress {
    Progress::Failed {
        because: because.into(),
        retry: true,
    }
}

async fn poll(cx: &ReadCx, op: &Op) -> Result<Progress, ProviderError> {
    match cx.doors.process.look(&tool::traces(cx)).await? {
        Detached::Running => return Ok(going(format!("`helm` works on `{}`", op.name))),
        Detached::Ended(code) if code != 0 => {
            tool::forget_secrets(cx);
            return Ok(failed(format!(
                "`helm upgrade` ended with code {code}: {}",
                tool::upgrade_complaint(cx, op)
            )));
        }
        Detached::Ended(_) | Detached::Vanished | Detached::Unknown => {}
    }
    let kube = cx.conn::<KubeConn>(CLUSTER)?;
    let progress = match situation(cx, kube, op).await? {
        Situation::True => Progress::Done,
        Situation::Working => {
            return Ok(going(format!(
                "a `helm` that was started earlier works on `{}`",
                op.name
            )));
        }
        Situation::Stale(found) => failed(left_by_killed(&found, op)),
        Situation::Foreign(found) => failed(in_the_way(&found, op)),
        Situation::Open(_) => failed("`helm` is gone and what is wanted is not deployed"),
    };
    tool::forget_secrets(cx);
    Ok(progress)
}

impl Acts for HelmRelease {
    fn begin<'a>(
        &'a self,
        cx: &'a WriteCx,
        op: &'a Op,
        _: usize,
    ) -> Fut<'a, Result<(), ProviderError>> {
        Box::pin(begin(cx, op))
    }
    fn probe<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a Op,
        _: usize,
    ) -> Fut<'a, Result<Landed, ProviderError>> {
        Box::pin(probe(cx, op))
    }
    fn poll<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a Op,
        _: usize,
    ) -> Fut<'a, Result<Progress, ProviderError>> {
        Box::pin(poll(cx, op))
    }
    fn prove<'a>(&'a self, cx: &'a ReadCx, op: &'a Op) -> Fut<'a, Result<Proof, ProviderError>> {
        Box::pin(prove::prove(cx, op))
    }
}
