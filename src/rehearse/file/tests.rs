use std::path::Path;

use super::*;
use crate::diag::Severity;

/// A spec that starts two programs and lies in two domains.
const SPEC: &str = r#"
recovery "r" {}
variable "password" {}
domain "region:x" {}
provider "s3" "b" { failure_domain = ["cluster:a"] }
provider "kubernetes" "site" {}
provider "postgres" "db" {}
resource "command" "up" {
  check = ["bin/site", "is-up", var.password]
  apply = ["bin/site", "up"]
}
"#;

fn module(spec: &str) -> Module {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::File::create(dir.path().join("main.dr.hcl"))
        .and_then(|mut file| std::io::Write::write_all(&mut file, spec.as_bytes()))
        .expect("a spec");
    let source = crate::spec::Source::load(dir.path()).expect("a spec");
    crate::spec::parse(&source).0
}

fn reading(text: &str) -> Result<(WorldFile, Mistakes), Mistakes> {
    read(Path::new(FILE), text, &module(SPEC))
}

/// Everything that a world file may say.
const WHOLE: &str = r#"
start     = "2026-11-20T03:10:00Z"
lost      = ["cluster:a", "region:x"]
variables = { password = "p" }
object_store {
  hosts = ["s3.example"]
  key "K" {
    secret    = "s"
    read_only = true
  }
  bucket "b" {
    folder    = "src"
    versioned = true
  }
}
dns {
  hosts = ["dns.example"]
  key "K" { secret = "s" }
  zone "shop.example" {
    record "www" {
      type   = "A"
      ttl    = 60
      values = ["192.0.2.10"]
    }
  }
}
cluster "b" {
  server  = "https://b.example:6443"
  nodes   = 2
  version = "v1.35.3"
  velero  = true
  running = true
  kubeconfig  = "b.kubeconfig"
  connections = ["kubernetes.site"]
  storage_class "standard" {
    default     = true
    provisioner = "p"
  }
}
postgres "b" {
  address  = "db.example:5432"
  user     = "u"
  password = "p"
  version  = "17.6"
  roles    = ["r"]
  running  = true
  connections = ["postgres.db"]
}
page "shop/frontend" {
  status = 200
  body   = "ok"
}
host "old.example" {
  address = "192.0.2.1"
  refuses = true
}
program "bin/site" {
  args       = ["up"]
  takes      = "1h30m"
  starts     = ["cluster.b"]
  stops      = ["postgres.b"]
  true_if    = ["cluster.b"]
  address_of = "b/shop/frontend"
  within     = "5m"
  makes      = ["data"]
  stdout     = "out"
  stderr     = "err"
  exit       = 3
  files = {
    k = { kubeconfig = "b" }
    p = { postgres = "b" }
    t = { text = "t" }
  }
}
program "./bin/site" { args = ["is-up", "cluster"] }
program "helm" {}
durations {
  pod_start     = "1s"
  pod_ready     = "1s"
  init_run      = "1s"
  job_run       = "1s"
  pod_stop      = "1s"
  volume_bind   = "1s"
  load_balancer = "1s"
  ingress       = "1s"
}
"#;

#[test]
fn blocks_become_the_data_of_a_world() {
    let (world, warnings) = reading(WHOLE).unwrap_or_else(|m| panic!("{:?}", m.0));
    assert!(warnings.0.is_empty(), "{:?}", warnings.0);
    assert_eq!(world.lost, ["cluster:a", "region:x"]);
    assert_eq!(
        world.program["bin/site"][0].takes.as_deref(),
        Some("5400000ms")
    );
    let zone = &world.dns.expect("a service").zone["shop.example"];
    assert_eq!(zone.record["www"].values, ["192.0.2.10"]);
    assert_eq!(world.durations.len(), 8);
}

/// Every argument and block of the shape stands in [`WHOLE`], so that the test above holds the shape
/// against the data that it describes.
#[test]
fn the_example_says_everything_that_can_be_said() {
    fn walk(shape: &Shape) {
        for arg in shape.args {
            assert!(WHOLE.contains(&format!("{} ", arg.name)), "{}", arg.name);
        }
        for block in shape.blocks {
            assert!(
                WHOLE.contains(&format!("{} ", block.name)),
                "{}",
                block.name
            );
            walk(block);
        }
    }
    walk(&WORLD);
}

