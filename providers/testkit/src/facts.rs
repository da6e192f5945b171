//! Rounds of looking and fetching, as the engine does them.

use std::collections::BTreeMap;
use std::sync::Arc;

use drplan_api::Ask;
use drplan_api::Conn;
use drplan_api::ConnId;
use drplan_api::DynKind;
use drplan_api::Facts;
use drplan_api::LookError;
use drplan_api::Looked;
use drplan_api::PlanCx;
use drplan_api::Query;
use drplan_api::RawWant;
use drplan_api::TargetState;
use drplan_api::View;

/// The most rounds of looking and fetching before one decision; the engine's own bound.
const ROUNDS_MAX: usize = 8;

/// Looks until nothing is missing.
pub(crate) async fn look(
    kind: &dyn DynKind,
    cx: &PlanCx,
    want: &RawWant,
    conns: &BTreeMap<ConnId, Arc<dyn Conn>>,
    mut facts: Facts,
) -> Result<Looked, LookError> {
    for _ in 0..ROUNDS_MAX {
        let (looked, queries, targets) = {
            let view = View::new(&facts);
            let looked = kind.look(cx, want, &view);
            let (queries, targets) = view.missing();
            (looked, queries, targets)
        };
        match looked {
            Err(LookError::Pending) => {}
            answer => return answer,
        }
        assert!(
            !queries.is_empty() || !targets.is_empty(),
            "`{}` is pending and misses nothing, so it would never end",
            want.address
        );
        for id in targets {
            let state = match open(conns, &id).identity().await {
                Ok(identity) => TargetState::Ready(identity),
                Err(error) => TargetState::Unreadable(error),
            };
            facts.targets.insert(id, state);
        }
        fetch(conns, queries, &mut facts).await;
    }
    panic!(
        "`{}` still misses something after {ROUNDS_MAX} rounds",
        want.address
    );
}

async fn fetch(
    conns: &BTreeMap<ConnId, Arc<dyn Conn>>,
    queries: impl IntoIterator<Item = Query>,
    facts: &mut Facts,
) {
    let mut by_conn: BTreeMap<ConnId, Vec<Ask>> = BTreeMap::new();
    for query in queries {
        by_conn.entry(query.conn).or_default().push(query.ask);
    }
    for (conn, asks) in by_conn {
        let answers = open(conns, &conn).fetch(&asks).await;
        assert_eq!(
            answers.len(),
            asks.len(),
            "`{conn}` must give one answer for each question"
        );
        for (ask, answer) in asks.into_iter().zip(answers) {
            facts.answers.insert(
                Query {
                    conn: conn.clone(),
                    ask,
                },
                answer,
            );
        }
    }
}

fn open<'a>(conns: &'a BTreeMap<ConnId, Arc<dyn Conn>>, id: &ConnId) -> &'a dyn Conn {
    match conns.get(id) {
        Some(conn) => &**conn,
        None => panic!("no connection `{id}`: give the driver one with `.conn(\"{id}\", …)`"),
    }
}
