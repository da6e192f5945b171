//! Validates storage locations: right away, when their spec changed, and every minute.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::time::Instant;

use crate::backups;
use crate::kube_api::Answer;
use crate::kube_api::Place;
use crate::server::Server;
use crate::text::go_duration;
use crate::text::name;
use crate::text::stamp;
use crate::text::text;
use crate::text::time;
use crate::text::until;
use crate::watch::Watched;

/// How often a location is validated when it does not say so itself.
const FREQUENCY: Duration = Duration::from_secs(60);

/// How often the server looks which are due.
const LOOK: Duration = Duration::from_secs(10);

/// What was known of a location when it was validated: its spec.
type Seen = BTreeMap<String, Value>;

/// Validates for as long as it is polled.
pub(crate) async fn run(server: &Server) -> Answer<()> {
    let place = server.own("backupstoragelocations");
    let mut watched = Watched::new(&server.kube, place);
    let mut seen = Seen::new();
    let start = Instant::now();
    loop {
        let locations = watched.list().await?;
        let mut next = None;
        for location in &locations {
            let is_new = seen.get(name(location)) != Some(&location["spec"]);
            let due = if is_new {
                Some(Duration::ZERO)
            } else {
                due(server, location)
            };
            if due == Some(Duration::ZERO) {
                seen.insert(name(location).to_owned(), location["spec"].clone());
                one(server, &watched.place, location, &locations).await;
                next = Some(Duration::ZERO);
            } else {
                next = [next, due].into_iter().flatten().min();
            }
        }
        if next != Some(Duration::ZERO) {
            watched.wait(next.map(|next| at_a_look(start, next))).await;
        }
    }
}

/// How long it is until a location is due; never for one that is not validated again.
fn due(server: &Server, location: &Value) -> Option<Duration> {
    let frequency = text(location, "/spec/validationFrequency");
    let frequency = go_duration(frequency).unwrap_or(FREQUENCY);
    let last = time(location, "/status/lastValidationTime")?;
    if frequency.is_zero() {
        return None;
    }
    let then = last.checked_add(frequency).ok()?;
    Some(until(server.now(), then))
}

/// The first look after a while; the server looks at fixed times after its start.
fn at_a_look(start: Instant, after: Duration) -> Instant {
    let passed = start.elapsed() + after;
    let looks = passed.as_secs_f64() / LOOK.as_secs_f64();
    start + LOOK.mul_f64(looks.ceil().max(1.0))
}

async fn one(server: &Server, place: &Place, location: &Value, all: &[Value]) {
    keep_one_default(server, place, all).await;
    tokio::time::sleep(server.options.durations.bucket).await;
    let found = check(server, location).await;
    let mut new = location.clone();
    let status = &mut new["status"];
    if !status.is_object() {
        *status = json!({});
    }
    status["lastValidationTime"] = json!(stamp(server.now()));
    match found {
        Ok(()) => {
            status["phase"] = json!("Available");
            if let Some(status) = status.as_object_mut() {
                status.remove("message");
            }
        }
        Err(error) => {
            status["phase"] = json!("Unavailable");
            let name = name(location);
            status["message"] = json!(format!(
                "BackupStorageLocation \"{name}\" is unavailable: {error}"
            ));
        }
    }
    // Whoever deleted it meanwhile does not care.
    server.kube.update(place, location, &new).await.ok();
}

async fn check(server: &Server, location: &Value) -> Result<(), String> {
    let storage = &location["spec"]["objectStorage"];
    if !storage["caCert"].is_null() && !storage["caCertRef"].is_null() {
        return Err("cannot specify both caCert and caCertRef in objectStorage".to_owned());
    }
    let store = backups::open(&server.kube, &*server.buckets, location).await?;
    backups::validate(&store)
}

/// Takes the mark of the default from all but the newest location that has it.
async fn keep_one_default(server: &Server, place: &Place, all: &[Value]) {
    let mut defaults: Vec<&Value> = all
        .iter()
        .filter(|location| location["spec"]["default"] == json!(true))
        .collect();
    defaults.sort_by_key(|location| text(location, "/metadata/creationTimestamp"));
    defaults.pop();
    for location in defaults {
        let patch = json!({"spec": {"default": false}});
        server.kube.patch(place, name(location), &patch).await.ok();
    }
}

/// At its start the server makes the location `default` the default one, when there is one.
pub(crate) async fn mark_default(server: &Server) -> Answer<()> {
    let place = server.own("backupstoragelocations");
    let Some(location) = server.kube.find(&place, "default").await? else {
        return Ok(());
    };
    if location["spec"]["default"] != json!(true) {
        let patch = json!({"spec": {"default": true}});
        server.kube.patch(&place, "default", &patch).await?;
    }
    Ok(())
}

/// All locations, the default one first.
pub(crate) async fn all(server: &Server) -> Answer<Vec<Value>> {
    let list = server
        .kube
        .list(&server.own("backupstoragelocations"))
        .await?;
    let mut all = list.0;
    all.sort_by_key(|location| location["spec"]["default"] != json!(true));
    Ok(all)
}
