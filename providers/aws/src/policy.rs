//! Rights as an IAM policy, which MinIO and others understand too.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Json;
use drplan_api::Right;
use serde_json::json;

/// Writes rights down as one policy. A right that is limited to a part is one to keys with a prefix.
pub fn policy(rights: &[Right]) -> String {
    let mut actions: BTreeMap<(&str, Option<&str>), BTreeSet<&str>> = BTreeMap::new();
    for right in rights {
        let of = actions.entry((&right.on, right.within.as_deref()));
        of.or_default().insert(&right.verb);
    }
    // Resources and prefixes with the same actions are one statement.
    let mut merged: BTreeMap<(&BTreeSet<&str>, Option<&str>), BTreeSet<&str>> = BTreeMap::new();
    for ((on, prefix), actions) in &actions {
        let (bucket, of) = match prefix {
            Some(prefix) => (Some(*on), *prefix),
            None => (None, *on),
        };
        merged.entry((actions, bucket)).or_default().insert(of);
    }
    let statements = merged.iter().map(|((actions, bucket), of)| match bucket {
        None => json!({"Effect": "Allow", "Action": actions, "Resource": of}),
        Some(bucket) => {
            let prefixes: Vec<String> = of.iter().map(|prefix| format!("{prefix}*")).collect();
            json!({"Effect": "Allow", "Action": actions, "Resource": bucket,
                "Condition": {"StringLike": {"s3:prefix": prefixes}}})
        }
    });
    let policy = json!({"Version": "2012-10-17", "Statement": statements.collect::<Vec<Json>>()});
    format!("{policy:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_the_same_actions_is_one_statement() {
        let on = "arn:aws:s3:::backups/site/*";
        let text = policy(&[
            Right::new("s3:PutObject", on),
            Right::new("s3:GetObject", on),
            Right::new("s3:ListBucket", "arn:aws:s3:::backups").within(Some("site/")),
            Right::new("s3:ListBucket", "arn:aws:s3:::backups").within(Some("dumps/")),
        ]);
        let policy: Json = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(
            policy["Statement"],
            json!([
                {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": [on]},
                {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": "arn:aws:s3:::backups",
                 "Condition": {"StringLike": {"s3:prefix": ["dumps/*", "site/*"]}}},
            ])
        );
    }
}
