//! This machine as a target: it runs checks and reads output files.
//!
//! It starts nothing that changes anything; commands are started by the kind itself.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;

use drplan_api::Answer;
use drplan_api::Ask;
use drplan_api::Conn;
use drplan_api::Connecting;
use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_api::Schema;
use drplan_api::Standing;
use drplan_api::System;
use drplan_api::TargetId;
use drplan_api::process::ProcessDoor;
use futures::StreamExt as _;
use serde::Serialize;

use crate::check::CheckAsk;
use crate::outputs::OutputsAsk;
use crate::recall;

/// The question whether a command's work is done.
pub(crate) const CHECK: &str = "check";
/// The question what lies in output files.
pub(crate) const OUTPUTS: &str = "outputs";

/// How many checks run at once.
const CHECKS_AT_ONCE_MAX: usize = 4;

/// The system `local`: the machine that drplan runs on. Its provider block takes no arguments and may
/// be left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalSystem;

/// A connection to this machine.
///
/// It answers `check` (`{argv, env, cwd, timeout_ms}`: runs a program and returns `{code, stdout_tail,
/// stdout_cut, stderr_tail}`) and `outputs` (`{files: {name: {path, sensitive}}}`: returns
/// `{files: {name: {present, content}}}`). Paths start at the spec's folder.
pub struct LocalConn {
    base_dir: PathBuf,
    process: Arc<dyn ProcessDoor>,
}

impl LocalConn {
    /// Opens a connection whose paths start at a folder.
    pub fn new(base_dir: PathBuf, process: Arc<dyn ProcessDoor>) -> Self {
        Self { base_dir, process }
    }

    async fn answer(&self, ask: &Ask) -> Answer {
        match ask.op.as_str() {
            CHECK => {
                let check: CheckAsk = ask.args()?;
                as_json(&check.run(&*self.process, &self.base_dir).await?)
            }
            OUTPUTS => {
                let outputs: OutputsAsk = ask.args()?;
                as_json(&outputs.run(&self.base_dir).await?)
            }
            other => Err(bug(format!("answer the question `{other}`"))),
        }
    }
}

fn as_json(value: &impl Serialize) -> Answer {
    serde_json::to_value(value)
        .map(Arc::<Json>::new)
        .map_err(|e| bug("write an answer".to_owned()).caused_by(&e))
}

fn bug(during: String) -> ProviderError {
    ProviderError::new(ErrorKind::Bug, during, "this machine")
}

impl System for LocalSystem {
    fn name(&self) -> &'static str {
        "local"
    }

    fn implicit(&self) -> bool {
        true
    }

    fn schema(&self) -> Schema {
        Schema::default()
    }

    fn connect<'a>(&'a self, cx: &'a Connecting) -> Fut<'a, Result<Arc<dyn Conn>, ProviderError>> {
        Box::pin(async move {
            let conn = LocalConn::new(cx.base_dir.clone(), Arc::clone(&cx.doors.process));
            Ok(Arc::new(conn) as Arc<dyn Conn>)
        })
    }

    fn recall(&self, _: &TargetId, answers: &[(&Ask, &Answer)]) -> Vec<Standing> {
        recall::standing(answers)
    }
}

impl Conn for LocalConn {
    /// Every machine is the same target: what a command does is not bound to where drplan runs.
    fn identity(&self) -> Fut<'_, Result<TargetId, ProviderError>> {
        Box::pin(async { Ok(TargetId("local".to_owned())) })
    }

    fn fetch<'a>(&'a self, asks: &'a [Ask]) -> Fut<'a, Vec<Answer>> {
        Box::pin(
            futures::stream::iter(asks.iter().map(|ask| self.answer(ask)))
                .buffered(CHECKS_AT_ONCE_MAX)
                .collect(),
        )
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
