//! The files of this suite fit together.

use std::collections::BTreeSet;

use drplan_conformance::differences;
use drplan_conformance::outcome::Outcome;
use drplan_conformance::recording::Recording;
use drplan_conformance::sequence;
use drplan_conformance::sequence::Step;

#[test]
fn every_sequence_is_recorded_with_the_steps_that_it_has_now() {
    let folder = sequence::root().join("kubernetes");
    for topic in sequence::load(&folder).unwrap() {
        let recording = Recording::load(&folder.join("recorded"), &topic.name).unwrap();
        let recorded: BTreeSet<&String> = recording.sequences.keys().collect();
        let written: BTreeSet<&String> = topic.sequences.iter().map(|s| &s.name).collect();
        assert_eq!(recorded, written, "in `{}`", topic.name);
        for sequence in &topic.sequences {
            let outcomes = &recording.sequences[&sequence.name];
            assert_steps(&sequence.name, &sequence.steps, outcomes);
        }
    }
}

fn assert_steps(name: &str, steps: &[Step], outcomes: &[Outcome]) {
    let written: Vec<&String> = steps.iter().map(|step| &step.r#do).collect();
    let recorded: Vec<&String> = outcomes.iter().map(|outcome| &outcome.step).collect();
    assert_eq!(recorded, written, "in `{name}`; record it again");
    for (step, outcome) in steps.iter().zip(outcomes) {
        assert!(
            step.code.is_none_or(|code| code == outcome.code),
            "in `{name}`: {}",
            step.r#do
        );
        if let Some(watch) = &step.watch {
            assert_steps(name, &watch.during, &outcome.during);
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the page is read from the tree")]
fn the_page_of_differences_is_what_the_list_says() {
    let page = sequence::root().join("../../docs/rehearsal-differences.md");
    let text = std::fs::read_to_string(page).unwrap();
    let fresh = differences::page(&differences::load().unwrap());
    assert_eq!(text, fresh, "run `cargo run -p drplan-conformance -- docs`");
}
