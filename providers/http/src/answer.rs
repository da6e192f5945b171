//! What is asked of an address, what came back, and whether that is right. Pure.

use serde::Deserialize;
use serde::Serialize;

use crate::spec::CheckSpec;

/// The arguments of the question `get`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct GetAsk {
    pub(crate) url: String,
    pub(crate) via: Option<String>,
    pub(crate) body_matches: Option<String>,
}

/// What one GET request brought back; either `status` or `error` is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The status code.
    pub status: Option<u16>,
    /// How long it took until the body was there, connecting included.
    pub latency_ms: u64,
    /// Whether the body matches the pattern, if one was given.
    pub matched: Option<bool>,
    /// Whole days until the server's certificate expires, negative if it has, for `https` only.
    pub tls_expires_in_days: Option<i64>,
    /// The SHA-256 of as much of the body as was read.
    pub body_digest: Option<String>,
    /// Why there is no answer: "connection refused".
    pub error: Option<String>,
}

impl Reply {
    /// Says in a few words what came back.
    pub(crate) fn summary(&self) -> String {
        match (self.status, &self.error) {
            (Some(status), _) => format!("status {status}"),
            (None, Some(error)) => error.clone(),
            (None, None) => "no answer".to_owned(),
        }
    }

    /// Compares with what the spec wants.
    ///
    /// # Errors
    ///
    /// The first thing that is not right, as a fragment for people.
    pub(crate) fn judge(&self, spec: &CheckSpec) -> Result<String, String> {
        let Some(status) = self.status else {
            return Err(self.summary());
        };
        if !spec.status.contains(&status) {
            let wanted: Vec<String> = spec.status.iter().map(u16::to_string).collect();
            return Err(format!(
                "it answers with status {status} instead of {}",
                wanted.join(" or ")
            ));
        }
        if spec.body_matches.is_some() && self.matched != Some(true) {
            return Err(format!(
                "it answers with status {status}, but the body does not match"
            ));
        }
        if let (Some(least), Some(left)) = (spec.min_days_left, self.tls_expires_in_days)
            && left < i64::from(least)
        {
            return Err(format!(
                "its certificate expires in {left} days, and at least {least} are wanted"
            ));
        }
        Ok(format!("it answers with status {status}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_right_only_in_every_respect() {
        let spec: CheckSpec = serde_json::from_value(json!({
            "url": "https://x.example/", "status": [200, 204], "body_matches": "ok",
            "tls": {"min_days_left": 7},
        }))
        .expect("arguments");
        let good = Reply {
            status: Some(204),
            matched: Some(true),
            tls_expires_in_days: Some(7),
            ..Reply::default()
        };
        assert!(good.judge(&spec).is_ok());
        for (reply, says) in [
            (
                Reply {
                    status: Some(302),
                    ..good.clone()
                },
                "302 instead of 200 or 204",
            ),
            (
                Reply {
                    matched: Some(false),
                    ..good.clone()
                },
                "does not match",
            ),
            (
                Reply {
                    matched: None,
                    ..good.clone()
                },
                "does not match",
            ),
            (
                Reply {
                    tls_expires_in_days: Some(6),
                    ..good.clone()
                },
                "in 6 days",
            ),
            (
                Reply {
                    status: None,
                    error: Some("connection refused".to_owned()),
                    ..good.clone()
                },
                "connection refused",
            ),
        ] {
            let why = reply.judge(&spec).expect_err("not right");
            assert!(why.contains(says), "{why}");
        }
    }
}
