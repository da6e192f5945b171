//! `drplan apply`.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use drplan_api::Address;
use drplan_api::Fut;
use drplan_api::Timestamp;
use tokio::sync::Mutex;
use tokio::sync::watch;

use super::Ambient;
use super::args::ApplyArgs;
use super::args::Cli;
use super::args::VarArgs;
use super::failure::Failure;
use super::print;
use super::session::Session;
use super::session::trusted;
use super::talk;
use crate::apply::Apply;
use crate::apply::Asked;
use crate::apply::Frontier;
use crate::apply::Gatekeeper;
use crate::apply::Journal;
use crate::apply::Lock;
use crate::apply::Sink;
use crate::apply::Stop;
use crate::observe::Observer;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::PlanFileError;
use crate::plan::Summary;
use crate::render;
use crate::report::Exit;
use crate::report::done_without;
use crate::report::verdict;
use crate::secrets::Secrets;

pub(super) async fn run(cli: &Cli, args: &ApplyArgs, ambient: &Ambient) -> Result<Exit, Failure> {
    if args.json && args.plan.is_none() && !args.auto_approve {
        return Err(Failure::refused(
            Exit::Usage,
            "`apply --json` cannot ask whether to start",
            "give a plan file or `--auto-approve`",
        ));
    }
    let (plan, world) = match &args.plan {
        Some(path) => from_file(cli, args, path, ambient)?,
        None => {
            let session = Session::open(&cli.chdir, &args.planning.vars, ambient)?;
            let plan = session.plan(&args.planning, ambient, false).await?;
            if !args.json {
                print(&render::plan::summary(&plan, ambient.style()))?;
            }
            let checks = plan
                .steps
                .iter()
                .any(|s| matches!(s.what, Do::Check { .. }));
            if plan.is_empty() && !checks {
                if args.json {
                    nothing_to_do(&plan, ambient.doors.clock.now())?;
                }
                return Ok(Exit::Ok);
            }
            if !args.auto_approve && !plan.is_empty() {
                confirm(&plan, ambient)?;
            }
            let world = World {
                secrets: session.secrets,
                observer: session.observer,
                registry: session.registry,
            };
            (plan, world)
        }
    };
    needs_secrets(&plan, &world.secrets)?;
    known_gates(&plan, &args.approve)?;
    let next = next_command(cli, args, &plan);
    start(cli, args, ambient, Arc::new(plan), world, next).await
}

/// What a plan is applied with.
pub(super) struct World {
    pub(super) secrets: Arc<Secrets>,
    pub(super) observer: Arc<Observer>,
    pub(super) registry: Arc<drplan_api::Registry>,
}

/// Applying a file opens no spec: variables are read only for the secrets that the plan names.
fn from_file(
    cli: &Cli,
    args: &ApplyArgs,
    path: &Path,
    ambient: &Ambient,
) -> Result<(Plan, World), Failure> {
    let planning = &args.planning;
    if !planning.lost.is_empty() || planning.incident_at.is_some() || !planning.accept.is_empty() {
        return Err(Failure::refused(
            Exit::Usage,
            "a plan file is decided already",
            "leave out `--lost`, `--incident-at` and `--accept`, or plan again with them",
        ));
    }
    let plan = trusted(crate::plan::read(path)?)?;
    let world = world(cli, &planning.vars, &plan, ambient)?;
    same_payloads(&plan, &world.registry, path)?;
    Ok((plan, world))
}

