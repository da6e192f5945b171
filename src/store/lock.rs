//! One apply of a recovery at a time on one machine: an advisory lock on a file, which the system
//! releases when the holder ends, however it ends.

use std::fs::File;
use std::fs::TryLockError;
use std::io::ErrorKind;
use std::io::Read as _;
use std::io::Seek as _;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

/// What helps where neither lock nor journal can be kept.
const NOWHERE: &str = "lock and journal are kept there, and nothing is begun without them: apply from a \
                       folder that you may write to, or name a `run_store` in the spec";

/// For how long somebody who only looks may be in the way.
const LOOKED_AT: Duration = Duration::from_millis(20);

/// A held lock; dropped, it is free.
pub struct Lock {
    _file: File,
}

/// Why the lock cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another apply holds it.
    #[error("another apply of this recovery runs: {holder}")]
    Held {
        /// What it wrote about itself.
        holder: String,
    },
    /// The file cannot be used.
    #[error("cannot lock `{path}`: {why}")]
    Io {
        /// Which.
        path: String,
        /// What the system said.
        why: String,
        /// What a person does about it, where that can be told.
        remedy: Option<&'static str>,
    },
}

impl LockError {
    /// Says that the system does not let a file or folder be used.
    pub(crate) fn io(path: &Path, why: &std::io::Error) -> Self {
        Self::Io {
            path: path.display().to_string(),
            why: why.to_string(),
            remedy: match why.kind() {
                ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => Some(NOWHERE),
                other => crate::private::remedy(other),
            },
        }
    }
}

impl Lock {
    /// Takes the lock or says who has it.
    ///
    /// # Errors
    ///
    /// If another process holds it or the file cannot be used.
    pub fn take(path: &Path, about: &str) -> Result<Self, LockError> {
        let io = |e: std::io::Error| LockError::io(path, &e);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(io)?;
        match locked(&file, || std::thread::sleep(LOOKED_AT)) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).map_err(io)?;
                return Err(LockError::Held {
                    holder: holder.trim().to_owned(),
                });
            }
            Err(TryLockError::Error(e)) => return Err(io(e)),
        }
        file.set_len(0).map_err(io)?;
        file.rewind().map_err(io)?;
        file.write_all(about.as_bytes()).map_err(io)?;
        Ok(Self { _file: file })
    }

    /// Says who holds the lock; nobody if it is free or was never taken.
    ///
    /// # Errors
    ///
    /// If the file cannot be used.
    pub fn holder(path: &Path) -> Result<Option<String>, LockError> {
        let io = |e: std::io::Error| LockError::io(path, &e);
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(io(e)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).map_err(io)?;
                Ok(Some(holder.trim().to_owned()))
            }
            Err(TryLockError::Error(e)) => Err(io(e)),
        }
    }
}

/// Locks a file, at the second try if need be: whoever asks for the holder has it for a moment.
fn locked(file: &File, pause: impl FnOnce()) -> Result<(), TryLockError> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            pause();
            file.try_lock()
        }
        first => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looks_for_a_moment_keeps_nobody_from_the_lock_and_who_holds_it_does() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("lock");
        let open = || {
            let mut options = File::options();
            let options = options.write(true).create(true).truncate(false);
            options.open(&path).expect("a file")
        };
        let (looking, taking) = (open(), open());
        looking.try_lock_shared().expect("free");
        locked(&taking, || drop(looking)).expect("free again");
        assert!(matches!(
            locked(&open(), || {}),
            Err(TryLockError::WouldBlock)
        ));
        drop(taking);
        Lock::take(&path, "a test").expect("free");
    }
}
