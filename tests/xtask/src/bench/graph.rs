//! Graphs of some shapes: plan and plan file when nothing exists, and again when everything does.
//!
//! Both sides get the same graph and must come to the same decisions before their times count.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use serde_json::Value;

use super::measure::Meter;
use super::measure::Subject;
use super::table::OURS;
use super::table::Row;
use super::table::Table;

const PEER: &str = "OpenTofu";
const PLAN: &str = "nothing exists";
const NO_OP: &str = "everything exists";

/// How many resources either side works on at once.
const PARALLELISM: usize = 10;

/// What is measured, with what.
pub(super) struct Workload {
    /// A folder that may be filled.
    pub(super) folder: PathBuf,
    /// The program of the package `drplan-bench`.
    pub(super) program: PathBuf,
    /// OpenTofu.
    pub(super) peer: PathBuf,
    /// Which graphs, and how many resources each has.
    pub(super) graphs: Vec<(Shape, usize)>,
    /// Beyond this OpenTofu is left out.
    pub(super) peer_size_max: usize,
}

/// How the resources hang together, as the package `drplan-bench` calls it.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// Twenty layers, three parents each.
    Layered,
    /// One behind the other.
    Chain,
    /// One block, many keys.
    ForEach,
}

impl Shape {
    fn word(self) -> &'static str {
        match self {
            Self::Layered => "layered",
            Self::Chain => "chain",
            Self::ForEach => "for-each",
        }
    }
}

impl Workload {
    pub(super) fn run(&self, meter: &Meter, table: &mut Table) -> Result<()> {
        for (shape, size) in &self.graphs {
            let folder = self.folder.join(format!("{}-{size}", shape.word()));
            fs::create_dir_all(&folder)
                .with_context(|| format!("cannot make `{}`", folder.display()))?;
            self.generate(*shape, *size, &folder)?;
            let mut lane = Lane {
                work: self,
                meter,
                table,
                shape: shape.word(),
                size: *size,
            };
            let ours = lane.ours(&folder)?;
            if *size > self.peer_size_max {
                let shape = shape.word();
                table.note(format!("{PEER} was not measured with {shape} × {size}."));
                continue;
            }
            let theirs = lane.theirs(&folder.join("peer"))?;
            for (what, ours, theirs) in [(PLAN, &ours.0, &theirs.0), (NO_OP, &ours.1, &theirs.1)] {
                ensure!(
                    ours == theirs,
                    "{what}: drplan and OpenTofu do not decide the same about {} × {size}",
                    shape.word()
                );
            }
        }
        Ok(())
    }

    fn generate(&self, shape: Shape, size: usize, folder: &Path) -> Result<()> {
        let size = size.to_string();
        let shape = ["generate", "--shape", shape.word(), "--size", &size];
        let files = ["--spec", "spec", "--peer", "peer", "--world", "world.json"];
        let program = Subject::new(&self.program, folder);
        program.args(&[&shape[..], &files].concat()).output()?;
        Ok(())
    }
}

/// One graph on its way through both tools.
struct Lane<'a> {
    work: &'a Workload,
    meter: &'a Meter,
    table: &'a mut Table,
    shape: &'static str,
    size: usize,
}

impl Lane<'_> {
    fn push(
        &mut self,
        what: &str,
        tool: &'static str,
        costs: Vec<super::measure::Cost>,
        file: &Path,
    ) -> Result<()> {
        let about = || format!("{tool} wrote no `{}`", file.display());
        self.table.push(Row {
            workload: format!("plan and plan file, {}, {what}", self.shape),
            size: self.size,
            tool,
            costs,
            file_bytes: Some(fs::metadata(file).with_context(about)?.len()),
        });
        Ok(())
    }

    fn ours(&mut self, folder: &Path) -> Result<(Decided, Decided)> {
        let program = Subject::new(&self.work.program, folder);
        let mut decide = |what: &str, action: &str, world: &[&str]| {
            let args = [&["plan", "--spec", "spec", "--out", "plan.json"], world].concat();
            let file = folder.join("plan.json");
            let costs = self.meter.measure(&program.args(&args))?;
            self.push(what, OURS, costs, &file)?;
            let text = fs::read_to_string(&file).context("the plan file is gone")?;
            let plan = serde_json::from_str(text.lines().next().unwrap_or_default())?;
            let decided = of_drplan(&plan);
            ensure!(
                decided.len() == self.size && decided.values().all(|node| node.action == action),
                "{what}: drplan does not plan to {action} all {} resources",
                self.size
            );
            Ok(decided)
        };
        Ok((
            decide(PLAN, "create", &[])?,
            decide(NO_OP, "no-op", &["--world", "world.json"])?,
        ))
    }

    fn theirs(&mut self, folder: &Path) -> Result<(Decided, Decided)> {
        let settings = folder.join("empty.tfrc");
        fs::write(&settings, "").context("cannot write OpenTofu's settings")?;
        let tofu = Subject {
            env: vec![
                ("TF_CLI_CONFIG_FILE", settings.display().to_string()),
                ("TF_IN_AUTOMATION", "1".to_owned()),
                ("CHECKPOINT_DISABLE", "1".to_owned()),
            ],
            ..Subject::new(&self.work.peer, folder)
        };
        let file = folder.join("plan.bin");
        let parallelism = format!("-parallelism={PARALLELISM}");
        let common = ["-input=false", "-no-color"];
        let run = |head: &[&str], tail: &[&str]| tofu.args(&[head, &common[..], tail].concat());
        run(&["init"], &[]).output()?;
        let plan = run(&["plan"], &[&parallelism, "-out=plan.bin"]);
        let shown = || -> Result<Decided> {
            let json = tofu.args(&["show", "-json", "plan.bin"]).output()?;
            Ok(of_peer(&serde_json::from_slice(&json)?))
        };

        self.push(PLAN, PEER, self.meter.measure(&plan)?, &file)?;
        let first = shown()?;
        let apply = self
            .meter
            .once(&run(&["apply"], &[&parallelism, "plan.bin"]))?;
        self.table.note(format!(
            "{PEER} took {:.1} s to apply its plan of {} × {}, once, so that all of them exist.",
            apply.wall_s, self.shape, self.size
        ));
        self.push(NO_OP, PEER, self.meter.measure(&plan)?, &file)?;
        Ok((first, shown()?))
    }
}

