//! `change` of a step, in Terraform's shape as far as drplan knows it. Arguments are what shall be, so
//! they are `after`; of what is there now a plan keeps only what differs.

use drplan_api::Action;
use drplan_api::Hole;
use drplan_api::Json;
use drplan_api::holes;
use drplan_api::is_hole;
use serde_json::Map;
use serde_json::json;

use crate::plan::Do;
use crate::plan::Step;

/// What `before` is made of.
enum Before {
    /// Nothing is there.
    Nothing,
    /// It cannot be told, or not yet.
    Unknown,
    /// It is as it shall be: the arguments.
    Arguments,
    /// By path what differs and what it is now, and which of that is hidden.
    Differences(Map<String, Json>, Map<String, Json>),
}

/// The change of a step, and in a word what its `before` is made of.
pub(super) fn change(step: &Step) -> (Json, &'static str) {
    let args = step.want.as_ref().map_or(&Json::Null, |w| &w.args);
    let (after, unknown, sensitive) = match step.action() {
        Some(Action::Delete) => (Json::Null, Json::Bool(false), Json::Bool(false)),
        _ => (filled(args), unknown(args), sensitive(args)),
    };
    let (before, before_sensitive, word) = match before(step) {
        Before::Nothing => (Json::Null, Json::Bool(false), "nothing"),
        Before::Unknown => (Json::Null, Json::Bool(false), "unknown"),
        Before::Arguments => (after.clone(), sensitive.clone(), "arguments"),
        Before::Differences(values, hidden) => {
            (Json::Object(values), Json::Object(hidden), "differences")
        }
    };
    let change = json!({
        "actions": actions(step),
        "before": before,
        "after": after,
        "after_unknown": unknown,
        "before_sensitive": before_sensitive,
        "after_sensitive": sensitive,
    });
    (change, word)
}

/// The same for an output, of which no plan knows what it was.
pub(super) fn output(value: &Json) -> Json {
    json!({
        "actions": ["create"],
        "before": null,
        "after": filled(value),
        "after_unknown": unknown(value),
        "before_sensitive": false,
        "after_sensitive": sensitive(value),
    })
}

fn actions(step: &Step) -> Vec<&'static str> {
    match &step.what {
        Do::Act { action, .. } => vec![word(*action)],
        Do::Late { actions, .. } => vec![actions.first().map_or("create", |a| word(*a))],
        Do::Read => vec!["read"],
        _ => vec!["no-op"],
    }
}

fn word(action: Action) -> &'static str {
    match action {
        Action::Create | Action::Restore | Action::Run => "create",
        Action::Update => "update",
        Action::Delete => "delete",
    }
}

fn before(step: &Step) -> Before {
    match &step.what {
        Do::Nothing => Before::Arguments,
        Do::Late { .. } | Do::Blocked { .. } => Before::Unknown,
        Do::Read | Do::Gate { .. } | Do::Idle | Do::Barrier | Do::Check { .. } => Before::Nothing,
        Do::Act { .. } | Do::Conflict => differences(step),
    }
}

fn differences(step: &Step) -> Before {
    // What is made is not there, also where its value is secret.
    let is_made = matches!(step.action(), Some(Action::Create | Action::Restore));
    let (mut values, mut hidden) = (Map::new(), Map::new());
    for change in &step.diff {
        match &change.before {
            _ if change.sensitive && !is_made => {
                values.insert(change.path.clone(), Json::Null);
                hidden.insert(change.path.clone(), Json::Bool(true));
            }
            Some(value) if !change.sensitive => {
                values.insert(change.path.clone(), filled(value));
            }
            _ => {}
        }
    }
    if values.is_empty() {
        Before::Nothing
    } else {
        Before::Differences(values, hidden)
    }
}

/// A value in which what is not known or not to be seen is null.
fn filled(value: &Json) -> Json {
    let mut out = value.clone();
    for (at, _) in holes(value) {
        if let Some(place) = out.pointer_mut(&at) {
            *place = Json::Null;
        }
    }
    out
}

fn unknown(value: &Json) -> Json {
    shape(value, |hole| !hole.secret || !hole.after.is_empty())
}

fn sensitive(value: &Json) -> Json {
    shape(value, |hole| hole.secret)
}

/// `true` where such a hole is, within the maps and lists that lead there; lists keep their places.
/// Without any an empty map, and `false` for what has no parts.
fn shape(value: &Json, is: fn(&Hole) -> bool) -> Json {
    match (marked(value, is), value) {
        (Some(marks), _) => marks,
        (None, Json::Object(_)) if is_hole(value).is_none() => json!({}),
        (None, Json::Array(_)) => json!([]),
        (None, _) => Json::Bool(false),
    }
}

