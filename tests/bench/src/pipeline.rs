//! The pipeline of `drplan plan --out`, phase by phase, over a registry of the caller's.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use anyhow::bail;
use drplan::diag::Diagnostics;
use drplan::graph::Situation;
use drplan::graph::SpecFiles;
use drplan::observe::Observer;
use drplan::plan::Options;
use drplan::plan::Plan;
use drplan::plan::Voucher;
use drplan::render::style::Style;
use drplan::secrets::Secrets;
use drplan::spec;
use drplan_api::Doors;
use drplan_api::Registry;
use drplan_api::Timestamp;

/// Where the kernel says how much memory this process has held at most.
const STATUS: &str = "/proc/self/status";

/// Named spans of time in the order in which they were spent.
pub(crate) struct Phases {
    since: Instant,
    /// All that have ended.
    pub(crate) ended: Vec<Phase>,
}

/// One span of time.
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    pub(crate) ms: f64,
    /// The most memory up to its end, in KiB; `None` where nobody says.
    pub(crate) peak_kib: Option<u64>,
}

impl Phases {
    pub(crate) fn start() -> Self {
        Self {
            since: Instant::now(),
            ended: Vec::new(),
        }
    }

    pub(crate) fn end(&mut self, name: &'static str) {
        self.ended.push(Phase {
            name,
            ms: self.since.elapsed().as_secs_f64() * 1e3,
            peak_kib: peak_kib(),
        });
        self.since = Instant::now();
    }
}

fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string(STATUS).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Plans the spec in `folder`, writes the plan file and returns plan and summary.
pub(crate) async fn plan(
    folder: &Path,
    registry: Registry,
    out: &Path,
    phases: &mut Phases,
) -> Result<(Plan, String)> {
    let source = spec::Source::load(folder)?;
    phases.end("load");
    let (module, diags) = spec::parse(&source);
    sound(diags)?;
    phases.end("parse");
    sound(spec::check(&module, &registry))?;
    let (bound, diags) = spec::bind(&module, &source, &spec::GivenVariables::default());
    sound(diags)?;
    phases.end("check");
    let registry = Arc::new(registry);
    let observer = Observer::new(
        Arc::clone(&registry),
        folder.to_owned(),
        Doors::local(),
        Arc::new(Secrets::new(folder, BTreeMap::new())),
    );
    let files = SpecFiles::new(folder);
    let none = BTreeSet::new();
    let situation = Situation {
        module: &module,
        registry: &registry,
        bound: &bound,
        files: &files,
        lost: &none,
        assumed: &none,
        accept: &none,
        redo: &none,
        points: &BTreeMap::new(),
        observed_at: Timestamp::now(),
        incident_at: None,
        offline: false,
    };
    let seen = drplan::observe::observe(&situation, &observer, &mut |_, _| {}).await;
    let (expanded, facts) = seen.map_err(told)?;
    phases.end("expand and read");
    let graph = drplan::graph::build(&module, *expanded).map_err(told)?;
    phases.end("graph");
    let options = Options {
        observed_at: situation.observed_at,
        spec: source.digests(),
        files: files.digests(),
        ..Options::default()
    };
    let plan = drplan::plan::plan(&module, &registry, graph, &facts, &source.sources, &options);
    let plan = plan.map_err(told)?;
    phases.end("plan");
    let broken = drplan::plan::check(&plan);
    if !broken.is_empty() {
        bail!("the plan breaks rules: {}", broken.join("; "));
    }
    phases.end("check of the plan");
    drplan::plan::write(&plan, Voucher::Nobody, out)?;
    phases.end("plan file");
    let summary = drplan::render::plan::summary(&plan, Style::PLAIN);
    phases.end("summary");
    Ok((plan, summary))
}

fn sound(diags: Diagnostics) -> Result<()> {
    if diags.has_errors() {
        Err(told(diags))
    } else {
        Ok(())
    }
}

fn told(diags: Diagnostics) -> anyhow::Error {
    let all: Vec<String> = diags.iter().map(|d| d.message.clone()).collect();
    anyhow::anyhow!("{}", all.join("; "))
}
