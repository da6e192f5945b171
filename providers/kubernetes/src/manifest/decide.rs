//! The kind's pure half.

use std::collections::BTreeSet;

use drplan_api::Action;
use drplan_api::Arg;
use drplan_api::Because;
use drplan_api::Cap;
use drplan_api::Change;
use drplan_api::Def;
use drplan_api::Effect;
use drplan_api::Given;
use drplan_api::Hazard;
use drplan_api::HazardLevel;
use drplan_api::Json;
use drplan_api::Kind;
use drplan_api::Lack;
use drplan_api::Late;
use drplan_api::Mode;
use drplan_api::Notes;
use drplan_api::Pending;
use drplan_api::PlanCx;
use drplan_api::Planned;
use drplan_api::Proposal;
use drplan_api::Repeat;
use drplan_api::Room;
use drplan_api::Schema;
use drplan_api::Seen;
use drplan_api::Stage;
use drplan_api::TargetState;
use drplan_api::Type;
use drplan_api::View;
use drplan_api::Want;
use drplan_api::Wires;
use serde::Deserialize;
use serde_json::Map;
use serde_json::json;

use super::CLUSTER;
use super::Deed;
use super::Found;
use super::Item;
use super::KubernetesManifest;
use super::ManifestOp;
use super::ManifestSpec;
use super::ManifestState;
use super::Placed;
use super::parse;
use super::standing::Hindered;
use super::standing::Lens;
use super::standing::Standing;
use crate::Discovered;
use crate::NAMESPACE_FORM;
use crate::asks;
use crate::asks::Owner;
use crate::is_built_in_group;
use crate::is_namespace_name;
use crate::normalise::differences;
use crate::normalise::overlay;
use crate::normalise::text_diff;
use crate::redact::is_secret;
use crate::room;

/// The namespaces that every cluster has.
const BORN_NAMESPACES: &[&str] = &["default", "kube-node-lease", "kube-public", "kube-system"];
/// The most names in one reason.
const NAMES_MAX: usize = 3;

fn schema() -> Schema {
    Schema {
        args: vec![
            Arg::optional(
                "files",
                Type::Files,
                "YAML files, each with any number of documents.",
            ),
            Arg::optional("content", Type::String, "The same as text."),
            Arg::optional(
                "objects",
                Type::List(Box::new(Type::Any)),
                "The same as values, in which references to secrets may stand.",
            )
            .late(),
            Arg::optional(
                "namespace",
                Type::String,
                "The namespace of objects that name none.",
            ),
            Arg::optional(
                "wait_for",
                Type::OneOf(&["ready"]),
                "Whether the step waits until every object is ready.",
            ),
            Arg::optional(
                "force_conflicts",
                Type::List(Box::new(Type::String)),
                "Field managers whose fields are taken over, such as \"helm\".",
            ),
        ],
        exports: vec![("objects", "Kind, namespace and name of each object.")],
    }
}

impl Kind for KubernetesManifest {
    type Spec = ManifestSpec;
    type State = ManifestState;
    type Op = ManifestOp;

    fn def(&self) -> Def {
        Def {
            name: "kubernetes_manifest",
            doc: "Kubernetes objects whose every given field has the given value.",
            mode: Mode::Goal,
            schema: schema(),
            stage: Some(Stage::Infra),
            roles: &[(CLUSTER, "kubernetes")],
            envelope: &[Action::Create, Action::Update, Action::Run],
            hazard_max: HazardLevel::Reversible,
            cutover: false,
            op_version: 1,
        }
    }

    fn check(&self, given: &mut Given<'_>) {
        let what = "name of a namespace";
        given.is("namespace", is_namespace_name, what, NAMESPACE_FORM);
    }

    fn accept(&self, spec: &ManifestSpec) -> Result<(), String> {
        // A list that is one whole hole is decided when it is known.
        if matches!(spec.objects, Some(Late::Hole(_))) {
            return Ok(());
        }
        parse::items(spec, None)
            .map(drop)
            .map_err(|errors| errors.join("; "))
    }

