//! In which shape a client wants the answer.

use crate::failure::Failure;
use crate::failure::Outcome;

/// What an answer is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The objects as they are.
    Whole,
    /// Only their metadata.
    Metadata,
    /// Rows for people.
    Table,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Json,
    Yaml,
}

/// What `Accept` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accept {
    pub(crate) shape: Shape,
    pub(crate) encoding: Encoding,
    /// Discovery of all groups in one answer, and in which version.
    pub(crate) aggregated: Option<Aggregated>,
}

/// The versions of aggregated discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aggregated {
    V2,
    V2Beta1,
}

const PLAIN: Accept = Accept {
    shape: Shape::Whole,
    encoding: Encoding::Json,
    aggregated: None,
};

impl Accept {
    /// Chooses the first clause that can be served.
    pub(crate) fn negotiate(header: &str) -> Outcome<Self> {
        if header.trim().is_empty() {
            return Ok(PLAIN);
        }
        header
            .split(',')
            .find_map(clause)
            .ok_or_else(Self::not_acceptable)
    }

    fn not_acceptable() -> Failure {
        let message = "406: Not Acceptable\n\nAvailable representations: application/json, \
                       application/yaml, application/vnd.kubernetes.protobuf";
        Failure::new(406, "NotAcceptable", message, Some(serde_json::json!({})))
    }
}

fn clause(text: &str) -> Option<Accept> {
    let mut parts = text.split(';').map(str::trim);
    let encoding = match parts.next()? {
        "application/json" | "*/*" | "application/*" => Encoding::Json,
        "application/yaml" => Encoding::Yaml,
        _ => return None,
    };
    let (mut kind, mut group, mut version) = ("", "", "");
    for part in parts {
        match part.split_once('=') {
            Some(("as", value)) => kind = value,
            Some(("g", value)) => group = value,
            Some(("v", value)) => version = value,
            _ => {}
        }
    }
    let plain = Accept { encoding, ..PLAIN };
    match (kind, group, version) {
        ("", ..) => Some(plain),
        ("Table", "meta.k8s.io", "v1") => Some(Accept {
            shape: Shape::Table,
            ..plain
        }),
        ("PartialObjectMetadata" | "PartialObjectMetadataList", "meta.k8s.io", "v1") => {
            Some(Accept {
                shape: Shape::Metadata,
                ..plain
            })
        }
        ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2") => Some(Accept {
            aggregated: Some(Aggregated::V2),
            ..plain
        }),
        ("APIGroupDiscoveryList", "apidiscovery.k8s.io", "v2beta1") => Some(Accept {
            aggregated: Some(Aggregated::V2Beta1),
            ..plain
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_clause_that_can_be_served_counts() {
        let shape = |header| Accept::negotiate(header).map(|accept| accept.shape).ok();
        let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,\
                       application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(shape(kubectl), Some(Shape::Table));
        assert_eq!(shape(""), Some(Shape::Whole));
        assert_eq!(
            shape("application/vnd.kubernetes.protobuf, application/json"),
            Some(Shape::Whole)
        );
        assert_eq!(
            shape("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"),
            Some(Shape::Metadata)
        );
        assert_eq!(shape("text/html"), None);
    }
}
