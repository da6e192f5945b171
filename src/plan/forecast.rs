//! How long a plan will take, as far as anybody knows: per step, on the critical path, and what would
//! shorten it most. Pure.

use drplan_api::Address;
use serde::Deserialize;
use serde::Serialize;

use super::history::History;
use super::step::Do;
use super::step::Plan;
use super::step::Step;

/// Of how many of the longest steps on the critical path it is tried what they cost.
const TRIED_MAX: usize = 8;

/// How long a step will take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// In half of all cases at most this, in milliseconds.
    pub p50_ms: u64,
    /// In nine of ten cases at most this, in milliseconds.
    pub p90_ms: u64,
    /// Who says so.
    pub from: From,
}

/// Where an expected time comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// The spec.
    Declared,
    /// So many earlier runs.
    Runs(usize),
}

/// How long a plan will take if every step that could run does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// The whole, in half of all cases; without the steps that have no time.
    pub p50_ms: u64,
    /// The same with each step as slow as in one of ten cases.
    pub p90_ms: u64,
    /// The steps that have something to do, in the order of the path that takes longest.
    pub critical_path: Vec<Address>,
    /// The steps that have something to do and no time. With any, the whole is only a lower bound.
    pub unknown: Vec<Address>,
    /// The questions that people answer in their own time; none of it is counted, unless it is declared.
    pub questions: Vec<Address>,
    /// How many steps have something to do, questions left out.
    pub of: usize,
    /// The step that would save most if it took no time.
    pub shorten: Option<Saving>,
}

/// What would be saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saving {
    /// The step.
    pub address: Address,
    /// How much earlier the whole would end, in milliseconds.
    pub saves_ms: u64,
}

impl Forecast {
    /// Whether every step has a time.
    pub fn is_whole(&self) -> bool {
        self.unknown.is_empty()
    }
}

/// What a step takes by the spec or by earlier runs.
pub(super) fn expected(
    step: &Step,
    declared_ms: Option<u64>,
    history: &History,
) -> Option<Expected> {
    if let Some(ms) = declared_ms {
        return Some(Expected {
            p50_ms: ms,
            p90_ms: ms,
            from: From::Declared,
        });
    }
    let (p50_ms, p90_ms, runs) = history.times(&step.address, step.action()?)?;
    Some(Expected {
        p50_ms,
        p90_ms,
        from: From::Runs(runs),
    })
}

/// Foretells a plan; `None` if nothing is left to do. Cost: linear in steps and edges.
pub(super) fn forecast(plan: &Plan) -> Option<Forecast> {
    let acts: Vec<usize> = (0..plan.steps.len())
        .filter(|&i| plan.steps[i].is_action())
        .collect();
    if acts.is_empty() {
        return None;
    }
    let before = plan.before();
    let paths = Paths {
        plan,
        before: &before,
    };
    let p50 = paths.longest(|e| e.p50_ms, None);
    let p90 = paths.longest(|e| e.p90_ms, None);
    let critical_path = paths.critical(&p50);
    let total = p50.total();
    let mut longest: Vec<usize> = critical_path.clone();
    longest.sort_by_key(|&i| std::cmp::Reverse(time(&plan.steps[i]).map_or(0, |e| e.p50_ms)));
    let savings = longest.iter().take(TRIED_MAX).map(|&i| Saving {
        address: plan.steps[i].address.clone(),
        saves_ms: total.saturating_sub(paths.longest(|e| e.p50_ms, Some(i)).total()),
    });
    // Of equal ones the first, which is the longest.
    let most = savings.reduce(|a, b| if b.saves_ms > a.saves_ms { b } else { a });
    let address = |&i: &usize| plan.steps[i].address.clone();
    let unknown = acts.iter().filter(|&&i| has_no_time(&plan.steps[i]));
    let (questions, others): (Vec<usize>, Vec<usize>) = acts
        .iter()
        .partition(|&&i| is_open_question(&plan.steps[i]));
    Some(Forecast {
        p50_ms: total,
        p90_ms: p90.total(),
        critical_path: critical_path.iter().map(address).collect(),
        unknown: unknown.map(address).collect(),
        questions: questions.iter().map(address).collect(),
        of: others.len(),
        shorten: most.filter(|saving| saving.saves_ms > 0),
    })
}

