//! Whether what a run left behind is still what it wrote, as far as that can be told. Pure.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::Serialize;

use super::build::report;
use super::data::Report;
use super::fold::fold;
use crate::apply::Records;
use crate::apply::parse_journal;
use crate::plan::Plan;
use crate::signature::Signature;
use crate::signature::Signer;
use crate::signature::Trusted;
use crate::store::Texts;

/// The version of the format of exported evidence.
const EVIDENCE_FORMAT: &str = "drplan-evidence/1.0";
/// What is signed.
const NOUN: &str = "evidence";

/// Plan, journal and report of a run in one file: the texts as they lie on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bundle {
    /// `drplan-evidence/1.0`.
    pub format: String,
    /// The run's id.
    pub run: String,
    /// The plan file.
    pub plan: String,
    /// The journal.
    pub journal: String,
    /// The report that both give.
    pub report: Report,
    /// Who vouches for the head of the chain, which is over plan and journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

/// What was found out about a run's evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verified {
    /// The run's id.
    pub run: String,
    /// Whether no fault was found.
    pub holds: bool,
    /// What does not fit, each as a sentence.
    pub faults: Vec<String>,
    /// How many records the chain joins.
    pub records: u64,
    /// The chain of the last record.
    pub head: String,
    /// The digest of the plan.
    pub plan: String,
    /// The exit code of the last record, if it is the end of a run.
    pub exit_code: Option<u8>,
    /// Whether a last line was begun and not finished.
    pub torn: bool,
    /// What a head that was kept elsewhere says; nothing if none was given.
    pub kept: Option<Kept>,
    /// Whether a key that is trusted vouches for the head; nothing if none was given.
    pub signed: Option<bool>,
}

/// What a head that was kept elsewhere says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "head", rename_all = "snake_case")]
pub enum Kept {
    /// It is the head of this journal.
    Same,
    /// It is the chain of an earlier record.
    Grown {
        /// How many records came after it.
        after: u64,
    },
    /// It is nowhere in this journal.
    Missing,
}

/// Checks the texts of a run, against a head that was kept elsewhere if there is one.
pub fn verify(texts: &Texts, kept: Option<&str>) -> Verified {
    let mut faults = Vec::new();
    let plan = crate::plan::parse(&texts.plan, &format!("{}/plan.json", texts.place))
        .map_err(|error| faults.push(error.to_string()))
        .ok();
    let records = parse_journal(&texts.journal)
        .map_err(|error| faults.push(format!("the journal, {error}")))
        .ok();
    if let (Some((plan, seal)), Some(records)) = (&plan, &records) {
        faults.extend(story(plan, seal, records));
    }
    let records = records.unwrap_or(Records {
        lines: Vec::new(),
        torn: false,
    });
    let chains: Vec<&str> = records.lines.iter().map(|l| l.chain.as_str()).collect();
    let kept = kept
        .filter(|_| !chains.is_empty())
        .map(|head| compare(&chains, head));
    match kept {
        Some(Kept::Missing) => faults.push(
            "the head that was kept is not in the journal: lines were changed or cut off"
                .to_owned(),
        ),
        Some(Kept::Grown { after }) => faults.push(format!(
            "the head that was kept is an earlier one: {} after it; a run that was resumed since printed a newer \
             one",
            crate::render::style::count(after, "record came", "records came")
        )),
        Some(Kept::Same) | None => {}
    }
    Verified {
        run: texts.id.clone(),
        holds: faults.is_empty(),
        faults,
        records: records.lines.len() as u64,
        head: chains.last().copied().unwrap_or_default().to_owned(),
        plan: plan.map(|(_, seal)| seal).unwrap_or_default(),
        exit_code: records.lines.last().and_then(|line| match line.record {
            crate::apply::Event::RunEnded { exit_code } => Some(exit_code),
            _ => None,
        }),
        torn: records.torn,
        kept,
        signed: None,
    }
}

/// Whether the records tell the story of a run of this plan.
fn story(plan: &Plan, seal: &str, records: &Records) -> Option<String> {
    match fold(plan, &records.lines) {
        Err(illegal) => Some(illegal.to_string()),
        Ok(run) if run.seal != seal => Some(format!(
            "the plan is another one than the journal's first record names: {seal} and {}",
            run.seal
        )),
        Ok(_) => None,
    }
}

fn compare(chains: &[&str], head: &str) -> Kept {
    match chains.iter().rposition(|chain| *chain == head) {
        None => Kept::Missing,
        Some(at) if at + 1 == chains.len() => Kept::Same,
        Some(at) => Kept::Grown {
            after: (chains.len() - at - 1) as u64,
        },
    }
}

impl Bundle {
    /// Packs a run. With a key, signed.
    pub fn of(texts: Texts, report: Report, signer: Option<&Signer>) -> Self {
        Self {
            signature: signer.map(|signer| signer.sign(NOUN, &report.chain.head)),
            format: EVIDENCE_FORMAT.to_owned(),
            run: texts.id,
            plan: texts.plan,
            journal: texts.journal,
            report,
        }
    }

    /// Checks what is in it, that the report is the one that plan and journal give, and that a key
    /// vouches for it, if one is given.
    pub fn verify(self, place: &str, kept: Option<&str>, by: Option<&Trusted>) -> Verified {
        let texts = Texts {
            id: self.run,
            place: place.to_owned(),
            plan: self.plan,
            journal: self.journal,
            frontier: None,
        };
        let mut out = verify(&texts, kept);
        if texts.id != self.report.run {
            let fault = "it names another run than the report in it";
            out.faults.push(fault.to_owned());
        }
        if let Ok(stored) = texts.parse() {
            // The next command comes from the frontier, which is no evidence.
            let next = self.report.next.as_deref().unwrap_or_default();
            let folder = self.report.next_in.as_deref().unwrap_or_default();
            let same = report(&stored.plan, &stored.seal, &stored.records)
                .is_ok_and(|fresh| fresh.going_on(next, folder) == self.report);
            if !same {
                let fault = "the report in it is not the one that its plan and journal give";
                out.faults.push(fault.to_owned());
            }
        }
        if let Some(by) = by {
            let checked = by.check(NOUN, &out.head, self.signature.as_ref());
            out.signed = Some(checked.is_ok());
            out.faults.extend(checked.err().map(|e| e.to_string()));
        }
        out.holds = out.faults.is_empty();
        out
    }
}
