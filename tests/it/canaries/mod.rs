//! No output of any command holds a secret, in any form, whoever says it: the spec, the world, a server
//! that refuses, a program.
#![cfg(feature = "rehearse")]

mod bucket;
mod echo;
mod forms;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use drplan_api::Clock;
use drplan_sandbox::kubernetes::Cluster;
use drplan_sandbox::kubernetes::ClusterOptions;
use drplan_sandbox::kubernetes::listen;
use drplan_sandbox::route53;
use drplan_sandbox::route53::Action;
use drplan_sandbox::route53::Change;
use drplan_sandbox::route53::DomainName;
use drplan_sandbox::route53::RecordSet;
use drplan_sandbox::route53::RecordType;
use drplan_sandbox::route53::Route53;
use serde_json::json;

use crate::drplan::World;
use forms::forms;
use forms::holds;
use forms::quoted;
use forms::quoted_by_go;

/// A sensitive variable, with all that must be encoded somewhere, and a word that no escape takes apart.
const VARIABLE: &str = r#"canary+of/the=variable&it's <long> "and\quoted" CanaryOfOneLongWord"#;
/// The same as a part of a URL.
const VARIABLE_IN_URL: &str =
    "canary%2Bof%2Fthe%3Dvariable%26it%27s%20%3Clong%3E%20%22and%5Cquoted%22%20CanaryOfOneLongWord";
/// The end of it, which is all that a message of bounded length may begin with.
const VARIABLE_CUT: &str = "OfOneLongWord";
/// A sensitive variable of several lines.
const KEY: &str = "-----BEGIN CANARY KEY-----\nQ2FuYXJ5T2ZUaGVGaXJzdExpbmU\nQ2FuYXJ5T2ZUaGVTZWNvbmRMaW5l\n-----END CANARY KEY-----\n";
/// The lines of it that are secret.
const KEY_LINES: &[&str] = &[
    "Q2FuYXJ5T2ZUaGVGaXJzdExpbmU",
    "Q2FuYXJ5T2ZUaGVTZWNvbmRMaW5l",
];
/// A sensitive output of a program.
const OUTPUT: &str = "canary-of-the-output";
/// The password in a connection string, and as it stands there.
const PASSWORD: &str = "canary/of@the-password";
const PASSWORD_IN_URL: &str = "canary%2Fof%40the-password";
/// The secret halves of the keys of buckets and zones.
const BUCKET: &str = "canary-of-the-bucket-key";
const ZONE: &str = "canary-of-the-zone-key";
/// The token of a kubeconfig.
const TOKEN: &str = "canary-of-the-kubeconfig";
/// The values of a Secret in a cluster and in a backup.
const LIVE: &str = "canary-of-the-living-secret";
const BACKED_UP: &str = "canary-in-the-backup";

/// Every line that is run, in order. What does not fit a scene fails there, and its complaint is an output
/// like any other.
const LINES: &[&str] = &[
    "validate",
    "validate --json",
    "plan --out saved.drplan",
    "plan --full",
    "plan --json",
    "plan --format markdown --full",
    "points",
    "points --json",
    "doctor",
    "doctor --json",
    "permissions",
    "permissions --check",
    "permissions --format json",
    "permissions --format grant",
    "snapshot --out saved.snapshot",
    "plan --live saved.snapshot --full",
    "show saved.drplan",
    "show saved.drplan --full",
    "show saved.drplan --json",
    "show saved.drplan --format markdown",
    "graph",
    "graph --format mermaid",
    "graph saved.drplan",
    "why STEP",
    "why --plan saved.drplan STEP",
    "apply saved.drplan --json",
    "apply --auto-approve",
    "apply --auto-approve --json",
    "apply --resume RUN",
    "status",
    "status --json",
    "pause",
    "resume",
    "unlock RUN",
    "report",
    "report --json",
    "report --format markdown",
    "report --format junit",
    "report --format html --out report.html",
    "evidence verify",
    "evidence verify --json",
    "evidence export --out evidence.json",
    "evidence verify --file evidence.json",
    "revert dns RUN --auto-approve",
    "release --auto-approve",
    "rehearse",
    "rehearse --full",
    "rehearse --json",
    "rehearse --snapshot rehearsed.snapshot",
    "plan --live rehearsed.snapshot --lost cluster:a --out from.drplan --full",
    "points --live rehearsed.snapshot --lost cluster:a",
    "permissions --live rehearsed.snapshot --lost cluster:a",
    "show from.drplan --json",
    "show from.drplan --format markdown",
    "why --plan from.drplan STEP",
    "schema",
    "schema report",
    "schema rehearsal",
    "version",
];

