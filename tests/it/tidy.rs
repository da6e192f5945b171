//! What must hold of the repository itself.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use drplan::report::Exit;
use serde_json::Value;

use crate::drplan::World;

/// Crates that bring a C library, a second HTTP client or a YAML parser without an owner.
const BANNED: &[&str] = &[
    "aws-lc-sys",
    "native-tls",
    "openssl-sys",
    "reqwest",
    "serde_yaml",
];

/// How large a tracked text may be that is looked into.
const TEXT_BYTES_MAX: u64 = 4 * 1024 * 1024;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn output(program: &str, args: &[&str]) -> Option<String> {
    let out = Command::new(program)
        .args(args)
        .current_dir(root())
        .output()
        .ok()?;
    out.status
        .success()
        .then(|| String::from_utf8_lossy(&out.stdout).into_owned())
}

/// The texts that belong to the repository; empty outside of a clone.
fn tracked() -> BTreeMap<PathBuf, String> {
    output("git", &["ls-files", "-z"])
        .unwrap_or_default()
        .split('\0')
        .filter(|name| !name.is_empty())
        .filter_map(|name| {
            let path = root().join(name);
            let small = std::fs::metadata(&path).is_ok_and(|m| m.len() <= TEXT_BYTES_MAX);
            let text = small.then(|| std::fs::read_to_string(&path).ok())??;
            Some((PathBuf::from(name), text))
        })
        .collect()
}

fn metadata() -> Value {
    let cargo = env!("CARGO");
    let text = output(
        cargo,
        &["metadata", "--format-version", "1", "--locked", "--offline"],
    )
    .expect("cargo describes the workspace");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let meta = metadata();
    let members: Vec<&str> = meta["workspace_members"]
        .as_array()
        .expect("members")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let packages = meta["packages"].as_array().expect("packages");
    for package in packages
        .iter()
        .filter(|p| p["id"].as_str().is_some_and(|id| members.contains(&id)))
    {
        let manifest = package["manifest_path"].as_str().expect("a path");
        let text = std::fs::read_to_string(manifest).expect("a manifest");
        let lints = text.split("[lints]").nth(1).unwrap_or_default();
        assert!(
            lints.trim_start().starts_with("workspace = true"),
            "{} has no `[lints]` with `workspace = true`",
            package["name"]
        );
        assert_eq!(package["edition"], "2024", "{}", package["name"]);
        assert_eq!(package["license"], "Apache-2.0", "{}", package["name"]);
        assert_eq!(
            package["publish"],
            serde_json::json!([]),
            "{}",
            package["name"]
        );
    }
}

#[test]
fn no_banned_crate_came_in_through_a_back_door() {
    let meta = metadata();
    let found: Vec<&str> = meta["resolve"]["nodes"]
        .as_array()
        .expect("the resolved graph")
        .iter()
        .filter_map(|node| node["id"].as_str())
        .filter(|id| {
            BANNED
                .iter()
                .any(|name| id.contains(&format!("#{name}@")) || id.contains(&format!("/{name}#")))
        })
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn the_core_names_no_system() {
    for (path, text) in tracked() {
        let core = path.starts_with("src") && path.extension().is_some_and(|e| e == "rs");
        if !core || path.ends_with("registry.rs") {
            continue;
        }
        for name in [
            "drplan_kubernetes",
            "drplan_velero",
            "drplan_s3",
            "drplan_postgres",
        ] {
            assert!(!text.contains(name), "{} names {name}", path.display());
        }
    }
}

#[test]
fn no_tracked_text_names_a_place_of_one_machine() {
    // Put together here, so that this file does not hold what it looks for.
    let places = [
        ["/ro", "ot/"].concat(),
        ["/wo", "rk/"].concat(),
        ["/ho", "me/"].concat(),
        ["/Us", "ers/"].concat(),
        ["/tm", "p/"].concat(),
    ];
    let allowed = |path: &Path| path.ends_with("Cargo.lock") || path.ends_with("go.sum");
    for (path, text) in tracked() {
        if allowed(&path) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            for place in &places {
                // A place stands at the start of a path, not in the middle of a relative one.
                let hit = line.match_indices(place.as_str()).any(|(at, _)| {
                    !line[..at]
                        .chars()
                        .next_back()
                        .is_some_and(|c| c.is_alphanumeric() || "._-}$)".contains(c))
                });
                assert!(!hit, "{}:{}: {line}", path.display(), number + 1);
            }
        }
    }
}

#[test]
fn no_tracked_text_names_a_registry_other_than_the_public_ones() {
    for (path, text) in tracked() {
        if path.ends_with("Cargo.lock") {
            for line in text.lines().filter(|l| l.starts_with("source = ")) {
                assert_eq!(
                    line,
                    "source = \"registry+https://github.com/rust-lang/crates.io-index\""
                );
            }
        }
        assert!(
            !path.ends_with(".cargo/config.toml") || !text.contains("[source"),
            "{} replaces a registry",
            path.display()
        );
    }
}

#[test]
fn every_exit_code_has_its_line_in_the_documentation() {
    let numbers: BTreeSet<u8> = Exit::ALL.iter().map(|(exit, _)| exit.code()).collect();
    assert_eq!(numbers.len(), Exit::ALL.len(), "a number stands twice");
    let page = root().join("docs/exit-codes.md");
    let Ok(page) = std::fs::read_to_string(page) else {
        return;
    };
    let rows: BTreeMap<u8, &str> = page
        .lines()
        .filter_map(|line| {
            let first = line.strip_prefix('|')?.split('|').next()?;
            Some((first.trim().trim_matches('`').parse().ok()?, line))
        })
        .collect();
    assert_eq!(rows.keys().copied().collect::<BTreeSet<u8>>(), numbers);
    for (exit, text) in Exit::ALL {
        let row = rows[&exit.code()];
        assert!(row.contains(text), "{row} does not say: {text}");
    }
}

#[test]
fn every_kind_has_its_page() {
    let pages = root().join("docs/reference");
    if !pages.is_dir() {
        return;
    }
    let schema = World::empty().run("schema").ends_with(0).json();
    for section in ["resources", "data"] {
        for kind in schema[section].as_object().expect("kinds").keys() {
            let page = pages.join(format!("{kind}.md"));
            assert!(page.is_file(), "{kind} has no page {}", page.display());
        }
    }
}

#[test]
fn every_code_of_a_mistake_says_what_to_do() {
    for code in drplan::diag::Code::ALL {
        assert!(code.as_str().starts_with("DR"), "{code}");
        assert!(code.explain().ends_with('.'), "{code}: {}", code.explain());
        assert!(code.explain().len() > 80, "{code} explains too little");
    }
}
