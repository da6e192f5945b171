//! Claims and volumes: who gets which, and what becomes of it afterwards.

mod binding;
mod provision;
mod volume;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::Ask;
use crate::Controller;
use crate::Key;
use crate::Turn;
use crate::children::Kind;
use crate::object::is_deleting;
use crate::object::name;
use crate::object::namespace;
use crate::object::text;

const CLAIMS: Kind = ("", "PersistentVolumeClaim");
const VOLUMES: Kind = ("", "PersistentVolume");
const CLASSES: Kind = ("storage.k8s.io", "StorageClass");
const SNAPSHOTS: Kind = ("snapshot.storage.k8s.io", "VolumeSnapshot");

const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";

/// Binds claims to volumes, makes volumes, and reclaims them.
#[derive(Debug)]
pub(crate) struct Claims;

impl Controller for Claims {
    fn name(&self) -> &'static str {
        "claims"
    }

    fn watches(&self) -> &'static [Kind] {
        &[CLAIMS, VOLUMES, CLASSES, SNAPSHOTS]
    }

    fn user(&self) -> &'static str {
        "system:serviceaccount:kube-system:persistent-volume-binder"
    }

    fn turn(&self, ask: Ask<'_>) -> Turn {
        let mut turn = Turn::default();
        let mut volumes = Volumes::default();
        let concern = Concern::of(ask, &mut volumes);
        for key in &concern.claims {
            let space = key.namespace.as_deref();
            if let Some(claim) = ask.view.get(CLAIMS.0, CLAIMS.1, space, &key.name)
                && !is_deleting(&claim)
            {
                binding::reconcile(ask, key, &claim, &mut volumes, &mut turn);
            }
        }
        for volume in &concern.volumes {
            if let Some(volume) = ask.view.get(VOLUMES.0, VOLUMES.1, None, volume)
                && !volumes.taken.contains(name(&volume))
                && !is_deleting(&volume)
            {
                volume::reconcile(ask, &volume, &mut turn);
            }
        }
        turn
    }
}

/// What the changes concern.
#[derive(Default)]
struct Concern {
    claims: BTreeSet<Key>,
    volumes: BTreeSet<String>,
}

impl Concern {
    fn of(ask: Ask<'_>, volumes: &mut Volumes) -> Self {
        let mut concern = Self::default();
        let mut every_pending = false;
        for key in ask.changed {
            let kind = key.kind.as_str();
            if kind == CLAIMS.1 {
                concern.claim_changed(ask, key, volumes);
            } else if kind == VOLUMES.1 {
                concern.volumes.insert(key.name.clone());
                let volume = ask.view.get(VOLUMES.0, VOLUMES.1, None, &key.name);
                match volume.as_deref().and_then(claim_of) {
                    Some(claim) => {
                        concern.claims.insert(claim);
                    }
                    None => every_pending = true,
                }
            } else {
                every_pending = true;
            }
        }
        if every_pending {
            let all = ask.view.list(CLAIMS.0, CLAIMS.1);
            let unbound = all
                .iter()
                .filter(|claim| claim["status"]["phase"] != "Bound");
            concern
                .claims
                .extend(unbound.filter_map(|claim| Key::of(claim)));
        }
        concern
    }

    fn claim_changed(&mut self, ask: Ask<'_>, key: &Key, volumes: &mut Volumes) {
        self.claims.insert(key.clone());
        let space = key.namespace.as_deref();
        match ask.view.get(CLAIMS.0, CLAIMS.1, space, &key.name) {
            Some(claim) => {
                let volume = text(&claim["spec"]["volumeName"]);
                if !volume.is_empty() {
                    self.volumes.insert(volume.to_owned());
                }
            }
            None => {
                let held = volumes.index(ask).by_claim.get(key);
                self.volumes.extend(held.into_iter().flatten().cloned());
            }
        }
    }
}

/// The claim that a volume is for.
fn claim_of(volume: &Value) -> Option<Key> {
    let reference = &volume["spec"]["claimRef"];
    Some(Key {
        group: String::new(),
        kind: CLAIMS.1.to_owned(),
        namespace: Some(reference["namespace"].as_str()?.to_owned()),
        name: reference["name"].as_str()?.to_owned(),
    })
}

/// The volumes, read when the first claim looks for one.
#[derive(Default)]
struct Volumes {
    index: Option<Index>,
    /// Those that this turn writes.
    taken: BTreeSet<String>,
}

/// The volumes by what claims ask for.
#[derive(Default)]
struct Index {
    /// The names of those that are for a claim.
    by_claim: BTreeMap<Key, Vec<String>>,
    /// Those that are for nobody, by class.
    free: BTreeMap<String, Vec<Arc<Value>>>,
}

impl Volumes {
    fn index(&mut self, ask: Ask<'_>) -> &Index {
        self.index.get_or_insert_with(|| {
            let mut index = Index::default();
            for volume in ask.view.list(VOLUMES.0, VOLUMES.1) {
                if let Some(claim) = claim_of(&volume) {
                    let names = index.by_claim.entry(claim).or_default();
                    names.push(name(&volume).to_owned());
                } else if !is_deleting(&volume) {
                    let class = text(&volume["spec"]["storageClassName"]).to_owned();
                    index.free.entry(class).or_default().push(volume);
                }
            }
            index
        })
    }
}

/// Whether a volume's reference means a claim, apart from its uid.
fn names_claim(volume: &Value, claim: &Value) -> bool {
    let reference = &volume["spec"]["claimRef"];
    reference["namespace"] == namespace(claim) && reference["name"] == name(claim)
}
