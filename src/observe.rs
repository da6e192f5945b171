//! Reads the world: opens connections once, asks in bulk and concurrently, and fills in the facts.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use drplan_api::Ask;
use drplan_api::Conn;
use drplan_api::ConnId;
use drplan_api::Connecting;
use drplan_api::Doors;
use drplan_api::ErrorKind;
use drplan_api::Facts;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_api::Query;
use drplan_api::Registry;
use drplan_api::TargetId;
use drplan_api::TargetState;
use futures::future::join_all;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::bind::fill;
use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::diag::Diagnostics;
use crate::graph::Asks;
use crate::graph::Expanded;
use crate::graph::Expander;
use crate::graph::Round;
use crate::graph::Situation;
use crate::graph::TargetAsk;
use crate::lang::Expr;
use crate::outs::Outs;
use crate::patience::ASKED_AGAIN_WITHIN;
use crate::patience::READS_MAX;
use crate::patience::patiently;
use crate::patience::spread;
use crate::retry;
use crate::secrets::Secrets;
use crate::snapshot::Snapshot;

/// How often planning may come back for more facts. Each round settles at least one more layer of
/// data sources, providers or resources.
const ROUNDS_MAX: usize = 64;

/// How long opening a connection and asking who answers may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Opens connections and keeps them.
pub struct Observer {
    registry: Arc<Registry>,
    base_dir: PathBuf,
    doors: Doors,
    secrets: Arc<Secrets>,
    open: Mutex<BTreeMap<ConnId, Open>>,
}

#[derive(Clone)]
struct Open {
    config: Json,
    conn: Arc<dyn Conn>,
    id: TargetId,
}

impl Observer {
    /// Makes an observer without connections.
    pub fn new(
        registry: Arc<Registry>,
        base_dir: PathBuf,
        doors: Doors,
        secrets: Arc<Secrets>,
    ) -> Self {
        Self {
            registry,
            base_dir,
            doors,
            secrets,
            open: Mutex::default(),
        }
    }

    /// Opens a connection, or returns the one that is open with the same arguments. One attempt.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub async fn connect(
        &self,
        id: &ConnId,
        config: &Json,
        exprs: &[Arc<Expr>],
        outs: Option<&Outs>,
    ) -> Result<(Arc<dyn Conn>, TargetId), ProviderError> {
        let known = self
            .open
            .lock()
            .await
            .get(id)
            .filter(|o| o.config == *config)
            .cloned();
        if let Some(open) = known {
            return Ok((open.conn, open.id));
        }
        let system = self.registry.get_system(id.system()).ok_or_else(|| {
            ProviderError::new(ErrorKind::Bug, "open a connection", id.to_string())
                .because("this build has no such system")
        })?;
        let cx = Connecting {
            id: id.clone(),
            config: fill(config, exprs, outs, &self.secrets)?,
            base_dir: self.base_dir.clone(),
            doors: self.doors.clone(),
        };
        let both = async {
            let conn = system.connect(&cx).await?;
            let target = conn.identity().await?;
            Ok::<_, ProviderError>((conn, target))
        };
        let (conn, target) =
            tokio::time::timeout(CONNECT_TIMEOUT, both)
                .await
                .map_err(|_| {
                    ProviderError::new(ErrorKind::Unreachable, "open a connection", id.to_string())
                        .because(format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()))
                })??;
        let open = Open {
            config: config.clone(),
            conn: Arc::clone(&conn),
            id: target.clone(),
        };
        self.open.lock().await.insert(id.clone(), open);
        Ok((conn, target))
    }

    /// Returns a connection that is open.
    pub async fn opened(&self, id: &ConnId) -> Option<Arc<dyn Conn>> {
        let open = self.open.lock().await;
        open.get(id).map(|open| Arc::clone(&open.conn))
    }

    /// Forgets a connection, so that the next use opens it again.
    pub async fn forget(&self, id: &ConnId) {
        self.open.lock().await.remove(id);
    }

    /// Answers everything that planning asked for. All connections are asked at the same time; within
    /// one, its own bound holds.
    pub async fn answer(&self, asks: Asks, facts: &mut Facts) {
        let opened = join_all(
            asks.targets
                .iter()
                .map(|(id, ask)| self.target(id, ask, &asks.exprs)),
        )
        .await;
        for (id, state) in asks.targets.into_keys().zip(opened) {
            facts.targets.insert(id, state);
        }
        self.fetch(asks.queries, facts).await;
    }

    async fn target(&self, id: &ConnId, ask: &TargetAsk, exprs: &[Arc<Expr>]) -> TargetState {
        match ask {
            TargetAsk::Lost(domain) => TargetState::Lost {
                domain: domain.clone(),
            },
            TargetAsk::NotYet(made_by) => TargetState::NotYet {
                made_by: made_by.clone(),
            },
            TargetAsk::Open(config) => match self.open_patiently(id, config, exprs).await {
                Ok(target) => TargetState::Ready(target),
                Err(error) => TargetState::Unreadable(self.scrub(error)),
            },
        }
    }

    async fn open_patiently(
        &self,
        id: &ConnId,
        config: &Json,
        exprs: &[Arc<Expr>],
    ) -> Result<TargetId, ProviderError> {
        let until = Instant::now() + ASKED_AGAIN_WITHIN;
        let mut next = 2;
        loop {
            let error = match self.connect(id, config, exprs, None).await {
                Ok((_, target)) => return Ok(target),
                Err(error) => error,
            };
            let pause = retry::pause(&error, next, spread(&[], next));
            match pause.filter(|p| next <= READS_MAX && Instant::now() + *p < until) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            }
            next += 1;
        }
    }

    /// Fetches answers, and asks again what failed in a way that may pass by itself.
    pub async fn fetch(&self, queries: BTreeSet<Query>, facts: &mut Facts) {
        let mut by_conn: BTreeMap<ConnId, Vec<Ask>> = BTreeMap::new();
        for query in queries {
            by_conn.entry(query.conn).or_default().push(query.ask);
        }
        let open = self.open.lock().await.clone();
        let all = by_conn.into_iter().map(|(id, asks)| {
            let conn = open.get(&id).map(|o| Arc::clone(&o.conn));
            async move {
                let answers = match conn {
                    Some(conn) => patiently(&*conn, &asks).await,
                    None => vec![Err(not_open(&id)); asks.len()],
                };
                (id, asks, answers)
            }
        });
        for (id, asks, answers) in join_all(all).await {
            for (ask, answer) in asks.into_iter().zip(answers) {
                let answer = answer.map_err(|e| self.scrub(e));
                facts.answers.insert(
                    Query {
                        conn: id.clone(),
                        ask,
                    },
                    answer,
                );
            }
        }
    }

    /// Scrubs secrets from an error.
    pub fn scrub(&self, error: ProviderError) -> ProviderError {
        self.secrets.scrub_error(error)
    }
}

