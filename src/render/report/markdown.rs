//! The report as Markdown, for a ticket.

use super::outline::Row;
use super::outline::Section;
use super::outline::figures;
use super::outline::outline;
use super::outline::when;
use crate::render::markdown::code;
use crate::render::markdown::fence;
use crate::render::markdown::plain;
use crate::report::Report;

/// The whole report.
pub fn markdown(report: &Report) -> String {
    let mut out = vec![
        format!(
            "# Recovery {}: run `{}`",
            plain(&report.recovery),
            report.run
        ),
        String::new(),
        format!("**{}**", plain(&report.headline)),
        String::new(),
        plain(&when(report)),
        String::new(),
        "| figure | number |".to_owned(),
        "|---|---|".to_owned(),
    ];
    let figures = figures(&report.counts);
    out.extend(figures.iter().map(|(name, n)| format!("| {name} | {n} |")));
    for section in outline(report) {
        draw(&section, &mut out);
    }
    if let Some(next) = &report.next {
        out.extend([String::new(), "## Next".to_owned(), String::new()]);
        if let Some(folder) = &report.next_in {
            out.extend([format!("In {}:", code(folder)), String::new()]);
        }
        fence(next, "sh", "", &mut out);
    }
    out.join("\n") + "\n"
}

fn draw(section: &Section, out: &mut Vec<String>) {
    out.extend([
        String::new(),
        format!("## {}", section.title),
        String::new(),
    ]);
    if !section.says.is_empty() {
        out.push(plain(&section.says));
        if !section.rows.is_empty() {
            out.push(String::new());
        }
    }
    for row in &section.rows {
        draw_row(row, out);
    }
}

fn draw_row(row: &Row, out: &mut Vec<String>) {
    out.push(format!("- {} {}", code(&row.head), plain(&row.text)));
    out.extend(row.details.iter().map(|d| format!("  - {}", plain(d))));
    for command in &row.commands {
        out.push(String::new());
        fence(command, "sh", "  ", out);
    }
}
