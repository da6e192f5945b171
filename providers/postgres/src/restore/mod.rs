//! The resource `postgres_restore`: a database that comes back from a dump.
//!
//! A restore goes into a staging database that carries its marker before anything else, and is
//! renamed into place last. What is in the way is renamed aside; the only database that is ever
//! dropped is an own unfinished staging database.
//!
//! Privileges of the dump are restored if every role that they name exists on the server; else all
//! of them are left out and the marker, the plan and the proof say so. Owners are never restored:
//! everything belongs to `owner`, or to the user of the connection. Settings of the database itself
//! (`ALTER DATABASE … SET`) and its locale are those of the server.

mod decide;
mod notes;
mod op;
mod progress;
mod prove;
mod script;
mod stage;
mod swap;

use drplan_api::Action;
use drplan_api::Acts;
use drplan_api::Arg;
use drplan_api::Because;
use drplan_api::Cap;
use drplan_api::Change;
use drplan_api::Def;
use drplan_api::Effect;
use drplan_api::Fut;
use drplan_api::Given;
use drplan_api::Hazard;
use drplan_api::HazardLevel;
use drplan_api::Json;
use drplan_api::Kind;
use drplan_api::Lack;
use drplan_api::Landed;
use drplan_api::Mode;
use drplan_api::Notes;
use drplan_api::Pending;
use drplan_api::PlanCx;
use drplan_api::Planned;
use drplan_api::Progress;
use drplan_api::Proof;
use drplan_api::Proposal;
use drplan_api::ProviderError;
use drplan_api::ReadCx;
use drplan_api::Repeat;
use drplan_api::Schema;
use drplan_api::Seen;
use drplan_api::Stage;
use drplan_api::Type;
use drplan_api::View;
use drplan_api::Want;
use drplan_api::Wires;
use drplan_api::WriteCx;
use serde::Deserialize;
use serde_json::json;

use crate::asks;
use crate::dump::DumpRef;
use crate::sql::ident;
use decide::Class;
use decide::Database;
use decide::InPlace;
pub use decide::RestoreSeen;
use decide::decoded;
use decide::size;
use op::Replaces;
pub use op::RestoreOp;
use op::Source;

/// How many tables and indexes are restored at once if the spec does not say.
const JOBS_DEFAULT: u32 = 2;
/// The most that a spec may ask for.
const JOBS_MAX: u32 = 64;
/// The databases that every server has.
const SERVERS_OWN: &[&str] = &["postgres", "template0", "template1"];
/// The most bytes of a name in PostgreSQL, which cuts longer ones.
const DATABASE_BYTES_MAX: usize = 63;
/// How many objects in the way a conflict names.
const OBJECTS_NAMED_MAX: usize = 20;

/// The resource `postgres_restore`.
#[derive(Clone, Copy, Debug, Default)]
pub struct PostgresRestore;

/// Arguments of [`PostgresRestore`].
#[derive(Clone, Debug, Deserialize)]
pub struct PostgresRestoreSpec {
    database: String,
    dump: DumpRef,
    #[serde(default)]
    alive: Option<AliveSpec>,
    #[serde(default)]
    jobs: Option<u32>,
    #[serde(default)]
    owner: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct AliveSpec {
    sql: String,
}

impl Kind for PostgresRestore {
    type Spec = PostgresRestoreSpec;
    type State = RestoreSeen;
    type Op = RestoreOp;

    fn def(&self) -> Def {
        Def {
            name: "postgres_restore",
            doc: "A PostgreSQL database that comes back from a dump if it is not alive.",
            mode: Mode::Goal,
            schema: schema(),
            stage: Some(Stage::Databases),
            roles: &[("database", "postgres"), ("bucket", "s3")],
            envelope: &[Action::Restore],
            hazard_max: HazardLevel::Reversible,
            cutover: false,
            op_version: 1,
        }
    }

    fn check(&self, given: &mut Given<'_>) {
        let hint =
            "write the name of the database itself, 1 to 63 bytes; those of the server are no goal";
        given.is(
            "database",
            is_database,
            "name for a restored database",
            hint,
        );
        given.says_something("owner");
        given.is_whole("jobs", 1..=i64::from(JOBS_MAX));
        let alive = given.get("alive").and_then(|alive| alive["sql"].as_str());
        if alive.is_some_and(|sql| sql.trim().is_empty()) {
            let hint = "write a query whose first column is true, or remove `alive`";
            given.refuse("alive", "`alive` asks nothing", Some(hint));
        }
    }

