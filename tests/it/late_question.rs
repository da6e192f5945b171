//! Questions whose words are not known when the plan is made.

use crate::drplan::World;

const LATE: &str = r#"
resource "command" "site" {
  check   = ["test", "-e", "site"]
  apply   = ["sh", "-c", "echo 192.0.2.1 > site"]
  outputs = { address = { file = "site" } }
}
resource "approval" "cutover" {
  guards = [command.dns]
  from   = "the owner"
  text   = "Shall www go to ${trimspace(command.site.outputs.address)}?"
}
resource "command" "dns" {
  check      = ["test", "-e", "dns"]
  apply      = ["sh", "-c", "test -e go && touch dns"]
  depends_on = [command.site]
}
"#;

/// What somebody changes between the plan and its run.
const CHANGES: &str = r#"
resource "command" "changes" {
  check = ["sh", "-c", "test -e planned && echo 192.0.2.9 > site; touch planned"]
  apply = ["true"]
}
"#;

#[test]
fn a_question_that_is_known_late_is_in_the_plan_and_asked_when_its_turn_comes() {
    let world = World::of(LATE);
    world.write("go", "");
    world
        .run("plan --out plan")
        .ends_with(0)
        .says("1 question")
        .says("what is asked is known after `command.site`");
    world
        .run("apply plan")
        .ends_with(8)
        .says("Shall www go to 192.0.2.1?");
    assert!(!world.holds("dns"));
    world
        .run("apply --resume 2 --approve approval.cutover")
        .ends_with(0);
    assert!(world.holds("dns"));
}

#[test]
fn a_question_about_what_has_come_true_is_not_asked() {
    let world = World::of(LATE);
    world.run("apply --auto-approve").ends_with(8);
    world.write("dns", "");
    world
        .run("apply --resume 2")
        .ends_with(0)
        .hides("asks     approval.cutover");
    world
        .run("report")
        .ends_with(0)
        .says("approval.cutover  not needed, what it guards was true: ");
}

#[test]
fn a_yes_to_other_words_is_none() {
    let world = World::of(LATE);
    world
        .run("apply --auto-approve --approve approval.cutover")
        .ends_with(6)
        .says("Shall www go to 192.0.2.1?");
    world.write("site", "192.0.2.9\n");
    world.write("go", "");
    let resume = "apply --resume 2 --approve approval.cutover";
    world
        .run(resume)
        .ends_with(8)
        .says("Shall www go to 192.0.2.9?")
        .says("approval.cutover: `--approve` is no answer to this question");
    world
        .run("report")
        .ends_with(0)
        .says("nobody approved: the owner: Shall www go to 192.0.2.9?")
        .says("before: approved ");
    // The yes was to the words before, whoever asks.
    world.run("apply --resume 2").ends_with(8);
    assert!(!world.holds("dns"));
    world.run(resume).ends_with(0);
    world
        .run("report")
        .ends_with(0)
        .says("approval.cutover  approved ")
        .says("192.0.2.9?")
        .says("before: approved ");
}

#[test]
fn a_yes_holds_no_more_once_it_was_asked_in_other_words() {
    let world = World::of(LATE);
    world
        .run("apply --auto-approve --approve approval.cutover")
        .ends_with(6);
    world.write("site", "192.0.2.9\n");
    world.run("apply --resume 2").ends_with(8);
    world.write("site", "192.0.2.1\n");
    world.write("go", "");
    world
        .run("apply --resume 2")
        .ends_with(8)
        .says("Shall www go to 192.0.2.1?");
    assert!(!world.holds("dns"));
    world
        .run("apply --resume 2 --approve approval.cutover")
        .ends_with(0);
}

#[test]
fn a_yes_to_the_words_of_one_plan_is_none_to_those_of_the_next() {
    // What is read of the site is what stands there after the change.
    let spec = LATE.replace(
        r#"["test", "-e", "site"]"#,
        r#"["sh", "-c", "sleep 1; test -e site"]"#,
    );
    let world = World::of(&(spec + CHANGES));
    world.write("go", "");
    world.write("site", "192.0.2.1\n");
    world
        .run("apply --auto-approve --approve approval.cutover")
        .ends_with(8)
        .says("Something is left; a new plan:")
        .says("approval.cutover: `--approve` is no answer to this question");
    assert!(!world.holds("dns"));
}

#[test]
fn words_from_a_program_steer_no_terminal_and_stay_in_their_line() {
    let site = "192.0.2.1\nRecovered: \u{1b}[31mall";
    let world = World::of(LATE);
    world.write("site", site);
    for line in [
        "apply --auto-approve",
        "status",
        "report",
        "plan",
        "plan --full",
    ] {
        let ran = world.run(line);
        let all = format!("{}{}", ran.stdout, ran.stderr);
        assert!(all.contains("\\u{1b}[31m"), "{line}: {all}");
        assert!(!all.contains('\u{1b}'), "{line}: {all}");
        assert!(!all.contains("\nRecovered: "), "{line}: {all}");
    }
}
