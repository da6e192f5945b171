//! Record sets in the shape of the AWS command line.

use drplan_api::Json;

use super::name::DomainName;
use super::record::Data;
use super::record::Failover;
use super::record::RecordSet;
use super::record::RecordType;
use super::record::Routing;

impl RecordSet {
    /// Reads a set as the AWS command line writes it; `None` for what this server does not keep, such as
    /// routing by place.
    #[must_use]
    pub fn recalled(set: &Json) -> Option<Self> {
        if !set["unsupported"].is_null() || !set["Unsupported"].is_null() {
            return None;
        }
        Some(Self {
            name: DomainName::parse(set["Name"].as_str()?).ok()?,
            rtype: RecordType::parse(set["Type"].as_str()?)?,
            routing: routing(set)?,
            data: data(set)?,
            health_check_id: set["HealthCheckId"].as_str().map(str::to_owned),
        })
    }
}

fn routing(set: &Json) -> Option<Routing> {
    let Some(id) = set["SetIdentifier"].as_str() else {
        return Some(Routing::Simple);
    };
    let set_identifier = id.to_owned();
    if let Some(weight) = set["Weight"].as_u64() {
        let weight = u8::try_from(weight).ok()?;
        return Some(Routing::Weighted {
            set_identifier,
            weight,
        });
    }
    if let Some(region) = set["Region"].as_str() {
        let region = region.to_owned();
        return Some(Routing::Latency {
            set_identifier,
            region,
        });
    }
    if let Some(role) = set["Failover"].as_str() {
        let role = match role {
            "PRIMARY" => Failover::Primary,
            _ => Failover::Secondary,
        };
        return Some(Routing::Failover {
            set_identifier,
            role,
        });
    }
    (set["MultiValueAnswer"] == true).then_some(Routing::Multivalue { set_identifier })
}

fn data(set: &Json) -> Option<Data> {
    let alias = &set["AliasTarget"];
    if alias.is_object() {
        return Some(Data::Alias {
            zone_id: alias["HostedZoneId"].as_str()?.to_owned(),
            dns_name: DomainName::parse(alias["DNSName"].as_str()?).ok()?,
            evaluate_target_health: alias["EvaluateTargetHealth"].as_bool()?,
        });
    }
    let records = set["ResourceRecords"].as_array()?.iter();
    let values = records.map(|record| record["Value"].as_str().map(str::to_owned));
    Some(Data::Values {
        ttl_s: u32::try_from(set["TTL"].as_u64()?).ok()?,
        values: values.collect::<Option<_>>()?,
    })
}
