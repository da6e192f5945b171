//! Which connection each role of each resource means.

use super::expand::Situation;
use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::diag::Diagnostics;
use crate::lang::Expr;
use crate::lang::Node;
use crate::lang::Span;
use crate::lang::Value;
use crate::spec::Module;
use crate::spec::ResourceBlock;
use crate::spec::check::def_of;
use crate::spec::connection_named;
use crate::spec::unknown_connection;
use drplan_api::Address;
use drplan_api::ConnId;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

pub(super) type Chosen = (
    BTreeMap<Address, BTreeMap<String, ConnId>>,
    BTreeSet<ConnId>,
    Diagnostics,
);

/// Chooses the connection of each role of each resource.
pub(super) fn choose_connections(situation: &Situation<'_>) -> Chosen {
    let module = situation.module;
    let mut by_system: BTreeMap<&str, Vec<&ConnId>> = BTreeMap::new();
    for (conn, provider) in &module.providers {
        by_system.entry(&provider.system).or_default().push(conn);
    }
    let mut out = BTreeMap::new();
    let mut implicit = BTreeSet::new();
    let mut diags = Diagnostics::default();
    for (address, block) in &module.resources {
        let Some(def) = def_of(block, situation.registry) else {
            continue;
        };
        let mistakes = diags.len();
        let given = given_connections(module, block, &mut diags);
        if diags.len() > mistakes {
            // Who named a wrong connection needs no second message about a missing one.
            continue;
        }
        let mut roles = BTreeMap::new();
        for (role, system) in def.roles {
            let all = by_system.get(system).map_or(&[][..], |list| &list[..]);
            let by_role = given.iter().find(|(r, _, _)| r.as_deref() == Some(*role));
            let by_kind = given
                .iter()
                .find(|(r, c, _)| r.is_none() && c.system() == *system);
            if let Some((_, conn, _)) = by_role.or(by_kind) {
                roles.insert((*role).to_owned(), conn.clone());
                continue;
            }
            match all {
                [only] => {
                    roles.insert((*role).to_owned(), (*only).clone());
                }
                [] if situation
                    .registry
                    .get_system(system)
                    .is_some_and(|s| s.implicit()) =>
                {
                    let conn = ConnId::new(format!("{system}.default"));
                    implicit.insert(conn.clone());
                    roles.insert((*role).to_owned(), conn);
                }
                [] => diags.push(
                    Diagnostic::error(
                        Code::NoProvider,
                        format!(
                            "`{address}` needs a connection to `{system}` and the spec has none"
                        ),
                    )
                    .label(block.span, format!("as its {role}"))
                    .hint(format!(
                        "add a block `provider \"{system}\" \"NAME\" {{ … }}`"
                    )),
                ),
                many => {
                    let names: Vec<&str> = many.iter().map(|c| c.as_str()).collect();
                    diags.push(
                        Diagnostic::error(
                            Code::AmbiguousProvider,
                            format!("`{address}` does not say which `{system}` it means"),
                        )
                        .label(block.span, format!("as its {role}"))
                        .hint(format!(
                            "add `provider = {}`; there are {}",
                            names[0],
                            names.join(", ")
                        )),
                    );
                }
            }
        }
        for (role, conn, span) in &given {
            let used = roles
                .iter()
                .any(|(r, c)| c == conn && role.as_ref().is_none_or(|g| g == r));
            if !used {
                diags.push(
                    Diagnostic::error(
                        Code::UnknownProvider,
                        format!("`{address}` has no role for `{conn}`"),
                    )
                    .label(*span, "not used by this kind")
                    .hint(format!(
                        "its roles are: {}",
                        def.roles
                            .iter()
                            .map(|(r, s)| format!("{r} ({s})"))
                            .collect::<Vec<_>>()
                            .join(", ")
                    )),
                );
            }
        }
        out.insert(address.clone(), roles);
    }
    diags.extend(run_store(situation));
    (out, implicit, diags)
}

/// The store of runs must be there whatever else is lost, and before the first step.
fn run_store(situation: &Situation<'_>) -> Diagnostics {
    let module = situation.module;
    let mut diags = Diagnostics::default();
    if let Some(store) = &module.recovery.run_store
        && !module.providers.contains_key(&store.conn)
    {
        diags.push(unknown_connection(module, &store.conn, store.span));
    }
    diags
}

/// What `provider` and `providers` of a block say: role if given, connection, where.
fn given_connections(
    module: &Module,
    block: &ResourceBlock,
    diags: &mut Diagnostics,
) -> Vec<(Option<String>, ConnId, Span)> {
    let mut out = Vec::new();
    let mut add = |role: Option<String>, expr: &Expr| {
        let conn = connection_named(expr);
        if module.providers.contains_key(&conn) {
            out.push((role, conn, expr.span));
        } else {
            diags.push(unknown_connection(module, &conn, expr.span));
        }
    };
    if let Some(attr) = block.meta.get("provider") {
        add(None, &attr.expr);
    }
    if let Some(attr) = block.meta.get("providers") {
        if let Node::Object(fields) = &attr.expr.node {
            for (key, value) in fields {
                if let Some(Value::String(role)) = crate::spec::literal(key) {
                    add(Some(role.to_string()), value);
                }
            }
        } else {
            diags.push(
                Diagnostic::error(
                    Code::WrongType,
                    "`providers` must be an object of role and connection",
                )
                .label(attr.expr.span, "write for example { bucket = s3.backups }"),
            );
        }
    }
    out
}
