//! The client programs, as whoever starts programs in the rehearsal world finds them.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use drplan_api::process::Output;
use drplan_api::process::Program;

use crate::archive::Archive;
use crate::archive::ArchiveError;
use crate::psql;
use crate::restore;
use crate::restore::Asked;
use crate::restore::Said;
use crate::restore::Target;
use crate::script;
use crate::server::Seat;
use crate::server::Server;
use crate::state::Connected;
use crate::trouble::Unready;
use crate::trouble::starting;

/// The name that the provider gives to the shell which runs a restore.
const RESTORE: &str = "drplan-restore";
/// What a shell answers if there is no such program.
const NOT_FOUND: i32 = 127;
/// What a shell answers if a program was killed.
const KILLED: i32 = 137;
/// A program that is killed has not done more than this part of its work.
const PART_MAX: f64 = 0.9;

/// Finds the server at a host and port.
type Find = dyn Fn(&str, u16) -> Option<Server> + Send + Sync;

/// The simulated client programs of PostgreSQL.
#[derive(Clone)]
pub struct Tools {
    version: (u32, u32),
    find: Arc<Find>,
}

impl fmt::Debug for Tools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tools")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl Tools {
    /// Client programs of a version, which find servers by host and port.
    pub fn new<F>(version: (u32, u32), find: F) -> Self
    where
        F: Fn(&str, u16) -> Option<Server> + Send + Sync + 'static,
    {
        Self {
            version,
            find: Arc::new(find),
        }
    }

    /// Whether a program is one of these.
    #[must_use]
    pub fn knows(&self, program: &Program) -> bool {
        let words: Vec<&str> = program.argv.iter().map(String::as_str).collect();
        match words.as_slice() {
            [name, ..] if matches!(base(name), "psql" | "pg_restore") => true,
            [_, _, _, name] => *name == RESTORE,
            _ => false,
        }
    }

    /// Runs a program to its end. `said` hears each line of its standard error when it is said; the
    /// answer holds them all.
    ///
    /// If the future is dropped, the program has been killed: what it did until then stays done, and
    /// its sessions end.
    pub async fn run(&self, program: &Program, said: &(dyn Fn(&str) + Send + Sync)) -> Output {
        let heard = Mutex::new(String::new());
        let both = |line: &str| {
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.push_str(line);
            heard.push('\n');
            said(line);
        };
        let mut stdout = String::new();
        let code = self.start(program, &both, &mut stdout).await;
        let stderr = heard.into_inner().unwrap_or_else(PoisonError::into_inner);
        Output {
            code: Some(code),
            stdout: stdout.into_bytes(),
            stderr: stderr.into_bytes(),
        }
    }

    async fn start(&self, program: &Program, said: Said<'_>, stdout: &mut String) -> i32 {
        let Some(name) = program.argv.first() else {
            return NOT_FOUND;
        };
        match base(name) {
            tool @ ("psql" | "pg_restore") if program.argv[1..] == ["--version"] => {
                let (major, minor) = self.version;
                *stdout = format!("{tool} (PostgreSQL) {major}.{minor}\n");
                0
            }
            "pg_restore" => {
                self.pg_restore(&program.argv[1..], &program.env, said, stdout)
                    .await
            }
            "sh" if program.argv.last().is_some_and(|last| last == RESTORE) => {
                let code = psql::run(self, &program.env, said).await;
                // The shell's trap.
                if let Some(dump) = program.env.get("DRPLAN_DUMP") {
                    fs::remove_file(dump).ok();
                }
                code
            }
            other => {
                said(&format!(
                    "{other}: the rehearsal does not simulate this use of the program"
                ));
                NOT_FOUND
            }
        }
    }

    /// Opens a session as the environment says.
    pub(crate) async fn connect(
        &self,
        env: &BTreeMap<String, String>,
        database: &str,
    ) -> Result<(Server, Seat), String> {
        let get = |name: &str| env.get(name).map_or("", String::as_str);
        let host = get("PGHOST");
        let port = get("PGPORT").parse().unwrap_or(5432);
        let failed =
            |why: &str| format!("connection to server at \"{host}\", port {port} failed: {why}");
        let Some(server) = (self.find)(host, port) else {
            return Err(failed(
                "Connection refused\n\tIs the server running on that host and accepting TCP/IP \
                 connections?",
            ));
        };
        match server.options().weather.on_connect() {
            Some(Unready::Starting) => {
                return Err(failed(&format!("FATAL:  {}", starting().message)));
            }
            Some(Unready::Slow(pause)) => tokio::time::sleep(pause).await,
            None => {}
        }
        let user = get("PGUSER").to_owned();
        let role = server.state().roles.get(&user).cloned();
        let password = role.as_ref().and_then(|role| role.password.as_deref());
        if role.is_none() || password.is_some_and(|wanted| wanted != get("PGPASSWORD")) {
            return Err(failed(&format!(
                "FATAL:  password authentication failed for user \"{user}\""
            )));
        }
        let seat = server.seat(Connected {
            user,
            application: get("PGAPPNAME").to_owned(),
            database: database.to_owned(),
        });
        match seat {
            Ok(seat) => Ok((server, seat)),
            Err(refused) => Err(failed(&format!("FATAL:  {}", refused.message))),
        }
    }

    /// The newest archives that these programs read.
    fn minor_max(&self) -> u8 {
        match self.version.0 {
            17.. => 16,
            16 => 15,
            12.. => 14,
            _ => 13,
        }
    }

    /// Runs `pg_restore` with arguments.
    pub(crate) async fn pg_restore(
        &self,
        args: &[String],
        env: &BTreeMap<String, String>,
        said: Said<'_>,
        stdout: &mut String,
    ) -> i32 {
        let done = self.try_restore(args, env, said, stdout).await;
        done.unwrap_or_else(|why| {
            said(&format!("pg_restore: error: {why}"));
            1
        })
    }

    async fn try_restore(
        &self,
        args: &[String],
        env: &BTreeMap<String, String>,
        said: Said<'_>,
        stdout: &mut String,
    ) -> Result<i32, String> {
        let call = Call::read(args)?;
        let path = Path::new(&call.file);
        let bytes = fs::read(path).map_err(|e| {
            let why = match e.kind() {
                std::io::ErrorKind::NotFound => "No such file or directory".to_owned(),
                _ => e.to_string(),
            };
            format!("could not open input file \"{}\": {why}", call.file)
        })?;
        let archive = Archive::read_up_to(&bytes, self.minor_max());
        if call.lists {
            let archive = archive.map_err(|e| e.to_string())?;
            let lines = archive.entries.iter().map(|entry| entry.line() + "\n");
            *stdout = lines.collect();
            return Ok(0);
        }
        // What can be told from the beginning of the file is told before connecting, and what shows
        // only in the data after it, as in life.
        if let Err(
            e @ (ArchiveError::NoArchive
            | ArchiveError::Text
            | ArchiveError::Version(_)
            | ArchiveError::Format(_)),
        ) = &archive
        {
            return Err(e.to_string());
        }
        let mut asked = call.asked;
        if let Some(list) = &call.list {
            let text = fs::read_to_string(list)
                .map_err(|e| format!("could not open TOC file \"{list}\": {e}"))?;
            asked.only = Some(numbers(&text));
        }
        let database = call
            .database
            .ok_or("one of -d/--dbname and -f/--file must be specified")?;
        let (server, seat) = self.connect(env, &database).await?;
        let mut seats = vec![seat];
        for _ in 1..asked.jobs {
            seats.push(self.connect(env, &database).await?.1);
        }
        let archive = archive.map_err(|e| e.to_string())?;
        let target = Target {
            server: &server,
            database: &database,
        };
        let end = server.options().weather.on_restore().map(|part| {
            let whole = restore::time_min(&server, &archive, &asked);
            whole.mul_f64(part.clamp(0.0, PART_MAX))
        });
        let restored = restore::run(&target, &archive, &asked, said);
        let code = match end {
            None => restored.await,
            Some(end) => tokio::time::timeout(end, restored).await.unwrap_or(KILLED),
        };
        drop(seats);
        Ok(code)
    }

    /// The words of a command of a script.
    pub(crate) fn command(
        command: &str,
        env: &BTreeMap<String, String>,
    ) -> Result<Vec<String>, String> {
        let words = script::words(command, env);
        words
            .filter(|words| words.first().is_some_and(|name| base(name) == "pg_restore"))
            .ok_or_else(|| "the rehearsal's shell does not know this command".to_owned())
    }
}