    fn observe(
        &self,
        want: &Want<ManifestSpec>,
        view: &View<'_>,
    ) -> Result<Seen<ManifestState>, Pending> {
        let conn = want.conn(CLUSTER);
        match view.target(conn)? {
            TargetState::Ready(_) => {}
            TargetState::Unreadable(e) => return Ok(Seen::Unreadable(e.clone())),
            lacking => return Ok(Seen::Absent(Lack::of(lacking).unwrap_or(Lack::Object))),
        }
        // Lists of kinds that every cluster has need not wait for the discovery.
        for item in parse::items(&want.spec, None).unwrap_or_default() {
            if is_built_in_group(&item.of.group) {
                view.want(&asks::list(conn, &item.of));
            }
        }
        // The wires say whether the namespaces are there.
        view.want(&asks::list(conn, &asks::namespaces()));
        let types = match view.get(&asks::discovery(conn))? {
            Ok(json) => Discovered::deserialize(&**json).unwrap_or_default(),
            Err(e) => return Ok(Seen::Unreadable(e.clone())),
        };
        let items = match parse::items(&want.spec, Some(&types)) {
            Ok(items) => items,
            Err(errors) => return Ok(Seen::Present(ManifestState(Found::Wrong(errors)))),
        };
        match Lens::new(want, view, &types).judge(items) {
            Ok(placed) => Ok(Seen::Present(ManifestState(Found::Objects(placed)))),
            Err(Hindered::Pending) => Err(Pending),
            Err(Hindered::Unreadable(e)) => Ok(Seen::Unreadable(e)),
        }
    }

    fn demand(
        &self,
        want: &Want<ManifestSpec>,
        seen: &Seen<ManifestState>,
    ) -> Option<(&'static str, Room)> {
        let missing: Room = match seen {
            Seen::Present(ManifestState(Found::Objects(placed))) => {
                let missing = placed.iter().filter(|p| p.standing == Standing::Missing);
                missing.map(|p| room::asked(&p.item.object)).sum()
            }
            Seen::Absent(_) => {
                let items = parse::items(&want.spec, None).unwrap_or_default();
                items.iter().map(|item| room::asked(&item.object)).sum()
            }
            _ => return None,
        };
        Some((CLUSTER, missing))
    }

    fn wires(&self, want: &Want<ManifestSpec>, view: &View<'_>) -> Wires {
        let types = discovered(want, view);
        match parse::items(&want.spec, types.as_ref()) {
            Ok(items) => wires(want, view, types.as_ref(), &items),
            Err(_) => Wires::default(),
        }
    }

    fn plan(
        &self,
        cx: &PlanCx,
        want: &Want<ManifestSpec>,
        seen: &Seen<ManifestState>,
    ) -> Planned<ManifestOp> {
        match seen {
            Seen::Unreadable(e) => Planned::Blocked(e.to_string().into()),
            Seen::Absent(Lack::Lost { domain }) => Planned::Blocked(
                format!(
                    "the cluster is declared lost with `{domain}`, and nothing is written to it"
                )
                .into(),
            ),
            Seen::Absent(_) => match parse::items(&want.spec, None) {
                Ok(items) => decide(cx, want, &items.into_iter().map(absent).collect::<Vec<_>>()),
                Err(errors) => Planned::Blocked(errors.join("; ").into()),
            },
            Seen::Present(ManifestState(Found::Wrong(errors))) => {
                Planned::Blocked(errors.join("; ").into())
            }
            Seen::Present(ManifestState(Found::Objects(objects))) => decide(cx, want, objects),
        }
    }

    fn outputs(&self, want: &Want<ManifestSpec>, seen: &Seen<ManifestState>) -> Json {
        let offline;
        let items: Vec<&Item> = match seen {
            Seen::Present(ManifestState(Found::Objects(objects))) => {
                objects.iter().map(|o| &o.item).collect()
            }
            _ => {
                offline = parse::items(&want.spec, None).unwrap_or_default();
                offline.iter().collect()
            }
        };
        let object = |i: &&Item| json!({"kind": i.kind, "namespace": i.namespace, "name": i.name});
        json!({"objects": items.iter().map(object).collect::<Vec<_>>()})
    }

    fn notes(&self, _: &PlanCx, want: &Want<ManifestSpec>, _: &Seen<ManifestState>) -> Notes {
        let command =
            |what: &str| format!("kubectl apply --server-side --field-manager=drplan -f {what}");
        let mut manual: Vec<_> = want.spec.files.iter().map(|f| command(&f.path)).collect();
        if want.spec.content.is_some() || want.spec.objects.is_some() {
            manual.push(command("- # with the objects of the spec as input"));
        }
        Notes {
            manual,
            ..Notes::default()
        }
    }
}

fn absent(item: Item) -> Placed {
    Placed {
        item,
        live: None,
        standing: Standing::Missing,
    }
}

fn discovered(want: &Want<ManifestSpec>, view: &View<'_>) -> Option<Discovered> {
    let answer = view.peek(&asks::discovery(want.conn(CLUSTER)))?;
    Discovered::deserialize(&**answer.as_ref().ok()?).ok()
}

