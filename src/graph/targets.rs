//! Connections of a spec: what they are made of and whether they can be opened now.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Address;
use drplan_api::ConnId;
use drplan_api::Json;

use crate::lang::Span;

/// One connection as the plan keeps it.
#[derive(Clone, Debug)]
pub struct TargetPlan {
    /// Its name.
    pub conn: ConnId,
    /// The arguments, with holes.
    pub config: Json,
    /// The steps that its arguments come from.
    pub made_by: BTreeSet<Address>,
    /// Steps whose exports, known already, stand in its arguments.
    pub made_with: BTreeSet<Address>,
    /// The failure domains that it lies in.
    pub domains: Vec<String>,
    /// The domain that was declared lost, if it lies in one.
    pub lost: Option<String>,
    /// The header of its block; `None` for one that needs no block.
    pub span: Option<Span>,
}

/// What must be known about a connection before planning goes on.
#[derive(Clone, Debug)]
pub enum TargetAsk {
    /// Open it with these arguments and ask who it is.
    Open(Json),
    /// It is not there yet.
    NotYet(Vec<Address>),
    /// It is declared lost.
    Lost(String),
}

impl TargetPlan {
    /// Says what must be known about this connection.
    pub fn ask(&self) -> TargetAsk {
        if let Some(domain) = &self.lost {
            TargetAsk::Lost(domain.clone())
        } else if self.made_by.is_empty() {
            TargetAsk::Open(self.config.clone())
        } else {
            TargetAsk::NotYet(self.made_by.iter().cloned().collect())
        }
    }
}

/// All failure domains that are lost if these are: a domain within a lost one is lost too.
pub(crate) fn lost_closure(
    lost: &BTreeSet<String>,
    domains: &BTreeMap<String, Vec<String>>,
) -> BTreeSet<String> {
    let mut all = lost.clone();
    loop {
        let more: Vec<String> = domains
            .iter()
            .filter(|(name, within)| !all.contains(*name) && within.iter().any(|w| all.contains(w)))
            .map(|(name, _)| name.clone())
            .collect();
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_within_a_lost_domain_is_lost() {
        let domains = BTreeMap::from([
            ("cluster:a".to_owned(), vec!["zone:1".to_owned()]),
            ("zone:1".to_owned(), vec!["region:x".to_owned()]),
            ("cluster:b".to_owned(), vec!["zone:2".to_owned()]),
        ]);
        let lost = lost_closure(&BTreeSet::from(["region:x".to_owned()]), &domains);
        assert!(lost.contains("cluster:a") && !lost.contains("cluster:b"));
    }
}