/// The commands below a command, as `--help` names them.
fn commands(world: &World, of: &str) -> Vec<String> {
    let help = world.run(&format!("{of} --help")).stdout;
    let below = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    let lines = below.lines().take_while(|line| !line.is_empty());
    // The text of a command may go on in a line that is indented further.
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names
        .map(|name| format!("{of} {name}").trim().to_owned())
        .collect()
}

#[test]
fn every_command_stands_among_the_outputs_that_are_searched() {
    let world = World::empty();
    let mut open = commands(&world, "");
    assert!(open.len() > 10, "{open:?}");
    let mut missing = BTreeSet::new();
    while let Some(command) = open.pop() {
        let below = commands(&world, &command);
        let is_run = |line: &&str| {
            let rest = line.strip_prefix(&command);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        if below.is_empty() && !LINES.iter().any(is_run) {
            missing.insert(command);
        }
        open.extend(below);
    }
    assert!(
        missing.is_empty(),
        "nobody searches what these say: {missing:?}"
    );
}

/// What is run beside an apply that goes on.
const LINES_BESIDE: &[&str] = &[
    "status",
    "status --json",
    "pause",
    "resume",
    "unlock RUN",
    "plan --full",
];

/// The exit code of a line that makes no sense.
const USAGE: i32 = 64;

/// What became of all lines: how each ended, and everything that they said.
struct Searched {
    exits: BTreeMap<&'static str, i32>,
    said: String,
}

impl Searched {
    /// Makes sure that lines did what they stand there for.
    #[track_caller]
    fn ended(self, expected: &[(&str, i32)]) -> Self {
        for (line, exit) in expected {
            assert_eq!(self.exits.get(line), Some(exit), "`drplan {line}`");
        }
        self
    }

    /// The lines that nobody understood there.
    fn refused(&self) -> Vec<&str> {
        let refused = self.exits.iter().filter(|(_, exit)| **exit == USAGE);
        refused.map(|(line, _)| *line).collect()
    }
}

/// The latest run of a world; without one, what a run might be called.
fn run(world: &World) -> String {
    if !world.holds(".drplan/runs") {
        return "2".to_owned();
    }
    let latest = world.latest_run();
    let name = latest.file_name().expect("a run");
    name.to_string_lossy().into_owned()
}

/// Runs every line, and searches what it says and what it leaves behind.
#[track_caller]
fn search(world: &World, step: &str, secrets: &[&str]) -> Searched {
    search_lines(world, step, secrets, LINES)
}

#[track_caller]
fn search_lines(world: &World, step: &str, secrets: &[&str], lines: &[&'static str]) -> Searched {
    let given = world.files().into_keys();
    let given: BTreeSet<String> = given.filter(|name| !name.starts_with(".drplan/")).collect();
    let forms: Vec<_> = secrets.iter().flat_map(|secret| forms(secret)).collect();
    let mut found = BTreeSet::new();
    let (mut exits, mut said) = (BTreeMap::new(), String::new());
    for &of in lines {
        let line = of.replace("STEP", step).replace("RUN", &run(world));
        let ran = world.run(&line);
        exits.insert(of, ran.exit);
        said.extend([ran.stdout.as_str(), ran.stderr.as_str()]);
        let mut look = |place: &str, bytes: &[u8]| {
            for (form, part) in &forms {
                if holds(bytes, part) {
                    let part = String::from_utf8_lossy(part);
                    found.insert(format!("`drplan {line}`, {place}: `{part}`, {form}"));
                }
            }
        };
        look("standard output", ran.stdout.as_bytes());
        look("standard error", ran.stderr.as_bytes());
        for (name, text) in world.files() {
            // What a program wrote is its own, and so is what was said to it.
            let is_theirs = name.starts_with("out/") || name.starts_with(".drplan/work/");
            if !given.contains(&name) && !is_theirs {
                look(&name, text.as_bytes());
            }
        }
    }
    let found: Vec<String> = found.into_iter().collect();
    assert!(found.is_empty(), "{}", found.join("\n"));

    Searched { exits, said }
}

/// A shell that has secrets in `$TOKEN` and `$KEY` says them in every form. It says in a few lines what a
/// message about it shows.
fn told(by: &str) -> String {
    let literals = [VARIABLE_IN_URL, &quoted(VARIABLE), &quoted_by_go(VARIABLE)];
    let literals = literals.map(|form| form.replace('\'', "'\\''"));
    format!(
        "printf '{by}=%s.' \"$TOKEN\"; printf %s \"$TOKEN\" | base64 -w0; printf 'x%s' \"$TOKEN\" | base64 -w0; \
         printf ' %s' '{}'; printf %s \"$TOKEN\" | od -An -v -tx1 | tr -d ' \\n'; \
         printf '\\n%s\\n' \"$KEY\"; printf %s \"$KEY\" | base64 -w0; printf %s \"$OUTPUT\"",
        literals.join("' '")
    )
}

/// Programs that say secrets in every form, on both streams: some that are given them, whose output stays
/// where it is, and some that find them in files, so that nobody knows that they have any.
#[test]
fn what_programs_say_of_secrets_goes_nowhere() {
    let spec = r#"
variable "token" { sensitive = true }
variable "key" { sensitive = true }

resource "command" "login" {
  check   = ["test", "-e", "out/kubeconfig"]
  apply   = ["sh", "login.sh"]
  outputs = { kubeconfig = { file = "out/kubeconfig", sensitive = true } }
}

resource "command" "tells" {
  check   = ["test", "-e", "out/told"]
  apply   = ["sh", "tell.sh"]
  env     = { TOKEN = var.token, KEY = var.key, OUTPUT = command.login.outputs.kubeconfig }
  outputs = { said = { stdout = true } }
}

resource "command" "fails" {
  depends_on = [command.login]
  check      = ["test", "-e", "out/never"]
  apply      = ["sh", "fail.sh"]
  env        = { TOKEN = var.token, KEY = var.key, OUTPUT = command.login.outputs.kubeconfig }
}

resource "command" "finds_and_fails" {
  depends_on = [command.login]
  check      = ["test", "-e", "out/never"]
  apply      = ["sh", "find.sh"]
}

resource "command" "cannot_tell" {
  check = ["sh", "ask.sh"]
  apply = ["true"]
  env   = { TOKEN = var.token, KEY = var.key }
}

resource "command" "says_too_much" {
  check = ["sh", "cut.sh"]
  apply = ["true"]
}

check "it_is_another" {
  assert {
    condition     = command.login.outputs.kubeconfig == var.token
    error_message = "${var.token} is not ${command.login.outputs.kubeconfig}"
  }
}

output "said" { value = command.tells.outputs.said }
output "login" { value = command.login.outputs.kubeconfig }
"#;
    let world = World::of(spec)
        .with("DRPLAN_VAR_token", VARIABLE)
        .with("DRPLAN_VAR_key", KEY);
    write_programs(&world);
    let secrets = [&[VARIABLE, OUTPUT, VARIABLE_CUT], KEY_LINES].concat();
    let searched = search(&world, "command.tells", &secrets);
    // Beside an apply that goes on these make sense.
    assert_eq!(searched.refused(), ["pause", "resume"]);
    for wanted in ["asked=(secret)", "found=(secret)", "… cut-"] {
        assert!(searched.said.contains(wanted), "nothing says `{wanted}`");
    }
    searched.ended(&[
        ("plan --out saved.drplan", 12),
        ("plan --live saved.snapshot --full", 12),
        ("show saved.drplan --json", 0),
        ("why STEP", 0),
        ("apply --auto-approve", 12),
        ("apply --resume RUN", 12),
        ("status --json", 0),
        ("unlock RUN", 0),
        ("report --json", 0),
        ("report --format html --out report.html", 0),
        ("evidence verify", 0),
        ("evidence export --out evidence.json", 0),
        ("evidence verify --file evidence.json", 0),
    ]);
    assert_eq!(world.read("out/kubeconfig"), OUTPUT);
    for ran in ["out/told", "out/failed", "out/found"] {
        assert!(world.holds(ran), "`{ran}` is missing: it never spoke");
    }
}

/// How much of what a check complains about is kept.
const KEPT_BYTES: usize = 2048;

/// Writes the programs of the spec, and the secrets that some of them find.
fn write_programs(world: &World) {
    world.write("given-token", VARIABLE);
    world.write("given-key", KEY);
    let find = "TOKEN=$(cat given-token); KEY=$(cat given-key)";
    let say = |by: &str| format!("{0}; ({0}) >&2", told(by));
    world.write(
        "login.sh",
        "mkdir -p out; (printf canary-; printf of-the-output) > out/kubeconfig\n",
    );
    world.write("tell.sh", &format!("touch out/told; {}\n", say("tells")));
    world.write(
        "fail.sh",
        &format!("touch out/failed; {}; exit 1\n", say("fails")),
    );
    world.write(
        "find.sh",
        &format!("{find}; touch out/found; {}; exit 1\n", say("found")),
    );
    world.write("ask.sh", &format!("{find}; {}; exit 3\n", say("asked")));
    // Only the last bytes are kept, and those begin in the middle of the secret.
    let kept = KEPT_BYTES - VARIABLE_CUT.len() - 1;
    let cut = "cut-".repeat(kept / 4) + &"-".repeat(kept % 4);
    world.write(
        "cut.sh",
        &format!("(cat given-token; printf ' %s' '{cut}') >&2; exit 3\n"),
    );
}

/// A program that has told everything and goes on.
#[test]
fn what_is_said_beside_a_running_apply_holds_no_secret() {
    let world = World::of(
        r#"
variable "token" { sensitive = true }

resource "command" "tells" {
  check = ["test", "-e", "out/told"]
  apply = ["sh", "tell.sh"]
  env   = { TOKEN = var.token }
}
"#,
    )
    .with("DRPLAN_VAR_token", VARIABLE);
    world.write(
        "tell.sh",
        "mkdir -p out; echo \"$TOKEN\"; echo \"$TOKEN\" >&2; touch out/begun; n=0\n\
         while [ ! -e let ] && [ $n -lt 1200 ]; do sleep 0.05; n=$((n+1)); done; touch out/told\n",
    );
    let running = world.start("apply --auto-approve");
    world.wait_for("out/begun");
    let searched = search_lines(&world, "command.tells", &[VARIABLE], LINES_BESIDE);
    searched.ended(&[
        ("status --json", 0),
        ("pause", 0),
        ("resume", 0),
        ("unlock RUN", 5),
    ]);
    world.write("let", "");
    running.ended().ends_with(0).hides(VARIABLE);
}

/// Every system answers with a refusal in which all secrets stand.
#[test]
fn what_servers_say_of_secrets_goes_nowhere() {
    let secrets = [VARIABLE, PASSWORD, BUCKET, ZONE, TOKEN];
    let port = echo::start(&secrets);
    // The database is asked only when there is a dump for it.
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/shop/data/shop-backups");
    let dump = shop.join("dumps/shop/shop-20261120164554.dump");
    let dumps = bucket::start(std::fs::read(dump).expect("a dump"));
    let spec = format!(
        r#"
recovery "shop" {{}}

variable "token" {{ sensitive = true }}
variable "database" {{ sensitive = true }}
variable "bucket_key" {{ sensitive = true }}
variable "zone_key" {{ sensitive = true }}
variable "kubeconfig" {{ sensitive = true }}

provider "kubernetes" "given" {{ kubeconfig = var.kubeconfig }}
provider "kubernetes" "file" {{ kubeconfig_path = "kubeconfig" }}
provider "postgres" "b" {{ connection = var.database }}

provider "s3" "backups" {{
  region     = "eu-west-1"
  endpoint   = "http://127.0.0.1:{port}"
  access_key = "AKIDCANARY"
  secret_key = var.bucket_key
}}

provider "s3" "dumps" {{
  region     = "eu-west-1"
  endpoint   = "http://127.0.0.1:{dumps}"
  access_key = "AKIDCANARY"
  secret_key = var.bucket_key
}}

provider "route53" "dns" {{
  endpoint   = "http://127.0.0.1:{port}"
  access_key = "AKIDCANARY"
  secret_key = var.zone_key
}}

data "velero_backup" "apps" {{
  provider = s3.backups
  bucket   = "shop"
  schedule = "apps"
}}

data "dump_archive" "shop" {{
  provider = s3.dumps
  bucket   = "shop"
  prefix   = "dumps/"
}}

resource "kubernetes_manifest" "given" {{
  provider = kubernetes.given
  objects  = [{{ apiVersion = "v1", kind = "Secret", metadata = {{ name = "a", namespace = "default" }}, stringData = {{ a = var.token }} }}]
}}

resource "kubernetes_cluster" "file" {{ provider = kubernetes.file }}

resource "postgres_restore" "shop" {{
  providers = {{ database = postgres.b, bucket = s3.dumps }}
  database  = "shop"
  dump      = data.dump_archive.shop
}}

resource "route53_record" "www" {{
  provider = route53.dns
  zone     = "shop.example"
  name     = "www"
  type     = "A"
  ttl      = 60
  records  = ["192.0.2.1"]
}}

resource "http_check" "www" {{
  url    = "http://127.0.0.1:{port}/"
  within = "2s"
}}
"#
    );
    let kubeconfig = kubeconfig(port);
    let database = format!("postgres://me:{PASSWORD_IN_URL}@127.0.0.1:{port}/postgres");
    let world = World::of(&spec)
        .with("DRPLAN_VAR_token", VARIABLE)
        .with("DRPLAN_VAR_database", &database)
        .with("DRPLAN_VAR_bucket_key", BUCKET)
        .with("DRPLAN_VAR_zone_key", ZONE)
        .with("DRPLAN_VAR_kubeconfig", &kubeconfig);
    world.write("kubeconfig", &kubeconfig);
    world.run("plan").says("no access for");
    let searched = search(&world, "http_check.www", &secrets);
    for protocol in echo::PROTOCOLS {
        let echo = format!("echo-of-{protocol}");
        assert!(searched.said.contains(&echo), "nothing says `{echo}`");
    }
    searched.ended(&[
        ("plan --out saved.drplan", 12),
        ("apply saved.drplan --json", 12),
        ("doctor", 1),
        ("permissions --check", 1),
    ]);
}

fn kubeconfig(port: u16) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "a",
        "clusters": [{"name": "a", "cluster": {"server": format!("http://127.0.0.1:{port}")}}],
        "users": [{"name": "a", "user": {"token": TOKEN}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
    })
    .to_string()
}

/// A zone in which `www` leads elsewhere.
async fn zone() -> Result<route53::Running, route53::SandboxError> {
    let service = Route53::new(route53::Config::new("AKIDCANARY", ZONE))?.zone("shop.example")?;
    let id = service.zone_id("shop.example").expect("an id");
    let name = DomainName::parse("www.shop.example").expect("a name");
    let set = RecordSet::simple(name, RecordType::A, 60, ["192.0.2.10"]);
    let action = Action::Upsert;
    service
        .change(&id, &[Change { action, set }])
        .expect("a change");
    let address = "127.0.0.1:0".parse().expect("an address");
    service.listen(address).await
}

/// A Secret of a cluster that is another one than the spec wants, beside a record that moves.
#[test]
fn what_secrets_of_a_cluster_hold_goes_nowhere() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(1)
        .build()
        .expect("a runtime");
    let cluster = Cluster::new(ClusterOptions::new("a", 1, Clock::system()));
    // As an earlier life of drplan left them.
    let fields = json!([{"manager": "drplan", "operation": "Apply", "apiVersion": "v1",
        "time": "2026-01-05T03:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:value": {}}}}]);
    let secret = |name: &str, value: &str| {
        json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": name, "namespace": "default", "managedFields": fields},
            "type": "Opaque", "data": {"value": STANDARD.encode(value)}})
    };
    let objects = [secret("wanted", LIVE), secret("other", LIVE)];
    cluster.load(objects).expect("objects");
    let address = "127.0.0.1:0".parse().expect("an address");
    let listening = runtime
        .block_on(listen(&cluster, address))
        .expect("a server");
    let kubeconfig = listening.kubeconfig("admin");
    let token = kubeconfig.split("\"token\": \"").nth(1).expect("a token");
    let token = token.split('"').next().expect("a token").to_owned();
    let zone = runtime.block_on(zone()).expect("a zone");
    let spec = r#"
