//! Commands through the seam, with real programs.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at what programs left on the disk"
)]

use drplan_api::ErrorKind;
use drplan_api::Landed;
use drplan_api::Planned;
use drplan_api::Progress;
use drplan_api::ReadCx;
use drplan_api::Registry;
use drplan_testkit::SINGLE_SECRET;
use drplan_testkit::Single;
use serde_json::Value;
use serde_json::json;

fn sh(script: &str) -> Value {
    json!(["sh", "-c", script])
}

async fn command(args: Value) -> Single {
    Single::open(
        drplan_command::register(Registry::new()),
        "command",
        json!({}),
        args,
    )
    .await
}

#[tokio::test]
async fn a_command_runs_until_its_check_holds_and_then_no_more() {
    let driver = command(json!({
        "check": sh("test -e out/done"),
        "apply": sh("mkdir -p out; printf '{\"port\": 8080}\\n' > out/facts; printf key > out/key; echo \"$TOKEN\" > out/token; touch out/done"),
        "env": {"TOKEN": {"$hole": {"expr": 0, "secret": true, "after": []}}},
        "outputs": {
            "facts": {"file": "out/facts", "json": true},
            "key": {"file": "out/key", "sensitive": true},
        },
    }))
    .await;
    let before = driver.look().await;
    assert_eq!(before.outputs, json!({}), "nothing is known before it ran");
    let step = driver.step().await;
    assert!(!step.op.to_string().contains(SINGLE_SECRET));
    assert!(step.effects[0].object.starts_with("sh -c "));

    driver.begin(&step.op).await.unwrap();
    assert_eq!(driver.finish(&step.op).await, Progress::Done);
    let proof = driver
        .kind()
        .prove(&driver.read_cx(), &step.op)
        .await
        .unwrap();
    assert!(proof.holds(), "{proof:?}");
    let token = std::fs::read_to_string(driver.dir().join("out/token")).unwrap();
    assert_eq!(token.trim(), SINGLE_SECRET);

    let after = driver.look().await;
    assert!(matches!(after.planned, Planned::Nothing(_)));
    assert_eq!(
        after.outputs,
        json!({"outputs": {
            "facts": {"port": 8080},
            "key": {"$secret": {"file": "out/key"}},
        }})
    );
}

