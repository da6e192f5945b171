//! The arguments under which a record set becomes again what it was before a change.

use drplan_api::Json;
use serde_json::json;

use crate::record::RecordSet;

/// Says a record set as a spec would, so that nothing but what was written may be replaced.
///
/// # Errors
///
/// If a spec cannot say it.
pub(crate) fn arguments(
    zone_id: &str,
    written: &RecordSet,
    before: &RecordSet,
) -> Result<Json, String> {
    let unsaid = before
        .unsupported
        .clone()
        .or_else(|| before.region.as_ref().map(|_| "latency routing".to_owned()))
        .or_else(|| {
            before
                .multi_value_answer
                .map(|_| "multivalue answers".to_owned())
        });
    if let Some(policy) = unsaid {
        return Err(format!("{} was under {policy}", before.label()));
    }
    if before.health_check_id != written.health_check_id {
        return Err(format!("{} had another health check", before.label()));
    }
    let replaces: Vec<&str> = match &written.alias_target {
        Some(alias) => vec![&alias.dns_name],
        None => written
            .resource_records
            .iter()
            .map(|record| record.value.as_str())
            .collect(),
    };
    let mut out = json!({
        "zone": zone_id,
        "name": before.name,
        "type": before.rtype,
        "replaces": replaces,
    });
    let values: Vec<&str> = before
        .resource_records
        .iter()
        .map(|record| record.value.as_str())
        .collect();
    let alias = before.alias_target.as_ref().map(|alias| {
        json!({
            "name": alias.dns_name,
            "zone_id": alias.hosted_zone_id,
            "evaluate_target_health": alias.evaluate_target_health,
        })
    });
    for (name, value) in [
        ("records", (!values.is_empty()).then(|| json!(values))),
        ("alias", alias),
        ("ttl", before.ttl.map(Json::from)),
        (
            "set_identifier",
            before.set_identifier.clone().map(Json::from),
        ),
        ("weight", before.weight.map(Json::from)),
        ("failover", before.failover.clone().map(Json::from)),
    ] {
        if let Some(value) = value {
            out[name] = value;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Alias;
    use crate::record::Compare;
    use crate::record::Record;
    use crate::spec::RecordSpec;

    fn set(values: &[&str]) -> RecordSet {
        let record = |value: &&str| Record {
            value: (*value).to_owned(),
        };
        RecordSet {
            name: "www.shop.example.".to_owned(),
            rtype: "A".to_owned(),
            ttl: Some(60),
            resource_records: values.iter().map(record).collect(),
            ..RecordSet::default()
        }
    }

    fn alias() -> RecordSet {
        RecordSet {
            ttl: None,
            resource_records: Vec::new(),
            alias_target: Some(Alias {
                hosted_zone_id: "Z2".to_owned(),
                dns_name: "lb.example.".to_owned(),
                evaluate_target_health: true,
            }),
            ..set(&[])
        }
    }

    #[test]
    fn what_a_record_was_is_said_as_a_spec_says_it_and_replaces_only_what_was_written() {
        let weighted = RecordSet {
            set_identifier: Some("a".to_owned()),
            weight: Some(7),
            ..set(&["10.0.0.1", "10.0.0.2"])
        };
        for (written, before) in [
            (set(&["10.8.0.1"]), set(&["10.0.0.1"])),
            (set(&["10.8.0.1"]), alias()),
            (alias(), set(&["10.0.0.1"])),
            (set(&["10.8.0.1"]), weighted),
        ] {
            let args = arguments("Z1", &written, &before).expect("arguments");
            let spec: RecordSpec = serde_json::from_value(args).expect("a spec");
            let wanted = spec.set_in("shop.example.").expect("a record");
            assert!(wanted.is(&before, Compare::Whole), "{wanted:?}");
            assert!(spec.may_replace(&written), "{written:?}");
            assert!(!spec.may_replace(&set(&["203.0.113.9"])));
        }
    }

    #[test]
    fn what_a_spec_cannot_say_is_refused() {
        let written = set(&["10.8.0.1"]);
        for before in [
            RecordSet {
                region: Some("eu-west-1".to_owned()),
                ..set(&["10.0.0.1"])
            },
            RecordSet {
                unsupported: Some("geolocation".to_owned()),
                ..set(&["10.0.0.1"])
            },
            RecordSet {
                health_check_id: Some("h".to_owned()),
                ..set(&["10.0.0.1"])
            },
        ] {
            assert!(arguments("Z1", &written, &before).is_err(), "{before:?}");
        }
    }
}
