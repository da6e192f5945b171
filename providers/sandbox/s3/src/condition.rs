//! Conditions of requests.
//!
//! # Source
//!
//! RFC 9110 section 13 for reading; the S3 user guide, "Conditional writes", for writing.

use drplan_api::Timestamp;
use s3s::dto::ETagCondition;

use crate::object::Version;
use crate::refusal::Refusal;

/// The conditions of a request that reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadConditions {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
    pub(crate) if_modified_since: Option<Timestamp>,
    pub(crate) if_unmodified_since: Option<Timestamp>,
}

/// The conditions of a request that writes.
#[derive(Clone, Debug, Default)]
pub(crate) struct WriteConditions {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
}

fn matches(condition: &ETagCondition, etag: &str) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(wanted) => wanted.value() == etag,
    }
}

impl ReadConditions {
    /// Holds them against a version. Times count in whole seconds, as headers do.
    pub(crate) fn check(&self, etag: &str, modified: Timestamp) -> Result<(), Refusal> {
        let after = |time: &Timestamp| modified.as_second() > time.as_second();
        match (&self.if_match, &self.if_unmodified_since) {
            (Some(wanted), _) if !matches(wanted, etag) => {
                return Err(Refusal::Precondition("If-Match"));
            }
            (None, Some(time)) if after(time) => {
                return Err(Refusal::Precondition("If-Unmodified-Since"));
            }
            _ => {}
        }
        let had = match (&self.if_none_match, &self.if_modified_since) {
            (Some(unwanted), _) => matches(unwanted, etag),
            (None, Some(time)) => !after(time),
            (None, None) => false,
        };
        if had {
            let etag = etag.to_owned();
            return Err(Refusal::NotModified { etag });
        }
        Ok(())
    }

    /// The same for the source of a copy, which is not modified or refused, never "not modified".
    pub(crate) fn check_source(&self, etag: &str, modified: Timestamp) -> Result<(), Refusal> {
        self.check(etag, modified).map_err(|refusal| match refusal {
            Refusal::NotModified { .. } => Refusal::Precondition("x-amz-copy-source-If-None-Match"),
            other => other,
        })
    }
}

impl WriteConditions {
    /// Holds them against the newest version of the key.
    pub(crate) fn check(&self, key: &str, newest: Option<&Version>) -> Result<(), Refusal> {
        let current = newest.and_then(Version::object);
        match &self.if_none_match {
            Some(ETagCondition::Any) if current.is_some() => {
                return Err(Refusal::Precondition("If-None-Match"));
            }
            Some(ETagCondition::ETag(_)) => {
                return Err(Refusal::NotImplemented(
                    "`If-None-Match` with an ETag on a write, as S3 itself",
                ));
            }
            _ => {}
        }
        match (&self.if_match, current) {
            (Some(_), None) => Err(Refusal::NoSuchKey {
                key: key.to_owned(),
                marker: None,
            }),
            (Some(wanted), Some(object)) if !matches(wanted, &object.etag) => {
                Err(Refusal::Precondition("If-Match"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use s3s::dto::ETag;

    use super::*;

    fn etag(text: &str) -> Option<ETagCondition> {
        Some(ETagCondition::ETag(ETag::Strong(text.to_owned())))
    }

    fn second(n: i64) -> Option<Timestamp> {
        Timestamp::from_second(n).ok()
    }

    #[test]
    fn reading_conditions_have_their_order() {
        let modified = second(100).expect("a time");
        let word = |conditions: ReadConditions| match conditions.check("a", modified) {
            Ok(()) => "ok",
            Err(Refusal::NotModified { .. }) => "304",
            Err(_) => "412",
        };
        let none = ReadConditions::default;
        for (conditions, expected) in [
            (none(), "ok"),
            (
                ReadConditions {
                    if_match: etag("a"),
                    ..none()
                },
                "ok",
            ),
            (
                ReadConditions {
                    if_match: etag("b"),
                    ..none()
                },
                "412",
            ),
            (
                ReadConditions {
                    if_none_match: etag("a"),
                    ..none()
                },
                "304",
            ),
            (
                ReadConditions {
                    if_none_match: etag("b"),
                    ..none()
                },
                "ok",
            ),
            (
                ReadConditions {
                    if_modified_since: second(100),
                    ..none()
                },
                "304",
            ),
            (
                ReadConditions {
                    if_modified_since: second(99),
                    ..none()
                },
                "ok",
            ),
            (
                ReadConditions {
                    if_unmodified_since: second(99),
                    ..none()
                },
                "412",
            ),
            (
                ReadConditions {
                    if_unmodified_since: second(100),
                    ..none()
                },
                "ok",
            ),
            (
                ReadConditions {
                    if_match: etag("a"),
                    if_unmodified_since: second(1),
                    ..none()
                },
                "ok",
            ),
            (
                ReadConditions {
                    if_none_match: etag("b"),
                    if_modified_since: second(100),
                    ..none()
                },
                "ok",
            ),
        ] {
            assert_eq!(word(conditions.clone()), expected, "{conditions:?}");
        }
    }
}
