//! `cargo xtask site`: a site whose processes outlive the command.
//!
//! `is-up` follows the contract of a check: 0 it is so, 1 it is not, anything else nobody knows.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use clap::Subcommand;
use clap::ValueEnum;
use drplan_harness::Components;
use drplan_harness::Identity;
use drplan_harness::Part;
use drplan_harness::SiteDir;
use drplan_harness::process::Ending;
use drplan_harness::site::Liveness;
use drplan_harness::site::UpOptions;
use drplan_harness::site::keep_velero;

/// Start, probe and end a site in a folder of its own
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start parts and wait until they are ready; what runs is left alone
    Up {
        #[command(flatten)]
        place: Place,
        /// The site's name
        #[arg(long)]
        name: String,
        /// A part to start, in the order given; may be repeated
        #[arg(long, required = true, value_delimiter = ',')]
        with: Vec<With>,
        /// How many fake nodes the control plane gets
        #[arg(long)]
        nodes: Option<usize>,
        /// The AWS credentials file of Velero's server
        #[arg(long, env = "AWS_SHARED_CREDENTIALS_FILE")]
        aws_credentials: Option<PathBuf>,
    },
    /// Exit with 0 when all given parts are up, with 1 when one is not; prints where the API server
    /// of a control plane that is up listens
    IsUp {
        #[command(flatten)]
        place: Place,
        /// The site's name; only for symmetry with `up`
        #[arg(long)]
        name: Option<String>,
        /// A part to probe; may be repeated
        #[arg(long, required = true, value_delimiter = ',')]
        with: Vec<With>,
    },
    /// End all processes and keep the data
    Down {
        #[command(flatten)]
        place: Place,
    },
    /// Kill all processes and delete the data
    Destroy {
        #[command(flatten)]
        place: Place,
    },
    /// Run Velero's server and start it again whenever it ends
    #[command(hide = true)]
    KeepVelero {
        #[command(flatten)]
        place: Place,
    },
}

#[derive(clap::Args)]
struct Place {
    /// The site's folder
    #[arg(long)]
    dir: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum With {
    ControlPlane,
    Velero,
    Postgres,
}

impl With {
    fn part(self) -> Part {
        match self {
            Self::ControlPlane => Part::ControlPlane,
            Self::Velero => Part::Velero,
            Self::Postgres => Part::Postgres,
        }
    }
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    match args.command {
        Command::Up {
            place,
            name,
            with,
            nodes,
            aws_credentials,
        } => {
            let mut options = UpOptions::with_this_program_as_keeper()?;
            options.nodes = nodes.unwrap_or(options.nodes);
            options.aws_credentials = aws_credentials;
            up(&SiteDir::new(&place.dir)?, &name, &with, &options).await?;
        }
        Command::IsUp { place, with, .. } => return is_up(&SiteDir::new(&place.dir)?, &with).await,
        Command::Down { place } => SiteDir::new(&place.dir)?.down(Ending::Orderly).await?,
        Command::Destroy { place } => SiteDir::new(&place.dir)?.destroy(Ending::Abrupt).await?,
        Command::KeepVelero { place } => keep_velero(&place.dir).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn up(site: &SiteDir, name: &str, with: &[With], options: &UpOptions) -> Result<()> {
    let components = Components::locate()?;
    for with in with {
        let start = Instant::now();
        site.up(&components, name, with.part(), options).await?;
        let (part, took_s) = (with.part(), start.elapsed().as_secs_f64());
        println!("site {name}: {part:?} is up after {took_s:.1} s");
    }
    Ok(())
}

async fn is_up(site: &SiteDir, with: &[With]) -> Result<ExitCode> {
    for with in with {
        if let Liveness::Down(why) = site.is_up(with.part()).await? {
            // The log's end may follow; a check's output is one line.
            println!(
                "{:?} is not up: {}",
                with.part(),
                why.lines().next().unwrap_or_default()
            );
            return Ok(ExitCode::FAILURE);
        }
        if with.part() == Part::ControlPlane {
            println!("{}", api_address(site)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the API server listens, as `host:port`, by the site's own kubeconfig.
fn api_address(site: &SiteDir) -> Result<String> {
    let file = site.kubeconfig(Identity::Drplan);
    let about = || format!("cannot read `{}`", file.display());
    let text = fs::read_to_string(&file).with_context(about)?;
    let config: serde_json::Value = serde_json::from_str(&text).with_context(about)?;
    let server = config["clusters"][0]["cluster"]["server"]
        .as_str()
        .with_context(about)?;
    Ok(server.trim_start_matches("https://").to_owned())
}