fn base(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The numbers at the beginnings of the lines of a list.
fn numbers(text: &str) -> Vec<i64> {
    let lines = text.lines().filter_map(|line| line.split_once(';'));
    lines
        .filter_map(|(number, _)| number.trim().parse().ok())
        .collect()
}

/// A call of `pg_restore`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Call {
    asked: Asked,
    database: Option<String>,
    list: Option<String>,
    lists: bool,
    file: String,
}

impl Call {
    fn read(args: &[String]) -> Result<Self, String> {
        let mut call = Self {
            asked: Asked {
                jobs: 1,
                ..Asked::default()
            },
            ..Self::default()
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let (name, value) = match arg.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
                _ => (arg.as_str(), None),
            };
            let mut value = || {
                let found = value.clone().or_else(|| args.next().cloned());
                found.ok_or_else(|| format!("option '{name}' requires an argument"))
            };
            match name {
                "--verbose" | "-v" => call.asked.verbose = true,
                "--exit-on-error" | "-e" => call.asked.exit_on_error = true,
                "--no-owner" | "-O" => call.asked.no_owner = true,
                "--no-privileges" | "--no-acl" | "-x" => call.asked.no_privileges = true,
                "--list" | "-l" => call.lists = true,
                "--role" => call.asked.role = Some(value()?),
                "--use-list" | "-L" => call.list = Some(value()?),
                "--dbname" | "-d" => call.database = Some(database(&value()?)?),
                "--jobs" | "-j" => {
                    let jobs = value()?.parse().ok().filter(|n| *n > 0);
                    call.asked.jobs = jobs.ok_or("invalid number of parallel jobs")?;
                }
                file if !file.starts_with('-') => file.clone_into(&mut call.file),
                other => {
                    return Err(format!(
                        "the rehearsal's pg_restore does not know the option '{other}'"
                    ));
                }
            }
        }
        Ok(call)
    }
}

