//! The kind `http_check`: an address answers as it should.
//!
//! Its step changes nothing: it asks until the answer is right or the time is up. It knows nothing of
//! what stands behind the address.

use std::path::PathBuf;
use std::time::Duration;

use drplan_api::Action;
use drplan_api::Acts;
use drplan_api::Because;
use drplan_api::Change;
use drplan_api::Def;
use drplan_api::Effect;
use drplan_api::ErrorKind;
use drplan_api::Fut;
use drplan_api::Given;
use drplan_api::Hazard;
use drplan_api::HazardLevel;
use drplan_api::Json;
use drplan_api::Kind;
use drplan_api::Lack;
use drplan_api::Landed;
use drplan_api::Mode;
use drplan_api::Notes;
use drplan_api::Pending;
use drplan_api::PlanCx;
use drplan_api::Planned;
use drplan_api::Progress;
use drplan_api::Proof;
use drplan_api::Proposal;
use drplan_api::ProviderError;
use drplan_api::Query;
use drplan_api::ReadCx;
use drplan_api::Repeat;
use drplan_api::Seen;
use drplan_api::Stage;
use drplan_api::Timestamp;
use drplan_api::View;
use drplan_api::Want;
use drplan_api::WriteCx;
use serde::Deserialize;
use serde_json::json;

use crate::answer::Reply;
use crate::spec;
use crate::spec::CheckSpec;
use crate::system::GET;
use crate::system::HttpConn;

/// The kind `http_check`.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpCheck;

impl Kind for HttpCheck {
    type Spec = CheckSpec;
    type State = Reply;
    type Op = CheckSpec;

    fn def(&self) -> Def {
        Def {
            name: "http_check",
            doc: "An address answers as it should.",
            mode: Mode::Goal,
            schema: spec::schema(),
            stage: Some(Stage::Verify),
            roles: &[("http", "http")],
            envelope: &[Action::Run],
            hazard_max: HazardLevel::None,
            cutover: false,
            op_version: 1,
        }
    }

    fn check(&self, given: &mut Given<'_>) {
        spec::check(given);
    }

    fn observe(&self, want: &Want<CheckSpec>, view: &View<'_>) -> Result<Seen<Reply>, Pending> {
        let conn = want.conn("http");
        if let Some(lack) = Lack::of(view.target(conn)?) {
            return Ok(Seen::Absent(lack));
        }
        let answer = view.get(&Query::new(conn, GET, &want.spec.ask()))?;
        let reply = answer.clone().and_then(|json| {
            Reply::deserialize(&*json).map_err(|e| {
                ProviderError::new(ErrorKind::Bug, "read a reply", want.spec.url.clone())
                    .caused_by(&e)
            })
        });
        Ok(reply.map_or_else(Seen::Unreadable, Seen::Present))
    }

    fn plan(&self, _: &PlanCx, want: &Want<CheckSpec>, seen: &Seen<Reply>) -> Planned<CheckSpec> {
        let spec = &want.spec;
        let (because, before) = match seen {
            Seen::Present(reply) => match reply.judge(spec) {
                Ok(right) => return Planned::Nothing(Because(right)),
                Err(why) => (why, Some(json!(reply.summary()))),
            },
            Seen::Absent(Lack::Lost { domain }) => {
                return Planned::Blocked(Because(format!(
                    "`{domain}` was declared lost, so nothing is asked there"
                )));
            }
            Seen::Absent(_) => ("what asks is not there yet".to_owned(), None),
            Seen::Unreadable(error) => return Planned::Blocked(Because(error.to_string())),
        };
        Planned::Step(Box::new(Proposal {
            action: Action::Run,
            because: Because(because),
            diff: vec![Change {
                path: "answer".to_owned(),
                before,
                after: Some(match spec.status.as_slice() {
                    [one] => json!(format!("status {one}")),
                    several => json!(several),
                }),
                sensitive: false,
                text: None,
            }],
            hazard: Hazard::none(),
            op: spec.clone(),
            effects: vec![Effect {
                verb: "get".to_owned(),
                object: spec.url.clone(),
                repeat: Repeat::Converge,
                inverse: None,
            }],
            binding: Json::Null,
        }))
    }

