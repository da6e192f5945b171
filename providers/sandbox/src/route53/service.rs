//! The service itself: who asks, what is done, what is answered. No sockets.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use drplan_api::Clock;
use http::StatusCode;
use http::request::Parts;

use super::change::Change;
use super::change::ChangeStatus;
use super::change::Convergence;
use super::change::Ticket;
use super::config::Config;
use super::error::SandboxError;
use super::fault::Fault;
use super::fault::Faults;
use super::identity::Identity;
use super::listing;
use super::log::Entry;
use super::log::Outcome;
use super::log::RequestLog;
use super::name::DomainName;
use super::operation::Operation;
use super::operation::Target;
use super::query::Query;
use super::record::RecordSet;
use super::refusal::Refusal;
use super::signature;
use super::state::State;
use super::wire;
use super::xml::Element;
use super::zone::Visibility;
use super::zone::Zone;

/// A strict Route 53. Clones share one state.
#[derive(Debug, Clone)]
pub struct Route53 {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    identities: BTreeMap<String, Identity>,
    convergence: Convergence,
    clock: Clock,
    state_file: Option<PathBuf>,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    state: State,
    faults: Faults,
    log: RequestLog,
    requests: u64,
}

/// What is sent back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) request_id: String,
    pub(crate) location: Option<String>,
    pub(crate) document: String,
    pub(crate) delivery: Delivery,
}

/// Whether the answer reaches the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    Whole,
    BrokenOff,
}

/// What an operation produced.
struct Done {
    status: StatusCode,
    location: Option<String>,
    answer: Element,
}

impl From<Element> for Done {
    fn from(answer: Element) -> Self {
        Self {
            status: StatusCode::OK,
            location: None,
            answer,
        }
    }
}

impl Route53 {
    /// Makes a server; with a state file, its zones and changes are those of the file.
    ///
    /// # Errors
    ///
    /// [`SandboxError::Load`] if the state file exists but cannot be read.
    pub fn new(config: Config) -> Result<Self, SandboxError> {
        let state = match &config.state_file {
            Some(path) => State::load(path).map_err(|source| SandboxError::Load {
                path: path.clone(),
                source,
            })?,
            None => State::default(),
        };
        let owner = Identity::new("owner", config.access_key, config.secret_key);
        let identities = config
            .identities
            .into_iter()
            .chain([owner])
            .map(|identity| (identity.access_key().to_owned(), identity))
            .collect();
        Ok(Self {
            inner: Arc::new(Inner {
                identities,
                convergence: config.convergence,
                clock: config.clock,
                state_file: config.state_file,
                held: Mutex::new(Held {
                    state,
                    ..Held::default()
                }),
            }),
        })
    }

    /// Makes a public zone, unless there is one of that name.
    ///
    /// # Errors
    ///
    /// [`SandboxError::Name`] or [`SandboxError::Save`].
    pub fn zone(self, name: &str) -> Result<Self, SandboxError> {
        self.ensure_zone(name, Visibility::Public)?;
        Ok(self)
    }

    /// Makes a private zone, unless there is one of that name.
    ///
    /// # Errors
    ///
    /// [`SandboxError::Name`] or [`SandboxError::Save`].
    pub fn private_zone(self, name: &str) -> Result<Self, SandboxError> {
        self.ensure_zone(name, Visibility::Private)?;
        Ok(self)
    }

    /// Returns the id of the public zone of that name.
    pub fn zone_id(&self, name: &str) -> Option<String> {
        find_zone(
            &self.held().state,
            &DomainName::parse(name).ok()?,
            Visibility::Public,
        )
    }

    /// Returns the id of the private zone of that name.
    pub fn private_zone_id(&self, name: &str) -> Option<String> {
        find_zone(
            &self.held().state,
            &DomainName::parse(name).ok()?,
            Visibility::Private,
        )
    }

    /// Returns a zone's record sets in listing order; empty if there is no such zone.
    pub fn record_sets(&self, zone_id: &str) -> Vec<RecordSet> {
        let held = self.held();
        held.state
            .zones
            .get(zone_id)
            .map(|z| z.sets().cloned().collect())
            .unwrap_or_default()
    }

