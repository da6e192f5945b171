//! How a person goes on with a run that is looked at.

use super::args::Cli;
use super::args::VarArgs;
use super::run::here;
use super::words::Words;
use crate::apply::Frontier;
use crate::plan::Plan;
use crate::report::Standing;
use crate::report::State;

/// How long a command waits for the lock of a run that has died: longer than a lock lives.
const AFTER_A_DEATH: &str = "2m";

/// Where a run that somebody looks at stands, with the command by which that person goes on: the one that the run
/// has kept, if that fits. Empty if nobody can. `is_locked` says whether its lock lies there still.
pub(super) fn of_run(
    standing: Standing,
    cli: &Cli,
    (vars, plan): (&VarArgs, &Plan),
    is_locked: bool,
) -> Standing {
    let made = |command: &[&str]| Words::new(cli, command).vars(vars, plan).text();
    let run = standing.run.as_str();
    let kept = standing.frontier.next.as_str();
    let (next, is_kept) = match standing.state {
        State::Running => (String::new(), false),
        State::Paused { .. } => (made(&["resume", run]), false),
        State::Ended { exit_code: 0 } => (String::new(), true),
        State::Ended { .. } => (kept.to_owned(), true),
        State::Died if kept.is_empty() => (made(&["apply", "--resume", run]), false),
        State::Died => (kept.to_owned(), true),
    };
    // Only `apply` waits for a lock.
    let waits = is_locked && standing.state == State::Died && command_of(&next) == "apply";
    let from = match is_kept {
        true => standing.frontier.from.clone(),
        false => here(),
    };
    let frontier = Frontier {
        next: match waits {
            true => format!("{next} --lock-timeout {AFTER_A_DEATH}"),
            false => next,
        },
        from,
        ..standing.frontier
    };
    Standing {
        frontier,
        ..standing
    }
}

/// The command in a printed line: the first word behind the program, and behind the folder if that is named.
fn command_of(line: &str) -> &str {
    let words = line.strip_prefix("drplan ").unwrap_or(line);
    let words = match words.strip_prefix("--chdir ") {
        Some(words) => behind_a_word(words),
        None => words,
    };
    words.split(' ').next().unwrap_or_default()
}

/// What stands behind the first word, which may be quoted.
fn behind_a_word(text: &str) -> &str {
    let (mut chars, mut is_quoted) = (text.char_indices(), false);
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => is_quoted = !is_quoted,
            '\\' if !is_quoted => drop(chars.next()),
            ' ' if !is_quoted => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::OsString;

    use super::*;
    use crate::tests::memory::Case;

    /// Where the run `r` stands, with the command that it has kept.
    fn standing(state: State, kept: &str) -> Standing {
        Standing {
            run: "r".to_owned(),
            recovery: "shop".to_owned(),
            is_part: false,
            state,
            began_at: None,
            last_at: None,
            seconds: 0,
            frontier: Frontier {
                next: kept.to_owned(),
                from: "/theirs".to_owned(),
                ..Frontier::default()
            },
            running: BTreeMap::new(),
            programs: BTreeMap::new(),
            programs_unknown: None,
        }
    }

    #[tokio::test]
    async fn who_goes_on_after_a_death_waits_for_the_lock_that_lies_there() {
        let plan = Case::new("").plan().await;
        let argv = ["drplan", "--chdir", "/spec", "status"];
        let cli = Cli::read(argv.map(OsString::from).to_vec()).expect("arguments");
        let next = |state, kept: &str, is_locked| {
            let told = (&VarArgs::default(), &plan);
            let standing = of_run(standing(state, kept), &cli, told, is_locked);
            (standing.frontier.next, standing.frontier.from)
        };
        let theirs = |next: &str| (next.to_owned(), "/theirs".to_owned());
        let ours = |next: &str| (next.to_owned(), here());
        let plain = "drplan --chdir /spec apply --resume r";
        assert_eq!(next(State::Died, "", false), ours(plain));
        assert_eq!(
            next(State::Died, "drplan apply --resume r --skip a.b=c", true),
            theirs("drplan apply --resume r --skip a.b=c --lock-timeout 2m")
        );
        for line in ["drplan release", "drplan --chdir 'an apply' release"] {
            assert_eq!(next(State::Died, line, true), theirs(line));
        }
        assert_eq!(next(State::Running, "drplan kept", true), ours(""));
        let paused = State::Paused {
            because: "somebody wished it".to_owned(),
        };
        assert_eq!(
            next(paused, "drplan kept", true),
            ours("drplan --chdir /spec resume r")
        );
        let ended = |exit_code| State::Ended { exit_code };
        assert_eq!(
            next(ended(4), "drplan plan --out p", true),
            theirs("drplan plan --out p")
        );
        // What was kept at the beginning, of a run that ended well and was killed before it kept its end.
        assert_eq!(next(ended(0), "drplan apply --resume r", true), theirs(""));
    }

    #[test]
    fn the_command_of_a_line_is_not_taken_from_a_folder_or_a_reason() {
        for (line, command) in [
            ("drplan apply --resume r", "apply"),
            ("drplan --chdir 'an apply' release", "release"),
            (r"drplan --chdir 'it'\''s an' apply", "apply"),
            ("drplan --chdir x revert dns r", "revert"),
            ("", ""),
        ] {
            assert_eq!(command_of(line), command, "{line}");
        }
    }
}
