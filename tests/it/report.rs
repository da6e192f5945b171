//! What a run did, in all forms, and what proves it.

use serde_json::Value;

use crate::drplan::Ran;
use crate::drplan::World;

/// A run with something of everything: parallel steps, one that is true already, a best-effort one and
/// a critical one that fail, a question, a check that warns, text that means something to Markdown and
/// HTML.
const NIGHT: &str = r#"
recovery "night" {
  rpo      = "15m"
  rto      = "1h"
  contacts = { oncall = "+00 0000" }
}

resource "command" "site" {
  check   = ["test", "-e", "site"]
  apply   = ["sh", "-c", "echo b > site"]
  outputs = { name = { file = "site" } }
}

resource "command" "there" {
  check = ["test", "-e", "main.dr.hcl"]
  apply = ["false"]
}

resource "command" "metrics" {
  stage       = "infra"
  criticality = "best_effort"
  check       = ["test", "-e", "metrics"]
  apply       = ["sh", "-c", "echo 'no <b>quota</b> & *none*' >&2; exit 4"]
}

resource "command" "db" {
  for_each = { orders = "o", users = "u" }
  stage    = "databases"
  check    = ["test", "-e", each.value]
  apply    = ["sh", "-c", "echo x >> log.db; touch $NAME"]
  env      = { NAME = each.value }
}

resource "command" "shop" {
  stage = "apps"
  check = ["test", "-e", "shop"]
  apply = ["touch", "shop"]
}

resource "approval" "open" {
  guards = [command.shop]
  from   = "the owner"
  text   = "Shall it open?"
}

resource "command" "broken" {
  stage = "databases"
  check = ["test", "-e", "fixed"]
  apply = ["sh", "-c", "echo the disk is full >&2; exit 9"]
}

check "name" {
  severity   = "warning"
  depends_on = [command.site]
  assert {
    condition     = trimspace(command.site.outputs.name) == "c"
    error_message = "the site is not c"
  }
}
"#;

/// A command that says when it has begun and ends when it is let.
const SLOW: &str = r#"
resource "command" "slow" {
  check = ["test", "-e", "slow"]
  apply = ["sh", "-c", "touch begun; while [ ! -e let ] && [ -e begun ]; do sleep 0.05; done; touch slow"]
}

resource "command" "behind" {
  check      = ["test", "-e", "behind"]
  apply      = ["touch", "behind"]
  depends_on = [command.slow]
}
"#;

const FORMATS: [&str; 5] = ["text", "json", "markdown", "junit", "html"];

