//! What must hold for every operation of every kind.

use drplan_api::Json;
use drplan_api::Looked;
use drplan_api::Planned;

use crate::Driver;
use crate::Faults;
use crate::Loss;
use crate::Point;
use crate::driver::step;

/// Applies, then gives the same payload to a successor, which must find every effect done.
///
/// # Panics
///
/// If the second time begins anything or changes the world's fingerprint.
pub async fn apply_twice(make: impl AsyncFn() -> Driver) {
    let driver = make().await;
    let first = driver.apply().await;
    let (op, effects) = payload(&first.before);
    let (begins, end) = (driver.begins(), driver.end_state().await);
    if let Err(failure) = driver.resume(&op, effects).await {
        panic!("the same payload a second time: {failure:#?}");
    }
    assert_eq!(
        driver.begins(),
        begins,
        "the second time began an effect that had landed"
    );
    assert_eq!(
        driver.end_state().await,
        end,
        "the second time changed the world"
    );
}

/// Kills drplan at each [`Point`] of a fresh world each; then one successor resumes the payload by
/// `probe` with an empty work folder, and, in another world, one without any memory plans afresh.
///
/// # Panics
///
/// If one of them does not end like an undisturbed run.
pub async fn crash_at_each_point(make: impl AsyncFn() -> Driver) {
    let calm = make().await;
    let (_, effects) = payload(&calm.apply().await.before);
    let end = calm.end_state().await;
    for n in 0..effects {
        for point in [Point::Begun(n), Point::Polled(n), Point::Ended(n)] {
            for remembers in [true, false] {
                let story =
                    format!("killed at {point:?}, the successor remembers the plan: {remembers}");
                let driver = make().await;
                crash_and_resume(&driver, point, remembers, &story).await;
                assert_eq!(driver.end_state().await, end, "{story}: another end state");
            }
        }
    }
}

async fn crash_and_resume(driver: &Driver, point: Point, remembers: bool, story: &str) {
    let (op, effects) = payload(&driver.look().await);
    if let Err(failure) = driver.crash_at(&op, effects, point).await {
        panic!("{story}: before the end: {failure:#?}");
    }
    if remembers && let Err(failure) = driver.resume(&op, effects).await {
        panic!("{story}: {failure:#?}");
    }
    match driver.try_apply().await {
        Ok(after) if remembers => assert!(
            matches!(after.before.planned, Planned::Nothing(_)),
            "{story}: something was left: {:#?}",
            after.before.planned
        ),
        Ok(_) => {}
        Err(failure) => panic!("{story}: {failure:#?}"),
    }
}

/// Lets each request of an apply fail once, in a fresh world each: refused before it is carried out,
/// and carried out with its answer lost. The closure puts the faults in front of its server with
/// [`Faults::wrap`], or around its connection with [`crate::FaultyConn`].
///
/// # Panics
///
/// If a run does not end like an undisturbed one, or if nothing was ever requested.
pub async fn fail_each_request_once(make: impl AsyncFn(Faults) -> Driver) {
    let counting = Faults::none();
    let calm = make(counting.clone()).await;
    calm.apply().await;
    let requests = counting.requests();
    assert!(
        requests > 0,
        "no request went through the faults: wrap the server with them"
    );
    let end = calm.end_state().await;
    for nth in 0..requests {
        for loss in [Loss::Refused, Loss::AnswerLost] {
            let driver = make(Faults::at(nth, loss)).await;
            if let Err(failure) = driver.try_apply().await {
                panic!("request {nth} of {requests} {loss:?}: {failure:#?}");
            }
            assert_eq!(
                driver.end_state().await,
                end,
                "request {nth} {loss:?}: another end state"
            );
        }
    }
}

fn payload(looked: &Looked) -> (Json, usize) {
    match step(&looked.planned) {
        Some(proposal) => (proposal.op.clone(), proposal.effects.len()),
        None => panic!(
            "the fresh world leaves nothing to do: {:#?}",
            looked.planned
        ),
    }
}
