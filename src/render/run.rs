//! A run as it goes: one line for each event that matters, and on a terminal a region that lives.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use drplan_api::Address;
use drplan_api::Clock;
use indicatif::MultiProgress;
use indicatif::ProgressBar;
use indicatif::ProgressStyle;

use super::json::ended_text;
use super::json::event_line;
use super::style::Style;
use super::style::Tone;
use super::style::cut;
use crate::apply::Event;
use crate::apply::Frontier;
use crate::apply::Outcome;
use crate::apply::Sink;

/// How often the living region is drawn anew.
const TICK: Duration = Duration::from_millis(120);

/// Lines of text; on a terminal with bars for what runs.
pub struct TextSink {
    style: Style,
    state: Mutex<State>,
}

struct State {
    bars: Option<Bars>,
    total: usize,
    ended: usize,
}

struct Bars {
    multi: MultiProgress,
    running: BTreeMap<Address, ProgressBar>,
}

impl TextSink {
    /// Makes a sink; `live` on a terminal.
    pub fn new(style: Style, live: bool) -> Self {
        let bars = live.then(|| Bars {
            multi: MultiProgress::new(),
            running: BTreeMap::new(),
        });
        Self {
            style,
            state: Mutex::new(State {
                bars,
                total: 0,
                ended: 0,
            }),
        }
    }

    fn line(&self, state: &State, text: &str) {
        let print = || {
            let mut out = std::io::stdout().lock();
            // A reader that went away is no reason to stop a recovery.
            writeln!(out, "{text}").ok();
        };
        match &state.bars {
            Some(bars) => bars.multi.suspend(print),
            None => print(),
        }
    }

