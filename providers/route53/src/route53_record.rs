//! The kind `route53_record`: one record set of a hosted zone, changed by compare and swap.
//!
//! Already true is the whole set being equal. Another value is a conflict unless the spec names it as the
//! old site's. Whatever happens between plan and change, nobody else's value is overwritten: the batch
//! deletes exactly what was seen.

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
use drplan_api::RawWant;
use drplan_api::ReadCx;
use drplan_api::Repeat;
use drplan_api::Right;
use drplan_api::Seen;
use drplan_api::Stage;
use drplan_api::View;
use drplan_api::Want;
use drplan_api::WriteCx;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;

use crate::back;
use crate::name;
use crate::record;
use crate::record::Compare;
use crate::record::RecordSet;
use crate::rights;
use crate::spec;
use crate::spec::RecordSpec;
use crate::system::RECORDS;
use crate::system::RecordsAsk;
use crate::system::Route53Conn;
use crate::system::ZONES;
use crate::zone::Zone;
use crate::zone::pick_zone;

/// How often a pending change is asked for.
const POLL_EVERY: Duration = Duration::from_secs(2);
/// The kind `route53_record`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Route53Record;

/// What was observed: the zone is there.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordState {
    zone_id: String,
    /// What is wanted there, under its whole name.
    wanted: RecordSet,
    /// What is there under the same name, type and identifier.
    live: Option<RecordSet>,
    /// Why nothing can be created there, if so.
    obstacle: Option<String>,
}

/// The payload of a step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordOp {
    zone_id: String,
    old: Option<RecordSet>,
    new: RecordSet,
}

impl Kind for Route53Record {
    type Spec = RecordSpec;
    type State = RecordState;
    type Op = RecordOp;

    fn def(&self) -> Def {
        Def {
            name: "route53_record",
            doc: "One record set of a Route 53 hosted zone, changed by compare and swap.",
            mode: Mode::Goal,
            schema: spec::schema(),
            stage: Some(Stage::Dns),
            roles: &[("dns", "route53")],
            envelope: &[Action::Create, Action::Update],
            hazard_max: HazardLevel::Reversible,
            cutover: true,
            op_version: 1,
        }
    }

    fn check(&self, given: &mut Given<'_>) {
        spec::check(given);
    }

    fn observe(
        &self,
        want: &Want<RecordSpec>,
        view: &View<'_>,
    ) -> Result<Seen<RecordState>, Pending> {
        let conn = want.conn("dns");
        if let Some(lack) = Lack::of(view.target(conn)?) {
            return Ok(Seen::Absent(lack));
        }
        let answer = view.get(&Query::new(conn, ZONES, &json!({})))?;
        let zone = answer
            .clone()
            .and_then(|json| decode::<Vec<Zone>>(&json))
            .and_then(|zones| pick_zone(&want.spec.zone, zones));
        let zone = match zone {
            Ok(zone) => zone,
            Err(error) => return Ok(Seen::Unreadable(error)),
        };
        let ask = RecordsAsk {
            zone: zone.id.clone(),
        };
        let answer = view.get(&Query::new(conn, RECORDS, &ask))?;
        let state = answer.clone().and_then(|json| {
            let wanted = want.spec.set_in(&zone.name).map_err(|why| {
                ProviderError::new(ErrorKind::Invalid, "name the record", &zone.name).because(why)
            })?;
            let same_name = match json.get(&wanted.name) {
                Some(sets) => decode::<Vec<RecordSet>>(sets)?,
                None => Vec::new(),
            };
            Ok(RecordState::of(zone.id, wanted, same_name))
        });
        Ok(state.map_or_else(Seen::Unreadable, Seen::Present))
    }