    /// Applies a batch from within the process: what somebody else does to the zone.
    ///
    /// # Errors
    ///
    /// [`SandboxError::NoSuchZone`], [`SandboxError::Refused`] or [`SandboxError::Save`].
    pub fn change(&self, zone_id: &str, changes: &[Change]) -> Result<(), SandboxError> {
        self.apply(&mut self.held().state, zone_id, changes, None)
            .map(drop)
    }

    /// Lets the next request for the operation meet a fault; repeated calls queue up.
    pub fn inject(&self, operation: Operation, fault: Fault) {
        self.held().faults.add(operation, fault);
    }

    /// Returns the newest requests, oldest first.
    pub fn log(&self) -> Vec<Entry> {
        self.held().log.entries()
    }

    /// Returns how many requests for the operation ended so.
    pub fn count(&self, operation: Operation, outcome: Outcome) -> u64 {
        self.held().log.count(operation, outcome)
    }

    /// Answers one request.
    pub(crate) fn answer(&self, parts: &Parts, body: Result<&[u8], Refusal>) -> Answer {
        let mut held = self.held();
        held.requests += 1;
        let request_id = format!("00000000-0000-4000-8000-{:012x}", held.requests);
        let target = Target::of(&parts.method, parts.uri.path());
        let mut who = None;
        let mut fault = None;
        let result = body.and_then(|body| {
            let identity =
                signature::verify(&self.inner.identities, self.inner.clock.now(), parts, body)?;
            who = Some(identity.name().to_owned());
            let target = target.as_ref().ok_or_else(Refusal::unknown_operation)?;
            if !identity.may(target.operation) {
                let operation = target.operation.as_str();
                return Err(Refusal::access_denied(
                    identity.name(),
                    operation,
                    &target.arn(),
                ));
            }
            fault = held.faults.take(target.operation);
            if let Some(refusal) = fault.and_then(Fault::refusal) {
                return Err(refusal);
            }
            self.perform(&mut held.state, target, parts.uri.query(), body)
        });
        let lost = fault == Some(Fault::LostAnswer);
        let delivery = if lost {
            Delivery::BrokenOff
        } else {
            Delivery::Whole
        };
        held.log.add(Entry {
            at: self.inner.clock.now(),
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            operation: target.map(|target| target.operation),
            identity: who,
            outcome: match &result {
                Ok(_) if lost => Outcome::AnswerLost,
                Ok(_) => Outcome::Done,
                Err(refusal) => Outcome::Refused(refusal.code),
            },
            request_id: request_id.clone(),
        });
        let done = result.unwrap_or_else(|refusal| Done {
            status: refusal.status,
            location: None,
            answer: wire::refusal(&refusal, &request_id),
        });
        Answer {
            status: done.status,
            request_id,
            location: done.location,
            document: wire::document(&done.answer),
            delivery,
        }
    }

    fn perform(
        &self,
        state: &mut State,
        target: &Target,
        query: Option<&str>,
        body: &[u8],
    ) -> Result<Done, Refusal> {
        let query = Query::parse(query)?;
        match target.operation {
            Operation::ListHostedZones => listing::zones(state, query).map(Done::from),
            Operation::ListHostedZonesByName => {
                listing::zones_by_name(state, query).map(Done::from)
            }
            Operation::ListResourceRecordSets => {
                listing::records(zone(state, &target.id)?, query).map(Done::from)
            }
            Operation::GetHostedZone => {
                query.end()?;
                let zone = zone(state, &target.id)?;
                Ok(Element::new("GetHostedZoneResponse")
                    .child(wire::hosted_zone(&target.id, zone))
                    .child(wire::delegation_set())
                    .into())
            }
            Operation::GetChange => {
                query.end()?;
                self.get_change(state, &target.id).map(Done::from)
            }
            Operation::CreateHostedZone => {
                query.end()?;
                self.create_zone(state, body)
            }
            Operation::ChangeResourceRecordSets => {
                query.end()?;
                self.change_records(state, &target.id, body).map(Done::from)
            }
        }
    }

    fn get_change(&self, state: &mut State, id: &str) -> Result<Element, Refusal> {
        let ticket = state
            .changes
            .get_mut(id)
            .ok_or_else(|| Refusal::no_such_change(id))?;
        let status = ticket.poll(self.inner.convergence, self.inner.clock.now());
        Ok(Element::new("GetChangeResponse").child(wire::change_info(id, ticket, status)))
    }

