//! What errors say.

use super::known;
use super::parsed;
use super::planned;
use crate::diag::Code;
use crate::diag::Diagnostic;
use crate::lang::Expr;
use crate::lang::Node;
use crate::lang::eval;

fn told(error: &Diagnostic) -> String {
    let labels = error.labels.iter().map(|l| l.text.clone());
    let all: Vec<_> = [error.message.clone()]
        .into_iter()
        .chain(labels)
        .chain(error.hints.clone())
        .filter(|text| !text.is_empty())
        .collect();
    all.join(" | ")
}

#[test]
fn errors_name_the_values_and_the_way_out() {
    let table = [
        (
            "1 / var.zero",
            Code::EvaluationError,
            "division by zero | this is zero",
        ),
        ("5 % 0", Code::EvaluationError, "division by zero"),
        (
            "var.name + 1",
            Code::EvaluationError,
            "this is string `\"shop\"` | join text with a template",
        ),
        ("\"a${null}b\"", Code::EvaluationError, "null in a template"),
        (
            "\"a${var.list}\"",
            Code::EvaluationError,
            "this is list `[\"a\", \"b\", \"c\"]` | use `join",
        ),
        (
            "var.list[3]",
            Code::EvaluationError,
            "there is no element 3 | the list has 3 elements, `[0]` to `[2]`",
        ),
        (
            "var.list.name",
            Code::EvaluationError,
            "a list has no attribute `name`",
        ),
        (
            "var.ports.wbe",
            Code::EvaluationError,
            "did you mean `web`?",
        ),
        (
            "var.nothing.x",
            Code::EvaluationError,
            "cannot read `x` of null",
        ),
        (
            "var.name ? 1 : 2",
            Code::EvaluationError,
            "`?` needs `true` or `false`",
        ),
        (
            "[for x in 5 : x]",
            Code::EvaluationError,
            "`for` needs a list or a map | this is number `5`",
        ),
        (
            "{ for x in var.list : \"k\" => x }",
            Code::EvaluationError,
            "two results have the same key",
        ),
        (
            "uper(\"a\")",
            Code::UnknownFunction,
            "did you mean `upper`?",
        ),
        (
            "timestamp()",
            Code::UnknownFunction,
            "does not depend on the clock",
        ),
        (
            "upper()",
            Code::BadFunctionCall,
            "called with 0 arguments | wrong number of arguments | usage: `upper(text)`",
        ),
        (
            "upper([])",
            Code::BadFunctionCall,
            "the argument of `upper`: expected a string, and this is list `[]`",
        ),
        (
            "tonumber(\"x\")",
            Code::BadFunctionCall,
            "string `\"x\"` cannot be converted to a number",
        ),
        (
            "format(\"%d\")",
            Code::BadFunctionCall,
            "wants value 1, and there are 0",
        ),
        (
            "format(\"%d\", 1, 2)",
            Code::BadFunctionCall,
            "the format uses 1 values, and there are 2",
        ),
        ("sensitive(\"x\")", Code::SecretLiteral, "sensitive = true"),
        ("nonsensitive(\"x\")", Code::SecretLiteral, "never a value"),
        (
            "file(\"no.txt\")",
            Code::FileNotFound,
            "cannot read the file `no.txt`: no such file",
        ),
        (
            "templatefile(\"bad.tpl\", {})",
            Code::UnknownReference,
            "the template has no variable `missing` | in line 2 of `bad.tpl`",
        ),
        (
            "range(1000000)",
            Code::LimitExceeded,
            "more than 100000 elements",
        ),
        ("pow(10, 100000)", Code::LimitExceeded, "too large"),
        ("1e300 * 1e300", Code::LimitExceeded, "digits"),
        (
            "try(1 / 0)",
            Code::EvaluationError,
            "every argument of this `try` failed",
        ),
        (
            "try(var.missing, 1)",
            Code::UnknownReference,
            "nothing is named `missing`",
        ),
        (
            "jsondecode(\"{\")",
            Code::BadFunctionCall,
            "this is not JSON",
        ),
        (
            "cidrhost(\"10.0.0.0\", 1)",
            Code::BadFunctionCall,
            "is not a network",
        ),
        (
            "timeadd(\"now\", \"1h\")",
            Code::BadFunctionCall,
            "is not a time",
        ),
        (
            "regex(\"[a-z]+\", \"42\")",
            Code::BadFunctionCall,
            "argument 2 of `regex`: nothing in it matches the pattern: string `\"42\"` | give a default with `try`",
        ),
        (
            "regex(\"(a\", \"a\")",
            Code::BadFunctionCall,
            "argument 1 of `regex`: this is not a regular expression: unclosed group | the syntax",
        ),
        (
            "regexall(\"(a)(?P<b>b)\", \"ab\")",
            Code::BadFunctionCall,
            "some groups have a name and some have none | name all",
        ),
        (
            "replace(\"a\", \"/[/\", \"b\")",
            Code::BadFunctionCall,
            "argument 2 of `replace`: this is not a regular expression: unclosed character class",
        ),
        (
            "replace(join(\"\", range(100000)), \"/./\", join(\"\", range(1000)))",
            Code::LimitExceeded,
            "too long",
        ),
        (
            "regexall(\".\", join(\"\", range(100000)))",
            Code::LimitExceeded,
            "more than 100000 elements",
        ),
        (
            "regex(\"x\", join(\"\", [for n in range(3) : join(\"\", range(100000))]))",
            Code::LimitExceeded,
            "more than 1048576 bytes, which is the most that is searched for a pattern | cut it first",
        ),
        (
            "regex(\"\\\\pL{100000}\", \"x\")",
            Code::BadFunctionCall,
            "argument 1 of `regex`: this is not a regular expression: ",
        ),
        (
            "matchkeys([1], [1, 2], [])",
            Code::BadFunctionCall,
            "there are 1 values and 2 keys",
        ),
        (
            "cidrsubnets(\"10.0.0.0/8\", 1, 0)",
            Code::BadFunctionCall,
            "argument 3 of `cidrsubnets`: the prefix grows by 1 to 32 bits",
        ),
        (
            "cidrsubnets(\"fd00::/8\", 33)",
            Code::BadFunctionCall,
            "the prefix grows by 1 to 32 bits",
        ),
        (
            "cidrsubnets(\"10.0.0.0/24\", 9)",
            Code::BadFunctionCall,
            "the prefix can grow by 8 bits at most",
        ),
        (
            "cidrsubnets(\"255.255.255.0/24\", 1, 1, 1)",
            Code::BadFunctionCall,
            "argument 4 of `cidrsubnets`: not enough of the network is left for a prefix of 25 bits",
        ),
        (
            "uuidv5(\"here\", \"x\")",
            Code::BadFunctionCall,
            "string `\"here\"` is not a namespace | use \"dns\"",
        ),
        ("log(0, 2)", Code::BadFunctionCall, "not a number"),
        (
            "templatestring(\"a\\n$${missing}\", {})",
            Code::UnknownReference,
            "the template has no variable `missing` | in line 2 of the template",
        ),
        (
            "templatestring(\"$${\", {})",
            Code::SyntaxError,
            "the template cannot be read | in line 1 of the template",
        ),
        (
            "templatestring(\"a\")",
            Code::BadFunctionCall,
            "called with 1 arguments | usage: `templatestring(text, variables)`",
        ),
        (
            "templatestring(\"$${templatestring(\\\"a\\\", {})}\", {})",
            Code::BadFunctionCall,
            "a template cannot render another one",
        ),
    ];
    for (source, code, part) in table {
        match planned(source) {
            Ok(value) => panic!("{source} gave {value:?}"),
            Err(error) => {
                assert_eq!(error.code, code, "{source}: {}", told(&error));
                assert!(told(&error).contains(part), "{source}: {}", told(&error));
                assert!(error.span().is_some(), "{source}");
            }
        }
    }
}

