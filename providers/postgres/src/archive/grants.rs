//! Which roles the privileges in an archive name.

use std::collections::BTreeSet;

use super::toc::Entry;

/// Returns the roles that must exist for the privileges of an archive to be restored.
pub(crate) fn roles(entries: &[Entry]) -> BTreeSet<String> {
    let mut roles = BTreeSet::new();
    for entry in entries {
        if matches!(entry.desc.as_str(), "ACL" | "DEFAULT ACL") {
            let text = entry.definition.as_deref().unwrap_or_default();
            for statement in text.lines() {
                name_roles(statement, &mut roles);
            }
        }
    }
    roles
}

/// `pg_dump` writes one statement on each line, with the roles behind the last ` TO ` or ` FROM ` and
/// behind ` FOR ROLE `.
fn name_roles(statement: &str, roles: &mut BTreeSet<String>) {
    let statement = statement.trim_end().trim_end_matches(';');
    if let Some(author) = statement.strip_prefix("SET SESSION AUTHORIZATION ") {
        add(author, roles);
    }
    if let Some((_, behind)) = statement.split_once(" FOR ROLE ") {
        add(behind, roles);
    }
    let verb = statement.split_whitespace().next().unwrap_or_default();
    if !matches!(verb, "GRANT" | "REVOKE" | "ALTER") {
        return;
    }
    let behind = [" TO ", " FROM "]
        .iter()
        .filter_map(|word| statement.rfind(word).map(|at| at + word.len()))
        .max();
    if let Some(at) = behind {
        add(&statement[at..], roles);
    }
}

/// Adds the identifier at the beginning of some text, quoted or not.
fn add(text: &str, roles: &mut BTreeSet<String>) {
    let name = match text.strip_prefix('"') {
        Some(quoted) => quoted_name(quoted),
        None => text
            .split(|c: char| c.is_whitespace() || c == ';')
            .next()
            .unwrap_or_default()
            .to_owned(),
    };
    if !name.is_empty() && !matches!(name.as_str(), "PUBLIC" | "DEFAULT" | "public") {
        roles.insert(name);
    }
}

fn quoted_name(text: &str) -> String {
    let mut name = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if chars.peek() == Some(&'"') => {
                chars.next();
                name.push('"');
            }
            '"' => break,
            c => name.push(c),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_found_in_every_form_of_statement_that_pg_dump_writes() {
        let cases = [
            ("GRANT SELECT ON TABLE public.a TO app;", vec!["app"]),
            (
                "GRANT ALL ON SCHEMA \"from TO x\" TO \"My \"\"Role\";",
                vec!["My \"Role"],
            ),
            ("REVOKE ALL ON TABLE public.a FROM owner;", vec!["owner"]),
            ("GRANT USAGE ON SCHEMA public TO PUBLIC;", vec![]),
            (
                "GRANT SELECT ON TABLE a TO app WITH GRANT OPTION;",
                vec!["app"],
            ),
            (
                "ALTER DEFAULT PRIVILEGES FOR ROLE maker IN SCHEMA s GRANT SELECT ON TABLES  TO reader;",
                vec!["maker", "reader"],
            ),
            ("SET SESSION AUTHORIZATION boss;", vec!["boss"]),
            ("RESET SESSION AUTHORIZATION;", vec![]),
        ];
        for (statement, expected) in cases {
            let mut roles = BTreeSet::new();
            name_roles(statement, &mut roles);
            let expected: BTreeSet<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(roles, expected, "{statement}");
        }
    }
}