fn not_open(id: &ConnId) -> ProviderError {
    ProviderError::new(ErrorKind::Unreachable, "ask a connection", id.to_string())
        .because("the connection is not open")
}

/// Where answers come from.
pub enum Answers<'a> {
    /// From the world.
    World(&'a Observer),
    /// From a recording of it; nothing is opened.
    Snapshot(&'a Snapshot),
}

impl<'a> From<&'a Observer> for Answers<'a> {
    fn from(observer: &'a Observer) -> Self {
        Self::World(observer)
    }
}

impl<'a> From<&'a Arc<Observer>> for Answers<'a> {
    fn from(observer: &'a Arc<Observer>) -> Self {
        Self::World(observer)
    }
}

impl<'a> From<&'a Snapshot> for Answers<'a> {
    fn from(snapshot: &'a Snapshot) -> Self {
        Self::Snapshot(snapshot)
    }
}

/// Expands a spec against the world: rounds of asking until nothing is missing.
///
/// # Errors
///
/// All mistakes of the spec that show on the way.
pub async fn observe(
    situation: &Situation<'_>,
    answers: impl Into<Answers<'_>>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(Box<Expanded>, Facts), Diagnostics> {
    let answers = answers.into();
    let mut facts = Facts::default();
    let mut expander = Expander::new(situation)?;
    for round in 0..ROUNDS_MAX {
        match expander.round(&facts)? {
            (_, Round::Ready(expanded)) => return Ok((expanded, facts)),
            (Some(next), Round::Need(asks)) => {
                progress(round, asks.queries.len() + asks.targets.len());
                match &answers {
                    Answers::World(observer) => observer.answer(asks, &mut facts).await,
                    Answers::Snapshot(snapshot) => snapshot.answer(asks, &mut facts),
                }
                expander = next;
            }
            (None, Round::Need(_)) => break,
        }
    }
    let mut diags = Diagnostics::default();
    diags.push(Diagnostic::error(
        Code::LimitExceeded,
        format!("the spec needs more than {ROUNDS_MAX} rounds of reading"),
    ));
    Err(diags)
}
