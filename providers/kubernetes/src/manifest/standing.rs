//! How each object of a manifest stands against the cluster. Pure: asks through the view.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use drplan_api::Answer;
use drplan_api::ConnId;
use drplan_api::ErrorKind;
use drplan_api::Json;
use drplan_api::Pending;
use drplan_api::ProviderError;
use drplan_api::View;
use drplan_api::Want;
use drplan_api::stamp;

use super::CLUSTER;
use super::ManifestSpec;
use super::parse::Item;
use crate::Discovered;
use crate::asks;
use crate::asks::Owner;
use crate::asks::TypeRef;
use crate::mark;
use crate::normalise::differences;
use crate::normalise::overlay;
use crate::normalise::project;
use crate::normalise::tables;
use crate::ready::Ready;
use crate::ready::is_going;
use crate::ready::ready;

/// One object and how it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    pub(super) item: Item,
    pub(super) live: Option<Arc<Json>>,
    pub(super) standing: Standing,
}

/// How an object stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Standing {
    /// It has every field that is wanted.
    Same,
    /// It has, and is not ready although that is wanted.
    Unready(String),
    /// It is not there.
    Missing,
    /// It differs; this is what it would become, as far as that is known.
    Differs { after: Arc<Json>, force: bool },
    /// Others own fields that would change.
    Owned(Vec<Owner>, Arc<Json>),
    /// The cluster would refuse it.
    Refused(String),
}

impl Placed {
    /// Returns that part of the live object on which the decision rests, as something that is safe to
    /// keep: a Secret is bound by its version, never by a digest of its values, and so is what holds a
    /// secret elsewhere; there the generation, where it is counted, leaves out changes of status.
    pub(super) fn binding(&self) -> Json {
        let Some(live) = &self.live else {
            return "absent".into();
        };
        let metadata = &live["metadata"];
        let part = |field: &str| metadata[field].as_str().unwrap_or_default();
        let by_version = || format!("{}/{}", part("uid"), part("resourceVersion"));
        if crate::redact::is_secret(live) {
            return by_version().into();
        }
        if self.item.has_secret_holes() {
            return match metadata["generation"].as_u64() {
                Some(generation) => format!("{}/generation {generation}", part("uid")),
                None => by_version(),
            }
            .into();
        }
        drplan_api::short_hash(&project(&self.item.object, live)).into()
    }
}

/// The object as it is sent: with the marks of this recovery.
pub(super) fn stamped(object: &Json, recovery: &str, address: &str) -> Json {
    let marks = [
        (stamp::RECOVERY, stamp::label_value(recovery)),
        (stamp::STEP, stamp::label_value(address)),
    ];
    let mut out = object.clone();
    if let Some(Json::Object(metadata)) = out.get_mut("metadata") {
        let labels = metadata.entry("labels").or_insert_with(|| Json::Null);
        if !labels.is_object() {
            *labels = Json::Object(serde_json::Map::new());
        }
        for (mark, value) in marks {
            labels[mark] = value.into();
        }
    }
    out
}

/// An object as it is without a pause.
pub(super) fn running(live: &Json) -> Cow<'_, Json> {
    match mark::original(live) {
        Some(_) => Cow::Owned(mark::released(live.clone())),
        None => Cow::Borrowed(live),
    }
}

/// What lies there goes, marked or not, and nothing new is let in.
fn lost_in(namespace: &str) -> String {
    format!(
        "everything in namespace `{namespace}`: it is being deleted; wait until it is gone, or look at its finalizers"
    )
}

/// Everything that the objects of one manifest need to know of the cluster.
pub(super) struct Lens<'a> {
    want: &'a Want<ManifestSpec>,
    view: &'a View<'a>,
    conn: &'a ConnId,
    types: &'a Discovered,
}

/// Why an object could not be judged.
pub(super) enum Hindered {
    Pending,
    Unreadable(ProviderError),
}

impl From<Pending> for Hindered {
    fn from(_: Pending) -> Self {
        Self::Pending
    }
}

