//! What Route 53 must allow: derived from questions and effects, in IAM's words.

use std::collections::BTreeSet;

use drplan_api::Ask;
use drplan_api::Effect;
use drplan_api::Right;

use crate::system::RECORDS;
use crate::system::RecordsAsk;
use crate::system::ZONES;

fn zone(id: &str) -> String {
    format!("arn:aws:route53:::hostedzone/{id}")
}

/// What reading takes.
pub(crate) fn to_ask(questions: &[&Ask]) -> Vec<Right> {
    let mut out = BTreeSet::new();
    for ask in questions {
        match ask.op.as_str() {
            ZONES => out.extend([Right::new("route53:ListHostedZones", "*")]),
            RECORDS => out.extend(
                ask.args::<RecordsAsk>()
                    .ok()
                    .map(|args| Right::new("route53:ListResourceRecordSets", zone(&args.zone))),
            ),
            _ => {}
        }
    }
    out.into_iter().collect()
}

/// What a step takes whose value is not known yet: to find its zone, and to change whatever it finds there.
/// `id` is that of its zone; without it, a policy can name none.
pub(crate) fn to_do_late(id: Option<&str>) -> Vec<Right> {
    let mut out = vec![Right::new("route53:ListHostedZones", "*")];
    out.extend(to_change(id.unwrap_or("*")));
    out
}

/// What a change of a record takes: the batch, and asking whether it has reached all name servers.
pub(crate) fn to_do(effect: &Effect) -> Vec<Right> {
    if effect.verb != "CHANGE" {
        return Vec::new();
    }
    to_change(effect.object.split(' ').next().unwrap_or_default())
}

fn to_change(id: &str) -> Vec<Right> {
    vec![
        Right::new("route53:ChangeResourceRecordSets", zone(id)),
        Right::new("route53:ListResourceRecordSets", zone(id)),
        Right::new("route53:GetChange", "arn:aws:route53:::change/*"),
    ]
}

#[cfg(test)]
mod tests {
    use drplan_api::Repeat;

    use super::*;

    #[test]
    fn a_change_takes_rights_to_its_zone_alone() {
        let effect = Effect {
            verb: "CHANGE".to_owned(),
            object: "Z1 A shop.example.com.".to_owned(),
            repeat: Repeat::Cas,
            inverse: None,
        };
        let on: Vec<String> = to_do(&effect).into_iter().map(|right| right.on).collect();
        assert_eq!(on[0], "arn:aws:route53:::hostedzone/Z1");
        assert_eq!(on[2], "arn:aws:route53:::change/*");
    }

    #[test]
    fn a_change_of_later_takes_what_any_change_does_and_to_find_its_zone() {
        let late: BTreeSet<String> = to_do_late(Some("Z1"))
            .iter()
            .map(Right::to_string)
            .collect();
        let effect = Effect {
            verb: "CHANGE".to_owned(),
            object: "Z1 A shop.example.com.".to_owned(),
            repeat: Repeat::Cas,
            inverse: None,
        };
        assert!(
            to_do(&effect)
                .iter()
                .all(|right| late.contains(&right.to_string()))
        );
        assert!(late.contains("route53:ListHostedZones *"));
        let of_any = to_do_late(None);
        assert!(
            of_any
                .iter()
                .any(|right| right.on == "arn:aws:route53:::hostedzone/*")
        );
    }
}
