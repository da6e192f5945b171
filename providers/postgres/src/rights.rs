//! What a database server must allow: derived from questions and effects, in its own words.

use std::collections::BTreeSet;

use drplan_api::Ask;
use drplan_api::Effect;
use drplan_api::Right;

use crate::asks;
use crate::asks::InDatabase;
use crate::sql::ident;

/// The attribute of a role that may make and rename its databases.
const CREATEDB: &str = "CREATEDB";
/// What lets a role look into a database.
const CONNECT: &str = "CONNECT";
const SERVER: &str = "(attribute of the role)";

fn database(name: &str) -> String {
    format!("database {}", ident(name))
}

/// What reading takes.
pub(crate) fn to_ask(questions: &[&Ask]) -> Vec<Right> {
    let inside = questions
        .iter()
        .filter(|ask| matches!(ask.op.as_str(), asks::MARKER | asks::TABLES | asks::ALIVE))
        .filter_map(|ask| ask.args::<InDatabase>().ok());
    let rights: BTreeSet<Right> = inside
        .map(|args| Right::new(CONNECT, database(&args.database)))
        .collect();
    rights.into_iter().collect()
}

/// What a restore takes, beside what belongs to whom: see [`untold`].
pub(crate) fn to_do(effect: &Effect) -> Vec<Right> {
    match effect.verb.as_str() {
        "sql" => vec![Right::new(CREATEDB, SERVER)],
        _ => Vec::new(),
    }
}

/// What a restore takes that depends on who owns what.
pub(crate) fn untold(effect: &Effect) -> Option<String> {
    let sql = effect.verb == "sql";
    sql.then(|| {
        "its role must be a member of the role that is to own the database, and own what is renamed aside"
            .to_owned()
    })
}

/// Writes the statements that give a role these rights.
pub(crate) fn grant(rights: &[Right], to: &str) -> String {
    let role = ident(to);
    let statement = |right: &Right| match right.verb.as_str() {
        CREATEDB => format!("ALTER ROLE {role} {CREATEDB};\n"),
        verb => format!(
            "GRANT {verb} ON {} TO {role};\n",
            right.on.replacen("database", "DATABASE", 1)
        ),
    };
    rights.iter().map(statement).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_statements_are_quoted() {
        let rights = [
            Right::new(CREATEDB, SERVER),
            Right::new(CONNECT, database("a\"b")),
        ];
        assert_eq!(
            grant(&rights, "recovery"),
            "ALTER ROLE \"recovery\" CREATEDB;\nGRANT CONNECT ON DATABASE \"a\"\"b\" TO \"recovery\";\n"
        );
    }
}
