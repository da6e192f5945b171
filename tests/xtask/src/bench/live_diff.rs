//! 5,000 ConfigMaps that are as they should be: who finds that out, how fast, by which requests.
//!
//! The requests are asserted, by the API server's own counters; the times are only reported.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use drplan_harness::Components;
use drplan_harness::Ending;
use drplan_harness::Identity;
use drplan_harness::Part;
use drplan_harness::Site;
use drplan_harness::site::UpOptions;

use super::measure::Cost;
use super::measure::Meter;
use super::measure::Subject;
use super::table::OURS;
use super::table::Row;
use super::table::Table;

/// How many ConfigMaps.
const OBJECTS: usize = 5_000;

/// How many objects drplan asks for in one page; the namespace holds one more, the cluster's own.
const PAGE_OBJECTS: usize = 1000;

/// Where they lie.
const NAMESPACE: &str = "bench";

const WORKLOAD: &str = "live difference of equal ConfigMaps";
const MANIFEST: &str = "settings.yaml";
const SPEC: &str = r#"provider "kubernetes" "site" {
  kubeconfig_path = "kubeconfig"
}

resource "kubernetes_manifest" "settings" {
  stage = "apps"
  files = ["settings.yaml"]
}
"#;

pub(super) async fn run(
    folder: &Path,
    program: &Path,
    meter: &Meter,
    table: &mut Table,
) -> Result<()> {
    let components = Components::locate()?;
    let options = UpOptions::with_this_program_as_keeper()?;
    let site_folder = folder.join("site");
    fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    println!("starting a control plane");
    let parts = [Part::ControlPlane];
    let site = Site::start(&site_folder, &components, "bench", &parts, &options).await?;
    let done = compare(&site, &components, folder, program, meter, table);
    site.destroy(Ending::Abrupt).await?;
    done
}

fn compare(
    site: &Site,
    components: &Components,
    folder: &Path,
    program: &Path,
    meter: &Meter,
    table: &mut Table,
) -> Result<()> {
    let about = || format!("cannot prepare `{}`", folder.display());
    let kubeconfig = folder.join("kubeconfig");
    fs::copy(site.kubeconfig(Identity::Admin), &kubeconfig).with_context(about)?;
    fs::write(folder.join("main.dr.hcl"), SPEC).with_context(about)?;
    fs::write(folder.join(MANIFEST), manifest()?).with_context(about)?;
    let drplan = Subject::new(program, folder);
    let kubectl = Subject {
        env: vec![("KUBECONFIG", kubeconfig.display().to_string())],
        ..Subject::new(&components.kubectl, folder)
    };
    kubectl.args(&["create", "namespace", NAMESPACE]).output()?;
    let applied = meter.once(&drplan.args(&["apply", "--auto-approve"]))?;
    table.note(format!(
        "drplan took {:.1} s to make the {OBJECTS} ConfigMaps by server-side apply and to read them back, once.",
        applied.wall_s
    ));

    let counted = |subject: &Subject| -> Result<(Vec<Cost>, Requests)> {
        let before = Requests::read(&kubectl)?;
        let costs = meter.measure(subject)?;
        let after = Requests::read(&kubectl)?;
        Ok((costs, after.since(&before)))
    };
    // With changes the exit code would be another than 0.
    let plan = drplan.args(&["plan", "--detailed-exitcode"]);
    // Under kubectl's own name: under drplan's it would want to drop the stamps.
    let diff = kubectl.args(&["diff", "--server-side", "--filename", MANIFEST]);
    let path = format!("/api/v1/namespaces/{NAMESPACE}/configmaps");
    let list = kubectl.args(&["get", "--raw", &path]);
    for (tool, subject) in [
        (OURS, plan),
        ("kubectl diff --server-side", diff),
        ("one raw LIST by kubectl", list),
    ] {
        let (costs, requests) = counted(&subject)?;
        let runs = costs.len();
        if tool == OURS {
            requests.are_one_list_for_each_of(runs)?;
        }
        table.note(format!(
            "Requests for ConfigMaps of {tool}, {runs} runs: {requests}."
        ));
        table.push(Row {
            workload: WORKLOAD.to_owned(),
            size: OBJECTS,
            tool,
            costs,
            file_bytes: None,
        });
    }
    Ok(())
}

