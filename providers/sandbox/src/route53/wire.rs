//! The API's documents: what requests mean and how answers are written.

use super::change::Action;
use super::change::Change;
use super::change::ChangeStatus;
use super::change::Ticket;
use super::name::DomainName;
use super::record::Data;
use super::record::Failover;
use super::record::RecordSet;
use super::record::RecordType;
use super::record::Routing;
use super::refusal::Refusal;
use super::xml::Element;
use super::xml::Fields;
use super::zone::NAME_SERVERS;
use super::zone::Visibility;
use super::zone::Zone;

/// The namespace of every document.
const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";
/// How many records one batch may name; an UPSERT counts twice.
const BATCH_RECORDS_MAX: usize = 1000;
/// How many characters the values of one batch may have; an UPSERT counts twice.
const BATCH_CHARS_MAX: usize = 32_000;

/// What `CreateHostedZone` asks for.
#[derive(Debug)]
pub(crate) struct NewZone {
    pub(crate) name: DomainName,
    pub(crate) caller_reference: String,
    pub(crate) comment: Option<String>,
    pub(crate) visibility: Visibility,
}

/// What `ChangeResourceRecordSets` asks for.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) comment: Option<String>,
    pub(crate) changes: Vec<Change>,
}

/// Writes a whole answer.
pub(crate) fn document(answer: &Element) -> String {
    answer.document(NAMESPACE)
}

/// Writes a refusal in AWS's shape.
pub(crate) fn refusal(refusal: &Refusal, request_id: &str) -> Element {
    let blame = if refusal.status.is_server_error() {
        "Receiver"
    } else {
        "Sender"
    };
    let error = Element::new("Error")
        .field("Type", blame)
        .field("Code", refusal.code)
        .field("Message", &refusal.message);
    Element::new("ErrorResponse")
        .child(error)
        .field("RequestId", request_id)
}

pub(crate) fn read_new_zone(body: &[u8]) -> Result<NewZone, Refusal> {
    let mut fields = root(body, "CreateHostedZoneRequest")?;
    let name = name(&fields.required("Name").map_err(Refusal::malformed)?)?;
    let caller_reference = fields
        .required("CallerReference")
        .map_err(Refusal::malformed)?;
    let mut zone = NewZone {
        name,
        caller_reference,
        comment: None,
        visibility: Visibility::Public,
    };
    if let Some(mut config) = fields
        .opened("HostedZoneConfig")
        .map_err(Refusal::malformed)?
    {
        zone.comment = config.text("Comment").map_err(Refusal::malformed)?;
        if config
            .text("PrivateZone")
            .map_err(Refusal::malformed)?
            .as_deref()
            == Some("true")
        {
            zone.visibility = Visibility::Private;
        }
        config.end().map_err(Refusal::malformed)?;
    }
    fields.end().map_err(Refusal::malformed)?;
    Ok(zone)
}

pub(crate) fn read_batch(body: &[u8]) -> Result<Batch, Refusal> {
    let mut fields = root(body, "ChangeResourceRecordSetsRequest")?;
    let mut batch = fields
        .opened("ChangeBatch")
        .map_err(Refusal::malformed)?
        .ok_or_else(|| Refusal::malformed("element 'ChangeBatch' is missing"))?;
    fields.end().map_err(Refusal::malformed)?;
    let comment = batch.text("Comment").map_err(Refusal::malformed)?;
    let changes = batch
        .opened("Changes")
        .map_err(Refusal::malformed)?
        .ok_or_else(|| Refusal::malformed("element 'Changes' is missing"))?
        .list("Change")
        .map_err(Refusal::malformed)?;
    batch.end().map_err(Refusal::malformed)?;
    if changes.is_empty() {
        return Err(Refusal::invalid_input(
            "Invalid request: the change batch is empty",
        ));
    }
    let changes = changes
        .into_iter()
        .map(read_change)
        .collect::<Result<Vec<_>, _>>()?;
    bounded(&changes)?;
    Ok(Batch { comment, changes })
}

fn bounded(changes: &[Change]) -> Result<(), Refusal> {
    let (mut records, mut chars) = (0, 0);
    for change in changes {
        let times = if change.action == Action::Upsert {
            2
        } else {
            1
        };
        if let Data::Values { values, .. } = &change.set.data {
            records += times * values.len();
            chars += times
                * values
                    .iter()
                    .map(|value| value.chars().count())
                    .sum::<usize>();
        } else {
            records += times;
        }
    }
    let mut faults = Vec::new();
    if records > BATCH_RECORDS_MAX {
        faults.push(format!(
            "Number of records {records} exceeds limit {BATCH_RECORDS_MAX}"
        ));
    }
    if chars > BATCH_CHARS_MAX {
        faults.push(format!(
            "Number of characters {chars} exceeds limit {BATCH_CHARS_MAX}"
        ));
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Refusal::invalid_batch(&faults))
    }
}