recovery "shop" {}

variable "kubeconfig" { sensitive = true }
variable "token" { sensitive = true }
variable "key" { sensitive = true }

variable "zone_key" { sensitive = true }

provider "kubernetes" "a" { kubeconfig = var.kubeconfig }

resource "kubernetes_manifest" "wanted" {
  objects = [{
    apiVersion = "v1"
    kind       = "Secret"
    metadata   = { name = "wanted", namespace = "default" }
    stringData = { value = var.token, key = var.key }
  }]
}

resource "kubernetes_manifest" "plain" {
  depends_on = [kubernetes_manifest.wanted]
  objects = [{
    apiVersion = "v1"
    kind       = "ConfigMap"
    metadata   = { name = "plain", namespace = "default" }
    data       = { value = var.token, key = var.key }
  }]
}

resource "kubernetes_release" "a" {}

provider "route53" "dns" {
  endpoint   = "ENDPOINT"
  access_key = "AKIDCANARY"
  secret_key = var.zone_key
}

resource "route53_record" "www" {
  zone     = "shop.example"
  name     = "www"
  type     = "A"
  ttl      = 30
  records  = ["198.51.100.20"]
  replaces = ["192.0.2.10"]
}
"#;
    let world = World::of(&spec.replace("ENDPOINT", &zone.url()))
        .with("DRPLAN_VAR_zone_key", ZONE)
        .with("DRPLAN_VAR_kubeconfig", &kubeconfig)
        .with("DRPLAN_VAR_token", VARIABLE)
        .with("DRPLAN_VAR_key", KEY);
    let secrets = [&[VARIABLE, LIVE, ZONE, &token], KEY_LINES].concat();
    let searched = search(&world, "kubernetes_manifest.wanted", &secrets);
    searched.ended(&[
        ("plan --live saved.snapshot --full", 0),
        ("apply saved.drplan --json", 0),
        ("report --json", 0),
        ("evidence export --out evidence.json", 0),
        ("revert dns RUN --auto-approve", 0),
        ("release --auto-approve", 0),
    ]);
    let wanted = cluster.object("", "secrets", "default", "wanted");
    assert!(wanted.is_some_and(|s| s["data"]["value"] == STANDARD.encode(VARIABLE)));
}

