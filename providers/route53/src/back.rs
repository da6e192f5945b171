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
