//! What recorded answers say about the cluster that gave them.

use drplan_api::Answer;
use drplan_api::Ask;
use drplan_api::Json;
use drplan_api::Standing;
use drplan_api::StandingType;
use drplan_api::TargetId;
use drplan_api::stamp::FIELD_MANAGER;
use serde::Deserialize as _;

use crate::Discovered;
use crate::asks;
use crate::asks::DryRunArgs;
use crate::asks::ListArgs;

/// Reads everything that lists, single objects and the discovery say. Who owns which field no answer keeps;
/// a trial that succeeded says that nobody was in the way.
pub(crate) fn standing(who: &TargetId, answers: &[(&Ask, &Answer)]) -> Vec<Standing> {
    let mut out = vec![Standing::Identity(who.0.clone())];
    out.extend(Standing::unanswered(answers));
    for (ask, answer) in answers {
        let Ok(said) = answer else { continue };
        match ask.op.as_str() {
            asks::DISCOVERY => out.extend(types(said)),
            asks::LIST => out.extend(list(ask, said)),
            asks::DRY_RUN if !said.is_null() => out.extend(applied(ask)),
            asks::GET => out.push(Standing::Objects(vec![Json::clone(said)])),
            _ => {}
        }
    }
    out
}

fn types(said: &Json) -> Vec<Standing> {
    let Ok(found) = Discovered::deserialize(said) else {
        return Vec::new();
    };
    let one = |r: crate::Resource| {
        Standing::Type(StandingType {
            group: r.group,
            version: r.version,
            kind: r.kind,
            plural: r.plural,
            namespaced: r.namespaced,
        })
    };
    let silent = found.missing_groups.into_iter().map(|group| {
        Standing::Unknown(format!(
            "the types of `{group}`, because whoever serves them was down"
        ))
    });
    let version = Standing::Version(found.git_version);
    let all = std::iter::once(version).chain(silent);
    all.chain(found.resources.into_iter().map(one)).collect()
}

fn list(ask: &Ask, said: &Json) -> Option<Standing> {
    let args: ListArgs = ask.args().ok()?;
    let objects = said["items"].as_array()?.clone();
    if args.namespace.is_some() || args.labels.is_some() {
        return Some(Standing::Objects(objects));
    }
    Some(Standing::All {
        group: args.of.group,
        plural: args.of.plural,
        objects,
    })
}

fn applied(ask: &Ask) -> Option<Standing> {
    let DryRunArgs { at, mut object, .. } = ask.args().ok()?;
    let metadata = object.as_object_mut()?.entry("metadata");
    let metadata = metadata.or_insert_with(|| Json::Object(serde_json::Map::new()));
    let metadata = metadata.as_object_mut()?;
    metadata.insert("name".to_owned(), at.name.into());
    if let Some(namespace) = at.namespace {
        metadata.insert("namespace".to_owned(), namespace.into());
    }
    Some(Standing::Applied {
        manager: FIELD_MANAGER.to_owned(),
        object,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use drplan_api::ConnId;
    use drplan_api::ErrorKind;
    use drplan_api::ProviderError;
    use drplan_api::Query;
    use serde_json::json;

    use super::*;
    use crate::asks::TypeRef;

    #[test]
    fn only_a_list_of_a_whole_type_says_that_there_is_nothing_else() {
        let (site, pods) = (
            ConnId::new("kubernetes.site"),
            TypeRef::new("", "v1", "pods"),
        );
        let pod = json!({"kind": "Pod", "metadata": {"name": "a"}});
        let said: Answer = Ok(Arc::new(json!({"items": [pod], "resource_version": "7"})));
        let gone: Answer = Err(ProviderError::new(ErrorKind::Unreachable, "list", "here"));
        let ask = |query: Query| query.ask;
        let questions = [
            (ask(asks::list(&site, &pods)), &said),
            (ask(asks::list_in(&site, &pods, "shop", None)), &said),
            (
                ask(asks::list(&site, &TypeRef::new("", "v1", "nodes"))),
                &gone,
            ),
        ];
        let answers: Vec<(&Ask, &Answer)> = questions.iter().map(|(q, a)| (q, *a)).collect();
        let who = TargetId("uid".to_owned());
        let all = Standing::All {
            group: String::new(),
            plural: "pods".to_owned(),
            objects: vec![pod.clone()],
        };
        let some = Standing::Objects(vec![pod]);
        let found = standing(&who, &answers);
        let unknown = Standing::Unknown("the answer to list: no answer".to_owned());
        let who = Standing::Identity("uid".to_owned());
        assert_eq!(found, [who, unknown, all, some]);
    }
}
