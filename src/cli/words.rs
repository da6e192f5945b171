//! A command that is printed for a person to paste.

use std::path::Path;
use std::path::PathBuf;

use super::args::Cli;
use super::args::VarArgs;
use crate::plan::Plan;

/// A command, word by word: a shell reads its text as it is meant.
#[derive(Clone, Debug)]
pub(super) struct Words(Vec<String>);

impl Words {
    /// Begins a command for the folder of the spec, and names that as the person did.
    pub(super) fn new(cli: &Cli, command: &[&str]) -> Self {
        let is_named = cli.is_chdir_given || cli.chdir != Path::new(".");
        Self::beside(Some(&*cli.chdir).filter(|_| is_named), command)
    }

    /// Begins a command for a folder, or for the one where it is typed.
    pub(super) fn beside(dir: Option<&Path>, command: &[&str]) -> Self {
        let mut words = Self(vec!["drplan".to_owned()]);
        if let Some(dir) = dir {
            words.add("--chdir", dir.display().to_string());
        }
        words.0.extend(command.iter().map(|&word| word.to_owned()));
        words
    }

    /// Adds a word.
    pub(super) fn word(&mut self, word: impl Into<String>) {
        self.0.push(word.into());
    }

    /// Adds an option with its value.
    pub(super) fn add(&mut self, flag: &str, value: impl Into<String>) {
        self.0.extend([flag.to_owned(), value.into()]);
    }

    /// Adds more words.
    pub(super) fn and(mut self, words: Vec<String>) -> Self {
        self.0.extend(words);
        self
    }

    /// Adds one option for each value.
    pub(super) fn all<'a>(&mut self, flag: &str, values: impl IntoIterator<Item = &'a String>) {
        for value in values {
            self.add(flag, value);
        }
    }

    /// Takes an option with this value away.
    pub(super) fn without(&mut self, flag: &str, value: &str) {
        let found = self
            .0
            .windows(2)
            .position(|w| w[0] == flag && w[1] == value);
        if let Some(at) = found {
            self.0.drain(at..at + 2);
        }
    }

    /// Names the files of values again.
    pub(super) fn files(&mut self, vars: &VarArgs) {
        for file in &vars.var_files {
            self.add("--var-file", file.display().to_string());
        }
    }

    /// Gives the values of variables again: files, and what a plan shows anyway. A sensitive value must
    /// not be shown.
    pub(super) fn vars(mut self, vars: &VarArgs, plan: &Plan) -> Self {
        self.files(vars);
        for pair in &vars.vars {
            let name = pair.split('=').next().unwrap_or_default();
            let is_hidden = plan.head.given.others.iter().any(|other| other == name);
            if plan.head.variables.contains_key(name) && !is_hidden {
                self.add("--var", pair);
            }
        }
        self
    }

    /// Gives the values again that a plan was made with, as far as they may be shown, and those that came with
    /// it since.
    pub(super) fn planned_with(self, vars: &VarArgs, plan: &Plan) -> Self {
        self.given(vars, plan, |_| true)
    }

    /// The same, without files of values that are not here: a plan may be applied where they are not, and needs none.
    pub(super) fn applied_with(self, vars: &VarArgs, plan: &Plan) -> Self {
        self.given(vars, plan, Path::exists)
    }

    fn given(self, vars: &VarArgs, plan: &Plan, names: impl Fn(&Path) -> bool) -> Self {
        let given = &plan.head.given;
        let mut all = vars.clone();
        // Of two that say something of one variable the later holds.
        let files = given.files.iter().map(PathBuf::from);
        let files = files.filter(|file| names(file));
        all.var_files
            .retain(|file| !files.clone().any(|f| f == *file));
        all.var_files.extend(files);
        all.vars.retain(|pair| !given.values.contains(pair));
        all.vars.extend(given.values.iter().cloned());
        self.vars(&all, plan)
    }

    /// As a shell needs it.
    pub(super) fn text(&self) -> String {
        drplan_api::shell::joined(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    #[test]
    fn a_folder_is_named_as_the_person_named_it() {
        for (argv, said) in [
            (vec!["drplan", "status"], "drplan status r"),
            (
                vec!["drplan", "status", "--chdir", "."],
                "drplan --chdir . status r",
            ),
            (
                vec!["drplan", "--chdir", "a b", "status"],
                "drplan --chdir 'a b' status r",
            ),
        ] {
            let argv = argv.into_iter().map(OsString::from).collect();
            let cli = Cli::read(argv).expect("arguments");
            assert_eq!(Words::new(&cli, &["status", "r"]).text(), said);
        }
    }
}