    fn plan(
        &self,
        cx: &PlanCx,
        want: &Want<RecordSpec>,
        seen: &Seen<RecordState>,
    ) -> Planned<RecordOp> {
        let state = match seen {
            Seen::Present(state) => state,
            Seen::Absent(Lack::Lost { domain }) => {
                return Planned::Blocked(Because(format!(
                    "`{domain}` was declared lost, so nothing is changed there"
                )));
            }
            Seen::Absent(_) => {
                return Planned::Blocked(Because::from(
                    "the service that holds the zone is not there yet, so its zone cannot be read",
                ));
            }
            Seen::Unreadable(error) => return Planned::Blocked(Because(error.to_string())),
        };
        let wanted = &state.wanted;
        let label = wanted.label();
        let Some(live) = &state.live else {
            return match &state.obstacle {
                Some(why) => Planned::Conflict(Because(why.clone()), state.diff()),
                None => state.step(Action::Create, format!("there is no record {label}")),
            };
        };
        if live.is(wanted, Compare::AsWanted) {
            return Planned::Nothing(Because(format!("{label} is as wanted")));
        }
        let shown = live.shown().join(", ");
        if let Some(policy) = &live.unsupported {
            return Planned::Conflict(
                Because(format!(
                    "{label} is under {policy}, which drplan cannot write back"
                )),
                state.diff(),
            );
        }
        if want.spec.may_replace(live) || cx.accept_overwrite {
            return state.step(Action::Update, format!("{label} holds {shown}"));
        }
        Planned::Conflict(
            Because(format!(
                "{label} holds {shown}, which `replaces` does not name as the old site's"
            )),
            state.diff(),
        )
    }

    fn outputs(&self, _: &Want<RecordSpec>, seen: &Seen<RecordState>) -> Json {
        match seen {
            Seen::Present(state) => json!({ "fqdn": name::shown(&state.wanted.name) }),
            _ => json!({}),
        }
    }

    fn back(&self, object: &str, inverse: &Json) -> Result<Json, Because> {
        let zone_id = object.split(' ').next().unwrap_or_default();
        match record::swap(inverse) {
            Some((Some(written), Some(before))) => back::arguments(zone_id, &written, &before)
                .map_err(|why| {
                    let command = record::command(zone_id, Some(&written), Some(&before));
                    Because(format!("{why}; a person does it with: {command}"))
                }),
            Some((Some(written), None)) => Err(Because(format!(
                "there was no {} before the run, and drplan deletes no record; a person does it with: {}",
                written.label(),
                record::command(zone_id, Some(&written), None)
            ))),
            _ => Err(Because::from(
                "the inverse that was kept is no change of a record",
            )),
        }
    }

    fn takes_back(&self, inverse: &Json, op: &RecordOp) -> bool {
        let Some((Some(written), Some(before))) = record::swap(inverse) else {
            return false;
        };
        let live = op.old.as_ref();
        live.is_some_and(|live| live.is(&written, Compare::Whole))
            && op.new.is(&before, Compare::Whole)
    }

    fn rights_late(&self, raw: &RawWant, view: &View<'_>) -> Option<Vec<(&'static str, Right)>> {
        let given = Given::new(&raw.args);
        let id = given.text("zone").and_then(|zone| zone_id(zone, raw, view));
        let rights = rights::to_do_late(id.as_deref()).into_iter();
        Some(rights.map(|right| ("dns", right)).collect())
    }

    fn notes(&self, _: &PlanCx, _: &Want<RecordSpec>, seen: &Seen<RecordState>) -> Notes {
        let Seen::Present(state) = seen else {
            return Notes::default();
        };
        Notes {
            manual: vec![record::command(
                &state.zone_id,
                state.live.as_ref(),
                Some(&state.wanted),
            )],
            warnings: state.kept_check().into_iter().collect(),
            ..Notes::default()
        }
    }
}

/// The id of a zone, as far as anybody asked for zones already; an id says it itself.
fn zone_id(wanted: &str, raw: &RawWant, view: &View<'_>) -> Option<String> {
    let query = Query::new(raw.roles.get("dns")?, ZONES, &json!({}));
    match view.peek(&query) {
        Some(Ok(zones)) => {
            let zones = decode::<Vec<Zone>>(zones).ok()?;
            Some(pick_zone(wanted, zones).ok()?.id)
        }
        // No name of a zone is without a dot.
        _ => (!wanted.contains('.')).then(|| wanted.to_owned()),
    }
}

fn decode<T: serde::de::DeserializeOwned>(json: &Json) -> Result<T, ProviderError> {
    T::deserialize(json).map_err(|e| {
        ProviderError::new(ErrorKind::Bug, "read an answer of Route 53", "drplan").caused_by(&e)
    })
}

