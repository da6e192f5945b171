//! All that is known about one step, in lines that each form draws in its own way.

use std::collections::BTreeMap;

use drplan_api::Address;
use drplan_api::Change;
use drplan_api::HazardLevel;
use drplan_api::Json;
use drplan_api::Stage;

use crate::graph::EdgeWhy;
use crate::graph::sentence;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Step;
use crate::plan::Sure;

/// How many lines of one text diff are shown.
const DIFF_LINES_MAX: usize = 200;

/// One line of a step, or a diff.
pub(super) enum Line {
    /// Something about the step.
    Fact(String),
    /// Something that changes, or one of many objects.
    Value(String),
    /// A unified text diff of what the line before names.
    Diff(String),
    /// A request or a command behind what it is for; of less weight.
    Command(&'static str, String),
    /// A warning.
    Warning(String),
}

/// What is needed to tell of every step.
pub(super) struct Details<'p> {
    plan: &'p Plan,
    before: Vec<Vec<usize>>,
    /// The first reason of each pair of which one waits for the other.
    whys: BTreeMap<(usize, usize), &'p EdgeWhy>,
}

impl<'p> Details<'p> {
    pub(super) fn of(plan: &'p Plan) -> Self {
        let edges = plan.edges.iter().rev();
        Self {
            plan,
            before: plan.before(),
            whys: edges.map(|e| ((e.before, e.after), &e.why)).collect(),
        }
    }

    /// What is known of a step beyond what is said of it in one line.
    pub(super) fn lines(&self, i: usize) -> Vec<Line> {
        let step = &self.plan.steps[i];
        let mut out = facts(step);
        let waits = self.waits(i);
        if !waits.is_empty() && step.what != Do::Nothing {
            out.push(Line::Fact(format!("after {}", waits.join(", "))));
        }
        out.extend(super::time::of_step(step).map(Line::Fact));
        out.extend(step.diff.iter().flat_map(changed));
        let objects = step.breakdown.iter().flat_map(|b| &b.objects);
        for object in objects {
            let line = format!("{:<14} {}  {}", object.class, object.name, object.note);
            out.push(Line::Value(line.trim_end().to_owned()));
            out.extend(object.diff.clone().map(Line::Diff));
        }
        if let Do::Act { effects, .. } = &step.what {
            let request = |e: &drplan_api::Effect| format!("{} {}", e.verb, e.object);
            let writes = effects.iter().map(request);
            out.extend(writes.map(|request| Line::Command("writes", request)));
        }
        if step.hazard.level != HazardLevel::None && step.is_action() {
            out.push(Line::Fact(format!("undo: {}", step.hazard.text)));
        }
        out.extend(step.warnings.iter().cloned().map(Line::Warning));
        if step.is_action() {
            let by_hand = step.manual.iter().cloned();
            out.extend(by_hand.map(|command| Line::Command("by hand", command)));
        }
        out
    }

    fn waits(&self, i: usize) -> Vec<String> {
        let before = self.before[i].iter();
        let wait = |&b: &usize| {
            let why = match self.whys.get(&(b, i)) {
                Some(
                    why @ (EdgeWhy::Needs { .. } | EdgeWhy::Provider { .. } | EdgeWhy::Ends { .. }),
                ) => {
                    format!(" ({})", sentence(why))
                }
                _ => String::new(),
            };
            format!("{}{why}", self.plan.steps[b].address)
        };
        before.map(wait).collect()
    }
}

/// Where a step stands: among the others, and in the spec.
pub(super) fn place(step: &Step) -> Vec<String> {
    let stage = step.stage.map_or("-", Stage::as_str);
    let order = format!("stage {stage}, wave {}", step.wave);
    let at = step.at.as_ref();
    let at = at.map(|w| format!("{}:{}", w.file, w.line));
    std::iter::once(order).chain(at).collect()
}

fn facts(step: &Step) -> Vec<Line> {
    let mut out = Vec::new();
    if step.breakdown.is_some() && !step.because.is_empty() {
        out.push(Line::Fact(format!("because {}", step.because)));
    }
    match &step.sure {
        Sure::Exact => {}
        Sure::Approximate { by } => out.push(Line::Fact(format!(
            "approximate: planned against an empty target, which {} will make",
            list(by)
        ))),
        Sure::Unknown { until } if until.is_empty() => {}
        Sure::Unknown { until } => {
            out.push(Line::Fact(format!("decided after {}", list(until))));
        }
    }
    out
}

fn list(addresses: &[Address]) -> String {
    let names = addresses.iter().map(|a| format!("`{a}`"));
    names.collect::<Vec<_>>().join(", ")
}

fn changed(change: &Change) -> Vec<Line> {
    if change.sensitive {
        return vec![Line::Value(format!("{}: (secret, differs)", change.path))];
    }
    if let Some(text) = &change.text {
        return vec![Line::Value(change.path.clone()), Line::Diff(text.clone())];
    }
    vec![Line::Value(format!(
        "{}: {} → {}",
        change.path,
        side(change.before.as_ref()),
        side(change.after.as_ref())
    ))]
}

fn side(value: Option<&Json>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(json) if drplan_api::is_hole(json).is_some() => "(known after its step)".to_owned(),
        Some(Json::String(text)) => text.clone(),
        Some(Json::Array(items)) if items.iter().all(Json::is_string) => items
            .iter()
            .filter_map(Json::as_str)
            .collect::<Vec<_>>()
            .join(", "),
        Some(json) => json.to_string(),
    }
}

/// The beginning of a text diff, with how much is missing.
pub(super) fn bounded(diff: &str, bytes_max: usize) -> String {
    let mut out = String::new();
    let mut lines = diff.lines();
    for line in lines.by_ref().take(DIFF_LINES_MAX) {
        if out.len() + line.len() > bytes_max {
            // The line itself is missing too.
            return format!("{out}… {} more lines", lines.count() + 1);
        }
        out.push_str(line);
        out.push('\n');
    }
    match lines.count() {
        0 => out,
        more => format!("{out}… {more} more lines"),
    }
}
