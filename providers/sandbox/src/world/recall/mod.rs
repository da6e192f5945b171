//! A world that begins where a recording of the real one ended.
//!
//! The world file says what there is: which clusters, servers, buckets and programs. The recording says
//! how they were when somebody looked. What it does not say, the world does not invent; it is told.

mod buckets;
mod clusters;
mod databases;
mod machine;
mod zones;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use drplan_api::ConnId;
use drplan_api::Standing;
use drplan_api::Timestamp;
use serde::Serialize;

use super::WorldError;
use super::commands::CommandLine;
use super::file::WorldFile;

pub(super) use buckets::buckets;
pub(super) use clusters::cluster;
pub(super) use databases::database;
pub(super) use machine::machine;
pub(super) use zones::zones;

/// How long a world lives before the moment of the recording, so that what runs in its clusters is as
/// ready as it was.
pub(super) const SETTLES: Duration = Duration::from_mins(3);
/// How many names a line tells.
const NAMES_MAX: usize = 5;

/// What a recording says, and what the spec says that it was made for.
#[derive(Clone, Debug)]
pub struct Recall {
    /// When somebody looked.
    pub at: Timestamp,
    /// What stood behind each connection that answered.
    pub connections: BTreeMap<ConnId, Vec<Standing>>,
    /// The command lines of the spec: how what runs was started.
    pub commands: Vec<CommandLine>,
    /// The files and folders that the spec reads, relative to its own: no recording writes there.
    pub reads: BTreeSet<PathBuf>,
}

/// A connection, and what stood behind it.
pub(super) type Said<'r> = (&'r ConnId, &'r [Standing]);

/// The part of the world behind each connection that needs one.
pub(super) type Parts = BTreeMap<ConnId, Part>;

/// A block of the world file, and its name.
pub(super) type Part = (&'static str, String);

/// What was made of it, connection by connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Loaded {
    /// The connections, in order of name.
    pub connections: Vec<LoadedConnection>,
}

/// What was made of one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LoadedConnection {
    /// Its name.
    pub connection: String,
    /// The part of the world behind it, as `cluster "b"`.
    pub part: String,
    /// What is there now.
    pub holds: Vec<String>,
    /// What is missing or otherwise than it was.
    pub lacks: Vec<String>,
    /// The objects with values that stand for hidden ones, as plans name them: `v1/Secret shop/db`.
    pub stand_ins: Vec<String>,
}

impl Loaded {
    /// Tells of every connection that answered: of those that nothing was made of, and what nothing can be
    /// made of in the others.
    pub(super) fn complete(&mut self, recall: &Recall) {
        for (connection, standing) in &recall.connections {
            let name = connection.as_str();
            let found = self.connections.iter().position(|c| c.connection == name);
            let at = found.unwrap_or_else(|| {
                let mut loaded = LoadedConnection::of(connection, connection.system().to_owned());
                loaded
                    .lacks
                    .push("what it answered: the world file says it".to_owned());
                self.connections.push(loaded);
                self.connections.len() - 1
            });
            let unknown = standing.iter().filter_map(|one| match one {
                Standing::Unknown(what) => Some(what.clone()),
                _ => None,
            });
            self.connections[at].lacks.extend(unknown);
        }
        let by_name = |a: &LoadedConnection, b: &LoadedConnection| a.connection.cmp(&b.connection);
        self.connections.sort_by(by_name);
    }
}

impl LoadedConnection {
    fn of(connection: &ConnId, part: String) -> Self {
        Self {
            connection: connection.to_string(),
            part,
            ..Self::default()
        }
    }

    /// What was made of one server: `made` tells it at the first of the connections that led to it, the
    /// others lead there.
    fn of_server(connections: &[Said<'_>], made: impl FnOnce(&mut Self)) -> Vec<Self> {
        let Some(((first, _), others)) = connections.split_first() else {
            return Vec::new();
        };
        let mut told = Self::of(first, String::new());
        made(&mut told);
        let part = told.part.clone();
        let same = |(other, _): &Said<'_>| Self {
            holds: vec![format!(
                "what is told at {first}, which led to the same server"
            )],
            ..Self::of(other, part.clone())
        };
        std::iter::once(told)
            .chain(others.iter().map(same))
            .collect()
    }
}

/// The system that reaches the servers that a block of a world file declares, if a system does.
#[must_use]
pub fn reached_by(block: &str) -> Option<&'static str> {
    let sort = SERVERS.iter().find(|(_, declared, _)| *declared == block);
    sort.map(|(system, ..)| *system)
}

/// The sorts of servers of which a world may have several: the system that reaches them, the block that
/// declares them, and an example of what such a block must say.
const SERVERS: [(&str, &str, &str); 2] = [
    (
        "kubernetes",
        "cluster",
        "server = \"https://NAME.example:6443\"",
    ),
    (
        "postgres",
        "postgres",
        "address = \"NAME.example:5432\", user, password",
    ),
];

/// Which server of the world stands behind each connection that needs one.
pub(super) fn places(file: &WorldFile, recall: &Recall) -> Result<Parts, WorldError> {
    let mut out = BTreeMap::new();
    for connection in recall.connections.keys() {
        let sort = SERVERS
            .iter()
            .find(|(system, ..)| *system == connection.system());
        let Some((_, block, says)) = sort else {
            continue;
        };
        let name = connection.as_str().rsplit('.').next().unwrap_or_default();
        // What somebody wrote down goes before what a name seems to say.
        let given = |(_, connections): &(&String, &Vec<String>)| {
            connections.iter().any(|c| c == connection.as_str())
        };
        let same = |(server, connections): &(&String, &Vec<String>)| {
            connections.is_empty() && *server == name
        };
        let found = servers(file, block)
            .find(given)
            .or_else(|| servers(file, block).find(same));
        let found = found
            .map(|(server, _)| server.clone())
            .ok_or_else(|| WorldError::NoPlace {
                connection: connection.to_string(),
                block: format!("{block} \"{name}\" {{ {} }}", says.replace("NAME", name)),
            })?;
        out.insert(connection.clone(), (*block, found));
    }
    one_each(recall, &out)?;
    Ok(out)
}

