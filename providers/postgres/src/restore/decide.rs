//! What the databases of a server mean for a restore. Pure.

use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_api::short_hash;
use serde::Deserialize;
use serde_json::json;

use crate::marker::Marker;

/// A database of the server.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Database {
    pub(super) name: String,
    pub(super) bytes: Option<u64>,
}

/// Something that users keep in a database.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Object {
    pub(super) name: String,
    pub(super) sort: String,
    pub(super) bytes: u64,
}

/// The answer to the user's question.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Alive {
    pub(super) alive: bool,
    pub(super) why: String,
}

/// The database that has the wanted name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct InPlace {
    pub(super) bytes: Option<u64>,
    pub(super) marker: Option<Marker>,
    pub(super) objects: Vec<Object>,
    pub(super) alive: Option<Alive>,
}

/// What is on the server.
#[derive(Clone, Debug, PartialEq)]
pub struct RestoreSeen {
    /// All databases.
    pub(super) databases: Vec<Database>,
    /// The one with the wanted name.
    pub(super) in_place: Option<InPlace>,
    /// Roles that the dump's privileges name and the server lacks.
    pub(super) roles_missing: Vec<String>,
}

/// What the database with the wanted name is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Class<'a> {
    /// It is not there.
    Absent,
    /// It is there, and nobody keeps anything in it.
    Empty,
    /// This recovery restored it, whole.
    Ours(&'a Marker),
    /// The user's question says that it lives.
    Alive(&'a Alive),
    /// This recovery began to restore it under this very name and did not finish.
    Unfinished,
    /// Somebody keeps something in it that did not come from this recovery.
    Foreign(&'a InPlace),
}

impl RestoreSeen {
    /// Sorts the database with the wanted name.
    pub(super) fn class(&self, recovery: &str) -> Class<'_> {
        let Some(found) = &self.in_place else {
            return Class::Absent;
        };
        let ours = found.marker.as_ref().filter(|m| m.recovery == recovery);
        match (ours, &found.alive) {
            (Some(marker), _) if marker.finished_at.is_some() => Class::Ours(marker),
            (_, Some(alive)) if alive.alive => Class::Alive(alive),
            (Some(_), _) => Class::Unfinished,
            (None, _) if found.objects.is_empty() && found.marker.is_none() => Class::Empty,
            (None, _) => Class::Foreign(found),
        }
    }

    /// Returns the names of all databases.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.databases.iter().map(|d| d.name.as_str())
    }
}

impl Class<'_> {
    /// Returns what the decision rests on. An empty database and none are the same: both make room.
    pub(super) fn binding(&self) -> Json {
        match self {
            Self::Absent | Self::Empty => json!("vacant"),
            Self::Ours(_) | Self::Alive(_) => json!("alive"),
            Self::Unfinished => json!("unfinished"),
            Self::Foreign(found) => {
                let mut names: Vec<&str> = found.objects.iter().map(|o| o.name.as_str()).collect();
                names.sort_unstable();
                json!(format!("foreign {}", short_hash(&names)))
            }
        }
    }
}

/// Decodes an answer whose form this crate itself made.
pub(super) fn decoded<T: serde::de::DeserializeOwned>(json: &Json) -> Result<T, ProviderError> {
    serde_json::from_value(json.clone()).map_err(|e| {
        ProviderError::new(drplan_api::ErrorKind::Bug, "read an answer", "drplan").caused_by(&e)
    })
}

/// Writes a size for people.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut unit = 0;
    let mut rest = bytes;
    while rest >= 10_000 && unit + 1 < UNITS.len() {
        rest /= 1000;
        unit += 1;
    }
    format!("{rest} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(recovery: &str, finished: bool) -> Marker {
        serde_json::from_value(json!({
            "source": "s3://b/k", "etag": "e", "recovery": recovery, "step": "postgres_restore.x",
            "run": "r", "want": "w", "attempt": "a", "started_at": "2026-01-01T00:00:00Z",
            "finished_at": finished.then_some("2026-01-01T00:01:00Z"), "rows": {"public.a": 1},
        }))
        .expect("a marker")
    }

    fn seen(marker: Option<Marker>, objects: usize, alive: Option<bool>) -> RestoreSeen {
        let object = |n| Object {
            name: format!("public.t{n}"),
            sort: "table".to_owned(),
            bytes: 8192,
        };
        RestoreSeen {
            databases: Vec::new(),
            in_place: Some(InPlace {
                bytes: Some(1),
                marker,
                objects: (0..objects).map(object).collect(),
                alive: alive.map(|alive| Alive {
                    alive,
                    why: String::new(),
                }),
            }),
            roles_missing: Vec::new(),
        }
    }

    #[test]
    fn a_database_is_what_its_marker_the_question_and_its_tables_say() {
        let word = |seen: RestoreSeen| match seen.class("shop") {
            Class::Absent => "absent",
            Class::Empty => "empty",
            Class::Ours(_) => "ours",
            Class::Alive(_) => "alive",
            Class::Unfinished => "unfinished",
            Class::Foreign(_) => "foreign",
        };
        let absent = RestoreSeen {
            in_place: None,
            ..seen(None, 0, None)
        };
        assert_eq!(word(absent), "absent");
        for (marker, objects, alive, expected) in [
            (None, 0, None, "empty"),
            (None, 0, Some(false), "empty"),
            (None, 0, Some(true), "alive"),
            (None, 2, None, "foreign"),
            (None, 2, Some(false), "foreign"),
            (None, 2, Some(true), "alive"),
            (Some(marker("shop", true)), 2, None, "ours"),
            (Some(marker("shop", true)), 2, Some(false), "ours"),
            (Some(marker("shop", true)), 0, None, "ours"),
            (Some(marker("shop", false)), 2, None, "unfinished"),
            (Some(marker("shop", false)), 2, Some(true), "alive"),
            (Some(marker("other", true)), 2, None, "foreign"),
            (Some(marker("other", true)), 0, None, "foreign"),
        ] {
            assert_eq!(word(seen(marker, objects, alive)), expected);
        }
    }

    #[test]
    fn a_plan_binds_to_the_tables_in_the_way_and_not_to_their_sizes() {
        let mut a = seen(None, 2, None);
        let before = a.class("shop").binding();
        if let Some(found) = &mut a.in_place {
            found.objects[0].bytes += 1;
            // The largest come first, so that sizes set the order.
            found.objects.reverse();
        }
        assert_eq!(a.class("shop").binding(), before);
        assert_ne!(seen(None, 3, None).class("shop").binding(), before);
        assert_eq!(seen(None, 0, None).class("shop").binding(), json!("vacant"));
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(34_567_890), "34 MB");
    }
}
