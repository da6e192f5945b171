//! Buckets as they were listed, over the folders that hold the bytes.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use bytes::Bytes;
use drplan_api::Standing;
use drplan_api::StandingKey;
use drplan_sandbox_s3::Put;
use drplan_sandbox_s3::Store;

use super::LoadedConnection;
use super::Said;
use super::count;
use super::named;

/// What was listed under one prefix.
#[derive(PartialEq)]
struct Listing<'s> {
    prefix: &'s str,
    delimiter: Option<&'s str>,
    keys: BTreeMap<&'s str, &'s StandingKey>,
    prefixes: BTreeSet<&'s str>,
}

/// What became of buckets.
#[derive(Default)]
struct Tally {
    same: BTreeSet<String>,
    by_size: usize,
    written: usize,
    forgotten: usize,
    missing: BTreeSet<String>,
    different: BTreeSet<String>,
    unknown: BTreeSet<String>,
    disputed: BTreeSet<String>,
}

/// Lets buckets hold what was listed: what no connection listed came later and is forgotten, what is small
/// and was read whole is written back, and what is missing is told.
pub(in crate::world) fn buckets(store: &Store, connections: &[Said<'_>]) -> Vec<LoadedConnection> {
    let mut all: BTreeMap<&str, Vec<Listing<'_>>> = BTreeMap::new();
    for (_, standing) in connections {
        for (bucket, listing) in listings(standing) {
            all.entry(bucket).or_default().push(listing);
        }
    }
    // What one connection read is there before any of them is compared.
    let written: Vec<BTreeSet<String>> = connections
        .iter()
        .map(|(_, standing)| write_back(store, standing))
        .collect();
    let back: BTreeSet<String> = written.iter().flatten().cloned().collect();
    let one = |((connection, standing), written): (&Said<'_>, &BTreeSet<String>)| {
        let mut loaded = LoadedConnection::of(connection, "object_store".to_owned());
        let mut tally = held(store, standing, &all, &back);
        tally.written = written.len();
        loaded.holds = holds(&tally);
        loaded.lacks = lacks(&tally);
        loaded
    };
    connections.iter().zip(&written).map(one).collect()
}

/// Writes what is missing and was read whole. Returns what was written.
fn write_back(store: &Store, standing: &[Standing]) -> BTreeSet<String> {
    let (mut written, there) = (BTreeSet::new(), store.buckets());
    for (bucket, key, bytes) in contents(standing) {
        let lacks = there.iter().any(|b| b == bucket) && store.stat(bucket, key).is_err();
        let put = Put {
            bytes: Bytes::copy_from_slice(bytes),
            ..Put::default()
        };
        if lacks && store.put(bucket, key, put).is_ok() {
            written.insert(format!("{bucket}/{key}"));
        }
    }
    written
}

/// Holds buckets against what one connection listed. `all` is what every connection listed, `written` what
/// was written back.
fn held(
    store: &Store,
    standing: &[Standing],
    all: &BTreeMap<&str, Vec<Listing<'_>>>,
    written: &BTreeSet<String>,
) -> Tally {
    let (mut tally, there) = (Tally::default(), store.buckets());
    for (bucket, listing) in listings(standing) {
        if !there.iter().any(|b| b == bucket) {
            tally.unknown.insert(bucket.to_owned());
            continue;
        }
        let all = all.get(bucket).map(Vec::as_slice).unwrap_or_default();
        if all.iter().any(|other| listing.contradicts(other)) {
            let name = format!("{bucket}/{}", listing.prefix);
            tally.disputed.insert(name);
        }
        compare(store, bucket, &listing, all, written, &mut tally);
    }
    tally
}

fn contents(standing: &[Standing]) -> impl Iterator<Item = (&str, &str, &[u8])> {
    standing.iter().filter_map(|one| match one {
        Standing::Content { bucket, key, bytes } => {
            Some((bucket.as_str(), key.as_str(), bytes.as_slice()))
        }
        _ => None,
    })
}

fn listings(standing: &[Standing]) -> impl Iterator<Item = (&str, Listing<'_>)> {
    standing.iter().filter_map(|one| match one {
        Standing::Keys {
            bucket,
            prefix,
            delimiter,
            keys,
            prefixes,
        } => {
            let listing = Listing {
                prefix,
                delimiter: delimiter.as_deref(),
                keys: keys.iter().map(|k| (k.key.as_str(), k)).collect(),
                prefixes: prefixes.iter().map(String::as_str).collect(),
            };
            Some((bucket.as_str(), listing))
        }
        _ => None,
    })
}

impl Listing<'_> {
    /// The common prefix under which a key is listed, if it is cut to one.
    fn cut<'k>(&self, key: &'k str) -> Option<&'k str> {
        let rest = key.strip_prefix(self.prefix)?;
        let delimiter = self.delimiter.filter(|d| !d.is_empty())?;
        let at = rest.find(delimiter)?;
        Some(&key[..self.prefix.len() + at + delimiter.len()])
    }

    /// Whether a key would be listed as it is if it was there.
    fn is_exact_for(&self, key: &str) -> bool {
        key.starts_with(self.prefix) && self.cut(key).is_none()
    }

    /// Whether what a key is cut to was there.
    fn has_cut(&self, key: &str) -> bool {
        self.cut(key)
            .is_some_and(|prefix| self.prefixes.contains(prefix))
    }

    /// Whether another listing says something else of the same prefix.
    fn contradicts(&self, other: &Self) -> bool {
        self.prefix == other.prefix && self.delimiter == other.delimiter && self != other
    }
}

