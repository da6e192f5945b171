//! A run as it goes: one line for each event that matters, and on a terminal a region that lives.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::time::Duration;

use drplan_api::Address;
use drplan_api::Clock;
use drplan_api::Json;
use drplan_api::Timestamp;
use indicatif::MultiProgress;
use indicatif::ProgressBar;
use indicatif::ProgressDrawTarget;
use indicatif::ProgressState;
use indicatif::ProgressStyle;

use super::json::ended_text;
use super::json::event_line;
use super::json::left_text;
use super::json::slow_text;
use super::patient;
use super::style::Style;
use super::style::Tone;
use super::style::count;
use super::style::cut;
use super::style::in_one_line;
use super::style::seconds_between;
use super::style::stopwatch;
use super::style::whole;
use crate::apply::Event;
use crate::apply::Frontier;
use crate::apply::Outcome;
use crate::apply::Sink;
use crate::plan::Plan;

/// How often the living region is drawn anew.
const TICK: Duration = Duration::from_millis(120);

/// How many facts of one proof are shown while it goes.
const FACTS_MAX: usize = 4;
/// How wide the note of what runs may be.
const NOTE_WIDTH: usize = 50;
/// How wide the time since the start is.
pub(super) const CLOCK_WIDTH: usize = 9;

/// What this process draws on its terminal, of which there is one.
static DRAWN: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// Prints something while nothing is drawn that would be drawn over it.
pub fn undisturbed(print: impl FnOnce()) {
    let drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match drawn {
        Some(drawn) => drawn.suspend(print),
        None => print(),
    }
}

/// Lines of text, each with the time since the start; on a terminal with bars for what runs.
pub struct TextSink {
    style: Style,
    watch: Arc<Watch>,
    state: Mutex<State>,
}

struct State {
    bars: Option<Bars>,
    /// What a person is being asked.
    question: Option<String>,
    /// Whether lines came behind the question.
    pushed_away: Cell<bool>,
    total: usize,
    ended: usize,
    /// What each slow step takes otherwise.
    slow: BTreeMap<Address, String>,
}

struct Bars {
    multi: MultiProgress,
    /// The clock of the run and how much of it is done; there once it has begun.
    whole: Option<ProgressBar>,
    running: BTreeMap<Address, ProgressBar>,
}

impl TextSink {
    /// Makes a sink that shows the time of a clock; `live` on a terminal.
    pub fn new(style: Style, live: bool, clock: Clock) -> Self {
        let bars = live.then(|| Bars {
            multi: MultiProgress::with_draw_target(patient::target()),
            whole: None,
            running: BTreeMap::new(),
        });
        let drawn = bars.as_ref().map(|bars| bars.multi.clone());
        *DRAWN.lock().unwrap_or_else(PoisonError::into_inner) = drawn;
        Self {
            style,
            watch: Arc::new(Watch::new(clock)),
            state: Mutex::new(State {
                bars,
                question: None,
                pushed_away: Cell::new(false),
                total: 0,
                ended: 0,
                slow: BTreeMap::new(),
            }),
        }
    }

    fn line(&self, state: &State, text: &str) {
        let print = || {
            let mut out = std::io::stdout().lock();
            // A reader that went away is no reason to stop a recovery.
            writeln!(out, "{text}").ok();
        };
        match (&state.bars, &state.question) {
            (Some(_), Some(_)) => {
                // The person may be typing behind the question.
                if !state.pushed_away.replace(true) {
                    asks("\n");
                }
                print();
            }
            (Some(bars), None) => bars.multi.suspend(print),
            (None, _) => print(),
        }
    }