/// What a plan says about each node, by its name.
type Decided = BTreeMap<String, Decision>;

#[derive(Debug, Default, PartialEq)]
struct Decision {
    action: String,
    parents: BTreeSet<String>,
    /// How many of its inputs are not known before others are made.
    unknown: usize,
}

fn of_drplan(plan: &Value) -> Decided {
    let steps = list(&plan["steps"]);
    let name = |step: &Value| {
        let address = text(&step["address"]).split_once('.');
        address.map(|(_, name)| name.to_owned())
    };
    let names: Vec<String> = steps
        .iter()
        .map(|step| name(step).unwrap_or_default())
        .collect();
    let mut out = Decided::new();
    for (step, name) in steps.iter().zip(&names) {
        let action = match text(&step["what"]["do"]) {
            "act" => text(&step["what"]["action"]),
            "nothing" => "no-op",
            other => other,
        };
        let inputs = list(&step["want"]["args"]["inputs"]);
        let decision = Decision {
            action: action.to_owned(),
            parents: BTreeSet::new(),
            unknown: inputs
                .iter()
                .filter(|input| input["$hole"].is_object())
                .count(),
        };
        out.insert(name.clone(), decision);
    }
    for edge in list(&plan["edges"]) {
        let end = |key: &str| {
            let index = usize::try_from(edge[key].as_u64()?).ok()?;
            names.get(index)
        };
        if let (Some(before), Some(after)) = (end("before"), end("after"))
            && let Some(node) = out.get_mut(after)
        {
            node.parents.insert(before.clone());
        }
    }
    out
}

fn of_peer(plan: &Value) -> Decided {
    let mut out = Decided::new();
    for resource in list(&plan["resource_changes"]) {
        let change = &resource["change"];
        let actions: Vec<&str> = list(&change["actions"]).iter().map(text).collect();
        let unknown = list(&change["after_unknown"]["input"]).iter();
        let decision = Decision {
            action: actions.join(","),
            parents: BTreeSet::new(),
            unknown: unknown.filter(|input| **input == Value::Bool(true)).count(),
        };
        let mut name = text(&resource["name"]).to_owned();
        if let Some(key) = resource["index"].as_str() {
            name.extend(["[\"", key, "\"]"]);
        }
        out.insert(name, decision);
    }
    for resource in list(&plan["configuration"]["root_module"]["resources"]) {
        let Some(node) = out.get_mut(text(&resource["name"])) else {
            continue;
        };
        for reference in list(&resource["expressions"]["input"]["references"]) {
            let parent = text(reference).strip_prefix("terraform_data.");
            let parent = parent.and_then(|parent| parent.split('.').next());
            node.parents.extend(parent.map(str::to_owned));
        }
    }
    out
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equal_decisions_are_seen_as_equal_in_both_plans() {
        let ours = of_drplan(&json!({
            "steps": [
                { "address": "bench_node.a", "what": { "do": "nothing" } },
                {
                    "address": "bench_node.b",
                    "what": { "do": "act", "action": "create" },
                    "want": { "args": { "inputs": ["known", { "$hole": { "expr": 0 } }] } },
                },
                { "address": "bench_node.each[\"k\"]", "what": { "do": "act", "action": "create" } },
            ],
            "edges": [{ "before": 0, "after": 1 }],
        }));
        let theirs = of_peer(&json!({
            "resource_changes": [
                { "name": "a", "change": { "actions": ["no-op"], "after_unknown": {} } },
                {
                    "name": "b",
                    "change": { "actions": ["create"], "after_unknown": { "input": [false, true] } },
                },
                {
                    "name": "each", "index": "k",
                    "change": { "actions": ["create"], "after_unknown": {} },
                },
            ],
            "configuration": { "root_module": { "resources": [{
                "name": "b",
                "expressions": { "input": { "references": ["terraform_data.a.id", "terraform_data.a"] } },
            }] } },
        }));
        assert_eq!(ours, theirs);
        assert_eq!(ours["b"].unknown, 1);
    }
}
