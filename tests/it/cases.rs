//! Runs every folder of `tests/cases`: its `cmd` holds a line of arguments for each run of the binary,
//! its `stdout.txt`, `stderr.txt` and `exit` what must come of it. A file that is not there stands for an
//! empty one, for `exit` 0. `env` may set variables, `changed.txt` lists files that the runs may make.
//!
//! `UPDATE=1` writes what came instead of comparing; `CASE=NAME` runs the folders whose name holds NAME.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use snapbox::Assert;
use snapbox::Data;
use snapbox::assert::Action;

use crate::drplan::command;
use crate::drplan::files;
use crate::drplan::words;
use crate::redact::redact;

/// What belongs to the runner and is not copied into the world of a case.
const OWN: &[&str] = &[
    "cmd",
    "env",
    "exit",
    "stdout.txt",
    "stderr.txt",
    "changed.txt",
];

#[test]
fn every_case_prints_what_its_folder_says_and_changes_nothing_else() {
    let cases = cases();
    let failed: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let problems = differences(case);
            let name = case.file_name().unwrap_or_default().display();
            (!problems.is_empty()).then(|| format!("case `{name}`\n{}", problems.join("\n")))
        })
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {} cases differ; UPDATE=1 writes what came\n\n{}",
        failed.len(),
        cases.len(),
        failed.join("\n")
    );
}

/// All folders, or those that `CASE` chooses.
pub(crate) fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let only = std::env::var("CASE").unwrap_or_default();
    let mut cases: Vec<PathBuf> = std::fs::read_dir(&root)
        .expect("the folder of cases")
        .map(|entry| entry.expect("a case").path())
        .filter(|path| path.is_dir() && path.to_string_lossy().contains(&only))
        .collect();
    cases.sort();
    assert!(!cases.is_empty(), "no case is named like `{only}`");
    cases
}

/// The lines of arguments of a case.
pub(crate) fn lines(case: &Path) -> Vec<String> {
    let lines = std::fs::read_to_string(case.join("cmd")).expect("the file `cmd`");
    lines.lines().map(str::to_owned).collect()
}

/// A copy of a case's folder, and its variables.
pub(crate) fn prepared(case: &Path) -> (tempfile::TempDir, BTreeMap<String, String>) {
    let dir = tempfile::TempDir::with_prefix("drplan-case-").expect("a folder");
    copy(case, dir.path());
    let env = std::fs::read_to_string(case.join("env")).unwrap_or_default();
    let variables = env.lines().filter_map(|line| line.split_once('='));
    let env = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    (dir, env.collect())
}

/// What the runs of one case gave.
#[derive(Default)]
struct Came {
    stdout: String,
    stderr: String,
    exit: String,
    changed: String,
}

fn differences(case: &Path) -> Vec<String> {
    let came = run(case);
    [
        ("stdout.txt", came.stdout),
        ("stderr.txt", came.stderr),
        ("exit", came.exit),
        ("changed.txt", came.changed),
    ]
    .into_iter()
    .filter_map(|(name, text)| compare(&case.join(name), &text))
    .collect()
}

fn compare(path: &Path, came: &str) -> Option<String> {
    let update = std::env::var_os("UPDATE").is_some();
    if came.is_empty() && update {
        if path.exists() {
            std::fs::remove_file(path).expect("a removed file");
        }
        return None;
    }
    if came.is_empty() && !path.exists() {
        return None;
    }
    let action = if update {
        Action::Overwrite
    } else {
        Action::Verify
    };
    let wanted = Data::read_from(path, Some(snapbox::data::DataFormat::Text));
    Assert::new()
        .action(action)
        .normalize_paths(false)
        .try_eq(Some(&path.display()), came.to_owned().into(), wanted.raw())
        .err()
        .map(|error| error.to_string())
}

fn run(case: &Path) -> Came {
    let (dir, env) = prepared(case);
    let before = files(dir.path());
    let lines = lines(case);
    let at = dir.path().display().to_string();
    let mut came = Came::default();
    let mut exits = Vec::new();
    for line in &lines {
        let out = command(dir.path(), &env, &words(line))
            .output()
            .expect("the binary runs");
        let header = if lines.len() > 1 {
            format!("$ drplan {line}\n")
        } else {
            String::new()
        };
        for (text, bytes) in [
            (&mut came.stdout, &out.stdout),
            (&mut came.stderr, &out.stderr),
        ] {
            let said = String::from_utf8(bytes.clone()).expect("text");
            if !said.is_empty() {
                text.push_str(&header);
                text.push_str(&redact(&said, &at));
            }
        }
        exits.push(out.status.code().unwrap_or(-1));
    }
    if exits.iter().any(|&exit| exit != 0) {
        let codes: Vec<String> = exits.iter().map(i32::to_string).collect();
        came.exit = codes.join("\n") + "\n";
    }
    came.changed = changed(&before, &files(dir.path()), &at);
    came
}

/// The names of files that are new, gone or different.
fn changed(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
    dir: &str,
) -> String {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| redact(name, dir) + "\n")
        .collect()
}

fn copy(from: &Path, to: &Path) {
    for (name, _) in files(from) {
        if OWN.contains(&name.as_str()) {
            continue;
        }
        let target = to.join(&name);
        let folder = target.parent().expect("a folder");
        std::fs::create_dir_all(folder).expect("a folder");
        // Keeps the permission to execute.
        std::fs::copy(from.join(&name), &target).expect("a copied file");
    }
}