fn wires(
    want: &Want<ManifestSpec>,
    view: &View<'_>,
    types: Option<&Discovered>,
    items: &[Item],
) -> Wires {
    let conn = want.conn(CLUSTER);
    let mut out = Wires::default();
    let cluster = Cap::on(conn, "cluster", "ready");
    if matches!(view.peek_target(conn), Some(TargetState::Ready(_))) {
        out.already.push(cluster.clone());
    }
    out.needs.push((cluster, "its objects lie there".into()));

    let made: BTreeSet<&str> = items
        .iter()
        .filter(|i| i.is_namespace())
        .map(|i| i.name.as_str())
        .collect();
    let used: BTreeSet<&str> = items
        .iter()
        .filter_map(|i| i.namespace.as_deref())
        .collect();
    let there = live_namespaces(want, view);
    for namespace in used.difference(&made) {
        if BORN_NAMESPACES.contains(namespace) {
            continue;
        }
        let cap = Cap::on(conn, "namespace", *namespace);
        if there.contains(*namespace) {
            out.already.push(cap.clone());
        }
        out.needs.push((cap, "its objects lie in it".into()));
    }
    for namespace in made {
        let cap = Cap::on(conn, "namespace", namespace);
        out.gives.push((cap, "it makes this namespace".into()));
    }
    for item in items.iter().filter(|i| i.is_crd()) {
        let cap = Cap::on(conn, "crd", item.name.as_str());
        out.gives.push((cap, "it makes this definition".into()));
    }
    for item in items.iter().filter(|i| i.kind == "StorageClass") {
        let cap = Cap::on(conn, "storage_class", item.name.as_str());
        out.gives.push((cap, "it makes this storage class".into()));
    }
    let foreign = items
        .iter()
        .filter(|i| !is_built_in_group(&i.of.group) && !i.defined_here);
    let of_types: BTreeSet<_> = foreign.map(|i| (&i.of, &i.kind)).collect();
    for (of, kind) in of_types {
        let cap = Cap::on(conn, "crd", of.full_name());
        if types.is_some_and(|t| t.find(&of.group, &of.version, kind).is_some()) {
            out.already.push(cap.clone());
        }
        out.needs
            .push((cap, format!("it holds objects of the kind {kind}").into()));
    }
    out
}

fn live_namespaces<'a>(want: &Want<ManifestSpec>, view: &View<'a>) -> BTreeSet<&'a str> {
    let query = asks::list(want.conn(CLUSTER), &asks::namespaces());
    let Some(Ok(list)) = view.peek(&query) else {
        return BTreeSet::new();
    };
    let items = list["items"].as_array().into_iter().flatten();
    items
        .filter_map(|n| n["metadata"]["name"].as_str())
        .collect()
}

fn decide(cx: &PlanCx, want: &Want<ManifestSpec>, objects: &[Placed]) -> Planned<ManifestOp> {
    let refused: BTreeSet<_> = objects
        .iter()
        .filter_map(|o| match &o.standing {
            Standing::Refused(why) => Some(why.as_str()),
            _ => None,
        })
        .collect();
    if !refused.is_empty() {
        let refused: Vec<_> = refused.into_iter().collect();
        return Planned::Blocked(format!("the cluster would refuse {}", refused.join("; ")).into());
    }
    if !cx.accept_overwrite
        && let Some(conflict) = conflict(objects)
    {
        return conflict;
    }
    let mut draft = Draft::default();
    for (index, object) in objects.iter().enumerate() {
        draft.add(index, object, cx.accept_overwrite);
    }
    if draft.deeds.is_empty() {
        return Planned::Nothing(nothing(objects.len()));
    }
    let action = draft.action();
    Planned::Step(Box::new(Proposal {
        action,
        because: draft.because(),
        diff: draft.diff,
        hazard: match action {
            Action::Update => {
                Hazard::reversible("apply the values on the left of the difference again")
            }
            _ => Hazard::none(),
        },
        op: ManifestOp {
            objects: objects.iter().map(|o| o.item.clone()).collect(),
            deeds: draft.deeds,
            waits: want.spec.waits(),
        },
        effects: draft.effects,
        binding: Json::Object(draft.binding),
    }))
}

fn nothing(objects: usize) -> Because {
    match objects {
        1 => "the object is as it shall be".into(),
        n => format!("all {n} objects are as they shall be").into(),
    }
}

fn conflict(objects: &[Placed]) -> Option<Planned<ManifestOp>> {
    let mut lines = Vec::new();
    let mut changes = Vec::new();
    for object in objects {
        if let Standing::Owned(owners, after) = &object.standing {
            let title = object.item.title();
            lines.extend(owners.iter().map(|o| format!("{} of `{title}`", owns(o))));
            changes.push(change(object, Some(after)));
        }
    }
    if lines.is_empty() {
        return None;
    }
    let because = format!(
        "{}; leave these fields to their owner, or name it in `force_conflicts`",
        lines.join("; ")
    );
    Some(Planned::Conflict(because.into(), changes))
}

