//! The schema of every kind as one JSON document, with the functions of the language, the codes of
//! diagnostics and the exit codes. `schemas/kinds.json` is this, and the generated parts of the
//! documentation derive from it; `cargo xtask docs --check` holds both against it.

use drplan_api::Arg;
use drplan_api::Def;
use drplan_api::Json;
use drplan_api::Mode;
use drplan_api::Registry;
use drplan_api::Schema;
use drplan_api::Type;
use serde_json::json;

use crate::diag::Code;
use crate::report::Exit;

/// Describes everything that a build knows.
pub fn document(registry: &Registry) -> Json {
    let defs = |kinds: Vec<&Def>| -> Json {
        kinds
            .into_iter()
            .map(|d| (d.name.to_owned(), kind(d)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    json!({
        "format": "drplan-schema/1.0",
        "providers": registry
            .systems()
            .map(|s| (s.name().to_owned(), arguments(&s.schema())))
            .collect::<serde_json::Map<_, _>>(),
        "resources": defs(registry.resources().map(|k| k.def()).collect()),
        "data": defs(registry.data_sources().map(|k| k.def()).collect()),
        "functions": crate::lang::function_names()
            .into_iter()
            .map(|(name, usage)| json!({ "name": name, "usage": usage }))
            .collect::<Vec<_>>(),
        "codes": Code::ALL
            .iter()
            .map(|c| json!({ "code": c.as_str(), "title": c.title(), "explain": c.explain() }))
            .collect::<Vec<_>>(),
        "exit_codes": Exit::ALL
            .iter()
            .map(|(exit, meaning)| json!({ "code": exit.code(), "meaning": meaning }))
            .collect::<Vec<_>>(),
    })
}

/// The JSON schema of the report of a run; `schemas/report.json` is this.
pub fn report() -> Json {
    schemars::schema_for!(crate::report::Report).into()
}

fn kind(def: &Def) -> Json {
    let mode = match def.mode {
        Mode::Goal => "goal".to_owned(),
        Mode::Guard => "guard".to_owned(),
        Mode::Data => "data".to_owned(),
        Mode::GoalIf(arg) => format!("goal with `{arg}`, else guard"),
    };
    let mut out = arguments(&def.schema);
    if let Json::Object(map) = &mut out {
        map.insert("doc".to_owned(), def.doc.into());
        map.insert("mode".to_owned(), mode.into());
        map.insert("stage".to_owned(), json!(def.stage));
        map.insert(
            "roles".to_owned(),
            json!(
                def.roles
                    .iter()
                    .copied()
                    .collect::<std::collections::BTreeMap<_, _>>()
            ),
        );
        map.insert("actions".to_owned(), json!(def.envelope));
        map.insert("hazard_max".to_owned(), json!(def.hazard_max));
        map.insert("cutover".to_owned(), def.cutover.into());
    }
    out
}

fn arguments(schema: &Schema) -> Json {
    json!({
        "arguments": schema.args.iter().map(|a| (a.name.to_owned(), argument(a))).collect::<serde_json::Map<_, _>>(),
        "exports": schema.exports.iter().map(|(n, d)| ((*n).to_owned(), json!(d))).collect::<serde_json::Map<_, _>>(),
    })
}

fn argument(arg: &Arg) -> Json {
    json!({
        "type": type_name(&arg.ty), "required": arg.required, "doc": arg.doc,
        "late": arg.late, "secret": arg.secret,
    })
}

fn type_name(ty: &Type) -> Json {
    match ty {
        Type::String => "string".into(),
        Type::Bool => "bool".into(),
        Type::Number => "number".into(),
        Type::Duration => "duration".into(),
        Type::Any => "any".into(),
        Type::Files => "files".into(),
        Type::Tree => "path".into(),
        Type::OneOf(words) => json!({ "one_of": words }),
        Type::List(inner) => json!({ "list": type_name(inner) }),
        Type::Map(inner) => json!({ "map": type_name(inner) }),
        Type::Reference(kinds) => json!({ "reference": kinds }),
        Type::Object(args) => {
            json!({ "object": args.iter().map(|a| (a.name.to_owned(), argument(a))).collect::<serde_json::Map<_, _>>() })
        }
    }
}
