//! A hosted zone: its record sets in listing order, and batches that apply wholly or not at all.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

use super::change::Action;
use super::change::Change;
use super::name::DomainName;
use super::record::RecordKey;
use super::record::RecordSet;
use super::record::RecordType;
use super::record::Routing;

/// How long resolvers keep the apex NS set of a new zone, in seconds.
const NS_TTL_S: u32 = 172_800;
/// How long resolvers keep the SOA set of a new zone, in seconds.
const SOA_TTL_S: u32 = 900;
/// The name servers of every zone; names under `.invalid` resolve nowhere.
pub(crate) const NAME_SERVERS: [&str; 4] = [
    "ns-1.route53.invalid",
    "ns-2.route53.invalid",
    "ns-3.route53.invalid",
    "ns-4.route53.invalid",
];

/// Whether a zone answers everybody or a network of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Visibility {
    Public,
    Private,
}

/// A hosted zone.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "ZoneFile", into = "ZoneFile")]
pub(crate) struct Zone {
    pub(crate) name: DomainName,
    pub(crate) caller_reference: String,
    pub(crate) comment: Option<String>,
    pub(crate) visibility: Visibility,
    sets: BTreeMap<RecordKey, RecordSet>,
}

/// The form in which a zone is kept in a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct ZoneFile {
    name: DomainName,
    caller_reference: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    visibility: Visibility,
    record_sets: Vec<RecordSet>,
}

impl From<ZoneFile> for Zone {
    fn from(file: ZoneFile) -> Self {
        Self {
            name: file.name,
            caller_reference: file.caller_reference,
            comment: file.comment,
            visibility: file.visibility,
            sets: file
                .record_sets
                .into_iter()
                .map(|set| (set.key(), set))
                .collect(),
        }
    }
}

impl From<Zone> for ZoneFile {
    fn from(zone: Zone) -> Self {
        Self {
            name: zone.name,
            caller_reference: zone.caller_reference,
            comment: zone.comment,
            visibility: zone.visibility,
            record_sets: zone.sets.into_values().collect(),
        }
    }
}

/// What an applied batch replaced; it puts the zone back if the new state cannot be kept.
#[derive(Debug)]
pub(crate) struct Undo {
    before: Vec<(RecordKey, Option<RecordSet>)>,
}

/// One page of a listing.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    pub(crate) sets: Vec<&'a RecordSet>,
    pub(crate) next: Option<&'a RecordSet>,
}

impl Zone {
    /// Makes a zone with its NS and SOA sets.
    pub(crate) fn new(name: DomainName, caller_reference: String, visibility: Visibility) -> Self {
        let soa = format!(
            "{}. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400",
            NAME_SERVERS[0]
        );
        let servers = NAME_SERVERS.map(|server| format!("{server}."));
        let sets = [
            RecordSet::simple(name.clone(), RecordType::Ns, NS_TTL_S, servers),
            RecordSet::simple(name.clone(), RecordType::Soa, SOA_TTL_S, [soa]),
        ];
        let sets = sets.into_iter().map(|set| (set.key(), set)).collect();
        Self {
            name,
            caller_reference,
            comment: None,
            visibility,
            sets,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.sets.len()
    }

    pub(crate) fn sets(&self) -> impl Iterator<Item = &RecordSet> {
        self.sets.values()
    }

    /// Returns up to `max` sets from `start` on, and the one that comes after them.
    pub(crate) fn page(&self, start: Option<RecordKey>, max: usize) -> Page<'_> {
        let mut rest = match start {
            Some(start) => self.sets.range(start..),
            None => self.sets.range::<RecordKey, _>(..),
        };
        let sets = rest.by_ref().take(max).map(|(_, set)| set).collect();
        Page {
            sets,
            next: rest.next().map(|(_, set)| set),
        }
    }

