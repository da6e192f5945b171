//! The cluster: a handle that is cheap to clone, over state that all handles share.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use axum::Router;
use drplan_api::Timestamp;
use drplan_sandbox_fields as fields;
use serde_json::Value;
use serde_json::json;
use tokio::sync::watch;

use crate::audit::Audited;
use crate::background;
use crate::background::Background;
use crate::background::definitions;
use crate::bootstrap;
use crate::condition::has_condition;
use crate::convert;
use crate::object;
use crate::options::ClusterOptions;
use crate::options::User;
use crate::serve;
use crate::state::State;
use crate::store::Name;
use crate::store::ResourceId;

/// A Kubernetes cluster in memory.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) shared: Arc<Shared>,
}

/// What all handles, requests and background tasks share.
pub(crate) struct Shared {
    pub(crate) options: ClusterOptions,
    state: Mutex<State>,
    stopped: watch::Sender<bool>,
    background: Mutex<Option<Background>>,
}

/// What the router hands to each request: the cluster, and who calls where nobody says.
#[derive(Clone)]
pub(crate) struct Entrance {
    pub(crate) shared: Arc<Shared>,
    pub(crate) user: Option<User>,
}

/// Which object, for people and tests: `group/resource`, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectKey {
    /// The API group; empty for the core group.
    pub group: String,
    /// The plural name of the resource.
    pub resource: String,
    /// The namespace; empty for what belongs to the whole cluster.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Shared {
    /// The state, for as long as the guard lives; nothing may wait meanwhile.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.options.clock.now()
    }

    pub(crate) fn stopped(&self) -> watch::Receiver<bool> {
        self.stopped.subscribe()
    }
}

