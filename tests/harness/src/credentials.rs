//! An AWS key pair in a credentials file, as every AWS client reads it.
//!
//! Knows nothing about the server that accepts the pair.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;

use crate::private;

/// One access key with its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The name of the user.
    pub access_key: String,
    /// The user's secret.
    pub secret_key: String,
}

impl Credentials {
    /// Reads the profile `default` of a file, or makes a pair up and writes the file (mode 0600).
    pub(crate) fn load_or_create(file: &Path) -> Result<Self> {
        match fs::read_to_string(file) {
            Ok(text) => Self::parse(&text)
                .with_context(|| format!("`{}` holds no key pair; delete it", file.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let fresh = Self {
                    access_key: private::random_word()?,
                    secret_key: private::random_word()?,
                };
                private::write(file, fresh.to_text().as_bytes())?;
                Ok(fresh)
            }
            Err(error) => Err(error).with_context(|| format!("cannot read `{}`", file.display())),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let value = |wanted: &str| {
            let mut pairs = text.lines().filter_map(|line| line.split_once('='));
            pairs.find_map(|(name, value)| (name.trim() == wanted).then(|| value.trim().to_owned()))
        };
        Some(Self {
            access_key: value("aws_access_key_id")?,
            secret_key: value("aws_secret_access_key")?,
        })
    }

    fn to_text(&self) -> String {
        format!(
            "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            self.access_key, self.secret_key,
        )
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { access_key, .. } = self;
        f.debug_struct("Credentials")
            .field("access_key", access_key)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_survives_its_file_and_its_secret_is_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("credentials");
        let made = Credentials::load_or_create(&file).unwrap();
        assert_eq!(Credentials::load_or_create(&file).unwrap(), made);
        assert!(!format!("{made:?}").contains(&made.secret_key));
        fs::write(&file, "[default]\n").unwrap();
        assert!(Credentials::load_or_create(&file).is_err());
    }
}
