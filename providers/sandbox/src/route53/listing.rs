//! Listings: where a page starts, how long it is and where the next one begins.

use super::name::DomainName;
use super::query::Query;
use super::record::RecordKey;
use super::record::RecordType;
use super::refusal::Refusal;
use super::state::State;
use super::wire;
use super::xml::Element;
use super::zone::Zone;

/// How many record sets one page holds.
const RECORD_PAGE_MAX: usize = 300;
/// How many zones one page holds.
const ZONE_PAGE_MAX: usize = 100;

pub(crate) fn zones(state: &State, mut query: Query) -> Result<Element, Refusal> {
    let marker = query.take("marker");
    let max = query.max_items(ZONE_PAGE_MAX)?;
    query.end()?;
    let from = marker.clone().unwrap_or_default();
    let mut rest = state.zones.range(from..);
    let page = rest
        .by_ref()
        .take(max)
        .map(|(id, zone)| wire::hosted_zone(id, zone));
    let zones = Element::new("HostedZones").all(page.collect::<Vec<_>>());
    let next = rest.next().map(|(id, _)| id);
    Ok(Element::new("ListHostedZonesResponse")
        .child(zones)
        .maybe("Marker", marker)
        .field("IsTruncated", next.is_some())
        .maybe("NextMarker", next)
        .field("MaxItems", max))
}

pub(crate) fn zones_by_name(state: &State, mut query: Query) -> Result<Element, Refusal> {
    let (dns_name, zone_id) = (query.take("dnsname"), query.take("hostedzoneid"));
    let max = query.max_items(ZONE_PAGE_MAX)?;
    query.end()?;
    if zone_id.is_some() && dns_name.is_none() {
        return Err(Refusal::invalid_input(
            "HostedZoneId needs DNSName beside it",
        ));
    }
    let start = dns_name
        .as_deref()
        .map(|text| DomainName::parse(text).map_err(|_| Refusal::invalid_name(text)))
        .transpose()?
        .map(|name| (name.order(), zone_id.as_deref().unwrap_or_default()));
    let mut zones: Vec<(Vec<u8>, &str, &Zone)> = state
        .zones
        .iter()
        .map(|(id, zone)| (zone.name.order(), id.as_str(), zone))
        .collect();
    zones.sort_by(|(a, a_id, _), (b, b_id, _)| (a, a_id).cmp(&(b, b_id)));
    let mut rest = zones.iter().skip_while(|(order, id, _)| {
        start
            .as_ref()
            .is_some_and(|(from, from_id)| (order, id) < (from, from_id))
    });
    let page = rest
        .by_ref()
        .take(max)
        .map(|(_, id, zone)| wire::hosted_zone(id, zone));
    let page = Element::new("HostedZones").all(page.collect::<Vec<_>>());
    let next = rest.next();
    Ok(Element::new("ListHostedZonesByNameResponse")
        .child(page)
        .maybe("DNSName", dns_name)
        .maybe("HostedZoneId", zone_id)
        .field("IsTruncated", next.is_some())
        .maybe("NextDNSName", next.map(|(_, _, zone)| &zone.name))
        .maybe("NextHostedZoneId", next.map(|(_, id, _)| id))
        .field("MaxItems", max))
}

pub(crate) fn records(zone: &Zone, mut query: Query) -> Result<Element, Refusal> {
    let (name, rtype) = (query.take("name"), query.take("type"));
    let set_identifier = query.take("identifier");
    let max = query.max_items(RECORD_PAGE_MAX)?;
    query.end()?;
    if (rtype.is_some() && name.is_none()) || (set_identifier.is_some() && rtype.is_none()) {
        return Err(Refusal::invalid_input(
            "Invalid request: a start type needs a start name, a start identifier a start type",
        ));
    }
    let rtype = rtype
        .as_deref()
        .map(wire::record_type)
        .transpose()?
        .unwrap_or(RecordType::FIRST);
    let start = match name {
        Some(text) => {
            let name = DomainName::parse(&text).map_err(|_| Refusal::invalid_name(&text))?;
            Some(RecordKey {
                order: name.order(),
                rtype,
                set_identifier,
            })
        }
        None => None,
    };
    let page = zone.page(start, max);
    let sets = page.sets.into_iter().map(wire::record_set);
    let sets = Element::new("ResourceRecordSets").all(sets);
    Ok(Element::new("ListResourceRecordSetsResponse")
        .child(sets)
        .field("IsTruncated", page.next.is_some())
        .maybe("NextRecordName", page.next.map(|set| &set.name))
        .maybe("NextRecordType", page.next.map(|set| set.rtype))
        .maybe(
            "NextRecordIdentifier",
            page.next.and_then(|set| set.routing.set_identifier()),
        )
        .field("MaxItems", max))
}
