//! The one door through which providers start programs.
//!
//! The rehearsal world puts simulated tools behind the same door. A *detached* program outlives a
//! killed drplan: it runs in its own process group, writes its output to a file and, when it ends, its
//! exit code to another, so that whoever resumes can read both.

#![expect(clippy::disallowed_methods, reason = "traces of programs are files")]

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::ErrorKind;
use crate::Fut;
use crate::ProviderError;

/// The most that is kept of a program's output.
const OUTPUT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How often and at which pace the start of a detached program is awaited: 5 s in all.
const NOTE_LOOKS_MAX: u32 = 1000;
const NOTE_PAUSE: Duration = Duration::from_millis(5);

/// A program to start. Secrets belong into `env` or `stdin`, never into `argv`, which other users can
/// read.
#[derive(Clone)]
pub struct Program {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Environment variables beside the inherited ones.
    pub env: BTreeMap<String, String>,
    /// Where it runs.
    pub cwd: PathBuf,
    /// What it reads.
    pub stdin: Option<Vec<u8>>,
    /// How long it may take; then it is ended.
    pub timeout: Duration,
}

/// What a program said.
#[derive(Clone)]
pub struct Output {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

/// Where a detached program leaves its traces: files in the step's private folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traces {
    /// Standard output.
    pub stdout: PathBuf,
    /// Standard error.
    pub stderr: PathBuf,
    /// The exit code as decimal text, written last and whole.
    pub status: PathBuf,
    /// The process id and its start time, written by whoever starts it.
    pub pid: PathBuf,
}

impl Traces {
    /// Names the traces of a program in a folder.
    pub fn in_dir(dir: &Path, name: &str) -> Self {
        let file = |end: &str| dir.join(format!("{name}.{end}"));
        Self {
            stdout: file("out"),
            stderr: file("err"),
            status: file("status"),
            pid: file("pid"),
        }
    }

    /// The id of the process group of a program that runs; empty if that cannot be read.
    pub fn group(&self) -> String {
        let note = read_trace(&self.pid).ok().flatten().unwrap_or_default();
        let id = note.split_whitespace().next();
        id.unwrap_or_default().to_owned()
    }

    /// Says which processes a program that runs is, and by which command a person ends all of it.
    pub fn in_group(&self) -> String {
        let id = self.group();
        format!("in process group {id}; `kill -- -{id}` ends it")
    }

    /// Names the traces of all programs that were started from a folder.
    ///
    /// # Errors
    ///
    /// The folder is there and cannot be read.
    pub fn all_in(dir: &Path) -> Result<Vec<Self>, ProviderError> {
        let files: Vec<_> = match std::fs::read_dir(dir).and_then(Iterator::collect) {
            Ok(files) => files,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => {
                let error = io_error("list the traces of programs", dir, &e);
                return Err(error.hint(UNREADABLE));
            }
        };
        let paths = files.iter().map(std::fs::DirEntry::path);
        let notes = paths.filter(|path| path.extension().is_some_and(|end| end == "pid"));
        let names = notes.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
        Ok(names.map(|name| Self::in_dir(dir, &name)).collect())
    }
}

/// What to do where nobody can tell whether a program runs.
pub const UNREADABLE: &str =
    "let who runs drplan read it, or remove it once no program of an earlier run goes on";

/// How a detached program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detached {
    /// No trace of it: it was never started from this folder.
    Unknown,
    /// It runs.
    Running,
    /// It ended with this exit code.
    Ended(i32),
    /// It is gone and left no exit code: it was killed, or the machine went down.
    Vanished,
}

