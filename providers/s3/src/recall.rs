//! What recorded answers say about the buckets that they are about.

use std::collections::BTreeMap;
use std::sync::Arc;

use drplan_api::Answer;
use drplan_api::Ask;
use drplan_api::Json;
use drplan_api::Standing;
use drplan_api::StandingKey;

use crate::Lens;
use crate::asks;

/// Reads what lay in buckets, and the content of what was read whole.
pub(crate) fn standing(
    answers: &[(&Ask, &Answer)],
    lenses: &BTreeMap<&'static str, Arc<dyn Lens>>,
) -> Vec<Standing> {
    let mut out = Standing::unanswered(answers);
    for (ask, answer) in answers {
        let Ok(said) = answer else { continue };
        out.extend(match ask.op.as_str() {
            asks::KEYS => ask.args().ok().map(|args| keys(args, said)),
            asks::BLOB => ask.args().ok().and_then(|args| blob(args, said)),
            asks::LENS => ask.args().ok().and_then(|args| seen(args, said, lenses)),
            _ => None,
        });
    }
    out
}

fn keys(asked: asks::Keys, said: &Json) -> Standing {
    let each = |field: &str| said[field].as_array().into_iter().flatten();
    let one = |key: &Json| {
        Some(StandingKey {
            key: key["key"].as_str()?.to_owned(),
            size: key["size"].as_u64()?,
            modified: key["modified"].as_str().and_then(|text| text.parse().ok()),
            etag: key["etag"]
                .as_str()
                .unwrap_or_default()
                .trim_matches('"')
                .to_owned(),
        })
    };
    Standing::Keys {
        bucket: asked.bucket,
        prefix: asked.prefix,
        delimiter: asked.delimiter,
        keys: each("keys").filter_map(one).collect(),
        prefixes: each("prefixes")
            .filter_map(Json::as_str)
            .map(str::to_owned)
            .collect(),
    }
}

fn blob(asked: asks::Blob, said: &Json) -> Option<Standing> {
    Some(Standing::Content {
        bucket: asked.bucket,
        key: asked.key,
        bytes: said["text"].as_str()?.as_bytes().to_vec(),
    })
}

fn seen(
    asked: asks::ThroughLens,
    said: &Json,
    lenses: &BTreeMap<&'static str, Arc<dyn Lens>>,
) -> Option<Standing> {
    let lens = lenses.get(asked.lens.as_str())?;
    Some(Standing::Content {
        bytes: lens.written_back(said)?,
        bucket: asked.bucket,
        key: asked.key,
    })
}
