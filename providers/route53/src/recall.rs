//! What recorded answers say about the zones that they are about.

use std::collections::BTreeMap;

use drplan_api::Answer;
use drplan_api::Ask;
use drplan_api::Json;
use drplan_api::Standing;
use serde::Deserialize as _;

use crate::system::RECORDS;
use crate::system::RecordsAsk;
use crate::system::ZONES;
use crate::zone::Zone;

/// Reads the zones, and the record sets of those that were read whole.
pub(crate) fn standing(answers: &[(&Ask, &Answer)]) -> Vec<Standing> {
    let mut zones = Vec::new();
    let mut sets: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    for (ask, answer) in answers {
        let Ok(said) = answer else { continue };
        match ask.op.as_str() {
            ZONES => zones.extend(Vec::<Zone>::deserialize(&**said).unwrap_or_default()),
            RECORDS => {
                let asked: Option<RecordsAsk> = ask.args().ok();
                let by_name = said.as_object().into_iter().flat_map(|map| map.values());
                let found = by_name.filter_map(Json::as_array).flatten().cloned();
                sets.extend(asked.map(|asked| (asked.zone, found.collect())));
            }
            _ => {}
        }
    }
    let one = |zone: Zone| Standing::Zone {
        sets: sets.remove(&zone.id),
        name: zone.name,
        private: zone.private,
    };
    let unknown = Standing::unanswered(answers);
    unknown
        .into_iter()
        .chain(zones.into_iter().map(one))
        .collect()
}
