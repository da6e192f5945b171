//! Reads of one database: what users keep in it, the marker, and who is connected.

use drplan_api::ErrorKind;
use drplan_api::Json;
use drplan_api::ProviderError;
use serde_json::json;

use crate::client::PgClient;

/// The most objects of a database that are listed.
const OBJECTS_MAX: i64 = 1000;

const DATABASES: &str = "
    select d.datname::text,
           case when has_database_privilege(d.oid, 'connect') then pg_database_size(d.oid) end,
           shobj_description(d.oid, 'pg_database')
    from pg_database d where not d.datistemplate order by 1";

/// What an extension owns came with it and is no data of users. Which objects the limit keeps depends on
/// their names only, so that one that grows does not change the answer; the largest come first.
const OBJECTS: &str = "
    select * from (select * from (
        select n.nspname::text || '.' || c.relname::text as name,
               case c.relkind when 'r' then 'table' when 'p' then 'table' when 'v' then 'view'
                   when 'm' then 'materialized view' when 'S' then 'sequence'
                   else 'foreign table' end as sort,
               pg_total_relation_size(c.oid) as bytes
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
          and n.nspname not in ('information_schema', 'drplan')
          and n.nspname not like 'pg\\_%'
          and not exists (select from pg_depend d
                          where d.classid = 'pg_class'::regclass and d.objid = c.oid
                            and d.deptype = 'e')
        union all
        select 'pg_largeobject', 'large objects', pg_total_relation_size('pg_largeobject')
        where exists (select from pg_largeobject_metadata)
    ) objects order by name limit $1) kept order by bytes desc, name";

const SESSIONS: &str = "
    select pid, coalesce(usename, '')::text, coalesce(application_name, '')::text,
           coalesce(client_addr::text, 'local')
    from pg_stat_activity
    where datname = $1 and pid <> pg_backend_pid() and backend_type = 'client backend'
    order by pid";

/// Somebody who is connected to a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) pid: i32,
    pub(crate) user: String,
    pub(crate) application: String,
    pub(crate) from: String,
}

impl std::fmt::Display for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            pid,
            user,
            application,
            from,
        } = self;
        write!(f, "process {pid} of `{user}` from {from}")?;
        if !application.is_empty() {
            write!(f, " (`{application}`)")?;
        }
        Ok(())
    }
}

pub(crate) async fn databases(client: &PgClient) -> Result<Json, ProviderError> {
    let rows = client.rows(DATABASES, &[], "list databases").await?;
    let one = |row: &tokio_postgres::Row| {
        json!({
            "name": row.get::<_, String>(0),
            "bytes": row.get::<_, Option<i64>>(1),
            "comment": row.get::<_, Option<String>>(2),
        })
    };
    Ok(rows.iter().map(one).collect())
}

pub(crate) async fn roles(client: &PgClient) -> Result<Vec<String>, ProviderError> {
    let sql = "select rolname::text from pg_roles order by 1";
    let rows = client.rows(sql, &[], "list roles").await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

pub(crate) async fn objects(client: &PgClient) -> Result<Json, ProviderError> {
    let rows = client.rows(OBJECTS, &[&OBJECTS_MAX], "list tables").await?;
    let one = |row: &tokio_postgres::Row| {
        json!({
            "name": row.get::<_, String>(0),
            "sort": row.get::<_, String>(1),
            "bytes": row.get::<_, i64>(2),
        })
    };
    Ok(rows.iter().map(one).collect())
}

/// Tells whether a database exists.
pub(crate) async fn exists(client: &PgClient, database: &str) -> Result<bool, ProviderError> {
    let sql = "select 1 from pg_database where datname = $1";
    let rows = client
        .rows(sql, &[&database], "look for a database")
        .await?;
    Ok(!rows.is_empty())
}

pub(crate) async fn sessions(
    client: &PgClient,
    database: &str,
) -> Result<Vec<Session>, ProviderError> {
    let rows = client.rows(SESSIONS, &[&database], "list sessions").await?;
    let one = |row: &tokio_postgres::Row| Session {
        pid: row.get(0),
        user: row.get(1),
        application: row.get(2),
        from: row.get(3),
    };
    Ok(rows.iter().map(one).collect())
}

/// Runs a question of the user's in a transaction that can only read and is rolled back.
pub(crate) async fn alive(client: &PgClient, sql: &str) -> Result<Json, ProviderError> {
    let during = "run `alive.sql`";
    client.run("begin read only", during).await?;
    let answer = client.rows(sql, &[], during).await;
    client.run("rollback", during).await?;
    let no = |why: String| Ok(json!({"alive": false, "why": why}));
    let rows = match answer {
        Ok(rows) => rows,
        // What is asked about is not there yet.
        Err(e) if e.kind == ErrorKind::NotFound => return no(e.why.join(": ")),
        Err(e) => return Err(e),
    };
    let Some(row) = rows.first() else {
        return no("it returned no row".to_owned());
    };
    match row.try_get::<_, Option<bool>>(0) {
        Ok(Some(true)) => Ok(json!({"alive": true, "why": "it returned true"})),
        Ok(_) => no("it did not return true".to_owned()),
        Err(_) => Err(
            ProviderError::new(ErrorKind::Invalid, during, client.place())
                .because("its first column is not boolean")
                .hint("write it so that it returns one boolean: `select count(*) > 0 from …`"),
        ),
    }
}
