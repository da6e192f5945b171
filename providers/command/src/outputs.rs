//! What a command leaves behind: files that others refer to.

use std::collections::BTreeMap;
use std::path::Path;

use drplan_api::ErrorKind;
use drplan_api::Json;
use drplan_api::ProviderError;
use drplan_api::SecretRef;
use drplan_api::Standing;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;
use tokio::io::AsyncReadExt as _;

use crate::spec::CommandSpec;
use crate::spec::OutputSpec;

/// The largest output file that is read.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The arguments of the question `outputs`: files by the name of their output, relative to the spec's
/// folder. The content of a sensitive file is never read, only that it is there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OutputsAsk {
    files: BTreeMap<String, FileAsk>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct FileAsk {
    path: String,
    sensitive: bool,
}

/// The answer: which files are there, and what stands in those that are not sensitive.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OutputsAnswer {
    files: BTreeMap<String, FileAnswer>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct FileAnswer {
    present: bool,
    content: Option<String>,
}

impl OutputsAsk {
    /// Makes the question of a command that has outputs in files.
    pub(crate) fn of(spec: &CommandSpec) -> Option<Self> {
        let files: BTreeMap<_, _> = spec
            .outputs
            .iter()
            .filter_map(|(name, output)| {
                let path = path_of(spec, output)?;
                let sensitive = output.is_sensitive();
                Some((name.clone(), FileAsk { path, sensitive }))
            })
            .collect();
        (!files.is_empty()).then_some(Self { files })
    }

    /// Looks at the files.
    pub(crate) async fn run(&self, base_dir: &Path) -> Result<OutputsAnswer, ProviderError> {
        let mut files = BTreeMap::new();
        for (name, file) in &self.files {
            files.insert(name.clone(), file.read(base_dir).await?);
        }
        Ok(OutputsAnswer { files })
    }

    /// Which files were there, by a recorded answer.
    pub(crate) fn files(self, answer: &OutputsAnswer) -> Vec<Standing> {
        let one = |(name, file): (String, FileAsk)| {
            let found = answer.files.get(&name)?;
            Some(Standing::File {
                path: file.path,
                present: found.present,
                content: found.content.clone(),
            })
        };
        self.files.into_iter().filter_map(one).collect()
    }

    /// Returns the path of each output that is not there.
    pub(crate) fn missing<'a>(&'a self, answer: &OutputsAnswer) -> Vec<&'a str> {
        let there = |name: &String| answer.files.get(name).is_some_and(|file| file.present);
        self.files
            .iter()
            .filter(|(name, _)| !there(name))
            .map(|(_, file)| file.path.as_str())
            .collect()
    }
}

impl FileAsk {
    async fn read(&self, base_dir: &Path) -> Result<FileAnswer, ProviderError> {
        let path = base_dir.join(&self.path);
        let fail = |e: &std::io::Error| {
            let kind = match e.kind() {
                std::io::ErrorKind::PermissionDenied => ErrorKind::Denied,
                _ => ErrorKind::Invalid,
            };
            ProviderError::new(kind, "read an output", format!("file `{}`", self.path)).caused_by(e)
        };
        let file = match tokio::fs::File::open(&path).await {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Ok(FileAnswer {
                    present: false,
                    content: None,
                });
            }
            Err(e) => return Err(fail(&e)),
        };
        if self.sensitive {
            return Ok(FileAnswer {
                present: true,
                content: None,
            });
        }
        let mut text = String::new();
        let mut limited = file.take(FILE_BYTES_MAX + 1);
        limited
            .read_to_string(&mut text)
            .await
            .map_err(|e| fail(&e))?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(ProviderError::new(
                ErrorKind::Invalid,
                "read an output",
                format!("file `{}`", self.path),
            )
            .because(format!("it is larger than {FILE_BYTES_MAX} bytes"))
            .hint("let the command write only what other resources refer to"));
        }
        Ok(FileAnswer {
            present: true,
            content: Some(text),
        })
    }
}

impl OutputsAnswer {
    /// Reads an answer back.
    pub(crate) fn read(json: &Json) -> Result<Self, ProviderError> {
        Self::deserialize(json).map_err(|e| {
            ProviderError::new(ErrorKind::Bug, "read a command's outputs", "this machine")
                .caused_by(&e)
        })
    }
}

/// Makes the exports of a command whose work is done. `None` as `answer` means that no output lies in
/// a file.
///
/// # Errors
///
/// If an output is not there or is not what the spec says.
pub(crate) fn export(
    spec: &CommandSpec,
    answer: Option<&OutputsAnswer>,
    stdout: Option<&str>,
) -> Result<Json, ProviderError> {
    let mut out = serde_json::Map::new();
    for (name, output) in &spec.outputs {
        let value = match path_of(spec, output) {
            Some(path) if output.is_sensitive() => json!({ "$secret": SecretRef::File(path) }),
            Some(path) => {
                let text = answer
                    .and_then(|answer| answer.files.get(name))
                    .and_then(|file| file.content.as_deref());
                parsed(name, output, text, &format!("file `{path}`"))?
            }
            None => parsed(name, output, stdout, "standard output of `check`")?,
        };
        out.insert(name.clone(), value);
    }
    Ok(Json::Object(out))
}

fn parsed(
    name: &str,
    output: &OutputSpec,
    text: Option<&str>,
    place: &str,
) -> Result<Json, ProviderError> {
    let fail = |kind| ProviderError::new(kind, format!("read the output `{name}`"), place);
    let Some(text) = text else {
        return Err(fail(ErrorKind::Invalid)
            .because("it is too long for an output")
            .hint("let the command write it to a file"));
    };
    if output.is_json() {
        // What stands there is not quoted: it may be more than the author meant to show.
        return serde_json::from_str(text).map_err(|e| {
            fail(ErrorKind::Corrupt).because(format!(
                "it is not JSON (line {}, column {})",
                e.line(),
                e.column()
            ))
        });
    }
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(Json::from(text.strip_suffix('\r').unwrap_or(text)))
}

fn path_of(spec: &CommandSpec, output: &OutputSpec) -> Option<String> {
    let file = output.file.as_deref()?;
    let path = Path::new(&spec.working_dir).join(file);
    Some(path.to_string_lossy().into_owned())
}
