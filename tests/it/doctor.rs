//! What would stand in the way of a recovery.

use crate::apply::SHOP;
use crate::drplan::World;

#[test]
fn a_machine_that_can_recover_is_told_so_and_a_missing_program_is_named_with_its_step() {
    let world = World::of(SHOP);
    world
        .run("doctor")
        .ends_with(0)
        .says("Nothing stands in the way");
    let spec = world.read("main.dr.hcl");
    world.write(
        "main.dr.hcl",
        &format!(
            "{spec}\nresource \"command\" \"odd\" {{\n  check = [\"false\"]\n  apply = [\"no-such-tool\"]\n  stage = \"apps\"\n}}\n"
        ),
    );
    let told = world.run("doctor --json").ends_with(1).json();
    let items = told["items"].as_array().expect("items");
    let odd = items.iter().find(|item| item["name"] == "no-such-tool");
    let odd = odd.expect("the program is named");
    assert_eq!(odd["state"], "bad");
    let found = odd["found"].as_str().expect("a sentence");
    assert!(found.contains("command.odd"), "{found}");
}
