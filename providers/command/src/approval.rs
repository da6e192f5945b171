//! The kind `approval`: a person answers before what it guards may run.
//!
//! It has no connection and no effects. The engine resolves `guards`, places it before what it guards,
//! leaves it out when nothing of that has an action, asks, and sets the exports.

use drplan_api::Arg;
use drplan_api::Because;
use drplan_api::Def;
use drplan_api::Given;
use drplan_api::HazardLevel;
use drplan_api::Json;
use drplan_api::Kind;
use drplan_api::Mode;
use drplan_api::Pending;
use drplan_api::PlanCx;
use drplan_api::Planned;
use drplan_api::Schema;
use drplan_api::Seen;
use drplan_api::Stage;
use drplan_api::Type;
use drplan_api::View;
use drplan_api::Want;
use serde::Deserialize;
use serde_json::json;

/// The kind `approval`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Approval;

/// The decoded arguments.
#[derive(Debug, Deserialize)]
pub struct ApprovalSpec {
    guards: Vec<String>,
    from: String,
    #[serde(default)]
    text: Option<String>,
}

impl ApprovalSpec {
    fn ask(&self) -> String {
        let what = self.guards.join(", ");
        match &self.text {
            Some(text) => format!("{}: {text} (guards {what})", self.from),
            None => format!("{}: may {what} run?", self.from),
        }
    }
}

impl Kind for Approval {
    type Spec = ApprovalSpec;
    type State = ();
    type Op = ();

    fn def(&self) -> Def {
        Def {
            name: "approval",
            doc: "A person answers before what it guards may run.",
            mode: Mode::Guard,
            schema: Schema {
                args: vec![
                    Arg::required(
                        "guards",
                        Type::List(Box::new(Type::Any)),
                        "The resources that wait for the answer.",
                    ),
                    Arg::required("from", Type::String, "Who must answer: a name or a role."),
                    Arg::optional("text", Type::String, "What the person is asked."),
                ],
                exports: vec![
                    ("by", "Who approved, known once somebody did."),
                    ("at", "When it was approved."),
                ],
            },
            // The earliest: what it guards comes later anyway, and an answer may be given at any time.
            stage: Some(Stage::Cluster),
            roles: &[],
            envelope: &[],
            hazard_max: HazardLevel::None,
            cutover: false,
            op_version: 1,
        }
    }

    fn check(&self, given: &mut Given<'_>) {
        given.says_something("from");
        given.says_something("text");
    }

    fn observe(&self, _: &Want<ApprovalSpec>, _: &View<'_>) -> Result<Seen<()>, Pending> {
        Ok(Seen::Present(()))
    }

    fn plan(&self, _: &PlanCx, want: &Want<ApprovalSpec>, _: &Seen<()>) -> Planned<()> {
        Planned::Gate {
            ask: want.spec.ask(),
            because: Because::from(format!(
                "the spec asks for an approval from {}",
                want.spec.from
            )),
        }
    }

    fn outputs(&self, _: &Want<ApprovalSpec>, _: &Seen<()>) -> Json {
        json!({})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_names_who_answers_and_what_waits() {
        for (text, ask) in [
            (None, "dba: may cnpg.a, velero.b run?"),
            (Some("Go?"), "dba: Go? (guards cnpg.a, velero.b)"),
        ] {
            let spec = ApprovalSpec {
                guards: vec!["cnpg.a".to_owned(), "velero.b".to_owned()],
                from: "dba".to_owned(),
                text: text.map(str::to_owned),
            };
            assert_eq!(spec.ask(), ask);
        }
    }
}
