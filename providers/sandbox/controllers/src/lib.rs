//! What Kubernetes' own controllers make of the objects of the rehearsal world.
//!
//! Every controller is a pure function: it is shown the objects, what changed since its last turn
//! and the time, and answers with the writes it wants and when it wants to look at an object again.
//! It keeps nothing between turns, so a world may be dropped and started anew at any point.
//!
//! Nothing here knows how objects are stored, who else writes, or that time is virtual.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

mod accounts;
mod bounds;
mod budgets;
mod children;
mod claims;
mod condition;
mod cron_jobs;
mod daemon_sets;
mod deployments;
mod endpoints;
mod generated;
mod jobs;
mod names;
mod nodes;
mod object;
mod pods;
mod protection;
mod replica_sets;
mod revisions;
mod schedule;
mod selector;
mod services;
mod settings;
mod stateful_sets;
mod template;

pub use schedule::Schedule;
pub use settings::Durations;
pub use settings::Settings;

/// What a controller may look at.
///
/// Kinds that the world does not serve have no objects. An object that is being deleted is shown
/// until it is gone.
pub trait View {
    /// All objects of a kind, ordered by namespace and name.
    fn list(&self, group: &str, kind: &str) -> Vec<Arc<Value>>;

    /// The objects of a kind in one namespace, ordered by name.
    fn list_in(&self, group: &str, kind: &str, namespace: &str) -> Vec<Arc<Value>>;

    /// One object.
    fn get(
        &self,
        group: &str,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Option<Arc<Value>>;
}

/// Which object, in any version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The API group; empty for the core group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The namespace; `None` for what belongs to the whole cluster.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl Key {
    /// The key of an object; `None` if it says no kind or has no name.
    #[must_use]
    pub fn of(object: &Value) -> Option<Self> {
        let version = object["apiVersion"].as_str()?;
        let group = version.split_once('/').map_or("", |(group, _)| group);
        Some(Self {
            group: group.to_owned(),
            kind: object["kind"].as_str()?.to_owned(),
            namespace: object["metadata"]["namespace"].as_str().map(str::to_owned),
            name: object["metadata"]["name"].as_str()?.to_owned(),
        })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, .. } = self;
        match &self.namespace {
            Some(namespace) => write!(f, "{kind} {namespace}/{name}"),
            None => write!(f, "{kind} {name}"),
        }
    }
}

/// A write that a controller wants.
///
/// A turn has at most one write of the same object, except that a creation stands before what
/// refers to it. A write that is refused (most often with a conflict) may simply be dropped: the
/// change that caused the refusal asks the controller again. A creation refused because the name is
/// taken is dropped too; for any other refusal (quota, webhook) the world asks again for the keys
/// of that turn after [`Durations::retry`].
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Creates the object, whose name is always complete (no `generateName` is left to the server).
    Create(Value),
    /// Replaces everything but the status, if the stored `resourceVersion` is still the object's.
    Update(Value),
    /// Replaces the status alone, if the stored `resourceVersion` is still the object's.
    Status(Value),
    /// What a scheduler posts to `pods/NAME/binding`: sets `spec.nodeName` and the condition
    /// `PodScheduled` (with the time of the write as `lastTransitionTime`).
    Bind {
        /// The pod's namespace.
        namespace: String,
        /// The pod's name.
        name: String,
        /// The pod's uid, as a precondition.
        uid: String,
        /// The node's name.
        node: String,
    },
    /// Deletes with the uid as a precondition and background propagation.
    Delete {
        /// Which object.
        key: Key,
        /// Its uid.
        uid: String,
        /// With a grace period of zero: what a kubelet says once the containers of a pod that is
        /// being deleted have stopped. Otherwise the kind's own grace period.
        at_once: bool,
    },
}

/// What a controller is asked in one turn.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// The objects as they are now.
    pub view: &'a dyn View,
    /// What was created, changed or deleted among the watched kinds since the last turn, and what
    /// the controller asked to see again by now. In the first turn: every object of the watched
    /// kinds. Keys whose objects are gone are among them.
    pub changed: &'a BTreeSet<Key>,
    /// Those of `changed` that it asked to see again by now, or whose writes were refused and which
    /// are tried again.
    pub due: &'a BTreeSet<Key>,
    /// The time.
    pub now: Timestamp,
    /// What the world is like.
    pub settings: &'a Settings,
}

/// What a controller answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turn {
    /// The writes, in the order in which they shall be made.
    pub writes: Vec<Write>,
    /// Which objects it wants to see again, and when: the world puts the key among
    /// [`Ask::changed`] of the first turn at or after that time. Of several times for one key and
    /// controller the earliest counts; the later may be forgotten, since that turn asks again.
    pub again: Vec<(Key, Timestamp)>,
}

/// One controller.
pub trait Controller: Send + Sync {
    /// A short name for logs.
    fn name(&self) -> &'static str;

    /// The kinds, as group and kind, whose changes it wants to be told.
    fn watches(&self) -> &'static [(&'static str, &'static str)];

    /// The user that its writes come from.
    fn user(&self) -> &'static str;

    /// The name under which its writes stand in `managedFields`.
    fn manager(&self) -> &'static str {
        "kube-controller-manager"
    }

    /// Decides. Costs nothing when nothing changed, and at most one pass over the objects of the
    /// namespaces in which something did.
    fn turn(&self, ask: Ask<'_>) -> Turn;
}

/// All controllers, in the order in which a world asks them.
#[must_use]
pub fn all() -> Vec<Box<dyn Controller>> {
    vec![
        Box::new(accounts::Accounts),
        Box::new(nodes::Nodes),
        Box::new(cron_jobs::CronJobs),
        Box::new(jobs::Jobs),
        Box::new(deployments::Deployments),
        Box::new(replica_sets::ReplicaSets),
        Box::new(stateful_sets::StatefulSets),
        Box::new(daemon_sets::DaemonSets),
        Box::new(claims::Claims),
        Box::new(protection::Protection),
        Box::new(pods::Scheduler),
        Box::new(pods::Kubelet),
        Box::new(budgets::Budgets),
        Box::new(endpoints::Endpoints),
        Box::new(services::Addresses),
    ]
}
