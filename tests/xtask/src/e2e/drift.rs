//! A recovered site on which somebody works: what is restored, what is only shown, what is put back.

use anyhow::Result;
use anyhow::ensure;
use serde_json::Value;

use super::drplan::Spec;
use super::lab::Lab;
use super::recovery::APPLY;
use super::recovery::LOST;
use super::recovery::acting;
use super::recovery::change;
use super::recovery::changes;
use super::recovery::effects;

/// Plans and returns the plan as JSON.
async fn planned(spec: &Spec, code: i32) -> Result<Value> {
    let args = [&["plan", "--json", "--detailed-exitcode"], LOST].concat();
    spec.run(&args).await?.expect(code)?.json()
}

/// The object's line of a step, with its class.
fn object<'p>(plan: &'p Value, address: &str, name: &str) -> Result<&'p Value> {
    let step = change(plan, address)?;
    let mut objects = step["drplan"]["breakdown"]["objects"]
        .as_array()
        .into_iter()
        .flatten();
    match objects.find(|o| o["name"].as_str().is_some_and(|n| n.ends_with(name))) {
        Some(object) => Ok(object),
        None => anyhow::bail!("`{address}` does not list the object `{name}`"),
    }
}

pub(super) async fn a_deleted_namespace_comes_back_alone(lab: &mut Lab) -> Result<()> {
    let spec = lab.recovered().await?;
    lab.kubectl()
        .run(&["delete", "namespace", "shop-web", "--wait"])
        .await?;
    let plan = planned(&spec, 2).await?;
    let steps = acting(&plan);
    ensure!(
        steps == ["velero_restore.apps"],
        "only `velero_restore.apps` must act, the plan has {steps:?}"
    );
    let restored: Vec<&str> = change(&plan, "velero_restore.apps")?["drplan"]["diff"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|c| c["path"].as_str())
        .collect();
    let elsewhere: Vec<_> = restored
        .iter()
        .filter(|path| !path.contains("shop-web"))
        .collect();
    ensure!(
        restored.len() > 35 && elsewhere.is_empty(),
        "the plan restores {} objects, of other namespaces {elsewhere:?}",
        restored.len()
    );
    let created = effects(&plan, &["create", "patch", "update", "delete"]);
    ensure!(
        created.len() == 1,
        "one Restore must be written, the plan writes {created:?}"
    );
    spec.run(APPLY).await?.expect(0)?;
    lab.is_as_on_a().await?;
    planned(&spec, 0).await?;
    Ok(())
}

pub(super) async fn an_object_deleted_in_a_living_namespace_is_listed_and_left_alone(
    lab: &mut Lab,
) -> Result<()> {
    let spec = lab.recovered().await?;
    let gone = ["delete", "configmap", "-n", "shop", "settings-007"];
    lab.kubectl().run(&gone).await?;
    let outcome = without_settings(lab, &spec).await;
    put_back(lab, &["ConfigMap shop/settings-007"]).await?;
    outcome
}

async fn without_settings(lab: &Lab, spec: &Spec) -> Result<()> {
    let plan = planned(spec, 0).await?;
    let line = object(&plan, "velero_restore.apps", "shop/settings-007")?;
    ensure!(
        line["class"] == "deleted since the backup",
        "the deleted ConfigMap must be listed as `deleted since the backup`, it is {line}"
    );
    let full = [&["plan", "--full"], LOST].concat();
    spec.run(&full)
        .await?
        .expect(0)?
        .expect_says(&["shop/settings-007", "deleted since the backup"])?;
    spec.run(APPLY).await?.expect(0)?;
    let path = ["configmap", "-n", "shop", "settings-007"];
    let get = [&["get"], &path[..], &["--ignore-not-found", "-o", "name"]].concat();
    let still = lab.kubectl().run(&get).await?;
    ensure!(
        still.is_empty(),
        "`apply` has restored what somebody deleted"
    );
    Ok(())
}

/// Writes objects of A again as they were there, so that the next scenario starts clean.
async fn put_back(lab: &Lab, names: &[&str]) -> Result<()> {
    let objects: Vec<Value> = names
        .iter()
        .filter_map(|name| lab.truth.objects.get(*name).cloned())
        .collect();
    ensure!(objects.len() == names.len(), "A had not all of {names:?}");
    lab.kubectl().apply(&objects).await?;
    lab.is_as_on_a().await
}

