//! What a person orders for one run, held against the plan.

use std::collections::BTreeMap;

use drplan_api::Address;
use drplan_api::ConnId;

use super::args::OnFailureArg;
use super::args::OrderArgs;
use super::args::ProveArg;
use super::choose;
use super::failure::Failure;
use crate::apply::OnFailure;
use crate::apply::Orders;
use crate::apply::Taken;
use crate::plan::Do;
use crate::plan::Plan;
use crate::plan::Step;
use crate::report::Exit;

/// Reads the orders and refuses those that the plan does not allow.
pub(super) fn orders(args: &OrderArgs, plan: &Plan) -> Result<Orders, Failure> {
    Ok(Orders {
        on_failure: match args.on_failure {
            OnFailureArg::Prune => OnFailure::Prune,
            OnFailureArg::Stop => OnFailure::Stop,
            OnFailureArg::Pause => OnFailure::Pause,
        },
        taken: taken(args, plan)?,
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

/// What a person takes on. One step is left out or done by hand, not both.
fn taken(args: &OrderArgs, plan: &Plan) -> Result<Taken, Failure> {
    let taken = Taken {
        skip: reasons("--skip", &args.skip, plan)?,
        by_hand: reasons("--by-hand", &args.by_hand, plan)?,
    };
    provable(&taken, plan)?;
    match taken.skip.keys().find(|a| taken.by_hand.contains_key(*a)) {
        None => Ok(taken),
        Some(both) => Err(Failure::refused(
            Exit::Usage,
            format!("`{both}` cannot be left out with `--skip` and done `--by-hand`"),
            "leave out one of both: what is done by hand is proven, what is skipped is not",
        )),
    }
}

/// What a plan cannot look at or decide, it cannot prove either.
fn provable(taken: &Taken, plan: &Plan) -> Result<(), Failure> {
    let stuck = |step: &&Step| matches!(step.what, Do::Blocked { .. } | Do::Conflict);
    let mut by_hand = taken.by_hand.keys().filter_map(|a| plan.step(a.as_str()));
    match by_hand.find(stuck) {
        None => Ok(()),
        Some(step) => Err(Failure::refused(
            Exit::Usage,
            format!(
                "`--by-hand {}=…`: this plan cannot prove it: {}",
                step.address, step.because
            ),
            "once it can be looked at and nothing is in the way, a new plan sees what was done by hand; until then, \
             leave it out with `--skip`",
        )),
    }
}

/// Addresses of steps with reasons. Checks, questions and other guards stand between a person and harm: they
/// cannot be ordered away.
fn reasons(
    option: &str,
    given: &[String],
    plan: &Plan,
) -> Result<BTreeMap<Address, String>, Failure> {
    let mut out = BTreeMap::new();
    for text in given {
        let (step, reason) = reason(text, plan).map_err(|(why, hint)| {
            let hint = hint.replace("OPTION", option);
            Failure::refused(Exit::Usage, format!("`{option} {text}`: {why}"), hint)
        })?;
        out.insert(step.address.clone(), reason.to_owned());
    }
    Ok(out)
}

/// A step and the reason for it; else why not, and what to do.
fn reason<'a>(
    text: &'a str,
    plan: &'a Plan,
) -> Result<(&'a Step, &'a str), (&'static str, String)> {
    let given = choose::pair(text).map(|(address, reason)| (address, reason.trim()));
    let Some((address, reason)) = given.filter(|(_, reason)| !reason.is_empty()) else {
        let hint = "write `OPTION 'ADDRESS=REASON'`: it goes into the journal and the report";
        return Err(("the reason is missing", hint.to_owned()));
    };
    match plan.step(address.as_str()) {
        Some(step) if choose::is_goal(step) => Ok((step, reason)),
        Some(_) => Err((
            "only a step with a goal of its own can be left to a person",
            "a question is answered with `--approve`; a check that may fail has `severity = \"warning\"` in the \
             spec; a guard that was done by hand is known by a `check` of its own, after `drplan plan`"
                .to_owned(),
        )),
        None => {
            let names = plan.steps.iter().filter(|s| choose::is_goal(s));
            let near = crate::spec::nearest(address.as_str(), names.map(|s| s.address.as_str()));
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`drplan plan` names them".to_owned(),
            };
            Err(("the plan has no such step", hint))
        }
    }
}
