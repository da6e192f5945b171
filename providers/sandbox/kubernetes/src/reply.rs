//! Answers on their way out: codes, warnings, and objects in the shape that was asked for.

use axum::body::Body;
use axum::response::Response;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use serde_json::Value;
use serde_json::json;

use crate::accept::Accept;
use crate::accept::Encoding;
use crate::accept::Shape;
use crate::convert;
use crate::failure::Failure;
use crate::failure::FailureBody;
use crate::object;
use crate::object::Object;
use crate::object::write_typed;
use crate::table;
use crate::types::Served;

const JSON: &str = "application/json";
const YAML: &str = "application/yaml";

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) content_type: &'static str,
    pub(crate) warnings: Vec<String>,
    pub(crate) body: Body,
    /// The name of the object that it shows, for the audit.
    pub(crate) about: Option<String>,
}

impl Reply {
    /// An answer that is JSON already.
    pub(crate) fn json(code: u16, body: Vec<u8>) -> Self {
        Self {
            code,
            content_type: JSON,
            warnings: Vec::new(),
            body: Body::from(body),
            about: None,
        }
    }

    /// A value in the encoding that was asked for.
    pub(crate) fn value(code: u16, value: &Value, accept: Accept) -> Self {
        match accept.encoding {
            Encoding::Json => Self::json(code, serde_json::to_vec(value).unwrap_or_default()),
            Encoding::Yaml => Self {
                content_type: YAML,
                ..Self::json(
                    code,
                    serde_saphyr::to_string(value)
                        .unwrap_or_default()
                        .into_bytes(),
                )
            },
        }
    }

    pub(crate) fn text(code: u16, text: &'static str) -> Self {
        let plain = "text/plain; charset=utf-8";
        Self {
            content_type: if text.is_empty() { "" } else { plain },
            ..Self::json(code, text.as_bytes().to_vec())
        }
    }

    /// One object, whole or in another shape.
    pub(crate) fn object(
        code: u16,
        served: &Served,
        object: &Object,
        accept: Accept,
        now: drplan_api::Timestamp,
    ) -> Self {
        let mut reply = match accept.shape {
            Shape::Whole if accept.encoding == Encoding::Json => {
                let mut out = Vec::new();
                write_object(served, object, Shape::Whole, &mut out);
                Self::json(code, out)
            }
            Shape::Whole => Self::value(code, &convert::shown(served, object), accept),
            Shape::Metadata => Self::value(code, &metadata_of(object.json()), accept),
            Shape::Table => {
                let shown = convert::shown(served, object);
                let table = table::of(served, std::iter::once(&shown), now, &json!({}));
                Self::value(code, &table, accept)
            }
        };
        reply.about = Some(object::name(object.json()).to_owned());
        reply.warned(served)
    }

    /// Adds what a deprecated version warns of.
    pub(crate) fn warned(mut self, served: &Served) -> Self {
        self.warnings.extend(served.warning.clone());
        self
    }

    /// The answer as HTTP.
    pub(crate) fn into_response(self) -> Response {
        let mut response = Response::new(self.body);
        *response.status_mut() =
            StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if !self.content_type.is_empty() {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static(self.content_type),
            );
        }
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("no-cache, private"),
        );
        for warning in self.warnings {
            let quoted = format!("299 - {}", Value::from(warning));
            if let Ok(value) = HeaderValue::from_str(&quoted) {
                headers.append(header::WARNING, value);
            }
        }
        response
    }
}

impl From<Failure> for Reply {
    fn from(failure: Failure) -> Self {
        match failure.body {
            FailureBody::Status(status) => Self::json(
                failure.code,
                serde_json::to_vec(&status).unwrap_or_default(),
            ),
            FailureBody::Text(text) => Self::text(failure.code, text),
        }
    }
}

/// The metadata of an object, in the form of its own.
pub(crate) fn metadata_of(json: &Value) -> Value {
    json!({
        "apiVersion": "meta.k8s.io/v1",
        "kind": "PartialObjectMetadata",
        "metadata": json["metadata"],
    })
}

/// Appends an object with its kind and version to a text; tables are not made here.
pub(crate) fn write_object(served: &Served, object: &Object, shape: Shape, out: &mut Vec<u8>) {
    if shape == Shape::Metadata {
        out.extend_from_slice(
            b"{\"apiVersion\":\"meta.k8s.io/v1\",\"kind\":\"PartialObjectMetadata\",\"metadata\":",
        );
        out.extend(serde_json::to_vec(&object.json()["metadata"]).unwrap_or_default());
        out.push(b'}');
    } else if convert::changes_fields(served) {
        out.extend(serde_json::to_vec(&convert::shown(served, object)).unwrap_or_default());
    } else {
        write_typed(
            object.body(),
            &served.info.api_version(),
            &served.info.kind,
            out,
        );
    }
}
