//! An open connection to a database server.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use drplan_api::Answer;
use drplan_api::Ask;
use drplan_api::Conn;
use drplan_api::ConnId;
use drplan_api::Connecting;
use drplan_api::Effect;
use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::Given;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_api::Right;
use drplan_api::Schema;
use drplan_api::Standing;
use drplan_api::System;
use drplan_api::TargetId;
use drplan_api::Timestamp;
use drplan_api::digest;

use crate::asks;
use crate::catalogue;
use crate::client::PgClient;
use crate::config;
use crate::config::Config;
use crate::marker;
use crate::recall;
use crate::rights;

/// The name under which reads show among the server's sessions.
const READER: &str = "drplan";
/// The database that every server has.
const EVERYWHERE: &str = "postgres";
/// The database that is used where even that one is meant.
const TEMPLATE: &str = "template1";

/// The system `postgres`: one server or cluster of servers behind one address.
#[derive(Clone, Copy, Debug, Default)]
pub struct PostgresSystem;

impl System for PostgresSystem {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn schema(&self) -> Schema {
        config::schema()
    }

    fn check(&self, given: &mut Given<'_>) {
        given.says_something("ca");
        given.is_length("connect_timeout");
        given.is_length("statement_timeout");
    }

    fn connect<'a>(&'a self, cx: &'a Connecting) -> Fut<'a, Result<Arc<dyn Conn>, ProviderError>> {
        Box::pin(async move {
            let mut config = Config::read(&cx.config, cx.id.as_str(), &cx.base_dir)?;
            config.network.clone_from(&cx.doors.network);
            let conn = PgConn {
                id: cx.id.clone(),
                config,
            };
            conn.maintenance("", READER).await?;
            Ok(Arc::new(conn) as Arc<dyn Conn>)
        })
    }

    fn rights_to_ask(&self, asks: &[&Ask]) -> Vec<Right> {
        rights::to_ask(asks)
    }

    fn rights_to_do(&self, effect: &Effect) -> Vec<Right> {
        rights::to_do(effect)
    }

    fn untold(&self, effect: &Effect) -> Option<String> {
        rights::untold(effect)
    }

    fn grant(&self, rights: &[Right], _: &str, to: &str) -> String {
        rights::grant(rights, to)
    }

    fn recall(&self, who: &TargetId, answers: &[(&Ask, &Answer)]) -> Vec<Standing> {
        recall::standing(who, answers)
    }
}

/// An open connection to a database server; each use opens its own session to the database that it
/// is about.
pub struct PgConn {
    id: ConnId,
    config: Config,
}

impl PgConn {
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Opens a session to a database for reading.
    pub(crate) async fn reader(&self, database: &str) -> Result<PgClient, ProviderError> {
        self.open(database, READER).await
    }

    /// Opens a session to a database.
    pub(crate) async fn open(
        &self,
        database: &str,
        application: &str,
    ) -> Result<PgClient, ProviderError> {
        PgClient::open(&self.config, database, application).await
    }

    /// Opens a session to a database other than one that is to be renamed or made.
    pub(crate) async fn maintenance(
        &self,
        except: &str,
        application: &str,
    ) -> Result<PgClient, ProviderError> {
        let configured = Some(self.config.database.as_str()).filter(|&name| name != except);
        let always = if except == EVERYWHERE {
            TEMPLATE
        } else {
            EVERYWHERE
        };
        match configured {
            Some(name) if name != always => match self.open(name, application).await {
                Err(e) if e.kind == ErrorKind::NotFound => self.open(always, application).await,
                other => other,
            },
            _ => self.open(always, application).await,
        }
    }

    async fn answer(&self, client: &PgClient, ask: &Ask) -> Result<Json, ProviderError> {
        match ask.op.as_str() {
            asks::DATABASES => catalogue::databases(client).await,
            asks::ROLES => Ok(catalogue::roles(client).await?.into()),
            asks::TABLES => catalogue::objects(client).await,
            asks::MARKER => {
                let marker = marker::read(client).await?;
                Ok(serde_json::to_value(marker).unwrap_or(Json::Null))
            }
            asks::ALIVE => {
                let args: asks::Alive = ask.args()?;
                catalogue::alive(client, &args.sql).await
            }
            other => Err(ProviderError::new(
                ErrorKind::Bug,
                format!("answer the question `{other}`"),
                self.id.to_string(),
            )
            .because("a database server does not know it")),
        }
    }

    async fn session_for(&self, database: Option<&str>) -> Result<PgClient, ProviderError> {
        match database {
            Some(database) => self.reader(database).await,
            None => self.maintenance("", READER).await,
        }
    }
}

/// Returns the database that a question is about.
fn database_of(ask: &Ask) -> Option<String> {
    ask.args::<asks::InDatabase>()
        .ok()
        .map(|args| args.database)
}

impl Conn for PgConn {
    fn identity(&self) -> Fut<'_, Result<TargetId, ProviderError>> {
        Box::pin(async move {
            let client = self.maintenance("", READER).await?;
            let sql = "select system_identifier::text from pg_control_system()";
            match client
                .value::<String>(sql, &[], "read the system identifier")
                .await
            {
                Ok(Some(id)) => Ok(TargetId(format!("{}{id}", recall::BY_NUMBER))),
                Err(e) if e.kind != ErrorKind::Denied => Err(e),
                _ => {
                    let mut id = digest(self.config.place().as_bytes());
                    id.truncate(16);
                    Ok(TargetId(format!("postgres:at:{id}")))
                }
            }
        })
    }

    fn fetch<'a>(&'a self, asks: &'a [Ask]) -> Fut<'a, Vec<Answer>> {
        Box::pin(async move {
            // Questions about one database share a session; databases come one after the other, so
            // that a plan never takes more than one of the server's connections.
            let mut by_database: BTreeMap<Option<String>, Vec<usize>> = BTreeMap::new();
            for (n, ask) in asks.iter().enumerate() {
                by_database.entry(database_of(ask)).or_default().push(n);
            }
            let mut answers: BTreeMap<usize, Answer> = BTreeMap::new();
            for (database, numbers) in by_database {
                let client = self.session_for(database.as_deref()).await;
                for n in numbers {
                    let answer = match &client {
                        Ok(client) => self.answer(client, &asks[n]).await.map(Arc::new),
                        Err(e) => Err(e.clone()),
                    };
                    answers.insert(n, answer);
                }
            }
            answers.into_values().collect()
        })
    }

    fn good_until(&self) -> Fut<'_, Option<Timestamp>> {
        Box::pin(async move {
            let client = self.maintenance("", READER).await.ok()?;
            // A role that never ends says so with null or with infinity.
            let sql = "select extract(epoch from rolvaliduntil)::bigint from pg_roles \
                       where rolname = current_user and rolvaliduntil < 'infinity'";
            let during = "read how long the role is valid";
            let ends_s = client.value::<i64>(sql, &[], during).await.ok()??;
            Timestamp::from_second(ends_s).ok()
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