fn marked(value: &Json, is: fn(&Hole) -> bool) -> Option<Json> {
    if let Some(hole) = is_hole(value) {
        return is(&hole).then_some(Json::Bool(true));
    }
    match value {
        Json::Object(map) => {
            let marks = map.iter();
            let marks: Map<String, Json> = marks
                .filter_map(|(key, value)| Some((key.clone(), marked(value, is)?)))
                .collect();
            (!marks.is_empty()).then_some(Json::Object(marks))
        }
        Json::Array(list) => {
            let marks: Vec<Option<Json>> = list.iter().map(|v| marked(v, is)).collect();
            marks.iter().any(Option::is_some).then(|| {
                let places = marks.into_iter().map(|m| m.unwrap_or(Json::Bool(false)));
                Json::Array(places.collect())
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use drplan_api::Address;
    use drplan_api::Change;
    use drplan_api::RawWant;

    use super::*;
    use crate::plan::Plan;
    use crate::tests::memory::Case;

    fn hole(secret: bool, after: &[&str]) -> Json {
        json!({"$hole": {"expr": 0, "secret": secret, "after": after}})
    }

    fn changed(path: &str, before: Option<Json>, sensitive: bool) -> Change {
        Change {
            path: path.to_owned(),
            before,
            after: None,
            sensitive,
            text: None,
        }
    }

    async fn step(action: Action, args: Json, diff: Vec<Change>) -> Step {
        let plan: Plan = Case::new("resource \"thing\" \"a\" { value = 1 }")
            .plan()
            .await;
        let mut step = plan.steps[0].clone();
        if let Do::Act { action: of, .. } = &mut step.what {
            *of = action;
        }
        step.want = Some(RawWant {
            address: Address::new("thing.a"),
            recovery: "shop".to_owned(),
            args,
            roles: [].into(),
        });
        step.diff = diff;
        step
    }

    #[test]
    fn unknown_and_secret_values_are_marked_where_they_stand() {
        let args = json!({
            "late": hole(false, &["command.a"]),
            "secret": hole(true, &[]),
            "both": hole(true, &["command.a"]),
            "list": ["a", hole(false, &["command.a"]), {"b": hole(true, &[])}],
            "plain": {"a": 1},
        });
        assert_eq!(
            filled(&args),
            json!({
                "late": null, "secret": null, "both": null, "list": ["a", null, {"b": null}],
                "plain": {"a": 1},
            })
        );
        assert_eq!(
            unknown(&args),
            json!({"late": true, "both": true, "list": [false, true, false]})
        );
        assert_eq!(
            sensitive(&args),
            json!({"secret": true, "both": true, "list": [false, false, {"b": true}]})
        );
    }

    #[test]
    fn what_holds_no_mark_has_the_shape_of_its_value() {
        for (value, marks) in [
            (json!(null), json!(false)),
            (json!("a"), json!(false)),
            (json!({"a": [1]}), json!({})),
            (json!([1]), json!([])),
            (hole(true, &[]), json!(false)),
        ] {
            assert_eq!(unknown(&value), marks, "{value}");
        }
    }

    #[tokio::test]
    async fn of_what_is_there_an_update_says_what_differs_and_hides_secrets() {
        let diff = vec![
            changed("records", Some(json!(["192.0.2.7"])), false),
            changed("secrets shop/db", None, true),
            changed("new", None, false),
        ];
        let step = step(Action::Update, json!({"records": ["192.0.2.8"]}), diff).await;
        let (change, word) = change(&step);
        assert_eq!(word, "differences");
        assert_eq!(
            change,
            json!({
                "actions": ["update"],
                "before": {"records": ["192.0.2.7"], "secrets shop/db": null},
                "before_sensitive": {"secrets shop/db": true},
                "after": {"records": ["192.0.2.8"]},
                "after_unknown": {},
                "after_sensitive": {},
            })
        );
    }

    #[tokio::test]
    async fn what_is_made_was_not_there_and_what_is_deleted_will_not_be() {
        let secret = vec![changed("secrets shop/db", None, true)];
        let made = step(Action::Create, json!({"a": 1}), secret).await;
        let (made, word) = change(&made);
        assert_eq!((&made["before"], word), (&Json::Null, "nothing"));
        assert_eq!(made["before_sensitive"], false);
        let gone = vec![changed("configmaps velero/a", Some("rules".into()), false)];
        let gone = step(Action::Delete, json!({"a": hole(true, &[])}), gone).await;
        let (gone, _) = change(&gone);
        assert_eq!(gone["before"], json!({"configmaps velero/a": "rules"}));
        assert_eq!(gone["after"], Json::Null);
        assert_eq!(gone["after_sensitive"], false);
    }

    #[tokio::test]
    async fn what_is_true_already_is_the_same_before_and_after() {
        let mut step = step(Action::Update, json!({"a": hole(true, &[])}), Vec::new()).await;
        step.what = Do::Nothing;
        let (change, word) = change(&step);
        assert_eq!(word, "arguments");
        assert_eq!(change["actions"], json!(["no-op"]));
        assert_eq!(change["before"], change["after"]);
        assert_eq!(change["before_sensitive"], json!({"a": true}));
    }
}