/// Starts programs.
pub trait ProcessDoor: Send + Sync {
    /// Runs a program to its end.
    fn run(&self, program: Program) -> Fut<'_, Result<Output, ProviderError>>;
    /// Starts a program that outlives drplan. Traces of an earlier one are removed first.
    fn detach<'a>(
        &'a self,
        program: Program,
        traces: &'a Traces,
    ) -> Fut<'a, Result<(), ProviderError>>;
    /// Says how a detached program is.
    fn look<'a>(&'a self, traces: &'a Traces) -> Fut<'a, Result<Detached, ProviderError>>;
    /// Forgets how a detached program ended, as if it had never been started from this folder.
    fn forget<'a>(&'a self, traces: &'a Traces) -> Fut<'a, Result<(), ProviderError>>;
    /// Says whether a program runs that carries this mark in its arguments, whoever started it. Where
    /// programs of others cannot be seen the answer is no.
    fn is_marked_running(&self, mark: &str) -> bool;
}

/// Real processes of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalProcess;

impl ProcessDoor for LocalProcess {
    fn run(&self, program: Program) -> Fut<'_, Result<Output, ProviderError>> {
        Box::pin(run(program))
    }

    fn detach<'a>(
        &'a self,
        program: Program,
        traces: &'a Traces,
    ) -> Fut<'a, Result<(), ProviderError>> {
        Box::pin(async move { detach(&program, traces) })
    }

    fn look<'a>(&'a self, traces: &'a Traces) -> Fut<'a, Result<Detached, ProviderError>> {
        Box::pin(async move { look(traces) })
    }

    fn forget<'a>(&'a self, traces: &'a Traces) -> Fut<'a, Result<(), ProviderError>> {
        Box::pin(async move { forget(traces) })
    }

    fn is_marked_running(&self, mark: &str) -> bool {
        let Ok(processes) = std::fs::read_dir("/proc") else {
            return false;
        };
        processes.flatten().any(|entry| {
            let name = entry.file_name();
            let is_process = name.to_string_lossy().bytes().all(|b| b.is_ascii_digit());
            // A process that ends while it is looked at does not run.
            is_process
                && std::fs::read(entry.path().join("cmdline"))
                    .is_ok_and(|line| String::from_utf8_lossy(&line).contains(mark))
        })
    }
}

fn name_of(program: &Program) -> Result<&str, ProviderError> {
    program.argv.first().map(String::as_str).ok_or_else(|| {
        ProviderError::new(ErrorKind::Invalid, "start a program", "this machine")
            .because("the command is empty")
    })
}

/// The system has one error for a program and for the folder that it runs in.
fn cannot_start(name: &str, cwd: &Path, error: &std::io::Error) -> ProviderError {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        std::io::ErrorKind::PermissionDenied => ErrorKind::Denied,
        _ => ErrorKind::Invalid,
    };
    let failure =
        ProviderError::new(kind, format!("start `{name}`"), "this machine").caused_by(error);
    if !cwd.is_dir() {
        return failure
            .because(format!(
                "it runs in `{}`, which is no folder",
                cwd.display()
            ))
            .hint("make the folder, or correct where the program runs");
    }
    failure.hint(format!(
        "install `{name}` or put it on the PATH; relative paths start at the spec's folder"
    ))
}

/// A program that is named by a relative path with a slash is looked up from the folder it runs in,
/// which is what people expect of `./site.sh`.
fn resolve(name: &str, cwd: &Path) -> PathBuf {
    if !name.contains('/') {
        return PathBuf::from(name);
    }
    let path = cwd.join(name);
    // It is started from that folder, where a path that begins at this one would lead elsewhere.
    std::path::absolute(&path).unwrap_or(path)
}

