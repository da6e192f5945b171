//! Record sets as data, in the shape of the AWS command line, and when two are the same. Pure.

use drplan_api::Json;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;

use crate::name;
use crate::value;

/// One record set, exactly as Route 53 holds it. Serialises to what `aws route53
/// change-resource-record-sets` reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct RecordSet {
    /// The name in canonical form.
    pub name: String,
    /// The type: `A`, `CNAME`.
    #[serde(rename = "Type")]
    pub rtype: String,
    /// What tells it from other sets of its name and type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_identifier: Option<String>,
    /// The share among weighted sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
    /// The region of a latency set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// `PRIMARY` or `SECONDARY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<String>,
    /// Whether it is one of several that answer together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multi_value_answer: Option<bool>,
    /// How long resolvers keep it, in seconds; aliases have none.
    #[serde(default, rename = "TTL", skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
    /// The values; aliases have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource_records: Vec<Record>,
    /// What an alias points to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias_target: Option<Alias>,
    /// The health check that decides whether it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check_id: Option<String>,
    /// A routing policy that drplan cannot write back, by name; such a set is never touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsupported: Option<String>,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Record {
    /// The value as it stands in the zone.
    pub value: String,
}

/// The target of an alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Alias {
    /// The target's hosted zone.
    pub hosted_zone_id: String,
    /// The target's name.
    #[serde(rename = "DNSName")]
    pub dns_name: String,
    /// Whether the target's health decides.
    pub evaluate_target_health: bool,
}

/// How exactly two record sets are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compare {
    /// In everything.
    Whole,
    /// In everything that a spec can say, which leaves out the health check.
    AsWanted,
}

impl RecordSet {
    /// Returns what it answers with, for comparison, in order: values, or the name of the alias.
    pub(crate) fn answers(&self) -> Vec<String> {
        let mut out: Vec<String> = match &self.alias_target {
            Some(alias) => vec![canonical_name(&alias.dns_name)],
            None => self
                .resource_records
                .iter()
                .map(|record| value::canonical(&self.rtype, &record.value))
                .collect(),
        };
        out.sort_unstable();
        out
    }

    /// The same set with its values in order, which means nothing to Route 53.
    pub(crate) fn in_order(&self) -> Self {
        let mut out = self.clone();
        out.resource_records.sort_by(|a, b| a.value.cmp(&b.value));
        out
    }

    /// Returns what it answers with, for people.
    pub(crate) fn shown(&self) -> Vec<String> {
        match &self.alias_target {
            Some(alias) => vec![format!("alias {}", alias.dns_name)],
            None => {
                let values = self.resource_records.iter();
                values.map(|record| record.value.clone()).collect()
            }
        }
    }

    /// Tells whether both are the same; the order of values and how names are written do not count.
    pub(crate) fn is(&self, other: &Self, compare: Compare) -> bool {
        canonical_name(&self.name) == canonical_name(&other.name)
            && self.rtype == other.rtype
            && self.set_identifier == other.set_identifier
            && self.weight == other.weight
            && self.region == other.region
            && self.failover == other.failover
            && self.multi_value_answer.unwrap_or_default()
                == other.multi_value_answer.unwrap_or_default()
            && self.ttl == other.ttl
            && self.unsupported == other.unsupported
            && self.alias_rest() == other.alias_rest()
            && self.answers() == other.answers()
            && (compare == Compare::AsWanted || self.health_check_id == other.health_check_id)
    }

    fn alias_rest(&self) -> Option<(&str, bool)> {
        let alias = self.alias_target.as_ref()?;
        Some((alias.hosted_zone_id.as_str(), alias.evaluate_target_health))
    }

    /// Writes it for messages: `www.shop.example CNAME`.
    pub(crate) fn label(&self) -> String {
        let mut label = format!("{} {}", name::shown(&self.name), self.rtype);
        if let Some(id) = &self.set_identifier {
            label.push(' ');
            label.push_str(id);
        }
        label
    }
}

fn canonical_name(text: &str) -> String {
    name::canonical(text).unwrap_or_else(|_| text.to_owned())
}

/// Returns the batch that replaces exactly `old` by `new`, in the shape of the AWS command line.
pub(crate) fn batch(old: Option<&RecordSet>, new: Option<&RecordSet>) -> Json {
    let change =
        |action: &str, set: &RecordSet| json!({"Action": action, "ResourceRecordSet": set});
    let changes: Vec<Json> = old
        .map(|old| change("DELETE", old))
        .into_iter()
        .chain(new.map(|new| change("CREATE", new)))
        .collect();
    json!({ "Changes": changes })
}

/// Reads a batch again: what it deletes and what it creates.
pub(crate) fn swap(batch: &Json) -> Option<(Option<RecordSet>, Option<RecordSet>)> {
    let (mut old, mut new) = (None, None);
    for change in batch.get("Changes")?.as_array()? {
        let set = RecordSet::deserialize(change.get("ResourceRecordSet")?).ok()?;
        match change.get("Action")?.as_str()? {
            "DELETE" => old = Some(set),
            "CREATE" => new = Some(set),
            _ => return None,
        }
    }
    Some((old, new))
}

/// Returns the command by which a person replaces exactly `old` by `new`.
pub(crate) fn command(zone_id: &str, old: Option<&RecordSet>, new: Option<&RecordSet>) -> String {
    let batch = drplan_api::canonical(&batch(old, new)).replace('\'', r"'\''");
    format!(
        "aws route53 change-resource-record-sets --hosted-zone-id {zone_id} --change-batch '{batch}'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(values: &[&str]) -> RecordSet {
        RecordSet {
            name: "www.shop.example.".to_owned(),
            rtype: "A".to_owned(),
            ttl: Some(60),
            resource_records: values
                .iter()
                .map(|value| Record {
                    value: (*value).to_owned(),
                })
                .collect(),
            ..RecordSet::default()
        }
    }

    #[test]
    fn sets_are_compared_in_everything_but_order_and_spelling() {
        let a = set(&["10.0.0.1", "10.0.0.2"]);
        let b = RecordSet {
            name: "WWW.shop.example".to_owned(),
            ..set(&["10.0.0.2", "10.0.0.1"])
        };
        assert!(a.is(&b, Compare::Whole));
        for other in [
            set(&["10.0.0.1"]),
            RecordSet {
                ttl: Some(61),
                ..a.clone()
            },
            RecordSet {
                weight: Some(1),
                ..a.clone()
            },
            RecordSet {
                set_identifier: Some("x".to_owned()),
                ..a.clone()
            },
        ] {
            assert!(!a.is(&other, Compare::AsWanted), "{other:?}");
        }
        let checked = RecordSet {
            health_check_id: Some("h".to_owned()),
            ..a.clone()
        };
        assert!(a.is(&checked, Compare::AsWanted));
        assert!(!a.is(&checked, Compare::Whole));
    }

    #[test]
    fn a_batch_reads_as_the_command_line_takes_it() {
        let old = set(&["10.0.0.1"]);
        assert_eq!(
            command("Z1", Some(&old), None),
            "aws route53 change-resource-record-sets --hosted-zone-id Z1 --change-batch \
             '{\"Changes\":[{\"Action\":\"DELETE\",\"ResourceRecordSet\":{\"Name\":\"www.shop.example.\",\
             \"ResourceRecords\":[{\"Value\":\"10.0.0.1\"}],\"TTL\":60,\"Type\":\"A\"}}]}'"
        );
    }
}
