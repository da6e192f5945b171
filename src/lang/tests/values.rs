//! What expressions evaluate to, as Terraform has it.

use super::known;
use super::shown;

fn check(table: &[(&str, &str)]) {
    for (source, expected) in table {
        match known(source) {
            Ok(value) => assert_eq!(shown(&value), *expected, "{source}"),
            Err(error) => panic!("{source}: {error} {:?} {:?}", error.labels, error.hints),
        }
    }
}

#[test]
fn operators_convert_and_stay_exact() {
    check(&[
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("0.1 + 0.2", "0.3"),
        ("0.1 + 0.2 == 0.3", "true"),
        ("9007199254740993 + 0", "9007199254740993"),
        ("18446744073709551616 * 10", r#""184467440737095516160""#),
        ("1e3", "1000"),
        ("-5 % 3", "-2"),
        ("7 / 2", "3.5"),
        ("1.0", "1"),
        (r#""5" + 1"#, "6"),
        (r#""5" == 5"#, "false"),
        ("1 == 1.0", "true"),
        ("[1, 2] == [1, 2]", "true"),
        (r#"true == "true""#, "false"),
        ("null == null", "true"),
        ("!false", "true"),
        ("-var.count", "-3"),
        ("1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3 && 1 != 2", "true"),
        ("false && var.missing", "false"),
        ("true || (1 / 0 == 1)", "true"),
        ("var.yes ? 1 : var.missing", "1"),
        ("false ? (1 / 0) : 2", "2"),
        (r#""true" ? 1 : 2"#, "1"),
        ("true ? false ? 1 : 2 : 3", "2"),
    ]);
}

#[test]
fn templates_join_and_strip() {
    check(&[
        (r#""a${1}b${true}""#, r#""a1btrue""#),
        (r#""${var.list}""#, r#"["a","b","c"]"#),
        (r#""$${x} %%{y} $x 100%""#, r#""${x} %{y} $x 100%""#),
        (r#""\u00e9\n\"""#, r#""é\n\"""#),
        (r#""%{ if var.yes }a%{ else }b%{ endif }""#, r#""a""#),
        (r#""%{ if !var.yes }a%{ endif }""#, r#""""#),
        (
            r#""%{ for k, v in var.ports }${k}=${v};%{ endfor }""#,
            r#""tls=443;web=80;""#,
        ),
        (r#""a ${~ "b" ~} c""#, r#""abc""#),
        (r#""x${"y${"z"}"}""#, r#""xyz""#),
        (r#""${1.50}""#, "1.5"),
        (r#""n${1.50}""#, r#""n1.5""#),
    ]);
}

#[test]
fn heredocs_are_dedented_as_in_hcl() {
    check(&[
        ("<<EOT\na\n  b\nEOT", r#""a\n  b\n""#),
        (
            "<<-EOT\n    a\n      b\n\n    c\n    EOT",
            r#""a\n  b\n\nc\n""#,
        ),
        (
            "<<-EOT\n    top\n    %{ for x in var.list }\n    - ${x}\n    %{ endfor }\n    end\n  EOT",
            r#""top\n\n- a\n\n- b\n\n- c\n\nend\n""#,
        ),
        (
            "<<-EOT\n    top\n    %{ if var.yes ~}\n    yes\n    %{ endif ~}\n    end\n    EOT",
            r#""top\n    yes\n    end\n""#,
        ),
        (
            "<<-EOT\n  ${var.name}\n    $${x}\n  EOT",
            r#""shop\n  ${x}\n""#,
        ),
        ("<<EOT\nEOT", r#""""#),
        ("[<<A\nx\nA\n, 2]", r#"["x\n",2]"#),
    ]);
}

#[test]
fn collections_are_reached_into() {
    check(&[
        ("var.list[0]", r#""a""#),
        ("var.list.1", r#""b""#),
        (r#"var.list["2"]"#, r#""c""#),
        (r#"var.ports["web"]"#, "80"),
        ("var.hosts[*].n", r#"["x","y"]"#),
        ("var.hosts[*].p[0]", "[1,3]"),
        ("var.hosts.*.p[0]", "[1,2]"),
        ("var.hosts[*].p[*]", "[[1,2],[3]]"),
        ("var.name[*]", r#"["shop"]"#),
        ("var.nothing[*]", "[]"),
        (
            "{ a = 1, (var.name) = 2, \"b c\" : 3 }",
            r#"{"a":1,"b c":3,"shop":2}"#,
        ),
        ("{ a = { b = [10, 20] } }.a.b[1]", "20"),
        ("[for x in var.list : upper(x)]", r#"["A","B","C"]"#),
        (
            "[for i, x in var.list : \"${i}${x}\" if x != \"b\"]",
            r#"["0a","2c"]"#,
        ),
        (
            "{ for k, v in var.ports : v => k }",
            r#"{"443":"tls","80":"web"}"#,
        ),
        (
            "{ for h in var.hosts : length(h.p) > 1 => h.n... }",
            r#"{"false":["y"],"true":["x"]}"#,
        ),
        (
            "[for k in [1, 2] : [for k in [k * 10] : k + 1]]",
            "[[11],[21]]",
        ),
        ("[for k in [0, 1] : var.list[k]]", r#"["a","b"]"#),
        ("max([1, 5, 3]...)", "5"),
    ]);
}

#[test]
fn functions_of_numbers_and_text() {
    check(&[
        (
            "[abs(-1.5), ceil(1.2), floor(-1.2), signum(-3), max(1, 2), min(\"1\", 2)]",
            "[1.5,2,-2,-1,2,1]",
        ),
        (
            "[parseint(\"ff\", 16), pow(2, 10), pow(2, -1), pow(4, 0.5), sum([1, 2.5])]",
            "[255,1024,0.5,2,3.5]",
        ),
        ("pow(10, 30)", "1e+30"),
        (
            r#"[chomp("a\n\n"), lower("A"), upper("a"), title("a bc"), trimspace(" a "), strrev("abc")]"#,
            r#"["a","a","A","A Bc","a","cba"]"#,
        ),
        (
            r#"[trim("??a??", "?"), trimprefix("abc", "a"), trimsuffix("abc", "c"), replace("aba", "a", "x")]"#,
            r#"["a","bc","ab","xbx"]"#,
        ),
        (
            r#"[split(",", "a,b"), join("-", ["a", "b"], ["c"]), substr("hello", 1, 3), substr("hello", -3, -1)]"#,
            r#"[["a","b"],"a-b-c","ell","llo"]"#,
        ),
        (
            r#"[startswith("ab", "a"), endswith("ab", "a"), strcontains("abc", "b"), indent(2, "a\nb")]"#,
            r#"[true,false,true,"a\n  b"]"#,
        ),
        (
            r#"format("%s %d %05.1f %q %t %v %x %%", "a", 3.9, 2.25, "q", true, [1], 255)"#,
            r#""a 3 002.2 \"q\" true [1] ff %""#,
        ),
        (
            r#"[format("%-4s|%4d|%+d", "a", 7, 1), format("%[2]s %[1]s", "a", "b"), format("%e", 12345.678)]"#,
            r#"["a   |   7|+1","b a","1.234568e+04"]"#,
        ),
        (
            r#"formatlist("%s-%s", ["a", "b"], "x")"#,
            r#"["a-x","b-x"]"#,
        ),
    ]);
}

#[test]
fn functions_of_collections() {
    check(&[
        (
            "[alltrue([true, \"true\"]), anytrue([false]), alltrue([]), anytrue([])]",
            "[true,false,true,false]",
        ),
        ("chunklist([1, 2, 3], 2)", "[[1,2],[3]]"),
        (
            r#"[coalesce(null, "", "a", "b"), coalescelist([], [1]), compact(["a", "", null])]"#,
            r#"["a",[1],["a"]]"#,
        ),
        (
            "[concat([1], [2, 3]), contains([1, 2], 2), distinct([2, 1, 2]), element([1, 2], 3)]",
            "[[1,2,3],true,[2,1],2]",
        ),
        (
            "[flatten([[1, [2]], 3]), index([5, 6], 6), length(\"héé\"), length({ a = 1 })]",
            "[[1,2,3],1,3,1]",
        ),
        (
            "[keys({ b = 1, a = 2 }), values({ b = 1, a = 2 }), lookup({ a = 1 }, \"b\", 9)]",
            r#"[["a","b"],[2,1],9]"#,
        ),
        (
            "[merge({ a = 1 }, null, { a = 2, b = 3 }), one([]), one([4]), range(3), range(1, 4), range(4, 1, -2)]",
            r#"[{"a":2,"b":3},null,4,[0,1,2],[1,2,3],[4,2]]"#,
        ),
        (
            "[reverse([1, 2]), slice([1, 2, 3], 1, 3), sort([\"b\", \"a\"])]",
            r#"[[2,1],[2,3],["a","b"]]"#,
        ),
        (
            "[setunion([2, 1], [1, 3]), setintersection([1, 2], [2, 3]), setsubtract([1, 2], [2]), setproduct([1, 2], [\"a\"])]",
            r#"[[1,2,3],[2],[1],[[1,"a"],[2,"a"]]]"#,
        ),
        (
            r#"[transpose({ a = ["x", "y"], b = ["x"] }), zipmap(["a", "b"], [1, 2])]"#,
            r#"[{"x":["a","b"],"y":["a"]},{"a":1,"b":2}]"#,
        ),
        (
            r#"[tobool("true"), tonumber("1.5"), tostring(2), toset(["b", "a", "b"]), tolist([1]), type({})]"#,
            r#"[true,1.5,"2",["a","b"],[1],"map"]"#,
        ),
        (
            "[try(var.list[9], \"d\"), can(var.list[9]), can(var.list[0]), try(1 / 0, [][0], 7)]",
            r#"["d",false,true,7]"#,
        ),
    ]);
}

#[test]
fn functions_that_encode_and_read() {
    check(&[
        (
            r#"[base64encode("hi"), base64decode("aGk="), urlencode("a b/é")]"#,
            r#"["aGk=","hi","a+b%2F%C3%A9"]"#,
        ),
        (
            r#"jsonencode({ b = [1, 0.1, null], a = "<&>" })"#,
            r#""{\"a\":\"\\u003c\\u0026\\u003e\",\"b\":[1,0.1,null]}""#,
        ),
        (
            r#"jsondecode("{\"a\": [1, 1.5, \"x\"]}").a"#,
            r#"[1,1.5,"x"]"#,
        ),
        (
            "yamldecode(\"a:\\n  - 1\\n  - b: true\\n\")",
            r#"{"a":[1,{"b":true}]}"#,
        ),
        (
            "yamldecode(yamlencode({ a = [1, \"2\"], b = null }))",
            r#"{"a":[1,"2"],"b":null}"#,
        ),
        (
            r#"csvdecode("a,b\n1,\"x,\"\"y\"\n")"#,
            r#"[{"a":"1","b":"x,\"y"}]"#,
        ),
        (
            r#"sha256("a")"#,
            r#""ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb""#,
        ),
        (
            r#"base64sha256("a")"#,
            r#""ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs=""#,
        ),
        (
            r#"[file("hello.txt"), fileexists("hello.txt"), fileexists("no"), basename("a/b"), dirname("a/b")]"#,
            r#"["hello\n",true,false,"b","a"]"#,
        ),
        (
            r#"templatefile("t.tpl", { names = ["a", "b"] })"#,
            r#""- a\n- b\nend ${x}\n""#,
        ),
        (
            r#"formatdate("DD MMM YYYY hh:mm 'o''clock' ZZZ", "2026-01-05T03:10:00Z")"#,
            r#""05 Jan 2026 03:10 o'clock UTC""#,
        ),
        (
            r#"[timeadd("2026-01-05T03:10:00Z", "-10m"), timeadd("2026-01-05T03:10:00+02:00", "1h30m")]"#,
            r#"["2026-01-05T03:00:00Z","2026-01-05T04:40:00+02:00"]"#,
        ),
        (
            r#"timecmp("2026-01-05T03:10:00Z", "2026-01-05T05:10:00+02:00")"#,
            "0",
        ),
        (
            r#"[cidrhost("10.0.0.0/8", 2), cidrhost("10.0.0.0/8", -1), cidrnetmask("10.0.0.0/12"), cidrsubnet("10.0.0.0/8", 8, 3)]"#,
            r#"["10.0.0.2","10.255.255.255","255.240.0.0","10.3.0.0/16"]"#,
        ),
        (r#"cidrsubnet("fd00::/48", 16, 5)"#, r#""fd00:0:0:5::/64""#),
    ]);
}