async fn run(program: Program) -> Result<Output, ProviderError> {
    use tokio::io::AsyncReadExt as _;
    use tokio::io::AsyncWriteExt as _;

    let name = name_of(&program)?.to_owned();
    let mut child = tokio::process::Command::new(resolve(&name, &program.cwd))
        .args(&program.argv[1..])
        .envs(&program.env)
        .current_dir(&program.cwd)
        .stdin(if program.stdin.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| cannot_start(&name, &program.cwd, &e))?;
    let stdin = child.stdin.take().zip(program.stdin);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some((mut pipe, bytes)) = stdin {
            // A program that does not read its input closes the pipe early, which is its right.
            pipe.write_all(&bytes).await.ok();
        }
    };
    let drain = |pipe: Option<Box<dyn tokio::io::AsyncRead + Send + Unpin>>| async {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let mut limited = (&mut pipe).take(OUTPUT_BYTES_MAX as u64);
            limited.read_to_end(&mut bytes).await?;
            // The rest is read and dropped, so that the program does not block on a full pipe.
            tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await?;
        }
        Ok::<_, std::io::Error>(bytes)
    };
    let all = async {
        let (_, stdout, stderr, status) = tokio::join!(
            feed,
            drain(stdout.map(|p| Box::new(p) as _)),
            drain(stderr.map(|p| Box::new(p) as _)),
            child.wait(),
        );
        Ok::<_, std::io::Error>(Output {
            code: status?.code(),
            stdout: stdout?,
            stderr: stderr?,
        })
    };
    match tokio::time::timeout(program.timeout, all).await {
        Ok(output) => output.map_err(|e| {
            ProviderError::new(ErrorKind::Invalid, format!("run `{name}`"), "this machine")
                .caused_by(&e)
        }),
        Err(_) => Err(ProviderError::new(
            ErrorKind::Unreachable,
            format!("run `{name}`"),
            "this machine",
        )
        .because(format!(
            "it did not end within {} s and was ended",
            program.timeout.as_secs()
        ))),
    }
}

fn io_error(during: &str, path: &Path, error: &std::io::Error) -> ProviderError {
    ProviderError::new(
        ErrorKind::Invalid,
        during,
        format!("file {}", path.display()),
    )
    .caused_by(error)
}

/// The wrapper notes its own process id and start time before it starts the program, so that no
/// moment is left in which the program runs and nobody can tell. Files are written beside their place
/// and renamed, so that a reader sees them whole or not at all.
const WRAPPER: &str = r#"status="$1"; pid="$2"; shift 2
start=$(cut -d' ' -f22 "/proc/$$/stat" 2>/dev/null)
printf '%s %s' "$$" "$start" > "$pid.part" && mv "$pid.part" "$pid" || exit 125
"$@"; code=$?
printf '%s' "$code" > "$status.part" && mv "$status.part" "$status""#;

#[cfg(unix)]
fn detach(program: &Program, traces: &Traces) -> Result<(), ProviderError> {
    use std::os::unix::process::CommandExt as _;

    let name = name_of(program)?;
    forget(traces)?;
    let create = |path: &Path| {
        std::fs::File::create(path)
            .map_err(|e| io_error("create a program's output file", path, &e))
    };
    let mut child = std::process::Command::new("/bin/sh")
        .args(["-c", WRAPPER, "drplan"])
        .arg(&traces.status)
        .arg(&traces.pid)
        .arg(resolve(name, &program.cwd))
        .args(&program.argv[1..])
        .envs(&program.env)
        .current_dir(&program.cwd)
        .stdin(Stdio::null())
        .stdout(create(&traces.stdout)?)
        .stderr(create(&traces.stderr)?)
        .process_group(0)
        .spawn()
        .map_err(|e| cannot_start(name, &program.cwd, &e))?;
    // The child is reaped when it ends while drplan lives, so that it does not stay as a zombie that
    // looks alive.
    let noted = wait_for_note(&mut child, traces);
    std::thread::spawn(move || child.wait().ok());
    noted
}

/// Waits until the wrapper has noted itself, so that a look right after the start finds it.
fn wait_for_note(child: &mut std::process::Child, traces: &Traces) -> Result<(), ProviderError> {
    for _ in 0..NOTE_LOOKS_MAX {
        if traces.pid.exists() {
            return Ok(());
        }
        if !matches!(child.try_wait(), Ok(None)) {
            break;
        }
        std::thread::sleep(NOTE_PAUSE);
    }
    if traces.pid.exists() {
        return Ok(());
    }
    Err(
        ProviderError::new(ErrorKind::Invalid, "start a program", "this machine")
            .because("its wrapper could not note its process id")
            .hint(format!(
                "is there room and may files be made beside {}?",
                traces.pid.display()
            )),
    )
}

