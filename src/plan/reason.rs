//! Why one step of a plan waits for another, said with the names of the steps.

use super::step::Plan;
use super::step::PlanEdge;
use crate::graph::EdgeWhy;
use crate::graph::sentence;

impl Plan {
    /// Says why an edge exists, as a fragment. Cost: linear in the edges; for single answers.
    pub fn reason(&self, edge: &PlanEdge) -> String {
        match edge.why {
            EdgeWhy::Guard => self.guarding(edge).unwrap_or_else(|| sentence(&edge.why)),
            _ => sentence(&edge.why),
        }
    }

    /// Which guard it is that an edge is there for, and what it guards.
    fn guarding(&self, edge: &PlanEdge) -> Option<String> {
        let (before, after) = (&self.steps[edge.before], &self.steps[edge.after]);
        if before.guards.contains(&after.address) {
            return Some(format!("`{}` guards `{}`", before.address, after.address));
        }
        if let Some(both) = before.guards.iter().find(|g| after.guards.contains(g)) {
            return Some(format!("both guard `{both}`, and questions come first"));
        }
        let guarded = self.edges.iter().find_map(|other| {
            let guarded = &self.steps[other.after].address;
            let found = other.before == edge.before && after.guards.contains(guarded);
            found.then_some(guarded)
        })?;
        Some(format!(
            "`{}` guards `{guarded}`, which waits for `{}`",
            after.address, before.address
        ))
    }
}
