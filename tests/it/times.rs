//! Predicted times from earlier runs.

use serde_json::Value;

use crate::drplan::World;

const SPEC: &str = r#"
recovery "shop" { rto = "1h" }

resource "command" "site" {
  check = ["test", "-e", "site"]
  apply = ["touch", "site"]
}
"#;

fn forecast(world: &World) -> Value {
    let plan = world.run("plan --json").ends_with(0).json();
    plan["drplan"]["forecast"].clone()
}

#[test]
fn three_runs_that_did_a_step_foretell_it_and_fewer_do_not() {
    let world = World::of(SPEC);
    for run in 0..3 {
        let forecast = forecast(&world);
        assert_eq!(forecast["unknown"][0], "command.site", "after {run} runs");
        world
            .run("plan")
            .says("Time          unknown: its one step has no time (objective 1h)");
        world.run("apply --auto-approve").ends_with(0);
        world.remove("site");
    }
    let known = forecast(&world);
    assert_eq!(known["unknown"], serde_json::json!([]));
    assert_eq!(known["critical_path"][0], "command.site");
    assert!(known["p50_ms"].as_u64() <= known["p90_ms"].as_u64());
    world
        .run("plan --full")
        .says("by 3 runs")
        .says("within the objective 1h");
    // A snapshot brings the times along.
    world.run("snapshot --out s").ends_with(0);
    std::fs::remove_dir_all(world.path(".drplan")).expect("a removed folder");
    assert_eq!(forecast(&world)["unknown"][0], "command.site");
    world.run("plan --live s --full").says("by 3 runs");
}

#[test]
fn planning_makes_no_folder_beside_the_spec() {
    let world = World::of(SPEC);
    forecast(&world);
    assert!(!world.holds(".drplan"));
}
