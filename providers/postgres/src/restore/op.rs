//! What a restore carries from plan to apply, and the names that are fixed in it.

use drplan_api::Address;
use drplan_api::short_hash;
use serde::Deserialize;
use serde::Serialize;

/// The longest name of a database, in bytes.
const NAME_BYTES_MAX: usize = 63;
/// The longest application name that a server keeps, in bytes.
const APPLICATION_BYTES_MAX: usize = 63;

/// The payload of a restore.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RestoreOp {
    /// The name that the database has in the end.
    pub(super) database: String,
    /// The name under which it is prepared.
    pub(super) staging: String,
    /// The name that a database in the way gets.
    pub(super) aside: String,
    /// What may be in the way.
    pub(super) replaces: Replaces,
    /// Who owns it in the end, if not the user of the connection.
    pub(super) owner: Option<String>,
    /// How many tables and indexes are restored at once.
    pub(super) jobs: u32,
    /// The dump.
    pub(super) source: Source,
    /// The hash of the want.
    pub(super) want: String,
}

/// What may be renamed aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Replaces {
    /// Only an empty database.
    Empty,
    /// A database with data, which a person accepted.
    Accepted,
}

/// The dump, pinned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Source {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) etag: String,
    pub(super) bytes: u64,
    pub(super) tables: u64,
}

impl Source {
    pub(super) fn url(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

/// Puts something behind the name of a database, cutting the name where it is too long.
fn with_end(database: &str, end: &str) -> String {
    let mut length = database.len().min(NAME_BYTES_MAX.saturating_sub(end.len()));
    while !database.is_char_boundary(length) {
        length -= 1;
    }
    format!("{}{end}", &database[..length])
}

/// Returns the name of the database in which a restore is prepared.
pub(super) fn staging_name(database: &str, hash: &str) -> String {
    with_end(database, &format!("_drplan_{hash}"))
}

/// Returns the first free name for a database that is in the way.
pub(super) fn aside_name<'a>(
    database: &str,
    hash: &str,
    taken: impl Iterator<Item = &'a str> + Clone,
) -> String {
    let name = |n: usize| match n {
        1 => with_end(database, &format!("-aside-{hash}")),
        n => with_end(database, &format!("-aside-{hash}-{n}")),
    };
    let tries = taken.clone().count() + 1;
    let free = (1..=tries)
        .map(name)
        .find(|name| !taken.clone().any(|t| t == name));
    free.unwrap_or_else(|| name(tries + 1))
}

/// Returns the name under which a restore's sessions show on the server.
pub(super) fn application(recovery: &str, address: &Address) -> String {
    let full = format!("drplan/{recovery}/{address}");
    let plain = |c: char| matches!(c, ' '..='~');
    if full.len() <= APPLICATION_BYTES_MAX && full.chars().all(plain) {
        return full;
    }
    let head: String = full
        .chars()
        .map(|c| if plain(c) { c } else { '?' })
        .take(APPLICATION_BYTES_MAX - 9)
        .collect();
    format!("{head}/{}", short_hash(&full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_stay_apart() {
        assert_eq!(staging_name("shop", "0a1b2c3d"), "shop_drplan_0a1b2c3d");
        let long = "ä".repeat(40);
        let name = staging_name(&long, "0a1b2c3d");
        assert!(name.len() <= 63 && name.ends_with("_drplan_0a1b2c3d"));
        let taken = ["shop", "shop-aside-0a1b2c3d"];
        let aside = aside_name("shop", "0a1b2c3d", taken.iter().copied());
        assert_eq!(aside, "shop-aside-0a1b2c3d-2");
    }

    #[test]
    fn an_application_name_survives_the_server() {
        let address = Address::new("postgres_restore.shop");
        assert_eq!(
            application("shop", &address),
            "drplan/shop/postgres_restore.shop"
        );
        let a = application(
            "shop",
            &Address::new(format!("postgres_restore.{}", "x".repeat(80))),
        );
        let b = application(
            "shop",
            &Address::new(format!("postgres_restore.{}", "x".repeat(81))),
        );
        assert!(a.len() <= 63 && b.len() <= 63 && a != b);
    }
}
