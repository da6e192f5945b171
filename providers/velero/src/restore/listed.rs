//! Velero's own list of what a Restore did with each object, which it leaves in the bucket.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::ErrorKind;
use drplan_api::Json;
use drplan_api::Pending;
use drplan_api::View;
use drplan_api::Want;

use super::judge::Judgement;
use super::look::Found;
use super::spec::BUCKET;
use super::spec::Spec;
use crate::bucket::Place;
use crate::bucket::answered;
use crate::objects::text;

/// Reads which objects each Restore of this step brought back, where that decides between "deleted
/// since" and "not restored yet".
pub(super) fn restored(
    want: &Want<Spec>,
    place: &Place,
    judgement: &Judgement,
    in_bucket: &[String],
    view: &View<'_>,
) -> Result<Found<BTreeMap<String, BTreeSet<String>>>, Pending> {
    let names: BTreeSet<&String> = judgement
        .judged
        .iter()
        .filter_map(|j| j.restore.as_ref())
        .filter(|name| in_bucket.contains(name))
        .collect();
    let query =
        |name: &str| place.ask_gzip(want.conn(BUCKET), &place.restore(name, &list_file(name)));
    for name in &names {
        view.want(&query(name));
    }
    let mut out = BTreeMap::new();
    for name in names {
        match answered(view, &query(name))? {
            Ok(list) => out.insert(name.clone(), brought_back(list)),
            // Without its list a Restore proves nothing, so what is missing is restored again.
            Err(e) if e.kind == ErrorKind::NotFound || e.kind == ErrorKind::Corrupt => None,
            Err(e) => return Ok(Err(e.clone())),
        };
    }
    Ok(Ok(out))
}

/// The file in which Velero says of each object what it did.
pub(crate) fn list_file(name: &str) -> String {
    format!("restore-{name}-resource-list.json.gz")
}

fn brought_back(list: &Json) -> BTreeSet<String> {
    outcomes(list)
        .into_iter()
        .filter(|(_, outcome)| outcome == "created" || outcome == "updated")
        .map(|(title, _)| title)
        .collect()
}

/// Reads Velero's list: `{"v1/ConfigMap": ["shop/a(created)"]}` becomes `v1/ConfigMap shop/a` and
/// `created`.
pub(crate) fn outcomes(list: &Json) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for (kind, entries) in list.as_object().into_iter().flatten() {
        for entry in entries.as_array().into_iter().flatten().map(text) {
            if let Some((name, outcome)) = entry.rsplit_once('(') {
                let outcome = outcome.trim_end_matches(')');
                out.insert(format!("{kind} {name}"), outcome.to_owned());
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn veleros_list_is_read_object_by_object() {
        let list = json!({"v1/ConfigMap": ["shop/a(created)", "shop/b(skipped)"],
                          "v1/Namespace": ["shop(created)"]});
        let all = outcomes(&list);
        assert_eq!(all["v1/ConfigMap shop/b"], "skipped");
        assert_eq!(all["v1/Namespace shop"], "created");
        assert_eq!(brought_back(&list).len(), 2);
    }
}