fn root(body: &[u8], expected: &str) -> Result<Fields, Refusal> {
    Element::parse(body)
        .and_then(|root| root.open(expected))
        .map_err(Refusal::malformed)
}

fn name(text: &str) -> Result<DomainName, Refusal> {
    DomainName::parse(text).map_err(|_| Refusal::invalid_name(text))
}

fn read_change(element: Element) -> Result<Change, Refusal> {
    let mut fields = element.open("Change").map_err(Refusal::malformed)?;
    let action = fields.required("Action").map_err(Refusal::malformed)?;
    let set = fields
        .opened("ResourceRecordSet")
        .map_err(Refusal::malformed)?
        .ok_or_else(|| Refusal::malformed("element 'ResourceRecordSet' is missing"))?;
    fields.end().map_err(Refusal::malformed)?;
    let action = Action::parse(&action).ok_or_else(|| {
        Refusal::invalid_input(format!(
            "Invalid XML ; Value '{action}' is not one of CREATE, DELETE, UPSERT"
        ))
    })?;
    Ok(Change {
        action,
        set: read_set(set)?,
    })
}

fn read_set(mut fields: Fields) -> Result<RecordSet, Refusal> {
    let name_text = fields.required("Name").map_err(Refusal::malformed)?;
    let rtype = record_type(&fields.required("Type").map_err(Refusal::malformed)?)?;
    let routing = read_routing(&mut fields)?;
    let data = read_data(&mut fields, &name_text, rtype)?;
    let health_check_id = fields.text("HealthCheckId").map_err(Refusal::malformed)?;
    fields.end().map_err(Refusal::malformed)?;
    let name = DomainName::parse(&name_text).map_err(|why| {
        Refusal::invalid_batch(&[format!(
            "FATAL problem: {why} encountered with '{name_text}'"
        )])
    })?;
    Ok(RecordSet {
        name,
        rtype,
        routing,
        data,
        health_check_id,
    })
}

/// Reads a record type by name.
pub(crate) fn record_type(text: &str) -> Result<RecordType, Refusal> {
    RecordType::parse(text).ok_or_else(|| {
        Refusal::invalid_input(format!("Invalid request: '{text}' is not a record type"))
    })
}

fn read_routing(fields: &mut Fields) -> Result<Routing, Refusal> {
    let identifier = fields.text("SetIdentifier").map_err(Refusal::malformed)?;
    let weight = fields.text("Weight").map_err(Refusal::malformed)?;
    let failover = fields.text("Failover").map_err(Refusal::malformed)?;
    let region = fields.text("Region").map_err(Refusal::malformed)?;
    let multivalue = fields
        .text("MultiValueAnswer")
        .map_err(Refusal::malformed)?;
    let multivalue = multivalue.filter(|text| text == "true");
    let identifier = identifier.filter(|text| !text.is_empty());
    match (identifier, weight, failover, region, multivalue) {
        (None, None, None, None, None) => Ok(Routing::Simple),
        (Some(set_identifier), Some(weight), None, None, None) => {
            let weight = weight.parse().map_err(|_| {
                Refusal::invalid_input(format!("Invalid weight '{weight}': it must be 0 to 255"))
            })?;
            Ok(Routing::Weighted {
                set_identifier,
                weight,
            })
        }
        (Some(set_identifier), None, Some(role), None, None) => Ok(Routing::Failover {
            set_identifier,
            role: read_role(&role)?,
        }),
        (Some(set_identifier), None, None, Some(region), None) => Ok(Routing::Latency {
            set_identifier,
            region,
        }),
        (Some(set_identifier), None, None, None, Some(_)) => {
            Ok(Routing::Multivalue { set_identifier })
        }
        _ => Err(Refusal::invalid_input(
            "Invalid request: Expected a SetIdentifier together with exactly one of [Weight, \
             Failover, Region, MultiValueAnswer], or none of them",
        )),
    }
}

fn read_role(text: &str) -> Result<Failover, Refusal> {
    match text {
        "PRIMARY" => Ok(Failover::Primary),
        "SECONDARY" => Ok(Failover::Secondary),
        _ => Err(Refusal::invalid_input(format!(
            "Invalid failover role '{text}'"
        ))),
    }
}