fn owns(owner: &Owner) -> String {
    format!("`{}` owns {}", owner.manager, owner.fields)
}

/// A step while it is put together.
#[derive(Default)]
struct Draft {
    deeds: Vec<Deed>,
    effects: Vec<Effect>,
    diff: Vec<Change>,
    binding: Map<String, Json>,
    missing: Vec<String>,
    different: Vec<String>,
    /// What differs and is not ours; all of it is named, however much that is.
    overwritten: Vec<String>,
    unready: Vec<String>,
}

impl Draft {
    fn add(&mut self, index: usize, object: &Placed, overwrite: bool) {
        let title = object.item.title();
        let (after, force) = match &object.standing {
            Standing::Same | Standing::Refused(_) => return,
            Standing::Unready(why) => {
                self.unready.push(format!("`{title}` is not ready: {why}"));
                self.deeds.push(Deed::Wait { object: index });
                self.effect("wait", title);
                return;
            }
            Standing::Missing => {
                self.missing.push(format!("`{title}`"));
                (None, false)
            }
            Standing::Differs { after, force } => {
                self.different.push(difference(object, &title));
                (Some(after), *force || overwrite)
            }
            Standing::Owned(owners, after) => {
                let theirs: Vec<String> = owners.iter().map(owns).collect();
                let differs = difference(object, &title);
                self.overwritten
                    .push(format!("{differs}, of which {}", theirs.join(" and ")));
                (Some(after), true)
            }
        };
        self.diff.push(change(object, after.map(|a| &**a)));
        self.binding.insert(title.clone(), object.binding());
        self.deeds.push(Deed::Apply {
            object: index,
            force,
        });
        self.effect("patch", title);
    }

    fn effect(&mut self, verb: &str, object: String) {
        self.effects.push(Effect {
            verb: verb.to_owned(),
            object,
            repeat: Repeat::Converge,
            inverse: None,
        });
    }

    fn action(&self) -> Action {
        if !self.different.is_empty() || !self.overwritten.is_empty() {
            Action::Update
        } else if !self.missing.is_empty() {
            Action::Create
        } else {
            Action::Run
        }
    }

    fn because(&self) -> Because {
        let mut parts = self.overwritten.clone();
        if !self.missing.is_empty() {
            let verb = if self.missing.len() == 1 { "is" } else { "are" };
            parts.push(format!("{} {verb} missing", names(&self.missing)));
        }
        if !self.different.is_empty() {
            parts.push(names(&self.different));
        }
        if !self.unready.is_empty() {
            parts.push(names(&self.unready));
        }
        parts.join("; ").into()
    }
}

fn names(all: &[String]) -> String {
    let shown = all
        .iter()
        .take(NAMES_MAX)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match all.len().checked_sub(NAMES_MAX) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

fn difference(object: &Placed, title: &str) -> String {
    let paths = object
        .live
        .as_ref()
        .map(|live| differences(&object.item.compared(), live))
        .unwrap_or_default();
    match paths.as_slice() {
        [] => format!("`{title}` differs"),
        [one] => format!("`{title}` differs in {one}"),
        [first, rest @ ..] => format!("`{title}` differs in {first} and {} more", rest.len()),
    }
}

fn change(object: &Placed, after: Option<&Json>) -> Change {
    let title = object.item.title();
    let wanted = &object.item.compared();
    let live = object.live.as_deref();
    let shown = match after {
        Some(after) => after.clone(),
        None => overlay(wanted, &Json::Null),
    };
    let before = live.unwrap_or(&Json::Null);
    // Only a Secret comes with its values hidden; any other object may hold, wherever a secret goes, what
    // no plan may show.
    let secret_live = live.is_some() && !is_secret(wanted) && object.item.has_secret_holes();
    let text = if secret_live {
        None
    } else {
        text_diff(before, &shown, &title)
    };
    let text = text.or_else(|| {
        // Fields that are usually left to the server and that this manifest sets all the same.
        let paths = live.map(|live| differences(wanted, live))?;
        (!paths.is_empty()).then(|| format!("{title}: {}\n", paths.join(", ")))
    });
    let sensitive = is_secret(wanted) || secret_live;
    Change {
        path: title,
        before: live
            .filter(|_| !sensitive)
            .map(|live| crate::normalise::project(wanted, live)),
        after: (!sensitive).then(|| wanted.clone()),
        sensitive,
        text,
    }
}

#[cfg(test)]
mod tests;