/// Takes the name out of `dbname='…'`, or takes the whole for a name.
fn database(text: &str) -> Result<String, String> {
    let Some(quoted) = text.strip_prefix("dbname='") else {
        return Ok(text.to_owned());
    };
    let (mut name, mut chars) = (String::new(), quoted.chars());
    while let Some(c) = chars.next() {
        match c {
            '\\' => name.extend(chars.next()),
            '\'' if chars.as_str().is_empty() => return Ok(name),
            '\'' => break,
            c => name.push(c),
        }
    }
    Err("the rehearsal's pg_restore reads only dbname in a connection string".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(args: &[&str]) -> Result<Call, String> {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        Call::read(&args)
    }

    #[test]
    fn a_call_is_read_in_both_forms_and_unknown_options_are_refused() {
        let long = call(&[
            "--verbose",
            "--jobs=3",
            "--role=app",
            r"--dbname=dbname='it\'s'",
            "a.dump",
        ]);
        let long = long.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(
            (long.asked.jobs, long.database.as_deref()),
            (3, Some("it's"))
        );
        assert_eq!(long.file, "a.dump");
        let short = call(&["-d", "shop", "-j", "2", "a.dump"]).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(
            (short.asked.jobs, short.database.as_deref()),
            (2, Some("shop"))
        );
        assert!(call(&["--clean", "a.dump"]).is_err_and(|why| why.contains("--clean")));
        assert!(call(&["--jobs=0"]).is_err());
    }

    #[test]
    fn a_list_names_entries_by_number() {
        assert_eq!(
            numbers(";\n; comment\n7; 2615 SCHEMA\n 3; TABLE\nx; y\n"),
            [7, 3]
        );
    }
}
