//! Faults of the world: what goes wrong between a client and a server, from a seed.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::Method;
use http::Uri;

use super::refusal::Refusal;
use super::refusal::Service;
use super::seeds::seed_of;

/// One request in so many meets a fault.
const ONE_IN: u64 = 25;
/// One `pg_restore` in so many is killed; there are few of them.
const RESTORES_ONE_IN: u64 = 4;
/// How many faults one place (method, host and path, or what is asked of a server) meets at most, so
/// that retries come to an end.
const FAULTS_OF_A_PLACE_MAX: u32 = 2;
/// How long a slow answer takes at most.
const SLOW_MAX: Duration = Duration::from_secs(20);
/// What a client asks for first, to learn who answers.
const OPENS: &str = "/api/v1/namespaces/kube-system";
/// After how many bytes a stream of changes ends at the latest: often within the first of them.
const WATCH_BYTES_MAX: usize = 2_000;

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The connection breaks before the server sees the request.
    ResetBefore,
    /// The server does it, and the answer is lost.
    ResetAfter,
    /// The server answers so, and does nothing.
    Answers(Refusal),
    /// The server does it, and answers so all the same.
    AnswersAfter(Refusal),
    /// The answer takes so long.
    Slow(Duration),
    /// The connection breaks when this part of the request's body has come.
    HalfSent(f64),
    /// The connection breaks when this part of the answer's body has left.
    HalfAnswered(f64),
    /// The stream of changes ends after so many bytes, as if it were over.
    DroppedWatch(usize),
}

/// What a request is that may meet a fault.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// The host and the port that were dialled.
    pub(super) place: &'a str,
    /// Which system is asked.
    pub(super) service: Service,
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    /// Whether something is sent along.
    pub(super) body: Sent,
    pub(super) token: Token,
}

/// Whether a request brings a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Nothing,
    Something,
}

/// Whether a request comes with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    None,
    Shown,
}

impl Asked<'_> {
    fn is_watch(self) -> bool {
        let query = self.uri.query().unwrap_or_default();
        query
            .split('&')
            .any(|part| matches!(part, "watch=true" | "watch=1"))
    }

    /// Whether it may change something.
    fn changes(self) -> bool {
        ![Method::GET, Method::HEAD].contains(self.method)
    }

    /// The faults that such a request can meet.
    fn faults(self) -> Vec<Drawn> {
        let mut all: Vec<Drawn> = vec![
            |_| Fault::ResetBefore,
            |_| Fault::ResetAfter,
            |_| Fault::Answers(Refusal::Throttled),
            |_| Fault::Answers(Refusal::Internal),
            |_| Fault::Answers(Refusal::Unavailable),
            |random| Fault::Slow(slow(random)),
        ];
        let mut also = |fault: Drawn| all.push(fault);
        if self.body == Sent::Something {
            also(|random| Fault::HalfSent(random.f64()));
        }
        if self.is_watch() {
            also(|random| Fault::DroppedWatch(random.usize(1..WATCH_BYTES_MAX)));
        } else if self.method == Method::GET {
            also(|random| Fault::HalfAnswered(random.f64()));
        }
        if self.changes() {
            also(|_| Fault::AnswersAfter(Refusal::Internal));
            also(|_| Fault::AnswersAfter(Refusal::Unavailable));
            also(|_| Fault::AnswersAfter(Refusal::TimedOut));
        }
        match self.service {
            Service::Kubernetes | Service::Page => also(|_| Fault::Answers(Refusal::NoServer)),
            Service::Dns if self.changes() => also(|_| Fault::Answers(Refusal::Busy)),
            Service::Dns | Service::ObjectStore => {}
        }
        // A token that is refused where somebody opens a connection never was good for them.
        if self.token == Token::Shown && self.uri.path() != OPENS {
            also(|_| Fault::Answers(Refusal::Expired));
        }
        all
    }
}

/// Draws the details of a fault.
type Drawn = fn(&mut fastrand::Rng) -> Fault;

/// How long a slow answer takes.
pub(super) fn slow(random: &mut fastrand::Rng) -> Duration {
    SLOW_MAX.mul_f64(random.f64())
}

