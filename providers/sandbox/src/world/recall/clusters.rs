//! Clusters with the objects that were listed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use drplan_api::ConnId;
use drplan_api::Json;
use drplan_api::PRIVATE_KEY;
use drplan_api::Standing;
use drplan_sandbox_kubernetes::Cluster;
use drplan_sandbox_kubernetes::Recalled;
use drplan_sandbox_kubernetes::Taken;

use super::LoadedConnection;
use super::count;
use super::named;

/// What stands for a hidden value.
const DIGEST: &str = "$digest";

/// Puts what was listed into a cluster that has not started.
pub(in crate::world) fn cluster(
    connection: &ConnId,
    name: &str,
    cluster: &Cluster,
    standing: &[Standing],
) -> LoadedConnection {
    let mut recalled = Recalled::default();
    let mut loaded = LoadedConnection::of(connection, format!("cluster \"{name}\""));
    for one in standing {
        match one {
            Standing::Identity(uid) => recalled.uid = Some(uid.clone()),
            Standing::Type(one) => recalled.types.push(one.clone()),
            Standing::Objects(objects) => recalled.objects.extend(objects.iter().cloned()),
            Standing::Applied {
                manager, object, ..
            } => recalled.applied.push((manager.clone(), object.clone())),
            Standing::All {
                group,
                plural,
                objects,
            } => {
                recalled.whole.insert((group.clone(), plural.clone()));
                recalled.objects.extend(objects.iter().cloned());
            }
            _ => {}
        }
    }
    let types = count(recalled.whole.len(), "type", "types");
    let mut hidden = 0;
    for object in &mut recalled.objects {
        let values = stand_ins(object);
        hidden += values;
        if values > 0 {
            loaded.stand_ins.push(title(object));
        }
    }
    // What was listed and read alone is one object.
    loaded.stand_ins.sort_unstable();
    loaded.stand_ins.dedup();
    let taken = cluster.become_other(recalled);
    loaded.holds = vec![format!(
        "{} ({types} whole)",
        count(taken.objects, "object", "objects")
    )];
    if hidden > 0 {
        let values = count(hidden, "value", "values");
        let verb = if hidden == 1 {
            "is a stand-in"
        } else {
            "are stand-ins"
        };
        loaded.holds.push(format!("{values} of Secrets {verb}"));
    }
    loaded.lacks.extend(lacks(&taken));
    loaded
}

fn lacks(taken: &Taken) -> Vec<String> {
    let mut out = Vec::new();
    if taken.owned > 0 {
        out.push(format!(
            "{}, for what owns them is not known: controllers make them again",
            count(taken.owned, "object", "objects")
        ));
    }
    if taken.orphaned > 0 {
        let what = count(taken.orphaned, "object", "objects");
        out.push(format!("the owners of {what}, which belong to nothing now"));
    }
    for (kind, n) in &taken.unserved {
        let what = count(*n, "object", "objects");
        out.push(format!("{what} of `{kind}`, which nothing serves here"));
    }
    if taken.nameless > 0 {
        let what = count(taken.nameless, "object", "objects");
        out.push(format!("{what} without a kind or a name"));
    }
    if !taken.invented.is_empty() {
        let names = named(&taken.invented);
        out.push(format!(
            "the schemas of {names}: their objects may hold anything"
        ));
    }
    out
}

/// How plans name an object.
fn title(object: &Json) -> String {
    let text = |pointer| {
        object
            .pointer(pointer)
            .and_then(Json::as_str)
            .unwrap_or_default()
    };
    let (version, kind) = (text("/apiVersion"), text("/kind"));
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    format!("{version}/{kind} {namespace}/{name}")
}

/// Puts a value in the place of each that was hidden. Whoever reads one as the key to a bucket finds that
/// of the world: a key that was right before the recording must open what is here.
fn stand_ins(object: &mut Json) -> usize {
    let (id, secret) = PRIVATE_KEY;
    let text = format!(
        "stand-in of a rehearsal\n[default]\naws_access_key_id={id}\naws_secret_access_key={secret}\n"
    );
    let mut hidden = 0;
    for (field, value) in [("data", STANDARD.encode(&text)), ("stringData", text)] {
        let values = object.get_mut(field).and_then(Json::as_object_mut);
        for old in values.into_iter().flat_map(|map| map.values_mut()) {
            if old.get(DIGEST).is_some() {
                *old = value.clone().into();
                hidden += 1;
            }
        }
    }
    // A copy of a Secret that nobody may read is no copy.
    let annotations = object.pointer_mut("/metadata/annotations");
    if let Some(Json::Object(map)) = annotations {
        map.retain(|_, value| value.get(DIGEST).is_none());
    }
    hidden
}
