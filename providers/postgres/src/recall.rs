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
    // Who may not read the number is known by its address, and one server has many.
    let number = who.0.strip_prefix(BY_NUMBER);
    let number = number.filter(|number| number.parse::<u64>().is_ok());
    let mut out: Vec<Standing> = number
        .map(|number| Standing::Identity(number.to_owned()))
        .into_iter()
        .chain(Standing::unanswered(answers))
        .collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_servers_own_number_says_who_it_is() {
        let said = |who: &str| standing(&TargetId(who.to_owned()), &[]);
        assert_eq!(
            said("postgres:7001"),
            [Standing::Identity("7001".to_owned())]
        );
        assert_eq!(said("postgres:at:0123456789abcdef"), []);
    }
}
