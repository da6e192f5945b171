//! Signals: the first lets what runs end, the second leaves it at a safe point, the third leaves at
//! once. A supervisor that sends SIGTERM kills soon after, so there the second comes by itself.

use std::time::Duration;

use tokio::sync::watch;

use super::Ambient;
use super::failure::Failure;
use super::talk;
use crate::apply::Stop;
use crate::lang::parse_duration;
use crate::report::Exit;

/// How long SIGTERM lets what runs end, unless `DRPLAN_GRACE` says otherwise.
const GRACE_DEFAULT: Duration = Duration::from_secs(20);

/// Which signal it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// A person at the keyboard.
    Interrupt,
    /// A supervisor, or a closed terminal.
    Terminate,
}

/// How long SIGTERM lets what runs end.
fn grace(ambient: &Ambient) -> Result<Duration, Failure> {
    let Some(text) = ambient.env.get("DRPLAN_GRACE") else {
        return Ok(GRACE_DEFAULT);
    };
    parse_duration(text).ok_or_else(|| {
        Failure::refused(
            Exit::Usage,
            format!("`DRPLAN_GRACE={text}` is not a length of time"),
            "write for example 90s, 15m or 1h30m",
        )
    })
}

/// Listens for signals for as long as the process lives.
pub(super) fn stops(ambient: &Ambient) -> Result<watch::Receiver<Stop>, Failure> {
    let grace = grace(ambient)?;
    let (sender, receiver) = watch::channel(Stop::No);
    tokio::spawn(async move {
        let mut count = 0;
        let mut patience = None;
        let Some(mut signals) = Signals::listen() else {
            return;
        };
        loop {
            let signal = tokio::select! {
                signal = signals.next() => signal,
                () = over(patience) => None,
            };
            if signal.is_none() && patience.is_none() {
                return;
            }
            count += 1;
            match count {
                1 => {
                    // A terminal that is held may keep who talks waiting.
                    sender.send_replace(Stop::Drain);
                    talk(
                        "stopping: nothing new is started; what runs may end (again to leave it at a safe point)",
                    );
                    if signal == Some(Signal::Terminate) {
                        patience = Some(tokio::time::Instant::now() + grace);
                    }
                }
                2 => {
                    sender.send_replace(Stop::Cancel);
                    talk("leaving what runs at its next safe point (again to leave at once)");
                    patience = None;
                }
                _ => leave_at_once(),
            }
        }
    });
    Ok(receiver)
}

/// Waits until somebody has asked to stop; for ever where nobody listens yet.
pub(super) async fn asked(stop: Option<&watch::Receiver<Stop>>) {
    let Some(stop) = stop else {
        return std::future::pending().await;
    };
    let mut stop = stop.clone();
    if stop.wait_for(|stop| *stop != Stop::No).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn over(patience: Option<tokio::time::Instant>) {
    match patience {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

#[expect(
    clippy::exit,
    reason = "the third signal leaves at once; the journal is on disk already"
)]
fn leave_at_once() {
    std::process::exit(i32::from(Exit::Killed.code()));
}

/// The signals of this process, from now on.
#[cfg(unix)]
pub(super) struct Signals {
    int: tokio::signal::unix::Signal,
    hup: tokio::signal::unix::Signal,
    term: tokio::signal::unix::Signal,
    /// Whether the terminal was closed: a shell and the system may each say so, and once is enough.
    hung_up: bool,
}

#[cfg(unix)]
impl Signals {
    /// Begins to listen; `None` where that cannot be done.
    pub(super) fn listen() -> Option<Self> {
        use tokio::signal::unix::SignalKind;
        use tokio::signal::unix::signal;
        Some(Self {
            int: signal(SignalKind::interrupt()).ok()?,
            hup: signal(SignalKind::hangup()).ok()?,
            term: signal(SignalKind::terminate()).ok()?,
            hung_up: false,
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Option<Signal> {
        tokio::select! {
            got = self.int.recv() => got.map(|()| Signal::Interrupt),
            got = self.hup.recv(), if !self.hung_up => {
                self.hung_up = true;
                got.map(|()| Signal::Terminate)
            }
            got = self.term.recv() => got.map(|()| Signal::Terminate),
        }
    }
}

/// The signals of this process, from now on.
#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    /// Begins to listen.
    pub(super) fn listen() -> Option<Self> {
        Some(Self)
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Option<Signal> {
        let pressed = tokio::signal::ctrl_c().await;
        pressed.ok().map(|()| Signal::Interrupt)
    }
}
