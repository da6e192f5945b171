//! The system `route53`: how a provider block becomes a connection, and what that answers.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_route53::Client;
use drplan_api::Answer;
use drplan_api::Ask;
use drplan_api::Conn;
use drplan_api::Connecting;
use drplan_api::Effect;
use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::Given;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_api::Right;
use drplan_api::Schema;
use drplan_api::Standing;
use drplan_api::System;
use drplan_api::TargetId;
use drplan_api::digest;
use drplan_aws::Args;
use futures::StreamExt as _;
use serde::Deserialize;
use serde::Serialize;

use crate::client::Requests;
use crate::config;
use crate::recall;
use crate::record::RecordSet;
use crate::rights;

/// The question which zones there are.
pub(crate) const ZONES: &str = "zones";
/// The question which records a zone holds.
pub(crate) const RECORDS: &str = "records";

/// What stands for the endpoint of AWS itself.
const AWS: &str = "route53.amazonaws.com";
/// How many steps act at once: each asks every other second whether its change is everywhere, and Route 53
/// allows five requests a second.
const STEPS_MAX: usize = 5;
/// How many questions are answered at once; Route 53 allows five requests a second.
const REQUESTS_AT_ONCE_MAX: usize = 4;

/// The system `route53`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Route53System;

/// A connection to Route 53.
///
/// It answers `zones` (`{}`: a list of `{id, name, private}`) and `records` (`{zone}`: all record sets
/// of the zone, as an object of lists by canonical name, in the shape of the AWS command line).
pub struct Route53Conn {
    pub(crate) requests: Requests,
}

/// The arguments of `records`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RecordsAsk {
    pub(crate) zone: String,
}

impl Route53Conn {
    async fn answer(&self, ask: &Ask) -> Answer {
        match ask.op.as_str() {
            ZONES => as_json(&self.requests.zones().await?),
            RECORDS => {
                let ask: RecordsAsk = ask.args()?;
                // By name, so that many resources of one zone do not each walk through all of it.
                let mut by_name: BTreeMap<String, Vec<RecordSet>> = BTreeMap::new();
                for set in self.requests.records(&ask.zone).await? {
                    by_name.entry(set.name.clone()).or_default().push(set);
                }
                as_json(&by_name)
            }
            other => Err(bug(format!("answer the question `{other}`"))),
        }
    }
}

fn as_json(value: &impl Serialize) -> Answer {
    serde_json::to_value(value)
        .map(Arc::<Json>::new)
        .map_err(|e| bug("write an answer".to_owned()).caused_by(&e))
}

fn bug(during: String) -> ProviderError {
    ProviderError::new(ErrorKind::Bug, during, "route53")
}

impl System for Route53System {
    fn name(&self) -> &'static str {
        "route53"
    }

    fn schema(&self) -> Schema {
        config::schema()
    }

    fn slots(&self) -> Option<usize> {
        Some(STEPS_MAX)
    }

    fn check(&self, given: &mut Given<'_>) {
        drplan_aws::check(given);
    }

    fn connect<'a>(&'a self, cx: &'a Connecting) -> Fut<'a, Result<Arc<dyn Conn>, ProviderError>> {
        Box::pin(async move {
            let args = Args::read(&cx.config, "route53", cx.id.as_str())?;
            let target = args.endpoint.clone().unwrap_or_else(|| AWS.to_owned());
            let shared = drplan_aws::load(&args, Some(config::REGION_DEFAULT), &cx.doors).await;
            let mut builder = aws_sdk_route53::config::Builder::from(&shared);
            if let Some(endpoint) = args.endpoint {
                builder = builder.endpoint_url(endpoint);
            }
            let client = Client::from_conf(builder.build());
            let requests = Requests { client, target };
            Ok(Arc::new(Route53Conn { requests }) as Arc<dyn Conn>)
        })
    }

    fn rights_to_ask(&self, asks: &[&Ask]) -> Vec<Right> {
        rights::to_ask(asks)
    }

    fn rights_to_do(&self, effect: &Effect) -> Vec<Right> {
        rights::to_do(effect)
    }

    fn grant(&self, rights: &[Right], _: &str, _: &str) -> String {
        drplan_aws::policy(rights)
    }

    fn recall(&self, _: &TargetId, answers: &[(&Ask, &Answer)]) -> Vec<Standing> {
        recall::standing(answers)
    }
}

impl Conn for Route53Conn {
    /// One endpoint is one target; whether it answers is what the first question tells.
    fn identity(&self) -> Fut<'_, Result<TargetId, ProviderError>> {
        Box::pin(async {
            let id = digest(self.requests.target.as_bytes());
            Ok(TargetId(format!("route53:{id}")))
        })
    }

    fn fetch<'a>(&'a self, asks: &'a [Ask]) -> Fut<'a, Vec<Answer>> {
        Box::pin(
            futures::stream::iter(asks.iter().map(|ask| self.answer(ask)))
                .buffered(REQUESTS_AT_ONCE_MAX)
                .collect(),
        )
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