impl RecordState {
    fn of(zone_id: String, mut wanted: RecordSet, same_name: Vec<RecordSet>) -> Self {
        let (mut here, others): (Vec<_>, Vec<_>) = same_name.into_iter().partition(|set| {
            set.rtype == wanted.rtype && set.set_identifier == wanted.set_identifier
        });
        let obstacle = others.iter().find_map(|other| {
            let alias_name = other.rtype == "CNAME" || wanted.rtype == "CNAME";
            let other_policy =
                other.set_identifier.is_none() != wanted.set_identifier.is_none();
            if other.rtype == wanted.rtype && other_policy {
                Some(format!(
                    "{} is there, which cannot stand beside {}: one has a set identifier, the other none",
                    other.label(),
                    wanted.label()
                ))
            } else if other.rtype != wanted.rtype && alias_name {
                Some(format!(
                    "{} is there, and a CNAME cannot stand beside another type",
                    other.label()
                ))
            } else {
                None
            }
        });
        let live = here.pop();
        if let Some(live) = &live {
            // A spec cannot say it, and a record without it answers even when its site is down.
            wanted.health_check_id.clone_from(&live.health_check_id);
        }
        Self {
            zone_id,
            live,
            wanted,
            obstacle,
        }
    }

    /// Warns of a health check that is kept although the record points elsewhere.
    fn kept_check(&self) -> Option<String> {
        let live = self.live.as_ref()?;
        let check = live.health_check_id.as_ref()?;
        (!live.is(&self.wanted, Compare::AsWanted)).then(|| {
            format!(
                "{} keeps the health check `{check}`; if it watches the old site, it takes the record out \
                 of the answers: see `aws route53 get-health-check --health-check-id {check}`",
                live.label()
            )
        })
    }

    fn step(&self, action: Action, because: String) -> Planned<RecordOp> {
        Planned::Step(Box::new(Proposal {
            action,
            because: Because(because),
            diff: self.diff(),
            hazard: self.hazard(),
            op: RecordOp {
                zone_id: self.zone_id.clone(),
                old: self.live.clone(),
                new: self.wanted.clone(),
            },
            effects: vec![Effect {
                verb: "CHANGE".to_owned(),
                object: format!("{} {}", self.zone_id, self.wanted.label()),
                repeat: Repeat::Cas,
                inverse: Some(record::batch(Some(&self.wanted), self.live.as_ref())),
            }],
            binding: json!({ "old": self.live.as_ref().map(RecordSet::in_order) }),
        }))
    }

    fn hazard(&self) -> Hazard {
        let back = record::command(&self.zone_id, Some(&self.wanted), self.live.as_ref());
        // An alias has the time to live of its target, which is not known here.
        let kept = match self.wanted.ttl {
            Some(ttl) => format!("clients that resolved it keep it for up to {ttl} s"),
            None => "clients that resolved it keep it for a while".to_owned(),
        };
        Hazard::reversible(format!("{kept}; it is taken back with: {back}"))
    }

    fn diff(&self) -> Vec<Change> {
        let live = self.live.as_ref();
        let wanted = &self.wanted;
        let mut changes = vec![changed(
            "records",
            live.map(|live| json!(live.shown())),
            Some(json!(wanted.shown())),
        )];
        type Field = fn(&RecordSet) -> Json;
        let fields: [(&str, Field); 7] = [
            ("ttl", |set| json!(set.ttl)),
            ("weight", |set| json!(set.weight)),
            ("failover", |set| json!(set.failover)),
            ("region", |set| json!(set.region)),
            ("multi_value_answer", |set| json!(set.multi_value_answer)),
            ("evaluate_target_health", |set| {
                json!(
                    set.alias_target
                        .as_ref()
                        .map(|alias| alias.evaluate_target_health)
                )
            }),
            ("health_check_id", |set| json!(set.health_check_id)),
        ];
        for (path, field) in fields {
            let there = |json: Json| (!json.is_null()).then_some(json);
            changes.push(changed(
                path,
                live.map(field).and_then(there),
                there(field(wanted)),
            ));
        }
        changes.retain(|change| change.before != change.after);
        changes
    }
}

