//! The door to programs: what stands in for each, in virtual time.
//!
//! Nothing is started. A program that nothing stands in for is refused by name.

#![expect(clippy::disallowed_methods, reason = "programs leave files behind")]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::io::Write as _;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::ProviderError;
use drplan_api::process::Detached;
use drplan_api::process::Output;
use drplan_api::process::ProcessDoor;
use drplan_api::process::Program;
use drplan_api::process::Traces;
use drplan_api::shell;
use tokio::time::Instant;

use super::WorldError;
use super::commands::CommandLine;
use super::file::Content;
use super::file::Stand;
use super::power::Power;
use super::witness::Gallery;

/// How names of the files end that a spec is read from.
const SPEC: &str = "hcl";

/// How long a program takes that changes something, if the world file does not say.
const TAKES_DEFAULT: Duration = Duration::from_secs(1);

/// How what programs made is named where servers are.
pub(super) const MADE: &str = "made.";

/// How often a program looks for what it waits for.
const LOOK: Duration = Duration::from_secs(1);

/// What stands in for a program that drplan's providers start.
pub trait Tool: Send + Sync {
    /// Whether it stands in for a program.
    fn knows(&self, program: &Program) -> bool;
    /// Does what the program would. `said` hears each line of its standard error when it is said.
    fn run<'a>(&'a self, program: &'a Program, said: &'a Said) -> Fut<'a, Output>;
}

/// Hears lines of a program's standard error.
pub type Said = dyn Fn(&str) + Send + Sync;

/// Programs of the world.
#[derive(Clone)]
pub(super) struct Programs(Arc<Inner>);

struct Inner {
    base_dir: PathBuf,
    stands: BTreeMap<String, Vec<Prepared>>,
    tools: Vec<Arc<dyn Tool>>,
    power: Power,
    gallery: Gallery,
    /// Programs that were detached, by the file that would hold their process id.
    detached: Mutex<BTreeMap<PathBuf, Detached>>,
    /// The arguments of programs that run, by a number of their own.
    running: Mutex<(u64, BTreeMap<u64, String>)>,
    /// What programs made, by the names that the world file gives.
    made: Mutex<BTreeSet<String>>,
    /// What nothing stood in for.
    strangers: Mutex<BTreeSet<Vec<String>>>,
    /// How programs end that nothing stands in for: what was recorded of them.
    recalled: Mutex<BTreeMap<Start, End>>,
    /// Whether a program of the world did something, so that what was not true when it was recorded may be.
    acted: AtomicBool,
    /// The files that programs of the world left before it began.
    left: Mutex<BTreeSet<PathBuf>>,
}

/// What tells one start of a program from another: arguments, environment and folder.
type Start = (Vec<String>, BTreeMap<String, String>, PathBuf);

/// A check that was recorded.
pub(super) struct Check<'a> {
    /// The program and its arguments.
    pub(super) argv: &'a [String],
    /// Its environment.
    pub(super) env: &'a BTreeMap<String, String>,
    /// Its folder, relative to that of the spec.
    pub(super) cwd: &'a str,
}

/// How it ended.
#[derive(Clone)]
pub(super) struct End {
    /// Its exit code.
    pub(super) code: i32,
    /// What it printed, as far as that was kept.
    pub(super) stdout: String,
    /// What it complained of, as far as that was kept.
    pub(super) stderr: String,
}

/// What became of a file that was recorded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Restored {
    /// It is as it was.
    Same,
    /// What stood in it is not known, and it is not there.
    Secret,
    /// It is none that a rehearsal may write.
    Outside,
    /// It cannot be written or removed.
    Failed(String),
}

struct Prepared {
    stand: Stand,
    takes: Duration,
    within: Duration,
}

impl Programs {
    pub(super) fn new(
        base_dir: PathBuf,
        stands: BTreeMap<String, Vec<Stand>>,
        tools: Vec<Arc<dyn Tool>>,
        power: Power,
        gallery: Gallery,
    ) -> Result<Self, WorldError> {
        let mut prepared = BTreeMap::new();
        for (name, list) in stands {
            let list: Result<Vec<_>, _> = list
                .into_iter()
                .map(|s| prepare(&name, s, &power))
                .collect();
            prepared.insert(plain(&name, &base_dir), list?);
        }
        Ok(Self(Arc::new(Inner {
            base_dir,
            stands: prepared,
            tools,
            power,
            gallery,
            detached: Mutex::default(),
            running: Mutex::default(),
            made: Mutex::default(),
            strangers: Mutex::default(),
            recalled: Mutex::default(),
            acted: AtomicBool::new(false),
            left: Mutex::default(),
        })))
    }