    fn observe(
        &self,
        want: &Want<Self::Spec>,
        view: &View<'_>,
    ) -> Result<Seen<Self::State>, Pending> {
        if let Some(lack) = Lack::of(view.target(want.conn("database"))?) {
            return Ok(Seen::Absent(lack));
        }
        let seen = match read(want, view)? {
            Ok(seen) => seen,
            Err(error) => return Ok(Seen::Unreadable(error)),
        };
        Ok(Seen::Present(seen))
    }

    fn wires(&self, want: &Want<Self::Spec>, _: &View<'_>) -> Wires {
        let database = &want.spec.database;
        Wires {
            gives: vec![(
                Cap::on(want.conn("database"), "database", database),
                format!("restores database `{database}`").into(),
            )],
            ..Wires::default()
        }
    }

    fn plan(
        &self,
        cx: &PlanCx,
        want: &Want<Self::Spec>,
        seen: &Seen<Self::State>,
    ) -> Planned<Self::Op> {
        if let Some(why) = refused(want) {
            return Planned::Blocked(why.into());
        }
        let database = &want.spec.database;
        match seen {
            Seen::Present(seen) => decide(cx, want, seen),
            Seen::Absent(Lack::Lost { domain }) => Planned::Blocked(
                format!(
                    "the server `{}` was declared lost with `{domain}`",
                    want.conn("database")
                )
                .into(),
            ),
            Seen::Absent(_) => step(
                want,
                &nothing_there(),
                format!("database `{database}` is missing: its server is yet to be made").into(),
            ),
            Seen::Unreadable(error) => Planned::Blocked(error.to_string().into()),
        }
    }

    fn outputs(&self, want: &Want<Self::Spec>, seen: &Seen<Self::State>) -> Json {
        let mut out = json!({ "database": want.spec.database });
        if let Seen::Present(seen) = seen
            && let Class::Ours(marker) = seen.class(&want.recovery)
            && let Some(rows) = &marker.rows
        {
            out["rows"] = json!(rows);
        }
        out
    }

    fn tools(&self, _: &Want<Self::Spec>) -> Vec<Vec<String>> {
        let told = |tool: &&str| vec![(*tool).to_owned(), "--version".to_owned()];
        stage::TOOLS.iter().map(told).collect()
    }

