//! Record sets: what they hold, what identifies them, what makes one whole, and their order.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use super::name::DomainName;
use super::value;

/// The largest TTL, in seconds.
pub(crate) const TTL_S_MAX: u32 = 2_147_483_647;
/// How many values one record set holds.
const VALUES_MAX: usize = 400;

/// A DNS record type that Route 53 keeps; the order is the alphabet's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    /// IPv4 address.
    A,
    /// IPv6 address.
    Aaaa,
    /// Certification authority authorisation.
    Caa,
    /// Canonical name.
    Cname,
    /// Delegation signer.
    Ds,
    /// HTTPS service binding.
    Https,
    /// Mail exchange.
    Mx,
    /// Naming authority pointer.
    Naptr,
    /// Name server.
    Ns,
    /// Pointer.
    Ptr,
    /// Start of authority.
    Soa,
    /// Sender policy.
    Spf,
    /// Service locator.
    Srv,
    /// SSH key fingerprint.
    Sshfp,
    /// Service binding.
    Svcb,
    /// TLS certificate association.
    Tlsa,
    /// Text.
    Txt,
}

/// Every type, in order.
const TYPES: [(RecordType, &str); 17] = [
    (RecordType::A, "A"),
    (RecordType::Aaaa, "AAAA"),
    (RecordType::Caa, "CAA"),
    (RecordType::Cname, "CNAME"),
    (RecordType::Ds, "DS"),
    (RecordType::Https, "HTTPS"),
    (RecordType::Mx, "MX"),
    (RecordType::Naptr, "NAPTR"),
    (RecordType::Ns, "NS"),
    (RecordType::Ptr, "PTR"),
    (RecordType::Soa, "SOA"),
    (RecordType::Spf, "SPF"),
    (RecordType::Srv, "SRV"),
    (RecordType::Sshfp, "SSHFP"),
    (RecordType::Svcb, "SVCB"),
    (RecordType::Tlsa, "TLSA"),
    (RecordType::Txt, "TXT"),
];

impl RecordType {
    /// The first type in the order of a listing.
    pub(crate) const FIRST: Self = Self::A;

    /// Reads a type's name; `None` if Route 53 keeps no such type.
    pub fn parse(text: &str) -> Option<Self> {
        TYPES
            .iter()
            .find(|(_, name)| *name == text)
            .map(|(rtype, _)| *rtype)
    }

    /// Returns the type's name.
    pub fn as_str(self) -> &'static str {
        TYPES
            .iter()
            .find(|(rtype, _)| *rtype == self)
            .map_or("", |(_, name)| name)
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a record set answers with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Data {
    /// Values of its own.
    Values {
        /// How long resolvers may keep the answer, in seconds.
        ttl_s: u32,
        /// The values, in the order in which they were given.
        values: Vec<String>,
    },
    /// Whatever another AWS name answers with.
    Alias {
        /// The target's hosted zone.
        zone_id: String,
        /// The target's name.
        dns_name: DomainName,
        /// Whether the target's health decides.
        evaluate_target_health: bool,
    },
}

/// Which half of a failover pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Failover {
    /// Answers while it is healthy.
    Primary,
    /// Answers while the primary is not.
    Secondary,
}

/// How Route 53 chooses among sets of the same name and type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Routing {
    /// There is no other set.
    Simple,
    /// By weight.
    Weighted {
        /// What tells the set from its siblings.
        set_identifier: String,
        /// The share, 0 to 255.
        weight: u8,
    },
    /// By health.
    Failover {
        /// What tells the set from its siblings.
        set_identifier: String,
        /// Which half it is.
        role: Failover,
    },
    /// By latency.
    Latency {
        /// What tells the set from its siblings.
        set_identifier: String,
        /// The AWS region in which the target lives.
        region: String,
    },
    /// Several healthy sets at once.
    Multivalue {
        /// What tells the set from its siblings.
        set_identifier: String,
    },
}

impl Routing {
    /// Returns the set identifier; simple sets have none.
    pub fn set_identifier(&self) -> Option<&str> {
        match self {
            Self::Simple => None,
            Self::Weighted { set_identifier, .. }
            | Self::Failover { set_identifier, .. }
            | Self::Latency { set_identifier, .. }
            | Self::Multivalue { set_identifier } => Some(set_identifier),
        }
    }
}

/// One record set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordSet {
    /// Its name.
    pub name: DomainName,
    /// Its type.
    pub rtype: RecordType,
    /// How it is chosen among its siblings.
    pub routing: Routing,
    /// What it answers with.
    pub data: Data,
    /// The health check that decides whether it answers; kept, not checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check_id: Option<String>,
}

/// What identifies a record set inside its zone, in the order of a listing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RecordKey {
    pub(crate) order: Vec<u8>,
    pub(crate) rtype: RecordType,
    pub(crate) set_identifier: Option<String>,
}

impl RecordSet {
    /// Makes a simple set with values of its own.
    pub fn simple<V: Into<String>>(
        name: DomainName,
        rtype: RecordType,
        ttl_s: u32,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        let data = Data::Values { ttl_s, values };
        Self {
            name,
            rtype,
            routing: Routing::Simple,
            data,
            health_check_id: None,
        }
    }

    pub(crate) fn key(&self) -> RecordKey {
        RecordKey {
            order: self.name.order(),
            rtype: self.rtype,
            set_identifier: self.routing.set_identifier().map(ToOwned::to_owned),
        }
    }

    /// Reports whether both are the same in everything; the order of values does not count.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        self.name == other.name
            && self.rtype == other.rtype
            && self.routing == other.routing
            && self.health_check_id == other.health_check_id
            && match (&self.data, &other.data) {
                (
                    Data::Values { ttl_s, values },
                    Data::Values {
                        ttl_s: other_ttl_s,
                        values: other_values,
                    },
                ) => ttl_s == other_ttl_s && sorted(values) == sorted(other_values),
                (data, other_data) => data == other_data,
            }
    }

    /// Lists what is wrong with the set by itself, in Route 53's wording.
    pub(crate) fn faults(&self) -> Vec<String> {
        let Data::Values { ttl_s, values } = &self.data else {
            return Vec::new();
        };
        let mut faults = Vec::new();
        if *ttl_s > TTL_S_MAX {
            faults.push(format!(
                "Invalid TTL: {ttl_s} is not between 0 and {TTL_S_MAX}"
            ));
        }
        if values.len() > VALUES_MAX {
            faults.push(format!(
                "Number of records {} exceeds limit {VALUES_MAX}",
                values.len()
            ));
        }
        if matches!(self.rtype, RecordType::Cname | RecordType::Soa) && values.len() != 1 {
            faults.push(format!(
                "RRSet with DNS name {} and type {} must have exactly one resource record",
                self.name, self.rtype
            ));
        }
        let mut seen = BTreeSet::new();
        for value in values {
            if !seen.insert(value) {
                faults.push(format!("Duplicate Resource Record: '{value}'"));
            }
            faults.extend(value::check(self.rtype, value).err());
        }
        faults
    }
}

fn sorted(values: &[String]) -> Vec<&String> {
    let mut sorted: Vec<_> = values.iter().collect();
    sorted.sort();
    sorted
}

/// Writes the set as messages name it: `[name='a.example.com.', type='A']`.
impl fmt::Display for RecordSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[name='{}', type='{}'", self.name, self.rtype)?;
        if let Some(set_identifier) = self.routing.set_identifier() {
            write!(f, ", set identifier='{set_identifier}'")?;
        }
        f.write_str("]")
    }
}
