//! The arguments of a `route53_record`, checked for what no type can say.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use drplan_api::Arg;
use drplan_api::Given;
use drplan_api::Json;
use drplan_api::Schema;
use drplan_api::Type;
use serde::Deserialize;

use crate::name;
use crate::record::Alias;
use crate::record::Record;
use crate::record::RecordSet;
use crate::value;

/// How long resolvers keep a record if the spec does not say, in seconds.
const TTL_DEFAULT_S: i64 = 60;
/// The largest TTL, in seconds.
const TTL_S_MAX: i64 = 2_147_483_647;
/// The largest weight.
const WEIGHT_MAX: i64 = 255;

/// The types that can be written. NS and SOA of the zone itself are Route 53's own.
const TYPES: &[&str] = &[
    "A", "AAAA", "CAA", "CNAME", "DS", "HTTPS", "MX", "NAPTR", "NS", "PTR", "SPF", "SRV", "SSHFP",
    "SVCB", "TLSA", "TXT",
];

/// The decoded arguments.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Arguments")]
pub struct RecordSpec {
    pub(crate) zone: String,
    name: Option<String>,
    set: RecordSet,
    replaces: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Arguments {
    zone: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(rename = "type")]
    rtype: String,
    #[serde(default)]
    records: Option<Vec<String>>,
    #[serde(default)]
    alias: Option<AliasArguments>,
    #[serde(default)]
    ttl: Option<i64>,
    #[serde(default)]
    replaces: Option<Vec<OneOrMany>>,
    #[serde(default)]
    set_identifier: Option<String>,
    #[serde(default)]
    weight: Option<i64>,
    #[serde(default)]
    failover: Option<String>,
}

#[derive(Deserialize)]
struct AliasArguments {
    name: String,
    zone_id: String,
    #[serde(default)]
    evaluate_target_health: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl TryFrom<Arguments> for RecordSpec {
    type Error = String;

    fn try_from(given: Arguments) -> Result<Self, String> {
        let rtype = given.rtype.clone();
        if !TYPES.contains(&rtype.as_str()) {
            return Err(format!(
                "`type` is `{rtype}`; it is one of {}",
                TYPES.join(", ")
            ));
        }
        let (values, alias, ttl) = match (given.records, given.alias) {
            (Some(records), None) => (records, None, Some(given.ttl.unwrap_or(TTL_DEFAULT_S))),
            (None, Some(alias)) => (Vec::new(), Some(alias), None),
            _ => return Err("give either `records` or `alias`".to_owned()),
        };
        let alias_target = match alias {
            Some(alias) => Some(Alias {
                dns_name: name::canonical(&alias.name)?,
                hosted_zone_id: alias.zone_id,
                evaluate_target_health: alias.evaluate_target_health.unwrap_or_default(),
            }),
            None => None,
        };
        let replaces = given
            .replaces
            .unwrap_or_default()
            .into_iter()
            .flat_map(|entry| match entry {
                OneOrMany::One(value) => vec![value],
                OneOrMany::Many(values) => values,
            })
            .flat_map(|text| {
                // A set that is an alias now is replaced by the alias's name.
                let alias = name::canonical(&text).ok();
                [Some(value::canonical(&rtype, &text)), alias]
            })
            .flatten()
            .collect();
        let value = |text: &String| Record {
            value: value::wire(&rtype, text),
        };
        Ok(Self {
            zone: given.zone,
            name: given.name,
            set: RecordSet {
                resource_records: values.iter().map(value).collect(),
                rtype,
                set_identifier: given.set_identifier,
                weight: given.weight,
                failover: given.failover,
                ttl,
                alias_target,
                ..RecordSet::default()
            },
            replaces,
        })
    }
}

/// Refuses what can never be right.
pub(crate) fn check(given: &mut Given<'_>) {
    check_name(given);
    check_values(given);
    check_routing(given);
}

fn check_name(given: &mut Given<'_>) {
    let zone = given.text("zone").map(name::canonical);
    if let Some(outcome) = &zone {
        given.take("zone", outcome.clone().map(drop));
    }
    // An id has no dot inside, and tells nothing of the name.
    let zone = zone.and_then(Result::ok);
    let zone = zone.filter(|zone| zone.trim_end_matches('.').contains('.'));
    if let (Some(text), Some(zone)) = (given.text("name"), zone) {
        given.take("name", name::in_zone(Some(text), &zone).map(drop));
    }
}

fn check_values(given: &mut Given<'_>) {
    given.not_both("records", "alias");
    if !given.has("records") && !given.has("alias") {
        given.refuse(
            "records",
            "neither `records` nor `alias` is given",
            Some("give one of them"),
        );
    }
    given.is_whole("ttl", 0..=TTL_S_MAX);
    if given.get("alias").is_some() && given.get("ttl").is_some() {
        let because = "an alias has no `ttl` of its own";
        given.refuse("ttl", because, Some("remove it"));
    }
    let alias = given.get("alias").and_then(|alias| alias["name"].as_str());
    if let Some(name) = alias {
        given.take("alias", name::canonical(name).map(drop));
    }
    let records = given.get("records").and_then(Json::as_array);
    if records.is_some_and(Vec::is_empty) {
        let because = "`records` is an empty list";
        given.refuse("records", because, Some("give at least one value"));
    }
    let Some(rtype) = given.text("type") else {
        return;
    };
    if rtype == "CNAME" && records.is_some_and(|records| records.len() > 1) {
        let hint = "give one name; several belong into several weighted sets";
        given.refuse("records", "a CNAME has one value", Some(hint));
    }
    let (what, hint) = ("value of this type", form(rtype));
    let is_value = |text: &str| is_value(rtype, text);
    given.each_is("records", is_value, what, hint);
}

/// Whether a record of a type can hold a text; types of which nothing is known here hold any.
fn is_value(rtype: &str, text: &str) -> bool {
    match rtype {
        "A" => text.parse::<Ipv4Addr>().is_ok(),
        "AAAA" => text.parse::<Ipv6Addr>().is_ok(),
        "CNAME" | "NS" | "PTR" => {
            let is_address = text.parse::<IpAddr>().is_ok();
            !is_address && !text.contains(char::is_whitespace) && name::canonical(text).is_ok()
        }
        _ => !text.trim().is_empty(),
    }
}

fn form(rtype: &str) -> &'static str {
    match rtype {
        "A" => "an A record holds IPv4 addresses, such as \"192.0.2.10\"",
        "AAAA" => "an AAAA record holds IPv6 addresses, such as \"2001:db8::10\"",
        "CNAME" | "NS" | "PTR" => "it holds a domain name, such as \"shop.example\"",
        _ => "write the value as the type wants it",
    }
}

