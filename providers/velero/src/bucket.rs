//! Where Velero keeps what in a bucket.

use std::sync::Arc;

use drplan_api::ConnId;
use drplan_api::Json;
use drplan_api::Pending;
use drplan_api::ProviderError;
use drplan_api::Query;
use drplan_api::View;
use drplan_s3::asks;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;

use crate::lens;

/// Velero's part of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) bucket: String,
    /// Without slashes at its ends; empty for the whole bucket.
    pub(crate) prefix: String,
}

impl Place {
    pub(crate) fn new(bucket: &str, prefix: Option<&str>) -> Self {
        Self {
            bucket: bucket.to_owned(),
            prefix: prefix.unwrap_or_default().trim_matches('/').to_owned(),
        }
    }

    fn under(&self, rest: &str) -> String {
        if self.prefix.is_empty() {
            rest.to_owned()
        } else {
            format!("{}/{rest}", self.prefix)
        }
    }

    /// The folder of all backups, or of all restores.
    pub(crate) fn folder(&self, which: &str) -> String {
        self.under(&format!("{which}/"))
    }

    pub(crate) fn backup(&self, name: &str, file: &str) -> String {
        self.under(&format!("backups/{name}/{file}"))
    }

    pub(crate) fn restore(&self, name: &str, file: &str) -> String {
        self.under(&format!("restores/{name}/{file}"))
    }

    pub(crate) fn archive(&self, name: &str) -> String {
        self.backup(name, &format!("{name}.tar.gz"))
    }

    /// The name by which a backup location is known whatever it is called: `s3://bucket/prefix`.
    pub(crate) fn url(&self) -> String {
        format!("s3://{}", self.under_bucket())
    }

    fn under_bucket(&self) -> String {
        format!("{}/{}", self.bucket, self.prefix)
            .trim_end_matches('/')
            .to_owned()
    }

    pub(crate) fn ask_archive(&self, conn: &ConnId, name: &str) -> Query {
        let key = self.archive(name);
        asks::lens(conn, &self.bucket, &key, lens::ARCHIVE, &json!({}))
    }

    pub(crate) fn ask_gzip(&self, conn: &ConnId, key: &str) -> Query {
        asks::lens(conn, &self.bucket, key, lens::GZIP, &json!({}))
    }

    /// Asks for the names one level below a folder.
    pub(crate) fn ask_names(&self, conn: &ConnId, which: &str) -> Query {
        asks::keys(conn, &self.bucket, &self.folder(which), Some("/"))
    }

    /// Reads the answer to [`Self::ask_names`].
    pub(crate) fn names(&self, which: &str, answer: &Json) -> Vec<String> {
        let folder = self.folder(which);
        let prefixes = answer["prefixes"].as_array().into_iter().flatten();
        let inside = prefixes.filter_map(|p| p.as_str()?.strip_prefix(&folder));
        inside
            .map(|name| name.trim_end_matches('/').to_owned())
            .collect()
    }
}

/// What an answer says, kept apart from its being there.
pub(crate) fn answered<'a>(
    view: &View<'a>,
    query: &Query,
) -> Result<Result<&'a Arc<Json>, &'a ProviderError>, Pending> {
    view.get(query).map(|answer| answer.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_the_layout_with_and_without_a_prefix() {
        let place = Place::new("b", Some("/v/"));
        assert_eq!(place.archive("x"), "v/backups/x/x.tar.gz");
        assert_eq!(place.url(), "s3://b/v");
        let answer = json!({"prefixes": ["v/backups/a/", "v/backups/b/"]});
        assert_eq!(place.names("backups", &answer), ["a", "b"]);
        let bare = Place::new("b", None);
        assert_eq!(bare.restore("r", "f.gz"), "restores/r/f.gz");
        assert_eq!(bare.url(), "s3://b");
    }
}