#[test]
fn no_error_shows_a_secret_once_it_was_opened() {
    for source in [
        "1 + var.password",
        "tonumber(var.password)",
        "jsondecode(var.password)",
        "{ a = 1 }[var.password]",
        "[1][var.password]",
        "var.password ? 1 : 2",
        "index([1], var.password)",
        "format(\"%d\", var.password)",
        "file(var.password)",
        "yamldecode(\"{${var.password}\")",
        "formatdate(\"YYYY\", var.password)",
        "[for x in [1, 2] : x][step.host]",
        "{ for x in [1, 2] : var.password => x }",
        "step.tags[var.password]",
        "parseint(var.password, 10)",
        "regex(\"[0-9]{3}\", var.password)",
        "regex(\"(${var.password}\", \"x\")",
        "replace(\"x\", \"/[${var.password}/\", \"y\")",
        "uuidv5(var.password, \"x\")",
        "templatestring(\"%%{ ${var.password} }\", {})",
        "templatestring(\"$${ ${var.password} }\", {})",
        "templatestring(\"$${ upper(${var.password}...) }\", {})",
    ] {
        let hole = planned(source).unwrap_or_else(|e| panic!("{source}: {e}"));
        let error = match super::finished(&hole) {
            Err(error) => error,
            Ok(value) => panic!("{source} gave {value:?}"),
        };
        let text = format!("{error:?}");
        assert!(!text.contains("hunter2"), "{source}: {text}");
        assert!(!text.contains("db.example"), "{source}: {text}");
    }
}

