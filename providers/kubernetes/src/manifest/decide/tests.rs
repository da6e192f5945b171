use std::sync::Arc;

use drplan_api::Address;
use drplan_api::Answer;
use drplan_api::ConnId;
use drplan_api::DynKind;
use drplan_api::ErrorKind;
use drplan_api::Facts;
use drplan_api::Looked;
use drplan_api::ProviderError;
use drplan_api::Query;
use drplan_api::RawWant;
use drplan_api::TargetId;
use drplan_api::acting;

use super::*;
use crate::asks::TypeRef;

const SETTINGS: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: shop}\ndata: {a: '1'}\n";

fn conn() -> ConnId {
    ConnId::new("kubernetes.site")
}

fn want(args: Json) -> RawWant {
    RawWant {
        address: Address::new("kubernetes_manifest.shop"),
        recovery: "shop".to_owned(),
        args,
        roles: [(CLUSTER.to_owned(), conn())].into(),
    }
}

fn facts(answers: Vec<(Query, Answer)>) -> Facts {
    let types = json!({"git_version": "v1.35.4", "missing_groups": [], "resources": [
        {"group": "", "version": "v1", "kind": "ConfigMap", "plural": "configmaps",
         "namespaced": true, "verbs": []}]});
    let mut facts = Facts::default();
    let ready = TargetState::Ready(TargetId("u".to_owned()));
    facts.targets.insert(conn(), ready);
    facts.answers.extend(answers);
    let empty = json!({"items": [{"metadata": {"name": "shop"}}]});
    facts.answers.insert(
        asks::list(&conn(), &asks::namespaces()),
        Ok(Arc::new(empty)),
    );
    facts
        .answers
        .insert(asks::discovery(&conn()), Ok(Arc::new(types)));
    facts
}

fn live(value: &str, labels: Json) -> (Query, Answer) {
    let config_maps = TypeRef::new("", "v1", "configmaps");
    let list = json!({"items": [{"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "shop", "labels": labels},
        "data": {"a": value, "more": "x"}}]});
    (asks::list(&conn(), &config_maps), Ok(Arc::new(list)))
}

fn dry_run(force: bool, answer: Answer) -> (Query, Answer) {
    let config_maps = TypeRef::new("", "v1", "configmaps");
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"},
        "metadata": {"name": "settings", "namespace": "shop", "labels": {
            "drplan.io/recovery": "shop", "drplan.io/step": "kubernetes_manifest.shop"}}});
    let query = asks::dry_run(
        &conn(),
        &config_maps,
        Some("shop"),
        "settings",
        &object,
        force,
    );
    (query, answer)
}

fn owned_by(manager: &str) -> Answer {
    let error = ProviderError::new(ErrorKind::Conflict, "apply", "here");
    Err(error.because(asks::owner_text(manager, ".data.a")))
}

fn would_be(value: &str) -> Answer {
    Ok(Arc::new(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "shop"},
        "data": {"a": value, "more": "x"}})))
}

fn look(args: Json, facts: &Facts) -> Looked {
    look_as(false, args, facts)
}

fn look_as(accept_overwrite: bool, args: Json, facts: &Facts) -> Looked {
    let cx = PlanCx {
        observed_at: drplan_api::Timestamp::UNIX_EPOCH,
        incident_at: None,
        accept_overwrite,
    };
    let view = View::new(facts);
    let kind: Arc<dyn DynKind> = acting(KubernetesManifest);
    let looked = kind.look(&cx, &want(args), &view);
    assert_eq!(view.missing(), Default::default());
    looked.expect("a decision")
}

fn step(planned: Planned<Json>) -> Proposal<Json> {
    match planned {
        Planned::Step(step) => *step,
        other => panic!("no step: {other:?}"),
    }
}

#[test]
fn a_cluster_that_is_not_made_yet_gets_everything_created() {
    let mut facts = Facts::default();
    let not_yet = TargetState::NotYet {
        made_by: vec![Address::new("command.site")],
    };
    facts.targets.insert(conn(), not_yet);
    let looked = look(json!({"content": SETTINGS}), &facts);
    assert_eq!(looked.present, Ok(false));
    let step = step(looked.planned);
    assert_eq!(step.action, Action::Create);
    assert_eq!(step.effects[0].object, "configmaps shop/settings");
    assert_eq!(step.binding, json!({"configmaps shop/settings": "absent"}));
}

#[test]
fn what_has_every_wanted_field_is_left_alone_whatever_marks_it_lacks() {
    let facts = facts(vec![live("1", json!({}))]);
    let looked = look(json!({"content": SETTINGS}), &facts);
    assert!(matches!(looked.planned, Planned::Nothing(_)));
}

#[test]
fn what_people_changed_by_hand_on_our_object_is_put_back() {
    let ours = json!({"drplan.io/recovery": "shop"});
    let facts = facts(vec![
        live("hand", ours),
        dry_run(false, owned_by("kubectl-edit")),
        dry_run(true, would_be("1")),
    ]);
    let step = step(look(json!({"content": SETTINGS}), &facts).planned);
    assert_eq!(step.action, Action::Update);
    assert_eq!(
        step.because.0,
        "`configmaps shop/settings` differs in .data.a"
    );
    let text = step.diff[0].text.as_deref().unwrap_or_default();
    assert!(
        text.contains("-  a: hand") && text.contains("+  a: \"1\""),
        "{text}"
    );
}