#[test]
fn programs_of_one_name_are_tried_in_order() {
    let text =
        "program \"bin/site\" { args = [\"up\"] }\nprogram \"bin/site\" { args = [\"is-up\"] }\n";
    let (world, _) = reading(text).unwrap_or_else(|m| panic!("{:?}", m.0));
    let args: Vec<_> = world.program["bin/site"]
        .iter()
        .map(|p| &p.args[0])
        .collect();
    assert_eq!(args, ["up", "is-up"]);
}

/// A file, the code of its mistake, what is marked, and what is said: message or hint.
const BAD: &[(&str, &str, &str, &str)] = &[
    // What stands twice.
    (
        "cluster \"b\" { server = \"https://b\" }\ncluster \"b\" { server = \"https://c\" }",
        "DR0002",
        "cluster \"b\"",
        "`cluster \"b\"` stands twice",
    ),
    (
        "postgres \"b\" {\n address = \"b\"\n user = \"u\"\n password = \"p\"\n}\npostgres \"b\" {\n address = \"c\"\n user = \"u\"\n password = \"p\"\n}",
        "DR0002",
        "postgres \"b\"",
        "stands twice",
    ),
    (
        "page \"a/b\" {}\npage \"a/b\" {}",
        "DR0002",
        "page \"a/b\"",
        "stands twice",
    ),
    (
        "host \"h\" {}\nhost \"h\" {}",
        "DR0002",
        "host \"h\"",
        "stands twice",
    ),
    ("dns {}\ndns {}", "DR0002", "dns", "`dns` stands twice"),
    (
        "durations {}\ndurations {}",
        "DR0002",
        "durations",
        "`durations` stands twice",
    ),
    (
        "object_store {\n bucket \"b\" {}\n bucket \"b\" {}\n}",
        "DR0002",
        "bucket \"b\"",
        "stands twice",
    ),
    (
        "dns {\n zone \"z\" {\n record \"w\" {\n type = \"A\"\n values = []\n }\n record \"w\" {\n type = \"A\"\n values = []\n }\n }\n}",
        "DR0002",
        "record \"w\"",
        "stands twice",
    ),
    ("lost = []\nlost = []", "DR0002", "lost", "set twice"),
    (
        "host \"h\" {\n refuses = true\n refuses = true\n}",
        "DR0002",
        "refuses",
        "set twice",
    ),
    (
        "variables = {\n password = \"a\"\n password = \"b\"\n}",
        "DR0001",
        "p",
        "the same key twice",
    ),
    // What is not known.
    (
        "cluster \"b\" {\n srever = \"https://b\"\n server = \"https://b\"\n}",
        "DR0005",
        "srever",
        "did you mean `server`?",
    ),
    (
        "cluster \"b\" {\n server = \"https://b\"\n zzz = 1\n}",
        "DR0005",
        "zzz",
        "there are the arguments server, nodes, version, kubeconfig, connections, velero, running and the blocks storage_class",
    ),
    (
        "clutser \"b\" {}",
        "DR0003",
        "clutser",
        "did you mean `cluster`?",
    ),
    ("cluster = {}", "DR0005", "cluster", "it is a block"),
    (
        "variables { password = \"p\" }",
        "DR0003",
        "variables",
        "it is an argument",
    ),
    (
        "durations { pod_strat = \"1s\" }",
        "DR0005",
        "pod_strat",
        "did you mean `pod_start`?",
    ),
    (
        "dns {\n zone \"z\" {\n rekord \"w\" {}\n }\n}",
        "DR0003",
        "rekord",
        "did you mean `record`?",
    ),
    (
        "program \"bin/site\" { files = { k = { kubeconfg = \"b\" } } }",
        "DR0005",
        "kubeconfg",
        "did you mean `kubeconfig`?",
    ),
    // What is missing.
    (
        "cluster \"b\" {}",
        "DR0006",
        "cluster \"b\"",
        "`cluster \"b\"` has no `server`",
    ),
    (
        "object_store {\n key \"k\" {}\n}",
        "DR0006",
        "key \"k\"",
        "has no `secret`",
    ),
    (
        "dns {\n zone \"z\" {\n record \"w\" { values = [] }\n }\n}",
        "DR0006",
        "record \"w\"",
        "has no `type`",
    ),
    (
        "cluster { server = \"https://b\" }",
        "DR0001",
        "cluster",
        "takes one label, not 0",
    ),
    (
        "dns \"x\" {}",
        "DR0001",
        "dns \"x\"",
        "takes no label, not 1",
    ),
    // What is of another type or form.
    (
        "postgres \"b\" {\n address = \"b\"\n user = 17\n password = \"p\"\n}",
        "DR0007",
        "17",
        "write `\"17\"`",
    ),
    (
        "postgres \"b\" {\n address = \"b\"\n user = \"u\"\n password = \"p\"\n version = \"new\"\n}",
        "DR0007",
        "\"new\"",
        "a version such as",
    ),
    (
        "cluster \"b\" {\n server = \"https://b\"\n nodes = \"three\"\n}",
        "DR0007",
        "\"three\"",
        "`nodes` of `cluster \"b\"` must be a whole number",
    ),
    (
        "cluster \"b\" {\n server = \"https://b\"\n nodes = 2.5\n}",
        "DR0007",
        "2.5",
        "must be a whole number",
    ),
    (
        "cluster \"b\" {\n server = \"https://b\"\n velero = \"yes\"\n}",
        "DR0007",
        "\"yes\"",
        "must be `true` or `false`",
    ),
    (
        "cluster \"b\" { server = \"b\" }",
        "DR0007",
        "\"b\"",
        "must be a URL",
    ),
    (
        "page \"a/b\" { status = 20 }",
        "DR0007",
        "20",
        "from 100 to 999",
    ),
    (
        "page \"frontend\" {}",
        "DR0007",
        "\"frontend\"",
        "write `page \"NAMESPACE/SERVICE\" {`",
    ),
    (
        "lost = \"cluster:a\"",
        "DR0007",
        "\"cluster:a\"",
        "must be a list",
    ),
    ("lost = [1]", "DR0007", "1", "each of `lost` must be text"),
    ("lost = [var.x]", "DR0007", "var.x", "must be a plain value"),
    ("variables = [1]", "DR0007", "[1]", "must be an object"),
    (
        "variables = { password = 5 }",
        "DR0007",
        "5",
        "`password` in `variables` must be text",
    ),
    (
        "start = \"ten past three\"",
        "DR0007",
        "\"ten past three\"",
        "a time such as",
    ),
    (
        "program \"bin/site\" { takes = \"a while\" }",
        "DR0007",
        "\"a while\"",
        "a length of time such as",
    ),
    (
        "durations { pod_start = \"1 parsec\" }",
        "DR0007",
        "\"1 parsec\"",
        "`pod_start` of `durations` must be a length of time",
    ),
    (
        "program \"bin/site\" { exit = 256 }",
        "DR0007",
        "256",
        "from 0 to 255",
    ),
    (
        "program \"bin/site\" { address_of = \"shop/frontend\" }",
        "DR0007",
        "\"shop/frontend\"",
        "CLUSTER/NAMESPACE/SERVICE",
    ),
    (
        "program \"bin/site\" { files = { k = \"x\" } }",
        "DR0007",
        "\"x\"",
        "does not say what is written",
    ),
    (
        "dns {\n zone \"z\" {\n record \"w\" {\n type = \"B\"\n values = []\n }\n }\n}",
        "DR0007",
        "\"B\"",
        "a type of records",
    ),
    // What leads nowhere.
    (
        "program \"bin/site\" { starts = [\"cluster.c\"] }\ncluster \"b\" { server = \"https://b\" }",
        "DR0008",
        "\"cluster.c\"",
        "did you mean `cluster.b`?",
    ),
    (
        "program \"bin/site\" { stops = [\"b\"] }",
        "DR0008",
        "\"b\"",
        "there is no `b` in this world",
    ),
    (
        "program \"bin/site\" { true_if = [\"postgres.b\"] }",
        "DR0008",
        "\"postgres.b\"",
        "there is no `postgres.b`",
    ),
    (
        "program \"bin/site\" { address_of = \"c/shop/frontend\" }",
        "DR0008",
        "\"c/shop/frontend\"",
        "there is no `cluster.c`",
    ),
    (
        "program \"bin/site\" { files = { k = { kubeconfig = \"c\" } } }",
        "DR0008",
        "\"c\"",
        "there is no `cluster.c`",
    ),
    (
        "program \"bin/site\" { files = { k = { postgres = \"c\" } } }",
        "DR0008",
        "\"c\"",
        "there is no `postgres.c`",
    ),
    (
        "object_store {\n bucket \"b\" { folder = \"nowhere\" }\n}",
        "DR0026",
        "\"nowhere\"",
        "there is no folder `nowhere`",
    ),
    (
        "cluster \"b\" {\n server = \"https://b\"\n connections = [\"s3.b\"]\n}",
        "DR0008",
        "\"s3.b\"",
        "`s3.b` is no connection of `kubernetes`",
    ),
    (
        "postgres \"b\" {\n address = \"b\"\n user = \"u\"\n password = \"p\"\n connections = [\"kubernetes.site\"]\n}",
        "DR0008",
        "\"kubernetes.site\"",
        "`kubernetes.site` is no connection of `postgres`",
    ),
    (
        "cluster \"b\" {\n server = \"https://b\"\n connections = [\"kubernetes.sight\"]\n}",
        "DR0008",
        "\"kubernetes.sight\"",
        "did you mean `kubernetes.site`?",
    ),
    (
        "lost = [\"cluster:A\"]",
        "DR0021",
        "\"cluster:A\"",
        "did you mean `cluster:a`?",
    ),
    // What only a person can judge: warnings.
    (
        "variables = { pasword = \"p\" }",
        "DR0025",
        "pasword",
        "did you mean `password`?",
    ),
    (
        "program \"bin/sight\" {}",
        "DR0008",
        "program \"bin/sight\"",
        "no command of the spec starts `bin/sight`",
    ),
    (
        "program \"bin/site\" { args = [\"down\"] }",
        "DR0008",
        "program \"bin/site\"",
        "no command of the spec starts `bin/site down`",
    ),
    (
        "program \"bin/site\" {}\nprogram \"bin/site\" { args = [\"up\"] }",
        "DR0002",
        "program \"bin/site\"",
        "is never taken",
    ),
];