/// The example with other keys and passwords, and with other values in the Secrets of its backups.
#[test]
fn what_backups_and_keys_of_a_rehearsal_hold_goes_nowhere() {
    let world = World::empty();
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/shop");
    let copied = std::process::Command::new("sh")
        .args(["-ec", include_str!("backups.sh")])
        .arg("sh")
        .arg(shop)
        .arg(world.path(""))
        .arg(STANDARD.encode(BACKED_UP))
        .status()
        .expect("a shell");
    assert!(copied.success());
    let text = world.read("rehearsal.hcl");
    let text = text
        .replace("rehearsal-reader", BUCKET)
        .replace("rehearsal-velero", &quoted(VARIABLE))
        .replace("rehearsal-dns", ZONE)
        .replace("rehearsal-database", "canary-of-the-password");
    world.write("rehearsal.hcl", &text);
    let rehearsed = world.run("rehearse").ends_with(6);
    rehearsed.says("`shop` comes back in");
    let secrets = [BUCKET, VARIABLE, ZONE, "canary-of-the-password", BACKED_UP];
    let searched = search(&world, "velero_restore.apps", &secrets);
    searched.ended(&[
        ("rehearse", 6),
        ("rehearse --json", 6),
        ("rehearse --snapshot rehearsed.snapshot", 0),
        ("points --live rehearsed.snapshot --lost cluster:a", 0),
        ("show from.drplan --json", 0),
        ("why --plan from.drplan STEP", 0),
    ]);
}