#[test]
fn what_others_own_is_a_conflict_that_names_them_until_the_spec_does() {
    let theirs = || {
        vec![
            live("theirs", json!({})),
            dry_run(false, owned_by("argocd")),
            dry_run(true, would_be("1")),
        ]
    };
    let looked = look(json!({"content": SETTINGS}), &facts(theirs()));
    let Planned::Conflict(because, changes) = looked.planned else {
        panic!("no conflict");
    };
    assert!(because.0.contains("`argocd` owns .data.a"), "{because}");
    let way_out = "plan with `--accept kubernetes_manifest.shop=overwrite`";
    assert!(because.0.ends_with(way_out), "{because}");
    assert_eq!(changes.len(), 1);

    let args = json!({"content": SETTINGS, "force_conflicts": ["argocd"]});
    let step = step(look(args, &facts(theirs())).planned);
    assert_eq!(step.op["deeds"][0]["apply"]["force"], true);
}

#[test]
fn what_others_own_is_named_with_its_owner_also_where_a_person_gave_it_away() {
    let theirs = facts(vec![
        live("theirs", json!({})),
        dry_run(false, owned_by("argocd")),
    ]);
    let step = step(look_as(true, json!({"content": SETTINGS}), &theirs).planned);
    assert_eq!(step.action, Action::Update);
    assert_eq!(
        step.because.0,
        "`configmaps shop/settings` differs in .data.a, of which `argocd` owns .data.a"
    );
    assert_eq!(step.op["deeds"][0]["apply"]["force"], true);
}

#[test]
fn a_difference_that_the_server_does_not_see_is_none() {
    let facts = facts(vec![live("01", json!({})), dry_run(false, would_be("01"))]);
    let looked = look(json!({"content": SETTINGS}), &facts);
    assert!(matches!(looked.planned, Planned::Nothing(_)));
}

#[test]
fn a_list_that_may_not_be_read_is_no_absence() {
    let (query, _) = live("1", json!({}));
    let denied = ProviderError::new(ErrorKind::Denied, "list `configmaps`", "here");
    let facts = facts(vec![(query, Err(denied))]);
    let looked = look(json!({"content": SETTINGS}), &facts);
    assert!(looked.present.is_err());
    assert!(matches!(looked.planned, Planned::Blocked(_)));
}

#[test]
fn a_live_secret_in_an_object_that_is_no_secret_is_never_shown_nor_digested() {
    let config_maps = TypeRef::new("", "v1", "configmaps");
    let live = |metadata: Json, password: &str| {
        let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "settings", "namespace": "shop"},
            "data": {"a": "0", "password": password}});
        for (key, value) in metadata.as_object().into_iter().flatten() {
            object["metadata"][key] = value.clone();
        }
        let list = json!({"items": [object]});
        facts(vec![(
            asks::list(&conn(), &config_maps),
            Ok(Arc::new(list)),
        )])
    };
    let hole = json!({"$hole": {"expr": 0, "secret": true, "after": []}});
    let later = json!({"$hole": {"expr": 0, "secret": true, "after": ["command.password"]}});
    let with_version = json!({"uid": "u", "resourceVersion": "7"});
    let with_generation = json!({"uid": "u", "resourceVersion": "7", "generation": 2});
    for (hole, metadata, bound) in [
        (&hole, &with_version, "u/7"),
        (&hole, &with_generation, "u/generation 2"),
        (&later, &with_generation, "u/generation 2"),
    ] {
        let args = json!({"objects": [{"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "settings", "namespace": "shop"},
            "data": {"a": "1", "password": hole}}]});
        let step = step(look(args, &live(metadata.clone(), "hunter2")).planned);
        assert!(!format!("{step:?}").contains("hunter2"), "{step:?}");
        assert_eq!(step.binding, json!({"configmaps shop/settings": bound}));
        let change = &step.diff[0];
        assert!(change.sensitive && change.before.is_none() && change.after.is_none());
        let text = change.text.as_deref().unwrap_or_default();
        assert!(
            text.starts_with("configmaps shop/settings: .data.a"),
            "{text}"
        );
    }
}

#[test]
fn what_is_being_deleted_by_itself_or_with_its_namespace_is_not_there_and_cannot_be_made() {
    let going = |name: &str| json!({"metadata": {"name": name, "namespace": "shop", "deletionTimestamp": "t"}});
    let list_of = |of: &TypeRef, item: Json| {
        let list = json!({"items": [item]});
        (asks::list(&conn(), of), Ok(Arc::new(list)) as Answer)
    };
    let config_maps = TypeRef::new("", "v1", "configmaps");
    for (says, answers) in [
        (
            "`configmaps shop/settings`: it is being deleted",
            vec![list_of(&config_maps, going("settings"))],
        ),
        (
            "everything in namespace `shop`: it is being deleted",
            vec![
                live("1", json!({})),
                list_of(&asks::namespaces(), going("shop")),
            ],
        ),
        (
            "everything in namespace `shop`: it is being deleted",
            vec![list_of(&asks::namespaces(), going("shop"))],
        ),
    ] {
        let mut facts = facts(Vec::new());
        facts.answers.extend(answers);
        let none = json!({"items": []});
        let config_maps = asks::list(&conn(), &config_maps);
        let listed = facts.answers.entry(config_maps);
        listed.or_insert_with(|| Ok(Arc::new(none)));
        match look(json!({"content": SETTINGS}), &facts).planned {
            Planned::Blocked(because) => assert!(because.0.contains(says), "{because}"),
            other => panic!("{says}: {other:?}"),
        }
    }
}
