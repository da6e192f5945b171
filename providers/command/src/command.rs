//! The kind `command`: a program of the user's that makes something true.
//!
//! With `check` it is a goal: already true if the check exits 0. Without, it is a guard that the engine
//! leaves out when nothing that it guards has an action. What the program does is not known here.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use drplan_api::Action;
use drplan_api::Acts;
use drplan_api::Because;
use drplan_api::Change;
use drplan_api::Def;
use drplan_api::Effect;
use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::Given;
use drplan_api::Hazard;
use drplan_api::HazardLevel;
use drplan_api::Json;
use drplan_api::Kind;
use drplan_api::Lack;
use drplan_api::Landed;
use drplan_api::Mode;
use drplan_api::Notes;
use drplan_api::Pending;
use drplan_api::PlanCx;
use drplan_api::Planned;
use drplan_api::Progress;
use drplan_api::Proof;
use drplan_api::Proposal;
use drplan_api::ProviderError;
use drplan_api::Query;
use drplan_api::ReadCx;
use drplan_api::Repeat;
use drplan_api::Seen;
use drplan_api::Shape;
use drplan_api::Stage;
use drplan_api::View;
use drplan_api::Want;
use drplan_api::WriteCx;
use drplan_api::process::Detached;
use drplan_api::process::Program;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;

use crate::check::CheckAnswer;
use crate::check::CheckAsk;
use crate::check::Verdict;
use crate::outputs;
use crate::outputs::OutputsAnswer;
use crate::outputs::OutputsAsk;
use crate::run;
use crate::spec;
use crate::spec::CommandSpec;
use crate::spec::OnInterrupted;
use crate::system::CHECK;
use crate::system::OUTPUTS;
use drplan_api::shell;

/// How often a running command is looked at.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// The bound that the process door asks for. A detached command is bounded by the engine's deadline of
/// the step, which the spec sets; this is only the end of the scale.
const RUN_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);
/// The exit codes by which a shell says that a signal ended a program.
const SIGNALLED: std::ops::RangeInclusive<i32> = 129..=192;
/// What is said of every command's hazard.
const HAZARD: &str = "what the command does is not known to drplan";

/// The kind `command`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Command;

/// What was observed.
#[derive(Clone, Debug, PartialEq)]
pub enum CommandState {
    /// There is no check, so nothing can be observed.
    Unchecked,
    /// The check exits 1.
    NotTrue,
    /// The check exits 0; these are the outputs.
    True(Json),
}

/// The decoded arguments.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommandWant(CommandSpec);

/// The payload of a step.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommandOp(CommandSpec);

impl Kind for Command {
    type Spec = CommandWant;
    type State = CommandState;
    type Op = CommandOp;

    fn def(&self) -> Def {
        Def {
            name: "command",
            doc: "A program of the user's that makes something true.",
            mode: Mode::GoalIf("check"),
            schema: spec::schema(),
            stage: Some(Stage::Cluster),
            roles: &[("local", "local")],
            envelope: &[Action::Run],
            hazard_max: HazardLevel::Reversible,
            cutover: false,
            op_version: 1,
        }
    }

    fn check(&self, given: &mut Given<'_>) {
        spec::check(given);
    }

    fn observe(
        &self,
        want: &Want<CommandWant>,
        view: &View<'_>,
    ) -> Result<Seen<CommandState>, Pending> {
        let spec = &want.spec.0;
        let conn = want.conn("local");
        if let Some(lack) = Lack::of(view.target(conn)?) {
            return Ok(Seen::Absent(lack));
        }
        let Some(check) = CheckAsk::of(spec) else {
            return Ok(Seen::Present(CommandState::Unchecked));
        };
        let answer = view.get(&Query::new(conn, CHECK, &check))?;
        let verdict = answer
            .clone()
            .and_then(|json| check.judge(&CheckAnswer::read(&json)?));
        let stdout = match verdict {
            Ok(Verdict::True(stdout)) => stdout,
            Ok(Verdict::False) => return Ok(Seen::Present(CommandState::NotTrue)),
            Err(error) => return Ok(Seen::Unreadable(error)),
        };
        let files = match OutputsAsk::of(spec) {
            Some(ask) => {
                let answer = view.get(&Query::new(conn, OUTPUTS, &ask))?;
                Some(answer.clone().and_then(|json| there(&ask, &json)))
            }
            None => None,
        };
        let exported = files
            .transpose()
            .and_then(|files| outputs::export(spec, files.as_ref(), stdout.as_deref()));
        Ok(match exported {
            Ok(outputs) => Seen::Present(CommandState::True(outputs)),
            Err(error) => Seen::Unreadable(error),
        })
    }