/// Each server that a connection leads to, with what all those connections say of it.
pub(super) fn by_part<'r>(
    recall: &'r Recall,
    places: &'r Parts,
) -> BTreeMap<&'r Part, Vec<Said<'r>>> {
    let mut out: BTreeMap<&Part, Vec<Said<'_>>> = BTreeMap::new();
    for (connection, place) in places {
        if let Some(standing) = recall.connections.get(connection) {
            let said = out.entry(place).or_default();
            said.push((connection, standing));
        }
    }
    out
}

/// Refuses two connections that lead to one server here and led to different ones. Whoever could not read
/// who answered may have led anywhere.
fn one_each(recall: &Recall, places: &Parts) -> Result<(), WorldError> {
    let mut seen: BTreeMap<&Part, (&ConnId, &str)> = BTreeMap::new();
    for (connection, place) in places {
        let Some(identity) = identity(recall, connection) else {
            continue;
        };
        let (one, first) = *seen.entry(place).or_insert((connection, identity));
        if first != identity {
            return Err(WorldError::TwoInOne {
                one: one.to_string(),
                other: connection.to_string(),
                block: place.0,
                name: place.1.clone(),
            });
        }
    }
    Ok(())
}

/// Who answered.
fn identity<'r>(recall: &'r Recall, connection: &ConnId) -> Option<&'r str> {
    let standing = recall.connections.get(connection)?;
    standing.iter().find_map(|one| match one {
        Standing::Identity(who) => Some(who.as_str()),
        _ => None,
    })
}

/// When a world begins that is to be as it was recorded.
pub(super) fn begins(recall: &Recall) -> Result<Timestamp, WorldError> {
    let begins = recall.at.checked_sub(SETTLES);
    begins.map_err(|_| WorldError::Recording {
        why: format!("{} is no time that a clock shows", recall.at),
    })
}

/// The servers of one sort, with the connections that lead to them.
fn servers<'f>(
    file: &'f WorldFile,
    block: &str,
) -> Box<dyn Iterator<Item = (&'f String, &'f Vec<String>)> + 'f> {
    if block == "cluster" {
        Box::new(
            file.cluster
                .iter()
                .map(|(name, part)| (name, &part.connections)),
        )
    } else {
        Box::new(
            file.postgres
                .iter()
                .map(|(name, part)| (name, &part.connections)),
        )
    }
}

/// Lets the servers of a world run that answered, in the versions that they had.
pub(super) fn awake(file: &mut WorldFile, recall: &Recall, places: &Parts) {
    for (connection, (block, name)) in places {
        let standing = recall.connections.get(connection).into_iter().flatten();
        if *block == "postgres" {
            let Some(part) = file.postgres.get_mut(name) else {
                continue;
            };
            part.running = true;
            for one in standing {
                if let Standing::Roles(roles) = one {
                    let new = roles.iter().filter(|role| **role != part.user);
                    part.roles = new.cloned().collect();
                }
            }
        } else if let Some(part) = file.cluster.get_mut(name) {
            part.running = true;
            for one in standing {
                if let Standing::Version(version) = one {
                    part.version = Some(version.clone());
                }
            }
        }
    }
}

/// The numbers of database servers, by name.
pub(super) fn numbers(recall: &Recall, places: &Parts) -> BTreeMap<String, u64> {
    let databases = places.iter().filter(|(_, (block, _))| *block == "postgres");
    let number = |(connection, (_, name)): (&ConnId, &(_, String))| {
        let number = identity(recall, connection)?.parse().ok()?;
        Some((name.clone(), number))
    };
    databases.filter_map(number).collect()
}

/// Writes a number with its noun.
fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// Writes names, so many as one line takes.
fn named(names: &[String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(NAMES_MAX)
        .map(|n| format!("`{n}`"))
        .collect();
    match names.len().saturating_sub(NAMES_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Two connections to one database server, with who answered each.
    fn placed(one: Option<&str>, other: Option<&str>) -> Result<Parts, WorldError> {
        let file = serde_json::from_value(json!({ "postgres": { "db": {
            "address": "db.example:5432", "user": "u", "password": "p",
            "connections": ["postgres.owner", "postgres.reader"],
        } } }));
        let said = |who: Option<&str>| {
            let who = who.map(|who| Standing::Identity(who.to_owned()));
            who.into_iter().collect()
        };
        let recall = Recall {
            at: Timestamp::UNIX_EPOCH,
            connections: BTreeMap::from([
                (ConnId::new("postgres.owner"), said(one)),
                (ConnId::new("postgres.reader"), said(other)),
            ]),
            commands: Vec::new(),
            reads: BTreeSet::new(),
        };
        places(&file.expect("a world file"), &recall)
    }

    #[test]
    fn two_connections_lead_to_one_server_unless_different_ones_are_known_to_have_answered() {
        assert!(placed(Some("7"), Some("7")).is_ok());
        assert!(placed(Some("7"), None).is_ok());
        let refused = placed(Some("7"), Some("8")).expect_err("two servers");
        assert!(matches!(refused, WorldError::TwoInOne { .. }), "{refused}");
    }
}
