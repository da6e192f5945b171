//! Where a rehearsal plays: a private copy of the spec's folder, which ends with it.
#![expect(clippy::disallowed_methods, reason = "a stage is a folder of files")]

use std::io;
use std::path::Path;
use std::path::PathBuf;

use drplan_sandbox::world::WorldFile;
use tempfile::TempDir;

use super::file;
use crate::diag::Diagnostics;
use crate::diag::Sources;
use crate::spec::Module;

/// How much a spec's folder may hold, the data of the world left out, in bytes.
const STAGE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How deeply its folders may be nested.
const DEPTH_MAX: usize = 32;

/// A copy of a spec's folder and the world that belongs to it.
pub struct Stage {
    folder: TempDir,
    /// Where the world's data is read from.
    pub origin: PathBuf,
    /// What the world starts from.
    pub world: WorldFile,
    /// What somebody should look at in the world file, with its text.
    pub warnings: Box<(Diagnostics, Sources)>,
}

/// Why there is no stage.
#[derive(thiserror::Error)]
pub enum StageError {
    /// The folder does not say what to rehearse in.
    #[error("there is no `{}` in `{dir}`", file::FILE)]
    NoWorld {
        /// The folder.
        dir: String,
    },
    /// The world file has mistakes.
    #[error("the world file has mistakes")]
    Mistakes(Box<(Diagnostics, Sources)>),
    /// A file cannot be read or copied.
    #[error("cannot copy `{path}` for the rehearsal: {why}")]
    Copy {
        /// Which.
        path: String,
        /// Why not.
        why: String,
    },
}

impl std::fmt::Debug for StageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Stage {
    /// Copies a spec's folder and reads its world file, which is held against the spec.
    ///
    /// # Errors
    ///
    /// If there is no world file, it has mistakes, or the folder cannot be copied.
    pub(crate) fn set(dir: &Path, module: &Module) -> Result<Self, StageError> {
        let path = dir.join(file::FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let dir = dir.display().to_string();
                return Err(StageError::NoWorld { dir });
            }
            Err(e) => return Err(failed(&path, &e)),
        };
        let read = file::read(&path, &text, module).map_err(StageError::Mistakes)?;
        let (world, warnings) = read;
        let mut builder = tempfile::Builder::new();
        builder.prefix("drplan-rehearsal-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let folder = builder.tempdir().map_err(|e| failed(dir, &e))?;
        let data = data_folders(&world);
        let mut copy = Copy {
            data: data.iter().map(|folder| dir.join(folder)).collect(),
            bytes_left: STAGE_BYTES_MAX,
        };
        copy.folder(dir, folder.path(), DEPTH_MAX)?;
        let origin = std::path::absolute(dir).map_err(|e| failed(dir, &e))?;
        Ok(Self {
            folder,
            origin,
            world,
            warnings,
        })
    }

    /// The folder to work in.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }
}

/// Writes a file that only its owner can read.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

/// The folders that the world reads in place.
fn data_folders(world: &WorldFile) -> Vec<PathBuf> {
    let buckets = world.object_store.iter().flat_map(|s| s.bucket.values());
    buckets
        .filter_map(|b| b.folder.as_ref().map(PathBuf::from))
        .collect()
}

fn failed(path: &Path, error: &io::Error) -> StageError {
    StageError::Copy {
        path: path.display().to_string(),
        why: error.to_string(),
    }
}

struct Copy {
    data: Vec<PathBuf>,
    bytes_left: u64,
}

impl Copy {
    fn folder(&mut self, from: &Path, to: &Path, depth_left: usize) -> Result<(), StageError> {
        if depth_left == 0 {
            return Err(failed(from, &io::Error::other("it is nested too deeply")));
        }
        for entry in std::fs::read_dir(from).map_err(|e| failed(from, &e))? {
            let entry = entry.map_err(|e| failed(from, &e))?;
            let (path, name) = (entry.path(), entry.file_name());
            let hidden = name.to_string_lossy().starts_with('.');
            if hidden || self.data.contains(&path) {
                continue;
            }
            let to = to.join(&name);
            // What a link leads to is what the spec would read.
            let meta = std::fs::metadata(&path).map_err(|e| failed(&path, &e))?;
            if meta.is_dir() {
                std::fs::create_dir(&to).map_err(|e| failed(&path, &e))?;
                self.folder(&path, &to, depth_left - 1)?;
            } else if meta.is_file() {
                let left = self.bytes_left.checked_sub(meta.len());
                self.bytes_left = left.ok_or_else(|| {
                    failed(
                        &path,
                        &io::Error::other("the folder of the spec holds too much"),
                    )
                })?;
                std::fs::copy(&path, &to).map_err(|e| failed(&path, &e))?;
            }
        }
        Ok(())
    }
}
