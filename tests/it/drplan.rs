//! A folder of its own for each test and the binary that runs in it. Knows nothing of what is tested.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use tempfile::TempDir;

/// How long a test waits for something that must happen soon.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How often it looks.
pub(crate) const GLANCE: Duration = Duration::from_millis(20);

/// What one run of the binary left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Holds the exit code against the one that is expected, and shows everything if it differs.
    #[track_caller]
    pub(crate) fn ends_with(self, exit: i32) -> Self {
        assert_eq!(
            self.exit, exit,
            "\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// Looks for a text in both streams.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.stdout.contains(text) || self.stderr.contains(text),
            "nothing says `{text}`\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Makes sure that a text is in neither stream.
    #[track_caller]
    pub(crate) fn hides(self, text: &str) -> Self {
        assert!(
            !self.stdout.contains(text) && !self.stderr.contains(text),
            "something says `{text}`\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Reads standard output as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).expect("standard output is JSON")
    }
}

/// A folder with a spec.
pub(crate) struct World {
    dir: TempDir,
    env: BTreeMap<String, String>,
}

impl World {
    /// Makes an empty folder.
    pub(crate) fn empty() -> Self {
        Self {
            dir: TempDir::with_prefix("drplan-it-").expect("a folder"),
            env: BTreeMap::new(),
        }
    }

    /// Makes a folder with a spec in it.
    pub(crate) fn of(spec: &str) -> Self {
        let world = Self::empty();
        world.write("main.dr.hcl", spec);
        world
    }

    /// Sets a variable of the environment for all runs that follow.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a written file");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub(crate) fn holds(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).expect("a removed file");
    }

    /// Runs the binary with a line of arguments.
    pub(crate) fn run(&self, line: &str) -> Ran {
        self.run_args(&words(line))
    }

    pub(crate) fn run_args(&self, args: &[String]) -> Ran {
        let out = command(self.dir.path(), &self.env, args)
            .output()
            .expect("the binary runs");
        Ran {
            exit: out.status.code().unwrap_or(-1),
            stdout: String::from_utf8(out.stdout).expect("standard output is UTF-8"),
            stderr: String::from_utf8(out.stderr).expect("standard error is UTF-8"),
        }
    }

    /// Starts the binary and leaves it running.
    pub(crate) fn start(&self, line: &str) -> Running {
        let child = command(self.dir.path(), &self.env, &words(line))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        Running { child }
    }

    /// Waits until a file is there.
    #[track_caller]
    pub(crate) fn wait_for(&self, name: &str) {
        let since = Instant::now();
        while !self.holds(name) {
            assert!(since.elapsed() < PATIENCE, "`{name}` never came");
            std::thread::sleep(GLANCE);
        }
    }

    /// The folder of the latest run.
    #[track_caller]
    pub(crate) fn latest_run(&self) -> PathBuf {
        let runs = std::fs::read_dir(self.path(".drplan/runs")).expect("a folder of runs");
        runs.filter_map(Result::ok)
            .map(|entry| entry.path())
            .max_by_key(|path| {
                std::fs::metadata(path.join("plan.json"))
                    .and_then(|meta| meta.modified())
                    .ok()
            })
            .expect("at least one run")
    }

    /// The file of a kind that the latest run wrote.
    #[track_caller]
    pub(crate) fn of_latest_run(&self, name: &str) -> String {
        std::fs::read_to_string(self.latest_run().join(name)).unwrap_or_default()
    }

    /// Writes a file of two lines: one of JSON, and its seal.
    pub(crate) fn write_sealed(&self, name: &str, line: &str) {
        let seal = drplan_api::digest(line.as_bytes());
        self.write(name, &format!("{line}\n{{\"sha256\":\"{seal}\"}}\n"));
    }

    pub(crate) fn frontier(&self) -> serde_json::Value {
        serde_json::from_str(&self.of_latest_run("frontier.json")).expect("a frontier")
    }

    /// Ends a process that a command of this world started.
    pub(crate) fn kill(&self, pid: &str) {
        signal("KILL", pid);
    }

    /// Every file below the folder with its text, by relative name.
    pub(crate) fn files(&self) -> BTreeMap<String, String> {
        files(self.dir.path())
    }
}

/// A binary that runs.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        signal(name, &self.child.id().to_string());
    }

    /// Ends it as a loss of power would.
    pub(crate) fn killed(self) {
        self.signal("KILL");
        self.ended();
    }

    /// Waits for the end.
    pub(crate) fn ended(self) -> Ran {
        let out = self.child.wait_with_output().expect("the binary ends");
        Ran {
            exit: out.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
        }
    }
}

pub(crate) fn signal(name: &str, pid: &str) {
    let done = Command::new("sh")
        .args(["-c", &format!("kill -{name} {pid}")])
        .status()
        .expect("a shell");
    assert!(done.success(), "no process {pid} to signal");
}

/// Splits a line at spaces; `'…'` keeps them.
pub(crate) fn words(line: &str) -> Vec<String> {
    line.split('\'')
        .enumerate()
        .flat_map(|(i, part)| {
            if i % 2 == 1 {
                vec![part.to_owned()]
            } else {
                part.split_whitespace().map(str::to_owned).collect()
            }
        })
        .collect()
}

/// The binary with nothing around it that could leak into a test.
pub(crate) fn command(dir: &Path, env: &BTreeMap<String, String>, args: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drplan"));
    command
        .args(args)
        .current_dir(dir)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("COLUMNS", "100")
        .envs(env)
        .stdin(Stdio::null());
    command
}

/// Every file below a folder with its text, by relative name.
pub(crate) fn files(dir: &Path) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(dir).expect("a path below the folder");
            let bytes = std::fs::read(&path).unwrap_or_default();
            out.insert(
                name.display().to_string(),
                String::from_utf8_lossy(&bytes).into_owned(),
            );
        }
    }
    out
}
