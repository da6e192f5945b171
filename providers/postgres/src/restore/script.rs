//! The detached program: `psql` runs a script inside which `pg_restore` runs.
//!
//! `psql` stays connected to the staging database from beginning to end, so that the server's list of
//! sessions shows from any machine that somebody works on it, and it gives up if another attempt has
//! taken the database over. It finishes the marker only when everything is there. Secrets and
//! names travel in the environment, never in arguments.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use drplan_api::ErrorKind;
use drplan_api::ProviderError;
use drplan_api::process::Program;
use tokio::io::AsyncWriteExt as _;

use crate::PgConn;
use crate::archive::TableName;
use crate::client::trusted;
use crate::sql::ident;
use crate::sql::literal;

/// How long a restore may take if nothing else ends it.
const RESTORE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// Variables that would lead the tools elsewhere.
const SHELL: &str = r#"
unset PGHOSTADDR PGSERVICE PGSERVICEFILE PGOPTIONS PGPASSFILE PGTARGETSESSIONATTRS PGREQUIREAUTH
trap 'rm -f "$DRPLAN_DUMP"' EXIT
trap 'exit 143' HUP INT TERM
psql --no-psqlrc --quiet --file="$DRPLAN_SCRIPT"
"#;

/// The files of one restore in its private folder.
pub(super) struct Files {
    /// The downloaded dump.
    pub(super) dump: PathBuf,
    /// The script.
    pub(super) script: PathBuf,
    /// The entries to restore, if not all of them.
    pub(super) list: PathBuf,
    /// The authorities to trust.
    pub(super) authorities: PathBuf,
}

impl Files {
    pub(super) fn in_dir(dir: &Path) -> Self {
        Self {
            dump: dir.join("dump"),
            script: dir.join("restore.sql"),
            list: dir.join("entries.list"),
            authorities: dir.join("authorities.pem"),
        }
    }
}

/// What the script says when `pg_restore` has failed, behind the reasons that `pg_restore` itself gave.
pub(super) const TOOL_FAILED: &str = "pg_restore failed";

/// What the script depends on.
pub(super) struct Script<'a> {
    pub(super) attempt: &'a str,
    pub(super) jobs: u32,
    pub(super) as_role: bool,
    pub(super) with_list: bool,
    pub(super) with_privileges: bool,
    pub(super) tables: Vec<&'a TableName>,
}

