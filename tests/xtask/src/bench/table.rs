//! The table of all measurements, as Markdown and as JSON.

use std::fmt::Write as _;

use serde_json::Value;
use serde_json::json;

use super::measure::Cost;

/// The tool that the others are compared with.
pub(super) const OURS: &str = "drplan";

/// One line: one tool at one workload.
pub(super) struct Row {
    /// What was done.
    pub(super) workload: String,
    /// Of how many resources or objects.
    pub(super) size: usize,
    /// By whom.
    pub(super) tool: &'static str,
    /// What it cost, one entry for each run.
    pub(super) costs: Vec<Cost>,
    /// The size of the file that it wrote, if it wrote one.
    pub(super) file_bytes: Option<u64>,
}

impl Row {
    fn sorted(&self, of: impl Fn(&Cost) -> f64) -> Vec<f64> {
        let mut all: Vec<f64> = self.costs.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all
    }

    fn median(&self, of: impl Fn(&Cost) -> f64) -> f64 {
        let all = self.sorted(of);
        let middle = all.len() / 2;
        match (all.get(middle), all.len() % 2) {
            (None, _) => f64::NAN,
            (Some(one), 1) => *one,
            (Some(upper), _) => f64::midpoint(all[middle - 1], *upper),
        }
    }

    fn wall_s(&self) -> (f64, f64, f64) {
        let all = self.sorted(|c| c.wall_s);
        let end = |one: Option<&f64>| one.copied().unwrap_or(f64::NAN);
        (self.median(|c| c.wall_s), end(all.first()), end(all.last()))
    }

    fn rss_bytes(&self) -> u64 {
        self.costs
            .iter()
            .map(|c| c.rss_bytes)
            .max()
            .unwrap_or_default()
    }
}

/// All lines, and what must be said about them.
#[derive(Default)]
pub(super) struct Table {
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Table {
    /// Adds a line and shows at once that it is there.
    pub(super) fn push(&mut self, row: Row) {
        let (median, ..) = row.wall_s();
        println!(
            "{} × {}: {} {median:.3} s",
            row.workload, row.size, row.tool
        );
        self.rows.push(row);
    }

    /// Adds a sentence below the table.
    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// How much longer a line took than drplan at the same work.
    fn ratio(&self, row: &Row) -> Option<f64> {
        let ours = self.rows.iter().find(|other| {
            other.tool == OURS && (&other.workload, other.size) == (&row.workload, row.size)
        })?;
        (row.tool != OURS).then(|| row.wall_s().0 / ours.wall_s().0)
    }

    /// The table for people.
    pub(super) fn markdown(&self) -> String {
        let mut out = String::from(
            "\n| workload | size | tool | wall s: median (min to max) | CPU s | peak MB | file MB | time of drplan's |\n\
             |---|--:|---|--:|--:|--:|--:|--:|\n",
        );
        for row in &self.rows {
            let (median, min, max) = row.wall_s();
            let file = row
                .file_bytes
                .map_or_else(String::new, |b| format!("{:.2}", megabytes(b)));
            let ratio = self
                .ratio(row)
                .map_or_else(String::new, |r| format!("{r:.2} ×"));
            // Writing to a string cannot fail.
            writeln!(
                out,
                "| {} | {} | {} | {median:.3} ({min:.3} to {max:.3}) | {:.2} | {:.0} | {file} | {ratio} |",
                row.workload,
                row.size,
                row.tool,
                row.median(|c| c.cpu_s),
                megabytes(row.rss_bytes()),
            )
            .ok();
        }
        for note in &self.notes {
            writeln!(out, "\n- {note}").ok();
        }
        out
    }

    /// The same for programs, with every single run.
    pub(super) fn json(&self) -> Value {
        let row = |row: &Row| {
            let (median, min, max) = row.wall_s();
            json!({
                "workload": row.workload,
                "size": row.size,
                "tool": row.tool,
                "wall_s": { "median": median, "min": min, "max": max },
                "cpu_s_median": row.median(|c| c.cpu_s),
                "rss_bytes_max": row.rss_bytes(),
                "file_bytes": row.file_bytes,
                "times_of_drplan": self.ratio(row),
                "runs_wall_s": row.costs.iter().map(|c| c.wall_s).collect::<Vec<_>>(),
            })
        };
        json!({
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "shown with two digits behind the point"
)]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(tool: &'static str, walls: &[f64]) -> Row {
        let cost = |wall_s: &f64| Cost {
            wall_s: *wall_s,
            cpu_s: 0.5,
            rss_bytes: 30_000_000,
        };
        Row {
            workload: "plan".to_owned(),
            size: 1000,
            tool,
            costs: walls.iter().map(cost).collect(),
            file_bytes: None,
        }
    }

    #[test]
    fn a_peer_is_shown_as_a_multiple_of_drplan() {
        let mut table = Table::default();
        table.push(row(OURS, &[0.3, 0.1, 0.2]));
        table.push(row("OpenTofu", &[2.0, 4.0]));
        table.note("a note");
        let text = table.markdown();
        assert!(
            text.contains("| drplan | 0.200 (0.100 to 0.300) | 0.50 | 30 |  |  |"),
            "{text}"
        );
        assert!(text.contains("| OpenTofu | 3.000 (2.000 to 4.000) | 0.50 | 30 |  | 15.00 × |"));
        assert!(text.ends_with("\n- a note\n"));
    }
}
