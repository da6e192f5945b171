//! Commands that are edited while they run.

use crate::drplan::GLANCE;
use crate::drplan::PATIENCE;
use crate::drplan::World;

#[test]
fn an_edited_command_begins_when_what_it_was_before_has_ended() {
    for (check, after) in [
        (r#"check = ["test", "-e", "done"]"#, "begin 4\nend 4\n"),
        (
            "guards = [command.behind]",
            "begin 4\nend 4\nbegin 8\nend 8\n",
        ),
    ] {
        let world = World::of(&format!(
            r#"
variable "jobs" {{
  type    = string
  default = "4"
}}
resource "command" "long" {{
  {check}
  apply = ["sh", "-c", "echo begin ${{var.jobs}} >> log; touch begun; while ! test -e let; do sleep 0.05; done; touch done; echo end ${{var.jobs}} >> log"]
}}
resource "command" "behind" {{
  check      = ["test", "-e", "behind"]
  apply      = ["touch", "behind"]
  depends_on = [command.long]
}}
"#
        ));
        let run = world.start("apply --auto-approve");
        world.wait_for("begun");
        run.killed();
        let run = world.start("apply --auto-approve --var jobs=8");
        std::thread::sleep(std::time::Duration::from_secs(2));
        assert_eq!(world.read("log"), "begin 4\n", "{check}");
        world.write("let", "");
        run.ended()
            .ends_with(0)
            .says("the command as it was before an edit has ended");
        assert_eq!(world.read("log"), after, "{check}");
    }
}

#[test]
fn the_command_that_ends_what_was_edited_ends_all_of_it() {
    let world = World::of(
        r#"
variable "tries" {
  type    = string
  default = "60"
}
resource "command" "long" {
  check   = ["test", "-e", "done"]
  apply   = ["sh", "-c", "echo $$ >> pids; sleep ${var.tries}; touch done"]
  timeout = "2s"
}
"#,
    );
    world.run("apply --auto-approve").ends_with(6);
    let ran = world
        .run("apply --auto-approve --var tries=0")
        .ends_with(6)
        .says("it still goes on; last seen: the command as it was before an edit still runs");
    let kill = ran.stdout.split('`').find(|part| part.starts_with("kill "));
    let kill = kill.expect("a command").to_owned();
    let killed = std::process::Command::new("sh")
        .args(["-c", &kill])
        .status();
    assert!(killed.expect("a shell").success(), "{kill}");
    let pids = world.read("pids");
    let first = pids.trim();
    let since = std::time::Instant::now();
    while std::path::Path::new(&format!("/proc/{first}")).exists() {
        assert!(since.elapsed() < PATIENCE, "{first} runs still");
        std::thread::sleep(GLANCE);
    }
    world.run("apply --auto-approve --var tries=0").ends_with(0);
}

#[test]
fn a_guard_edited_back_acts_though_it_had_ended_before_the_edit() {
    let world = World::of(
        r#"
variable "name" {
  type    = string
  default = "a"
}
resource "command" "fence" {
  guards = [command.behind]
  apply  = ["sh", "-c", "echo ${var.name} >> log; touch begun.${var.name}; while ! test -e let.${var.name}; do sleep 0.05; done"]
}
resource "command" "behind" {
  check = ["test", "-e", "behind"]
  apply = ["touch", "behind"]
}
"#,
    );
    for name in ["a", "b"] {
        let run = world.start(&format!("apply --auto-approve --var name={name}"));
        world.wait_for(&format!("begun.{name}"));
        run.killed();
        if name == "a" {
            world.write("let.a", "");
            std::thread::sleep(std::time::Duration::from_millis(500));
        }
    }
    let run = world.start("apply --auto-approve --var name=a");
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(world.read("log"), "a\nb\n");
    world.write("let.b", "");
    run.ended().ends_with(0);
    assert_eq!(world.read("log"), "a\nb\na\n");
}