impl Script<'_> {
    /// Writes the script.
    pub(super) fn text(&self) -> String {
        let attempt = literal(self.attempt);
        let unless = |name: &str, why: &str| {
            format!(
                "\\if :{name}\n\\else\n\
                 do $$ begin raise exception '{why}'; end $$;\n\\endif\n"
            )
        };
        let mut parts = vec![
            format!(
                "\\set ON_ERROR_STOP on\n\
                 select set_config(name, '0', false) from pg_settings where name in \
                 ('statement_timeout', 'lock_timeout', 'idle_session_timeout') \\g /dev/null\n\
                 select count(*) = 1 as ours from drplan.restore \
                 where attempt = {attempt} and finished_at is null \\gset\n"
            ),
            unless("ours", "another attempt has taken this database over"),
            // Whatever follows a colon inside these quotes would be a variable of psql's.
            format!("\\set code `{} 1>&2; echo $?`\n", self.command()),
            "select :'code' = '0' as restored \\gset\n".to_owned(),
            unless("restored", TOOL_FAILED),
            "analyze;\ncreate temporary table drplan_rows (name text, n bigint);\n".to_owned(),
        ];
        parts.extend(self.tables.iter().map(|table| {
            format!(
                "insert into drplan_rows select {}, count(*) from only {}.{};\n",
                literal(&table.to_string()),
                ident(&table.schema),
                ident(&table.name)
            )
        }));
        parts.push(format!(
            "update drplan.restore set finished_at = clock_timestamp(), rows = (select \
             coalesce(jsonb_object_agg(name, n), '{{}}') from drplan_rows) \
             where attempt = {attempt};\n"
        ));
        parts.concat()
    }

    fn command(&self) -> String {
        let mut words = vec![
            "pg_restore --verbose --exit-on-error --no-owner".to_owned(),
            format!("--jobs={}", self.jobs),
        ];
        if !self.with_privileges {
            words.push("--no-privileges".to_owned());
        }
        if self.as_role {
            words.push(r#"--role="$DRPLAN_ROLE""#.to_owned());
        }
        if self.with_list {
            words.push(r#"--use-list="$DRPLAN_LIST""#.to_owned());
        }
        words.push(r#"--dbname="$DRPLAN_TARGET" "$DRPLAN_DUMP""#.to_owned());
        words.join(" ")
    }
}

/// Makes the program. `encrypted` tells how our own session to the server turned out.
pub(super) async fn program(
    pg: &PgConn,
    files: &Files,
    database: &str,
    application: &str,
    role: Option<&str>,
    encrypted: bool,
) -> Result<Program, ProviderError> {
    let config = pg.config();
    let path = |path: &Path| path.display().to_string();
    let mut env = BTreeMap::from([
        ("PGHOST", config.host.clone()),
        ("PGPORT", config.port.to_string()),
        ("PGUSER", config.user.clone()),
        ("PGPASSWORD", config.password.clone().unwrap_or_default()),
        ("PGDATABASE", database.to_owned()),
        ("PGAPPNAME", application.to_owned()),
        (
            "PGCONNECT_TIMEOUT",
            config.connect_timeout.as_secs().max(2).to_string(),
        ),
        ("PGCLIENTENCODING", "UTF8".to_owned()),
        ("PGSSLMODE", "disable".to_owned()),
        ("LC_ALL", "C".to_owned()),
        ("DRPLAN_TARGET", format!("dbname={}", conninfo(database))),
        ("DRPLAN_ROLE", role.unwrap_or_default().to_owned()),
        ("DRPLAN_DUMP", path(&files.dump)),
        ("DRPLAN_LIST", path(&files.list)),
        ("DRPLAN_SCRIPT", path(&files.script)),
    ]);
    if encrypted {
        let pem: String = trusted(config)?.iter().map(|c| pem(c)).collect();
        write_private(&files.authorities, &pem).await?;
        env.insert("PGSSLMODE", "verify-full".to_owned());
        env.insert("PGSSLROOTCERT", path(&files.authorities));
    }
    let dir = files.dump.parent().unwrap_or(Path::new("/"));
    Ok(Program {
        argv: ["/bin/sh", "-c", SHELL, "drplan-restore"]
            .map(str::to_owned)
            .to_vec(),
        env: env.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
        cwd: dir.to_owned(),
        stdin: None,
        timeout: RESTORE_MAX,
    })
}

/// Quotes a value inside a connection string.
fn conninfo(value: &str) -> String {
    format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
}

fn pem(certificate: &[u8]) -> String {
    use base64::Engine as _;

    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .map(|at| &text[at..text.len().min(at + 64)])
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}

/// Writes a file that only its owner can read.
pub(super) async fn write_private(path: &Path, text: &str) -> Result<(), ProviderError> {
    let write = async {
        match tokio::fs::remove_file(path).await {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut open = tokio::fs::OpenOptions::new();
        open.write(true).create_new(true);
        #[cfg(unix)]
        open.mode(0o600);
        let mut file = open.open(path).await?;
        file.write_all(text.as_bytes()).await?;
        file.flush().await
    };
    write.await.map_err(|e: std::io::Error| {
        ProviderError::new(
            ErrorKind::Invalid,
            "write a file of the restore",
            format!("file {}", path.display()),
        )
        .caused_by(&e)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_finishes_the_marker_last_and_quotes_every_name() {
        let table = TableName {
            schema: "public".to_owned(),
            name: "Odd \"N'ame".to_owned(),
        };
        let script = Script {
            attempt: "r-1",
            jobs: 3,
            as_role: true,
            with_list: false,
            with_privileges: false,
            tables: vec![&table],
        };
        let text = script.text();
        assert!(text.contains(
            "insert into drplan_rows select 'public.Odd \"N''ame', count(*) from only \
             \"public\".\"Odd \"\"N'ame\";"
        ));
        assert!(text.contains("--jobs=3 --no-privileges --role=\"$DRPLAN_ROLE\" --dbname="));
        let last = text.lines().last().unwrap_or_default();
        assert!(last.starts_with("update drplan.restore set finished_at"));
        let command = text.lines().find(|l| l.contains('`')).unwrap_or_default();
        assert!(!command.contains(':'), "{command}");
    }

    #[test]
    fn names_cannot_leave_a_connection_string() {
        assert_eq!(conninfo(r"a'b\c"), r"'a\'b\\c'");
    }
}
