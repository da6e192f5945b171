//! The report as JUnit XML: one suite for each stage and one for the run. What was skipped is skipped
//! there too, and then the run's own case fails: nothing that is not done can make a green build.

use std::collections::BTreeMap;
use std::time::Duration;

use quick_junit::NonSuccessKind;
use quick_junit::Report as Junit;
use quick_junit::TestCase;
use quick_junit::TestCaseStatus;
use quick_junit::TestRerun;
use quick_junit::TestSuite;

use super::outline::figures;
use crate::report::Report;
use crate::report::Verdict;
use crate::report::data::End;
use crate::report::data::StepReport;

/// The whole report.
///
/// # Errors
///
/// If it cannot be written as XML.
pub fn junit(report: &Report) -> Result<String, quick_junit::SerializeError> {
    let mut out = Junit::new(format!("drplan {}", report.recovery));
    out.set_time(Duration::from_millis(report.took_ms));
    out.add_test_suite(run(report));
    let mut stages: Vec<&str> = Vec::new();
    let mut steps: BTreeMap<&str, Vec<&StepReport>> = BTreeMap::new();
    for step in &report.steps {
        let stage = step.stage.as_deref().unwrap_or("no stage");
        if !stages.contains(&stage) {
            stages.push(stage);
        }
        steps.entry(stage).or_default().push(step);
    }
    for stage in stages {
        let mut suite = TestSuite::new(stage);
        for step in steps.remove(stage).unwrap_or_default() {
            suite.add_test_case(case(report, step));
        }
        out.add_test_suite(suite);
    }
    out.to_string()
}

fn run(report: &Report) -> TestSuite {
    let status = match report.verdict {
        Verdict::Recovered | Verdict::TakenBack | Verdict::Released => TestCaseStatus::success(),
        // It proves nothing about the real site, and says so.
        Verdict::Rehearsed => TestCaseStatus::skipped(),
        _ => TestCaseStatus::non_success(NonSuccessKind::Failure),
    };
    let mut suite = TestSuite::new("run");
    suite.add_property(("run", report.run.as_str()));
    suite.add_property(("headline", report.headline.as_str()));
    suite.add_property(("chain", report.chain.head.as_str()));
    for (name, n) in figures(&report.counts) {
        suite.add_property((name, n.to_string().as_str()));
    }
    let mut case = TestCase::new("verdict", said(status, &report.headline));
    case.set_classname(format!("{}.run", report.recovery));
    case.set_time(Duration::from_millis(report.took_ms));
    suite.add_test_case(case);
    if let Some(rto) = &report.rto {
        suite.add_test_case(objective(report, "rto", rto.met));
    }
    for point in &report.points {
        suite.add_test_case(objective(
            report,
            &format!("rpo {}", point.address),
            point.met,
        ));
    }
    suite
}

fn objective(report: &Report, name: &str, met: Option<bool>) -> TestCase {
    let status = match met {
        Some(true) => TestCaseStatus::success(),
        Some(false) => said(
            TestCaseStatus::non_success(NonSuccessKind::Failure),
            "the objective was missed",
        ),
        None => said(TestCaseStatus::skipped(), "not told"),
    };
    let mut case = TestCase::new(name, status);
    case.set_classname(format!("{}.objectives", report.recovery));
    case
}

fn case(report: &Report, step: &StepReport) -> TestCase {
    let status = match step.end {
        End::Done | End::AlreadyTrue | End::NothingToDo | End::Idle | End::Warned => {
            TestCaseStatus::success()
        }
        End::Failed | End::Refuted | End::Moved => {
            TestCaseStatus::non_success(NonSuccessKind::Failure)
        }
        End::Running => TestCaseStatus::non_success(NonSuccessKind::Error),
        End::Blocked | End::Waiting | End::Stopped | End::Skipped | End::NotStarted => {
            TestCaseStatus::skipped()
        }
    };
    let because = step.because.clone().unwrap_or_default();
    let mut status = said(status, &format!("{}: {because}", step.end.word()));
    for retry in &step.retries {
        let mut again = TestRerun::new(NonSuccessKind::Error);
        again.set_message(retry.because.as_str());
        // What is skipped in the end has no place for what was tried.
        if !matches!(status, TestCaseStatus::Skipped { .. }) {
            status.add_rerun(again);
        }
    }
    let mut case = TestCase::new(step.address.as_str(), status);
    case.set_classname(format!("{}.{}", report.recovery, step.kind));
    if let Some(ms) = step.ran_ms {
        case.set_time(Duration::from_millis(ms));
    }
    let facts: Vec<String> = step
        .evidence
        .iter()
        .map(|f| format!("{} ({})", f.claim, f.source))
        .collect();
    let warned = (step.end == End::Warned).then(|| format!("warning: {because}"));
    let told: Vec<String> = warned.into_iter().chain(facts).collect();
    if !told.is_empty() {
        case.set_system_out(told.join("\n"));
    }
    case
}

/// A status with its message, where it can have one.
fn said(mut status: TestCaseStatus, message: &str) -> TestCaseStatus {
    if !matches!(status, TestCaseStatus::Success { .. }) {
        status.set_message(message);
    }
    status
}
