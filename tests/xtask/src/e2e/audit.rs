//! Who wrote what, by the API server's own log.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::Read;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use drplan_harness::audit;
use drplan_harness::audit::Write;
use serde_json::Value;

use super::kubectl::Kubectl;
use super::lab::Lab;
use super::recovery::effects;

/// Verbs of effects that the API server sees as writes.
pub(super) const WRITES: &[&str] = &["create", "update", "patch", "delete"];

/// How many differences an error names.
const SHOWN_MAX: usize = 10;

pub(super) async fn drplan_writes_exactly_the_plan(lab: &mut Lab) -> Result<()> {
    let done = lab.recovered_from_nothing().await?;
    let mut expected: Vec<Write> = effects(&done.plan, WRITES)
        .iter()
        .map(|(verb, object)| write(verb, object))
        .collect::<Result<_>>()?;
    ensure!(
        !expected.is_empty(),
        "the plan writes nothing into the cluster"
    );
    expected.extend(helm_writes());
    expected.sort();
    let found = audit::writes(&done.audit_log, "drplan")?;
    compare("drplan", &expected, &found)
}

/// Reads `GROUP/RESOURCE NAMESPACE/NAME`.
pub(super) fn write(verb: &str, object: &str) -> Result<Write> {
    let (kind, name) = object
        .split_once(' ')
        .with_context(|| format!("an effect on `{object}`"))?;
    let resource = match kind.split_once('/') {
        Some((group, resource)) => format!("{resource}.{group}"),
        None => kind.to_owned(),
    };
    let (namespace, name) = name.split_once('/').unwrap_or(("", name));
    Ok(Write {
        verb: verb.to_owned(),
        resource,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    })
}

/// A write in words: `patch deployments.apps shop/web`. Helm's records are the same for each revision.
pub(super) fn named(write: &Write) -> String {
    let name = match write.name.rsplit_once(".v") {
        Some((release, _)) if release.starts_with("sh.helm.release.") => format!("{release}.v*"),
        _ => write.name.clone(),
    };
    let Write {
        verb,
        resource,
        namespace,
        ..
    } = write;
    let slash = if namespace.is_empty() { "" } else { "/" };
    format!("{verb} {resource} {namespace}{slash}{name}")
}

/// What `helm upgrade --install` of the plan means in requests: the namespace and the chart's
/// objects, applied by the server, and Helm's own record, written as pending and then as deployed.
pub(super) fn helm_writes() -> Vec<Write> {
    let write = |verb: &str, resource: &str, namespace: &str, name: &str| Write {
        verb: verb.to_owned(),
        resource: resource.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    };
    vec![
        write("patch", "namespaces", "", "edge"),
        write("create", "secrets", "edge", "sh.helm.release.v1.gateway.v1"),
        write("patch", "configmaps", "edge", "gateway-routes"),
        write("patch", "services", "edge", "gateway"),
        write("patch", "deployments.apps", "edge", "gateway"),
        write("update", "secrets", "edge", "sh.helm.release.v1.gateway.v1"),
    ]
}

pub(super) async fn velero_writes_exactly_its_own_list(lab: &mut Lab) -> Result<()> {
    let done = lab.recovered_from_nothing().await?;
    let resources = Resources::read(&lab.kubectl()).await?;
    let mut created = Vec::new();
    let mut touched = BTreeSet::new();
    for (_, object) in effects(&done.plan, &["create"]) {
        let Some(name) = object.strip_prefix("velero.io/restores velero/") else {
            continue;
        };
        let key = format!("velero/restores/{name}/restore-{name}-resource-list.json.gz");
        for (object, how) in listed(&lab.get(&key).await?, &resources)? {
            touched.insert(object.clone());
            if how == "created" {
                created.push(object);
            }
        }
    }
    ensure!(!created.is_empty(), "Velero lists nothing as created");
    created.sort();
    // Its own objects and what it keeps for itself in its own namespace are no part of a backup.
    let of_the_backup =
        |write: &&Write| !write.resource.contains("velero.io") && write.namespace != "velero";
    let writes = audit::writes(&done.audit_log, "velero")?;
    let found: Vec<Write> = writes
        .iter()
        .filter(of_the_backup)
        .filter(|w| w.verb == "create")
        .cloned()
        .collect();
    compare("velero", &created, &found)?;
    // After a create it sets the managed fields; nothing else may be touched.
    let beside: Vec<&Write> = writes
        .iter()
        .filter(of_the_backup)
        .filter(|w| {
            !touched.contains(&Write {
                verb: "create".to_owned(),
                ..(*w).clone()
            })
        })
        .collect();
    ensure!(
        beside.is_empty(),
        "Velero wrote to objects that it does not list: {beside:?}"
    );
    Ok(())
}