/// The time of a step that can run.
fn time(step: &Step) -> Option<&Expected> {
    match step.what {
        Do::Conflict | Do::Blocked { .. } => None,
        _ => step.expected.as_ref(),
    }
}

/// Whether a person is waited for, nobody knows how long.
fn is_open_question(step: &Step) -> bool {
    matches!(step.what, Do::Gate { .. }) && step.expected.is_none()
}

/// Whether a step has something to do and nobody knows how long that takes.
fn has_no_time(step: &Step) -> bool {
    step.is_action() && time(step).is_none() && !is_open_question(step)
}

struct Paths<'p> {
    plan: &'p Plan,
    before: &'p [Vec<usize>],
}

/// When each step ends at the earliest, and how many steps without a time come before; the latter only
/// decides where the times are equal.
struct Ends(Vec<(u64, usize)>);

impl Ends {
    fn total(&self) -> u64 {
        self.0.iter().map(|(ms, _)| *ms).max().unwrap_or_default()
    }
}

impl Paths<'_> {
    /// Steps stand in topological order, so one pass is enough. `skipped` takes no time.
    fn longest(&self, of: impl Fn(&Expected) -> u64, skipped: Option<usize>) -> Ends {
        let mut ends: Vec<(u64, usize)> = Vec::with_capacity(self.plan.steps.len());
        for (i, step) in self.plan.steps.iter().enumerate() {
            let starts = self.before[i].iter().map(|&b| ends[b]).max();
            let (ms, unknown) = starts.unwrap_or_default();
            ends.push(match time(step).filter(|_| step.is_action()) {
                Some(time) if skipped != Some(i) => (ms.saturating_add(of(time)), unknown),
                Some(_) => (ms, unknown),
                None => (ms, unknown + usize::from(has_no_time(step))),
            });
        }
        Ends(ends)
    }

    /// The steps with something to do on the path that ends last.
    fn critical(&self, ends: &Ends) -> Vec<usize> {
        let last = |among: &mut dyn Iterator<Item = usize>| among.max_by_key(|&i| (ends.0[i], i));
        let mut at = last(&mut (0..self.plan.steps.len()));
        let mut path = Vec::new();
        while let Some(i) = at {
            if self.plan.steps[i].is_action() {
                path.push(i);
            }
            at = last(&mut self.before[i].iter().copied());
        }
        path.reverse();
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::memory::Case;

    const SPEC: &str = r#"
resource "thing" "short" {
  value    = 1
  expected = "2m"
}
resource "thing" "long" {
  value    = 1
  expected = "10m"
}
resource "thing" "last" {
  value      = 1
  expected   = "1m"
  depends_on = [thing.short, thing.long]
}
"#;

    #[tokio::test]
    async fn the_longest_way_counts_and_a_saving_ends_where_another_way_is_longer() {
        let plan = Case::new(SPEC).plan().await;
        let forecast = plan.forecast.expect("something to do");
        assert_eq!(forecast.p50_ms, 11 * 60_000);
        let path: Vec<&str> = forecast.critical_path.iter().map(Address::as_str).collect();
        assert_eq!(path, ["thing.long", "thing.last"]);
        let saving = forecast.shorten.expect("a saving");
        assert_eq!(saving.address.as_str(), "thing.long");
        assert_eq!(saving.saves_ms, 8 * 60_000, "the short way takes 3m");
    }

    #[tokio::test]
    async fn a_step_without_a_time_makes_the_whole_unknown_and_is_named() {
        let spec = SPEC.replace("  expected = \"10m\"\n", "");
        let forecast = Case::new(&spec).plan().await.forecast.expect("a forecast");
        assert!(!forecast.is_whole());
        assert_eq!(forecast.unknown.len(), 1);
        assert_eq!(forecast.unknown[0].as_str(), "thing.long");
        assert_eq!(forecast.p50_ms, 3 * 60_000, "at least what is known");
    }
}
