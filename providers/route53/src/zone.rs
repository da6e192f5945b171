//! Hosted zones, and which one a spec means. Pure.

use drplan_api::ErrorKind;
use drplan_api::ProviderError;
use serde::Deserialize;
use serde::Serialize;

use crate::name;

/// How like two zone names must be for one to be offered in place of the other, 0 to 1.
const LIKENESS_MIN: f64 = 0.7;
/// The most zone names that a message offers.
const NEAREST_MAX: usize = 3;

/// A hosted zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Zone {
    pub(crate) id: String,
    /// In canonical form.
    pub(crate) name: String,
    pub(crate) private: bool,
}

impl Zone {
    fn described(&self) -> String {
        let sort = if self.private { "private" } else { "public" };
        format!("{} ({sort})", self.id)
    }
}

/// Picks the zone with an id or a name.
pub(crate) fn pick_zone(wanted: &str, zones: Vec<Zone>) -> Result<Zone, ProviderError> {
    let error =
        |kind| ProviderError::new(kind, format!("find the hosted zone `{wanted}`"), "Route 53");
    let name = name::canonical(wanted).unwrap_or_default();
    let (mut found, others): (Vec<_>, Vec<_>) = zones
        .into_iter()
        .partition(|zone| zone.id == wanted || zone.name == name);
    match (found.pop(), found.is_empty()) {
        (Some(zone), true) => Ok(zone),
        (Some(last), false) => {
            found.push(last);
            let each: Vec<String> = found.iter().map(Zone::described).collect();
            Err(error(ErrorKind::Invalid)
                .because(format!("several have that name: {}", each.join(", ")))
                .hint("give the id of one of them as `zone`"))
        }
        (None, _) => {
            let error = error(ErrorKind::NotFound).because("there is none with that name or id");
            let near = nearest(&name, &others);
            Err(if near.is_empty() {
                error.hint("check `zone`, and whether these keys belong to the right account")
            } else {
                error.hint(format!("did you mean {}?", near.join(" or ")))
            })
        }
    }
}

fn nearest(name: &str, zones: &[Zone]) -> Vec<String> {
    let mut near: Vec<(f64, &str)> = zones
        .iter()
        .map(|zone| (strsim::jaro_winkler(name, &zone.name), zone.name.as_str()))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    near.dedup_by(|a, b| a.1 == b.1);
    near.iter()
        .take(NEAREST_MAX)
        .map(|(_, name)| format!("`{}`", name::shown(name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_found_by_name_or_id_and_never_guessed() {
        let zone = |id: &str, name: &str, private| Zone {
            id: id.to_owned(),
            name: name.to_owned(),
            private,
        };
        let zones = vec![
            zone("Z1", "shop.example.", false),
            zone("Z2", "both.example.", false),
            zone("Z3", "both.example.", true),
        ];
        for (wanted, id, says) in [
            ("Shop.Example", Some("Z1"), ""),
            ("Z3", Some("Z3"), ""),
            ("both.example", None, "Z2 (public)"),
            ("shop.exampel", None, "did you mean `shop.example`"),
            ("Z9", None, "right account"),
        ] {
            match (pick_zone(wanted, zones.clone()), id) {
                (Ok(zone), Some(id)) => assert_eq!(zone.id, id),
                (Err(error), None) => {
                    let text = format!("{error}; {}", error.hint.clone().unwrap_or_default());
                    assert!(text.contains(says), "{text}");
                }
                (got, _) => panic!("{wanted}: {got:?}"),
            }
        }
    }
}