/// The objects of one type by namespace and name; `None` if the type is not served.
type Index<'a> = Option<BTreeMap<(Option<&'a str>, &'a str), &'a Json>>;

impl<'a> Lens<'a> {
    pub(super) fn new(
        want: &'a Want<ManifestSpec>,
        view: &'a View<'a>,
        types: &'a Discovered,
    ) -> Self {
        Self {
            want,
            view,
            conn: want.conn(CLUSTER),
            types,
        }
    }

    /// Judges all objects; asks for everything that it needs before it gives up.
    pub(super) fn judge(&self, items: Vec<Item>) -> Result<Vec<Placed>, Hindered> {
        let mut indices = BTreeMap::new();
        let served: BTreeSet<_> = items
            .iter()
            .filter(|i| self.serves(i))
            .map(|i| &i.of)
            .collect();
        for of in &served {
            self.view.want(&asks::list(self.conn, of));
        }
        for of in served {
            indices.insert(of.clone(), self.index(of)?);
        }
        let going = self.going_namespaces()?;
        let mut out = Vec::with_capacity(items.len());
        let mut pending = false;
        for item in items {
            match self.place(item, &indices, &going) {
                Ok(placed) => out.push(placed),
                Err(Hindered::Pending) => pending = true,
                Err(error) => return Err(error),
            }
        }
        if pending {
            return Err(Hindered::Pending);
        }
        Ok(out)
    }

