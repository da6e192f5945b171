//! Arguments of `rehearse`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::VarArgs;
use super::at_least_one;

/// A port of this machine alone.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Ok(address),
        Ok(_) => Err("the world is open to this machine alone: give a loopback address".to_owned()),
        Err(_) => Err("write an address with a port, for example 127.0.0.1:7443".to_owned()),
    }
}

/// An address, and behind a colon how many attempts, which is a number. A key of an instance may hold colons.
fn failure(text: &str) -> Result<String, String> {
    let behind_key = text.rfind(']').map_or(0, |at| at + 1);
    let count = text.get(behind_key..).and_then(|rest| rest.split_once(':'));
    match count {
        Some((_, n)) if n.parse().unwrap_or(0_u32) == 0 => Err(format!(
            "`{n}` is no number of attempts: write 1 or more, or only the address, which then fails for good"
        )),
        _ => Ok(text.to_owned()),
    }
}

/// What gives a variable its value here: what a person keeps for the real recovery does not get in.
const VAR_HELP: &str =
    "Give a variable a value, over `variables` of `rehearsal.hcl`; `DRPLAN_VAR_NAME` is not used";

/// `rehearse`.
#[derive(Debug, Args)]
#[command(mut_arg("vars", |arg| arg.help(VAR_HELP)))]
pub struct RehearseArgs {
    /// The folder of the spec and its `rehearsal.hcl`; `--chdir` if it is not given.
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Values of variables, over those of the world file.
    #[command(flatten)]
    pub vars: VarArgs,
    /// What is lost stands in the world file; taken so that whoever knows `plan --lost` is told.
    #[arg(long, value_name = "DOMAIN", hide = true)]
    pub lost: Vec<String>,
    /// Let a step fail: for good, or only its first N attempts.
    #[arg(long, value_name = "ADDRESS[:N]", value_parser = failure)]
    pub fail: Vec<String>,
    /// Let requests meet faults, drawn from a seed, which is any number; with `--listen` yours, too.
    #[arg(long, value_name = "SEED")]
    pub faults: Option<u64>,
    /// Keep the world open on loopback until Ctrl-C, in real time; by default on free ports.
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        num_args = 0..=1,
        default_missing_value = "127.0.0.1:0",
        require_equals = true,
        value_parser = loopback
    )]
    pub listen: Option<SocketAddr>,
    /// With `--listen`: open the world as it is before the recovery, and rehearse nothing.
    #[arg(long, requires = "listen", conflicts_with_all = ["fail", "json", "full"])]
    pub before: bool,
    /// Keep what a plan rests on before the recovery, as `drplan snapshot` does, and rehearse nothing.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["fail", "faults", "json", "full", "listen"])]
    pub snapshot: Option<PathBuf>,
    /// Begin as `drplan snapshot --out FILE` recorded it: what the world file declares is then as it was.
    #[arg(long, value_name = "FILE")]
    pub from_snapshot: Option<PathBuf>,
    /// Print one JSON object for each event, and one for the report.
    #[arg(long)]
    pub json: bool,
    /// Print the whole plan, and all evidence in the report.
    #[arg(long)]
    pub full: bool,
    /// How many steps may run at once.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10,
        value_parser = at_least_one,
        env = "DRPLAN_PARALLELISM"
    )]
    pub parallelism: usize,
}