    /// Does what a program would, and lets the witness hear how it ended.
    async fn simulate(&self, program: &Program, said: &Said) -> Result<Output, ProviderError> {
        let done = self.stand_in(program, said).await;
        let code = done.as_ref().map_or(Some(NOT_FOUND), |output| output.code);
        self.0.gallery.tell(|w| w.ends(program, code));
        done
    }

    async fn stand_in(&self, program: &Program, said: &Said) -> Result<Output, ProviderError> {
        let inner = &*self.0;
        let _seen = inner.seen(program);
        let name = program.argv.first().map(String::as_str).unwrap_or_default();
        let known = plain(name, &inner.base_dir);
        if let Some(stand) = inner
            .stands
            .get(&known)
            .and_then(|l| fitting(l, &program.argv))
        {
            return inner.act(stand, program).await;
        }
        match inner.tools.iter().find(|t| t.knows(program)) {
            Some(tool) => Ok(tool.run(program, said).await),
            None => inner.recalled(program).ok_or_else(|| inner.nobody(program)),
        }
    }

    /// Leaves what the programs left that started a server which runs from the beginning, each where a
    /// command of the spec runs it.
    ///
    /// # Errors
    ///
    /// If a file cannot be written.
    pub(super) fn ran(&self, server: &str, commands: &[CommandLine]) -> Result<(), ProviderError> {
        let inner = &*self.0;
        let named = inner.stands.iter();
        let stands = named.flat_map(|(name, list)| list.iter().map(move |p| (name, &p.stand)));
        for (name, stand) in stands.filter(|(_, s)| s.starts.iter().any(|name| name == server)) {
            inner.made().extend(stand.makes.iter().cloned());
            for folder in inner.folders(name, stand, commands) {
                locked(&inner.left).extend(inner.leave(stand, &folder)?);
            }
        }
        Ok(())
    }

    /// Leaves the file that leads to a server which runs from the beginning.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(super) fn lead_to(&self, content: Content, path: &str) -> Result<(), ProviderError> {
        let inner = &*self.0;
        let stand = Stand {
            files: BTreeMap::from([(path.to_owned(), content)]),
            ..Stand::default()
        };
        locked(&inner.left).extend(inner.leave(&stand, &inner.base_dir)?);
        Ok(())
    }

    /// Lets a check end as it was recorded, unless something of the world file stands in for it; then what
    /// it found true is made, and the answer is `true`.
    pub(super) fn recall(&self, check: &Check<'_>, end: End) -> bool {
        let inner = &*self.0;
        let cwd = inner.base_dir.join(check.cwd);
        let (argv, env, cwd) = inner.start(check.argv, check.env, &cwd);
        let list = argv.first().and_then(|name| inner.stands.get(name));
        let Some(found) = list.and_then(|list| fitting(list, &argv)) else {
            locked(&inner.recalled).insert((argv, env, cwd), end);
            return false;
        };
        if end.code == 0 {
            let made = found
                .stand
                .true_if
                .iter()
                .filter_map(|name| name.strip_prefix(MADE));
            inner.made().extend(made.map(str::to_owned));
        }
        true
    }

    /// Lets a file be there or not, as it was recorded. What programs of the world left leads into it, and
    /// stays. `reads` are the files and folders that the spec reads.
    pub(super) fn recall_file(
        &self,
        path: &str,
        present: bool,
        content: Option<&str>,
        reads: &BTreeSet<PathBuf>,
    ) -> Restored {
        let inner = &*self.0;
        let Ok(path) = inside(&inner.base_dir, &inner.base_dir, path) else {
            return Restored::Outside;
        };
        if locked(&inner.left).contains(&path) {
            return Restored::Same;
        }
        let done = match (present, content) {
            (true, None) if path.exists() => return Restored::Same,
            (true, None) => return Restored::Secret,
            (false, _) if !path.exists() => return Restored::Same,
            (true, Some(text)) if is_text(&path, text) => return Restored::Same,
            // Whoever edits a recording must not write the spec that is rehearsed.
            _ if is_of_spec(&path) || inner.is_read(&path, reads) => return Restored::Outside,
            (false, _) => std::fs::remove_file(&path),
            (true, Some(text)) => write(&path, text.as_bytes()),
        };
        done.map_or_else(|e| Restored::Failed(e.to_string()), |()| Restored::Same)
    }

    /// The commands that nothing stood in for, as somebody writes them.
    pub(super) fn strangers(&self) -> Vec<Vec<String>> {
        let strangers = &self.0.strangers;
        let strangers = strangers.lock().unwrap_or_else(PoisonError::into_inner);
        strangers.iter().cloned().collect()
    }

    fn detached(&self) -> std::sync::MutexGuard<'_, BTreeMap<PathBuf, Detached>> {
        let detached = &self.0.detached;
        detached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A program that runs; it is seen until this is dropped.
