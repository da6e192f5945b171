//! The lenses through which Velero's files are read from a bucket.

use std::collections::BTreeSet;
use std::sync::Arc;

use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_s3::Lens;
use drplan_s3::RangeRead;
use serde::Deserialize;
use serde::Serialize;

use crate::archive;
use crate::index::Key;

pub(crate) const ARCHIVE: &str = "velero_archive";
pub(crate) const BODIES: &str = "velero_bodies";
pub(crate) const GZIP: &str = "velero_gzip";

/// Everything that the system `s3` needs so that the kinds of this crate can read buckets.
pub fn lenses() -> Vec<Arc<dyn Lens>> {
    vec![Arc::new(Archive), Arc::new(Bodies), Arc::new(Gzip)]
}

/// Which bodies are wanted.
#[derive(Serialize, Deserialize)]
pub(crate) struct Wanted {
    pub(crate) keys: BTreeSet<Key>,
}

/// One body of an archive, its Secrets redacted.
#[derive(Serialize, Deserialize)]
pub(crate) struct Body {
    pub(crate) key: Key,
    pub(crate) body: Json,
}

struct Archive;

impl Lens for Archive {
    fn name(&self) -> &'static str {
        ARCHIVE
    }

    fn read<'a>(
        &'a self,
        object: &'a dyn RangeRead,
        _: &'a Json,
    ) -> Fut<'a, Result<Json, ProviderError>> {
        Box::pin(async move {
            let packed = object.whole().await?;
            to_json(object.key(), &archive::index(object.key(), &packed)?)
        })
    }
}

struct Bodies;

impl Lens for Bodies {
    fn name(&self) -> &'static str {
        BODIES
    }

    fn read<'a>(
        &'a self,
        object: &'a dyn RangeRead,
        args: &'a Json,
    ) -> Fut<'a, Result<Json, ProviderError>> {
        Box::pin(async move {
            let wanted = Wanted::deserialize(args).map_err(|e| {
                ProviderError::new(ErrorKind::Bug, "choose objects of an archive", object.key())
                    .caused_by(&e)
            })?;
            let packed = object.whole().await?;
            let bodies: Vec<Body> = archive::bodies(object.key(), &packed, &wanted.keys)?
                .into_iter()
                .map(|(key, body)| Body { key, body })
                .collect();
            to_json(object.key(), &bodies)
        })
    }
}

struct Gzip;

impl Lens for Gzip {
    fn name(&self) -> &'static str {
        GZIP
    }

    fn read<'a>(
        &'a self,
        object: &'a dyn RangeRead,
        _: &'a Json,
    ) -> Fut<'a, Result<Json, ProviderError>> {
        Box::pin(async move { archive::json(object.key(), &object.whole().await?) })
    }

    fn written_back(&self, facts: &Json) -> Option<Vec<u8>> {
        archive::packed(facts).ok()
    }
}

fn to_json(key: &str, data: &impl Serialize) -> Result<Json, ProviderError> {
    serde_json::to_value(data)
        .map_err(|e| ProviderError::new(ErrorKind::Bug, "list an archive", key).caused_by(&e))
}
