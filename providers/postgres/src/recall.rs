//! What recorded answers say about the database server that gave them.

use drplan_api::Answer;
use drplan_api::Ask;
use drplan_api::Json;
use drplan_api::Standing;
use drplan_api::StandingTable;
use drplan_api::TargetId;
use serde::Deserialize as _;

use crate::asks;
use crate::asks::InDatabase;

/// What stands before a server's own number.
pub(crate) const BY_NUMBER: &str = "postgres:";

/// Reads databases, their tables and markers, and roles.
pub(crate) fn standing(who: &TargetId, answers: &[(&Ask, &Answer)]) -> Vec<Standing> {
    let number = who.0.strip_prefix(BY_NUMBER).unwrap_or(&who.0);
    let mut out = vec![Standing::Identity(number.to_owned())];
    for (ask, answer) in answers {
        let Ok(said) = answer else { continue };
        let database = ask.args::<InDatabase>().map(|args| args.database);
        out.extend(match (ask.op.as_str(), database) {
            (asks::ROLES, _) => Vec::deserialize(&**said).ok().map(Standing::Roles),
            (asks::DATABASES, _) => Some(Standing::Databases(names(said))),
            (asks::TABLES, Ok(database)) => Some(Standing::Tables {
                database,
                tables: tables(said),
            }),
            (asks::MARKER, Ok(database)) if !said.is_null() => Some(Standing::Marker {
                database,
                row: Json::clone(said),
            }),
            _ => None,
        });
    }
    out
}

fn names(said: &Json) -> Vec<String> {
    let all = said.as_array().into_iter().flatten();
    let names = all.filter_map(|one| one["name"].as_str());
    names.map(str::to_owned).collect()
}

fn tables(said: &Json) -> Vec<StandingTable> {
    let one = |table: &Json| {
        Some(StandingTable {
            name: table["name"].as_str()?.to_owned(),
            sort: table["sort"].as_str()?.to_owned(),
            bytes: table["bytes"].as_u64().unwrap_or_default(),
        })
    };
    let all = said.as_array().into_iter().flatten();
    all.filter_map(one).collect()
}
