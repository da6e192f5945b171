//! Everything ambient: clock, environment, terminal.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use drplan_api::Doors;

use crate::render::style::Style;
use crate::spec::Surroundings;
use crate::store::Uptime;

/// How wide text is where nobody says it.
const WIDTH_DEFAULT: usize = 100;
/// How wide it is on a terminal: as wide as that, within these bounds.
const WIDTHS: std::ops::RangeInclusive<usize> = 40..=120;

/// What the process finds around it.
#[derive(Clone)]
pub struct Ambient {
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// What the variables in it come from.
    pub surroundings: Surroundings,
    /// How the world is reached, and what time it is.
    pub doors: Doors,
    /// Whether standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// Whether a person can answer.
    pub can_ask: bool,
    /// Whether nothing is said beside the data.
    pub quiet: bool,
    /// How long this machine has run, sleep included.
    pub uptime: Uptime,
    color: bool,
    /// How wide the terminal is, if there is one that tells.
    columns: Option<usize>,
}

impl Ambient {
    /// Reads it from this process.
    pub fn of_this_process() -> Self {
        let env: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .collect();
        let stdout_is_terminal = std::io::stdout().is_terminal();
        let set = |name: &str| env.get(name).is_some_and(|v| !v.is_empty());
        let dumb = env.get("TERM").is_some_and(|t| t == "dumb");
        let input = env
            .get("DRPLAN_INPUT")
            .is_none_or(|v| v != "false" && v != "0");
        Self {
            stdout_is_terminal: stdout_is_terminal && !dumb,
            can_ask: std::io::stdin().is_terminal() && input && !set("CI"),
            color: !set("NO_COLOR") && (set("CLICOLOR_FORCE") || (stdout_is_terminal && !dumb)),
            quiet: false,
            columns: columns(),
            uptime: Arc::new(uptime),
            surroundings: Surroundings::Process,
            doors: Doors::local(),
            env,
        }
    }

    pub(super) fn with_color(mut self, no_color: bool) -> Self {
        self.color &= !no_color;
        self
    }

    /// How text is written.
    pub fn style(&self) -> Style {
        let width = self
            .env
            .get("COLUMNS")
            .and_then(|c| c.parse().ok())
            .or(self.columns)
            .unwrap_or(WIDTH_DEFAULT);
        Style {
            color: self.color,
            width,
        }
    }

    /// The person, machine and process, for whoever meets their lock.
    pub fn holder(&self) -> String {
        let user = self.user();
        let user = if user.is_empty() { "somebody" } else { &user };
        let machine = rustix::system::uname();
        let machine = machine.nodename().to_string_lossy().into_owned();
        format!("{user}@{machine}, process {}", std::process::id())
    }

    /// Who uses it, as the environment says; empty if it does not.
    pub fn user(&self) -> String {
        let names = ["USER", "LOGNAME", "USERNAME"];
        let set = |name: &&str| self.env.get(*name).filter(|user| !user.is_empty());
        names.iter().find_map(set).cloned().unwrap_or_default()
    }

    /// Values of `DRPLAN_VAR_x`.
    pub fn variables(&self) -> BTreeMap<String, String> {
        self.env
            .iter()
            .filter_map(|(k, v)| Some((k.strip_prefix("DRPLAN_VAR_")?.to_owned(), v.clone())))
            .collect()
    }
}

/// The time since the machine started. Time that it slept counts too, so that whoever wakes up knows.
fn uptime() -> Duration {
    #[cfg(target_os = "linux")]
    let id = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let id = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(id);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or_default())
}

/// How wide the terminal of this process is; one that does not know says 0.
fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    let columns = usize::from(size.ws_col);
    (columns > 0).then(|| columns.clamp(*WIDTHS.start(), *WIDTHS.end()))
}
