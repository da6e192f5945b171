//! Whose a request or a program is: told by what it says and does, not by what the engine says.

use std::collections::BTreeMap;
use std::time::Duration;

use drplan::apply::Event;
use drplan::plan::Plan;
use drplan::plan::Step;
use drplan_api::Address;
use drplan_api::Json;
use drplan_api::Timestamp;
use drplan_api::stamp;

use super::super::entry::Asked;
use super::super::entry::Ran;
use super::super::entry::Sender;

/// The kind of records.
pub(super) const RECORD: &str = "route53_record";
/// The kind of commands.
pub(super) const COMMAND: &str = "command";
/// The kind of databases.
pub(super) const DATABASE: &str = "postgres_restore";
/// The kind of releases.
pub(super) const RELEASE: &str = "helm_release";
/// The kinds that pause and release.
const PAUSERS: &[&str] = &["kubernetes_pause", "kubernetes_release"];

/// An argument of a step, as the plan holds it: maybe a hole.
pub(super) fn argument<'a>(step: &'a Step, name: &str) -> &'a Json {
    step.want.as_ref().map_or(&Json::Null, |w| &w.args[name])
}

/// A command line among the arguments of a step.
pub(super) fn command_line(step: &Step, name: &str) -> Option<Vec<String>> {
    let words = argument(step, name).as_array()?.iter();
    words.map(|w| w.as_str().map(str::to_owned)).collect()
}

/// Whether a step may have sent a write of drplan's. One that bears no stamp may be anybody's.
pub(super) fn may_send(step: &Step, asked: &Asked) -> bool {
    if asked.changes_records() {
        return step.kind == RECORD;
    }
    match &asked.by {
        Some(Sender::Step(stamped)) => {
            let address = step.address.as_str();
            address == stamped || stamp::label_value(address) == *stamped
        }
        Some(Sender::Pauser) => PAUSERS.contains(&step.kind.as_str()),
        None => step.is_action(),
    }
}

/// Whether a step may have started a program to do its work. What only looks is nobody's.
pub(super) fn may_start(step: &Step, ran: &Ran) -> bool {
    let word = |n: usize| ran.argv.get(n).map(String::as_str);
    match step.kind.as_str() {
        COMMAND => command_line(step, "apply").is_some_and(|line| line == ran.argv),
        RELEASE => {
            let name = argument(step, "name").as_str();
            let name = name.unwrap_or_else(|| step.address.name());
            let released = word(3).unwrap_or_default();
            word(0) == Some("helm")
                && word(1) == Some("upgrade")
                && released.replace('-', "_") == name.replace('-', "_")
        }
        DATABASE => {
            let database = argument(step, "database").as_str().unwrap_or_default();
            let into = ran.database.as_deref().unwrap_or_default();
            !database.is_empty() && into.starts_with(database)
        }
        _ => false,
    }
}

/// The steps that have their turn in a run, followed event by event.
#[derive(Default)]
pub(super) struct Turns<'a> {
    plan: Option<&'a Plan>,
    began: BTreeMap<Address, Timestamp>,
}

impl<'a> Turns<'a> {
    pub(super) fn begin(plan: Option<&'a Plan>) -> Self {
        Self {
            plan,
            began: BTreeMap::new(),
        }
    }

    pub(super) fn hear(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::StepStarted { address, .. } => drop(self.began.insert(address.clone(), at)),
            Event::StepEnded { address, .. } => drop(self.began.remove(address)),
            _ => {}
        }
    }

    /// Until when one of the steps whose turn it is, and that this may be of, may begin something.
    pub(super) fn until(&self, is_of: impl Fn(&Step) -> bool) -> Option<Timestamp> {
        let steps = self.plan.iter().flat_map(|plan| &plan.steps);
        let open = steps.filter_map(|step| Some((step, *self.began.get(&step.address)?)));
        let ends = open
            .filter(|(step, _)| is_of(step))
            .map(|(step, began)| began + Duration::from_secs(step.timeout_s));
        ends.max()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::hand_made::acting;
    use super::*;

    fn ran(argv: &[&str], database: Option<&str>) -> Ran {
        Ran {
            argv: argv.iter().map(|w| (*w).to_owned()).collect(),
            database: database.map(str::to_owned),
        }
    }

    #[test]
    fn a_program_is_known_by_what_it_works_on() {
        let helm = acting("helm_release.status_page", json!({ "namespace": "status" }));
        let upgrade = ["helm", "upgrade", "--install", "status-page", "chart"];
        assert!(may_start(&helm, &ran(&upgrade, None)));
        assert!(!may_start(&helm, &ran(&["helm", "show", "chart"], None)));
        let command = acting("command.a", json!({ "apply": ["bin/a", "up"] }));
        assert!(may_start(&command, &ran(&["bin/a", "up"], None)));
        assert!(!may_start(&command, &ran(&["bin/a", "is-up"], None)));
        let restore = acting("postgres_restore.shop", json!({ "database": "shop" }));
        assert!(may_start(
            &restore,
            &ran(&["/bin/sh"], Some("shop_drplan_1"))
        ));
        assert!(!may_start(
            &restore,
            &ran(&["/bin/sh"], Some("billing_drplan_1"))
        ));
    }
}
