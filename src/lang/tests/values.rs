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
            "[log(8, 2), log(1000, 10), log(1, 5)]",
            "[3,2.9999999999999996,0]",
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
        (
            r#"cidrsubnets("10.1.0.0/16", 4, 4, 8, 4)"#,
            r#"["10.1.0.0/20","10.1.16.0/20","10.1.32.0/24","10.1.48.0/20"]"#,
        ),
        (
            r#"cidrsubnets("fd00:fd12:3456:7890::/56", 16, 16, 16, 32)"#,
            r#"["fd00:fd12:3456:7800::/72","fd00:fd12:3456:7800:100::/72","fd00:fd12:3456:7800:200::/72","fd00:fd12:3456:7800:300::/88"]"#,
        ),
        (
            r#"[cidrsubnets("0.0.0.0/0", 1, 1), cidrsubnets("10.0.0.0/31", 1, 1), cidrsubnets("10.0.0.7/8")]"#,
            r#"[["0.0.0.0/1","128.0.0.0/1"],["10.0.0.0/32","10.0.0.1/32"],[]]"#,
        ),
    ]);
}

#[test]
fn functions_that_hash() {
    check(&[
        (
            r#"[md5("hello world"), sha1("hello world")]"#,
            r#"["5eb63bbbe01eeed093cb22bb8f5acdc3","2aae6c35c94fcfb415dbe95f408b9ce91ee846ed"]"#,
        ),
        (
            r#"sha512("hello world")"#,
            r#""309ecc489c12d6eb4cc40f50c902f2b4d0ed77ee511a7c7a9bcd3ca86d4cd86f989dd35bc5ff499670da34255b45b0cfd830e81f605dcf7dc5542e93ae9cd76f""#,
        ),
        (
            r#"base64sha512("hello world")"#,
            r#""MJ7MSJwS1utMxA9QyQLytNDtd+5RGnx6m808qG1M2G+YndNbxf9JlnDaNCVbRbDP2DDoH2Bdz33FVC6TrpzXbw==""#,
        ),
        (
            r#"[uuidv5("dns", "www.terraform.io"), uuidv5("url", "https://www.terraform.io/"), uuidv5("oid", "1.3.6.1.4")]"#,
            r#"["a5008fae-b28c-5ba5-96cd-82b4c53552d6","9db6f67c-dd95-5ea0-aa5b-e70e5c5f7cf5","af9d40a5-7a36-5c07-b23a-851cd99fbfa5"]"#,
        ),
        (
            r#"uuidv5("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "www.terraform.io") == uuidv5("dns", "www.terraform.io")"#,
            "true",
        ),
        (
            r#"[filebase64("hello.txt"), filemd5("hello.txt") == md5(file("hello.txt")), filesha1("hello.txt") == sha1("hello\n")]"#,
            r#"["aGVsbG8K",true,true]"#,
        ),
        (
            r#"[filesha256("hello.txt") == sha256("hello\n"), filesha512("hello.txt") == sha512("hello\n"), filebase64sha256("hello.txt") == base64sha256("hello\n"), filebase64sha512("hello.txt") == base64sha512("hello\n")]"#,
            "[true,true,true,true]",
        ),
    ]);
}

#[test]
fn regular_expressions_give_texts_lists_and_maps() {
    check(&[
        (
            r#"regex("[a-z]+", "53453453.345345aaabbbccc23454")"#,
            r#""aaabbbccc""#,
        ),
        (
            r#"regex("(\\d\\d\\d\\d)-(\\d\\d)-(\\d\\d)", "2019-02-01")"#,
            r#"["2019","02","01"]"#,
        ),
        (
            r#"regex("^(?:(?P<scheme>[^:/?#]+):)?(?://(?P<authority>[^/?#]*))?", "https://terraform.io/docs/")"#,
            r#"{"authority":"terraform.io","scheme":"https"}"#,
        ),
        (r#"regex("a(b)?(c)", "ac")"#, r#"[null,"c"]"#),
        (r#"regex("(?P<x>y)?", "z").x"#, "null"),
        (r#"regex("", "abc")"#, r#""""#),
        (r#"can(regex("[a-z]+", "42"))"#, "false"),
        (r#"try(regex("[a-z]+", "42"), "none")"#, r#""none""#),
        (
            r#"regexall("[a-z]+", "1234abcd5678efgh9")"#,
            r#"["abcd","efgh"]"#,
        ),
        (r#"regexall("[a-z]+", "123456789")"#, "[]"),
        (
            r#"regexall("(.)=(.)", "a=1,b=2")"#,
            r#"[["a","1"],["b","2"]]"#,
        ),
        (
            r#"regexall("(?P<k>.)=(?P<v>.)", "a=1,b=2")[*].v"#,
            r#"["1","2"]"#,
        ),
        (r#"regexall("a*", "baac")"#, r#"["","aa",""]"#),
        (
            r#"[for n in range(3) : regex("\\d$", "x${n}")]"#,
            r#"["0","1","2"]"#,
        ),
        (
            r#"replace("hello world", "/w.*d/", "everybody")"#,
            r#""hello everybody""#,
        ),
        (r#"replace("a1b22", "/[0-9]+/", "<$0>")"#, r#""a<1>b<22>""#),
        (r#"replace("k=v", "/(\\w)=(\\w)/", "$2=$1")"#, r#""v=k""#),
        (
            r#"replace("k=v", "/(?P<k>\\w)=(?P<v>\\w)/", "$${v}_$k.")"#,
            r#""v_k.""#,
        ),
        (r#"replace("ab", "/b/", "$1x$$y")"#, r#""a$y""#),
        (r#"replace("abc", "//", "-")"#, r#""-a-b-c-""#),
        (
            r#"[replace("a/b", "/", "-"), replace("a.b", ".", "-")]"#,
            r#"["a-b","a-b"]"#,
        ),
    ]);
}

#[test]
fn keys_select_what_stands_beside_them() {
    check(&[
        (
            r#"matchkeys(["i-1", "i-2", "i-3"], ["west", "east", "east"], ["east"])"#,
            r#"["i-2","i-3"]"#,
        ),
        (r#"matchkeys([], [], ["x"])"#, "[]"),
        (r#"matchkeys([1, 2], ["a", "b"], [])"#, "[]"),
        (r#"matchkeys([{ a = 1 }, [2]], [1, 2], [2, 3])"#, "[[2]]"),
    ]);
}

#[test]
fn texts_are_rendered_as_templates() {
    check(&[
        (
            r#"templatestring("Hello, $${name}!%%{ for p in ports } $${p}%%{ endfor }", { name = var.name, ports = [1, 2] })"#,
            r#""Hello, shop! 1 2""#,
        ),
        (r#"templatestring("plain", {})"#, r#""plain""#),
        (r#"templatestring("$${n}", { n = 5 })"#, "5"),
        (r#"templatestring(step.host, { x = 1 })"#, r#""db.example""#),
    ]);
}
