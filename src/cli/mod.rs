//! The command line: one thin file for each command. Only here are arguments, questions, exit codes.

mod after;
mod ambient;
mod apply;
mod args;
mod choose;
mod consent;
mod doctor;
mod failure;
mod gate;
mod given;
mod graph;
mod history;
mod holder;
mod next;
mod open_store;
#[cfg(feature = "rehearse")]
mod open_world;
mod orders;
mod permissions;
mod plan;
mod points;
#[cfg(feature = "rehearse")]
mod rehearse;
mod release;
mod report;
mod revert;
mod run;
mod running;
mod session;
#[cfg(all(test, feature = "rehearse"))]
mod shop;
mod show;
mod shown;
mod signals;
mod snapshot;
mod standing;
mod status;
mod unlock;
mod validate;
mod values;
mod why;
mod wish;
mod words;
mod world;

use std::ffi::OsString;
use std::io::Write as _;

pub use ambient::Ambient;
pub use args::Cli;
pub use args::Command;
#[cfg(feature = "rehearse")]
pub(crate) use args::PlanningArgs;
pub use args::VarArgs;
pub use failure::Failure;
#[cfg(feature = "rehearse")]
pub(crate) use session::Basis;
#[cfg(feature = "rehearse")]
pub(crate) use session::Made;
#[cfg(feature = "rehearse")]
pub(crate) use session::Session;

use args::RevertCommand;
use args::SchemaOf;

use crate::report::Exit;

/// Runs one command and returns the exit code.
pub fn run(argv: impl IntoIterator<Item = OsString>, ambient: Ambient) -> u8 {
    let cli = match Cli::read(args::normalised(argv, &ambient.env)) {
        Ok(cli) => cli,
        Err(error) => {
            error.print().ok();
            return if error.use_stderr() {
                Exit::Usage.code()
            } else {
                Exit::Ok.code()
            };
        }
    };
    quietly_panic();
    // One TLS provider for every client, before the first of them starts.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let ambient = ambient.with_color(cli.no_color);
    #[cfg(feature = "rehearse")]
    if let Command::Rehearse(args) = &cli.command {
        return match rehearse::run(&cli, args, &ambient) {
            Ok(exit) => exit.code(),
            Err(failure) => say(&ambient, failure),
        };
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return say(&ambient, Failure::from(anyhow::Error::from(error))),
    };
    let done = runtime.block_on(dispatch(&cli, &ambient));
    // Threads that wait for a terminal must not keep the process.
    runtime.shutdown_background();
    match done {
        Ok(exit) => exit.code(),
        Err(failure) => say(&ambient, failure),
    }
}

/// A bug says where it is and not what it saw: that may be a secret. What a step says of its own bug is
/// scrubbed and stands in its outcome.
fn quietly_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let place = place.unwrap_or_else(|| "an unknown place".to_owned());
        // Whoever draws may hold what `talk` would wait for.
        let mut stderr = std::io::stderr().lock();
        writeln!(
            stderr,
            "this is a bug of drplan, at {place}; please report it"
        )
        .ok();
    }));
}

async fn dispatch(cli: &Cli, ambient: &Ambient) -> Result<Exit, Failure> {
    match &cli.command {
        Command::Validate(args) => validate::run(cli, args, ambient).await,
        Command::Plan(args) => plan::run(cli, args, ambient).await,
        Command::Points(args) => points::run(cli, args, ambient).await,
        Command::Permissions(args) => permissions::run(cli, args, ambient).await,
        Command::Doctor(args) => doctor::run(cli, args, ambient).await,
        Command::Snapshot(args) => snapshot::run(cli, args, ambient).await,
        Command::Show(args) => show::run(args, ambient),
        Command::Apply(args) => apply::run(cli, args, ambient).await,
        Command::Report(args) => report::run(cli, args, ambient).await,
        Command::Evidence(args) => report::evidence(cli, &args.command, ambient).await,
        Command::Revert(args) => match &args.command {
            RevertCommand::Dns(args) => revert::run(cli, args, ambient).await,
        },
        Command::Release(args) => release::run(cli, args, ambient).await,
        Command::Graph(args) => graph::run(cli, args, ambient).await,
        Command::Why(args) => why::run(cli, args, ambient).await,
        // It runs before this runtime is made.
        #[cfg(feature = "rehearse")]
        Command::Rehearse(_) => Ok(Exit::Ok),
        Command::Status(args) => status::run(cli, args, ambient).await,
        Command::Pause(args) => wish::run(cli, args, ambient, wish::Wanted::Pause).await,
        Command::Resume(args) => wish::run(cli, args, ambient, wish::Wanted::GoOn).await,
        Command::Unlock(args) => unlock::run(cli, args, ambient).await,
        Command::Schema(args) => {
            let schema = match args.of {
                SchemaOf::Kinds => crate::schema::document(&crate::registry::registry()),
                SchemaOf::Report => crate::schema::report(),
                #[cfg(feature = "rehearse")]
                SchemaOf::Rehearsal => crate::rehearse::schema(),
            };
            let text = serde_json::to_string_pretty(&schema).map_err(anyhow::Error::from)?;
            print(&(text + "\n"))?;
            Ok(Exit::Ok)
        }
        Command::Version => {
            print(&format!("drplan {}\n", env!("CARGO_PKG_VERSION")))?;
            Ok(Exit::Ok)
        }
    }
}

/// Writes data to standard output. A reader that went away ends the command quietly.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if !is_gone(&e) => Err(anyhow::Error::from(e).into()),
        _ => Ok(()),
    }
}

/// Whether nobody reads any more: a pipe or a terminal was closed.
fn is_gone(error: &std::io::Error) -> bool {
    let closed = rustix::io::Errno::IO.raw_os_error();
    error.kind() == std::io::ErrorKind::BrokenPipe || error.raw_os_error() == Some(closed)
}

/// Says something to the person, beside the data.
fn talk(text: &str) {
    crate::render::run::undisturbed(|| {
        writeln!(std::io::stderr().lock(), "{text}").ok();
    });
}

fn say(ambient: &Ambient, failure: Failure) -> u8 {
    let exit = failure.exit();
    talk(failure.render(ambient.style()).trim_end());
    exit.code()
}
