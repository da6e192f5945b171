//! The shop's database: its rows on site A, its dump, and what is compared afterwards.
//!
//! Knows nothing about how it comes back.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use tokio::process::Command;
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres::NoTls;

/// The name of the shop's database.
pub(crate) const DATABASE: &str = "shop";

/// The longest that one statement or tool may take.
const CALL_LIMIT: Duration = Duration::from_secs(120);

/// Eight tables, some 580,000 rows, with keys, indexes and a sequence. Six tables take 0.8 s each to
/// load and the last index two seconds to make, however fast the machine is, so that a restore can be
/// met at 30 % and at 90 %.
pub(crate) const SCHEMA: &str = "
create function takes_time(n bigint) returns boolean immutable language plpgsql as $$ begin perform pg_sleep(0.1); return true; end $$;
create table customers (id int primary key, name text not null, email text not null unique, since date not null, check (id % 2500 <> 0 or takes_time(id)));
create table warehouses (id int primary key, city text not null);
create table products (id int primary key, sku text not null unique, title text not null, cents int not null check (cents > 0));
create table stock (product_id int references products, warehouse_id int references warehouses, pieces int not null, primary key (product_id, warehouse_id), check (product_id % 250 <> 0 or warehouse_id <> 1 or takes_time(product_id)));
create table orders (id bigserial primary key, customer_id int not null references customers, placed_at timestamptz not null, state text not null, check (id % 12500 <> 0 or takes_time(id)));
create table order_lines (order_id bigint references orders, line int, product_id int not null references products, pieces int not null, primary key (order_id, line), check (order_id % 12500 <> 0 or line <> 1 or takes_time(order_id)));
create table payments (id int primary key, order_id bigint not null references orders, cents int not null, token bytea not null, check (id % 12500 <> 0 or takes_time(id)));
create table audit_trail (id int primary key, at timestamptz not null, what jsonb not null, check (id % 15000 <> 0 or takes_time(id)));
insert into customers select n, 'Customer ' || n, 'c' || n || '@shop.example', date '2020-01-01' + n % 2000 from generate_series(1, 20000) n;
insert into warehouses select n, 'City ' || n from generate_series(1, 20) n;
insert into products select n, 'SKU-' || n, 'Product ' || n || repeat(' fine', n % 7), 100 + n % 900 from generate_series(1, 2000) n;
insert into stock select p, w, (p * w) % 97 from generate_series(1, 2000) p, generate_series(1, 20) w;
insert into orders (customer_id, placed_at, state) select 1 + n % 20000, timestamptz '2026-01-01 00:00:00+00' + n * interval '1 minute', (array['new', 'paid', 'sent'])[1 + n % 3] from generate_series(1, 100000) n;
insert into order_lines select 1 + n / 2, 1 + n % 2, 1 + n % 2000, 1 + n % 5 from generate_series(0, 199999) n;
insert into payments select n, n, 100 + n % 9000, decode(md5(n::text), 'hex') from generate_series(1, 100000) n;
insert into audit_trail select n, timestamptz '2026-01-01 00:00:00+00' + n * interval '7 seconds', jsonb_build_object('order', n, 'note', repeat(md5(n::text), 3)) from generate_series(1, 120000) n;
create index on orders (customer_id, placed_at);
create index on order_lines (product_id);
create index on payments (order_id);
create index on audit_trail using gin (what jsonb_path_ops);
create index on warehouses (takes_time(id));
create view open_orders as select * from orders where state <> 'sent';
";

/// What is counted and digested: by table `rows digest`, and the definitions around them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tables {
    /// Rows and the digest over all of them, ordered, by table.
    pub(crate) rows: BTreeMap<String, String>,
    /// Indexes, constraints, functions, views and the state of sequences.
    pub(crate) definitions: Vec<String>,
}

/// Connects to one database of a server, which `url` leads to.
async fn connect(url: &str, database: &str) -> Result<tokio_postgres::Client> {
    let mut config: Config = url
        .parse()
        .context("the address of PostgreSQL is malformed")?;
    config.dbname(database).application_name("e2e");
    let (client, connection) = timeout(CALL_LIMIT, config.connect(NoTls))
        .await
        .context("PostgreSQL does not answer")?
        .with_context(|| format!("cannot connect to database `{database}`"))?;
    tokio::spawn(connection);
    Ok(client)
}

