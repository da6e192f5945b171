//! Command lines of a spec, as far as they can be read without planning it.

/// A command line, and where it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// Its words; those that are not plain text may be anything.
    pub words: Vec<Option<String>>,
    /// The folder that it runs in, relative to that of the spec; `None` if that is not known.
    pub folder: Option<String>,
}

impl CommandLine {
    /// Whether it may start a program with these first arguments. `plain` leaves out of a name what leads to
    /// the spec's folder.
    pub fn starts(&self, name: &str, args: &[String], plain: impl Fn(&str) -> String) -> bool {
        let [Some(own), given @ ..] = self.words.as_slice() else {
            return false;
        };
        plain(own) == plain(name) && given.len() >= args.len() && may_be(given, args)
    }

    /// Whether it may be this one.
    #[must_use]
    pub fn may_be(&self, argv: &[String]) -> bool {
        self.words.len() == argv.len() && may_be(&self.words, argv)
    }
}

fn may_be(words: &[Option<String>], known: &[String]) -> bool {
    let same = |(word, known): (&Option<String>, &String)| word.as_ref().is_none_or(|w| w == known);
    words.iter().zip(known).all(same)
}