    fn create_zone(&self, state: &mut State, body: &[u8]) -> Result<Done, Refusal> {
        let asked = wire::read_new_zone(body)?;
        let reference = asked.caller_reference;
        if state
            .zones
            .values()
            .any(|zone| zone.caller_reference == reference)
        {
            return Err(Refusal::zone_exists(&reference));
        }
        let mut zone = Zone::new(asked.name, reference, asked.visibility);
        zone.comment = asked.comment;
        // The change comes first, so that what keeps the zone keeps the change's id as well.
        let change_id = state.add_change(self.inner.clock.now(), None);
        let id = self.add_zone(state, zone).map_err(|why| {
            state.changes.remove(&change_id);
            Refusal::internal(why.to_string())
        })?;
        let ticket = change(state, &change_id)?;
        let answer = Element::new("CreateHostedZoneResponse")
            .child(wire::hosted_zone(&id, self::zone(state, &id)?))
            .child(wire::change_info(&change_id, ticket, ChangeStatus::Pending))
            .child(wire::delegation_set());
        let location = format!("https://route53.amazonaws.com/2013-04-01/hostedzone/{id}");
        Ok(Done {
            status: StatusCode::CREATED,
            location: Some(location),
            answer,
        })
    }

    fn change_records(&self, state: &mut State, id: &str, body: &[u8]) -> Result<Element, Refusal> {
        zone(state, id)?;
        let batch = wire::read_batch(body)?;
        let change_id = self
            .apply(state, id, &batch.changes, batch.comment)
            .map_err(|why| match why {
                SandboxError::Refused(messages) => Refusal::invalid_batch(&messages),
                why => Refusal::internal(why.to_string()),
            })?;
        let info = wire::change_info(
            &change_id,
            change(state, &change_id)?,
            ChangeStatus::Pending,
        );
        Ok(Element::new("ChangeResourceRecordSetsResponse").child(info))
    }

    /// Applies a batch and keeps it; what cannot be kept is taken back.
    fn apply(
        &self,
        state: &mut State,
        zone_id: &str,
        changes: &[Change],
        comment: Option<String>,
    ) -> Result<String, SandboxError> {
        let zone = state
            .zones
            .get_mut(zone_id)
            .ok_or_else(|| SandboxError::NoSuchZone(zone_id.to_owned()))?;
        let undo = zone.apply(changes).map_err(SandboxError::Refused)?;
        let change_id = state.add_change(self.inner.clock.now(), comment);
        if let Err(why) = self.save(state) {
            state.changes.remove(&change_id);
            if let Some(zone) = state.zones.get_mut(zone_id) {
                zone.undo(undo);
            }
            return Err(why);
        }
        Ok(change_id)
    }

    fn ensure_zone(&self, name: &str, visibility: Visibility) -> Result<(), SandboxError> {
        let parsed = DomainName::parse(name).map_err(|source| SandboxError::Name {
            name: name.to_owned(),
            source,
        })?;
        let mut held = self.held();
        if find_zone(&held.state, &parsed, visibility).is_some() {
            return Ok(());
        }
        let reference = format!("sandbox:{visibility:?}:{parsed}");
        self.add_zone(&mut held.state, Zone::new(parsed, reference, visibility))
            .map(drop)
    }

    fn add_zone(&self, state: &mut State, zone: Zone) -> Result<String, SandboxError> {
        let id = state.add_zone(zone);
        if let Err(why) = self.save(state) {
            state.zones.remove(&id);
            return Err(why);
        }
        Ok(id)
    }

    fn save(&self, state: &State) -> Result<(), SandboxError> {
        let Some(path) = &self.inner.state_file else {
            return Ok(());
        };
        let failed = |source| SandboxError::Save {
            path: Path::to_owned(path),
            source,
        };
        state.save(path).map_err(failed)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.inner
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn find_zone(state: &State, name: &DomainName, visibility: Visibility) -> Option<String> {
    let mut zones = state.zones.iter();
    let found = zones.find(|(_, zone)| zone.name == *name && zone.visibility == visibility);
    found.map(|(id, _)| id.clone())
}

fn zone<'a>(state: &'a State, id: &str) -> Result<&'a Zone, Refusal> {
    state.zones.get(id).ok_or_else(|| Refusal::no_such_zone(id))
}

fn change<'a>(state: &'a State, id: &str) -> Result<&'a Ticket, Refusal> {
    state
        .changes
        .get(id)
        .ok_or_else(|| Refusal::no_such_change(id))
}
