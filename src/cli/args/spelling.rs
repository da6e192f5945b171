//! Arguments in one spelling.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::ArgAction;
use clap::CommandFactory as _;

use super::Cli;

/// The variable with arguments of every command; those of one command have its name behind it.
const EXTRA: &str = "DRPLAN_CLI_ARGS";

/// Brings arguments into one spelling: `-name` is accepted for `--name`, and arguments of
/// `DRPLAN_CLI_ARGS` and `DRPLAN_CLI_ARGS_command` come right behind the command. Of an option that holds
/// one value, only the nearest is left: what a person types is nearer than what stands in the environment.
pub(crate) fn normalised(
    argv: impl IntoIterator<Item = OsString>,
    env: &BTreeMap<String, String>,
) -> Vec<OsString> {
    let mut out: Vec<OsString> = argv.into_iter().map(spelled).collect();
    let Some((at, command)) = command_of(&out) else {
        return out;
    };
    let extra = |name: &str| -> Vec<OsString> {
        let text = env.get(name).map_or("", String::as_str);
        text.split_whitespace()
            .map(|word| spelled(word.into()))
            .collect()
    };
    let mut given = names(&out);
    let of_command = extra(&format!("{EXTRA}_{command}"));
    let nearer = without(of_command, &given, &command);
    given.extend(names(&nearer));
    let farther = without(extra(EXTRA), &given, &command);
    out.splice(at + 1..at + 1, farther.into_iter().chain(nearer));
    out
}

fn spelled(word: OsString) -> OsString {
    let is_long = |text: &str| text.starts_with('-') && !text.starts_with("--") && text.len() > 2;
    match word.to_str() {
        Some(text) if is_long(text) => format!("-{text}").into(),
        _ => word,
    }
}

/// The place of the command and its name.
fn command_of(words: &[OsString]) -> Option<(usize, String)> {
    let mut words = words.iter().enumerate().skip(1);
    while let Some((at, word)) = words.next() {
        match word.to_str() {
            Some("--chdir") => drop(words.next()),
            Some(text) if !text.starts_with('-') => return Some((at, text.to_owned())),
            _ => {}
        }
    }
    None
}

/// The options among some words, without their values.
fn names(words: &[OsString]) -> BTreeSet<String> {
    let options = words.iter().filter_map(|word| option(word));
    options.map(str::to_owned).collect()
}

fn option(word: &OsString) -> Option<&str> {
    let text = word.to_str()?.strip_prefix("--")?;
    text.split('=').next()
}

/// Leaves out options of one value that are given nearer, and their values with them.
fn without(words: Vec<OsString>, given: &BTreeSet<String>, command: &str) -> Vec<OsString> {
    let cli = Cli::command();
    let of_command = cli.find_subcommand(command);
    let known = |name: &str| {
        let all = of_command.into_iter().chain([&cli]);
        let mut all = all.flat_map(clap::Command::get_arguments);
        all.find(|arg| arg.get_long() == Some(name))
    };
    let mut out = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let name = option(&word).filter(|name| given.contains(*name));
        let Some(arg) = name.and_then(known) else {
            out.push(word);
            continue;
        };
        match arg.get_action() {
            ArgAction::SetTrue => {}
            ArgAction::Set => {
                let has_value = word.to_string_lossy().contains('=');
                if !has_value && !arg.is_require_equals_set() {
                    words.next();
                }
            }
            _ => out.push(word),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(typed: &str, env: &[(&str, &str)]) -> String {
        let env = env.iter();
        let env = env.map(|&(name, value)| (name.to_owned(), value.to_owned()));
        let words = normalised(typed.split(' ').map(OsString::from), &env.collect());
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }

    #[test]
    fn what_is_typed_is_nearer_than_the_environment_wherever_it_stands() {
        let env = [
            ("DRPLAN_CLI_ARGS", "--chdir=/prod --no-color --deadline 1h"),
            ("DRPLAN_CLI_ARGS_apply", "--deadline 2h --target a"),
        ];
        for (typed, read_as) in [
            (
                "drplan apply",
                "drplan apply --chdir=/prod --no-color --deadline 2h --target a",
            ),
            (
                "drplan --chdir /drill apply --target b",
                "drplan --chdir /drill apply --no-color --deadline 2h --target a --target b",
            ),
            (
                "drplan apply -deadline=3h -no-color -chdir apply",
                "drplan apply --target a --deadline=3h --no-color --chdir apply",
            ),
            ("drplan --version", "drplan --version"),
        ] {
            assert_eq!(read(typed, &env), read_as, "{typed}");
        }
    }

    #[test]
    fn a_slip_of_the_hand_is_no_order() {
        let twice = [
            "drplan",
            "apply",
            "--stop-before",
            "apps",
            "--stop-before",
            "dns",
        ];
        let refused = Cli::read(twice.map(OsString::from).to_vec()).expect_err("it stands twice");
        assert!(refused.to_string().contains("multiple times"), "{refused}");
    }
}