fn read_data(fields: &mut Fields, name: &str, rtype: RecordType) -> Result<Data, Refusal> {
    let ttl = fields.text("TTL").map_err(Refusal::malformed)?;
    let records = fields
        .opened("ResourceRecords")
        .map_err(Refusal::malformed)?;
    let alias = fields.opened("AliasTarget").map_err(Refusal::malformed)?;
    match (ttl, records, alias) {
        (Some(ttl), Some(records), None) => {
            let ttl_s = ttl.parse().map_err(|_| {
                Refusal::invalid_input(format!("Invalid TTL '{ttl}': it must be 0 to 2147483647"))
            })?;
            let records = records.list("ResourceRecord").map_err(Refusal::malformed)?;
            let values = records
                .into_iter()
                .map(read_value)
                .collect::<Result<Vec<_>, _>>()?;
            if values.is_empty() {
                return Err(Refusal::invalid_input(
                    "Invalid request: ResourceRecords is empty",
                ));
            }
            Ok(Data::Values { ttl_s, values })
        }
        (None, None, Some(alias)) => read_alias(alias),
        (ttl, records, alias) => {
            let found = if ttl.is_none() && records.is_none() && alias.is_none() {
                "found none"
            } else {
                "found more than one or a part"
            };
            Err(Refusal::invalid_input(format!(
                "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and \
                 ResourceRecords], or TrafficPolicyInstanceId], but {found} in Change with \
                 [Name={name}, Type={rtype}]"
            )))
        }
    }
}

fn read_value(element: Element) -> Result<String, Refusal> {
    let mut fields = element.open("ResourceRecord").map_err(Refusal::malformed)?;
    let value = fields.required("Value").map_err(Refusal::malformed)?;
    fields.end().map_err(Refusal::malformed)?;
    Ok(value)
}

fn read_alias(mut fields: Fields) -> Result<Data, Refusal> {
    let zone_id = fields
        .required("HostedZoneId")
        .map_err(Refusal::malformed)?;
    let dns_name = name(&fields.required("DNSName").map_err(Refusal::malformed)?)?;
    let health = fields
        .required("EvaluateTargetHealth")
        .map_err(Refusal::malformed)?;
    fields.end().map_err(Refusal::malformed)?;
    let evaluate_target_health = health.parse().map_err(|_| {
        Refusal::invalid_input("Invalid request: EvaluateTargetHealth must be true or false")
    })?;
    Ok(Data::Alias {
        zone_id,
        dns_name,
        evaluate_target_health,
    })
}

/// Writes one record set.
pub(crate) fn record_set(set: &RecordSet) -> Element {
    let element = Element::new("ResourceRecordSet")
        .field("Name", &set.name)
        .field("Type", set.rtype);
    let element = element.maybe("SetIdentifier", set.routing.set_identifier());
    let element = match &set.routing {
        Routing::Simple => element,
        Routing::Weighted { weight, .. } => element.field("Weight", weight),
        Routing::Latency { region, .. } => element.field("Region", region),
        Routing::Failover {
            role: Failover::Primary,
            ..
        } => element.field("Failover", "PRIMARY"),
        Routing::Failover {
            role: Failover::Secondary,
            ..
        } => element.field("Failover", "SECONDARY"),
        Routing::Multivalue { .. } => element.field("MultiValueAnswer", true),
    };
    let element = match &set.data {
        Data::Values { ttl_s, values } => {
            let values = values
                .iter()
                .map(|value| Element::new("ResourceRecord").field("Value", value));
            let records = Element::new("ResourceRecords").all(values);
            element.field("TTL", ttl_s).child(records)
        }
        Data::Alias {
            zone_id,
            dns_name,
            evaluate_target_health,
        } => {
            let target = Element::new("AliasTarget")
                .field("HostedZoneId", zone_id)
                .field("DNSName", dns_name)
                .field("EvaluateTargetHealth", evaluate_target_health);
            element.child(target)
        }
    };
    element.maybe("HealthCheckId", set.health_check_id.as_ref())
}

/// Writes one hosted zone.
pub(crate) fn hosted_zone(id: &str, zone: &Zone) -> Element {
    let config = Element::new("Config")
        .maybe("Comment", zone.comment.as_ref())
        .field("PrivateZone", zone.visibility == Visibility::Private);
    Element::new("HostedZone")
        .field("Id", format!("/hostedzone/{id}"))
        .field("Name", &zone.name)
        .field("CallerReference", &zone.caller_reference)
        .child(config)
        .field("ResourceRecordSetCount", zone.len())
}

/// Writes the name servers of every zone.
pub(crate) fn delegation_set() -> Element {
    let names = NAME_SERVERS
        .iter()
        .fold(Element::new("NameServers"), |names, server| {
            names.field("NameServer", server)
        });
    Element::new("DelegationSet").child(names)
}

/// Writes the state of one change.
pub(crate) fn change_info(id: &str, ticket: &Ticket, status: ChangeStatus) -> Element {
    Element::new("ChangeInfo")
        .field("Id", format!("/change/{id}"))
        .field("Status", status)
        .field("SubmittedAt", ticket.submitted_at)
        .maybe("Comment", ticket.comment.as_ref())
}
