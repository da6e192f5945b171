//! Database servers with the databases that were listed.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Json;
use drplan_api::Standing;
use drplan_api::StandingTable;
use drplan_sandbox_postgres::Server;

use super::LoadedConnection;
use super::Said;
use super::count;
use super::named;

/// The database that every server has.
const EVERYWHERE: &str = "postgres";

/// Makes the databases that were listed, by whichever connection that led to the server. Their rows are not known; how many there are is, where a marker
/// counts them.
pub(in crate::world) fn database(
    name: &str,
    server: &Server,
    connections: &[Said<'_>],
) -> Vec<LoadedConnection> {
    let (mut holds, mut lacks) = (Vec::new(), Vec::new());
    let mut names: BTreeSet<String> = BTreeSet::new();
    let mut tables: BTreeMap<&str, &[StandingTable]> = BTreeMap::new();
    let mut markers: BTreeMap<&str, &Json> = BTreeMap::new();
    for one in connections.iter().flat_map(|(_, standing)| *standing) {
        match one {
            Standing::Databases(all) => names.extend(all.iter().cloned()),
            Standing::Tables {
                database,
                tables: all,
            } => {
                tables.insert(database, all);
            }
            Standing::Marker { database, row } => {
                markers.insert(database, row);
            }
            _ => {}
        }
    }
    let (mut unseen, mut uncounted, mut made) = (Vec::new(), 0, 0);
    for name in &names {
        let (known, marker) = (tables.get(name.as_str()), markers.get(name.as_str()));
        match server.take_up(name, known.copied().unwrap_or_default(), marker.copied()) {
            Ok(n) => {
                uncounted += n;
                made += 1;
            }
            Err(why) => lacks.push(format!("the database `{name}`: {why}")),
        }
        if known.is_none() && name != EVERYWHERE {
            unseen.push(name.clone());
        }
    }
    holds.push(count(made, "database", "databases"));
    if !markers.is_empty() {
        let marked = count(markers.len(), "of them carries", "of them carry");
        holds.push(format!("{marked} the mark of a restore"));
    }
    if !unseen.is_empty() {
        let names = named(&unseen);
        lacks.push(format!(
            "what is in the databases {names}: they are empty here"
        ));
    }
    if uncounted > 0 {
        let what = count(uncounted, "table", "tables");
        lacks.push(format!("the rows of {what}: one stands for all"));
    }
    LoadedConnection::of_server(connections, |loaded| {
        loaded.part = format!("postgres \"{name}\"");
        loaded.holds = holds;
        loaded.lacks = lacks;
    })
}
