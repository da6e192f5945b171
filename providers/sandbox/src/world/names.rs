//! The names of the world: records of the DNS service, and hosts that the world file declares.

use std::collections::BTreeMap;

use super::file::Host;
use super::network::Found;
use super::network::Names;
use crate::route53::Data;
use crate::route53::DomainName;
use crate::route53::RecordType;
use crate::route53::Route53;

/// Names by the records of zones. Of several sets of one name the first answers.
pub(super) struct Zones {
    pub(super) service: Route53,
    pub(super) zones: Vec<String>,
}

impl Names for Zones {
    fn lookup(&self, name: &str) -> Option<Found> {
        let name = DomainName::parse(name).ok()?;
        let within = |zone: &&String| DomainName::parse(zone).is_ok_and(|z| name.is_within(&z));
        let longest = self.zones.iter().filter(within).max_by_key(|z| z.len())?;
        let sets = self.service.record_sets(&self.service.zone_id(longest)?);
        let answers = [RecordType::A, RecordType::Aaaa, RecordType::Cname];
        let set = sets
            .iter()
            .find(|set| set.name == name && answers.contains(&set.rtype))?;
        match &set.data {
            Data::Values { values, .. } => values.first().cloned().map(Found::Is),
            Data::Alias { dns_name, .. } => Some(Found::Is(dns_name.to_string())),
        }
    }
}

/// Names of hosts outside the zones.
pub(super) struct Hosts(pub(super) BTreeMap<String, Host>);

impl Names for Hosts {
    fn lookup(&self, name: &str) -> Option<Found> {
        let host = self.0.get(name)?;
        if host.refuses {
            return Some(Found::Refuses);
        }
        host.address.clone().map(Found::Is)
    }
}