fn report(world: &World) -> Value {
    world.run("report --json").ends_with(0).json()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// The names under which figures are shown, and the fields that they come from.
const FIGURES: [(&str, &str); 20] = [
    ("steps", "steps"),
    ("done", "done"),
    ("already true", "already_true"),
    ("nothing to do", "nothing_to_do"),
    ("not needed", "idle"),
    ("warnings", "warned"),
    ("failed", "failed"),
    ("checks failed", "refuted"),
    ("moved", "moved"),
    ("blocked", "blocked"),
    ("waiting", "waiting"),
    ("stopped", "stopped"),
    ("unfinished", "running"),
    ("not started", "not_started"),
    ("simulated", "simulated"),
    ("requests", "effects"),
    ("found done", "found"),
    ("retries", "retries"),
    ("facts read", "evidence"),
    ("outside the plan", "outside_the_plan"),
];

#[test]
fn all_forms_of_a_report_agree_on_the_figures_and_name_every_step() {
    let world = World::of(NIGHT);
    world.run("apply --auto-approve").ends_with(6);
    let json = report(&world);
    let counts = &json["counts"];
    for (field, number) in [
        ("failed", 2),
        ("nothing_to_do", 1),
        ("warned", 1),
        ("done", 3),
    ] {
        assert_eq!(counts[field], number, "{field}: {counts}");
    }
    let forms: Vec<String> = FORMATS
        .iter()
        .map(|format| {
            world
                .run(&format!("report --format {format}"))
                .ends_with(0)
                .stdout
        })
        .collect();
    let [text, _, markdown, junit, html] = &forms[..] else {
        panic!("five forms")
    };
    // Where a line ends is a matter of the width.
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (name, field) in FIGURES {
        let n = &counts[field];
        assert!(flat.contains(&format!("{n} {name}")), "{name}: {text}");
        assert!(
            markdown.contains(&format!("| {name} | {n} |")),
            "{name}: {markdown}"
        );
        let property = format!("<property name=\"{name}\" value=\"{n}\"/>");
        assert!(junit.contains(&property), "{name}: {junit}");
        assert!(
            html.contains(&format!("<dt>{name}</dt><dd>{n}</dd>")),
            "{name}"
        );
    }
    let headline = json["headline"].as_str().expect("a headline");
    for form in [&flat, markdown] {
        assert!(form.contains(headline), "{form}");
    }
    assert!(html.contains(&escaped(headline)) && junit.contains(&escaped(headline)));
    for step in json["steps"].as_array().expect("steps") {
        let address = step["address"].as_str().expect("an address");
        assert!(junit.contains(&escaped(address)) && html.contains(&escaped(address)));
        if step["end"] != "nothing_to_do" && step["end"] != "idle" {
            assert!(
                text.contains(address) && markdown.contains(address),
                "{address}"
            );
        }
    }
    let not_done = json["not_done"].as_array().expect("a list").len();
    assert_eq!(
        not_done as u64,
        counts["not_done"].as_u64().expect("a number")
    );
    let bad = ["failed", "refuted", "moved"];
    let bad: u64 = bad.iter().filter_map(|b| counts[b].as_u64()).sum();
    let failures = junit.matches("<failure").count() as u64;
    assert_eq!(
        failures,
        bad + 1,
        "each failed step and the verdict: {junit}"
    );
}

#[test]
fn nothing_of_a_report_is_markup_and_nothing_is_loaded_from_elsewhere() {
    let world = World::of(NIGHT);
    world.run("apply --auto-approve").ends_with(6);
    let html = world.run("report --format html").ends_with(0).stdout;
    assert!(
        html.contains("no &lt;b&gt;quota&lt;/b&gt; &amp; *none*"),
        "{html}"
    );
    for active in [
        "<script",
        "http:",
        "https:",
        "@import",
        "url(",
        "<b>",
        "javascript:",
        " on",
    ] {
        // What is there of them is text between the tags.
        let tags = html.split('<').skip(1).filter_map(|t| t.split('>').next());
        let found = tags.filter(|tag| tag.contains(active)).count();
        assert!(active == "<b>" || found == 0, "{active}");
    }
    assert!(!html.contains("<b>"));
    let markdown = world.run("report --format markdown").ends_with(0).stdout;
    assert!(
        markdown.contains("no &lt;b&gt;quota&lt;/b&gt; &amp; \\*none\\*"),
        "{markdown}"
    );
}

#[test]
fn a_report_goes_to_a_file_and_keeps_within_the_width_of_the_terminal() {
    let world = World::of(NIGHT).with("COLUMNS", "72");
    world.run("apply --auto-approve").ends_with(6);
    let ran = world
        .run("report --format html --out report.html")
        .ends_with(0);
    assert_eq!(ran.stdout, "");
    assert!(world.read("report.html").starts_with("<!DOCTYPE html>"));
    let text = world.run("report").ends_with(0).stdout;
    for line in text.lines().filter(|line| !line.contains("drplan")) {
        let long = line.split_whitespace().any(|word| word.len() > 40);
        assert!(line.chars().count() <= 72 || long, "{line}");
    }
}

#[test]
fn who_was_asked_and_answered_stands_in_the_report() {
    let world = World::of(NIGHT);
    world.write("fixed", "");
    world.write("metrics", "");
    world.run("apply --auto-approve").ends_with(8);
    let asked = &report(&world)["approvals"][0];
    assert_eq!(asked["address"], "approval.open");
    assert_eq!(asked["how"], Value::Null);
    world
        .run("apply --auto-approve --approve approval.open")
        .ends_with(0);
    let told = report(&world);
    assert_eq!(told["approvals"][0]["how"], "--approve");
    assert!(told["approvals"][0]["answered_at"].is_string());
    assert_eq!(told["verdict"], "recovered");
    assert_eq!(told["not_done"], serde_json::json!([]));
    assert_eq!(told["rto"]["met"], true);
    world.run("report").ends_with(0).says("through --approve");
}

#[test]
fn a_killed_run_is_reported_as_interrupted_and_not_as_anything_better() {
    let world = World::of(SLOW);
    let run = world.start("apply --auto-approve");
    world.wait_for("begun");
    run.killed();
    world
        .run("report")
        .ends_with(0)
        .says("INTERRUPTED")
        .says("begun, no end")
        .hides("Recovered");
    let told = report(&world);
    assert_eq!(told["verdict"], "interrupted");
    assert_eq!(
        (&told["counts"]["running"], &told["counts"]["not_started"]),
        (&1.into(), &1.into())
    );
    world
        .run("evidence verify")
        .ends_with(0)
        .says("the journal alone cannot tell which");
    world.write("let", "");
    world.wait_for("slow");
    world.run("apply --auto-approve").ends_with(0);
    let told = report(&world);
    assert_eq!(told["verdict"], "recovered");
}

/// The folder of the only run.
fn run_of(world: &World) -> (String, String) {
    let id = report(world)["run"].as_str().expect("an id").to_owned();
    let folder = format!(".drplan/runs/{id}");
    (id, folder)
}

#[test]
fn a_run_is_named_by_the_beginning_of_its_id_and_unknown_ones_by_those_there_are() {
    let world = World::of(SLOW);
    world.run("report").ends_with(64).says("holds no run");
    world.write("let", "");
    world.run("apply --auto-approve").ends_with(0);
    let (id, _) = run_of(&world);
    world
        .run(&format!("report {}", &id[..12]))
        .ends_with(0)
        .says(&id);
    world
        .run("report nonsense")
        .ends_with(64)
        .says("nonsense")
        .says(&id);
    let twin = format!(".drplan/runs/{}x", &id[..id.len() - 1]);
    std::fs::create_dir(world.path(&twin)).expect("a folder");
    for name in ["plan.json", "journal.jsonl"] {
        world.write(&format!("{twin}/{name}"), &world.of_latest_run(name));
    }
    world
        .run(&format!("report {}", &id[..12]))
        .ends_with(64)
        .says("more than one run begins with");
}

fn verify(world: &World, more: &str) -> Ran {
    world.run(&format!("evidence verify {more}"))
}

#[test]
fn evidence_holds_until_somebody_touches_it() {
    let world = World::of(SLOW);
    world.write("let", "");
    world.run("apply --auto-approve").ends_with(0);
    let (id, folder) = run_of(&world);
    let head = report(&world)["chain"]["head"]
        .as_str()
        .expect("a head")
        .to_owned();
    verify(&world, &id)
        .ends_with(0)
        .says("No signature was checked")
        .says(&head);
    verify(&world, &format!("--head {head}"))
        .ends_with(0)
        .says("nothing was changed");
    verify(&world, &format!("--head {}", "0".repeat(64)))
        .ends_with(1)
        .says("not in the journal");
    verify(&world, "--head 00")
        .ends_with(64)
        .says("is no head of a journal");
    // Only what was exported bears a signature: nothing else may look as if one had been checked.
    verify(&world, &format!("{id} --signed-by nofile"))
        .ends_with(64)
        .says("name it with `--file`");

    let (plan, journal) = (
        format!("{folder}/plan.json"),
        format!("{folder}/journal.jsonl"),
    );
    let (plan_text, text) = (world.read(&plan), world.read(&journal));
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let without = |n: usize| [&lines[..n], &lines[n + 1..]].concat().concat();
    for (changed, says) in [
        (
            text.replacen("command.slow", "command.slou", 1),
            "does not fit",
        ),
        (
            text.replacen("\"at\":\"20", "\"at\":\"19", 1),
            "does not fit",
        ),
        (without(1), "does not fit"),
        (format!("{text}{}", lines[1]), "does not fit"),
        (String::new(), "holds no record"),
        ("{}\n".to_owned(), "missing field"),
    ] {
        world.write(&journal, &changed);
        verify(&world, "")
            .ends_with(1)
            .says(says)
            .says("does NOT hold");
        world.run("report").ends_with(1);
    }
    // A missing end shows only to somebody who kept the head.
    world.write(&journal, &lines[..lines.len() - 1].concat());
    verify(&world, "").ends_with(0).says("lines were cut off");
    verify(&world, &format!("--head {head}"))
        .ends_with(1)
        .says("cut off");
    let torn = text.trim_end().trim_end_matches('}');
    world.write(&journal, torn);
    verify(&world, "")
        .ends_with(0)
        .says("begun and not finished");

    world.write(&journal, &text);
    let other = World::of(&SLOW.replace("touch begun;", "touch begun begun2;"));
    other.write("let", "");
    other.run("apply --auto-approve").ends_with(0);
    world.write(&plan, &other.of_latest_run("plan.json"));
    verify(&world, "").ends_with(1).says("another one");
    world.write(
        &plan,
        &plan_text.replacen("command.slow", "command.slou", 1),
    );
    verify(&world, "")
        .ends_with(1)
        .says("not an intact plan file");
    world.write(&plan, &plan_text);
    verify(&world, "--json").ends_with(0);
}

#[test]
fn evidence_in_one_file_is_checked_with_its_report() {
    let world = World::of(SLOW);
    world.write("let", "");
    world.run("apply --auto-approve").ends_with(0);
    world.run("evidence export --out run.json").ends_with(0);
    verify(&world, "--file run.json").ends_with(0).says("holds");
    let text = world.read("run.json");
    world.write("run.json", &text.replace("\"took_ms\": ", "\"took_ms\": 9"));
    verify(&world, "--file run.json")
        .ends_with(1)
        .says("the report in it");
    world.write("run.json", "{}");
    verify(&world, "--file run.json")
        .ends_with(1)
        .says("no exported evidence");
}

#[test]
fn the_report_says_in_which_folder_its_next_command_is_meant() {
    let world = World::of(NIGHT);
    world.run("apply --auto-approve").ends_with(6);
    let folder = world.path("").canonicalize().expect("a folder");
    let folder = folder.to_str().expect("text");
    let told = world.run("report --json").ends_with(0).json();
    assert_eq!(told["next_in"], folder, "{told}");
    let told = [
        ("text", format!("next, in `{folder}`: drplan apply")),
        ("markdown", format!("In `{folder}`:")),
        ("html", format!("<p>In <code>{folder}</code>:</p>")),
    ];
    for (format, says) in told {
        world.run(&format!("report --format {format}")).says(&says);
    }
    // What is signed away names it too.
    world.run("evidence export --out run.json").ends_with(0);
    world.run("evidence verify --file run.json").ends_with(0);
}

#[test]
fn a_guard_that_did_not_act_because_nothing_was_left_to_guard_is_told_as_not_needed() {
    let world = World::of(
        r#"
resource "command" "fence" {
  guards = [command.www]
  apply  = ["touch", "fenced"]
}
resource "command" "www" {
  check = ["test", "-e", "www"]
  apply = ["touch", "www"]
}
"#,
    );
    world.run("plan --out plan").ends_with(0);
    world.write("www", "");
    world
        .run("apply plan")
        .ends_with(0)
        .says("not needed command.fence");
    assert!(!world.holds("fenced"));
    world
        .run("report")
        .ends_with(0)
        .says("1 already true, 0 nothing to do, 1 not needed")
        .says("nothing: what it guards was true")
        .hides("it guards steps of this plan");
}

#[test]
fn a_secret_that_stands_in_an_ordinary_word_of_the_spec_accuses_no_run() {
    let world = World::of(
        r#"
variable "password" {
  sensitive = true
}
resource "command" "db" {
  check = ["test", "-e", "postgres.ready"]
  apply = ["touch", "postgres.ready"]
  env   = { PGPASSWORD = var.password }
}
"#,
    )
    .with("DRPLAN_VAR_password", "postgres");
    world.run("apply --auto-approve").ends_with(0);
    world
        .run("report")
        .ends_with(0)
        .says("Recovered: every step is done and proven.")
        .says("0 outside the plan");
}
