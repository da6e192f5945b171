//! What programs said and which files they left.

use std::collections::BTreeSet;
use std::path::PathBuf;

use drplan_api::ConnId;
use drplan_api::Standing;

use super::LoadedConnection;
use super::count;
use super::named;
use crate::world::programs::Check;
use crate::world::programs::End;
use crate::world::programs::Programs;
use crate::world::programs::Restored;

/// Lets checks end as they ended where nothing of the world file stands in for them, and lets the files be
/// there that were. `reads` are those that the spec reads, which stay as they are.
pub(in crate::world) fn machine(
    connection: &ConnId,
    programs: &Programs,
    standing: &[Standing],
    reads: &BTreeSet<PathBuf>,
) -> LoadedConnection {
    let mut loaded = LoadedConnection::of(connection, "program".to_owned());
    let (mut stood_for, mut recorded) = (0, 0);
    let (mut secret, mut outside) = (Vec::new(), Vec::new());
    for one in standing {
        match one {
            Standing::Ended {
                argv,
                env,
                cwd,
                code,
                stdout,
                stderr,
            } => {
                let end = End {
                    code: *code,
                    stdout: stdout.clone(),
                    stderr: stderr.clone(),
                };
                if programs.recall(&Check { argv, env, cwd }, end) {
                    stood_for += 1;
                } else {
                    recorded += 1;
                }
            }
            Standing::File {
                path,
                present,
                content,
            } => match programs.recall_file(path, *present, content.as_deref(), reads) {
                Restored::Same => {}
                Restored::Secret => secret.push(path.clone()),
                Restored::Outside => outside.push(path.clone()),
                Restored::Failed(why) => loaded.lacks.push(format!("the file `{path}`: {why}")),
            },
            _ => {}
        }
    }
    loaded.holds.push(format!(
        "{} to the world file, {} as recorded",
        count(stood_for, "check is left", "checks are left"),
        count(recorded, "ends", "end")
    ));
    if !outside.is_empty() {
        loaded.lacks.push(format!(
            "the files {}: a rehearsal writes only below the spec's folder, and nothing that the spec is read from",
            named(&outside)
        ));
    }
    if !secret.is_empty() {
        loaded.lacks.push(format!(
            "the secret files {}: let the `files` of a program that ran write them",
            named(&secret)
        ));
    }
    loaded
}
