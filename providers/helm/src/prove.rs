//! The proof: the release Secret says what was wanted, and its objects are there.

use drplan_api::ErrorKind;
use drplan_api::Proof;
use drplan_api::ProviderError;
use drplan_api::ReadCx;
use drplan_kubernetes::Discovered;
use drplan_kubernetes::KubeConn;
use drplan_kubernetes::ready::Ready;
use drplan_kubernetes::ready::ready;
use drplan_kubernetes::split_api_version;
use futures::StreamExt as _;
use futures::TryStreamExt as _;

use crate::Op;
use crate::Release;
use crate::act::newest;
use crate::decide::CLUSTER;
use crate::payload;
use crate::payload::Member;
use crate::release;

/// How many objects are read at once.
const READS_MAX: usize = 8;
/// How many objects with flaws are named.
const NAMED_MAX: usize = 5;
/// The group of the workloads whose readiness is read again after Helm's own waiting.
const WORKLOADS: &str = "apps";

pub(crate) async fn prove(cx: &ReadCx, op: &Op) -> Result<Proof, ProviderError> {
    let kube = cx.conn::<KubeConn>(CLUSTER)?;
    let source = format!(
        "labels of the Secrets of release `{}` in `{}`",
        op.name, op.namespace
    );
    let found = match newest(kube, op).await? {
        Some(found) if found.is_true(&op.want) => found,
        Some(r) => {
            let claim = format!(
                "revision {} is `{}` and not what is wanted",
                r.revision, r.status
            );
            return Ok(Proof::default().with(false, claim, source));
        }
        None => return Ok(Proof::default().with(false, "the release is not there", source)),
    };
    let claim = format!(
        "revision {} is deployed with this chart and these values",
        found.revision
    );
    let proof = Proof::default().with(true, claim, source);
    let source = format!(
        "manifest in the Secret `{}`, one GET for each object",
        found.secret
    );
    let (total, flaws) = flaws(kube, op, &found).await?;
    let state = if op.wait {
        "there and its workloads ready"
    } else {
        "there"
    };
    let mut claim = format!(
        "{} of {total} objects of revision {} are {state}",
        total - flaws.len(),
        found.revision
    );
    for flaw in flaws.iter().take(NAMED_MAX) {
        claim.push_str("; ");
        claim.push_str(flaw);
    }
    Ok(proof.with(flaws.is_empty(), claim, source))
}

/// Reads every object of the release's manifest: how many there are, and what is wrong with some.
async fn flaws(
    kube: &KubeConn,
    op: &Op,
    found: &Release,
) -> Result<(usize, Vec<String>), ProviderError> {
    let secret = kube
        .get(&release::secrets(), Some(&op.namespace), &found.secret)
        .await?;
    let members = payload::members(&secret).map_err(|why| {
        let during = format!("read the manifest in the Secret `{}`", found.secret);
        ProviderError::new(ErrorKind::Corrupt, during, kube.server()).because(why)
    })?;
    let types = kube.discovery().await?;
    let total = members.len();
    let reads = members
        .into_iter()
        .map(|member| flaw(kube, op, &types, member));
    let flaws: Vec<Option<String>> = futures::stream::iter(reads)
        .buffered(READS_MAX)
        .try_collect()
        .await?;
    Ok((total, flaws.into_iter().flatten().collect()))
}

/// Says what is wrong with one object.
async fn flaw(
    kube: &KubeConn,
    op: &Op,
    types: &Discovered,
    member: Member,
) -> Result<Option<String>, ProviderError> {
    let name = format!("{} `{}`", member.kind, member.name);
    let (group, version) = split_api_version(&member.api_version);
    let Some(resource) = types.find(group, version, &member.kind) else {
        return Ok(Some(format!("{name} has a type that is not served")));
    };
    let namespace = member.namespace.as_deref().unwrap_or(&op.namespace);
    let namespace = resource.namespaced.then_some(namespace);
    match kube
        .get(&resource.type_ref(), namespace, &member.name)
        .await
    {
        Ok(object) if op.wait && group == WORKLOADS => Ok(match ready(&object) {
            Ready::Ready => None,
            Ready::NotYet(why) | Ready::Failed(why) => Some(format!("{name} is not ready: {why}")),
        }),
        Ok(_) => Ok(None),
        Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::NoSuchType) => {
            Ok(Some(format!("{name} is missing")))
        }
        Err(error) => Err(error),
    }
}