/// Connections and secrets for a plan that is there already.
pub(super) fn world(
    cli: &Cli,
    vars: &VarArgs,
    plan: &Plan,
    ambient: &Ambient,
) -> Result<World, Failure> {
    let mut given = ambient.variables();
    for pair in &vars.vars {
        if let Some((name, value)) = pair.split_once('=') {
            given.insert(name.to_owned(), value.to_owned());
        }
    }
    for file in &vars.var_files {
        let text = crate::spec_read(file)?;
        let (attrs, _) = crate::lang::parse_values_file(crate::lang::FileId(u32::MAX), &text);
        for (name, attr) in attrs {
            if let Some(crate::lang::Value::String(text)) = crate::spec::literal(&attr.expr) {
                given.insert(name, text.to_string());
            }
        }
    }
    given.retain(|name, _| plan.head.secrets.contains(name));
    let secrets = Arc::new(Secrets::new(&cli.chdir, given));
    let registry = Arc::new(crate::registry::registry());
    let observer = Arc::new(Observer::new(
        Arc::clone(&registry),
        cli.chdir.clone(),
        ambient.doors.clone(),
        Arc::clone(&secrets),
    ));
    Ok(World {
        secrets,
        observer,
        registry,
    })
}

/// A payload is read only by the version of its kind that wrote it.
fn same_payloads(plan: &Plan, registry: &drplan_api::Registry, path: &Path) -> Result<(), Failure> {
    for (name, version) in &plan.head.kinds {
        let ours = registry
            .get_resource(name)
            .map(|kind| kind.def().op_version);
        if ours != Some(*version) {
            return Err(PlanFileError::Version {
                path: path.display().to_string(),
                found: format!("{} with `{name}` of version {version}", plan.head.format),
            }
            .into());
        }
    }
    Ok(())
}

pub(super) fn confirm(plan: &Plan, ambient: &Ambient) -> Result<(), Failure> {
    if !ambient.can_ask {
        return Err(Failure::refused(
            Exit::Refused,
            "nobody can be asked here whether to start",
            "give `--auto-approve`, or save a plan with `plan --out FILE` and apply that",
        ));
    }
    // What cannot be undone is started by typing the recovery's name, not a word that fingers know.
    let word = if Summary::of(plan).irreversible > 0 {
        plan.head.recovery.as_str()
    } else {
        "yes"
    };
    let mut out = std::io::stderr().lock();
    write!(out, "\nStart? Type `{word}`: ")
        .and_then(|()| out.flush())
        .map_err(anyhow::Error::from)?;
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .map_err(anyhow::Error::from)?;
    if line.trim() == word {
        Ok(())
    } else {
        Err(Failure::refused(
            Exit::Refused,
            "not started",
            "nothing was changed",
        ))
    }
}

fn needs_secrets(plan: &Plan, secrets: &Secrets) -> Result<(), Failure> {
    let missing: Vec<&str> = plan
        .head
        .secrets
        .iter()
        .filter(|n| !secrets.has_variable(n))
        .map(String::as_str)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let hints: Vec<String> = missing.iter().map(|n| format!("DRPLAN_VAR_{n}")).collect();
    Err(Failure::refused(
        Exit::Refused,
        format!(
            "the plan needs the sensitive variables {}",
            missing.join(", ")
        ),
        format!("give them with {} or `--var-file`", hints.join(", ")),
    ))
}

fn known_gates(plan: &Plan, approve: &[String]) -> Result<(), Failure> {
    for address in approve {
        let is_gate = plan
            .step(address)
            .is_some_and(|s| matches!(s.what, Do::Gate { .. } | Do::Idle | Do::Blocked { .. }));
        if !is_gate {
            let gates: Vec<&str> = plan
                .steps
                .iter()
                .filter(|s| matches!(s.what, Do::Gate { .. }))
                .map(|s| s.address.as_str())
                .collect();
            return Err(Failure::refused(
                Exit::Usage,
                format!("`--approve {address}`: the plan has no such gate"),
                if gates.is_empty() {
                    "it asks nobody: leave the option out".to_owned()
                } else {
                    format!("its gates are: {}", gates.join(", "))
                },
            ));
        }
    }
    Ok(())
}

/// A run's id: when it began and a few digits that tell runs of one second apart.
fn run_id(at: Timestamp) -> String {
    let digits = drplan_api::short_hash(&(at.as_nanosecond().to_string(), std::process::id()));
    format!("{}-{}", at.strftime("%Y%m%dT%H%M%SZ"), &digits[..4])
}

