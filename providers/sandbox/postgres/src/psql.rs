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
    let (server, seat) = match tools.connect(env, database) {
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
        if let Err(refused) = running.step(&line).await {
            said(&format!(
                "psql:{path}:{number}: ERROR:  {}",
                refused.message
            ));
            return SCRIPT_FAILED;
        }
    }
    drop(seat);
    0
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

impl Running<'_> {
    async fn step(&mut self, line: &Line) -> Result<(), SqlError> {
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
        tokio::time::sleep(self.server.options().pace.statement).await;
        self.act(line).await
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