/// The exit code goes first: without it and with its note a program counts as cut off, never as not begun.
fn forget(traces: &Traces) -> Result<(), ProviderError> {
    for path in [&traces.status, &traces.pid] {
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(io_error("remove an old trace", path, &e));
            }
            _ => {}
        }
    }
    Ok(())
}

fn look(traces: &Traces) -> Result<Detached, ProviderError> {
    if let Some(code) = exit_code(traces)? {
        return Ok(Detached::Ended(code));
    }
    let Some(line) = read_trace(&traces.pid)? else {
        return Ok(Detached::Unknown);
    };
    let mut words = line.split_whitespace();
    let pid: Option<u32> = words.next().and_then(|word| word.parse().ok());
    let started = words.next().unwrap_or_default();
    match pid.and_then(start_time) {
        Some(now) if now == started => Ok(Detached::Running),
        // The exit code may have been written between the two looks.
        _ => Ok(exit_code(traces)?.map_or(Detached::Vanished, Detached::Ended)),
    }
}

fn exit_code(traces: &Traces) -> Result<Option<i32>, ProviderError> {
    Ok(read_trace(&traces.status)?.and_then(|text| text.trim().parse().ok()))
}

/// Only a trace that is not there means that there was none.
fn read_trace(path: &Path) -> Result<Option<String>, ProviderError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(io_error("read the trace of a program", path, &e)),
    }
}

/// The kernel's start time of a process, which tells it from a later one with the same id. A zombie
/// counts as gone.
fn start_time(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let behind_name = stat.rsplit_once(')')?.1;
    let fields: Vec<&str> = behind_name.split_whitespace().collect();
    if matches!(fields.first(), Some(&"Z" | &"X")) {
        return None;
    }
    fields.get(19).map(|&field| field.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, dir: &Path) -> Program {
        Program {
            argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            env: BTreeMap::new(),
            cwd: dir.to_owned(),
            stdin: None,
            timeout: Duration::from_secs(20),
        }
    }

    #[tokio::test]
    async fn a_program_that_overstays_is_ended_and_named() {
        let mut program = sh("sleep 60", Path::new("/"));
        program.timeout = Duration::from_millis(50);
        let error = run(program).await.err().expect("a time-out");
        assert_eq!(error.kind, ErrorKind::Unreachable);
        assert!(error.to_string().contains("/bin/sh"));
    }

    #[tokio::test]
    async fn a_folder_that_is_missing_is_not_blamed_on_the_program() {
        let error = run(sh("true", Path::new("/no/such/folder"))).await;
        let text = error.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(
            text.contains("`/no/such/folder`, which is no folder"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_detached_program_leaves_its_exit_code_behind() {
        let dir = std::env::temp_dir().join(format!("drplan-door-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a folder");
        let traces = Traces::in_dir(&dir, "tool");
        assert_eq!(look(&traces), Ok(Detached::Unknown));
        LocalProcess
            .detach(sh("sleep 0.2; exit 7", &dir), &traces)
            .await
            .expect("a start");
        assert_eq!(look(&traces), Ok(Detached::Running));
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if look(&traces) != Ok(Detached::Running) {
                break;
            }
        }
        assert_eq!(look(&traces), Ok(Detached::Ended(7)));
        std::fs::remove_dir_all(&dir).expect("a clean end");
    }

    #[test]
    fn a_folder_that_cannot_be_listed_is_no_folder_without_programs() {
        let nowhere = std::env::temp_dir().join("drplan-nowhere");
        assert!(Traces::all_in(&nowhere).is_ok_and(|all| all.is_empty()));
        let file = std::env::current_exe().expect("this program");
        let error = Traces::all_in(&file).expect_err("a file is no folder");
        assert!(error.to_string().contains("list the traces"), "{error}");
    }
}