fn check_routing(given: &mut Given<'_>) {
    given.says_something("set_identifier");
    let hint = "name the set with `set_identifier`, which tells it from the others";
    given.needs("weight", "set_identifier", hint);
    given.needs("failover", "set_identifier", hint);
    given.not_both("weight", "failover");
    if given.get("set_identifier").is_some() && !given.has("weight") && !given.has("failover") {
        let because = "`set_identifier` means nothing without `weight` or `failover`";
        given.refuse(
            "set_identifier",
            because,
            Some("give one of them, or remove it"),
        );
    }
    given.is_whole("weight", 0..=WEIGHT_MAX);
}

impl RecordSpec {
    /// Returns the record set that is wanted in a zone whose name is canonical.
    ///
    /// # Errors
    ///
    /// If the name does not fit into the zone.
    pub(crate) fn set_in(&self, zone: &str) -> Result<RecordSet, String> {
        let name = name::in_zone(self.name.as_deref(), zone)?;
        Ok(RecordSet {
            name,
            ..self.set.clone()
        })
    }

    /// Tells whether a live set holds nothing but values of the old site or those that are wanted.
    pub(crate) fn may_replace(&self, live: &RecordSet) -> bool {
        let wanted = self.set.answers();
        live.answers()
            .iter()
            .all(|answer| self.replaces.contains(answer) || wanted.binary_search(answer).is_ok())
    }
}

