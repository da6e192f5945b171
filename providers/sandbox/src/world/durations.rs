//! How long things take in a world, over the defaults.

use std::collections::BTreeMap;
use std::time::Duration;

use drplan_sandbox_kubernetes::Durations;
use drplan_sandbox_kubernetes::Settings;

use super::WorldError;
use super::duration;

/// Reads the durations of a world file.
pub(super) fn settings(
    given: &BTreeMap<String, String>,
    seed: u64,
) -> Result<Settings, WorldError> {
    let mut out = Settings {
        seed,
        ..Settings::default()
    };
    let mut places = places(&mut out.durations);
    for (name, text) in given {
        let Some(place) = places.get_mut(name.as_str()) else {
            return Err(WorldError::Unknown {
                at: "durations".to_owned(),
                name: name.clone(),
                known: places.into_keys().collect::<Vec<_>>().join(", "),
            });
        };
        **place = duration(text, &format!("`{name}` of durations"))?;
    }
    Ok(out)
}

/// What a world file may change.
fn places(durations: &mut Durations) -> BTreeMap<&'static str, &mut Duration> {
    BTreeMap::from([
        ("pod_start", &mut durations.pod_start),
        ("pod_ready", &mut durations.pod_ready),
        ("init_run", &mut durations.init_run),
        ("job_run", &mut durations.job_run),
        ("pod_stop", &mut durations.pod_stop),
        ("volume_bind", &mut durations.volume_bind),
        ("load_balancer", &mut durations.load_balancer),
        ("ingress", &mut durations.ingress),
    ])
}
