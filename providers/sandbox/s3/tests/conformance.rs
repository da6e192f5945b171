//! The store against the S3 server of the components: the same requests, the same answers, but for a
//! list of differences that are meant.
//!
//! What the server answers is kept in `conformance/recorded.txt`, against which every run compares the
//! store; `cargo test -p drplan-sandbox-s3 --test conformance -- --ignored` asks the server itself and
//! compares it with what is kept. To keep its answers anew, run that with `DRPLAN_RECORD=1`.

#![expect(
    clippy::disallowed_methods,
    reason = "the recorded answers are a file, and a variable asks to write it"
)]

#[path = "client/mod.rs"]
mod client;
#[path = "conformance/record.rs"]
mod record;
#[path = "conformance/sequences.rs"]
mod sequences;

use std::error::Error;
use std::fmt::Write as _;

use aws_sdk_s3::Client;
use client::in_process;
use drplan_api::Clock;
use drplan_harness::Components;
use drplan_harness::ObjectStore;
use drplan_sandbox_s3::AccessKey;
use drplan_sandbox_s3::Options;
use drplan_sandbox_s3::Rights;
use drplan_sandbox_s3::Store;
use record::Record;
use sequences::SEQUENCES;

type Tested<T = ()> = Result<T, Box<dyn Error>>;

const RECORDED: &str = include_str!("conformance/recorded.txt");
const RECORDED_PATH: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/conformance/recorded.txt"
);

const DIFFERENCES: &str = include_str!("../differences.md");

/// A difference that is meant: the sequence, the store's line, the server's line, and why.
#[derive(Default)]
struct Intended {
    sequence: &'static str,
    ours: &'static str,
    theirs: &'static str,
    why: &'static str,
}

/// Reads the list of differences that are meant.
fn intended() -> Vec<Intended> {
    let (mut all, mut sequence) = (Vec::new(), "");
    for line in DIFFERENCES.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            sequence = name;
        } else if let Some(ours) = line.strip_prefix("- store: ") {
            all.push(Intended {
                sequence,
                ours: ours.trim_matches('`'),
                ..Intended::default()
            });
        } else if let Some(last) = all.last_mut() {
            if let Some(theirs) = line.strip_prefix("  server: ") {
                last.theirs = theirs.trim_matches('`');
            } else if let Some(why) = line.strip_prefix("  why: ") {
                last.why = why;
            }
        }
    }
    all
}

async fn ask(client: &Client) -> Vec<(&'static str, Vec<String>)> {
    let mut answers = Vec::new();
    for name in SEQUENCES {
        let mut record = Record::default();
        sequences::ask(name, client, &mut record).await;
        answers.push((name, record.lines));
    }
    answers
}

fn written(answers: &[(&str, Vec<String>)]) -> String {
    let mut text = String::new();
    for (name, lines) in answers {
        writeln!(text, "== {name}\n{}", lines.join("\n")).unwrap_or_default();
    }
    text
}

/// Compares line by line; what differs and is not meant, and what is meant and does not differ, are
/// both wrong.
fn compare(ours: &str, theirs: &str) -> Result<(usize, usize), String> {
    let mut wrong = String::new();
    let intended = intended();
    let mut used = vec![false; intended.len()];
    let (mut sequence, mut equal) = ("", 0);
    let (mut a, mut b) = (ours.lines(), theirs.lines());
    loop {
        let (x, y) = match (a.next(), b.next()) {
            (None, None) => break,
            (x, y) => (x.unwrap_or("(nothing)"), y.unwrap_or("(nothing)")),
        };
        if let Some(name) = x.strip_prefix("== ") {
            sequence = name;
        }
        if x == y {
            equal += 1;
            continue;
        }
        let is = |d: &Intended| d.sequence == sequence && d.ours == x && d.theirs == y;
        match intended.iter().position(is) {
            Some(n) => used[n] = true,
            None => writeln!(wrong, "{sequence}\n  ours:   {x}\n  theirs: {y}").unwrap_or_default(),
        }
    }
    for (meant, used) in intended.iter().zip(&used) {
        if !used || meant.why.is_empty() {
            writeln!(
                wrong,
                "not met any more: {} / {}",
                meant.sequence, meant.ours
            )
            .unwrap_or_default();
        }
    }
    if wrong.is_empty() {
        Ok((equal, intended.len()))
    } else {
        Err(wrong)
    }
}

async fn ours() -> String {
    let store = Store::in_memory(Options {
        clock: Clock::system(),
        region: "eu-west-1".to_owned(),
        seed: 1,
        keys: vec![AccessKey::new("AKIDALL", "secret", Rights::All)],
    });
    written(&ask(&in_process(&store, "AKIDALL", "secret")).await)
}

#[tokio::test]
async fn the_store_answers_as_the_server_was_recorded() -> Tested {
    let compared = compare(&ours().await, RECORDED)?;
    assert!(compared.0 > 0);
    Ok(())
}

#[tokio::test]
#[ignore = "needs the components; `cargo test -p drplan-sandbox-s3 --test conformance -- --ignored`"]
async fn the_server_answers_as_it_was_recorded() -> Tested {
    let folder = tempfile::tempdir()?;
    let server = ObjectStore::start(folder.path(), &Components::locate()?).await?;
    let theirs = written(&ask(&server.client()).await);
    server.end().await?;
    if std::env::var("DRPLAN_RECORD").is_ok() {
        std::fs::write(RECORDED_PATH, &theirs)?;
    }
    let recorded = std::fs::read_to_string(RECORDED_PATH)?;
    assert_eq!(
        theirs, recorded,
        "the server answers otherwise than it was recorded"
    );
    Ok(())
}