struct Seen<'a>(&'a Inner, u64);

impl Drop for Seen<'_> {
    fn drop(&mut self) {
        let mut running = self
            .0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        running.1.remove(&self.1);
    }
}

impl Inner {
    /// Waits for ever where the witness lets nothing start any more.
    async fn may_start(&self, program: &Program) {
        if !self.gallery.ask(|w| w.starts(program)) {
            std::future::pending::<()>().await;
        }
    }

    fn seen(&self, program: &Program) -> Seen<'_> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.0 += 1;
        let number = running.0;
        running.1.insert(number, program.argv.join("\0"));
        Seen(self, number)
    }

    async fn act(&self, prepared: &Prepared, program: &Program) -> Result<Output, ProviderError> {
        let stand = &prepared.stand;
        tokio::time::sleep(prepared.takes).await;
        for server in &stand.stops {
            self.power.set(server, false);
        }
        for server in &stand.starts {
            self.power.set(server, true);
        }
        self.leave(stand, &program.cwd)?;
        let until = Instant::now() + prepared.within;
        let mut found = self.look(stand);
        while found.is_none() && Instant::now() < until {
            tokio::time::sleep(LOOK).await;
            found = self.look(stand);
        }
        let code = if found.is_some() { stand.exit } else { 1 };
        if code == 0 {
            self.made().extend(stand.makes.iter().cloned());
        }
        let stdout = format!("{}{}", stand.stdout, found.unwrap_or_default());
        Ok(Output {
            code: Some(code),
            stdout: stdout.into_bytes(),
            stderr: stand.stderr.clone().into_bytes(),
        })
    }
}

impl Inner {
    /// Writes the files of a program that ran in a folder.
    fn leave(&self, stand: &Stand, cwd: &Path) -> Result<Vec<PathBuf>, ProviderError> {
        let mut written = Vec::new();
        for (path, content) in &stand.files {
            let text = self.power.content(content);
            let path = inside(&self.base_dir, cwd, path)?;
            write(&path, &text).map_err(|e| {
                ProviderError::new(
                    ErrorKind::Invalid,
                    "write a file of the rehearsal",
                    path.display().to_string(),
                )
                .caused_by(&e)
            })?;
            written.push(path);
        }
        Ok(written)
    }

    /// Where the commands of the spec run a program that something stands in for: in the spec's own folder if
    /// none of them is known to start it.
    fn folders(&self, name: &str, stand: &Stand, commands: &[CommandLine]) -> BTreeSet<PathBuf> {
        let plain = |name: &str| plain(name, &self.base_dir);
        let mut out: BTreeSet<PathBuf> = commands
            .iter()
            .filter(|command| command.starts(name, &stand.args, plain))
            .filter_map(|command| command.folder.as_ref())
            .map(|folder| self.base_dir.join(folder))
            // Beyond the copy of the spec nothing is written: a step that runs there says so at its turn.
            .filter(|folder| inside(&self.base_dir, folder, "").is_ok())
            .collect();
        if out.is_empty() {
            out.insert(self.base_dir.clone());
        }
        out
    }

    /// Whether a file is one that the spec reads, or lies in a folder that it reads.
    fn is_read(&self, path: &Path, reads: &BTreeSet<PathBuf>) -> bool {
        let read = |read: &PathBuf| path.starts_with(straight(&self.base_dir.join(read)));
        reads.iter().any(read)
    }

