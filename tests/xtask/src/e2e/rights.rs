//! A recovery by somebody who has nothing but the rights that `drplan permissions` asks for.

use std::fs;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use drplan::report::Exit;
use drplan_harness::Identity;
use serde_json::Value;

use super::drplan::Spec;
use super::lab::Lab;
use super::recovery::APPLY;
use super::recovery::LOST;

/// The account that recovers.
const ACCOUNT: &str = "recovery";
/// The account as a user of the cluster.
pub(super) const USER: &str = "system:serviceaccount:default:recovery";
/// The connection that it is about.
const CLUSTER: &str = "kubernetes.b";

/// The rights as an administrator gives them.
async fn grant(spec: &Spec, purpose: &str) -> Result<String> {
    let about = ["permissions", "--connection", CLUSTER, "--format", "grant"];
    let of = ["--to", USER, "--for", purpose];
    let outcome = spec.run(&[&about[..], &of, LOST].concat()).await?;
    Ok(outcome.expect(0)?.stdout)
}

/// The warnings of a plan about rights.
async fn refusals(spec: &Spec) -> Result<Vec<String>> {
    let plan = spec.run(&[&["plan", "--json"], LOST].concat()).await?;
    let plan: Value = plan.expect(0)?.json()?;
    let findings = plan["drplan"]["findings"]
        .as_array()
        .context("no findings")?;
    Ok(findings
        .iter()
        .filter(|finding| finding["code"] == "DR0031")
        .filter_map(|finding| finding["message"].as_str().map(str::to_owned))
        .collect())
}

pub(super) async fn the_rights_that_are_asked_for_are_enough(lab: &mut Lab) -> Result<()> {
    let spec = lab.recovered().await?;
    let kubectl = lab.kubectl();
    let gone = ["delete", "namespace", "shop-web", "--wait"];
    kubectl.run(&gone).await?;
    let to_plan = grant(&spec, "plan").await?;
    let to_apply = grant(&spec, "apply").await?;
    kubectl.run(&["create", "serviceaccount", ACCOUNT]).await?;
    let token = kubectl.run(&["create", "token", ACCOUNT]).await?;
    lab.secrets.insert(token.trim().to_owned());

    let file = lab.b.kubeconfig(Identity::Drplan);
    let kept = fs::read_to_string(&file)?;
    let mut config: Value = serde_json::from_str(&kept)?;
    config["users"][0]["user"]["token"] = Value::from(token.trim());
    fs::write(&file, config.to_string())?;
    let outcome = recovered_with(lab, &spec, &to_plan, &to_apply).await;
    fs::write(&file, kept)?;
    kubectl.run(&["delete", "serviceaccount", ACCOUNT]).await?;
    let made = ["delete", "-f", "-", "--ignore-not-found"];
    kubectl.fed(&made, &to_apply).await?;
    outcome?;
    lab.is_as_on_a().await
}

async fn recovered_with(lab: &Lab, spec: &Spec, to_plan: &str, to_apply: &str) -> Result<()> {
    let kubectl = lab.kubectl();
    kubectl.fed(&["apply", "-f", "-"], to_plan).await?;
    let refused = refusals(spec).await?;
    ensure!(
        refused
            .iter()
            .any(|r| r.contains("create restores.velero.io in `velero`")),
        "that no Restore may be made is not among {refused:?}"
    );
    let check = [&["permissions", "--check"], LOST].concat();
    spec.run(&check).await?.ends(Exit::Error)?;
    kubectl.fed(&["apply", "-f", "-"], to_apply).await?;
    let refused = refusals(spec).await?;
    ensure!(refused.is_empty(), "with all rights, {refused:?}");
    spec.run(&check).await?.expect(0)?;
    spec.run(APPLY).await?.expect(0)?;
    Ok(())
}
