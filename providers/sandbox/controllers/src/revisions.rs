//! ControllerRevisions: the templates that a StatefulSet or DaemonSet has had.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::Write;
use crate::children::Children;
use crate::children::Kind;
use crate::generated;
use crate::object::delete;
use crate::object::label;
use crate::object::name;
use crate::object::namespace;
use crate::object::number;
use crate::object::owner_reference;
use crate::template::comparable;
use crate::template::same_template;
use crate::template::set_label;

pub(crate) const REVISIONS: Kind = ("apps", "ControllerRevision");

/// The label by which pods say which revision they are of.
pub(crate) const REVISION_LABEL: &str = "controller-revision-hash";

/// The revisions of one owner.
pub(crate) struct History {
    revisions: Vec<Arc<Value>>,
    /// The name of the revision of the present template.
    pub(crate) update: String,
    /// Its hash.
    pub(crate) hash: String,
}

impl History {
    /// Reads the history of an owner and makes the revision of its present template if there is
    /// none. `None` while ownership is being written.
    pub(crate) fn settle(
        owner: &Value,
        revisions: &Children,
        hash_label: &str,
        writes: &mut Vec<Write>,
    ) -> Option<Self> {
        let claimed = revisions.claim(owner, |_| true, writes);
        if !claimed.settled {
            return None;
        }
        let mut all = claimed.members;
        all.sort_by_key(|r| (number(&r["revision"], 0), name(r).to_owned()));
        let template = &owner["spec"]["template"];
        let latest = all.last().map_or(0, |r| number(&r["revision"], 0));
        let found = all
            .iter()
            .rev()
            .find(|r| same_template(&r["data"]["spec"]["template"], template));
        let made = found.is_none();
        let present = match found {
            Some(found) => Arc::clone(found),
            None => {
                let made = Arc::new(revision(owner, hash_label, latest + 1));
                writes.push(Write::Create(made.as_ref().clone()));
                made
            }
        };
        if !made && number(&present["revision"], 0) < latest {
            let mut again = present.as_ref().clone();
            again["revision"] = (latest + 1).into();
            writes.push(Write::Update(again));
        }
        let update = name(&present).to_owned();
        let by_name = update.strip_prefix(&format!("{}-", name(owner)));
        let hash = match label(&present, hash_label) {
            "" => by_name.unwrap_or(&update).to_owned(),
            hash => hash.to_owned(),
        };
        if made {
            all.push(present);
        }
        Some(Self {
            revisions: all,
            update,
            hash,
        })
    }

    /// The template that a revision recorded.
    pub(crate) fn template(&self, revision: &str) -> Option<Value> {
        let found = self.revisions.iter().find(|r| name(r) == revision)?;
        Some(recorded(found))
    }

    /// Deletes the oldest revisions beyond the limit that nothing uses.
    pub(crate) fn forget(&self, owner: &Value, used: &BTreeSet<&str>, writes: &mut Vec<Write>) {
        let limit = number(&owner["spec"]["revisionHistoryLimit"], 10);
        let unused: Vec<_> = self
            .revisions
            .iter()
            .filter(|r| name(r) != self.update && !used.contains(name(r)))
            .collect();
        let surplus = unused
            .len()
            .saturating_sub(usize::try_from(limit).unwrap_or(0));
        writes.extend(unused.into_iter().take(surplus).filter_map(|r| delete(r)));
    }
}

fn recorded(revision: &Value) -> Value {
    let mut template = revision["data"]["spec"]["template"].clone();
    if let Some(fields) = template.as_object_mut() {
        fields.remove("$patch");
    }
    template
}

fn revision(owner: &Value, hash_label: &str, number: i64) -> Value {
    let template = &owner["spec"]["template"];
    let hash = generated::template_hash(&comparable(template));
    let mut recorded = template.clone();
    recorded["$patch"] = "replace".into();
    let mut made = json!({
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": format!("{}-{hash}", name(owner)),
            "namespace": namespace(owner),
            "labels": template["metadata"]["labels"],
            "ownerReferences": [owner_reference(owner)],
        },
        "data": {"spec": {"template": recorded}},
        "revision": number,
    });
    if owner["metadata"]["annotations"].is_object() {
        made["metadata"]["annotations"] = owner["metadata"]["annotations"].clone();
    }
    set_label(&mut made, hash_label, &hash);
    made
}