    /// What tells the start of a program from others, wherever the folder of the spec lies.
    fn start(&self, argv: &[String], env: &BTreeMap<String, String>, cwd: &Path) -> Start {
        let mut argv = argv.to_vec();
        if let Some(name) = argv.first_mut() {
            *name = plain(name, &self.base_dir);
        }
        let cwd = cwd.strip_prefix(&self.base_dir).unwrap_or(cwd);
        (argv, env.clone(), cwd.components().collect())
    }

    /// How a program ends of which only that is known. Once a program of the world has done something, a
    /// check that was not true is not known any more.
    fn recalled(&self, program: &Program) -> Option<Output> {
        let start = self.start(&program.argv, &program.env, &program.cwd);
        let end = locked(&self.recalled).get(&start)?.clone();
        // What was not done then may be done now: only who says what the check asks for knows.
        if end.code != 0 && self.acted.load(Ordering::Relaxed) {
            return None;
        }
        Some(Output {
            code: Some(end.code),
            stdout: end.stdout.into_bytes(),
            stderr: end.stderr.into_bytes(),
        })
    }

    /// Refuses a program that nothing stands in for, and keeps it. No argument is a secret: those stand in
    /// the environment or in files.
    fn nobody(&self, program: &Program) -> ProviderError {
        let mut argv = program.argv.clone();
        if let Some(name) = argv.first_mut() {
            *name = plain(name, &self.base_dir);
        }
        let line = shell::joined(&argv);
        let name = argv.first().cloned().unwrap_or_default();
        let strangers = &self.strangers;
        strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(argv);
        ProviderError::new(ErrorKind::NotFound, format!("start `{line}`"), HERE)
            .because(format!(
                "a rehearsal starts no programs, and no `program \"{name}\"` block of rehearsal.hcl stands in \
                 for this one"
            ))
            .hint("say in rehearsal.hcl what it does; the end of the report shows the block")
    }
}

impl Inner {
    fn made(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a program prints of what it asks for; nothing while that is not so.
    fn look(&self, stand: &Stand) -> Option<String> {
        let holds = |name: &String| match name.strip_prefix(MADE) {
            Some(made) => self.made().contains(made),
            None => self.power.runs(name),
        };
        if !stand.true_if.iter().all(holds) {
            return None;
        }
        match &stand.address_of {
            Some(service) => self.power.balancer(service).map(|a| a + "\n"),
            None => Some(String::new()),
        }
    }
}

impl ProcessDoor for Programs {
    fn run(&self, program: Program) -> Fut<'_, Result<Output, ProviderError>> {
        Box::pin(async move {
            self.0.may_start(&program).await;
            let name = program.argv.first().cloned().unwrap_or_default();
            let limit = program.timeout;
            tokio::time::timeout(limit, self.simulate(&program, &|_| {}))
                .await
                .unwrap_or_else(|_| {
                    Err(
                        ProviderError::new(ErrorKind::Unreachable, format!("run `{name}`"), HERE)
                            .because(format!("it did not end within {} s", limit.as_secs())),
                    )
                })
        })
    }

    fn detach<'a>(
        &'a self,
        program: Program,
        traces: &'a Traces,
    ) -> Fut<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            self.0.may_start(&program).await;
            self.detached()
                .insert(traces.pid.clone(), Detached::Running);
            let (world, traces) = (self.clone(), traces.clone());
            tokio::spawn(async move {
                let stderr = traces.stderr.clone();
                // What is lost here stands in the whole output at the end.
                let said = move |line: &str| append(&stderr, line).unwrap_or_default();
                let ended = match world.simulate(&program, &said).await {
                    Ok(output) => {
                        // Checks are waited for; what is detached changes something.
                        world.0.acted.store(true, Ordering::Relaxed);
                        leave(&traces, &output)
                    }
                    Err(error) => leave(
                        &traces,
                        &Output {
                            code: Some(NOT_FOUND),
                            stdout: Vec::new(),
                            stderr: error.to_string().into_bytes(),
                        },
                    ),
                };
                world.detached().insert(traces.pid, ended);
            });
            Ok(())
        })
    }

    fn look<'a>(&'a self, traces: &'a Traces) -> Fut<'a, Result<Detached, ProviderError>> {
        let known = self.detached().get(&traces.pid).copied();
        Box::pin(async move { Ok(known.unwrap_or(Detached::Unknown)) })
    }

    fn forget<'a>(&'a self, traces: &'a Traces) -> Fut<'a, Result<(), ProviderError>> {
        self.detached().remove(&traces.pid);
        Box::pin(async { Ok(()) })
    }

    fn is_marked_running(&self, mark: &str) -> bool {
        let running = self
            .0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        running.1.values().any(|arguments| arguments.contains(mark))
    }
}

