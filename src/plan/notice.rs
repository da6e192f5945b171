//! What must be said of a plan before anything else is: that it is no plan to act on as it stands.

use std::fmt::Write as _;

use drplan_api::Address;

use super::step::Plan;

/// How many addresses a notice names.
const NAMED_MAX: usize = 5;

/// The first few of a list of addresses, and how many there are beside them.
pub(crate) fn some<'a>(
    addresses: impl ExactSizeIterator<Item = &'a Address>,
    named_max: usize,
) -> String {
    let more = addresses.len().saturating_sub(named_max);
    let named: Vec<&str> = addresses.take(named_max).map(Address::as_str).collect();
    let named = named.join(", ");
    match more {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

impl Plan {
    /// Whether it plans a disaster that has not happened; such a plan is never applied.
    pub fn is_hypothetical(&self) -> bool {
        self.head.hypothesis.is_some()
    }

    /// What every form of the plan says in its first line.
    pub fn notices(&self) -> Vec<String> {
        self.hypothetical().into_iter().chain(self.part()).collect()
    }

    /// Whether something that the whole recovery needs is not in it.
    pub fn is_part(&self) -> bool {
        let partial = self.head.partial.as_ref();
        partial.is_some_and(|p| !p.left_out.is_empty() || !p.held.is_empty())
    }

    fn part(&self) -> Option<String> {
        let partial = self.head.partial.as_ref()?;
        let (left_out, held) = (partial.left_out.len(), partial.held.len());
        if left_out + held == 0 {
            return None;
        }
        let kept = partial.of - left_out - held;
        let mut text = format!(
            "PARTIAL: {kept} of {} steps. This is NOT a whole recovery.",
            partial.of
        );
        if left_out > 0 {
            let _ = write!(
                text,
                " Left out: {}.",
                some(partial.left_out.iter(), NAMED_MAX)
            );
        }
        if let Some(stage) = partial.stop_before.filter(|_| held > 0) {
            let stage = stage.as_str();
            let _ = write!(
                text,
                " Held before `{stage}`: {}.",
                some(partial.held.iter(), NAMED_MAX)
            );
        }
        Some(text)
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
