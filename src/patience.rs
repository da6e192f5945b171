//! Questions that are asked again: of many that are asked at once, one that fails must not throw away
//! what the others brought.
//!
//! A step reads dozens of things. Were all of them read anew for each that fails, a world in which one
//! request in twenty goes wrong would never be read as a whole.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use drplan_api::Answer;
use drplan_api::Ask;
use drplan_api::Conn;
use drplan_api::Fut;
use drplan_api::ProviderError;
use drplan_api::TargetId;
use tokio::time::Instant;

use crate::retry;

/// How often a question is asked.
pub(crate) const READS_MAX: u32 = 4;

/// For how long after it was first asked a question is asked again. One slow answer of many must not
/// keep the failed ones from it.
pub(crate) const ASKED_AGAIN_WITHIN: Duration = Duration::from_secs(45);

/// A connection whose questions are asked again.
pub(crate) struct Patient(pub(crate) Arc<dyn Conn>);

impl Conn for Patient {
    fn identity(&self) -> Fut<'_, Result<TargetId, ProviderError>> {
        self.0.identity()
    }

    fn fetch<'a>(&'a self, asks: &'a [Ask]) -> Fut<'a, Vec<Answer>> {
        Box::pin(patiently(&*self.0, asks))
    }

    fn as_any(&self) -> &dyn Any {
        self.0.as_any()
    }
}

/// Asks, and asks again what failed in a way that may pass by itself, within a bound: a dead target
/// must not hold up a plan for long.
pub(crate) async fn patiently(conn: &dyn Conn, asks: &[Ask]) -> Vec<Answer> {
    let until = Instant::now() + ASKED_AGAIN_WITHIN;
    let mut answers = conn.fetch(asks).await;
    for next in 2..=READS_MAX {
        let pauses = answers.iter().enumerate().filter_map(|(i, answer)| {
            let error = answer.as_ref().err()?;
            Some((i, retry::pause(error, next, spread(asks, next))?))
        });
        // Who asks for more patience than there is does not keep the others from being asked, and is not
        // asked before its time.
        let fitting = pauses.filter(|(_, pause)| Instant::now() + *pause < until);
        let (open, pauses): (Vec<usize>, Vec<Duration>) = fitting.unzip();
        let Some(pause) = pauses.into_iter().max() else {
            break;
        };
        tokio::time::sleep(pause).await;
        let again: Vec<Ask> = open.iter().map(|&i| asks[i].clone()).collect();
        for (i, answer) in open.into_iter().zip(conn.fetch(&again).await) {
            answers[i] = answer;
        }
    }
    answers
}

/// A number that spreads the pauses of connections and is the same for the same questions.
pub(crate) fn spread(asks: &[Ask], next: u32) -> u64 {
    let hash = drplan_api::short_hash(&(asks.len(), next, asks.first().map(|a| &a.op)));
    u64::from_str_radix(&hash, 16).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;
    use std::sync::PoisonError;

    use drplan_api::ErrorKind;
    use drplan_api::Json;

    use super::*;

    /// Answers each question when it is asked for the second time, and counts. It fails before with the
    /// kind of error that is given, or only one question does.
    #[derive(Default)]
    struct Second(
        Mutex<BTreeMap<String, u32>>,
        Option<ErrorKind>,
        Option<&'static str>,
    );

    impl Conn for Second {
        fn identity(&self) -> Fut<'_, Result<TargetId, ProviderError>> {
            Box::pin(async { Ok(TargetId("second".to_owned())) })
        }

        fn fetch<'a>(&'a self, asks: &'a [Ask]) -> Fut<'a, Vec<Answer>> {
            let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let answers = asks.iter().map(|ask| {
                let count = asked.entry(ask.op.clone()).or_default();
                *count += 1;
                let is_meant = self.2.is_none_or(|only| only == ask.op);
                let kind = self.1.filter(|_| is_meant);
                let kind = kind.unwrap_or(ErrorKind::Unreachable);
                match *count {
                    1 if ask.op != "good" => Err(ProviderError::new(kind, "ask", "second")),
                    _ => Ok(Arc::new(Json::Null)),
                }
            });
            let answers = answers.collect();
            Box::pin(async move { answers })
        }

        fn as_any(&self) -> &dyn Any {
            self
        }
    }

    fn asks() -> Vec<Ask> {
        let ask = |op: &str| Ask {
            op: op.to_owned(),
            args: "{}".to_owned(),
        };
        ["good", "one", "two"].map(ask).to_vec()
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_failed_is_asked_again() {
        let conn = Patient(Arc::new(Second::default()));
        let answers = conn.fetch(&asks()).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        let inner = conn
            .as_any()
            .downcast_ref::<Second>()
            .expect("what is inside");
        let asked = inner.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts: Vec<u32> = asked.values().copied().collect();
        assert_eq!(counts, [1, 2, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_to_be_left_alone_for_longer_than_there_is_patience_is() {
        let throttled = ErrorKind::Throttled {
            after_ms: Some(120_000),
        };
        let conn = Second(Mutex::default(), Some(throttled), Some("two"));
        let answers = patiently(&conn, &asks()).await;
        let failed: Vec<bool> = answers.iter().map(Result::is_err).collect();
        assert_eq!(failed, [false, false, true]);
        let asked = conn.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(asked["two"], 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_no_patience_helps_is_not_asked_again() {
        let conn = Patient(Arc::new(Second(
            Mutex::default(),
            Some(ErrorKind::Denied),
            None,
        )));
        let answers = conn.fetch(&asks()).await;
        assert_eq!(answers.iter().filter(|a| a.is_err()).count(), 2);
    }
}