/// Runs statements in one database.
pub(crate) async fn execute(url: &str, database: &str, sql: &str) -> Result<()> {
    let client = connect(url, database).await?;
    timeout(CALL_LIMIT, client.batch_execute(sql))
        .await
        .context("PostgreSQL does not answer")??;
    Ok(())
}

/// Returns the first column of a query as text.
pub(crate) async fn column(url: &str, database: &str, sql: &str) -> Result<Vec<String>> {
    let client = connect(url, database).await?;
    let rows = timeout(CALL_LIMIT, client.query(sql, &[]))
        .await
        .context("PostgreSQL does not answer")??;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Makes a database with all its rows.
pub(crate) async fn fill(url: &str, database: &str, sql: &str) -> Result<()> {
    execute(url, "postgres", &format!("create database {database}")).await?;
    execute(url, database, sql)
        .await
        .with_context(|| format!("cannot fill the database `{database}`"))
}

/// Dumps a database into a file of PostgreSQL's own format.
pub(crate) async fn dump(bin: &Path, url: &str, database: &str, file: &Path) -> Result<()> {
    let config: Config = url
        .parse()
        .context("the address of PostgreSQL is malformed")?;
    let port = config.get_ports().first().context("no port")?.to_string();
    let password = config.get_password().context("no password")?;
    let run = Command::new(bin.join("pg_dump"))
        .args(["--format=custom", "--host=127.0.0.1", "--username=postgres"])
        .args(["--port", &port, "--dbname", database, "--file"])
        .arg(file)
        .env("PGPASSWORD", String::from_utf8_lossy(password).as_ref())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(CALL_LIMIT, run)
        .await
        .context("`pg_dump` does not end")??;
    if !output.status.success() {
        bail!(
            "`pg_dump` failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

/// Counts and digests everything; drplan's own marker is no part of it.
pub(crate) async fn tables(url: &str, database: &str) -> Result<Tables> {
    const NAMES: &str = "select table_name::text from information_schema.tables \
                         where table_schema = 'public' and table_type = 'BASE TABLE' order by 1";
    const DEFINITIONS: &str = "
        select indexdef from pg_indexes where schemaname = 'public'
        union all select conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
          from pg_constraint where connamespace = 'public'::regnamespace
        union all select pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace
        union all select viewname || ': ' || definition from pg_views where schemaname = 'public'
        union all select sequencename || ' at ' || coalesce(last_value, 0) from pg_sequences where schemaname = 'public'
        order by 1";
    let mut out = Tables {
        definitions: column(url, database, DEFINITIONS).await?,
        ..Tables::default()
    };
    for name in column(url, database, NAMES).await? {
        let sql = format!(
            "select count(*) || ' rows, digest ' || coalesce(md5(string_agg(d, '' order by d)), 'none') \
             from (select md5(t::text) d from public.\"{name}\" t) x"
        );
        let found = column(url, database, &sql).await?;
        out.rows.insert(name, found.concat());
    }
    Ok(out)
}

/// Compares two databases.
///
/// # Errors
///
/// Names each table and definition that differs, with both sides.
pub(crate) fn compare(expected: &Tables, found: &Tables) -> Result<()> {
    let mut wrong = Vec::new();
    for (table, rows) in &expected.rows {
        match found.rows.get(table) {
            None => wrong.push(format!("table `{table}` is missing")),
            Some(other) if other != rows => {
                wrong.push(format!("table `{table}`: expected {rows}, found {other}"));
            }
            Some(_) => {}
        }
    }
    let beside = found
        .rows
        .keys()
        .filter(|table| !expected.rows.contains_key(*table));
    wrong.extend(beside.map(|table| format!("table `{table}` was not on A")));
    let not_in = |some: &Tables, other: &Tables, what: &str| {
        let missing = some
            .definitions
            .iter()
            .filter(|d| !other.definitions.contains(d));
        missing.map(|d| format!("{what}: {d}")).collect::<Vec<_>>()
    };
    wrong.extend(not_in(expected, found, "definition is missing"));
    wrong.extend(not_in(found, expected, "definition was not on A"));
    if wrong.is_empty() {
        return Ok(());
    }
    bail!(
        "the database is not that of A:\n    {}",
        wrong.join("\n    ")
    )
}