    fn plan(
        &self,
        _: &PlanCx,
        want: &Want<CommandWant>,
        seen: &Seen<CommandState>,
    ) -> Planned<CommandOp> {
        let spec = &want.spec.0;
        let (because, diff) = match seen {
            Seen::Present(CommandState::True(_)) => {
                return Planned::Nothing(Because(format!(
                    "`{}` exits 0",
                    named(spec.check.as_deref().unwrap_or_default())
                )));
            }
            Seen::Absent(Lack::Lost { domain }) => {
                return Planned::Blocked(Because(format!(
                    "`{domain}` was declared lost, so nothing runs there"
                )));
            }
            Seen::Unreadable(error) => return Planned::Blocked(Because(error.to_string())),
            Seen::Present(CommandState::NotTrue) => (
                format!(
                    "`{}` exits 1",
                    named(spec.check.as_deref().unwrap_or_default())
                ),
                vec![Change {
                    path: "check".to_owned(),
                    before: Some(json!("not true")),
                    after: Some(json!("true")),
                    sensitive: false,
                    text: None,
                }],
            ),
            Seen::Present(CommandState::Unchecked) => {
                ("it guards steps of this plan".to_owned(), Vec::new())
            }
            Seen::Absent(_) => ("its target is not there yet".to_owned(), Vec::new()),
        };
        proposed(spec, because, diff)
    }

    fn again(
        &self,
        _: &PlanCx,
        want: &Want<CommandWant>,
        _: &Seen<CommandState>,
    ) -> Result<Planned<CommandOp>, Because> {
        let spec = &want.spec.0;
        let check = named(spec.check.as_deref().unwrap_or_default());
        let because = format!("`{check}` exits 0, and it is run again all the same");
        let spec = CommandSpec {
            again: true,
            ..spec.clone()
        };
        Ok(proposed(&spec, because, Vec::new()))
    }

    fn outputs(&self, _: &Want<CommandWant>, seen: &Seen<CommandState>) -> Json {
        match seen {
            Seen::Present(CommandState::True(outputs)) => json!({ "outputs": outputs }),
            _ => json!({}),
        }
    }

    fn shape(&self, want: &Want<CommandWant>) -> Shape {
        let outputs = want.spec.0.outputs.iter();
        let outputs = outputs.map(|(name, output)| (name.clone(), output.shape()));
        Shape::fields([("outputs", Shape::fields(outputs))])
    }

    fn tools(&self, want: &Want<CommandWant>) -> Vec<Vec<String>> {
        let spec = &want.spec.0;
        let all = spec.check.iter().chain([&spec.apply]);
        let names: BTreeSet<&String> = all.filter_map(|argv| argv.first()).collect();
        let at = |name: &String| match (name.contains('/'), spec.working_dir.as_str()) {
            (true, dir) if !dir.is_empty() && !name.starts_with('/') => format!("{dir}/{name}"),
            _ => name.clone(),
        };
        // With a PATH of its own nobody else can tell what it finds.
        let finds = |name: &&String| name.contains('/') || !spec.sets("PATH");
        names
            .into_iter()
            .filter(finds)
            .map(|name| vec![at(name)])
            .collect()
    }

    fn notes(&self, _: &PlanCx, want: &Want<CommandWant>, _: &Seen<CommandState>) -> Notes {
        Notes {
            manual: want.spec.0.manual(),
            ..Notes::default()
        }
    }
}

/// Runs the program.
fn proposed(spec: &CommandSpec, because: String, diff: Vec<Change>) -> Planned<CommandOp> {
    Planned::Step(Box::new(Proposal {
        action: Action::Run,
        because: Because(because),
        diff,
        hazard: Hazard::reversible(HAZARD),
        op: CommandOp(spec.clone()),
        effects: vec![Effect {
            verb: "exec".to_owned(),
            object: shell::joined(&spec.apply),
            repeat: Repeat::Converge,
            inverse: None,
        }],
        binding: Json::Null,
    }))
}

/// A command for one line: the program by its name alone, without the folder that it lies in.
fn named(argv: &[String]) -> String {
    let mut argv = argv.to_vec();
    if let Some(name) = argv.first().and_then(|p| p.rsplit('/').next()) {
        argv[0] = name.to_owned();
    }
    shell::joined(&argv)
}