    /// Namespaces that are being deleted, with everything in them.
    fn going_namespaces(&self) -> Result<BTreeSet<&'a str>, Pending> {
        let Ok(list) = self.view.get(&asks::list(self.conn, &asks::namespaces()))? else {
            return Ok(BTreeSet::new());
        };
        let items = list["items"].as_array().into_iter().flatten();
        let going = items.filter(|namespace| is_going(namespace));
        let names = going.filter_map(|namespace| namespace["metadata"]["name"].as_str());
        Ok(names.collect())
    }

    fn serves(&self, item: &Item) -> bool {
        let of = &item.of;
        let found = self.types.find(&of.group, &of.version, &item.kind);
        found.is_some()
    }

    fn index(&self, of: &TypeRef) -> Result<Index<'a>, Hindered> {
        let list = match self.view.get(&asks::list(self.conn, of))? {
            Ok(list) => list,
            Err(e) if e.kind == ErrorKind::NoSuchType => return Ok(None),
            Err(e) => return Err(Hindered::Unreadable(e.clone())),
        };
        let items = list["items"].as_array().into_iter().flatten();
        let key = |object: &'a Json| {
            let metadata = &object["metadata"];
            let name = metadata["name"].as_str().unwrap_or_default();
            ((metadata["namespace"].as_str(), name), object)
        };
        Ok(Some(items.map(key).collect()))
    }

    fn place(
        &self,
        item: Item,
        indices: &BTreeMap<TypeRef, Index<'a>>,
        going: &BTreeSet<&str>,
    ) -> Result<Placed, Hindered> {
        let namespace = item.namespace.as_deref();
        if let Some(namespace) = namespace.filter(|namespace| going.contains(namespace)) {
            let standing = Standing::Refused(lost_in(namespace));
            return Ok(Placed {
                item,
                live: None,
                standing,
            });
        }
        let of = &item.of;
        if !self.serves(&item) && !item.defined_here {
            if self.types.is_missing(&of.group) {
                return Err(Hindered::Unreadable(self.group_is_down(&item)));
            }
            if let Some(other) = self.other_version(&item) {
                let standing = Standing::Refused(format!(
                    "`{}`: the cluster serves this kind in `{other}`, not in `{}`",
                    item.title(),
                    of.version
                ));
                return Ok(Placed {
                    item,
                    live: None,
                    standing,
                });
            }
        }
        let key = (item.namespace.as_deref(), item.name.as_str());
        let index = indices.get(of).and_then(Option::as_ref);
        let live = index.and_then(|index| index.get(&key)).copied();
        let standing = match live {
            None => Standing::Missing,
            Some(live) => self.compare(&item, live)?,
        };
        Ok(Placed {
            item,
            live: live.map(|l| Arc::new(l.clone())),
            standing,
        })
    }

    fn group_is_down(&self, item: &Item) -> ProviderError {
        ProviderError::new(
            ErrorKind::Unreachable,
            format!("read `{}`", item.title()),
            self.conn.as_str(),
        )
        .because(format!(
            "whoever serves the group `{}` is down",
            item.of.group
        ))
        .hint("look at its APIService: kubectl get apiservices")
    }

    fn other_version(&self, item: &Item) -> Option<&str> {
        self.types
            .resources
            .iter()
            .find(|r| r.group == item.of.group && r.kind == item.kind)
            .map(|r| r.version.as_str())
    }

    fn compare(&self, item: &Item, live: &Json) -> Result<Standing, Hindered> {
        if is_going(live) {
            return Ok(Standing::Refused(format!(
                "`{}`: it is being deleted, and goes whatever is written to it; wait until it is gone, or look at its \
                 finalizers",
                item.title()
            )));
        }
        let wanted = item.compared();
        // What drplan has paused counts as what it was.
        if differences(&wanted, &running(live)).is_empty() {
            return Ok(self.same(live));
        }
        let fallback = || Arc::new(overlay(&wanted, live));
        let is_ours =
            live["metadata"]["labels"][stamp::RECOVERY] == stamp::label_value(&self.want.recovery);
        if item.has_holes() {
            // What is not known yet cannot be tried; the apply itself finds conflicts.
            let after = fallback();
            return Ok(Standing::Differs {
                after,
                force: false,
            });
        }
        let mut force = false;
        let tried = match self.try_apply(item, force)? {
            Err(e) if e.kind == ErrorKind::Conflict => {
                let owners = self.foreign(asks::owners(e), is_ours);
                if !owners.is_empty() {
                    return Ok(Standing::Owned(owners, fallback()));
                }
                force = true;
                self.try_apply(item, force)?
            }
            tried => tried,
        };
        Ok(match tried {
            Ok(after) if after.is_null() => Standing::Differs {
                after: fallback(),
                force,
            },
            Ok(after) if project(&wanted, after) == project(&wanted, live) => self.same(live),
            Ok(after) => Standing::Differs {
                after: Arc::clone(after),
                force,
            },
            Err(e) => match e.kind {
                ErrorKind::NotFound | ErrorKind::NoSuchType => Standing::Missing,
                // Without the right to try, the difference is shown as far as it can be told.
                ErrorKind::Denied => Standing::Differs {
                    after: fallback(),
                    force,
                },
                ErrorKind::Invalid | ErrorKind::Conflict => {
                    Standing::Refused(format!("`{}`: {}", item.title(), e.why.join(": ")))
                }
                _ => return Err(Hindered::Unreadable(e.clone())),
            },
        })
    }

    fn same(&self, live: &Json) -> Standing {
        match ready(live) {
            Ready::NotYet(why) | Ready::Failed(why) if self.want.spec.waits() => {
                Standing::Unready(why)
            }
            _ => Standing::Same,
        }
    }

    fn try_apply(&self, item: &Item, force: bool) -> Result<&'a Answer, Pending> {
        let object = stamped(
            &item.object,
            &self.want.recovery,
            self.want.address.as_str(),
        );
        self.view.get(&asks::dry_run(
            self.conn,
            &item.of,
            item.namespace.as_deref(),
            &item.name,
            &object,
            force,
        ))
    }

    /// Leaves out the managers that may be overruled: those that the spec names and, on an object that
    /// this recovery made, the hands of people.
    fn foreign(&self, owners: Vec<Owner>, is_ours: bool) -> Vec<Owner> {
        let may = |owner: &Owner| {
            let named = self.want.spec.force_conflicts.contains(&owner.manager);
            named || is_ours && tables().hands.contains(&owner.manager)
        };
        owners.into_iter().filter(|o| !may(o)).collect()
    }
}
