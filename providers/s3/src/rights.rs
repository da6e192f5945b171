//! What a bucket must allow: derived from questions, in IAM's words.

use std::collections::BTreeSet;

use drplan_api::Ask;
use drplan_api::Right;

use crate::asks;
use crate::asks::Blob;
use crate::asks::Keys;
use crate::asks::ThroughLens;
use crate::store;

const LIST: &str = "s3:ListBucket";
const GET: &str = "s3:GetObject";

fn bucket(name: &str) -> String {
    format!("arn:aws:s3:::{name}")
}

fn objects(name: &str, prefix: &str) -> String {
    format!("arn:aws:s3:::{name}/{prefix}*")
}

fn prefixed<'a>(verb: &str, name: &str, prefix: impl Into<Option<&'a str>>) -> Right {
    let prefix = prefix.into().filter(|prefix| !prefix.is_empty());
    Right::new(verb, bucket(name)).within(prefix)
}

/// What reading takes. Objects are allowed by the prefix that their keys were listed under: the next
/// backup has another name.
pub(crate) fn to_ask(questions: &[&Ask]) -> Vec<Right> {
    let mut listed: BTreeSet<(String, String)> = BTreeSet::new();
    let mut read: BTreeSet<(String, String)> = BTreeSet::new();
    for ask in questions {
        match ask.op.as_str() {
            asks::KEYS => listed.extend(ask.args::<Keys>().ok().map(|a| (a.bucket, a.prefix))),
            asks::BLOB => read.extend(ask.args::<Blob>().ok().map(|a| (a.bucket, a.key))),
            asks::LENS => read.extend(ask.args::<ThroughLens>().ok().map(|a| (a.bucket, a.key))),
            _ => {}
        }
    }
    let covers = |(bucket, prefix): &&(String, String), of: &str, key: &str| {
        bucket == of && key.starts_with(prefix.as_str())
    };
    let widest: Vec<&(String, String)> = listed
        .iter()
        .filter(|(of, key)| {
            let mut others = listed.iter().filter(|l| l.1.len() < key.len());
            !others.any(|other| covers(&other, of, key))
        })
        .collect();
    let mut out: BTreeSet<Right> = widest
        .iter()
        .map(|(name, prefix)| prefixed(LIST, name, prefix.as_str()))
        .collect();
    for (of, key) in &read {
        let under = widest
            .iter()
            .copied()
            .find(|listed| covers(listed, of, key));
        let on = match under {
            Some((_, prefix)) => objects(of, prefix),
            None => format!("arn:aws:s3:::{of}/{key}"),
        };
        out.insert(Right::new(GET, on));
    }
    out.into_iter().collect()
}

/// What reading under a prefix takes. Who may not list is told that a missing object is forbidden.
pub fn to_read(bucket: &str, prefix: &str) -> Vec<Right> {
    vec![
        prefixed(LIST, bucket, prefix),
        Right::new(GET, objects(bucket, prefix)),
    ]
}

/// What keeping runs and their lock takes.
pub(crate) fn to_store(name: &str, prefix: &str) -> Vec<Right> {
    let prefix = store::folder(prefix);
    let put = Right::new("s3:PutObject", objects(name, &prefix));
    let mut out = to_read(name, &prefix);
    out.push(put);
    out
}

#[cfg(test)]
mod tests {
    use drplan_api::ConnId;

    use super::*;

    #[test]
    fn objects_are_allowed_by_the_widest_prefix_that_was_listed() {
        let conn = ConnId::new("s3.backups");
        let questions = [
            asks::keys(&conn, "b", "site/", Some("/")).ask,
            asks::keys(&conn, "b", "site/backups/", Some("/")).ask,
            asks::blob(&conn, "b", "site/backups/nightly-1/velero-backup.json").ask,
            asks::blob(&conn, "other", "dump").ask,
        ];
        let rights = to_ask(&questions.iter().collect::<Vec<_>>());
        let texts: Vec<String> = rights.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "s3:ListBucket arn:aws:s3:::b in `site/`",
                "s3:GetObject arn:aws:s3:::b/site/*",
                "s3:GetObject arn:aws:s3:::other/dump",
            ]
        );
    }
}
