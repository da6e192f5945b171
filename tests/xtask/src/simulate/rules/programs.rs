//! No program does the work of a step twice. How often it may run is said by what it is:
//!
//! - a command without a check does its work around others, once in each run that needs it;
//! - a command with a check runs again where the check says that the work is not done, but in one run
//!   only if it was cut off: an exit code is an answer;
//! - `helm` may run again when it failed, since it takes over what it left; never after it succeeded;
//! - a restore may run again when it failed, since it fills a database that is thrown away; never after it
//!   succeeded.
//!
//! None runs beside itself, a command excepted whose traces lie in a folder that the next run does not have:
//! from there nobody can tell that it runs.

use std::collections::BTreeMap;

use drplan::plan::Step;

use super::super::entry::Ran;
use super::super::entry::What;
use super::super::life::Life;
use super::owner::COMMAND;
use super::owner::command_line;
use super::owner::may_start;

/// What tells one piece of work from another.
type Name = Vec<String>;

pub(super) fn broken(life: &Life) -> Vec<String> {
    let plans = life.runs.iter().filter_map(|run| run.plan.as_ref());
    let steps: Vec<&Step> = plans.flat_map(|plan| &plan.steps).collect();
    let worker = |ran: &Ran| steps.iter().find(|step| may_start(step, ran)).copied();
    let mut out = Vec::new();
    let mut works: BTreeMap<Name, Work> = BTreeMap::new();
    for entry in &life.trace {
        match &entry.what {
            What::Starts(ran) => {
                let Some(step) = worker(ran) else { continue };
                let folder = life.runs.get(entry.run).map_or(0, |run| run.folder);
                let work = works.entry(name(step, ran)).or_default();
                if let Some(why) = work.start(step, entry.run, folder) {
                    let line = ran.argv.join(" ");
                    let (n, at) = (entry.run, entry.at);
                    out.push(format!("run {n}: `{line}` starts at {at}, and {why}"));
                }
            }
            What::Ends(ran, code) => {
                let checked =
                    |step: &&&Step| command_line(step, "check").as_ref() == Some(&ran.argv);
                for step in steps.iter().filter(checked) {
                    if let Some(line) = command_line(step, "apply") {
                        works.entry(line).or_default().is_denied |= *code != Some(0);
                    }
                }
                if let Some(step) = worker(ran) {
                    works.entry(name(step, ran)).or_default().end(*code);
                }
            }
            _ => {}
        }
    }
    out
}

fn name(step: &Step, ran: &Ran) -> Name {
    match (step.kind.as_str(), &ran.database) {
        (COMMAND, _) => ran.argv.clone(),
        (_, Some(database)) => vec![database.clone()],
        _ => vec![step.address.to_string()],
    }
}

/// One piece of work.
#[derive(Default)]
struct Work {
    /// The run and the folder of each program that does it now.
    running: Vec<(usize, usize)>,
    /// The run of the last one that ended, and its exit code.
    ended: Option<(usize, Option<i32>)>,
    /// Whether its check said since then that it is not done.
    is_denied: bool,
}

impl Work {
    /// A program begins to do it. Returns what is wrong with that.
    fn start(&mut self, step: &Step, run: usize, folder: usize) -> Option<String> {
        let is_command = step.kind == COMMAND;
        let beside = self
            .running
            .iter()
            .any(|(_, f)| !is_command || *f == folder);
        self.running.push((run, folder));
        if beside {
            return Some("another one is at it".to_owned());
        }
        let (before, code) = self.ended?;
        let has_check = command_line(step, "check").is_some();
        match code {
            Some(code) if is_command && before == run => Some(format!(
                "it had ended in the same run with exit code {code}"
            )),
            Some(_) if is_command && has_check && !self.is_denied => {
                Some("its check was not asked since it ended".to_owned())
            }
            Some(0) if !is_command => Some("it had done its work".to_owned()),
            _ => None,
        }
    }

    fn end(&mut self, code: Option<i32>) {
        let run = match self.running.is_empty() {
            true => 0,
            false => self.running.remove(0).0,
        };
        self.ended = Some((run, code));
        self.is_denied = false;
    }
}

#[cfg(test)]
mod tests {
    use drplan::plan::Plan;
    use serde_json::json;

    use super::super::hand_made::acting;
    use super::super::hand_made::life_of;
    use super::super::hand_made::plan;
    use super::super::hand_made::ran;
    use super::*;

    const UPGRADE: &str = "helm upgrade --install page chart";

    fn steps() -> Plan {
        let checked = json!({ "check": ["bin/a", "is-up"], "apply": ["bin/a", "up"] });
        let steps = [
            acting("command.a", checked),
            acting("command.guard", json!({ "apply": ["bin/b"] })),
            acting("helm_release.page", json!({})),
            acting("postgres_restore.shop", json!({ "database": "shop" })),
        ];
        plan(steps, &[])
    }

    /// Runs in these folders, and programs that start and end in them.
    fn hows(folders: &[usize], what: &[(usize, &str, Option<i32>)]) -> Vec<String> {
        let runs = folders.iter().map(|folder| (*folder, steps())).collect();
        let what = what.iter().flat_map(|(run, line, code)| {
            let database = line.starts_with("/bin/sh").then_some("shop_drplan_1");
            let ran = ran(line, database);
            [
                (*run, 1, What::Starts(ran.clone())),
                (*run, 1, What::Ends(ran, *code)),
            ]
        });
        broken(&life_of(runs, what))
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_runs_again_in_another_run_and_where_its_check_denies() {
        let (up, check) = ("bin/a up", "bin/a is-up");
        let asked = [(0, up, Some(1)), (1, check, Some(1)), (1, up, Some(0))];
        assert!(hows(&[0, 0], &asked).is_empty());
        let unasked = [(0, up, Some(0)), (1, check, Some(0)), (1, up, Some(0))];
        assert_eq!(hows(&[0, 0], &unasked).len(), 1);
        let at_once = [(0, up, Some(1)), (0, check, Some(1)), (0, up, Some(1))];
        assert_eq!(hows(&[0], &at_once).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_guard_acts_once_in_each_run() {
        let guard = |run| (run, "bin/b", Some(0));
        assert!(hows(&[0, 0], &[guard(0), guard(1)]).is_empty());
        assert_eq!(hows(&[0], &[guard(0), guard(0)]).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn helm_and_a_restore_run_again_only_after_they_failed() {
        for line in [UPGRADE, "/bin/sh -c fill"] {
            assert!(hows(&[0], &[(0, line, Some(1)), (0, line, Some(0))]).is_empty());
            assert_eq!(
                hows(&[0], &[(0, line, Some(0)), (0, line, Some(0))]).len(),
                1
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_program_runs_beside_itself_where_that_can_be_told() {
        let beside = |folders: &[usize], line: &str| {
            let runs = folders.iter().map(|folder| (*folder, steps())).collect();
            let starts = |run| (run, 1, What::Starts(ran(line, None)));
            broken(&life_of(runs, [starts(0), starts(1)])).len()
        };
        assert_eq!(beside(&[0, 0], "bin/a up"), 1);
        assert_eq!(beside(&[0, 1], "bin/a up"), 0);
        assert_eq!(beside(&[0, 1], UPGRADE), 1);
    }
}
