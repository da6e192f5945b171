//! Evaluating now and the rest later gives the same as evaluating all at once.

use drplan_api::Address;

use super::finished;
use super::known;
use super::planned;
use super::shown;
use crate::lang::Value;
use crate::lang::references;

#[test]
fn what_is_left_gives_the_same_later() {
    let table = [
        "step.host",
        "step.ids[1]",
        "step[\"tags\"].a",
        "\"${step.host}:${step.port}\"",
        "\"a${\"b${step.host}c\"}d\"",
        "step.port + 1 == 5433",
        "-step.port",
        "!step.ready",
        "step.ready && var.yes",
        "var.yes && step.ready",
        "step.none == null ? \"nothing\" : step.none.x",
        "length(step.empty) > 0 ? var.empty[0] : \"none\"",
        "step.ready ? step.host : var.list[9]",
        "step.ready || 1 / var.zero == 1",
        "upper(step.host)",
        "join(\",\", [for x in step.ids : upper(x)])",
        "[for i, x in step.ids : \"${i}${x}${var.name}\"]",
        "{ for k, v in step.tags : k => \"${v}${var.name}\" if v != \"1\" }",
        "{ for n in step.nested : n.n => n... }",
        "[for x in var.list : x if step.ready]",
        "[for x in var.list : x if x != step.host]",
        "{ for x in var.list : \"${step.host}${x}\" => x }",
        "[for x in step.ids : [for x in step.ids : \"${x}\"]]",
        "[for x in step.ids : [for y in [x] : [for x in step.ids : \"${x}${y}\"]]]",
        "[for a in step.ids : [for b in step.ids : [for c in var.list : \"${a}${b}${c}\"]]]",
        "step.nested[*].n",
        "[step.nested][*][*].n",
        "step.nested[step.index].n",
        "var.list[step.index]",
        "[for k in [0, 1] : step.ids[k]]",
        "{ a = step.host, b = 1 }",
        "{ (step.host) = 1, b = 2 }",
        "[step.host, 1][0]",
        "length([step.host, 1])",
        "merge({ a = step.host }, { b = 1 })",
        "merge({ a = 1 }, step.tags)",
        "concat([step.host], var.list)",
        "concat(step.ids, var.list)",
        "keys({ a = step.host })",
        "lookup({ a = step.host }, \"a\", 1)",
        "coalesce(null, step.host)",
        "coalesce(var.name, step.host)",
        "flatten([step.ids, [1]])",
        "max([step.port, 1]...)",
        "max(step.port, 1)",
        "regex(\"[a-z]+\", step.host)",
        "[for x in step.ids : regexall(\"[0-9]\", x)]",
        "replace(step.host, \"/(d)(b)/\", \"$2$1\")",
        "matchkeys([step.host, 1], [\"a\", \"b\"], [\"a\"])",
        "matchkeys([1, 2], step.ids, [\"i2\"])",
        "templatestring(\"$${x}-$${y}\", { x = step.host, y = var.name })",
        "templatestring(step.host, { x = step.port })",
        "templatestring(\"$${x}\", step.tags == null ? {} : { x = 1 })",
        "md5(step.host)",
        "cidrsubnets(\"10.0.0.0/8\", step.index, 2)",
        "concat([step.ids, [\"z\"]]...)",
        "merge([step.tags]...)",
        "try(step.none.x, \"d\")",
        "try(step.host, \"d\")",
        "try(var.list[9], step.host)",
        "try([step.none.x], \"d\")",
        "can(step.none.x)",
        "can(step.host)",
        "jsonencode({ a = step.ids })",
        "jsondecode(jsonencode({ a = step.ids })).a[0]",
        "\"%{ if step.ready }a${step.host}%{ else }b%{ endif }\"",
        "\"%{ for x in step.ids }${x};%{ endfor }\"",
        "\"%{ for x in var.list }${x}${step.host};%{ endfor }\"",
        "templatefile(\"t.tpl\", { names = step.ids })",
        "\"postgres://u:${urlencode(var.password)}@${step.host}\"",
        "[for p in [var.password] : { p = p }]",
        "zipmap([\"a\"], [step.host])",
        "element([step.host, \"b\"], 0)",
        "step.host == var.name",
        "step",
        "[1, var.name]",
    ];
    for source in table {
        let at_once = known(source).unwrap_or_else(|e| panic!("{source}: {e} {:?}", e.labels));
        let now = planned(source).unwrap_or_else(|e| panic!("{source}: {e} {:?}", e.labels));
        let later =
            finished(&now).unwrap_or_else(|e| panic!("{source}: {e} {:?}\n{now:?}", e.labels));
        assert_eq!(shown(&later), shown(&at_once), "{source}");
    }
}

#[test]
fn a_hole_knows_whether_it_is_secret_and_what_it_waits_for() {
    let step = [Address::new("command.x")];
    let table: [(&str, bool, &[Address]); 6] = [
        ("step.host", false, &step),
        ("var.password", true, &[]),
        ("\"${var.password}@${step.host}\"", true, &step),
        ("step.ready ? var.password : \"x\"", true, &step),
        ("[for x in step.ids : \"${x}${var.password}\"]", true, &step),
        ("upper(var.password)", true, &[]),
    ];
    for (source, secret, after) in table {
        match planned(source) {
            Ok(Value::Hole(hole)) => {
                assert_eq!(hole.secret, secret, "{source}");
                assert!(hole.after.iter().eq(after), "{source}: {:?}", hole.after);
                let free = references(&hole.expr);
                assert!(free.is_empty(), "{source}: {free:?}");
            }
            other => panic!("{source} gave {other:?}"),
        }
    }
}

#[test]
fn what_is_decided_without_the_hole_is_known_now() {
    let table = [
        ("false && step.ready", "false"),
        ("step.ready && false", "false"),
        ("step.ready || true", "true"),
        ("true ? 1 : step.port", "1"),
        ("length([step.host, step.port])", "2"),
        ("keys({ a = step.host })", r#"["a"]"#),
        ("coalesce(var.name, step.host)", r#""shop""#),
        ("[step.host, 1][1]", "1"),
        ("{ a = step.host, b = 2 }.b", "2"),
        ("try(1, step.host)", "1"),
    ];
    for (source, expected) in table {
        let value = planned(source).unwrap_or_else(|e| panic!("{source}: {e}"));
        assert_eq!(shown(&value), expected, "{source}");
    }
}

#[test]
fn references_leave_out_what_a_loop_binds() {
    let table = [
        ("var.a.b + local.c", "var local"),
        ("[for x in var.list : x.y + var.z]", "var var"),
        ("[for k, v in each.value : k]", "each"),
        ("data.k.n[var.i].x", "data var"),
        ("\"%{ for x in data.k.n }${x}%{ endfor }\"", "data"),
        ("[for x in x : x]", "x"),
        ("a[*].b[var.i]", "a var"),
        ("{ (var.k) = f(local.x...) }", "var local"),
    ];
    for (source, expected) in table {
        let expr = super::parsed(source);
        let roots = references(&expr)
            .into_iter()
            .map(|(parts, _)| match &parts[0] {
                crate::lang::Part::Attr(name, _) => name.clone(),
                crate::lang::Part::Index(_) => panic!("a root is a name"),
            });
        assert_eq!(roots.collect::<Vec<_>>().join(" "), expected, "{source}");
    }
}