/// How the program is whose end counts. One of another run that still works, or was cut off, counts too; that it
/// ended well is no answer of this run, which begins anew.
async fn began(cx: &ReadCx, spec: &CommandSpec) -> Result<Detached, ProviderError> {
    let traces = run::traces(cx, spec);
    let found = cx.doors.process.look(&traces).await?;
    let is_over = match found {
        Detached::Ended(0) => !cx.begun,
        Detached::Ended(code) => may_try_again(code, spec),
        _ => false,
    };
    if !is_over {
        return Ok(found);
    }
    cx.doors.process.forget(&traces).await?;
    Ok(Detached::Unknown)
}

/// Whether a program that failed is tried again when a run goes on, or a new one begins. What ended with a signal was
/// cut off, and where a check says that the work is not done, `on_interrupted` decides.
fn may_try_again(code: i32, spec: &CommandSpec) -> bool {
    spec.check.is_none() && !SIGNALLED.contains(&code)
}

/// What a probe says where no trace is: not started here, unless what it makes is there already.
async fn untraced(cx: &ReadCx, spec: &CommandSpec) -> Result<Landed, ProviderError> {
    let Some(check) = CheckAsk::of(spec) else {
        return Ok(Landed::No);
    };
    Ok(
        match check.verdict(&*cx.doors.process, &cx.base_dir).await? {
            Verdict::True(_) => Landed::Yes,
            Verdict::False => Landed::No,
        },
    )
}

/// How far the command has come.
async fn how_far(cx: &ReadCx, spec: &CommandSpec) -> Result<Landed, ProviderError> {
    let how = match began(cx, spec).await? {
        Detached::Running => return Ok(Landed::Running),
        Detached::Ended(0) if spec.again || CheckAsk::of(spec).is_none() => {
            return Ok(Landed::Yes);
        }
        Detached::Unknown if spec.again => return Ok(Landed::No),
        Detached::Ended(_) | Detached::Vanished
            if spec.again && spec.on_interrupted == OnInterrupted::Check =>
        {
            return Ok(Landed::No);
        }
        Detached::Ended(0) => {
            "the command ended with exit code 0 and its check does not hold".to_owned()
        }
        Detached::Ended(code) => format!("the command ended with exit code {code}"),
        Detached::Vanished => "the command was cut off".to_owned(),
        // Its note is written before it starts: without one it never started here.
        Detached::Unknown => return untraced(cx, spec).await,
    };
    if let Some(check) = CheckAsk::of(spec).filter(|_| !spec.again) {
        match check.verdict(&*cx.doors.process, &cx.base_dir).await? {
            Verdict::True(_) => return Ok(Landed::Yes),
            Verdict::False if spec.on_interrupted == OnInterrupted::Check => {
                return Ok(Landed::No);
            }
            Verdict::False => {}
        }
    }
    Ok(Landed::Partly {
        disposable: false,
        because: Because(format!(
            "{how}, and whether it may run again is for a person to say; {}",
            ways_on(cx, spec)
        )),
    })
}

/// What a person can do about a command that may have done its work in part.
fn ways_on(cx: &ReadCx, spec: &CommandSpec) -> String {
    let folder = cx.work_dir.display().to_string();
    let again = shell::joined(&["rm".to_owned(), "-r".to_owned(), folder]);
    let by_hand = spec.manual().join("; ");
    match spec.check {
        Some(_) => format!("by hand it is: {by_hand}; to let it run again: {again}"),
        // Without a check nothing proves what a person says.
        None => format!(
            "to let it run again: {again}; where it was done by hand ({by_hand}), give it a `check` that holds then, \
             and plan anew"
        ),
    }
}

/// Reads what lies in the output files of a command whose check exits 0.
fn there(ask: &OutputsAsk, json: &Json) -> Result<OutputsAnswer, ProviderError> {
    let answer = OutputsAnswer::read(json)?;
    let missing = ask.missing(&answer);
    if missing.is_empty() {
        return Ok(answer);
    }
    let error = ProviderError::new(
        ErrorKind::NotFound,
        "read a command's outputs",
        "this machine",
    )
    .because("the check exits 0, yet an output is not there");
    Err(missing
        .into_iter()
        .fold(error, |error, path| {
            error.because(format!("`{path}` is missing"))
        })
        .hint("bring the file back, or let `check` exit 1 while it is missing"))
}

