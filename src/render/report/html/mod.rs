//! The report as one HTML file: no scripts, nothing from elsewhere, readable in the dark, on paper and by
//! a screen reader. Everything that comes from a run is escaped.

mod graph;
mod timeline;

use maud::DOCTYPE;
use maud::Markup;
use maud::PreEscaped;
use maud::html;

use super::outline::Row;
use super::outline::Section;
use super::outline::figures;
use super::outline::outline;
use super::outline::tone;
use super::outline::when;
use crate::render::style::Tone;
use crate::report::Report;

/// Nothing is loaded, whatever a browser makes of the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

const STYLE: &str = include_str!("style.css");

/// The whole report.
pub fn html(report: &Report) -> String {
    let title = format!("Recovery {}: run {}", report.recovery, report.run);
    let sections = outline(report);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (title) }
                    p.verdict.(class(tone(report.verdict))) { (report.headline) }
                    p { (when(report)) }
                    (numbers(report))
                    nav aria-label="Parts of the report" {
                        @for section in &sections { a href={ "#" (section.id) } { (section.title) } }
                        a href="#order" { "Order" }
                    }
                }
                main {
                    @for section in &sections {
                        (drawn(section))
                        @if section.id == "course" { (timeline::timeline(report)) (graph::graph(report)) }
                    }
                    @if !sections.iter().any(|s| s.id == "course") { (graph::graph(report)) }
                    @if let Some(next) = &report.next {
                        section #next {
                            h2 { "Next" }
                            @if let Some(folder) = &report.next_in { p { "In " code { (folder) } ":" } }
                            pre { (next) }
                        }
                    }
                }
                footer { "drplan " (report.tool) ", " (report.format) }
            }
        }
    };
    page.into_string()
}

fn numbers(report: &Report) -> Markup {
    html! {
        dl.figures {
            @for (name, n) in figures(&report.counts) {
                div.none[n == 0] { dt { (name) } dd { (n) } }
            }
        }
    }
}

fn drawn(section: &Section) -> Markup {
    html! {
        section id=(section.id) {
            h2 { (section.title) }
            @if !section.says.is_empty() { p { (section.says) } }
            @if !section.rows.is_empty() {
                table {
                    tbody { @for row in &section.rows { (drawn_row(row)) } }
                }
            }
        }
    }
}

fn drawn_row(row: &Row) -> Markup {
    html! {
        tr.(class(row.tone)) {
            th scope="row" { (row.head) }
            td {
                (row.text)
                @if !row.details.is_empty() {
                    ul { @for detail in &row.details { li { (detail) } } }
                }
                @for command in &row.commands { pre { (command) } }
            }
        }
    }
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Change => "change",
        Tone::Bad => "bad",
        Tone::Ask => "ask",
        Tone::Head => "head",
        Tone::Dim => "dim",
    }
}
