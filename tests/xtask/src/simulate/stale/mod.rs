//! What makes a saved plan stale, and what does not: for each kind a table of changes that somebody else
//! makes in the world between the plan and its apply.
//!
//! Each row is a life in the world of rehearsals, through the same providers as outside. Beside the step
//! of the row there is one that waits for it and one that does not: only a stale step and what waits for
//! it are refused.

mod change;
mod kubernetes;
mod life;
mod others;
mod table;
mod velero;

use super::side_by_side::side_by_side;
use table::Cell;
use table::Table;

/// How many lives are lived side by side; tests run beside each other anyway.
const JOBS: usize = 2;

fn tables() -> Vec<Table> {
    [others::tables(), kubernetes::tables(), velero::tables()]
        .into_iter()
        .flatten()
        .collect()
}

#[test]
fn every_kind_has_a_table_with_three_changes_that_stop_it_and_three_that_do_not_or_says_why() {
    let registry = drplan::registry::registry();
    let kinds = registry.resources().chain(registry.data_sources());
    for name in kinds.map(|kind| kind.def().name) {
        let tables: Vec<Table> = tables().into_iter().filter(|t| t.kind == name).collect();
        let rows = || tables.iter().flat_map(|table| &table.rows);
        let stopped = rows().filter(|row| row.is_stopped()).count();
        let rest = rows().count() - stopped;
        let says_why_not = tables.iter().any(|table| table.fewer_because.is_some());
        assert!(
            (stopped >= 3 && rest >= 3) != says_why_not,
            "{name}: {stopped} that stop it, {rest} that do not"
        );
    }
}

#[test]
fn a_plan_is_stopped_for_what_changes_its_decisions_and_for_nothing_else() {
    let cells: Vec<_> = tables().into_iter().flat_map(Table::cells).collect();
    let mut told = Vec::new();
    side_by_side(&cells, JOBS, Cell::live, |_, broken| {
        told.extend(broken);
        false
    });
    let stopped = cells.iter().filter(|cell| cell.is_stopped()).count();
    assert!(
        told.is_empty(),
        "of {} plans, {stopped} of which must be refused or fail:\n{}",
        cells.len(),
        told.join("\n")
    );
}
