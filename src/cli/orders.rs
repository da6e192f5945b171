//! What a person orders for one run, held against the plan.

use std::collections::BTreeMap;

use drplan_api::Address;
use drplan_api::ConnId;

use super::args::OnFailureArg;
use super::args::OrderArgs;
use super::args::ProveArg;
use super::failure::Failure;
use crate::apply::OnFailure;
use crate::apply::Orders;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Step;
use crate::report::Exit;

/// Reads the orders and refuses those that the plan does not allow.
pub(super) fn orders(args: &OrderArgs, plan: &Plan) -> Result<Orders, Failure> {
    let goal = |step: &Step| {
        let acts = matches!(
            step.what,
            Do::Act { .. } | Do::Late { .. } | Do::Conflict | Do::Blocked { .. } | Do::Nothing
        );
        acts && step.guards.is_empty() && !step.address.is_data()
    };
    Ok(Orders {
        on_failure: match args.on_failure {
            OnFailureArg::Prune => OnFailure::Prune,
            OnFailureArg::Stop => OnFailure::Stop,
            OnFailureArg::Pause => OnFailure::Pause,
        },
        skip: reasons("--skip", &args.skip, plan, goal)?,
        by_hand: reasons("--by-hand", &args.by_hand, plan, goal)?,
        deadline: args.deadline,
        slots: slots(&args.slots, plan)?,
        prove_changed_only: args.prove == ProveArg::Changed,
    })
}

/// Connections of the plan with numbers.
fn slots(given: &[String], plan: &Plan) -> Result<BTreeMap<ConnId, usize>, Failure> {
    let mut out = BTreeMap::new();
    for text in given {
        let refused = |why: &str, hint: String| {
            Failure::refused(Exit::Usage, format!("`--slots {text}`: {why}"), hint)
        };
        let parts = text.split_once('=');
        let both = parts.and_then(|(conn, n)| Some((conn, n.parse().ok().filter(|n| *n > 0)?)));
        let Some((conn, n)) = both else {
            let hint = "write `--slots CONNECTION=N` with N from 1 on";
            return Err(refused(
                "that is no connection with a number",
                hint.to_owned(),
            ));
        };
        let Some(target) = plan.targets.iter().find(|t| t.conn.as_str() == conn) else {
            let all: Vec<&str> = plan.targets.iter().map(|t| t.conn.as_str()).collect();
            let hint = format!("its connections are: {}", all.join(", "));
            return Err(refused("the plan has no such connection", hint));
        };
        out.insert(target.conn.clone(), n);
    }
    Ok(out)
}

/// Addresses with reasons. Checks, questions and other guards stand between a person and harm: they
/// cannot be ordered away.
fn reasons(
    option: &str,
    given: &[String],
    plan: &Plan,
    goal: impl Fn(&Step) -> bool,
) -> Result<BTreeMap<Address, String>, Failure> {
    let mut out = BTreeMap::new();
    for text in given {
        let refused = |why: String, hint: String| {
            Err(Failure::refused(
                Exit::Usage,
                format!("`{option} {text}`: {why}"),
                hint,
            ))
        };
        // A key of an instance may hold an equals sign; the reason is behind the last bracket.
        let key_end = text.rfind("\"]").map_or(0, |at| at + 2);
        let parts = text[key_end..].split_once('=');
        let Some((rest, reason)) = parts.filter(|(_, reason)| !reason.trim().is_empty()) else {
            return refused(
                "the reason is missing".to_owned(),
                format!(
                    "write `{option} 'ADDRESS=REASON'`: it goes into the journal and the report"
                ),
            );
        };
        let address = format!("{}{rest}", &text[..key_end]);
        match plan.step(&address) {
            Some(step) if goal(step) => {
                out.insert(step.address.clone(), reason.trim().to_owned());
            }
            Some(_) => {
                return refused(
                    "only a step with a goal of its own can be left to a person".to_owned(),
                    "a question is answered with `--approve`; a check that may fail has `severity = \"warning\"` in the spec".to_owned(),
                );
            }
            None => {
                let names = plan.steps.iter().filter(|s| goal(s));
                let near = crate::spec::nearest(&address, names.map(|s| s.address.as_str()));
                return refused(
                    "the plan has no such step".to_owned(),
                    near.map_or_else(
                        || "`drplan plan` names them".to_owned(),
                        |near| format!("did you mean `{near}`?"),
                    ),
                );
            }
        }
    }
    Ok(out)
}
