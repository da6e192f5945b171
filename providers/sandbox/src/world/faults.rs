//! Faults of the world's network: what goes wrong between a client and a server, from a seed.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use http::Method;
use http::Response;
use http::StatusCode;
use http::Uri;
use http::header::RETRY_AFTER;

/// One request in so many meets a fault.
const ONE_IN: u64 = 25;
/// How many faults one place (method and path) meets at most, so that retries come to an end.
const FAULTS_OF_A_PLACE_MAX: u32 = 2;
/// How long a slow answer takes at most.
const SLOW_MAX: Duration = Duration::from_secs(20);
/// After how many seconds a throttled client may try again.
const RETRY_AFTER_S: u64 = 2;

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection breaks before the server sees the request.
    ResetBefore,
    /// The server does it, and the answer is lost.
    ResetAfter,
    /// The server answers so, and does nothing.
    Answers(Refusal),
    /// The answer takes so long.
    Slow(Duration),
}

/// How a server that is in trouble answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too many requests, with the time after which to try again.
    Throttled,
    /// An internal error.
    Internal,
    /// Not now.
    Unavailable,
}

impl From<Refusal> for Response<Body> {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal {
            Refusal::Throttled => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Refusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut response = Self::new(Body::from("a fault of the rehearsal"));
        *response.status_mut() = status;
        if refusal == Refusal::Throttled {
            response
                .headers_mut()
                .insert(RETRY_AFTER, RETRY_AFTER_S.into());
        }
        response
    }
}

/// Decides which requests meet a fault. A decision hangs on the seed, the place (method and path) and
/// how often the place was asked before, not on what happens elsewhere: what runs side by side may
/// take turns in another order and still meets the same faults.
pub struct Faults(Option<Seeded>);

struct Seeded {
    seed: u64,
    places: Mutex<BTreeMap<String, Place>>,
    over: AtomicBool,
}

#[derive(Default)]
struct Place {
    asked: u64,
    met: u32,
}

impl Faults {
    /// A network without faults.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// Faults from a seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self(Some(Seeded {
            seed,
            places: Mutex::default(),
            over: AtomicBool::new(false),
        }))
    }

    /// Ends the faults.
    pub(super) fn end(&self) {
        if let Some(seeded) = &self.0 {
            seeded.over.store(true, Ordering::Relaxed);
        }
    }

    /// How many requests met a fault.
    #[must_use]
    pub fn count(&self) -> u64 {
        let Some(seeded) = &self.0 else { return 0 };
        let places = seeded.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.values().map(|p| u64::from(p.met)).sum()
    }

    pub(super) fn next(&self, method: &Method, uri: &Uri) -> Option<Fault> {
        let seeded = self.0.as_ref()?;
        if seeded.over.load(Ordering::Relaxed) {
            return None;
        }
        let mut places = seeded.places.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("{method} {}", uri.path());
        let asked = places.get(&name).map_or(0, |p| p.asked);
        let mut random = random(seeded.seed, &format!("{asked} {name}"));
        let place = places.entry(name).or_default();
        place.asked += 1;
        if place.met == FAULTS_OF_A_PLACE_MAX || random.u64(0..ONE_IN) > 0 {
            return None;
        }
        place.met += 1;
        Some(match random.u8(0..6) {
            0 => Fault::ResetBefore,
            1 => Fault::ResetAfter,
            2 => Fault::Answers(Refusal::Throttled),
            3 => Fault::Answers(Refusal::Internal),
            4 => Fault::Answers(Refusal::Unavailable),
            _ => Fault::Slow(SLOW_MAX.mul_f64(random.f64())),
        })
    }
}

/// A generator of a place's own.
fn random(seed: u64, place: &str) -> fastrand::Rng {
    let digest = drplan_api::digest(format!("{seed} {place}").as_bytes());
    let digits = digest.get(..16).unwrap_or_default();
    fastrand::Rng::with_seed(u64::from_str_radix(digits, 16).unwrap_or(seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64) -> Vec<Option<Fault>> {
        let faults = Faults::from_seed(seed);
        (0..200)
            .map(|i| {
                let uri = format!("/objects/{i}").parse().expect("a URI");
                faults.next(&Method::GET, &uri)
            })
            .collect()
    }

    #[test]
    fn one_seed_gives_the_same_faults_and_another_others() {
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        assert!(drawn(1).iter().any(Option::is_some));
    }

    #[test]
    fn one_place_does_not_fail_for_ever() {
        let faults = Faults::from_seed(3);
        let uri: Uri = "/one".parse().expect("a URI");
        let met = (0..1000).filter(|_| faults.next(&Method::PUT, &uri).is_some());
        assert_eq!(met.count(), FAULTS_OF_A_PLACE_MAX as usize);
    }
}