/// Plural names by `apiVersion/Kind`.
struct Resources(BTreeMap<String, String>);

impl Resources {
    async fn read(kubectl: &Kubectl) -> Result<Self> {
        let text = kubectl.run(&["api-resources", "--no-headers"]).await?;
        let mut out = BTreeMap::new();
        for line in text.lines() {
            // NAME, perhaps SHORTNAMES, APIVERSION, NAMESPACED, KIND.
            let words: Vec<&str> = line.split_whitespace().collect();
            let [name, .., version, _, kind] = words[..] else {
                bail!("`kubectl api-resources` printed `{line}`");
            };
            let resource = match version.split_once('/') {
                Some((group, _)) => format!("{name}.{group}"),
                None => name.to_owned(),
            };
            out.insert(format!("{version}/{kind}"), resource);
        }
        Ok(Self(out))
    }
}

/// Reads Velero's list: by `apiVersion/Kind` texts such as `shop/settings(created)`.
fn listed(gzip: &[u8], resources: &Resources) -> Result<Vec<(Write, String)>> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(gzip)
        .read_to_string(&mut text)
        .context("Velero's list is no gzip")?;
    let list: BTreeMap<String, Vec<Value>> =
        serde_json::from_str(&text).context("Velero's list is no JSON")?;
    let mut out = Vec::new();
    for (kind, entries) in list {
        let resource = resources
            .0
            .get(&kind)
            .with_context(|| format!("no resource of `{kind}`"))?;
        for entry in entries {
            let entry = entry
                .as_str()
                .context("an entry of Velero's list is no text")?;
            let (name, how) = entry
                .split_once('(')
                .with_context(|| format!("`{entry}`"))?;
            let (namespace, name) = name.split_once('/').unwrap_or(("", name));
            let write = Write {
                verb: "create".to_owned(),
                resource: resource.clone(),
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            };
            out.push((write, how.trim_end_matches(')').to_owned()));
        }
    }
    Ok(out)
}

/// Compares writes with repetitions; both are sorted.
fn compare(user: &str, expected: &[Write], found: &[Write]) -> Result<()> {
    let count = |writes: &[Write]| {
        let mut out: BTreeMap<Write, i64> = BTreeMap::new();
        for write in writes {
            *out.entry(write.clone()).or_default() += 1;
        }
        out
    };
    let mut difference = count(expected);
    for (write, n) in count(found) {
        *difference.entry(write).or_default() -= n;
    }
    let mut wrong: Vec<String> = difference
        .iter()
        .filter(|(_, n)| **n != 0)
        .map(|(w, n)| {
            let what = format!("{} {} {}/{}", w.verb, w.resource, w.namespace, w.name);
            if *n > 0 {
                format!("not in the log: {n} × {what}")
            } else {
                format!("not expected: {} × {what}", -n)
            }
        })
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let total = wrong.len();
    wrong.truncate(SHOWN_MAX);
    bail!(
        "the audit log holds {} writes of `{user}`, {} were expected; {total} differ:\n    {}",
        found.len(),
        expected.len(),
        wrong.join("\n    ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effect_reads_as_the_audit_log_writes_it() {
        let of = |object: &str| {
            let w = write("create", object).unwrap();
            format!("{} {}/{}", w.resource, w.namespace, w.name)
        };
        assert_eq!(
            of("velero.io/restores velero/r-1"),
            "restores.velero.io velero/r-1"
        );
        assert_eq!(of("namespaces platform"), "namespaces /platform");
        assert_eq!(of("configmaps shop/a"), "configmaps shop/a");
    }

    #[test]
    fn a_write_too_many_and_one_too_few_are_both_named() {
        let one = write("create", "configmaps shop/a").unwrap();
        let other = write("create", "configmaps shop/b").unwrap();
        let same = std::slice::from_ref(&one);
        assert!(compare("x", same, same).is_ok());
        let error = compare("x", &[one.clone(), other], &[one.clone(), one])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("not in the log: 1 × create configmaps shop/b"),
            "{error}"
        );
        assert!(
            error.contains("not expected: 1 × create configmaps shop/a"),
            "{error}"
        );
    }
}