impl Acts for Command {
    fn begin<'a>(
        &'a self,
        cx: &'a WriteCx,
        op: &'a CommandOp,
        _: usize,
    ) -> Fut<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let spec = &op.0;
            let traces = run::traces(cx, spec);
            // A command that still runs is never started a second time beside itself.
            if cx.doors.process.look(&traces).await? == Detached::Running {
                return Ok(());
            }
            // The map itself may be a hole, and so may each of its values.
            let mut env = BTreeMap::new();
            for (name, value) in cx.open(&spec.env)? {
                env.insert(name, cx.open(&value)?);
            }
            let program = Program {
                argv: spec.apply.clone(),
                env,
                cwd: cx.base_dir.join(&spec.working_dir),
                stdin: None,
                timeout: RUN_TIMEOUT,
            };
            cx.doors.process.detach(program, &traces).await
        })
    }

    fn probe<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a CommandOp,
        _: usize,
    ) -> Fut<'a, Result<Landed, ProviderError>> {
        Box::pin(async move {
            let spec = &op.0;
            let landed = how_far(cx, spec).await?;
            let traces = run::traces(cx, spec);
            let is_begun_anew = landed == Landed::No;
            let may_begin = is_begun_anew || matches!(landed, Landed::Partly { .. });
            if !may_begin || run::before_an_edit(cx, &traces).await?.is_none() {
                return Ok(landed);
            }
            if is_begun_anew {
                // How it ended when it looked as it does now is no answer of what is waited for.
                cx.doors.process.forget(&traces).await?;
            }
            Ok(Landed::Running)
        })
    }

    fn poll<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a CommandOp,
        _: usize,
    ) -> Fut<'a, Result<Progress, ProviderError>> {
        Box::pin(async move {
            let spec = &op.0;
            let traces = run::traces(cx, spec);
            let failed = |what: &str, retry| Progress::Failed {
                because: Because::from(what),
                retry,
            };
            let cut_off = |what| failed(what, spec.on_interrupted == OnInterrupted::Check);
            let going = |note| Progress::Going {
                done: 0,
                of: None,
                note,
                again_in: POLL_EVERY,
            };
            let found = cx.doors.process.look(&traces).await?;
            if found != Detached::Running
                && let Some(earlier) = run::before_an_edit(cx, &traces).await?
            {
                return Ok(going(earlier));
            }
            Ok(match found {
                Detached::Running => going(run::last_line(spec, &traces).await),
                Detached::Ended(0) => Progress::Done,
                Detached::Ended(code) => Progress::Failed {
                    because: Because(format!(
                        "`{}` ended with exit code {code}: {}",
                        shell::joined(&spec.apply),
                        run::said(spec, &traces).await
                    )),
                    retry: false,
                },
                Detached::Vanished => cut_off("the command was cut off and left no exit code"),
                // This one has never begun.
                Detached::Unknown if !cx.begun => {
                    failed("the command as it was before an edit has ended", true)
                }
                Detached::Unknown => cut_off("no trace of the command is on this machine"),
            })
        })
    }

    fn prove<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a CommandOp,
    ) -> Fut<'a, Result<Proof, ProviderError>> {
        Box::pin(async move {
            let spec = &op.0;
            let Some(check) = CheckAsk::of(spec) else {
                let ended = cx.doors.process.look(&run::traces(cx, spec)).await?;
                return Ok(Proof::default().with(
                    ended == Detached::Ended(0),
                    "the command ended with exit code 0",
                    format!("exec {}", shell::joined(&spec.apply)),
                ));
            };
            let verdict = check.verdict(&*cx.doors.process, &cx.base_dir).await?;
            let holds = verdict != Verdict::False;
            let claim = if holds {
                "the check exits 0"
            } else {
                "the check still exits 1"
            };
            let mut proof = Proof::default().with(holds, claim, format!("exec {}", check.shown()));
            if let Some(ask) = OutputsAsk::of(spec) {
                let answer = ask.run(&cx.base_dir).await?;
                let missing = ask.missing(&answer);
                let claim = if missing.is_empty() {
                    "every output file is there".to_owned()
                } else {
                    format!("output files are missing: {}", missing.join(", "))
                };
                proof = proof.with(missing.is_empty(), claim, "the spec's folder");
            }
            Ok(proof)
        })
    }
}