    /// Asks a person. Nothing is drawn until the answer is there, so that the question stays where it is.
    pub fn ask(&self, question: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bars) = &state.bars {
            // A terminal that went away shows nothing that could stay.
            bars.multi.clear().ok();
            bars.multi.set_draw_target(ProgressDrawTarget::hidden());
        }
        asks(question);
        state.question = Some(question.to_owned());
    }

    /// Draws on, for the answer is there or nobody waits for it any more.
    pub fn answered(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.question = None;
        if let Some(bars) = &state.bars {
            bars.multi.set_draw_target(patient::target());
        }
    }

    /// A line that says what happened to a step, and when.
    fn told(&self, state: &State, tone: Option<Tone>, word: &str, text: &str) {
        let at = self.watch.since_start();
        let word = format!("{word:8}");
        let before = CLOCK_WIDTH + word.chars().count() + 2;
        let word = tone.map_or(word.clone(), |tone| self.style.paint(tone, &word));
        let text = &in_one_line(text);
        let text = match state.bars {
            Some(_) => hanging(text, self.style.width, before),
            None => text.to_owned(),
        };
        self.line(state, &format!("{at:>CLOCK_WIDTH$} {word} {text}"));
    }

    fn begin(&self, state: &mut State, steps: usize) {
        state.total = steps;
        let Some(bars) = &mut state.bars else { return };
        let watch = Arc::clone(&self.watch);
        let since = move |_: &ProgressState, out: &mut dyn Write| {
            // What cannot be drawn is drawn the next time.
            write!(out, "{:>CLOCK_WIDTH$}", watch.since_start()).ok();
        };
        let bar = bars.multi.add(ProgressBar::new(steps as u64));
        let left = Arc::clone(&self.watch);
        let left = move |_: &ProgressState, out: &mut dyn Write| {
            out.write_str(&left.left()).ok();
        };
        let style = drawn("{since} {bar:24} {pos}/{len} steps {left}", since);
        bar.set_style(style.with_key("left", left));
        bar.enable_steady_tick(TICK);
        bars.whole = Some(bar);
    }

    fn bar(&self, state: &mut State, address: &Address, note: &str, at: Option<(u64, u64)>) {
        let Some(bars) = &mut state.bars else { return };
        let bar = bars.running.entry(address.clone()).or_insert_with(|| {
            let (watch, began) = (Arc::clone(&self.watch), self.watch.now());
            let since = move |_: &ProgressState, out: &mut dyn Write| {
                let seconds = seconds_between(began, watch.now());
                // What cannot be drawn is drawn the next time.
                write!(out, "{:>CLOCK_WIDTH$}", stopwatch(seconds)).ok();
            };
            let bar = ProgressBar::new_spinner();
            let bar = match &bars.whole {
                Some(whole) => bars.multi.insert_before(whole, bar),
                None => bars.multi.add(bar),
            };
            bar.set_style(drawn("{since} {spinner} {prefix:34} {msg}", since));
            bar.set_prefix(address.to_string());
            bar.enable_steady_tick(TICK);
            bar
        });
        let mut text = match at {
            Some((done, of)) => format!("{done}/{of} {note}"),
            None => note.to_owned(),
        };
        if let Some(slow) = state.slow.get(address) {
            text = format!("{slow}; {text}");
        }
        bar.set_message(cut(&text, NOTE_WIDTH));
    }

    /// Shows how much is done and what runs no more.
    fn count(state: &mut State, address: &Address) {
        state.ended += 1;
        state.slow.remove(address);
        let (ended, total) = (state.ended, state.total);
        let Some(bars) = &mut state.bars else { return };
        if let Some(bar) = bars.running.remove(address) {
            bar.finish_and_clear();
        }
        if let Some(whole) = &bars.whole {
            whole.set_length(total.max(ended) as u64);
            whole.set_position(ended as u64);
        }
    }

    fn ended(&self, state: &State, address: &Address, outcome: &Outcome, took: Duration) {
        let tone = match outcome {
            Outcome::Done | Outcome::AlreadyTrue | Outcome::NotNeeded | Outcome::Passed => {
                Tone::Good
            }
            Outcome::Waiting { .. } => Tone::Ask,
            Outcome::Blocked { .. }
            | Outcome::Skipped { .. }
            | Outcome::Refuted { warning: true, .. }
            | Outcome::Stopped => Tone::Change,
            _ => Tone::Bad,
        };
        let took = match outcome {
            Outcome::Blocked { .. }
            | Outcome::AlreadyTrue
            | Outcome::NotNeeded
            | Outcome::Waiting { .. } => String::new(),
            _ if took < Duration::from_secs(1) => String::new(),
            _ => format!(" in {}", stopwatch(took.as_secs())),
        };
        let because = outcome.because();
        let because = because.map(|b| format!(": {b}"));
        let text = format!("{address}{took}{}", because.unwrap_or_default());
        self.told(state, Some(tone), outcome.word(), &text);
    }
}

