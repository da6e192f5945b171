//! Folders and files that only their owner can read, and what a person does where there can be none.

use std::io::ErrorKind;
use std::io::Write as _;
use std::path::Path;

/// Makes a folder that only its owner can enter, with those above it.
///
/// # Errors
///
/// What the system said.
pub(crate) fn folder(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes a file whole or not at all: a reader, or a crash, meets the old one or the new one.
///
/// # Errors
///
/// What the system said.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let mut options = std::fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut refused = None;
    let made = tempfile::Builder::new().make_in(folder.unwrap_or(Path::new(".")), |temporary| {
        let made = options.open(temporary);
        made.inspect_err(|e| refused = e.raw_os_error())
    });
    // Its own error names the temporary file, which nobody knows.
    let mut file = made.map_err(|e| refused.map_or(e, std::io::Error::from_raw_os_error))?;
    file.as_file_mut().write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    Ok(())
}

/// What a person does about a place that takes no file; nothing where the error says enough.
pub(crate) fn remedy(why: ErrorKind) -> Option<&'static str> {
    match why {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Some("there is no room: make some there, then call drplan again")
        }
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
            Some("nothing can be written there: name a place that you may write to")
        }
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
            Some("a file stands where a folder must be: move it away, or name another place")
        }
        ErrorKind::IsADirectory | ErrorKind::ResourceBusy => {
            Some("there is a folder of this name: name a file")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_files_and_folders_for_each_other_is_told_so() {
        let place = tempfile::tempdir().expect("a folder");
        let file = place.path().join("a");
        write(&file, b"x").expect("a file");
        for error in [
            folder(&file).expect_err("a file is there"),
            folder(&file.join("b")).expect_err("no folder"),
        ] {
            let remedy = remedy(error.kind()).expect("it can be told");
            assert!(remedy.starts_with("a file stands"), "{error}: {remedy}");
        }
        let onto = [place.path().join("c"), place.path().join("c/.")];
        folder(&onto[0]).expect("a folder");
        for onto in onto {
            let error = write(&onto, b"x").expect_err("a folder is there");
            let remedy = remedy(error.kind()).expect("it can be told");
            assert!(remedy.starts_with("there is a folder"), "{error}: {remedy}");
        }
    }

    #[test]
    fn where_no_file_can_be_made_the_error_is_the_systems_own() {
        let error = write(Path::new("/nowhere/at/all/x"), b"x").expect_err("no file");
        assert!(error.raw_os_error().is_some(), "{error}");
        assert!(!error.to_string().contains("nowhere"), "{error}");
    }
}
