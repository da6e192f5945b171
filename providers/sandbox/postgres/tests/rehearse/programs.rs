//! The simulated programs by themselves, against what the real ones said.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use crate::world::World;
use crate::world::tools;
use drplan_api::process::Output;
use drplan_api::process::Program;
use drplan_sandbox_postgres::Server;

const VERBOSE: &str = include_str!("../archives/verbose.txt");

fn archive(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/archives")
        .join(name)
}

fn pg_restore(args: &[&str], file: &Path) -> Program {
    let mut argv = vec!["pg_restore".to_owned()];
    argv.extend(args.iter().map(|&arg| arg.to_owned()));
    argv.push(file.display().to_string());
    let env = [
        ("PGHOST", "db.world"),
        ("PGPORT", "5432"),
        ("PGUSER", "postgres"),
        ("PGPASSWORD", "s3cret"),
    ];
    Program {
        argv,
        env: env
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
        cwd: PathBuf::from("/"),
        stdin: None,
        timeout: Duration::from_secs(60),
    }
}

async fn restore(server: &Server, args: &[&str], file: &Path) -> (Option<i32>, String) {
    let program = pg_restore(args, file);
    let Output { code, stderr, .. } = tools(server, (17, 6)).run(&program, &|_| {}).await;
    (code, String::from_utf8_lossy(&stderr).into_owned())
}

/// Which job does what first is the scheduler's; what is said is not. Two lines are left out: this
/// restore does not say that it passes over settings, and large objects are not named one by one.
fn sorted(text: &str) -> Vec<&str> {
    let settings = [
        "ENCODING ENCODING",
        "STDSTRINGS STD",
        "SEARCHPATH SEARCH",
        " DATABASE shop",
    ];
    let mut lines: Vec<&str> = text
        .lines()
        .filter(|line| !settings.iter().any(|setting| line.contains(setting)))
        .filter(|line| !line.contains("restoring large object with OID"))
        .collect();
    lines.sort_unstable();
    lines
}

#[tokio::test(start_paused = true)]
async fn it_says_what_the_real_program_said() {
    let world = World::new();
    world
        .server
        .create_database("back", "postgres")
        .unwrap_or_else(|e| panic!("{e}"));
    let args = [
        "--verbose",
        "--exit-on-error",
        "--no-owner",
        "--jobs=2",
        "-d",
        "back",
    ];
    let (code, said) = restore(&world.server, &args, &archive("shop.dump")).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(sorted(&said), sorted(VERBOSE));
    let again = restore(&world.server, &args, &archive("shop.dump")).await;
    assert_eq!(again.0, Some(1));
    let expected = "pg_restore: while PROCESSING TOC:\n\
                    pg_restore: from TOC entry 7; 2615 16468 SCHEMA sales postgres\n\
                    pg_restore: error: could not execute query: ERROR:  schema \"sales\" already \
                    exists\nCommand was: CREATE SCHEMA sales;\n";
    assert!(again.1.contains(expected), "{}", again.1);
}

#[tokio::test(start_paused = true)]
async fn it_refuses_what_the_real_program_refuses_in_its_words() {
    let world = World::with(|options| options.roles.retain(|role| role.name != "reader"));
    let server = &world.server;
    server
        .create_database("norole", "postgres")
        .unwrap_or_else(|e| panic!("{e}"));
    let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap_or_else(|e| panic!("{e}"));
        path
    };
    let shop = archive("shop.dump");
    let strict = ["--exit-on-error", "--no-owner"];
    let no = "pg_restore: error: ";
    for (args, file, expected) in [
        (
            vec!["-d", "norole"],
            shop.clone(),
            "could not execute query: ERROR:  role \"reader\" does not exist\n\
             Command was: GRANT USAGE ON SCHEMA sales TO reader;"
                .to_owned(),
        ),
        (
            vec!["-d", "missing"],
            shop.clone(),
            "connection to server at \"db.world\", port 5432 failed: FATAL:  database \"missing\" \
             does not exist"
                .to_owned(),
        ),
        (
            vec!["-d", "norole", "--no-privileges", "--role=nobody2"],
            shop.clone(),
            "could not execute query: ERROR:  role \"nobody2\" does not exist\n\
             Command was: SET ROLE nobody2;"
                .to_owned(),
        ),
        (
            vec!["-d", "norole"],
            write("cut.dump", &crate::world::SHOP[..6000]),
            "could not read from input file: end of file".to_owned(),
        ),
        (
            vec!["-d", "norole"],
            write("text.dump", b"--\n-- PostgreSQL database dump\n--\n"),
            "input file appears to be a text format dump. Please use psql.".to_owned(),
        ),
        (
            vec!["-d", "norole"],
            folder.path().join("none"),
            format!(
                "could not open input file \"{}\": No such file or directory",
                folder.path().join("none").display()
            ),
        ),
        (
            vec!["-d", "norole"],
            archive("inserts.dump"),
            "the rehearsal's pg_restore does not run the statements of a dump with --inserts"
                .to_owned(),
        ),
    ] {
        let args: Vec<&str> = strict.iter().copied().chain(args).collect();
        let (code, said) = restore(server, &args, &file).await;
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains(&format!("{no}{expected}")),
            "{expected}: {said}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_program_that_is_killed_leaves_half_and_its_sessions_end() {
    let world = World::with(|options| options.pace.bytes_per_s = 1000);
    let server = world.server.clone();
    server
        .create_database("back", "postgres")
        .unwrap_or_else(|e| panic!("{e}"));
    let program = pg_restore(&["--jobs=2", "-d", "back"], &archive("shop.dump"));
    let tools = tools(&server, (17, 6));
    let running = tokio::spawn(async move { tools.run(&program, &|_| {}).await });
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(server.sessions(), 2);
    running.abort();
    running
        .await
        .err()
        .unwrap_or_else(|| panic!("it was killed"));
    assert_eq!(server.sessions(), 0);
    let back = server
        .database("back")
        .unwrap_or_else(|| panic!("it is there"));
    let rows = |name: &str| {
        let key = ("sales".to_owned(), name.to_owned());
        back.relations.get(&key).map(|relation| relation.rows)
    };
    assert_eq!((rows("events_2025"), rows("orders")), (Some(120), Some(0)));
    assert!(back.indexes.is_empty(), "indexes come behind all data");
}
