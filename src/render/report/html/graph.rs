//! Which step waited for which, as a picture: one column for each wave.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use maud::Markup;
use maud::html;

use super::super::outline::tone_of;
use super::class;
use crate::render::style::Tone;
use crate::render::style::cut;
use crate::report::Report;

/// How many steps are drawn: more can be read by nobody.
const STEPS_MAX: usize = 200;
const BOX_WIDE_PX: usize = 220;
const BOX_HIGH_PX: usize = 40;
/// Between two columns.
const GAP_PX: usize = 70;
/// How wide a column is that holds nothing but barriers.
const BARRIER_PX: usize = 10;
const ROW_PX: usize = 54;
const MARGIN_PX: usize = 10;
const NAME_CHARACTERS_MAX: usize = 28;

/// What stands in the picture.
struct Node<'a> {
    address: &'a str,
    waits_for: &'a [String],
    wave: usize,
    /// What it says below its name; nothing for barriers, which are dots.
    end: Option<(Tone, &'static str)>,
}

pub(super) fn graph(report: &Report) -> Markup {
    let nodes = nodes(report);
    if nodes.len() > STEPS_MAX {
        let hint = "drplan graph --format dot";
        return html! {
            section #order { h2 { "Order" } p { (nodes.len()) " steps are too many to be drawn here; " code { (hint) } " draws them." } }
        };
    }
    let mut columns: BTreeMap<usize, Vec<&Node<'_>>> = BTreeMap::new();
    for node in &nodes {
        columns.entry(node.wave).or_default().push(node);
    }
    let highest = columns.values().map(Vec::len).max().unwrap_or_default();
    let mut places: BTreeMap<&str, Place> = BTreeMap::new();
    let mut x = MARGIN_PX;
    for column in columns.values() {
        let only_barriers = column.iter().all(|node| node.end.is_none());
        let wide = if only_barriers {
            BARRIER_PX
        } else {
            BOX_WIDE_PX
        };
        // Every column is centred.
        let top = (highest - column.len()) * ROW_PX / 2;
        for (y, node) in column.iter().enumerate() {
            let y = MARGIN_PX + top + y * ROW_PX;
            places.insert(node.address, Place { x, y, wide });
        }
        x += wide + GAP_PX;
    }
    let (width, height) = (
        x + MARGIN_PX - GAP_PX.min(x),
        2 * MARGIN_PX + highest * ROW_PX,
    );
    let walked = walked(report, &nodes);
    html! {
        section #order {
            h2 { "Order" }
            figure {
                svg viewBox=(format!("0 0 {width} {height}")) width=(width) height=(height) role="img" aria-labelledby="graph-title" {
                    title id="graph-title" { "Which step waited for which; the table of steps says for which last" }
                    @for node in &nodes {
                        @for before in node.waits_for { (edge(&places, before, node.address, &walked)) }
                    }
                    @for node in &nodes { (drawn(node, &places[node.address])) }
                }
                figcaption { "From left to right. Dots join stages. Strong lines: what explains the time." }
            }
        }
    }
}

/// Where a node stands.
struct Place {
    x: usize,
    y: usize,
    wide: usize,
}

fn nodes(report: &Report) -> Vec<Node<'_>> {
    let steps = report.steps.iter().map(|s| Node {
        address: &s.address,
        waits_for: &s.waits_for,
        wave: s.wave,
        end: Some((tone_of(s.end), s.end.word())),
    });
    let barriers = report.barriers.iter().map(|b| Node {
        address: &b.address,
        waits_for: &b.waits_for,
        wave: b.wave,
        end: None,
    });
    steps.chain(barriers).collect()
}

/// The pairs of the chain that explains the time, through the barriers between them.
fn walked<'a>(report: &'a Report, nodes: &[Node<'a>]) -> BTreeSet<(&'a str, &'a str)> {
    let waits: BTreeMap<&str, &[String]> = nodes.iter().map(|n| (n.address, n.waits_for)).collect();
    let barriers: BTreeSet<&str> = report.barriers.iter().map(|b| b.address.as_str()).collect();
    let mut out = BTreeSet::new();
    for pair in report.course.windows(2) {
        let (from, to) = (pair[0].address.as_str(), pair[1].address.as_str());
        // Which node leads to which on the way back from `to`; barriers only.
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        let mut open = vec![to];
        while let Some(after) = open.pop() {
            for before in waits.get(after).copied().unwrap_or_default() {
                let known = seen.contains_key(before.as_str());
                if !known && (before == from || barriers.contains(before.as_str())) {
                    seen.insert(before, after);
                    open.extend((before != from).then_some(before.as_str()));
                }
            }
        }
        let mut at = from;
        while let Some(after) = seen.get(at) {
            out.insert((at, *after));
            at = after;
        }
    }
    out
}

fn edge(
    places: &BTreeMap<&str, Place>,
    before: &str,
    after: &str,
    walked: &BTreeSet<(&str, &str)>,
) -> Markup {
    let (Some(from), Some(to)) = (places.get(before), places.get(after)) else {
        return html! {};
    };
    let (x1, y1) = (from.x + from.wide, from.y + BOX_HIGH_PX / 2);
    let (x2, y2) = (to.x, to.y + BOX_HIGH_PX / 2);
    let bend = GAP_PX / 2;
    let path = format!(
        "M{x1} {y1} C{} {y1} {} {y2} {x2} {y2}",
        x1 + bend,
        x2.saturating_sub(bend)
    );
    html! { path.edge.walked[walked.contains(&(before, after))] d=(path) {} }
}

fn drawn(node: &Node<'_>, place: &Place) -> Markup {
    let Place { x, y, wide } = *place;
    let (middle_x, middle_y) = (x + wide / 2, y + BOX_HIGH_PX / 2);
    html! {
        @if let Some((tone, word)) = node.end {
            g.(class(tone)) {
                title { (node.address) ": " (word) }
                rect.box x=(x) y=(y) width=(BOX_WIDE_PX) height=(BOX_HIGH_PX) rx="4" {}
                text x=(middle_x) y=(middle_y - 3) text-anchor="middle" { (cut(node.address, NAME_CHARACTERS_MAX)) }
                text.quiet x=(middle_x) y=(middle_y + 12) text-anchor="middle" { (word) }
            }
        } @else {
            g.dim {
                title { (node.address) }
                line.edge x1=(x) y1=(middle_y) x2=(x + wide) y2=(middle_y) {}
                circle.bar cx=(middle_x) cy=(middle_y) r="5" {}
            }
        }
    }
}