/// What stands behind clock and word, broken at spaces: a terminal would break within words.
fn hanging(text: &str, width: usize, before: usize) -> String {
    whole(text, width.saturating_sub(before)).join(&format!("\n{:before$}", ""))
}

impl Drop for TextSink {
    fn drop(&mut self) {
        let state = self.state.get_mut();
        let state = state.unwrap_or_else(PoisonError::into_inner);
        if let Some(bars) = &state.bars {
            // A terminal that went away shows nothing that could stay.
            bars.multi.clear().ok();
        }
    }
}

/// Writes to where bars are drawn.
fn asks(text: &str) {
    let mut err = std::io::stderr().lock();
    // Whoever cannot be asked does not answer.
    err.write_all(text.as_bytes())
        .and_then(|()| err.flush())
        .ok();
}

/// A style whose `since` is written by a function.
fn drawn(
    template: &str,
    since: impl Fn(&ProgressState, &mut dyn Write) + Clone + Send + Sync + 'static,
) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .with_key("since", since)
}

/// What time it is, for the thread that hears events and for the one that draws.
struct Watch {
    clock: Clock,
    began: OnceLock<Timestamp>,
    /// When the run will end, or why nobody knows.
    ends: Mutex<Option<Result<Timestamp, String>>>,
    /// What the clock showed at the last event: a clock that is bound to a runtime tells the thread
    /// that draws nothing.
    heard: Mutex<Timestamp>,
}

impl Watch {
    fn new(clock: Clock) -> Self {
        let heard = Mutex::new(clock.now());
        Self {
            clock,
            began: OnceLock::new(),
            ends: Mutex::default(),
            heard,
        }
    }