    /// Applies every change, or none.
    ///
    /// # Errors
    ///
    /// One message for each thing that is wrong, in Route 53's wording; the zone is unchanged.
    pub(crate) fn apply(&mut self, changes: &[Change]) -> Result<Undo, Vec<String>> {
        let mut faults = repeated(changes);
        for change in changes {
            faults.extend(self.faults_alone(change));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut undo = Undo {
            before: Vec::with_capacity(changes.len()),
        };
        let mut failed = BTreeSet::new();
        for change in changes {
            // What follows a failed DELETE of the same set could only repeat its complaint.
            if failed.contains(&change.set.key()) {
                continue;
            }
            match self.apply_one(change) {
                Ok(before) => undo.before.push(before),
                Err(fault) => {
                    failed.insert(change.set.key());
                    faults.push(fault);
                }
            }
        }
        if faults.is_empty() {
            let names: BTreeSet<Vec<u8>> = changes.iter().map(|c| c.set.name.order()).collect();
            faults.extend(names.iter().flat_map(|order| self.faults_at(order)));
        }
        if faults.is_empty() {
            return Ok(undo);
        }
        self.undo(undo);
        Err(faults)
    }

    /// Puts back what a batch replaced.
    pub(crate) fn undo(&mut self, undo: Undo) {
        for (key, before) in undo.before.into_iter().rev() {
            match before {
                Some(set) => self.sets.insert(key, set),
                None => self.sets.remove(&key),
            };
        }
    }

    fn faults_alone(&self, change: &Change) -> Vec<String> {
        let Change { action, set } = change;
        let (name, zone) = (&set.name, &self.name);
        if !name.is_within(zone) {
            return vec![format!(
                "RRSet with DNS name {name} is not permitted in zone {zone}"
            )];
        }
        if name == zone && set.rtype == RecordType::Cname {
            return vec![format!(
                "RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {zone}"
            )];
        }
        match (action, set.rtype) {
            (Action::Delete, RecordType::Ns) if name == zone => vec![
                "A HostedZone must contain at least one NS record for the zone itself.".to_owned(),
            ],
            (Action::Delete, RecordType::Soa) => {
                vec!["A HostedZone must contain exactly one SOA record.".to_owned()]
            }
            (Action::Delete, _) => Vec::new(),
            _ => set.faults(),
        }
    }

    fn apply_one(&mut self, change: &Change) -> Result<(RecordKey, Option<RecordSet>), String> {
        let Change { action, set } = change;
        let key = set.key();
        let present = self.sets.get(&key);
        match (action, present) {
            (Action::Create, Some(_)) => {
                return Err(format!(
                    "Tried to create resource record set {set} but it already exists"
                ));
            }
            (Action::Delete, None) => {
                return Err(format!(
                    "Tried to delete resource record set {set} but it was not found"
                ));
            }
            (Action::Delete, Some(present)) if !present.matches(set) => {
                return Err(format!(
                    "Tried to delete resource record set {set} but the values provided do not \
                     match the current values"
                ));
            }
            _ => {}
        }
        let before = match action {
            Action::Delete => self.sets.remove(&key),
            Action::Create | Action::Upsert => self.sets.insert(key.clone(), set.clone()),
        };
        Ok((key, before))
    }

    /// Lists what is wrong with the sets of one name taken together.
    fn faults_at(&self, order: &[u8]) -> Vec<String> {
        let start = RecordKey {
            order: order.to_vec(),
            rtype: RecordType::FIRST,
            set_identifier: None,
        };
        let sets: Vec<&RecordSet> = self
            .sets
            .range(start..)
            .take_while(|(key, _)| key.order == order)
            .map(|(_, set)| set)
            .collect();
        let mut faults = Vec::new();
        let aliens = sets
            .iter()
            .filter(|set| set.rtype != RecordType::Cname)
            .count();
        if aliens != 0 && aliens != sets.len() {
            faults.push(format!(
                "RRSet of type CNAME with DNS name {} is not permitted as it conflicts with \
                 other records with the same DNS name in zone {}",
                sets[0].name, self.name
            ));
        }
        for siblings in sets.chunk_by(|a, b| a.rtype == b.rtype) {
            faults.extend(sibling_fault(siblings));
        }
        faults
    }
}

/// Says why sets of one name and type cannot stand side by side.
fn sibling_fault(siblings: &[&RecordSet]) -> Option<String> {
    let (first, others) = siblings.split_first()?;
    let policy = std::mem::discriminant(&first.routing);
    let mixed = others
        .iter()
        .find(|set| std::mem::discriminant(&set.routing) != policy);
    let twice =
        others.iter().enumerate().find(|(n, set)| {
            match &set.routing {
        Routing::Failover { role, .. } => siblings[..=*n].iter().any(
            |sibling| matches!(&sibling.routing, Routing::Failover { role: r, .. } if r == role),
        ),
        _ => false,
    }
        });
    let set = mixed.or(twice.map(|(_, set)| set))?;
    Some(format!(
        "RRSet with DNS name {}, type {}, SetIdentifier {} cannot be created as other RRSets \
         exist with the same name and type that it conflicts with",
        set.name,
        set.rtype,
        set.routing.set_identifier().unwrap_or("null"),
    ))
}

/// Lists the sets that a batch changes more than once, other than by DELETE before CREATE.
fn repeated(changes: &[Change]) -> Vec<String> {
    let mut actions: BTreeMap<RecordKey, (Vec<Action>, &RecordSet)> = BTreeMap::new();
    for change in changes {
        actions
            .entry(change.set.key())
            .or_insert((Vec::new(), &change.set))
            .0
            .push(change.action);
    }
    actions
        .into_values()
        .filter(|(actions, _)| {
            !matches!(actions.as_slice(), [_] | [Action::Delete, Action::Create])
        })
        .map(|(actions, set)| {
            let last = actions.last().copied().unwrap_or(Action::Create);
            format!(
                "The request contains an invalid set of changes for a resource record set \
                 '{last} {} {}'",
                set.rtype, set.name
            )
        })
        .collect()
}
