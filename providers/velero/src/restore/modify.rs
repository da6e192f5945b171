//! Making and removing the ConfigMap with the rules of a step's Restores.
//!
//! Velero reads it once, when it takes a Restore up. It is removed when the last Restore has ended, by
//! whoever goes on with the step.

use drplan_api::Because;
use drplan_api::ErrorKind;
use drplan_api::Json;
use drplan_api::Landed;
use drplan_api::ProviderError;
use drplan_api::ReadCx;
use drplan_api::WriteCx;
use drplan_kubernetes::KubeConn;
use drplan_kubernetes::mark;
use drplan_kubernetes::mark::Pauser;

use super::act;
use super::modifier::Modifier;
use super::modifier::is_ours;
use super::phase::Standing;
use super::spec::CLUSTER;
use super::spec::Op;
use crate::objects;
use crate::objects::VELERO_NAMESPACE;

async fn find(cx: &ReadCx, name: &str) -> Result<Option<Json>, ProviderError> {
    let conn: &KubeConn = cx.conn(CLUSTER)?;
    objects::find(conn, &objects::config_maps(), VELERO_NAMESPACE, name).await
}

fn not_ours(name: &str) -> Because {
    format!("ConfigMap `{VELERO_NAMESPACE}/{name}` was not made by this step").into()
}

pub(super) async fn probe(
    cx: &ReadCx,
    op: &Op,
    modifier: &Modifier,
) -> Result<Landed, ProviderError> {
    match find(cx, &modifier.name).await? {
        Some(map) if is_ours(&map, &cx.address, &cx.recovery) => Ok(Landed::Yes),
        Some(_) => Ok(Landed::Foreign(not_ours(&modifier.name))),
        None if was_used(cx, op).await? => Ok(Landed::Yes),
        None => Ok(Landed::No),
    }
}

/// Whether every Restore has been taken up, so that nobody reads the rules any more.
async fn was_used(cx: &ReadCx, op: &Op) -> Result<bool, ProviderError> {
    for (i, planned) in op.restores.iter().enumerate() {
        let used = match act::probe(cx, op, planned, i + 1).await? {
            Landed::Yes => true,
            Landed::Running => {
                let restore = act::current(cx, op, planned, i + 1).await?;
                restore.is_some_and(|r| Standing::of_object(&r) != Standing::Waiting)
            }
            _ => false,
        };
        if !used {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) async fn make(cx: &WriteCx, op: &Op, modifier: &Modifier) -> Result<(), ProviderError> {
    let backup = &op.spec.backup.name;
    let by = Pauser {
        recovery: &cx.recovery,
        run: &cx.run,
        until: mark::until(cx.doors.clock.now(), mark::EXPIRES_DEFAULT),
    };
    let map = modifier.config_map(&cx.address, by, backup);
    let conn: &KubeConn = cx.conn(CLUSTER)?;
    objects::create(conn, &objects::config_maps(), VELERO_NAMESPACE, &map).await
}

pub(super) async fn is_gone(cx: &ReadCx, name: &str) -> Result<Landed, ProviderError> {
    Ok(match find(cx, name).await? {
        None => Landed::Yes,
        Some(map) if is_ours(&map, &cx.address, &cx.recovery) => Landed::No,
        Some(_) => Landed::Foreign(not_ours(name)),
    })
}

/// Removes what this step made, and only that: the very object that carries the step's mark.
pub(super) async fn remove(cx: &WriteCx, name: &str) -> Result<(), ProviderError> {
    let Some(map) = find(cx, name).await? else {
        return Ok(());
    };
    if !is_ours(&map, &cx.address, &cx.recovery) {
        let object = format!("configmaps {VELERO_NAMESPACE}/{name}");
        let error =
            ProviderError::new(ErrorKind::Conflict, "remove the rules of a restore", object);
        return Err(error.because(not_ours(name).to_string()));
    }
    let conn: &KubeConn = cx.conn(CLUSTER)?;
    match objects::delete(conn, &objects::config_maps(), VELERO_NAMESPACE, &map).await {
        Err(e) if e.kind == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
