//! Requests to Route 53: everything that touches the network.

use aws_sdk_route53::Client;
use aws_sdk_route53::error::BuildError;
use aws_sdk_route53::types;
use aws_sdk_route53::types::ChangeAction;
use aws_sdk_route53::types::ChangeBatch;
use aws_sdk_route53::types::ChangeStatus;
use aws_sdk_route53::types::ResourceRecordSet;
use aws_sdk_route53::types::RrType;
use drplan_api::ErrorKind;
use drplan_api::ProviderError;

use crate::error::translate;
use crate::name;
use crate::record::Alias;
use crate::record::Record;
use crate::record::RecordSet;
use crate::zone::Zone;

/// The most pages of hosted zones that are read, a hundred zones each.
const ZONE_PAGES_MAX: usize = 100;
/// The most pages of record sets that are read of one zone.
const RECORD_PAGES_MAX: usize = 2_000;
/// How many record sets one page holds, which is Route 53's own limit.
const RECORDS_PER_PAGE: i32 = 300;

/// Where a listing goes on.
#[derive(Clone, Default)]
struct Start {
    name: Option<String>,
    rtype: Option<RrType>,
    identifier: Option<String>,
}

/// One page of record sets, and where the next begins.
struct Page {
    sets: Vec<RecordSet>,
    next: Option<Start>,
}

/// The requests that drplan makes.
pub(crate) struct Requests {
    pub(crate) client: Client,
    /// The endpoint, for messages.
    pub(crate) target: String,
}

impl Requests {
    /// Lists all hosted zones.
    pub(crate) async fn zones(&self) -> Result<Vec<Zone>, ProviderError> {
        let during = "list hosted zones";
        let mut zones = Vec::new();
        let mut marker = None;
        for _ in 0..ZONE_PAGES_MAX {
            let page = self
                .client
                .list_hosted_zones()
                .set_marker(marker)
                .send()
                .await
                .map_err(|e| translate(&e, during, &self.target))?;
            zones.extend(page.hosted_zones.into_iter().map(|zone| Zone {
                id: bare_id(&zone.id),
                name: canonical(&zone.name),
                private: zone.config.is_some_and(|config| config.private_zone),
            }));
            if !page.is_truncated {
                return Ok(zones);
            }
            marker = page.next_marker;
        }
        Err(self.endless(during, ZONE_PAGES_MAX))
    }

    /// Lists all record sets of a zone.
    pub(crate) async fn records(&self, zone_id: &str) -> Result<Vec<RecordSet>, ProviderError> {
        let mut sets = Vec::new();
        let mut start = Start::default();
        for _ in 0..RECORD_PAGES_MAX {
            let page = self.page(zone_id, start, RECORDS_PER_PAGE).await?;
            sets.extend(page.sets);
            match page.next {
                Some(next) => start = next,
                None => return Ok(sets),
            }
        }
        let during = format!("list records of zone {zone_id}");
        Err(self.endless(&during, RECORD_PAGES_MAX))
    }

    /// Reads the one set with the name, type and identifier of `like`.
    pub(crate) async fn record(
        &self,
        zone_id: &str,
        like: &RecordSet,
    ) -> Result<Option<RecordSet>, ProviderError> {
        let start = Start {
            name: Some(like.name.clone()),
            rtype: Some(RrType::from(like.rtype.as_str())),
            identifier: like.set_identifier.clone(),
        };
        // A listing begins at its start or behind it, so the first set is the one or there is none.
        let page = self.page(zone_id, start, 1).await?;
        Ok(page.sets.into_iter().find(|set| {
            set.name == like.name
                && set.rtype == like.rtype
                && set.set_identifier == like.set_identifier
        }))
    }

    async fn page(&self, zone_id: &str, start: Start, max: i32) -> Result<Page, ProviderError> {
        let page = self
            .client
            .list_resource_record_sets()
            .hosted_zone_id(zone_id)
            .set_start_record_name(start.name)
            .set_start_record_type(start.rtype)
            .set_start_record_identifier(start.identifier)
            .max_items(max)
            .send()
            .await
            .map_err(|e| translate(&e, &format!("list records of zone {zone_id}"), &self.target))?;
        Ok(Page {
            sets: page.resource_record_sets.iter().map(from_aws).collect(),
            next: page.is_truncated.then_some(Start {
                name: page.next_record_name,
                rtype: page.next_record_type,
                identifier: page.next_record_identifier,
            }),
        })
    }