    /// Looks at the clock, in the thread that hears; the first look starts the watch.
    fn look(&self) {
        let now = self.clock.now();
        self.began.get_or_init(|| now);
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    fn now(&self) -> Timestamp {
        if self.clock.is_bound() {
            *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
        } else {
            self.clock.now()
        }
    }

    fn foretell(&self, left_ms: Option<u64>) {
        let left = left_ms.map(Duration::from_millis);
        let ends = left.and_then(|left| self.now().checked_add(left).ok());
        // How many have none is told once; it would have to be told with each step that ends.
        let ends = ends.ok_or_else(|| "time left unknown".to_owned());
        *self.ends.lock().unwrap_or_else(PoisonError::into_inner) = Some(ends);
    }

    /// How long it will still take; counts down.
    fn left(&self) -> String {
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        match &*ends {
            None => String::new(),
            Some(Err(unknown)) => unknown.clone(),
            Some(Ok(ends)) => match seconds_between(self.now(), *ends) {
                0 => "longer than foretold".to_owned(),
                seconds => left_text(Some(seconds * 1000), 0),
            },
        }
    }

    fn since_start(&self) -> String {
        let now = self.now();
        let began = self.began.get().copied().unwrap_or(now);
        format!("+{}", stopwatch(seconds_between(began, now)))
    }
}

impl Sink for TextSink {
    fn hear(&self, _: u64, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        let style = self.style;
        self.watch.look();
        match event {
            Event::RunStarted { run, steps, .. } => {
                let text = format!("run {run}: {}", count(*steps as u64, "step", "steps"));
                self.line(state, &style.paint(Tone::Dim, &text));
                self.begin(state, *steps);
            }
            Event::RunResumed { run, by, steps, .. } => {
                let text = format!("run {run} goes on, resumed by {by}");
                self.line(state, &text);
                self.begin(state, *steps);
            }
            Event::RunPaused { because } => {
                let text = format!("{because}; nothing new is begun until `drplan resume`");
                self.told(state, Some(Tone::Ask), "PAUSED", &text);
            }
            Event::RunWentOn { by, .. } => {
                self.told(state, None, "goes on", &format!("wished by {by}"));
            }
            Event::StepStarted { address, .. } => {
                self.bar(state, address, "started", None);
                if state.bars.is_none() {
                    self.told(state, None, "started", address.as_str());
                }
            }
            Event::EffectStarted {
                address,
                verb,
                object,
                ..
            } => self.bar(state, address, &format!("{verb} {object}"), None),
            Event::Progress {
                address,
                done,
                of,
                note,
                ..
            } => self.bar(state, address, note, of.map(|of| (*done, of))),
            Event::Outlook { left_ms, unknown } => {
                self.watch.foretell(*left_ms);
                if state.bars.is_none() {
                    self.told(state, None, "outlook", &left_text(*left_ms, *unknown));
                }
            }
            Event::Slow { address, expected } => {
                let slow = slow_text(expected);
                let text = format!("{address} is {slow}");
                state.slow.insert(address.clone(), slow);
                match state.bars.is_some() {
                    true => self.bar(state, address, "goes on", None),
                    false => self.told(state, Some(Tone::Change), "slow", &text),
                }
            }
            Event::Retry {
                address,
                because,
                in_ms,
            } => {
                let text = format!("{address} in {in_ms} ms: {because}");
                self.told(state, Some(Tone::Change), "retry", &text);
            }
            Event::GateOpened { address, ask } => {
                self.told(state, Some(Tone::Ask), "asks", &format!("{address}: {ask}"));
            }
            Event::GatePassed { address, how } => {
                self.told(state, None, "approved", &format!("{address} ({how})"));
            }
            Event::StepEnded {
                address,
                outcome,
                evidence,
                elapsed_ms,
                ..
            } => {
                if *outcome == Outcome::Passed {
                    return;
                }
                Self::count(state, address);
                self.ended(state, address, outcome, Duration::from_millis(*elapsed_ms));
                let proven = evidence.iter().filter(|_| *outcome == Outcome::Done);
                for fact in proven.take(FACTS_MAX) {
                    let text = format!("{:CLOCK_WIDTH$}   {} ({})", "", fact.claim, fact.source);
                    self.line(state, &style.paint(Tone::Dim, &style.fit(&text)));
                }
            }
            Event::RunEnded { .. } => {
                let whole = state.bars.as_mut().and_then(|bars| bars.whole.take());
                whole.iter().for_each(ProgressBar::finish_and_clear);
            }
            Event::EffectAdopted { .. } | Event::EffectFinished { .. } => {}
        }
        if let Some(question) = state.question.as_ref().filter(|_| state.pushed_away.take()) {
            asks(question);
        }
    }
}

/// One JSON object for each event.
pub struct JsonSink {
    clock: Clock,
    mark: fn(Json) -> Json,
}

impl JsonSink {
    /// Makes a sink for a recovery.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            mark: |line| line,
        }
    }

    /// Makes a sink for a rehearsal, each line of which says that it is one.
    #[cfg(feature = "rehearse")]
    pub fn rehearsed(clock: Clock) -> Self {
        Self {
            clock,
            mark: super::json::rehearsed,
        }
    }
}

