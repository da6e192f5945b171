use drplan_api::ConnId;
use drplan_api::Standing;
use drplan_api::Timestamp;
use serde_json::json;

use super::*;
use crate::world::Beginning;
use crate::world::Faults;
use crate::world::Recall;
use crate::world::World;

/// A world that begins in a folder as it was recorded, with the clusters that are told.
fn world(folder: &Path, recall: Recall) -> World {
    let file = json!({
        "cluster": { "b": { "server": "https://b.example:6443" } },
        "program": { "bin/site": [{
            "args": ["up"], "starts": ["cluster.b"],
            "files": { "out/kubeconfig": { "kubeconfig": "b" } },
        }] },
    });
    let from = Beginning {
        data_dir: folder,
        base_dir: folder,
        seed: 1,
        faults: Faults::none(),
        recall: Some(recall),
    };
    World::new(&serde_json::from_value(file).expect("a world file"), from).expect("a world")
}

fn recall(connection: &str, standing: Vec<Standing>) -> Recall {
    Recall {
        at: "2026-01-05T03:10:00Z".parse::<Timestamp>().expect("a time"),
        connections: BTreeMap::from([(ConnId::new(connection), standing)]),
        commands: Vec::new(),
        reads: BTreeSet::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn what_started_a_server_that_runs_left_its_files_where_the_spec_runs_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let line = |words: &[&str], folder: &str| CommandLine {
        words: words.iter().map(|w| Some((*w).to_owned())).collect(),
        folder: Some(folder.to_owned()),
    };
    let mut recall = recall("kubernetes.b", Vec::new());
    recall.commands = vec![
        line(&["./bin/site", "up", "--fast"], "ops"),
        line(&["bin/site", "is-up"], "elsewhere"),
    ];
    let _world = world(folder.path(), recall);
    let there = |path: &str| folder.path().join(path).exists();
    assert!(there("ops/out/kubeconfig"));
    assert!(!there("out") && !there("elsewhere"));
}

#[tokio::test(start_paused = true)]
async fn a_recording_writes_nothing_that_the_spec_reads() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |path: &str| folder.path().join(path);
    let text = |path: &str| std::fs::read_to_string(at(path)).unwrap_or_default();
    for path in ["app.yaml", "chart/values.yaml", "main.dr.hcl"] {
        write(&at(path), b"mine").expect("written");
    }
    let file = |path: &str, content: Option<&str>| Standing::File {
        path: path.to_owned(),
        present: content.is_some(),
        content: content.map(str::to_owned),
    };
    let standing = vec![
        file("app.yaml", Some("theirs")),
        file("chart/values.yaml", None),
        file("main.dr.hcl", Some("theirs")),
        file("address", Some("192.0.2.1")),
    ];
    let mut recall = recall("local.default", standing);
    recall.reads = ["x/../app.yaml", "./chart"].map(PathBuf::from).into();
    let world = world(folder.path(), recall);
    for path in ["app.yaml", "chart/values.yaml", "main.dr.hcl"] {
        assert_eq!(text(path), "mine", "{path}");
    }
    assert_eq!(text("address"), "192.0.2.1");
    let loaded = world.loaded().expect("a recording");
    let lacks = &loaded.connections[0].lacks;
    assert!(
        lacks[0].contains("`app.yaml`, `chart/values.yaml`, `main.dr.hcl`"),
        "{lacks:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_check_ends_as_it_was_recorded_with_what_it_complained_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let argv = vec!["bin/ask".to_owned()];
    let ended = Standing::Ended {
        argv: argv.clone(),
        env: BTreeMap::new(),
        cwd: String::new(),
        code: 2,
        stdout: String::new(),
        stderr: "no route\n".to_owned(),
    };
    let world = world(folder.path(), recall("local.default", vec![ended]));
    let program = Program {
        argv,
        env: BTreeMap::new(),
        cwd: folder.path().to_owned(),
        stdin: None,
        timeout: Duration::from_mins(1),
    };
    let output = world.doors().process.run(program).await.expect("an end");
    assert_eq!(
        (output.code, output.stderr.as_slice()),
        (Some(2), &b"no route\n"[..])
    );
}