/// Applies a plan; `next` is the command by which a person goes on if something is left.
pub(super) async fn start(
    cli: &Cli,
    args: &ApplyArgs,
    ambient: &Ambient,
    plan: Arc<Plan>,
    world: World,
    next: String,
) -> Result<Exit, Failure> {
    let at = ambient.doors.clock.now();
    let run = run_id(at);
    let store = std::path::absolute(&cli.chdir)
        .map_err(anyhow::Error::from)?
        .join(".drplan");
    crate::apply::private_dir(&store).map_err(anyhow::Error::from)?;
    let _lock = Lock::take(
        &store.join("lock"),
        &format!("run {run}, process {}", std::process::id()),
    )?;
    let run_dir = store.join("runs").join(&run);
    crate::apply::private_dir(&run_dir).map_err(anyhow::Error::from)?;
    crate::plan::write(&plan, &run_dir.join("plan.json"))?;
    let journal = Journal::create(&run_dir.join("journal.jsonl")).map_err(anyhow::Error::from)?;
    let sink: Arc<dyn Sink> = if args.json {
        print(&(render::json::version_line(at).to_string() + "\n"))?;
        Arc::new(render::run::JsonSink::new(ambient.doors.clock.clone()))
    } else {
        Arc::new(render::run::TextSink::new(
            ambient.style(),
            ambient.stdout_is_terminal,
        ))
    };
    let asks = Asks {
        approved: args.approve.iter().map(Address::new).collect(),
        can_ask: ambient.can_ask && !args.json,
        one_at_a_time: Mutex::new(()),
    };
    let ending = crate::apply::apply(Apply {
        plan: Arc::clone(&plan),
        registry: world.registry,
        observer: world.observer,
        secrets: world.secrets,
        journal,
        sink,
        gatekeeper: Arc::new(asks),
        stop: signals(),
        run,
        base_dir: std::path::absolute(&cli.chdir).map_err(anyhow::Error::from)?,
        work_dir: store.join("work"),
        doors: ambient.doors.clone(),
        parallelism: args.parallelism,
        seed: u64::try_from(at.as_nanosecond() & i128::from(u64::MAX)).unwrap_or_default(),
        next,
    })
    .await
    .map_err(anyhow::Error::from)?;
    let mut exit = verdict(&plan, &ending.outcomes, ending.stopped);
    if let Some(error) = &ending.broken {
        talk(&format!("error: {error}; nothing new was begun"));
        exit = Exit::Partial;
    }
    let last = ending.events + 1;
    let mut frontier = ending.frontier;
    for gate in frontier.waiting.keys() {
        // An instance's key stands in quotes, which a shell would take away.
        let quote = if gate.as_str().contains('[') { "'" } else { "" };
        frontier
            .next
            .extend([" --approve ", quote, gate.as_str(), quote]);
    }
    if exit == Exit::Ok {
        frontier.next.clear();
    }
    frontier
        .write(&run_dir.join("frontier.json"))
        .map_err(anyhow::Error::from)?;
    if args.json {
        let line = render::json::summary_line(
            ambient.doors.clock.now(),
            last,
            exit.code(),
            &frontier,
            &ending.head,
        );
        print(&format!("{line}\n"))?;
    } else {
        print(&render::run::ending(
            plan.head.reverts.as_deref(),
            &ending.outcomes,
            &frontier,
            done_without(&plan, &ending.outcomes)
                .filter(|_| ending.stopped == Stop::No)
                .as_deref(),
            ambient.style(),
            exit.code(),
        ))?;
        talk(&format!(
            "report: drplan report {}\nhead of the journal, to be kept elsewhere: {}",
            frontier.run, ending.head
        ));
    }
    Ok(exit)
}

/// The frame of an event stream without a run in it.
fn nothing_to_do(plan: &Plan, at: Timestamp) -> Result<(), Failure> {
    let frontier = Frontier {
        done: plan
            .steps
            .iter()
            .filter(|s| s.what == Do::Nothing)
            .map(|s| s.address.clone())
            .collect(),
        ..Frontier::default()
    };
    let version = render::json::version_line(at);
    let summary = render::json::summary_line(at, 1, Exit::Ok.code(), &frontier, "");
    print(&format!("{version}\n{summary}\n"))
}