#[tokio::test]
async fn a_check_that_cannot_tell_blocks() {
    let driver =
        command(json!({"check": sh("echo no route >&2; exit 3"), "apply": ["true"]})).await;
    let looked = driver.look().await;
    let error = looked.present.unwrap_err();
    assert!(error.to_string().contains("exit code 3"), "{error}");
    assert!(error.to_string().contains("no route"), "{error}");
    assert!(matches!(looked.planned, Planned::Blocked(_)));

    let missing = command(json!({"check": ["./nowhere.sh"], "apply": ["true"]})).await;
    let error = missing.look().await.present.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn an_output_that_is_missing_behind_a_true_check_is_named() {
    let driver = command(json!({
        "check": ["true"], "apply": ["true"],
        "outputs": {"kubeconfig": {"file": "out/kubeconfig", "sensitive": true}},
    }))
    .await;
    let error = driver.look().await.present.unwrap_err();
    assert!(
        error.to_string().contains("`out/kubeconfig` is missing"),
        "{error}"
    );
}

#[tokio::test]
async fn what_a_check_prints_can_be_an_output() {
    let driver = command(json!({
        "check": ["echo", "10.0.0.7"], "apply": ["true"],
        "outputs": {"address": {"stdout": true}},
    }))
    .await;
    let looked = driver.look().await;
    assert_eq!(looked.outputs, json!({"outputs": {"address": "10.0.0.7"}}));
}

#[tokio::test]
async fn a_failure_quotes_the_program_unless_it_knows_secrets() {
    for (env, quoted) in [
        (json!({}), true),
        (
            json!({"T": {"$hole": {"expr": 0, "secret": true, "after": []}}}),
            false,
        ),
    ] {
        let driver = command(json!({
            "check": ["false"], "apply": sh("echo no  space \"$T\" >&2; exit 4"), "env": env,
        }))
        .await;
        let step = driver.step().await;
        driver.begin(&step.op).await.unwrap();
        let Progress::Failed { because, retry } = driver.finish(&step.op).await else {
            panic!("it must fail");
        };
        assert!(!retry);
        assert!(because.0.contains("exit code 4"), "{because}");
        assert_eq!(because.0.contains("no space"), quoted, "{because}");
        assert!(!because.0.contains(SINGLE_SECRET));
    }
}

#[tokio::test]
async fn a_command_that_still_runs_is_adopted_and_not_started_again() {
    let driver = command(json!({
        "check": sh("test -e done"),
        "apply": sh("echo x >> starts; while [ ! -e go ]; do sleep 0.02; done; touch done"),
    }))
    .await;
    let step = driver.step().await;
    driver.begin(&step.op).await.unwrap();
    let cx = driver.read_cx();
    let running = driver.kind().probe(&cx, &step.op, 0).await.unwrap();
    assert_eq!(running, Landed::Running);
    driver.begin(&step.op).await.unwrap();
    std::fs::write(driver.dir().join("go"), "").unwrap();
    assert_eq!(driver.finish(&step.op).await, Progress::Done);
    let starts = std::fs::read_to_string(driver.dir().join("starts")).unwrap();
    assert_eq!(starts, "x\n");
    assert_eq!(
        driver.kind().probe(&cx, &step.op, 0).await.unwrap(),
        Landed::Yes
    );
}

#[tokio::test]
async fn without_traces_it_never_started_here_unless_its_check_is_true() {
    let ran = json!({"check": sh("test -e done"), "apply": sh("touch done")});
    let driver = command(ran).await;
    let step = driver.step().await;
    let cx = driver.read_cx();
    assert_eq!(
        driver.kind().probe(&cx, &step.op, 0).await.unwrap(),
        Landed::No
    );
    driver.begin(&step.op).await.unwrap();
    driver.finish(&step.op).await;
    driver.forget_traces();
    assert_eq!(
        driver.kind().probe(&cx, &step.op, 0).await.unwrap(),
        Landed::Yes
    );

    for args in [
        json!({"apply": ["./fence.sh"]}),
        json!({"apply": ["./fence.sh"], "check": ["false"], "on_interrupted": "manual"}),
    ] {
        let driver = command(args).await;
        let step = driver.step().await;
        let cx = driver.read_cx();
        let landed = driver.kind().probe(&cx, &step.op, 0).await.unwrap();
        assert_eq!(landed, Landed::No, "without a note it never started here");
    }
}

#[tokio::test]
async fn that_a_guard_of_another_run_ended_well_is_no_answer_of_this_one() {
    let driver = command(json!({"apply": ["true"]})).await;
    let step = driver.step().await;
    driver.begin(&step.op).await.unwrap();
    driver.finish(&step.op).await;
    let cx = driver.read_cx();
    let found = driver.kind().probe(&cx, &step.op, 0).await.unwrap();
    assert_eq!(found, Landed::Yes, "of its own run it is");
    let another = ReadCx { begun: false, ..cx };
    let found = driver.kind().probe(&another, &step.op, 0).await.unwrap();
    assert_eq!(found, Landed::No);
    // Nor does a crash right behind the note that it begins make it one.
    let found = driver.kind().probe(&driver.read_cx(), &step.op, 0).await;
    assert_eq!(found.unwrap(), Landed::No);
}

#[tokio::test]
async fn a_guard_that_failed_by_itself_is_tried_again_whoever_goes_on() {
    for begun in [false, true] {
        let driver = command(json!({"apply": sh("exit 7")})).await;
        let step = driver.step().await;
        driver.begin(&step.op).await.unwrap();
        driver.finish(&step.op).await;
        let cx = ReadCx {
            begun,
            ..driver.read_cx()
        };
        let found = driver.kind().probe(&cx, &step.op, 0).await.unwrap();
        assert_eq!(found, Landed::No, "begun by its own run: {begun}");
    }
}

#[tokio::test]
async fn what_was_cut_off_in_another_run_is_left_to_a_person() {
    let with_check = json!({"check": ["false"], "on_interrupted": "manual", "apply": sh("exit 7")});
    for args in [json!({"apply": sh("kill -9 $$")}), with_check] {
        let driver = command(args).await;
        let step = driver.step().await;
        driver.begin(&step.op).await.unwrap();
        driver.finish(&step.op).await;
        let another = ReadCx {
            begun: false,
            ..driver.read_cx()
        };
        let found = driver.kind().probe(&another, &step.op, 0).await.unwrap();
        let Landed::Partly { because, .. } = found else {
            panic!("{found:?}");
        };
        assert!(
            because.0.contains("to let it run again: rm -r "),
            "{because}"
        );
    }
}

#[tokio::test]
async fn a_guard_of_another_run_that_still_runs_is_waited_for() {
    let driver = command(json!({"apply": sh("while [ ! -e go ]; do sleep 0.02; done")})).await;
    let step = driver.step().await;
    driver.begin(&step.op).await.unwrap();
    let another = ReadCx {
        begun: false,
        ..driver.read_cx()
    };
    let found = driver.kind().probe(&another, &step.op, 0).await.unwrap();
    assert_eq!(found, Landed::Running);
    std::fs::write(driver.dir().join("go"), "").unwrap();
    assert_eq!(driver.finish(&step.op).await, Progress::Done);
}

#[tokio::test]
async fn a_guard_is_proven_by_its_exit_code() {
    let driver = command(json!({"apply": ["true"]})).await;
    let step = driver.step().await;
    driver.begin(&step.op).await.unwrap();
    assert_eq!(driver.finish(&step.op).await, Progress::Done);
    let proof = driver
        .kind()
        .prove(&driver.read_cx(), &step.op)
        .await
        .unwrap();
    assert!(proof.holds());
}