/// The parser never makes such depths; what a plan file holds may.
#[test]
fn the_limit_of_depth_is_reached_before_the_end_of_the_stack() {
    let mut expr = parsed("\"x\"");
    for level in 0..400 {
        let span = expr.span;
        let node = match level % 3 {
            0 => Node::Template(vec![expr, parsed("\"y\"")]),
            1 => Node::Call {
                name: "upper".to_owned(),
                args: vec![expr],
                spread_last: false,
            },
            _ => Node::If(
                Box::new(parsed("true")),
                Box::new(expr),
                Box::new(parsed("1")),
            ),
        };
        expr = Expr::new(node, span);
    }
    let world = super::World {
        known: true,
        opens: true,
    };
    let error = eval(&expr, &world).expect_err("too deep");
    assert_eq!(error.code, Code::LimitExceeded);
}

#[test]
fn loops_inside_of_loops_end() {
    let source = "length([for a in range(10000) : [for b in range(100000) : a]])";
    let error = known(source).expect_err("too long");
    assert_eq!(error.code, Code::LimitExceeded);
}

#[test]
fn deep_expressions_end_in_an_error_and_not_in_a_crash() {
    let deep = |n: usize| format!("{}1{}", "(".repeat(n), ")".repeat(n));
    assert!(known(&deep(40)).is_ok());
    let error = super::parse_expression(super::FileId(0), &deep(500)).expect_err("too deep");
    assert_eq!(error.code, Code::LimitExceeded);

    let chain = vec!["step.port"; 120].join(" + ");
    let error = planned(&chain).expect_err("too deep for a plan");
    assert_eq!(error.code, Code::LimitExceeded);
    assert!(known(&chain).is_ok());
    let largest = (2..120)
        .map(|n| vec!["length(upper(step.host))"; n].join(" + "))
        .map_while(|source| planned(&source).ok())
        .inspect(|hole| assert!(super::finished(hole).is_ok()))
        .count();
    assert!(largest > 20, "only {largest} operators fit into a plan");
    let inner = vec!["1"; 100].join(" + ");
    let nested = format!("{}{inner}{}", "[".repeat(60), "]".repeat(60));
    assert!(
        super::eval(
            &parsed(&nested),
            &super::World {
                known: true,
                opens: true
            }
        )
        .is_ok()
    );
}
