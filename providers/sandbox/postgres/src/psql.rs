//! The simulated `psql`, which runs the provider's script.

use std::collections::BTreeMap;
use std::fs;

use drplan_api::Json;
use serde_json::json;

use crate::error::SqlError;
use crate::execute;
use crate::restore::Said;
use crate::script;
use crate::script::Line;
use crate::server::Server;
use crate::tools::Tools;
use crate::trouble::Interruption;
use crate::trouble::terminated;

/// What the program says where the server is suddenly gone.
const CLOSED: &str = "server closed the connection unexpectedly\n\tThis probably means the server \
                      terminated abnormally\n\tbefore or while processing the request.";
/// The exit code of a script that failed.
const SCRIPT_FAILED: i32 = 3;
/// The exit code of a connection that could not be made.
const NO_CONNECTION: i32 = 2;
/// The exit code of `psql`'s own failures.
const FAILED: i32 = 1;

/// Runs the script that the environment names, and returns the exit code.
pub(crate) async fn run(tools: &Tools, env: &BTreeMap<String, String>, said: Said<'_>) -> i32 {
    let get = |name: &str| env.get(name).map_or("", String::as_str);
    let path = get("DRPLAN_SCRIPT");
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) => {
            said(&format!("psql: error: {path}: {e}"));
            return FAILED;
        }
    };
    let database = get("PGDATABASE");
    let (server, seat) = match tools.connect(env, database).await {
        Ok(connected) => connected,
        Err(why) => {
            said(&format!("psql: error: {why}"));
            return NO_CONNECTION;
        }
    };
    let lines = match script::read(&text) {
        Ok(lines) => lines,
        Err(why) => {
            said(&format!("psql:{path}: ERROR:  {why}"));
            return SCRIPT_FAILED;
        }
    };
    let mut running = Running {
        tools,
        env,
        server: &server,
        database,
        said,
        variables: BTreeMap::new(),
        rows: serde_json::Map::new(),
        code: 0,
        skips: Vec::new(),
    };
    for (number, line) in lines {
        let at = format!("psql:{path}:{number}");
        match running.step(&line).await {
            Ok(()) => {}
            Err(Stop::Refused(refused)) => {
                said(&format!("{at}: ERROR:  {}", refused.message));
                return SCRIPT_FAILED;
            }
            Err(Stop::Lost(why)) => {
                said(&format!("{at}: {why}"));
                said(&format!("{at}: error: connection to server was lost"));
                return NO_CONNECTION;
            }
        }
    }
    drop(seat);
    0
}

/// Why a script does not go on.
enum Stop {
    Refused(SqlError),
    /// The connection is gone; what the program says of it.
    Lost(String),
}

impl From<SqlError> for Stop {
    fn from(refused: SqlError) -> Self {
        Self::Refused(refused)
    }
}

/// A script at work.
struct Running<'a> {
    tools: &'a Tools,
    env: &'a BTreeMap<String, String>,
    server: &'a Server,
    database: &'a str,
    said: Said<'a>,
    variables: BTreeMap<String, bool>,
    rows: serde_json::Map<String, Json>,
    /// The exit code of the program that ran.
    code: i32,
    /// For every `\if` that is open, whether lines are passed over.
    skips: Vec<bool>,
}

/// Names the statement that a line sends to the server, if it sends one.
fn asks(line: &Line) -> Option<&'static str> {
    match line {
        Line::AskOurs { .. } => Some("psql asks for the marker"),
        Line::Count { .. } => Some("psql counts rows"),
        Line::Finish { .. } => Some("psql finishes"),
        _ => None,
    }
}

impl Running<'_> {
    async fn step(&mut self, line: &Line) -> Result<(), Stop> {
        match line {
            Line::If { variable } => {
                let is_true = self.variables.get(variable).copied().unwrap_or_default();
                self.skips.push(!is_true);
                return Ok(());
            }
            Line::Else => {
                if let Some(skip) = self.skips.last_mut() {
                    *skip = !*skip;
                }
                return Ok(());
            }
            Line::EndIf => {
                self.skips.pop();
                return Ok(());
            }
            _ if self.skips.contains(&true) => return Ok(()),
            _ => {}
        }
        let options = self.server.options();
        tokio::time::sleep(options.pace.statement).await;
        let interruption = match asks(line) {
            Some(what) => options.weather.on_statement(what),
            None => None,
        };
        match interruption {
            Some(Interruption::ResetBefore) => return Err(Stop::Lost(CLOSED.to_owned())),
            Some(Interruption::Terminated) => {
                let why = format!("FATAL:  {}\n{CLOSED}", terminated().message);
                return Err(Stop::Lost(why));
            }
            Some(Interruption::Slow(pause)) => tokio::time::sleep(pause).await,
            Some(Interruption::ResetAfter) | None => {}
        }
        self.act(line).await?;
        match interruption {
            Some(Interruption::ResetAfter) => Err(Stop::Lost(CLOSED.to_owned())),
            _ => Ok(()),
        }
    }

    async fn act(&mut self, line: &Line) -> Result<(), SqlError> {
        match line {
            Line::AskOurs { attempt } => {
                let ours = self.is_ours(attempt)?;
                self.variables.insert("ours".to_owned(), ours);
            }
            Line::AskRestored => {
                self.variables.insert("restored".to_owned(), self.code == 0);
            }
            Line::Raise { message } => return Err(SqlError::new("P0001", message.clone())),
            Line::Run { command } => self.code = self.pg_restore(command).await,
            Line::Count {
                name,
                schema,
                table,
            } => {
                let state = self.server.state();
                let database = state.database(self.database)?;
                let rows = database.relation(Some(schema), table)?.rows;
                self.rows.insert(name.clone(), json!(rows));
            }
            Line::Finish { attempt } => {
                let now = self.server.now();
                let rows = Json::Object(self.rows.clone());
                let mut state = self.server.state();
                execute::finish(&mut state, self.database, attempt, &rows, now)?;
            }
            Line::Nothing | Line::If { .. } | Line::Else | Line::EndIf => {}
        }
        Ok(())
    }

    fn is_ours(&self, attempt: &str) -> Result<bool, SqlError> {
        let state = self.server.state();
        let marker = state.database(self.database)?.marker_rows()?;
        Ok(marker.is_some_and(|m| m["attempt"] == attempt && m["finished_at"].is_null()))
    }

    async fn pg_restore(&self, command: &str) -> i32 {
        match Tools::command(command, self.env) {
            Ok(words) => {
                let mut unheard = String::new();
                self.tools
                    .pg_restore(&words[1..], self.env, self.said, &mut unheard)
                    .await
            }
            Err(why) => {
                (self.said)(&format!("sh: error: {why}"));
                127
            }
        }
    }
}
