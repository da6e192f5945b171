//! What counts as gone before anything is read: resources of a lost failure domain, and, where the loss
//! is only assumed, what makes the connections that are lost. A scenario is a change of facts and nothing
//! else.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use drplan_api::Address;
use drplan_api::ConnId;
use drplan_api::Facts;
use drplan_api::TargetState;

use super::block::failure_domains;
use super::blocks::BlockId;
use super::blocks::references_of;
use super::expand::Situation;
use super::scope::Looking;
use super::scope::World;
use crate::diag::Diagnostics;
use crate::lang::Expr;
use crate::spec::Module;

/// Why a block counts as gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// A person declared its domain lost: nothing of it is read or written.
    Declared(String),
    /// Its domain is assumed lost: the recovery makes it again.
    Assumed(String),
}

impl Gone {
    /// The facts as they would be: nothing answers where the resource lies.
    pub(super) fn facts<'c>(&self, conns: impl Iterator<Item = &'c ConnId>) -> Facts {
        let state = || match self {
            Self::Declared(domain) => TargetState::Lost {
                domain: domain.clone(),
            },
            Self::Assumed(_) => TargetState::NotYet {
                made_by: Vec::new(),
            },
        };
        Facts {
            targets: conns.map(|conn| (conn.clone(), state())).collect(),
            answers: BTreeMap::new(),
        }
    }
}

/// The blocks that count as gone, and the domains that resources name.
pub(super) fn gone(
    situation: &Situation<'_>,
    diags: &mut Diagnostics,
) -> (BTreeMap<Address, Gone>, BTreeSet<String>) {
    let (exports, locals) = Default::default();
    let world = World {
        module: situation.module,
        bound: situation.bound,
        files: situation.files,
        exports: &exports,
        locals: &locals,
    };
    let mut named = BTreeSet::new();
    let mut out = BTreeMap::new();
    for (address, block) in &situation.module.resources {
        let Some(attr) = block.meta.get("failure_domain") else {
            continue;
        };
        let domains = failure_domains(&Looking::new(&world, None), &attr.expr, diags);
        if let Some(gone) = judged(situation, &domains) {
            out.insert(address.clone(), gone);
        }
        named.extend(domains);
    }
    if situation.assumed.is_empty() {
        return (out, named);
    }
    for (conn, provider) in &situation.module.providers {
        let Some(expr) = &provider.failure_domain else {
            continue;
        };
        for address in makers(situation.module, conn) {
            if let Some(gone @ Gone::Assumed(_)) = judged(situation, &known(&world, expr)) {
                out.entry(address).or_insert(gone);
            }
        }
    }
    (out, named)
}

fn judged(situation: &Situation<'_>, domains: &[String]) -> Option<Gone> {
    let among = |lost: &BTreeSet<String>| domains.iter().find(|d| lost.contains(*d)).cloned();
    match among(situation.lost) {
        Some(domain) => Some(Gone::Declared(domain)),
        None => among(situation.assumed).map(Gone::Assumed),
    }
}

/// The domains of a provider; mistakes are said where it is evaluated.
fn known(world: &World<'_>, expr: &Expr) -> Vec<String> {
    failure_domains(
        &Looking::new(world, None),
        expr,
        &mut Diagnostics::default(),
    )
}

/// The resources that a connection's arguments come from, locals looked through.
fn makers(module: &Module, conn: &ConnId) -> BTreeSet<Address> {
    let mut out = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![BlockId::Provider(conn.clone())];
    while let Some(id) = open.pop() {
        for (target, _, error) in references_of(module, &id) {
            match target {
                _ if error.is_some() => {}
                BlockId::Resource(address) if !address.is_data() => {
                    out.insert(address);
                }
                BlockId::Local(_) if seen.insert(target.clone()) => open.push(target),
                _ => {}
            }
        }
    }
    out
}
