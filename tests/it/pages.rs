//! What a page tells a newcomer to type works as it stands there: its files are written, its commands run.

use std::path::Path;
use std::time::Instant;

use crate::drplan::GLANCE;
use crate::drplan::PATIENCE;
use crate::drplan::World;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The fenced blocks of a page under one of its headings: language and text of each.
fn blocks(page: &str, heading: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join(page)).expect("a page");
    let section = text.split(&format!("\n## {heading}\n")).nth(1);
    let section = section.unwrap_or_else(|| panic!("{page} has no `{heading}`"));
    let section = section.split("\n## ").next().unwrap_or_default();
    let fenced = section.split("```").skip(1).step_by(2);
    fenced
        .map(|block| {
            let (language, text) = block.split_once('\n').expect("a block");
            (language.to_owned(), text.to_owned())
        })
        .collect()
}

/// Writes each block that begins with the name of its file.
fn written(world: &World, blocks: &[(String, String)]) {
    for (_, text) in blocks.iter().filter(|(language, _)| language == "hcl") {
        let name = text.strip_prefix("# ").and_then(|rest| rest.lines().next());
        world.write(name.expect("the name of a file"), text);
    }
}

/// The commands of drplan that a reader types into a shell.
fn commands(blocks: &[(String, String)]) -> Vec<String> {
    let shell = blocks.iter().filter(|(language, _)| language == "sh");
    let lines = shell.flat_map(|(_, text)| text.lines());
    let drplan = lines.filter_map(|line| line.strip_prefix("drplan "));
    drplan.map(str::to_owned).collect()
}

#[test]
fn the_smallest_world_file_is_enough_for_a_rehearsal() {
    let blocks = blocks("docs/how-to/rehearse.md", "Your own spec");
    let world = World::empty();
    written(&world, &blocks);
    assert_eq!(commands(&blocks), ["rehearse"]);
    world
        .run("rehearse")
        .ends_with(0)
        .says("Rehearsed: `small` comes back in 5m");
}

#[test]
fn every_argument_of_the_world_file_on_the_page_is_one() {
    let blocks = blocks("docs/how-to/rehearse.md", "The world file");
    let (_, text) = &blocks[0];
    let world = World::of("recovery \"x\" {}");
    std::fs::create_dir_all(world.path("data/shop-backups")).expect("a folder");
    world.write("rehearsal.hcl", text);
    // What it names is not in this spec; that it fits its shape is what counts.
    let ran = world.run("rehearse");
    for code in ["DR0002", "DR0003", "DR0005", "DR0006", "DR0007"] {
        assert!(!ran.stderr.contains(code), "{}", ran.stderr);
    }
}

#[test]
fn the_shop_is_planned_without_a_cloud_as_the_page_says() {
    let blocks = blocks("docs/how-to/try.md", "Plan the shop");
    let world = World::empty();
    std::os::unix::fs::symlink(root().join("examples"), world.path("examples")).expect("a link");
    let commands = commands(&blocks);
    assert!(commands.len() > 4, "{commands:?}");
    for line in &commands {
        let ran = world.run(line).ends_with(0);
        if line.starts_with("points") {
            ran.says("apps-daily-20261120164552");
        } else if line.starts_with("plan") {
            ran.says("shop");
        }
    }
}

#[test]
fn a_cluster_of_the_world_is_planned_and_applied_to_as_the_page_says() {
    let blocks = blocks("docs/how-to/try.md", "Plan and apply against a cluster");
    let elsewhere = World::empty();
    let world = World::empty();
    written(&world, &blocks);
    let listens = blocks
        .iter()
        .filter(|(language, _)| language == "text")
        .find_map(|(_, text)| text.trim().strip_prefix("drplan "));
    let folder = elsewhere.path("").display().to_string();
    let world = world.with("TMPDIR", &folder);
    let open = world.start(listens.expect("a command"));
    let since = Instant::now();
    let kubeconfig = loop {
        let files = elsewhere.files();
        let found = files
            .iter()
            .find(|(name, text)| name.ends_with("try.kubeconfig") && !text.is_empty());
        if let Some((name, _)) = found {
            break elsewhere.path(name);
        }
        assert!(since.elapsed() < PATIENCE, "the world never opened");
        std::thread::sleep(GLANCE);
    };
    let path = kubeconfig.display().to_string();
    let world = world.with("DRPLAN_VAR_kubeconfig", &path);
    let commands = commands(&blocks);
    let (last, before) = commands.split_last().expect("commands");
    for line in before {
        world.run(line).ends_with(0);
    }
    let left = world.run(last);
    open.signal("INT");
    open.ended();
    left.ends_with(0).says("Nothing is left to do");
}
