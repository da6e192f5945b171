//! One bucket keeps the runs of several recoveries, which may be gone on with from any machine.

use crate::bucket::Bucket;
use crate::drplan::World;

/// A step that fails until somebody mends it.
const PICKY: &str = r#"
resource "command" "picky" {
  check = ["test", "-e", "picky"]
  apply = ["sh", "-c", "echo x >> log; test -e mended && touch picky"]
}
"#;

fn world(bucket: &Bucket, recovery: &str, file: &str) -> World {
    let world = World::empty().with(Bucket::KEY.0, Bucket::KEY.1);
    world.write(file, &format!("{}{PICKY}", bucket.recovery(recovery)));
    world
}

#[test]
fn a_run_goes_on_only_in_the_folder_of_its_own_recovery() {
    let bucket = Bucket::start();
    let ours = world(&bucket, "ours", "main.dr.hcl");
    ours.run("apply --auto-approve").ends_with(6);
    let theirs = world(&bucket, "theirs", "main.dr.hcl");
    theirs
        .run("apply --resume 2")
        .ends_with(9)
        .says("is one of recovery `ours`")
        .says("`theirs`")
        .says("`--chdir DIR`");
    let elsewhere = world(&bucket, "ours", "other.dr.hcl");
    elsewhere
        .run("apply --resume 2")
        .ends_with(9)
        .says("`main.dr.hcl`, which the plan was made from, is not in `.`");
    assert!(!theirs.holds("log") && !elsewhere.holds("log"));
    let copy = world(&bucket, "ours", "main.dr.hcl");
    copy.write("mended", "");
    copy.run("apply --resume 2").ends_with(0);
    assert!(copy.holds("picky"));
}