pub(super) async fn a_hand_edited_deployment_under_a_restore_is_shown_and_left_alone(
    lab: &mut Lab,
) -> Result<()> {
    let spec = lab.recovered().await?;
    scale_web(lab, 5).await?;
    let outcome = with_five_replicas(lab, &spec).await;
    scale_web(lab, 3).await?;
    outcome?;
    lab.is_as_on_a().await
}

async fn scale_web(lab: &Lab, replicas: u32) -> Result<()> {
    let replicas = format!("--replicas={replicas}");
    let scale = ["scale", "-n", "shop-web", "deploy/web", &replicas];
    lab.kubectl().run(&scale).await?;
    Ok(())
}

async fn with_five_replicas(lab: &Lab, spec: &Spec) -> Result<()> {
    let plan = planned(spec, 0).await?;
    let line = object(&plan, "velero_restore.apps", "Deployment shop-web/web")?;
    let diff = line["diff"].as_str().unwrap_or_default();
    let has = |sign: char, value: &str| {
        diff.lines()
            .any(|l| l.starts_with(sign) && l.contains("replicas") && l.contains(value))
    };
    ensure!(
        has('-', "3") && has('+', "5") || has('+', "3") && has('-', "5"),
        "the plan must show the replicas, 3 and 5, as a text diff; the line is {line}"
    );
    // Whoever sees only the summary must learn that something differs.
    let summary = [&["plan"], LOST].concat();
    spec.run(&summary)
        .await?
        .expect(0)?
        .expect_says(&["velero_restore.apps", "differs"])?;
    spec.run(APPLY).await?.expect(0)?;
    let path = "jsonpath={.spec.replicas}";
    let get = ["get", "-n", "shop-web", "deploy/web", "-o", path];
    let replicas = lab.kubectl().run(&get).await?;
    ensure!(
        replicas == "5",
        "`apply` must leave the 5 replicas alone, there are {replicas}"
    );
    Ok(())
}

pub(super) async fn a_hand_edited_deployment_under_a_manifest_is_put_back(
    lab: &mut Lab,
) -> Result<()> {
    let spec = lab.recovered().await?;
    let edit = r#"{"spec":{"template":{"spec":{"containers":[{"name":"page","env":[{"name":"MESSAGE","value":"hacked"}]}]}}}}"#;
    let patch = ["patch", "-n", "platform", "deploy/status-page", "-p", edit];
    lab.kubectl().run(&patch).await?;
    let plan = planned(&spec, 2).await?;
    let steps = acting(&plan);
    ensure!(
        steps == ["kubernetes_manifest.platform"],
        "only `kubernetes_manifest.platform` must act, the plan has {steps:?}"
    );
    let step = change(&plan, "kubernetes_manifest.platform")?;
    ensure!(
        step["change"]["actions"][0] == "update",
        "it must be an update: {}",
        step["change"]["actions"]
    );
    let diff = step["drplan"]["diff"].to_string();
    ensure!(
        diff.contains("hacked") && diff.contains("we are back"),
        "the diff must show both messages: {diff}"
    );
    spec.run(APPLY).await?.expect(0)?;
    let value = [
        "get",
        "-n",
        "platform",
        "deploy/status-page",
        "-o",
        "jsonpath={.spec.template.spec.containers[0].env[0].value}",
    ];
    let value = lab.kubectl().run(&value).await?;
    ensure!(
        value == "we are back",
        "the Deployment must be put back, its message is `{value}`"
    );
    planned(&spec, 0).await?;
    Ok(())
}

pub(super) async fn a_healthy_day_asks_nobody(lab: &mut Lab) -> Result<()> {
    let spec = lab.recovered().await?;
    let plan = planned(&spec, 0).await?;
    let gates = changes(&plan)
        .filter(|c| c["drplan"]["do"] == "gate")
        .count();
    ensure!(gates == 0, "a plan without actions has {gates} questions");
    Ok(())
}