fn manifest() -> Result<String> {
    let mut text = String::new();
    for index in 0..OBJECTS {
        write!(
            text,
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings-{index:04}\n  namespace: {NAMESPACE}\n  \
             labels:\n    app.kubernetes.io/part-of: shop\ndata:\n  index: \"{index}\"\n  \
             settings.properties: |\n    retries = 3\n    timeout = 30s\n    shard = {}\n",
            index % 16
        )?;
    }
    Ok(text)
}

/// How often the API server was asked for ConfigMaps, by verb; a dry run is named as such.
#[derive(Debug, PartialEq)]
struct Requests(BTreeMap<String, u64>);

impl Requests {
    fn read(kubectl: &Subject) -> Result<Self> {
        let text = kubectl.args(&["get", "--raw", "/metrics"]).output()?;
        Self::parse(&String::from_utf8_lossy(&text))
    }

    fn parse(metrics: &str) -> Result<Self> {
        let mut out = BTreeMap::new();
        let of_config_maps = |line: &&str| {
            line.starts_with("apiserver_request_total{") && line.contains("resource=\"configmaps\"")
        };
        for line in metrics.lines().filter(of_config_maps) {
            let label = |name: &str| {
                let (_, behind) = line.split_once(&format!("{name}=\""))?;
                behind.split('"').next()
            };
            let number = line.rsplit(' ').next();
            let count: Option<u64> = number.and_then(|number| number.parse().ok());
            let (Some(verb), Some(count)) = (label("verb"), count) else {
                anyhow::bail!("a counter of the API server is not understood: {line}");
            };
            let dry = label("dry_run").is_some_and(|value| !value.is_empty());
            let key = format!("{verb}{}", if dry { " as dry run" } else { "" });
            *out.entry(key).or_insert(0) += count;
        }
        Ok(Self(out))
    }

    /// What came on top. Watches of controllers are left out: they come and go by themselves.
    fn since(&self, before: &Self) -> Self {
        let more = |(key, count): (&String, &u64)| {
            let more = count - before.0.get(key).unwrap_or(&0);
            (more > 0 && key != "WATCH").then(|| (key.clone(), more))
        };
        Self(self.0.iter().filter_map(more).collect())
    }

    /// The objects are equal, so a list of them, page by page, must be all that is asked.
    fn are_one_list_for_each_of(&self, runs: usize) -> Result<()> {
        let pages = (OBJECTS + 1).div_ceil(PAGE_OBJECTS);
        let allowed = Self(BTreeMap::from([("LIST".to_owned(), (pages * runs) as u64)]));
        ensure!(
            *self == allowed,
            "drplan asked for more than one list of ConfigMaps ({pages} pages) in each of {runs} plans: {self}"
        );
        Ok(())
    }
}

impl std::fmt::Display for Requests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all: Vec<String> = self
            .0
            .iter()
            .map(|(key, count)| format!("{count} {key}"))
            .collect();
        f.write_str(&all.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(list: u64, dry: u64) -> Requests {
        let line = |verb: &str, dry: &str, resource: &str, count: u64| {
            format!(
                "apiserver_request_total{{code=\"200\",dry_run=\"{dry}\",group=\"\",resource=\"{resource}\",verb=\"{verb}\"}} {count}\n"
            )
        };
        let text = [
            line("LIST", "", "configmaps", list),
            line("APPLY", "All", "configmaps", dry),
            line("WATCH", "", "configmaps", list),
            line("LIST", "", "secrets", 7),
        ];
        Requests::parse(&text.concat()).unwrap()
    }

    #[test]
    fn one_list_in_pages_is_all_that_equal_objects_may_cost() {
        let before = requests(3, 2);
        // 5,000 objects and the cluster's own, 1,000 on a page, twice.
        let lists = 3 + 2 * 6;
        let same = requests(lists, 2).since(&before);
        assert!(same.are_one_list_for_each_of(2).is_ok());
        let longer = requests(lists + 1, 2).since(&before);
        assert!(longer.are_one_list_for_each_of(2).is_err());
        let more = requests(lists, 3).since(&before);
        let error = more.are_one_list_for_each_of(2).unwrap_err().to_string();
        assert!(error.ends_with("1 APPLY as dry run, 12 LIST"), "{error}");
    }
}
