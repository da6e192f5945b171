//! A world that stays open, so that people look around in it: `rehearse --listen`.

use std::net::SocketAddr;

use drplan_sandbox::route53::Data;
use drplan_sandbox::world::Open;
use drplan_sandbox::world::Place;

use super::failure::Failure;
use super::talk;
use crate::rehearse::Scene;
use crate::report::Exit;

/// As of when a world is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Before the recovery, which is not rehearsed.
    Before,
    /// After the recovery was rehearsed.
    After,
}

/// Lets people look around until they end it. From here on time passes as it does outside.
pub(super) async fn stay_open(
    scene: &Scene,
    address: SocketAddr,
    moment: Moment,
) -> Result<(), Failure> {
    tokio::time::resume();
    let open = scene.world().listen(address).await;
    let open = open.map_err(|e| taken(e.to_string()))?;
    talk(match moment {
        Moment::Before => {
            "The world is open until Ctrl-C, as it is before the recovery; nothing was rehearsed."
        }
        Moment::After => "\nThe world stays open until Ctrl-C.",
    });
    if let Some(seed) = scene.faults() {
        talk(&format!(
            "The faults of seed {seed} stand before it, from their beginning."
        ));
    }
    let places = scene.world().places();
    for line in clusters(scene, &open, &places)? {
        talk(&line);
    }
    let inside = names(scene, &places);
    if !inside.is_empty() {
        talk("These names lead somewhere within the world only:");
        inside.iter().for_each(|line| talk(line));
    }
    std::future::pending::<()>().await;
    Ok(())
}

/// Finds out before a whole rehearsal whether the world can be opened after it.
pub(super) fn is_free(address: SocketAddr) -> Result<(), Failure> {
    let bound = std::net::TcpListener::bind(address);
    let failed = |e| taken(format!("cannot listen on {address}: {e}"));
    bound.map(drop).map_err(failed)
}

fn taken(what: String) -> Failure {
    Failure::refused(
        Exit::Error,
        what,
        "give a free port of a loopback address, such as `--listen=127.0.0.1:7443`, or leave it out: \
         `--listen` takes a port that is free",
    )
}

/// How each cluster is reached; one that does not run answers nobody, and is not said to.
fn clusters(scene: &Scene, open: &Open, places: &[Place]) -> Result<Vec<String>, Failure> {
    let mut out = Vec::new();
    for (name, url, kubeconfig) in &open.clusters {
        let server = format!("cluster.{name}");
        let runs = places
            .iter()
            .any(|place| place.name == server && place.runs);
        if !runs {
            out.push(format!("  cluster {name}  {}", asleep(scene, &server)));
            continue;
        }
        let path = scene.dir().join(format!("{name}.kubeconfig"));
        crate::rehearse::write_private(&path, kubeconfig).map_err(anyhow::Error::from)?;
        let path = path.display();
        out.push(format!("  cluster {name}  {url}"));
        out.push(format!("    kubectl --kubeconfig {path} get pods -A"));
        if scene.file().cluster.get(name).is_some_and(|c| c.velero) {
            out.push(format!("    velero --kubeconfig {path} restore get"));
        }
    }
    if out.is_empty() {
        out.push("  it has no cluster; nothing in it can be reached from outside".to_owned());
    }
    Ok(out)
}

/// Why a server does not run, and what lets it.
fn asleep(scene: &Scene, server: &str) -> String {
    let starts = match scene.starters(server).as_slice() {
        [] => "no program of the world file starts it".to_owned(),
        programs => format!("`{}` starts it in a rehearsal", programs.join("`, `")),
    };
    format!(
        "does not run: {starts}; `running = true` in {} lets it run from the beginning",
        crate::rehearse::FILE
    )
}

/// The records as they are now; a rehearsed recovery may have moved them.
fn records(scene: &Scene) -> Vec<(String, String)> {
    let world = scene.world();
    let ids = world
        .zones()
        .iter()
        .filter_map(|zone| world.dns().zone_id(zone));
    let sets = ids.flat_map(|id| world.dns().record_sets(&id));
    let told = sets.filter_map(|set| {
        let leads = match &set.data {
            Data::Values { values, .. } => values.join(", "),
            Data::Alias { dns_name, .. } => dns_name.to_string(),
        };
        // Every zone has these; they lead nowhere.
        let own = ["NS", "SOA"].contains(&set.rtype.as_str());
        let name = set.name.to_string().trim_end_matches('.').to_owned();
        (!own).then(|| (name, format!("{} {leads}", set.rtype.as_str())))
    });
    told.collect()
}

/// Which names of the world lead where.
fn names(scene: &Scene, places: &[Place]) -> Vec<String> {
    let world = scene.file();
    let mut pairs: Vec<(String, String)> = Vec::new();
    for place in places {
        let state = if place.runs {
            ""
        } else {
            ", which does not run"
        };
        let name = place.name.replace('.', " ");
        pairs.push((
            format!("{}:{}", place.host, place.port),
            format!("{name}{state}"),
        ));
    }
    for host in world.object_store.iter().flat_map(|s| &s.hosts) {
        pairs.push((host.clone(), "the object store".to_owned()));
    }
    if world.object_store.is_some() {
        pairs.push(("*.amazonaws.com".to_owned(), "the object store".to_owned()));
    }
    pairs.extend(records(scene));
    for (name, host) in &world.host {
        let leads = host.address.as_deref().filter(|_| !host.refuses);
        let leads = leads.map_or("refuses every connection", |address| address);
        pairs.push((name.clone(), leads.to_owned()));
    }
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max();
    let width = width.unwrap_or_default();
    let line = |(name, leads): &(String, String)| format!("  {name:width$}  {leads}");
    pairs.iter().map(line).collect()
}
