//! The embedded Kubernetes API answers as the real one did when it was recorded.

use drplan_conformance::compare::Difference;
use drplan_conformance::differences;
use drplan_conformance::differences::Intended;
use drplan_conformance::embedded;
use drplan_conformance::report;
use drplan_conformance::suite;
use drplan_conformance::suite::Asked;

fn assert_same(asked: &Asked, found: Vec<Difference>, intended: &[Intended]) {
    let judged = differences::judge(intended, found);
    assert!(
        asked.tally.broken.is_empty() && judged.unintended.is_empty() && judged.stale.is_empty(),
        "{}",
        report::text(&asked.tally, &judged)
    );
}

#[tokio::test(start_paused = true)]
async fn the_embedded_server_answers_as_the_recorded_one() {
    let topics = suite::topics(None).unwrap();
    let asked = embedded::ask(&topics).await.unwrap();
    let found = suite::differences(&topics, &asked.answers).unwrap();
    assert_same(&asked, found, &differences::load().unwrap());
}

#[tokio::test]
async fn the_embedded_server_answers_so_over_a_socket_too() {
    let mut topics = suite::topics(Some("watch_with")).unwrap();
    topics.extend(suite::topics(Some("access")).unwrap());
    let asked = embedded::ask_over_loopback(&topics).await.unwrap();
    let found = suite::differences(&topics, &asked.answers).unwrap();
    assert_same(&asked, found, &[]);
}