    fn outputs(&self, want: &Want<CheckSpec>, seen: &Seen<Reply>) -> Json {
        match seen {
            Seen::Present(reply) if reply.judge(&want.spec).is_ok() => {
                json!({ "status": reply.status, "latency_ms": reply.latency_ms })
            }
            _ => json!({}),
        }
    }

    fn fleeting(&self) -> &'static [&'static str] {
        &["latency_ms"]
    }

    fn notes(&self, _: &PlanCx, want: &Want<CheckSpec>, _: &Seen<Reply>) -> Notes {
        Notes {
            manual: vec![want.spec.manual()],
            ..Notes::default()
        }
    }
}

impl Acts for HttpCheck {
    /// Notes when asking began; the requests themselves are made by `poll`.
    fn begin<'a>(
        &'a self,
        cx: &'a WriteCx,
        _: &'a CheckSpec,
        _: usize,
    ) -> Fut<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let path = began_at(cx);
            tokio::fs::write(&path, cx.doors.clock.now().to_string())
                .await
                .map_err(|e| {
                    ProviderError::new(
                        ErrorKind::Invalid,
                        "note when the check began",
                        path.display().to_string(),
                    )
                    .caused_by(&e)
                })
        })
    }

    fn probe<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a CheckSpec,
        _: usize,
    ) -> Fut<'a, Result<Landed, ProviderError>> {
        Box::pin(async move {
            let reply = cx.conn::<HttpConn>("http")?.get(&op.ask()).await;
            Ok(match reply.judge(op) {
                Ok(_) => Landed::Yes,
                Err(_) => Landed::No,
            })
        })
    }

    fn poll<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a CheckSpec,
        _: usize,
    ) -> Fut<'a, Result<Progress, ProviderError>> {
        Box::pin(async move {
            let reply = cx.conn::<HttpConn>("http")?.get(&op.ask()).await;
            let Err(why) = reply.judge(op) else {
                return Ok(Progress::Done);
            };
            if waited(cx).await > op.within {
                return Ok(Progress::Failed {
                    because: Because(format!(
                        "`{}` did not answer right within {} s: {why}",
                        op.url,
                        op.within.as_secs_f64()
                    )),
                    retry: false,
                });
            }
            Ok(Progress::Going {
                done: 0,
                of: None,
                note: why,
                again_in: op.interval,
            })
        })
    }

    fn prove<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a CheckSpec,
    ) -> Fut<'a, Result<Proof, ProviderError>> {
        Box::pin(async move {
            let reply = cx.conn::<HttpConn>("http")?.get(&op.ask()).await;
            let source = match &op.via {
                Some(via) => format!("GET {} via {via}", op.url),
                None => format!("GET {}", op.url),
            };
            Ok(match reply.judge(op) {
                Ok(right) => {
                    let claim = format!("{right} after {} ms", reply.latency_ms);
                    Proof::default().with(true, claim, source)
                }
                Err(why) => Proof::default().with(false, why, source),
            })
        })
    }
}

fn began_at(cx: &ReadCx) -> PathBuf {
    cx.work_dir.join("began-at")
}

/// Returns how long the check has been asking. Without a note of its beginning, only the engine's own
/// deadline bounds it.
async fn waited(cx: &ReadCx) -> Duration {
    let text = tokio::fs::read_to_string(began_at(cx)).await;
    let began: Option<Timestamp> = text.ok().and_then(|text| text.trim().parse().ok());
    began
        .and_then(|began| Duration::try_from(cx.doors.clock.now().duration_since(began)).ok())
        .unwrap_or_default()
}