#[test]
fn each_mistake_is_told_once_in_our_words_at_its_place() {
    for (text, code, marked, said) in BAD {
        let both = match reading(text) {
            Ok((_, warnings)) => warnings,
            Err(mistakes) => mistakes,
        };
        let (diags, sources) = *both;
        let told: Vec<String> = diags.iter().map(|d| format!("{d} {:?}", d.hints)).collect();
        assert_eq!(diags.len(), 1, "{text}\n{told:#?}");
        let d = diags.iter().next().expect("one");
        assert_eq!(d.code.as_str(), *code, "{text}\n{told:#?}");
        let span = d.span().expect("a place");
        let (_, whole) = sources.get(span.file);
        let place = &whole[span.start as usize..span.end as usize];
        assert_eq!(place.trim_end(), *marked, "{text}\n{told:#?}");
        assert!(
            told[0].replace("\\\"", "\"").contains(said),
            "{text}\n{told:#?}"
        );
        let places = d.labels.len();
        assert!(places == 2 || d.code != Code::DuplicateName, "{text}");
    }
}

#[test]
fn only_what_a_person_must_judge_is_a_warning() {
    let warnings = BAD.iter().filter_map(|(text, ..)| reading(text).ok());
    let all: Vec<_> = warnings.flat_map(|(_, both)| both.0.into_iter()).collect();
    assert_eq!(all.len(), 4, "{all:?}");
    assert!(all.iter().all(|d| d.severity == Severity::Warning));
}

#[test]
fn what_the_spec_does_not_say_plainly_is_not_judged() {
    let spec = "provider \"s3\" \"b\" { failure_domain = [var.d] }\nresource \"command\" \"c\" { apply = var.line }\n";
    let text = "lost = [\"cluster:z\"]\nprogram \"bin/any\" {}\n";
    let (_, warnings) =
        read(Path::new(FILE), text, &module(spec)).unwrap_or_else(|m| panic!("{:?}", m.0));
    assert!(warnings.0.is_empty(), "{:?}", warnings.0);
}