impl Cluster {
    /// Makes a cluster with what every cluster has. Nothing happens in it by itself before
    /// [`Cluster::start`].
    #[must_use]
    pub fn new(options: ClusterOptions) -> Self {
        let mut state = State::new(options.seed, options.history);
        bootstrap::populate(&mut state, &options);
        let shared = Shared {
            options,
            state: Mutex::new(state),
            stopped: watch::Sender::new(false),
            background: Mutex::new(None),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The API. Callers show a bearer token; without one they may do what anybody may.
    pub fn router(&self) -> Router {
        self.entrance(None)
    }

    /// The API for a caller inside this process who needs no token to be this user.
    pub fn router_as(&self, user: User) -> Router {
        self.entrance(Some(user))
    }

    fn entrance(&self, user: Option<User>) -> Router {
        let user = user.map(|mut user| {
            user.groups.push("system:authenticated".to_owned());
            user
        });
        let shared = Arc::clone(&self.shared);
        Router::new()
            .fallback(serve::serve)
            .with_state(Entrance { shared, user })
    }

    /// The cluster's identity: the uid of the namespace `kube-system`.
    #[must_use]
    pub fn uid(&self) -> String {
        let state = self.shared.state();
        let namespace = state.namespace("kube-system");
        namespace
            .map(|namespace| object::uid(namespace.json()).to_owned())
            .unwrap_or_default()
    }

    /// A kubeconfig with the token of a user; JSON is YAML too, and every client reads it.
    #[must_use]
    pub fn kubeconfig(&self, server: &str, user: &str) -> String {
        self.kubeconfig_with(server, user, None)
    }

    pub(crate) fn kubeconfig_with(
        &self,
        server: &str,
        user: &str,
        authority: Option<Value>,
    ) -> String {
        let name = &self.shared.options.name;
        let token = self
            .shared
            .options
            .rights
            .token_of(user)
            .unwrap_or_default();
        let mut cluster = json!({ "server": server });
        if let Some(authority) = authority {
            cluster["certificate-authority-data"] = authority;
        }
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{ "name": name, "cluster": cluster }],
            "users": [{ "name": user, "user": { "token": token } }],
            "contexts": [{ "name": name, "context": { "cluster": name, "user": user } }],
        });
        format!("{config:#}\n")
    }

    /// Starts what goes on by itself: controllers, namespaces and definitions that come and go,
    /// the collection of what has lost its owner. It ends with the last handle, or on
    /// [`Cluster::stop`]. Must be called inside a runtime.
    pub fn start(&self) {
        self.shared.stopped.send_replace(false);
        let mut background = self.background();
        if background.is_none() {
            *background = Some(background::spawn(&self.shared));
        }
    }

    /// Stops the control plane: background work and watches end, requests find nobody. What is
    /// stored stays.
    pub fn stop(&self) {
        self.shared.stopped.send_replace(true);
        self.background().take();
    }

    /// Starts the control plane again after [`Cluster::stop`]; watches must be opened anew.
    pub fn start_again(&self) {
        self.start();
    }

    /// Says whether it was stopped, and when that changes.
    #[must_use]
    pub fn stopped(&self) -> watch::Receiver<bool> {
        self.shared.stopped()
    }

    fn background(&self) -> MutexGuard<'_, Option<Background>> {
        self.shared
            .background
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// All objects as they are stored, in order.
    #[must_use]
    pub fn dump(&self) -> BTreeMap<ObjectKey, Arc<Value>> {
        let state = self.shared.state();
        let mut all = BTreeMap::new();
        for id in state.store.resources() {
            for stored in state.store.list(id, None) {
                let Name { namespace, name } = Name::of(stored.json());
                let key = ObjectKey {
                    group: id.group.clone(),
                    resource: id.plural.clone(),
                    namespace,
                    name,
                };
                all.insert(key, stored.shared());
            }
        }
        all
    }

    /// The objects of one resource as they are stored, in order of namespace and name.
    #[must_use]
    pub fn objects(&self, group: &str, resource: &str) -> Vec<Arc<Value>> {
        let state = self.shared.state();
        let found = state.store.list(&ResourceId::new(group, resource), None);
        found.map(|object| object.shared()).collect()
    }

    /// One object as it is stored.
    #[must_use]
    pub fn object(
        &self,
        group: &str,
        resource: &str,
        namespace: &str,
        name: &str,
    ) -> Option<Arc<Value>> {
        let state = self.shared.state();
        let id = ResourceId::new(group, resource);
        let found = state.store.get(&id, &Name::new(namespace, name))?;
        Some(found.shared())
    }

    /// Puts objects into the store as they are, past all rules: what an earlier life left behind.
    /// Only uid, creation time, revision and defaults are filled in where they are missing, and a
    /// definition of a custom type is established at once, so that its objects can follow.
    ///
    /// # Errors
    ///
    /// [`UnknownKind`] for an object whose kind the cluster does not serve; those before it are
    /// loaded.
    pub fn load(&self, objects: impl IntoIterator<Item = Value>) -> Result<(), UnknownKind> {
        let now = self.shared.now();
        let mut state = self.shared.state();
        for object in objects {
            load_one(&mut state, object, now)?;
        }
        Ok(())
    }

    /// Every write that was asked for since the cluster was made, in order.
    #[must_use]
    pub fn audit(&self) -> Vec<Audited> {
        self.shared.state().audit.clone()
    }

    /// Wakes up whenever anything was written; the value is the revision.
    #[must_use]
    pub fn watch_writes(&self) -> watch::Receiver<u64> {
        self.shared.state().store.subscribe_all()
    }

    /// Forgets the history, as a real cluster does every few minutes: watches and pages of lists
    /// that want something older learn that it is gone.
    pub fn compact(&self) {
        self.shared.state().store.compact();
    }
}

/// An object of a kind that the cluster does not serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cluster does not serve `{kind}` of `{api_version}`")]
pub struct UnknownKind {
    /// The object's `apiVersion`.
    pub api_version: String,
    /// The object's kind.
    pub kind: String,
}

fn load_one(state: &mut State, mut json: Value, now: Timestamp) -> Result<(), UnknownKind> {
    let api_version = object::text(&json, "/apiVersion").to_owned();
    let kind = object::text(&json, "/kind").to_owned();
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let Some(served) = state.types.of_kind(group, &kind).cloned() else {
        return Err(UnknownKind { api_version, kind });
    };
    if kind == "CustomResourceDefinition" && !has_condition(&json, "Established") {
        definitions::accept(&mut json, now);
    }
    let uid = state.ids.uid();
    let metadata = object::metadata(&mut json);
    metadata.entry("uid").or_insert_with(|| json!(uid));
    metadata
        .entry("creationTimestamp")
        .or_insert_with(|| json!(crate::request::stamp(now)));
    fields::default(&served.info, &mut json);
    let stored = convert::to_stored(&served, json);
    state.store.put(&served.id, stored);
    state.follow_types(&served.id);
    Ok(())
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("name", &self.shared.options.name)
            .finish_non_exhaustive()
    }
}
