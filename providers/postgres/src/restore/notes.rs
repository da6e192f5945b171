//! What there is to say about a restore beside the decision: the tables, warnings, and the commands by
//! which a person does the same.

use drplan_api::Breakdown;
use drplan_api::Notes;
use drplan_api::ObjectLine;
use drplan_api::Want;

use crate::sql::ident;
use crate::sql::literal;

use super::JOBS_DEFAULT;
use super::PostgresRestoreSpec;
use super::RestoreSeen;
use super::aside;
use super::decide::Class;
use super::decide::size;
use super::op;

/// Gathers everything.
pub(super) fn notes(want: &Want<PostgresRestoreSpec>, seen: &RestoreSeen) -> Notes {
    let alive = matches!(seen.class(&want.recovery), Class::Ours(_) | Class::Alive(_));
    Notes {
        manual: if alive {
            Vec::new()
        } else {
            manual(want, seen)
        },
        points: Vec::new(),
        breakdown: (!alive).then(|| breakdown(want)),
        warnings: warnings(want, seen, alive),
    }
}

fn breakdown(want: &Want<PostgresRestoreSpec>) -> Breakdown {
    let dump = &want.spec.dump;
    let line = |name: &String| ObjectLine {
        name: name.clone(),
        class: "in the dump".to_owned(),
        note: String::new(),
        diff: None,
    };
    let count = dump.tables.len() as u64;
    Breakdown {
        headline: format!(
            "{count} tables with data in the dump ({})",
            size(dump.bytes)
        ),
        counts: vec![("in the dump".to_owned(), count)],
        objects: dump.tables.iter().map(line).collect(),
    }
}

fn warnings(want: &Want<PostgresRestoreSpec>, seen: &RestoreSeen, alive: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    let spec = &want.spec;
    if !alive && !seen.roles_missing.is_empty() {
        warnings.push(format!(
            "no privileges are restored into `{}`: they name roles that the server lacks: {}",
            spec.database,
            seen.roles_missing.join(", ")
        ));
    }
    let own = op::staging_name(&spec.database, &want.hash);
    let prefix = op::staging_name(&spec.database, "");
    let left: Vec<&str> = seen
        .names()
        .filter(|name| name.starts_with(&prefix) && *name != own)
        .collect();
    if !left.is_empty() {
        warnings.push(format!(
            "staging databases of other restores of `{}` are left on the server: {}",
            spec.database,
            left.join(", ")
        ));
    }
    warnings
}

fn manual(want: &Want<PostgresRestoreSpec>, seen: &RestoreSeen) -> Vec<String> {
    let spec = &want.spec;
    let staging = op::staging_name(&spec.database, &want.hash);
    let shell = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let sql = |text: String| format!("psql -d postgres -c {}", shell(&text));
    let rename = |from: &str, to: &str| {
        sql(format!(
            "ALTER DATABASE {} RENAME TO {}",
            ident(from),
            ident(to)
        ))
    };
    let owner = spec.owner.as_ref();
    let role = owner.map_or_else(String::new, |o| format!(" --role={}", shell(o)));
    let privileges = match seen.roles_missing.is_empty() {
        true => "",
        false => " --no-privileges",
    };
    let mut lines = vec![
        "# PGHOST, PGPORT, PGUSER and PGPASSWORD name the server".to_owned(),
        format!(
            "aws s3 cp {} {}",
            shell(&format!("s3://{}/{}", spec.dump.bucket, spec.dump.key)),
            shell(&format!("{staging}.dump"))
        ),
        sql(format!(
            "CREATE DATABASE {}{} TEMPLATE template0",
            ident(&staging),
            owner.map_or_else(String::new, |o| format!(" OWNER {}", ident(o))),
        )),
        format!(
            "pg_restore --exit-on-error --no-owner{privileges}{role} --jobs={} -d {} {}",
            spec.jobs.unwrap_or(JOBS_DEFAULT),
            shell(&format!("dbname={}", literal(&staging))),
            shell(&format!("{staging}.dump"))
        ),
        format!("psql -d {} -c ANALYZE", shell(&staging)),
    ];
    if seen.in_place.is_some() {
        lines.push(rename(&spec.database, &aside(want, seen)));
    }
    lines.push(rename(&staging, &spec.database));
    lines
}
