//! The rows, and how each is judged.

use std::collections::BTreeSet;

use drplan::apply::Outcome;
use drplan::report::Exit;
use drplan_api::Address;

use super::change::Change;
use super::life;
use super::life::Lived;

/// What waits for the step, and what does not.
pub(super) const BEHIND: &str = "command.behind";
pub(super) const BESIDE: &str = "command.beside";

/// The rows of one kind.
pub(super) struct Table {
    /// The kind.
    pub(super) kind: &'static str,
    /// The step that the rows are about.
    pub(super) step: &'static str,
    /// The spec without its connections.
    pub(super) spec: &'static str,
    /// Whether the spec was applied before.
    pub(super) applied: bool,
    /// The rows.
    pub(super) rows: Vec<Row>,
    /// Why there are fewer than three of one sort.
    pub(super) fewer_because: Option<&'static str>,
}

/// A change of the world, and what it means for the plan.
#[derive(Clone)]
pub(super) struct Row {
    /// What happens, as a sentence.
    pub(super) what: &'static str,
    /// What is different before the plan is made.
    pub(super) before: Vec<Change>,
    /// What happens then.
    pub(super) change: Vec<Change>,
    /// What apply makes of it.
    pub(super) then: Then,
}

/// What apply makes of a change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// The step is refused and says this.
    Stale(&'static str),
    /// It cannot be read, fails when its turn comes, and says this.
    Fails(&'static str),
    /// Nothing is refused.
    Goes,
}

impl Row {
    /// Whether the step does not get its way: it is refused, or fails when its turn comes.
    pub(super) fn is_stopped(&self) -> bool {
        self.then != Then::Goes
    }
}

/// A row where nothing is different before the plan.
pub(super) fn row(what: &'static str, change: Vec<Change>, then: Then) -> Row {
    Row {
        what,
        before: Vec::new(),
        change,
        then,
    }
}

/// A row of a world that was different already when the plan was made.
pub(super) fn after(
    before: Vec<Change>,
    what: &'static str,
    change: Vec<Change>,
    then: Then,
) -> Row {
    Row {
        what,
        before,
        change,
        then,
    }
}

/// One life.
pub(super) struct Cell {
    kind: &'static str,
    step: Address,
    spec: String,
    applied: bool,
    row: Row,
}

impl Table {
    /// Another table of the same kind, without rows.
    pub(super) fn again(&self) -> Self {
        Self {
            kind: self.kind,
            step: self.step,
            spec: self.spec,
            applied: self.applied,
            rows: Vec::new(),
            fewer_because: self.fewer_because,
        }
    }

    /// The lives of all rows. Those that stop the step are lived without the change too, or they would prove nothing.
    pub(super) fn cells(self) -> Vec<Cell> {
        let spec = format!("{}{}", self.spec, neighbours(self.step));
        let cell = |row: Row| Cell {
            kind: self.kind,
            step: Address::new(self.step),
            spec: spec.clone(),
            applied: self.applied,
            row,
        };
        let mut tried = BTreeSet::new();
        let mut control = |row: &Row| {
            let is_new = row.is_stopped() && tried.insert(format!("{:?}", row.before));
            is_new.then(|| Row {
                what: "nothing changes",
                change: Vec::new(),
                then: Then::Goes,
                ..row.clone()
            })
        };
        let rows = self.rows.iter();
        rows.flat_map(|row| [Some(row.clone()), control(row)])
            .flatten()
            .map(cell)
            .collect()
    }
}

fn neighbours(step: &str) -> String {
    let one = |name: &str, more: &str| {
        format!(
            "\nresource \"command\" \"{name}\" {{\n  stage = \"verify\"\n  check = [\"bin/note\", \"is\", \"{name}\"]\n  \
             apply = [\"bin/note\", \"make\", \"{name}\"]\n{more}}}\n"
        )
    };
    let waits = format!("  depends_on = [{step}]\n");
    one("behind", &waits) + &one("beside", "")
}

impl Cell {
    pub(super) fn is_stopped(&self) -> bool {
        self.row.is_stopped()
    }

    /// Lives it, and says what is wrong.
    pub(super) fn live(&self) -> Vec<String> {
        let (row, name) = (&self.row, format!("{}: {}", self.kind, self.row.what));
        let lived = life::live(&self.spec, self.applied, &row.before, &row.change);
        let lived = match lived {
            Ok(lived) => lived,
            Err(error) => return vec![format!("{name}: {error:#}")],
        };
        let wrong = self.judge(&lived);
        let all = lived.told();
        wrong
            .into_iter()
            .map(|wrong| format!("{name}: {wrong}\n    {all}"))
            .collect()
    }

    fn judge(&self, lived: &Lived) -> Vec<String> {
        let mut out = Vec::new();
        let mut demand = |holds: bool, what: String| {
            if !holds {
                out.push(what);
            }
        };
        let outcome = |address: &str| lived.outcomes.get(&Address::new(address));
        let step = lived.outcomes.get(&self.step);
        let begun = lived.begun.contains(&self.step);
        let (exit, because) = match (self.row.then, step) {
            (Then::Stale(says), Some(Outcome::Moved { because })) => {
                (Exit::Stale, Some((says, because)))
            }
            (Then::Fails(says), Some(Outcome::Failed { because })) => {
                (Exit::Partial, Some((says, because)))
            }
            (Then::Goes, _) => (Exit::Ok, None),
            _ => {
                demand(false, format!("the step ended {step:?}"));
                return out;
            }
        };
        demand(
            lived.exit == exit,
            format!("the exit code is {}", lived.exit.code()),
        );
        if let Some((says, because)) = because {
            demand(
                !says.is_empty() && because.contains(says),
                format!("it says `{because}`, not `{says}`"),
            );
            let began_stale = begun && exit == Exit::Stale;
            demand(!began_stale, "the step began all the same".to_owned());
            let blocked = matches!(outcome(BEHIND), Some(Outcome::Blocked { .. }));
            demand(
                blocked,
                format!("what waits for it ended {:?}", outcome(BEHIND)),
            );
        }
        let done = matches!(outcome(BESIDE), Some(Outcome::Done));
        demand(
            done,
            format!("what does not wait for it ended {:?}", outcome(BESIDE)),
        );
        out
    }
}
