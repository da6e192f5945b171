//! How a spec names a connection: `SYSTEM.NAME`, without quotes.

use drplan_api::ConnId;

use super::check::nearest;
use super::module::Module;
use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::lang::Expr;
use crate::lang::Node;
use crate::lang::Part;
use crate::lang::Span;

/// The connection that an expression names; one with an empty name if it is no such name.
pub(crate) fn connection_named(expr: &Expr) -> ConnId {
    let Node::Ref(parts) = &expr.node else {
        return ConnId::new("");
    };
    let names = parts.iter().filter_map(|part| match part {
        Part::Attr(name, _) => Some(name.as_str()),
        _ => None,
    });
    ConnId::new(names.collect::<Vec<_>>().join("."))
}

/// Says that a spec has no such connection.
pub(crate) fn unknown_connection(module: &Module, conn: &ConnId, at: Span) -> Diagnostic {
    let message = if conn.as_str().is_empty() {
        "a connection is written SYSTEM.NAME, without quotes".to_owned()
    } else {
        format!("the spec has no provider `{conn}`")
    };
    let diag = Diagnostic::error(Code::UnknownProvider, message).label(at, "named here");
    let names = module.providers.keys().map(ConnId::as_str);
    match nearest(conn.as_str(), names) {
        Some(near) => diag.hint(format!("did you mean `{near}`?")),
        None => diag,
    }
}