/// Declares the arguments and exports.
pub(crate) fn schema() -> Schema {
    let texts = || Type::List(Box::new(Type::String));
    Schema {
        args: vec![
            Arg::required(
                "zone",
                Type::String,
                "The name of the hosted zone, or its id where several have the same name.",
            ),
            Arg::optional(
                "name",
                Type::String,
                "The name, relative to the zone or whole. Default: the zone itself.",
            ),
            Arg::required("type", Type::OneOf(TYPES), "The type."),
            Arg::optional(
                "records",
                texts(),
                "The values. Texts of TXT records are quoted where they are not.",
            ),
            Arg::optional(
                "alias",
                Type::Object(vec![
                    Arg::required("name", Type::String, "The name of the target."),
                    Arg::required("zone_id", Type::String, "The hosted zone of the target."),
                    Arg::optional(
                        "evaluate_target_health",
                        Type::Bool,
                        "Whether the target's health decides. Default: false.",
                    ),
                ]),
                "The AWS name whose answer is given, in place of `records`.",
            ),
            Arg::optional(
                "ttl",
                Type::Number,
                "How long resolvers keep it, in seconds. Default: 60.",
            ),
            Arg::optional(
                "replaces",
                Type::List(Box::new(Type::Any)),
                "The values of the old site, as a list of values or of lists of values. A record that holds anything else is a conflict.",
            ),
            Arg::optional(
                "set_identifier",
                Type::String,
                "What tells the set from others of its name and type.",
            ),
            Arg::optional(
                "weight",
                Type::Number,
                "The share among weighted sets, 0 to 255.",
            ),
            Arg::optional(
                "failover",
                Type::OneOf(&["PRIMARY", "SECONDARY"]),
                "Which half of a failover pair it is.",
            ),
        ],
        exports: vec![("fqdn", "The whole name, without a final dot.")],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_that_cannot_work_are_refused_with_a_way_out() {
        for (more, says) in [
            (json!({}), "neither `records` nor `alias`"),
            (json!({"records": []}), "is an empty list"),
            (
                json!({"records": ["10.0.0.256"]}),
                "`10.0.0.256` in `records`",
            ),
            (
                json!({"records": ["lb.example"]}),
                "`lb.example` in `records`",
            ),
            (
                json!({"type": "CNAME", "records": ["10.0.0.1"]}),
                "`10.0.0.1` in `records`",
            ),
            (
                json!({"type": "CNAME", "records": ["a.example", "b.example"]}),
                "one value",
            ),
            (
                json!({"records": ["10.0.0.1"], "name": "www.other.example."}),
                "does not lie in the zone",
            ),
            (
                json!({"records": ["10.0.0.1"], "zone": "a..b"}),
                "empty label",
            ),
            (json!({"records": ["10.0.0.1"], "ttl": -1}), "`ttl` is -1"),
            (
                json!({"records": ["10.0.0.1"], "weight": 1}),
                "means nothing without `set_identifier`",
            ),
            (
                json!({"records": ["10.0.0.1"], "set_identifier": "a"}),
                "means nothing without `weight`",
            ),
            (
                json!({"records": ["10.0.0.1"], "set_identifier": "a", "weight": 256}),
                "`weight` is 256",
            ),
            (
                json!({"alias": {"name": "lb.example", "zone_id": "Z"}, "ttl": 5}),
                "has no `ttl`",
            ),
        ] {
            let mut args = json!({"zone": "shop.example", "type": "A"});
            for (key, value) in more.as_object().into_iter().flatten() {
                args[key] = value.clone();
            }
            let mut given = Given::new(&args);
            check(&mut given);
            let faults = given.into_faults();
            let said: Vec<&str> = faults.iter().map(|f| f.because.as_str()).collect();
            assert!(
                said.len() == 1 && said[0].contains(says),
                "{args}: {said:?}"
            );
        }
    }

    #[test]
    fn only_what_the_spec_names_may_be_replaced() {
        let spec: RecordSpec = serde_json::from_value(json!({
            "zone": "shop.example", "type": "A", "records": ["10.8.0.1"],
            "replaces": ["10.0.0.1", ["10.0.0.2", "10.0.0.3"]],
        }))
        .expect("arguments");
        let live = |values: &[&str]| RecordSet {
            rtype: "A".to_owned(),
            resource_records: values
                .iter()
                .map(|v| Record {
                    value: (*v).to_owned(),
                })
                .collect(),
            ..RecordSet::default()
        };
        assert!(spec.may_replace(&live(&["10.0.0.3", "10.0.0.1"])));
        assert!(spec.may_replace(&live(&["10.8.0.1"])));
        assert!(!spec.may_replace(&live(&["10.0.0.1", "10.9.9.9"])));
    }
}