/// Whether a key may have been there. A prefix that it is cut to says so only where no listing would show
/// the key itself.
fn was_there(all: &[Listing<'_>], key: &str) -> bool {
    let mut exact = all.iter().filter(|l| l.is_exact_for(key)).peekable();
    match exact.peek() {
        Some(_) => exact.any(|listing| listing.keys.contains_key(key)),
        None => all.iter().any(|listing| listing.has_cut(key)),
    }
}

fn compare(
    store: &Store,
    bucket: &str,
    listing: &Listing<'_>,
    all: &[Listing<'_>],
    written: &BTreeSet<String>,
    tally: &mut Tally,
) {
    let nobodys = |key: &str| !was_there(all, key);
    let found = store.list(bucket, listing.prefix).unwrap_or_default();
    let (mut keys, mut prefixes) = (listing.keys.clone(), listing.prefixes.clone());
    for info in &found {
        if let Some(prefix) = listing.cut(&info.key) {
            prefixes.remove(prefix);
            if nobodys(&info.key) && store.forget(bucket, &info.key).is_ok() {
                tally.forgotten += 1;
            }
            continue;
        }
        let Some(was) = keys.remove(info.key.as_str()) else {
            if nobodys(&info.key) && store.forget(bucket, &info.key).is_ok() {
                tally.forgotten += 1;
            }
            continue;
        };
        let name = format!("{bucket}/{}", info.key);
        // What was packed again has another size, and reads the same.
        let again = written.contains(&name);
        let in_parts = was.etag.contains('-');
        let same = info.size == was.size && (in_parts || info.etag == was.etag);
        if !same && !again {
            tally.different.insert(name);
            continue;
        }
        tally.by_size += usize::from(in_parts);
        tally.same.insert(name);
        store.date(bucket, &info.key, was.modified, &was.etag).ok();
    }
    let left = keys.keys().chain(&prefixes);
    tally
        .missing
        .extend(left.map(|key| format!("{bucket}/{key}")));
}

fn holds(tally: &Tally) -> Vec<String> {
    let same = count(tally.same.len(), "key", "keys");
    let mut out = vec![format!("{same} as in the recording")];
    if tally.by_size > 0 {
        let keys = count(tally.by_size, "key was", "keys were");
        out.push(format!(
            "{keys} uploaded in parts, and compared by size only"
        ));
    }
    if tally.written > 0 {
        let keys = count(tally.written, "small object", "small objects");
        out.push(format!("{keys} written back from what was read of them"));
    }
    if tally.forgotten > 0 {
        let keys = count(tally.forgotten, "key", "keys");
        out.push(format!("{keys} left out that were not there then"));
    }
    out
}

fn lacks(tally: &Tally) -> Vec<String> {
    let mut out: Vec<String> = tally
        .unknown
        .iter()
        .map(|bucket| format!("the bucket `{bucket}`, of which the world file says nothing"))
        .collect();
    for prefix in &tally.disputed {
        out.push(format!(
            "what lay under `{prefix}`: two connections listed it differently, and what either saw is there"
        ));
    }
    for (keys, what) in [(&tally.missing, "missing"), (&tally.different, "different")] {
        if !keys.is_empty() {
            let keys: Vec<String> = keys.iter().cloned().collect();
            let n = count(keys.len(), "archive or folder", "archives or folders");
            out.push(format!("{n} {what} beside the spec: {}", named(&keys)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use drplan_api::Clock;
    use drplan_api::ConnId;
    use drplan_api::Timestamp;
    use drplan_sandbox_s3::Options;

    use super::*;

    fn store(keys: &[(&str, &str)]) -> Store {
        let store = Store::in_memory(Options {
            clock: Clock::starting_at(Timestamp::UNIX_EPOCH),
            region: "here".to_owned(),
            seed: 1,
            keys: Vec::new(),
        });
        store.create_bucket("b").expect("a bucket");
        for (key, text) in keys {
            let bytes = Bytes::copy_from_slice(text.as_bytes());
            let put = Put {
                bytes,
                ..Put::default()
            };
            store.put("b", key, put).expect("written");
        }
        store
    }

    fn listed(keys: &[&str]) -> Standing {
        let one = |key: &&str| StandingKey {
            key: (*key).to_owned(),
            size: 3,
            modified: None,
            etag: "recorded".to_owned(),
        };
        Standing::Keys {
            bucket: "b".to_owned(),
            prefix: String::new(),
            delimiter: None,
            keys: keys.iter().map(one).collect(),
            prefixes: Vec::new(),
        }
    }

    #[test]
    fn only_what_was_written_back_takes_the_etag_of_the_recording() {
        let store = store(&[("there", "another")]);
        let content = |key: &str| Standing::Content {
            bucket: "b".to_owned(),
            key: key.to_owned(),
            bytes: b"new".to_vec(),
        };
        let standing = [
            content("there"),
            content("gone"),
            listed(&["there", "gone"]),
        ];
        let conn = ConnId::new("s3.a");
        let loaded = buckets(&store, &[(&conn, &standing)]);
        let etag = |key: &str| store.stat("b", key).expect("a key").etag;
        assert_eq!(etag("gone"), "recorded");
        assert_ne!(etag("there"), "recorded");
        assert_eq!(
            loaded[0].lacks,
            ["1 archive or folder different beside the spec: `b/there`"]
        );
    }

    #[test]
    fn a_key_that_an_exact_listing_lacks_is_left_out_whatever_a_coarse_one_is_cut_to() {
        let keys = ["backups/n1/kept", "backups/n1/later", "backups/n2/any"];
        let store = store(&keys.map(|key| (key, "aaa")));
        let coarse = Standing::Keys {
            bucket: "b".to_owned(),
            prefix: "backups/".to_owned(),
            delimiter: Some("/".to_owned()),
            keys: Vec::new(),
            prefixes: vec!["backups/n1/".to_owned(), "backups/n2/".to_owned()],
        };
        let Standing::Keys { keys, .. } = listed(&["backups/n1/kept"]) else {
            panic!("keys");
        };
        let exact = Standing::Keys {
            bucket: "b".to_owned(),
            prefix: "backups/n1/".to_owned(),
            delimiter: None,
            keys,
            prefixes: Vec::new(),
        };
        let conn = ConnId::new("s3.a");
        let loaded = buckets(&store, &[(&conn, &[coarse, exact])]);
        let left = store.list("b", "").expect("a bucket");
        let left: Vec<&str> = left.iter().map(|info| info.key.as_str()).collect();
        assert_eq!(left, ["backups/n1/kept", "backups/n2/any"]);
        assert_eq!(
            loaded[0].holds[1],
            "1 key left out that were not there then"
        );
    }

    #[test]
    fn what_one_connection_read_is_as_recorded_in_every_listing_and_what_is_missing_counts_once() {
        let store = store(&[]);
        let content = Standing::Content {
            bucket: "b".to_owned(),
            key: "packed".to_owned(),
            bytes: b"packed again".to_vec(),
        };
        let twice = [listed(&["packed", "lost"]), listed(&["packed", "lost"])];
        let (one, other) = (ConnId::new("s3.a"), ConnId::new("s3.b"));
        let loaded = buckets(&store, &[(&one, &twice), (&other, &[content])]);
        assert_eq!(loaded[0].holds, ["1 key as in the recording"]);
        assert_eq!(
            loaded[0].lacks,
            ["1 archive or folder missing beside the spec: `b/lost`"]
        );
    }

    #[test]
    fn what_one_of_two_connections_listed_stays_and_their_difference_is_told() {
        let store = store(&[("a", "aaa"), ("b", "bbb"), ("later", "ccc")]);
        let (first, second) = (ConnId::new("s3.a"), ConnId::new("s3.b"));
        let (of_first, of_second) = ([listed(&["a"])], [listed(&["a", "b"])]);
        let loaded = buckets(&store, &[(&first, &of_first), (&second, &of_second)]);
        let keys = store.list("b", "").expect("a bucket");
        let keys: Vec<&str> = keys.iter().map(|info| info.key.as_str()).collect();
        assert_eq!(keys, ["a", "b"]);
        for one in loaded {
            let told = one
                .lacks
                .iter()
                .any(|l| l.contains("listed it differently"));
            assert!(told, "{:?}", one.lacks);
        }
    }
}
