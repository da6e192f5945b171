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

/// What a change of a record takes: the batch, and asking whether it has reached all name servers.
pub(crate) fn to_do(effect: &Effect) -> Vec<Right> {
    if effect.verb != "CHANGE" {
        return Vec::new();
    }
    let id = effect.object.split(' ').next().unwrap_or_default();
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
}
