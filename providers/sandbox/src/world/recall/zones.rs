//! Zones with the record sets that were read.

use drplan_api::ConnId;
use drplan_api::Json;
use drplan_api::Standing;

use super::LoadedConnection;
use super::count;
use crate::route53::Action;
use crate::route53::Change;
use crate::route53::RecordSet;
use crate::route53::Route53;
use crate::world::WorldError;

/// Replaces the record sets of zones by what was read, and makes the zones that are missing. Returns the
/// service, the names of its zones, and what was done.
pub(in crate::world) fn zones(
    connection: &ConnId,
    mut service: Route53,
    standing: &[Standing],
) -> Result<(Route53, Vec<String>, LoadedConnection), WorldError> {
    let mut loaded = LoadedConnection::of(connection, "dns".to_owned());
    let (mut names, mut records) = (Vec::new(), 0);
    for one in standing {
        let Standing::Zone {
            name,
            private,
            sets,
        } = one
        else {
            continue;
        };
        let Some(sets) = sets else {
            // Nothing of the spec is about it.
            continue;
        };
        let made = if *private {
            service.private_zone(name)
        } else {
            service.zone(name)
        };
        service = made.map_err(|e| WorldError::Recording {
            why: format!("the zone `{name}` cannot be: {e}"),
        })?;
        records += replace(&service, name, *private, sets, &mut loaded.lacks);
        names.push(name.trim_end_matches('.').to_owned());
    }
    let zones = count(names.len(), "zone", "zones");
    let sets = count(records, "record set", "record sets");
    loaded.holds.push(format!("{sets} in {zones}"));
    Ok((service, names, loaded))
}

fn replace(
    service: &Route53,
    zone: &str,
    private: bool,
    sets: &[Json],
    lacks: &mut Vec<String>,
) -> usize {
    let id = if private {
        service.private_zone_id(zone)
    } else {
        service.zone_id(zone)
    };
    let Some(id) = id else { return 0 };
    let changed = |action, set| service.change(&id, &[Change { action, set }]);
    for set in service.record_sets(&id) {
        // Those of the zone itself cannot go.
        changed(Action::Delete, set).ok();
    }
    let mut records = 0;
    for set in sets {
        let shown = format!(
            "{} {}",
            set["Name"].as_str().unwrap_or_default(),
            set["Type"].as_str().unwrap_or_default()
        );
        let Some(set) = RecordSet::recalled(set) else {
            lacks.push(format!(
                "the record set {shown}, which is of a sort that is not known here"
            ));
            continue;
        };
        match changed(Action::Upsert, set) {
            Ok(()) => records += 1,
            Err(why) => lacks.push(format!("the record set {shown}: {why}")),
        }
    }
    records
}