/// Decides which requests meet a fault. A decision hangs on the seed, the place (method, host and
/// path, or server and statement) and how often the place was asked before, not on what happens elsewhere:
/// what runs side by side may take turns in another order and still meets the same faults.
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

    /// The faults of the same seed from their beginning, for somebody who is not counted here.
    pub(super) fn anew(&self) -> Self {
        self.0
            .as_ref()
            .map_or_else(Self::none, |seeded| Self::from_seed(seeded.seed))
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

    /// What a request meets, if it meets something.
    pub(super) fn next(&self, asked: Asked<'_>) -> Option<Fault> {
        let place = format!("{} {}{}", asked.method, asked.place, asked.uri.path());
        let mut random = self.meets(place, ONE_IN)?;
        let faults = asked.faults();
        random
            .choice(&faults)
            .copied()
            .map(|draw| draw(&mut random))
    }

    /// Whether a server that speaks no HTTP refuses a connection.
    pub(super) fn refuses(&self, host: &str, port: u16) -> bool {
        self.meets(format!("dial {host}:{port}"), ONE_IN).is_some()
    }

    /// What a statement, or whatever else is asked of a database server, draws its fault from.
    pub(super) fn statement(&self, server: &str, what: &str) -> Option<fastrand::Rng> {
        self.meets(format!("{server} {what}"), ONE_IN)
    }

    /// What a `pg_restore` into a server draws the moment of its death from.
    pub(super) fn restore(&self, server: &str) -> Option<fastrand::Rng> {
        self.meets(format!("{server} pg_restore"), RESTORES_ONE_IN)
    }

    /// Counts that a place was asked; where it meets a fault, the details are drawn from the answer.
    fn meets(&self, name: String, one_in: u64) -> Option<fastrand::Rng> {
        let seeded = self.0.as_ref()?;
        if seeded.over.load(Ordering::Relaxed) {
            return None;
        }
        let mut places = seeded.places.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = places.get(&name).map_or(0, |p| p.asked);
        let seed = seed_of(seeded.seed, &format!("{asked} {name}"));
        let mut random = fastrand::Rng::with_seed(seed);
        let place = places.entry(name).or_default();
        place.asked += 1;
        if place.met == FAULTS_OF_A_PLACE_MAX || random.u64(0..one_in) > 0 {
            return None;
        }
        place.met += 1;
        Some(random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: &str = "b.example:6443";

    fn asked<'a>(method: &'a Method, uri: &'a Uri) -> Asked<'a> {
        Asked {
            place: PLACE,
            service: Service::Kubernetes,
            method,
            uri,
            body: Sent::Nothing,
            token: Token::None,
        }
    }

    fn drawn(seed: u64) -> Vec<Option<Fault>> {
        let faults = Faults::from_seed(seed);
        (0..200)
            .map(|i| {
                let uri = format!("/objects/{i}").parse().expect("a URI");
                faults.next(asked(&Method::GET, &uri))
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
        let met = (0..1000).filter(|_| faults.next(asked(&Method::PUT, &uri)).is_some());
        assert_eq!(met.count(), FAULTS_OF_A_PLACE_MAX as usize);
    }

    /// All sorts of faults that requests of one kind meet in a thousand places.
    fn sorts(method: &Method, query: &str, body: Sent, token: Token) -> String {
        let faults = Faults::from_seed(4);
        let all = (0..1000).filter_map(|i| {
            let uri: Uri = format!("/{i}{query}").parse().expect("a URI");
            faults.next(Asked {
                body,
                token,
                ..asked(method, &uri)
            })
        });
        all.map(|fault| format!("{fault:?}\n")).collect()
    }

    #[test]
    fn only_what_a_request_brings_and_asks_for_can_break() {
        let read = sorts(&Method::GET, "", Sent::Nothing, Token::Shown);
        assert!(
            read.contains("HalfAnswered") && read.contains("Expired"),
            "{read}"
        );
        assert!(
            !read.contains("HalfSent") && !read.contains("DroppedWatch"),
            "{read}"
        );
        let write = sorts(&Method::PUT, "", Sent::Something, Token::None);
        assert!(write.contains("HalfSent"), "{write}");
        assert!(
            !write.contains("HalfAnswered") && !write.contains("Expired"),
            "{write}"
        );
        let watch = sorts(&Method::GET, "?watch=true", Sent::Nothing, Token::None);
        assert!(watch.contains("DroppedWatch"), "{watch}");
    }

    #[test]
    fn what_fails_after_its_effect_changes_something() {
        let read = sorts(&Method::GET, "", Sent::Nothing, Token::None);
        assert!(!read.contains("AnswersAfter"), "{read}");
        let write = sorts(&Method::DELETE, "", Sent::Nothing, Token::None);
        for refusal in ["Internal", "Unavailable", "TimedOut"] {
            let after = format!("AnswersAfter({refusal})");
            assert!(write.contains(&after), "{write}");
        }
    }

    #[test]
    fn two_servers_are_two_places() {
        let faults = Faults::from_seed(3);
        let met = |place: &str| {
            let all = (0..1000).map(|_| {
                let uri: Uri = "/one".parse().expect("a URI");
                faults.next(Asked {
                    place,
                    ..asked(&Method::PUT, &uri)
                })
            });
            all.enumerate()
                .filter_map(|(n, met)| Some((n, met?)))
                .collect()
        };
        let one: Vec<_> = met("a.example:6443");
        let other = met("b.example:6443");
        assert_eq!(one.len(), FAULTS_OF_A_PLACE_MAX as usize);
        assert_eq!(other.len(), FAULTS_OF_A_PLACE_MAX as usize);
        assert_ne!(one, other);
    }

    #[test]
    fn no_token_expires_where_a_connection_is_opened() {
        let uri: Uri = OPENS.parse().expect("a URI");
        for seed in 0..2_000 {
            let asked = Asked {
                token: Token::Shown,
                ..asked(&Method::GET, &uri)
            };
            let met = Faults::from_seed(seed).next(asked);
            assert_ne!(met, Some(Fault::Answers(Refusal::Expired)), "{seed}");
        }
    }

    #[test]
    fn a_world_that_calms_down_has_no_faults_any_more() {
        let faults = Faults::from_seed(4);
        faults.end();
        assert!((0..1000).all(|i| faults.statement("db", &i.to_string()).is_none()));
        assert_eq!(faults.count(), 0);
    }
}