    fn notes(&self, _: &PlanCx, want: &Want<Self::Spec>, seen: &Seen<Self::State>) -> Notes {
        match seen {
            Seen::Present(seen) => notes::notes(want, seen),
            _ => notes::notes(want, &nothing_there()),
        }
    }
}

fn schema() -> Schema {
    Schema {
        args: vec![
            Arg::required("database", Type::String, "The name of the database."),
            Arg::required(
                "dump",
                Type::Reference(&["dump_archive"]),
                "The dump: `data.dump_archive.NAME`.",
            ),
            Arg::optional(
                "alive",
                Type::Object(vec![Arg::required(
                    "sql",
                    Type::String,
                    "A query whose first column is true if the database holds what it should.",
                )]),
                "How to tell that the database lives without having been restored. Asked in a \
                 transaction that can only read.",
            ),
            Arg::optional(
                "jobs",
                Type::Number,
                "How many tables and indexes are restored at once, 1 to 64; 2 if not given.",
            ),
            Arg::optional(
                "owner",
                Type::String,
                "The role that owns the database and everything in it; the user of the connection \
                 if not given. It must exist.",
            ),
        ],
        exports: vec![
            ("database", "The name of the database."),
            (
                "rows",
                "Rows of each table with data, known when it has been restored.",
            ),
        ],
    }
}

type Read = Result<RestoreSeen, ProviderError>;

fn read(want: &Want<PostgresRestoreSpec>, view: &View<'_>) -> Result<Read, Pending> {
    let conn = want.conn("database");
    let (databases, roles) = (asks::databases(conn), asks::roles(conn));
    view.want(&roles);
    let databases: Vec<Database> = match view.get(&databases)?.as_ref().map(|json| decoded(json)) {
        Ok(Ok(databases)) => databases,
        Ok(Err(error)) => return Ok(Err(error)),
        Err(error) => return Ok(Err(error.clone())),
    };
    let in_place = match databases.iter().find(|d| d.name == want.spec.database) {
        Some(database) => match in_place(want, view, database)? {
            Ok(found) => Some(found),
            Err(error) => return Ok(Err(error)),
        },
        None => None,
    };
    let roles: Vec<String> = match view.get(&roles)?.as_ref().map(|json| decoded(json)) {
        Ok(Ok(roles)) => roles,
        Ok(Err(error)) => return Ok(Err(error)),
        Err(error) => return Ok(Err(error.clone())),
    };
    let needed = want.spec.dump.roles.iter();
    Ok(Ok(RestoreSeen {
        databases,
        in_place,
        roles_missing: needed.filter(|r| !roles.contains(r)).cloned().collect(),
    }))
}

fn in_place(
    want: &Want<PostgresRestoreSpec>,
    view: &View<'_>,
    database: &Database,
) -> Result<Result<InPlace, ProviderError>, Pending> {
    let conn = want.conn("database");
    let marker = asks::marker(conn, &database.name);
    let tables = asks::tables(conn, &database.name);
    let question = want.spec.alive.as_ref();
    let alive = question.map(|alive| asks::alive(conn, &database.name, &alive.sql));
    for query in [Some(&marker), Some(&tables), alive.as_ref()]
        .into_iter()
        .flatten()
    {
        view.want(query);
    }
    let (marker, tables) = (view.get(&marker)?, view.get(&tables)?);
    let alive = alive.as_ref().map(|alive| view.get(alive)).transpose()?;
    let decode = || {
        Ok(InPlace {
            bytes: database.bytes,
            marker: decoded(marker.as_ref().map_err(Clone::clone)?)?,
            objects: decoded(tables.as_ref().map_err(Clone::clone)?)?,
            alive: match alive {
                Some(answer) => decoded(answer.as_ref().map_err(Clone::clone)?)?,
                None => None,
            },
        })
    };
    Ok(decode())
}

fn nothing_there() -> RestoreSeen {
    RestoreSeen {
        databases: Vec::new(),
        in_place: None,
        roles_missing: Vec::new(),
    }
}

/// Says what is wrong with the arguments beyond their types.
fn refused(want: &Want<PostgresRestoreSpec>) -> Option<String> {
    let spec = &want.spec;
    if spec.dump.conn != *want.conn("bucket") {
        return Some(format!(
            "the dump lies in `{}`, and this resource reads from `{}`",
            spec.dump.conn,
            want.conn("bucket")
        ));
    }
    None
}

/// Tells whether a database can have this name and be restored under it.
fn is_database(name: &str) -> bool {
    let is_the_servers = SERVERS_OWN.contains(&name);
    !name.is_empty() && name.len() <= DATABASE_BYTES_MAX && !is_the_servers
}

fn decide(cx: &PlanCx, want: &Want<PostgresRestoreSpec>, seen: &RestoreSeen) -> Planned<RestoreOp> {
    let database = &want.spec.database;
    let because = |text: String| Because::from(text);
    match seen.class(&want.recovery) {
        Class::Ours(marker) => Planned::Nothing(because(format!(
            "database `{database}` was restored from `{}` by this recovery",
            marker.source
        ))),
        Class::Alive(alive) => Planned::Nothing(because(format!(
            "database `{database}` is alive: `alive.sql` says so, {}",
            alive.why
        ))),
        Class::Absent => step(
            want,
            seen,
            because(format!("database `{database}` is missing")),
        ),
        Class::Empty => step(
            want,
            seen,
            because(format!("database `{database}` is empty")),
        ),
        Class::Unfinished => Planned::Conflict(
            because(format!(
                "database `{database}` carries this recovery's marker but was never finished; \
                 rename it away by hand: ALTER DATABASE {} RENAME TO {}",
                ident(database),
                ident(&aside(want, seen)),
            )),
            Vec::new(),
        ),
        Class::Foreign(found) if cx.accept_overwrite => step(
            want,
            seen,
            because(format!(
                "database `{database}` holds {} and was given up by a person",
                held(found)
            )),
        ),
        Class::Foreign(found) => Planned::Conflict(
            because(format!(
                "database `{database}` holds {} that did not come from this recovery{}",
                held(found),
                match &found.marker {
                    Some(m) => format!(" but from `{}` by recovery `{}`", m.source, m.recovery),
                    None => String::new(),
                }
            )),
            objects_in_the_way(found),
        ),
    }
}

fn held(found: &InPlace) -> String {
    let bytes: u64 = found.objects.iter().map(|o| o.bytes).sum();
    let bytes = size(found.bytes.unwrap_or(bytes));
    match found.objects.len() {
        1 => format!("1 object ({bytes})"),
        n => format!("{n} objects ({bytes})"),
    }
}

fn objects_in_the_way(found: &InPlace) -> Vec<Change> {
    let objects = found.objects.iter().take(OBJECTS_NAMED_MAX);
    objects
        .map(|object| Change {
            path: object.name.clone(),
            before: Some(json!(format!("{}, {}", object.sort, size(object.bytes)))),
            after: None,
            sensitive: false,
            text: None,
        })
        .collect()
}

fn aside(want: &Want<PostgresRestoreSpec>, seen: &RestoreSeen) -> String {
    op::aside_name(&want.spec.database, &want.hash, seen.names())
}

fn step(
    want: &Want<PostgresRestoreSpec>,
    seen: &RestoreSeen,
    because: Because,
) -> Planned<RestoreOp> {
    let (spec, class) = (&want.spec, seen.class(&want.recovery));
    let (database, dump) = (&spec.database, &spec.dump);
    let op = RestoreOp {
        database: database.clone(),
        staging: op::staging_name(database, &want.hash),
        aside: aside(want, seen),
        replaces: match class {
            Class::Foreign(_) => Replaces::Accepted,
            _ => Replaces::Empty,
        },
        owner: spec.owner.clone(),
        jobs: spec.jobs.unwrap_or(JOBS_DEFAULT),
        source: Source {
            bucket: dump.bucket.clone(),
            key: dump.key.clone(),
            etag: dump.etag.clone(),
            bytes: dump.bytes,
            tables: dump.tables.len() as u64,
        },
        want: want.hash.clone(),
    };
    let before = match class {
        Class::Foreign(found) => Some(json!(held(found))),
        Class::Empty => Some(json!("empty")),
        _ => None,
    };
    Planned::Step(Box::new(Proposal {
        action: Action::Restore,
        because,
        diff: vec![Change {
            path: database.clone(),
            before,
            after: Some(json!(format!(
                "{} tables with data from `{}` of {}",
                dump.tables.len(),
                dump.key,
                dump.at
            ))),
            sensitive: false,
            text: None,
        }],
        hazard: hazard(&op, &class),
        effects: effects(&op, &class),
        binding: json!({
            "database": class.binding(),
            "dump": { "key": dump.key, "etag": dump.etag },
        }),
        op,
    }))
}

fn hazard(op: &RestoreOp, class: &Class<'_>) -> Hazard {
    let what = match class {
        Class::Empty => "the empty database".to_owned(),
        Class::Foreign(found) => format!("the database with {}", held(found)),
        _ => return Hazard::none(),
    };
    Hazard::reversible(format!(
        "{what} is renamed from `{}` to `{}` and kept; to go back, rename both",
        op.database, op.aside
    ))
}

fn effects(op: &RestoreOp, class: &Class<'_>) -> Vec<Effect> {
    let rename =
        |from: &str, to: &str| format!("ALTER DATABASE {} RENAME TO {}", ident(from), ident(to));
    let mut back = vec![rename(&op.database, &op.staging)];
    if matches!(class, Class::Empty | Class::Foreign(_)) {
        back.push(rename(&op.aside, &op.database));
    }
    vec![
        Effect {
            verb: "sql".to_owned(),
            object: format!("database {}", op.staging),
            repeat: Repeat::Staged,
            inverse: Some(json!({ "sql": [format!("DROP DATABASE {}", ident(&op.staging))] })),
        },
        Effect {
            verb: "sql".to_owned(),
            object: format!("database {}", op.database),
            repeat: Repeat::Staged,
            inverse: Some(json!({ "sql": back })),
        },
    ]
}

impl Acts for PostgresRestore {
    fn begin<'a>(
        &'a self,
        cx: &'a WriteCx,
        op: &'a RestoreOp,
        n: usize,
    ) -> Fut<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            match n {
                0 => stage::begin(cx, op).await,
                _ => swap::begin(cx, op).await,
            }
        })
    }

    fn probe<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a RestoreOp,
        n: usize,
    ) -> Fut<'a, Result<Landed, ProviderError>> {
        Box::pin(async move {
            match n {
                0 => progress::probe(cx, op).await,
                _ => swap::probe(cx, op).await,
            }
        })
    }

    fn poll<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a RestoreOp,
        n: usize,
    ) -> Fut<'a, Result<Progress, ProviderError>> {
        Box::pin(async move {
            match n {
                0 => progress::poll(cx, op).await,
                _ => swap::poll(cx, op).await,
            }
        })
    }

    fn prove<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a RestoreOp,
    ) -> Fut<'a, Result<Proof, ProviderError>> {
        Box::pin(prove::prove(cx, op))
    }
}

#[cfg(test)]
mod tests;
