//! What a store answered, in words that two stores can share: ids are numbered as they appear, times
//! are left out.

use std::collections::BTreeMap;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::client::outcome;

/// The answers of one sequence of requests.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) lines: Vec<String>,
    ids: BTreeMap<String, String>,
}

impl Record {
    /// Notes what came of a request, and what its answer showed.
    pub(crate) fn note<T, E>(
        &mut self,
        step: &str,
        result: Result<T, SdkError<E, HttpResponse>>,
        show: impl FnOnce(&mut Self, &T) -> String,
    ) -> Option<T>
    where
        E: ProvideErrorMetadata + std::fmt::Debug,
    {
        let mut line = format!("{step}: {}", outcome(&result));
        let answer = result.ok();
        if let Some(answer) = &answer {
            let shown = show(self, answer);
            if !shown.is_empty() {
                line = format!("{line}; {shown}");
            }
        }
        self.lines.push(line);
        answer
    }

    /// The same of a request whose answer does not matter.
    pub(crate) fn done<T, E>(
        &mut self,
        step: &str,
        result: Result<T, SdkError<E, HttpResponse>>,
    ) -> Option<T>
    where
        E: ProvideErrorMetadata + std::fmt::Debug,
    {
        self.note(step, result, |_, _| String::new())
    }

    /// Adds a body to what was noted last.
    pub(crate) async fn body(&mut self, body: ByteStream) {
        let bytes = body.collect().await.map(|b| b.to_vec());
        let bytes = bytes.unwrap_or_else(|_| b"(broken)".to_vec());
        if let Some(line) = self.lines.last_mut() {
            line.push_str(" = ");
            line.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    /// Names an id by when it was first seen.
    pub(crate) fn id(&mut self, id: Option<&str>) -> String {
        let Some(id) = id else {
            return "-".to_owned();
        };
        if id == "null" || id.is_empty() {
            return id.to_owned();
        }
        let next = format!("id{}", self.ids.len() + 1);
        self.ids.entry(id.to_owned()).or_insert(next).clone()
    }
}