/// The exact command by which a person goes on, each word as a shell needs it.
fn next_command(cli: &Cli, args: &ApplyArgs, plan: &Plan) -> String {
    let mut words = vec!["drplan".to_owned()];
    if cli.chdir != Path::new(".") {
        words.extend(["--chdir".to_owned(), cli.chdir.display().to_string()]);
    }
    words.push("apply".to_owned());
    if let Some(path) = &args.plan {
        // The same plan may be applied again; what it rests on is decided.
        words.push(path.display().to_string());
    } else {
        let mut add = |flag: &str, value: String| words.extend([flag.to_owned(), value]);
        for domain in &plan.head.lost {
            add("--lost", domain.clone());
        }
        if let Some(at) = &plan.head.incident_at {
            add("--incident-at", at.to_string());
        }
        for address in &plan.head.accept {
            add("--accept", format!("{address}=overwrite"));
        }
        for pair in &args.planning.vars.vars {
            let name = pair.split('=').next().unwrap_or_default();
            // A plain variable decides what is recovered; a sensitive one must not be shown.
            if plan.head.variables.contains_key(name) {
                add("--var", pair.clone());
            }
        }
    }
    if args.auto_approve {
        words.push("--auto-approve".to_owned());
    }
    for file in &args.planning.vars.var_files {
        words.extend(["--var-file".to_owned(), file.display().to_string()]);
    }
    drplan_api::shell::joined(&words)
}

/// The first signal drains, the second cancels at a safe point, the third leaves at once.
fn signals() -> watch::Receiver<Stop> {
    let (sender, receiver) = watch::channel(Stop::No);
    tokio::spawn(async move {
        let mut count = 0;
        while stop_signal().await {
            count += 1;
            match count {
                1 => {
                    talk(
                        "stopping: nothing new is started; what runs may end (again to leave it at a safe point)",
                    );
                    sender.send_replace(Stop::Drain);
                }
                2 => {
                    talk("leaving what runs at its next safe point (again to leave at once)");
                    sender.send_replace(Stop::Cancel);
                }
                _ => leave_at_once(),
            }
        }
    });
    receiver
}

#[expect(
    clippy::exit,
    reason = "the third signal leaves at once; the journal is on disk already"
)]
fn leave_at_once() {
    std::process::exit(i32::from(Exit::Killed.code()));
}

#[cfg(unix)]
pub(super) async fn stop_signal() -> bool {
    use tokio::signal::unix::SignalKind;
    use tokio::signal::unix::signal;
    let (Ok(mut int), Ok(mut term)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return false;
    };
    tokio::select! {
        got = int.recv() => got.is_some(),
        got = term.recv() => got.is_some(),
    }
}

#[cfg(not(unix))]
pub(super) async fn stop_signal() -> bool {
    tokio::signal::ctrl_c().await.is_ok()
}

/// Asks at the terminal, one question at a time, unless the command line has answered.
struct Asks {
    approved: BTreeSet<Address>,
    can_ask: bool,
    one_at_a_time: Mutex<()>,
}

impl Gatekeeper for Asks {
    fn ask(&self, address: &Address, ask: &str) -> Fut<'_, Asked> {
        let (address, ask) = (address.clone(), ask.to_owned());
        Box::pin(async move {
            if self.approved.contains(&address) {
                return Asked::Approved("--approve".to_owned());
            }
            if !self.can_ask {
                return Asked::Unanswered;
            }
            let _turn = self.one_at_a_time.lock().await;
            talk(&format!("\n{address}: {ask}\nType `yes` to go on: "));
            let read = tokio::task::spawn_blocking(|| {
                let mut line = String::new();
                std::io::stdin().read_line(&mut line).map(|_| line)
            });
            match read.await {
                Ok(Ok(line)) if line.trim() == "yes" => Asked::Approved("the terminal".to_owned()),
                _ => Asked::Unanswered,
            }
        })
    }
}