fn changed(path: &str, before: Option<Json>, after: Option<Json>) -> Change {
    Change {
        path: path.to_owned(),
        before,
        after,
        sensitive: false,
        text: None,
    }
}

impl RecordOp {
    /// Says what a live record means for this change.
    fn landed(&self, live: Option<&RecordSet>) -> Landed {
        match (live, &self.old) {
            (Some(live), _) if live.is(&self.new, Compare::Whole) => Landed::Yes,
            (None, None) => Landed::No,
            (Some(live), Some(old)) if live.is(old, Compare::Whole) => Landed::No,
            _ => Landed::Foreign(Because(described(&self.new, live))),
        }
    }
}

impl Acts for Route53Record {
    fn begin<'a>(
        &'a self,
        cx: &'a WriteCx,
        op: &'a RecordOp,
        _: usize,
    ) -> Fut<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let requests = &cx.conn::<Route53Conn>("dns")?.requests;
            forget_change(cx).await?;
            let error = match requests.swap(&op.zone_id, op.old.as_ref(), &op.new).await {
                Ok(id) => {
                    // Without a note of the id, the record itself is read in place of the change.
                    tokio::fs::write(change_file(cx), id).await.ok();
                    return Ok(());
                }
                Err(error) if error.kind == ErrorKind::Conflict => error,
                Err(error) => return Err(error),
            };
            let live = requests.record(&op.zone_id, &op.new).await?;
            Err(match op.landed(live.as_ref()) {
                Landed::Yes => return Ok(()),
                // Nobody touched it, so the batch itself is wrong.
                Landed::No => ProviderError {
                    kind: ErrorKind::Invalid,
                    ..error
                },
                _ => error
                    .because(described(&op.new, live.as_ref()))
                    .hint("somebody changed it since the plan; find out who, then plan again"),
            })
        })
    }

    fn probe<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a RecordOp,
        _: usize,
    ) -> Fut<'a, Result<Landed, ProviderError>> {
        Box::pin(async move {
            let requests = &cx.conn::<Route53Conn>("dns")?.requests;
            let live = requests.record(&op.zone_id, &op.new).await?;
            let landed = op.landed(live.as_ref());
            // The record tells at once what its name servers tell only when the change is in sync.
            Ok(match (&landed, change_id(cx).await) {
                (Landed::Yes, Some(id)) if !requests.is_in_sync(&id).await? => Landed::Running,
                _ => landed,
            })
        })
    }

    fn poll<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a RecordOp,
        _: usize,
    ) -> Fut<'a, Result<Progress, ProviderError>> {
        Box::pin(async move {
            let requests = &cx.conn::<Route53Conn>("dns")?.requests;
            if let Some(id) = change_id(cx).await {
                return Ok(if requests.is_in_sync(&id).await? {
                    Progress::Done
                } else {
                    Progress::Going {
                        done: 0,
                        of: None,
                        note: "waiting for all name servers".to_owned(),
                        again_in: POLL_EVERY,
                    }
                });
            }
            let live = requests.record(&op.zone_id, &op.new).await?;
            Ok(match live {
                Some(live) if live.is(&op.new, Compare::Whole) => Progress::Done,
                live => Progress::Failed {
                    because: Because(described(&op.new, live.as_ref())),
                    retry: false,
                },
            })
        })
    }

    fn prove<'a>(
        &'a self,
        cx: &'a ReadCx,
        op: &'a RecordOp,
    ) -> Fut<'a, Result<Proof, ProviderError>> {
        Box::pin(async move {
            let requests = &cx.conn::<Route53Conn>("dns")?.requests;
            let live = requests.record(&op.zone_id, &op.new).await?;
            let holds = live
                .as_ref()
                .is_some_and(|live| live.is(&op.new, Compare::Whole));
            let proof = Proof::default().with(
                holds,
                described(&op.new, live.as_ref()),
                format!("ListResourceRecordSets of zone {}", op.zone_id),
            );
            let Some(id) = change_id(cx).await else {
                return Ok(proof);
            };
            let in_sync = requests.is_in_sync(&id).await?;
            let claim = if in_sync {
                "all name servers have the change"
            } else {
                "not all name servers have the change yet"
            };
            Ok(proof.with(in_sync, claim, format!("GetChange {id}")))
        })
    }
}