    fn bar(state: &mut State, address: &Address, note: &str, at: Option<(u64, u64)>) {
        let Some(bars) = &mut state.bars else { return };
        let bar = bars.running.entry(address.clone()).or_insert_with(|| {
            let bar = bars.multi.add(ProgressBar::new_spinner());
            bar.set_style(
                ProgressStyle::with_template("  {spinner} {prefix:34} {elapsed:>4} {msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar.set_prefix(address.to_string());
            bar.enable_steady_tick(TICK);
            bar
        });
        let text = match at {
            Some((done, of)) => format!("{done}/{of} {note}"),
            None => note.to_owned(),
        };
        bar.set_message(cut(&text, 50));
    }
}

impl Sink for TextSink {
    fn hear(&self, _: u64, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let style = self.style;
        match event {
            Event::RunStarted { run, steps, .. } => {
                state.total = *steps;
                self.line(
                    &state,
                    &style.paint(
                        Tone::Dim,
                        &format!(
                            "run {run}: {}",
                            super::style::count(*steps as u64, "step", "steps")
                        ),
                    ),
                );
            }
            Event::StepStarted { address, .. } => {
                Self::bar(&mut state, address, "started", None);
                if state.bars.is_none() {
                    self.line(&state, &format!("         started  {address}"));
                }
            }
            Event::EffectStarted {
                address,
                verb,
                object,
                ..
            } => {
                Self::bar(&mut state, address, &format!("{verb} {object}"), None);
            }
            Event::Progress {
                address,
                done,
                of,
                note,
                ..
            } => {
                Self::bar(&mut state, address, note, of.map(|of| (*done, of)));
            }
            Event::Retry {
                address,
                because,
                in_ms,
            } => {
                let text = format!("         retry    {address} in {in_ms} ms: {because}");
                self.line(&state, &style.paint(Tone::Change, &text));
            }
            Event::GateOpened { address, ask } => {
                self.line(
                    &state,
                    &style.paint(Tone::Ask, &format!("         asks     {address}: {ask}")),
                );
            }
            Event::GatePassed { address, how } => {
                self.line(&state, &format!("         approved {address} ({how})"));
            }
            Event::StepEnded {
                address,
                outcome,
                evidence,
                elapsed_ms,
                ..
            } => {
                if let Some(bar) = state.bars.as_mut().and_then(|b| b.running.remove(address)) {
                    bar.finish_and_clear();
                }
                if *outcome == Outcome::Passed {
                    return;
                }
                state.ended += 1;
                let tone = match outcome {
                    Outcome::Done | Outcome::AlreadyTrue | Outcome::Passed => Tone::Good,
                    Outcome::Waiting { .. } => Tone::Ask,
                    Outcome::Blocked { .. }
                    | Outcome::Refuted { warning: true, .. }
                    | Outcome::Stopped => Tone::Change,
                    _ => Tone::Bad,
                };
                let seconds = Duration::from_millis(*elapsed_ms).as_secs_f64();
                let word = style.paint(tone, outcome.word());
                let because = outcome
                    .because()
                    .map(|b| format!(": {b}"))
                    .unwrap_or_default();
                self.line(
                    &state,
                    &format!("{seconds:>7.1}s {word}  {address}{because}"),
                );
                for fact in evidence
                    .iter()
                    .filter(|_| *outcome == Outcome::Done)
                    .take(4)
                {
                    let text = format!("           {} ({})", fact.claim, fact.source);
                    self.line(&state, &style.paint(Tone::Dim, &style.fit(&text)));
                }
            }
            Event::EffectFinished { .. } | Event::RunEnded { .. } => {}
        }
    }
}

/// One JSON object for each event.
pub struct JsonSink {
    clock: Clock,
}

impl JsonSink {
    /// Makes a sink.
    pub fn new(clock: Clock) -> Self {
        Self { clock }
    }
}

impl Sink for JsonSink {
    fn hear(&self, seq: u64, event: &Event) {
        let mut out = std::io::stdout().lock();
        // A reader that went away is no reason to stop a recovery.
        writeln!(out, "{}", event_line(self.clock.now(), seq, event)).ok();
        out.flush().ok();
    }
}

/// What every ending says; `reverts` is the run that was taken back, if that was the plan.
pub fn ending(
    reverts: Option<&str>,
    outcomes: &BTreeMap<Address, Outcome>,
    frontier: &Frontier,
    without: Option<&[Address]>,
    style: Style,
    exit_code: u8,
) -> String {
    let mut out = Vec::new();
    let (tone, verdict) = match without {
        Some([]) if exit_code == 0 && reverts.is_some() => (
            Tone::Good,
            format!(
                "Taken back: DNS is as before run {}.",
                reverts.unwrap_or_default()
            ),
        ),
        _ if reverts.is_some() => (Tone::Bad, "NOT taken back.".to_owned()),
        Some([]) if exit_code == 0 => (
            Tone::Good,
            "Recovered: every step is done and proven.".to_owned(),
        ),
        Some(without) if !without.is_empty() => {
            let names: Vec<&str> = without.iter().map(Address::as_str).collect();
            let verdict = format!("Recovered, without {} (best effort).", names.join(", "));
            (Tone::Change, verdict)
        }
        _ => (Tone::Bad, "NOT recovered.".to_owned()),
    };
    out.push(String::new());
    out.push(style.paint(tone, &verdict));
    out.push(format!(
        "  {} done, {} failed, {} running, {} waiting, {} blocked, {} not started",
        frontier.done.len(),
        frontier.failed.len(),
        frontier.running.len(),
        frontier.waiting.len(),
        frontier.blocked.len(),
        frontier.not_started.len(),
    ));
    for address in frontier.failed.keys().chain(frontier.waiting.keys()) {
        if let Some(outcome) = outcomes.get(address) {
            out.push(format!(
                "  {} {address}: {}",
                style.paint(Tone::Bad, "!"),
                ended_text(outcome)
            ));
        }
    }
    for (address, by) in &frontier.blocked {
        out.push(format!("    {address}: blocked by {by}"));
    }
    for address in &frontier.running {
        out.push(format!(
            "    {address}: begun and not ended; it is probed when applied again"
        ));
    }
    if exit_code != 0 {
        out.push(format!("  next: {}", frontier.next));
    }
    out.join("\n") + "\n"
}