    /// Replaces exactly `old` by `new` in one batch and returns the id of the change.
    pub(crate) async fn swap(
        &self,
        zone_id: &str,
        old: Option<&RecordSet>,
        new: &RecordSet,
    ) -> Result<String, ProviderError> {
        let during = format!("change the record {}", new.label());
        let mut changes = Vec::new();
        if let Some(old) = old {
            changes.push((ChangeAction::Delete, old));
        }
        changes.push((ChangeAction::Create, new));
        let batch = to_batch(&changes).map_err(|e| {
            ProviderError::new(ErrorKind::Bug, during.as_str(), &self.target).caused_by(&e)
        })?;
        let answer = self
            .client
            .change_resource_record_sets()
            .hosted_zone_id(zone_id)
            .change_batch(batch)
            .send()
            .await
            .map_err(|e| translate(&e, &during, &self.target))?;
        Ok(answer
            .change_info
            .map(|info| bare_id(&info.id))
            .unwrap_or_default())
    }

    /// Tells whether all name servers answer with a change.
    pub(crate) async fn is_in_sync(&self, change_id: &str) -> Result<bool, ProviderError> {
        let answer = self
            .client
            .get_change()
            .id(change_id)
            .send()
            .await
            .map_err(|e| translate(&e, &format!("read the change {change_id}"), &self.target))?;
        Ok(answer
            .change_info
            .is_some_and(|info| info.status == ChangeStatus::Insync))
    }

    fn endless(&self, during: &str, pages: usize) -> ProviderError {
        ProviderError::new(ErrorKind::Invalid, during, &self.target)
            .because(format!("there are more than {pages} pages"))
    }
}

/// Takes the path off: `/hostedzone/Z1` is `Z1`.
fn bare_id(id: &str) -> String {
    id.rsplit('/').next().unwrap_or(id).to_owned()
}

fn canonical(text: &str) -> String {
    name::canonical(text).unwrap_or_else(|_| text.to_owned())
}

fn from_aws(set: &ResourceRecordSet) -> RecordSet {
    let unsupported = [
        (set.geo_location.is_some(), "geolocation"),
        (set.cidr_routing_config.is_some(), "IP-based routing"),
        (set.geo_proximity_location.is_some(), "geoproximity"),
        (set.traffic_policy_instance_id.is_some(), "a traffic policy"),
    ];
    RecordSet {
        name: canonical(&set.name),
        rtype: set.r#type.as_str().to_owned(),
        set_identifier: set.set_identifier.clone(),
        weight: set.weight,
        region: set.region.as_ref().map(|region| region.as_str().to_owned()),
        failover: set.failover.as_ref().map(|half| half.as_str().to_owned()),
        multi_value_answer: set.multi_value_answer,
        ttl: set.ttl,
        resource_records: set
            .resource_records()
            .iter()
            .map(|record| Record {
                value: record.value.clone(),
            })
            .collect(),
        alias_target: set.alias_target.as_ref().map(|alias| Alias {
            hosted_zone_id: alias.hosted_zone_id.clone(),
            dns_name: alias.dns_name.clone(),
            evaluate_target_health: alias.evaluate_target_health,
        }),
        health_check_id: set.health_check_id.clone(),
        unsupported: unsupported
            .into_iter()
            .find(|(present, _)| *present)
            .map(|(_, policy)| policy.to_owned()),
    }
}

fn to_batch(changes: &[(ChangeAction, &RecordSet)]) -> Result<ChangeBatch, BuildError> {
    let mut batch = ChangeBatch::builder();
    for (action, set) in changes {
        let change = types::Change::builder()
            .action(action.clone())
            .resource_record_set(to_aws(set)?)
            .build()?;
        batch = batch.changes(change);
    }
    batch.build()
}

fn to_aws(set: &RecordSet) -> Result<ResourceRecordSet, BuildError> {
    let mut builder = ResourceRecordSet::builder()
        .name(&set.name)
        .r#type(RrType::from(set.rtype.as_str()))
        .set_set_identifier(set.set_identifier.clone())
        .set_weight(set.weight)
        .set_region(set.region.as_deref().map(Into::into))
        .set_failover(set.failover.as_deref().map(Into::into))
        .set_multi_value_answer(set.multi_value_answer)
        .set_ttl(set.ttl)
        .set_health_check_id(set.health_check_id.clone());
    for record in &set.resource_records {
        let record = types::ResourceRecord::builder()
            .value(&record.value)
            .build()?;
        builder = builder.resource_records(record);
    }
    if let Some(alias) = &set.alias_target {
        let alias = types::AliasTarget::builder()
            .hosted_zone_id(&alias.hosted_zone_id)
            .dns_name(&alias.dns_name)
            .evaluate_target_health(alias.evaluate_target_health)
            .build()?;
        builder = builder.alias_target(alias);
    }
    builder.build()
}
