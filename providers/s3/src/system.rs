//! How a `provider "s3"` block becomes a connection.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::config::ResponseChecksumValidation;
use drplan_api::Answer;
use drplan_api::Ask;
use drplan_api::Conn;
use drplan_api::Connecting;
use drplan_api::Doors;
use drplan_api::Fut;
use drplan_api::Given;
use drplan_api::ProviderError;
use drplan_api::Right;
use drplan_api::Schema;
use drplan_api::Standing;
use drplan_api::System;
use drplan_api::TargetId;

use crate::Lens;
use crate::S3Conn;
use crate::config;
use crate::config::Config;
use crate::recall;
use crate::rights;

/// The region in signatures for an endpoint that has none of its own.
const REGION_OF_ENDPOINTS: &str = "us-east-1";

/// The system `s3`: AWS, and every store that speaks its protocol.
#[derive(Default)]
pub struct S3System {
    lenses: BTreeMap<&'static str, Arc<dyn Lens>>,
}

impl S3System {
    /// Makes the system without lenses.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a lens through which objects can be asked for.
    #[must_use]
    pub fn lens(mut self, lens: Arc<dyn Lens>) -> Self {
        self.lenses.insert(lens.name(), lens);
        self
    }
}

impl System for S3System {
    fn name(&self) -> &'static str {
        "s3"
    }

    fn schema(&self) -> Schema {
        config::schema()
    }

    fn check(&self, given: &mut Given<'_>) {
        config::check(given);
    }

    fn connect<'a>(&'a self, cx: &'a Connecting) -> Fut<'a, Result<Arc<dyn Conn>, ProviderError>> {
        Box::pin(async move {
            let config = Config::read(&cx.config, cx.id.as_str())?;
            let client = client(&config, &cx.doors).await;
            let conn = S3Conn::new(cx.id.clone(), client, &config, self.lenses.clone());
            Ok(Arc::new(conn) as Arc<dyn Conn>)
        })
    }

    fn rights_to_ask(&self, asks: &[&Ask]) -> Vec<Right> {
        rights::to_ask(asks)
    }

    fn rights_to_store(&self, bucket: &str, prefix: &str) -> Vec<Right> {
        rights::to_store(bucket, prefix)
    }

    fn grant(&self, rights: &[Right], _: &str, _: &str) -> String {
        drplan_aws::policy(rights)
    }

    fn recall(&self, _: &TargetId, answers: &[(&Ask, &Answer)]) -> Vec<Standing> {
        recall::standing(answers, &self.lenses)
    }
}

async fn client(config: &Config, doors: &Doors) -> aws_sdk_s3::Client {
    let endpoint = config.aws.endpoint.as_ref();
    let region = endpoint.map(|_| REGION_OF_ENDPOINTS);
    let shared = drplan_aws::load(&config.aws, region, doors).await;
    let mut builder =
        aws_sdk_s3::config::Builder::from(&shared).force_path_style(config.path_style);
    if let Some(endpoint) = endpoint {
        // Many stores that are not AWS refuse the checksums that AWS calculates by default.
        builder = builder
            .endpoint_url(endpoint)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    }
    aws_sdk_s3::Client::from_conf(builder.build())
}
