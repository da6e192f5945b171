//! What must be said of a plan before anything else is: that it is no plan to act on as it stands.

use super::step::Plan;

impl Plan {
    /// Whether it plans a disaster that has not happened; such a plan is never applied.
    pub fn is_hypothetical(&self) -> bool {
        self.head.hypothesis.is_some()
    }

    /// What every form of the plan says in its first line.
    pub fn notices(&self) -> Vec<String> {
        self.hypothetical().into_iter().collect()
    }

    fn hypothetical(&self) -> Option<String> {
        let hypothesis = self.head.hypothesis.as_ref()?;
        let domains = hypothesis.assumed.join(", ");
        Some(match &hypothesis.scenario {
            Some(name) => format!(
                "HYPOTHETICAL: scenario `{name}` assumes {domains} lost. It cannot be applied."
            ),
            None => format!("HYPOTHETICAL: it assumes {domains} lost. It cannot be applied."),
        })
    }
}
