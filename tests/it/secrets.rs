//! A secret goes to the program that needs it and nowhere else.

use crate::drplan::Ran;
use crate::drplan::World;

const VARIABLE: &str = "canary-of-the-variable";
const OUTPUT: &str = "canary-of-the-output";

const SPEC: &str = r#"
variable "token" {
  sensitive = true
}

locals {
  header = "Bearer ${var.token}"
}

resource "command" "login" {
  check   = ["test", "-e", "out/kubeconfig"]
  apply   = ["sh", "-c", "mkdir -p out; printf %s \"$HEADER\" > out/header; (printf canary-; printf of-the-output) > out/kubeconfig; echo I say $HEADER >&2"]
  env     = { HEADER = local.header }
  outputs = { kubeconfig = { file = "out/kubeconfig", sensitive = true } }
}

resource "command" "use" {
  check = ["test", "-e", "out/used"]
  apply = ["sh", "-c", "printf %s $KUBECONFIG_TEXT > out/used"]
  env   = { KUBECONFIG_TEXT = command.login.outputs.kubeconfig }
}

resource "command" "talks" {
  check   = ["test", "-e", "out/talked"]
  apply   = ["sh", "-c", "touch out/talked; echo postgres://u:$TOKEN@h/db"]
  env     = { TOKEN = var.token }
  outputs = { url = { stdout = true } }
}

resource "command" "fails" {
  check = ["test", "-e", "out/never"]
  apply = ["sh", "-c", "echo cannot log in as $TOKEN >&2; exit 1"]
  env   = { TOKEN = var.token }
}

check "it_is_long" {
  assert {
    condition     = command.login.outputs.kubeconfig != var.token
    error_message = "${var.token} is ${command.login.outputs.kubeconfig}"
  }
}

check "it_is_not" {
  assert {
    condition     = command.login.outputs.kubeconfig == var.token
    error_message = "${var.token} is not ${command.login.outputs.kubeconfig}"
  }
}

output "kubeconfig" {
  value = command.login.outputs.kubeconfig
}
"#;

#[track_caller]
fn keeps_quiet(ran: Ran) -> Ran {
    ran.hides(VARIABLE).hides(OUTPUT)
}

/// Looks into everything that drplan wrote; what the commands wrote is theirs, and so is their log.
fn nothing_is_kept(world: &World) {
    for (name, text) in world.files() {
        let log = name.ends_with(".err") || name.ends_with(".out");
        if name.starts_with("out/") || name == "main.dr.hcl" || log {
            continue;
        }
        for canary in [VARIABLE, OUTPUT] {
            assert!(!text.contains(canary), "{canary} stands in {name}");
        }
    }
}

#[test]
fn no_secret_is_printed_or_kept_whatever_happens() {
    let world = World::of(SPEC).with("DRPLAN_VAR_token", VARIABLE);
    for line in [
        "validate",
        "plan --out saved.drplan",
        "plan --full",
        "plan --json",
        "show --json saved.drplan",
        "show --full saved.drplan",
        "graph",
        "why command.login",
        "apply saved.drplan",
        "apply saved.drplan --json",
        "plan --out again.drplan",
        "plan --json",
        "apply --auto-approve --json",
        "plan --full",
        "report",
        "report --format json",
        "report --format markdown --out report.md",
        "report --format junit",
        "report --format html --out report.html",
        "evidence verify",
        "evidence export --out evidence.json",
    ] {
        keeps_quiet(world.run(line));
        nothing_is_kept(&world);
    }
    assert_eq!(world.read("out/header"), format!("Bearer {VARIABLE}"));
    assert_eq!(world.read("out/used"), OUTPUT);
}

#[test]
fn a_plan_needs_no_secret_and_apply_asks_for_it_by_name() {
    let world = World::of(SPEC);
    world.run("plan --out saved.drplan").ends_with(0);
    world
        .run("apply saved.drplan")
        .ends_with(9)
        .says("DRPLAN_VAR_token");
    assert!(!world.holds("out"));
}

#[test]
fn a_secret_that_stands_in_a_manifest_is_refused_before_anything_is_read() {
    let world = World::of(
        r#"
provider "kubernetes" "b" {
  kubeconfig_path = "kubeconfig"
}

resource "kubernetes_manifest" "in_a_file" {
  files = ["secret.yaml"]
}

resource "kubernetes_manifest" "inline" {
  objects = [{
    apiVersion = "v1"
    kind       = "Secret"
    metadata   = { name = "db", namespace = "shop" }
    stringData = { password = "canary-of-the-variable" }
  }]
}
"#,
    );
    world.write(
        "secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\n\
         stringData: {password: canary-of-the-output}\n",
    );
    keeps_quiet(world.run("validate"))
        .ends_with(1)
        .says("in_a_file")
        .says("inline");
    keeps_quiet(world.run("plan --out saved.drplan")).ends_with(1);
    assert!(!world.holds("saved.drplan"));
}