/// A path without what leads down and up again.
fn straight(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            _ => out.push(part),
        }
    }
    out
}

/// Whether a file is named as those of a spec are.
fn is_of_spec(path: &Path) -> bool {
    let extension = path.extension();
    extension.is_some_and(|e| e.eq_ignore_ascii_case(SPEC))
}

/// Whether a file holds exactly this.
fn is_text(path: &Path, text: &str) -> bool {
    std::fs::read(path).is_ok_and(|bytes| bytes == text.as_bytes())
}

/// A place for a file, which must lie in the folder of the rehearsal.
fn inside(base: &Path, cwd: &Path, file: &str) -> Result<PathBuf, ProviderError> {
    let path = cwd.join(file);
    let climbs = path.components().any(|c| c == Component::ParentDir);
    if path.starts_with(base) && !climbs {
        return Ok(path);
    }
    Err(ProviderError::new(
        ErrorKind::Invalid,
        "write a file",
        path.display().to_string(),
    )
    .because("a rehearsal writes only below the spec's folder, of which it has a copy")
    .hint("let the spec and `files` of the world file name it relative to that folder"))
}

/// How a shell says that there is no such program.
const NOT_FOUND: i32 = 127;
/// Where programs of the rehearsal run, in errors.
const HERE: &str = "the rehearsal";

/// Writes what a program leaves behind, as the wrapper of real ones does.
fn leave(traces: &Traces, output: &Output) -> Detached {
    let Some(code) = output.code else {
        return Detached::Vanished;
    };
    let written = write(&traces.stdout, &output.stdout)
        .and_then(|()| write(&traces.stderr, &output.stderr))
        .and_then(|()| write(&traces.status, code.to_string().as_bytes()));
    match written {
        Ok(()) => Detached::Ended(code),
        Err(_) => Detached::Vanished,
    }
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(path)?;
    writeln!(file, "{line}")
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, bytes)
}

fn prepare(name: &str, stand: Stand, power: &Power) -> Result<Prepared, WorldError> {
    for server in stand
        .starts
        .iter()
        .chain(&stand.stops)
        .chain(stand.true_if.iter().filter(|name| !name.starts_with(MADE)))
    {
        power.known(server, &format!("program \"{name}\""))?;
    }
    for content in stand.files.values() {
        let server = match content {
            Content::Kubeconfig(cluster) => format!("cluster.{cluster}"),
            Content::Postgres(server) => format!("postgres.{server}"),
            Content::Text(_) => continue,
        };
        power.known(&server, &format!("program \"{name}\""))?;
    }
    let takes = match &stand.takes {
        Some(text) => super::duration(text, &format!("`takes` of program \"{name}\""))?,
        None if stand.true_if.is_empty() && stand.address_of.is_none() => TAKES_DEFAULT,
        None => Duration::ZERO,
    };
    let within = match &stand.within {
        Some(text) => super::duration(text, &format!("`within` of program \"{name}\""))?,
        None => Duration::ZERO,
    };
    Ok(Prepared {
        stand,
        takes,
        within,
    })
}

/// The name of a program, without what leads to the spec's folder.
fn plain(name: &str, base_dir: &Path) -> String {
    let path = Path::new(name);
    let path = path.strip_prefix(base_dir).unwrap_or(path);
    let path = path.strip_prefix(".").unwrap_or(path);
    path.display().to_string()
}

/// What is never left half done can be looked at after a panic.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fitting<'a>(stands: &'a [Prepared], argv: &[String]) -> Option<&'a Prepared> {
    let args = argv.get(1..).unwrap_or_default();
    stands.iter().find(|p| args.starts_with(&p.stand.args))
}

#[cfg(test)]
mod tests;