fn described(like: &RecordSet, live: Option<&RecordSet>) -> String {
    let label = like.label();
    match live {
        Some(live) => {
            let ttl = live
                .ttl
                .map_or(String::new(), |ttl| format!(", ttl {ttl} s"));
            format!("{label} now holds {}{ttl}", live.shown().join(", "))
        }
        None => format!("there is no record {label} now"),
    }
}

fn change_file(cx: &ReadCx) -> PathBuf {
    cx.work_dir.join("change-id")
}

/// Returns the id of the change, if the answer to the batch arrived here.
async fn change_id(cx: &ReadCx) -> Option<String> {
    let text = tokio::fs::read_to_string(change_file(cx)).await.ok()?;
    Some(text).filter(|id| !id.is_empty())
}

/// The id of an earlier attempt says nothing about this one.
async fn forget_change(cx: &ReadCx) -> Result<(), ProviderError> {
    let path = change_file(cx);
    match tokio::fs::remove_file(&path).await {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(ProviderError::new(
            ErrorKind::Invalid,
            "remove the note of an earlier change",
            path.display().to_string(),
        )
        .caused_by(&e)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use drplan_api::Address;
    use drplan_api::ConnId;
    use drplan_api::Facts;

    use super::*;
    use crate::record::Record;

    fn set(value: &str, check: Option<&str>) -> RecordSet {
        RecordSet {
            name: "www.shop.example.".to_owned(),
            rtype: "A".to_owned(),
            ttl: Some(60),
            resource_records: vec![Record {
                value: value.to_owned(),
            }],
            health_check_id: check.map(str::to_owned),
            ..RecordSet::default()
        }
    }

    #[test]
    fn a_cutover_keeps_the_health_check_and_warns_of_it() {
        for (live, kept, warned) in [
            (None, None, false),
            (Some(set("10.0.0.1", None)), None, false),
            (Some(set("10.0.0.1", Some("h1"))), Some("h1"), true),
            (Some(set("10.8.0.1", Some("h1"))), Some("h1"), false),
        ] {
            let case = format!("{live:?}");
            let same_name = live.into_iter().collect();
            let state = RecordState::of("Z1".to_owned(), set("10.8.0.1", None), same_name);
            assert_eq!(state.wanted.health_check_id.as_deref(), kept, "{case}");
            let warning = state.kept_check();
            assert_eq!(warning.is_some(), warned, "{case}");
            assert!(warning.is_none_or(|w| w.contains("`h1`")), "{case}");
            let paths = state.diff().into_iter().map(|change| change.path);
            assert!(!paths.into_iter().any(|p| p == "health_check_id"), "{case}");
        }
    }

    #[test]
    fn what_a_record_takes_whose_value_comes_later_names_its_zone_once_zones_were_read() {
        let conn = ConnId::new("route53.dns");
        let raw = |zone: &str| RawWant {
            address: Address::new("route53_record.www"),
            recovery: "shop".to_owned(),
            args: json!({"zone": zone, "records": {"$hole": {"expr": 0, "secret": false, "after": []}}}),
            roles: BTreeMap::from([("dns".to_owned(), conn.clone())]),
        };
        let zones = json!([{"id": "Z1", "name": "shop.example.", "private": false}]);
        let read = Facts {
            answers: BTreeMap::from([(Query::new(&conn, ZONES, &json!({})), Ok(Arc::new(zones)))]),
            ..Facts::default()
        };
        for (zone, facts, id) in [
            ("shop.example", Facts::default(), "*"),
            ("Z7", Facts::default(), "Z7"),
            ("shop.example", read.clone(), "Z1"),
            ("other.example", read, "*"),
        ] {
            let rights = Route53Record.rights_late(&raw(zone), &View::new(&facts));
            let wanted = Right::new(
                "route53:ChangeResourceRecordSets",
                format!("arn:aws:route53:::hostedzone/{id}"),
            );
            assert!(
                rights.is_some_and(|all| all.contains(&("dns", wanted))),
                "{zone} {id}"
            );
        }
    }
}