impl Sink for JsonSink {
    fn hear(&self, seq: u64, event: &Event) {
        let mut out = std::io::stdout().lock();
        // A reader that went away is no reason to stop a recovery.
        let line = (self.mark)(event_line(self.clock.now(), seq, event));
        writeln!(out, "{line}").ok();
        out.flush().ok();
    }
}

/// What every ending says.
pub fn ending(
    plan: &Plan,
    outcomes: &BTreeMap<Address, Outcome>,
    frontier: &Frontier,
    without: Option<&[Address]>,
    style: Style,
    exit_code: u8,
) -> String {
    let mut out = Vec::new();
    let reverts = plan.head.reverts.as_deref();
    let part = plan.is_part();
    let (tone, verdict) = match without {
        Some([]) if exit_code == 0 && plan.head.releases => (
            Tone::Good,
            "Released: what was paused runs again as before.".to_owned(),
        ),
        _ if plan.head.releases => (Tone::Bad, "NOT released.".to_owned()),
        Some([]) if exit_code == 0 && reverts.is_some() => (
            Tone::Good,
            format!(
                "Taken back: DNS is as before run {}.",
                reverts.unwrap_or_default()
            ),
        ),
        _ if reverts.is_some() => (Tone::Bad, "NOT taken back.".to_owned()),
        Some([]) if exit_code == 0 && part => (
            Tone::Change,
            "NOT a whole recovery: every step of this part is done and proven.".to_owned(),
        ),
        Some([]) if exit_code == 0 => (
            Tone::Good,
            "Recovered: every step is done and proven.".to_owned(),
        ),
        Some(without) if !without.is_empty() => {
            let names: Vec<&str> = without.iter().map(Address::as_str).collect();
            let verdict = if part {
                "NOT a whole recovery: this part is done, without"
            } else {
                "Recovered, without"
            };
            let verdict = format!("{verdict} {} (best effort).", names.join(", "));
            (Tone::Change, verdict)
        }
        _ => (Tone::Bad, "NOT recovered.".to_owned()),
    };
    out.push(String::new());
    out.push(style.paint(tone, &verdict));
    out.push(counts(frontier, false));
    for address in frontier.failed.keys().chain(frontier.waiting.keys()) {
        if let Some(outcome) = outcomes.get(address) {
            out.push(format!(
                "  {} {address}: {}",
                style.paint(Tone::Bad, "!"),
                in_one_line(&ended_text(outcome))
            ));
        }
    }
    for (address, because) in &frontier.skipped {
        let because = in_one_line(because);
        out.push(format!("    {address}: left out: {because}"));
    }
    for (address, by) in &frontier.blocked {
        out.push(format!("    {address}: blocked by {by}"));
    }
    for address in &frontier.running {
        out.push(format!(
            "    {address}: begun and not ended; it is probed when applied again"
        ));
    }
    out.extend(left(frontier));
    if exit_code != 0 && !frontier.next.is_empty() {
        out.push(format!("  next: {}", frontier.next));
    }
    out.join("\n") + "\n"
}

/// What is left behind, and what ends it.
pub(super) fn left(frontier: &Frontier) -> Vec<String> {
    let line = |(address, what): (&Address, &String)| {
        format!("    {address}: {what}, and this run has not ended that")
    };
    let mut out: Vec<String> = frontier.left.iter().map(line).collect();
    if !out.is_empty() {
        out.push("  `drplan release` ends what is still left behind".to_owned());
    }
    out
}

/// How many steps stand where, in a line. What has begun runs only while the run goes on.
pub(super) fn counts(frontier: &Frontier, goes_on: bool) -> String {
    let begun = if goes_on { "running" } else { "unfinished" };
    format!(
        "  {} done, {} failed, {} {begun}, {} waiting, {} blocked, {} skipped, {} not started",
        frontier.done.len(),
        frontier.failed.len(),
        frontier.running.len(),
        frontier.waiting.len(),
        frontier.blocked.len(),
        frontier.skipped.len(),
        frontier.not_started.len(),
    )
}
